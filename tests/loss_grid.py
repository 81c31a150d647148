"""The grid of losses and metrics: every one of the catalogue, by mask, weights, units and form."""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras
import numpy as np
import step_numbers
import yaml
from building import LENGTHS, MASK

import lstmgraph
from lstmgraph.models.building.counted_steps import count_steps, weigh_batches

CATALOGUE = json.loads(
    (Path(lstmgraph.__file__).parents[1] / "schemas" / "keras-3.schema.json").read_text("utf-8")
)["$defs"]

Case = tuple[str, dict[str, Any]]
"""A class of Keras, and its arguments."""


@dataclass(frozen=True)
class Kind:
    """Outputs and targets that belong together, with the losses and metrics that read them."""

    activation: str
    losses: tuple[Case, ...]
    metrics: tuple[Case, ...] = ()
    several: bool = False
    """Whether one unit is too few."""
    of_several: tuple[Case, ...] = ()
    """Metrics for which one unit is too few."""


LOGITS = {"from_logits": True}
BEST = ("PrecisionAtRecall", "RecallAtPrecision", "SensitivityAtSpecificity")
KINDS = {
    "labels": Kind("linear", ()),
    "number": Kind(
        "linear",
        (
            *((name, {}) for name in ("MeanSquaredError", "MeanAbsoluteError", "LogCosh", "Huber")),
            ("Huber", {"delta": 0.3}),
            ("MeanAbsolutePercentageError", {}),
            ("MeanSquaredError", {"reduction": "sum"}),
            ("MeanAbsoluteError", {"reduction": "mean_with_sample_weight"}),
        ),
        (
            *(("RootMeanSquaredError", {}), ("MeanAbsoluteError", {}), ("MeanSquaredError", {})),
            *(("MeanAbsolutePercentageError", {}), ("LogCoshError", {}), ("R2Score", {})),
            ("R2Score", {"class_aggregation": "variance_weighted_average"}),
        ),
        of_several=(
            *(("PearsonCorrelation", {}), ("ConcordanceCorrelation", {}), ("CosineSimilarity", {})),
        ),
    ),
    "direction": Kind("linear", (("CosineSimilarity", {}),), several=True),
    "margin": Kind(
        "linear", (("CategoricalHinge", {}),), (("CategoricalHinge", {}),), several=True
    ),
    "positive": Kind(
        "softplus",
        (("MeanSquaredLogarithmicError", {}), ("Poisson", {})),
        (("MeanSquaredLogarithmicError", {}), ("Poisson", {})),
    ),
    "sign": Kind(
        "tanh", (("Hinge", {}), ("SquaredHinge", {})), (("Hinge", {}), ("SquaredHinge", {}))
    ),
    "bit": Kind(
        "tanh", (("Hinge", {}), ("SquaredHinge", {})), (("Hinge", {}), ("SquaredHinge", {}))
    ),
    "chance": Kind(
        "sigmoid",
        (
            *(("BinaryCrossentropy", {}), ("BinaryFocalCrossentropy", {})),
            ("BinaryCrossentropy", {"label_smoothing": 0.2}),
            ("BinaryFocalCrossentropy", {"apply_class_balancing": True, "gamma": 1.0}),
        ),
        (
            *(("AUC", {}), ("Precision", {}), ("Recall", {}), ("TruePositives", {})),
            *(("TrueNegatives", {}), ("FalsePositives", {}), ("FalseNegatives", {})),
            *(("BinaryAccuracy", {}), ("BinaryCrossentropy", {}), ("BinaryIoU", {})),
            *(("AUC", {"curve": curve, "num_thresholds": 50}) for curve in ("PR", "PRGAIN")),
            ("AUC", {"thresholds": [0.4, 0.5, 0.6]}),
            ("AUC", {"summation_method": "minoring"}),
            ("AUC", {"summation_method": "majoring", "curve": "PR"}),
            ("AUC", {"multi_label": True}),
            *(("Recall", {"thresholds": 0.4}), ("BinaryAccuracy", {"threshold": 0.4})),
            ("Precision", {"class_id": 0}),
            ("FBetaScore", {"beta": 2.0, "threshold": 0.4, "average": "micro"}),
            ("F1Score", {"threshold": 0.5, "average": "weighted"}),
            ("BinaryIoU", {"target_class_ids": [1], "threshold": 0.45}),
            *(
                (name, {name.rpartition("At")[2].lower(): 0.5})
                for name in (*BEST, "SpecificityAtSensitivity")
            ),
            ("RecallAtPrecision", {"precision": 0.6, "num_thresholds": 20, "class_id": 0}),
            ("BinaryCrossentropy", {"label_smoothing": 0.1}),
        ),
        of_several=(
            *((name, {"average": "macro"}) for name in ("F1Score", "FBetaScore")),
            *(("Precision", {"top_k": 1}), ("Recall", {"top_k": 2, "class_id": 1})),
            ("AUC", {"multi_label": True, "num_labels": 3, "label_weights": [1.0, 0.5, 2.0]}),
            ("AUC", {"label_weights": [1.0, 0.5, 2.0]}),
        ),
    ),
    "logit": Kind(
        "linear",
        (("BinaryCrossentropy", LOGITS), ("BinaryFocalCrossentropy", LOGITS)),
        (
            *(("AUC", LOGITS), ("BinaryCrossentropy", LOGITS)),
            ("BinaryAccuracy", {"threshold": 0.0}),
        ),
    ),
    "choice": Kind(
        "softmax",
        (
            *(("CategoricalCrossentropy", {}), ("CategoricalFocalCrossentropy", {})),
            *(("KLDivergence", {}), ("CategoricalCrossentropy", {"label_smoothing": 0.1})),
            ("CategoricalFocalCrossentropy", {"alpha": 0.5, "gamma": 1.0}),
        ),
        (
            *(("CategoricalAccuracy", {}), ("CategoricalCrossentropy", {}), ("KLDivergence", {})),
            *(("PearsonCorrelation", {}), ("ConcordanceCorrelation", {}), ("CosineSimilarity", {})),
            ("TopKCategoricalAccuracy", {"k": 2}),
            ("OneHotIoU", {"num_classes": 3, "target_class_ids": [0, 2]}),
            *(("OneHotMeanIoU", {"num_classes": 3}), ("F1Score", {"average": "weighted"})),
            *(("AUC", {}), ("Precision", {"top_k": 1}), ("Recall", {"class_id": 2})),
            ("MeanIoU", {"num_classes": 3, "sparse_y_true": False, "sparse_y_pred": False}),
        ),
        several=True,
    ),
    "choice_logits": Kind(
        "linear",
        (("CategoricalCrossentropy", LOGITS), ("CategoricalFocalCrossentropy", LOGITS)),
        (("CategoricalAccuracy", {}), ("CategoricalCrossentropy", LOGITS)),
        several=True,
    ),
    "id": Kind(
        "softmax",
        (
            *(("SparseCategoricalCrossentropy", {}),),
            ("SparseCategoricalCrossentropy", {"ignore_class": 1}),
        ),
        (
            *(("SparseCategoricalAccuracy", {}), ("SparseCategoricalCrossentropy", {})),
            *(("SparseTopKCategoricalAccuracy", {"k": 2}),),
            ("IoU", {"num_classes": 3, "target_class_ids": [0, 2], "sparse_y_pred": False}),
            ("MeanIoU", {"num_classes": 3, "sparse_y_pred": False, "ignore_class": 1}),
        ),
        several=True,
    ),
    "id_logits": Kind(
        "linear",
        (("SparseCategoricalCrossentropy", LOGITS),),
        (("SparseCategoricalAccuracy", {}), ("SparseCategoricalCrossentropy", LOGITS)),
        several=True,
    ),
    "class": Kind(
        "relu",
        (("MeanSquaredError", {}),),
        (
            *(("Accuracy", {}), ("MeanIoU", {"num_classes": 3})),
            ("IoU", {"num_classes": 3, "target_class_ids": [0, 1]}),
        ),
    ),
}
OVERLAPS: tuple[Case, ...] = tuple(
    (name, {**own, **axis})
    for name, own in (("Dice", {}), ("Tversky", {"alpha": 0.3, "beta": 0.7}))
    for axis in ({}, {"axis": [1, 2]}, {"axis": -1})
)
"""Losses that are one number for the batch, for each row, or for each step."""
OF_ROWS = {"CTC", "Circle"}

ROWS, STEPS = MASK.shape
WIDER = 3
"""Padded steps that change nothing."""
MASKS: dict[str, tuple[Any, np.ndarray]] = {
    "none": ("none", np.ones_like(MASK)),
    "lengths": ({"lengths": "lengths"}, np.arange(STEPS) < LENGTHS[:, None]),
    "holes": ({"input": "valid"}, MASK),
}
FORMS = ("sequence", "row")
WEIGHTS = ("none", "rows", "steps", "classes")
OF_CLASSES = np.array([0.5, 2.0, 1.25])


@dataclass(frozen=True)
class Cell:
    """A place in the grid: all losses and metrics are computed by one model."""

    mask: str = "none"
    weights: str = "none"
    units: int = 3
    form: str = "sequence"

    @property
    def is_possible(self) -> bool:
        """A row has no steps to mask or to weigh."""
        return self.form == "sequence" or (self.mask == "none" and self.weights != "steps")

    @property
    def name(self) -> str:
        return f"{self.form} mask={self.mask} weights={self.weights} units={self.units}"


CELLS = [
    cell
    for form in FORMS
    for mask in MASKS
    for weights in WEIGHTS
    for units in (1, 3)
    if (cell := Cell(mask, weights, units, form)).is_possible
]


LABELS = np.array([[1, 2, 2], [2, 0, 0], [1, 1, 0], [1, 0, 0], [2, 1, 0]], "int32")
"""For CTC: as many as each row has counted steps for, but for the last, which has none."""


def random_of(*key: object) -> np.random.Generator:
    return np.random.default_rng(zlib.crc32(repr(key).encode()))


def targets(kind: str, units: int, shape: tuple[int, ...]) -> np.ndarray:
    """Targets of a kind; ids are of `shape`, others of (*shape, units)."""
    rng, whole = random_of(kind, units), (*shape, units)
    if kind == "labels":
        return LABELS
    if kind in ("id", "id_logits"):
        return rng.integers(0, units, shape).astype("float32")
    if kind in ("choice", "choice_logits", "margin"):
        return np.eye(units, dtype="float32")[rng.integers(0, units, shape)]
    if kind in ("chance", "logit", "bit", "class"):
        found = rng.integers(0, 3 if kind == "class" else 2, whole).astype("float32")
        found[0], found[1] = 0, 1  # both, however few rows there are
        return found
    if kind == "sign":
        return rng.choice([-1, 1], whole).astype("float32")
    numbers = rng.normal(size=whole).astype("float32")
    return np.abs(numbers) + 0.1 if kind == "positive" else numbers


def classes_of(kind: str, target: np.ndarray) -> np.ndarray | None:
    """The class of each step, for weights by class; None where there is none."""
    if kind in ("id", "id_logits"):
        return target.astype(int)
    if kind in ("choice", "choice_logits", "margin"):
        return target.argmax(-1)
    if kind in ("chance", "logit") and target.shape[-1] == 1:
        return target[..., 0].astype(int)
    return None


def weights_of(cell: Cell, kind: str, target: np.ndarray) -> np.ndarray | None:
    """Weights as `evaluate` takes them; of all steps alike, 1, where a kind has no classes."""
    steps = (ROWS, STEPS) if cell.form == "sequence" else (ROWS,)
    if cell.weights == "rows":
        return np.array([1.0, 0.5, 2.0, 0.0, 3.0], "float32")
    if cell.weights == "steps":
        return random_of("weights").uniform(0, 2, steps).astype("float32")
    if cell.weights == "classes":
        classes = classes_of(kind, target)
        return np.ones(steps) if classes is None else OF_CLASSES[classes].astype("float32")
    return None


def wider(values: np.ndarray, counted: np.ndarray, filling: float = np.nan) -> np.ndarray:
    """Values with more padded steps, and `filling` in those that do not count."""
    values = np.where(counted.reshape(*counted.shape, *(1,) * (values.ndim - 2)), values, filling)
    more = [(0, 0), (0, WIDER), *[(0, 0)] * (values.ndim - 2)]
    return np.pad(values, more, constant_values=filling).astype("float32")


def inputs(cell: Cell, *, filling: float = np.nan) -> dict[str, np.ndarray]:
    """Inputs of the model, padded wider where there is a mask."""
    x = random_of("x").normal(size=(ROWS, STEPS, 3)).astype("float32")
    valid, counted = MASK, MASKS[cell.mask][1]
    if cell.mask != "none":
        x, valid = wider(x, counted, filling), np.pad(MASK, [(0, 0), (0, WIDER)])
    return {"x": x, "lengths": LENGTHS, "valid": valid}


@dataclass
class Head:
    """An output with a loss and metrics."""

    name: str
    kind: str
    loss: Case
    metrics: list[Case] = field(default_factory=list)


def heads_of(units: int) -> list[Head]:
    """An output for each loss; the first of each kind has the kind's metrics."""
    found = []
    for kind, entry in KINDS.items():
        if entry.several and units == 1:
            continue
        metrics = [*entry.metrics, *(entry.of_several if units > 1 else ())]
        for index, case in enumerate(entry.losses):
            found.append(Head(f"{kind}_{index}", kind, case, metrics if not index else []))
    return found


def written(case: Case, **more: Any) -> dict[str, Any]:
    return {"type": case[0], **more, **case[1]}


def recipe_of(cell: Cell, heads: list[Head], policy: str = "float32") -> lstmgraph.Recipe:
    """One recurrent layer with the mask, and a dense layer for each head."""
    reader = {"type": "gru", "input": "x", "units": 4, "mask": MASKS[cell.mask][0]}
    dense = {
        head.name: {
            "type": "dense",
            "input": "reader.sequence" if cell.form == "sequence" else "reader",
            "units": cell.units,
            "activation": KINDS[head.kind].activation,
        }
        for head in heads
    }
    metrics = {
        head.name: [written(case, name=f"m{index}") for index, case in enumerate(head.metrics)]
        for head in heads
        if head.metrics
    }
    data = {
        "recipe": 1,
        "name": "heads",
        "inputs": {
            "x": {"shape": ["time", 3]},
            "lengths": {"shape": [], "dtype": "int32"},
            "valid": {"shape": ["time"], "dtype": "bool"},
        },
        "layers": {"reader": reader, **dense},
        "outputs": {head.name: head.name for head in heads},
        "training": {
            "optimizer": {"type": "sgd", "learning_rate": 0.01},
            "loss": {head.name: written(head.loss) for head in heads},
            "metrics": metrics,
        },
        "runtime": {"seed": 1, "dtype_policy": policy},
    }
    return lstmgraph.load(yaml.safe_dump(data, sort_keys=False))


@dataclass(frozen=True)
class Number:
    """A number that a model gave, and the one that it should have given."""

    what: str
    found: float
    wanted: float

    @property
    def is_right(self) -> bool:
        return bool(np.allclose(self.found, self.wanted, rtol=3e-5, atol=2e-6, equal_nan=True))


def numbers(cell: Cell, batch: int = ROWS, *, eager: bool = True) -> list[Number]:
    """Every loss and metric of a cell, as `evaluate` gives it and as the formula does.

    Padded steps are more than the mask needs, and hold NaN. Keras averages the losses of batches
    by their rows.
    """
    heads = heads_of(cell.units)
    model = recipe_of(cell, heads).build()
    counted = MASKS[cell.mask][1] if cell.form == "sequence" else np.ones(ROWS, bool)
    shape = counted.shape
    given = {head.name: targets(head.kind, cell.units, shape) for head in heads}
    weights = {head.name: weights_of(cell, head.kind, given[head.name]) for head in heads}
    if cell.weights != "none":
        weigh_metrics(model, heads)
    spoils = cell.form == "sequence" and cell.mask != "none"
    padded = {name: wider(each, counted) if spoils else each for name, each in given.items()}
    by_step = {
        name: wider(each, counted) if spoils and each is not None and each.ndim == 2 else each
        for name, each in weights.items()
    }
    model.run_eagerly = True  # the graph takes longer to trace than to run
    x = inputs(cell)
    weighed = None if cell.weights == "none" else by_step
    options = {"batch_size": batch, "verbose": 0, "return_dict": True}
    if not eager:  # some metrics make variables with their first batch: traced twice without it
        model.evaluate(x, padded, sample_weight=weighed, steps=1, **options)
        model.run_eagerly = False
        model.make_test_function(force=True)
    logged = model.evaluate(x, padded, sample_weight=weighed, **options)
    predicted = model.predict(x, verbose=0)
    found = []
    for head in heads:
        out = predicted[head.name].astype("float64")
        out = out[:, :STEPS] if spoils else out
        target, weight = given[head.name].astype("float64"), weights[head.name]
        of_steps = np.ones(shape)
        if weight is not None:
            of_steps = of_steps * (weight if weight.ndim == len(shape) else weight[:, None])
        losses = [
            step_numbers.loss(
                head.loss[0],
                target[rows][counted[rows]],
                out[rows][counted[rows]],
                of_steps[rows][counted[rows]],
                **head.loss[1],
            )
            if counted[rows].any()
            else 0.0
            for rows in (slice(start, start + batch) for start in range(0, ROWS, batch))
        ]
        sizes = [min(batch, ROWS - start) for start in range(0, ROWS, batch)]
        wanted = float(np.average(losses, weights=sizes))
        found.append(Number(f"{head.name} {head.loss}", logged[f"{head.name}_loss"], wanted))
        for index, case in enumerate(head.metrics):
            function = step_numbers.METRICS[case[0]]
            right = function(target[counted], out[counted], of_steps[counted], **case[1])
            value = logged[f"{head.name}_m{index}"]
            found.append(Number(f"{head.name} {case}", value, np.asarray(right).squeeze()))
    return found


def weigh_metrics(model: keras.Model, heads: list[Head]) -> None:
    """Have `model` weigh its metrics, which Keras does with those of `weighted_metrics` alone."""
    metrics = {
        head.name: [
            getattr(keras.metrics, name)(name=f"m{index}", dtype="float32", **arguments)
            for index, (name, arguments) in enumerate(head.metrics)
        ]
        for head in heads
        if head.metrics
    }
    count_steps(metrics)
    model.compile(loss=model.loss, weighted_metrics=metrics)
    weigh_batches(model)
