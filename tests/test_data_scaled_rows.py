"""Columns scaled by the numbers of their series or window, clipped and subtracted in the model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import pandas as pd
import pytest
from building import with_header
from onnx_running import exported, run

import lstmgraph
from lstmgraph.data import scaling
from lstmgraph.data.scaling import prepared_columns

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
    pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="texts need TensorFlow"),
]

RECIPE = """
inputs:
  history: {shape: [time, 4]}
  lengths: {shape: [], dtype: int32}
  known:   {shape: [4, 2]}
  shop:    {shape: [], dtype: string}
layers:
  encoder:  {type: lstm, input: history, units: 6, mask: {lengths: lengths}}
  decoder:  {type: lstm, input: known, units: 6, initial_state: encoder}
  forecast: {type: dense, input: decoder.sequence, units: 2}
outputs: {forecast: forecast}
runtime: {seed: 1}
training: {loss: huber, metrics: [mae], epochs: 1, batch_size: 16}
data:
  series: shop
  time: day
  window: {history: 8, horizon: 4, min_history: 3}
  columns:
    sales: {scale: log, per: series}
    stock: {scale: standard, per: window}
    price: {scale: robust, clip: {quantiles: [0.05, 0.9]}}
    guests: {scale: standard, difference: 1, clip: [0, 60]}
  inputs:
    history: {columns: [sales, stock, price, guests]}
    lengths: {length_of: history}
    known:   {columns: [promotion, price], steps: horizon}
    shop:    {columns: [shop], static: true}
  targets:
    forecast: {columns: [sales, stock]}
  split: {validation: 0.2, test: 0.1}
"""
DAYS, TRAINED = 60, 42
SHOPS = ("1", "[UNK]", "süd")


def table(seed: int = 0) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    shop, day = (each.ravel() for each in np.indices((len(SHOPS), DAYS)))
    count = len(shop)
    return pd.DataFrame(
        {
            "shop": np.array(SHOPS)[shop],
            "day": day,
            "sales": 10.0 ** (shop + 1) * (5 + np.sin(day / 3)) + random.random(count),
            "stock": 1e4 * (shop + 1) + 50 * random.normal(size=count).cumsum(),
            "price": 10 + random.standard_t(3, size=count),
            "guests": random.integers(-5, 80, count).astype(float),
            "promotion": (random.random(count) < 0.3).astype(float),
        }
    )


def recipe(text: str = RECIPE) -> lstmgraph.Recipe:
    return lstmgraph.load(with_header(text, "shops"))


def expected(train: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """The numbers by pandas and their definitions, of the training rows of the table."""
    train = train.astype({"sales": "f4", "stock": "f4", "price": "f4"}).astype(
        {"sales": "f8", "stock": "f8", "price": "f8"}
    )
    low, high = np.quantile(train["price"], [0.05, 0.9])
    price = train["price"].clip(low, high)
    past = train[train["day"] <= train["day"].max() - 4]  # only histories have guests
    changes = past.assign(g=past["guests"].clip(0, 60)).groupby("shop")["g"].diff().dropna()
    log = np.log1p(train["sales"])
    return {
        "sales": {
            "fitted": (log.mean(), log.std(ddof=0)),
            "series": log.groupby(train["shop"]).agg(["mean", lambda each: each.std(ddof=0)]),
        },
        "price": {
            "limits": (low, high),
            "fitted": (price.median(), price.quantile(0.75) - price.quantile(0.25)),
        },
        "guests": {"fitted": (changes.mean(), changes.std(ddof=0))},
    }


def check_numbers(found: dict[str, Any], train: pd.DataFrame) -> None:
    wanted = expected(train)
    assert set(found) == set(wanted)
    for name, own in wanted.items():
        np.testing.assert_allclose(found[name].fitted, own["fitted"], rtol=1e-6)
    np.testing.assert_allclose(found["price"].limits, wanted["price"]["limits"], rtol=1e-6)
    series = wanted["sales"]["series"]
    assert list(found["sales"].fitted_series) == sorted(series.index)
    for name, pair in found["sales"].fitted_series.items():
        np.testing.assert_allclose(pair, series.loc[name], rtol=1e-6)


def fitted(own: lstmgraph.Recipe, train: Any) -> dict[str, Any]:
    return dict(prepared_columns(own.compiled.declaration.data, train))


def test_numbers_are_those_of_the_training_rows_alone() -> None:
    """Other validation and test rows leave them as they are, in every fold too."""
    columns, other = table(), table(seed=5)
    later = columns["day"] >= TRAINED
    own = recipe()
    for given in (columns, columns.where(~later, other)):
        check_numbers(fitted(own, own.load_data(given).train), columns[~later])
    folds = recipe(RECIPE.replace("{validation: 0.2, test: 0.1}", "{folds: 3, test: 0.1}"))
    ends = []
    for fold in folds.load_data(columns).folds:
        ends.append(int(fold.train.span[1]) + 1)
        check_numbers(fitted(own, fold.train), columns[columns["day"] < ends[-1]])
    assert ends == sorted(set(ends))


def test_ready_arrays_have_the_same_series() -> None:
    """Each array holds a row as often as windows do; differences stay within a window."""
    own = recipe()
    x, y, _ = own.load_data(table()).train.batch(slice(None))
    train = own.load_data({**x, **y}).train
    x, _, _ = train.batch(slice(None))
    found = fitted(own, train)
    counted = np.arange(8) < x["lengths"][:, None]
    sales = np.log1p(x["history"][..., 0].astype("float64"))
    assert set(found["sales"].fitted_series) == set(SHOPS)
    for name, pair in found["sales"].fitted_series.items():
        values = sales[(x["shop"] == name)[:, None] & counted]
        np.testing.assert_allclose(pair, (values.mean(), values.std()), rtol=1e-6)
    guests = np.diff(np.clip(x["history"][..., 3].astype("float64"), 0, 60), axis=1)
    changes = guests[counted[:, 1:]]
    np.testing.assert_allclose(
        found["guests"].fitted, (changes.mean(), changes.std()), rtol=1e-5, atol=1e-6
    )


def test_too_many_series_and_too_few_values_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    own = recipe()
    data = own.load_data(table())
    monkeypatch.setattr(scaling, "MOST_SERIES", 2)
    with pytest.raises(lstmgraph.DataError, match="per: window") as caught:
        fitted(own, data.train)
    assert [problem.code for problem in caught.value.problems] == ["D424"]
    monkeypatch.undo()
    x, y, _ = data.train.batch(slice(None))
    x["known"][:, :, 1] = 1.5
    empty = own.load_data({**x, **y, "lengths": x["lengths"] * 0})
    with pytest.raises(lstmgraph.DataError) as caught:
        fitted(own, empty.train)
    assert {problem.code for problem in caught.value.problems} == {"D421"}


def prepared(
    x: dict[str, Any], numbers: dict[str, Any]
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """What the layers see, and center and spread of the targets, in float64 by hand."""
    history, known = x["history"].astype("float64"), x["known"].astype("float64")
    usual = numbers["sales"].fitted
    pairs = [numbers["sales"].fitted_series.get(name, usual) for name in x["shop"]]
    counted = np.arange(history.shape[1]) < x["lengths"][:, None]
    windows = [row[own] for row, own in zip(history[..., 1], counted, strict=True)]
    center = np.stack([[p[0] for p in pairs], [w.mean() for w in windows]], axis=-1)[:, None]
    spread = np.stack([[p[1] for p in pairs], [w.std() for w in windows]], axis=-1)[:, None]
    history[..., 0] = np.log1p(history[..., 0])
    history[..., :2] = (history[..., :2] - center) / spread
    middle, width = numbers["price"].fitted
    for values, at in ((history, 2), (known, 1)):
        values[..., at] = (np.clip(values[..., at], *numbers["price"].limits) - middle) / width
    guests = np.clip(history[..., 3], 0, 60)
    changes = np.concatenate([guests[:, :1] * 0, np.diff(guests, axis=1)], axis=1)
    history[..., 3] = (changes - numbers["guests"].fitted[0]) / numbers["guests"].fitted[1]
    return history, known, center, spread


def as_tensors(x: dict[str, Any]) -> dict[str, Any]:
    import tensorflow as tf  # noqa: PLC0415 - not on every backend

    return {**x, "shop": tf.constant(x["shop"].astype(str))}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained")
    recipe().train(table(), folder=folder)
    return folder


@pytest.mark.slow
@pytest.mark.usefixtures("eagerly")
def test_the_model_gives_what_numbers_by_hand_give(trained: Path) -> None:
    """Clipped and raw inputs alike, and a series that training did not have."""
    own = lstmgraph.load(trained / "shops.keras")
    numbers = {name: own.compiled.declaration.data.columns[name] for name in expected(table())}
    check_numbers(numbers, table().query(f"day < {TRAINED}"))
    x, y, _ = own.load_data(table()).test.batch(slice(None))
    x["shop"][::5] = "a new one"
    x["history"][::2, :, 3] += 30 * (-1) ** np.arange(8)  # beyond the limits
    model = lstmgraph.load_model(trained / "shops.keras")
    found = model.predict(as_tensors(x), verbose=0)["forecast"]

    text = RECIPE[: RECIPE.index("data:")].replace("  shop:    {shape: [], dtype: string}\n", "")
    plain = recipe(text).build()
    plain.set_weights(model.get_weights())
    history, known, center, spread = prepared(x, numbers)
    inner = plain.predict({"history": history, "lengths": x["lengths"], "known": known}, verbose=0)
    wanted = inner["forecast"] * spread + center
    wanted[..., 0] = np.expm1(wanted[..., 0])
    np.testing.assert_allclose(found, wanted, rtol=1e-5)

    true = y["forecast"].astype("float64")
    scaled = (np.stack([np.log1p(true[..., 0]), true[..., 1]], axis=-1) - center) / spread
    error = np.abs(inner["forecast"] - scaled)
    huber = np.where(error <= 1, error**2 / 2, error - 0.5).mean()
    measured = model.evaluate(as_tensors(x), y, verbose=0, return_dict=True)
    np.testing.assert_allclose(measured["loss"], huber, rtol=1e-4)
    np.testing.assert_allclose(measured["mae"], np.abs(wanted - true).mean(), rtol=1e-4)

    by_keras = keras.models.load_model(trained / "shops.keras")
    np.testing.assert_array_equal(by_keras.predict(as_tensors(x), verbose=0)["forecast"], found)


@pytest.mark.slow
def test_predict_gives_the_same_from_all_files(trained: Path) -> None:
    own = lstmgraph.load(trained / "shops.keras")
    model = own.build(weights=trained / "shops.keras")
    columns = table(seed=3).replace({"shop": {"[UNK]": "unseen"}})
    found = {}
    for kind, ending in (("keras", "keras"), ("onnx", "onnx"), ("litert", "tflite")):
        if kind != "keras":
            own.export(model, trained, format=kind)
        files = [file for file in trained.iterdir() if file.suffix == f".{ending}"]
        batches = lstmgraph.predict(files[0], columns, origins=3)
        found[kind] = np.concatenate([batch.values["forecast"] for batch in batches])
    assert len(found["keras"]) == 9
    for kind in ("onnx", "litert"):
        np.testing.assert_allclose(found[kind], found["keras"], rtol=1e-5)


@pytest.mark.slow
@pytest.mark.usefixtures("eagerly")
def test_quantiles_of_several_columns_are_scaled_by_column() -> None:
    """As many quantiles as columns: their axes must not be mistaken for each other."""
    text = """
    inputs: {x: {shape: [6, 2]}, lengths: {shape: [], dtype: int32}}
    layers:
      read: {type: gru, input: x, units: 3, mask: {lengths: lengths}}
      numbers: {type: dense, input: read, units: 16}
      y: {type: reshape, input: numbers, target_shape: [4, 2, 2]}
    outputs: {y: y}
    training: {loss: {type: pinball, quantiles: [0.1, 0.9]}}
    data:
      window: {history: 6, horizon: 4, min_history: 3}
      columns: {a: {scale: KIND PER}, b: {scale: standard, fitted: [-5.0, 8.0]}}
      inputs: {x: {columns: [a, b]}, lengths: {length_of: x}}
      targets: {y: {columns: [a, b]}}
    """
    random = np.random.default_rng(4)
    x = (random.random((5, 6, 2)) * [10, 100]).astype("f4")
    lengths = np.array([6, 3, 5, 6, 4], "int32")
    y = (random.random((5, 4, 2)) * [10, 100]).astype("f4")
    known = [row[:length, 0].astype("f8") for row, length in zip(x, lengths, strict=True)]
    numbers = {
        ", fitted: [3.0, 0.5]": [(3.0, 0.5)] * 5,
        ", per: window": [(own.mean(), own.std()) for own in known],
        "min_max, per: window": [(own.min(), np.ptp(own)) for own in known],
    }
    for key, own in numbers.items():
        kind = key if key[0] == "m" else f"standard{key}"
        model_recipe = recipe(text.replace("KIND PER", kind))
        model = model_recipe.build()
        pairs = np.array([[pair, (-5.0, 8.0)] for pair in own])  # (batch, columns, 2)
        center, spread = pairs[:, None, :, 0], pairs[:, None, :, 1]
        plain = recipe(text[: text.index("    data:")]).build()
        plain.set_weights(model.get_weights())
        given = {"x": (x - center) / spread, "lengths": lengths}
        inner = plain.predict(given, verbose=0)["y"].astype("f8")
        wanted = inner * spread[..., None] + center[..., None]
        inputs = {"x": x, "lengths": lengths}
        found = model.predict(inputs, verbose=0)["y"]
        np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5)
        proto = exported(model_recipe, model)
        np.testing.assert_allclose(run(proto, inputs)["y"], wanted, rtol=1e-5, atol=1e-5)
        error = ((y - center) / spread)[..., None] - inner
        loss = np.maximum(error * [0.1, 0.9], error * [-0.9, -0.1]).mean()
        measured = model.evaluate(inputs, {"y": y}, verbose=0, return_dict=True)
        np.testing.assert_allclose(measured["loss"], loss, rtol=1e-4)


def test_parameters_of_a_distribution_are_scaled_by_row() -> None:
    """Location and scale are in units of the column; degrees of freedom have none."""
    text = """
    inputs: {x: {shape: [6]}}
    layers: {y: {type: dense, input: x, units: 3}}
    outputs: {y: y}
    training: {loss: {type: negative_log_likelihood, distribution: student_t}}
    data:
      window: {history: 6, horizon: 1}
      columns: {a: {scale: min_max, per: window}}
      inputs: {x: {columns: [a]}}
      targets: {y: {columns: [a]}}
    """
    own = recipe(text)
    model, plain = own.build(), recipe(text[: text.index("    data:")]).build()
    plain.set_weights(model.get_weights())
    x = (np.random.default_rng(8).random((4, 6)) * 1000).astype("f4")
    low, size = x.min(axis=1, keepdims=True), np.ptp(x, axis=1, keepdims=True)
    wanted = plain.predict({"x": (x - low) / size}, verbose=0)["y"] * np.concatenate(
        [size, size, size / size], axis=1
    )
    wanted[:, :1] += low
    found = model.predict({"x": x}, verbose=0)["y"]
    np.testing.assert_allclose(found, wanted, rtol=1e-5)
    np.testing.assert_allclose(run(exported(own, model), {"x": x})["y"], found, rtol=1e-5)


def test_the_memory_of_a_model_of_texts_is_estimated() -> None:
    assert recipe().explain(batch=8, time=8).memory is not None


@pytest.mark.parametrize("scale", ["log", "standard"])
def test_a_target_of_differences_begins_at_its_last_value(scale: str) -> None:
    """What is read as differences is forecast as the value before plus the mean difference."""
    text = f"""
    inputs: {{x: {{shape: [6, 2]}}}}
    layers:
      read: {{type: flatten, input: x}}
      y: {{type: dense, input: read, units: 3, kernel_initializer: zeros}}
    outputs: {{y: y}}
    training: {{loss: mse}}
    data:
      window: {{history: 6, horizon: 3}}
      columns: {{a: {{scale: {scale}, difference: 2, fitted: [0.25, 4.0]}}}}
      inputs: {{x: {{columns: [b, a]}}}}
      targets: {{y: {{columns: [a], difference: 2}}}}
    """
    own = recipe(text)
    model = own.build()
    bias = np.array([0.0, 0.5, -0.25], "f4")
    kernel = np.zeros((12, 3), "f4")
    kernel[11, 0] = 1  # the last step's difference
    model.set_weights([kernel, bias])
    x = (np.random.default_rng(6).random((4, 6, 2)) * 50).astype("f4")
    to, back = (np.log1p, np.expm1) if scale == "log" else (np.array, np.array)
    level = to(x[..., 1].astype("f8"))
    outputs = bias + np.stack([(level[:, 5] - level[:, 3] - 0.25) / 4, *[level[:, 0] * 0] * 2], 1)
    wanted = back(level[:, [4, 5, 4]] + outputs * 4 + 0.25)
    found = model.predict({"x": x}, verbose=0)["y"]
    np.testing.assert_allclose(found, wanted, rtol=1e-5)
    np.testing.assert_allclose(run(exported(own, model), {"x": x})["y"], found, rtol=1e-5)


@pytest.mark.slow
def test_a_stream_is_scaled_by_the_numbers_of_its_series() -> None:
    text = """
    inputs: {x: {shape: [time, 2]}, shop: {shape: [], dtype: string}}
    layers:
      e: {type: lstm, input: x, units: 4}
      y: {type: dense, input: e, units: 1}
    outputs: {y: y}
    training: {loss: mse}
    data:
      series: shop
      window: {history: 6, horizon: 1}
      columns: {a: {scale: log, per: series, fitted: [1.0, 2.0], fitted_series: SERIES}}
      inputs: {x: {columns: [a, b]}, shop: {columns: [shop], static: true}}
      targets: {y: {columns: [b]}}
    """
    series = "{names: [n, s], center: [3.0, 5.0], spread: [0.5, 0.25]}"
    own = recipe(text.replace("SERIES", series))
    model = own.build()
    x = (np.random.default_rng(0).random((3, 6, 2)) * 100).astype("f4")
    shops = np.array(["s", "n", "other"])
    wanted = model.predict(as_tensors({"x": x, "shop": shops}), verbose=0)["y"]
    stepper = lstmgraph.Stepper(model, recipe=own, rows=3)
    stepper.start({"shop": shops})
    for step in range(6):
        found = stepper.step({"x": x[:, step]})
    np.testing.assert_allclose(found["y"], wanted, rtol=1e-5, atol=1e-6)
