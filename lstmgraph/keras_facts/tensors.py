"""Shapes and dtypes of tensors, and arithmetic with named sizes, without TensorFlow."""

import ast
import math
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import gcd, prod

Dim = int | str
"""A fixed size, or a name for one known only from the data: ``batch``, ``time``, ``time-2``."""

BATCH = "batch"
LONGEST = 2**31 - 1
"""The most steps of a sequence, which are counted in int32."""

_SHIFTED = re.compile(r"(?P<base>.+?)(?P<shift>[+-]\d+)")
_SCALED = re.compile(r"(?P<factor>\d+)\*(?P<base>.+)")
_INNERMOST = re.compile(r"\([^()]*\)")
_NAME = re.compile(r"[A-Za-z]\w*\b(?!\()")
_MOST_GROUPS = 100
"""The most parentheses of a size that is worked out: Python's parser takes about 200."""


@dataclass(frozen=True)
class TensorSpec:
    """The shape of a tensor, with the batch first (``("batch", "time", 8)``), and its dtype."""

    shape: tuple[Dim, ...]
    dtype: str

    @property
    def rank(self) -> int:
        """The number of dimensions, including the batch."""
        return len(self.shape)

    @property
    def shape_without_batch(self) -> tuple[int | None, ...]:
        """The shape without the batch as Keras writes it: None for a named size."""
        return tuple(dim if isinstance(dim, int) else None for dim in self.shape[1:])

    def __str__(self) -> str:
        return f"({', '.join(str(dim) for dim in self.shape)})"


@dataclass(frozen=True)
class Resize:
    """The number of steps that a layer makes of some: ``ceil((scale * steps + shift) / divisor)``.

    It is never less than 0.
    """

    scale: int = 1
    shift: int = 0
    divisor: int = 1

    def of(self, dim: Dim) -> Dim:
        """Return the number of steps for `dim` steps: ``ceil((time-2)/2)`` for ``time``."""
        return ceil_divide_dim(shift_dim(scale_dim(dim, self.scale), self.shift), self.divisor)


SAME_STEPS = Resize()


def shift_dim(dim: Dim, amount: int) -> Dim:
    """Return ``dim + amount``: ``shift_dim(8, -2) == 6``, ``shift_dim("time+1", -1) == "time"``."""
    if isinstance(dim, int):
        return dim + amount
    match = _SHIFTED.fullmatch(dim)
    base, total = (match["base"], int(match["shift"]) + amount) if match else (dim, amount)
    return f"{base}{total:+d}" if total else base


def scale_dim(dim: Dim, factor: int) -> Dim:
    """Return ``dim * factor``."""
    if isinstance(dim, int):
        return dim * factor
    return dim if factor == 1 else f"{factor}*{_grouped(dim)}"


def ceil_divide_dim(dim: Dim, divisor: int) -> Dim:
    """Return ``ceil(dim / divisor)``."""
    if isinstance(dim, int):
        return -(-dim // divisor)
    return dim if divisor == 1 else f"ceil({_grouped(dim)}/{divisor})"


def add_dims(first: Dim, second: Dim) -> Dim:
    """Return ``first + second``, the same text in either order."""
    if isinstance(first, int):
        return shift_dim(second, first)
    if isinstance(second, int):
        return shift_dim(first, second)
    pairs = [_base_and_shift(dim) for dim in (first, second)]
    bases = "+".join(sorted(base for base, _ in pairs))
    return shift_dim(bases, sum(shift for _, shift in pairs))


def multiply_dims(dims: Sequence[Dim]) -> Dim:
    """Return the product of all sizes, the same text in any order; 1 for none."""
    factor = prod(dim for dim in dims if isinstance(dim, int))
    names = sorted(dim for dim in dims if isinstance(dim, str))
    if not names:
        return factor
    if len(names) == 1:
        return scale_dim(names[0], factor)
    product = "*".join(_grouped(name) for name in names)
    return product if factor == 1 else f"{factor}*{product}"


def divide_dim(dim: Dim, divisor: int) -> Dim:
    """Return ``dim / divisor``, assuming that it divides: ``"2*time"`` for ``"8*time"`` and 4."""
    if isinstance(dim, int):
        return dim // divisor
    match = _SCALED.fullmatch(dim)
    is_product = match is not None and not set("+-/") & set(_outside_groups(match["base"]))
    factor, base = (int(match["factor"]), match["base"]) if match and is_product else (1, dim)
    common = gcd(factor, divisor)
    factor, divisor = factor // common, divisor // common
    if factor == divisor == 1:
        is_group = base.startswith("(") and not _outside_groups(base)
        return base[1:-1] if is_group else base
    scaled = base if factor == 1 else f"{factor}*{base}"
    return scaled if divisor == 1 else f"{_grouped(scaled)}/{divisor}"


def _outside_groups(dim: str) -> str:
    """Return `dim` without what stands in parentheses: ``2*`` of ``2*(time+1)``."""
    rest = _INNERMOST.sub("", dim)
    return rest if rest == dim else _outside_groups(rest)


def _base_and_shift(dim: str) -> tuple[str, int]:
    match = _SHIFTED.fullmatch(dim)
    return (match["base"], int(match["shift"])) if match else (dim, 0)


def _grouped(dim: str) -> str:
    return f"({dim})" if re.search(r"[+\-*]", dim) else dim


_OPERATORS: Mapping[type[ast.operator], Callable[[Fraction, Fraction], Fraction]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}


def dim_size(dim: Dim, sizes: Mapping[str, int]) -> Fraction:
    """Return the number that `dim`, such as ``ceil((time-1)/2)``, stands for."""
    if isinstance(dim, int):
        return Fraction(dim)
    if dim in sizes:
        return Fraction(sizes[dim])
    numbers = _NAME.sub(lambda name: str(sizes[name[0]]), dim)
    return _value(ast.parse(numbers, mode="eval").body)


def number_of(dim: Dim, sizes: Mapping[str, int]) -> int:
    """Return a size as a number: ``ceil((time-1)/2)`` is 5 if `time` is 10."""
    return max(0, math.floor(dim_size(dim, sizes)))


def with_sizes(shape: Sequence[Dim], sizes: Mapping[str, int]) -> tuple[Dim, ...]:
    """Return `shape` with numbers in the place of the sizes that follow from `sizes`."""
    return tuple(number_of(dim, sizes) if _follows(dim, sizes) else dim for dim in shape)


def names_in(dim: Dim) -> frozenset[str]:
    """Return the names that a size is made of: ``time`` for ``ceil((time-1)/2)``."""
    return frozenset(_NAME.findall(dim)) if isinstance(dim, str) else frozenset()


def _follows(dim: Dim, sizes: Mapping[str, int]) -> bool:
    if isinstance(dim, str) and dim.count("(") > _MOST_GROUPS:
        return False
    return names_in(dim) <= sizes.keys()


def _value(node: ast.expr) -> Fraction:
    if isinstance(node, ast.Constant) and isinstance(node.value, int):
        return Fraction(node.value)
    if isinstance(node, ast.BinOp):
        return _OPERATORS[type(node.op)](_value(node.left), _value(node.right))
    if isinstance(node, ast.Call) and len(node.args) == 1:  # ceil is the only one
        return Fraction(math.ceil(_value(node.args[0])))
    raise ValueError(f"not a size: {ast.unparse(node)}")
