"""Derive what a model needs of data: shape, dtype and range of inputs, targets and weights."""

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
"""Losses whose targets are class ids."""
OPEN_LOSSES = frozenset({"CTC", "Circle"})
"""Losses whose targets have a shape that is known only with the data."""
UNIT_LOSSES = frozenset({"BinaryCrossentropy", "BinaryFocalCrossentropy"})
"""Losses whose targets are probabilities, from 0 to 1."""


@dataclass(frozen=True)
class Limit:
    """The range of allowed values, both ends included. `high` may be a named size."""

    low: int
    high: Dim | None
    reason: str
    exception: int | None = None
    """A value outside the range that is allowed too."""
    otherwise: int | None = None
    """The upper end if the size that `high` names is unknown."""


@dataclass(frozen=True)
class Need:
    """The requirements of one array. `shape` has no batch; None if the loss takes any shape."""

    name: str
    shape: tuple[Dim, ...] | None
    dtype: str
    limits: tuple[Limit, ...] = ()
    time_major: bool = False

    def limits_with(self, sizes: Mapping[str, int]) -> tuple[tuple[Limit, int | None], ...]:
        """Return each limit with its upper end, where named sizes are looked up in `sizes`."""
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
    """All arrays that a model is fed in training."""

    inputs: Mapping[str, Need]
    targets: Mapping[str, Need]
    weighed: Mapping[str, tuple[Dim, ...] | None]
    """The shape of each loss before the mean, for which sample weights can be given."""
    unused: tuple[str, ...] = ()
    """Outputs without a loss or metric, for which Keras requires a target nevertheless."""


def data_needs(recipe: RecipeDeclaration, graph: Graph) -> Needs:
    """Return what the inputs and outputs of `graph` without mistakes need of data."""
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
    # With metrics, Keras requires a target for every output.
    unused = [name for name in graph.outputs if metrics and name not in {**losses, **targets}]
    return Needs(inputs, targets, weighed, tuple(unused))


def output_spec(graph: Graph, name: str) -> TensorSpec | None:
    """Return the shape and dtype of an output; None if a mistake leaves them unknown."""
    port = graph.outputs.get(name)
    return None if port is None else graph.specs.get(port)


def _losses(recipe: RecipeDeclaration, graph: Graph) -> Mapping[str, Any]:
    """Return the loss of each output; without `training:`, mse for those with a target."""
    training = recipe.training
    if training is None:
        return dict.fromkeys(recipe.data.targets if recipe.data else (), "mse")
    return losses_by_output(training, list(graph.outputs))


def _targets_of_metrics(
    training: Training | None, graph: Graph, losses: Mapping[str, Any]
) -> Iterator[tuple[str, Need]]:
    """Yield the targets of outputs with metrics but no loss: class ids, or like the output."""
    metrics = metrics_by_output(training, list(graph.outputs)) if training else {}
    for name, written in metrics.items():
        spec = output_spec(graph, name)
        if not written or name in losses or spec is None:
            continue
        kinds = [metric if isinstance(metric, str) else metric["type"] for metric in written]
        if any(named_class("metric", kind).startswith("Sparse") for kind in kinds):
            yield name, _target(name, spec, "sparse_categorical_crossentropy")
        elif (
            CHOSEN_BY_SHAPE in written
        ):  # class ids or one number per class: Keras looks at the data
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
        reason = f"'{name}' has {classes} classes, 0 to {high}"
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
        yield Limit(0, steps, "a length is a number of time steps", otherwise=LONGEST)


def lengths_of(graph: Graph) -> dict[str, tuple[Dim, ...]]:
    """Return the inputs that are sequence lengths, with the sizes of their time axes."""
    sizes: dict[str, tuple[Dim, ...]] = {}
    for mask in _masks(graph):
        name, steps = mask.port.node, mask.shape[1]
        if mask.kind == "lengths" and steps not in sizes.get(name, ()):
            sizes[name] = (*sizes.get(name, ()), steps)
    return {name: steps for name, steps in sizes.items() if name in graph.inputs}


def _masks(graph: Graph) -> Iterator[MaskSpec]:
    for node in graph.nodes:
        for mask in (node.mask, *node.input_masks):
            if mask is not None:
                yield from _with_parts(mask)


def _with_parts(mask: MaskSpec) -> Iterator[MaskSpec]:
    yield mask
    for _, part in mask.parts:
        if part is not None:
            yield from _with_parts(part)


def fitted(
    actual: Sequence[int | None], wanted: Sequence[Dim | None]
) -> tuple[int | None, ...] | None:
    """Return the shape `actual` with axes of size 1 dropped or added to match `wanted`, or None.

    A name in `wanted` matches any size, and so does None in either shape.
    """
    if not actual and not wanted:
        return ()
    if actual and wanted and _same(actual[0], wanted[0]):
        rest = fitted(actual[1:], wanted[1:])
        if rest is not None:
            return (actual[0], *rest)
    if len(actual) > len(wanted) and actual[0] == 1:
        return fitted(actual[1:], wanted)
    if len(actual) < len(wanted) and wanted[0] == 1:
        rest = fitted(actual, wanted[1:])
        return None if rest is None else (1, *rest)
    return None


def _same(actual: int | None, wanted: Dim | None) -> bool:
    return actual is None or not isinstance(wanted, int) or actual == wanted
