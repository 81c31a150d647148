"""A compiled recipe as a plain functional ``keras.Model``."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import keras

from lstmgraph.diagnostics import Diagnostic, RecipeError
from lstmgraph.expand import JOIN
from lstmgraph.graph import LAST, OUTPUT, SEQUENCE, Graph, Node, Port, state_outputs
from lstmgraph.lowering.layers import make_layer
from lstmgraph.lowering.masks import Masks
from lstmgraph.lowering.operations import join, zeros_like_state
from lstmgraph.lowering.training import compile_model

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lstmgraph.compiler import CompiledRecipe

Tensor = Any


def build_model(compiled: CompiledRecipe) -> keras.Model:
    """Build the model of `compiled`, and compile it where the recipe has ``training:``.

    The model is made of standard layers and ``keras.ops`` alone, so it loads anywhere. Its inputs
    and outputs are dictionaries with the names of the recipe.

    Raises:
        RecipeError: Keras refused something that the checks let through.
    """
    graph = compiled.graph
    tensors: dict[Port, Tensor] = {
        Port(tensor.name): keras.Input(
            tensor.spec.shape_without_batch, name=tensor.name, dtype=tensor.spec.dtype
        )
        for tensor in graph.inputs.values()
    }
    lowering = _Lowering(graph, tensors, compiled.declaration.runtime.seed)
    for node in graph.nodes:
        try:
            lowering.add(node)
        except Exception as error:
            raise _keras_error(compiled, node, error) from error
    model = keras.Model(
        inputs={tensor.name: tensors[Port(tensor.name)] for tensor in graph.inputs.values()},
        outputs={name: tensors[port] for name, port in graph.outputs.items()},
        name=graph.name,
    )
    if compiled.declaration.training:
        compile_model(model, compiled.declaration)
    return model


class _Lowering:
    """Calls one layer a node, in the graph's order."""

    def __init__(self, graph: Graph, tensors: dict[Port, Tensor], seed: int | None) -> None:
        self.used = graph.used_ports()
        self.forced_cudnn = graph.kernel_choice == "cudnn"
        self.tensors = tensors
        self.masks = Masks(tensors)
        self.seed = seed

    def add(self, node: Node) -> None:
        inputs = [self.tensors[port] for port in node.inputs]
        if node.drops_mask:
            # An operation hands no mask on; a copy computes nothing else.
            inputs = [keras.ops.copy(tensor) for tensor in inputs]
        if node.op == JOIN:
            self.tensors[Port(node.name)] = join(inputs)
            return
        layer = make_layer(node, self.used, self.seed, forced_cudnn=self.forced_cudnn)
        result = layer(*_positional(node, inputs), **self._keywords(node, inputs))
        self.tensors |= _by_port(node, result, self.used)

    def _keywords(self, node: Node, inputs: list[Tensor]) -> dict[str, Tensor]:
        keywords: dict[str, Tensor] = {}
        if node.input_names:
            keywords |= dict(zip(node.input_names[1:], inputs[1:], strict=True))
        if node.mask:
            keywords["mask"] = self.masks.tensor(node.mask)
        if node.recurrence and node.recurrence.states:
            sources = [state.source for state in node.recurrence.states]
            given = next(self.tensors[source] for source in sources if source)
            keywords["initial_state"] = [
                self.tensors[source] if source else zeros_like_state(given) for source in sources
            ]
        return keywords


def _positional(node: Node, inputs: list[Tensor]) -> list[Any]:
    if node.input_names:
        return inputs[:1]
    return [inputs] if node.reads_list else inputs


def _by_port(node: Node, result: Any, used: frozenset[Port]) -> Mapping[Port, Tensor]:
    """What the call returned, by port: [output, state, state, ...] where states are read."""
    if node.recurrence is None:
        return {Port(node.name, OUTPUT): result}
    primary = SEQUENCE if Port(node.name, SEQUENCE) in used else LAST
    slots = state_outputs(node.recurrence)
    if not isinstance(result, list | tuple):
        return {Port(node.name, primary): result}
    return {
        Port(node.name, output): tensor
        for output, tensor in zip((primary, *slots), result, strict=True)
    }


_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


def _keras_error(compiled: CompiledRecipe, node: Node, error: Exception) -> RecipeError:
    text = _COLOURS.sub("", str(error)).strip().splitlines()
    place = compiled.document.place(node.path)
    message = f"Keras refused '{node.name}' ({node.op}): {' '.join(text[:6])}"
    hint = "this is a mistake that lstmgraph should have found; please report it with the recipe"
    diagnostic = Diagnostic("L901", message, node.path, place, hint)
    return RecipeError([diagnostic], compiled.document.sources)
