"""Derive the models ``step``, ``encoder`` and ``decoder`` as cuts of the main graph."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from lstmgraph.compiler.derive.axes import made_from
from lstmgraph.compiler.derive.cut import Sources, cut
from lstmgraph.compiler.derive.finish import finished
from lstmgraph.compiler.derive.loops import split_loop
from lstmgraph.compiler.derive.plan import NEXT, Context, FurtherModel, StepPlan, StepState
from lstmgraph.compiler.derive.split import CODE, Fed, Split, split
from lstmgraph.compiler.derive.steppable import check_begins, check_steps
from lstmgraph.compiler.graph import (
    MASK,
    OUTPUT,
    Graph,
    GraphInput,
    MaskSpec,
    Node,
    Port,
    Recurrence,
    StateSpec,
    state_outputs,
)
from lstmgraph.compiler.passes.mistakes import GraphMistake
from lstmgraph.keras_facts.dtypes import full_dtype, is_half
from lstmgraph.keras_facts.tensors import BATCH, TensorSpec

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from lstmgraph.keras_facts.tensors import Dim
    from lstmgraph.language.declaration.recipe import ModelDeclaration
    from lstmgraph.language.text.document import Document

ROWS = "rows"
"""The input of a start model that gives only the number of rows."""
STEPS = "steps"
"""The dimension name for a number of steps that is fixed in the recipe but open in a chunk."""

Outputs = dict[str, tuple[Port, tuple[str | int, ...]]]


def derived_models(
    graph: Graph, model: ModelDeclaration, document: Document
) -> Iterator[FurtherModel]:
    """Yield the models of ``derive:``: for a step model also its start model, if it needs one.

    Args:
        graph: the graph of all models, after the passes.
        model: a declaration with ``derive``.
        document: where mistakes in the new graphs are reported.

    Raises:
        GraphMistake: if the model cannot be derived, with the node and the reason (L834).
    """
    path = (*model.path, "derive")
    looped = split_loop(graph, path, one_step=model.derive != "decoder")
    parts = _Parts(looped or split(graph, path), document, path)
    if model.derive == "encoder":
        check_begins(parts.split)
        yield from parts.encoder(model)
        return
    check_steps(parts.split)
    if model.derive == "decoder":
        graph = parts.later(model.name, None)
        yield FurtherModel(model.name, "decoder", graph, path, parts.pairs())
        return
    plan = parts.plan(model.name)
    yield FurtherModel(model.name, "step", plan.step, path, parts.pairs(), plan)
    if plan.start is not None:
        yield FurtherModel(f"{model.name}.start", "start", plan.start, path, {})


class _Parts:
    """The two sides of a split, and the tensors that cross it."""

    def __init__(self, parts: Split, document: Document, path: tuple[str | int, ...]) -> None:
        self.split = parts
        self.rows = ROWS if ROWS not in parts.graph.inputs else f"number_of_{ROWS}"
        self.graph = parts.graph
        self.document = document
        self.path = path
        self.states: list[StepState] = []
        self.sources: dict[str, Port] = {}
        """The outputs of the start model, by the name of the input that each feeds."""
        self.contexts: dict[str, tuple[Port, TensorSpec]] = {}
        self.masks: dict[tuple[str, Port], GraphInput] = {}
        self.whole_masks: dict[MaskSpec, GraphInput] = {}
        """The masks of a loop that are known before its first step."""
        self.made_masks: list[Node] = []
        self.specs = self.graph.specs
        for node in parts.nodes():
            self._cross(node)
        self.states += map(self._state_of, parts.fed)
        self._check_names()

    def _check_names(self) -> None:
        names = [*self.split.steps, *self.contexts, *(state.name for state in self.states)]
        repeated = next((name for name in names if names.count(name) > 1), None)
        if repeated is not None:
            raise GraphMistake(
                "L835",
                self.path,
                f"'{repeated}' would be the name of both a state and another input of this model",
                f"rename '{repeated}' in the recipe",
            )

    def _cross(self, node: Node) -> None:
        """Record what `node` reads from the other side of the split."""
        for index, port in enumerate(node.inputs):
            if not self.split.is_early(port):
                continue
            name = str(port).replace(".", "_")
            self.contexts[name] = (port, _wide(self.specs[port]))
            if port.node in self.graph.by_name:
                self.sources[name] = port
            mask = node.input_masks[index] if node.input_masks else None
            is_repeated = node.name in self.split.block
            if mask and not is_repeated and (node.name, port) not in self.masks:
                self._cross_mask(node, name, port, mask)
        if node.name in self.split.block:
            for mask in (node.mask, *node.input_masks):
                self._cross_whole(node, mask)
            self._cross_states(node.recurrence)
        elif node.recurrence:
            self.states += self._states_of(node)

    def _cross_whole(self, node: Node, mask: MaskSpec | None) -> None:
        """Record a mask that is known before the first step of a loop, or whose steps are."""
        whole = mask.parts[0][1] if mask and mask.kind == "step" else mask
        if whole is None or whole in self.whole_masks:
            return
        if not all(map(self.split.is_early, made_from(whole))):
            return
        name = str(whole.port).replace(".", "_")
        same = sum(other.port == whole.port for other in self.whole_masks)
        own = f"{name}_mask_{same + 1}" if same else f"{name}_mask"
        self.whole_masks[whole] = self._made_mask(own, whole.port, whole, node)

    def _made_mask(self, own: str, port: Port, mask: MaskSpec, node: Node) -> GraphInput:
        """Return the input of a mask that the start model computes."""
        spec = TensorSpec(mask.shape, "bool")
        if own not in self.sources:
            maker = Node(
                own, MASK, (port,), node.layer, node.path, mask=mask, outputs={OUTPUT: spec}
            )
            self.made_masks.append(maker)
            self.sources[own] = Port(own)
            self.contexts[own] = (Port(own), spec)
        return GraphInput(own, spec, node.path, made=True)

    def _cross_states(self, recurrence: Recurrence | None) -> None:
        """Record the initial states that are the same in every step of a loop."""
        for state in recurrence.states if recurrence else ():
            if state.source and self.split.is_early(state.source):
                name = str(state.source).replace(".", "_")
                self.contexts[name] = (state.source, _wide(self.specs[state.source]))
                if state.source.node in self.graph.by_name:
                    self.sources[name] = state.source

    def _state_of(self, fed: Fed) -> StepState:
        """Return the state that is fed back in a loop."""
        first, then = fed.first, fed.then
        started = first is not None and first.node in self.graph.by_name
        if first is not None and started:
            self.sources[fed.name] = first
        given = first.node if first is not None and not started else None
        spec = fed.tensor.spec
        own = (then.node, then.output, spec, given, started)
        return StepState(fed.name, NEXT + fed.name, *own)

    def _cross_mask(self, node: Node, name: str, port: Port, mask: MaskSpec) -> None:
        self.masks[node.name, port] = self._made_mask(f"{name}_mask", port, mask, node)

    def _states_of(self, node: Node) -> Iterator[StepState]:
        recurrence = node.recurrence
        if recurrence is None:
            return
        sources = {state.slot: state.source for state in recurrence.states}
        for slot in state_outputs(recurrence):
            name, source = f"{node.name}_{slot}", sources.get(slot)
            spec = TensorSpec((BATCH, recurrence.units_of(slot)), full_dtype(node.dtype_policy))
            started = source is not None and source.node in self.graph.by_name
            if source is not None and started:
                self.sources[name] = source
            given = source.node if source is not None and not started else None
            yield StepState(name, NEXT + name, node.name, slot, spec, given, started)

    def pairs(self) -> dict[str, str | None]:
        return {state.name: state.output for state in self.states}

    def encoder(self, model: ModelDeclaration) -> Iterator[FurtherModel]:
        read = {node.name: node for node in self.graph.nodes}
        start = self.start(model.name)
        if start is None or not any(node.recurrence for node in start.nodes):
            first = next(self.split.nodes())
            raise GraphMistake(
                CODE,
                read[first.name].path,
                f"there is no recurrent layer before '{first.name}', so there is no encoder",
                "derive `step`, or initialize a layer with the states of another",
            )
        yield FurtherModel(model.name, "encoder", start, self.path, {})

    def plan(self, name: str) -> StepPlan:
        step = self.later(name, 1)
        unrolled = any(
            node.recurrence and node.recurrence.kernel and node.recurrence.kernel.name == "unrolled"
            for node in step.nodes
        )
        start = self.start(f"{name}_start")
        masks = [node.mask for node in step.nodes if node.mask and node.mask.kind == "lengths"]
        by_lengths = {mask.port for mask in masks}
        lengths = tuple(name for name in step.inputs if Port(name) in by_lengths)
        return StepPlan(
            step=step,
            chunk=None if unrolled or self.split.block else self.later(f"{name}_chunk", STEPS),
            start=start,
            steps=self.split.steps,
            lengths=lengths,
            states=tuple(self.states),
            contexts=tuple(
                Context(own, spec, own in self.sources) for own, (_, spec) in self.contexts.items()
            ),
            outputs={own: self.kind(port) for own, port in self.graph.outputs.items()},
            rows=self.rows if start and self.rows in start.inputs else None,
        )

    def kind(self, port: Port) -> str:
        if self.split.is_early(port):
            return "start"
        node = self.graph.by_name.get(port.node)
        is_last = node is not None and node.loop is not None
        return "steps" if self.split.is_stepped(port) and not is_last else "newest"

    def later(self, name: str, size: int | str | None) -> Graph:
        """Return the graph that runs at every step, for `size` steps; None for the recipe's own."""
        inputs = [self._stepped(self.graph.inputs[step], size) for step in self.split.steps]
        ports = {Port(tensor.name): tensor for tensor in inputs}
        for own, (port, spec) in self.contexts.items():
            # Inputs of the recipe stay inputs.
            declared = self.graph.inputs.get(port.node)
            ports[port] = declared or GraphInput(own, spec, self.path, made=True)
        states = [GraphInput(s.name, s.spec, self.path, made=True) for s in self.states]
        by_node: dict[str, tuple[StateSpec, ...]] = {}
        for state in self.states:
            own_state = StateSpec(state.slot, Port(state.name), f"input {state.name}")
            if state.node not in self.split.block:
                by_node[state.node] = (*by_node.get(state.node, ()), own_state)
        sources = Sources(
            ports, by_node, (*states, *self.masks.values(), *self.whole_masks.values())
        )
        outputs: Outputs = {
            own: (port, self.graph.output_paths[own])
            for own, port in self.graph.outputs.items()
            if not self.split.is_early(port)
        }
        for state in self.states:
            outputs[state.output] = (Port(state.node, state.slot), self.path)
        part = cut(
            self.graph,
            outputs,
            sources,
            lambda node, port, mask: self._mask_of_steps(node, port, mask, size),
        )
        return finished(part, name, self.path, self.document)

    def _stepped(self, tensor: GraphInput, size: int | str | None) -> GraphInput:
        batch, time, *rest = tensor.spec.shape
        shape = (batch, _size(time, size), *rest)
        return replace(tensor, spec=replace(tensor.spec, shape=shape))

    def _mask_of_steps(
        self, node: Node, port: Port, mask: MaskSpec, size: int | str | None
    ) -> MaskSpec:
        """Return the mask in the cut: an input if made on the other side, else over these steps."""
        made = next(
            (
                tensor
                for (name, source), tensor in self.masks.items()
                if name == node.name and port.node in (source.node, str(source).replace(".", "_"))
            ),
            None,
        )
        if made is not None:
            return MaskSpec("input", Port(made.name), made.spec.shape)
        if mask in self.whole_masks:
            known = self.whole_masks[mask]
            return MaskSpec("input", Port(known.name), known.spec.shape, mask.padding)
        if mask.kind == "step" and (whole := mask.parts[0][1]):
            return self._mask_of_steps(node, port, whole, None).step(mask.index or 0)
        if mask.kind == "joined" and self.whole_masks:
            parts = (
                (each, part and self._mask_of_steps(node, each, part, None))
                for each, part in mask.parts
            )
            return replace(mask, parts=tuple(parts))
        like = Port(self.split.steps[0]) if mask.like and self.split.steps else None
        batch, time, *rest = mask.shape
        return replace(mask, like=like, shape=(batch, _size(time, size), *rest))

    def start(self, name: str) -> Graph | None:
        """Return the graph that runs before the first step; None if nothing does."""
        outputs: Outputs = {own: (port, self.path) for own, port in self.sources.items()}
        for own, port in self.graph.outputs.items():
            if self.split.is_early(port):
                outputs[own] = (port, self.graph.output_paths[own])
        if not outputs:
            return None
        rows = GraphInput(self.rows, TensorSpec((BATCH,), "int32"), self.path, made=True)
        ports: dict[Port, GraphInput] = {}
        for port in self.specs:
            if not self.split.is_early(port):
                ports[port] = rows  # early nodes read only its number of rows
        whole = self.graph.with_nodes((*self.graph.nodes, *self.made_masks))
        declared: Mapping[Port, GraphInput] = {
            Port(tensor.name): tensor
            for tensor in self.graph.inputs.values()
            if tensor.name not in self.split.steps
        }
        part = cut(whole, outputs, Sources({**declared, **ports}), lambda _n, _p, mask: mask)
        return finished(part, name, self.path, self.document)


def _size(time: Dim, size: int | str | None) -> Dim:
    """Return the number of steps for `size`; a named number of steps keeps its name."""
    return time if size is None or (size == STEPS and isinstance(time, str)) else size


def _wide(spec: TensorSpec) -> TensorSpec:
    """Return the spec as fed from outside: float32 if it is computed in 16 bits."""
    return TensorSpec(spec.shape, "float32") if is_half(spec.dtype) else spec
