"""The average of a row without a counted step is 0, and so finite in every gradient."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from building import LENGTHS, MASK, build

if TYPE_CHECKING:
    import keras

ROWS, STEPS = MASK.shape
FIRST = np.arange(STEPS) < LENGTHS[:, None]

SEQUENCES = {
    "lengths": ("{lengths: lengths}", FIRST),
    "input": ("{input: valid}", MASK),
    "value": ("{value: 0.0}", MASK),
}


def sequences(mask: str) -> dict[str, np.ndarray]:
    """Numbers, with NaN in padded steps, or with zeros where these make the mask."""
    x = np.random.default_rng(0).normal(size=(ROWS, STEPS, 3)).astype("float32")
    x[~SEQUENCES[mask][1]] = 0 if mask == "value" else np.nan
    return {"x": x, "lengths": LENGTHS, "valid": MASK}


def trained_weights(model: keras.Model, data: dict[str, np.ndarray]) -> list[np.ndarray]:
    model.fit(
        data, {name: np.ones((len(next(iter(data.values()))), 2)) for name in ("y",)}, verbose=0
    )
    return model.get_weights()


@pytest.mark.parametrize("policy", ["float32", "mixed_float16", "float64"])
@pytest.mark.parametrize("mask", SEQUENCES)
def test_an_average_is_that_of_the_counted_steps(mask: str, policy: str) -> None:
    form, counted = SEQUENCES[mask]
    model = build(f"""
    inputs:
      x: {{shape: [time, 3]}}
      lengths: {{shape: [], dtype: int32}}
      valid: {{shape: [time], dtype: bool}}
    layers:
      average: {{type: global_average_pooling1d, input: x, mask: {form}}}
      y: {{type: dense, input: average, units: 2}}
    outputs: {{average: average, y: y}}
    runtime: {{dtype_policy: {policy}}}
    training: {{loss: {{y: mse}}}}
    """)
    data = sequences(mask)
    found = model.predict(data, verbose=0)["average"]
    for row, steps in enumerate(counted):
        kept = data["x"][row, steps].astype("float64")
        wanted = kept.mean(axis=0) if steps.any() else np.zeros(3)
        np.testing.assert_allclose(found[row], wanted, rtol=2e-6, atol=1e-7)
    assert all(np.isfinite(weight).all() for weight in trained_weights(model, data))


WORDS = """
inputs: {ids: {shape: [words, 7], dtype: int32}}
layers:
  characters: {type: embedding, input: ids, input_dim: 20, output_dim: 4, mask_zero: true}
  word: {type: time_distributed, input: characters, layer: {type: global_average_pooling1d}}
  reader: {type: gru, input: word, units: 3, mask: none}
  y: {type: dense, input: reader, units: 2}
outputs: {characters: characters, word: word, y: y}
training: {loss: {y: mse}}
"""


@pytest.mark.slow
def test_the_average_of_a_word_without_characters_is_0() -> None:
    model = build(WORDS)
    ids = np.random.default_rng(1).integers(1, 20, (3, 4, 7)).astype("int32")
    ids[0, 1:], ids[1], ids[:, :, 5:] = 0, 0, 0  # padded words, a row of them, padded characters
    found = model.predict({"ids": ids}, verbose=0)
    counted = (ids != 0)[..., None]
    total = (found["characters"].astype("float64") * counted).sum(axis=2)
    wanted = total / np.maximum(counted.sum(axis=2), 1)
    np.testing.assert_allclose(found["word"], wanted, rtol=1e-6, atol=1e-8)
    assert all(np.isfinite(weight).all() for weight in trained_weights(model, {"ids": ids}))
