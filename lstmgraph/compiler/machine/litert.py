"""How a LiteRT file runs each recurrent call, found in the graph without TensorFlow.

LiteRT has one operator for an LSTM (``UNIDIRECTIONAL_SEQUENCE_LSTM``, in
``tensorflow/lite/kernels/unidirectional_sequence_lstm.cc``), which TensorFlow's converter writes
for the usual activations, and none for a GRU.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lstmgraph.compiler.graph import Port, state_outputs
from lstmgraph.compiler.passes.kernels import zeroes_wrong_steps

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from lstmgraph.compiler.graph import Graph, Node

FUSED, UNROLLED, LOOP = "fused", "unrolled", "loop"
OPERATOR = "UNIDIRECTIONAL_SEQUENCE_LSTM"
UNROLLED_STEPS = 32
"""The most steps that are written one after another instead of as a WHILE loop.

Whatever its units, each step of a GRU adds 1.5 kB to the file, and 0.3 kB of a SimpleRNN.
"""
RECURRENT = frozenset({"LSTM", "GRU", "SimpleRNN", "RNN"})
ACTIVATIONS: Mapping[str, str] = {"activation": "tanh", "recurrent_activation": "sigmoid"}
"""What LiteRT's operator computes."""


@dataclass(frozen=True)
class LiteRTCall:
    """How a LiteRT file runs a recurrent call."""

    name: str
    kind: str
    """``fused`` (one operator for each direction), ``unrolled`` or ``loop`` (a WHILE)."""
    reason: str
    """The operator if it is fused; else why it is not."""


@dataclass(frozen=True)
class Kept:
    """Why calls are kept from LiteRT's operator that it could run; empty where they are not."""

    every: str = ""
    with_states: str = ""
    """Those that begin with given states, or whose final cell state is read."""
    of_one_step: str = "one step takes less time without an operator for sequences"


KEPT = Kept()


@dataclass(frozen=True)
class FusedLayer:
    """What the calls of a fused Keras layer have in common."""

    padding: str
    """Where a mask has padded steps: ``right``, ``left`` or ``any``."""
    given_states: bool
    """Whether a call begins with other states than zeros."""
    reads_c: bool
    """Whether something reads the cell state after the last step."""


def litert_calls(graph: Graph, kept: Kept = KEPT) -> list[LiteRTCall]:
    """Return how a LiteRT file runs each recurrent call of `graph`, in call order.

    Args:
        graph: the recipe's graph.
        kept: why calls are not fused, such as a kind of numbers.
    """
    read = _read(graph)
    return [_call(graph, node, kept, read) for node in graph.nodes if node.op in RECURRENT]


def fused_layers(graph: Graph, kept: Kept = KEPT) -> dict[str, FusedLayer]:
    """Return what each fused layer needs, by the name of the Keras layer."""
    fused = {call.name for call in litert_calls(graph, kept) if call.kind == FUSED}
    read = _read(graph)
    return {
        name: _layer(nodes, read)
        for name, nodes in graph.by_keras_name.items()
        if nodes[0].name in fused
    }


def _read(graph: Graph) -> set[Port]:
    return {*graph.outputs.values(), *(port for node in graph.nodes for port in node.reads)}


def _call(graph: Graph, node: Node, kept: Kept, read: set[Port]) -> LiteRTCall:
    calls = graph.by_keras_name[node.keras_name]
    obstacle = next((found for call in calls if (found := _obstacle(graph, call))), None)
    obstacle = obstacle or _kept(graph, calls, kept, read) or None
    if obstacle is None:
        return LiteRTCall(node.name, FUSED, OPERATOR)
    steps = graph.specs[node.inputs[0]].shape[1]
    if not isinstance(steps, int):
        return _loop(node, obstacle, "their number is open")
    if steps > UNROLLED_STEPS and not node.arguments["unroll"]:
        return _loop(node, obstacle, f"{steps} are more than {UNROLLED_STEPS}")
    if zeroes_wrong_steps(node, graph.used_ports()):
        return _loop(node, obstacle, "it is masked in both directions")
    return LiteRTCall(node.name, UNROLLED, obstacle)


def _loop(node: Node, obstacle: str, why: str) -> LiteRTCall:
    """Return the call as a loop: neither one operator nor step by step."""
    reason = f"{obstacle}, and its steps are not written one after another: {why}"
    return LiteRTCall(node.name, LOOP, reason)


def _kept(graph: Graph, calls: Sequence[Node], kept: Kept, read: set[Port]) -> str:
    """Return why the calls of a layer are not fused although they could be; empty if they are."""
    needs = _layer(calls, read)
    if kept.every:
        return kept.every
    if kept.with_states and (needs.given_states or needs.reads_c):
        return kept.with_states
    if all(graph.specs[node.inputs[0]].shape[1] == 1 for node in calls):
        return kept.of_one_step
    return ""


def _obstacle(graph: Graph, node: Node) -> str | None:
    """Return what keeps a recurrent call from LiteRT's operator; None if nothing does.

    States that the model computes are written too late: see ``export/states.py``.
    """
    kind, arguments = _cell(node)
    if kind != "LSTM":
        return f"LiteRT has no operator of {kind}"
    for key, computed in ACTIVATIONS.items():
        if arguments[key] != computed:
            return f"{OPERATOR} has `{key}: {computed}`, not {arguments[key] or 'linear'}"
    recurrence = node.recurrence
    if recurrence and recurrence.carried:
        return "its states are carried"
    sources = (
        {state.source.node for state in recurrence.states if state.source} if recurrence else set()
    )
    if not sources <= graph.inputs.keys():
        return "its initial state is computed"
    return None


def _cell(node: Node) -> tuple[str, Mapping[str, Any]]:
    """Return what kind of cell a call runs, and its arguments."""
    if node.op != "RNN":
        return node.op, node.arguments
    cells = node.recurrence.cells if node.recurrence else ()
    if len(cells) != 1:
        return "several cells in one layer", {}
    return cells[0]["type"].removesuffix("Cell"), cells[0]


def _layer(nodes: Iterable[Node], read: set[Port]) -> FusedLayer:
    recurrences = {node.name: node.recurrence for node in nodes if node.recurrence}
    paddings = {node.mask.padding for node in nodes if node.mask}
    cells = {
        Port(name, state)
        for name, each in recurrences.items()
        for state in state_outputs(each)
        if state.endswith("c")
    }
    return FusedLayer(
        padding=paddings.pop() if len(paddings) == 1 else "any",
        given_states=any(state.source for each in recurrences.values() for state in each.states),
        reads_c=bool(cells & read),
    )
