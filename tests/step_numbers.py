"""Losses and metrics of steps in float64, by the formulas of papers and documentation, in NumPy.

Nothing here imports Keras. A step is a row: targets and predictions are of shape (steps, units),
ids of shape (steps,), weights of shape (steps,). Where Keras adds an epsilon to keep a logarithm or
a quotient finite, the formula does so too; `EPSILON` is documented by ``keras.config.epsilon``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.integrate import quad
from scipy.special import expit, log_softmax, softmax

if TYPE_CHECKING:
    from collections.abc import Callable

# ruff: noqa: PLR0913 - the arguments are Keras's
Array = np.ndarray[Any, np.dtype[np.float64]]
EPSILON = 1e-7


def clipped(chances: Array) -> Array:
    return np.clip(chances, EPSILON, 1 - EPSILON)


# --- losses: one number for each step ---


def smoothed(targets: Array, smoothing: float, share: float) -> Array:
    """Szegedy et al. 2016, section 7: a part of the chance goes to all classes alike."""
    return targets * (1 - smoothing) + smoothing * share


def squared(targets: Array, found: Array) -> Array:
    return ((targets - found) ** 2).mean(-1)


def absolute(targets: Array, found: Array) -> Array:
    return np.abs(targets - found).mean(-1)


def percentage(targets: Array, found: Array) -> Array:
    return 100 * (np.abs(targets - found) / np.maximum(np.abs(targets), EPSILON)).mean(-1)


def squared_logarithmic(targets: Array, found: Array) -> Array:
    logarithms = [np.log1p(np.maximum(values, EPSILON)) for values in (targets, found)]
    return ((logarithms[0] - logarithms[1]) ** 2).mean(-1)


def huber(targets: Array, found: Array, delta: float = 1.0) -> Array:
    """Huber 1964: a parabola, and beyond `delta` its tangents."""
    error = np.abs(targets - found)
    return np.where(error <= delta, error**2 / 2, delta * (error - delta / 2)).mean(-1)


def log_cosh(targets: Array, found: Array) -> Array:
    return np.log(np.cosh(found - targets)).mean(-1)


def cosine(targets: Array, found: Array) -> Array:
    norms = np.linalg.norm(targets, axis=-1) * np.linalg.norm(found, axis=-1)
    return ratio((targets * found).sum(-1), norms)


def signs(targets: Array) -> Array:
    """-1 and 1: targets may be 0 and 1 instead."""
    return np.where(targets > 0, 1.0, -1.0)


def hinge(targets: Array, found: Array) -> Array:
    return np.maximum(1 - signs(targets) * found, 0).mean(-1)


def squared_hinge(targets: Array, found: Array) -> Array:
    return (np.maximum(1 - signs(targets) * found, 0) ** 2).mean(-1)


def categorical_hinge(targets: Array, found: Array) -> Array:
    """The best wrong score, less the right one, by a margin of 1.

    Of wrong scores that are all negative Keras's documentation takes 0, that of the right class:
    ``neg = max((1 - y_true) * y_pred)``.
    """
    right = (targets * found).sum(-1)
    wrong = ((1 - targets) * found).max(-1)
    return np.maximum(wrong - right + 1, 0)


def divergence(targets: Array, found: Array) -> Array:
    targets, found = np.clip(targets, EPSILON, 1), np.clip(found, EPSILON, 1)
    return (targets * np.log(targets / found)).sum(-1)


def poisson(targets: Array, found: Array) -> Array:
    return (found - targets * np.log(found + EPSILON)).mean(-1)


def binary_numbers(
    targets: Array, found: Array, *, from_logits: bool = False, label_smoothing: float = 0.0
) -> tuple[Array, Array, Array]:
    """The crossentropy of each number, the targets and the chances."""
    targets = smoothed(targets, label_smoothing, 1 / 2)
    chances = expit(found) if from_logits else clipped(found)
    logs = (-np.logaddexp(0, -found), -np.logaddexp(0, found)) if from_logits else None
    yes, no = logs or (np.log(chances), np.log1p(-chances))
    return -targets * yes - (1 - targets) * no, targets, chances


def binary_crossentropy(targets: Array, found: Array, **arguments: Any) -> Array:
    return binary_numbers(targets, found, **arguments)[0].mean(-1)


def binary_focal(
    targets: Array,
    found: Array,
    *,
    apply_class_balancing: bool = False,
    alpha: float = 0.25,
    gamma: float = 2.0,
    **arguments: Any,
) -> Array:
    """Lin et al. 2017, equations 4 and 5."""
    losses, targets, chances = binary_numbers(targets, found, **arguments)
    right = targets * chances + (1 - targets) * (1 - chances)
    losses = losses * (1 - right) ** gamma
    if apply_class_balancing:
        losses = losses * (targets * alpha + (1 - targets) * (1 - alpha))
    return losses.mean(-1)


def log_chances(found: Array, *, from_logits: bool) -> Array:
    if from_logits:
        return log_softmax(found, axis=-1)
    return np.log(clipped(found / found.sum(-1, keepdims=True)))


def categorical_crossentropy(
    targets: Array, found: Array, *, from_logits: bool = False, label_smoothing: float = 0.0
) -> Array:
    targets = smoothed(targets, label_smoothing, 1 / targets.shape[-1])
    return -(targets * log_chances(found, from_logits=from_logits)).sum(-1)


def categorical_focal(
    targets: Array,
    found: Array,
    *,
    alpha: float = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
) -> Array:
    targets = smoothed(targets, label_smoothing, 1 / targets.shape[-1])
    chances = clipped(softmax(found, axis=-1) if from_logits else found)
    return -(alpha * (1 - chances) ** gamma * targets * np.log(chances)).sum(-1)


def sparse_crossentropy(ids: Array, found: Array, *, from_logits: bool = False) -> Array:
    return -log_chances(found, from_logits=from_logits)[np.arange(len(ids)), ids.astype(int)]


LOSSES: dict[str, Callable[..., Array]] = {
    "MeanSquaredError": squared,
    "MeanAbsoluteError": absolute,
    "MeanAbsolutePercentageError": percentage,
    "MeanSquaredLogarithmicError": squared_logarithmic,
    "Huber": huber,
    "LogCosh": log_cosh,
    "CosineSimilarity": lambda targets, found: -cosine(targets, found),
    "Hinge": hinge,
    "SquaredHinge": squared_hinge,
    "CategoricalHinge": categorical_hinge,
    "KLDivergence": divergence,
    "Poisson": poisson,
    "BinaryCrossentropy": binary_crossentropy,
    "BinaryFocalCrossentropy": binary_focal,
    "CategoricalCrossentropy": categorical_crossentropy,
    "CategoricalFocalCrossentropy": categorical_focal,
    "SparseCategoricalCrossentropy": sparse_crossentropy,
}


def loss(
    name: str,
    targets: Array,
    found: Array,
    weights: Array,
    *,
    reduction: str = "sum_over_batch_size",
    ignore_class: int | None = None,
    **arguments: Any,
) -> float:
    """The loss over steps: by default the weighed sum by the number of steps."""
    if ignore_class is not None:
        kept = targets != ignore_class
        targets, found, weights = targets[kept], found[kept], weights[kept]
    total = (LOSSES[name](targets, found, **arguments) * weights).sum()
    by = {"sum": 1.0, "mean_with_sample_weight": weights.sum()}
    return total / by.get(reduction, len(weights))


def overlap(
    name: str, targets: Array, found: Array, *, alpha: float = 0.5, beta: float = 0.5
) -> float:
    """Dice; and Tversky (Salehi et al. 2017), where Keras has `alpha` and `beta` in exchange.

    Its documentation has them as the paper does: alpha weighs false positives.
    """
    both = (targets * found).sum()
    if name == "Dice":
        return 1 - 2 * both / (targets.sum() + found.sum() + EPSILON)
    invented, missed = ((1 - targets) * found).sum(), (targets * (1 - found)).sum()
    return 1 - both / (both + alpha * missed + beta * invented + EPSILON)


def ctc(logits: Array, labels: list[int]) -> float:
    """Minus the log of the chance of `labels`: Graves et al. 2006, equations 5 to 8, by logs.

    `logits` is of shape (steps, classes); class 0 is the blank.
    """
    logs = log_softmax(logits, axis=-1)
    path = [0, *(each for label in labels for each in (label, 0))]
    forward = np.full(len(path), -np.inf)
    forward[:2] = logs[0, path[:2]]
    for step in logs[1:]:
        before = forward
        forward = np.full(len(path), -np.inf)
        for at, label in enumerate(path):
            into = [before[at], *before[max(at - 1, 0) : at]]
            if at > 1 and label not in (0, path[at - 2]):
                into.append(before[at - 2])
            forward[at] = np.logaddexp.reduce(into) + step[label]
    return float(-np.logaddexp.reduce(forward[-2:]))


def circle(ids: Array, found: Array, weights: Array, gamma: float, margin: float) -> float:
    """Sun et al. 2020, equation 6, for every row that has both rows of its id and others."""
    near = np.minimum(found @ found.T, 1)
    same = ids[:, None] == ids
    losses = []
    for row, weight in enumerate(weights):
        alike = near[row][same[row] & (np.arange(len(ids)) != row)]
        other = near[row][~same[row]]
        if len(alike) and len(other):
            pull = -gamma * np.maximum(1 + margin - alike, 0) * (alike - (1 - margin))
            push = gamma * np.maximum(other + margin, 0) * (other - margin)
            both = np.logaddexp.reduce(pull) + np.logaddexp.reduce(push)
            losses.append(weight * np.logaddexp(0, both))
    return sum(losses) / len(losses)


# --- metrics: one number for all steps ---


def mean(values: Array, weights: Array) -> float:
    total = weights.sum()
    return float((values * weights).sum() / total) if total else 0.0


class Counts:
    """True and false positives and negatives above each threshold, weighed."""

    def __init__(self, targets: Array, found: Array, weights: Array, thresholds: Array) -> None:
        above = found[..., None] > thresholds
        true = (targets != 0)[..., None]
        weighed = weights.reshape(-1, *(1,) * (above.ndim - 1))
        axes = tuple(range(above.ndim - 1))

        def total(chosen: Any) -> Array:
            return (chosen * weighed).sum(axes)

        self.tp, self.fp = total(above & true), total(above & ~true)
        self.fn, self.tn = total(~above & true), total(~above & ~true)

    @property
    def precision(self) -> Array:
        return ratio(self.tp, self.tp + self.fp)

    @property
    def recall(self) -> Array:
        return ratio(self.tp, self.tp + self.fn)

    @property
    def specificity(self) -> Array:
        return ratio(self.tn, self.tn + self.fp)


def ratio(part: Any, whole: Any) -> Array:
    """The quotient; 0/0 is 0."""
    part, whole = np.asarray(part, "float64"), np.asarray(whole, "float64")
    return np.divide(part, whole, out=np.zeros_like(part), where=whole != 0)


def chosen(
    targets: Array, found: Array, top_k: int | None = None, class_id: int | None = None
) -> tuple[Array, Array]:
    """Predictions that are not among the `top_k` of their step count as surely negative."""
    if top_k is not None:
        ranks = (-found).argsort(-1, kind="stable").argsort(-1, kind="stable")
        found = np.where(ranks < top_k, found, -np.inf)
    if class_id is not None:
        targets, found = targets[..., class_id, None], found[..., class_id, None]
    return targets, found


def counted(
    targets: Array,
    found: Array,
    weights: Array,
    thresholds: Any = None,
    *,
    top_k: int | None = None,
    class_id: int | None = None,
) -> Counts:
    if thresholds is None:
        thresholds = 0.5 if top_k is None else -1e10
    at = np.atleast_1d(np.asarray(thresholds, "float64"))
    return Counts(*chosen(targets, found, top_k, class_id), weights, at)


def at_best(targets: Array, found: Array, weights: Array, **arguments: Any) -> tuple[Counts, float]:
    """The counts at each of `num_thresholds`, and the value that is asked for."""
    number = arguments.pop("num_thresholds", 200)
    class_id = arguments.pop("class_id", None)
    (value,) = arguments.values()
    thresholds = np.linspace(0, 1, number)
    return counted(targets, found, weights, thresholds, class_id=class_id), value


def best(of: Array, where: Array) -> float:
    return float(of[where].max(initial=0))


def area(
    targets: Array,
    found: Array,
    weights: Array,
    *,
    num_thresholds: int = 200,
    thresholds: list[float] | None = None,
    curve: str = "ROC",
    summation_method: str = "interpolation",
    multi_label: bool = False,
    label_weights: list[float] | None = None,
    from_logits: bool = False,
    num_labels: int | None = None,
) -> float:
    """The area under a curve through the points of all thresholds."""
    assert num_labels in (None, targets.shape[-1])
    if from_logits:
        found = expit(found)
    inner = thresholds or list(np.linspace(0, 1, num_thresholds)[1:-1])
    at = np.array([-EPSILON, *sorted(inner), 1 + EPSILON])
    by_label = np.ones(targets.shape[-1]) if label_weights is None else np.array(label_weights)
    if multi_label:
        areas = [
            _area(Counts(targets[:, each], found[:, each], weights, at), curve, summation_method)
            for each in range(targets.shape[-1])
        ]
        return float(np.dot(areas, by_label) / by_label.sum())
    weighed = (weights[:, None] * by_label).reshape(-1)
    return _area(
        Counts(targets.reshape(-1), found.reshape(-1), weighed, at), curve, summation_method
    )


def _area(counts: Counts, curve: str, method: str) -> float:
    if curve == "PR" and method == "interpolation":
        return _interpolated(counts)
    if curve == "ROC":
        x, y = 1 - counts.specificity, counts.recall
        x = np.where(counts.tn + counts.fp == 0, 0, x)
    elif curve == "PR":
        x, y = counts.recall, counts.precision
    else:  # Flach and Kull 2015, equation 2
        odds = (counts.tp + counts.fn) / (counts.tn + counts.fp)
        nothing = counts.tp == 0
        x = np.where(nothing, 0, np.maximum(1 - odds * ratio(counts.fn, counts.tp), 0))
        y = np.where(nothing, 1, 1 - odds * ratio(counts.fp, counts.tp))
    heights = {
        "interpolation": (y[1:] + y[:-1]) / 2,
        "minoring": np.minimum(y[1:], y[:-1]),
        "majoring": np.maximum(y[1:], y[:-1]),
    }
    return float(((x[:-1] - x[1:]) * heights[method]).sum())


def _interpolated(counts: Counts) -> float:
    """Davis and Goadrich 2006, section 4: between two points, false positives grow with true."""
    total = 0.0
    for each in range(len(counts.tp) - 1):
        more, fewer = counts.tp[each], counts.tp[each + 1]
        if more <= fewer:
            continue
        start = counts.fp[each + 1]
        slope = (counts.fp[each] - start) / (more - fewer)

        def precision(
            hits: float, low: float = fewer, base: float = start, up: float = slope
        ) -> float:
            invented = base + up * (hits - low)
            return hits / (hits + invented) if hits + invented else 1 / (1 + up)

        total += quad(precision, fewer, more)[0]
    return float(ratio(total, counts.tp[0] + counts.fn[0]))


def f_score(
    targets: Array,
    found: Array,
    weights: Array,
    *,
    average: str | None = None,
    beta: float = 1.0,
    threshold: float | None = None,
) -> Any:
    if threshold is None:
        positive = (found == found.max(-1, keepdims=True)) & (np.abs(found) > 1e-9)
    else:
        positive = found > threshold
    axis = None if average == "micro" else 0
    column = weights[:, None]
    hits = (positive * targets * column).sum(axis)
    invented = (positive * (1 - targets) * column).sum(axis)
    missed = (~positive * targets * column).sum(axis)
    score = ratio((1 + beta**2) * hits, (1 + beta**2) * hits + beta**2 * missed + invented)
    if average == "weighted":
        support = (targets * column).sum(0)
        return float((score * support).sum() / support.sum())
    return score if average is None else float(score.mean())


def iou(
    ids: Array,
    found: Array,
    weights: Array,
    classes: list[int],
    ignore_class: int | None = None,
) -> float:
    """The mean over classes of intersection by union; classes that never occur do not count."""
    kept = np.ones(len(ids), bool) if ignore_class is None else ids != ignore_class
    shares = []
    for each in classes:
        either = ((ids == each) | (found == each)) & kept
        both = (ids == each) & (found == each) & kept
        if weights[either].sum():
            shares.append(weights[both].sum() / weights[either].sum())
    return float(np.mean(shares)) if shares else 0.0


def iou_of(
    targets: Array,
    found: Array,
    weights: Array,
    *,
    num_classes: int,
    target_class_ids: list[int] | None = None,
    ignore_class: int | None = None,
    sparse_y_true: bool = True,
    sparse_y_pred: bool = True,
) -> float:
    each = found[0].size if sparse_y_pred else 1
    ids = targets if sparse_y_true else targets.argmax(-1)
    guessed = np.floor(found) if sparse_y_pred else found.argmax(-1)
    classes = list(range(num_classes)) if target_class_ids is None else target_class_ids
    ids, guessed = ids.reshape(-1), guessed.reshape(-1)
    weights = np.repeat(weights, each)
    known = (guessed >= 0) & (guessed < num_classes)
    return iou(ids[known], guessed[known], weights[known], classes, ignore_class)


def binary_iou(
    targets: Array,
    found: Array,
    weights: Array,
    target_class_ids: tuple[int, ...] = (0, 1),
    threshold: float = 0.5,
) -> float:
    weights = np.repeat(weights, targets.shape[-1])
    guessed = (found >= threshold).reshape(-1)
    return iou(targets.reshape(-1), guessed, weights, list(target_class_ids))


def r2(
    targets: Array,
    found: Array,
    weights: Array,
    class_aggregation: str | None = "uniform_average",
) -> Any:
    """Of weighed squares."""
    column = weights[:, None]
    centre = (targets * column).sum(0) / weights.sum()
    total = ((targets - centre) ** 2 * column).sum(0)
    score = 1 - ((targets - found) ** 2 * column).sum(0) / total
    if class_aggregation == "uniform_average":
        score = score.mean()
    elif class_aggregation == "variance_weighted_average":
        score = (score * total).sum() / total.sum()
    return score


def pearson(targets: Array, found: Array) -> Array:
    return np.array([np.corrcoef(*each)[0, 1] for each in zip(targets, found, strict=True)])


def concordance(targets: Array, found: Array) -> Array:
    """Lin 1989, equation 2.1."""
    means = (targets.mean(-1) - found.mean(-1)) ** 2
    spread = targets.var(-1) + found.var(-1)
    both = ((targets - targets.mean(-1, keepdims=True)) * found).mean(-1)
    return 2 * both / (spread + means + EPSILON)


def top_k(ids: Array, found: Array, k: int) -> Array:
    own = found[np.arange(len(ids)), ids.astype(int)]
    return ((found > own[:, None]).sum(-1) < k).astype("float64")


def _averaged(function: Callable[..., Array]) -> Callable[..., float]:
    def metric(targets: Array, found: Array, weights: Array, **arguments: Any) -> float:
        return mean(function(targets, found, **arguments), weights)

    return metric


def _without(function: Callable[..., Array]) -> Callable[..., float]:
    """The same of steps whose target is not `ignore_class`."""

    def metric(
        targets: Array,
        found: Array,
        weights: Array,
        ignore_class: int | None = None,
        **arguments: Any,
    ) -> float:
        kept = np.ones(len(targets), bool) if ignore_class is None else targets != ignore_class
        return mean(function(targets[kept], found[kept], **arguments), weights[kept])

    return metric


def _count(name: str) -> Callable[..., Any]:
    return lambda *given, **arguments: getattr(counted(*given, **arguments), name)


def _at(of: str, where: str) -> Callable[..., float]:
    def metric(*given: Array, **arguments: Any) -> float:
        counts, value = at_best(*given, **arguments)
        return best(getattr(counts, of), getattr(counts, where) >= value)

    return metric


METRICS: dict[str, Callable[..., Any]] = {
    "MeanSquaredError": _averaged(squared),
    "RootMeanSquaredError": lambda *given: float(np.sqrt(_averaged(squared)(*given))),
    "MeanAbsoluteError": _averaged(absolute),
    "MeanAbsolutePercentageError": _averaged(percentage),
    "MeanSquaredLogarithmicError": _averaged(squared_logarithmic),
    "LogCoshError": _averaged(log_cosh),
    "CosineSimilarity": _averaged(cosine),
    "Hinge": _averaged(hinge),
    "SquaredHinge": _averaged(squared_hinge),
    "CategoricalHinge": _averaged(categorical_hinge),
    "KLDivergence": _averaged(divergence),
    "Poisson": _averaged(poisson),
    "BinaryCrossentropy": _averaged(binary_crossentropy),
    "CategoricalCrossentropy": _averaged(categorical_crossentropy),
    "SparseCategoricalCrossentropy": _without(sparse_crossentropy),
    "Accuracy": _averaged(lambda targets, found: (targets == found).mean(-1)),
    "BinaryAccuracy": _averaged(
        lambda targets, found, threshold=0.5: (targets == (found > threshold)).mean(-1)
    ),
    "CategoricalAccuracy": _averaged(
        lambda targets, found: (targets.argmax(-1) == found.argmax(-1)) * 1.0
    ),
    "SparseCategoricalAccuracy": _averaged(lambda ids, found: (ids == found.argmax(-1)) * 1.0),
    "TopKCategoricalAccuracy": _averaged(
        lambda targets, found, k=5: top_k(targets.argmax(-1), found, k)
    ),
    "SparseTopKCategoricalAccuracy": _averaged(lambda ids, found, k=5: top_k(ids, found, k)),
    "PearsonCorrelation": _averaged(pearson),
    "ConcordanceCorrelation": _averaged(concordance),
    "R2Score": r2,
    "AUC": area,
    "Precision": _count("precision"),
    "Recall": _count("recall"),
    "TruePositives": _count("tp"),
    "TrueNegatives": _count("tn"),
    "FalsePositives": _count("fp"),
    "FalseNegatives": _count("fn"),
    "PrecisionAtRecall": _at("precision", "recall"),
    "RecallAtPrecision": _at("recall", "precision"),
    "SensitivityAtSpecificity": _at("recall", "specificity"),
    "SpecificityAtSensitivity": _at("specificity", "recall"),
    "F1Score": f_score,
    "FBetaScore": f_score,
    "IoU": iou_of,
    "MeanIoU": iou_of,
    "BinaryIoU": binary_iou,
    "OneHotIoU": lambda *given, **arguments: iou_of(
        *given, **{"sparse_y_true": False, "sparse_y_pred": False} | arguments
    ),
    "OneHotMeanIoU": lambda *given, **arguments: iou_of(
        *given, **{"sparse_y_true": False, "sparse_y_pred": False} | arguments
    ),
}
