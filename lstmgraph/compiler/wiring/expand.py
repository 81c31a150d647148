"""Expand layers to a graph with one node for each call, including stacks and joined inputs."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from lstmgraph.compiler.graph import (
    FOLD,
    JOIN,
    LAST,
    OUTPUT,
    SEQUENCE,
    UNFOLD,
    Called,
    Graph,
    GraphInput,
    Node,
    Port,
    Recurrence,
    state_outputs,
)
from lstmgraph.compiler.wiring.ports import slot_units
from lstmgraph.compiler.wiring.references import read_layers, references
from lstmgraph.keras_facts.catalogue import keras_arguments, layer_traits
from lstmgraph.language.declaration.blocks import OPERATIONS
from lstmgraph.language.declaration.recipe import (
    EmptyStack,
    Inherited,
    MaskByValue,
    MaskFrom,
    RecurrentDeclaration,
    Reference,
)
from lstmgraph.messages.wording import did_you_mean, listed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from lstmgraph.compiler.wiring.resolve import Resolution
    from lstmgraph.language.declaration.recipe import (
        LayerDeclaration,
        ModelDeclaration,
        RecipeDeclaration,
        StateForm,
    )
    from lstmgraph.language.text.document import Document
    from lstmgraph.messages.diagnostics import Note, Path

    NamedPorts = Callable[[Reference], list[tuple[str, Port]]]


def expand(recipe: RecipeDeclaration, resolution: Resolution, document: Document) -> Graph:
    """Return the graph of the layers without mistakes; those that nothing reads come last."""
    expansion = _Expansion(recipe, document, set(resolution.broken))
    read = read_layers(resolution.order, resolution.outputs.values(), resolution.models.values())
    for layer in sorted(resolution.order, key=lambda layer: layer.name not in read):
        reads = [reference.layer for reference in references(layer)]
        if not expansion.broken.isdisjoint([*reads, layer.call]):
            expansion.broken.add(layer.name)
        else:
            expansion.add(layer)
    sound = {
        name: model
        for name, model in resolution.models.items()
        if not any(r.layer in expansion.broken for r in (*model.inputs, *model.outputs.values()))
    }
    ports = _ports_of(sound, expansion.named_ports)
    unread = frozenset(layer.name for layer in resolution.order if layer.name not in read)
    graph = replace(expansion.graph(resolution.outputs), unread=unread)
    return _with_derived_ports(replace(graph, further_ports=ports), sound)


@dataclass
class _Expansion:
    recipe: RecipeDeclaration
    document: Document
    broken: set[str]
    nodes: list[Node] = field(default_factory=list)
    stacks: dict[str, tuple[str, ...]] = field(default_factory=dict)
    sequences: dict[str, Port] = field(default_factory=dict)
    unfolded: dict[Port, Port] = field(default_factory=dict)
    folded_ports: dict[str, Port] = field(default_factory=dict)
    """The first input of each layer on folded steps, before folding."""

    def add(self, layer: LayerDeclaration) -> None:
        if isinstance(layer.mask, MaskFrom):
            self.port(layer.mask.source)  # which may have to be unfolded for its mask
        if isinstance(layer, RecurrentDeclaration):
            forms = self.state_forms(layer)
            if forms is None:
                self.broken.add(layer.name)
            else:
                self.add_stack(layer, forms)
            return
        if layer.layer in OPERATIONS:
            self.add_operation(layer)
            return
        if isinstance(layer, EmptyStack):
            self.add_empty_stack(layer)
            return
        traits = layer_traits(layer.layer)
        if not self.has_right_inputs(layer, traits):
            self.broken.add(layer.name)
            return
        references, input_names = in_call_order(layer, traits["call"])
        node = Node(
            name=layer.name,
            op=layer.layer,
            inputs=self.inputs(layer, references),
            input_names=input_names,
            reads_list=traits["multiple_inputs"],
            layer=layer.name,
            path=layer.path,
            arguments=layer.arguments,
            dtype_policy=layer.dtype_policy,
            mask_form=Inherited() if layer.folds else layer.mask,
            calls=Called(layer.call, layer.call, layer.holder) if layer.call else None,
            loop=layer.loop,
        )
        self.nodes.append(node)
        self.stacks[layer.name] = (layer.name,)

    def add_operation(self, layer: LayerDeclaration) -> None:
        """Add an operation of the graph that a loop needs."""
        node = Node(
            name=layer.name,
            op=layer.layer,
            inputs=self.inputs(layer, layer.inputs),
            layer=layer.name,
            path=layer.path,
            arguments=layer.arguments,
            dtype_policy=layer.dtype_policy,
            loop=layer.loop,
        )
        self.nodes.append(node)
        self.stacks[layer.name] = (layer.name,)

    def has_right_inputs(self, layer: LayerDeclaration, traits: Mapping[str, Any]) -> bool:
        """Return whether Keras's call takes these inputs; report it if not."""
        call, path = traits["call"], (*layer.path, "input")
        if layer.input_names is not None:
            return self.has_right_names(layer, layer.input_names, traits)
        if not traits["multiple_inputs"] and len(layer.inputs) > len(call):
            count = len(layer.inputs)
            message = f"{layer.layer} takes {len(call)} input, but {count} are listed"
            hint = "join them first, for example with a `concatenate` layer"
            self.document.report("L406", path, message, hint=hint)
            return False
        return True

    def has_right_names(
        self, layer: LayerDeclaration, names: tuple[str, ...], traits: Mapping[str, Any]
    ) -> bool:
        call, path = traits["call"], (*layer.path, "input")
        if traits["multiple_inputs"]:
            message = f"{layer.layer} takes a list of inputs without names"
            hint = "write a list, such as `input: [NAME, NAME]`"
            self.document.report("L406", path, message, hint=hint, at_key=True)
            return False
        unknown = [name for name in names if name not in call]
        hint = f"the inputs of {layer.layer} are named: {', '.join(call)}"
        for name in unknown:
            message = f"{layer.layer} has no input '{name}'{did_you_mean(name, call)}"
            self.document.report("L406", (*path, name), message, hint=hint, at_key=True)
        if not unknown and call[0] not in names:
            message = f"{layer.layer} needs the input '{call[0]}'"
            self.document.report("L406", path, message, hint=hint, at_key=True)
        return not unknown and call[0] in names

    def state_forms(self, layer: RecurrentDeclaration) -> tuple[StateForm, ...] | None:
        """Return one form for each layer of the stack; None if their number is wrong."""
        depth = len(layer.units)
        if not layer.state_per_layer:
            return layer.initial_state * depth
        if len(layer.initial_state) != depth:
            count = len(layer.initial_state)
            message = f"{count} initial states are listed, but this is a stack of {depth}"
            hint = "list one for each layer of the stack, or write one form for all"
            if depth == 1:
                hint = "a list has one entry for each layer; write {h: ..., c: ...} for h and c"
            path = (*layer.path, "initial_state")
            notes = (_depth_note(layer, self.document),)
            self.document.report("L601", path, message, hint=hint, notes=notes)
            return None
        return layer.initial_state

    def add_stack(self, layer: RecurrentDeclaration, forms: tuple[StateForm, ...]) -> None:
        if not _is_stackable(layer, self.document):
            self.broken.add(layer.name)
            return
        names = stack_names(layer.name, len(layer.units))
        source = self.joined_input(layer)
        for index, (name, form) in enumerate(zip(names, forms, strict=True)):
            self.nodes.append(_recurrent_node(layer, index, name, source, form))
            source = self.finished(layer, index, name, source)
        self.stacks[layer.name] = names
        self.sequences[layer.name] = source

    def add_empty_stack(self, layer: EmptyStack) -> None:
        """Add the call that passes on the sequence that a stack of no layers reads."""
        self.nodes.append(
            Node(
                name=layer.name,
                op=layer.layer,
                inputs=(self.joined_input(layer),),
                layer=layer.name,
                path=layer.path,
                arguments=layer.arguments,
                dtype_policy=layer.dtype_policy,
                mask_form=Inherited() if layer.folds else layer.mask,
                loop=layer.loop,
                stands_for=layer.of,
            )
        )
        self.stacks[layer.name] = (layer.name,)
        self.sequences[layer.name] = Port(layer.name)

    def finished(self, layer: RecurrentDeclaration, index: int, name: str, source: Port) -> Port:
        """Return the sequence of a layer of the stack, after residual sum and normalization."""
        sequence = Port(name, SEQUENCE)
        if layer.residual and index > 0:
            summed = (source, sequence)
            sequence = self.helper(layer, f"{name}_residual", "Add", summed, "residual")
        if layer.normalization:
            op = "LayerNormalization"
            sequence = self.helper(layer, f"{name}_norm", op, (sequence,), "normalization")
            called = _called(layer, index)
            if called:
                called = replace(called, node=f"{called.node}_norm")
                self.nodes[-1] = replace(self.nodes[-1], calls=called)
        return sequence

    def helper(
        self,
        layer: RecurrentDeclaration,
        name: str,
        op: str,
        inputs: tuple[Port, ...],
        key: str,
    ) -> Port:
        self.nodes.append(
            Node(
                name=name,
                op=op,
                inputs=inputs,
                layer=layer.name,
                path=(*layer.path, key),
                arguments=keras_arguments(op, trainable=layer.arguments["trainable"]),
                reads_list=op == "Add",
                dtype_policy=layer.dtype_policy,
                loop=layer.loop,
            )
        )
        return Port(name)

    def joined_input(self, layer: RecurrentDeclaration | EmptyStack) -> Port:
        """Return the sequence that the stack reads: several inputs are joined on features."""
        ports = self.inputs(layer, layer.inputs)
        if len(ports) == 1:
            return ports[0]
        name = f"{layer.name}_input"
        path: Path = (*layer.path, "input")
        self.nodes.append(
            Node(
                name=name,
                op=JOIN,
                inputs=ports,
                layer=layer.name,
                path=path,
                mask_form=Inherited() if layer.folds else layer.mask,
                loop=layer.loop,
            )
        )
        return Port(name)

    def inputs(
        self, layer: LayerDeclaration, references: tuple[Reference, ...]
    ) -> tuple[Port, ...]:
        """Return the tensors that a layer's call reads: those that it names, folded if it is."""
        ports = tuple(self.port(reference) for reference in references)
        if not layer.folds:
            return ports
        return tuple(self.folded(layer, port, index) for index, port in enumerate(ports))

    def folded(self, layer: LayerDeclaration, port: Port, index: int) -> Port:
        """Return input number `index` of a layer, with its leading axes folded into the batch."""
        count = len(layer.inputs)
        name = f"{layer.name}_fold" if count == 1 else f"{layer.name}_fold_{index + 1}"
        path: Path = (*layer.path, "input", index) if count > 1 else (*layer.path, "input")
        recurrent = isinstance(layer, RecurrentDeclaration)
        reader = layer.layer if recurrent and count == 1 else ""
        self.folded_ports.setdefault(layer.name, port)
        self.nodes.append(
            Node(
                name=name,
                op=FOLD,
                inputs=(port,),
                layer=layer.name,
                path=path,
                arguments={
                    "axes": layer.folds,
                    "sequence_of": reader,
                    "joined": recurrent and count > 1,
                },
                dtype_policy=layer.dtype_policy,
                mask_form=layer.mask,
                loop=layer.loop,
            )
        )
        return Port(name)

    def unfolded_port(self, layer: LayerDeclaration, port: Port) -> Port:
        """Return a port of a layer with the axes that were folded into the batch, if any were."""
        if not layer.folds:
            return port
        if port not in self.unfolded:
            output = "" if port.output == OUTPUT else f"_{port.output}"
            name = f"{port.node}{output}_unfold"
            self.nodes.append(
                Node(
                    name=name,
                    op=UNFOLD,
                    inputs=(port, self.folded_ports[layer.name]),
                    layer=layer.name,
                    path=layer.path,
                    arguments={"axes": layer.folds},
                    dtype_policy=layer.dtype_policy,
                    loop=layer.loop,
                )
            )
            self.unfolded[port] = Port(name)
        return self.unfolded[port]

    def port(self, reference: Reference) -> Port:
        """Return the tensor that `reference` names."""
        if reference.layer in self.recipe.inputs:
            return Port(reference.layer)
        layer = self.recipe.layers[reference.layer]
        port = Port(reference.layer, reference.port or OUTPUT)
        if isinstance(layer, EmptyStack):
            port = self.sequences[layer.name]
        if isinstance(layer, RecurrentDeclaration):
            node = self.stacks[reference.layer][-1]
            output = reference.port or (SEQUENCE if layer.return_sequences else LAST)
            port = Port(node, output.removeprefix("state.").replace(".", "_"))
            port = self.sequences[layer.name] if output == SEQUENCE else port
        return self.unfolded_port(layer, port)

    def graph(self, outputs: Mapping[str, Reference]) -> Graph:
        ports, paths = self.output_ports(outputs)
        known = {*self.recipe.inputs, *self.recipe.layers}
        return Graph(
            name=self.recipe.name,
            inputs={
                name: GraphInput(name, declared.spec, declared.path, time_major=declared.time_major)
                for name, declared in self.recipe.inputs.items()
            },
            nodes=tuple(self.nodes),
            outputs=ports,
            output_paths=paths,
            stacks=self.stacks,
            sequences=self.sequences,
            unfolded=self.unfolded,
            returns_sequence=frozenset(
                name
                for name, layer in self.recipe.layers.items()
                if isinstance(layer, RecurrentDeclaration) and layer.return_sequences
            ),
            kernel_choice=self.recipe.runtime.kernel,
            compiled_by_xla=self.recipe.runtime.xla is True,
            batch_size=self.recipe.runtime.batch_size,
            broken=frozenset(self.broken),
            feedback={
                path: (self.port(first), self.port(then))
                for path, (first, then) in self.recipe.feedback.items()
                if all(r.layer in known and r.layer not in self.broken for r in (first, then))
            },
        )

    def output_ports(
        self, outputs: Mapping[str, Reference]
    ) -> tuple[dict[str, Port], dict[str, Path]]:
        """Return output ports by name; ``state: encoder.state`` gives one name for each state."""
        ports: dict[str, Port] = {}
        paths: dict[str, Path] = {}
        for name, reference in outputs.items():
            if reference.layer in self.broken:
                continue
            for suffix, port in self.named_ports(reference):
                if f"{name}{suffix}" in ports:
                    message = f"two outputs would have the name '{name}{suffix}'"
                    note = self.document.note(paths[f"{name}{suffix}"], "the first is here")
                    hint = "rename one of them"
                    self.document.report("L303", reference.path, message, hint=hint, notes=(note,))
                ports[f"{name}{suffix}"] = port
                paths[f"{name}{suffix}"] = reference.path
        return ports, paths

    def named_ports(self, reference: Reference) -> list[tuple[str, Port]]:
        layer = self.recipe.layers.get(reference.layer)
        if reference.port != "state" or not isinstance(layer, RecurrentDeclaration):
            return [("", self.port(reference))]
        names = self.stacks[reference.layer]
        ways = ("forward_", "backward_") if layer.bidirectional else ("",)
        return [
            (
                f"_{index}_{way}{slot}" if len(names) > 1 else f"_{way}{slot}",
                self.unfolded_port(layer, Port(node, way + slot)),
            )
            for index, node in enumerate(names, start=1)
            for way in ways
            for slot in slot_units(layer, 0)
        ]


def _recurrent_node(
    layer: RecurrentDeclaration, index: int, name: str, source: Port, form: StateForm
) -> Node:
    units = layer.units[index]
    # Later layers of a stack inherit the mask of the layer before.
    inherits = layer.folds or (index > 0 and isinstance(layer.mask, MaskByValue))
    own_units = {} if layer.cells else {"units": units}
    return Node(
        name=name,
        op=layer.layer,
        inputs=(source,),
        layer=layer.name,
        path=layer.path,
        arguments={**layer.arguments, **own_units},
        dtype_policy=layer.dtype_policy,
        mask_form=Inherited() if inherits else layer.mask,
        calls=_called(layer, index),
        loop=layer.loop,
        recurrence=Recurrence(
            units=units,
            slot_units=slot_units(layer, units),
            cells=layer.cells,
            bidirectional=layer.bidirectional,
            merge_mode=layer.merge_mode,
            padded_output=layer.padded_output,
            state_form=form,
        ),
    )


def _called(layer: RecurrentDeclaration, index: int) -> Called | None:
    """Return the called layer at `index` of a stack; None for a stack of its own layers."""
    if not layer.call:
        return None
    return Called(stack_names(layer.call, len(layer.units))[index], layer.call, layer.holder)


def in_call_order(
    layer: LayerDeclaration, call: Sequence[str]
) -> tuple[tuple[Reference, ...], tuple[str, ...] | None]:
    """Return the inputs, and their names if any, in the order of Keras's call."""
    if layer.input_names is None:
        return layer.inputs, None
    by_name = dict(zip(layer.input_names, layer.inputs, strict=True))
    names = tuple(name for name in call if name in by_name)
    return tuple(by_name[name] for name in names), names


def stack_names(layer: str, depth: int) -> tuple[str, ...]:
    """Return the names of a stack's layers: ``encoder``, or ``encoder_1``, ``encoder_2``, ..."""
    return (layer,) if depth == 1 else tuple(f"{layer}_{i}" for i in range(1, depth + 1))


def _depth_note(layer: RecurrentDeclaration, document: Document) -> Note:
    """Return the note ``'encoder' is a stack of 2 here``."""
    depth = len(layer.units)
    message = f"'{layer.name}' is {f'a stack of {depth}' if depth > 1 else 'one layer'} here"
    return document.note((*layer.path, "units"), message)


def _is_stackable(layer: RecurrentDeclaration, document: Document) -> bool:
    """Return whether a layer's `residual` and `bidirectional` are possible; report why not."""
    mistake: tuple[str, str, str, Note] | None = None
    if layer.residual and len(layer.units) == 1:
        message = "`residual` needs a stack of at least two layers"
        hint = "write `depth: 2` or more, or use an `add` layer"
        mistake = ("residual", message, hint, _depth_note(layer, document))
    elif layer.residual and len(set(layer.units)) > 1:
        sizes = listed([str(units) for units in layer.units])
        message = f"layers of {sizes} units cannot be added to each other"
        mistake = (
            "residual",
            message,
            "give all layers the same units",
            _depth_note(layer, document),
        )
    elif layer.residual and layer.arguments["go_backwards"]:
        message = "each layer reverses its steps, so `residual` would add different steps"
        hint = "use `bidirectional: true`, or remove one of the two"
        note = document.note((*layer.path, "go_backwards"), "the steps are reversed here")
        mistake = ("residual", message, hint, note)
    elif layer.bidirectional and len(layer.cells) > 1:
        message = "a layer of several cells can read in only one direction"
        hint = "use a bidirectional layer of one cell, or a stack of such layers"
        note = document.note((*layer.path, "cells"), "the cells are listed here")
        mistake = ("bidirectional", message, hint, note)
    if mistake:
        key, message, hint, note = mistake
        code = "L407" if key == "residual" else "L615"
        document.report(code, (*layer.path, key), message, hint=hint, notes=(note,))
    return mistake is None


def _ports_of(models: Mapping[str, ModelDeclaration], named: NamedPorts) -> dict[Path, Port]:
    """Return the ports that declared models name, by path in the recipe.

    The path of an output ends with the output's name. `named` returns the ports of a reference
    with the suffixes of their names, such as those of ``encoder.state``.
    """
    ports: dict[Path, Port] = {}
    for model in models.values():
        for index, reference in enumerate(model.inputs):
            ports[*model.path, "inputs", index] = named(reference)[0][1]
        for name, reference in model.outputs.items():
            for suffix, port in named(reference):
                ports[*model.path, "outputs", name + suffix] = port
    return ports


def _with_derived_ports(graph: Graph, models: Mapping[str, ModelDeclaration]) -> Graph:
    """Return `graph` with the states that further models read, and the nodes whose they replace."""
    replaced = {
        name
        for model in models.values()
        for layer in model.initial_state
        for name in graph.stacks.get(layer, ())
    }
    states: dict[Path, Port] = {}
    if any(model.derive for model in models.values()):
        read = {
            node.name: node.recurrence
            for node in graph.nodes
            if node.recurrence and node.layer not in graph.unread
        }
        for name, recurrence in read.items():
            for slot in state_outputs(recurrence):
                states["models", name, slot] = Port(name, slot)
        replaced = set(read)
    ports = {**graph.further_ports, **states}
    return replace(graph, further_ports=ports, given_states=frozenset(replaced))
