"""Models of recipes on the fused loop: trained, saved, exported and stepped as on Keras's loop."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import pytest
from building import load
from tensorflow.python.framework.config import disable_op_determinism

import lstmgraph
from lstmgraph.compiler.passes.fused import fused_obstacle
from lstmgraph.export.inference import inference_models
from lstmgraph.models.kernels import can_install

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [
    pytest.mark.skipif(
        keras.backend.backend() != "tensorflow" or bool(keras.distribution.list_devices("gpu")),
        reason="the fused loop is for CPUs with TensorFlow",
    ),
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]

ALL_KINDS = """
inputs: {{frames: {{shape: [4, 2]}}, lengths: {{shape: [], dtype: int32}}}}
layers:
  both:
    type: lstm
    input: frames
    units: 2
    bidirectional: true
    mask: {{lengths: lengths}}
    dropout: 0.2
  middle:
    {{type: gru, input: both.sequence, units: 3, recurrent_dropout: 0.2, initial_state: learned}}
  frozen:
    {{type: simple_rnn, input: middle.sequence, units: 2, go_backwards: true, trainable: false}}
  cell: {{type: rnn, input: middle.sequence, cells: [{{type: lstm_cell, units: 2}}]}}
  joined: {{type: concatenate, input: [frozen, cell]}}
  y: {{type: dense, input: joined, units: 1}}
outputs: {{y: y}}
training: {{loss: mse, optimizer: adam, batch_size: 4}}
runtime: {{seed: 1, {runtime}}}
"""
GENERATOR = np.random.default_rng(0)
FRAMES = GENERATOR.normal(size=(8, 4, 2)).astype("float32")
LENGTHS = np.array([4, 3, 1, 0, 4, 2, 3, 4], "int32")
TARGETS = {"y": GENERATOR.normal(size=(8, 1)).astype("float32")}
DATA = {"frames": FRAMES, "lengths": LENGTHS}


def trained(model: keras.Model, *, eagerly: bool = False) -> keras.Model:
    model.run_eagerly = eagerly
    model.fit(DATA, TARGETS, batch_size=4, epochs=1, shuffle=False, verbose=0)
    return model


def fused_layers(model: keras.Model) -> int:
    return sum("inner_loop" in vars(layer) for layer in model._flatten_layers())


def assert_alike(model: keras.Model, other: keras.Model) -> None:
    for one, two in zip(model.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_allclose(one, two, rtol=0, atol=1e-6)


@pytest.mark.slow
def test_training_has_the_numbers_of_keras_loop(tmp_path: Path) -> None:
    """After a saved and loaded epoch too, with the same dropout under XLA.

    What takes seconds to compile runs eagerly: Keras's loop, and the loaded models.
    """
    path, models, loaded = tmp_path / "m.keras", [], []
    for runtime, count in (("kernel: standard", 0), ("kernel: fused", 5), ("xla: true", 5)):
        recipe = load(ALL_KINDS.format(runtime=runtime))
        model = trained(recipe.build(), eagerly=not count)
        recipe.save(model, path)
        models.append(model)
        assert_alike(model, models[0])
        loaded.append(lstmgraph.load_model(path))
        assert fused_layers(model) == fused_layers(loaded[-1]) == count
        if runtime != "xla: true":  # which takes seconds to compile
            assert_alike(trained(loaded[-1], eagerly=True), loaded[0])
    plain = keras.models.load_model(path)
    assert fused_layers(plain) == 0
    expected = model(DATA)["y"]
    np.testing.assert_allclose(plain(DATA)["y"], expected, rtol=0, atol=1e-6)
    for kernel in ("standard", "auto"):
        exported, _ = inference_models(recipe.compiled, {}, model, kernel)
        assert fused_layers(exported) == 0
        np.testing.assert_allclose(exported(DATA)["y"], expected, rtol=0, atol=1e-6)


@pytest.fixture
def _undetermined() -> Iterator[None]:
    """Afterwards the process is as before: with deterministic operations, Keras refuses XLA."""
    yield
    disable_op_determinism()


@pytest.mark.slow
@pytest.mark.usefixtures("_undetermined")
def test_every_run_has_the_same_bits() -> None:
    recipe = load(ALL_KINDS.format(runtime="kernel: fused, deterministic: true"))
    one, two = (trained(recipe.build()).get_weights() for _ in range(2))
    assert all(np.array_equal(*pair) for pair in zip(one, two, strict=True))


def test_states_are_carried_and_steps_are_those_of_the_whole() -> None:
    text = """
    inputs: {{frames: {{shape: [4, 2]}}}}
    layers:
      reader: {{type: gru, input: frames, units: 2, initial_state: {state}}}
      y: {{type: dense, input: reader.sequence, units: 1}}
    outputs: {{y: y}}
    runtime: {{seed: 1, kernel: {kernel}{batch}}}
    """
    carried = [
        load(text.format(state="carried", kernel=kernel, batch=", batch_size: 2")).build()
        for kernel in ("standard", "fused")
    ]
    for rows in (FRAMES[:2], FRAMES[2:4]):
        expected, found = (model({"frames": rows})["y"] for model in carried)
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)
    recipe = load(text.format(state="zeros", kernel="fused", batch=""))
    whole = recipe.build()
    stepper = lstmgraph.Stepper(recipe.derive("step"), rows=8, xla=False)
    steps = [stepper.step(FRAMES[:, number])["y"] for number in range(4)]
    expected = whole({"frames": FRAMES})["y"]
    np.testing.assert_allclose(np.stack(steps, axis=1), expected, rtol=0, atol=1e-6)


OBSTACLES = {
    "": True,
    "activation: gelu": False,
    "activation: linear": True,
    "recurrent_activation: hard_sigmoid": True,
    "recurrent_activation: softplus": False,
    "dtype_policy: mixed_bfloat16": True,
    "dtype_policy: float64": True,
    "dtype_policy: mixed_float16": False,
    "unroll: true": False,
    "use_bias: false": True,
}


@pytest.mark.parametrize("argument", OBSTACLES)
def test_the_recipe_and_the_layer_agree_on_what_can_run(argument: str) -> None:
    recipe = load(f"""
    inputs: {{frames: {{shape: [4, 2]}}}}
    layers:
      reader: {{type: lstm, input: frames, units: 2, {argument}}}
    outputs: {{y: reader}}
    """)
    node = recipe.compiled.graph.by_name["reader"]
    assert (fused_obstacle(node) is None) == OBSTACLES[argument]
    layer: Any = recipe.build().get_layer("reader")
    assert can_install(layer) == OBSTACLES[argument]
