"""What cannot be a length is refused by every entrance that sees it: a grid."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from building import load

import lstmgraph
from lstmgraph.data.lengths import check_lengths, whole_number

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

# Keras 3.15 writes weights with a call that NumPy 2 wants spelled otherwise.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

STEPS, ROWS = 6, 2
BAD: dict[str, Any] = {
    "int64 max": np.iinfo("int64").max,
    "2^32 + 1": 2**32 + 1,
    "2^31": 2**31,
    "NaN": float("nan"),
    "infinite": float("inf"),
    "4.5": 4.5,
    "negative": -1,
    "too long": STEPS + 1,
}
READER = """
inputs:
  x: {{shape: [{steps}, 3]}}
  lengths: {{shape: [], dtype: {dtype}}}
layers:
  reader: {{type: lstm, input: x, units: 4, mask: {{lengths: lengths}}, return_sequences: true}}
  y: {{type: dense, input: reader, units: 2, mask: none}}
outputs: {{y: y}}
training: {{loss: mse}}
"""
WRITER = """
inputs:
  x: {shape: [time, 3]}
  lengths: {shape: [], dtype: int64}
  token: {shape: [ahead], dtype: int32}
layers:
  reader: {type: lstm, input: x, units: 4, mask: {lengths: lengths}}
  embedding: {type: embedding, input: token, input_dim: 5, output_dim: 2}
  writer: {type: lstm, input: embedding, units: 4, initial_state: reader, return_sequences: true}
  next: {type: dense, input: writer, units: 5, activation: softmax}
outputs: {next: next}
"""
X = np.zeros((ROWS, STEPS, 3), "float32")


@pytest.fixture(scope="module")
def reader() -> lstmgraph.Stepper:
    text = READER.format(steps="time", dtype="int64")
    return lstmgraph.Stepper(load(text).derive("step"), rows=ROWS, xla=False)


@pytest.fixture(scope="module")
def writer() -> lstmgraph.Stepper:
    return lstmgraph.Stepper(load(WRITER).derive("step"), rows=ROWS, xla=False)


@pytest.fixture(scope="module")
def model() -> Any:
    return load(READER.format(steps=STEPS, dtype="int32")).build()


TABLE = (
    READER.format(steps="time", dtype="int64")
    + """
data:
  series: [who]
  window: {history: 6, horizon: 1}
  inputs:
    x: {columns: [a, b, c]}
    lengths: {columns: [steps], static: true}
  targets:
    y: {columns: [d, e], steps: history}
  split: {validation: 0}
"""
)


def in_table(given: np.ndarray, folder: Path) -> object:
    path = folder / "table.csv"
    rows = [f"{who},{length},{t},1,2,3,4" for who, length in enumerate(given) for t in range(8)]
    path.write_text("who,steps,a,b,c,d,e\n" + "\n".join(rows))
    return load(TABLE).load_data(path)


def in_arrays(given: np.ndarray, folder: Path) -> object:
    recipe = load(READER.format(steps="time", dtype="int32"))
    np.savez(folder / "arrays.npz", x=X, lengths=given, y=X[..., :2])
    path = folder / "arrays.npz"
    return recipe.load_data(path, validation=path)


@pytest.fixture(scope="module")
def entrances(reader, writer, model) -> dict[str, Callable[[np.ndarray, Path], object]]:
    def generated(given: np.ndarray, _: Path) -> object:
        start = {"x": X, "lengths": given}
        return lstmgraph.generate(writer, start, start_token=1, max_steps=2)

    return {
        "step": lambda given, _: reader.step(
            {"x": X[:, 0], "lengths": np.minimum(given, [1, given[1]])}
        ),
        "run": lambda given, _: reader.run({"x": X, "lengths": given}),
        "start": lambda given, _: writer.start({"x": X, "lengths": given}),
        "generate": generated,
        "predict": lambda given, _: model.predict({"x": X, "lengths": given}, verbose=0),
        "predict_on_batch": lambda given, _: model.predict_on_batch({"x": X, "lengths": given}),
        "arrays": in_arrays,
        "table": in_table,
    }


NAMES = ("step", "run", "start", "generate", "predict", "predict_on_batch", "arrays", "table")


@pytest.mark.parametrize("value", BAD)
@pytest.mark.parametrize("name", NAMES)
def test_no_entrance_takes_what_is_no_length(name: str, value: str, entrances, tmp_path) -> None:
    bad = BAD[value]
    given = np.array([1, bad], "int64" if isinstance(bad, int) else "float64")
    with pytest.raises((ValueError, lstmgraph.DataError), match=r"\blengths\b|column 'steps'"):
        entrances[name](given, tmp_path)


@pytest.mark.parametrize("name", NAMES)
def test_every_entrance_takes_lengths(name: str, entrances, tmp_path) -> None:
    for last in (0, 1) if name == "step" else (0, 1, STEPS):
        entrances[name](np.array([1, last]), tmp_path)


def test_predictions_of_a_loaded_model_check_lengths(model, tmp_path) -> None:
    recipe = load(READER.format(steps=STEPS, dtype="int32"))
    recipe.save(model, tmp_path / "m.keras")
    loaded = lstmgraph.load_model(tmp_path / "m.keras")
    with pytest.raises(
        ValueError, match=r"lengths\[1\] is 7: a length is a whole number from 0 to 6"
    ):
        loaded.predict({"x": X, "lengths": np.array([1, 7])}, verbose=0)


def test_the_rule_itself() -> None:
    for good in (0, 3, np.array([0, 6], "uint8"), np.array([0.0, 6.0]), np.zeros(0, "int32")):
        check_lengths("n", good, STEPS)
    for bad in ([2**64 - 1], [True], ["1"], [1j], [None], *([value] for value in BAD.values())):
        with pytest.raises(ValueError, match="n"):
            check_lengths("n", np.array(bad), STEPS)
    check_lengths("n", 2**31 - 1, None)
    with pytest.raises(ValueError, match="from 0 to 2,147,483,647"):
        check_lengths("n", 2**31, None)


ODD = (4.5, float("nan"), "3", None, [1], 0, -1, 2**31, 2**70)


@pytest.mark.parametrize("argument", ["max_steps", "beams", "end_token", "temperature", "seed"])
def test_generation_takes_numbers_only(argument: str, writer) -> None:
    for value in ODD:
        if value is None and argument in {"end_token", "temperature", "seed"}:
            continue
        number = isinstance(value, int) and value >= 0
        if argument == "seed" and (number or isinstance(value, list)):
            continue
        if argument == "end_token" and value == 0:
            continue
        if (
            argument == "temperature"
            and value != 0
            and isinstance(value, int | float)
            and value > 0
        ):
            continue
        given = {"start_token": 1, "max_steps": 2, argument: value}
        with pytest.raises(ValueError, match=argument):
            lstmgraph.generate(writer, {"x": X, "lengths": np.full(ROWS, 1)}, **given)
    for token in (2**32 + 1, -(2**40), 1.5, float("nan"), "a", None, [[1]]):
        with pytest.raises(ValueError, match="start_token"):
            lstmgraph.generate(
                writer, {"x": X, "lengths": np.full(ROWS, 1)}, start_token=token, max_steps=2
            )


@pytest.mark.parametrize("rows", [value for value in ODD if value is not None])
def test_a_stepper_takes_a_number_of_rows(rows) -> None:
    with pytest.raises(ValueError, match="rows must be"):
        whole_number("rows", rows, 1)


ODD_SOURCES = (None, 3, b"m.keras", [], {}, object(), "no such.keras", "folder", "a\0b.keras")


@pytest.mark.parametrize(
    "source", ODD_SOURCES, ids=lambda source: f"{type(source).__name__} {str(source)[:7]!r}"
)
def test_odd_sources_of_a_stepper(source) -> None:
    recipe = load(READER.format(steps="time", dtype="int32"))
    for given in (None, recipe, "recipe", 3):
        with pytest.raises((ValueError, OSError, lstmgraph.RecipeError)):
            lstmgraph.Stepper(source, given)


@pytest.mark.parametrize("odd", ["a", 2.5, [0.5], [None], [[0], [1, 2]], slice("a"), {}, object()])
def test_odd_rows_are_refused(odd, reader) -> None:
    for call in (reader.reset, lambda rows: reader.start(rows=rows)):
        with pytest.raises(ValueError, match=r"rows|row|inhomogeneous"):
            call(odd)


@pytest.mark.parametrize(
    "odd", [None, 3, "a", [], {}, [[1], [1, 2]], {"x": None}, {1: 2}, object()]
)
def test_odd_steps_and_states_are_refused(odd, reader) -> None:
    for call in (reader.step, reader.run, lambda states: setattr(reader, "state", states)):
        with pytest.raises(ValueError, match=r"."):
            call(odd)
