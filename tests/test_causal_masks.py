"""`use_causal_mask`: each step is that of attention, without it, over the steps up to there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import keras
import numpy as np
import pytest
from building import build, copy_weights, load, outputs_of, randomise
from onnx_running import assert_runs_as_keras

from lstmgraph.messages.errors import RecipeError

if TYPE_CHECKING:
    from pathlib import Path

# Keras warns of the query's mask inside its own layer.
pytestmark = pytest.mark.filterwarnings(
    "ignore:Layer 'query':UserWarning", "ignore:__array__ implementation:DeprecationWarning"
)

LENGTHS = np.array([6, 2, 4, 3], "int32")
TEXT = """
inputs: {x: {shape: [time, 3]}, lengths: {shape: [], dtype: int32}}
layers:
  read: {type: time_distributed, input: x, layer: {type: dense, units: 4}, MASK}
  plain: {type: attention, input: [read, read], CAUSAL}
  mixed: {type: attention, input: [read, read], score_mode: concat, use_scale: true, CAUSAL}
  added: {type: additive_attention, input: [read, read], CAUSAL}
  heads: {type: multi_head_attention, input: [read, read], num_heads: 2, key_dim: 3, CAUSAL}
  window:
    {type: multi_head_attention, input: [read, read], num_heads: 2, key_dim: 3, sliding_window: 2,
     CAUSAL}
  shared:
    {type: group_query_attention, input: [read, read], head_dim: 2, num_query_heads: 2,
     num_key_value_heads: 1, CAUSAL}
outputs:
  {read: read, plain: plain, mixed: mixed, added: added, heads: heads, window: window,
   shared: shared}
"""
MASKED = TEXT.replace("MASK", "mask: {lengths: lengths}")


def with_causal(text: str, value: str = "true") -> str:
    return text.replace("CAUSAL", f"use_causal_mask: {value}")


def softmax(x: np.ndarray) -> np.ndarray:
    powers = np.exp(x - x.max())
    return powers / powers.sum()


@pytest.mark.slow
def test_a_step_reads_no_later_one(tmp_path: Path) -> None:
    model, other = build(with_causal(MASKED)), build(with_causal(MASKED, "false"))
    randomise(model)
    copy_weights(model, other)
    x = np.random.default_rng(0).normal(size=(4, 6, 3)).astype("float32")
    x[np.arange(6) >= LENGTHS[:, None]] = np.nan
    data = {"x": x, "lengths": LENGTHS}
    found = outputs_of(model, data)
    for step in range(1, 6):  # of a single step Keras warns
        # With steps up to here alone, the last one may read all of them.
        until = {"x": x[:, : step + 1], "lengths": np.minimum(LENGTHS, step + 1)}
        alone = outputs_of(other, until)
        counted = step < LENGTHS
        for name in alone:
            np.testing.assert_allclose(
                found[name][counted, step], alone[name][counted, step], atol=1e-6, err_msg=name
            )
        scores = found["read"][0, step] @ found["read"][0, : step + 1].T  # in NumPy
        by_hand = softmax(scores.astype("float64")) @ found["read"][0, : step + 1]
        np.testing.assert_allclose(found["plain"][0, step], by_hand, rtol=1e-5)

    model.save(tmp_path / "m.keras")
    loaded = outputs_of(keras.models.load_model(tmp_path / "m.keras"), data)
    for name, array in found.items():
        np.testing.assert_array_equal(loaded[name], array)


def test_onnx_has_the_causal_mask() -> None:
    for text in (
        MASKED,
        TEXT.replace(", MASK", "").replace(", lengths: {shape: [], dtype: int32}", ""),
    ):
        recipe = load(with_causal(text))
        model = recipe.build()
        randomise(model)
        random = np.random.default_rng(0)
        data = {"x": random.normal(size=(4, 6, 3)).astype("float32"), "lengths": LENGTHS}
        data = {name: data[name] for name in model.input}
        assert_runs_as_keras(recipe, model, data)


@pytest.mark.parametrize(
    ("layers", "code"),
    [
        ("""
  m: {type: masking, input: x}
  y: {type: attention, input: [other, m], use_causal_mask: true}""", "L515"),
        ("""
  m: {type: masking, input: x}
  y: {type: attention, input: [m, m], use_causal_mask: true}""", None),
        ("""
  m: {type: masking, input: x, mask: none}
  y: {type: attention, input: [four, four], use_causal_mask: true}""", "L4"),
    ],
    ids=["holes of another sequence", "holes of its own", "four axes"],
)  # fmt: skip
def test_what_is_refused(layers: str, code: str | None) -> None:
    text = f"""
inputs: {{x: {{shape: [time, 3]}}, other: {{shape: [time, 3]}}, four: {{shape: [2, time, 3]}}}}
layers: {layers}
outputs: {{y: y}}
"""
    if code is None:
        assert load(text)
        return
    with pytest.raises(RecipeError) as caught:
        load(text)
    assert any(found.code.startswith(code) for found in caught.value.diagnostics)
