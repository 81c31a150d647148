"""Shapes and dtypes of tensors whose sizes may be unknown, and their arithmetic."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lstmgraph.keras_facts.dtypes import is_float
from lstmgraph.keras_facts.tensors import TensorSpec

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Size = int | None
FLOATX = "float32"
_INTEGERS = ("bool", "uint8", "int8", "uint16", "int16", "uint32", "int32", "int64")
"""From the narrowest to the widest."""


@dataclass(frozen=True)
class Spec:
    """A tensor's shape, batch first and None for what is unknown, and its dtype."""

    shape: tuple[Size, ...]
    dtype: str

    def named(self) -> TensorSpec:
        """Return the spec as the rules of layers take it: with names for unknown sizes."""
        names = ("batch" if axis == 0 else "time" for axis in range(len(self.shape)))
        sizes = zip(self.shape, names, strict=True)
        return TensorSpec(tuple(name if size is None else size for size, name in sizes), self.dtype)


def spec_of(named: TensorSpec) -> Spec:
    """Return what the rules of layers return with None for unknown sizes."""
    sizes = tuple(size if isinstance(size, int) else None for size in named.shape)
    return Spec(sizes, named.dtype)


def broadcast(shapes: Iterable[Sequence[Size]]) -> tuple[Size, ...] | None:
    """Return the shape that arrays of these shapes have together; None if they do not fit."""
    found: list[Size] = []
    for shape in shapes:
        width = max(len(found), len(shape))
        found = [*(1 for _ in range(width - len(found))), *found]
        own: list[Size] = [*(1 for _ in range(width - len(shape))), *shape]
        for axis, (first, second) in enumerate(zip(found, own, strict=True)):
            if first == 1 or first is None:
                found[axis] = first if second == 1 else second
            elif second not in (1, None, first):
                return None
    return tuple(found)


def promoted(dtypes: Iterable[str], scalars: Iterable[object] = ()) -> str:
    """Return the dtype of arrays and Python's numbers together, by Keras's rules."""
    own = list(dtypes)
    floats = {dtype for dtype in own if is_float(dtype)}
    if floats:
        if floats == {"float16", "bfloat16"}:
            return "float32"
        return max(floats, key=lambda dtype: (dtype[-2:], dtype))
    kinds = {type(scalar) for scalar in scalars}
    if float in kinds:
        return FLOATX
    widest = max(own, key=lambda d: _INTEGERS.index(d) if d in _INTEGERS else 99, default="int32")
    return "int32" if widest == "bool" and int in kinds else widest


def as_float(dtype: str) -> str:
    """Return the dtype of a function that has fractions as results."""
    return dtype if is_float(dtype) else FLOATX
