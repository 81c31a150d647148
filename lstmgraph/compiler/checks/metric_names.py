"""The names that Keras gives to the metrics of an epoch, derived without Keras."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from lstmgraph.keras_facts.catalogue import family_defaults, named_class
from lstmgraph.keras_facts.targets import is_by_output

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from lstmgraph.language.declaration.recipe import Training

VALIDATION = "val_"
"""The prefix of metrics of the validation data."""

CHOSEN_BY_SHAPE = "accuracy"
"""The name for which Keras chooses a metric by the shapes of outputs and targets."""

WITHOUT_DIRECTION = frozenset(
    {"Coverage", "FalseNegatives", "FalsePositives", "TrueNegatives", "TruePositives"}
)
"""Metrics of which neither small nor large is better, or Keras does not define it."""

LARGE_IS_GOOD = frozenset(
    {
        "AUC",
        "Accuracy",
        "BinaryAccuracy",
        "BinaryIoU",
        "CategoricalAccuracy",
        "ConcordanceCorrelation",
        "CosineSimilarity",
        "F1Score",
        "FBetaScore",
        "IoU",
        "MeanIoU",
        "OneHotIoU",
        "OneHotMeanIoU",
        "PearsonCorrelation",
        "Precision",
        "PrecisionAtRecall",
        "R2Score",
        "Recall",
        "RecallAtPrecision",
        "SensitivityAtSpecificity",
        "SparseCategoricalAccuracy",
        "SparseTopKCategoricalAccuracy",
        "SpecificityAtSensitivity",
        "TopKCategoricalAccuracy",
    }
)
"""Metrics that are better when large, by Keras's ``Metric._direction``."""


def logged_names(training: Training, outputs: Sequence[str]) -> dict[str, str | None]:
    """Return the metrics of an epoch by Keras's names, without those of the validation data.

    The value is ``min`` or ``max``, whichever is better; None where Keras does not define it.
    Source: ``keras/src/trainers/compile_utils.py``.
    """
    names: dict[str, str | None] = {"loss": "min"}
    losses = [name for name in outputs if name in losses_by_output(training, outputs)]
    if len(losses) > 1:
        names |= {f"{name}_loss": "min" for name in losses}
    counts: dict[str, int] = {}
    for metrics, again in (training.metrics, ""), (training.weighted_metrics, "weighted_"):
        for prefix, own, direction in _metrics(training, outputs, metrics):
            name = f"{prefix}{own}"
            if again and name in counts:
                name = f"{prefix}{again}{own}"
            count = counts.get(name, 0)
            counts[name] = count + 1
            names[f"{name}_{count}" if count else name] = direction
    return names


def watchable(training: Training, outputs: Sequence[str]) -> dict[str, str | None]:
    """Return what ``logged_names`` does, with the metrics of the validation data behind it."""
    names = logged_names(training, outputs)
    return {**names, **{f"{VALIDATION}{name}": better for name, better in names.items()}}


def in_order(
    numbers: Mapping[str, float], training: Training, outputs: Sequence[str]
) -> dict[str, float]:
    """Return the numbers of an epoch in the recipe's order, others last; Keras sorts them."""
    names = watchable(training, outputs)
    return {**{name: numbers[name] for name in names if name in numbers}, **numbers}


def losses_by_output(training: Training, outputs: Sequence[str]) -> Mapping[str, Any]:
    """Return the loss of each output that has one."""
    one_for_all = not is_by_output(training.loss)
    return dict.fromkeys(outputs, training.loss) if one_for_all else training.loss


def metrics_by_output(
    training: Training, outputs: Sequence[str], *, weighted: bool = False
) -> Mapping[str, Any]:
    """Return the metrics of each output; a list applies to every output with a loss.

    Outputs without a loss have no targets.

    Args:
        training: the section.
        outputs: the names of all outputs.
        weighted: whether to return ``weighted_metrics`` in place of ``metrics``.
    """
    written = (training.weighted_metrics or []) if weighted else training.metrics
    return _by_output(training, outputs, written)


def all_metrics_by_output(training: Training, outputs: Sequence[str]) -> Mapping[str, list[Any]]:
    """Return the metrics of each output, then those that take weights."""
    both = [metrics_by_output(training, outputs, weighted=each) for each in (False, True)]
    return {
        name: [metric for metrics in both for metric in metrics.get(name) or ()]
        for name in dict.fromkeys([*both[0], *both[1]])
    }


def _by_output(training: Training, outputs: Sequence[str], written: Any) -> Mapping[str, Any]:
    if isinstance(written, dict):
        return written
    return dict.fromkeys(losses_by_output(training, outputs), written)


def metric_name(metric: str | Mapping[str, Any]) -> str:
    """Return Keras's name of a metric: the word itself, or the ``name`` of a mapping.

    Without a name, it is the class's default name or the class in snake case. Keras would number
    such names over the whole process (``auc``, ``auc_1``), so that a second model had others.
    """
    if isinstance(metric, str):
        return metric
    given = metric.get("name") or family_defaults("metric", metric["type"]).get("name")
    return given or _snake_case(named_class("metric", metric["type"]))


def _snake_case(name: str) -> str:
    """Return `name` in snake case, as ``keras/src/utils/naming.py`` does."""
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()


def _metrics(
    training: Training, outputs: Sequence[str], written: Any
) -> Iterator[tuple[str, str, str | None]]:
    """Yield the output's prefix, the name and the direction of each metric."""
    by_output = _by_output(training, outputs, written or [])
    for output in outputs:
        prefix = f"{output}_" if len(outputs) > 1 else ""
        for metric in by_output.get(output) or []:
            kind = metric if isinstance(metric, str) else metric["type"]
            yield prefix, metric_name(metric), _direction(named_class("metric", kind))


def _direction(metric: str) -> str | None:
    if metric in WITHOUT_DIRECTION:
        return None
    return "max" if metric in LARGE_IS_GOOD else "min"
