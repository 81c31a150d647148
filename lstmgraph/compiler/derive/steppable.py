"""Check whether layers can run step by step, computing each step from it and their states alone.

Layers that are known to do so are listed; all others are refused, with the reason.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lstmgraph.compiler.derive.split import CODE
from lstmgraph.compiler.graph import (
    BY_ROW,
    BY_WINDOW,
    CHANGE,
    CLIP,
    FOLD,
    JOIN,
    LOG,
    OUTPUT,
    SCORES,
    SEQUENCE,
    UNFOLD,
    Port,
)
from lstmgraph.compiler.passes.mistakes import GraphMistake
from lstmgraph.keras_facts.layers.attention import ATTENTION, CAUSAL
from lstmgraph.keras_facts.layers.elementwise import ALONG_LAST_AXIS
from lstmgraph.keras_facts.layers.lookups import TENSORFLOW_ONLY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lstmgraph.compiler.derive.split import Split
    from lstmgraph.compiler.graph import Node, Recurrence

EACH_STEP = ALONG_LAST_AXIS | {"SpatialDropout1D", "TimeDistributed", JOIN, BY_ROW, CLIP, LOG}
"""Layers that compute each step from itself; noise and dropout act only in training."""
MERGES = frozenset({"Add", "Average", "Maximum", "Minimum", "Multiply", "Subtract"})
OVER_FEATURES = frozenset(
    {
        "BatchNormalization",
        "Concatenate",
        "LayerNormalization",
        "Normalization",
        "RMSNormalization",
        "Softmax",
        "UnitNormalization",
    }
)
"""Layers that compute each step from itself if their `axis` is that of the features."""


def check_steps(split: Split) -> None:
    """Check that no node needs other steps than the newest.

    Raises:
        GraphMistake: for a node that does, with the reason.
    """
    for node in split.nodes():
        reason = None if node.name in split.block else next(_reasons(split, node), None)
        if reason:
            message, hint = reason
            message = f"'{node.name}' cannot run step by step: {message}"
            raise GraphMistake(CODE, node.path, message, hint)


def check_begins(split: Split) -> None:
    """Check that no initial state is known only after the last step.

    Raises:
        GraphMistake: for a node with such a state, with the reason.
    """
    for node in split.nodes():
        own = None if node.name in split.block else node.recurrence
        reason = next(_begins(split, own), None) if own else None
        if reason:
            raise GraphMistake(
                CODE, node.path, f"'{node.name}' cannot be split: {reason[0]}", reason[1]
            )


Reason = tuple[str, str]


def _reasons(split: Split, node: Node) -> Iterator[Reason]:
    stepped = [port for port in node.inputs if split.is_stepped(port)]
    if node.recurrence:
        yield from _recurrent(split, node, node.recurrence)
        return
    if not stepped:
        return  # a vector, computed again at each step
    late = [p for p in node.inputs if not split.is_stepped(p) and not split.is_early(p)]
    if late:
        yield (
            f"every step reads '{late[0]}', which is known only after the last step",
            "read it in a layer without time steps",
        )
    if node.op in ATTENTION:
        yield from _attention(split, node)
    elif node.op in MERGES:
        yield from _merge(split, node)
    elif node.op in OVER_FEATURES:
        yield from _over_features(split, node)
    elif node.op not in EACH_STEP:
        yield _other(node)


def _recurrent(split: Split, node: Node, recurrence: Recurrence) -> Iterator[Reason]:
    if not node.inputs or not split.is_stepped(node.inputs[0]):
        yield "its steps are computed inside the model", "read the steps from an input"
    if recurrence.bidirectional:
        hint = "use one direction"
        yield "its backward direction starts at the last step", hint
    if node.arguments.get("go_backwards"):
        yield "`go_backwards` starts at the last step", "read the steps forwards"
    holds = recurrence.padded_output == "hold" and node.mask is not None
    if holds and Port(node.name, SEQUENCE) in split.graph.used_ports():
        hint = "write `padded_output: zero`"
        yield "`padded_output: hold` repeats the output of an earlier step", hint
    yield from _begins(split, recurrence)


def _begins(split: Split, recurrence: Recurrence) -> Iterator[Reason]:
    for state in recurrence.states:
        if state.source and not split.is_early(state.source):
            yield (
                f"its initial state '{state.source}' is known only after the last step",
                "use an initial state that does not read the same steps",
            )


def _attention(split: Split, node: Node) -> Iterator[Reason]:
    attended = [port for port in node.inputs[1:] if not split.is_early(port)]
    if attended or len(node.inputs) < 2:
        yield (
            f"it attends to all steps of '{(attended or node.inputs)[0]}'",
            "attend to a sequence that is known before the first step",
        )
    elif not split.is_stepped(node.inputs[0]):
        yield "its query has no time steps", "use a sequence as the query"
    if node.arguments.get(CAUSAL):
        yield "`use_causal_mask` counts steps from the first one", "leave it out"
    scores = Port(node.name, SCORES)
    read = {*split.graph.outputs.values(), *(port for each in split.nodes() for port in each.reads)}
    if scores in read and not split.is_stepped(scores):
        yield (
            "in its scores the steps come behind the heads",
            f"read `{scores}` in a model of its own under `models:`",
        )


def _merge(split: Split, node: Node) -> Iterator[Reason]:
    early = [port for port in node.inputs if not split.is_stepped(port)]
    if early:
        yield (
            f"'{early[0]}' does not have the time steps of the other input",
            "list static features in the `input:` of a recurrent layer, which repeats them",
        )


def _over_features(split: Split, node: Node) -> Iterator[Reason]:
    yield from _merge(split, node) if node.op == "Concatenate" else ()
    rank = len(node.outputs[OUTPUT].shape)
    axis = node.arguments.get("axis", -1)
    if axis is None:  # Normalization by one mean
        return
    axes = axis if isinstance(axis, list | tuple) else [axis]
    if any(number % rank != rank - 1 for number in axes):
        yield "its `axis` is not only that of the features", "write `axis: -1`"


def _other(node: Node) -> Reason:
    if node.op in TENSORFLOW_ONLY:
        return "a stream of steps is one of numbers", "feed the ids of the steps in place of texts"
    if node.op == BY_WINDOW:
        return "its numbers are those of all steps", "write `per: series`, or remove `per:`"
    if node.op == CHANGE:
        return "it reads earlier steps", "give the differences as a column of the table"
    if node.op in (FOLD, UNFOLD):
        return (
            "the steps of all segments are computed together",
            "derive from a recipe of its own that reads the segments' results, of shape "
            "(batch, segments, units), as an input; `lstmgraph transfer` copies the weights",
        )
    if "Pooling" in node.op or "Conv" in node.op:
        what = "pools" if "Pooling" in node.op else "convolves"
        return (
            f"{node.op} {what} over several steps",
            "put it before the stepped inputs, or leave it out",
        )
    return (
        f"{node.op} is not known to compute each step from itself",
        "move it to where there are no time steps, or put it inside `time_distributed`",
    )
