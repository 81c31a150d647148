"""Heads: outputs with a loss or metrics, their activation, and what these read."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from lstmgraph.compiler.checks.data_needs import output_spec
from lstmgraph.compiler.checks.metric_names import losses_by_output, metrics_by_output
from lstmgraph.compiler.graph import STACK, STEP
from lstmgraph.keras_facts.catalogue import layer_of_steps, named_class
from lstmgraph.keras_facts.layers.dense import REVERSE
from lstmgraph.keras_facts.targets import is_by_output, reading

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from lstmgraph.compiler.graph import Graph, Node, Port
    from lstmgraph.keras_facts.targets import Reading
    from lstmgraph.keras_facts.tensors import TensorSpec
    from lstmgraph.language.declaration.recipe import RecipeDeclaration, Training
    from lstmgraph.messages.diagnostics import Path

KEEPS_VALUES = frozenset(
    {"Identity", "Reshape", "Flatten", "Permute", "ActivityRegularization", "Cropping1D"}
    | {STACK, STEP}
)
"""Layers whose output has only the values of their input; a loop's steps are all of one layer."""
ONE_HOT_LOSSES = frozenset({"CategoricalCrossentropy", "CategoricalFocalCrossentropy"})
CATEGORICAL = ONE_HOT_LOSSES | {"SparseCategoricalCrossentropy"}
BINARY = frozenset({"BinaryCrossentropy", "BinaryFocalCrossentropy"})
CROSSENTROPIES = CATEGORICAL | BINARY
PROBABILITIES = frozenset({"softmax", "sigmoid", "hard_sigmoid"})
"""Activations whose values are between 0 and 1."""
BELOW_ZERO = frozenset(
    {
        *("celu", "elu", "gelu", "hard_shrink", "hard_silu", "hard_swish", "hard_tanh"),
        *("leaky_relu", "linear", "log_sigmoid", "log_softmax", "mish", "selu", "silu"),
        *("soft_shrink", "softsign", "swish", "tanh", "tanh_shrink"),
    }
)
"""Activations whose values can be below 0."""
BEYOND_ONE = frozenset(
    {"linear", "relu", "tanh", "elu", "selu", "gelu", "silu", "swish", "leaky_relu", "softplus"}
)
"""Activations whose values can be below 0 or above 1."""


@dataclass(frozen=True)
class Entry:
    """A loss or a metric of an output."""

    family: str
    """``loss`` or ``metric``."""
    path: Path
    word: str
    """The name as the recipe writes it."""
    keras_class: str
    arguments: Mapping[str, Any]

    @cached_property
    def reading(self) -> Reading:
        """What it reads."""
        return reading(self.family, self.arguments)


@dataclass(frozen=True)
class Head:
    """An output with a loss or metrics."""

    output: str
    node: Node
    spec: TensorSpec
    activation: str | None
    loss_entry: Entry | None
    metrics: tuple[Entry, ...]
    source: Node
    """The node of the recipe's own layer, before the layers that give a forecast its units."""

    @property
    def own_layer(self) -> str:
        """The layer of the recipe that gives the numbers, before they are ordered and scaled."""
        return self.source.weights_layer

    @property
    def loss(self) -> str:
        """Keras's class name of the loss; empty without one."""
        return self.loss_entry.keras_class if self.loss_entry else ""

    @property
    def loss_word(self) -> str:
        """The name of the loss as the recipe writes it; empty without one."""
        return self.loss_entry.word if self.loss_entry else ""

    @property
    def path(self) -> Path:
        """The path of the loss in the recipe."""
        return self.loss_entry.path if self.loss_entry else ("training",)

    @property
    def from_logits(self) -> bool:
        """Whether the loss takes logits."""
        return bool(self.loss_entry and self.loss_entry.arguments.get("from_logits", False))

    @property
    def gives_probabilities(self) -> bool:
        """Whether all values are known to be between 0 and 1."""
        return self.activation in PROBABILITIES


def heads(recipe: RecipeDeclaration, graph: Graph) -> Iterator[Head]:
    """Yield the outputs with a loss, in the order of the recipe."""
    return (head for head in read_outputs(recipe, graph) if head.loss_entry is not None)


def read_outputs(recipe: RecipeDeclaration, graph: Graph) -> Iterator[Head]:
    """Yield the outputs with a loss or metrics whose shape is known, in the recipe's order."""
    training = recipe.training
    if training is None:
        return
    losses = losses_by_output(training, list(graph.outputs))
    for name, port in graph.outputs.items():
        node, spec = value_node(graph, port), output_spec(graph, name)
        if node is None or spec is None:
            continue
        path: Path = ("training", "loss")
        path = (*path, name) if is_by_output(training.loss) else path
        loss = _entry("loss", path, losses[name]) if name in losses else None
        metrics = tuple(_metrics(training, list(graph.outputs), name))
        if loss is not None or metrics:
            source = _own_node(recipe, graph, node)
            yield Head(name, node, spec, activation_of(node), loss, metrics, source)


def value_node(graph: Graph, port: Port) -> Node | None:
    """Return the node that computes the values of an output; None if it is an input."""
    node = graph.by_name.get(port.node)
    while node is not None and node.op in KEEPS_VALUES:
        node = graph.by_name.get(node.inputs[0].node)
    return node


def _own_node(recipe: RecipeDeclaration, graph: Graph, node: Node) -> Node:
    """Return the node of a layer of the recipe, which `node` may be added behind."""
    while node.name in recipe.written and recipe.written[node.name][0][0] in ("data", "training"):
        node = graph.by_name[node.inputs[0].node]
    return node


def activation_of(node: Node) -> str | None:
    """Return the activation that a node ends with: ``linear`` for none, None if unknown."""
    op, arguments = layer_of_steps(node.op, node.arguments)
    if op in ("Softmax", "ReLU"):
        return op.lower()
    if arguments.get(REVERSE):
        return "linear"
    if op in ("LSTM", "GRU", "SimpleRNN", "RNN") or "activation" not in arguments:
        return None
    written = arguments["activation"]
    if written is None:
        return "linear"
    return written if isinstance(written, str) else None


def with_activation(node: Node, activation: str) -> str:
    """Return the fix that gives the values of `node` an activation."""
    if node.arguments.get(REVERSE):
        layer = f"`{{type: activation, activation: {activation}}}`"
        return f"put a layer {layer} behind '{node.layer}'"
    return f"write `activation: {activation}` for '{node.weights_layer}'"


def _metrics(training: Training, outputs: list[str], output: str) -> Iterator[Entry]:
    for weighted, key in enumerate(("metrics", "weighted_metrics")):
        path: Path = ("training", key)
        if isinstance(getattr(training, key), dict):
            path = (*path, output)
        metrics = metrics_by_output(training, outputs, weighted=bool(weighted))
        for index, written in enumerate(metrics.get(output) or ()):
            yield _entry("metric", (*path, index), written)


def _entry(family: str, path: Path, written: str | Mapping[str, Any]) -> Entry:
    whole = {"type": written} if isinstance(written, str) else written
    return Entry(family, path, whole["type"], named_class(family, whole["type"]), whole)
