"""`lstmgraph.evaluate` by series and step, of distributions and beside the training part."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
from building import with_header
from scipy import stats
from sklearn import metrics
from test_evaluation import table
from typer.testing import CliRunner

import lstmgraph
from lstmgraph.cli import app
from lstmgraph.evaluation import Evaluation
from lstmgraph.evaluation.distributions import crps, quantiles
from lstmgraph.evaluation.measures import ErrorSums, QuantileSums
from lstmgraph.evaluation.results import ColumnResult, SeriesResults

if TYPE_CHECKING:
    from pathlib import Path

# Keras 3.15 turns its variables into arrays in the way of NumPy 1.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def long_table() -> pd.DataFrame:
    """Forecasts of four series of many origins, one row for each step."""
    random = np.random.default_rng(0)
    frame = pd.DataFrame(
        [(s, o, h) for s in range(4) for o in range(3 + 5 * s) for h in range(3)],
        columns=["series", "origin", "step"],
    )
    frame["y"], frame["f"], frame["n"] = random.normal(size=(3, len(frame)))
    frame["w"] = random.random(len(frame))
    frame.loc[random.random(len(frame)) < 0.1, "y"] = np.nan
    scales = frame.groupby(["series", "origin"]).ngroup()
    of_origin = random.random((2, scales.max() + 1)) + 0.3
    frame["absolute"], frame["squared"] = of_origin[0][scales], of_origin[1][scales]
    frame.loc[(frame.series == 1) & (frame.origin == 2), "absolute"] = np.nan
    return frame


def average(frame: pd.DataFrame, column: pd.Series) -> float:
    own, weights = column.loc[frame.index], frame["w"]
    known = own.notna()
    return float((own * weights)[known].sum() / weights[known].sum()) if known.any() else np.nan


def wanted_of(frame: pd.DataFrame) -> dict[str, float]:
    """The measures of some forecasts, with pandas: scaled ones per series, then their mean."""
    error = frame["f"] - frame["y"]
    scaled = error.abs() / frame["absolute"]
    squared = (error**2 / frame["squared"]).where(frame["absolute"].notna())
    series = [rows for _, rows in frame.groupby("series")]
    return {
        "mae": average(frame, error.abs()),
        "rmse": average(frame, error**2) ** 0.5,
        "bias": average(frame, error),
        "smape": average(frame, 200 * error.abs() / (frame["f"].abs() + frame["y"].abs())),
        "mase": float(np.nanmean([average(rows, scaled) for rows in series])),
        "rmsse": float(np.nanmean([average(rows, squared) ** 0.5 for rows in series])),
    }


def test_measures_by_series_and_step_are_those_of_pandas() -> None:
    frame = long_table()
    sums, naive = ErrorSums(4, 3), ErrorSums(4, 3)
    for part in (frame[frame.origin < 4], frame[frame.origin >= 4]):
        wide = {key: part[key].to_numpy().reshape(-1, 3) for key in part}
        options = {
            "scales": (wide["absolute"][:, 0], wide["squared"][:, 0]),
            "weights": wide["w"],
        }
        series = wide["series"][:, 0].astype(int)
        sums.add(series, wide["y"], wide["f"], **options)
        naive.add(series, wide["y"], wide["n"], **options, model=wide["f"])
    for axis, groups in {1: "series", 0: "step"}.items():
        found, beside = sums.measures(axis), naive.measures(axis)["skill"]
        for at, rows in frame.groupby(groups):
            for name, value in wanted_of(rows).items():
                np.testing.assert_allclose(found[name][at], value, err_msg=f"{name} {groups} {at}")
            own, other = (average(rows, (rows[key] - rows["y"]).abs()) for key in "fn")
            np.testing.assert_allclose(beside[at], 1 - own / other)
    found = sums.measures()
    for name, value in wanted_of(frame).items():
        np.testing.assert_allclose(found[name], value, err_msg=name)


def test_rmsse_is_that_of_the_m5_competition() -> None:
    """One forecast of each series: the root of its own mean, and then the mean over series."""
    random = np.random.default_rng(1)
    history, future, forecast = (random.normal(size=(5, n)) for n in (30, 7, 7))
    history *= np.arange(1, 6)[:, None] ** 3
    scale = np.diff(history, axis=1)
    sums = ErrorSums(5, 7)
    own = np.abs(scale).mean(axis=1), (scale**2).mean(axis=1)
    sums.add(np.arange(5), future, forecast, scales=own)
    each = np.sqrt(((future - forecast) ** 2).mean(axis=1) / own[1])
    np.testing.assert_allclose(sums.measures()["rmsse"], each.mean())
    pooled = np.sqrt(((future - forecast) ** 2 / own[1][:, None]).mean())
    assert abs(pooled / each.mean() - 1) > 0.05


def test_quantiles_by_series_and_step() -> None:
    random = np.random.default_rng(2)
    series, targets = random.integers(0, 3, 40), random.normal(size=(40, 2))
    forecasts = np.sort(random.normal(size=(40, 2, 2)), axis=-1)
    sums = QuantileSums((0.1, 0.9), 3, 2)
    sums.add(series, targets, forecasts)
    inside = (targets >= forecasts[..., 0]) & (targets <= forecasts[..., 1])
    for axis, count in ((1, 3), (0, 2)):
        found = sums.measures(axis)
        for at in range(count):
            rows = (series == at, slice(None)) if axis == 1 else (slice(None), at)
            y, f = targets[rows].ravel(), forecasts[rows].reshape(-1, 2)
            losses = [
                metrics.mean_pinball_loss(y, f[:, i], alpha=a) for i, a in enumerate((0.1, 0.9))
            ]
            np.testing.assert_allclose(found["pinball"][at], np.mean(losses))
            np.testing.assert_allclose(found["crps"][at], 2 * np.mean(losses))
            wanted = 2 * np.mean(losses) * len(y) / np.abs(y).sum()
            np.testing.assert_allclose(found["weighted_quantile_loss"][at], wanted)
            np.testing.assert_allclose(found["coverage"][at], inside[rows].mean())
            np.testing.assert_allclose(found["q0.9"][at], (y <= f[:, 1]).mean())


@pytest.mark.slow
def test_crps_of_distributions_is_the_integral_of_its_definition() -> None:
    """The integral, or the sum over counts, of (F(x) - [x >= y])^2."""
    grid = np.linspace(-60, 60, 1_200_001)
    for name, numbers, own in (
        ("normal", (0.4, 1.7), stats.norm(0.4, 1.7)),
        ("student_t", (0.4, 0.7, 5.5), stats.t(5.5, 0.4, 0.7)),
    ):
        for target in (-2.0, 0.4, 3.1):
            below, above = grid[grid < target], grid[grid >= target]
            wanted = np.trapezoid(own.cdf(np.append(below, target)) ** 2, np.append(below, target))
            wanted += np.trapezoid(own.sf(np.append(target, above)) ** 2, np.append(target, above))
            found = crps(name, np.array(target), np.array(numbers))
            np.testing.assert_allclose(found, wanted, rtol=1e-6)
    means = (1e-3, 0.7, 30.0, 2e4)
    counts = [("poisson", (m,), stats.poisson(m)) for m in means]
    counts += [
        ("negative_binomial", (m, a), stats.nbinom(1 / a, 1 / (1 + a * m)))
        for m in means
        for a in (1e-6, 9e-4, 1.1e-3, 0.3, 4.0)
    ]
    for name, numbers, own in counts:
        k = np.arange(int(2 * own.mean() + 50 * own.std()) + 200)
        cdf, sf = own.cdf(k), own.sf(k)
        for target in (0.0, float(int(own.mean())), float(int(2 * own.mean() + 3))):
            wanted = np.where(k < target, cdf**2, sf**2).sum()
            found = crps(name, np.array([target]), np.array([numbers]))[0]
            label = f"{name} {numbers} {target}"
            np.testing.assert_allclose(found, wanted, rtol=1e-9, atol=1e-12, err_msg=label)
    levels = quantiles("negative_binomial", (0.1, 0.9), np.array([30.0, 0.3]))
    np.testing.assert_array_equal(levels, stats.nbinom(1 / 0.3, 0.1).ppf([0.1, 0.9]))


def test_the_report_of_many_series_is_small_and_its_table_has_all(tmp_path: Path) -> None:
    random = np.random.default_rng(3)
    names = [f"shop {at}" for at in range(10_000)]
    measures = {"model": {"mae": random.random(10_000), "mase": random.random(10_000)}}
    measures["last value"] = {"mae": random.random(10_000), "skill": random.random(10_000)}
    series = SeriesResults(names, np.full(10_000, 3.0), measures)
    steps = {key: {m: v[:3] for m, v in own.items()} for key, own in measures.items()}
    whole = {key: {m: float(v[0]) for m, v in own.items()} for key, own in measures.items()}
    column = ColumnResult("sales", whole, steps, series)
    found = Evaluation("shops", 10_000, 7, {"y": [column]}, {})
    page = found.report()
    assert len(page) < 100_000
    order = np.argsort(-measures["model"]["mae"])
    root = ET.fromstring(page.removeprefix("<!DOCTYPE html>\n"))
    cells = [each.text for each in root.iter("td") if (each.text or "").startswith("shop ")]
    wanted = [names[at] for at in [*order[:20], *order[:-21:-1]]]
    assert cells == wanted
    rows = list(found.table())
    frame = pd.DataFrame(rows[1:], columns=rows[0])
    assert len(frame) == 2 + 6 + 20_000
    own = frame[(frame["by"] == "series") & (frame["forecast"] == "model")].set_index("name")
    np.testing.assert_array_equal(own.loc[names, "mae"].astype(float), measures["model"]["mae"])
    assert len(found.to_dict()["numbers"]["y"]["sales"]["series"]) == 10_000


COUNTS = """
inputs: {history: {shape: [6, 1]}}
layers:
  read: {type: lstm, input: history, units: 3}
  y: {type: dense, input: read, units: 6, activation: softplus}
  by_step: {type: reshape, input: y, target_shape: [3, 2]}
outputs: {y: by_step}
runtime: {seed: 1}
training: {loss: {type: negative_log_likelihood, distribution: negative_binomial}}
data:
  series: shop
  time: day
  window: {history: 6, horizon: 3}
  inputs: {history: {columns: [sales]}}
  targets: {y: {columns: [sales]}}
"""


@pytest.mark.slow
def test_a_model_of_counts(tmp_path: Path) -> None:
    data = table()
    data["sales"] = np.round(10 * np.abs(data["sales"])) + 1
    recipe = lstmgraph.load(with_header(COUNTS, "counts"))
    model = recipe.build()
    found = lstmgraph.evaluate(model, data, recipe=recipe)
    (column,) = found.numbers["y"]
    scores = []
    for batch in lstmgraph.predict(model, data, recipe=recipe, origins="all", with_targets=True):
        y, (m, a) = batch.targets["y"][..., 0], np.moveaxis(batch.values["y"].astype(float), -1, 0)
        k = np.arange(3_000)
        cdf = stats.nbinom.cdf(k, 1 / a[..., None], 1 / (1 + a * m)[..., None])
        scores.append(((cdf - (k >= y[..., None])) ** 2).sum(axis=-1))
    wanted = np.concatenate(scores)
    np.testing.assert_allclose(column.quantiles["crps"], wanted.mean(), rtol=1e-6)
    np.testing.assert_allclose(column.steps["model"]["crps"], wanted.mean(axis=0), rtol=1e-6)
    path = tmp_path / "counts.keras"
    recipe.save(model, path)
    source = tmp_path / "sales.csv"
    pd.DataFrame(data).to_csv(source, index=False)
    out = tmp_path / "measures.csv"
    arguments = ["evaluate", str(path), "--data", str(source), "-o", str(out)]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    frame = pd.read_csv(out).set_index(["by", "name", "forecast"])
    step = frame.loc[("step", "2", "model")]
    np.testing.assert_allclose(step["crps"], wanted[:, 1].mean(), rtol=1e-6)
    assert set(frame.loc["series"].index.get_level_values(0)) == {"<b>&amp;", "two"}
    assert "model by step" in result.output


CLASSES = """
inputs: {x: {shape: [1]}}
layers:
  kind: {type: dense, input: x, units: 3, activation: softmax}
  price: {type: dense, input: x, units: 1}
outputs: {kind: kind, price: price}
runtime: {seed: 1}
training: {loss: {kind: sparse_categorical_crossentropy, price: mse}}
data:
  time: day
  inputs: {x: {columns: [a]}}
  targets: {kind: {columns: [k], classes: [ann, bob, eve]}, price: {columns: [p]}}
  columns: {p: {scale: standard}}
  split: {validation: 0.2, test: 0.3, kind: chronological}
"""


def test_the_majority_is_that_of_the_training_part() -> None:
    """Before the cut 'ann' is the most frequent class, behind it 'bob'."""
    random = np.random.default_rng(4)
    days = np.datetime64("2024-01-01") + np.arange(100)
    kinds = np.array(["ann"] * 40 + ["eve"] * 10 + ["bob"] * 40 + ["ann"] * 10)
    prices = random.normal(size=100) + np.arange(100)
    data = {"day": days, "a": random.normal(size=100), "k": kinds, "p": prices}
    recipe = lstmgraph.load(with_header(CLASSES, "kinds")).fitted(data)
    model = recipe.build()
    found = lstmgraph.evaluate(model, data, recipe=recipe, part="test")
    kind, (price,) = found.classes["kind"], found.numbers["price"]
    naive = kind.measures["majority class"]
    test = kinds[70:]
    share = {"ann": 0.8, "eve": 0.2, "bob": 1e-15}
    np.testing.assert_allclose(naive["accuracy"], (test == "ann").mean())
    np.testing.assert_allclose(naive["log_loss"], -np.mean([np.log(share[each]) for each in test]))
    f1 = metrics.f1_score(test, ["ann"] * 30, average="macro", zero_division=0.0)
    np.testing.assert_allclose(naive["f1"], f1)
    balanced = metrics.balanced_accuracy_score(test, ["ann"] * 30)
    np.testing.assert_allclose(naive["balanced_accuracy"], balanced)
    mean = np.abs(prices[70:] - prices[:50].mean()).mean()
    np.testing.assert_allclose(price.measures["mean"]["mae"], mean, rtol=1e-5)

    # Without the training part, the recipe holds the mean of a scaled column, but no classes.
    last = {name: values[70:] for name, values in data.items()}
    found = lstmgraph.evaluate(model, last, recipe=recipe)
    kind, (price,) = found.classes["kind"], found.numbers["price"]
    np.testing.assert_allclose(price.measures["mean"]["mae"], mean, rtol=1e-5)
    naive = kind.measures["majority class of this data"]
    np.testing.assert_allclose(naive["accuracy"], (test == "bob").mean())

    chances = model.predict({"x": last["a"][:, None]}, verbose=0)["kind"]
    ids = np.array([["ann", "bob", "eve"].index(each) for each in test])
    own = chances[np.arange(30), ids]
    wrong = np.flatnonzero(chances.argmax(1) != ids)
    worst = wrong[np.argsort(own[wrong])][:20]
    assert [each.example for each in kind.worst] == [str(days[70 + at]) for at in worst]
    np.testing.assert_allclose([each.chance for each in kind.worst], own[worst], rtol=1e-5)
    assert [each.target for each in kind.worst] == [test[at] for at in worst]
    page = found.report()
    root = ET.fromstring(page.removeprefix("<!DOCTYPE html>\n"))
    shares = [each.get("style") for each in root.iter("td") if each.get("style")]
    confusion = metrics.confusion_matrix(ids, chances.argmax(1), labels=range(3))
    total = np.maximum(confusion.sum(axis=1, keepdims=True), 1)
    wanted = [f"--share:{each:.0f}%" for each in (100 * confusion / total).ravel()]
    assert shares == wanted
