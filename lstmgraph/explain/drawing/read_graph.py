"""Compiled recipes to the contents of their pictures."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from lstmgraph.explain.drawing.arrows import arrows_of, call_id, input_id, output_id
from lstmgraph.explain.drawing.badges import (
    carried_masks,
    folded_states,
    mask_badges,
    slot_words,
    state_badges,
)
from lstmgraph.explain.drawing.picture import (
    INPUT,
    LAYER,
    OPERATION,
    OUTPUT,
    STATE,
    Badge,
    Box,
    Picture,
)
from lstmgraph.explain.explanation import explain, shape_text
from lstmgraph.explain.loops import once
from lstmgraph.messages.wording import counted, not_among

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from lstmgraph.compiler.compile import CompiledRecipe
    from lstmgraph.compiler.graph import Graph, Node, Port
    from lstmgraph.compiler.machine.machine import Machine
    from lstmgraph.explain.drawing.badges import Masks
    from lstmgraph.explain.explanation import LayerRow, TensorRow
    from lstmgraph.explain.loops import Once


def picture_of(compiled: CompiledRecipe, machine: Machine, model: str = "") -> Picture:
    """Return the picture of a recipe's own model, or of its further model `model`.

    The kernels shown are those of `machine`.

    Raises:
        ValueError: The recipe has no such further model.
    """
    if model and model not in compiled.models:
        if not compiled.models:
            raise ValueError(f"there is no model '{model}': the recipe has no further models")
        raise ValueError(not_among("further model", model, list(compiled.models)))
    part = compiled.part(model) if model else compiled
    whole = once(part.graph)
    graph = whole.graph
    explanation = explain(part, machine)
    folded = folded_states(graph)
    carried = carried_masks(graph)
    fed_back = compiled.models[model].states if model else {}
    inputs = [_input(graph, row, fed_back.get(row.name)) for row in explanation.inputs]
    rows = {row.name: row for row in explanation.layers}
    drawn = [node for node in graph.nodes if node.name not in folded]
    fed = _fed_back(whole)
    count = Counter(_group(node) for node in drawn)
    boxes = [
        *inputs,
        *(
            replace(
                box := _call(node, rows, folded, carried),
                group=_group(node) if count[_group(node)] > 1 else None,
                badges=(*box.badges, *fed.get(node.name, ())),
            )
            for node in drawn
        ),
        *(_output(row, part.graph.outputs[row.name], part.graph) for row in explanation.outputs),
    ]
    parameters = explanation.trainable_parameters + explanation.non_trainable_parameters
    return Picture(
        name=f"{compiled.graph.name}: {model}" if model else graph.name,
        description=" ".join(compiled.declaration.description.split()),
        summary=f"{counted(explanation.calls, 'call')}, {counted(parameters, 'parameter')}",
        boxes=tuple(boxes),
        arrows=arrows_of(graph, folded, carried, {name for name in fed_back.values() if name}),
        loops={loop.name: loop.steps for loop in whole.loops},
    )


def _input(graph: Graph, row: TensorRow, fed_back: str | None) -> Box:
    tensor = graph.inputs[row.name]
    badges = []
    if tensor.time_major:
        badges.append(Badge("", "time-major"))
    if fed_back:
        badges.append(Badge(STATE, f"next call: {fed_back}"))
    shape = shape_text(row)
    lines = [f"input {row.name}", f"{shape} {row.dtype}", *(badge.text for badge in badges)]
    details = "\n".join(lines)
    return Box(
        input_id(row.name), INPUT, row.name, row.dtype, shape, badges=tuple(badges), details=details
    )


def _group(node: Node) -> str:
    """Return the loop or the layer in whose group the box of a call is."""
    return node.loop.layer if node.loop else node.layer


def _fed_back(whole: Once) -> dict[str, list[Badge]]:
    """Return badges of what calls read of the step before, by the name of the call."""
    sources: dict[tuple[str, str], list[str]] = {}
    for row in (row for loop in whole.loops for row in loop.fed_back):
        node, _, output = row.port.partition(".")
        sources.setdefault((row.reader, node), []).append(output if row.slot else "")
    badges: dict[str, list[Badge]] = {}
    for (reader, node), slots in sources.items():
        words = slot_words(filter(None, slots))
        text = f"next step: {words} of {node}" if words else f"next step: {node}"
        badges.setdefault(reader, []).append(Badge(STATE, text))
    return badges


def _output(row: TensorRow, port: Port, graph: Graph) -> Box:
    shape = shape_text(row)
    node = graph.by_name.get(port.node)
    badges = (Badge("", f"of step {node.loop.step}"),) if node and node.loop else ()
    details = f"output {row.name}\n{shape} {row.dtype}\nfrom {row.source}"
    return Box(
        output_id(row.name), OUTPUT, row.name, row.dtype, shape, badges=badges, details=details
    )


def _call(
    node: Node,
    rows: Mapping[str, LayerRow],
    folded: Mapping[str, Node],
    carried: Masks,
) -> Box:
    row = rows[node.name]
    recurrence = node.recurrence
    sources = [state.source for state in recurrence.states if state.source] if recurrence else []
    own = {port.node for port in sources if port.node in folded}
    extra = sum(rows[name].parameters for name in own)
    return Box(
        id=call_id(node.name),
        kind=LAYER if node.is_layer else OPERATION,
        name=node.name,
        type=row.repeated_type,
        shape=shape_text(row),
        parameters=_parameters(row.parameters, extra),
        kernel=row.kernels,
        badges=(*mask_badges(node, carried), *state_badges(node, folded)),
        recurrent=recurrence is not None,
        details="\n".join(_details(row, extra)),
    )


def _parameters(own: int, states: int) -> str:
    if not own + states:
        return ""
    return f"{own:,} + {counted(states, 'parameter')}" if states else counted(own, "parameter")


def _details(row: LayerRow, states: int) -> Iterator[str]:
    yield f"{row.name}: {row.called_type}"
    yield f"reads {', '.join(row.inputs)}"
    yield f"gives {shape_text(row)} {row.dtype}"
    if row.dtype_policy not in {row.dtype, "float32"}:
        yield f"dtype policy {row.dtype_policy}"
    if row.parameters:
        fixed = f", {row.non_trainable_parameters:,} of them not trained"
        text = counted(row.parameters, "parameter")
        yield text + (fixed if row.non_trainable_parameters else "")
    if states:
        yield f"{counted(states, 'parameter')} of the learned initial state"
    if row.mask:
        yield f"mask: {row.mask}"
    for slot, label in (row.initial_state or {}).items():
        yield f"initial {slot.replace('_', ' ')}: {label}"
    if row.kernel:
        yield f"kernel: {row.kernels} ({row.kernel_reason})"
