"""What can run step by step: a layer gives each step from that step and its states alone.

The list names what is known to do so; everything else is refused, with the reason.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lstmgraph.compiler.derive.axes import ATTENTION
from lstmgraph.compiler.derive.split import CODE
from lstmgraph.compiler.graph import JOIN, OUTPUT, SEQUENCE, Port
from lstmgraph.compiler.passes.mistakes import GraphMistake

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lstmgraph.compiler.derive.split import Split
    from lstmgraph.compiler.graph import Node, Recurrence

EACH_STEP = frozenset(
    {
        "Activation",
        "ActivityRegularization",
        "AlphaDropout",
        "Dense",
        "Dropout",
        "ELU",
        "Embedding",
        "GaussianDropout",
        "GaussianNoise",
        "Identity",
        "LeakyReLU",
        "Masking",
        "ReLU",
        "Rescaling",
        "SpatialDropout1D",
        "TimeDistributed",
        JOIN,
    }
)
"""They compute each step from itself; noise and dropout do nothing outside training."""
MERGES = frozenset({"Add", "Average", "Maximum", "Minimum", "Multiply", "Subtract"})
OVER_FEATURES = frozenset(
    {
        "BatchNormalization",
        "Concatenate",
        "LayerNormalization",
        "RMSNormalization",
        "Softmax",
        "UnitNormalization",
    }
)
"""They compute each step from itself where their `axis` is that of the features."""


def check_steps(split: Split) -> None:
    """Refuse what needs other steps than the newest.

    Raises:
        GraphMistake: at the node, with the reason.
    """
    for node in split.nodes():
        reason = next(_reasons(split, node), None)
        if reason:
            message, hint = reason
            message = f"'{node.name}' cannot run step by step: {message}"
            raise GraphMistake(CODE, node.path, message, hint)


def check_begins(split: Split) -> None:
    """Refuse initial states that are known only after the last step.

    Raises:
        GraphMistake: at the node, with the reason.
    """
    for node in split.nodes():
        reason = next(_begins(split, node.recurrence), None) if node.recurrence else None
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
        return  # a vector, computed anew from the newest one
    late = [p for p in node.inputs if not split.is_stepped(p) and not split.is_early(p)]
    if late:
        yield (
            f"at every step it reads '{late[0]}', which is known after the last one",
            "read it at a layer that has no steps",
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
        yield "its steps are made from the newest step", "read the steps from an input"
    if recurrence.bidirectional:
        hint = "use one direction"
        yield "its backward direction begins at the last step", hint
    if node.arguments.get("go_backwards"):
        yield "`go_backwards` begins at the last step", "read the steps forwards"
    holds = recurrence.padded_output == "hold" and node.mask is not None
    if holds and Port(node.name, SEQUENCE) in split.graph.used_ports():
        hint = "write `padded_output: zero`"
        yield "`padded_output: hold` repeats an output of the steps before", hint
    yield from _begins(split, recurrence)


def _begins(split: Split, recurrence: Recurrence) -> Iterator[Reason]:
    for state in recurrence.states:
        if state.source and not split.is_early(state.source):
            yield (
                f"it begins at '{state.source}', which is known after the last step",
                "begin at a state that does not read the same steps",
            )


def _attention(split: Split, node: Node) -> Iterator[Reason]:
    attended = [port for port in node.inputs[1:] if not split.is_early(port)]
    if attended or len(node.inputs) < 2:
        yield (
            f"it attends to all steps of '{(attended or node.inputs)[0]}'",
            "attend to a sequence that is there before the first step",
        )
    elif not split.is_stepped(node.inputs[0]):
        yield "its query has no steps", "let the query be a sequence"
    if node.arguments.get("use_causal_mask"):
        yield "`use_causal_mask` counts steps from the first one", "leave it out"


def _merge(split: Split, node: Node) -> Iterator[Reason]:
    early = [port for port in node.inputs if not split.is_stepped(port)]
    if early:
        yield (
            f"'{early[0]}' has no steps beside those of the other input",
            "list static features in the `input:` of a recurrent layer, which repeats them",
        )


def _over_features(split: Split, node: Node) -> Iterator[Reason]:
    yield from _merge(split, node) if node.op == "Concatenate" else ()
    rank = len(node.outputs[OUTPUT].shape)
    axis = node.arguments.get("axis", -1)
    axes = axis if isinstance(axis, list | tuple) else [axis]
    if any(each % rank != rank - 1 for each in axes):
        yield "its `axis` is not that of the features alone", "write `axis: -1`"


def _other(node: Node) -> Reason:
    if "Pooling" in node.op or "Conv" in node.op:
        what = "pools" if "Pooling" in node.op else "convolves"
        return (
            f"{node.op} {what} several steps",
            "put it before the stepped inputs, or leave it out",
        )
    return (
        f"{node.op} is not known to compute each step from itself",
        "put it where there are no steps, or inside `time_distributed`",
    )
