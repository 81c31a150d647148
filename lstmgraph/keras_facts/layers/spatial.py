"""Inputs with spatial dimensions, and windows that slide over them."""

from collections.abc import Sequence
from dataclasses import dataclass

from lstmgraph.keras_facts.layers.core import Call, LayerMistake, require_rank
from lstmgraph.keras_facts.tensors import Dim, ceil_divide_dim, shift_dim

_SIZES = {1: ("steps",), 2: ("height", "width"), 3: ("depth", "height", "width")}


@dataclass(frozen=True)
class Spatial:
    """The parts of a shape ``(batch, *sizes, channels)``, or ``(batch, channels, *sizes)``."""

    batch: Dim
    sizes: tuple[Dim, ...]
    channels: Dim
    channels_first: bool

    def shape(self, sizes: Sequence[Dim], channels: Dim) -> tuple[Dim, ...]:
        """Return a shape of the same layout with other sizes and channels."""
        if self.channels_first:
            return (self.batch, channels, *sizes)
        return (self.batch, *sizes, channels)

    @property
    def channel_axis(self) -> int:
        """The axis of the channels."""
        return 1 if self.channels_first else -1


def is_channels_first(call: Call) -> bool:
    """Return whether the call has channels first; Keras's default is channels last."""
    return call.arguments.get("data_format") == "channels_first"


def layout(dimensions: int, channels_first: bool) -> str:
    """Return a layout for messages: ``(batch, steps, channels)``."""
    names = ["batch", *_SIZES[dimensions]]
    names.insert(1 if channels_first else len(names), "channels")
    return f"({', '.join(names)})"


def spatial_input(call: Call, dimensions: int) -> Spatial:
    """Return the parts of the input of a layer with ``dimensions`` spatial dimensions."""
    first = is_channels_first(call)
    spec = call.input
    require_rank(call, dimensions + 2, layout(dimensions, first), hint=_rank_hint(call, dimensions))
    batch, *rest = spec.shape
    if first:
        return Spatial(batch, tuple(rest[1:]), rest[0], first)
    return Spatial(batch, tuple(rest[:-1]), rest[-1], first)


def _rank_hint(call: Call, dimensions: int) -> str:
    expected = layout(dimensions, is_channels_first(call))
    spatial = call.input.rank - 2
    sibling = call.layer.replace(f"{dimensions}D", f"{spatial}D")
    if 1 <= spatial <= 3 and sibling not in {call.layer, "DepthwiseConv3D", "SeparableConv3D"}:
        return f"use {sibling}, or reshape the input to {expected}"
    if call.input.rank == 2:
        return f"use {expected}: `return_sequences` on a recurrent layer before it, or Reshape"
    return f"reshape the input to {expected}"


@dataclass(frozen=True)
class Window:
    """A window along one dimension; ``size`` includes the gaps of a dilation."""

    size: int
    stride: int
    padding: str
    argument: str
    """The argument that sets the size, for messages."""


def slide(call: Call, dim: Dim, window: Window) -> Dim:
    """Return the number of positions of a window along ``dim``, as Keras computes it."""
    if window.padding != "valid":
        return ceil_divide_dim(dim, window.stride)
    if isinstance(dim, int) and dim < window.size:
        raise LayerMistake(
            f"{call.layer}'s window of {window.size} is larger than the {dim} of the input's "
            f"{call.inputs[0]}",
            argument=window.argument,
            hint=f"use a smaller `{window.argument}`, or `padding: same`",
        )
    return ceil_divide_dim(shift_dim(dim, 1 - window.size), window.stride)
