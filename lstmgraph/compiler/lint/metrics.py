"""Warn of metrics that read an output differently from the loss."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lstmgraph.compiler.checks.heads import BEYOND_ONE, BINARY, CATEGORICAL, heads
from lstmgraph.compiler.checks.metric_names import CHOSEN_BY_SHAPE
from lstmgraph.keras_facts.targets import CHANCES

if TYPE_CHECKING:
    from lstmgraph.compiler.checks.heads import Entry, Head
    from lstmgraph.compiler.lint.checked import Checked

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
BY_ITSELF = frozenset({"BinaryAccuracy", "BinaryIoU"})
"""Metrics of yes or no for each number."""
ACCURACIES = frozenset(
    {"Accuracy", "BinaryAccuracy", "CategoricalAccuracy", "SparseCategoricalAccuracy"}
)


def check_metrics(checked: Checked) -> None:
    """Warn of each metric with the first of W755, W756 and W757 that applies."""
    for head in heads(checked.recipe, checked.graph):
        for metric in head.metrics:
            warning = (
                _hits_warning(head, metric)
                or _logits_warning(head, metric)
                or _choice_warning(head, metric)
            )
            if warning is not None:
                code, message, hint = warning
                checked.document.warn(code, metric.path, message, hint=hint)


def _logits_warning(head: Head, metric: Entry) -> tuple[str, str, str] | None:
    """Return W755 if the metric takes other numbers for probabilities, W751 for the opposite.

    Source: ``threshold=0.5`` of ``keras/src/metrics/accuracy_metrics.py`` and others.
    """
    if metric.arguments.get("from_logits") and head.gives_probabilities:
        message = (
            f"`{metric.word}` takes logits, but '{head.output}' gives probabilities "
            f"({head.activation})"
        )
        return "W751", message, "remove `from_logits: true`"
    what = "gives logits" if head.from_logits else f"gives other numbers ({head.activation})"
    if metric.word == CHOSEN_BY_SHAPE:  # Keras chooses BinaryAccuracy for a single number
        if head.loss not in BINARY or not head.from_logits or head.spec.shape[-1] != 1:
            return None
    elif metric.reading.values != CHANCES:
        return None
    if head.activation not in BEYOND_ONE:
        return None
    return (
        "W755",
        f"`{metric.word}` takes probabilities, but '{head.output}' {what}",
        f"write `activation: sigmoid` for '{head.node.weights_layer}' and leave `from_logits` out, "
        "or set a threshold for logits, such as `{type: binary_accuracy, threshold: 0.0}`",
    )


def _choice_warning(head: Head, metric: Entry) -> tuple[str, str, str] | None:
    """Return W756 if the metric reads each of several exclusive classes by itself."""
    if head.loss not in CATEGORICAL or metric.keras_class not in BY_ITSELF:
        return None
    message = (
        f"`{metric.word}` reads each number as a yes or no of its own, but the loss of "
        f"'{head.output}', {head.loss}, all of them as one choice"
    )
    return "W756", message, "write `accuracy`"


def _hits_warning(head: Head, metric: Entry) -> tuple[str, str, str] | None:
    """Return W757 if the metric counts exact matches of a continuous number."""
    exact = metric.keras_class == "Accuracy" and metric.arguments != {"type": CHOSEN_BY_SHAPE}
    if exact and head.gives_probabilities:
        message = (
            f"`{metric.word}` with arguments counts exact matches, but '{head.output}' gives "
            f"probabilities ({head.activation})"
        )
        several = head.spec.shape[-1] != 1 and head.loss not in BINARY
        return "W757", message, f"write `type: {'categorical' if several else 'binary'}_accuracy`"
    if metric.keras_class not in ACCURACIES or head.loss not in REGRESSIONS:
        return None
    if head.activation not in BEYOND_ONE:  # a squared error of probabilities is the Brier score
        return None
    message = (
        f"`{metric.word}` counts exact matches, but '{head.output}' is a number that {head.loss} "
        "only brings near its target"
    )
    return "W757", message, "write `mae`, or another metric of distance"
