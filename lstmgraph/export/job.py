"""The export job, from which every format writes its file."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lstmgraph.data.vocabularies import prepared

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import keras

    from lstmgraph.compiler.compile import CompiledRecipe
    from lstmgraph.compiler.graph import Graph, GraphInput
    from lstmgraph.data.vocabularies import Prepared
    from lstmgraph.export.formats import ExportOptions
    from lstmgraph.export.samples import Arrays

    Run = Callable[[Arrays], Mapping[str, Any]]

SIGNATURE = "serving_default"
"""The signature that TensorFlow Serving looks for; Keras names the same one ``serve``."""


@dataclass(frozen=True)
class Measure:
    """A measure of a model on unseen data."""

    output: str
    name: str
    value: float
    grows: bool
    """Whether a better model has a larger one, as of accuracy."""


@dataclass(frozen=True)
class ExportData:
    """Data that a quantized file is made from and measured on."""

    ranges: Callable[[int | None], Iterator[Arrays]]
    """Yields batches of the recipe's inputs from the training part, of this many rows each."""
    unseen: Callable[[int | None], Iterator[Arrays]]
    """Yields such batches to compare outputs on, from the part that is measured if there is one."""
    part: str | None
    """The part that is measured, such as ``test``; None where the data has none but training's."""
    measure: Callable[[Run, int | None], list[Measure]]
    """Runs a model on that part, and measures its outputs; `int` is the rows of its batches."""


@dataclass(frozen=True)
class ExportJob:
    """A model of a recipe to export."""

    compiled: CompiledRecipe
    model: keras.Model
    """What the file must compute: the caller's model, compiled and with dropout if the recipe says
    so, or a further model with its weights."""
    inference: keras.Model
    """A model for inference only, with the same weights."""
    options: ExportOptions
    makers: Mapping[str, Prepared] = field(default_factory=dict)
    """What makes the inputs of a file that are not the recipe's."""
    data: ExportData | None = None
    rows: int | None = None
    """The rows of every batch of the file; None for any."""
    target: Path = Path()
    """The path that the file gets; it is written under another one."""
    plain: Path = Path()
    """Where the model in the recipe's own numbers is written, of one that is quantized."""
    further: str = ""
    """The name of the further model that is exported; "" for the recipe's own."""
    signature: str = SIGNATURE
    """The name of the model in files that can hold several."""
    shared: bool = False
    """Whether other models in the file have the same weights."""

    @property
    def graph(self) -> Graph:
        """Return the recipe's graph."""
        return self.compiled.graph

    @property
    def name(self) -> str:
        """Return the name of the recipe, and that of the further model behind it."""
        return ".".join(filter(None, (self.compiled.declaration.name, self.further)))

    def calibration(self) -> Iterator[Arrays]:
        """Yield batches of the file's inputs, by name, from the training part of the data."""
        if self.data is None:
            raise ValueError("ranges come from data, never from random numbers")
        for batch in self.data.ranges(self.rows):
            yield prepared(batch, self.makers)

    def fixed_batch(self, default: int | None = None) -> int | None:
        """Return the rows of every batch: the recipe's, else the option's, else `default`."""
        return self.graph.batch_size or self.options.batch_size or default

    def input_shape(self, tensor: GraphInput, batch: int | None) -> list[Any]:
        """Return the shape of an input, in the layout of the data; None for an open size."""
        shape: list[Any] = [batch, *tensor.spec.shape_without_batch]
        return [shape[1], shape[0], *shape[2:]] if tensor.time_major else shape
