"""What the fused loop of ``models/kernels/`` computes: the layers, activations and dtypes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lstmgraph.compiler.graph import Node

ACTIVATIONS = frozenset({"tanh", "sigmoid", "hard_sigmoid", "relu", "linear"})
"""The activations whose derivative follows from their output."""
CELLS = frozenset({"LSTM", "GRU", "SimpleRNN"})


def fused_obstacle(node: Node) -> tuple[str, str] | None:
    """Return what keeps a recurrent node from the fused loop: the argument, and the reason."""
    arguments: Mapping[str, Any] = node.arguments
    if arguments["unroll"]:
        return "unroll", "`unroll: true`"
    if node.op == "RNN":
        cells = node.recurrence.cells if node.recurrence else ()
        if len(cells) != 1:
            return "cells", "several cells in one layer run in Keras's loop"
        arguments = cells[0]
    elif node.op not in CELLS:
        return "type", f"there is no fused loop of {node.op}"
    for key in ("activation", "recurrent_activation"):
        name = arguments.get(key, "linear") or "linear"
        if name not in ACTIVATIONS:
            return key, f"the derivative of {name} does not follow from its output"
    if node.dtype_policy == "mixed_float16":
        return "dtype_policy", "XLA computes float16 slowly on a CPU"
    return None
