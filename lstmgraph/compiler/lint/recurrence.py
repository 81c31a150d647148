"""Warn of arguments with which recurrent layers learn badly or not at all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lstmgraph.keras_facts.catalogue import CELLS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from lstmgraph.compiler.graph import Node
    from lstmgraph.compiler.lint.checked import Checked
    from lstmgraph.messages.diagnostics import Path

UNBOUNDED = frozenset(
    {
        "celu",
        "elu",
        "exponential",
        "gelu",
        "leaky_relu",
        "linear",
        "mish",
        "relu",
        "selu",
        "silu",
        "softplus",
        "swish",
    }
)
"""Activations without an upper bound, with which values can grow at every step."""

GATES = frozenset({"hard_sigmoid", "sigmoid"})
"""Activations with values from 0 (keep nothing) to 1 (keep everything)."""

GATED = frozenset({"LSTM", "GRU"})


def check_activations(checked: Checked) -> None:
    """Warn of states that can grow without bound (W405), and of gates beyond 0 to 1 (W406)."""
    for node in checked.graph.nodes:
        for path, kind, arguments in _cells(node):
            if kind not in GATED:  # a SimpleRNN with ReLU is an established model
                continue
            activation = _word(arguments["activation"])
            if activation in UNBOUNDED:
                checked.document.warn(
                    "W405",
                    (*path, "activation"),
                    f"the states of '{node.weights_layer}' can grow without bound from step to "
                    f"step, as {activation} is unbounded",
                    hint="leave `activation` out: the default is tanh, which cuDNN needs too",
                )
            gate = _word(arguments["recurrent_activation"])
            if not is_gate(gate):
                checked.document.warn(
                    "W406",
                    (*path, "recurrent_activation"),
                    f"the gates of '{node.weights_layer}' must be between 0 (keep nothing) and 1 "
                    f"(keep everything), but {gate} gives other numbers",
                    hint="leave `recurrent_activation` out: the default is sigmoid, which cuDNN "
                    "needs too",
                )


def is_gate(activation: Any) -> bool:
    """Return whether `activation` gives numbers from 0 to 1."""
    return activation in GATES


def _word(activation: Any) -> str:
    return "linear" if activation is None else str(activation)


def _cells(node: Node) -> Iterator[tuple[Path, str, Mapping[str, Any]]]:
    """Yield the path, kind and arguments of each cell of a recurrent node."""
    if node.recurrence is None:
        return
    if not node.recurrence.cells:
        yield node.path, node.op, node.arguments
    for index, cell in enumerate(node.recurrence.cells):
        yield (*node.path, "cells", index), CELLS[cell["type"]], cell
