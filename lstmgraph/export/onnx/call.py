"""What an operation is lowered from: its arguments, tensors, weights and masks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lstmgraph.keras_facts.dtypes import is_float

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import ArrayLike

    from lstmgraph.export.onnx.builder import Builder, Name
    from lstmgraph.export.onnx.values import Value
    from lstmgraph.keras_facts.tensors import Dim, TensorSpec


def working_dtype(dtype: str) -> str:
    """What ONNX computes in where the graph says `dtype`.

    onnxruntime's CPU has few kernels for half precision: those are computed in float32, and the
    result is rounded. Integers and bools are computed in int64.
    """
    if is_float(dtype):
        return "float64" if dtype == "float64" else "float32"
    return "int64"


@dataclass(frozen=True)
class Call:
    """One call of a Keras layer, or of an operation of the graph.

    A function that lowers one reads its inputs in the working dtype, and gives its result in it.
    """

    builder: Builder
    op: str
    arguments: Mapping[str, Any]
    inputs: tuple[Value, ...]
    output: TensorSpec
    weights: Sequence[np.ndarray]
    batch: Name
    """[rows of the batch]."""
    lower: Callable[[Call], Name]
    """How a layer inside this one is lowered."""
    mask: Name | None = None
    """Bool of (batch, time), where the call is given one."""
    input_masks: tuple[Name | None, ...] = ()
    """Of attention: of each input."""
    input_names: tuple[str, ...] | None = None

    @property
    def dtype(self) -> str:
        """The working dtype."""
        return working_dtype(self.output.dtype)

    @property
    def spec(self) -> TensorSpec:
        """Shape and dtype of the first input."""
        return self.inputs[0].spec

    @property
    def rank(self) -> int:
        """Of the first input."""
        return self.inputs[0].spec.rank

    def x(self, index: int = 0) -> Name:
        """An input in the working dtype."""
        value = self.inputs[index]
        return self.builder.cast(value.name, value.spec.dtype, self.dtype)

    def raw(self, index: int = 0) -> Name:
        """An input in its own dtype."""
        return self.inputs[index].name

    def do(self, kind: str, *inputs: Name, **attributes: Any) -> Name:
        """An operator."""
        return self.builder.op(kind, *inputs, **attributes)

    def constant(self, value: ArrayLike) -> Name:
        """A constant of the working dtype."""
        return self.builder.constant(value, self.dtype)

    def weight(self, index: int) -> np.ndarray:
        """A weight of the layer, in Keras's order, as float64: what is folded keeps precision."""
        return np.asarray(self.weights[index], "float64")

    def axes(self, axis: int | Sequence[int]) -> list[int]:
        """Axes counted from 0, in order."""
        given = [axis] if isinstance(axis, int) else axis
        return sorted(one % self.rank for one in given)

    def sizes(self, dims: Sequence[Dim], source: Name, places: Sequence[int]) -> Name:
        """Sizes as int64: those that are known, and the others from `places` of `source`."""
        if all(isinstance(dim, int) for dim in dims):
            return self.builder.constant(dims, "int64")
        parts = [
            self.builder.ints(dim)
            if isinstance(dim, int)
            else self.do("Shape", source, start=place, end=place + 1)
            for dim, place in zip(dims, places, strict=True)
        ]
        return self.do("Concat", *parts, axis=0)
