"""`lstmgraph code` of recipes with tables: the file makes the arrays that lstmgraph trains on."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from building import copy_weights, load, randomise
from programs import needs
from typer.testing import CliRunner

import lstmgraph
from lstmgraph.cli import app
from lstmgraph.data.scaling import fitted_columns
from lstmgraph.interop.code.recipes import recipe_code

if TYPE_CHECKING:
    from lstmgraph.api import Recipe

RUFF = Path(sys.executable).with_name("ruff")
RECIPES = Path(__file__).parent.parent / "recipes"
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def run(recipe: Recipe, codes: tuple[str, ...] = ()) -> dict[str, Any]:
    code = recipe_code(recipe.compiled)
    assert [note.code for note in code.notes] == [*codes]
    names: dict[str, Any] = {"__name__": "generated"}
    exec(compile(code.text, "model.py", "exec"), names)
    return names


def assert_same_arrays(names: dict[str, Any], recipe: Recipe, path: Path) -> None:
    series = names["read_series"](str(path))
    examples = names["split_examples"](series)
    wanted = recipe.load_data(path).parts
    assert {part: len(own) for part, own in examples.items() if own} == {
        part: len(own) for part, own in wanted.items()
    }
    for part, own in wanted.items():
        found = names["arrays"](series, examples[part])
        inputs, targets, _ = own.source.batch(own.numbers, {})
        for ours, theirs in zip(found, (inputs, targets), strict=True):
            assert set(ours) == set(theirs)
            for name, array in ours.items():
                assert array.dtype == theirs[name].dtype
                np.testing.assert_array_equal(array, theirs[name], err_msg=f"{part}: {name}")


@pytest.mark.slow
def test_next_frame() -> None:
    """Padded histories, a static column, whole series at random; from Parquet."""
    recipe = lstmgraph.load(RECIPES / "next-frame.yaml")
    assert_same_arrays(run(recipe), recipe, RECIPES / "data" / "japanese_vowels.parquet")


@pytest.mark.slow
def test_flights(tmp_path: Path) -> None:
    """Rows put in, cells filled, a calendar, and a scale: what `init` proposes for the table."""
    table, path = RECIPES / "data" / "flights.csv", tmp_path / "flights.yaml"
    done = CliRunner().invoke(app, ["init", "--data", str(table), "-o", str(path)])
    assert done.exit_code == 0, done.output
    recipe = lstmgraph.load(path)
    names = run(recipe, ("M304", "M310"))
    assert_same_arrays(names, recipe, table)
    series = names["read_series"](str(table))
    scales = names["fit_scales"](series, names["split_examples"](series)["train"])
    # Those of scikit-learn in docs/tutorial-forecast.md.
    assert scales == {"flights": pytest.approx((58.32995801, 59.38988635), rel=1e-9)}


RECIPE = """
inputs: {past: {shape: [time, 2]}, lengths: {shape: [], dtype: int32}, more: {shape: MORE}}
layers:
  reader: {type: lstm, input: past, units: 4, mask: {lengths: lengths}}
  both: {type: concatenate, input: [reader, MORE_ROWS]}
  forecast: {type: dense, input: both, units: UNITS}
  flat: {type: reshape, input: more, target_shape: [-1]}
outputs: {forecast: forecast}
training: {loss: mse, epochs: 1}
data:
"""
WINDOWS = """
  inputs:
    past: {columns: [sales, price]}
    lengths: {length_of: past}
    more: {columns: [day], steps: horizon}
  targets: {forecast: {columns: [sales]}}
"""
SHOPS, SHOP, NUMBERS = "series: shop\n  time: date", "series: shop", "time: number"
"""Series in order of dates, in the order of the file, and all rows in order of numbers."""
WEEK = "window: {history: 6, horizon: 3}"
SHORTER = "window: {history: 6, horizon: 3, min_history: 2}"
EVERY = """every: day
  calendar: CALENDAR
  columns: {sales: {missing: forward}, price: {missing: mask}MORE}"""
CALENDAR = "[weekday_sin, yearday_cos, day_sin, month, quarter, year]"
OF_CALENDAR = EVERY.replace("CALENDAR", CALENDAR).replace("MORE", "")
PUT_IN = EVERY.replace("CALENDAR", "[hour]").replace("MORE", ", day: {missing: 4}")
MASKED = WINDOWS.replace("[sales, price]", "[sales, price_missing]")


def windows(*data: str, entries: str = WINDOWS, more: str = "[3, 1]", units: int = 3) -> str:
    """Return a recipe whose `data:` has these lines."""
    text = RECIPE.replace("MORE_ROWS", "flat").replace("MORE", more).replace("UNITS", str(units))
    return text + "".join(f"  {line}\n" for line in data) + entries


CASES = {
    "in order": windows(SHOPS, WEEK, "split: {validation: 0.3, test: 0.3}"),
    "with gaps": windows(SHOPS, SHORTER, "split: {validation: 0.3, test: 0.2, gap: 2}"),
    "strides": windows(SHOPS, "window: {history: 6, horizon: 3, stride: 4}"),
    "no validation": windows(SHOPS, SHORTER, "split: {validation: 0}"),
    "at random": windows(SHOPS, SHORTER, "split: {kind: random, validation: 0.3, seed: 5}"),
    "no times": windows(SHOP, SHORTER, "split: {validation: 0.2, test: 0.1}"),
    "one series": windows(NUMBERS, WEEK, "split: {validation: 0.2, test: 0.1}"),
    "rows put in": windows(
        *(SHOPS, PUT_IN, SHORTER),
        entries=MASKED.replace("[day]", "[day, hour]"),
        more="[3, 2]",
    ),
    "calendar": windows(
        *(SHOPS, OF_CALENDAR, WEEK), entries=MASKED.replace("[day]", CALENDAR), more="[3, 6]"
    ),
    "lag, and the window as target": windows(
        *(SHOPS, WEEK),
        entries="""
  inputs:
    past: {columns: [day, price]}
    lengths: {length_of: past}
    more: {columns: [sales], steps: horizon, lag: 1}
  targets: {forecast: {columns: [sales]}}
""",
    ),
    "static and last": windows(
        *(SHOPS, SHORTER, "split: {kind: random, validation: 0.3}"),
        entries="""
  inputs:
    past: {columns: [day, price]}
    lengths: {length_of: past}
    more: {columns: [price, day], steps: last}
  targets: {forecast: {columns: [size], static: true}}
""",
        more="[2]",
        units=1,
    ),
    "whole series": windows(
        *(SHOPS, "window: {history: series}", "split: {kind: random, validation: 0.3}"),
        entries="""
  inputs:
    past: {columns: [sales, price]}
    lengths: {length_of: past}
    more: {columns: [number_of], static: true}
  targets: {forecast: {columns: [size], static: true}}
""",
        more="[1]",
        units=1,
    ),
    "classes": windows(
        *(SHOPS, WEEK),
        entries=WINDOWS.replace("[sales]}", "[kind], classes: [small, big], steps: last}"),
        units=2,
    ).replace("loss: mse", "loss: {type: sparse_categorical_crossentropy, from_logits: true}"),
}


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four shops, whose rows are mixed, with days that have no row, as a CSV file."""
    random, frames = np.random.default_rng(0), []
    for shop, days in (("b", 40), ("a", 31), ("c", 12), ("d", 26)):
        dates = pd.date_range("2024-01-29", periods=days)
        columns = {"shop": shop, "date": dates, "day": dates.day}
        columns |= {name: random.normal(30, 5, days).round(3) for name in ("sales", "price")}
        kept = np.r_[True, random.random(days - 2) > 0.1, True]
        frames.append(pd.DataFrame(columns)[kept])
    rows = pd.concat(frames)
    rows["size"] = rows["shop"].map({"a": 1.5, "b": 2, "c": 3, "d": 4})
    rows["number_of"] = rows["size"] * 3
    rows["kind"] = rows["shop"].map({"a": "big", "b": "small", "c": "big", "d": "small"})
    rows = rows.sort_values(["date", "size"], ascending=[True, False])
    rows["number"] = np.arange(len(rows)) * 2.5
    path = tmp_path_factory.mktemp("tables") / "shops.csv"
    rows.to_csv(path, index=False)
    return path


@needs("ruff", RUFF.exists(), "install the extra dev")
def test_formatters_change_nothing(tmp_path: Path) -> None:
    for number, name in enumerate(("no times", "calendar", "whole series", "at random")):
        (tmp_path / f"code_{number}.py").write_text(load(CASES[name]).code())
    (tmp_path / "scaled.py").write_text(load(SCALED).code())
    for command in (["format", "--check"], ["check"]):
        done = subprocess.run(
            [RUFF, *command, "--isolated", tmp_path], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("text", CASES.values(), ids=CASES.keys())
def test_tables(text: str, table: Path) -> None:
    recipe = load(text)
    assert_same_arrays(run(recipe), recipe, table)


SCALED = windows(
    *(SHOPS, SHORTER, "split: {validation: 0.3}"),
    "columns: {sales: {scale: standard}, price: {scale: robust}}",
)


def test_scales_and_the_loss_of_scaled_numbers(table: Path) -> None:
    recipe = load(SCALED)
    names, data = run(recipe), recipe.load_data(table)
    series = names["read_series"](str(table))
    examples = names["split_examples"](series)
    scales = names["fit_scales"](series, examples["train"])
    declaration = recipe.compiled.declaration.data
    assert declaration is not None
    wanted = fitted_columns(declaration, data.train)
    assert {name: pytest.approx(pair, rel=1e-12) for name, pair in wanted.items()} == scales
    model = names["build_model"](scales)
    other = recipe.fitted(data).build()
    randomise(other)
    copy_weights(other, model)
    inputs, targets = names["arrays"](series, examples["validation"])
    losses = []
    for each in (model, other):
        each.run_eagerly = True
        losses.append(each.evaluate(inputs, targets, batch_size=8, verbose=0))
    assert losses[0] == pytest.approx(losses[1], rel=1e-6)


@pytest.mark.slow
def test_the_file_trains(table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = run(load(SCALED))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["model.py", str(table)])
    names["main"]()
    assert (tmp_path / "inline.keras").is_file()


def test_what_is_left_out_has_its_reason() -> None:
    recipe = load(windows(SHOPS, WEEK, "split: {folds: 3}"))
    (note,) = recipe_code(recipe.compiled).notes
    assert note.code == "M309"
    assert "`folds:` of the split" in note.message
    assert "NotImplementedError" in recipe.code()
