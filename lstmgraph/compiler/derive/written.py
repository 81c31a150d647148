"""Cut declared models out of the graph, from their listed inputs to their outputs."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from lstmgraph.compiler.derive.axes import made_from
from lstmgraph.compiler.derive.cut import Sources, cut, rewired_mask
from lstmgraph.compiler.derive.finish import finished
from lstmgraph.compiler.derive.plan import FurtherModel
from lstmgraph.compiler.graph import (
    Graph,
    GraphInput,
    MaskSpec,
    Node,
    Port,
    StateSpec,
    state_outputs,
)
from lstmgraph.compiler.passes.checks import needed_names
from lstmgraph.compiler.passes.mistakes import GraphMistake
from lstmgraph.compiler.passes.remarks import of_kind, of_tensor, of_units
from lstmgraph.compiler.passes.states import not_inside
from lstmgraph.keras_facts.dtypes import full_dtype, is_float, is_half
from lstmgraph.keras_facts.tensors import BATCH, TensorSpec
from lstmgraph.language.declaration.recipe import FromInputs
from lstmgraph.messages.wording import counted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lstmgraph.language.declaration.recipe import ModelDeclaration, Zeros
    from lstmgraph.language.text.document import Document
    from lstmgraph.messages.diagnostics import Path


def written_model(graph: Graph, model: ModelDeclaration, document: Document) -> FurtherModel | None:
    """Return the model that `model` declares; None if it has mistakes, which are reported.

    Raises:
        GraphMistake: if it cannot be cut out of `graph`.
    """
    writing = _Writing(graph, model, document)
    part = writing.cut()
    if not writing.is_sound(part):
        return None
    final = finished(part, model.name, model.path, document)
    return FurtherModel(model.name, "written", final, model.path, writing.pairs())


class _Writing:
    def __init__(self, graph: Graph, model: ModelDeclaration, document: Document) -> None:
        self.graph = graph
        self.model = model
        self.document = document
        self.states: dict[str, tuple[StateSpec, ...]] = {}
        self.made: dict[str, GraphInput] = {}
        self.listed = dict(self._listed())
        for layer, form in model.initial_state.items():
            self._replace(layer, form)
        self.known: dict[Port, bool] = {}

    def _listed(self) -> Iterator[tuple[Port, GraphInput]]:
        for index, reference in enumerate(self.model.inputs):
            path: Path = (*self.model.path, "inputs", index)
            if reference.layer in self.graph.inputs:
                yield Port(reference.layer), self.graph.inputs[reference.layer]
                continue
            port = self.graph.further_ports[path]
            spec = self.graph.specs[port]
            if is_half(spec.dtype):
                spec = TensorSpec(spec.shape, "float32")
            name = str(reference).replace(".", "_")
            if name in self.graph.inputs:
                self._clash(name, path)
            yield port, GraphInput(name, spec, path)

    def _replace(self, layer: str, form: Zeros | FromInputs) -> None:
        nodes = [self.graph.by_name[name] for name in self.graph.stacks[layer]]
        if isinstance(form, FromInputs) and layer in self.graph.folds:
            raise not_inside(form)
        if not isinstance(form, FromInputs):
            self.states |= dict.fromkeys((node.name for node in nodes), ())
            return
        slots = [
            (node, slot)
            for node in nodes
            for slot in (state_outputs(node.recurrence) if node.recurrence else ())
        ]
        names = form.names or tuple(f"{node.name}_{slot}" for node, slot in slots)
        if len(names) != len(slots):
            raise GraphMistake(
                "L602",
                (*form.path, "inputs"),
                f"{counted(len(names), 'input is', 'inputs are')} named for "
                f"{counted(len(slots), 'state', 'states')}",
                f"list one for each of: {', '.join(f'{node.name}.{s}' for node, s in slots)}",
                notes=(of_kind(nodes[0]),),
            )
        for (node, slot), name in zip(slots, names, strict=True):
            self._state_input(node, slot, name, form.path)
            state = StateSpec(slot, Port(name), f"input {name}")
            self.states[node.name] = (*self.states.get(node.name, ()), state)

    def _state_input(self, node: Node, slot: str, name: str, path: Path) -> None:
        units = node.recurrence.units_of(slot) if node.recurrence else 0
        spec = TensorSpec((BATCH, units), full_dtype(node.dtype_policy))
        if name in {tensor.name for port, tensor in self.listed.items() if str(port) != name}:
            self._clash(name, path)
        same = self.graph.inputs.get(name)
        if same is not None and (same.spec.shape != spec.shape or not is_float(same.spec.dtype)):
            raise GraphMistake(
                "L604",
                path,
                f"the input '{name}' is {same.spec} {same.spec.dtype}, but the state is {spec}",
                "name another input",
                notes=(of_tensor(self.graph, Port(name), same.spec), of_units(self.graph, node)),
            )
        self.made[name] = same or GraphInput(name, spec, path, made=True)

    def _clash(self, name: str, path: Path) -> None:
        raise GraphMistake(
            "L835",
            path,
            f"'{name}' would be the name of two inputs of this model",
            f"rename '{name}' in the recipe",
            notes=((self.graph.inputs[name].path, "this input has the name"),)
            if name in self.graph.inputs
            else (),
        )

    def cut(self) -> Graph:
        outputs = {
            str(path[-1]): (port, path)
            for path, port in self.graph.further_ports.items()
            if path[:3] == (*self.model.path, "outputs")
        }
        self._check_outputs(outputs)
        masks = {
            f"{tensor.name}_mask": mask
            for port, tensor in self.listed.items()
            if port.node in self.graph.by_name and (mask := self._carried(port))
        }
        for name, mask in masks.items():
            if name in self.graph.inputs:
                self._clash(name, self.model.path)
            self.made[name] = GraphInput(
                name, TensorSpec(mask.shape, "bool"), self.model.path, made=True
            )
        sources = Sources(self.listed, self.states, tuple(self.made.values()))
        return cut(self.graph, outputs, sources, self._mask_for)

    def _check_outputs(self, outputs: dict[str, tuple[Port, Path]]) -> None:
        for name, (port, path) in outputs.items():
            if port in self.listed:
                raise GraphMistake(
                    "L832",
                    path,
                    f"the output '{name}' is the input '{self.listed[port].name}' itself",
                    "remove one of the two",
                    notes=((self.listed[port].path, "the input is declared here"),),
                )

    def _carried(self, port: Port) -> MaskSpec | None:
        """Return the mask of a listed port if this model cannot compute it; else None."""
        mask = self.graph.by_name[port.node].output_masks.get(port.output)
        return None if mask is None or self._can_make(mask) else mask

    def _can_make(self, mask: MaskSpec) -> bool:
        return all(self._is_known(port) for port in made_from(mask))

    def _is_known(self, port: Port) -> bool:
        """Return whether `port` is fed, or computed only from ports that are fed."""
        if port not in self.known:
            node = self.graph.by_name.get(port.node)
            self.known[port] = port in self.listed or (
                node is not None and all(self._is_known(read) for read in node.reads)
            )
        return self.known[port]

    def _mask_for(self, _node: Node, port: Port, mask: MaskSpec) -> MaskSpec:
        fed = {source: Port(tensor.name) for source, tensor in self.listed.items()}
        if self._can_make(mask):
            made = rewired_mask(mask, fed)
            unknown = mask.like is not None and not self._is_known(mask.like)
            return made if not unknown else _counted_along(made, port)
        for source, tensor in self.listed.items():
            node = self.graph.by_name.get(source.node)
            if node and node.output_masks.get(source.output) == mask:
                return MaskSpec("input", Port(f"{tensor.name}_mask"), mask.shape, mask.padding)
        return rewired_mask(mask, fed)

    def is_sound(self, part: Graph) -> bool:
        """Return whether the inputs are exactly those that are needed; report the others."""
        listed = {tensor.name for tensor in self.listed.values()} | set(self.made)
        needed = needed_names(part, part.outputs.values())
        before = len(self.document.diagnostics.found)
        for name, tensor in part.inputs.items():
            if name not in listed and not tensor.made:
                self._report_missing(part, name)
        for index, (port, tensor) in enumerate(self.listed.items()):
            if tensor.name not in needed:
                self._report_unused(index, str(port), tensor.name)
        for layer, form in self.model.initial_state.items():
            if not needed.intersection(self.graph.stacks[layer]):
                self.document.report(
                    "L832",
                    form.path,
                    f"no output of the model '{self.model.name}' needs '{layer}'",
                    hint="remove it, or add an output that reads it",
                    at_key=True,
                )
        self._check_weights(part)
        return len(self.document.diagnostics.found) == before

    def _report_missing(self, part: Graph, name: str) -> None:
        readers = [n.name for n in part.nodes if name in {port.node for port in n.reads}]
        reader = readers[0] if readers else name
        layer = part.by_name[reader].layer if readers else name
        notes = (self.document.note(("layers", layer), f"'{reader}' reads it"),) if readers else ()
        self.document.report(
            "L831",
            (*self.model.path, "inputs"),
            f"the model '{self.model.name}' needs the input '{name}'"
            + (f", which '{reader}' reads" if readers else ""),
            hint=f"list `{name}`, or a later port such as `{reader}` instead, or write "
            "`initial_state: {LAYER: input}`",
            notes=notes,
        )

    def _report_unused(self, index: int, port: str, name: str) -> None:
        what = "input" if port == name else "port"
        self.document.report(
            "L832",
            (*self.model.path, "inputs", index),
            f"the model '{self.model.name}' does not need the {what} '{port}'",
            hint="remove it, or add an output that reads it",
        )

    def _check_weights(self, part: Graph) -> None:
        """Report weights that only this model has, which would never be trained."""
        needed = needed_names(self.graph, self.graph.outputs.values())
        main = {node.keras_name for node in self.graph.nodes if node.name in needed}
        for node in part.nodes:
            if node.parameters.total and node.keras_name not in main:
                self.document.report(
                    "L836",
                    (*self.model.path, "outputs"),
                    f"the weights of '{node.name}' would never be trained: the main model does not "
                    "compute it",
                    hint=f"make an output of the recipe read '{node.layer}.sequence' too",
                    notes=(self.document.note(node.path, f"'{node.name}' comes from here"),),
                )

    def pairs(self) -> dict[str, str | None]:
        """Return the output with the new state for each state input, or None."""
        outputs = {
            port: str(path[-1])
            for path, port in self.graph.further_ports.items()
            if path[:3] == (*self.model.path, "outputs")
        }
        return {
            state.source.node: outputs.get(Port(node, state.slot))
            for node, states in self.states.items()
            for state in states
            if state.source
        }


def _counted_along(mask: MaskSpec, port: Port) -> MaskSpec:
    return replace(mask, like=port)
