"""Warn of padded steps that probably should not count, and of reversed steps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lstmgraph.compiler.checks.heads import heads
from lstmgraph.compiler.graph import JOIN, OUTPUT, SEQUENCE, STACK, MaskSpec, Node, Port
from lstmgraph.compiler.passes.checks import needed_names
from lstmgraph.compiler.passes.masks import MERGES
from lstmgraph.keras_facts.catalogue import layer_of_steps
from lstmgraph.keras_facts.layers.dense import EMBEDDINGS, REVERSE
from lstmgraph.language.declaration.recipe import Inherited

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lstmgraph.compiler.lint.checked import Checked


NORMALIZATIONS = frozenset(
    {"BatchNormalization", "GroupNormalization", "LayerNormalization", "Normalization"}
)
WITH_BIAS = frozenset({"Conv1D", "Conv2D", "Conv3D", "Dense", "EinsumDense", "SeparableConv1D"})


def check_dropped(checked: Checked) -> None:
    """Warn (W501) of ``mask: none`` before an output whose loss then counts padded steps."""
    weighed = checked.recipe.data.sample_weights if checked.recipe.data else {}
    dropping = [node for node in checked.graph.nodes if node.drops_mask]
    if not dropping:
        return
    masks = _masks(checked)
    for head in heads(checked.recipe, checked.graph):
        port = checked.graph.outputs[head.output]
        if port in masks or head.spec.rank < 3:
            continue
        needed = needed_names(checked.graph, [port])
        for node in dropping:
            carried = [masks[p] for p in node.inputs if p in masks]
            same_steps = [mask for mask in carried if mask.shape[:2] == head.spec.shape[:2]]
            unweighed = [metric for metric in head.metrics if metric.path[1] == "metrics"]
            if node.name not in needed or not same_steps:
                continue
            if "" not in weighed and head.output not in weighed:
                hint = "give them a weight of 0 (`sample_weight`)"
                if unweighed:
                    hint += " and list metrics under `weighted_metrics`"
                checked.document.warn(
                    "W501",
                    (*node.path, "mask"),
                    f"the mask ends here, so the loss of '{head.output}' counts padded steps too",
                    hint=f"{hint}, or leave `mask: none` out if the layer passes masks on",
                )
            elif unweighed:  # steps can have a weight of 0 instead of a mask
                checked.document.warn(
                    "W501",
                    unweighed[0].path,
                    f"`{unweighed[0].word}` takes no weights, so it counts the padded steps of "
                    f"'{head.output}' too",
                    hint="list it under `weighted_metrics`",
                )


def check_ended(checked: Checked) -> None:
    """Warn (W501) of an autoencoder whose loss counts the padded steps of what it encodes."""
    graph, masks = checked.graph, _masks(checked)
    for head in heads(checked.recipe, checked.graph):
        port = graph.outputs[head.output]
        if port in masks or head.spec.rank < 3:
            continue
        needed = needed_names(graph, [port])
        repeats = [
            node for node in graph.nodes if node.op == "RepeatVector" and node.name in needed
        ]
        for repeat in repeats:
            encoders = needed_names(graph, repeat.inputs)
            encoder = next(
                (
                    node
                    for node in graph.nodes
                    if node.name in encoders and node.recurrence and node.mask
                    if node.mask.shape[:2] == head.spec.shape[:2]
                ),
                None,
            )
            reader = next(iter(checked.readers.get(Port(repeat.name, OUTPUT), ())), None)
            if encoder and reader and reader.recurrence and not reader.mask:
                checked.document.warn(
                    "W501",
                    reader.path,
                    f"the mask of '{encoder.layer}' ends in its state, so the loss of "
                    f"'{head.output}' counts padded steps too",
                    hint=f"write `mask: {{from: {encoder.layer}}}` on '{reader.layer}'",
                    at_key=True,
                )


def check_steps(checked: Checked) -> None:
    """Warn (W501) of a loop whose results have no mask, though its steps read a masked sequence."""
    graph, masks = checked.graph, _masks(checked)
    for head in heads(checked.recipe, graph):
        port = graph.outputs[head.output]
        if port in masks:
            continue
        needed = needed_names(graph, [port])
        loops = [node for node in graph.nodes if node.op == STACK and node.name in needed]
        for loop in loops:
            if Port(loop.name) in masks or loop.outputs[OUTPUT].shape[:2] != head.spec.shape[:2]:
                continue
            first = needed_names(graph, loop.inputs[:1])
            steps = [node for node in graph.nodes if node.loop and node.name in first]
            masked = next((n for n in steps if n.recurrence and n.mask and n.mask.index == 0), None)
            if masked and masked.loop:
                name = masked.layer.removeprefix(masked.loop.first)
                checked.document.warn(
                    "W501",
                    masked.path,
                    f"the mask of '{name}' ends in its last output, so the loss of "
                    f"'{head.output}' counts padded steps too",
                    hint=f"read `{name}.sequence` in the block, which has the mask",
                    at_key=True,
                )


def check_values(checked: Checked) -> None:
    """Warn (W505) of a mask by a value that the layer before has changed."""
    for node in checked.graph.nodes:
        made = [mask for mask in (node.mask, *node.output_masks.values()) if mask]
        mask = next(
            (m for m in made if m.kind == "value" and m.path[: len(node.path)] == node.path), None
        )
        source = checked.graph.by_name.get(mask.port.node) if mask else None
        if mask and source and _moves_values(source):
            checked.document.warn(
                "W505",
                mask.path,
                f"'{source.layer}' changes the value {mask.value:g} of padded steps, so this mask "
                "leaves out other steps, or none",
                hint=f"put a `masking` layer before '{source.layer}', whose mask is inherited here",
                at_key=True,
            )


def _moves_values(node: Node) -> bool:
    """Return whether a call gives other numbers for a step that is padding."""
    op, arguments = layer_of_steps(node.op, node.arguments)
    if op in EMBEDDINGS and not arguments.get(REVERSE):
        return not arguments.get("mask_zero")
    return op in NORMALIZATIONS or (op in WITH_BIAS and arguments.get("use_bias", True) is True)


def check_forgotten(checked: Checked) -> None:
    """Warn (W502) of a sequence that one layer reads with a mask and another without."""
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
                    f"'{node.layer}' reads '{port}' without the mask that '{masked.layer}' uses, "
                    "so padded steps count here",
                    hint=f"write `mask: {{from: {masked.layer}}}`, or `mask: none` if padded steps "
                    "should count",
                    at_key=True,
                )


def check_reversed(checked: Checked) -> None:
    """Warn (W504) of the reversed steps of ``go_backwards`` that meet steps in forward order.

    Source: ``go_backwards`` of ``keras/src/layers/rnn/rnn.py``, which reverses the inputs but not
    the outputs.
    """
    reversed_by: dict[Port, Node] = {}
    for node in checked.graph.nodes:
        sources = [reversed_by[port] for port in node.inputs if port in reversed_by]
        if node.recurrence:
            goes_back = bool(node.arguments["go_backwards"]) and not node.recurrence.bidirectional
            if goes_back != bool(sources):
                reversed_by[Port(node.name, SEQUENCE)] = node if goes_back else sources[0]
        elif sources and (node.op == JOIN or node.op in MERGES):
            if any(_has_steps(checked, port) and port not in reversed_by for port in node.inputs):
                _warn_reversed(checked, sources[0], f"combined with other steps by '{node.layer}'")
            else:
                reversed_by[Port(node.name, OUTPUT)] = sources[0]
        elif sources and _keeps_steps(checked, node):
            reversed_by[Port(node.name, OUTPUT)] = sources[0]
    for head in heads(checked.recipe, checked.graph):
        port = checked.graph.outputs[head.output]
        if port in reversed_by:
            _warn_reversed(checked, reversed_by[port], f"returned as '{head.output}'")


def _warn_reversed(checked: Checked, node: Node, where: str) -> None:
    checked.document.warn(
        "W504",
        (*node.path, "go_backwards"),
        f"the steps of '{node.layer}' are in reverse order, and are {where}",
        hint="write `bidirectional: true`, or read them with another `go_backwards` layer",
    )


def _has_steps(checked: Checked, port: Port) -> bool:
    return checked.graph.specs[port].rank >= 3


def _keeps_steps(checked: Checked, node: Node) -> bool:
    """Return whether the output has the time steps of the input in the same order."""
    before, after = checked.graph.specs[node.inputs[0]], node.outputs[OUTPUT]
    return after.rank >= 3 and before.shape[:2] == after.shape[:2]


def _masks(checked: Checked) -> Mapping[Port, MaskSpec]:
    """Return the mask of each port that has one."""
    return {
        Port(node.name, output): mask
        for node in checked.graph.nodes
        for output, mask in node.output_masks.items()
    }
