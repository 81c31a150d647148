"""Recurrent layers computed by ONNX's LSTM, GRU and RNN operators in onnxruntime, without Keras.

Keras's weights are laid out as the operators want them. Arrays are (batch, time, features), states
(batch, units), as in `reference`; the operators' own are (time, direction, batch, units).
"""

# ruff: noqa: PLR0913, PLR0917 - a recurrent layer is called with as many things

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import onnxruntime
from onnx import TensorProto, helper

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reference import Array

OPERATORS = {"lstm": "LSTM", "gru": "GRU", "simple_rnn": "RNN"}
DIRECTIONS = {"forward": "forward", "backward": "reverse", "bidirectional": "bidirectional"}
GATES = {
    "lstm": [0, 3, 1, 2],  # Keras: input, forget, candidate, output; ONNX: i, o, f, c
    "gru": [0, 1, 2],  # both: update z, reset r, hidden h
    "simple_rnn": [0],
}
OPSET, IR_VERSION = 14, 8
"""Any onnxruntime of the last years reads them; the newest `onnx` writes newer ones by itself."""


class OnnxRun(NamedTuple):
    """What an operator gives: outputs in order of time, and its final states by direction.

    `sequence` is (batch, time, directions * units); `state` is h, c, or h, c, h, c.
    """

    sequence: Array
    state: tuple[Array, ...]


def recurrent(
    cell: str,
    direction: str,
    x: Array,
    weights: Sequence[Array],
    lengths: Array | None = None,
    state: Sequence[Array] | None = None,
) -> OnnxRun:
    """One layer. `weights` and `state` are Keras's: of a second direction, after the first's."""
    directions = 2 if direction == "bidirectional" else 1
    tensors = {"X": x.transpose(1, 0, 2)} | _weights(cell, weights, directions)
    if lengths is not None:
        tensors["sequence_lens"] = lengths
    if state is not None:
        tensors |= _initial_states(state, directions)
    sequence, *states = _run(cell, direction, tensors, units=weights[1].shape[0])
    by_direction = zip(*states, strict=True)
    return OnnxRun(
        np.concatenate(np.moveaxis(sequence, 1, 0), axis=-1).transpose(1, 0, 2),
        tuple(array for pair in by_direction for array in pair),
    )


def _weights(cell: str, weights: Sequence[Array], directions: int) -> dict[str, Array]:
    """Kernels are transposed and gates reordered; every bias has an input and a recurrent half."""
    parts: dict[str, list[Array]] = {"W": [], "R": [], "B": []}
    for kernel, recurrent_kernel, bias in _split(weights, directions):
        biases = bias if bias.ndim == 2 else (bias, np.zeros_like(bias))
        parts["W"].append(_reorder(cell, kernel).T)
        parts["R"].append(_reorder(cell, recurrent_kernel).T)
        parts["B"].append(np.concatenate([_reorder(cell, half) for half in biases]))
    return {name: np.stack(arrays) for name, arrays in parts.items()}


def _reorder(cell: str, array: Array) -> Array:
    gates = np.split(array, len(GATES[cell]), axis=-1)
    return np.concatenate([gates[gate] for gate in GATES[cell]], axis=-1)


def _initial_states(state: Sequence[Array], directions: int) -> dict[str, Array]:
    by_slot = zip(*_split(state, directions), strict=True)
    return dict(zip(("initial_h", "initial_c"), map(np.stack, by_slot), strict=False))


def _split(arrays: Sequence[Array], directions: int) -> list[Sequence[Array]]:
    each = len(arrays) // directions
    return [arrays[start : start + each] for start in range(0, len(arrays), each)]


def _run(cell: str, direction: str, tensors: dict[str, Array], units: int) -> list[Array]:
    """Make a model of the one operator, and run it on float32 tensors."""
    feeds = {n: a if a.dtype == np.int32 else a.astype("float32") for n, a in tensors.items()}
    order = ("X", "W", "R", "B", "sequence_lens", "initial_h", "initial_c")
    outputs = ("Y", "Y_h", "Y_c") if cell == "lstm" else ("Y", "Y_h")
    node = helper.make_node(
        OPERATORS[cell],
        inputs=[name if name in feeds else "" for name in order[: 7 if cell == "lstm" else 6]],
        outputs=outputs,
        direction=DIRECTIONS[direction],
        hidden_size=units,
        # The reset gate after the recurrent product, as Keras's `reset_after: true`.
        **({"linear_before_reset": 1} if cell == "gru" else {}),
    )
    graph = helper.make_graph(
        [node],
        cell,
        [
            helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(a.dtype), a.shape)
            for n, a in feeds.items()
        ],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
    )
    opsets = [helper.make_opsetid("", OPSET)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION)
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    return session.run(None, feeds)
