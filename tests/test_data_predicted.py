"""``lstmgraph.predict``: windows cut by pandas and plain Keras say what it must compute."""

from __future__ import annotations

import gzip
import io
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import pandas as pd
import pytest
from data_building import forecaster, recipe
from test_cli import invoke

import lstmgraph
from lstmgraph.prediction import clock

if TYPE_CHECKING:
    from collections.abc import Callable

# Keras 3.15 writes weights with a call that NumPy 2 wants spelled otherwise.
pytestmark = [
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:The structure of `inputs`:UserWarning"),
]

ROOT = Path(__file__).parent.parent
FORMATS = {"keras": ".keras", "onnx": ".onnx", "litert": ".tflite"}
KNOWN = {"a": 10, "b": 6, "c": 1}
"""How many days of sales each store has; two more days follow, of which only `promo` is known."""


def stores() -> pd.DataFrame:
    """The sales of three stores, whose rows are mixed."""
    numbers = np.random.default_rng(5)
    rows = [
        {
            "store": store,
            "day": pd.Timestamp("2024-02-20") + pd.Timedelta(days=day),
            "sales": numbers.normal() if day < known else np.nan,
            "price": numbers.normal() if day < known else np.nan,
            "promo": numbers.normal(),
            "size": float(ord(store)) / 50,
            "kind": 2.0,
        }
        for store, known in KNOWN.items()
        for day in range(known + 2)
    ]
    return pd.DataFrame(rows).sort_values(["day", "store"], ignore_index=True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The forecaster in three formats, and its table as CSV."""
    found = tmp_path_factory.mktemp("models")
    of_stores = forecaster(runtime__seed=3, data__window__min_history=2)
    model = of_stores.build()
    of_stores.save(model, found / "f.keras")
    for name in ("onnx", "litert"):
        of_stores.export(model, found / f"f{FORMATS[name]}", format=name)
    stores().to_csv(found / "f.csv", index=False)
    return found


def by_hand(model: Path, windows: list[tuple[pd.DataFrame, pd.DataFrame]]) -> np.ndarray:
    """Return what plain Keras forecasts for each history and what is known of the days ahead."""
    inputs = {
        "history": [history[["sales", "price"]].to_numpy() for history, _ in windows],
        "known": [ahead[["promo"]].to_numpy() for _, ahead in windows],
        "store": [history[["size", "kind"]].to_numpy()[0] for history, _ in windows],
    }
    arrays = {name: np.stack(each).astype("float32") for name, each in inputs.items()}
    return keras.models.load_model(model).predict(arrays, verbose=0)["forecast"]


def windows_of(frame: pd.DataFrame, store: str, ends: list[int]) -> list[Any]:
    """The windows of four days of a store that end before each of `ends`, and the days ahead."""
    own = frame[frame.store == store].sort_values("day")
    return [(own.iloc[end - 4 : end], own.iloc[end : end + 2]) for end in ends]


@pytest.mark.slow
def test_the_last_window_of_every_series_is_forecast_alike_by_all_formats(folder: Path) -> None:
    frame = stores()
    windows = windows_of(frame, "a", [10]) + windows_of(frame, "b", [6])
    wanted = by_hand(folder / "f.keras", windows)
    for ending in FORMATS.values():
        found = lstmgraph.predict(folder / f"f{ending}", folder / "f.csv")
        table = found.to_pandas()
        assert list(table.columns) == ["store", "origin", "day", "step", "sales_forecast"]
        np.testing.assert_allclose(table.sales_forecast, wanted.reshape(-1), atol=1e-5)
        assert list(table.store) == ["a", "a", "b", "b"]
        assert list(table.step) == [1, 2, 1, 2]
        days = [day for _, ahead in windows for day in ahead.day]
        assert list(table.day) == days
        assert list(table.origin) == [history.day.iloc[-1] for history, _ in windows for _ in "12"]
        assert [problem.code for problem in found.warnings] == ["D502"]
        assert "'c', with 3 rows" in found.warnings[0].message


@pytest.mark.slow
def test_rolling_origins_are_those_of_loops_over_rows(folder: Path) -> None:
    frame = stores()
    ends = {"a": [4, 6, 8, 10], "b": [4, 6]}
    windows = [each for store, own in ends.items() for each in windows_of(frame, store, own)]
    wanted = by_hand(folder / "f.keras", windows)
    whole = forecaster(runtime__seed=3)  # the same weights, without `min_history`
    found = lstmgraph.predict(
        folder / "f.onnx", frame, recipe=whole, origins="all", stride=2, batch_size=4
    )
    batches = list(found)
    assert [len(batch) for batch in batches] == [4, 2]
    values = np.concatenate([batch.values["forecast"] for batch in batches])
    np.testing.assert_allclose(values, wanted, atol=1e-5)
    targets = np.concatenate([batch.targets["forecast"] for batch in batches])
    truth = np.stack([ahead[["sales"]].to_numpy() for _, ahead in windows])
    np.testing.assert_allclose(targets, truth, rtol=1e-6)
    assert np.isnan(targets[[3, 5]]).all()
    of_two = lstmgraph.predict(folder / "f.onnx", frame, recipe=whole, origins=2, stride=2)
    np.testing.assert_allclose(of_two.to_pandas().sales_forecast, wanted[2:].reshape(-1), atol=1e-5)
    compared = lstmgraph.predict(
        folder / "f.onnx", frame, recipe=whole, origins="all", with_targets=True
    )
    assert len(compared) == 5 + 1  # origins from 4 to 8, and 4
    assert not any(np.isnan(batch.targets["forecast"]).any() for batch in compared)


@pytest.mark.slow
def test_a_second_table_holds_the_future(folder: Path) -> None:
    frame = stores()
    known, ahead = frame[frame.sales.notna()], frame[frame.sales.isna()][["day", "promo", "store"]]
    wanted = lstmgraph.predict(folder / "f.onnx", frame).to_pandas()
    found = lstmgraph.predict(folder / "f.onnx", known, future=ahead).to_pandas()
    pd.testing.assert_frame_equal(found, wanted)
    ahead.to_csv(folder / "ahead.csv", index=False)
    known.to_parquet(folder / "known.parquet")
    out = str(folder / "o.csv")
    result = invoke(
        *("predict", str(folder / "f.onnx"), "--data", str(folder / "known.parquet")),
        *("--future", str(folder / "ahead.csv"), "-o", out, "--quiet"),
    )
    assert (result.exit_code, result.stdout) == (0, f"wrote {out}: 4 rows\n")
    pd.testing.assert_frame_equal(
        pd.read_csv(out, parse_dates=["origin", "day"]),
        wanted,
        check_dtype=False,
        rtol=1e-6,
    )


def lost(name: str, store: str, days: list[int]) -> Callable[[pd.DataFrame], pd.DataFrame]:
    """A change that empties a column on some days of a store."""

    def change(frame: pd.DataFrame) -> pd.DataFrame:
        own = frame[frame.store == store].sort_values("day").index[days]
        frame.loc[own, name] = np.nan
        return frame

    return change


REFUSED: dict[str, tuple[Callable[[pd.DataFrame], Any], dict[str, Any], tuple[str, ...]]] = {
    "no row ahead": (
        lambda frame: frame[frame.sales.notna()],
        {},
        ("D501", "'known' needs 'promo' for 2024-03-01 of series 'a' (step 1)", "no such row"),
    ),
    "an empty cell ahead": (
        lost("promo", "b", [7]),
        {},
        ("D501", "'promo' has no value for 2024-02-27 of series 'b'", "'known'", "--future"),
    ),
    "an empty cell in the history": (
        lost("price", "a", [8]),
        {},
        ("D501", "'price' has no value for 2024-02-28 of series 'a'", "'history'"),
    ),
    "an empty static cell": (
        lambda frame: frame.assign(size=np.where(frame.store == "b", np.nan, 1.0)),
        {},
        ("D501", "'size' has no value for 2024-02-20 of series 'b'", "'store' reads"),
    ),
    "no long series": (
        lambda frame: frame[frame.store == "c"],
        {},
        ("D502", "1 of 1 series are too short", "'c', with 3 rows"),
    ),
    "no column": (lambda frame: frame.drop(columns="price"), {}, ("D201", "no column 'price'")),
    "text": (
        lambda frame: frame.assign(promo="much"),
        {},
        ("D202", "'promo'", "row 1", "'much'"),
    ),
    "the same days twice": (
        lambda frame: frame,
        {"future": lambda frame: frame[["day", "store", "promo"]].tail(2)},
        ("D401", "does not increase", "'a'"),
    ),
    "a future without times": (
        lambda frame: frame,
        {"future": lambda frame: frame[["store", "promo"]].tail(2)},
        ("D201", "no column 'day'", "the future rows"),
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_a_forecast_lacks_is_named(folder: Path, case: str) -> None:
    change, others, words = REFUSED[case]
    frame = stores()
    given = {name: made(frame) for name, made in others.items()}
    with pytest.raises(lstmgraph.DataError) as error:
        lstmgraph.predict(folder / "f.onnx", change(frame.copy()), **given)
    for word in words:
        assert word in str(error.value)


TIMES: dict[str, tuple[list[str], str | float | None, list[str]]] = {
    "days": (["2024-02-26", "2024-02-27", "2024-02-28"], None, ["2024-02-29", "2024-03-01"]),
    "hours": (
        ["2024-02-28 21:00", "2024-02-28 22:00", "2024-02-28 23:00"],
        None,
        ["2024-02-29 00:00", "2024-02-29 01:00"],
    ),
    "first days of months": (
        ["2024-01-01", "2024-02-01", "2024-03-01"],
        None,
        ["2024-04-01", "2024-05-01"],
    ),
    "last days of months": (
        ["2023-12-31", "2024-01-31", "2024-02-29"],
        None,
        ["2024-03-31", "2024-04-30"],
    ),
    "quarters": (
        ["2023-07-01", "2023-10-01", "2024-01-01"],
        None,
        ["2024-04-01", "2024-07-01"],
    ),
    "a gap": (
        ["2024-02-20", "2024-02-21", "2024-02-22", "2024-02-28"],
        None,
        ["2024-02-29", "2024-03-01"],
    ),
    "every": (["2024-02-28", "2024-02-29"], "2 weeks", ["2024-03-14", "2024-03-28"]),
    "every month": (["2024-01-31"], "month", ["2024-02-29", "2024-03-31"]),
    "one row": (["2024-02-28"], None, ["NaT", "NaT"]),
}


@pytest.mark.parametrize("case", TIMES)
def test_times_go_on_as_those_of_the_series(case: str) -> None:
    times, every, wanted = TIMES[case]
    own = np.array(times, "datetime64[us]")
    of_series = clock.Clock(own.astype(np.int64), "us", "", np.array([0, len(own)]), every)
    rows = np.array([[len(own) - 1, len(own), len(own) + 1]])
    found = of_series.at(np.array([0]), rows)
    np.testing.assert_array_equal(found, np.array([[times[-1], *wanted]], "datetime64[us]"))


@pytest.mark.slow
def test_forecasts_without_known_columns_need_no_rows_ahead(tmp_path: Path) -> None:
    plain = recipe(
        """
        inputs: {history: {shape: [3, 1]}}
        layers:
          reader: {type: lstm, input: history, units: 2}
          forecast: {type: dense, input: reader, units: 2}
        outputs: {forecast: forecast}
        training: {loss: mse}
        runtime: {seed: 1}
        data:
          time: hour
          window: {history: 3, horizon: 2}
          inputs: {history: {columns: [sales]}}
          targets: {forecast: {columns: [sales]}}
        """
    )
    model = plain.build()
    hours = pd.date_range("2024-02-28 20:00", periods=6, freq="h", tz="UTC")
    frame = pd.DataFrame({"hour": hours, "sales": np.arange(6.0)})
    found = lstmgraph.predict(model, frame, recipe=plain)
    table = found.to_pandas()
    assert list(table.columns) == ["origin", "hour", "step", "sales_forecast"]
    assert list(table.hour) == [hours[-1] + pd.Timedelta(hours=step) for step in (1, 2)]
    wanted = model.predict({"history": np.array([[[3.0], [4], [5]]], "float32")}, verbose=0)
    np.testing.assert_allclose(table.sales_forecast, wanted["forecast"][0], rtol=1e-6)
    found.write(tmp_path / "new" / "o.csv.gz")
    lines = gzip.decompress((tmp_path / "new" / "o.csv.gz").read_bytes()).decode().splitlines()
    assert lines[0] == "origin,hour,step,sales_forecast"
    assert lines[1].startswith("2024-02-29 01:00:00Z,2024-02-29 02:00:00Z,1,")


TAGGER = """
    inputs: {x: {shape: [time, 2]}, lengths: {shape: [], dtype: int32}}
    layers:
      reader: {type: lstm, input: x, units: 3, mask: {lengths: lengths}}
      tag: {type: dense, input: reader.sequence, units: 3, activation: softmax}
      mood: {type: dense, input: reader, units: 1}
      both: {type: dense, input: reader, units: 2}
    outputs: {tag: tag, mood: mood, both: both}
    training:
      loss:
        tag: sparse_categorical_crossentropy
        mood: {type: binary_crossentropy, from_logits: true}
        both: mse
    runtime: {seed: 2}
"""


@pytest.mark.slow
def test_arrays_of_padded_sequences_have_a_row_for_each_step_that_counts(tmp_path: Path) -> None:
    tagger = recipe(TAGGER)
    model = tagger.build()
    x = np.random.default_rng(0).normal(size=(3, 4, 2)).astype("float32")
    lengths = np.array([2, 4, 1], "int32")
    wanted = model.predict({"x": x, "lengths": lengths}, verbose=0)
    np.savez(tmp_path / "x.npz", x=x, lengths=lengths)
    tagger.save(model, tmp_path / "t.keras")
    found = lstmgraph.predict(tmp_path / "t.keras", tmp_path / "x.npz", batch_size=2)
    table = found.to_pandas()
    assert list(table.columns) == [
        *("row", "step", "tag_predicted", "tag_0", "tag_1", "tag_2"),
        *("mood_predicted", "mood_probability", "both_0", "both_1"),
    ]
    assert list(table.row) == [1, 1, 2, 2, 2, 2, 3]
    assert list(table.step) == [1, 2, 1, 2, 3, 4, 1]
    places = [(row - 1, step - 1) for row, step in zip(table.row, table.step, strict=True)]
    tags = np.stack([wanted["tag"][place] for place in places])
    np.testing.assert_allclose(table[["tag_0", "tag_1", "tag_2"]], tags, atol=1e-6)
    assert list(table.tag_predicted) == list(tags.argmax(axis=1))
    chances = 1 / (1 + np.exp(-wanted["mood"][table.row - 1, 0].astype("float64")))
    np.testing.assert_allclose(table.mood_probability, chances, atol=1e-6)
    assert list(table.mood_predicted) == list((chances > 0.5).astype(int))
    found.write(tmp_path / "o.npz")
    arrays = np.load(tmp_path / "o.npz")
    assert arrays["row"].tolist() == [1, 2, 3]
    for name in ("tag", "mood", "both"):
        np.testing.assert_allclose(arrays[name], wanted[name], atol=1e-6)
    arrays = {"x": x, "lengths": lengths}
    parts = {f"{part}_{name}": v for part in ("train", "test") for name, v in arrays.items()}
    with pytest.raises(lstmgraph.DataError, match=r"(?s)D504.*several parts: train, test"):
        lstmgraph.predict(model, parts, recipe=tagger)
    assert len(lstmgraph.predict(model, parts, recipe=tagger, part="test")) == 3
    with pytest.raises(lstmgraph.DataError, match=r"(?s)D503.*--origins"):
        lstmgraph.predict(model, {"x": x, "lengths": lengths}, recipe=tagger, origins=2)
    with pytest.raises(lstmgraph.DataError, match=r"(?s)D201.*no array 'x'"):
        lstmgraph.predict(model, {"lengths": lengths}, recipe=tagger)


ROWS = """
    inputs: {x: {shape: [2]}}
    layers:
      y: {type: dense, input: x, units: 1}
      kind: {type: dense, input: x, units: 3, activation: softmax}
    outputs: {y: y, kind: kind}
    training: {loss: {y: mse, kind: sparse_categorical_crossentropy}}
    runtime: {seed: 4}
    data:
      series: [shop, part]
      inputs: {x: {columns: [a, b]}}
      targets: {y: {columns: [c]}, kind: {columns: [k]}}
"""


def test_each_row_of_a_table_has_its_number_and_its_order(tmp_path: Path) -> None:
    rows = recipe(ROWS)
    model = rows.build()
    frame = pd.DataFrame(
        {
            "shop": ["=x", "b, c", "=x", "b, c"],
            "part": [2, 1, 2, 1],
            "a": [1.0, 2, 3, 4],
            "b": [0.5, -1, 2, 0],
            "k": [0, np.nan, 2, 1],
        }
    )
    x = frame[["a", "b"]].to_numpy("float32")
    wanted = model.predict({"x": x}, verbose=0)
    found = lstmgraph.predict(model, frame, recipe=rows)
    table = found.to_pandas()
    assert list(table.columns) == [
        *("row", "shop", "part", "c_predicted", "k_predicted", "k_0", "k_1", "k_2"),
    ]
    assert list(table.row) == [1, 2, 3, 4]
    assert list(table.shop) == list(frame.shop)
    assert list(table.part) == [2, 1, 2, 1]
    np.testing.assert_allclose(table.c_predicted, wanted["y"][:, 0], atol=1e-6)
    np.testing.assert_allclose(table[["k_0", "k_1", "k_2"]], wanted["kind"], atol=1e-6)
    (batch,) = found
    np.testing.assert_array_equal(batch.targets["kind"], [0, np.nan, 2, 1])
    assert "y" not in batch.targets  # the table has no column c
    found.write(tmp_path / "o.csv")
    written = pd.read_csv(tmp_path / "o.csv")
    assert list(written.shop) == ["'=x", "b, c", "'=x", "b, c"]  # no formula for a spreadsheet
    found.write(tmp_path / "o.parquet")
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "o.parquet"), table)
    with pytest.raises(lstmgraph.DataError, match=r"(?s)D301.*'a'.*row 3"):
        lstmgraph.predict(model, frame.assign(a=[1, 2, np.nan, 4]), recipe=rows)
    with pytest.raises(lstmgraph.DataError, match=r"(?s)D503.*--future"):
        lstmgraph.predict(model, frame, recipe=rows, future=frame)


CARRIED = """
    inputs: {x: {shape: [2, 1], time_major: true}}
    layers:
      reader: {type: lstm, input: x, units: 2, initial_state: carried}
      y: {type: dense, input: reader, units: 1}
    outputs: {y: y}
    runtime: {seed: 6, batch_size: 2}
"""


def test_carried_states_go_on_from_batch_to_batch_and_begin_with_zeros(tmp_path: Path) -> None:
    stream = recipe(CARRIED)
    model = stream.build()
    x = np.random.default_rng(1).normal(size=(5, 2, 1)).astype("float32")
    padded = np.concatenate([x, x[-1:]])
    wanted = np.concatenate(
        [model.predict_on_batch({"x": padded[i : i + 2].swapaxes(0, 1)})["y"] for i in (0, 2, 4)]
    )[:5]
    assert not np.allclose(wanted[2], model.predict_on_batch({"x": x[2:4].swapaxes(0, 1)})["y"][0])
    found = lstmgraph.predict(model, {"x": x}, recipe=stream)
    for _ in range(2):
        np.testing.assert_allclose(found.to_pandas().y, wanted[:, 0], atol=1e-6)
    with pytest.raises(ValueError, match="takes batches of 2 rows, not 3"):
        lstmgraph.predict(model, {"x": x}, recipe=stream, batch_size=3)


@pytest.mark.slow
def test_further_models_predict_too(tmp_path: Path) -> None:
    two = recipe(
        """
        inputs: {x: {shape: [4, 1]}}
        layers:
          reader: {type: lstm, input: x, units: 2}
          y: {type: dense, input: reader, units: 1}
        outputs: {y: y}
        training: {loss: mse}
        runtime: {seed: 6}
        models: {code: {inputs: [x], outputs: {state: reader}}}
        """
    )
    models = two.models()
    two.save(models["code"], tmp_path / "code.keras", further="code")
    x = np.random.default_rng(1).normal(size=(5, 4, 1)).astype("float32")
    wanted = models["code"].predict({"x": x}, verbose=0)["state"]
    table = lstmgraph.predict(tmp_path / "code.keras", (x,)).to_pandas()
    assert list(table.columns) == ["row", "state_0", "state_1"]
    np.testing.assert_allclose(table[["state_0", "state_1"]], wanted, atol=1e-6)


@pytest.mark.slow
def test_the_command_prints_and_refuses(folder: Path, tmp_path: Path) -> None:
    data = ("--data", str(folder / "f.csv"))
    model, out = str(folder / "f.onnx"), tmp_path / "o.csv"
    printed = invoke("predict", model, *data, "-o", "-", "--quiet")
    assert printed.exit_code == 0
    wanted = lstmgraph.predict(model, folder / "f.csv").to_pandas()
    found = pd.read_csv(io.StringIO(printed.stdout), parse_dates=["origin", "day"])
    pd.testing.assert_frame_equal(found, wanted, check_dtype=False, rtol=1e-6)
    assert printed.stdout.splitlines()[1].startswith("a,2024-02-29,2024-03-01,1,")
    summary = json.loads(invoke("predict", model, *data, "-o", str(out), "--format", "json").stdout)
    assert summary["ok"] is True
    assert (summary["rows"], summary["examples"]) == (4, 2)
    assert summary["columns"] == ["sales_forecast"]
    assert [warning["code"] for warning in summary["warnings"]] == ["D502"]
    before = out.read_bytes()
    for arguments, code, words in (
        ((model, *data, "-o", str(out)), 2, "would be overwritten"),
        ((model, *data, "-o", str(tmp_path / "o.xls")), 2, ".csv, .csv.gz, .parquet"),
        ((model, "--data", "nowhere.csv", "-o", str(out), "--force"), 2, "D101"),
        ((model, *data, "-o", str(tmp_path / "p.csv"), "--origins", "0"), 2, "--origins"),
        ((str(folder / "f.csv"), *data, "-o", str(tmp_path / "p.csv")), 1, "is no model"),
        ((str(folder / "none.onnx"), *data, "-o", str(tmp_path / "p.csv")), 1, "none.onnx"),
        ((str(tmp_path), *data, "-o", str(tmp_path / "p.csv")), 1, "no finished model"),
    ):
        result = invoke("predict", *arguments)
        assert result.exit_code == code, result.output
        assert words in result.output
    assert out.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["o.csv"]


def test_hostile_and_other_models_are_refused(folder: Path, tmp_path: Path) -> None:
    other = recipe(TAGGER)
    for ending in FORMATS.values():
        whole = (folder / f"f{ending}").read_bytes()
        for content in (b"", b"nothing" * 99, whole[: len(whole) // 2]):
            path = tmp_path / f"bad{ending}"
            path.write_bytes(content)
            with pytest.raises((lstmgraph.ModelFileError, lstmgraph.RecipeError)):
                lstmgraph.predict(path, stores())
        with pytest.raises(lstmgraph.OtherModelError):
            lstmgraph.predict(folder / f"f{ending}", stores(), recipe=other)
    import onnx  # noqa: PLC0415

    bare = onnx.load(folder / "f.onnx")
    del bare.metadata_props[:]
    onnx.save(bare, tmp_path / "bare.onnx")
    with pytest.raises(lstmgraph.ModelFileError, match=r"(?s)has no recipe in it.*--recipe"):
        lstmgraph.predict(tmp_path / "bare.onnx", stores())
    own = lstmgraph.load(folder / "f.keras")
    assert len(lstmgraph.predict(tmp_path / "bare.onnx", stores(), recipe=own)) == 2


def test_nothing_is_written_where_the_model_fails(folder: Path, tmp_path: Path) -> None:
    found = lstmgraph.predict(folder / "f.onnx", stores(), origins="all", batch_size=2)
    calls = []

    def failing(batch: Any) -> Any:
        calls.append(batch)
        if len(calls) == 3:
            raise lstmgraph.ModelFileError("it fails")
        return run(batch)

    run = found.model.run
    object.__setattr__(found.model, "run", failing)
    for ending in (".csv", ".parquet", ".npz"):
        calls.clear()
        with pytest.raises(lstmgraph.ModelFileError):
            found.write(tmp_path / "new" / f"o{ending}")
    assert list(tmp_path.iterdir()) == []


CLEANED = """
    inputs: {history: {shape: [3, 2]}, known: {shape: [2, 1]}}
    layers:
      reader: {type: lstm, input: history, units: 2}
      ahead: {type: lstm, input: known, units: 2, initial_state: reader}
      forecast: {type: dense, input: ahead.sequence, units: 3}
    outputs: {forecast: forecast}
    training: {loss: {type: pinball, quantiles: [0.1, 0.5, 0.9]}}
    runtime: {seed: 1}
    data:
      time: day
      every: day
      calendar: [weekday]
      window: {history: 3, horizon: 2}
      columns:
        sales: {missing: forward, scale: standard, fitted: [2.0, 4.0]}
        price: {missing: 1.5}
      inputs:
        history: {columns: [sales, price]}
        known: {columns: [weekday], steps: horizon}
      targets: {forecast: {columns: [sales]}}
"""


@pytest.mark.slow
def test_tables_are_cleaned_and_the_future_stays_unknown(tmp_path: Path) -> None:
    """A day is missing, sales are empty once before the origin and twice behind it."""
    cleaned = recipe(CLEANED)
    model = cleaned.build()
    days = [f"2024-02-{day}" for day in (23, 24, 25, 27, 28, 29)]
    frame = pd.DataFrame({"day": pd.to_datetime(days)}).assign(
        sales=[1.0, 2.0, np.nan, 6.0, np.nan, np.nan], price=[np.nan, 2.0, 3.0, 4.0, 1.0, 1.0]
    )
    history = [[[2.0, 3.0], [2.0, 1.5], [6.0, 4.0]]]  # 25, filled; 26, put in; 27
    inputs = {
        "history": np.array(history, "float32"),
        "known": np.array([[[2.0], [3.0]]], "float32"),  # Wednesday and Thursday
    }
    wanted = model.predict(inputs, verbose=0)["forecast"][0]
    cleaned.save(model, tmp_path / "c.keras")
    cleaned.export(model, tmp_path / "c.onnx", format="onnx")
    for name in ("c.keras", "c.onnx"):
        found = lstmgraph.predict(tmp_path / name, frame)
        table = found.to_pandas()
        assert list(table.columns) == [
            *("origin", "day", "step", "sales_q0.1", "sales_q0.5", "sales_q0.9"),
        ]
        assert [f"{day:%m-%d}" for day in table.day] == ["02-28", "02-29"]
        np.testing.assert_allclose(table.iloc[:, 3:], wanted.reshape(2, 3), atol=1e-5)
        (batch,) = found
        assert np.isnan(batch.targets["forecast"]).all()
    rolling = lstmgraph.predict(tmp_path / "c.onnx", frame, origins="all", with_targets=True)
    (batch,) = rolling  # before the 26th, of which nothing is known, and the 27th
    np.testing.assert_array_equal(batch.targets["forecast"], [[[np.nan], [6.0]]])
    far = lstmgraph.predict(tmp_path / "c.onnx", frame.assign(sales=frame.sales * 100))
    assert [problem.code for problem in far.warnings if problem.code == "D505"] == ["D505"]
    assert "'sales' is 200 at 2024-02-25 and in 2 more rows" in str(far.warnings[-1])
    assert not any(problem.code == "D505" for problem in found.warnings)


@pytest.mark.slow
def test_a_folder_of_a_training_gives_its_best_model(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "inline.keras").write_bytes((folder / "f.keras").read_bytes())
    (tmp_path / "checkpoint.keras").write_bytes(b"nothing")
    wanted = lstmgraph.predict(folder / "f.keras", stores()).to_pandas()
    pd.testing.assert_frame_equal(lstmgraph.predict(tmp_path, stores()).to_pandas(), wanted)
    (tmp_path / "inline.keras").rename(tmp_path / "best.keras")
    (tmp_path / "inline.keras").write_bytes(b"the last epoch")
    pd.testing.assert_frame_equal(lstmgraph.predict(tmp_path, stores()).to_pandas(), wanted)


def test_parts_that_load_data_returned_are_predicted(folder: Path) -> None:
    frame = stores()
    known = frame[frame.sales.notna()]
    of_stores = lstmgraph.load(folder / "f.keras")
    part = of_stores.load_data(known).train
    found = list(lstmgraph.predict(folder / "f.onnx", part))
    x, y, _ = part.arrays()
    wanted = keras.models.load_model(folder / "f.keras").predict(x, verbose=0)["forecast"]
    values = np.concatenate([batch.values["forecast"] for batch in found])
    np.testing.assert_allclose(values, wanted, atol=1e-5)
    np.testing.assert_array_equal(found[0].targets["forecast"], y["forecast"])


def test_every_code_of_predictions_is_documented_and_tested() -> None:
    sources = (ROOT / "lstmgraph" / "prediction").glob("*.py")
    texts = "".join(path.read_text("utf-8") for path in sources)
    used = set(re.findall(r'"(D5\d\d)"', texts))
    page = (ROOT / "docs" / "predict.md").read_text("utf-8")
    assert set(re.findall(r"^\| (D5\d\d) \|", page, re.M)) == used
    own = (ROOT / "tests" / "test_data_predicted.py").read_text("utf-8")
    assert {code for code in used if code not in own} == set()


@pytest.mark.slow
def test_outputs_of_single_steps_have_their_axis_and_all_steps_their_numbers() -> None:
    """A history, two steps ahead, and one number of each window; a forecast of one step."""
    both = recipe(
        """
        inputs: {h: {shape: [3, 1]}}
        layers:
          reader: {type: lstm, input: h, units: 3}
          back: {type: dense, input: reader.sequence, units: 1}
          ahead: {type: dense, input: reader, units: 2}
          last: {type: dense, input: reader, units: 1}
        outputs: {back: back, ahead: ahead, last: last}
        training: {loss: mse}
        runtime: {seed: 1}
        data:
          window: {history: 3, horizon: 2}
          inputs: {h: {columns: [a]}}
          targets:
            back: {columns: [a], steps: history}
            ahead: {columns: [a]}
            last: {columns: [c], steps: last}
        """
    )
    model, frame = both.build(), {"a": np.arange(5.0), "c": np.ones(5)}
    x = np.array([[[2.0], [3], [4]]], "float32")
    wanted = model.predict({"h": x}, verbose=0)
    table = lstmgraph.predict(model, frame, recipe=both).to_pandas()
    assert list(table.columns) == ["origin", "step", "a_predicted", "a_forecast", "c_predicted"]
    assert list(table.origin) == [5] * 5
    assert list(table.step) == [-2, -1, 0, 1, 2]
    np.testing.assert_allclose(table.a_predicted, [*wanted["back"][0, :, 0], np.nan, np.nan])
    np.testing.assert_allclose(table.a_forecast, [np.nan] * 3 + [*wanted["ahead"][0]])
    np.testing.assert_allclose(table.c_predicted, [wanted["last"][0, 0]] * 5)
    next_frame = lstmgraph.load(ROOT / "recipes" / "next-frame.yaml")
    model = next_frame.build()
    data = ROOT / "recipes" / "data" / "japanese_vowels.parquet"
    whole = pd.read_parquet(data)
    found = lstmgraph.predict(model, whole[whole.utterance <= 2], recipe=next_frame)
    (batch,) = found
    assert batch.values["next_frame"].shape == batch.targets["next_frame"].shape == (2, 1, 12)
    table = found.to_pandas()
    columns = next_frame.to_dict()["data"]["targets"]["next_frame"]["columns"]
    assert list(table.columns) == [
        *("utterance", "origin", "frame", "step", *(f"{name}_forecast" for name in columns)),
    ]
    np.testing.assert_allclose(table.iloc[:, 4:], batch.values["next_frame"][:, 0])


TEXTS = """
    inputs:
      review: {shape: [], dtype: string}
      kind: {shape: [1], dtype: string}
      stars: {shape: [1]}
    layers:
      words:
        type: text_vectorization
        input: review
        vocabulary: [good, bad, film]
        output_sequence_length: 4
      embedded: {type: embedding, input: words, input_dim: 5, output_dim: 2}
      reader: {type: lstm, input: embedded, units: 3}
      of_kind: {type: string_lookup, input: kind, vocabulary: [book, disc], output_mode: multi_hot}
      all: {type: concatenate, input: [reader, of_kind, stars]}
      mood: {type: dense, input: all, units: 2, activation: softmax}
    outputs: {mood: mood}
    training: {loss: sparse_categorical_crossentropy}
    runtime: {seed: 2}
    data:
      inputs:
        review: {columns: [text]}
        kind: {columns: [what]}
        stars: {columns: [stars]}
      targets: {mood: {columns: [mood], classes: [sad, glad]}}
"""


@pytest.mark.slow
def test_texts_and_names_of_classes_go_through_all_formats(tmp_path: Path) -> None:
    texts = recipe(TEXTS)
    model = texts.build()
    texts.save(model, tmp_path / "t.keras")
    for name in ("onnx", "litert"):
        texts.export(model, tmp_path / f"t{FORMATS[name]}", format=name)
    frame = pd.DataFrame(
        {
            "text": ["good film", "Bad, bad film!", ""],
            "what": ["disc", "book", "hat"],
            "stars": [5.0, 1.0, 3.0],
            "mood": ["glad", None, "sad"],
        }
    )
    plain = keras.models.load_model(tmp_path / "t.keras")
    inputs = {
        "review": keras.ops.convert_to_tensor(frame.text.to_list(), dtype="string"),
        "kind": keras.ops.convert_to_tensor([[each] for each in frame.what], dtype="string"),
        "stars": frame[["stars"]].to_numpy("float32"),
    }
    wanted = plain.predict_on_batch(inputs)["mood"]
    frame.to_csv(tmp_path / "t.csv", index=False)
    for ending in FORMATS.values():
        found = lstmgraph.predict(tmp_path / f"t{ending}", tmp_path / "t.csv")
        table = found.to_pandas()
        assert list(table.columns) == ["row", "mood_predicted", "mood_sad", "mood_glad"]
        np.testing.assert_allclose(table[["mood_sad", "mood_glad"]], wanted, atol=1e-5)
        assert list(table.mood_predicted) == [("sad", "glad")[at] for at in wanted.argmax(axis=1)]
        targets = np.concatenate([batch.targets["mood"] for batch in found])
        np.testing.assert_array_equal(targets, [1, np.nan, 0])
