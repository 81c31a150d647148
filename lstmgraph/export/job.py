"""The export job, from which every format writes its file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import keras

    from lstmgraph.compiler.compile import CompiledRecipe
    from lstmgraph.compiler.graph import Graph, GraphInput
    from lstmgraph.export.formats import ExportOptions


@dataclass(frozen=True)
class ExportJob:
    """A model of a recipe to export."""

    compiled: CompiledRecipe
    model: keras.Model
    """The caller's model, compiled and with dropout if the recipe says so."""
    inference: keras.Model
    """A model for inference only, with the same weights."""
    options: ExportOptions

    @property
    def graph(self) -> Graph:
        """Return the recipe's graph."""
        return self.compiled.graph

    def fixed_batch(self, default: int | None = None) -> int | None:
        """Return the rows of every batch: the recipe's, else the option's, else `default`."""
        return self.graph.batch_size or self.options.batch_size or default

    def input_shape(self, tensor: GraphInput, batch: int | None) -> list[Any]:
        """Return the shape of an input, in the layout of the data; None for an open size."""
        shape: list[Any] = [batch, *tensor.spec.shape_without_batch]
        return [shape[1], shape[0], *shape[2:]] if tensor.time_major else shape
