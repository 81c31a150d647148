"""Masked recurrent layers in NumPy float64, written from their formulas: no Keras in here.

A masked step leaves the states as they are. The sequence holds zeros there, or with ``hold`` the
last output again. Arrays are (batch, time, features), masks (batch, time), states (batch, units).
Several models may be computed at once: all of their arrays, but the masks, have one more axis at
the front, and biases another one, of size 1, for the batch. ``dropped`` and ``dropped_state`` are
what dropout multiplies inputs and states by, (batch, width): one for all gates, or one for each.
"""

# ruff: noqa: PLR0913 - the formulas have as many parts as they have

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

Array = np.ndarray
States = tuple[Array, ...]
Step = Callable[[Array, States], States]


class Run(NamedTuple):
    """What a recurrent layer gives: all outputs, and the states after the last unmasked step."""

    sequence: Array
    state: States

    @property
    def last(self) -> Array:
        return self.state[0]


def sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def relu(x: Array) -> Array:
    return np.maximum(x, 0)


def dense(x: Array, weights: Sequence[Array]) -> Array:
    kernel, bias = weights
    return x @ kernel + bias


def layer_norm(x: Array, weights: Sequence[Array], epsilon: float = 1e-3) -> Array:
    scale, shift = weights
    centred = x - x.mean(axis=-1, keepdims=True)
    return (
        centred / np.sqrt(np.square(centred).mean(axis=-1, keepdims=True) + epsilon) * scale + shift
    )


def lstm(
    x,
    weights,
    mask=None,
    state=None,
    *,
    activation=np.tanh,
    gate=sigmoid,
    dropped=(),
    dropped_state=(),
    **options,
) -> Run:
    """Gates in the order i, f, c, o."""
    kernel, recurrent, *bias = weights

    def step(x_t: Array, states: States) -> States:
        h, c = states
        of_x = _products(x_t, kernel, 4, dropped, bias)
        of_h = _products(h, recurrent, 4, dropped_state)
        z_i, z_f, z_c, z_o = (a + b for a, b in zip(of_x, of_h, strict=True))
        c = gate(z_f) * c + gate(z_i) * activation(z_c)
        return gate(z_o) * activation(c), c

    return _run(step, x, mask, state or _zeros(x, recurrent, 2), **options)


def gru(
    x,
    weights,
    mask=None,
    state=None,
    *,
    reset_after=True,
    activation=np.tanh,
    gate=sigmoid,
    dropped=(),
    dropped_state=(),
    **options,
) -> Run:
    """Gates in the order z, r, h. With `reset_after`, the bias has an input and a recurrent row."""
    kernel, recurrent, *bias = weights
    bias_x, bias_h = ([row] for row in bias[0]) if bias and reset_after else (bias, [])
    candidate = np.split(recurrent, 3, axis=-1)[2]

    def step(x_t: Array, states: States) -> States:
        (h,) = states
        x_z, x_r, x_h = _products(x_t, kernel, 3, dropped, bias_x)
        h_z, h_r, h_h = _products(h, recurrent, 3, dropped_state, bias_h)
        z, r = gate(x_z + h_z), gate(x_r + h_r)
        of_candidate = h * dropped_state[2] if dropped_state else h
        recall = r * h_h if reset_after else (r * of_candidate) @ candidate
        return (z * h + (1 - z) * activation(x_h + recall),)

    return _run(step, x, mask, state or _zeros(x, recurrent, 1), **options)


def simple_rnn(
    x,
    weights,
    mask=None,
    state=None,
    *,
    activation=np.tanh,
    dropped=(),
    dropped_state=(),
    **options,
) -> Run:
    kernel, recurrent, *bias = weights

    def step(x_t: Array, states: States) -> States:
        (of_x,) = _products(x_t, kernel, 1, dropped, bias)
        (of_h,) = _products(states[0], recurrent, 1, dropped_state)
        return (activation(of_x + of_h),)

    return _run(step, x, mask, state or _zeros(x, recurrent, 1), **options)


def _products(
    x: Array, matrix: Array, gates: int, dropped: Sequence[Array], bias: Sequence[Array] = ()
) -> list[Array]:
    """Each gate's product, plus its bias."""
    masks = [*dropped] if len(dropped) == gates else [*dropped] * gates or [1] * gates
    parts = np.split(matrix, gates, axis=-1)
    biases = np.split(bias[0], gates, axis=-1) if bias else [0] * gates
    return [(x * m) @ part + b for m, part, b in zip(masks, parts, biases, strict=True)]


def stack(cell: Callable[..., Run], x, all_weights, mask=None, states=None, **options) -> list[Run]:
    """Layers one on another; each reads the sequence of the one below."""
    runs: list[Run] = []
    for weights, state in zip(all_weights, states or [None] * len(all_weights), strict=True):
        runs.append(cell(x, weights, mask, state, **options))
        x = runs[-1].sequence
    return runs


class TwoWayRun(NamedTuple):
    """What a bidirectional layer gives: outputs in order of time, and each direction's states."""

    sequence: Array
    last: Array
    forward: States
    backward: States


def bidirectional(
    cell: Callable[..., Run], x, weights, mask=None, state=None, *, merge_mode="concat"
) -> TwoWayRun:
    """`weights` and `state` are the forward direction's, then the backward direction's."""
    half = len(weights) // 2
    ahead, back = (state[: len(state) // 2], state[len(state) // 2 :]) if state else (None, None)
    forward = cell(x, weights[:half], mask, ahead)
    backward = cell(x, weights[half:], mask, back, go_backwards=True)
    merged = MERGES[merge_mode]
    return TwoWayRun(
        merged(forward.sequence, backward.sequence[:, ::-1]),
        merged(forward.last, backward.last),
        forward.state,
        backward.state,
    )


MERGES: dict[str, Callable[[Array, Array], Array]] = {
    "concat": lambda a, b: np.concatenate([a, b], axis=-1),
    "sum": lambda a, b: a + b,
    "mul": lambda a, b: a * b,
    "ave": lambda a, b: (a + b) / 2,
}


def _zeros(x: Array, recurrent: Array, count: int) -> States:
    return (np.zeros((*x.shape[:-2], recurrent.shape[-2])),) * count


def _run(step: Step, x, mask, states: States, *, go_backwards=False, hold=False) -> Run:
    """The outputs are in the order in which they are computed."""
    mask = np.ones(x.shape[-3:-1], bool) if mask is None else np.asarray(mask)
    steps = range(x.shape[-2])
    outputs: list[Array] = []
    output = np.zeros_like(states[0])
    for t in reversed(steps) if go_backwards else steps:
        counts = mask[:, t, None]
        new = step(x[..., t, :], states)
        states = tuple(np.where(counts, a, b) for a, b in zip(new, states, strict=True))
        output = np.where(counts, new[0], output if hold else 0)
        outputs.append(output)
    return Run(np.stack(outputs, axis=-2), states)
