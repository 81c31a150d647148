"""Adding of an ONNX LSTM, GRU or RNN operator, with Keras's weights in its layout."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lstmgraph.export.onnx.builder import Builder, Name

OPERATORS: Mapping[str, str] = {"LSTM": "LSTM", "GRU": "GRU", "SimpleRNN": "RNN"}
"""The ONNX operator of each Keras layer."""

GATES: Mapping[str, tuple[int, ...]] = {
    "LSTM": (0, 3, 1, 2),  # Keras: input, forget, cell, output; ONNX: input, output, forget, cell
    "GRU": (0, 1, 2),  # both: update, reset, hidden
    "SimpleRNN": (0,),
}
"""The indices of Keras's gates, in ONNX's order."""

ACTIVATIONS: Mapping[str, tuple[str, float | None, float | None]] = {
    "tanh": ("Tanh", None, None),
    "sigmoid": ("Sigmoid", None, None),
    "relu": ("Relu", None, None),
    "elu": ("Elu", 1.0, None),
    "hard_sigmoid": ("HardSigmoid", 1 / 6, 0.5),
    "leaky_relu": ("LeakyRelu", 0.2, None),
    "linear": ("Affine", 1.0, 0.0),
    "softplus": ("Softplus", None, None),
    "softsign": ("Softsign", None, None),
}
"""The activations of the operators: ONNX's name, alpha and beta."""

USUAL = (["sigmoid", "tanh", "tanh"], ["sigmoid", "tanh"], ["tanh"])
"""The default activations of LSTM, GRU and RNN."""


@dataclass(frozen=True)
class Cell:
    """A cell to run: its kind of layer, arguments, and weights of each direction."""

    kind: str
    arguments: Mapping[str, Any]
    weights: Sequence[Sequence[np.ndarray]]
    """The weights of each direction in ONNX's order: forward, then reverse."""
    direction: str = "forward"

    @property
    def units(self) -> int:
        """Return the units of one direction."""
        return int(self.arguments["units"])


@dataclass(frozen=True)
class Outputs:
    """The output, (time, direction, batch, units), and the states, (direction, batch, units)."""

    sequence: Name
    states: tuple[Name, ...]


def run(builder: Builder, cell: Cell, x: Name, lengths: Name, states: Sequence[Name]) -> Outputs:
    """Add the operator that runs over `x`, (time, batch, features).

    `lengths` is (batch,) of int32, or ``""`` if all steps count; `states` are (direction, batch,
    units), or ``""`` for zeros.
    """
    kernels = np.stack([_rows(cell.kind, weights[0]) for weights in cell.weights])
    recurrent = np.stack([_rows(cell.kind, weights[1]) for weights in cell.weights])
    bias = ""
    if cell.arguments["use_bias"]:
        both = np.stack([_biases(cell, weights[2]) for weights in cell.weights])
        bias = builder.constant(both, "float32")
    sequence, *states_out = builder.ops(
        OPERATORS[cell.kind],
        [
            x,
            builder.constant(kernels, "float32"),
            builder.constant(recurrent, "float32"),
            bias,
            lengths,
            *states,
        ],
        3 if cell.kind == "LSTM" else 2,
        hidden_size=cell.units,
        direction=cell.direction,
        **_attributes(cell),
    )
    return Outputs(sequence, tuple(states_out))


def cell_activations(kind: str, arguments: Mapping[str, Any]) -> list[str]:
    """Return activations in ONNX's order: the gates', the candidate's, and an LSTM output's."""
    own = arguments["activation"] or "linear"
    if kind == "SimpleRNN":
        return [own]
    gates = arguments["recurrent_activation"] or "linear"
    return [gates, own, own] if kind == "LSTM" else [gates, own]


def _attributes(cell: Cell) -> dict[str, Any]:
    attributes: dict[str, Any] = {}
    if cell.kind == "GRU":
        attributes["linear_before_reset"] = int(cell.arguments["reset_after"])
    used = cell_activations(cell.kind, cell.arguments)
    if used in USUAL:
        return attributes
    entries = [ACTIVATIONS[name] for name in used] * len(cell.weights)
    attributes["activations"] = [name for name, _, _ in entries]
    # The lists have one entry for each activation that takes a parameter, in order.
    for attribute, place in (("activation_alpha", 1), ("activation_beta", 2)):
        values = [entry[place] for entry in entries if entry[place] is not None]
        if values:
            attributes[attribute] = values
    return attributes


def _rows(kind: str, kernel: np.ndarray) -> np.ndarray:
    """Transpose a kernel: (in, gates * units) -> (gates * units, in)."""
    return _in_order(kind, kernel).T


def _biases(cell: Cell, bias: np.ndarray) -> np.ndarray:
    """Return the input's and the recurrence's bias in a row; Keras mostly has only their sum."""
    rows = bias if bias.ndim == 2 else (bias, np.zeros_like(bias))
    return np.concatenate([_in_order(cell.kind, row) for row in rows])


def _in_order(kind: str, array: np.ndarray) -> np.ndarray:
    gates = np.split(np.asarray(array), len(GATES[kind]), axis=-1)
    return np.concatenate([gates[gate] for gate in GATES[kind]], axis=-1)
