"""Inputs with spatial dimensions, and windows that slide over them."""

from collections.abc import Sequence
from dataclasses import dataclass

from lstmgraph.keras_facts.layers.core import Call, LayerMistake, require_rank
from lstmgraph.keras_facts.tensors import Dim, Resize

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

    @property
    def resize(self) -> Resize:
        """The number of positions of the window along a dimension."""
        return Resize(shift=1 - self.size if self.padding == "valid" else 0, divisor=self.stride)


def slide(call: Call, dim: Dim, window: Window) -> Dim:
    """Return the number of positions of a window along ``dim``, as Keras computes it."""
    if window.padding == "valid" and isinstance(dim, int) and dim < window.size:
        raise LayerMistake(
            f"{call.layer}'s window of {window.size} is larger than the {dim} of the input's "
            f"{call.inputs[0]}",
            argument=window.argument,
            hint=f"use a smaller `{window.argument}`, or `padding: same`",
        )
    return window.resize.of(dim)


def windowed_steps(call: Call, window: Window) -> Resize:
    """Return how a window along the steps, the first dimension, changes their number in each row.

    Raises:
        LayerMistake: the same row would be cut into other windows in a longer batch.
    """
    # TensorFlow's `same` puts half of the padding that the whole batch needs before the first step.
    rests = range(window.stride) if window.padding == "same" else ()
    starts = {max(window.size - 1 - rest, 0) // 2 for rest in rests}
    if len(starts) > 1:
        raise LayerMistake(
            f"{call.layer} with strides and `padding: same` begins its windows at a place that "
            "depends on the longest row of the batch",
            argument="padding",
            hint="write `padding: valid`" + (", or `causal`" if call.layer == "Conv1D" else ""),
        )
    return window.resize
