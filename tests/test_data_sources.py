"""`train`, `evaluate` and `predict` read the same kinds of data, whatever the recipe declares."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from data_building import ROWS, forecaster, recipe, store_rows, table
from test_cli import invoke

import lstmgraph
from lstmgraph.data.sources import Given

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = [
    # Keras 3.15 writes weights with a call that NumPy 2 wants spelled otherwise.
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
    pytest.mark.usefixtures("eagerly"),
]

FRAME = pd.DataFrame(np.random.default_rng(2).normal(size=(12, 3)), columns=list("abc"))
READY = {"x": FRAME[["a", "b"]].to_numpy(), "y": FRAME[["c"]].to_numpy()}
X = {"x": READY["x"]}
RECIPES = {
    "columns": recipe(ROWS, runtime__seed=1),
    "arrays": recipe(ROWS.partition("    data:")[0], runtime__seed=1),
}


def as_npz(path: Path, **arrays: Any) -> Path:
    np.savez(path / "data.npz", **arrays)
    return path / "data.npz"


def as_npy(path: Path, **arrays: Any) -> Path:
    for name, array in arrays.items():
        np.save(path / f"{name}.npy", array)
    return path


def as_csv(path: Path) -> Path:
    FRAME.to_csv(path / "data.csv", index=False)
    return path / "data.csv"


def as_parquet(path: Path) -> Path:
    FRAME.to_parquet(path / "data.parquet")
    return path / "data.parquet"


def as_dataset(path: Path, *, saved: bool) -> Any:
    import tensorflow as tf  # noqa: PLC0415 - takes a moment

    dataset = tf.data.Dataset.from_tensor_slices((X, READY["y"]))
    if saved:
        dataset.save(str(path / "saved"))
    return path / "saved" if saved else dataset


def parts(*names: str) -> dict[str, Any]:
    return {f"{part}_{name}": array for part in names for name, array in READY.items()}


TABLES: dict[str, Callable[[Path], Any]] = {
    "csv": as_csv,
    "parquet": as_parquet,
    "folder of tables": lambda path: as_csv(path).parent,
    "npz of columns": lambda path: as_npz(path, **dict(FRAME)),
    "npy of columns": lambda path: as_npy(path, **dict(FRAME)),
    "data frame": lambda _: FRAME,
    "dictionary of columns": lambda _: dict(FRAME),
}
ARRAYS: dict[str, Callable[[Path], Any]] = {
    "npz": lambda path: as_npz(path, **READY),
    "npy": lambda path: as_npy(path, **READY),
    "npz of a part": lambda path: as_npz(path, **parts("train")),
    "dictionary": lambda _: READY,
    "pair": lambda _: (READY["x"], READY["y"]),
    "pair of a function": lambda _: Given((X, READY["y"]), "module:function"),
    "dataset": lambda path: as_dataset(path, saved=False),
    "saved dataset": lambda path: as_dataset(path, saved=True),
}
UNREADABLE: dict[str, tuple[Callable[[Path], Any], str]] = {
    "one .npy": (lambda path: as_npy(path, x=READY["x"]) / "x.npy", "D103 a single .npy file"),
    "number": (lambda _: Given(3, "module:function"), "D103 int cannot be read as data"),
    "object": (lambda _: object(), "D103 object cannot be read as data"),
    "missing": (lambda path: path / "none.npz", "D101 there is no such file"),
    "other file": (lambda path: as_csv(path).rename(path / "data.txt"), "D103 files that end in"),
    "empty folder": (lambda path: path, "D103 the folder holds no data"),
    "no input": (lambda path: as_npz(path, y=READY["y"]), "D201 there is no"),
}


def calls(of: str) -> dict[str, Callable[[Any], Any]]:
    own = RECIPES[of]
    model = own.build()
    return {
        "train": own.load_data,
        "evaluate": lambda data: lstmgraph.evaluate(model, data, recipe=own),
        "evaluate a part": lambda data: lstmgraph.evaluate(model, data, recipe=own, part="train"),
        "predict": lambda data: lstmgraph.predict(model, data, recipe=own),
    }


@pytest.mark.parametrize(
    ("of", "kind"),
    [*(("columns", kind) for kind in (*TABLES, *ARRAYS)), *(("arrays", kind) for kind in ARRAYS)],
)
def test_every_call_takes_it(of: str, kind: str, tmp_path: Path) -> None:
    source = {**TABLES, **ARRAYS}[kind](tmp_path)
    own = RECIPES[of]
    model = own.build()
    weights, bias = (np.asarray(each, "float64") for each in model.get_weights())
    wanted = READY["x"] @ weights + bias

    loaded = own.load_data(source)
    assert sum(map(len, loaded.parts.values())) == 12
    predicted = lstmgraph.predict(model, source, recipe=own)
    np.testing.assert_allclose(predicted.to_pandas().iloc[:, -1], wanted[:, 0], atol=1e-6)
    name = "c_predicted" if of == "columns" else "y"
    assert list(predicted.to_pandas().columns) == ["row", name]
    for part, rows in (("all", np.arange(12)), ("train", loaded.train.numbers)):
        found = lstmgraph.evaluate(model, source, recipe=own, part=part)
        (column,) = found.numbers["y"]
        error = np.abs(wanted - READY["y"])[rows].mean()
        assert column.measures["model"]["mae"] == pytest.approx(error, rel=1e-5)


@pytest.mark.parametrize("kind", UNREADABLE)
def test_every_call_refuses_it_in_the_same_words(kind: str, tmp_path: Path) -> None:
    make, says = UNREADABLE[kind]
    source = make(tmp_path)
    said = []
    for call in calls("columns").values():
        with pytest.raises(lstmgraph.DataError) as caught:
            call(source)
        first = caught.value.problems[0]
        said.append((first.code, first.message, first.hint))
    assert f"{said[0][0]} {said[0][1]}".startswith(says)
    assert set(said) == {said[0]}


def test_predictions_need_no_targets(tmp_path: Path) -> None:
    own = RECIPES["columns"]
    model = own.build()
    for source in (FRAME[["a", "b"]], X, (READY["x"],), as_npz(tmp_path, **X)):
        assert len(lstmgraph.predict(model, source, recipe=own)) == 12
        with pytest.raises(lstmgraph.DataError, match=r"D201|D510"):
            lstmgraph.evaluate(model, source, recipe=own)


@pytest.mark.parametrize("of", RECIPES)
def test_several_parts_need_one_to_be_chosen(of: str) -> None:
    own = RECIPES[of]
    source, model = parts("train", "test"), own.build()
    for call in (lstmgraph.predict, lstmgraph.evaluate):
        with pytest.raises(lstmgraph.DataError, match=r"(?s)D504.*parts: train, test.*--part"):
            call(model, source, recipe=own)
        with pytest.raises(lstmgraph.DataError, match="'tests'; did you mean 'test'"):
            call(model, source, recipe=own, part="tests")
        assert call(model, source, recipe=own, part="test")


def windows(rows: list[dict[str, Any]]) -> dict[str, np.ndarray]:
    """The inputs and the target of every window of four rows and two, by plain loops."""
    found: dict[str, list[Any]] = {name: [] for name in ("history", "known", "store", "forecast")}
    for store in sorted({row["store"] for row in rows}):
        own = [row for row in rows if row["store"] == store]
        for end in range(4, len(own) - 1):
            before, ahead = own[end - 4 : end], own[end : end + 2]
            found["history"].append([[row["sales"], row["price"]] for row in before])
            found["known"].append([[row["promo"]] for row in ahead])
            found["store"].append([before[0]["size"], before[0]["kind"]])
            found["forecast"].append([[row["sales"]] for row in ahead])
    return {name: np.array(each, "float32") for name, each in found.items()}


def test_windows_cut_by_hand_are_predicted_and_measured_as_those_of_the_table() -> None:
    """With a column that the model scales, and numbers of steps as rows of the result."""
    columns = {"price": {"scale": "standard", "fitted": [0.5, 2.0]}}
    own = forecaster(runtime__seed=3, data__columns=columns)
    model, rows = own.build(), store_rows(9, 7)
    arrays = windows(rows)
    assert len(arrays["known"]) == 6
    found = lstmgraph.predict(model, arrays, recipe=own).to_pandas()
    of_table = lstmgraph.predict(model, table(rows), recipe=own, origins="all", with_targets=True)
    assert list(found.columns) == ["row", "step", "sales_forecast"]
    assert list(found.row) == [row for row in range(1, 7) for _ in "12"]
    assert list(found.step) == [1, 2] * 6
    np.testing.assert_allclose(found.sales_forecast, of_table.to_pandas().sales_forecast, atol=1e-6)
    errors = np.abs(found.sales_forecast - arrays["forecast"].reshape(-1))
    for data in (arrays, table(rows)):
        (column,) = lstmgraph.evaluate(model, data, recipe=own).numbers["forecast"]
        assert column.measures["model"]["mae"] == pytest.approx(errors.mean(), rel=1e-5)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"origins": "all"}, "D503 origins are those of windows, but the data holds ready inputs"),
        ({"stride": 2}, "D503 origins are those of windows, but the data holds ready inputs"),
        ({"future": "more.csv"}, "D503 a second table holds future rows, but the data holds ready"),
        ({"part": "test"}, "D504 there is no part 'test'"),
    ],
    ids=str,
)
def test_options_of_windows_do_not_go_with_ready_inputs(options: Any, says: str) -> None:
    own = forecaster(runtime__seed=3)
    with pytest.raises(lstmgraph.DataError, match=re.escape(says.partition(" ")[2])) as caught:
        lstmgraph.predict(own.build(), windows(store_rows(8)), recipe=own, **options)
    assert {problem.code for problem in caught.value.problems} == {says[:4]}


def test_a_table_has_no_parts_and_a_loaded_part_no_origins(tmp_path: Path) -> None:
    """They were ignored: `predict --part test` predicted all rows."""
    own = RECIPES["columns"]
    own.save(own.build(), tmp_path / "m.keras")
    line = f"predict {tmp_path / 'm.keras'} --data {as_csv(tmp_path)} -o {tmp_path / 'o.csv'}"
    result = invoke(*line.split(), "--part", "test")
    assert result.exit_code == 1
    assert "error[D504]: a table has no part 'test'" in result.stderr
    assert not (tmp_path / "o.csv").exists()
    assert invoke(*line.split(), "--part", "all").exit_code == 0
    train = own.load_data(FRAME).train
    with pytest.raises(lstmgraph.DataError, match=r"D503.*a part that was loaded"):
        lstmgraph.predict(own.build(), train, recipe=own, stride=2)
