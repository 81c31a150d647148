"""Losses and metrics of a masked sequence are the numbers over its counted steps alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import yaml
from building import LENGTHS, MASK
from scipy.special import log_softmax

import lstmgraph

CATALOGUE = json.loads(
    (Path(lstmgraph.__file__).parents[1] / "schemas" / "keras-3.schema.json").read_text("utf-8")
)["$defs"]

ACTIVATIONS = {
    "number": "linear",
    "positive": "softplus",
    "chance": "sigmoid",
    "choice": "softmax",
    "id": "softmax",
    "class": "relu",
}
"""Outputs of each kind, and the activation of their dense layer."""
OF_SEVERAL_UNITS = ("choice", "id")

LOSSES = {
    "number": [
        *("MeanSquaredError", "MeanAbsoluteError", "Huber", "LogCosh", "CosineSimilarity", "Hinge"),
        *("SquaredHinge", "CategoricalHinge", "MeanAbsolutePercentageError"),
    ],
    "positive": ["MeanSquaredLogarithmicError", "Poisson"],
    "chance": ["BinaryCrossentropy", "BinaryFocalCrossentropy"],
    "choice": ["CategoricalCrossentropy", "CategoricalFocalCrossentropy", "KLDivergence"],
    "id": ["SparseCategoricalCrossentropy"],
}
LOSSES_OF_SEQUENCES = ("Dice", "Tversky")
NO_LOSSES_OF_STEPS = {"CTC", "Circle"}
"""CTC has a test of its own; Circle compares the rows of a batch."""

METRICS: dict[str, list[tuple[str, dict[str, Any]]]] = {
    "number": [
        *(("RootMeanSquaredError", {}), ("MeanAbsoluteError", {}), ("MeanSquaredError", {})),
        *(("MeanAbsolutePercentageError", {}), ("LogCoshError", {}), ("CosineSimilarity", {})),
        *(("R2Score", {}), ("Hinge", {}), ("SquaredHinge", {}), ("CategoricalHinge", {})),
    ],
    "positive": [("MeanSquaredLogarithmicError", {}), ("Poisson", {})],
    "chance": [
        *(("AUC", {}), ("Precision", {}), ("Recall", {}), ("TruePositives", {})),
        *(("TrueNegatives", {}), ("FalsePositives", {}), ("FalseNegatives", {})),
        *(("BinaryAccuracy", {}), ("BinaryCrossentropy", {}), ("F1Score", {"average": "macro"})),
        ("AUC", {"curve": "PR", "num_thresholds": 50}),
        ("Precision", {"top_k": 1}),
        ("Recall", {"thresholds": 0.4}),
        ("FBetaScore", {"beta": 2.0, "threshold": 0.4, "average": "micro"}),
        ("BinaryIoU", {"target_class_ids": [0, 1]}),
        ("PrecisionAtRecall", {"recall": 0.5}),
        ("RecallAtPrecision", {"precision": 0.5}),
        ("SensitivityAtSpecificity", {"specificity": 0.5}),
        ("SpecificityAtSensitivity", {"sensitivity": 0.5}),
    ],
    "choice": [
        *(("CategoricalAccuracy", {}), ("CategoricalCrossentropy", {}), ("KLDivergence", {})),
        *(("PearsonCorrelation", {}), ("ConcordanceCorrelation", {})),
        ("TopKCategoricalAccuracy", {"k": 2}),
        ("OneHotIoU", {"num_classes": 3, "target_class_ids": [0, 2]}),
        ("OneHotMeanIoU", {"num_classes": 3}),
    ],
    "id": [
        *(("SparseCategoricalAccuracy", {}), ("SparseCategoricalCrossentropy", {})),
        ("SparseTopKCategoricalAccuracy", {"k": 2}),
    ],
    "class": [
        ("Accuracy", {}),
        ("IoU", {"num_classes": 3, "target_class_ids": [0, 1]}),
        ("MeanIoU", {"num_classes": 3}),
    ],
}

ROWS, STEPS = MASK.shape
MASKS = {
    "none": ("none", np.ones_like(MASK)),
    "lengths": ({"lengths": "lengths"}, np.arange(STEPS) < LENGTHS[:, None]),
    "holes": ({"input": "valid"}, MASK),
}


def recipe_of(mask: str, heads: dict[str, dict[str, Any]]) -> lstmgraph.Recipe:
    """One recurrent layer with the mask, and for each head an output, as its entry says."""
    reader = {"type": "gru", "input": "x", "units": 4, "mask": MASKS[mask][0]}
    dense = {
        name: {
            "type": "dense",
            "input": "reader.sequence",
            "units": head["units"],
            "activation": ACTIVATIONS[head["kind"]],
        }
        for name, head in heads.items()
    }
    recipe = {
        "recipe": 1,
        "name": "heads",
        "inputs": {
            "x": {"shape": ["time", 3]},
            "lengths": {"shape": [], "dtype": "int32"},
            "valid": {"shape": ["time"], "dtype": "bool"},
        },
        "layers": {"reader": reader, **dense},
        "outputs": {name: name for name in heads},
        "training": {
            "loss": {name: head["loss"] for name, head in heads.items()},
            "metrics": {name: head["metrics"] for name, head in heads.items() if head["metrics"]},
        },
        "runtime": {"seed": 1},
    }
    return lstmgraph.load(yaml.safe_dump(recipe, sort_keys=False))


def model_of(mask: str, heads: dict[str, dict[str, Any]]) -> keras.Model:
    return recipe_of(mask, heads).build()


def fed(seed: int = 0) -> dict[str, np.ndarray]:
    x = np.random.default_rng(seed).normal(size=(ROWS, STEPS, 3)).astype("float32")
    return {"x": x, "lengths": LENGTHS, "valid": MASK}


def targets(kind: str, units: int) -> np.ndarray:
    rng = np.random.default_rng(len(kind) + units)
    shape = (ROWS, STEPS, units)
    if kind == "id":
        return rng.integers(0, units, shape[:2]).astype("float32")
    if kind == "choice":
        return np.eye(units, dtype="float32")[rng.integers(0, units, shape[:2])]
    if kind in ("chance", "class"):
        return rng.integers(0, 2 if kind == "chance" else 3, shape).astype("float32")
    numbers = rng.normal(size=shape).astype("float32")
    return np.abs(numbers) + 0.1 if kind == "positive" else numbers


def spoiled(values: np.ndarray, counted: np.ndarray) -> np.ndarray:
    """The same with NaN in the steps that do not count."""
    values = values.copy()
    values[~counted] = np.nan
    return values


def as_metric(name: str, arguments: dict[str, Any], index: int) -> dict[str, Any]:
    return {"type": name, "name": f"m{index}", **arguments}


def metric_heads(units: int) -> dict[str, dict[str, Any]]:
    return {
        kind: {
            "kind": kind,
            "units": units,
            "loss": "sparse_categorical_crossentropy" if kind == "id" else "mse",
            "metrics": [as_metric(*each, index) for index, each in enumerate(metrics)],
        }
        for kind, metrics in METRICS.items()
        if units > 1 or kind not in OF_SEVERAL_UNITS
    }


def loss_heads(units: int) -> dict[str, dict[str, Any]]:
    return {
        f"{kind}_{loss.lower()}": {"kind": kind, "units": units, "loss": loss, "metrics": []}
        for kind, losses in LOSSES.items()
        for loss in losses
        if units > 1 or kind not in OF_SEVERAL_UNITS
    }


def test_every_metric_and_loss_of_the_catalogue_is_here() -> None:
    metrics = {name for kind in METRICS.values() for name, _ in kind}
    losses = {name for kind in LOSSES.values() for name in kind}
    named = lambda family: {  # noqa: E731
        key.removeprefix(f"{family}.") for key in CATALOGUE if key.startswith(f"{family}.")
    }
    assert metrics == named("metric")
    assert losses | set(LOSSES_OF_SEQUENCES) | NO_LOSSES_OF_STEPS == named("loss")


@pytest.mark.parametrize(
    ("mask", "units"), [("none", 3), ("lengths", 3), ("holes", 3), ("holes", 1)]
)
@pytest.mark.filterwarnings("ignore:You are passing weight as `float`")
def test_a_metric_is_that_of_the_counted_steps(mask: str, units: int) -> None:
    """As Keras computes it of those steps alone, each a row, in float64."""
    heads, counted = metric_heads(units), MASKS[mask][1]
    model = model_of(mask, heads)
    given = {name: targets(name, units) for name in heads}
    padded = {name: spoiled(target, counted) for name, target in given.items()}
    found = model.evaluate(fed(), padded, batch_size=ROWS, verbose=0, return_dict=True)
    predicted = model.predict(fed(), verbose=0)
    for kind in heads:
        for index, (name, arguments) in enumerate(METRICS[kind]):
            metric = getattr(keras.metrics, name)(**arguments, dtype="float64")
            precise = "float32" if "TopK" in name else "float64"  # TensorFlow's takes float32 only
            metric.update_state(given[kind][counted], predicted[kind][counted].astype(precise))
            np.testing.assert_allclose(
                found[f"{kind}_m{index}"],
                np.array(metric.result()),
                rtol=2e-5,
                atol=1e-6,
                err_msg=f"{name} {arguments}",
            )


WEIGHTS = {
    "none": None,
    "rows": np.array([1.0, 0.5, 2.0, 0.0, 3.0], "float32"),
    "steps": np.random.default_rng(5).uniform(0, 2, MASK.shape).astype("float32"),
}


@pytest.mark.parametrize(
    ("mask", "units", "weights"),
    [
        *(("none", 3, "none"), ("lengths", 3, "none"), ("holes", 3, "none"), ("holes", 1, "none")),
        *(("none", 3, "rows"), ("lengths", 3, "rows"), ("holes", 3, "steps"), ("holes", 1, "rows")),
    ],
)
def test_a_loss_is_that_of_the_counted_steps(mask: str, units: int, weights: str) -> None:
    """The weighed sum over the counted steps, by their number; each step's loss in float64."""
    heads, counted = loss_heads(units), MASKS[mask][1]
    model = model_of(mask, heads)
    given = {name: targets(head["kind"], units) for name, head in heads.items()}
    padded = {name: spoiled(target, counted) for name, target in given.items()}
    weight = WEIGHTS[weights]
    by_head = None if weight is None else dict.fromkeys(heads, weight)
    model.run_eagerly = weights != "none"  # the graph takes longer to trace than to run
    found = model.evaluate(
        fed(), padded, sample_weight=by_head, batch_size=ROWS, verbose=0, return_dict=True
    )
    predicted = model.predict(fed(), verbose=0)
    of_steps = np.ones_like(counted, "float64")
    if weight is not None:
        of_steps *= weight if weight.ndim == 2 else weight[:, None]
    for name, head in heads.items():
        loss = getattr(keras.losses, head["loss"])(reduction="none", dtype="float64")
        steps = np.array(loss(given[name][counted], predicted[name][counted].astype("float64")))
        wanted = (steps * of_steps[counted]).sum() / counted.sum()
        np.testing.assert_allclose(found[f"{name}_loss"], wanted, rtol=2e-5, err_msg=name)


def overlap(kind: str, target: np.ndarray, predicted: np.ndarray) -> float:
    """Dice; and Tversky of alpha 0.3 and beta 0.7, which Keras 3.15.1 has the other way round."""
    both = (target * predicted).sum()
    if kind == "Dice":
        return 1 - 2 * both / (target.sum() + predicted.sum())
    missed, invented = (target * (1 - predicted)).sum(), ((1 - target) * predicted).sum()
    return 1 - both / (both + 0.3 * missed + 0.7 * invented)


@pytest.mark.parametrize("rowwise", [False, True], ids=["whole", "by row"])
@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("loss", LOSSES_OF_SEQUENCES)
def test_an_overlap_is_that_of_the_counted_steps(loss: str, mask: str, rowwise: bool) -> None:
    counted = MASKS[mask][1]
    arguments: dict[str, Any] = {"type": loss} | ({"axis": [1, 2]} if rowwise else {})
    if loss == "Tversky":
        arguments |= {"alpha": 0.3, "beta": 0.7}
    heads = {"y": {"kind": "chance", "units": 2, "loss": arguments, "metrics": []}}
    model, target = model_of(mask, heads), targets("chance", 2)
    found = model.evaluate(fed(), {"y": spoiled(target, counted)}, batch_size=ROWS, verbose=0)
    predicted = model.predict(fed(), verbose=0)["y"].astype("float64")
    if rowwise:
        parts = [
            overlap(loss, target[row][counted[row]], predicted[row][counted[row]])
            for row in range(ROWS)
            if counted[row].any()
        ]
        empty = ROWS - len(parts)  # nothing to find, and nothing found: 0/0 is 0
        wanted = (sum(parts) + empty) / ROWS
    else:
        wanted = overlap(loss, target[counted], predicted[counted])
    np.testing.assert_allclose(found, wanted, rtol=1e-5)


def ctc(log_chances: np.ndarray, labels: list[int]) -> float:
    """Minus the log of the chance of `labels`: Graves et al. 2006, equations 5 to 8, by logs.

    `log_chances` is of shape (steps, classes); class 0 is the blank.
    """
    path = [0, *(each for label in labels for each in (label, 0))]
    forward = np.full(len(path), -np.inf)
    forward[:2] = log_chances[0, path[:2]]
    for step in log_chances[1:]:
        before = forward
        forward = np.full(len(path), -np.inf)
        for at, label in enumerate(path):
            into = [before[at], *before[max(at - 1, 0) : at]]
            if at > 1 and label not in (0, path[at - 2]):
                into.append(before[at - 2])
            forward[at] = np.logaddexp.reduce(into) + step[label]
    return -np.logaddexp(forward[-1], forward[-2])


def test_ctc_reads_the_counted_steps_of_each_row() -> None:
    heads = {"y": {"kind": "number", "units": 6, "loss": "ctc", "metrics": []}}
    model = model_of("lengths", heads)
    rows = [0, 2, 3]  # the others are shorter than their labels
    labels = np.array([[1, 2, 5], [3, 3, 0], [4, 0, 0]], "int32")
    data = {name: values[rows] for name, values in fed().items()}
    wanted = [
        ctc(log_softmax(out[:length].astype("float64"), -1), [each for each in row if each])
        for out, length, row in zip(
            model.predict(data, verbose=0)["y"], data["lengths"], labels.tolist(), strict=True
        )
    ]
    found = model.evaluate(data, {"y": labels}, batch_size=3, verbose=0)
    np.testing.assert_allclose(found, np.mean(wanted), rtol=1e-5)
    weighed = model.evaluate(
        data, {"y": labels}, batch_size=3, verbose=0, sample_weight=np.array([1.0, 0.0, 2.0])
    )
    np.testing.assert_allclose(weighed, np.dot(wanted, [1, 0, 2]) / 3, rtol=1e-5)


@pytest.mark.parametrize("loss", ["mse", "dice", "binary_crossentropy"])
def test_nan_in_padded_targets_reaches_no_weight(loss: str) -> None:
    """One step of training is the one with zeros there."""
    heads = {"y": {"kind": "chance", "units": 2, "loss": loss, "metrics": []}}
    counted, target = MASKS["holes"][1], targets("chance", 2)
    weights = []
    for filled in (spoiled(target, counted), np.where(counted[..., None], target, 0)):
        model = model_of("holes", heads)
        model.fit(fed(), {"y": filled}, batch_size=ROWS, verbose=0)
        weights.append(model.get_weights())
    for one, other in zip(*weights, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-7)


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_a_saved_model_counts_as_before_and_is_plain(tmp_path: Path) -> None:
    """`lstmgraph.load_model` counts the same steps; for Keras the file holds its own classes."""
    losses = {"a": "dice", "b": "binary_crossentropy", "c": "ctc"}
    heads = {
        name: {"kind": "chance", "units": 2, "loss": loss, "metrics": []}
        for name, loss in losses.items()
    }
    heads["b"]["metrics"] = ["auc", {"type": "f1_score", "average": "macro"}]
    recipe = recipe_of("lengths", heads)
    model = recipe.build()
    data = {name: values[[0, 2]] for name, values in fed().items()}
    given = {name: targets("chance", 2)[[0, 2]] for name in heads} | {
        "c": np.array([[1], [1]], "int32")
    }
    wanted = model.evaluate(data, given, verbose=0, return_dict=True)
    file = tmp_path / "heads.keras"
    recipe.save(model, file)
    loaded = lstmgraph.load_model(file)
    assert loaded.evaluate(data, given, verbose=0, return_dict=True) == pytest.approx(wanted)
    plain = keras.models.load_model(file)
    assert type(plain.loss["a"]) is keras.losses.Dice
    assert type(plain.loss["c"]) is keras.losses.CTC
