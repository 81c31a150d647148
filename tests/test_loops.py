"""Loops in `explain`, pictures, `diff`, derived models, steppers, generation and exports."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import pytest
from building import Arrays, load, outputs_of, randomise
from handwritten_blocks import LOOPS
from onnx_running import assert_runs_as_keras

import lstmgraph
from lstmgraph.models.derived import with_derived

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

ROWS, STEPS = 4, 3

FORECAST = """
inputs:
  x: {shape: [time, 3]}
  lengths: {shape: [], dtype: int32}
  known: {shape: [3, 2]}
  truth: {shape: [3, 3]}
blocks:
  step:
    inputs: [value, known, state]
    layers:
      writer: {type: lstm, input: [value, known], units: 4, initial_state: state}
      y: {type: dense, input: writer.sequence, units: 3}
    outputs: {y: y, state: writer.state}
layers:
  reader: {type: lstm, input: x, units: 4, mask: {lengths: lengths}}
  masked: {type: masking, input: known}
  forecast:
    loop: step
    steps: 3
    each: {known: masked}
    feedback:
      value: {first: {zeros: [1, 3]}, then: y}
      state: {first: reader, then: state}
outputs: {y: forecast.y, h: forecast.state.h, last: forecast.last.state}
training: {loss: {y: mse}}
"""
TAUGHT = FORECAST.replace("then: y}", "then: y, teacher: truth, share: 0.5}")
WRITER = """
inputs:
  x: {shape: [time, 3]}
  lengths: {shape: [], dtype: int32}
  target: {shape: [3], dtype: int32}
blocks:
  step:
    inputs: [token, memory, state, context]
    layers:
      word: {type: embedding, input: token, input_dim: 9, output_dim: 4}
      writer: {type: gru, input: [word, context], units: 4, initial_state: state}
      attended: {type: attention, input: [writer.sequence, memory]}
      both: {type: concatenate, input: [writer.sequence, attended]}
      y: {type: dense, input: both, units: 4, activation: tanh}
    outputs: {y: y, state: writer.state}
layers:
  reader: {type: gru, input: x, units: 4, mask: {lengths: lengths}}
  decoder:
    loop: step
    steps: 3
    input: {memory: reader.sequence}
    each: {token: target}
    feedback: {context: {first: {zeros: [1, 4]}, then: y}, state: {first: zeros, then: state}}
  p: {type: dense, input: decoder.y, units: 9, activation: softmax}
outputs: {p: p}
"""
NESTED = """
inputs:
  x: {shape: [time, 3]}
  known: {shape: [3, 2]}
blocks:
  word:
    inputs: [word, state, value]
    layers:
      cell: {type: gru, input: [word, value], units: 4, initial_state: state}
      y: {type: dense, input: cell.sequence, units: 3}
    outputs: {y: y, state: cell.state}
  sentence:
    inputs: [words, value, state]
    layers:
      inner:
        loop: word
        steps: 3
        each: {word: words}
        feedback: {state: {first: state, then: state}, value: {first: value, then: y}}
      s: {type: dense, input: inner.last.y, units: 3}
    outputs: {s: s, state: inner.last.state, all: inner.y}
layers:
  reader: {type: gru, input: x, units: 4}
  masked: {type: masking, input: known}
  out:
    loop: sentence
    steps: 2
    input: {words: masked}
    feedback: {value: {first: {zeros: [1, 3]}, then: s}, state: {first: reader, then: state}}
outputs: {s: out.s, last: out.last.all}
"""


def arrays() -> Arrays:
    random = np.random.default_rng(0)
    known = random.normal(size=(ROWS, STEPS, 2)).astype("float32")
    known[1, 1:] = 0
    known[2] = 0
    return {
        "x": random.normal(size=(ROWS, 5, 3)).astype("float32"),
        "lengths": np.array([5, 2, 1, 0], "int32"),
        "known": known,
        "truth": random.normal(size=(ROWS, STEPS, 3)).astype("float32"),
        "target": random.integers(0, 9, (ROWS, STEPS)).astype("int32"),
    }


def data_of(model: keras.Model) -> Arrays:
    made = arrays()
    return {name: made[name] for name in model.input}


# --- explained, drawn and compared ---


def test_explain_shows_a_loop_once() -> None:
    recipe = load(FORECAST)
    found = recipe.explain(batch=2, time=5)
    rows = {row.name: row for row in found.layers}
    assert {name: row.steps for name, row in rows.items() if row.steps > 1} == {
        "forecast_1_known": 3,
        "forecast_1_writer_input": 3,
        "forecast_1_writer": 3,
        "forecast_1_y": 3,
    }
    assert not [name for name in rows if name.startswith(("forecast_2", "forecast_3"))]
    (loop,) = found.loops
    assert (loop.name, loop.steps) == ("forecast", 3)
    assert [(row.port, row.reader, row.slot, row.first) for row in loop.fed_back] == [
        ("forecast_1_y", "forecast_1_writer_input", None, "forecast_1_value"),
        ("forecast_1_writer.h", "forecast_1_writer", "h", "reader.h"),
        ("forecast_1_writer.c", "forecast_1_writer", "c", "reader.c"),
    ]
    assert found.calls == len(recipe.compiled.graph.nodes) == 17
    assert found.as_dict()["totals"]["layers"] == 17
    # 3 gates and a candidate of 4 units over 8 numbers, twice; 4 numbers to 3.
    assert found.trainable_parameters == 4 * 4 * (3 + 4 + 1) + 4 * 4 * (5 + 4 + 1) + 3 * (4 + 1)
    assert "LSTM of step_writer x 3" in str(found)
    assert "loop forecast: 3 steps" in str(found)
    assert found.memory
    assert found.memory.kept["forecast_1_y"] == 3 * 2 * 3 * 4  # steps, rows, numbers, bytes
    assert found.memory.kept.keys() == rows.keys()


def test_explain_shows_what_mixes_in_the_truth_and_loops_inside_loops() -> None:
    (loop,) = load(TAUGHT).explain().loops
    read = {row.port: (row.reader, row.first) for row in loop.fed_back}
    assert read["forecast_1_y"] == ("forecast_2_value_own", None)
    assert read["forecast_2_value_read"] == ("forecast_1_writer_input", "forecast_1_value")
    found = load(NESTED).explain()
    assert [(loop.name, loop.steps) for loop in found.loops] == [("out", 2), ("out_1_inner", 3)]
    counts = {row.name: row.steps for row in found.layers}
    assert (counts["out_1_inner_1_cell"], counts["out_1_s"], counts["out_s"]) == (6, 2, 1)


@pytest.mark.parametrize("form", ["mermaid", "dot", "svg"])
def test_pictures_show_a_loop_once(form: str) -> None:
    text = str(load(FORECAST).graph(form))
    assert "forecast x 3" in text
    assert "next step: h, c of forecast_1_writer" in text.replace("&#44;", ",")
    assert "forecast_2" not in text
    whole = str(
        load(FORECAST.replace("steps: 3", "steps: 60").replace("[3, 2]", "[60, 2]")).graph(form)
    )
    assert len(whole) < 1.1 * len(text)


def test_diff_compares_a_loop_once() -> None:
    longer = FORECAST.replace("steps: 3", "steps: 2").replace("[3, 2]", "[2, 2]")
    found = lstmgraph.diff(load(FORECAST), load(longer)).layers
    changes = {
        each.name: {c.key: (c.before, c.after) for c in each.changes} for each in found.changed
    }
    assert changes["forecast_1_writer"] == {"steps": (3, 2)}
    assert not found.added
    assert not found.removed
    other = FORECAST.replace("then: y}", "then: z}").replace(
        "    outputs: {y: y,",
        "      z: {type: dense, input: y, units: 3}\n    outputs: {y: y, z: z,",
    )
    found = lstmgraph.diff(load(FORECAST), load(other)).layers
    changes = {
        each.name: {c.key: (c.before, c.after) for c in each.changes} for each in found.changed
    }
    assert changes == {
        "forecast_1_writer_input": {"fed_back": (["forecast_1_y"], ["forecast_1_z"])}
    }
    renamed = lstmgraph.diff(load(FORECAST), load(FORECAST.replace("forecast", "ahead"))).layers
    assert ("forecast_1_writer", "ahead_1_writer") in renamed.renamed
    assert not renamed.changed


def test_a_loop_begins_with_floats_of_any_precision() -> None:
    mixed = FORECAST.replace("{zeros: [1, 3]}", "latest").replace(
        "inputs:\n", "inputs:\n  latest: {shape: [1, 3]}\n", 1
    )
    mixed = mixed.replace("units: 3}", "units: 3, dtype_policy: mixed_float16}")
    rows = load(f"{mixed}runtime: {{dtype_policy: mixed_float16}}\n").explain().layers
    assert next(row for row in rows if row.name == "forecast_1_y").dtype == "float16"


# --- step by step ---


@pytest.fixture(scope="module", params=["FORECAST", "TAUGHT", "WRITER", "NESTED"])
def looped(request: pytest.FixtureRequest) -> tuple[str, lstmgraph.Recipe, keras.Model, Arrays]:
    recipe = load(globals()[request.param])
    model = recipe.build()
    randomise(model)
    return request.param, recipe, model, data_of(model)


@pytest.mark.slow
def test_a_step_of_a_loop_runs_outside_of_it(looped) -> None:
    name, recipe, model, data = looped
    wanted = outputs_of(model, data)
    derived = recipe.derive("step", model)
    plan = derived.plan
    assert plan
    stepper = lstmgraph.Stepper(derived, rows=ROWS, xla=False)
    stepper.start({each: data[each] for each in stepper.start_inputs})
    steps = 2 if name == "NESTED" else STEPS
    found = [
        stepper.step({each: data[each][:, step] for each in plan.steps}) for step in range(steps)
    ]
    for output, kind in plan.outputs.items():
        each = [step[output] for step in found]
        result = np.stack(each, 1) if kind == "steps" else each[-1]
        np.testing.assert_allclose(result, wanted[output], atol=1e-6, err_msg=output)
    if name == "FORECAST":
        assert derived.states == {
            "forecast_value": "next_forecast_value",
            "forecast_writer_h": "next_forecast_writer_h",
            "forecast_writer_c": "next_forecast_writer_c",
        }
        assert stepper.state["forecast_value"].shape == (ROWS, 1, 3)
        active = np.array([True, False, True, False])
        before = stepper.state
        stepper.step({"known": data["known"][:, 0]}, active=active)
        for state, array in stepper.state.items():
            np.testing.assert_array_equal(array[~active], before[state][~active])
            assert (array[active] != before[state][active]).any()


def test_encoder_and_decoder_are_the_two_sides_of_a_loop(looped) -> None:
    _, recipe, model, data = looped
    wanted = outputs_of(model, data)
    encoder, decoder = (recipe.derive(kind, model).model for kind in ("encoder", "decoder"))
    rows = np.zeros(ROWS, "int32")
    coded = outputs_of(encoder, {each: data.get(each, rows) for each in encoder.input})
    known = {**data, **coded}
    zeros = {
        each: np.zeros((ROWS, *tensor.shape[1:]), "float32")
        for each, tensor in decoder.input.items()
        if each not in known
    }
    found = outputs_of(decoder, {each: {**known, **zeros}[each] for each in decoder.input})
    for output, array in wanted.items():
        np.testing.assert_allclose(found[output], array, atol=1e-6, err_msg=output)


@pytest.mark.slow
def test_generate_runs_a_loop_over_tokens() -> None:
    """Greedy search, as the whole model does it that reads its own tokens."""
    recipe = load(WRITER)
    model = recipe.build()
    randomise(model)
    data = data_of(model)
    tokens = np.full((ROWS, STEPS + 1), 1, "int32")
    for step in range(STEPS):
        p = outputs_of(model, {**data, "target": tokens[:, :STEPS]})["p"]
        tokens[:, step + 1] = p[:, step].argmax(-1)
    start = {each: data[each] for each in ("x", "lengths")}
    derived = recipe.derive("step", model)
    found = lstmgraph.generate(derived, start, start_token=1, max_steps=STEPS)
    np.testing.assert_array_equal(found.tokens, tokens[:, 1:])
    beams = lstmgraph.generate(derived, start, start_token=1, max_steps=7, beams=3)
    assert (
        beams.scores >= lstmgraph.generate(derived, start, start_token=1, max_steps=7).scores - 1e-5
    ).all()


OF_ONE_STEP = FORECAST.replace("steps: 3", "steps: 1").replace("[3, 2]", "[1, 2]")
OF_KNOWN_STEPS = FORECAST.replace("known: masked", "known: spread").replace(
    "  masked:",
    "  wide: {type: repeat_vector, input: reader, n: 3}\n"
    "  spread: {type: dense, input: wide, units: 2}\n  masked:",
)
OF_TWO_LOOPS = FORECAST.replace(
    "outputs: {y: forecast.y,",
    "  other: {loop: step, steps: 3, each: {known: masked},\n"
    "    feedback: {value: {first: {zeros: [1, 3]}, then: y},\n"
    "      state: {first: reader, then: state}}}\n"
    "outputs: {y: forecast.y, z: other.y,",
)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (OF_ONE_STEP, "a loop of one step feeds nothing back"),
        (OF_KNOWN_STEPS, "the loop reads the steps of 'spread', all known before its first"),
        (OF_TWO_LOOPS, "the outputs come from several loops: forecast, other"),
    ],
)
def test_what_has_no_step_is_refused(text: str, message: str) -> None:
    compiled = load(text).compiled
    with pytest.raises(lstmgraph.RecipeError) as refused:
        with_derived(compiled, "step")
    (found,) = refused.value.diagnostics
    assert (found.code, found.message) == ("L834", message)
    assert found.hint


# --- gradients and other runtimes ---


@pytest.mark.skipif(keras.backend.backend() == "jax", reason="gradients by tf.GradientTape")
@pytest.mark.parametrize("steps", [1, 5, 24])
def test_gradients_are_those_of_tensorflow_by_hand(steps: int) -> None:
    import tensorflow as tf  # noqa: PLC0415

    case = LOOPS[f"forecast_of_{steps}_steps"]
    model = load(case.recipe).build()
    randomise(model)
    random = np.random.default_rng(1)
    data = {
        "x": random.normal(size=(5, 4, 3)),
        "mask": np.arange(4) < np.array([[4], [1], [3], [0], [2]]),
        "latest": random.normal(size=(5, 1, 2)),
        "known": random.normal(size=(5, steps, 1)),
        "store": random.normal(size=(5, 2)),
    }
    layers = {layer.name: layer for layer in model.layers if layer.weights}
    own = {
        n: [tf.Variable(tf.cast(w.value, "float64")) for w in la.weights]
        for n, la in layers.items()
    }

    def lstm(name: str, x: Any, h: Any, c: Any) -> tuple[Any, Any]:
        kernel, recurrent, bias = own[name]
        i, f, new, o = tf.split(x @ kernel + h @ recurrent + bias, 4, axis=-1)
        c = tf.sigmoid(f) * c + tf.sigmoid(i) * tf.tanh(new)
        return tf.sigmoid(o) * tf.tanh(c), c

    with tf.GradientTape() as tape:
        h = c = tf.zeros((5, 4), "float64")
        for step in range(4):
            new_h, new_c = lstm("encoder", data["x"][:, step], h, c)
            counts = data["mask"][:, step, None]
            h, c = tf.where(counts, new_h, h), tf.where(counts, new_c, c)
        value, total = tf.constant(data["latest"][:, 0]), 0.0
        for step in range(steps):
            x = tf.concat([value, data["known"][:, step], data["store"]], -1)
            h, c = lstm("step_cell", x, h, c)
            value = h @ own["step_y"][0] + own["step_y"][1]
            total += tf.reduce_sum(value**2)
    wanted = tape.gradient(
        total, [w for name in own for w in own[name]], unconnected_gradients="zero"
    )
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(
            model({k: v if v.dtype == bool else v.astype("float32") for k, v in data.items()})["y"]
            ** 2
        )
    weights = [weight.value for layer in layers.values() for weight in layer.weights]
    found = tape.gradient(total, weights, unconnected_gradients="zero")
    for one, other in zip(found, wanted, strict=True):
        scale = max(1.0, float(tf.reduce_max(abs(other))))
        np.testing.assert_allclose(one, other, atol=2e-5 * scale)


def test_a_loop_runs_in_onnx(looped) -> None:
    _, recipe, model, data = looped
    assert_runs_as_keras(recipe, model, data)


@pytest.mark.slow
@pytest.mark.skipif(keras.backend.backend() == "jax", reason="LiteRT needs TensorFlow")
def test_a_loop_runs_in_litert(tmp_path: Path) -> None:
    """The export runs the file, and compares it with the model."""
    recipe = load(WRITER)
    report = recipe.export(recipe.build(), tmp_path / "m.tflite", format="litert")
    assert report.outputs
