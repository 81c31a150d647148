"""What a model needs of data: the shape, dtype and range of each input, target and weight."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lstmgraph.compiler.checks.metric_names import (
    CHOSEN_BY_SHAPE,
    losses_by_output,
    metrics_by_output,
)
from lstmgraph.keras_facts.catalogue import named_class
from lstmgraph.keras_facts.tensors import LONGEST

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from lstmgraph.compiler.graph import Graph, MaskSpec
    from lstmgraph.keras_facts.tensors import Dim, TensorSpec
    from lstmgraph.language.declaration.recipe import RecipeDeclaration, Training

SPARSE_LOSSES = frozenset({"SparseCategoricalCrossentropy"})
"""Losses whose targets are ids of classes."""
OPEN_LOSSES = frozenset({"CTC", "Circle"})
"""Losses whose targets have another shape than the output, known only with the data."""
UNIT_LOSSES = frozenset({"BinaryCrossentropy", "BinaryFocalCrossentropy"})
"""Losses whose targets are probabilities, from 0 to 1."""


@dataclass(frozen=True)
class Limit:
    """The values that are taken, both ends included. `high` may be a named size."""

    low: int
    high: Dim | None
    reason: str
    exception: int | None = None
    """A value outside that is taken all the same."""
    otherwise: int | None = None
    """The upper end where the size that `high` names is not known."""


@dataclass(frozen=True)
class Need:
    """What one array must be. `shape` leaves out the batch; None where the loss leaves it open."""

    name: str
    shape: tuple[Dim, ...] | None
    dtype: str
    limits: tuple[Limit, ...] = ()
    time_major: bool = False

    def limits_with(self, sizes: Mapping[str, int]) -> tuple[tuple[Limit, int | None], ...]:
        """Each limit with its upper end, a number where `sizes` knows the named size."""
        return tuple(
            (
                limit,
                sizes.get(limit.high, limit.otherwise)
                if isinstance(limit.high, str)
                else limit.high,
            )
            for limit in self.limits
        )


@dataclass(frozen=True)
class Needs:
    """All that a model is fed in training."""

    inputs: Mapping[str, Need]
    targets: Mapping[str, Need]
    weighed: Mapping[str, tuple[Dim, ...] | None]
    """For each loss, its shape before the mean: what a weight can be given for."""
    unused: tuple[str, ...] = ()
    """Outputs without a loss or a metric, for which Keras wants a target all the same."""


def data_needs(recipe: RecipeDeclaration, graph: Graph) -> Needs:
    """What `graph` needs of data, its sound inputs and outputs only."""
    inputs = {
        name: Need(
            name,
            tensor.spec.shape[1:],
            tensor.spec.dtype,
            tuple(_input_limits(graph, name)),
            tensor.time_major,
        )
        for name, tensor in graph.inputs.items()
    }
    losses = _losses(recipe, graph)
    specs = {name: spec for name in losses if (spec := output_spec(graph, name)) is not None}
    targets = {name: _target(name, spec, losses[name]) for name, spec in specs.items()}
    targets |= dict(_targets_of_metrics(recipe.training, graph, losses))
    weighed = {
        name: None if _loss_class(losses[name]) in OPEN_LOSSES else spec.shape[1:-1]
        for name, spec in specs.items()
    }
    metrics = recipe.training.metrics if recipe.training else None
    # With metrics, Keras wants a target for every output.
    unused = [name for name in graph.outputs if metrics and name not in {**losses, **targets}]
    return Needs(inputs, targets, weighed, tuple(unused))


def output_spec(graph: Graph, name: str) -> TensorSpec | None:
    """Shape and dtype of an output; None where a mistake leaves them unknown."""
    port = graph.outputs.get(name)
    return None if port is None else graph.specs.get(port)


def _losses(recipe: RecipeDeclaration, graph: Graph) -> Mapping[str, Any]:
    """The loss of each output that has one. Without `training:`, of those with a target: mse."""
    training = recipe.training
    if training is None:
        return dict.fromkeys(recipe.data.targets if recipe.data else (), "mse")
    return losses_by_output(training, list(graph.outputs))


def _targets_of_metrics(
    training: Training | None, graph: Graph, losses: Mapping[str, Any]
) -> Iterator[tuple[str, Need]]:
    """Of outputs with metrics and no loss: ids where a metric is of ids, else as the output is."""
    metrics = metrics_by_output(training, list(graph.outputs)) if training else {}
    for name, written in metrics.items():
        spec = output_spec(graph, name)
        if not written or name in losses or spec is None:
            continue
        kinds = [metric if isinstance(metric, str) else metric["type"] for metric in written]
        if any(named_class("metric", kind).startswith("Sparse") for kind in kinds):
            yield name, _target(name, spec, "sparse_categorical_crossentropy")
        elif CHOSEN_BY_SHAPE in written:  # ids or one number a class: Keras sees which
            yield name, Need(name, None, "float32")
        else:
            yield name, _target(name, spec, "mse")


def _loss_class(loss: Any) -> str:
    return named_class("loss", loss if isinstance(loss, str) else loss["type"])


def _target(name: str, spec: TensorSpec, loss: Any) -> Need:
    kind = _loss_class(loss)
    classes = spec.shape[-1]
    if kind in SPARSE_LOSSES:
        exception = loss.get("ignore_class") if isinstance(loss, dict) else None
        high = classes - 1 if isinstance(classes, int) else None
        reason = f"'{name}' tells {classes} classes apart, 0 to {high}"
        return Need(name, spec.shape[1:-1], "int32", (Limit(0, high, reason, exception),))
    if kind in OPEN_LOSSES:
        return Need(name, None, "int32")
    limits = (Limit(0, 1, f"{kind} takes 0 to 1"),) if kind in UNIT_LOSSES else ()
    return Need(name, spec.shape[1:], "float64" if spec.dtype == "float64" else "float32", limits)


def _input_limits(graph: Graph, name: str) -> Iterator[Limit]:
    for node in graph.nodes:
        reads = bool(node.inputs) and node.inputs[0].node == name
        if node.op == "Embedding" and reads:
            last = node.arguments["input_dim"] - 1
            yield Limit(0, last, f"the embedding '{node.name}' has rows 0 to {last}")
    for steps in lengths_of(graph).get(name, ()):
        yield Limit(0, steps, "lengths count steps of the time axis", otherwise=LONGEST)


def lengths_of(graph: Graph) -> dict[str, tuple[Dim, ...]]:
    """The inputs that are lengths, each with the sizes of the time axes that it counts along."""
    found: dict[str, tuple[Dim, ...]] = {}
    for mask in _masks(graph):
        name, steps = mask.port.node, mask.shape[1]
        if mask.kind == "lengths" and steps not in found.get(name, ()):
            found[name] = (*found.get(name, ()), steps)
    return {name: steps for name, steps in found.items() if name in graph.inputs}


def _masks(graph: Graph) -> Iterator[MaskSpec]:
    for node in graph.nodes:
        for mask in (node.mask, *node.input_masks):
            if mask is not None:
                yield mask
                yield from (part for _, part in mask.parts if part is not None)


def fitted(
    found: Sequence[int | None], wanted: Sequence[Dim | None]
) -> tuple[int | None, ...] | None:
    """`found` with axes of size 1 left out or put in so that it is `wanted`, or None.

    A name in `wanted` takes any size, and so does None on either side.
    """
    if not found and not wanted:
        return ()
    if found and wanted and _same(found[0], wanted[0]):
        rest = fitted(found[1:], wanted[1:])
        if rest is not None:
            return (found[0], *rest)
    if len(found) > len(wanted) and found[0] == 1:
        return fitted(found[1:], wanted)
    if len(found) < len(wanted) and wanted[0] == 1:
        rest = fitted(found, wanted[1:])
        return None if rest is None else (1, *rest)
    return None


def _same(found: int | None, wanted: Dim | None) -> bool:
    return found is None or not isinstance(wanted, int) or found == wanted
