"""What a tensor of a Keras model is in a recipe's terms: a port, or what a form makes of one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

Shape = tuple[int | None, ...]


@dataclass(frozen=True)
class Port:
    """An input, or an output of a layer: ``""`` is its only one; ``sequence``, ``state.h``."""

    layer: str
    output: str = ""

    def __str__(self) -> str:
        return f"{self.layer}.{self.output}" if self.output not in ("", "last") else self.layer


@dataclass(frozen=True)
class Mask:
    """A mask: ``lengths``, ``value``, ``input``, ``ids``, ``or``, or ``other`` without a form."""

    kind: str
    source: Expression
    value: float | None = None
    expression: Expression | None = None
    """For ``other``: what makes it."""
    like: Expression | None = None
    """For ``lengths``: the sequence whose steps are counted, where the model counts them."""
    parts: tuple[Mask | None, ...] = ()
    """For ``or``: the masks of which one is enough for a step to count."""


@dataclass(frozen=True)
class Filled:
    """A sequence with `value` in the steps that a mask does not count."""

    source: Expression
    mask: Mask
    value: float


@dataclass(frozen=True)
class Join:
    """Sequences, and static tensors repeated along time, joined on features."""

    parts: tuple[Expression, ...]


@dataclass(frozen=True)
class Repeat:
    """A static tensor (batch, features), repeated along the steps of another tensor."""

    source: Expression
    along: Expression
    axis: int = 1


@dataclass(frozen=True)
class Fold:
    """A tensor with some axes after the batch folded into it."""

    source: Expression
    axes: int


@dataclass(frozen=True)
class Constant:
    """A state with the same numbers in every row."""

    value: float | tuple[float, ...]


@dataclass(frozen=True)
class Zeros:
    """A state of zeros."""


@dataclass(frozen=True)
class RowIds:
    """The id 0 for every row."""


@dataclass(frozen=True)
class Step:
    """One step of a sequence, (batch, 1, ...), counted from 0."""

    source: Expression
    index: int
    steps: int


@dataclass(frozen=True)
class Operation:
    """An operation of ``keras.ops`` that is not, or not yet, something of the language."""

    name: str
    type: str
    config: tuple[tuple[str, Any], ...]
    arguments: tuple[Any, ...]
    keywords: tuple[tuple[str, Any], ...] = ()

    def get(self, key: str, default: Any = None) -> Any:
        """Return an argument that the operation was made with."""
        return dict(self.config).get(key, default)


Expression = (
    Port | Mask | Filled | Join | Repeat | Fold | Constant | Zeros | RowIds | Step | Operation
)


@dataclass(frozen=True)
class Value:
    """A tensor: what it is, the mask that it carries in Keras, its shape and dtype."""

    expression: Expression
    mask: Mask | None = None
    shape: Shape | None = None
    dtype: str = ""


def operations_in(value: Any) -> Iterator[Operation]:
    """Yield the operations that `value` is made of, those nearest to it first."""
    if isinstance(value, Operation):
        yield value
        for part in (*value.arguments, *(each for _, each in value.keywords)):
            yield from operations_in(part)
    elif isinstance(value, tuple):
        for part in value:
            yield from operations_in(part)
    elif isinstance(value, Filled | Fold | Step | Repeat | Mask):
        yield from operations_in(value.source)
    elif isinstance(value, Join):
        yield from operations_in(value.parts)
