"""Wire initial states: each form becomes ports of the graph and the nodes that compute them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from lstmgraph.compiler.graph import (
    CONSTANT_STATE,
    FOLD,
    OUTPUT,
    ROW_IDS,
    Graph,
    GraphInput,
    Node,
    Port,
    Recurrence,
    StateSpec,
    state_outputs,
)
from lstmgraph.compiler.passes.mistakes import GraphMistake
from lstmgraph.compiler.passes.remarks import (
    of_depth,
    of_directions,
    of_dtype,
    of_kind,
    of_tensor,
    of_units,
)
from lstmgraph.compiler.passes.state_sources import StateSource, layer_state
from lstmgraph.keras_facts.catalogue import keras_arguments
from lstmgraph.keras_facts.dtypes import full_dtype, is_float
from lstmgraph.keras_facts.tensors import BATCH, TensorSpec
from lstmgraph.language.declaration.recipe import (
    Carried,
    Constant,
    FromInputs,
    FromLayer,
    FromStatic,
    Learned,
    NoMask,
    Split,
    Zeros,
)
from lstmgraph.messages.wording import counted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lstmgraph.compiler.passes.mistakes import Remark
    from lstmgraph.language.declaration.recipe import SingleStateForm
    from lstmgraph.language.text.document import Document
    from lstmgraph.messages.diagnostics import Path


WITH_WEIGHTS = frozenset({"Dense", "Embedding"})
"""The helpers that have weights: projected and learned states."""


def wire_states(graph: Graph, document: Document) -> Graph:
    """Return the graph with the sources of all initial states.

    After this pass, every state is a port or zeros. Inputs, concatenations and projections that a
    form needs are inputs and nodes of the graph.
    """
    wiring = _Wiring(graph, document)
    for node in graph.nodes:
        wiring.add(node)
    return replace(graph, nodes=_shared(graph, wiring.nodes), inputs=wiring.inputs)


def _shared(graph: Graph, nodes: list[Node]) -> tuple[Node, ...]:
    """Return the nodes, with the helpers of calls calling that of the layer which has the weights.

    It must come from the same form, such as ``learned``: a state of another form is of its own.
    """
    owners = {node.name: node for node in nodes}
    found = []
    for node in nodes:
        recurrent = next((graph.by_name[name] for name in graph.stacks.get(node.layer, ())), None)
        called = recurrent.calls if recurrent else None
        if called and not node.calls and node.op in WITH_WEIGHTS:
            name = node.name.replace(node.layer, called.stack, 1)
            if called.node not in owners:  # a layer of a block has only calls
                owners.setdefault(name, node)
            if name in owners and _kind(owners[name]) == _kind(node):
                node = replace(node, calls=replace(called, node=name))  # noqa: PLW2901
        found.append(node)
    return tuple(found)


def _kind(helper: Node) -> tuple[object, ...]:
    return helper.op, helper.arguments, helper.path[-1] == "static"


@dataclass
class _Wiring:
    graph: Graph
    document: Document
    nodes: list[Node] = field(default_factory=list)
    inputs: dict[str, GraphInput] = field(init=False)
    made: set[tuple[str, str]] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.inputs = dict(self.graph.inputs)

    def add(self, node: Node) -> None:
        if node.recurrence is None or isinstance(node.recurrence.state_form, Zeros):
            self.nodes.append(node)
            return
        form = node.recurrence.state_form
        if isinstance(form, Carried) and node.layer in self.graph.folds:
            not_inside(form).report(self.document)
            recurrence = node.recurrence
        elif isinstance(form, Carried):
            recurrence = replace(node.recurrence, carried=True)
            _check_carried(self.graph, node, node.recurrence, form, self.document)
        else:
            recurrence = replace(node.recurrence, states=self.states(node, node.recurrence, form))
        self.nodes.append(replace(node, recurrence=recurrence))

    def states(
        self, node: Node, recurrence: Recurrence, form: SingleStateForm | Split
    ) -> tuple[StateSpec, ...]:
        """Return the sources of all states, without those that are wrong, which are reported."""
        slots = state_outputs(recurrence)
        sources = []
        try:
            for part in (form.h, form.c) if isinstance(form, Split) else (form,):
                if isinstance(part, FromInputs):
                    self.check_named_for_one(node, part)
            if isinstance(form, FromInputs):
                self.check_input_count(recurrence, form)
        except GraphMistake as mistake:
            mistake.report(self.document)
            return ()
        for index, slot in enumerate(slots):
            try:
                single, is_split = _form_of_slot(form, slot, node)
                sources.append(self.state(node, slot, index, single, is_split=is_split))
            except GraphMistake as mistake:
                mistake.report(self.document)
        return tuple(sources) if any(state.source for state in sources) else ()

    def state(
        self, node: Node, slot: str, index: int, form: SingleStateForm, *, is_split: bool
    ) -> StateSpec:
        if isinstance(form, Zeros):
            return StateSpec(slot, None, "zeros")
        if node.layer in self.graph.folds and isinstance(form, FromInputs | FromStatic):
            raise not_inside(form)
        if isinstance(form, Constant):
            return self.constant_state(node, slot, form)
        if isinstance(form, Learned):
            return self.learned_state(node, slot, form)
        if isinstance(form, FromInputs):
            return self.input_state(node, slot, index, form, is_split=is_split)
        if isinstance(form, FromStatic):
            return self.static_state(node, slot, form, is_split=is_split)
        source = layer_state(self.graph, node, slot, form, is_split=is_split)
        return self.bridged_state(node, slot, form, source)

    def check_named_for_one(self, node: Node, form: FromInputs) -> None:
        """Check that inputs named once are not the states of several layers of a stack."""
        depth = len(self.graph.stacks[node.layer])
        is_listed = any(isinstance(part, int) for part in form.path)
        if form.names is not None and depth > 1 and not is_listed:
            raise GraphMistake(
                "L602",
                (*form.path, "inputs"),
                f"the inputs are listed once, but this is a stack of {depth}",
                "write `initial_state: input`, or a list with one form for each layer of the stack",
                notes=(of_depth(self.graph, node.layer),),
            )

    def check_input_count(self, recurrence: Recurrence, form: FromInputs) -> None:
        slots = state_outputs(recurrence)
        if form.names is not None and len(form.names) != len(slots):
            raise GraphMistake(
                "L602",
                (*form.path, "inputs"),
                f"{counted(len(form.names), 'input is', 'inputs are')} named for "
                f"{counted(len(slots), 'state', 'states')}",
                f"list one for each of: {', '.join(slots)}",
            )

    def input_state(
        self, node: Node, slot: str, index: int, form: FromInputs, *, is_split: bool
    ) -> StateSpec:
        name = f"{node.name}_{slot}"
        path: Path = form.path
        if form.names is not None:
            position = _split_position(node, slot, form) if is_split else index
            name = form.names[position]
            path = (*form.path, "inputs", position)
        units = _units(node, slot)
        spec = TensorSpec((BATCH, units), full_dtype(node.dtype_policy))
        if name not in self.inputs:
            self.inputs[name] = GraphInput(name, spec, path, made=True)
        elif self.inputs[name].spec.shape != spec.shape:
            raise GraphMistake(
                "L604",
                path,
                f"the input '{name}' is {self.inputs[name].spec}, but the state is {spec}",
                f"declare it with `shape: [{units}]`, or use another input",
                notes=(self.of_input(name), of_units(self.graph, node)),
            )
        elif not is_float(self.inputs[name].spec.dtype):
            raise GraphMistake(
                "L604",
                path,
                f"a state must be floats, but the input '{name}' is {self.inputs[name].spec.dtype}",
                "declare it with `dtype: float32`, or use another input",
                notes=(of_dtype(self.graph, Port(name), self.inputs[name].spec),),
            )
        return StateSpec(slot, Port(name), f"input {name}")

    def of_input(self, name: str) -> Remark:
        """Return a note on where an input of states was declared or first named."""
        tensor = self.inputs[name]
        if tensor.made:
            return tensor.path, f"'{name}' is named here for a state of {tensor.spec}"
        return of_tensor(self.graph, Port(name), tensor.spec)

    def constant_state(self, node: Node, slot: str, form: Constant) -> StateSpec:
        units = _units(node, slot)
        if isinstance(form.value, tuple) and len(form.value) != units:
            raise GraphMistake(
                "L610",
                (*form.path, "constant"),
                f"{len(form.value)} numbers are listed, but there are {units} units",
                "list one number for each unit, or write one number for all; for a stack, you can "
                "list one form for each layer",
                notes=(of_units(self.graph, node),),
            )
        name = f"{node.name}_{slot}"
        arguments = {"units": units, "value": form.value}
        self.make(name, CONSTANT_STATE, node.inputs[:1], node, form.path, arguments)
        label = "constant" if isinstance(form.value, tuple) else str(form.value)
        return StateSpec(slot, Port(name), label)

    def learned_state(self, node: Node, slot: str, form: Learned) -> StateSpec:
        """Return a learned state: the only row, of shape (units,), of an embedding."""
        rows, name = f"{node.name}_rows", f"{node.name}_{slot}"
        self.make(rows, ROW_IDS, node.inputs[:1], node, form.path, {})
        arguments = keras_arguments(
            "Embedding",
            input_dim=1,
            output_dim=_units(node, slot),
            embeddings_initializer="zeros",
        )
        self.make(name, "Embedding", (Port(rows),), node, form.path, arguments)
        return StateSpec(slot, Port(name), "learned")

    def static_state(self, node: Node, slot: str, form: FromStatic, *, is_split: bool) -> StateSpec:
        ports = tuple(self.graph.primary_or_port(reference) for reference in form.sources)
        joined = ports[0]
        if len(ports) > 1:
            # h and c may have different sources, so each has its own concatenation.
            name = f"{node.name}_{slot}_static" if is_split else f"{node.name}_static"
            joined = self.concatenated(name, ports, node, (*form.path, "static"))
        names = ", ".join(str(reference) for reference in form.sources)
        path = (*form.path, "static")
        port = self.projected(slot, joined, node, form.activation, path)
        return StateSpec(slot, port, f"dense({names})")

    def bridged_state(
        self, node: Node, slot: str, form: FromLayer, source: StateSource
    ) -> StateSpec:
        ports = source.ports
        if fold := self.graph.folds.get(node.layer):
            ports = tuple(self.folded(port, fold, f"{node.name}_{slot}", form) for port in ports)
        port = ports[0]
        if len(ports) > 1:
            suffix = "_joined" if source.project else ""
            port = self.concatenated(f"{node.name}_{slot}{suffix}", ports, node, form.path)
        if source.project:
            port = self.projected(slot, port, node, None, form.path)
        return StateSpec(slot, port, source.label)

    def folded(self, port: Port, fold: Node, name: str, form: FromLayer) -> Port:
        """Return a state (batch, segments, units) folded as the steps of a layer are."""
        by_unfolded = {whole: own for own, whole in self.graph.unfolded.items()}
        port = by_unfolded.get(port, port)
        source = self.graph.by_name.get(port.node)
        if source and source.layer in self.graph.folds:
            return port  # computed on folded steps itself
        arguments = {**fold.arguments, "sequence_of": "", "joined": False}
        name = f"{name}_fold" if port.output == OUTPUT else f"{name}_{port.output}_fold"
        self.make(name, FOLD, (port,), fold, form.path, arguments)
        return Port(name)

    def concatenated(self, name: str, ports: tuple[Port, ...], node: Node, path: Path) -> Port:
        self.make(name, "Concatenate", ports, node, path, keras_arguments("Concatenate", axis=-1))
        return Port(name)

    def projected(
        self, slot: str, source: Port, node: Node, activation: str | None, path: Path
    ) -> Port:
        name, units = f"{node.name}_{slot}", _units(node, slot)
        arguments = keras_arguments("Dense", units=units, activation=activation)
        self.make(name, "Dense", (source,), node, path, arguments)
        return Port(name)

    def make(  # noqa: PLR0913, PLR0917 - the parts of a node
        self,
        name: str,
        op: str,
        inputs: tuple[Port, ...],
        node: Node,
        path: Path,
        arguments: Mapping[str, Any],
    ) -> None:
        """Add a helper node before `node`, unless it exists: h and c share some helpers."""
        if (node.layer, name) in self.made:
            return
        self.made.add((node.layer, name))
        if "trainable" in arguments:  # what makes the states of a frozen layer is frozen with it
            arguments = {**arguments, "trainable": node.arguments["trainable"]}
        self.nodes.append(
            Node(
                name=name,
                op=op,
                inputs=inputs,
                layer=node.layer,
                path=path,
                arguments=arguments,
                reads_list=op == "Concatenate",
                dtype_policy=node.dtype_policy,
                loop=node.loop,
                mask_form=NoMask(),  # a state has no time steps
            )
        )


def not_inside(form: SingleStateForm | Carried) -> GraphMistake:
    """Return the mistake of an initial state that a layer inside ``time_distributed`` cannot have.

    Its rows are the segments of all rows of the batch.
    """
    what = "`initial_state: input`"
    hint = "declare an input with `shape: [segments, units]`, and write `{h: NAME}`"
    if isinstance(form, Carried):
        what = "`initial_state: carried`"
        hint = "read the segments' results with a layer whose state is carried"
    elif isinstance(form, FromStatic):
        what = "`static:`"
        hint = "project the features of the segments with a `dense` layer, and write `{h: NAME}`"
    return GraphMistake(
        "L412",
        form.path,
        f"{what} gives one state for each row, but inside `time_distributed` each segment has one",
        hint,
    )


def _units(node: Node, slot: str) -> int:
    return node.recurrence.units_of(slot) if node.recurrence else 0


def _form_of_slot(
    form: SingleStateForm | Split, slot: str, node: Node
) -> tuple[SingleStateForm, bool]:
    if not isinstance(form, Split):
        return form, False
    if (
        form.c is not None
        and node.recurrence
        and not any(slot.endswith("c") for slot in node.recurrence.slots)
    ):
        raise GraphMistake(
            "L603",
            (*form.path, "c"),
            f"{node.op} has no state c",
            "remove it: its only state is h",
            notes=(of_kind(node),),
        )
    if slot.endswith("h"):
        return form.h, True
    return form.c or Zeros(form.path), True


def _split_position(node: Node, slot: str, form: FromInputs) -> int:
    """Return the index of the input for `slot` among those listed for h (or c) alone."""
    slots = state_outputs(node.recurrence) if node.recurrence else ()
    alike = [other for other in slots if other[-1] == slot[-1]]
    count = len(form.names or ())
    if count != len(alike):
        raise GraphMistake(
            "L602",
            (*form.path, "inputs"),
            f"{counted(count, 'input is', 'inputs are')} named for "
            f"{counted(len(alike), 'state', 'states')}",
            "list one input" if len(alike) == 1 else f"list one for each of: {', '.join(alike)}",
        )
    return alike.index(slot)


def _check_carried(
    graph: Graph, node: Node, recurrence: Recurrence, form: Carried, document: Document
) -> None:
    """Report a state that Keras cannot carry, or that lacks a fixed batch size."""
    code, message, hint = "L613", "", ""
    remarks: tuple[Remark, ...] = ()
    if len(graph.by_keras_name[node.keras_name]) > 1:
        code, block = "L308", node.weights_layer
        message = (
            f"'{block}' is called several times, but Keras keeps one carried state for a layer"
        )
        hint = "make the state an input of the block, and feed each call's state back to it"
    elif len(recurrence.cells) > 1:
        message = "Keras cannot reset the carried states of several cells in one layer"
        hint = "write a stack of layers, or `initial_state: input`"
        remarks = (((*node.path, "cells"), f"it has {len(recurrence.cells)} cells here"),)
    elif recurrence.bidirectional:
        message = f"'{node.layer}' is bidirectional, and a backward state cannot be carried"
        hint = "use one direction, or `initial_state: zeros`"
        remarks = (of_directions(node),)
    elif graph.batch_size is None and not _is_runtime_wrong(document):
        code = "L614"
        message = "a carried state is kept for a fixed number of rows"
        hint = (
            "write `batch_size:` under `runtime:`, or `initial_state: input` for any number of rows"
        )
    if message:
        notes = tuple(document.note(*remark) for remark in remarks)
        document.report(code, form.path, message, hint=hint, notes=notes)


def _is_runtime_wrong(document: Document) -> bool:
    """Return whether `runtime:` has a mistake, which may be a misspelt `batch_size`."""
    return document.diagnostics.has_errors_in("runtime")
