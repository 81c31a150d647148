"""Metrics that read an output or its targets otherwise than the loss does."""

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
"""Metrics that compare with 0.5, or with thresholds between 0 and 1, unless told otherwise."""
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
ACCURACIES = frozenset(
    {"Accuracy", "BinaryAccuracy", "CategoricalAccuracy", "SparseCategoricalAccuracy"}
)


def check_metrics(checked: Checked) -> None:
    """W755, W756, W757, the first that holds of each metric."""
    for head in heads(checked):
        for metric in head.metrics:
            found = _of_logits(head, metric) or _of_others(head, metric) or _of_hits(head, metric)
            if found is not None:
                code, message, hint = found
                checked.document.warn(code, metric.path, message, hint=hint)


def _of_logits(head: Head, metric: Metric) -> tuple[str, str, str] | None:
    """W755: logits are taken for probabilities.

    Source: ``threshold=0.5`` of ``keras/src/metrics/accuracy_metrics.py``, and the like.
    """
    if head.loss not in BINARY or not head.from_logits or head.gives_probabilities:
        return None
    if metric.word == CHOSEN_BY_SHAPE:  # Keras takes BinaryAccuracy where there is one number
        if head.spec.shape[-1] != 1:
            return None
    elif metric.keras_class not in READ_PROBABILITIES or _is_told(metric):
        return None
    return (
        "W755",
        f"`{metric.word}` compares with probabilities, and '{head.output}' gives logits",
        f"write `activation: sigmoid` on '{head.node.layer}' and leave `from_logits` out, or tell "
        "the metric, such as `{type: binary_accuracy, threshold: 0.0}`",
    )


def _is_told(metric: Metric) -> bool:
    usual = family_defaults("metric", metric.word)
    told = ("threshold", "thresholds", "from_logits")
    return any(metric.arguments.get(key, usual.get(key)) != usual.get(key) for key in told)


def _of_others(head: Head, metric: Metric) -> tuple[str, str, str] | None:
    """W756: other targets are read than the loss reads."""
    name = metric_name({"type": metric.keras_class})
    if head.loss in SPARSE_LOSSES and metric.keras_class in OF_ONE_HOT:
        reads, loss, mend = "one number for each class", "the id of one class", f"sparse_{name}"
    elif head.loss in ONE_HOT_LOSSES and metric.keras_class in OF_IDS:
        reads, loss = "the id of one class", "one number for each class"
        mend = name.removeprefix("sparse_")
    elif head.loss in CATEGORICAL and metric.keras_class == "BinaryAccuracy":
        reads, loss = "each number as a yes or no of its own", "all of them as one choice"
        mend = "accuracy"
    else:
        return None
    message = f"`{metric.word}` reads {reads}, and the loss of '{head.output}', {head.loss}, {loss}"
    return "W756", message, f"write `{mend}`"


def _of_hits(head: Head, metric: Metric) -> tuple[str, str, str] | None:
    """W757: hits are counted of a number that is never hit exactly."""
    if metric.keras_class not in ACCURACIES or head.loss not in REGRESSIONS:
        return None
    if head.activation not in BEYOND_ONE:  # a squared error of probabilities is the Brier score
        return None
    message = (
        f"`{metric.word}` counts hits, and '{head.output}' is a number that {head.loss} brings "
        "near its target"
    )
    return "W757", message, "write `mae`, or another metric of distances"
