"""Tables as examples: every window equals one that a plain loop over rows cuts."""

from __future__ import annotations

import gzip
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest
from building import assert_equal_arrays
from data_building import (
    FORECAST,
    ROWS,
    SEQUENCES,
    Cut,
    Row,
    float32,
    forecaster,
    recipe,
    store_rows,
    table,
    values,
    windows,
    write_csv,
    write_parquet,
)

import lstmgraph
from lstmgraph.data.columns import numbers

if TYPE_CHECKING:
    from pathlib import Path

STORES = store_rows(30, 25, 40)
ALL = {"data__split__validation": 0}
"""So that every window trains."""


def cut_by_hand(cuts: list[Cut], history: int) -> dict[str, np.ndarray]:
    return {
        "history": float32([values(c.history, "sales", "price", steps=history) for c in cuts]),
        "known": float32([values(c.ahead, "promo") for c in cuts]),
        "store": float32([[c.ahead[0]["size"], c.ahead[0]["kind"]] for c in cuts]),
        "forecast": float32([values(c.ahead, "sales") for c in cuts]),
    }


def trained_on(found: lstmgraph.Recipe, source: Any) -> dict[str, np.ndarray]:
    x, y, weights = found.load_data(source).train.arrays()
    assert weights is None
    return {**x, **y}


@pytest.mark.parametrize(
    ("history", "horizon", "stride", "shortest"),
    [
        (4, 2, 1, None),
        (1, 1, 1, None),
        (5, 3, 4, None),
        (6, 2, 3, 1),
        (4, 1, 1, 3),
        (28, 2, 1, None),
    ],
)
def test_windows_are_those_of_a_loop_over_rows(
    history: int, horizon: int, stride: int, shortest: int | None
) -> None:
    window = {"history": history, "horizon": horizon, "stride": stride}
    window |= {} if shortest is None else {"min_history": shortest}
    found = trained_on(forecaster(data__window=window, **ALL), table(STORES))
    wanted = cut_by_hand(windows(STORES, history, horizon, stride, shortest), history)
    assert len(wanted["known"]) > 0
    assert_equal_arrays(found, wanted)


def _csv(rows: list[Row], folder: Path) -> Path:
    return write_csv(rows, folder / "sales.csv")


def _gzipped(rows: list[Row], folder: Path) -> Path:
    path = folder / "sales.csv.gz"
    path.write_bytes(gzip.compress(_csv(rows, folder).read_bytes()))
    return path


def _semicolons(rows: list[Row], folder: Path) -> Path:
    path = _csv(rows, folder)
    path.write_text(path.read_text("utf-8").replace(",", ";"), "utf-8")
    return path


def _tabs(rows: list[Row], folder: Path) -> Path:
    path = folder / "sales.tsv"
    path.write_text(_csv(rows, folder).read_text("utf-8").replace(",", "\t"), "utf-8")
    return path


def _parquet(rows: list[Row], folder: Path) -> Path:
    return write_parquet(rows, folder / "sales.parquet", row_group_size=7)


def _folder_of_csv(rows: list[Row], folder: Path) -> Path:
    write_csv(rows[:33], folder / "a.csv")
    write_csv(rows[33:], folder / "b.csv")
    return folder


def _folder_of_parquet(rows: list[Row], folder: Path) -> Path:
    write_parquet(rows[:33], folder / "a.parquet")
    write_parquet(rows[33:], folder / "b.parquet")
    return folder


def arrays(rows: list[Row]) -> dict[str, np.ndarray]:
    columns = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    return {**columns, "day": columns["day"].astype("datetime64[D]")}


def _columns_of_npz(rows: list[Row], folder: Path) -> Path:
    np.savez(folder / "sales.npz", **arrays(rows))
    return folder / "sales.npz"


def _folder_of_npy(rows: list[Row], folder: Path) -> Path:
    for name, array in arrays(rows).items():
        np.save(folder / f"{name}.npy", array)
    return folder


SOURCES = [
    _csv, _gzipped, _semicolons, _tabs, _parquet, _folder_of_csv, _folder_of_parquet,
    _columns_of_npz, _folder_of_npy,
]  # fmt: skip


@pytest.mark.parametrize("write", SOURCES, ids=lambda write: write.__name__.strip("_"))
@pytest.mark.parametrize("order", ["by store", "by day"])
def test_every_kind_of_file_gives_the_same_windows(write: Any, order: str, tmp_path: Path) -> None:
    rows = STORES if order == "by store" else sorted(STORES, key=lambda row: row["day"])
    found = trained_on(forecaster(**ALL), write(rows, tmp_path))
    assert_equal_arrays(found, cut_by_hand(windows(rows, 4, 2), 4))


def test_a_data_frame_is_a_table() -> None:
    """Whatever speaks Arrow's stream: data frames of pandas and polars do, and this does."""

    class Frame:
        def __arrow_c_stream__(self, requested_schema: object = None) -> object:
            return table(STORES).__arrow_c_stream__(requested_schema)

    assert_equal_arrays(
        trained_on(forecaster(**ALL), Frame()), cut_by_hand(windows(STORES, 4, 2), 4)
    )


def test_batches_are_rows_of_the_whole() -> None:
    part = forecaster(**ALL).load_data(table(STORES)).train
    whole = part.arrays()[0]["history"]
    positions = np.array([5, 0, 17, 5])
    np.testing.assert_array_equal(part.batch(positions)[0]["history"], whole[positions])
    chosen = replace(part, numbers=part.numbers[positions])
    np.testing.assert_array_equal(chosen.batch(slice(1, 3))[0]["history"], whole[[0, 17]])


def test_numbers_that_are_written_as_text_are_numbers() -> None:
    columns = table(STORES)
    texts = columns.set_column(2, "sales", columns["sales"].cast(pa.string()))
    texts = texts.set_column(
        4, "promo", pa.array(["true" if r["promo"] else " False" for r in STORES])
    )
    assert_equal_arrays(trained_on(forecaster(**ALL), texts), cut_by_hand(windows(STORES, 4, 2), 4))


TIMES = {
    "numbers": [3, 4, 6, 7, 8, 10, 11],
    "numbers with a point": [0.5, 0.75, 1.0, 1.25, 1.5, 1.75, 2.0],
    "dates": [f"2024-01-{day:02d}" for day in range(1, 8)],
    "times": [f"2024-01-01 {hour:02d}:30" for hour in range(1, 8)],
    "times with a zone": [f"2024-01-01T{hour:02d}:30:00+02:00" for hour in range(1, 8)],
    "nanoseconds": [f"2024-01-01 00:00:00.00000000{n}" for n in range(1, 8)],
}
SPANS = {
    "numbers": ("4", "11"),
    "numbers with a point": ("0.75", "2"),
    "dates": ("2024-01-02", "2024-01-07"),
    "times": ("2024-01-01 02:30:00", "2024-01-01 07:30:00"),
    "times with a zone": ("2024-01-01 00:30:00", "2024-01-01 05:30:00"),
    "nanoseconds": ("2024-01-01 00:00:00.000000002", "2024-01-01 00:00:00.000000007"),
}
STEPS = """
    inputs: {x: {shape: [1, 1]}}
    layers: {r: {type: lstm, input: x, units: 2}, y: {type: dense, input: r, units: 1}}
    outputs: {y: y}
    training: {loss: mse}
    data:
      time: t
      window: {history: 1, horizon: 1}
      inputs: {x: {columns: [v]}}
      targets: {y: {columns: [v]}}
      split: {validation: 0}
"""


@pytest.mark.parametrize("kind", TIMES)
@pytest.mark.parametrize("as_file", [True, False])
def test_time_is_numbers_dates_or_iso_8601(kind: str, as_file: bool, tmp_path: Path) -> None:
    source: Any = {"t": TIMES[kind], "v": range(7)}
    if as_file:
        path = tmp_path / "t.csv"
        path.write_text("t,v\n" + "".join(f"{t},{v}\n" for v, t in enumerate(TIMES[kind])), "utf-8")
        source = path
    assert recipe(STEPS).load_data(source).train.span == SPANS[kind]


def test_series_are_told_apart_by_several_columns_and_keep_their_spelling(tmp_path: Path) -> None:
    keys = [("01", "a"), ("1", "a"), ("NA", "a"), ("1", "b, c")]
    rows = [
        {"s": s, "i": i, "t": t, "v": 10 * k + t} for k, (s, i) in enumerate(keys) for t in range(3)
    ]
    path = tmp_path / "s.csv"
    lines = [f'{r["s"]},"{r["i"]}",{r["t"]},{r["v"]}' for r in sorted(rows, key=lambda r: r["t"])]
    path.write_text("\n".join(["s,i,t,v", *lines]), "utf-8")
    part = recipe(STEPS, data__series=["s", "i"]).load_data(path).train
    assert part.series_count == 4
    x, y, _ = part.arrays()
    assert sorted(zip(x["x"].ravel().tolist(), y["y"].ravel().tolist(), strict=True)) == [
        (10 * k + t, 10 * k + t + 1) for k in range(4) for t in range(2)
    ]


def test_the_column_of_series_or_time_can_be_an_input_too(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("s,t,v\n" + "".join(f"{s},{t},0\n" for s in (5, 7) for t in (1, 2, 3)), "utf-8")
    found = recipe(
        STEPS, data__series="s", inputs__x__shape=[1, 2], data__inputs__x__columns=["s", "t"]
    )
    x, _, _ = found.load_data(path).train.arrays()
    assert x["x"][:, 0].tolist() == [[5, 1], [5, 2], [7, 1], [7, 2]]


def test_each_row_is_an_example_without_a_window() -> None:
    columns = {name: np.arange(6.0) + shift for name, shift in (("a", 0), ("b", 10), ("c", 20))}
    x, y, _ = recipe(ROWS, data__split__validation=0).load_data(columns).train.arrays()
    np.testing.assert_array_equal(x["x"], np.stack([columns["a"], columns["b"]], axis=1))
    np.testing.assert_array_equal(y["y"], columns["c"][:, None])


SERIES = (
    SEQUENCES
    + """
    data:
      series: s
      window: {history: series, min_history: 2}
      inputs:
        x: {columns: [a, b]}
        lengths: {length_of: x}
      targets: {kind: {columns: [k], static: true}}
      split: {validation: 0}
"""
)


def series_columns(lengths: list[int]) -> dict[str, np.ndarray]:
    series = np.repeat(np.arange(len(lengths)), lengths)
    rows = np.arange(len(series)) + 1.0
    return {"s": series, "a": rows, "b": -rows, "k": series % 4}


def test_a_whole_series_is_an_example_padded_at_its_end() -> None:
    lengths = [3, 5, 1, 2]
    columns = series_columns(lengths)
    data = recipe(SERIES).load_data(columns)
    x, y, _ = data.train.arrays()
    np.testing.assert_array_equal(x["lengths"], [3, 5, 2])
    assert x["lengths"].dtype == np.int32
    assert x["x"].shape == (3, 5, 2)
    for example, number in zip(x["x"], (0, 1, 3), strict=True):
        own = columns["s"] == number
        np.testing.assert_array_equal(example[: own.sum(), 0], columns["a"][own])
        np.testing.assert_array_equal(example[: own.sum(), 1], columns["b"][own])
        assert not example[own.sum() :].any()
    np.testing.assert_array_equal(y["kind"], [0, 1, 3])
    (warning,) = data.warnings
    assert "1 of 4 series" in warning.message


def test_whole_series_are_padded_to_the_size_that_the_recipe_fixes() -> None:
    x, _, _ = (
        recipe(SERIES, inputs__x__shape=[9, 2]).load_data(series_columns([3, 5])).train.arrays()
    )
    assert x["x"].shape == (2, 9, 2)
    assert not x["x"][0, 3:].any()


def test_lengths_count_what_is_there_of_a_short_history() -> None:
    text = FORECAST.replace("known: {shape", "n: {shape: [], dtype: int32}\n      known: {shape", 1)
    text = text.replace(
        "units: 3, initial_state: {st", "units: 3, mask: {lengths: n}, initial_state: {st"
    )
    text = text.replace(
        "        known: {columns", "        n: {length_of: history}\n        known: {columns"
    )
    found = trained_on(recipe(text, data__window__min_history=2, **ALL), table(STORES))
    cuts = windows(STORES, 4, 2, shortest=2)
    np.testing.assert_array_equal(found.pop("n"), [len(cut.history) for cut in cuts])
    assert_equal_arrays(found, cut_by_hand(cuts, 4))


def test_a_lag_reads_the_steps_ahead_one_step_late() -> None:
    """What teacher forcing feeds a decoder: the step before the one that is forecast."""
    late = {"columns": ["sales"], "steps": "horizon", "lag": 1}
    found = trained_on(forecaster(data__inputs__known=late, **ALL), table(STORES))
    cuts = windows(STORES, 4, 2)
    wanted = float32([values([c.history[-1], *c.ahead[:-1]], "sales") for c in cuts])
    np.testing.assert_array_equal(found["known"], wanted)
    np.testing.assert_array_equal(found["known"][:, 1:], found["forecast"][:, :-1])


def test_the_whole_window_and_its_last_step_can_be_read() -> None:
    text = FORECAST.replace("forecast: {type: dense, input: decoder.sequence, units: 1}",
                            "forecast: {type: dense, input: decoder, units: 1}")  # fmt: skip
    whole = {"columns": ["promo"], "steps": "window"}
    changed = {
        "data__inputs__known": whole,
        "data__inputs__history": {"columns": ["price", "size"]},
        "data__targets__forecast": {"columns": ["sales"], "steps": "last"},
    }
    found = trained_on(recipe(text, **changed, **ALL), table(STORES))
    cuts = windows(STORES, 4, 2)
    np.testing.assert_array_equal(
        found["known"], float32([values([*c.history, *c.ahead], "promo") for c in cuts])
    )
    np.testing.assert_array_equal(
        found["forecast"], float32([values(c.history[-1:], "sales")[0] for c in cuts])
    )


def test_axes_of_size_1_are_left_out_as_the_recipe_wants() -> None:
    """A dense layer that gives all steps at once: (batch, 2) for two steps of one column."""
    text = FORECAST.replace("input: decoder.sequence, units: 1", "input: decoder, units: 2")
    found = trained_on(recipe(text, **ALL), table(STORES))
    assert found["forecast"].shape == (len(windows(STORES, 4, 2)), 2)
    np.testing.assert_array_equal(
        found["forecast"], cut_by_hand(windows(STORES, 4, 2), 4)["forecast"][..., 0]
    )


@pytest.mark.parametrize(
    ("weight", "wanted"),
    [
        ({"columns": ["promo"]}, lambda c: [r["promo"] for r in c.ahead]),
        ({"columns": ["kind"], "static": True}, lambda c: [c.ahead[0]["kind"]] * 2),
        ({"columns": ["promo"], "steps": "last"}, lambda c: [c.history[-1]["promo"]] * 2),
    ],
)
def test_weights_have_the_shape_of_each_loss(weight: Any, wanted: Any) -> None:
    found = recipe(FORECAST.rstrip() + "\n      sample_weight: {columns: [promo]}\n",
                   data__sample_weight=weight, **ALL)  # fmt: skip
    _, _, weights = found.load_data(table(STORES)).train.arrays()
    np.testing.assert_array_equal(weights["forecast"], [wanted(c) for c in windows(STORES, 4, 2)])


@pytest.mark.parametrize(
    "dtype", ["float64", "float16", "int8", "uint16", "int64", "bool", "bfloat16"]
)
def test_columns_become_the_dtype_of_the_input(dtype: str, tmp_path: Path) -> None:
    """NumPy has no bfloat16: the values stay float32, and Keras makes it."""
    text = ROWS.replace("x: {shape: [2]}", f"x: {{shape: [2], dtype: {dtype}}}")
    text = text.replace("y: {type: dense, input: x", "f: {type: rescaling, input: x, scale: 1.0}\n"
                        "      y: {type: dense, input: f")  # fmt: skip
    text = text.replace("layers: {f", "layers:\n      f").replace("units: 1}}", "units: 1}")
    path = tmp_path / "t.csv"
    path.write_text("a,b,c\n0,1,2\n1,0,3\n1,1,4\n", "utf-8")
    x, _, _ = recipe(text, data__split__validation=0).load_data(path).train.arrays()
    assert x["x"].dtype == np.dtype("float32" if dtype == "bfloat16" else dtype)
    np.testing.assert_array_equal(x["x"].astype(float), [[0, 1], [1, 0], [1, 1]])


def test_large_whole_numbers_stay_exact() -> None:
    """2 ** 53 + 1 is the first that a float64 cannot hold."""
    assert numbers(pa.array([2**53 + 1, 7])).tolist() == [2**53 + 1, 7]


def test_a_cached_table_is_read_once(tmp_path: Path) -> None:
    path, cache = write_csv(STORES, tmp_path / "sales.csv"), tmp_path / "cache"
    found = forecaster(**ALL)
    first = found.load_data(path, cache=cache).train.arrays()
    (kept,) = cache.iterdir()
    made = {file: file.stat().st_mtime_ns for file in kept.iterdir()}
    second = found.load_data(path, cache=cache).train.arrays()
    assert {file: file.stat().st_mtime_ns for file in kept.iterdir()} == made
    assert_equal_arrays(second[0], first[0])
    # Another file, or other columns of it, are another table.
    write_csv(store_rows(50), path)
    assert len(found.load_data(path, cache=cache).train) == 45
    forecaster(data__inputs__history__columns=["price", "sales"], **ALL).load_data(
        path, cache=cache
    )
    assert len(list(cache.iterdir())) == 3


def test_a_table_with_a_problem_is_not_kept(tmp_path: Path) -> None:
    path, cache = write_csv(STORES, tmp_path / "sales.csv"), tmp_path / "cache"
    path.write_text(path.read_text("utf-8") + "store 9,2024-01-01,nan,0,0,0,0\n", "utf-8")
    with pytest.raises(lstmgraph.DataError):
        forecaster(**ALL).load_data(path, cache=cache)
    assert list(cache.iterdir()) == []
