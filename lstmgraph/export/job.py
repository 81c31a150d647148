"""The export job, from which every format writes."""

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
    """A model of a recipe, to be exported."""

    compiled: CompiledRecipe
    model: keras.Model
    """The model as it was given: compiled and with dropout, where the recipe says so."""
    inference: keras.Model
    """The same weights in a model for inference alone."""
    options: ExportOptions

    @property
    def graph(self) -> Graph:
        """Return the recipe's graph."""
        return self.compiled.graph

    def fixed_batch(self, default: int | None = None) -> int | None:
        """Return the rows of every batch: the recipe's, the option's or `default`."""
        return self.graph.batch_size or self.options.batch_size or default

    def input_shape(self, tensor: GraphInput, batch: int | None) -> list[Any]:
        """Return the shape of the input's data; None for a size known only with the data."""
        shape: list[Any] = [batch, *tensor.spec.shape_without_batch]
        return [shape[1], shape[0], *shape[2:]] if tensor.time_major else shape
