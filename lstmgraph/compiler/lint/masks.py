"""Padded steps that count where they probably should not, and steps in reverse."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lstmgraph.compiler.graph import JOIN, OUTPUT, SEQUENCE, MaskSpec, Node, Port
from lstmgraph.compiler.lint.heads import heads
from lstmgraph.compiler.passes.checks import needed_names
from lstmgraph.compiler.passes.masks import MERGES
from lstmgraph.language.declaration.recipe import Inherited

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lstmgraph.compiler.lint.checked import Checked


def check_dropped(checked: Checked) -> None:
    """W501: ``mask: none`` on the way to an output, whose loss then counts padded steps too."""
    if checked.recipe.data and checked.recipe.data.sample_weight:
        return  # a weight of 0 is another way to leave steps out
    dropping = [node for node in checked.graph.nodes if node.drops_mask]
    if not dropping:
        return
    masks = _masks(checked)
    for head in heads(checked):
        port = checked.graph.outputs[head.output]
        if port in masks or head.spec.rank < 3:
            continue
        needed = needed_names(checked.graph, [port])
        for node in dropping:
            carried = [masks[p] for p in node.inputs if p in masks]
            same_steps = [mask for mask in carried if mask.shape[:2] == head.spec.shape[:2]]
            if node.name in needed and same_steps:
                checked.document.warn(
                    "W501",
                    (*node.path, "mask"),
                    f"the mask ends here, so the loss of '{head.output}' counts padded steps too",
                    hint="weigh them with 0 (`sample_weight`), or leave `mask: none` out where the "
                    "layer hands masks on",
                )


def check_forgotten(checked: Checked) -> None:
    """W502: a sequence is read with a mask by one recurrent layer, and without by another."""
    for port, readers in checked.readers.items():
        recurrent = [node for node in readers if node.recurrence and node.inputs == (port,)]
        masked = next((node for node in recurrent if node.mask), None)
        if masked is None:
            continue
        for node in recurrent:
            if node.mask is None and isinstance(node.mask_form, Inherited):
                checked.document.warn(
                    "W502",
                    node.path,
                    f"'{node.layer}' reads '{port}' without the mask with which '{masked.layer}' "
                    "reads it: here padded steps count",
                    hint=f"write `mask: {{from: {masked.layer}}}`, or `mask: none` where it is "
                    "meant",
                    at_key=True,
                )


def check_reversed(checked: Checked) -> None:
    """W504: ``go_backwards`` gives its steps last first, and they meet others in their order.

    Source: ``go_backwards`` of ``keras/src/layers/rnn/rnn.py``, which turns the inputs around and
    never the outputs.
    """
    turned: dict[Port, Node] = {}  # and the layer that turned it last
    for node in checked.graph.nodes:
        sources = [turned[port] for port in node.inputs if port in turned]
        if node.recurrence:
            goes_back = bool(node.arguments["go_backwards"]) and not node.recurrence.bidirectional
            if goes_back != bool(sources):
                turned[Port(node.name, SEQUENCE)] = node if goes_back else sources[0]
        elif sources and (node.op == JOIN or node.op in MERGES):
            if any(_has_steps(checked, port) and port not in turned for port in node.inputs):
                _warn_reversed(checked, sources[0], f"joined to others by '{node.layer}'")
            else:
                turned[Port(node.name, OUTPUT)] = sources[0]
        elif sources and _keeps_steps(checked, node):
            turned[Port(node.name, OUTPUT)] = sources[0]
    for head in heads(checked):
        port = checked.graph.outputs[head.output]
        if port in turned:
            _warn_reversed(checked, turned[port], f"given as '{head.output}'")


def _warn_reversed(checked: Checked, node: Node, where: str) -> None:
    checked.document.warn(
        "W504",
        (*node.path, "go_backwards"),
        f"the steps of '{node.layer}' come last first, and are {where}",
        hint="write `bidirectional: true`, or read them with another layer that goes backwards",
    )


def _has_steps(checked: Checked, port: Port) -> bool:
    return checked.graph.specs[port].rank >= 3


def _keeps_steps(checked: Checked, node: Node) -> bool:
    """Whether the output has the steps of the input, in their order."""
    before, after = checked.graph.specs[node.inputs[0]], node.outputs[OUTPUT]
    return after.rank >= 3 and before.shape[:2] == after.shape[:2]


def _masks(checked: Checked) -> Mapping[Port, MaskSpec]:
    """The mask that each port carries."""
    return {
        Port(node.name, output): mask
        for node in checked.graph.nodes
        for output, mask in node.output_masks.items()
    }
