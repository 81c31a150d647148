"""Find the tensors behind initial states from other layers, and check that they fit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lstmgraph.compiler.graph import Graph, Node, Port, Recurrence, state_outputs
from lstmgraph.compiler.passes.mistakes import GraphMistake
from lstmgraph.compiler.passes.remarks import of_depth, of_directions, of_kind, of_units

if TYPE_CHECKING:
    from lstmgraph.compiler.passes.mistakes import Remark
    from lstmgraph.language.declaration.recipe import FromLayer


@dataclass(frozen=True)
class StateSource:
    """The tensors behind one state: concatenated if several, then projected if `project`."""

    ports: tuple[Port, ...]
    project: bool
    label: str


def layer_state(
    graph: Graph,
    target: Node,
    slot: str,
    form: FromLayer,
    *,
    is_split: bool,
) -> StateSource:
    """Return the source of the state `slot` of `target` when `form` names another layer.

    Raises:
        GraphMistake: if that layer has no state, or one that does not fit.
    """
    reference = form.source
    names_states = reference.port in ("", "state")
    recurrent = _source_node(graph, target, form) if names_states else None
    if recurrent is None or recurrent.recurrence is None:
        return _tensor_state(graph, target, form, is_split=is_split)
    source = recurrent.recurrence
    letter = slot.rpartition("_")[2]
    if not is_split:
        _check_slots(target, recurrent, source, form)
    elif letter not in source.slots:
        raise GraphMistake(
            "L603",
            form.path,
            f"'{reference}' is {_a(recurrent.op)}, which has no state {letter}",
            f"use a tensor of shape (batch, units), such as `{reference}.state.h`, or zeros",
            notes=(of_kind(recurrent),),
        )
    _check_fit(graph, target, slot, recurrent, form)
    return _fitted(recurrent, source, slot, form)


def _source_node(graph: Graph, target: Node, form: FromLayer) -> Node | None:
    """Return the layer of the source's stack that feeds this layer of the target's stack."""
    nodes = graph.by_name
    names = graph.stacks.get(form.source.layer)
    if names is None:
        return None
    own = graph.stacks[target.layer]
    is_listed = any(
        isinstance(part, int) for part in form.path
    )  # an entry for this layer of the stack
    if form.bridge == "last" or len(own) == 1 or (is_listed and len(names) == 1):
        return nodes[names[-1]]
    if len(names) == len(own):
        return nodes[names[own.index(target.name)]]
    if form.bridge == "dense" or nodes[names[-1]].recurrence is None:
        return nodes[names[-1]]
    raise GraphMistake(
        "L605",
        form.path,
        f"'{form.source}' is a stack of {len(names)}, but '{target.layer}' one of {len(own)}",
        f"write `{{from: {form.source}, bridge: last}}` to start each layer from its last layer",
        notes=(of_depth(graph, form.source.layer), of_depth(graph, target.layer)),
    )


def _tensor_state(graph: Graph, target: Node, form: FromLayer, *, is_split: bool) -> StateSource:
    reference = form.source
    slots = target.recurrence.slots if target.recurrence else ()
    if not is_split and not reference.port:
        raise GraphMistake(
            "L606",
            form.path,
            f"'{reference}' is not a recurrent layer, so it has no state",
            f"to use its output as a state, write `{{h: {reference}}}`",
            notes=(_declared(graph, form),),
        )
    if not is_split and len(slots) > 1:
        own = (
            f"{{from: {reference}, bridge: dense}}" if _differs(graph, target, form) else reference
        )
        raise GraphMistake(
            "L603",
            form.path,
            f"'{reference}' is one tensor, but '{target.layer}' has {len(slots)} states",
            f"write `{reference.layer}` for all of its states, or `{{h: {own}, c: zeros}}`",
            notes=(of_kind(target),),
        )
    if form.bridge not in (None, "dense"):
        raise GraphMistake(
            "L607",
            (*form.path, "bridge"),
            f"'{reference}' is one tensor, but `bridge: {form.bridge}` is for a layer's states",
            "write `bridge: dense`, or remove the bridge",
        )
    label = f"dense({reference})" if form.bridge else str(reference)
    return StateSource((graph.primary_or_port(reference),), form.bridge == "dense", label)


def _differs(graph: Graph, target: Node, form: FromLayer) -> bool:
    """Return whether one tensor of a recurrent layer has other units than a layer of the target."""
    port = graph.primary_or_port(form.source)
    source = graph.by_name[port.node].recurrence if port.node in graph.by_name else None
    if source is None or form.bridge == "dense":
        return form.bridge == "dense"
    is_state = port.output in state_outputs(source)
    wide = source.bidirectional and source.merge_mode == "concat"
    units = source.units_of(port.output) if is_state else source.units * (2 if wide else 1)
    layers = [graph.by_name[name].recurrence for name in graph.stacks[target.layer]]
    return any(own is not None and own.units != units for own in layers)


def _check_slots(target: Node, recurrent: Node, source: Recurrence, form: FromLayer) -> None:
    slots = target.recurrence.slots if target.recurrence else ()
    if slots == source.slots:
        return
    both = [slot for slot in slots if slot in source.slots]
    parts = [f"{slot}: {form.source if slot in both else 'zeros'}" for slot in slots]
    raise GraphMistake(
        "L603",
        form.path,
        f"'{form.source}' is {_a(recurrent.op)} with state {', '.join(source.slots)}, but "
        f"'{target.layer}' is {_a(target.op)} with state {', '.join(slots)}",
        f"write `{{{', '.join(parts)}}}`",
        notes=(of_kind(recurrent), of_kind(target)),
    )


def _declared(graph: Graph, form: FromLayer) -> Remark:
    name = form.source.layer
    if name in graph.inputs:
        return graph.inputs[name].path, f"'{name}' is an input"
    return of_kind(graph.by_name[graph.stacks[name][-1]])


def _a(layer: str) -> str:
    return f"an {layer}" if layer == "LSTM" else f"a {layer}"


def _check_fit(graph: Graph, target: Node, slot: str, recurrent: Node, form: FromLayer) -> None:
    own, source = target.recurrence, recurrent.recurrence
    if own is None or source is None or form.bridge == "dense":
        return
    both = (of_units(graph, recurrent), of_units(graph, target))
    use_dense = f"`{{from: {form.source}, bridge: dense}}`"
    if form.bridge == "concat":
        _check_concat(own, recurrent, source, form, both)
    elif own.bidirectional != source.bidirectional:
        ways = {True: "two directions", False: "one direction"}
        fixes = [use_dense]
        if source.bidirectional and own.units == 2 * source.units:
            fixes.insert(0, f"`{{from: {form.source}, bridge: concat}}`")
        raise GraphMistake(
            "L608",
            form.path,
            f"'{recurrent.name}' has {ways[source.bidirectional]}, but '{target.name}' has "
            f"{ways[own.bidirectional]}",
            f"write {' or '.join(fixes)}",
            notes=(of_directions(recurrent), of_directions(target)),
        )
    units, wanted = source.units_of(_slot_of(source, slot)), own.units_of(slot)
    if units != wanted and form.bridge != "concat":
        raise GraphMistake(
            "L608",
            form.path,
            f"the states of '{recurrent.name}' have {units} units, but those of "
            f"'{target.name}' have {wanted}",
            f"write {use_dense}, or give both layers the same units",
            notes=both,
        )


def _slot_of(source: Recurrence, slot: str) -> str:
    """Return the state of `source` that feeds `slot`: that name, or h for forward_h."""
    return slot if slot in state_outputs(source) else slot.rpartition("_")[2]


def _check_concat(
    own: Recurrence,
    recurrent: Node,
    source: Recurrence,
    form: FromLayer,
    both: tuple[Remark, Remark],
) -> None:
    path = (*form.path, "bridge")
    if not source.bidirectional or own.bidirectional:
        raise GraphMistake(
            "L607",
            path,
            "`bridge: concat` is only from a bidirectional layer to one that is not",
            "write `bridge: dense`, or remove the bridge",
            notes=(of_directions(recurrent),),
        )
    if own.units != 2 * source.units:
        raise GraphMistake(
            "L608",
            path,
            f"the two directions of '{form.source}' have {source.units} + {source.units} units, "
            f"but the states here have {own.units}",
            f"write `units: {2 * source.units}`, or `bridge: dense`",
            notes=both,
        )


def _fitted(recurrent: Node, source: Recurrence, slot: str, form: FromLayer) -> StateSource:
    letter = slot.rpartition("_")[2]
    name = recurrent.name
    project = form.bridge == "dense"
    if source.bidirectional and (project or form.bridge == "concat"):
        ports = tuple(Port(name, f"{way}_{letter}") for way in ("forward", "backward"))
        joined = f"concat({', '.join(str(port) for port in ports)})"
        return StateSource(ports, project, f"dense({joined})" if project else joined)
    port = Port(name, _slot_of(source, slot))
    return StateSource((port,), project, f"dense({port})" if project else str(port))
