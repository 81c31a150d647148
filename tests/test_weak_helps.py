"""Helps say what to write, with what was written put right, and following them works."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from typer.testing import CliRunner

import lstmgraph
from lstmgraph.cli import app
from lstmgraph.data.problems import DataError

if TYPE_CHECKING:
    from pathlib import Path

    from typer.testing import Result

CLASSIFIER = """recipe: 1
name: classifier
inputs: {x: {shape: [time, 5]}}
layers:
  r: {type: lstm, input: x, units: 8}
  h: {type: dense, input: r, units: 4, activation: relu}
  y: {type: dense, input: h, units: 3, activation: softmax}
outputs: {y: y}
training:
  optimizer: adam
  loss: sparse_categorical_crossentropy
  metrics: [accuracy]
data: {split: {validation: 0.2}}
search:
  objective: {metric: val_accuracy}
  max_trials: 3
"""
RIGHT = {
    "metrics": "[accuracy]",
    "objective": "{metric: val_accuracy}",
    "optimizer": "adam",
    "activation": "relu",
    "loss": "sparse_categorical_crossentropy",
    "split": "{validation: 0.2}",
    "units": "{$search: {int: [8, 32], step: 8}}",
}
SEARCHED = CLASSIFIER.replace("units: 8", "units: {$search: {int: [8, 32], step: 8}}")
FORECASTER = """recipe: 1
name: forecaster
inputs:
  history: {shape: [6, 1]}
  known: {shape: [3, 1]}
layers:
  encoder: {type: lstm, input: history, units: 4}
  decoder: {type: lstm, input: known, units: 4, initial_state: encoder}
  wide: {type: dense, input: decoder.sequence, units: 4}
  forecast: {type: dense, input: wide, units: 1}
outputs: {forecast: forecast}
training: {loss: mse}
data:
  series: shop
  time: day
  window: {history: 6, horizon: 3}
  inputs:
    history: {columns: [sales]}
    known: {columns: [promo], steps: horizon}
  targets: {forecast: {columns: [sales]}}
"""


def only(text: str) -> str:
    """Return the help of the one mistake of a recipe, with the end of its message."""
    with pytest.raises(lstmgraph.RecipeError) as caught:
        lstmgraph.load(text)
    (found,) = caught.value.diagnostics
    return f"{found.message}; {found.hint}"


@pytest.mark.parametrize(
    ("key", "wrong", "fix"),
    [
        ("metrics", "accuracy", "[accuracy]"),
        ("objective", "val_accuracy", "{metric: val_accuracy}"),
        ("optimizer", "Adam(3e-3)", "{type: adam, learning_rate: 3e-3}"),
        ("optimizer", "keras.optimizers.Adam()", "adam"),
        (
            "optimizer",
            "'SGD(0.1, momentum=0.9)'",
            "{type: sgd, learning_rate: 0.1, momentum: 0.9}",
        ),
        ("activation", "LeakyReLU(negative_slope=0.1)", "leaky_relu"),
        ("loss", "keras.losses.Huber(delta=0.5)", "{type: huber, delta: 0.5}"),
        ("split", "{val: 0.2}", "{validation: 0.2}"),
        ("units", "{$search: {choice: 8, 16}}", "{$search: {choice: [8, 16]}}"),
        ("units", "{$search: {int: 8, 32}}", "{$search: {int: [8, 32]}}"),
        ("units", "{$search: [8, 16, 32]}", "{$search: {choice: [8, 16, 32]}}"),
    ],
)
def test_what_was_written_is_put_right(key: str, wrong: str, fix: str) -> None:
    text = SEARCHED if "$search" in fix else CLASSIFIER
    value = RIGHT[key]
    assert f"{key}: {value}" in text
    said = only(text.replace(f"{key}: {value}", f"{key}: {wrong}"))
    named = fix.removeprefix("{$search: {").removesuffix("}}")
    assert ("did you mean 'validation'?" if key == "split" else named) in said
    if key != "loss":  # Huber takes no class ids
        assert lstmgraph.load(text.replace(f"{key}: {value}", f"{key}: {fix}"))


@pytest.mark.parametrize(("low", "high", "step"), [(0.0, 0.4, 0.1), (0.1, 0.7, 0.2)])
def test_values_of_a_grid_have_no_rounding_errors_and_are_taken(
    low: float, high: float, step: float
) -> None:
    written = f"{{$search: {{float: [{low}, {high}], step: {step}, default: DEFAULT}}}}"
    text = CLASSIFIER.replace("units: 8", f"units: 8, dropout: {written}")
    said = only(text.replace("DEFAULT", str(low + step / 2)))
    values = said.partition("write one of: ")[2].removesuffix(", ...").split(", ")
    assert values[2] in {"0.2", "0.5"}
    for value in values:
        assert len(value) == 3
        assert lstmgraph.load(text.replace("DEFAULT", value))


def test_steps_are_read_from_the_sequence_of_a_recurrent_layer() -> None:
    assert lstmgraph.load(FORECASTER)
    broken = FORECASTER.replace("decoder.sequence", "decoder")
    assert "write `input: decoder.sequence` in 'wide'" in only(broken)


@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        ("targets: {forecast:", "targets: {sales:", "rename `sales:` to `forecast:`"),
        ("    known: {col", "    promotion: {col", "rename `promotion:` to `known:`"),
    ],
)
def test_one_wrong_name_is_one_mistake(right: str, wrong: str, said: str) -> None:
    text = only(FORECASTER.replace(right, wrong))
    assert text.endswith(said)
    assert "did you mean" not in text


def problems(recipe: str, source: Any) -> list[str]:
    with pytest.raises(DataError) as caught:
        lstmgraph.load(recipe).load_data(source)
    return [f"{each.code} {each.message}; {each.hint}" for each in caught.value.problems]


@pytest.mark.parametrize(
    ("shape", "said"),
    [
        ((9, 20, 4), "axis 2 has 4 features, the recipe has 5"),
        ((9, 5, 20), "the last two axes look swapped"),
        ((9, 20), "the first axis is the examples"),
    ],
)
def test_the_axis_that_does_not_fit_is_named(shape: tuple[int, ...], said: str) -> None:
    arrays = {"x": np.zeros(shape, "float32"), "y": np.zeros(9, "int32")}
    (found,) = problems(CLASSIFIER, arrays)
    assert said in found


def table(folder: Path, header: str, rows: int) -> Path:
    path = folder / "sales.csv"
    lines = [f"north,2024-01-{day + 1:02},{day}.5,0" for day in range(rows)]
    path.write_text("\n".join([header, *lines]) + "\n")
    return path


def test_the_column_of_times_is_named_by_its_key(tmp_path: Path) -> None:
    found = problems(FORECASTER, table(tmp_path, "shop,Date,sales,promo", 20))
    assert found == [
        "D201 there is no column 'day'; `time:` names it; the columns are: shop, Date, sales, promo"
    ]
    found = problems(FORECASTER, table(tmp_path, "store,day,sales,promo", 20))
    assert "`series:` names it; the columns are: store, day, sales, promo" in found[0]
    feature = FORECASTER.replace("time: day", "time: date").replace("[promo]", "[day]")
    found = problems(feature, table(tmp_path, "shop,date,sales,promo", 20))
    assert "to make it from the times, write `calendar: [day]`" in found[0]


def test_too_few_rows_for_all_parts_are_one_mistake(tmp_path: Path) -> None:
    text = FORECASTER.replace("data:\n", "data:\n  split: {validation: 0.2, test: 0.2}\n")
    (found,) = problems(text, table(tmp_path, "shop,day,sales,promo", 9))
    assert "1 example is too few for 3 parts" in found


def invoke(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(each) for each in arguments])


@pytest.mark.parametrize(
    "arguments",
    [
        ["train", "--epochs", "ten", "--data", "x.npz", "-o", "out", "r.yaml"],
        ["tune", "--max-trials", "ten", "--data", "x.npz", "r.yaml"],
        ["predict", "m.keras", "--batch-size", "1.5", "--data", "x.npz", "-o", "y.csv"],
    ],
    ids=lambda arguments: arguments[0],
)
def test_what_is_no_number_is_called_so(arguments: list[str]) -> None:
    result = invoke(*arguments)
    assert result.exit_code == 2
    assert "is not a whole number" in result.output


@pytest.mark.slow
@pytest.mark.parametrize("command", ["train", "tune", "build", "export"])
@pytest.mark.parametrize("below", [False, True])
def test_a_file_in_place_of_a_folder_to_write_is_refused(
    tmp_path: Path, command: str, below: bool
) -> None:
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(SEARCHED if command == "tune" else CLASSIFIER)
    data = tmp_path / "x.npz"
    np.savez(data, x=np.zeros((9, 4, 5), "float32"), y=np.zeros(9, "int32"))
    output = recipe / "a" if below else recipe
    more = ["--to", "onnx"] if command == "export" else []
    more = ["--data", data] if command in {"train", "tune"} else more
    result = invoke(command, recipe, *more, "-o", output)
    assert (result.exit_code, f"{recipe} is not a folder" in result.output) == (2, True)
    assert recipe.read_text().startswith("recipe: 1")


SERIES = """recipe: 1
name: visits
inputs: {x: {shape: [time, 2]}, lengths: {shape: [], dtype: int32}}
layers:
  reader: {type: gru, input: x, units: 8, mask: {lengths: lengths}}
  stay: {type: dense, input: reader, units: 1}
outputs: {stay: stay}
training: {loss: mse}
data:
  series: user
  window: {history: series}
  bucket: 3
  inputs: {x: {columns: [clicks, minutes]}, lengths: {length_of: x}}
  targets: {stay: {columns: [stayed], static: true}}
"""


@pytest.mark.parametrize(
    ("written", "wrong", "help_"),
    [
        ("history: series", "min_history: 2", "add `history:`, a number of steps, or `series` for"),
        (", lengths: {length_of: x}", "", "add `lengths:`, such as {length_of: x}"),
    ],
)
def test_what_is_missing_of_series_of_many_lengths(written: str, wrong: str, help_: str) -> None:
    lstmgraph.load(SERIES)
    with pytest.raises(lstmgraph.RecipeError) as caught:
        lstmgraph.load(SERIES.replace(written, wrong))
    (mistake,) = caught.value.diagnostics
    assert help_ in (mistake.hint or "")
