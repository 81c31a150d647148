"""Data that does not fit: all problems in one report, with place and fix, never a traceback."""

from __future__ import annotations

import io
import re
import sys
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest
from data_building import (
    FORECAST,
    ROWS,
    SEQUENCES,
    Row,
    forecaster,
    recipe,
    store_rows,
    table,
    write_csv,
    write_parquet,
)
from pyarrow import parquet

import lstmgraph

if TYPE_CHECKING:
    from collections.abc import Callable

    from lstmgraph.data.problems import DataProblem

PACKAGE = Path(lstmgraph.__file__).parent


def problems(found: lstmgraph.Recipe, source: Any, **given: Any) -> list[DataProblem]:
    with pytest.raises(lstmgraph.DataError) as error:
        found.load_data(source, **given)
    assert all(problem.hint for problem in error.value.problems)
    assert "\n" not in "".join(problem.message for problem in error.value.problems)
    return [problem for problem in error.value.problems if problem.severity == "error"]


def codes(found: lstmgraph.Recipe, source: Any) -> list[str]:
    return [problem.code for problem in problems(found, source)]


def texts(found: lstmgraph.Recipe, source: Any) -> list[str]:
    return [f"{problem.code} {problem.message}" for problem in problems(found, source)]


# --- arrays ---


def sequences(count: int = 6, steps: int = 5) -> dict[str, np.ndarray]:
    return {
        "x": np.ones((count, steps, 2), "float32"),
        "lengths": np.full(count, steps, "int32"),
        "kind": np.zeros(count, "int32"),
    }


def put(array: np.ndarray, value: float, *places: Any) -> np.ndarray:
    changed = array.astype("float64")
    for place in places:
        changed[place] = value
    return changed


ARRAYS: dict[str, tuple[Callable[[dict[str, np.ndarray]], dict[str, Any]], str]] = {
    "a name that is near": (
        lambda a: {**{n: a[n] for n in ("lengths", "kind")}, "X": a["x"]},
        "D201 there is no array 'x' for the input 'x'; did you mean 'X'?",
    ),
    "a target that is not there": (
        lambda a: {"x": a["x"], "lengths": a["lengths"]},
        "D201 there is no array 'kind' for the target 'kind'",
    ),
    "text": (
        lambda a: {**a, "lengths": np.array(["ae"] * 6)},
        "D202 'lengths' holds text, not numbers",
    ),
    "objects": (
        lambda a: {**a, "x": np.array([{}, None] * 3, object)},
        "D202 'x' holds Python objects, not numbers",
    ),
    "rows of different lengths without features": (
        lambda a: {**a, "x": np.array([[1], [2, 3]] * 3, object)},
        "D203 'x' has shape (6, 2), but the input takes (batch, time, 2)",
    ),
    "complex numbers": (
        lambda a: {**a, "x": a["x"] * 1j},
        "D202 'x' holds complex numbers, not numbers",
    ),
    "lengths with a fraction": (
        lambda a: {**a, "lengths": put(a["lengths"], 2.5, 4)},
        "D202 'lengths': 1 value is not int32, the first in lengths[4]: 2.5",
    ),
    "ids beyond the dtype": (
        lambda a: {**a, "kind": put(a["kind"], 2.0**31, 1)},
        "D202 'kind': 1 value is not int32, the first in kind[1]: 2147483648.0",
    ),
    "another number of features": (
        lambda a: {**a, "x": np.ones((6, 5, 3))},
        "D203 'x' has shape (6, 5, 3), but the input takes (batch, time, 2)",
    ),
    "an axis too few": (
        lambda a: {**a, "x": np.ones((6, 2))},
        "D203 'x' has shape (6, 2), but the input takes (batch, time, 2)",
    ),
    "a single number": (
        lambda a: {**a, "lengths": np.array(3)},
        "D203 'lengths' is a single number",
    ),
    "classes as one number each": (
        lambda a: {**a, "kind": np.eye(4)[a["kind"]]},
        "D203 'kind' has shape (6, 4), but the target takes (batch)",
    ),
    "another count": (
        lambda a: {**a, "lengths": a["lengths"][:5]},
        "D204 'lengths' has 5 examples, but 'x' has 6",
    ),
    "nothing": (lambda a: {n: v[:0] for n, v in a.items()}, "D106 there are no examples"),
    "NaN": (
        lambda a: {**a, "x": put(a["x"], np.nan, (3, 1, 0), (4, 0, 1))},
        "D301 'x': 2 values are missing (NaN), the first in x[3, 1, 0]",
    ),
    "infinity": (
        lambda a: {**a, "x": put(a["x"], -np.inf, (5, 4, 1))},
        "D301 'x': 1 value is infinite, the first in x[5, 4, 1]",
    ),
    "lengths beyond time": (
        lambda a: {**a, "lengths": put(a["lengths"], 6, 2, 3)},
        "D302 'lengths': 2 values are out of range, the first in lengths[2]: 6",
    ),
    "a negative length": (
        lambda a: {**a, "lengths": put(a["lengths"], -1, 0)},
        "D302 'lengths': 1 value is out of range, the first in lengths[0]: -1",
    ),
    "a class beyond the output": (
        lambda a: {**a, "kind": put(a["kind"], 4, 5)},
        "D302 'kind': 1 value is out of range, the first in kind[5]: 4",
    ),
    "a negative weight": (
        lambda a: {**a, "sample_weight": put(a["kind"], -0.5, 1)},
        "D302 'sample_weight': 1 value is out of range, the first in sample_weight[1]: -0.5",
    ),
    "a weight of another shape": (
        lambda a: {**a, "sample_weight": np.ones((6, 5))},
        "D203 'sample_weight' has shape (6, 5), but the loss of 'kind' takes (batch)",
    ),
}


@pytest.mark.parametrize("case", ARRAYS)
def test_arrays_that_do_not_fit(case: str) -> None:
    change, wanted = ARRAYS[case]
    assert texts(recipe(SEQUENCES), change(sequences())) == [wanted]


def test_hints_name_the_loss_that_fits() -> None:
    (one_number_each,) = problems(recipe(SEQUENCES), {**sequences(), "kind": np.eye(4)[[0] * 6]})
    assert "categorical_crossentropy" in (one_number_each.hint or "")
    dense = recipe(SEQUENCES, training__loss="categorical_crossentropy")
    (ids,) = problems(dense, sequences())
    assert "sparse_categorical_crossentropy" in (ids.hint or "")


def test_a_class_that_the_loss_leaves_out_is_no_mistake() -> None:
    loss = {"type": "sparse_categorical_crossentropy", "ignore_class": -1}
    arrays = {**sequences(), "kind": np.array([0, 1, -1, 2, 3, -1])}
    assert len(recipe(SEQUENCES, training__loss=loss).load_data(arrays).train) == 5
    arrays["kind"][0] = -2
    assert codes(recipe(SEQUENCES, training__loss=loss), arrays) == ["D302"]


EMBEDDED = """
    inputs:
      words: {shape: [time], dtype: int32}
      tags: {shape: [time, 1], dtype: float16}
    layers:
      vectors: {type: embedding, input: words, input_dim: 50, output_dim: 4}
      reader: {type: lstm, input: [vectors, tags], units: 3}
      right: {type: dense, input: reader, units: 1, activation: sigmoid}
    outputs: {right: right}
    training: {loss: binary_crossentropy}
"""


def test_ids_stay_within_the_embedding_and_probabilities_within_0_and_1() -> None:
    words = np.zeros((3, 4), int)
    words[1, 2], words[2, 0] = 50, -1
    tags, right = np.zeros((3, 4, 1)), np.array([0, 1, 2])
    tags[0, 3, 0] = 1e5
    assert texts(recipe(EMBEDDED), {"words": words, "tags": tags, "right": right}) == [
        "D302 'words': 2 values are out of range, the first in words[1, 2]: 50",
        "D202 'tags': 1 value is not float16, the first in tags[0, 3, 0]: 100000.0",
        "D302 'right': 1 value is out of range, the first in right[2]: 2",
    ]


def test_equal_names_mean_equal_sizes_in_data_too() -> None:
    arrays = {"words": np.zeros((3, 4), int), "tags": np.zeros((3, 5, 1)), "right": np.zeros(3)}
    assert texts(recipe(EMBEDDED), arrays) == ["D203 'time' is 5 in 'tags' and 4 in 'words'"]


def test_all_problems_of_all_sources_are_in_one_report() -> None:
    wrong = {**sequences(), "kind": np.full(6, 9)}
    found = problems(recipe(SEQUENCES), wrong, validation={"x": np.ones((2, 3, 1))}, test="no.npz")
    assert [(problem.where, problem.code) for problem in found] == [
        ("the given dict", "D302"),
        ("the given dict", "D201"),
        ("the given dict", "D201"),
        ("the given dict", "D203"),
        ("no.npz", "D101"),
    ]


def test_a_late_value_of_a_large_array_is_found(tmp_path: Path) -> None:
    """Arrays are looked at part by part; each counts."""
    x = np.zeros((100_000, 50, 2), "float32")
    x[[7, 99_999], 3, 1] = np.nan
    np.save(tmp_path / "x.npy", x)
    np.save(tmp_path / "lengths.npy", np.ones(len(x), int))
    np.save(tmp_path / "kind.npy", np.zeros(len(x), int))
    assert texts(recipe(SEQUENCES), tmp_path) == [
        "D301 'x': 2 values are missing (NaN), the first in x[7, 3, 1]"
    ]


PAIRS: dict[str, tuple[Any, list[str]]] = {
    "one array for two inputs": ((np.ones((6, 5, 2)), np.zeros(6)), ["D201"]),
    "four values": ((1, 2, 3, 4), ["D203"]),
    "an input too few": (({"x": np.ones((6, 5, 2))}, np.zeros(6)), ["D201"]),
    "no targets": (({"x": np.ones((6, 5, 2)), "lengths": np.ones(6, int)}, None), ["D201"]),
}


@pytest.mark.parametrize("case", PAIRS)
def test_pairs_that_do_not_fit(case: str) -> None:
    pair, wanted = PAIRS[case]
    assert codes(recipe(SEQUENCES), pair) == wanted


# --- tables ---


def cell(rows: list[Row], row: int, column: str, value: Any) -> list[Row]:
    """`rows` with one value changed; rows count from 1, as reports do."""
    return [{**r, column: value} if n == row else r for n, r in enumerate(rows, start=1)]


def as_csv(rows: list[Row], path: Path) -> Path:
    """With what no column of one type could hold."""
    lines = [",".join(rows[0]), *(",".join(str(value) for value in row.values()) for row in rows)]
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return path


STORES = store_rows(20, 20)

CELLS: dict[str, tuple[tuple[int, str, Any], str]] = {
    "a word": (
        (23, "price", "cheap"),
        "D202 column 'price', row 23 holds 'cheap', which is not a number",
    ),
    "a comma": (
        (9, "price", '"1,5"'),
        "D202 column 'price', row 9 holds '1,5', which is not a number",
    ),
    "nothing": (
        (40, "sales", ""),
        "D301 column 'sales': 1 value is missing (NaN), the first in row 40",
    ),
    "not available": (
        (3, "promo", "NA"),
        "D301 column 'promo': 1 value is missing (NaN), the first in row 3",
    ),
    "infinity": (
        (3, "price", "-inf"),
        "D301 column 'price': 1 value is infinite, the first in row 3",
    ),
    "no series": ((7, "store", ""), "D202 column 'store', row 7 names no series"),
    "no time": ((7, "day", ""), "D401 column 'day', row 7 has no time"),
    "no date": (
        (7, "day", "7. Jan."),
        "D401 column 'day', row 7 holds '7. Jan.', which is not a time",
    ),
    "an earlier day": (
        (18, "day", "2024-01-03"),
        "D401 column 'day' does not increase: 2024-01-17 is followed by 2024-01-03 "
        "in row 18 of series "
        "'store 0'",
    ),
    "a day twice": (
        (2, "day", "2024-01-01"),
        "D401 column 'day' has a time twice: 2024-01-01, in row 1 and row 2 of series 'store 0'",
    ),
    "another size": (
        (26, "size", 11),
        "D402 column 'size' is static, but changes in row 26 of series 'store 1'",
    ),
}


@pytest.mark.parametrize("case", CELLS)
def test_a_cell_that_does_not_fit_is_named_by_its_row(case: str, tmp_path: Path) -> None:
    where, wanted = CELLS[case]
    assert texts(forecaster(), as_csv(cell(STORES, *where), tmp_path / "t.csv")) == [wanted]


def test_rows_are_those_of_the_file_when_series_are_mixed(tmp_path: Path) -> None:
    rows = sorted(STORES, key=lambda row: row["day"])
    wrong = cell(cell(rows, 12, "size", 3), 31, "day", "2024-01-01")
    found = texts(forecaster(), as_csv(wrong, tmp_path / "t.csv"))
    assert len(found) == 2
    assert "in row 31" in found[0]
    assert "row 12 " in found[1]


def test_all_problems_of_a_table_are_in_one_report(tmp_path: Path) -> None:
    rows = cell(cell(cell(STORES, 5, "price", "?"), 6, "promo", "inf"), 30, "sales", "NaN")
    found = codes(forecaster(), as_csv(rows, tmp_path / "t.csv"))
    assert sorted(found) == ["D202", "D301", "D301"]


def test_a_value_far_down_is_found(tmp_path: Path) -> None:
    """Past the first batch of rows; the type of a column is not guessed from its beginning."""
    path = tmp_path / "t.csv"
    lines = [f"{n},{n},{n}" for n in range(40_000)]
    lines[39_998] = "1,ten,1"
    path.write_text("\n".join(["a,b,c", *lines]), "utf-8")
    assert texts(recipe(ROWS), path) == [
        "D202 column 'b', row 39999 holds 'ten', which is not a number"
    ]
    lines[39_998] = "1,2.5,1"
    path.write_text("\n".join(["a,b,c", *lines]), "utf-8")
    assert len(recipe(ROWS).load_data(path).train) == 32_000


def test_columns_that_are_missing_or_twice_are_named_with_what_is_there(tmp_path: Path) -> None:
    path = write_csv(STORES, tmp_path / "t.csv")
    path.write_text(
        path.read_text("utf-8").replace("price", "prize", 1).replace("kind", "size", 1), "utf-8"
    )
    found = problems(forecaster(), path)
    assert [f"{problem.code} {problem.message}" for problem in found] == [
        "D201 there is no column 'price'; did you mean 'prize'?",
        "D201 2 columns are named 'size'",
        "D201 there is no column 'kind'",
    ]
    assert found[0].hint == "the columns are: store, day, sales, prize, promo, size, size"


KINDS: dict[str, tuple[str, Any, str]] = {
    "dates as features": ("price", pa.array([0] * 40).cast(pa.timestamp("s")), "D202"),
    "lists": ("price", pa.array([[1.0]] * 40), "D202"),
    "nothing at all": ("price", pa.nulls(40), "D411"),
    "a time that is a list": ("day", pa.array([[1]] * 40), "D401"),
    "words": ("promo", pa.array(["a"] * 40).dictionary_encode(), "D202"),
    "a series that is not there": ("store", pa.array(["a"] * 39 + [None]), "D202"),
}


@pytest.mark.parametrize("case", KINDS)
def test_columns_of_another_kind(case: str) -> None:
    name, column, code = KINDS[case]
    columns = table(STORES)
    columns = columns.set_column(columns.column_names.index(name), name, column)
    assert set(codes(forecaster(), columns)) == {code}


def test_times_that_are_nan_or_of_another_kind_in_another_file(tmp_path: Path) -> None:
    columns = table(STORES)
    place = columns.column_names.index("day")
    days = pa.array([float(n % 20) for n in range(40)])
    late = pa.array([*days.to_pylist()[:24], float("nan"), *days.to_pylist()[25:]])
    (found,) = texts(forecaster(), columns.set_column(place, "day", late))
    assert found == "D401 column 'day', row 25 has no time"
    for name, kind in (("a", pa.timestamp("ms")), ("b", pa.date32())):
        part = columns.slice(20 * (name == "b"), 20)
        part = part.set_column(place, "day", part["day"].cast(kind))
        parquet.write_table(part, tmp_path / f"{name}.parquet")
    (found,) = texts(forecaster(), tmp_path)
    assert found == "D401 column 'day' holds date32[day] after timestamp[ms]"


def test_steps_that_are_left_out_are_warned_of_and_months_are_not() -> None:
    rows = [row for row in STORES if (row["store"], row["day"].day) != ("store 1", 9)]
    (warning,) = forecaster(data__split__test=0).load_data(table(rows)).warnings
    assert (warning.code, warning.severity) == ("D404", "warning")
    gap = "the first from 2024-01-08 to 2024-01-10, row 29 of series 'store 1'"
    assert warning.message == f"column 'day': 1 step is longer than usual, {gap}"
    months = [{**row, "day": row["day"].replace(month=1 + n % 12, day=1, year=2020 + n // 12)}
              for n, row in enumerate(STORES[:20])]  # fmt: skip
    assert forecaster().load_data(table(months)).warnings == ()


def test_series_too_short_for_a_window_are_counted() -> None:
    (warning,) = forecaster().load_data(table(store_rows(30, 5, 4, 30))).warnings
    assert warning.message.startswith("2 of 4 series are shorter than a window of 6 steps")
    assert warning.message.endswith("the first is 'store 1', with 5 rows")


def test_no_window_at_all() -> None:
    """One report, without a warning that says the same."""
    with pytest.raises(lstmgraph.DataError) as error:
        forecaster().load_data(table(store_rows(5, 3)))
    assert [str(problem.message) for problem in error.value.problems] == [
        "there are no examples: every series is shorter than a window of 6 steps; "
        "the longest, 'store 0', has 5 rows"
    ]


def test_one_row_of_a_table_without_series() -> None:
    found = recipe("""
        inputs: {x: {shape: [5, 1]}}
        layers: {y: {type: lstm, input: x, units: 1}}
        outputs: {y: y}
        training: {loss: mse}
        data:
          window: {history: 5, horizon: 1}
          inputs: {x: {columns: [a]}}
          targets: {y: {columns: [a]}}
    """)
    assert texts(found, {"a": np.ones(1)}) == [
        "D403 there are no examples: every series is shorter than a window of 6 steps; "
        "the longest has 1 row"
    ]


def test_a_part_without_an_example_says_how_far_targets_reach() -> None:
    found = texts(forecaster(data__split={"validation": 0.2, "test": 0.05}), table(STORES))
    assert found == [
        "D403 none of the 30 examples is left to test on; the targets of one example span 2 steps"
    ]
    found = texts(forecaster(data__split={"folds": 8}), table(STORES))
    assert found
    assert all(re.search(r"in fold \d", text) for text in found)


def test_folds_and_validation_data_exclude_each_other() -> None:
    folds = recipe(ROWS, data__split={"folds": 3})
    columns = {name: np.arange(9.0) for name in "abc"}
    (problem,) = problems(folds, columns, validation=columns)
    assert problem.code == "D403"


def test_a_series_longer_than_the_recipe_takes() -> None:
    text = (
        SEQUENCES.replace("[time, 2]", "[4, 2]")
        + """
    data:
      series: s
      window: {history: series}
      inputs: {x: {columns: [a, b]}, lengths: {length_of: x}}
      targets: {kind: {columns: [k], static: true}}
    """
    )
    series = np.repeat(np.arange(8), [3, 4, 3, 6, 3, 3, 3, 3])
    columns = {"s": series, "a": series, "b": series, "k": series % 4}
    assert texts(recipe(text), columns) == ["D203 series '3' has 6 rows, but 'x' takes 4"]


def test_a_table_needs_a_recipe_that_names_columns_and_arrays_one_that_does_not(
    tmp_path: Path,
) -> None:
    assert codes(recipe(SEQUENCES), write_csv(STORES, tmp_path / "t.csv")) == ["D201"]
    assert codes(forecaster(), sequences()) == ["D203"]


def test_without_pyarrow_the_report_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = write_csv(STORES, tmp_path / "t.csv")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    (problem,) = problems(forecaster(), path)
    assert (problem.code, problem.hint) == ("D104", "pip install 'lstmgraph[data]'")


# --- hostile and broken files ---


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _noise(path: Path) -> None:
    path.write_bytes(np.random.default_rng(0).bytes(5000))


def _text(path: Path) -> None:
    path.write_text("this is\nno table, and\nno archive\n", "utf-8")


def _cut_off(path: Path) -> None:
    """The first two thirds of a file that was right."""
    if path.suffix == ".npz":
        np.savez_compressed(path, **sequences(400))
    elif path.suffix == ".parquet":
        write_parquet(STORES, path)
    else:
        write_csv(STORES, path)
        path.write_bytes(path.read_bytes()[:-15] + b'"')
        return
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) * 2 // 3])


def _damaged(path: Path) -> None:
    """Right at both ends, and wrong between them."""
    if path.suffix == ".npz":
        np.savez(path, **sequences(400))
    elif path.suffix == ".parquet":
        write_parquet(store_rows(4000), path, compression="none")
    else:
        path.write_text("store,day,sales,price,promo,size,kind\na,1,2\n", "utf-8")
        return
    whole = bytearray(path.read_bytes())
    middle = len(whole) // 2
    whole[middle : middle + 400] = b"\xff" * 400
    path.write_bytes(bytes(whole))


def _header_alone(path: Path) -> None:
    if path.suffix == ".npz":
        np.savez(path)
    elif path.suffix == ".parquet":
        parquet.write_table(table(STORES).slice(0, 0), path)
    else:
        path.write_text("store,day,sales,price,promo,size,kind\n", "utf-8")


def _huge_header(path: Path) -> None:
    if path.suffix == ".npz":
        header = repr({"descr": "<f4", "fortran_order": False, "shape": (3,), "x" * 10**7: 1})
        size = len(header).to_bytes(4, "little")
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("x.npy", b"\x93NUMPY\x02\x00" + size + header.encode())
    elif path.suffix == ".parquet":
        path.write_bytes(b"PAR1" + b"\x15" * 64 + (2**31 - 1).to_bytes(4, "little") + b"PAR1")
    else:
        path.write_text("a," * 4_000_000 + "\n1,2\n", "utf-8")


def _claims_terabytes(path: Path) -> None:
    if path.suffix != ".npz":
        path.write_bytes(b"PAR1" if path.suffix == ".parquet" else b"\x00" * 1000)
        return
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "<f4", "fortran_order": False, "shape": (10**13, 2)}
    )
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x.npy", header.getvalue())


HOSTILE = [
    _empty, _noise, _text, _cut_off, _damaged, _header_alone, _huge_header, _claims_terabytes,
]  # fmt: skip


@pytest.mark.parametrize("ending", [".npz", ".csv", ".parquet", ".csv.gz"])
@pytest.mark.parametrize("make", HOSTILE, ids=lambda make: make.__name__.strip("_"))
def test_a_broken_file_is_a_report(
    make: Callable[[Path], None], ending: str, tmp_path: Path
) -> None:
    path = tmp_path / f"data{ending}"
    make(path)
    found = problems(recipe(SEQUENCES) if ending == ".npz" else forecaster(), path)
    assert {problem.where for problem in found} == {str(path)}
    assert {problem.code for problem in found} <= {"D101", "D102", "D106", "D201", "D301", "D401"}


def test_objects_in_an_archive_are_never_loaded(tmp_path: Path) -> None:
    """A pickle can run anything; nothing of it is read."""

    class Harmful:
        def __reduce__(self) -> tuple[Any, ...]:
            return (Path.touch, (tmp_path / "ran",))

    arrays = {**sequences(), "x": np.array([Harmful()] * 6, object)}
    np.savez(tmp_path / "data.npz", **arrays)
    (problem,) = problems(recipe(SEQUENCES), tmp_path / "data.npz")
    assert "Python objects" in problem.message
    folder = tmp_path / "folder"
    folder.mkdir()
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)
    (problem,) = problems(recipe(SEQUENCES), folder)
    assert "Python objects" in problem.message
    assert not (tmp_path / "ran").exists()


def test_a_folder_with_a_broken_array(tmp_path: Path) -> None:
    for name, array in sequences().items():
        np.save(tmp_path / f"{name}.npy", array)
    whole = (tmp_path / "x.npy").read_bytes()
    for content in (whole[:-8], whole[:50], b"", b"noise" * 100):
        (tmp_path / "x.npy").write_bytes(content)
        (problem,) = problems(recipe(SEQUENCES), tmp_path)
        assert problem.code == "D102"
        assert "x.npy" in problem.message


def _missing(folder: Path) -> Any:
    return folder / "missing.csv"


def _empty_folder(folder: Path) -> Any:
    return folder


def _unknown_ending(folder: Path) -> Any:
    (folder / "data.xlsx").write_bytes(b"PK")
    return folder / "data.xlsx"


def _one_array(folder: Path) -> Any:
    np.save(folder / "x.npy", np.ones(3))
    return folder / "x.npy"


def _null_in_path(folder: Path) -> Any:
    return "data\0.npz"


def _a_number(folder: Path) -> Any:
    return 7


def _other_columns(folder: Path) -> Any:
    write_csv(STORES, folder / "a.csv")
    write_csv([{**row, "more": 1} for row in STORES], folder / "b.csv")
    return folder


NO_SOURCE = {
    _missing: "D101", _empty_folder: "D103", _unknown_ending: "D103", _one_array: "D103",
    _null_in_path: "D101", _a_number: "D103", _other_columns: "D201",
}  # fmt: skip


@pytest.mark.parametrize("make", NO_SOURCE, ids=lambda make: make.__name__.strip("_"))
def test_what_is_no_source(make: Callable[[Path], Any], tmp_path: Path) -> None:
    assert codes(forecaster(), make(tmp_path)) == [NO_SOURCE[make]]


def test_datasets_that_cannot_be_read(tmp_path: Path) -> None:
    import tensorflow as tf  # noqa: PLC0415 - only here

    arrays = sequences()
    pair = {"x": arrays["x"], "lengths": arrays["lengths"]}, {"kind": arrays["kind"]}
    dataset = tf.data.Dataset.from_tensor_slices(pair)
    assert texts(recipe(SEQUENCES), dataset.repeat()) == ["D203 the dataset repeats forever"]
    ragged = tf.data.Dataset.from_generator(
        lambda: (({"x": np.ones((n, 2)), "lengths": n}, {"kind": 0}) for n in (3, 5)),
        output_signature=(
            {"x": tf.TensorSpec((None, 2)), "lengths": tf.TensorSpec((), tf.int32)},
            {"kind": tf.TensorSpec((), tf.int32)},
        ),
    )
    padded = recipe(SEQUENCES, data__split__validation=0).load_data(ragged).train.arrays()[0]
    assert padded["x"].shape == (2, 5, 2)
    assert texts(recipe(SEQUENCES, layers__reader__mask="inherited"), ragged) == [
        "D207 the rows of 'x' have different numbers of steps, 3 to 5, and no lengths mask them"
    ]
    other = tf.data.Dataset.from_generator(
        lambda: (({"x": np.ones((1, 3, n)), "lengths": [3]}, {"kind": [0]}) for n in (2, 3)),
        output_signature=(
            {
                "x": tf.TensorSpec((None, None, None)),
                "lengths": tf.TensorSpec((None,), tf.int32),
            },
            {"kind": tf.TensorSpec((None,), tf.int32)},
        ),
    )
    assert texts(recipe(SEQUENCES), other) == [
        "D203 'x' has steps of different shapes: (2,) and (3,)"
    ]
    assert codes(recipe(SEQUENCES), dataset.map(lambda x, y: (x["x"], y))) == ["D201"]
    dataset.save(str(tmp_path / "saved"))
    for path in (tmp_path / "saved").rglob("*.snapshot"):
        path.write_bytes(b"")
    (tmp_path / "saved" / "dataset_spec.pb").write_bytes(b"noise")
    assert codes(recipe(SEQUENCES), tmp_path / "saved") == ["D102"]


def test_every_code_has_a_row_in_the_documentation_and_a_test() -> None:
    used = {
        code
        for path in (PACKAGE / "data").glob("*.py")
        for code in re.findall(r'"(D\d{3})"', path.read_text("utf-8"))
    }
    page = (PACKAGE.parent / "docs" / "data.md").read_text("utf-8")
    assert set(re.findall(r"^\| (D\d{3}) \|", page, re.M)) == used
    tests = "".join(
        path.read_text("utf-8") for path in Path(__file__).parent.glob("test_data_*.py")
    )
    assert {code for code in used if code not in tests} == set()


def test_a_full_disk_is_a_report(monkeypatch: pytest.MonkeyPatch) -> None:
    from lstmgraph.data.store import GrowingArray  # noqa: PLC0415

    def full(self: GrowingArray, rows: np.ndarray) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(GrowingArray, "append", full)
    (problem,) = problems(recipe(FORECAST), table(STORES))
    assert problem.code == "D107"
    assert "TMPDIR" in (problem.hint or "")
