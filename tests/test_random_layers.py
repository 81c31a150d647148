"""Layers with random numbers draw the same ones under XLA as without it, when they train."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from building import load

from lstmgraph.compiler.machine.machine import Machine
from lstmgraph.compiler.machine.plan import choose_xla

pytestmark = [
    pytest.mark.skipif(
        keras.backend.backend() != "tensorflow" or bool(keras.distribution.list_devices("gpu")),
        reason="for CPUs with TensorFlow",
    ),
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]

LAYERS = """
inputs: {{frames: {{shape: [4, 6]}}}}
layers:
  noise: {{type: gaussian_noise, input: frames, stddev: 0.3}}
  some: {{type: dropout, input: noise, rate: 0.2}}
  steps: {{type: dropout, input: some, rate: 0.3, noise_shape: [null, 1, null]}}
  channels: {{type: spatial_dropout1d, input: steps, rate: 0.3}}
  scaled: {{type: gaussian_dropout, input: channels, rate: 0.2}}
  kept: {{type: alpha_dropout, input: scaled, rate: 0.2}}
  added: {{type: additive_attention, input: [kept, kept], dropout: 0.3}}
  heads:
    {{type: multi_head_attention, input: [added, kept], num_heads: 2, key_dim: 2, dropout: 0.3}}
  y: {{type: dense, input: heads, units: 1}}
outputs: {{y: y}}
training: {{loss: mse, optimizer: sgd, batch_size: 4}}
runtime: {{seed: 1, kernel: standard, {runtime}}}
"""


@pytest.mark.slow
def test_trains_alike_with_xla_and_without() -> None:
    """The expected numbers are those of Keras's own layers; others differ by more than 0.01."""
    random = np.random.default_rng(0)
    x, y = (random.normal(size=(8, 4, size)).astype("float32") for size in (6, 1))
    weights = []
    for xla in ("false", "true"):
        recipe = load(LAYERS.format(runtime=f"xla: {xla}"))
        model = recipe.build()
        model.fit({"frames": x}, {"y": y}, batch_size=4, shuffle=False, verbose=0)
        weights.append(model.get_weights())
    for one, two in zip(*weights, strict=True):
        np.testing.assert_allclose(two, one, rtol=0, atol=2e-5)


def test_random_layers_do_not_keep_a_fit_uncompiled() -> None:
    text = LAYERS.format(runtime="xla: auto")
    recurrent = text.replace("type: dense, input: heads", "type: gru, input: heads, dropout: 0.1")
    compiled = load(recurrent.replace("outputs: {y: y}", "outputs: {y: y.sequence}")).compiled
    choice = choose_xla(compiled.declaration.runtime, compiled.graph, Machine())
    assert choice.fit
    assert choice.predict
