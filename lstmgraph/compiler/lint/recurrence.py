"""Arguments of recurrent layers that Keras takes and that make them learn badly or not at all."""

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
"""Activations without an upper bound: what a step makes larger, the next makes larger still."""

GATES = frozenset({"hard_sigmoid", "sigmoid"})
"""Activations from 0, which keeps nothing, to 1, which keeps all."""

GATED = frozenset({"LSTM", "GRU"})


def check_activations(checked: Checked) -> None:
    """W405: states that can grow without bound. W406: gates that are not between 0 and 1."""
    for node in checked.graph.nodes:
        for path, kind, arguments in _cells(node):
            if kind not in GATED:  # a SimpleRNN of ReLUs is a known one, with its own initializer
                continue
            activation = _word(arguments["activation"])
            if activation in UNBOUNDED:
                checked.document.warn(
                    "W405",
                    (*path, "activation"),
                    f"the states of '{node.layer}' can grow from step to step without bound: "
                    f"{activation} has none",
                    hint="leave `activation` out: it is tanh, which cuDNN needs too",
                )
            gate = _word(arguments["recurrent_activation"])
            if not is_gate(gate):
                checked.document.warn(
                    "W406",
                    (*path, "recurrent_activation"),
                    f"the gates of '{node.layer}' say how much is kept, from 0 to 1, and {gate} "
                    "gives other numbers",
                    hint="leave `recurrent_activation` out: it is sigmoid, which cuDNN needs too",
                )


def is_gate(activation: Any) -> bool:
    """Whether `activation` gives numbers from 0 to 1."""
    return activation in GATES


def _word(activation: Any) -> str:
    return "linear" if activation is None else str(activation)


def _cells(node: Node) -> Iterator[tuple[Path, str, Mapping[str, Any]]]:
    """Where each cell of a recurrent layer is written, its kind, and its arguments."""
    if node.recurrence is None:
        return
    if not node.recurrence.cells:
        yield node.path, node.op, node.arguments
    for index, cell in enumerate(node.recurrence.cells):
        yield (*node.path, "cells", index), CELLS[cell["type"]], cell
