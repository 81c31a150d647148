"""Softmax over time, maxima and attention of padded rows: each row as it is alone, in NumPy."""

from __future__ import annotations

import numpy as np
import pytest
from building import build, outputs_of, randomise

LENGTHS = np.array([6, 2, 4, 3], "int32")
COUNTED = np.arange(6) < LENGTHS[:, None]
POOLING = """
inputs:
  x: {shape: [time, 3]}
  scores: {shape: [time, 1]}
  lengths: {shape: [], dtype: int32}
layers:
  shares: {type: softmax, input: scores, axis: 1, mask: {lengths: lengths}}
  features: {type: softmax, input: x, mask: {lengths: lengths}}
  largest: {type: global_max_pooling1d, input: x, mask: {lengths: lengths}}
  kept: {type: global_max_pooling1d, input: x, mask: {lengths: lengths}, keepdims: true}
outputs: {shares: shares, features: features, largest: largest, kept: kept}
"""


def softmax(x: np.ndarray, axis: int) -> np.ndarray:
    powers = np.exp(x - x.max(axis=axis, keepdims=True))
    return powers / powers.sum(axis=axis, keepdims=True)


@pytest.mark.parametrize("padding", [0.0, np.nan, 1e30])
def test_pooling_of_counted_steps(padding: float) -> None:
    model = build(POOLING)
    random = np.random.default_rng(0)
    x, scores = random.normal(size=(4, 6, 3)) - 3, random.normal(size=(4, 6, 1))
    x[~COUNTED] = scores[~COUNTED] = padding
    given = {"x": x.astype("float32"), "scores": scores.astype("float32"), "lengths": LENGTHS}
    found = outputs_of(model, given)
    for row, length in enumerate(LENGTHS):
        shares = softmax(scores[row, :length], 0)
        np.testing.assert_allclose(found["shares"][row, :length], shares, rtol=1e-5)
        assert not found["shares"][row, length:].any()
        features = softmax(x[row, :length], -1)
        np.testing.assert_allclose(found["features"][row, :length], features, rtol=1e-5)
        largest = x[row, :length].max(axis=0)
        np.testing.assert_allclose(found["largest"][row], largest, rtol=1e-6)
        np.testing.assert_allclose(found["kept"][row, 0], largest, rtol=1e-6)


ATTENTION = """
inputs: {x: {shape: [time, 3]}, lengths: {shape: [], dtype: int32}}
layers:
  read:
    type: time_distributed
    input: x
    layer: {type: dense, units: 4}
    mask: {lengths: lengths}
  plain: {type: attention, input: [read, read]}
  added: {type: additive_attention, input: [read, read]}
  heads: {type: multi_head_attention, input: {query: read, value: read}, num_heads: 2, key_dim: 3}
  shared:
    type: group_query_attention
    input: {query: read, value: read}
    head_dim: 2
    num_query_heads: 2
    num_key_value_heads: 1
  a: {type: global_max_pooling1d, input: plain}
  b: {type: global_max_pooling1d, input: added}
  c: {type: global_average_pooling1d, input: heads}
  d: {type: global_average_pooling1d, input: shared}
  y: {type: concatenate, input: [a, b, c, d]}
outputs: {y: y}
training: {loss: mse}
"""


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Layer 'query':UserWarning")  # Keras's, of its own layer inside
def test_attention_reads_no_padding() -> None:
    """Where the mask begins at a layer that computes each step: NaN reaches no weight either."""
    model = build(ATTENTION)
    randomise(model)
    x = np.random.default_rng(0).normal(size=(4, 6, 3)).astype("float32")
    x[~COUNTED] = np.nan
    found = outputs_of(model, {"x": x, "lengths": LENGTHS})["y"]
    for row, length in enumerate(LENGTHS):
        alone = {"x": x[row : row + 1, :length], "lengths": LENGTHS[row : row + 1]}
        np.testing.assert_allclose(found[row], outputs_of(model, alone)["y"][0], atol=1e-5)
    model.fit({"x": x, "lengths": LENGTHS}, np.ones((4, found.shape[1])), verbose=0)
    assert all(np.isfinite(weight).all() for weight in model.get_weights())
