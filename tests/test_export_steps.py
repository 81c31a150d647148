"""Step models in files: 1,000 steps against NumPy, several models in one file, what is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import onnxruntime
import pytest
import tensorflow as tf
from building import Arrays, load, outputs_of, randomise, weights_by_layer
from numpy_model import NumpyModel
from test_cli import invoke

import lstmgraph
from lstmgraph.export import FORMATS, ExportOptions, streaming
from lstmgraph.export.files import export_files
from lstmgraph.models.derived import with_models
from lstmgraph.prediction.models import open_model

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

# Keras 3.15 writes weights with a call that NumPy 2 wants spelled otherwise.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

STEPS = 1000
CLOSE = 2e-6
"""Float32 against float64, after 1,000 steps."""


def runner(path: Path, name: str | None = None) -> Callable[..., Arrays]:
    """Run a model of a LiteRT or ONNX file by names, in what its users have."""
    if path.suffix == ".onnx":
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        names = [output.name for output in session.get_outputs()]
        return lambda **fed: dict(zip(names, session.run(names, fed), strict=True))
    from ai_edge_litert.interpreter import Interpreter  # noqa: PLC0415 - in this part only

    run = Interpreter(model_path=str(path)).get_signature_runner(name)
    return lambda **fed: {key: np.array(value) for key, value in run(**fed).items()}


def streamed(run: Callable[..., Arrays], states: dict[str, str], first: Arrays, x: Arrays) -> Any:
    """Feed the states back as the report says; return the outputs of every step."""
    kept, found = first, []
    for step in range(STEPS):
        fed = {name: array[:, step : step + 1] for name, array in x.items() if array.ndim > 2}
        fed |= {
            name: (array > step).astype("int32") for name, array in x.items() if array.ndim == 1
        }
        outputs = run(**kept, **fed)
        kept = {state: outputs[output] for state, output in states.items()}
        found.append(outputs)
    return found


# --- layers x masks x states, in one file ---


GRID = """
inputs:
  x: {shape: [time, 3]}
  lengths: {shape: [], dtype: int32}
  h: {shape: [4]}
  c: {shape: [4]}
layers:
  plain: {type: lstm, input: x, units: 4, return_sequences: true}
  stack: {type: lstm, input: x, units: 4, depth: 2, return_sequences: true}
  gru: {type: gru, input: x, units: 4, return_sequences: true}
  simple: {type: simple_rnn, input: x, units: 4, return_sequences: true}
  masked: {type: lstm, input: x, units: 4, mask: {lengths: lengths}, return_sequences: true}
  masked_gru: {type: gru, input: x, units: 4, mask: {lengths: lengths}}
  given: {type: lstm, input: x, units: 4, initial_state: {h: h, c: c}, return_sequences: true}
  y: {type: dense, input: plain.sequence, units: 2}
outputs:
  y: y
  stack: stack
  gru: gru
  simple: simple
  masked: masked
  masked_gru: masked_gru
  given: given
models: {live: {derive: step}}
"""
NEWEST = {"masked_gru"}


@pytest.fixture(scope="module")
def grid(tmp_path_factory):
    recipe = load(GRID, "grid")
    model = recipe.build()
    randomise(model)
    folder = tmp_path_factory.mktemp("grid")
    targets = {name: FORMATS[name].path(folder, "grid.live") for name in ("litert", "onnx")}
    options = ExportOptions(batch_size=2)
    reports = export_files(recipe.compiled, model, targets, options, names=["live"])
    random = np.random.default_rng(0)
    x = {"x": random.normal(size=(2, STEPS, 3)), "lengths": np.array([STEPS, 400])}
    x |= {name: random.normal(size=(2, 4)) for name in ("h", "c")}
    wanted = NumpyModel(recipe.compiled.completed, weights_by_layer(model), x).outputs()
    return reports, x, wanted


@pytest.mark.slow
@pytest.mark.parametrize("place", [0, 1])
def test_a_thousand_steps_are_the_whole_sequence(grid, place: int) -> None:
    reports, x, wanted = grid
    report = reports[place]
    first = {state: np.zeros((2, 4), "float32") for state in report.states}
    first |= {f"given_{name}": x[name].astype("float32") for name in ("h", "c")}
    given = {"x": x["x"].astype("float32"), "lengths": x["lengths"]}
    found = streamed(runner(report.path), report.states, first, given)
    for name, value in wanted.items():
        parts = [each[name] for each in found]
        whole = parts[-1] if name in NEWEST else np.concatenate(parts, 1)
        np.testing.assert_allclose(whole, value.array, atol=CLOSE, err_msg=name)


@pytest.mark.slow
@pytest.mark.parametrize("place", [0, 1])
def test_the_report_has_that_check_and_how_to_run_it(grid, place: int) -> None:
    report = grid[0][place]
    check = report.stream
    assert (check.steps, check.of_model, check.of_data) == (STEPS, True, False)
    assert {each.name for each in check.outputs} == grid[2].keys()
    assert max(each.greatest_difference for each in check.outputs) < 1e-5
    assert report.begins["given_h"] == "input"
    assert report.begins["plain_h"] == "zeros"
    assert "1,000 steps of random inputs, states fed back: gru differs by at most" in str(report)
    assert "state plain_c: feed next_plain_c back; it begins with zeros" in str(report)


@pytest.mark.slow
def test_one_step_of_an_lstm_is_written_without_the_operator_for_sequences(grid) -> None:
    calls = {call.name: call for call in grid[0][0].recurrent}
    assert {call.kind for call in calls.values()} == {"unrolled"}
    assert calls["plain"].reason == "one step takes less time without an operator for sequences"


# --- several models in one file ---


TWO = """
inputs: {x: {shape: [time, 8]}}
layers:
  a: {type: LAYER, input: x, units: 64, return_sequences: true}
  y: {type: dense, input: a.sequence, units: 1}
outputs: {y: y}
"""


@pytest.fixture(scope="module", params=["lstm", "gru"])
def two(request, tmp_path_factory):
    recipe = load(TWO.replace("LAYER", request.param), "two")
    model = recipe.build()  # large random weights would make rounding errors grow with each step
    folder = tmp_path_factory.mktemp("two")
    targets = {name: FORMATS[name].path(folder, "two") for name in ("litert", "saved_model")}
    compiled = with_models(recipe.compiled, ["two", "step"])
    reports = export_files(compiled, model, targets, ExportOptions(), names=["two", "step"])
    data = {"x": np.random.default_rng(1).normal(size=(1, 20, 8)).astype("float32")}
    return request.param, reports, data, outputs_of(model, data)["y"], model


@pytest.mark.slow
def test_each_model_of_a_litert_file_is_a_signature_and_weights_are_there_once(two) -> None:
    kind, (report, _), data, wanted, model = two
    np.testing.assert_allclose(runner(report.path, "two")(**data)["y"], wanted, atol=1e-5)
    step = runner(report.path, "step")
    other = report.others[0]
    kept = {state: np.zeros((1, 64), "float32") for state in other.states}
    for at in range(20):
        found = step(x=data["x"][:, at : at + 1], **kept)
        kept = {state: found[output] for state, output in other.states.items()}
        np.testing.assert_allclose(found["y"][:, 0], wanted[:, at], atol=1e-5)
    assert (report.model, other.model) == ("", "step")
    assert "model step, in the same file" in str(report)
    held = 4 * sum(
        weight.size for weights in weights_by_layer(model).values() for weight in weights
    )
    more = 2 if kind == "gru" else 1  # its loop and its step hold the bias in two forms
    assert report.path.stat().st_size < held + more * 8000


@pytest.mark.slow
def test_each_model_of_a_saved_model_is_a_signature_and_weights_are_there_once(two) -> None:
    _, (_, report), data, wanted, model = two
    loaded = tf.saved_model.load(str(report.path))
    for name in ("two", "serving_default"):
        found = loaded.signatures[name](x=tf.constant(data["x"]))["y"]
        np.testing.assert_allclose(found, wanted, atol=1e-5)
    (other,) = report.others
    kept = {state: np.zeros((1, 64), "float32") for state in other.states}
    found = loaded.signatures["step"](x=tf.constant(data["x"][:, :1]), **kept)
    np.testing.assert_allclose(found["y"][:, 0], wanted[:, 0], atol=1e-5)
    held = 4 * sum(
        weight.size for weights in weights_by_layer(model).values() for weight in weights
    )
    stored = (report.path / "variables").glob("*.data*")
    # Keras writes each variable twice, also of one model.
    assert sum(path.stat().st_size for path in stored) < 2 * held + 3000


# --- what cannot be checked for so long, and what has no step ---


def test_a_recipe_with_a_fixed_number_of_steps_is_run_by_its_layers(tmp_path) -> None:
    recipe = load("""
inputs: {x: {shape: [6, 3]}}
layers: {y: {type: gru, input: x, units: 2, return_sequences: true}}
outputs: {y: y}
""")
    report = recipe.export(recipe.build(), tmp_path, models="step")
    assert report.path == tmp_path / "inline.step.onnx"
    assert (report.stream.steps, report.stream.of_model) == (STEPS, False)
    assert "from the whole sequence by the same layers" in str(report)


def test_unrolled_steps_are_compared_as_many_as_there_are(tmp_path) -> None:
    recipe = load("""
inputs: {x: {shape: [6, 3]}}
layers: {y: {type: gru, input: x, units: 2, unroll: true, return_sequences: true}}
outputs: {y: y}
""")
    report = recipe.export(recipe.build(), tmp_path, models="step")
    assert (report.stream.steps, report.stream.of_model) == (6, True)


ONE = """
recipe: 1
name: one
inputs: {x: {shape: [time, 3]}}
layers: {y: {type: lstm, input: x, units: 2WAYS}}
outputs: {y: y}
"""
WRONG = {
    ("--model", "live"): "there is no model 'live'; there are: one, encoder, decoder, step",
    ("--model", "step", "--model", "step"): "the model step is named twice",
    ("--model", "one", "--model", "step", "--device", "microcontroller"): (
        "LiteRT for Microcontrollers runs one model of a file: choose c, which writes a file for "
        "each, or one model"
    ),
}  # fmt: skip


@pytest.mark.parametrize("given", WRONG)
def test_wrong_models_are_refused(given: tuple[str, ...], tmp_path) -> None:
    path = tmp_path / "one.yaml"
    path.write_text(ONE.replace("WAYS", ""), "utf-8")
    result = invoke("export", str(path), "--to", "litert", *given, "-o", str(tmp_path / "out"))
    assert result.exit_code == 2
    assert WRONG[given] in result.stderr
    assert not (tmp_path / "out").exists()


def test_a_model_in_both_directions_has_no_step(tmp_path) -> None:
    recipe = lstmgraph.load(ONE.replace("WAYS", ", bidirectional: true"))
    with pytest.raises(lstmgraph.RecipeError, match="L834"):
        recipe.export(recipe.build(), tmp_path, models="step")
    assert not list(tmp_path.iterdir())


def test_in_python_a_format_of_one_model_takes_one(tmp_path) -> None:
    recipe = lstmgraph.load(ONE.replace("WAYS", ""))
    with pytest.raises(ValueError, match="a file of format onnx holds one model"):
        recipe.export(recipe.build(), tmp_path, models=["one", "step"])


# --- a cell state beyond 10, which LiteRT's operator would clip as the converter writes it ---


@pytest.mark.slow
def test_no_cell_state_is_clipped(tmp_path) -> None:
    recipe = load("""
inputs: {x: {shape: [40, 1]}}
layers: {a: {type: lstm, input: x, units: 1}}
outputs: {c: a.state}
""")
    model = recipe.build()
    layer = model.get_layer("a")
    layer.set_weights([np.zeros((1, 4)), np.zeros((1, 4)), np.full(4, 20.0)])  # all gates are open
    report = recipe.export(model, tmp_path, format="litert")
    found = runner(report.path)(x=np.zeros((1, 40, 1), "float32"))
    assert float(found["c_c"][0, 0]) == 40.0


@pytest.mark.slow
def test_a_microcontroller_runs_the_step(tmp_path) -> None:
    recipe = lstmgraph.load(ONE.replace("WAYS", ""))
    report = recipe.export(
        recipe.build(), tmp_path, format="c", models="step", device="microcontroller"
    )
    assert report.path.name == "one.step.c"
    assert "one_step[]" in report.header.read_text("utf-8")
    assert report.arena
    assert report.stream.steps == STEPS


# --- fewer bits: the drift is measured on the data ---


QUANTIZED = """
inputs: {x: {shape: [time, 6]}}
layers:
  a: {type: lstm, input: x, units: 8, return_sequences: true}
  y: {type: dense, input: a.sequence, units: 3}
outputs: {y: y}
runtime: {seed: 7}
training: {loss: mse}
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("format_name", "kind"), [("litert", "int8"), ("litert", "int16x8"), ("onnx", "dynamic")]
)
def test_the_drift_of_a_quantized_step_is_that_of_1000_steps(
    tmp_path, format_name: str, kind: str
) -> None:
    recipe = load(QUANTIZED, "small")
    model = recipe.build()
    x = np.random.default_rng(2).normal(size=(8, 10, 6)).astype("float32")
    data = {"x": x, "y": x[:, :, :3]}
    report = recipe.export(
        model,
        tmp_path,
        format=format_name,
        quantize=kind,
        data=data,
        test=data,  # its first sequences are compared
        models="step",
        tolerance=0.2,  # fresh weights give small outputs
    )
    long = np.tile(x[:1], (1, STEPS // 10, 1))
    own = NumpyModel(recipe.compiled.completed, weights_by_layer(model), {"x": long}).outputs()
    first = {state: np.zeros((1, 8), "float32") for state in report.states}
    found = streamed(runner(report.path), report.states, first, {"x": long})
    off = np.abs(np.concatenate([each["y"] for each in found], 1) - own["y"].array)
    (check,) = report.stream.outputs
    assert (report.stream.steps, report.stream.of_data) == (STEPS, True)
    assert 1e-5 < off.max() <= check.greatest_difference * 1.01
    assert check.mean_difference < 0.2 * check.greatest_value
    assert "steps of the data, states fed back: y differs by at most" in str(report)


def test_a_file_that_loses_its_states_is_refused(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(streaming, "STEPS", 20)
    monkeypatch.setattr(streaming.Streams, "_after", lambda _self, kept, _found: kept)
    recipe = lstmgraph.load(ONE.replace("WAYS", ", return_sequences: true"))
    with pytest.raises(lstmgraph.RecipeError, match="20 steps of the ONNX file"):
        recipe.export(recipe.build(), tmp_path, models="step")
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_predict_runs_the_recipe_s_own_model_of_several(tmp_path) -> None:
    recipe = lstmgraph.load(ONE.replace("WAYS", ""))
    model = recipe.build()
    report = recipe.export(model, tmp_path, format="litert", models=["step", "one"])
    data = {"x": np.random.default_rng(1).normal(size=(1, 7, 3)).astype("float32")}
    found = open_model(report.path).run(data)
    np.testing.assert_allclose(found["y"], outputs_of(model, data)["y"], atol=1e-5)
