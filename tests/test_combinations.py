"""Blocks, loops, hierarchies, masks and policies in one recipe, beside NumPy in float64."""

from __future__ import annotations

from typing import TYPE_CHECKING

import keras
import numpy as np
import pytest
import reference as ref
from building import (
    Arrays,
    assert_equal_arrays,
    load,
    outputs_of,
    randomise,
    weights_by_layer,
)
from onnx_running import assert_runs_as_keras

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import lstmgraph

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

ROWS, SEGMENTS, STEPS = 5, 3, 4
ENDS = np.array([[1, 1, 1, 1], [0, 1, 1, 1], [1, 1, 0, 0], [1, 0, 1, 0], [0, 0, 0, 0]], bool)
COUNTED = np.stack([ENDS, ENDS[::-1], np.roll(ENDS, 2, 0)], 1)
"""Steps of segments with padding on either side, holes, and segments without any step."""

SEGMENTED = """
blocks:
  step:
    inputs: [value, known, state]
    layers:
      cell: {type: gru, input: [value, known], units: 3, initial_state: state}
      y: {type: dense, input: cell.sequence, units: 2}
    outputs: {y: y, state: cell.state}
  document:
    inputs: [x]
    layers:
      reader: {type: gru, input: x, units: 3}
      loop:
        loop: step
        steps: 4
        each: {known: x}
        feedback:
          value: {first: {zeros: [1, 2]}, then: y}
          state: {first: reader, then: state}
      code: {type: dense, input: reader, units: 2}
    outputs: {y: loop.y, fin: loop.last.y, code: code}
inputs:
  x: {shape: [3, 4, 2]}
layers:
  masked: {type: masking, input: x}
  each: {type: time_distributed, input: masked, layer: {call: document}}
  top: {type: gru, input: each.code, units: 2}
outputs: {y: each.y, fin: each.fin, top: top}
training: {loss: {y: mse}, metrics: {y: [mae]}}
"""
"""A loop in a block that is called for every segment."""
Model = tuple["lstmgraph.Recipe", keras.Model]


def values() -> np.ndarray:
    x = np.random.default_rng(0).normal(size=(ROWS, SEGMENTS, STEPS, 2))
    return (x * COUNTED[..., None]).astype("float32")


@pytest.fixture(scope="module")
def segmented() -> Model:
    recipe = load(SEGMENTED)
    model = recipe.build()
    randomise(model)
    return recipe, model


def segmented_by_hand(
    weights: Mapping[str, list[np.ndarray]], x: np.ndarray, counted: np.ndarray
) -> Arrays:
    x, mask = x.reshape(-1, STEPS, 2).astype("float64"), counted.reshape(-1, STEPS)
    state = ref.gru(x, weights["document_reader"], mask).state
    codes = ref.dense(state[0], weights["document_code"]).reshape(ROWS, SEGMENTS, 2)
    value, results = np.zeros((len(x), 1, 2)), []
    for t in range(STEPS):
        read = np.concatenate([value, x[:, t : t + 1]], axis=-1)
        run = ref.gru(read, weights["step_cell"], mask[:, t : t + 1], state)
        state, value = run.state, ref.dense(run.sequence, weights["step_y"])
        results.append(value * mask[:, t, None, None])
    y = np.concatenate(results, axis=1).reshape(ROWS, SEGMENTS, STEPS, 2)
    top = ref.gru(codes, weights["top"], counted.any(-1)).last
    fin = np.where(counted[:, :, -1:, None], y[:, :, -1:], np.nan)  # of padding anything
    return {"y": y, "fin": fin, "top": top}


def assert_near(found: Arrays, wanted: Arrays, tolerance: float) -> None:
    for name, array in wanted.items():
        assert found[name].shape == array.shape, name
        assert found[name].dtype == "float32", name
        assert np.nanmax(np.abs(found[name] - array)) < tolerance, name


def test_a_loop_inside_time_distributed_runs_on_each_segment(segmented: Model) -> None:
    _, model = segmented
    found = outputs_of(model, {"x": values()})
    assert_near(found, segmented_by_hand(weights_by_layer(model), values(), COUNTED), 1e-6)


@pytest.mark.slow
def test_its_files_give_the_same_numbers(segmented: Model, tmp_path: Path) -> None:
    recipe, model = segmented
    assert_runs_as_keras(recipe, model, {"x": values()})
    recipe.save(model, tmp_path / "m.keras")
    loaded = keras.models.load_model(tmp_path / "m.keras")
    assert_equal_arrays(outputs_of(loaded, {"x": values()}), outputs_of(model, {"x": values()}))


def test_without_a_mask_steps_stack_along_time() -> None:
    text = SEGMENTED.replace("type: masking", "type: identity").replace("[3, 4, 2]", "[docs, 4, 2]")
    model = load(text).build()
    randomise(model)
    x = np.random.default_rng(1).normal(size=(ROWS, SEGMENTS, STEPS, 2)).astype("float32")
    wanted = segmented_by_hand(weights_by_layer(model), x, np.ones_like(COUNTED))
    assert_near(outputs_of(model, {"x": x}), wanted, 1e-6)


@pytest.mark.slow
def test_losses_and_metrics_leave_out_the_padded_steps_of_segments(segmented: Model) -> None:
    _, model = segmented
    random = np.random.default_rng(2)
    target = random.normal(size=(ROWS, SEGMENTS, STEPS, 2))
    target[~COUNTED] = np.nan
    weights = random.uniform(size=COUNTED.shape)
    error = segmented_by_hand(weights_by_layer(model), values(), COUNTED)["y"] - target
    rest = {"fin": np.zeros((ROWS, 1)), "top": np.zeros((ROWS, 1))}
    weighed = {"y": weights, "fin": np.ones(ROWS), "top": np.ones(ROWS)}
    found = model.evaluate({"x": values()}, {"y": target, **rest}, sample_weight=weighed, verbose=0)
    squared = np.square(error).mean(-1) * weights
    wanted = [squared[COUNTED].mean(), np.abs(error)[COUNTED].mean()]
    np.testing.assert_allclose([found[0], found[-1]], wanted, rtol=1e-5)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_a_loop_feeds_back_its_output_under_a_mixed_policy(policy: str) -> None:
    recipe = load(f"runtime: {{dtype_policy: {policy}}}\n{SEGMENTED.lstrip()}")
    model = recipe.build()
    randomise(model)
    wanted = segmented_by_hand(weights_by_layer(model), values(), COUNTED)
    tolerance = 2e-2 if policy == "mixed_bfloat16" else 3e-3
    assert_near(outputs_of(model, {"x": values()}), wanted, tolerance)
