"""Heads: outputs with a loss, with their activation, loss and metrics."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lstmgraph.compiler.checks.data_needs import SPARSE_LOSSES
from lstmgraph.compiler.checks.metric_names import is_by_output, losses_by_output, metrics_by_output
from lstmgraph.compiler.lint.checked import activation_of
from lstmgraph.keras_facts.catalogue import named_class

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from lstmgraph.compiler.graph import Node
    from lstmgraph.compiler.lint.checked import Checked
    from lstmgraph.keras_facts.tensors import TensorSpec
    from lstmgraph.language.declaration.recipe import Training
    from lstmgraph.messages.diagnostics import Path

ONE_HOT_LOSSES = frozenset({"CategoricalCrossentropy", "CategoricalFocalCrossentropy"})
CATEGORICAL = ONE_HOT_LOSSES | SPARSE_LOSSES
BINARY = frozenset({"BinaryCrossentropy", "BinaryFocalCrossentropy"})
CROSSENTROPIES = CATEGORICAL | BINARY
PROBABILITIES = frozenset({"softmax", "sigmoid", "hard_sigmoid"})
"""Activations whose values are between 0 and 1."""
BEYOND_ONE = frozenset(
    {"linear", "relu", "tanh", "elu", "selu", "gelu", "silu", "swish", "leaky_relu", "softplus"}
)
"""Activations whose values can be below 0 or above 1."""


@dataclass(frozen=True)
class Metric:
    """A metric of an output."""

    path: Path
    word: str
    """The name as the recipe writes it."""
    keras_class: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True)
class Head:
    """An output with a loss."""

    output: str
    node: Node
    spec: TensorSpec
    activation: str | None
    loss_word: str
    """The name as the recipe writes it."""
    from_logits: bool
    path: Path
    """The path of the loss in the recipe."""
    metrics: tuple[Metric, ...]

    @property
    def loss(self) -> str:
        """Keras's class name of the loss."""
        return named_class("loss", self.loss_word)

    @property
    def gives_probabilities(self) -> bool:
        """Whether all values are known to be between 0 and 1."""
        return self.activation in PROBABILITIES


def heads(checked: Checked) -> Iterator[Head]:
    """Yield the outputs with a loss, in the order of the recipe."""
    training = checked.recipe.training
    if training is None:
        return
    names = list(checked.graph.outputs)
    losses = losses_by_output(training, names)
    for name, port in checked.graph.outputs.items():
        node = checked.head(port)
        if node is None or name not in losses:
            continue
        loss = losses[name]
        path: Path = ("training", "loss")
        yield Head(
            output=name,
            node=node,
            spec=checked.graph.specs[port],
            activation=activation_of(node),
            loss_word=loss if isinstance(loss, str) else loss["type"],
            from_logits=isinstance(loss, dict) and loss.get("from_logits", False),
            path=(*path, name) if is_by_output(training.loss) else path,
            metrics=tuple(_metrics(training, names, name)),
        )


def _metrics(training: Training, outputs: list[str], output: str) -> Iterator[Metric]:
    for weighted, key in enumerate(("metrics", "weighted_metrics")):
        path: Path = ("training", key)
        if isinstance(getattr(training, key), dict):
            path = (*path, output)
        metrics = metrics_by_output(training, outputs, weighted=bool(weighted))
        for index, written in enumerate(metrics.get(output) or ()):
            whole = {"type": written} if isinstance(written, str) else written
            word = whole["type"]
            yield Metric((*path, index), word, named_class("metric", word), whole)
