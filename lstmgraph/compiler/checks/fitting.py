"""Check that losses and metrics fit the outputs, and each other's targets."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from lstmgraph.compiler.checks.heads import (
    BELOW_ZERO,
    BINARY,
    PROBABILITIES,
    Entry,
    Head,
    read_outputs,
    with_activation,
)
from lstmgraph.compiler.checks.metric_names import CHOSEN_BY_SHAPE, metric_name
from lstmgraph.compiler.graph import LAST, SEQUENCE
from lstmgraph.keras_facts.distributions import (
    MEDIAN,
    OF_COUNTS,
    PARAMETERS,
    SCORED,
    distribution_of,
    ends_of,
    numbers_of,
    point_of,
    quantiles_of,
)
from lstmgraph.keras_facts.targets import (
    DIRECTIONS,
    GROUPS,
    IDS,
    LABELS,
    LOGITS,
    NUMBERS,
    OF_POINTS,
    OWN_IDS,
    POSITIVE,
    RANKS,
    VALUES,
    arguments_of,
    span,
)
from lstmgraph.messages.wording import listed

if TYPE_CHECKING:
    from lstmgraph.compiler.graph import Graph
    from lstmgraph.language.declaration.recipe import RecipeDeclaration
    from lstmgraph.language.text.document import Document
    from lstmgraph.messages.diagnostics import Note

Mistake = tuple[str, str, str, str | None]
"""Code, message and fix, and the key below the loss or metric that is wrong."""

TARGETS = {
    NUMBERS: "one number for each unit",
    IDS: "the id of one class",
    LABELS: "a sequence of ids",
    GROUPS: "one id for each row",
    VALUES: "one number for all units, which are quantiles or parameters of a distribution",
}
BINARY_METRICS = {
    **dict.fromkeys(("IoU", "MeanIoU", "OneHotIoU", "OneHotMeanIoU"), "binary_io_u"),
    **dict.fromkeys(
        ("CategoricalCrossentropy", "SparseCategoricalCrossentropy"), "binary_crossentropy"
    ),
}
"""The metric of a yes or no for each metric of several classes; `accuracy` for the others."""
CORRELATIONS = frozenset({"ConcordanceCorrelation", "CosineSimilarity", "PearsonCorrelation"})
"""Metrics over the numbers of one row or step, as their `axis` is the last."""


def check_fitting(recipe: RecipeDeclaration, graph: Graph, document: Document) -> frozenset[str]:
    """Report (L785 to L797) losses and metrics that cannot read their outputs or targets.

    Returns:
        The outputs that need another loss, with which their metrics may be right.
    """
    refused = set()
    for head in read_outputs(recipe, graph):
        entries = [*([head.loss_entry] if head.loss_entry else []), *head.metrics]
        leading = head.loss_entry or next((e for e in entries if not _follows(e)), None)
        led = _own_mistake(head, leading) if leading else None
        if leading and led and leading is head.loss_entry and _wants_another_loss(leading, led):
            refused.add(head.output)
        for entry in entries:
            mistake = None
            if leading is not None and entry is not leading and head.output not in refused:
                mistake = _target_mistake(head, entry, leading)
            mistake = mistake or _own_mistake(head, entry)
            if mistake is not None:
                _report(document, entry, leading, mistake)
    return frozenset(refused)


def _wants_another_loss(loss: Entry, mistake: Mistake) -> bool:
    return mistake[0] in ("L786", "L787") or (mistake[0] == "L788" and loss.keras_class in BINARY)


def _report(document: Document, entry: Entry, leading: Entry | None, mistake: Mistake) -> None:
    code, message, hint, key = mistake
    notes: tuple[Note, ...] = ()
    if code == "L785" and leading is not None:
        what = "loss" if leading.family == "loss" else "first metric"
        notes = (document.note(leading.path, f"the {what} is here"),)
    path = entry.path if key is None or key not in entry.arguments else (*entry.path, key)
    document.report(code, path, message, hint=hint, notes=notes)


def _follows(entry: Entry) -> bool:
    """Return whether Keras chooses the metric by the targets."""
    return entry.arguments == {"type": CHOSEN_BY_SHAPE} and entry.family == "metric"


def _target_mistake(head: Head, entry: Entry, leading: Entry) -> Mistake | None:
    """Return L785 if a metric reads other targets than the loss."""
    given, read = leading.reading.targets, entry.reading.targets
    if given == read or (_follows(entry) and given in (NUMBERS, IDS)):
        return None
    if given == VALUES and entry.keras_class in OF_POINTS:
        return None
    what = "loss" if leading.family == "loss" else "first metric"
    message = (
        f"`{entry.word}` reads {TARGETS[read]}, but the {what} of '{head.output}', "
        f"`{leading.word}`, reads {TARGETS[given]}"
    )
    return "L785", message, _target_hint(head, entry, given), None


def _target_hint(head: Head, entry: Entry, given: str) -> str:
    name = metric_name({"type": entry.keras_class})
    if given == IDS:
        if entry.keras_class == "Accuracy":  # a mapping: the word alone follows the targets
            return "write `type: sparse_categorical_accuracy`"
        if entry.keras_class in ("IoU", "MeanIoU"):
            return "write `sparse_y_pred: false`, and leave `sparse_y_true` out"
        sparse = f"sparse_{name}"
        if sparse in (
            "sparse_categorical_accuracy",
            "sparse_categorical_crossentropy",
            "sparse_top_k_categorical_accuracy",
        ):
            return f"write `{sparse}`"
        return "write `accuracy`; or give one-hot targets, with `loss: categorical_crossentropy`"
    if given == VALUES:
        return "write `mae`, `smape`, `crps`, `coverage` or `weighted_quantile_loss`"
    if given == NUMBERS and entry.reading.targets == VALUES:
        return "write `mae`, or a loss of quantiles: `{type: pinball, quantiles: [0.1, 0.5, 0.9]}`"
    if given == NUMBERS:
        if head.spec.shape[-1] == 1:
            return f"write `{BINARY_METRICS.get(entry.keras_class, 'accuracy')}`"
        if name.startswith("sparse_"):
            return f"write `{name.removeprefix('sparse_')}`"
        return "write `sparse_y_true: false`"
    return "leave it out: no metric reads these targets"


def _own_mistake(head: Head, entry: Entry) -> Mistake | None:
    if _follows(entry):
        return None
    return (
        _rank_mistake(head, entry)
        or _unit_mistake(head, entry)
        or _value_mistake(head, entry)
        or _axis_mistake(head, entry)
        or _class_mistake(head, entry)
        or _several_mistake(entry)
        or _adjusted_mistake(entry)
        or _numbers_mistake(head, entry)
        or _score_mistake(head, entry)
    )


def _rank_mistake(head: Head, entry: Entry) -> Mistake | None:
    """Return L787 if a loss takes outputs of another rank alone."""
    rank = RANKS.get(entry.keras_class) if entry.family == "loss" else None
    if rank is None or rank == len(head.spec.shape):
        return None
    wanted, what, port, rest = (
        ("sequences", "a sequence", SEQUENCE, "")
        if rank == 3
        else ("one vector for each row", "the last step", LAST, ", or a pooling")
    )
    layer, read = head.source.layer, head.source.inputs[0]
    own = read.output in (SEQUENCE, LAST)  # of a recurrent layer
    where = f"`input: {replace(read, output=port)}` in '{layer}'"
    hint = f"write {where}{rest}" if own else f"let '{layer}' read {what}{rest}"
    message = (
        f"`{entry.word}` takes {wanted}, but '{head.output}' has shape {_text(head.spec.shape)}"
    )
    return "L787", message, hint, None


def _unit_mistake(head: Head, entry: Entry) -> Mistake | None:
    """Return L786 if a loss or metric compares the numbers of a row, and there is one."""
    if head.spec.shape[-1] != 1:
        return None
    if entry.keras_class in ("F1Score", "FBetaScore") and not entry.arguments.get("threshold"):
        average = entry.arguments.get("average") or "macro"
        message = (
            f"without a threshold, `{entry.word}` takes the largest number of each row for a yes; "
            f"'{head.output}' has one number, so every row is a yes"
        )
        word = metric_name({"type": entry.keras_class})
        hint = f"write `{{type: {word}, average: {average}, threshold: 0.5}}`"
        return "L786", message, hint, None
    if entry.reading.fewest < 2:
        return None
    message = f"`{entry.word}` needs several numbers, but '{head.output}' has one"
    if entry.keras_class in CORRELATIONS and entry.family == "metric":
        message = (
            f"`{entry.word}` compares the numbers of one row with each other, but '{head.output}' "
            "has one number"
        )
        return "L786", message, "write `r2_score`, which compares the rows", None
    more = f"give '{head.node.weights_layer}' one number for each class"
    if entry.family == "metric":
        word = BINARY_METRICS.get(entry.keras_class, "accuracy")
        return "L786", message, f"write `{word}`, or {more}", None
    if entry.keras_class == "CosineSimilarity":
        return "L786", message, "write `mse`", None
    if entry.keras_class in ("CTC", "Circle"):
        return "L786", message, f"give '{head.node.weights_layer}' more units", None
    fix = f"write `binary_crossentropy` with `activation: sigmoid`, or {more}"
    return "L786", message, fix, None


def _value_mistake(head: Head, entry: Entry) -> Mistake | None:
    """Return L788 if no value of the output makes sense to a loss or metric, or some give NaN."""
    values, activation = entry.reading.values, head.activation
    what = f"'{head.output}' gives"
    if values == LOGITS and activation in PROBABILITIES:
        message = f"`{entry.word}` takes logits, but {what} probabilities ({activation})"
        return "L788", message, f"leave out the activation of '{head.node.weights_layer}'", None
    if values == POSITIVE and activation in BELOW_ZERO:
        message = (
            f"`{entry.word}` takes the logarithm of the output, but {what} numbers below 0 "
            f"({activation}), of which it is NaN"
        )
        return "L788", message, with_activation(head.node, "softplus"), None
    if entry.keras_class in BINARY and activation == "softmax" and head.spec.shape[-1] != 1:
        message = (
            f"`{entry.word}` takes the probabilities of a sigmoid, but {what} those of a softmax, "
            "whose logits Keras would read as a sigmoid's"
        )
        choice = "`accuracy`" if entry.family == "metric" else "`categorical_crossentropy`"
        hint = f"write {choice}, or `activation: sigmoid` for '{head.node.weights_layer}'"
        return "L788", message, hint, None
    if values == OWN_IDS and activation in PROBABILITIES:
        message = (
            f"`{entry.word}` takes the number of a class, but {what} probabilities ({activation}), "
            "which are all class 0"
        )
        return "L788", message, _id_fix(head, entry), None
    if values == DIRECTIONS and head.node.op != "UnitNormalization":
        message = f"`{entry.word}` takes vectors of length 1, but '{head.output}' has any length"
        return "L788", message, "add a layer of `type: unit_normalization` behind it", None
    return None


def _id_fix(head: Head, entry: Entry) -> str:
    if head.spec.shape[-1] == 1 and entry.keras_class in BINARY_METRICS:
        return "write `binary_io_u`, which compares a probability with a threshold"
    if entry.keras_class in ("IoU", "MeanIoU"):
        return "write `sparse_y_pred: false`; with one-hot targets `sparse_y_true: false` too"
    return "leave out `sparse_y_pred` and `from_sorted_ids`"


def _axis_mistake(head: Head, entry: Entry) -> Mistake | None:
    """Return L789 if the axis is one over which steps, or rows, would be mixed."""
    arguments, rank = arguments_of(entry.family, entry.arguments), len(head.spec.shape)
    if "axis" not in arguments:
        return None
    axis = arguments["axis"]
    if entry.family == "metric":
        fits, hint = axis == -1, "write `axis: -1`, the default"
    else:
        fits = span(entry.keras_class, axis, rank) is not None
        steps = f"`axis: {list(range(1, rank))}` for one number a row, `axis: -1` for one a step"
        hint = steps if entry.keras_class in ("Dice", "Tversky") else "write `axis: -1`"
    if fits:
        return None
    message = f"`{entry.word}` over axis {axis} of {_text(head.spec.shape)} mixes what is counted"
    return "L789", f"{message} with padding or with other rows", hint, "axis"


def _class_mistake(head: Head, entry: Entry) -> Mistake | None:
    """Return L790 if an argument names more classes, or others, than the output has."""
    arguments = arguments_of(entry.family, entry.arguments)
    units = head.spec.shape[-1]
    if not isinstance(units, int):
        return None
    classes, sparse = arguments.get("num_classes"), arguments.get("sparse_y_pred", True)
    if classes is not None and max(arguments.get("target_class_ids", [0])) >= classes:
        return _beyond("target_class_ids", f"can be 0 to {classes - 1}, as `num_classes` says")
    if classes is not None and not sparse and classes != units:
        return _beyond("num_classes", f"must be {units}: '{head.output}' has {units} numbers")
    if sparse and not arguments.get("sparse_y_true", "sparse_y_pred" not in arguments):
        return _beyond("sparse_y_pred", "needs targets that are ids too, not one-hot")
    for key, most in (("class_id", units - 1), ("top_k", units), ("k", units - 1)):
        value = arguments.get(key)
        if value is not None and value > most:
            has = f"'{head.output}' has {units} number{'s' if units > 1 else ''}"
            fix = f"write `{key}: {most}` or less" if most else f"leave `{key}` out"
            if most and key not in entry.arguments:
                word = metric_name({"type": entry.keras_class})
                fix = f"write `{{type: {word}, {key}: {most}}}`"
            return _beyond(key, f"can be at most {most}, not {value}: {has}", fix)
    labels = arguments.get("label_weights")
    if labels is not None and len(labels) != units:
        return _beyond("label_weights", f"must be {units}: '{head.output}' has {units} numbers")
    number = arguments.get("num_labels")
    if number is not None and (number != units or not arguments["multi_label"]):
        fix = f"write `multi_label: true, num_labels: {units}`"
        return _beyond("num_labels", f"must be {units}, with `multi_label: true`", fix)
    return None


def _beyond(key: str, text: str, fix: str | None = None) -> Mistake:
    return "L790", f"`{key}` {text}", fix or f"change `{key}:`", key


def _several_mistake(entry: Entry) -> Mistake | None:
    """Return L791 if a metric is several numbers, of which a training logs one."""
    arguments = arguments_of(entry.family, entry.arguments)
    if arguments.get("average", "") is None:
        word = metric_name({"type": entry.keras_class})
        message, hint = "is one number for each class", f"write `{{type: {word}, average: macro}}`"
        key = None
    elif arguments.get("class_aggregation", "") is None:
        message, hint = "is one number for each unit", "leave `class_aggregation` out"
        key = "class_aggregation"
    elif entry.keras_class != "AUC" and _several(arguments.get("thresholds")):
        message, hint = "is one number for each threshold", "write one metric for each threshold"
        key = "thresholds"
    else:
        return None
    return "L791", f"`{entry.word}` {message}, but a training logs one", hint, key


def _adjusted_mistake(entry: Entry) -> Mistake | None:
    """Return L792 for an adjusted R2, which fails in the graph of a training.

    Source: ``result`` of ``keras/src/metrics/regression_metrics.py``.
    """
    if not entry.arguments.get("num_regressors"):
        return None
    message = f"Keras cannot compute an adjusted `{entry.word}` while a model is trained"
    hint = "leave `num_regressors` out, and adjust what is logged: 1 - (1 - r2)(n - 1)/(n - p - 1)"
    return "L792", message, hint, "num_regressors"


def _numbers_mistake(head: Head, entry: Entry) -> Mistake | None:
    """Return L796 if an output has other numbers than its quantiles or parameters."""
    numbers = numbers_of(entry.arguments) if entry.family == "loss" else None
    if numbers is None:
        return None
    quantiles = quantiles_of(entry.arguments)
    if quantiles and quantiles != sorted(quantiles):
        hint = f"write `quantiles: {sorted(quantiles)}`"
        return "L796", "the quantiles are not in order, as the output gives them", hint, "quantiles"
    units = head.spec.shape[-1]
    if units == numbers:
        return None
    what = f"{numbers} quantile{'s' if numbers > 1 else ''}"
    if not quantiles:
        distribution = str(distribution_of(entry.arguments))
        what = f"the parameters of {distribution}: {listed(list(PARAMETERS[distribution]))}"
    given = "1 number" if units == 1 else f"{units} numbers"
    message = f"'{head.output}' has {given} on its last axis, not {what}"
    hint = f"give '{head.own_layer}' `units: {numbers}`"
    if len(head.spec.shape) == 2 and isinstance(units, int) and units > 1:
        hint += (
            f", or for {units} steps ahead `units: {units * numbers}`, with a layer "
            f"`{{type: reshape, target_shape: [{units}, {numbers}]}}` behind it"
        )
    return "L796", message, hint, None


def _score_mistake(head: Head, entry: Entry) -> Mistake | None:
    """Return L797 if a metric cannot be computed of the quantiles or distribution of its output."""
    if entry.family == "loss":
        return None
    loss = head.loss_entry.arguments if head.loss_entry else None
    distribution, quantiles = distribution_of(loss), quantiles_of(loss)
    if entry.reading.targets != VALUES:
        if not quantiles or point_of(loss) is not None or entry.keras_class not in OF_POINTS:
            return None
        message = f"`{entry.word}` reads the median, which is not among the quantiles"
        hint = f"write `quantiles: {sorted([*quantiles, MEDIAN])}`, and one unit more"
        return "L797", message, hint, None
    if loss is None:
        message = f"`{entry.word}` reads what a loss says of '{head.output}', which has no loss"
        hint = "give it one: `{type: pinball, quantiles: [0.1, 0.5, 0.9]}`"
        return "L797", message, hint, None
    level = entry.arguments.get("level")
    if level and quantiles and ends_of(level, quantiles) is None:
        ends = [round((1 - level) / 2, 9), round((1 + level) / 2, 9)]
        message = f"there are no quantiles {ends[0]} and {ends[1]} around an interval of {level}"
        hint = "leave `level` out for the interval from the first to the last quantile"
        return "L797", message, hint, "level"
    if distribution is None or distribution in SCORED.get(entry.keras_class, ()):
        return None
    of = " and of ".join(["quantiles", *SCORED.get(entry.keras_class, ())])
    message = f"`{entry.word}` is known of {of}, not of {distribution}"
    hint = "write `mae`, which reads the mean, or use `loss: {type: pinball, ...}`"
    if distribution in OF_COUNTS and entry.keras_class in SCORED:  # which needs SciPy
        hint = (
            f"write `mae`, which reads the mean; `lstmgraph evaluate` gives {entry.word} of counts"
        )
    return "L797", message, hint, None


def _several(value: Any) -> bool:
    return isinstance(value, list) and len(value) > 1


def _text(shape: tuple[Any, ...]) -> str:
    return f"({', '.join(str(dim) for dim in ('batch', *shape[1:]))})"
