"""On a GPU, batches whose mask cuDNN cannot take run in Keras's loop.

That cuDNN fails on them inside a graph was seen on an H200; here, on a CPU, a function stands in
for it that fails alike and counts how often it runs.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from building import build, copy_weights, randomise
from keras.src import backend
from keras.src.backend.tensorflow.rnn import _assert_valid_mask

import lstmgraph.models.building.cudnn

RECIPE = """
inputs: {{frames: {{shape: [6, 3]}}, lengths: {{shape: [], dtype: int32}}}}
layers:
  reader: {{type: {layer}, input: frames, units: 4, dropout: 0.3, mask: {{lengths: lengths}}}}
  top: {{type: {layer}, input: reader.sequence, units: 2, bidirectional: true}}
outputs: {{y: top.sequence, h: top.state, last: reader.last}}
runtime: {{kernel: {kernel}, seed: 1}}
"""
WEIGHTS = ("kernel", "recurrent_kernel", "bias")
LENGTHS = {"whole rows": [6, 6, 6], "padded rows": [6, 1, 3], "an empty row": [6, 0, 3]}


def lstm_step(x: Any, states: Any, kernel: Any, recurrent_kernel: Any, bias: Any) -> Any:
    h, c = states
    i, f, g, o = tf.split(x @ kernel + h @ recurrent_kernel + bias, 4, axis=1)
    c = tf.sigmoid(f) * c + tf.sigmoid(i) * tf.tanh(g)
    h = tf.sigmoid(o) * tf.tanh(c)
    return h, [h, c]


def gru_step(x: Any, states: Any, kernel: Any, recurrent_kernel: Any, bias: Any) -> Any:
    (h,) = states
    z, r, g = tf.split(x @ kernel + bias[0], 3, axis=1)
    hz, hr, hg = tf.split(h @ recurrent_kernel + bias[1], 3, axis=1)
    z = tf.sigmoid(z + hz)
    h = z * h + (1 - z) * tf.tanh(g + tf.sigmoid(r + hr) * hg)
    return h, [h]


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> tf.Variable:
    """How often the stand-in for cuDNN ran."""
    count = tf.Variable(0, dtype=tf.int64)

    def stand_in(step: Any) -> Any:
        def cudnn(inputs: Any, *states: Any, **given: Any) -> Any:
            *states, mask = states
            if mask is not None:
                _assert_valid_mask(mask)
            count.assign_add(1)
            weights = [tf.convert_to_tensor(given[name]) for name in WEIGHTS]
            last, outputs, states = backend.rnn(
                lambda x, before: step(x, before, *weights),
                inputs,
                tuple(states),
                go_backwards=given["go_backwards"],
                mask=mask,
                input_length=inputs.shape[1],
                return_all_outputs=given["return_sequences"],
                zero_output_for_mask=given["return_sequences"],
            )
            return last, outputs, [*states]

        return cudnn

    monkeypatch.setattr(lstmgraph.models.building.cudnn, "visible_gpus", lambda: ["H200"])
    monkeypatch.setattr(backend, "lstm", stand_in(lstm_step))
    monkeypatch.setattr(backend, "gru", stand_in(gru_step))
    return count


@pytest.mark.slow
@pytest.mark.parametrize("layer", ["lstm", "gru"])
def test_a_batch_with_an_empty_row_runs_in_the_loop(layer: str, runs: tf.Variable) -> None:
    fast = build(RECIPE.format(layer=layer, kernel="auto"))
    slow = build(RECIPE.format(layer=layer, kernel="standard"))
    randomise(fast)
    copy_weights(fast, slow)
    frames = np.random.default_rng(0).normal(size=(3, 6, 3)).astype("float32")
    in_a_graph = tf.function(fast)
    for name, lengths in LENGTHS.items():
        batch = {"frames": frames, "lengths": np.array(lengths, "int32")}
        before = int(runs)
        computed = in_a_graph(batch)
        assert int(runs) - before == (0 if name == "an empty row" else 3), name
        for output, wanted in slow(batch).items():
            np.testing.assert_allclose(computed[output], wanted, rtol=0, atol=1e-6, err_msg=name)


@pytest.mark.slow
def test_both_branches_train_with_one_dropout(runs: tf.Variable) -> None:
    model = build(RECIPE.format(layer="lstm", kernel="auto"))
    randomise(model)
    frames = tf.constant(np.random.default_rng(0).normal(size=(3, 6, 3)).astype("float32"))

    @tf.function
    def gradients(lengths: Any) -> Any:
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(model({"frames": frames, "lengths": lengths}, training=True)["y"])
        return tape.gradient(loss, model.trainable_variables)

    for lengths in LENGTHS.values():
        found = gradients(tf.constant(lengths))
        assert all(np.isfinite(np.array(gradient)).all() for gradient in found)
        assert any(np.abs(np.array(gradient)).max() > 0 for gradient in found)
    assert int(runs) == 2 * 3
