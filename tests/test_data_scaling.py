"""Columns with `scale:`: the numbers that are fitted, the model that scales, and its files."""

from __future__ import annotations

import json
import os
import re
from itertools import product
from typing import TYPE_CHECKING

import keras
import numpy as np
import onnx
import pytest
from building import with_header
from onnx_running import exported, run

import lstmgraph
from lstmgraph.data.scaling import fitted_columns, with_scales

if TYPE_CHECKING:
    from pathlib import Path

# Keras 3.15 turns its variables into arrays in the way of NumPy 1.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

RECIPE = """
inputs:
  history: {shape: [time, 2]}
  lengths: {shape: [], dtype: int32}
  known:   {shape: [4, 2]}
  store:   {shape: [2]}
layers:
  encoder:
    {type: lstm, input: history, units: 6, mask: {lengths: lengths},
     initial_state: {static: [store]}}
  decoder:  {type: lstm, input: known, units: 6, initial_state: encoder}
  forecast: {type: dense, input: decoder.sequence, units: 1}
outputs: {forecast: forecast}
runtime: {seed: 1}
training: {loss: mse, metrics: [mae], epochs: 1}
data:
  series: store_id
  time: day
  window: {history: 8, horizon: 4, min_history: 3}
  columns:
    sales: {scale: log}
    price: {scale: robust}
    size:  {scale: min_max}
  inputs:
    history: {columns: [sales, price]}
    lengths: {length_of: history}
    known:   {columns: [promotion, price], steps: horizon}
    store:   {columns: [size, kind], static: true}
  targets:
    forecast: {columns: [sales]}
  split: {validation: 0.2, test: 0.1}
"""
DAYS, STORES = 60, 3
TRAINED = 42
"""The days before the cut: `validation` and `test` take 0.3 of the time, and days begin at 0."""


def table(seed: int = 0) -> dict[str, np.ndarray]:
    """Three stores of different size: sales near 1000, 2000 and 3000."""
    random = np.random.default_rng(seed)
    store, day = (each.ravel() for each in np.indices((STORES, DAYS)))
    count = STORES * DAYS
    return {
        "store_id": store,
        "day": day,
        "sales": 1000.0 * (store + 1) + 200 * np.sin(day / 3) + random.normal(size=count) * 20,
        "price": 10 + random.normal(size=count),
        "promotion": (random.random(count) < 0.3).astype(float),
        "size": np.array([100.0, 300.0, 250.0])[store],
        "kind": np.array([0.0, 1.0, 1.0])[store],
    }


def expected(columns: dict[str, np.ndarray], rows: np.ndarray) -> dict[str, tuple[float, float]]:
    """Centers and spreads by their definitions, in float64, of some rows of the table."""
    log = np.log1p(columns["sales"][rows])
    price, size = columns["price"][rows], columns["size"][rows]
    low, high = np.percentile(price, [25, 75])
    return {
        "sales": (log.mean(), log.std()),
        "price": (np.median(price), high - low),
        "size": (size.min(), np.ptp(size)),
    }


def recipe(text: str = RECIPE) -> lstmgraph.Recipe:
    return lstmgraph.load(with_header(text, "stores"))


def fitted(text: str, columns: dict[str, np.ndarray], part: str = "train") -> dict:
    own = recipe(text)
    data = own.load_data(columns)
    return dict(fitted_columns(own.compiled.declaration.data, data.parts[part]))


def test_numbers_are_those_of_the_rows_of_the_training_part() -> None:
    columns = table()
    found = fitted(RECIPE, columns)
    for name, numbers in expected(columns, columns["day"] < TRAINED).items():
        np.testing.assert_allclose(found[name], numbers, rtol=1e-6, err_msg=name)


@pytest.mark.parametrize("split", ["{folds: 3, test: 0.1}", "{validation: 0.4, test: 0.2}"])
def test_no_number_of_validation_or_test_reaches_them(split: str) -> None:
    text = RECIPE.replace("{validation: 0.2, test: 0.1}", split)
    columns, own = table(), recipe(text)
    parts = own.load_data(columns).parts
    for part in (
        ("fold 1 train", "fold 2 train", "fold 3 train") if "folds" in split else ("train",)
    ):
        last = int(parts[part].span[1])
        later = {**columns, "sales": columns["sales"].copy(), "price": columns["price"].copy()}
        for name in ("sales", "price"):
            later[name][columns["day"] > last] *= 1e6
        assert fitted(text, later, part) == fitted(text, columns, part)
        numbers = expected(columns, columns["day"] <= last)
        np.testing.assert_allclose(
            fitted(text, columns, part)["sales"], numbers["sales"], rtol=1e-6
        )


def test_whole_series_are_fitted_without_their_padding() -> None:
    text = """
    inputs: {x: {shape: [time, 1]}, lengths: {shape: [], dtype: int32}}
    layers:
      read: {type: gru, input: x, units: 3, mask: {lengths: lengths}}
      y: {type: dense, input: read, units: 1}
    outputs: {y: y}
    training: {loss: mae}
    data:
      series: id
      window: {history: series}
      columns: {a: {scale: standard}, b: {scale: standard}}
      inputs: {x: {columns: [a]}, lengths: {length_of: x}}
      targets: {y: {columns: [b], static: true}}
      split: {validation: 0.25}
    """
    sizes = np.array([3, 9, 5, 7])
    ids = np.repeat(np.arange(4), sizes)
    columns = {"id": ids, "a": np.arange(24.0) ** 2 + 5, "b": ids * 10.0}
    own = recipe(text)
    train = own.load_data(columns).train
    chosen = np.unique(train.timeline.series[train.numbers])
    rows = np.isin(ids, chosen)
    found = fitted_columns(own.compiled.declaration.data, train)
    assert len(chosen) == 3
    a, b = columns["a"][rows], chosen * 10.0
    np.testing.assert_allclose(found["a"], (a.mean(), a.std()), rtol=1e-6)
    np.testing.assert_allclose(found["b"], (b.mean(), b.std()), rtol=1e-6)


def test_rows_are_fitted_once_each() -> None:
    text = """
    inputs: {x: {shape: [2]}}
    layers: {y: {type: dense, input: x, units: 1}}
    outputs: {y: y}
    training: {loss: mse}
    data:
      columns: {a: {scale: standard}}
      inputs: {x: {columns: [a, b]}}
      targets: {y: {columns: [c]}}
    """
    random = np.random.default_rng(1)
    columns = {name: random.normal(size=50) for name in "abc"}
    own = recipe(text)
    train = own.load_data(columns).train
    found = fitted_columns(own.compiled.declaration.data, train)
    a = columns["a"][train.numbers]
    np.testing.assert_allclose(found["a"], (a.mean(), a.std()), rtol=1e-6)


@pytest.mark.parametrize(
    ("name", "values", "code"),
    [
        ("sales", -1.0, "D422"),
        ("price", 1e-9, "D423"),
        ("price", 1e30, "D423"),
    ],
)
def test_columns_that_cannot_be_scaled_are_refused(name: str, values: float, code: str) -> None:
    columns = table()
    columns[name] = np.where(columns["day"] % 2 == 0, values, 0.0)
    with pytest.raises(lstmgraph.DataError) as caught:
        fitted(RECIPE, columns)
    (problem,) = caught.value.problems
    assert problem.code == code
    assert f"'{name}'" in problem.message


def test_a_column_without_a_counted_step_is_refused() -> None:
    own = recipe()
    x, y, _ = own.load_data(table()).train.batch(slice(None))
    data = own.load_data({**x, **y, "lengths": x["lengths"] * 0})
    with pytest.raises(lstmgraph.DataError, match="no values to scale by") as caught:
        fitted_columns(own.compiled.declaration.data, data.train)
    assert {problem.code for problem in caught.value.problems} == {"D421"}


@pytest.mark.parametrize("kind", ["dictionary", "npz", "npy", "pair"])
def test_ready_arrays_are_read_and_fitted_too(kind: str, tmp_path: Path) -> None:
    """A recipe whose inputs are made of columns also takes arrays with the names of its inputs."""
    own = recipe()
    x, y, _ = own.load_data(table()).train.batch(slice(None))
    given: object = {**x, **y}
    if kind == "npz":
        given = tmp_path / "arrays.npz"
        np.savez(given, **x, **y)
    elif kind == "npy":
        given = tmp_path
        for name, array in {**x, **y}.items():
            np.save(tmp_path / f"{name}.npy", array)
    elif kind == "pair":
        given = (x, y)
    train = own.load_data(given).train
    found = fitted_columns(own.compiled.declaration.data, train)
    counted = np.arange(8) < x["lengths"][train.numbers][:, None]
    sales = np.log1p(x["history"][train.numbers][counted][:, 0].astype("float64"))
    np.testing.assert_allclose(found["sales"], (sales.mean(), sales.std()), rtol=1e-6)


def test_a_constant_column_becomes_zeros() -> None:
    columns = table()
    columns["price"][:] = 7.5
    assert fitted(RECIPE, columns)["price"] == (7.5, 1.0)


# The model, and what it gives by numbers that are in the recipe.

FITTED = (
    RECIPE.replace("sales: {scale: log}", "sales: {scale: log, fitted: [7.5, 0.5]}")
    .replace("price: {scale: robust}", "price: {scale: robust, fitted: [10.0, 1.5]}")
    .replace("size:  {scale: min_max}", "size:  {scale: min_max, fitted: [100.0, 200.0]}")
)


def batch() -> tuple[dict, dict, dict | None]:
    return recipe(FITTED).load_data(table()).train.batch(slice(0, 40))


def scaled_by_hand(x: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    history, known, store = (x[name].astype("float64") for name in ("history", "known", "store"))
    history[..., 0] = (np.log1p(history[..., 0]) - 7.5) / 0.5
    history[..., 1] = (history[..., 1] - 10) / 1.5
    known[..., 1] = (known[..., 1] - 10) / 1.5
    store[..., 0] = (store[..., 0] - 100) / 200
    return {**x, "history": history, "known": known, "store": store}


@pytest.fixture(scope="module")
def models() -> tuple[keras.Model, keras.Model]:
    """The model that scales, and one without scales that has its weights."""
    own = recipe(FITTED).build()
    plain = recipe(re.sub(r"scale: \w+", "missing: 0", RECIPE)).build()
    plain.set_weights(own.get_weights())
    return own, plain


@pytest.mark.slow
@pytest.mark.usefixtures("eagerly")
def test_the_model_takes_and_gives_units_of_the_table(models) -> None:
    own, plain = models
    x, _, _ = batch()
    by_hand = plain.predict(scaled_by_hand(x), verbose=0)["forecast"].astype("float64")
    wanted = np.expm1(by_hand * 0.5 + 7.5)
    np.testing.assert_allclose(own.predict(x, verbose=0)["forecast"], wanted, rtol=1e-5)


@pytest.mark.slow
@pytest.mark.usefixtures("eagerly")
def test_the_loss_is_that_of_scaled_numbers_and_metrics_are_in_units(models) -> None:
    own, _ = models
    x, y, _ = batch()
    found = own.evaluate(x, y, verbose=0, return_dict=True)
    forecast = own.predict(x, verbose=0)["forecast"].astype("float64")
    error = (np.log1p(forecast) - np.log1p(y["forecast"])) / 0.5
    np.testing.assert_allclose(found["loss"], (error**2).mean(), rtol=1e-5)
    mae = np.abs(forecast - y["forecast"]).mean()
    np.testing.assert_allclose(found["mae"], mae, rtol=1e-5)


def test_gradients_are_those_of_the_model_without_scales(models) -> None:
    if keras.backend.backend() != "tensorflow":
        pytest.skip("gradients are taken with TensorFlow")
    import tensorflow as tf  # noqa: PLC0415 - not on every backend

    own, plain = models
    x, y, _ = batch()
    by_hand = {"forecast": ((np.log1p(y["forecast"].astype("float64")) - 7.5) / 0.5).astype("f4")}
    found = []
    for model, inputs, targets in ((own, x, y), (plain, scaled_by_hand(x), by_hand)):
        with tf.GradientTape() as tape:
            loss = model.compute_loss(y=targets, y_pred=model(inputs, training=True))
        found.append(tape.gradient(loss, model.trainable_variables))
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("columns", [1, 2, 3])
@pytest.mark.parametrize("scale", ["standard", "log"])
def test_outputs_of_several_columns(columns: int, scale: str) -> None:
    """Columns without a scale are left as they are."""
    names = ["a", "b", "c"][:columns]
    prepared = {"a": f"{{scale: {scale}, fitted: [2.0, 4.0]}}", "b": "{missing: 0}"}
    own = ", ".join(f"{name}: {prepared[name]}" for name in names if name in prepared)
    text = f"""
    inputs: {{x: {{shape: [5, {columns}]}}}}
    layers:
      y: {{type: time_distributed, input: x, layer: {{type: dense, units: {columns}}}}}
    outputs: {{y: y}}
    training: {{loss: mse}}
    data:
      window: {{history: 5, horizon: 5}}
      columns: {{{own}}}
      inputs: {{x: {{columns: [{", ".join(names)}]}}}}
      targets: {{y: {{columns: [{", ".join(names)}]}}}}
    """
    model = recipe(text).build()
    kernel = np.random.default_rng(2).normal(size=(columns, columns)).astype("f4") / 4
    model.set_weights([kernel, np.arange(columns, dtype="f4")])
    x = np.random.default_rng(3).random((2, 5, columns)) * 9
    scaled = x.copy()
    scaled[..., 0] = ((np.log1p(x[..., 0]) if scale == "log" else x[..., 0]) - 2) / 4
    wanted = scaled @ kernel + np.arange(columns)
    wanted[..., 0] = wanted[..., 0] * 4 + 2
    if scale == "log":
        wanted[..., 0] = np.expm1(wanted[..., 0])
    np.testing.assert_allclose(
        model.predict({"x": x}, verbose=0)["y"], wanted, rtol=1e-4, atol=1e-5
    )


@pytest.mark.slow
@pytest.mark.usefixtures("eagerly")
def test_names_of_the_recipe_are_left_to_it() -> None:
    text = FITTED.replace("encoder", "history_scaled").replace("decoder", "forecast_unscaled")
    model = recipe(text).build()
    x, _, _ = batch()
    model.set_weights(recipe(FITTED).build().get_weights())
    wanted = recipe(FITTED).build().predict(x, verbose=0)["forecast"]
    np.testing.assert_array_equal(model.predict(x, verbose=0)["forecast"], wanted)


# Training, and its files.


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("trained")
    recipe().train(table(), folder=folder)
    return folder


@pytest.mark.slow
def test_training_writes_the_numbers_into_its_recipe(trained: Path) -> None:
    own = lstmgraph.load(trained / "stores.resolved.yaml")
    in_model = lstmgraph.load(trained / "stores.keras")
    columns = table()
    for name, numbers in expected(columns, columns["day"] < TRAINED).items():
        written = own.to_dict()["data"]["columns"][name]["fitted"]
        np.testing.assert_allclose(written, numbers, rtol=1e-6)
        assert in_model.to_dict()["data"]["columns"][name]["fitted"] == written


@pytest.mark.slow
def test_the_loss_of_training_is_scaled(trained: Path) -> None:
    results = json.loads((trained / "results.json").read_text("utf-8"))
    metrics = results["metrics"]["validation"]
    assert metrics["loss"] < 100  # of distances of hundreds: the squares would be thousands
    assert metrics["mae"] > 100


@pytest.mark.slow
def test_every_file_gives_the_same_numbers_in_units_of_the_table(trained: Path) -> None:
    own = lstmgraph.load(trained / "stores.keras")
    x = own.load_data(table()).test.batch(slice(None))[0]
    wanted = lstmgraph.load_model(trained / "stores.keras").predict(x, verbose=0)["forecast"]
    assert wanted.min() > 100
    data = own.load_data(table()).validation.arrays()[:2]
    model = lstmgraph.load_model(trained / "stores.keras")
    results = json.loads((trained / "results.json").read_text("utf-8"))["metrics"]["validation"]
    found = model.evaluate(*data, verbose=0, return_dict=True)
    np.testing.assert_allclose(found["loss"], results["loss"], rtol=1e-5)
    by_keras = keras.models.load_model(trained / "stores.keras").predict(x, verbose=0)["forecast"]
    np.testing.assert_array_equal(by_keras, wanted)
    model = own.build(weights=trained / "stores.keras")
    own.export(model, trained, format="onnx")
    found = run(onnx.load(trained / "stores.onnx"), x)["forecast"]
    np.testing.assert_allclose(found, wanted, rtol=1e-5)


@pytest.mark.slow
@pytest.mark.usefixtures("eagerly")
def test_a_trained_model_is_trained_on_by_its_own_numbers(trained: Path, tmp_path: Path) -> None:
    columns = table(seed=1)
    columns["sales"] *= 3
    own = lstmgraph.load(trained / "stores.keras")
    own.train(columns, folder=tmp_path)
    again = lstmgraph.load(tmp_path / "stores.resolved.yaml").to_dict()
    assert again["data"]["columns"] == own.to_dict()["data"]["columns"]


@pytest.mark.slow
@pytest.mark.usefixtures("eagerly")
def test_a_killed_training_goes_on(trained: Path, tmp_path: Path) -> None:
    whole = recipe().train(table(), folder=tmp_path / "whole", epochs=2)
    for file in trained.iterdir():  # of one epoch
        (tmp_path / "parts").mkdir(exist_ok=True)
        (tmp_path / "parts" / file.name).write_bytes(file.read_bytes())
    resumed = recipe().train(table(), folder=tmp_path / "parts", epochs=2)
    assert resumed.history["loss"] == whole.history["loss"]


@pytest.mark.slow
def test_weights_without_their_numbers_are_refused(trained: Path) -> None:
    with pytest.raises(lstmgraph.WeightsFileError, match=r"resolved\.yaml") as caught:
        recipe().build(weights=trained / "stores.keras")
    assert "sales, price and size" in str(caught.value)


@pytest.mark.slow
@pytest.mark.usefixtures("eagerly", "forked_servers")
def test_each_fold_and_trial_has_numbers_of_its_own(tmp_path: Path) -> None:
    text = RECIPE.replace("loss: mse", "loss: {$search: {choice: [mse, mae]}}")
    text += "search: {objective: {metric: val_mae, direction: min}, folds: 2}\n"
    recipe(text).tune(table(), folder=tmp_path / "search", max_trials=1)
    data = recipe(RECIPE.replace("{validation: 0.2, test: 0.1}", "{folds: 2, test: 0.1}"))
    train = data.load_data(table()).folds[0].train
    numbers = fitted_columns(data.compiled.declaration.data, train)
    kept = tmp_path / "search" / "best.resolved.yaml"
    written = lstmgraph.load(kept).to_dict()["data"]["columns"]
    assert {name: tuple(written[name]["fitted"]) for name in numbers} == dict(numbers)


# Differences from the season before.

SEASON = """
inputs:
  history: {shape: [time, 2]}LENGTHS
layers:
  read: {type: lstm, input: history, units: 4MASK}
  forecast: {type: dense, input: read, units: 5, kernel_initializer: zeros}
outputs: {forecast: forecast}
training: {loss: mse, metrics: [mae]}
data:
  series: store_id
  time: day
  window: {history: 8, horizon: 5MIN}
  columns: {sales: {COLUMN}}
  inputs: {history: {columns: [price, sales]}ENTRY}
  targets: {forecast: {columns: [sales], difference: PERIOD}}
"""


def seasonal(column: str, period: int, *, padded: bool) -> lstmgraph.Recipe:
    own = {
        "LENGTHS": ", lengths: {shape: [], dtype: int32}",
        "MASK": ", mask: {lengths: lengths}",
        "MIN": ", min_history: 3",
        "ENTRY": ", lengths: {length_of: history}",
    }
    text = SEASON.replace("}LENGTHS", "}\n  lengths: {shape: [], dtype: int32}" if padded else "}")
    for word, value in own.items():
        text = text.replace(word, value if padded else "")
    return recipe(text.replace("COLUMN", column).replace("PERIOD", str(period)))


COLUMNS = ("missing: 0", "scale: standard", "scale: log")
PERIODS = ((1, False), (3, True), (7, False), (2, True))


@pytest.mark.slow
@pytest.mark.usefixtures("eagerly")
@pytest.mark.parametrize(
    ("column", "period", "padded"),
    [
        (column, *period)
        for (place, column), (number, period) in product(enumerate(COLUMNS), enumerate(PERIODS))
        if "LSTMGRAPH_EXAMPLES" in os.environ or place in (number // 2, 2)
    ],
)
def test_a_model_that_learned_nothing_gives_the_naive_forecast(
    column: str, period: int, *, padded: bool
) -> None:
    """Of every period with a logarithm; ``LSTMGRAPH_EXAMPLES`` tries the other columns with all."""
    own = seasonal(column, period, padded=padded)
    data = own.load_data(table())
    own = lstmgraph.Recipe(with_scales(own.compiled, data.train))
    x, y, _ = data.train.batch(slice(None))
    lengths = x.get("lengths", np.full(len(x["history"]), 8))
    ends = [row[:length, 1] for row, length in zip(x["history"], lengths, strict=True)]
    naive = np.array(
        [[end[len(end) - period + step % period] for step in range(5)] for end in ends]
    )
    model = own.build()
    found = model.predict(x, verbose=0)["forecast"]
    np.testing.assert_allclose(found, naive, rtol=1e-5)
    metrics = model.evaluate(x, y, verbose=0, return_dict=True)
    np.testing.assert_allclose(metrics["mae"], np.abs(naive - y["forecast"]).mean(), rtol=1e-4)
    run_found = run(exported(own, model), x)["forecast"]
    np.testing.assert_allclose(run_found, found, rtol=1e-5)
