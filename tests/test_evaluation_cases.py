"""`lstmgraph.evaluate` on every kind of data: rows, whole series, arrays, parts, weights."""

from __future__ import annotations

import json

import numpy as np
import pytest
from building import RECIPES, with_header
from sklearn import metrics
from test_evaluation import FORECASTER, table

import lstmgraph
from lstmgraph.evaluation.measures import CHUNK, ClassCounts, ErrorSums, Naive, QuantileSums

# Keras 3.15 turns its variables into arrays in the way of NumPy 1.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

ROWS = """
inputs: {x: {shape: [2]}}
layers:
  price: {type: dense, input: x, units: 1}
  sold: {type: dense, input: x, units: 1, activation: sigmoid}
outputs: {price: price, sold: sold}
runtime: {seed: 1}
training: {loss: {price: mse, sold: binary_crossentropy}}
data:
  inputs: {x: {columns: [a, b]}}
  targets: {price: {columns: [c]}, sold: {columns: [s]}}
  sample_weight: {columns: [w]}
  split: {validation: 0.25, test: 0.25}
"""


def rows() -> dict[str, np.ndarray]:
    random = np.random.default_rng(3)
    found = {name: random.normal(size=80).astype("float32") for name in "abc"}
    found["s"] = (found["a"] > 0.3).astype("float32")
    return found | {"w": random.random(80).astype("float32")}


def test_rows_are_measured_with_their_weights_beside_the_mean() -> None:
    recipe = lstmgraph.load(with_header(ROWS, "rows"))
    model, data = recipe.build(), rows()
    found = lstmgraph.evaluate(model, data, recipe=recipe)
    assert found.examples == 80
    predicted = model.predict({"x": np.stack([data["a"], data["b"]], 1)}, verbose=0)
    target, weight = data["c"].astype("float64"), data["w"].astype("float64")
    (column,) = found.numbers["price"]
    wanted = metrics.mean_absolute_error(target, predicted["price"], sample_weight=weight)
    np.testing.assert_allclose(column.measures["model"]["mae"], wanted, rtol=1e-5)
    constant = np.full(80, target.mean())
    naive = metrics.mean_absolute_error(target, constant, sample_weight=weight)
    mean = column.measures["mean of this data"]
    np.testing.assert_allclose(mean["mae"], naive, rtol=1e-5)
    np.testing.assert_allclose(mean["skill"], 1 - wanted / naive, rtol=1e-4)
    sold = found.classes["sold"]
    labels, yes = data["s"].astype(int), predicted["sold"].ravel().astype("float64")
    wanted = metrics.confusion_matrix(labels, yes > 0.5, sample_weight=weight)
    np.testing.assert_allclose(sold.confusion, wanted, rtol=1e-5)
    loss = metrics.log_loss(labels, np.clip(yes, 1e-7, 1 - 1e-7), sample_weight=weight)
    np.testing.assert_allclose(sold.measures["model"]["log_loss"], loss, rtol=1e-4)
    json.dumps(found.to_dict(), allow_nan=False)
    assert "price" in found.report()

    test = lstmgraph.evaluate(model, data, recipe=recipe, part="test")
    loaded = recipe.load_data(data)
    (column,) = test.numbers["price"]
    mean = loaded.train.arrays()[1]["price"].mean()
    truth, weights = (loaded.test.arrays()[at]["price"].ravel() for at in (1, 2))
    wanted = np.average(np.abs(truth.astype("float64") - mean), weights=weights)
    np.testing.assert_allclose(column.measures["mean"]["mae"], wanted, rtol=1e-5)

    with pytest.raises(lstmgraph.DataError, match="D503"):
        lstmgraph.evaluate(model, data, recipe=recipe, part="test", origins=2)
    del data["c"], data["s"]
    with pytest.raises(lstmgraph.DataError, match="D510"):
        lstmgraph.evaluate(model, data, recipe=recipe)


def test_parts_of_windows_keep_series_origins_and_stride() -> None:
    recipe = lstmgraph.load(with_header(FORECASTER, "shops"))
    model = recipe.build()
    sales = table()["sales"].reshape(2, 20)
    last = 5 + len(recipe.load_data(table()).train) // 2
    found = lstmgraph.evaluate(model, table(), recipe=recipe, part="train", origins=2, stride=2)
    assert found.examples == 4
    (column,) = found.numbers["y"]
    assert {name for name, _, _ in column.series} == {"<b>&amp;", "two"}
    errors = [
        np.abs([row[at - 2] - row[at], row[at - 1] - row[at + 1], row[at - 2] - row[at + 2]])
        for row in sales
        for at in (last - 2, last)
    ]
    np.testing.assert_allclose(column.measures["model"]["mae"], np.mean(errors), rtol=1e-5)
    with pytest.raises(lstmgraph.DataError, match="D511"):
        lstmgraph.evaluate(model, table(), recipe=recipe, part="test")


@pytest.mark.slow
def test_skill_compares_the_same_targets() -> None:
    """A season of 7 steps is not there for the first origins, after 6 rows of history."""
    recipe = lstmgraph.load(with_header(FORECASTER, "shops"))
    found = lstmgraph.evaluate(recipe.build(), table(), recipe=recipe)
    own, naive = [], []
    for row in table()["sales"].reshape(2, 20):
        for at in range(6, 18):
            for step in range(3):
                if at - 7 + step >= 0:
                    own.append(abs(row[at - 2 + step % 2] - row[at + step]))
                    naive.append(abs(row[at - 7 + step] - row[at + step]))
    assert len(own) < 72
    (column,) = found.numbers["y"]
    skill = column.measures["seasonal naive"]["skill"]
    np.testing.assert_allclose(skill, 1 - np.mean(own) / np.mean(naive), rtol=1e-4)


def test_whole_series_are_measured_without_a_split() -> None:
    recipe = lstmgraph.load(RECIPES / "speaker-classifier.yaml")
    model, path = recipe.build(), RECIPES / "data" / "japanese_vowels.npz"
    given = recipe.load_data(path).validation
    x, y, _ = given.arrays()
    found = lstmgraph.evaluate(model, {**x, **y}, recipe=recipe)
    of_part = lstmgraph.evaluate(model, path, recipe=recipe, part="validation")
    own, other = (each.classes["speaker"] for each in (found, of_part))
    assert (own.measures["model"], own.confusion) == (other.measures["model"], other.confusion)
    assert "majority class of this data" in own.measures
    assert found.examples == len(given)


@pytest.mark.slow
def test_frames_of_utterances() -> None:
    """Windows of a horizon of 1, whose histories are short at the start of an utterance."""
    recipe = lstmgraph.load(RECIPES / "next-frame.yaml")
    model, path = recipe.build(), RECIPES / "data" / "japanese_vowels.parquet"
    found = lstmgraph.evaluate(model, path, recipe=recipe, part="test")
    x, y, _ = recipe.load_data(path).test.arrays()
    predicted = model.predict(x, verbose=0)["next_frame"].astype("float64")
    wanted = np.abs(predicted - y["next_frame"]).mean(axis=0)
    columns = found.numbers["next_frame"]
    assert [column.name for column in columns] == [f"lpc_{at}" for at in range(1, 13)]
    for column, mae in zip(columns, wanted.ravel(), strict=True):
        np.testing.assert_allclose(column.measures["model"]["mae"], mae, rtol=1e-4)
    lasts = x["frames"][np.arange(len(predicted)), x["lengths"].ravel() - 1]
    naive = np.abs(lasts.astype("float64") - y["next_frame"].reshape(lasts.shape)).mean(axis=0)
    for column, mae in zip(columns, naive, strict=True):
        np.testing.assert_allclose(column.measures["last value"]["mae"], mae, rtol=1e-5)
    json.dumps(found.to_dict(), allow_nan=False)
    assert len(found.report()) < 2_000_000


def test_the_history_is_summed_in_pieces() -> None:
    """Sums of a table of several chunks, with gaps, are those of pieces by hand."""
    random = np.random.default_rng(1)
    values = random.normal(size=2 * CHUNK + 100)
    values[random.random(len(values)) < 0.1] = np.nan
    starts = np.array([0, CHUNK - 5, 2 * CHUNK + 50, len(values)])
    naive = Naive(values, starts, season=3)
    series = np.array([0, 1, 1, 2])
    origins = np.array([CHUNK - 9, CHUNK, 2 * CHUNK + 3, len(values)])
    absolute, squared = naive.scales(series, origins)
    means = naive.forecasts(series, origins, 1)["mean"][:, 0]
    for at, (number, end) in enumerate(zip(series, origins, strict=True)):
        history = values[starts[number] : end]
        gaps = history[3:] - history[:-3]
        np.testing.assert_allclose(means[at], np.nanmean(history), rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(absolute[at], np.nanmean(np.abs(gaps)), rtol=1e-9)
        np.testing.assert_allclose(squared[at], np.nanmean(gaps**2), rtol=1e-9)
    held = sum(v.nbytes for v in vars(naive).values() if type(v) is np.ndarray and v is not values)
    assert held <= starts.nbytes


def test_weights_of_measures_are_those_of_scikit_learn() -> None:
    random = np.random.default_rng(2)
    (targets, forecasts), weights = random.normal(size=(2, 30, 2)), random.random((30, 2))
    sums = ErrorSums(1, 2)
    sums.add(np.zeros(30, int), targets, forecasts, weights=weights)
    flat = targets.ravel(), forecasts.ravel()
    wanted = metrics.mean_squared_error(*flat, sample_weight=weights.ravel()) ** 0.5
    np.testing.assert_allclose(sums.measures()["rmse"], wanted)
    quantiles = QuantileSums((0.2, 0.8), 1, 2)
    many = np.sort(random.normal(size=(30, 2, 2)), axis=-1)
    quantiles.add(np.zeros(30, int), targets, many, weights)
    losses = [
        metrics.mean_pinball_loss(
            flat[0], many[..., at].ravel(), alpha=alpha, sample_weight=weights.ravel()
        )
        for at, alpha in enumerate((0.2, 0.8))
    ]
    np.testing.assert_allclose(quantiles.measures()["pinball"], np.mean(losses))
    chances, labels = random.dirichlet(np.ones(3), 30), random.integers(0, 3, 30)
    counts = ClassCounts(("a", "b", "c"))
    counts.add(labels, chances, weights[:, 0])
    loss = metrics.log_loss(labels, chances, sample_weight=weights[:, 0])
    np.testing.assert_allclose(counts.measures()["log_loss"], loss)


TAGS = """
inputs: {x: {shape: [2]}}
layers:
  tags: {type: dense, input: x, units: 2, activation: sigmoid}
  score: {type: dense, input: x, units: 1}
  kind: {type: dense, input: x, units: 3, activation: softmax}
outputs: {tags: tags, score: score, kind: kind}
runtime: {seed: 1}
training: {loss: {tags: binary_crossentropy, score: hinge, kind: categorical_crossentropy}}
data:
  inputs: {x: {columns: [a, b]}}
  targets: {tags: {columns: [old, new]}, score: {columns: [s]}, kind: {columns: [k, l, m]}}
"""


def test_tags_scores_and_missing_classes() -> None:
    random = np.random.default_rng(5)
    data = {name: random.normal(size=60).astype("float32") for name in "ab"}
    data |= {name: (random.random(60) > 0.4).astype("float32") for name in ("old", "new")}
    data["s"] = np.where(random.random(60) > 0.4, 1, -1).astype("float32")
    kinds = random.integers(0, 3, 60)
    data |= dict(zip("klm", np.eye(3, dtype="float32")[kinds].T.copy(), strict=True))
    recipe = lstmgraph.load(with_header(TAGS, "tags"))
    model = recipe.build()
    found = lstmgraph.evaluate(model, data, recipe=recipe)
    predicted = model.predict({"x": np.stack([data["a"], data["b"]], 1)}, verbose=0)
    for at, tag in enumerate(("old", "new")):
        wanted = metrics.confusion_matrix(data[tag], predicted["tags"][:, at] > 0.5)
        np.testing.assert_array_equal(found.classes[f"tags: {tag}"].confusion, wanted)
    both = np.stack([data["old"], data["new"]], 1).ravel()
    wanted = metrics.confusion_matrix(both, predicted["tags"].ravel() > 0.5)
    np.testing.assert_array_equal(found.classes["tags"].confusion, wanted)
    score = found.classes["score"]
    wanted = metrics.confusion_matrix(data["s"] > 0, predicted["score"].ravel() > 0)
    np.testing.assert_array_equal(score.confusion, wanted)
    assert "log_loss" not in score.measures["model"]
    wanted = metrics.confusion_matrix(kinds, predicted["kind"].argmax(1))
    np.testing.assert_array_equal(found.classes["kind"].confusion, wanted)
    assert "tags: old" in str(found)
    assert "tags: old" in found.report()
