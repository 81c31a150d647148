"""The names that Keras gives to the numbers of an epoch, known without Keras."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from lstmgraph.keras_facts.catalogue import family_defaults, named_class

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from lstmgraph.language.declaration.recipe import Training

VALIDATION = "val_"
"""What stands before the name of a number of the validation data."""

CHOSEN_BY_SHAPE = "accuracy"
"""The metric that Keras chooses by the shapes of outputs and targets, given as this text alone."""

WITHOUT_DIRECTION = frozenset(
    {"FalseNegatives", "FalsePositives", "TrueNegatives", "TruePositives"}
)
"""Counts of which Keras does not say whether they should be small or large."""

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
"""Keras's classes that say so of themselves (``Metric._direction``)."""


def logged_names(training: Training, outputs: Sequence[str]) -> dict[str, str | None]:
    """Every number of an epoch by Keras's name for it, less those of the validation data.

    The value is ``min`` or ``max``, whichever is good; None where Keras does not say.
    Source: ``keras/src/trainers/compile_utils.py``.
    """
    names: dict[str, str | None] = {"loss": "min"}
    losses = [name for name in outputs if name in losses_by_output(training, outputs)]
    if len(losses) > 1:
        names |= {f"{name}_loss": "min" for name in losses}
    counts: dict[str, int] = {}
    for name, direction in _metrics(training, outputs):
        count = counts.get(name, 0)
        counts[name] = count + 1
        names[f"{name}_{count}" if count else name] = direction
    return names


def losses_by_output(training: Training, outputs: Sequence[str]) -> Mapping[str, Any]:
    """The loss of each output that has one."""
    one_for_all = not is_by_output(training.loss)
    return dict.fromkeys(outputs, training.loss) if one_for_all else training.loss


def metrics_by_output(training: Training, outputs: Sequence[str]) -> Mapping[str, Any]:
    """The metrics of each output; a list is for every output that has a loss.

    The others have no targets.
    """
    written = training.metrics
    if isinstance(written, dict):
        return written
    return dict.fromkeys(losses_by_output(training, outputs), written)


def is_by_output(loss: Any) -> bool:
    """Whether `loss` is a mapping from outputs to losses, and not one loss for all."""
    return isinstance(loss, dict) and "type" not in loss


def metric_name(metric: str | Mapping[str, Any]) -> str:
    """What Keras calls a metric: the word itself, or the name that a mapping gives it.

    Where none does, the class's default, or the class in small letters: Keras would count those
    over the whole process (``auc``, ``auc_1``), so that a second model had other names.
    """
    if isinstance(metric, str):
        return metric
    given = metric.get("name") or family_defaults("metric", metric["type"]).get("name")
    return given or _snake_case(named_class("metric", metric["type"]))


def _snake_case(name: str) -> str:
    """As ``keras/src/utils/naming.py`` does it."""
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()


def _metrics(training: Training, outputs: Sequence[str]) -> Iterator[tuple[str, str | None]]:
    by_output = metrics_by_output(training, outputs)
    for output in outputs:
        prefix = f"{output}_" if len(outputs) > 1 else ""
        for metric in by_output.get(output) or []:
            kind = metric if isinstance(metric, str) else metric["type"]
            yield f"{prefix}{metric_name(metric)}", _direction(named_class("metric", kind))


def _direction(metric: str) -> str | None:
    if metric in WITHOUT_DIRECTION:
        return None
    return "max" if metric in LARGE_IS_GOOD else "min"
