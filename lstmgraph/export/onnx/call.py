"""The call that a lowering reads: arguments, inputs, weights and masks."""

from __future__ import annotations

from dataclasses import dataclass, field
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
    """Return the dtype in which ONNX computes where the graph has `dtype`.

    onnxruntime's CPU has few kernels for half precision, so that is computed in float32 and the
    result rounded. Integers and bools are computed in int64.
    """
    if is_float(dtype):
        return "float64" if dtype == "float64" else "float32"
    return "int64"


@dataclass(frozen=True)
class Call:
    """A call of a Keras layer, or of one of the graph's own operations.

    A lowering reads the inputs in the working dtype, and returns its result in that dtype.
    """

    builder: Builder
    op: str
    arguments: Mapping[str, Any]
    inputs: tuple[Value, ...]
    output: TensorSpec
    weights: Sequence[np.ndarray]
    batch: Name
    """The number of rows in the batch, (1,)."""
    lower: Callable[[Call], Name]
    """The lowering for a layer inside this one."""
    mask: Name | None = None
    """The mask of the call, (batch, time) of bool, if it has one."""
    input_masks: tuple[Name | None, ...] = ()
    """For attention: the mask of each input."""
    input_names: tuple[str, ...] | None = None
    returns_scores: bool = False
    """For attention: whether the scores are read."""
    further: dict[str, Name] = field(default_factory=dict)
    """Where a lowering puts outputs beside the one that it returns, by port."""

    @property
    def dtype(self) -> str:
        """Return the working dtype."""
        return working_dtype(self.output.dtype)

    @property
    def spec(self) -> TensorSpec:
        """Return the shape and dtype of the first input."""
        return self.inputs[0].spec

    @property
    def rank(self) -> int:
        """Return the rank of the first input."""
        return self.inputs[0].spec.rank

    def x(self, index: int = 0) -> Name:
        """Return an input in the working dtype."""
        value = self.inputs[index]
        return self.builder.cast(value.name, value.spec.dtype, self.dtype)

    def raw(self, index: int = 0) -> Name:
        """Return an input in its own dtype."""
        return self.inputs[index].name

    def do(self, kind: str, *inputs: Name, **attributes: Any) -> Name:
        """Add an operator and return its output."""
        return self.builder.op(kind, *inputs, **attributes)

    def constant(self, value: ArrayLike) -> Name:
        """Return a constant of the working dtype."""
        return self.builder.constant(value, self.dtype)

    def weight(self, index: int) -> np.ndarray:
        """Return a weight by its index in Keras's order, as float64 for precise folding."""
        return np.asarray(self.weights[index], "float64")

    def axes(self, axis: int | Sequence[int]) -> list[int]:
        """Return the axes counted from 0, in order."""
        axes = [axis] if isinstance(axis, int) else axis
        return sorted(number % self.rank for number in axes)

    def sizes(self, dims: Sequence[Dim], source: Name, places: Sequence[int]) -> Name:
        """Return sizes as int64; unknown ones are read from the axes `places` of `source`."""
        if all(isinstance(dim, int) for dim in dims):
            return self.builder.constant(dims, "int64")
        parts = [
            self.builder.ints(dim)
            if isinstance(dim, int)
            else self.do("Shape", source, start=place, end=place + 1)
            for dim, place in zip(dims, places, strict=True)
        ]
        return self.do("Concat", *parts, axis=0)
