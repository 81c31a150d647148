"""Masks as explicit boolean tensors of shape (batch, time) or (batch, segments, time)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from keras import layers, ops

from lstmgraph.models.building.folds import fold, unfold
from lstmgraph.models.building.operations import steps_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lstmgraph.compiler.graph import MaskSpec, Port
    from lstmgraph.keras_facts.tensors import Resize

Tensor = Any


class Masks:
    """Make each mask once, so that all calls that use it share one tensor."""

    def __init__(self, tensors: Mapping[Port, Tensor]) -> None:
        self._tensors = tensors
        self._made: dict[MaskSpec, Tensor] = {}
        self._zeroed: dict[tuple[Port, MaskSpec], Tensor] = {}
        self._steps: dict[MaskSpec, list[Tensor]] = {}

    def tensor(self, mask: MaskSpec) -> Tensor:
        """Return the mask as a boolean tensor (batch, time), true where a step counts."""
        if mask not in self._made:
            self._made[mask] = self._make(mask)
        return self._made[mask]

    def of_images(self, mask: MaskSpec, rank: int) -> Tensor:
        """Return the mask as (batch, time, 1, ...) with `rank` axes, for a loop over images.

        On JAX, Keras's loop would read (batch, time) as (batch, last axis) at each step.
        """
        return over_features(self.tensor(mask), rank)

    def zeroed(self, port: Port, mask: MaskSpec) -> Tensor:
        """Return the tensor of `port`, (batch, time, ...), with zeros in its padded steps.

        A product with the mask would not do: 0 times NaN is NaN.
        """
        if (port, mask) not in self._zeroed:
            tensor = self._tensors[port]
            self._zeroed[port, mask] = ops.where(self.of_images(mask, len(tensor.shape)), tensor, 0)
        return self._zeroed[port, mask]

    def lowest(self, port: Port, mask: MaskSpec) -> Tensor:
        """Return the tensor of `port` with numbers in its padded steps that no maximum chooses.

        A row without a counted step is all zeros.
        """
        tensor = self._tensors[port]
        rank = len(tensor.shape)
        some = ops.any(self.tensor(mask), axis=-1, keepdims=True)
        filling = ops.where(over_features(some, rank), _least(tensor.dtype), 0)
        return ops.where(self.of_images(mask, rank), tensor, ops.cast(filling, tensor.dtype))

    def of_average(self, mask: MaskSpec) -> Tensor:
        """Return the mask with every step of a row counted where none of that row counts.

        Keras's masked average of no steps is 0/0; of steps that `zeroed` made zeros it is 0.
        """
        counted = self.tensor(mask)
        none = ops.logical_not(ops.any(counted, axis=-1, keepdims=True))
        return ops.logical_or(counted, none)

    def _make(self, mask: MaskSpec) -> Tensor:
        source = self._tensors[mask.port]
        if mask.kind == "value":
            source = ops.cast(source, mask.dtype) if mask.dtype else source
            axes = tuple(range(len(mask.shape), len(source.shape)))  # several in images
            return ops.any(ops.not_equal(source, mask.value), axis=axes)
        if mask.kind == "ids":
            return ops.not_equal(source, 0)
        if mask.kind == "joined":
            parts = [self._part(port, part) for port, part in mask.parts]
            return ops.concatenate(parts, axis=1)
        if mask.kind == "step":
            return self._step(mask)
        if mask.kind in ("folded", "unfolded", "some"):
            return self._of_part(mask)
        if mask.like is not None:
            lengths = self._resized(mask, mask.resize) if mask.resize else source
            return _first_steps(self._tensors[mask.like], lengths)
        return source

    def _resized(self, mask: MaskSpec, resize: Resize) -> Tensor:
        """Return how many steps of each row count, (batch, ...) of int32; none if negative."""
        counted = next(self.tensor(part) for _, part in mask.parts if part)
        steps = ops.sum(ops.cast(counted, "int32"), axis=-1)
        return ops.floor_divide(
            steps * resize.scale + (resize.shift + resize.divisor - 1), resize.divisor
        )

    def _step(self, mask: MaskSpec) -> Tensor:
        """Return the mask (batch, 1) of a step; each mask is split once."""
        whole = next(part for _, part in mask.parts if part)
        if whole not in self._steps:
            self._steps[whole] = steps_of(self.tensor(whole), int(whole.shape[1]))
        return self._steps[whole][mask.index or 0]

    def _of_part(self, mask: MaskSpec) -> Tensor:
        """Return the mask of folded steps, of unfolded ones, or of segments with a counted step."""
        port, part = mask.parts[0]
        counted = self.tensor(part) if part else self._tensors[port]
        if mask.kind == "some":
            return ops.any(counted, axis=-1)
        axes = abs(len(counted.shape) - len(mask.shape))
        if mask.kind == "folded":
            return fold(counted, axes)
        return unfold(counted, self._tensors[mask.like] if mask.like else counted, axes)

    def _part(self, port: Port, mask: MaskSpec | None) -> Tensor:
        if mask is not None:
            return self.tensor(mask)
        return ops.ones_like(one_feature(self._tensors[port]), dtype="bool")


def with_mask(tensor: Tensor, mask: Tensor, name: str, dtype_policy: str) -> Tensor:
    """Return `tensor`, (batch, time, ...), as a layer gives it that passes `mask` on.

    Keras keeps masks only between layers, and a convolution drops them. Padded steps become zeros.
    """
    rank = len(tensor.shape)
    if tensor.shape[1] is None:
        mask = of_all_axes(mask, tensor)
    elif rank > len(mask.shape) + 1:  # Masking would make a mask of all axes but the last
        zeroed = ops.where(over_features(mask, rank), tensor, 0)
        return passed_through(zeroed, mask, name, dtype_policy)
    value = _least(tensor.dtype)
    marked = ops.where(over_features(mask, rank), tensor, value)
    return layers.Masking(value, name=name, dtype=dtype_policy)(marked)


def passed_through(tensor: Tensor, mask: Tensor, name: str, dtype_policy: str) -> Tensor:
    """Return `tensor`, (batch, time, ...), as a layer gives it that changes nothing.

    Its number of steps must be known: see ``has_open_steps``.
    """
    identity = layers.Identity(dtype=dtype_policy)
    return layers.TimeDistributed(identity, name=name, dtype=dtype_policy)(tensor, mask=mask)


def _least(dtype: str) -> float:
    """Return about the least number of a dtype, which no layer computes in earnest.

    It is one that the dtype holds exactly: Keras's Masking compares it with a float32.
    """
    if "int" in dtype:
        return int(np.iinfo(dtype).min)
    return -65504.0 if dtype == "float16" else -(2.0**127)


def over_features(mask: Tensor, rank: int) -> Tensor:
    """Return a mask, (batch, time), as (batch, time, 1, ...) of `rank` axes."""
    return ops.expand_dims(mask, tuple(range(len(mask.shape), rank)))


def of_all_axes(mask: Tensor, tensor: Tensor) -> Tensor:
    """Return a mask, (batch, ...), with all axes of `tensor` but the last."""
    rank = len(tensor.shape) - 1
    every = ops.ones_like(one_feature(tensor, rank), dtype="bool")
    return mask if len(mask.shape) == rank else ops.logical_and(over_features(mask, rank), every)


def one_feature(sequence: Tensor, rank: int = 2) -> Tensor:
    """Return one feature of `sequence`: (batch, time, ...) -> (batch, time), of `rank` axes."""
    return sequence[(slice(None),) * rank + (0,) * (len(sequence.shape) - rank)]


def _first_steps(sequence: Tensor, lengths: Tensor) -> Tensor:
    """Return a mask of the first `lengths` steps of `sequence`, whose time may be unknown.

    The steps are those of the axis behind the axes of `lengths`, (batch, ...).
    """
    steps = step_numbers(sequence, len(lengths.shape) + 1)
    return ops.less_equal(steps, ops.expand_dims(ops.cast(lengths, "int32"), -1))


def step_numbers(sequence: Tensor, rank: int = 2) -> Tensor:
    """Return 1, 2, 3, ... for the steps of `sequence`: (batch, time, ...) -> (batch, time)."""
    first = one_feature(sequence, rank)
    return ops.cumsum(ops.ones_like(first, dtype="int32"), axis=-1)
