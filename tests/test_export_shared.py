"""LiteRT files of fewer bits whose loops share data, or hold numbers of very different sizes.

Outputs are compared with Keras's. Weights are numbers of float16, so that a file in float16 has the
same ones, and may only differ by what float32 rounds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from building import load, randomise

if TYPE_CHECKING:
    import keras

# Keras 3.15 writes weights with a call that NumPy 2 wants spelled otherwise.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

HALF, DYNAMIC = 1e-5, 0.02
"""How far outputs may be off, in parts of the largest value: at most, and on average."""

# Each loop subtracts its gate from 1, which TensorFlow's converter stores once for both.
BOTH = """
inputs: {x: {shape: [time, 3]}, n: {shape: [], dtype: int32}}
layers:
  y: {type: gru, input: x, units: 4, bidirectional: true, mask: {lengths: n}}
outputs: {y: y}
"""
# Their weights are stored once for both.
TWICE = """
inputs: {x: {shape: [time, 30]}, z: {shape: [time, 30]}}
layers:
  a: {type: KIND, input: x, units: 40}
  b: {call: a, input: z}
  y: {type: subtract, input: [a, b]}
outputs: {y: y}
"""
# Padded steps leave the cell state as it is: a huge sum closes one gate and opens another.
CELL = """
inputs: {x: {shape: [time, 30]}, n: {shape: [], dtype: int32}}
layers:
  a: {type: lstm, input: x, units: 40, mask: {lengths: n}, MORE}
outputs: {y: a.state.c}
"""
# Larger than any number of float16.
LARGE = """
inputs: {x: {shape: [time, 8]}}
layers: {y: {type: dense, input: x, units: 9}}
outputs: {y: y}
"""


def made(text: str, scale: float = 1.0) -> tuple[Any, keras.Model]:
    recipe = load(text, "small")
    model = recipe.build()
    randomise(model)
    halves = [(each * 0.5).astype("float16") for each in model.get_weights()]
    model.set_weights([each.astype("float32") * scale for each in halves])
    return recipe, model


def differences(content: bytes, model: keras.Model) -> np.ndarray:
    """The differences from Keras of three calls of a file, in parts of the largest value."""
    from ai_edge_litert.interpreter import Interpreter  # noqa: PLC0415 - in an extra

    random = np.random.default_rng(3)
    run = Interpreter(model_content=content).get_signature_runner()
    found, wanted = [], []
    for steps in (7, 7, 12):  # the second call has the memory of the first
        batch = {
            name: random.normal(size=(1, steps, tensor.shape[-1])).astype("float32")
            for name, tensor in model.input.items()
            if name != "n"
        }
        if "n" in model.input:
            batch["n"] = np.array([steps - 2], "int32")
        found.append(np.ravel(run(**batch)["y"]))
        wanted.append(np.ravel(model(batch)["y"]))
    one, other = np.concatenate(found), np.concatenate(wanted)
    return np.abs(one - other) / np.abs(other).max()


def test_two_loops_in_float16(tmp_path) -> None:
    """TensorFlow's quantizer converted what loops share twice: outputs were off by 100 %."""
    recipe, model = made(BOTH)
    report = recipe.export(model, tmp_path, format="litert", quantize="float16")
    assert [each.kind for each in report.recurrent] == ["loop"]
    assert differences(report.path.read_bytes(), model).max() < HALF


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["float16", "dynamic"])
@pytest.mark.parametrize(
    "text",
    [
        TWICE.replace("KIND", "gru"),
        TWICE.replace("KIND", "simple_rnn"),
        CELL.replace("MORE", "go_backwards: true"),
    ],
    ids=["gru", "simple_rnn", "cell"],
)
def test_shared_weights_and_huge_ones(tmp_path, text: str, kind: str) -> None:
    recipe, model = made(text)
    report = recipe.export(model, tmp_path, format="litert", quantize=kind)
    found = differences(report.path.read_bytes(), model)
    assert report.size < {"float16": 0.8, "dynamic": 0.75}[kind] * report.quantized.plain_size
    assert found.max() < HALF if kind == "float16" else 1e-5 < found.mean() < DYNAMIC


@pytest.mark.slow
def test_weights_that_float16_cannot_hold_stay(tmp_path) -> None:
    recipe, model = made(LARGE, scale=1e6)
    report = recipe.export(model, tmp_path, format="litert", quantize="float16")
    assert differences(report.path.read_bytes(), model).max() < HALF
    assert "DEQUANTIZE" not in report.operators
