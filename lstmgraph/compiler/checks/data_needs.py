"""Derive what a model needs of data: shape, dtype and range of inputs, targets and weights."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from lstmgraph.compiler.checks.class_weights import (
    OF_CLASSES,
    YES_OR_NO,
    ClassWeights,
    class_weights,
)
from lstmgraph.compiler.checks.metric_names import (
    CHOSEN_BY_SHAPE,
    all_metrics_by_output,
    losses_by_output,
    metrics_by_output,
)
from lstmgraph.compiler.passes.checks import needed_names
from lstmgraph.compiler.passes.masks import looks_up
from lstmgraph.keras_facts.catalogue import named_class
from lstmgraph.keras_facts.targets import (
    BATCH,
    BIT,
    CHANCE,
    COUNT,
    GROUPS,
    IDS,
    LABELS,
    SHARES,
    SIGN,
    VALUES,
    arguments_of,
    reading,
    span,
)
from lstmgraph.keras_facts.tensors import LONGEST, with_sizes

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator, Mapping, Sequence

    from lstmgraph.compiler.graph import Graph, MaskSpec, Port
    from lstmgraph.keras_facts.tensors import Dim, TensorSpec
    from lstmgraph.language.declaration.recipe import RecipeDeclaration

OPEN = (LABELS, GROUPS)
"""Targets whose shape is known only with the data."""
WHOLE, ADD_UP, ZEROS_LAST = "whole", "add up", "zeros last"
"""Whole numbers; numbers that add up to 1, or are all 0; no 0 before another number."""


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
    rule: str | None = None
    """What must hold beside the range: one of the constants below."""


@dataclass(frozen=True)
class Need:
    """The requirements of one array. `shape` has no batch; None if the loss takes any shape."""

    name: str
    shape: tuple[Dim, ...] | None
    dtype: str
    limits: tuple[Limit, ...] = ()
    time_major: bool = False
    steps: Dim | None = None
    """For labels of CTC, the steps of the output."""
    named: bool = False
    """Whether a target's ids may be written as names of classes."""
    classes: tuple[str, ...] = ()
    """The names that the recipe lists, in the order of the ids."""
    optional: bool = False
    """Whether arrays may be missing and cells empty (NaN), as in data that a model predicts for."""

    def limits_with(self, sizes: Mapping[str, int]) -> tuple[tuple[Limit, int | None], ...]:
        """Return each limit with its upper end, where named sizes are looked up in `sizes`."""
        return tuple(
            (limit, limit.otherwise if isinstance(high, str) else high)
            for limit in self.limits
            for high in ([None] if limit.high is None else with_sizes([limit.high], sizes))
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
    outputs: tuple[str, ...] = ()
    """All outputs, those without a target included."""
    of_batches: frozenset[str] = frozenset()
    """Outputs whose loss is one number for all rows of a batch, and takes no weights."""
    class_weights: Mapping[str, ClassWeights] = field(default_factory=dict)
    """The weights of classes in training, by output."""
    lengths: Mapping[str, str] = field(default_factory=dict)
    """For inputs and targets whose padded steps are masked, the input with their lengths."""


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
    training, names = recipe.training, list(graph.outputs)
    metrics = all_metrics_by_output(training, names) if training else {}
    targets = {
        name: _target(name, spec, losses[name], metrics.get(name, ()))
        for name, spec in specs.items()
    }
    targets |= dict(_targets_of_metrics(metrics, graph, losses))
    targets = {name: _with_names(need, recipe, losses) for name, need in targets.items()}
    of_batches = frozenset(
        name for name, spec in specs.items() if _is_of_batches(losses[name], spec)
    )
    weighed = {
        name: None if reading("loss", losses[name]).targets in OPEN else spec.shape[1:-1]
        for name, spec in specs.items()
        if name not in of_batches
    }
    if training is not None:
        for name, written in metrics_by_output(training, names, weighted=True).items():
            spec = output_spec(graph, name)
            if written and spec is not None and name not in of_batches:
                weighed.setdefault(name, spec.shape[1:-1])
    # With metrics, Keras requires a target for every output.
    has_metrics = any(metrics.values())
    unused = [name for name in names if has_metrics and name not in {**losses, **targets}]
    return Needs(
        inputs,
        targets,
        weighed,
        tuple(unused),
        outputs=tuple(names),
        of_batches=of_batches,
        class_weights=class_weights(training, specs, names_of(recipe)) if training else {},
        lengths=dict(_counted(graph)),
    )


def names_of(recipe: RecipeDeclaration) -> dict[str, tuple[str, ...]]:
    """Return the names of the classes of the outputs for which the recipe lists them."""
    targets = recipe.data.targets if recipe.data else {}
    return {name: entry.classes for name, entry in targets.items() if entry.classes}


def target_name(name: str, inputs: Container[str]) -> str:
    """Return the name of the array with an output's target, which no input has."""
    return f"{name}_target" if name in inputs else name


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


def _with_names(need: Need, recipe: RecipeDeclaration, losses: Mapping[str, Any]) -> Need:
    """Return what a target needs, with the names of its classes if it has some."""
    entry = recipe.data.targets.get(need.name) if recipe.data else None
    loss = losses.get(need.name)
    is_yes_or_no = (
        loss is not None
        and need.shape is not None
        and need.shape[-1:] == (1,)
        and (OF_CLASSES.get(named_class("loss", arguments_of("loss", loss)["type"])) == YES_OR_NO)
    )
    of_ids = need.dtype == "int32" and need.shape is not None
    classes = entry.classes if entry else ()
    return replace(need, named=of_ids or is_yes_or_no, classes=classes)


def _targets_of_metrics(
    metrics: Mapping[str, list[Any]], graph: Graph, losses: Mapping[str, Any]
) -> Iterator[tuple[str, Need]]:
    """Yield the targets of outputs with metrics but no loss: class ids, or like the output."""
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
            yield name, _target(name, spec, "mse", written)


def _target(name: str, spec: TensorSpec, loss: Any, metrics: Iterable[Any] = ()) -> Need:
    targets = reading("loss", loss).targets
    classes = spec.shape[-1]
    high = classes - 1 if isinstance(classes, int) else None
    if targets == IDS:
        exception = loss.get("ignore_class") if isinstance(loss, dict) else None
        reason = f"'{name}' has {classes} classes, 0 to {high}"
        return Need(name, spec.shape[1:-1], "int32", (Limit(0, high, reason, exception),))
    if targets == LABELS:
        reason = f"labels are 1 to {high}; 0 only fills a row up behind its last label"
        return Need(
            name, None, "int32", (Limit(0, high, reason, rule=ZEROS_LAST),), steps=spec.shape[1]
        )
    if targets == GROUPS:
        return Need(name, None, "int32")
    shape = spec.shape[1:-1] if targets == VALUES else spec.shape[1:]
    limits = {(each.low, each.high, each.rule): each for each in _target_limits(loss, metrics)}
    return Need(
        name,
        shape,
        "float64" if spec.dtype == "float64" else "float32",
        tuple(limits.values()),
    )


def _target_limits(loss: Any, metrics: Iterable[Any]) -> Iterator[Limit]:
    """Yield what a loss and metrics demand of the values of their targets."""
    for family, written in (("loss", loss), *(("metric", metric) for metric in metrics)):
        if written == CHOSEN_BY_SHAPE:
            continue
        word = written if isinstance(written, str) else written["type"]
        kind = named_class(family, word)
        own = arguments_of(family, written)
        of = reading(family, written).of
        if own.get("sparse_y_true") and own["num_classes"]:
            classes = own["num_classes"]
            yield Limit(0, classes - 1, f"{kind} takes ids from 0 to {classes - 1}", rule=WHOLE)
        elif of == BIT:
            yield Limit(0, 1, f"{kind} takes 0 and 1", rule=WHOLE)
        elif of == SIGN:
            yield Limit(-1, 1, f"{kind} takes -1 and 1, or 0 and 1", rule=WHOLE)
        elif of == COUNT and own.get("distribution"):
            yield Limit(0, None, f"{own['distribution']} is of whole numbers from 0", rule=WHOLE)
        elif of == COUNT:
            yield Limit(0, None, f"{kind} takes numbers from 0")
        elif of == CHANCE:
            yield Limit(0, 1, f"{kind} takes 0 to 1")
        elif of == SHARES:
            reason = f"{kind} takes numbers from 0 to 1 that add up to 1 in each row or step"
            yield Limit(0, 1, reason, rule=ADD_UP)


def _input_limits(graph: Graph, name: str) -> Iterator[Limit]:
    for node in graph.nodes:
        reads = bool(node.inputs) and node.inputs[0].node == name
        if looks_up(node) and reads:
            last = node.arguments["input_dim"] - 1
            yield Limit(0, last, f"the embedding '{node.name}' has rows 0 to {last}")
    for steps in lengths_of(graph).get(name, ()):
        most = f", {steps}" if isinstance(steps, int) else ""
        reason = f"a length is at least 0 and at most the number of time steps{most}"
        yield Limit(0, steps, reason, otherwise=LONGEST)


def lengths_of(graph: Graph) -> dict[str, tuple[Dim, ...]]:
    """Return the inputs that are sequence lengths, with the sizes of their time axes."""
    sizes: dict[str, tuple[Dim, ...]] = {}
    for mask in masks_of(graph):
        name, steps = mask.port.node, mask.shape[-1]
        if mask.kind == "lengths" and steps not in sizes.get(name, ()):
            sizes[name] = (*sizes.get(name, ()), steps)
    return {name: steps for name, steps in sizes.items() if name in graph.inputs}


def _is_of_batches(loss: Any, spec: TensorSpec) -> bool:
    """Return whether a loss is one number for all rows of a batch, so that rows have no weights."""
    own = arguments_of("loss", loss)
    return span(named_class("loss", own["type"]), own.get("axis"), spec.rank) == BATCH


def _counted(graph: Graph) -> Iterator[tuple[str, str]]:
    """Yield inputs and targets whose steps are masked by lengths, and the input of the lengths."""
    lengths: dict[str, set[str]] = {}
    for mask in masks_of(graph):
        if mask.kind != "lengths" or mask.like is None or mask.port.node not in graph.inputs:
            continue
        if len(mask.shape) > 2:  # lengths of segments: rows of steps have no others
            continue
        for name in needed_names(graph, [mask.like]) & graph.inputs.keys():
            if graph.inputs[name].spec.shape[1:2] == mask.shape[1:2]:
                lengths.setdefault(name, set()).add(mask.port.node)
    yield from ((name, next(iter(found))) for name, found in lengths.items() if len(found) == 1)
    for name, port in graph.outputs.items():
        node = graph.by_name.get(port.node)
        own = node.output_masks.get(port.output) if node else None
        is_of_rows = own is not None and own.kind == "lengths" and len(own.shape) == 2
        if own and is_of_rows and own.port.node in graph.inputs:
            yield name, own.port.node


def masks_of(graph: Graph) -> Iterator[MaskSpec]:
    """Yield the masks that calls take, each once for each sequence whose steps it has."""
    seen: set[tuple[MaskSpec, Port | None]] = set()
    for node in graph.nodes:
        for mask in (node.mask, *node.input_masks):
            for part in _with_parts(mask) if mask else ():
                if (part, part.like) not in seen:
                    seen.add((part, part.like))
                    yield part


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
