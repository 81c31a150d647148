"""Building of a compiled recipe as a plain functional ``keras.Model``."""

from __future__ import annotations

import itertools
import re
from collections import defaultdict
from functools import partial
from typing import TYPE_CHECKING, Any

import keras
from keras import ops

from lstmgraph.compiler.graph import (
    KEEPS_STEPS,
    LAST,
    MASK,
    OUTPUT,
    SCORES,
    SEQUENCE,
    STACK,
    STEP,
    UNFOLD,
    Graph,
    GraphInput,
    MaskSpec,
    Node,
    Port,
    Recurrence,
    state_outputs,
)
from lstmgraph.compiler.machine.fused import runs_fused, runs_on_cpu
from lstmgraph.compiler.passes.checks import SUMS
from lstmgraph.compiler.passes.folded_masks import (
    hands_mask_on,
    is_zero_at_padding,
    zeroes_padding,
)
from lstmgraph.compiler.passes.loops import fed_ports
from lstmgraph.compiler.passes.masks import (
    CONV_LSTM,
    FILLED,
    fills,
    hides_mask,
    inner_op,
    lost_masks,
    works_on_steps,
)
from lstmgraph.compiler.passes.open_steps import joins_masks_of_images, zeroes_open_steps
from lstmgraph.keras_facts.catalogue import layer_traits
from lstmgraph.keras_facts.dtypes import is_float
from lstmgraph.keras_facts.layers.attention import CAUSAL
from lstmgraph.keras_facts.layers.dense import REVERSE
from lstmgraph.keras_facts.layers.lookups import LOOKUPS
from lstmgraph.messages.diagnostics import Diagnostic
from lstmgraph.messages.errors import RecipeError
from lstmgraph.models.building.embeddings import fill_tables
from lstmgraph.models.building.folds import call_on_steps, has_open_steps
from lstmgraph.models.building.layers import Layers, freeze
from lstmgraph.models.building.masks import (
    Masks,
    of_all_axes,
    passed_through,
    step_numbers,
    with_mask,
)
from lstmgraph.models.building.operations import (
    OPERATIONS,
    batch_major,
    masked_copy,
    steps_of,
    zeros_like_state,
)
from lstmgraph.models.building.padding import padded_inputs
from lstmgraph.models.building.single_steps import run_without_loop
from lstmgraph.models.building.training import compile_model, set_runtime, with_predict
from lstmgraph.models.building.unseeded import draw_unseeded
from lstmgraph.models.building.vocabularies import require_fitted
from lstmgraph.models.run_errors import NO_MEMORY
from lstmgraph.models.runtime import scope, seen_machine, start

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from lstmgraph.compiler.compile import CompiledRecipe
    from lstmgraph.messages.diagnostics import Path

Tensor = Any

TAKES_MASKS_OFF = frozenset({"MultiHeadAttention"})
"""Layers whose call removes the masks from the very tensors it is given."""


def build_model(compiled: CompiledRecipe) -> keras.Model:
    """Build the model of `compiled`, and compile it where the recipe has ``training:``.

    The model consists of standard layers and ``keras.ops`` only, so it loads anywhere. Its inputs
    and outputs are dictionaries with the recipe's names.

    Raises:
        RecipeError: Keras refused something that the checks let through, or this machine or process
            cannot run the recipe.
    """
    machine = start(compiled)
    with scope(compiled.declaration.runtime):
        model = _Builder(compiled).main()
    return with_predict(model, compiled, compiled.graph, machine)


def uncompiled_model(compiled: CompiledRecipe, graph: Graph) -> keras.Model:
    """Build the model of `graph`, which is the main model's or a further one's, without a loss.

    The caller must have called ``start`` and entered ``scope`` before.

    Raises:
        RecipeError: Keras refused something that the checks let through.
    """
    return _Builder(compiled).functional(graph)


def build_models(
    compiled: CompiledRecipe, graphs: Mapping[str, Graph]
) -> tuple[keras.Model, dict[str, keras.Model]]:
    """Build the model of `compiled`, and one of each of `graphs` that shares its layers.

    Args:
        compiled: the recipe.
        graphs: the graphs of its further models, by any name.

    Returns:
        The main model, and the others by name. A layer in several of them is one object, so that
        training one trains all.

    Raises:
        RecipeError: as for ``build_model``.
    """
    machine = start(compiled)
    with scope(compiled.declaration.runtime):
        builder = _Builder(compiled)
        main = builder.main()
        others = {name: builder.functional(graph) for name, graph in graphs.items()}
    found = {
        name: with_predict(model, compiled, graphs[name], machine) for name, model in others.items()
    }
    return with_predict(main, compiled, compiled.graph, machine), found


class _Builder:
    """Build models that share their layers."""

    def __init__(self, compiled: CompiledRecipe) -> None:
        require_fitted(compiled)
        self.compiled = compiled
        self.layers = Layers(
            (compiled.graph, *(model.graph for model in compiled.models.values())),
            compiled.declaration.runtime.seed,
            forced_cudnn=compiled.graph.kernel_choice == "cudnn",
            fused=_fused(compiled),
        )

    def main(self) -> keras.Model:
        """Return the main model, compiled as the recipe says."""
        compiled = self.compiled
        model = functional(compiled, compiled.graph, self.layers)
        fill_tables(model, compiled)
        try:
            compile_model(model, compiled)
        except Exception as error:
            raise _keras_error(compiled, ("training",), "to compile", error) from error
        return model

    def functional(self, graph: Graph) -> keras.Model:
        """Return the model of `graph`, not compiled."""
        model = functional(self.compiled, graph, self.layers)
        set_runtime(model, self.compiled)
        return model


def _fused(compiled: CompiledRecipe) -> Callable[[keras.Layer], None] | None:
    """Return what gives recurrent layers the fused loop; None where they do not use it."""
    graph = compiled.graph
    if not runs_fused(compiled.declaration.runtime, graph, seen_machine()):
        return None
    from lstmgraph.models.kernels import install  # noqa: PLC0415 - it imports TensorFlow

    return partial(install, always=graph.kernel_choice == "fused")


def functional(compiled: CompiledRecipe, graph: Graph, layers: Layers) -> keras.Model:
    """Return `graph` as a Keras model that calls `layers`."""
    inputs = {name: _keras_input(tensor, graph) for name, tensor in graph.inputs.items()}
    tensors: dict[Port, Tensor] = {
        Port(name): batch_major(inputs[name]) if tensor.time_major else inputs[name]
        for name, tensor in graph.inputs.items()
    }
    lowering = _Lowering(graph, tensors, layers)
    for node in graph.nodes:
        try:
            lowering.add(node)
        except Exception as error:
            what = f"'{node.name}' ({node.op})"
            raise _keras_error(compiled, node.path, what, error) from error
    model = keras.Model(
        inputs=inputs,
        outputs={name: lowering.output(port) for name, port in graph.outputs.items()},
        name=graph.name,
    )
    _name_operations(model)
    draw_unseeded(model, compiled.declaration.runtime.seed)
    _agree_under_xla(model, compiled)
    return model


def _agree_under_xla(model: keras.Model, compiled: CompiledRecipe) -> None:
    """Have all layers of `model` draw the same numbers under XLA, and let no wrong id pass."""
    if runs_on_cpu(compiled.declaration.runtime, seen_machine()):
        from lstmgraph.models.kernels import (  # noqa: PLC0415 - it imports TensorFlow
            keep_numbers,
            mark_wrong_ids,
        )

        for layer in model._flatten_layers():
            keep_numbers(layer)
            mark_wrong_ids(layer)


def _keras_input(tensor: GraphInput, graph: Graph) -> Tensor:
    shape: tuple[int | None, ...] = (graph.batch_size, *tensor.spec.shape_without_batch)
    if tensor.time_major:
        shape = (shape[1], shape[0], *shape[2:])
    return keras.Input(batch_shape=shape, name=tensor.name, dtype=tensor.spec.dtype)


def _name_operations(model: keras.Model) -> None:
    """Name the operations by their order in the model.

    Keras counts them over the whole process, so two builds of a recipe would differ in names.
    """
    taken = {layer.name for layer in model.layers}
    counters: defaultdict[str, Iterator[int]] = defaultdict(lambda: itertools.count(1))
    for operation in model.operations:
        if isinstance(operation, keras.Layer):
            continue
        kind = type(operation).__name__.lower()
        names = (f"{kind}_op_{count}" for count in counters[kind])
        operation.name = next(name for name in names if name not in taken)


class _Lowering:
    """Call the layer of each node, in the graph's order."""

    def __init__(self, graph: Graph, tensors: dict[Port, Tensor], layers: Layers) -> None:
        self.layers = layers
        self.tensors = tensors
        self.masks = Masks(tensors)
        self.graph = graph
        self.padded = padded_inputs(graph)
        self.lost = set(lost_masks(graph))
        masked = {Port(n.name, output) for n in graph.nodes for output in n.output_masks}
        self.masked = masked - self.lost
        """The ports whose tensors carry their masks in Keras."""
        self.steps: dict[tuple[Port, MaskSpec | None], list[Tensor]] = {}

    def add(self, node: Node) -> None:
        inputs = self._inputs(node)
        if node.op == MASK and node.mask:
            self.tensors[Port(node.name)] = self.masks.tensor(node.mask)
            return
        if node.op == STEP:
            self.tensors[Port(node.name)] = self._step(node, inputs[0])
            return
        if not node.is_layer:
            result = OPERATIONS[node.op](node, inputs)
            self.tensors[Port(node.name)] = result
            if node.op in {STACK, *KEEPS_STEPS} and node.output_masks:
                self._set_mask(node, result, node.output_masks[OUTPUT])
            if node.op == UNFOLD and node.output_masks:
                self._set_mask_of_unfolded(node, node.output_masks[OUTPUT])
            return
        if node.op in SUMS:
            # (batch, 1) added to (batch, 8) is taken for a bias where the batch is 8. The other way
            # round it never is, and the checks let through only what can be ordered like this.
            inputs = sorted(inputs, key=_open_axes)
        layer = self.layers.of(node)
        if inputs and 1 in inputs[0].shape[1:-1]:
            run_without_loop(layer)
        call = partial(call_on_steps, layer) if has_open_steps(layer, inputs[0]) else layer
        result = call(*_positional(node, inputs), **self._keywords(node, inputs))
        if node.arguments.get("trainable") is False:
            freeze(layer)
        if SCORES in node.outputs:
            result, scores = result
            self.tensors[Port(node.name, SCORES)] = self._scores(node, scores, inputs[1])
        if node.arguments.get(REVERSE) and result.dtype != node.outputs[OUTPUT].dtype:
            # Keras declares what the layer computes in, but gives `reverse_dtype`.
            result = keras.ops.cast(result, node.outputs[OUTPUT].dtype)
        if node.op in LOOKUPS and is_float(node.outputs[OUTPUT].dtype):
            # Keras declares floats, but gives int64.
            result = keras.ops.cast(result, node.outputs[OUTPUT].dtype)
        self.tensors |= _by_port(node, result, self.layers.used)
        output_mask = node.output_masks.get(OUTPUT)
        loses_mask = works_on_steps(node, node.mask) and inner_op(node) in FILLED
        loses_mask = loses_mask or zeroes_open_steps(self.graph, node)
        if output_mask and (loses_mask or hides_mask(node) or node.arguments.get(REVERSE)):
            self._set_mask(node, result, output_mask)

    def output(self, port: Port) -> Tensor:
        """Return the tensor of an output of the model, with its mask if it has one."""
        node = self.graph.by_name.get(port.node)
        if node and port in self.lost:
            self.lost.remove(port)
            self._set_mask(node, self.tensors[port], node.output_masks[port.output])
        return self.tensors[port]

    def _step(self, node: Node, sequence: Tensor) -> Tensor:
        """Return the step of a sequence that `node` reads; each sequence is split once."""
        port = node.inputs[0]
        key = port, self.padded.get((node.name, port))
        if key not in self.steps:
            self.steps[key] = steps_of(sequence, node.arguments["steps"])
        return self.steps[key][node.arguments["index"]]

    def _set_mask(self, node: Node, result: Tensor, mask: MaskSpec) -> None:
        """Put the result on its port with the mask that Keras does not pass on, or passes wrong."""
        port, rank = Port(node.name), len(result.shape)
        if rank > len(mask.shape):
            name = f"{node.name}.mask"  # no name of a recipe has a dot
            given = self.masks.tensor(mask)
            own = node.is_layer and not node.arguments.get(REVERSE)
            policy = node.dtype_policy if own else result.dtype
            self.tensors[port] = with_mask(result, given, name, policy)
        elif node.op == "TimeDistributed":  # the masked axis is gone
            self.tensors[port] = keras.ops.copy(result)

    def _scores(self, node: Node, scores: Tensor, value: Tensor) -> Tensor:
        """Return the scores with their shape, mask, and zeros where a step does not count.

        Attention layers with heads give those zeros themselves. Without heads, a row in which no
        step of the value counts would have equal scores for all of them.
        """
        spec = node.outputs[SCORES]
        if scores.shape[-1] != value.shape[1]:
            # MultiHeadAttention of Keras 3.15 declares as many steps of the value as of the query.
            places = (step_numbers(value) - 1)[:, None, None]
            scores = ops.take_along_axis(scores, places, axis=-1)
        of_value = next(iter(node.input_masks[1:]), None)
        if of_value and spec.rank == 3:
            scores = ops.where(self.masks.tensor(of_value)[:, None], scores, 0)
        of_query = node.output_masks.get(SCORES)
        if of_query is None:
            return scores
        mask, name = self.masks.tensor(of_query), f"{node.name}.scores"  # no recipe's name has dots
        return with_mask(scores, mask, name, node.dtype_policy)

    def _set_mask_of_unfolded(self, node: Node, mask: MaskSpec) -> None:
        """Give the result of an operation its mask, which Keras keeps only between layers."""
        port, name = Port(node.name), f"{node.name}.mask"
        result, zeroes = self.tensors[port], zeroes_padding(self.graph, node)
        if hands_mask_on(self.graph, node):
            is_zero = zeroes or is_zero_at_padding(self.graph, node)
            carry = with_mask if is_zero else passed_through
            given = of_all_axes(self.masks.tensor(mask), result)
            self.tensors[port] = carry(result, given, name, result.dtype)
        elif zeroes:
            self.tensors[port] = self.masks.zeroed(port, mask)

    def _inputs(self, node: Node) -> list[Tensor]:
        tensors = {port: self._read(node, port) for port in node.inputs}
        for port in fed_ports(self.graph, node) & self.masked:  # with the mask of another step
            tensors[port] = keras.ops.copy(tensors[port])
        drops_mask = node.drops_mask or hides_mask(node) or joins_masks_of_images(node)
        if drops_mask or node.arguments.get(REVERSE):
            # An operation hands no mask on; a copy computes nothing else.
            tensors = {port: keras.ops.copy(tensor) for port, tensor in tensors.items()}
        elif node.op in TAKES_MASKS_OFF:
            # Other calls that read these tensors, and the loss, still need their masks.
            for index, port in enumerate(tensors):
                if port in self.masked:
                    # No name of a recipe has a dot in it, so this one is free.
                    name = f"{node.name}.input_{index + 1}"
                    tensors[port] = masked_copy(tensors[port], name, node.dtype_policy)
        inputs = [tensors[port] for port in node.inputs]
        if node.op == "GroupQueryAttention":
            # It is given their masks; on the tensors they would only make Keras warn of their loss.
            values = zip(node.inputs[1:], inputs[1:], strict=True)
            inputs[1:] = [keras.ops.copy(x) if port in self.masked else x for port, x in values]
        return inputs

    def _read(self, node: Node, port: Port) -> Tensor:
        own = node.mask if fills(node) else None
        if own and works_on_steps(node, own) and inner_op(node) == "GlobalMaxPooling1D":
            return self.masks.lowest(port, own)
        mask = own or self.padded.get((node.name, port))
        return self.masks.zeroed(port, mask) if mask else self.tensors[port]

    def _keywords(self, node: Node, inputs: list[Tensor]) -> dict[str, Any]:
        keywords: dict[str, Any] = {}
        if node.input_names:
            keywords |= dict(zip(node.input_names[1:], inputs[1:], strict=True))
        takes_mask = node.recurrence or layer_traits(node.op)["masks"]
        if node.mask and takes_mask and not hides_mask(node):
            keywords["mask"] = self._mask(node, node.mask, inputs[0])
        keywords |= self._attention_masks(node)
        keywords |= {key: True for key in (CAUSAL, REVERSE) if node.arguments.get(key)}
        if SCORES in node.outputs:
            keywords["return_attention_scores"] = True
        if node.recurrence and node.recurrence.states:
            tensors = self._states(node.recurrence)
            keywords["initial_state"] = _nested(node.recurrence, tensors)
        return keywords

    def _mask(self, node: Node, mask: MaskSpec, sequence: Tensor) -> Tensor:
        op = inner_op(node)
        if works_on_steps(node, mask) and (op in CONV_LSTM or op == "Softmax"):
            return self.masks.of_images(mask, len(sequence.shape))
        if op == "GlobalAveragePooling1D":
            return self.masks.of_average(mask)
        return self.masks.tensor(mask)

    def _attention_masks(self, node: Node) -> dict[str, Any]:
        """Return the input masks as keywords; MultiHeadAttention reads its tensors' own."""
        if not any(node.input_masks):
            return {}
        if node.op in TAKES_MASKS_OFF:
            return self._masks_of_inputs(node)
        masks = [self.masks.tensor(mask) if mask else None for mask in node.input_masks]
        if node.reads_list:
            return {"mask": masks}
        names = node.input_names or ("query", "value", "key")
        return {
            f"{name}_mask": mask
            for name, mask in zip(names, masks, strict=False)
            if mask is not None
        }

    def _masks_of_inputs(self, node: Node) -> dict[str, Any]:
        """Return the masks, but the query's, of model inputs, whose tensors carry none."""
        names = node.input_names or ("query", "value", "key")
        named = zip(names, node.inputs, node.input_masks, strict=False)
        return {
            f"{name}_mask": self.masks.tensor(mask)
            for name, port, mask in named
            if mask and port not in self.masked and (name != "query" or port in self.lost)
        }

    def _states(self, recurrence: Recurrence) -> list[Tensor]:
        """Return the initial states: the given ones, and zeros for the others."""
        given = next(self.tensors[state.source] for state in recurrence.states if state.source)
        return [
            self.tensors[state.source]
            if state.source
            else zeros_like_state(given, recurrence.units_of(state.slot))
            for state in recurrence.states
        ]


def _open_axes(tensor: Tensor) -> int:
    """Return the number of axes after the batch that do not broadcast."""
    return sum(size != 1 for size in tensor.shape[1:])


def _positional(node: Node, inputs: list[Tensor]) -> list[Any]:
    if node.input_names:
        return inputs[:1]
    return [inputs] if node.reads_list else inputs


def _by_port(node: Node, result: Any, used: frozenset[Port]) -> Mapping[Port, Tensor]:
    """Return the results of a call by port: [output, state, ...] if its layer returns states."""
    if node.recurrence is None:
        return {Port(node.name, OUTPUT): result}
    primary = SEQUENCE if Port(node.keras_name, SEQUENCE) in used else LAST
    slots = state_outputs(node.recurrence)
    if not isinstance(result, list | tuple):
        return {Port(node.name, primary): result}
    return {
        Port(node.name, output): tensor
        for output, tensor in zip((primary, *slots), keras.tree.flatten(result), strict=True)
    }


def _nested(recurrence: Recurrence, states: list[Tensor]) -> list[Any]:
    """Return the states as Keras takes them: for several cells in one layer, a list per cell."""
    if len(recurrence.cells) < 2:
        return states
    rest = iter(states)
    return [
        [next(rest) for slot in recurrence.slots if slot.startswith(f"{number}_")]
        for number in range(1, len(recurrence.cells) + 1)
    ]


_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


def _keras_error(compiled: CompiledRecipe, path: Path, what: str, error: Exception) -> RecipeError:
    text = _COLOURS.sub("", str(error)).strip().splitlines()
    place = compiled.document.place(path)
    what = compiled.document.as_written(what)
    message = f"Keras refused {what}: {' '.join(text[:6])}"
    hint = "this is a mistake that lstmgraph should have found; please report it with the recipe"
    if type(error).__name__ == "ResourceExhaustedError":
        hint = NO_MEMORY
    notes = compiled.document.origins.notes(path, place)
    diagnostic = Diagnostic("L901", message, path, place, hint, notes=notes)
    return RecipeError([diagnostic], compiled.document.sources)
