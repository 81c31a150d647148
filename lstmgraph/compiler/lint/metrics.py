"""Warn of metrics that read an output or its targets differently from the loss."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lstmgraph.compiler.checks.data_needs import SPARSE_LOSSES
from lstmgraph.compiler.checks.metric_names import CHOSEN_BY_SHAPE, metric_name
from lstmgraph.compiler.lint.heads import BEYOND_ONE, BINARY, CATEGORICAL, ONE_HOT_LOSSES, heads
from lstmgraph.keras_facts.catalogue import family_defaults

if TYPE_CHECKING:
    from lstmgraph.compiler.lint.checked import Checked
    from lstmgraph.compiler.lint.heads import Head, Metric

REGRESSIONS = frozenset(
    {
        "Huber",
        "LogCosh",
        "MeanAbsoluteError",
        "MeanAbsolutePercentageError",
        "MeanSquaredError",
        "MeanSquaredLogarithmicError",
    }
)
READ_PROBABILITIES = frozenset(
    {
        "AUC",
        "BinaryAccuracy",
        "BinaryIoU",
        "FalseNegatives",
        "FalsePositives",
        "Precision",
        "Recall",
        "TrueNegatives",
        "TruePositives",
    }
)
"""Metrics whose default thresholds are between 0 and 1."""
OF_IDS = frozenset(
    {
        "SparseCategoricalAccuracy",
        "SparseCategoricalCrossentropy",
        "SparseTopKCategoricalAccuracy",
    }
)
OF_ONE_HOT = frozenset(
    {"CategoricalAccuracy", "CategoricalCrossentropy", "TopKCategoricalAccuracy"}
)
OF_EITHER = frozenset({"Accuracy", "BinaryAccuracy", "IoU", "MeanIoU"})
"""Metrics that compare ids, or have a warning of their own."""
CORRELATIONS = frozenset({"ConcordanceCorrelation", "CosineSimilarity", "PearsonCorrelation"})
"""Metrics over the numbers of one row or step, as their `axis` is the last."""
ACCURACIES = frozenset(
    {"Accuracy", "BinaryAccuracy", "CategoricalAccuracy", "SparseCategoricalAccuracy"}
)


def check_metrics(checked: Checked) -> None:
    """Warn of each metric with the first of W755, W756, W757 and W759 that applies."""
    for head in heads(checked):
        for metric in head.metrics:
            warning = (
                _logits_warning(head, metric)
                or _targets_warning(head, metric)
                or _hits_warning(head, metric)
                or _correlation_warning(head, metric)
            )
            if warning is not None:
                code, message, hint = warning
                checked.document.warn(code, metric.path, message, hint=hint)


def _logits_warning(head: Head, metric: Metric) -> tuple[str, str, str] | None:
    """Return W755 if the metric takes logits for probabilities.

    Source: ``threshold=0.5`` of ``keras/src/metrics/accuracy_metrics.py`` and others.
    """
    if head.loss not in BINARY or not head.from_logits or head.gives_probabilities:
        return None
    if metric.word == CHOSEN_BY_SHAPE:  # Keras chooses BinaryAccuracy for a single number
        if head.spec.shape[-1] != 1:
            return None
    elif metric.keras_class not in READ_PROBABILITIES or _has_own_threshold(metric):
        return None
    return (
        "W755",
        f"`{metric.word}` takes probabilities, but '{head.output}' gives logits",
        f"write `activation: sigmoid` for '{head.node.layer}' and leave `from_logits` out, or set "
        "a threshold for logits, such as `{type: binary_accuracy, threshold: 0.0}`",
    )


def _has_own_threshold(metric: Metric) -> bool:
    defaults = family_defaults("metric", metric.word)
    keys = ("threshold", "thresholds", "from_logits")
    return any(metric.arguments.get(key, defaults.get(key)) != defaults.get(key) for key in keys)


def _targets_warning(head: Head, metric: Metric) -> tuple[str, str, str] | None:
    """Return W756 if the metric reads other targets than the loss."""
    name = metric_name({"type": metric.keras_class})
    if head.loss in SPARSE_LOSSES and metric.keras_class in OF_ONE_HOT:
        reads, loss, fix = "one number for each class", "the id of one class", f"sparse_{name}"
    elif head.loss in SPARSE_LOSSES and metric.keras_class not in OF_IDS | OF_EITHER:
        message = (
            f"`{metric.word}` reads one number for each class, but the loss of '{head.output}', "
            f"{head.loss}, the id of one class"
        )
        hint = "write `accuracy`; or give one-hot targets, with `loss: categorical_crossentropy`"
        return "W756", message, hint
    elif head.loss in ONE_HOT_LOSSES and metric.keras_class in OF_IDS:
        reads, loss = "the id of one class", "one number for each class"
        fix = name.removeprefix("sparse_")
    elif head.loss in CATEGORICAL and metric.keras_class == "BinaryAccuracy":
        reads, loss = "each number as a yes or no of its own", "all of them as one choice"
        fix = "accuracy"
    else:
        return None
    message = f"`{metric.word}` reads {reads}, but the loss of '{head.output}', {head.loss}, {loss}"
    return "W756", message, f"write `{fix}`"


def _hits_warning(head: Head, metric: Metric) -> tuple[str, str, str] | None:
    """Return W757 if the metric counts exact matches of a continuous number."""
    if metric.keras_class not in ACCURACIES or head.loss not in REGRESSIONS:
        return None
    if head.activation not in BEYOND_ONE:  # a squared error of probabilities is the Brier score
        return None
    message = (
        f"`{metric.word}` counts exact matches, but '{head.output}' is a number that {head.loss} "
        "only brings near its target"
    )
    return "W757", message, "write `mae`, or another metric of distance"


def _correlation_warning(head: Head, metric: Metric) -> tuple[str, str, str] | None:
    """Return W759 if the metric correlates the numbers of a row, and there is one.

    Source: ``axis=-1`` of ``keras/src/metrics/correlation_metrics.py`` and of CosineSimilarity.
    """
    if metric.keras_class not in CORRELATIONS or head.spec.shape[-1] != 1:
        return None
    message = (
        f"`{metric.word}` compares the numbers of one row with each other, but '{head.output}' has "
        "one number"
    )
    return "W759", message, "write `r2_score`, which compares the rows"
