"""`lstmgraph.evaluate`: measures and naive forecasts against their definitions, and the report."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING

import numpy as np
import pytest
from building import RECIPES, with_header
from sklearn import metrics
from typer.testing import CliRunner

import lstmgraph
from lstmgraph.cli import app
from lstmgraph.evaluation import evaluate
from lstmgraph.evaluation.measures import ClassCounts, ErrorSums, Naive, QuantileSums

if TYPE_CHECKING:
    from pathlib import Path

    import keras

# Keras 3.15 turns its variables into arrays in the way of NumPy 1.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

RANDOM = np.random.default_rng(0)


def test_errors_are_their_definitions() -> None:
    targets, forecasts = RANDOM.normal(size=(2, 40, 3))
    targets[3, 1] = np.nan
    series = RANDOM.integers(0, 4, 40)
    sums = ErrorSums(4, 3)
    for rows in (slice(0, 7), slice(7, 40)):
        sums.add(series[rows], targets[rows], forecasts[rows])
    known = np.isfinite(targets)
    error = forecasts - targets
    size = np.abs(forecasts) + np.abs(targets)
    wanted = {
        "mae": np.abs(error),
        "bias": error,
        "smape": 200 * np.abs(error) / size,
    }
    found = sums.measures()
    for name, values in wanted.items():
        np.testing.assert_allclose(found[name], values[known].mean(), err_msg=name)
    np.testing.assert_allclose(found["rmse"], np.sqrt((error[known] ** 2).mean()))
    of_series = sums.measures(axis=1)["mae"]
    for number in range(4):
        own_rows = np.abs(error[series == number])
        np.testing.assert_allclose(of_series[number], np.nanmean(own_rows))
    np.testing.assert_allclose(sums.measures(axis=0)["mae"], np.nanmean(np.abs(error), axis=0))


def test_naive_forecasts_see_only_what_is_before_their_origin() -> None:
    table = np.arange(30.0) ** 2
    naive = Naive(table, np.array([0, 12, 30]), season=4)
    origins, series = np.array([9, 20]), np.array([0, 1])
    found = naive.forecasts(series, origins, 6)
    np.testing.assert_allclose(found["last value"][0], [64.0] * 6)
    np.testing.assert_allclose(found["seasonal naive"][0], table[[5, 6, 7, 8, 5, 6]])
    np.testing.assert_allclose(found["mean"][1], [table[12:20].mean()] * 6)
    slope = (table[19] - table[12]) / 7
    np.testing.assert_allclose(found["drift"][1], table[19] + slope * np.arange(1, 7))
    gaps = np.abs(table[16:20] - table[12:16])
    absolute, squared = naive.scales(series, origins)
    np.testing.assert_allclose(absolute[1], gaps.mean())
    np.testing.assert_allclose(squared[1], (gaps**2).mean())
    early = naive.forecasts(np.array([1]), np.array([14]), 2)["seasonal naive"]
    assert np.isnan(early).all()  # the season before is that of another series


def test_classes_are_measured_as_scikit_learn_does() -> None:
    chances = RANDOM.dirichlet(np.ones(4), 200)
    targets = RANDOM.integers(0, 3, 200)  # one class never comes
    counts = ClassCounts(("a", "b", "c", "d"))
    for rows in (slice(0, 50), slice(50, 200)):
        counts.add(targets[rows], chances[rows])
    predicted = chances.argmax(1)
    found, labels = counts.measures(), [0, 1, 2, 3]
    np.testing.assert_allclose(found["accuracy"], metrics.accuracy_score(targets, predicted))
    loss = metrics.log_loss(targets, chances, labels=labels)
    np.testing.assert_allclose(found["log_loss"], loss)
    by_class = metrics.precision_recall_fscore_support(
        targets, predicted, labels=labels, zero_division=0.0
    )
    for name, *wanted in zip("abcd", *by_class, strict=True):
        np.testing.assert_allclose(list(counts.by_class()[name].values()), wanted, err_msg=name)
    wanted = metrics.confusion_matrix(targets, predicted, labels=labels)
    np.testing.assert_array_equal(counts.confusion, wanted)
    shares = np.bincount(targets) / 200
    majority = counts.majority()
    np.testing.assert_allclose(majority["accuracy"], shares.max())
    always = np.tile([*shares, 0.0], (200, 1))
    np.testing.assert_allclose(
        majority["log_loss"], metrics.log_loss(targets, always, labels=labels)
    )


def test_quantiles_are_measured_as_scikit_learn_does() -> None:
    targets = RANDOM.normal(size=(50, 2))
    forecasts = np.sort(RANDOM.normal(size=(50, 2, 3)), axis=-1)
    sums, series = QuantileSums((0.1, 0.5, 0.9), 1, 2), np.zeros(50, int)
    sums.add(series[:20], targets[:20], forecasts[:20])
    sums.add(series[20:], targets[20:], forecasts[20:])
    found = sums.measures()
    losses = [
        metrics.mean_pinball_loss(targets.ravel(), forecasts[..., at].ravel(), alpha=alpha)
        for at, alpha in enumerate((0.1, 0.5, 0.9))
    ]
    np.testing.assert_allclose(found["pinball"], np.mean(losses))
    weighted = 2 * np.mean(losses) * 100 / np.abs(targets).sum()
    np.testing.assert_allclose(found["weighted_quantile_loss"], weighted)
    inside = (targets >= forecasts[..., 0]) & (targets <= forecasts[..., 2])
    np.testing.assert_allclose(found["coverage"], inside.mean())


# Models.

FORECASTER = """
inputs: {history: {shape: [6, 1]}}
layers:
  read: {type: lstm, input: history, units: 3}
  y: {type: dense, input: read, units: 3, kernel_initializer: zeros}
outputs: {y: y}
runtime: {seed: 1}
training: {loss: mae}
data:
  series: shop
  time: day
  window: {history: 6, horizon: 3}
  inputs: {history: {columns: [sales]}}
  targets: {y: {columns: [sales], difference: 2}}
"""


def table() -> dict[str, np.ndarray]:
    shop, day = (each.ravel() for each in np.indices((2, 20)))
    start = np.datetime64("2024-01-01")
    names = np.array(["<b>&amp;", "two"])[shop]
    return {"shop": names, "day": start + day, "sales": 5.0 * shop + np.sin(day) + day % 7}


@pytest.fixture(scope="module")
def forecaster() -> tuple[lstmgraph.Recipe, keras.Model]:
    recipe = lstmgraph.load(with_header(FORECASTER, "shops"))
    return recipe, recipe.build()


@pytest.mark.slow
def test_a_backtest_of_a_model_that_is_a_naive_forecast(forecaster) -> None:
    """The model forecasts the last two days over and over, as its weights are zeros."""
    recipe, model = forecaster
    found = evaluate(model, table(), recipe=recipe)
    (column,) = found.numbers["y"]
    sales = table()["sales"].reshape(2, 20)
    errors = [
        np.abs([row[at - 2] - row[at], row[at - 1] - row[at + 1], row[at - 2] - row[at + 2]])
        for row in sales
        for at in range(6, 18)
    ]
    np.testing.assert_allclose(column.measures["model"]["mae"], np.mean(errors), rtol=1e-5)
    np.testing.assert_allclose(column.steps["model"]["mae"], np.mean(errors, axis=0), rtol=1e-5)
    assert found.examples == 24
    assert found.season == 7  # days
    last = [np.abs(row[at - 1] - row[at : at + 3]) for row in sales for at in range(6, 18)]
    np.testing.assert_allclose(column.measures["last value"]["mae"], np.mean(last), rtol=1e-6)
    skill = 1 - np.mean(errors) / np.mean(last)
    np.testing.assert_allclose(column.measures["last value"]["skill"], skill, rtol=1e-4)
    assert {name for name, _, _ in column.series} == {"<b>&amp;", "two"}


def test_a_part_is_that_of_the_recipe(forecaster) -> None:
    recipe, model = forecaster
    found = evaluate(model, table(), recipe=recipe, part="validation", season=3)
    data = recipe.load_data(table())
    assert found.examples == len(data.validation)
    assert found.season == 3
    with pytest.raises(lstmgraph.DataError, match=r"D511.*no part 'test'"):
        evaluate(model, table(), recipe=recipe, part="test")


def test_the_report_is_well_formed_and_escapes_names(forecaster) -> None:
    recipe, model = forecaster
    page = evaluate(model, table(), recipe=recipe).report()
    root = ET.fromstring(page.removeprefix("<!DOCTYPE html>\n"))
    assert "<b>&amp;" in "".join(root.itertext())
    assert "<b>" not in page
    assert "http" not in page.replace("http-equiv", "").replace("http://www.w3.org/", "")
    titles = [each.text for each in root.iter("h2")]
    assert titles == [
        "y: sales",
        "y: sales: forecasts",
        "y: sales: the worst forecasts",
        "y: sales: forecast minus target",
        "y: sales: forecast minus target, over time",
        "y: sales: error by step",
        "y: sales: error by series",
        "y: sales: series, the worst first",
    ]


@pytest.mark.slow
def test_classes_of_a_whole_series(tmp_path: Path) -> None:
    recipe = lstmgraph.load(RECIPES / "speaker-classifier.yaml")
    model = recipe.build()
    data = RECIPES / "data" / "japanese_vowels.npz"
    recipe.save(model, tmp_path / "speaker.keras")
    arguments = ["evaluate", str(tmp_path / "speaker.keras"), "--data", str(data)]
    arguments += ["--part", "validation", "-o", str(tmp_path / "report.html"), "--format", "json"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)["classes"]["speaker"]
    x, y, _ = recipe.load_data(data).validation.arrays()
    predicted = model.predict(x, verbose=0)["speaker"].argmax(-1)
    wanted = metrics.confusion_matrix(y["speaker"].ravel(), predicted, labels=range(9))
    np.testing.assert_array_equal(found["confusion"], wanted)
    assert set(found["measures"]) == {"model", "majority class"}
    assert len(found["worst"]) == min(20, int((predicted != y["speaker"].ravel()).sum()))
    page = (tmp_path / "report.html").read_text("utf-8")
    assert "confusion matrix" in page
    assert "calibration" in page


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["missing.keras"], 1, "missing.keras"),
        (["model.keras", "-o", "report.pdf"], 2, "the report ends in .html, the table of measures"),
        (["model.keras", "--origins", "some"], 2, "some is not a number from 1, nor all"),
    ],
)
def test_mistakes_on_the_command_line(
    arguments: list[str], code: int, words: str, tmp_path: Path
) -> None:
    arguments = [str(tmp_path / arguments[0]), *arguments[1:], "--data", "x.csv"]
    result = CliRunner().invoke(app, ["evaluate", *arguments])
    assert result.exit_code == code
    assert words in " ".join(result.output.replace("│", " ").split())
