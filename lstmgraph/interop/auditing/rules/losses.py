"""Losses and metrics that count padded steps, or cannot be computed of an output."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lstmgraph.interop.auditing.finding import Finding
from lstmgraph.interop.auditing.flow import has_steps, output_name
from lstmgraph.interop.auditing.subject import place, recurrence, titled
from lstmgraph.interop.keras_masks import RECURRENT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from lstmgraph.interop.auditing.subject import Subject
    from lstmgraph.interop.keras_masks import CallMasks

COUNT_PADDING = frozenset(
    {"AUC", "BinaryIoU", "FalseNegatives", "FalsePositives", "IoU", "MeanIoU", "OneHotIoU"}
    | {"OneHotMeanIoU", "Precision", "PrecisionAtRecall", "Recall", "RecallAtPrecision"}
    | {"RootMeanSquaredError", "SensitivityAtSpecificity", "SpecificityAtSensitivity"}
    | {"TrueNegatives", "TruePositives", "PearsonCorrelation", "ConcordanceCorrelation"}
    | {"F1Score", "FBetaScore", "R2Score"}
)
"""Metrics that do not weight values by step, so that the mask does not reach them."""
REFUSE = frozenset({"F1Score", "FBetaScore", "R2Score"})
"""Those of them that fail on sequences."""
LOSSES = frozenset({"CTC", "Dice", "Tversky"})
CORRELATIONS = frozenset({"PearsonCorrelation", "ConcordanceCorrelation"})
METRIC = "metric = keras.metrics.MeanMetricWrapper(fn)  # fn returns one number for each step"


def padding(subject: Subject) -> Iterator[Finding]:
    """Find losses and metrics of masked outputs that count padded steps (A151)."""
    for index, _ in enumerate(subject.ends):
        if index >= len(subject.masks.outputs) or subject.masks.outputs[index] is None:
            continue
        for kind, each in _compiled(subject, index):
            name = class_name(each)
            if name not in (LOSSES if kind == "loss" else COUNT_PADDING):
                continue
            fails = name in REFUSE
            output = output_name(subject, subject.ends[index])
            what = "counts padded steps too: it does not weight values by step"
            if name == "CTC":
                what = "takes the mask of steps for one of rows: it fails, or weights wrong rows"
            elif fails:
                what = "refuses sequences, masked or not, when it runs"
            yield Finding(
                "A151",
                output,
                "certain",
                f"the {kind} {name} of the masked output '{output}' {what}",
                "padded steps do not count, as in the loss"
                if kind == "metric"
                else "padded steps do not count",
                METRIC if kind == "metric" else 'model.compile(loss="binary_crossentropy")',
                f"training: {{{_said(kind, output, name)}}}  # leaves padded steps out",
            )


def _said(kind: str, output: str, name: str) -> str:
    word = _snake(name)
    return f"metrics: {{{output}: [{word}]}}" if kind == "metric" else f"loss: {word}"


def correlations(subject: Subject) -> Iterator[Finding]:
    """Find correlations over an axis of one number (A153)."""
    for index, key in enumerate(subject.ends):
        shape = subject.shape(key)
        for kind, each in _compiled(subject, index):
            if kind != "metric" or class_name(each) not in CORRELATIONS:
                continue
            axis = (each.get("config") or {}).get("axis", -1) if isinstance(each, dict) else -1
            if axis in (-1, len(shape or ()) - 1) and shape and shape[-1] == 1:
                output = output_name(subject, key)
                yield Finding(
                    "A153",
                    output,
                    "certain",
                    f"the metric {class_name(each)} of output '{output}' is NaN: it correlates "
                    "along the last axis, which has one number",
                    "predictions are correlated with targets over the batch",
                    f"keras.metrics.{class_name(each)}(axis=0)",
                    f"training: {{metrics: {{{output}: [mae]}}}}",
                )


def weights(subject: Subject) -> Iterator[Finding]:
    """Find metrics that sample weights would not reach, of sequences without a mask (A152)."""
    compiled = subject.model.compile or {}
    if compiled.get("weighted_metrics") or not compiled.get("metrics"):
        return
    if not any(each.used for each in subject.calls):
        return
    for index, key in enumerate(subject.ends):
        masked = index < len(subject.masks.outputs) and subject.masks.outputs[index]
        named = [_snake(class_name(each)) for each in _of(compiled["metrics"], subject, index)]
        if not masked and has_steps(subject, key) and named:
            output = output_name(subject, key)
            yield Finding(
                "A152",
                output,
                "possible",
                f"the metrics of output '{output}' count padded steps: it has no mask, and a "
                "`sample_weight` reaches only `weighted_metrics`",
                "weights hold for metrics as they do for the loss",
                f"model.compile(optimizer, loss, weighted_metrics={named})",
                f"training: {{metrics: {{{output}: [{', '.join(named)}]}}}}  # weighted too",
            )


def regularizers(subject: Subject) -> Iterator[Finding]:
    """Find activity regularizers of masked outputs (A154)."""
    for each in subject.calls:
        config = each.layer.config
        if each.layer.type in RECURRENT and not each.layer.is_operation:
            config = recurrence(each).config
            if config.get("zero_output_for_mask") or each.layer.type == "Bidirectional":
                continue
        masked = any(each.outputs)
        if masked and config.get("activity_regularizer") and not each.layer.is_operation:
            yield _regularized(each, config["activity_regularizer"])


def _regularized(each: CallMasks, regularizer: Any) -> Finding:
    config = regularizer.get("config") if isinstance(regularizer, dict) else None
    rates = {k: v for k, v in (config or {"l2": 0.01}).items() if k in ("l1", "l2") and v}
    python = ", ".join(f"{key}={value}" for key, value in rates.items())
    own = "".join(f", {key}: {value}" for key, value in rates.items())
    return Finding(
        "A154",
        place(each),
        "certain",
        f"the activity regularizer of {titled(each)} counts padded steps: it is given the output, "
        "not the mask",
        "only steps that count are regularized",
        f"y = keras.layers.ActivityRegularization({python})(masked_zeros)",
        f"regularized: {{type: activity_regularization, input: {each.layer.name}{own}}}",
    )


def class_name(each: Any) -> str:
    """Return the Keras class of a loss or metric in a compile configuration."""
    if isinstance(each, dict):
        each = each.get("config") if each.get("class_name") == "function" else each["class_name"]
    text = str(each)
    return _CLASSES.get(text.replace("_", "").lower(), text)


_CLASSES: Mapping[str, str] = {name.lower(): name for name in (*COUNT_PADDING, *LOSSES)}


def _compiled(subject: Subject, index: int) -> Iterator[tuple[str, Any]]:
    """Yield the losses and metrics of an output, each with what it is."""
    compiled = subject.model.compile or {}
    for each in _of(compiled.get("loss"), subject, index):
        yield "loss", each
    for name in ("metrics", "weighted_metrics"):
        for each in _of(compiled.get(name), subject, index):
            yield "metric", each


def _of(value: Any, subject: Subject, index: int) -> list[Any]:
    """Return what a compile argument says of one output: it is one value, a list or a mapping."""
    if value is None:
        return []
    if isinstance(value, dict) and "class_name" not in value:
        return _listed(value.get(output_name(subject, subject.ends[index])))
    if isinstance(value, (list, tuple)):
        if len(subject.ends) == 1:
            return [item for each in value for item in _listed(each)]
        return _listed(value[index]) if index < len(value) else []
    return [value] if index == 0 or len(subject.ends) == 1 else []


def _listed(value: Any) -> list[Any]:
    if value is None:
        return []
    return list(value) if isinstance(value, (list, tuple)) else [value]


def _snake(name: str) -> str:
    out = ""
    for index, letter in enumerate(name):
        after = name[index + 1 : index + 2]
        new = letter.isupper() and index and (name[index - 1].islower() or after.islower())
        out += ("_" if new else "") + letter.lower()
    return out


RULES = (padding, correlations, weights, regularizers)
