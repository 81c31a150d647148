"""Integers that are right on every machine, masks on a microcontroller, and ranges of unseen steps.

Outputs are compared with those of the Keras model in float32, sums with NumPy's.
"""

from __future__ import annotations

import importlib.util
import re
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from building import load, randomise
from programs import needs

from lstmgraph.compiler.machine.litert import Kept, litert_calls
from lstmgraph.export import micro
from lstmgraph.export.fused_lstm import _cumulated
from lstmgraph.export.litert_tensors import read_subgraphs
from lstmgraph.messages.errors import RecipeError

# Keras 3.15 writes weights with a call that NumPy 2 wants spelled otherwise.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

needs_micro = needs("micro", importlib.util.find_spec("tflite_micro"), "install the extra micro")
random = np.random.default_rng(3)


def built(text: str) -> tuple[Any, Any]:
    recipe = load(text, "small")
    return recipe, recipe.build()


def off(found: Any, wanted: Any) -> float:
    """The mean difference, in parts of the largest value."""
    wanted = np.asarray(wanted)
    return float(np.abs(np.asarray(found) - wanted).mean() / np.abs(wanted).max())


# --- ONNX ---

READERS = {
    "lstm": "{type: lstm, input: x, units: 32, return_sequences: true}",
    "gru": "{type: gru, input: x, units: 32, return_sequences: true}",
    "simple_rnn": "{type: simple_rnn, input: x, units: 32, return_sequences: true}",
    "both": "{type: gru, input: x, units: 32, return_sequences: true, bidirectional: true}",
}


@pytest.mark.parametrize("layer", READERS)
def test_recurrent_weights_of_onnx_are_unsigned(tmp_path, layer: str) -> None:
    """With signed ones, an LSTM with new weights is off by 2 % on x86 without VNNI."""
    import onnx  # noqa: PLC0415 - in an extra
    import onnxruntime  # noqa: PLC0415 - in an extra

    recipe, model = built(
        "inputs: {x: {shape: [time, 12]}}\n"
        f"layers:\n  y: {READERS[layer]}\n  twice: {{call: y, input: x}}\n"
        "  sum: {type: add, input: [y, twice]}\n"
        "outputs: {y: sum}\nruntime: {seed: 7}"
    )
    report = recipe.export(model, tmp_path, quantize="dynamic")
    file = onnx.load(report.path)
    weights = [each for each in file.graph.initializer if len(each.dims) == 3]
    assert {each.data_type for each in weights} == {onnx.TensorProto.UINT8}
    assert report.size < 0.6 * report.quantized.plain_size
    x = random.normal(size=(5, 9, 12)).astype("float32")
    session = onnxruntime.InferenceSession(report.path, providers=["CPUExecutionProvider"])
    assert 1e-6 < off(session.run(["y"], {"x": x})[0], model({"x": x})["y"]) < 5e-3


# --- LiteRT ---


@pytest.mark.parametrize(("shape", "axis"), [((2, 1), 1), ((2, 7), 1), ((2, 3, 8), 2)])
def test_sums_by_adding(shape: tuple[int, ...], axis: int) -> None:
    numbers = random.integers(0, 2, shape).astype("int32")
    found = _cumulated(tf.constant(numbers), axis)
    np.testing.assert_array_equal(found, np.cumsum(numbers, axis=axis))


MASKED = """
inputs: {{x: {{shape: [7, 3]}}, counts: {{shape: [7], dtype: bool}}}}
layers:
  reader: {{type: lstm, input: x, units: 4, mask: {{input: counts, padding: {0}}}, {1}}}
outputs: {{y: reader}}
runtime: {{seed: 7}}
"""
ROWS = {
    "right": [[1, 1, 1, 1, 1, 1, 1], [1, 1, 1, 0, 0, 0, 0], [1, 0, 0, 0, 0, 0, 0]],
    "left": [[1, 1, 1, 1, 1, 1, 1], [0, 0, 0, 0, 1, 1, 1], [0, 0, 0, 0, 0, 0, 1]],
    "any": [[0, 1, 1, 0, 0, 1, 0], [1, 0, 0, 0, 0, 0, 1], [0, 0, 0, 1, 0, 0, 0]],
}


@needs_micro
@pytest.mark.parametrize(
    ("padding", "more"),
    [
        ("right", "use_bias: true"),
        ("left", "return_sequences: true"),
        ("any", "go_backwards: true"),
    ],
)
def test_masks_on_a_microcontroller(tmp_path, padding: str, more: str) -> None:
    """It has no sum of integers along an axis (CUMSUM, SUM)."""
    recipe, model = built(MASKED.format(padding, more))
    randomise(model)
    report = recipe.export(model, tmp_path, format="litert", device="microcontroller")
    assert report.ran_on_device
    assert not {"CUMSUM", "SUM"} & set(report.operators)
    file = micro.opened(report.path.read_bytes())
    for row in ROWS[padding]:
        batch = {
            "x": random.normal(size=(1, 7, 3)).astype("float32"),
            "counts": np.array([row], bool),
        }
        np.testing.assert_allclose(file.run(batch)["y"], model(batch)["y"], atol=1e-5)


UNSEEN = """
inputs: {x: {shape: [4]}, z: {shape: [4]}}
layers:
  a: {type: dense, input: x, units: 5}
  b: {type: dense, input: z, units: 5, use_bias: false}
  c: {type: dense, input: b, units: 5}
  y: {type: add, input: [a, c]}
outputs: {y: y}
runtime: {seed: 7}
training: {loss: mse}
"""


@pytest.mark.slow
def test_values_that_no_data_shows_get_a_range(tmp_path) -> None:
    """XNNPACK ended the process where steps that no sequence reached had units of 1e-8."""
    from ai_edge_litert.interpreter import Interpreter  # noqa: PLC0415 - in an extra

    recipe, model = built(UNSEEN)
    randomise(model)
    x = random.normal(size=(60, 4)).astype("float32")
    data = {"x": x, "z": np.zeros_like(x), "y": np.zeros((60, 5), "float32")}
    report = recipe.export(model, tmp_path, format="litert", quantize="int8", data=data)
    content = report.path.read_bytes()
    (graph,) = read_subgraphs(content)
    made = [graph.tensors[number] for each in graph.operators for number in each.outputs]
    assert min(each.scale for each in made if each.scale) > 1e-4
    run = Interpreter(model_content=content).get_signature_runner()
    found = np.concatenate([run(x=row[None], z=np.zeros((1, 4), "float32"))["y"] for row in x])
    assert off(found, model({"x": x, "z": np.zeros_like(x)})["y"]) < 0.02
    assert np.isfinite(run(x=x[:1], z=x[:1])["y"]).all()


LENGTHS = """
inputs: {x: {shape: [6, 3]}, n: {shape: [], dtype: int32}}
layers:
  reader: {type: gru, input: x, units: 8, mask: {lengths: n}}
  y: {type: dense, input: reader, units: 2}
outputs: {y: y}
runtime: {seed: 7}
training: {loss: mse}
"""
IDS = """
inputs: {x: {shape: [6], dtype: int32}}
layers:
  word: {type: embedding, input: x, input_dim: 9, output_dim: 4, mask_zero: true}
  reader: {type: simple_rnn, input: word, units: 8}
  y: {type: dense, input: reader, units: 2}
outputs: {y: y}
runtime: {seed: 7}
training: {loss: mse}
"""


def counted(rows: int, random: Any) -> dict[str, np.ndarray]:
    x = random.normal(size=(rows, 6, 3)).astype("float32")
    return {"x": x, "n": random.integers(1, 7, rows).astype("int32")}


def padded(rows: int, random: Any) -> dict[str, np.ndarray]:
    ids = random.integers(1, 9, (rows, 6)).astype("int32")
    return {"x": ids * (np.arange(6) < random.integers(1, 7, (rows, 1)))}


@pytest.mark.slow
@pytest.mark.parametrize(("text", "batch"), [(LENGTHS, counted), (IDS, padded)])
def test_masks_and_ids_beside_values_in_int16(tmp_path, text: str, batch: Any) -> None:
    """TensorFlow's quantizer stopped at integers that are compared: it wanted their range."""
    from ai_edge_litert.interpreter import Interpreter  # noqa: PLC0415 - in an extra

    recipe, model = built(text)  # large weights would make steps amplify what weights lose
    random = np.random.default_rng(5)
    data = {**batch(60, random), "y": np.zeros((60, 2), "float32")}
    report = recipe.export(model, tmp_path, format="litert", quantize="int16x8", data=data)
    content = report.path.read_bytes()
    (graph,) = read_subgraphs(content)
    made = {(each.kind, graph.tensors[each.outputs[0]].dtype) for each in graph.operators}
    assert ("FULLY_CONNECTED", "INT16") in made
    run = Interpreter(model_content=content).get_signature_runner()
    unseen = batch(40, random)
    rows = [{name: each[row : row + 1] for name, each in unseen.items()} for row in range(40)]
    found = np.concatenate([run(**row)["y"] for row in rows])
    assert off(found, model(unseen)["y"]) < 0.01


SUMS = """
inputs: {x: {shape: [7, 6]}, z: {shape: [5, 6]}}
layers:
  differences: {type: layer_normalization, input: x}
  squares: {type: rms_normalization, input: x}
  sums: {type: additive_attention, input: [x, z]}
  limits: {type: unit_normalization, input: x}
outputs: {differences: differences, squares: squares, sums: sums, limits: limits}
runtime: {seed: 7}
training: {loss: mse}
"""


@pytest.mark.slow
def test_squares_and_sums_in_int16(tmp_path) -> None:
    """LiteRT has no kernels of the former, and TensorFlow's quantizer cuts off the latter.

    Keras limits lengths by 1e6, which became the lowest number in int16.
    """
    recipe, model = built(SUMS)
    randomise(model)
    data = {"x": random.normal(size=(60, 7, 6)).astype("float32")}
    data["z"] = random.normal(size=(60, 5, 6)).astype("float32")
    data |= {name: np.zeros((60, 7, 6), "float32") for name in model.output}
    report = recipe.export(model, tmp_path, format="litert", quantize="int16x8", data=data)
    assert not {"SQUARE", "SQUARED_DIFFERENCE", "SUM"} & set(report.operators)
    for check in report.outputs:
        assert check.mean_difference < 2e-3 * check.greatest_value, check.name


DENSE = """
inputs: {x: {shape: [32]}}
layers:
  shown: {type: dense, input: x, units: 6}
outputs: {y: shown}
runtime: {seed: 7}
training: {loss: mse}
"""


@pytest.mark.slow
def test_biases_make_up_for_rounded_weights_in_int16(tmp_path) -> None:
    """What rounding takes from the sums on average is computed by NumPy, in float64."""
    from ai_edge_litert.interpreter import Interpreter  # noqa: PLC0415 - in an extra

    recipe, model = built(DENSE)
    x = random.uniform(1, 2, (60, 32)).astype("float32")
    report = recipe.export(
        *(model, tmp_path),
        format="litert",
        quantize="int16x8",
        data={"x": x, "y": np.zeros((60, 6), "float32")},
    )
    kernel = np.asarray(model.get_weights()[0], "float64")
    unit = np.abs(kernel).max(0) / 127
    lost = (x @ (kernel - np.round(kernel / unit) * unit)).mean(0)
    run = Interpreter(model_content=report.path.read_bytes()).get_signature_runner()
    found = np.concatenate([run(x=row[None])["y"] for row in x])
    off = (found - x.astype("float64") @ kernel).mean(0)
    assert np.abs(lost).max() > 0.01
    np.testing.assert_allclose(off, 0, atol=0.1 * np.abs(lost).max())


SMALL = """
inputs: {x: {shape: [20, 4]}}
layers:
  reader: {type: lstm, input: x, units: 3, return_sequences: true}
outputs: {y: reader}
runtime: {seed: 7}
training: {loss: mse}
"""


@pytest.mark.slow
def test_small_cell_states_in_int8(tmp_path) -> None:
    """LiteRT's kernel left out their tanh, where all were within 0.5: outputs were all high."""
    recipe, model = built(SMALL)
    model.set_weights([each * 0.1 for each in model.get_weights()])
    x = random.normal(size=(20, 20, 4)).astype("float32")
    data = {"x": x, "y": np.zeros((20, 20, 3), "float32")}
    report = recipe.export(model, tmp_path, format="litert", quantize="int8", data=data)
    assert [each.kind for each in report.recurrent] == ["fused"]
    (check,) = report.outputs
    assert check.mean_difference < 0.02 * check.greatest_value


COUNTING = SMALL.replace("[20, 4]", "[60, 2]").replace("units: 3", "units: 2")


@pytest.mark.slow
def test_large_cell_states_in_int8(tmp_path) -> None:
    """A cell counts 30 steps up and down: cut off at 16, it was back at zero 14 steps early."""
    from ai_edge_litert.interpreter import Interpreter  # noqa: PLC0415 - in an extra

    recipe, model = built(COUNTING)
    kernel, recurrent, bias = (each * 0.1 for each in model.get_weights())
    kernel[[0, 1], [4, 5]] = 5.0
    bias[:] = np.repeat([5.0, 9.0, 0.0, 5.0], 2)  # gates are open: input, forget, output
    model.set_weights([kernel, recurrent, bias])
    up = np.where(np.arange(60) < 30, 1.0, -1.0)[:, None]
    x = (np.linspace(0.5, 1, 20)[:, None, None] * up * np.ones(2)).astype("float32")
    data = {"x": x, "y": np.zeros((20, 60, 2), "float32")}
    report = recipe.export(model, tmp_path, format="litert", quantize="int8", data=data)
    run = Interpreter(model_content=report.path.read_bytes()).get_signature_runner()
    found = run(x=x[:1])["y"][0]
    assert (found[:55] > 0.5).all()
    assert off(found[:55], model({"x": x[:1]})["y"][0, :55]) < 0.03


CLASSES = """
inputs: {x: {shape: [4]}}
layers: {y: {type: dense, input: x, units: 300, activation: softmax}}
outputs: {y: y}
runtime: {seed: 7}
training: {loss: mse}
"""


@pytest.mark.slow
def test_probabilities_that_int8_cannot_hold_are_refused_with_the_reason(tmp_path) -> None:
    """Each of 300 classes has about 1/300, which is stored as 0 or 1/256."""
    recipe, model = built(CLASSES)
    x = random.normal(size=(20, 4)).astype("float32") * 0.1
    data = {"x": x, "y": np.zeros((20, 300), "float32")}
    with pytest.raises(RecipeError, match="L803") as caught:
        recipe.export(model, tmp_path, format="litert", quantize="int8", data=data)
    (found,) = caught.value.diagnostics
    assert "stores the softmax of output 'y' in int8 in steps of 1/256" in found.message
    assert "choose int16x8 or float16" in found.hint
    assert not list(tmp_path.iterdir())
    report = recipe.export(model, tmp_path, format="litert", quantize="int16x8", data=data)
    assert report.outputs[0].mean_difference < 0.02 * report.outputs[0].greatest_value


STATES = """
inputs: {x: {shape: [STEPS, 3]}}
layers:
  reader: {type: lstm, input: x, units: 4}
  y: {type: dense, input: reader.state.c, units: 2}
outputs: {y: y}
runtime: {seed: 7}
training: {loss: mse}
"""


@pytest.mark.slow
def test_states_in_integers_are_computed_step_by_step(tmp_path) -> None:
    recipe, model = built(STATES.replace("STEPS", "5"))
    randomise(model)
    x = random.normal(size=(20, 5, 3)).astype("float32")
    data = {"x": x, "y": np.zeros((20, 2), "float32")}
    report = recipe.export(model, tmp_path, format="litert", quantize="int8", data=data)
    assert [each.kind for each in report.recurrent] == ["unrolled"]
    assert "FULLY_CONNECTED" in report.operators
    assert report.outputs[0].mean_difference < 0.03 * report.outputs[0].greatest_value


@pytest.mark.parametrize(
    ("kept", "kinds"),
    [
        (Kept(), ["fused", "fused"]),
        (Kept(every="no"), ["unrolled", "unrolled"]),
        (Kept(with_states="no"), ["unrolled", "fused"]),
    ],
)
def test_which_calls_are_kept_from_the_operator(kept: Kept, kinds: list[str]) -> None:
    more = "  other: {type: lstm, input: x, units: 4}\noutputs: {y: y, other: other}"
    recipe = load(STATES.replace("STEPS", "5").replace("outputs: {y: y}", more), "small")
    assert [call.kind for call in litert_calls(recipe.compiled.graph, kept)] == kinds


@pytest.mark.slow
@pytest.mark.parametrize(
    ("steps", "says", "hint"),
    [
        ("time", "their number is open", "give its input a fixed number of steps"),
        ("33", "33 are more than 32", "one after another with `unroll: true`"),
    ],
)
def test_a_loop_in_integers_is_refused_with_the_way_out(tmp_path, steps, says, hint) -> None:
    recipe, model = built(
        STATES.replace("STEPS", steps).replace("lstm", "gru").replace("state.c", "state.h")
    )
    x = random.normal(size=(5, 33, 3)).astype("float32")
    data = {"x": x, "y": np.zeros((5, 2), "float32")}
    with pytest.raises(RecipeError, match=re.escape(says)) as caught:
        recipe.export(model, tmp_path, format="litert", quantize="int8", data=data)
    (found,) = caught.value.diagnostics
    assert found.code == "L802"
    assert "'reader' (GRU) is a loop in LiteRT" in found.message
    assert hint in found.hint


LOOPS = """
inputs: {x: {shape: [5, 3]}, n: {shape: [], dtype: int32}, z: {shape: [5, 4, 2]}}
layers:
  both:
    {type: gru, input: x, units: 2, return_sequences: true, bidirectional: true, mask: {lengths: n}}
  film: {type: conv_lstm1d, input: z, filters: 2, kernel_size: 2}
outputs: {both: both, film: film}
runtime: {seed: 7}
training: {loss: mse}
"""


@pytest.mark.slow
def test_each_loop_has_its_reason_and_a_way_out_that_is_one(tmp_path) -> None:
    recipe, model = built(LOOPS)
    data = {"n": np.ones(5, "int32"), "both": np.zeros((5, 5, 4)), "film": np.zeros((5, 3, 2))}
    data |= {"x": np.zeros((5, 5, 3)), "z": np.zeros((5, 5, 4, 2))}
    with pytest.raises(RecipeError) as caught:
        recipe.export(model, tmp_path, format="litert", quantize="int16x8", data=data)
    both, film = caught.value.diagnostics
    assert both.message.endswith("not written one after another: it is masked in both directions")
    assert both.hint == "choose dynamic or float16, or leave out its mask"
    assert film.message.endswith("in int16x8: LiteRT has no operator of ConvLSTM1D")
    assert film.hint == "choose dynamic or float16"


CARRIED = """
inputs: {x: {shape: [3, 4]}}
layers:
  reader: {type: gru, input: x, units: 4, initial_state: carried}
outputs: {y: reader}
runtime: {seed: 7, batch_size: 1}
training: {loss: mse}
"""


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["int8", "int16x8"])
def test_carried_states_in_integers(tmp_path, kind: str) -> None:
    """Operators of variables have no inputs or no outputs."""
    from ai_edge_litert.interpreter import Interpreter  # noqa: PLC0415 - in an extra

    recipe, model = built(CARRIED)
    randomise(model)
    x = random.normal(size=(30, 3, 4)).astype("float32")
    data = {"x": x, "y": np.zeros((30, 4), "float32")}
    report = recipe.export(model, tmp_path, format="litert", quantize=kind, data=data)
    assert "ASSIGN_VARIABLE" in report.operators
    run = Interpreter(model_content=report.path.read_bytes()).get_signature_runner()
    found = [np.array(run(x=part[None])["y"]) for part in x[:10]]
    wanted = [model({"x": part[None]})["y"] for part in x[:10]]
    assert off(found, wanted) < 0.03
