"""Weights of rows, steps and classes in losses, metrics and gradients, against NumPy in float64."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import pytest
from data_building import recipe

from lstmgraph.compiler.checks.metric_names import logged_names
from lstmgraph.models.building.counted_steps import count_steps

if TYPE_CHECKING:
    import lstmgraph

Numbers = dict[str, np.ndarray]

ROWS, STEPS = 6, 5
LENGTHS = np.array([5, 3, 1, 4, 2, 5])
HOLES = np.random.default_rng(5).random((ROWS, STEPS)) < 0.6
COUNTED = {
    "no mask": np.ones((ROWS, STEPS), bool),
    "lengths": np.arange(STEPS) < LENGTHS[:, None],
    "holes": HOLES,
}
MASKS: dict[str, Any] = {"no mask": "none", "lengths": {"lengths": "lengths"}}
MASKS["holes"] = {"input": "valid"}
CLASSES = {"words": {0: 2.0, 3: 0.25}, "flags": {1: 4.0}, "kinds": {0: 0.5, 2: 3.0}}
RECIPE = """
    inputs:
      x: {shape: [time, 2]}
      lengths: {shape: [], dtype: int32}
      valid: {shape: [time], dtype: bool}
    layers:
      reader: {type: gru, input: x, units: 3, trainable: false, mask: none}
      words: {type: dense, input: reader.sequence, units: 4, activation: softmax}
      flags: {type: dense, input: reader.sequence, units: 1, activation: sigmoid}
      kinds: {type: dense, input: reader.last, units: 3, activation: softmax}
      price: {type: dense, input: reader.sequence, units: 2}
    outputs: {words: words, flags: flags, kinds: kinds, price: price}
    training:
      optimizer: {type: sgd, learning_rate: 1.0}
      loss:
        words: sparse_categorical_crossentropy
        flags: binary_crossentropy
        kinds: categorical_crossentropy
        price: mse
      metrics: {words: [accuracy], kinds: [accuracy]}
      weighted_metrics:
        words: [accuracy]
        flags: [precision, recall, {type: auc, name: area}]
        kinds: [accuracy]
        price: [mae, root_mean_squared_error]
      batch_size: 6
    data: {split: {validation: 0}}
    runtime: {seed: 3}
"""
KINDS = ("none", "row", "step", "class", "row and class")


def found(mask: str, *, by_class: bool) -> lstmgraph.Recipe:
    weights = {n: {str(k): w for k, w in each.items()} for n, each in CLASSES.items()}
    training = {"training__class_weight": weights} if by_class else {}
    return recipe(RECIPE, layers__reader__mask=MASKS[mask], **training)


def of_one_output(kind: str) -> lstmgraph.Recipe:
    """The recipe with `words` alone, whose class weights need no name."""
    weights = {str(key): weight for key, weight in CLASSES["words"].items()}
    training = {"training__class_weight": weights} if "class" in kind else {}
    return recipe(
        RECIPE,
        layers__reader__mask=MASKS["lengths"],
        outputs={"words": "words"},
        training__loss="sparse_categorical_crossentropy",
        training__metrics=["accuracy"],
        training__weighted_metrics=["accuracy"],
        **training,
    )


@cache
def built(mask: str) -> tuple[keras.Model, list[np.ndarray]]:
    model = found(mask, by_class=False).build()
    return model, model.get_weights()


def arrays() -> Numbers:
    random = np.random.default_rng(1)
    return {
        "x": random.normal(size=(ROWS, STEPS, 2)),
        "lengths": LENGTHS,
        "valid": HOLES,
        "words": random.integers(0, 4, (ROWS, STEPS)),
        "flags": random.integers(0, 2, (ROWS, STEPS, 1)),
        "kinds": np.eye(3)[random.integers(0, 3, ROWS)],
        "price": random.normal(size=(ROWS, STEPS, 2)),
    }


def weights(kind: str) -> Numbers:
    random = np.random.default_rng(2)
    shape = (ROWS, STEPS) if kind == "step" else (ROWS,)
    drawn = {name: random.random(ROWS if name == "kinds" else shape) for name in OUTPUTS}
    drawn["words"].flat[1] = 0
    return drawn if kind in ("row", "step", "row and class") else {}


OUTPUTS = ("words", "flags", "kinds", "price")


def of_classes(kind: str, given: Numbers, name: str) -> np.ndarray:
    """The weight of each row or step by its class, (rows,) or (rows, steps)."""
    ids = {"words": given["words"], "flags": given["flags"][..., 0]}
    ids["kinds"] = given["kinds"].argmax(axis=-1)
    if "class" not in kind or name not in ids:
        return np.ones(())
    return np.vectorize(lambda number: CLASSES[name].get(number, 1.0))(ids[name])


def expected_weights(kind: str, given: Numbers, name: str) -> np.ndarray:
    shape = (ROWS,) if name == "kinds" else (ROWS, STEPS)
    own = weights(kind).get(name, np.ones(shape))
    own = own[:, None] if own.ndim < len(shape) else own
    return np.broadcast_to(own, shape) * of_classes(kind, given, name)


def errors(given: Numbers, y: Numbers) -> Numbers:
    """The loss of each row or step, float64."""
    words = np.take_along_axis(y["words"], given["words"][..., None], -1)[..., 0]
    flags = np.where(given["flags"] == 1, y["flags"], 1 - y["flags"])[..., 0]
    return {
        "words": -np.log(words),
        "flags": -np.log(flags),
        "kinds": -np.log((given["kinds"] * y["kinds"]).sum(axis=-1)),
        "price": ((given["price"] - y["price"]) ** 2).mean(axis=-1),
    }


def area(truth: np.ndarray, chance: np.ndarray, weight: np.ndarray) -> float:
    """The area under the curve of Keras's 200 thresholds, by trapezoids."""
    inner = np.arange(1, 199) / 199
    thresholds = np.array([-1e-7, *inner, 1 + 1e-7])[:, None]
    above = chance > thresholds
    hits = (above * truth * weight).sum(axis=1) / (truth * weight).sum()
    alarms = (above * (1 - truth) * weight).sum(axis=1) / ((1 - truth) * weight).sum()
    return float(((alarms[:-1] - alarms[1:]) * (hits[:-1] + hits[1:]) / 2).sum())


def mean(values: np.ndarray, weight: np.ndarray) -> float:
    return float((values * weight).sum() / weight.sum())


def expected(mask: str, kind: str, given: Numbers, y: Numbers) -> dict[str, float]:
    counted = dict.fromkeys(OUTPUTS, COUNTED[mask]) | {"kinds": np.ones(ROWS, bool)}
    weight = {name: expected_weights(kind, given, name) * counted[name] for name in OUTPUTS}
    loss = errors(given, y)
    numbers = {
        f"{name}_loss": (loss[name] * weight[name]).sum() / counted[name].sum() for name in OUTPUTS
    }
    numbers["loss"] = sum(numbers.values())
    for name in ("words", "kinds"):
        truth = given[name] if name == "words" else given[name].argmax(axis=-1)
        hits = y[name].argmax(axis=-1) == truth
        numbers[f"{name}_accuracy"] = mean(hits, counted[name])
        numbers[f"{name}_weighted_accuracy"] = mean(hits, weight[name])
    truth, chance = given["flags"][..., 0], y["flags"][..., 0]
    numbers["flags_precision"] = mean(truth, weight["flags"] * (chance > 0.5))
    numbers["flags_recall"] = mean(chance > 0.5, weight["flags"] * truth)
    flat = (truth.ravel(), chance.ravel(), weight["flags"].ravel())
    numbers["flags_area"] = area(*flat)
    away = np.abs(given["price"] - y["price"])
    numbers["price_mae"] = mean(away.mean(axis=-1), weight["price"])
    squares = mean((away**2).mean(axis=-1), weight["price"])
    numbers["price_root_mean_squared_error"] = squares**0.5
    return numbers


def slopes(mask: str, kind: str, given: Numbers, y: Numbers, read: Numbers) -> Numbers:
    """The gradients of the kernels of all heads, whose activation and loss cancel but for mse."""
    ids = np.eye(4)[given["words"]]
    away = {name: y[name] - given[name] for name in ("flags", "kinds", "price")}
    away["words"] = y["words"] - ids
    found = {}
    for name in OUTPUTS:
        counted = np.ones(ROWS) if name == "kinds" else COUNTED[mask]
        weight = expected_weights(kind, given, name) * counted / counted.sum()
        axes = "bi,bo,b->io" if name == "kinds" else "bti,bto,bt->io"
        found[name] = np.einsum(axes, read[name], away[name], weight)
    return found  # of price: 2 / 2 units


@pytest.mark.slow
@pytest.mark.parametrize("mask", COUNTED)
def test_losses_metrics_and_gradients(mask: str) -> None:
    """Those of one training step of one batch, and those of ``evaluate``; traced with one mask.

    Each kind of weights that differs in its axes is traced: the others are in the eager ones.
    """
    model, begin = built(mask)
    model.run_eagerly = mask != "holes"  # tracing takes most of the time
    given = arrays()
    readers = {name: model.get_layer(name).input for name in OUTPUTS}
    probe = keras.Model(model.input, {"y": model.output, "read": readers})
    fed = {name: given[name] for name in ("x", "lengths", "valid")}
    model.set_weights(begin)
    probed = keras.tree.map_structure(lambda each: each.astype("float64"), probe.predict(fed))
    heads = {name: model.get_layer(name) for name in OUTPUTS}
    before = {name: layer.get_weights()[0] for name, layer in heads.items()}
    for kind in ("none", "step", "row and class") if mask == "holes" else KINDS[1:]:
        own = {f"{name}_sample_weight": each for name, each in weights(kind).items()}
        data = found(mask, by_class="class" in kind).load_data({**given, **own})
        feed = data.train.as_keras(ROWS)
        model.set_weights(begin)
        wanted = expected(mask, kind, given, probed["y"])
        numbers = [model.evaluate(feed.dataset, verbose=0, return_dict=True)] * (mask == "holes")
        history = model.fit(feed.dataset, verbose=0, shuffle=False).history
        for measured in (*numbers, {name: values[0] for name, values in history.items()}):
            assert measured == {
                name: pytest.approx(number, rel=2e-5, abs=2e-6) for name, number in wanted.items()
            }, kind
        for name, slope in slopes(mask, kind, given, probed["y"], probed["read"]).items():
            step = before[name] - heads[name].get_weights()[0]
            np.testing.assert_allclose(step, slope, rtol=1e-4, atol=2e-6, err_msg=f"{kind} {name}")
    training = found(mask, by_class=False).compiled.declaration.training
    assert training is not None
    assert set(logged_names(training, OUTPUTS)) == set(wanted)


@pytest.mark.slow
def test_one_output() -> None:
    given, mask = arrays(), "lengths"
    words = {name: given[name] for name in ("x", "lengths", "valid", "words")}
    model = of_one_output("none").build()
    model.run_eagerly = True
    for kind in KINDS:
        own = {"sample_weight": weights(kind)["words"]} if weights(kind) else {}
        feed = of_one_output(kind).load_data({**words, **own}).train.as_keras(ROWS)
        numbers = model.evaluate(feed.dataset, verbose=0, return_dict=True)
        fed = {name: given[name] for name in ("x", "lengths", "valid")}
        y = model.predict(fed, verbose=0)["words"].astype("float64")
        counted = COUNTED[mask]
        weight = expected_weights(kind, given, "words") * counted
        loss = -np.log(np.take_along_axis(y, given["words"][..., None], -1)[..., 0])
        hits = y.argmax(axis=-1) == given["words"]
        assert numbers == {
            "loss": pytest.approx((loss * weight).sum() / counted.sum(), rel=2e-5),
            "accuracy": pytest.approx(mean(hits, counted), rel=2e-5),
            "weighted_accuracy": pytest.approx(mean(hits, weight), rel=2e-5),
        }


@pytest.mark.filterwarnings("ignore:The model does not have any trainable weights")
def test_keras_alone_takes_another_class_for_that_of_each_step() -> None:
    """docs/why.md: the class of a row is the place of its largest id, where rows equal steps."""
    x = np.full((3, 3, 4), 0.25, "float32")
    ids = np.array([[0, 3, 0], [2, 0, 0], [0, 0, 2]])  # the largest are in places 1, 0 and 2
    model = keras.Sequential([keras.Input((3, 4)), keras.layers.Activation("linear")])
    model.compile("sgd", "sparse_categorical_crossentropy", jit_compile=False)
    by_keras = model.fit(x, ids, class_weight={1: 7.0}, verbose=0).history["loss"][0]
    assert by_keras == pytest.approx(np.log(4) * (7 + 1 + 1) / 3, rel=1e-5), "no id is 1"


ARGUMENTS: dict[str, dict[str, Any]] = {
    "IoU": {"num_classes": 3, "target_class_ids": [0, 1]},
    "MeanIoU": {"num_classes": 3},
    "OneHotIoU": {"num_classes": 3, "target_class_ids": [0]},
    "OneHotMeanIoU": {"num_classes": 3},
    "PrecisionAtRecall": {"recall": 0.5},
    "RecallAtPrecision": {"precision": 0.5},
    "SensitivityAtSpecificity": {"specificity": 0.5},
    "SpecificityAtSensitivity": {"sensitivity": 0.5},
}
OF_VALUES = {"Metric", "Mean", "MeanMetricWrapper", "Sum"}
METRICS = sorted(
    name
    for name, kind in vars(keras.metrics).items()
    if isinstance(kind, type) and issubclass(kind, keras.metrics.Metric) and name not in OF_VALUES
)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:In loss categorical_crossentropy:SyntaxWarning")
@pytest.mark.parametrize("shape", [(6, 1), (6, 3), (4, 5, 1), (4, 5, 3)], ids=str)
def test_a_weight_of_two_is_a_row_given_twice(shape: tuple[int, ...]) -> None:
    """Every metric of Keras, of rows and of steps: a weight of 0 leaves one out."""
    random = np.random.default_rng(0)
    *rows, units = shape
    y = random.random(shape).astype("float32")
    y = y / y.sum(axis=-1, keepdims=True) if units > 1 else y
    ids = random.integers(0, 3 if units > 1 else 2, rows)
    hot = np.eye(3, dtype="float32")[ids] if units > 1 else ids[..., None].astype("float32")
    weight = random.integers(0, 4, rows)
    often = np.repeat(np.arange(weight.size), weight.ravel())
    for name in METRICS:
        if name.startswith("Sparse") and units == 1:
            continue
        truth = ids if name.startswith("Sparse") else hot
        once, twice = (
            getattr(keras.metrics, name)(**ARGUMENTS.get(name, {}), dtype="float32")
            for _ in range(2)
        )
        count_steps([once])
        once.update_state(*map(keras.ops.convert_to_tensor, (truth, y)), weight.astype("float32"))
        flat = (each.reshape(-1, *each.shape[len(rows) :]) for each in (truth, y))
        twice.update_state(*(each[often] for each in flat))
        np.testing.assert_allclose(
            *(keras.ops.convert_to_numpy(each.result()) for each in (once, twice)),
            rtol=1e-4,
            atol=1e-6,
            err_msg=name,
        )
