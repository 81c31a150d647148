"""What TensorFlow refuses while a model runs is a mistake at the layer's line, no traceback."""

from __future__ import annotations

import errno
import json
import os
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from building import load, with_header
from training_cases import arrays, recipe
from typer.testing import CliRunner

import lstmgraph
from lstmgraph.cli import app
from lstmgraph.models.run_errors import run_errors

if TYPE_CHECKING:
    from pathlib import Path

    from typer.testing import Result

# Keras 3.15 writes weights with a call that NumPy 2 wants spelled otherwise.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

TEXTS = np.array([["a", "b"]] * 4)
NUMBERS = np.full((4, 2), 6, "int32")
CASES: dict[str, tuple[str, np.ndarray, np.ndarray, str]] = {
    "StringLookup": (
        """
inputs: {x: {shape: [2], dtype: string}}
layers:
  ids: {type: StringLookup, input: x, vocabulary: [a, b], num_oov_indices: 0}
  row: {type: embedding, input: ids, input_dim: 2, output_dim: 2}
""",
        TEXTS,
        np.where(TEXTS == "b", "z", TEXTS),
        "found OOV values",
    ),
    "IntegerLookup": (
        """
inputs: {x: {shape: [2], dtype: int32}}
layers:
  ids: {type: IntegerLookup, input: x, vocabulary: [6, 7], num_oov_indices: 0}
  row: {type: embedding, input: ids, input_dim: 2, output_dim: 2}
""",
        NUMBERS,
        NUMBERS + 3,
        "found OOV values",
    ),
    "Embedding": (
        """
inputs: {x: {shape: [2], dtype: int32}}
layers:
  twice: {type: add, input: [x, x]}
  row: {type: embedding, input: twice, input_dim: 13, output_dim: 2}
""",
        NUMBERS,
        NUMBERS + 1,
        "= 14 is not in [0, 13)",
    ),
}
REST = """
  flat: {type: flatten, input: row}
  y: {type: dense, input: flat, units: 1}
outputs: {y: y}
runtime: {xla: false}
training: {loss: mse, epochs: 1}
"""


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(each) for each in arguments])


def said(result: Result, kind: str, reason: str) -> None:
    """One message, at the layer of that class, and no traceback."""
    assert isinstance(result.exception, SystemExit), result.exception
    assert result.exit_code == 1
    assert result.output.count("error[L902]: TensorFlow cannot run") == 1
    assert f"({kind}) on this data: " in result.output
    assert reason in result.output.replace("\n", " ")
    assert "File " not in result.output
    assert "help: " in result.output


@pytest.mark.parametrize("kind", CASES)
def test_values_that_no_check_sees_are_refused_at_the_layer(kind: str, tmp_path: Path) -> None:
    text, right, wrong, reason = CASES[kind]
    file = tmp_path / "small.yaml"
    file.write_text(with_header(text.rstrip() + REST, "small"))
    targets = np.zeros((4, 1), "float32")
    for name, values in {"right": right, "wrong": wrong}.items():
        np.savez(tmp_path / f"{name}.npz", x=values, y=targets)
    bad, folder = tmp_path / "wrong.npz", tmp_path / "run"
    said(run("train", file, "--data", bad, "-o", folder), kind, reason)
    assert not list(folder.glob("*.keras"))
    assert run("train", file, "--data", tmp_path / "right.npz", "-o", folder).exit_code == 0
    said(run("evaluate", folder, "--data", bad), kind, reason)
    output = tmp_path / "p.csv"
    result = run("predict", folder, "--data", bad, "-o", output, "--format", "json")
    assert [each["code"] for each in json.loads(result.stdout)["diagnostics"]] == ["L902"]
    assert not output.exists()


class Failing(keras.callbacks.Callback):
    """Fails as TensorFlow does where a step needs more than there is."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error

    def on_train_begin(self, logs: Any = None) -> None:  # noqa: ARG002 - as Keras calls it
        raise self.error


def exhausted(text: str) -> Exception:
    return tf.errors.ResourceExhaustedError(None, None, text)


def test_too_little_memory_names_what_to_make_smaller(tmp_path: Path) -> None:
    error = exhausted("{{function_node f}} OOM when allocating tensor with shape[9,9]")
    inputs, targets = arrays()
    with pytest.raises(lstmgraph.RecipeError) as caught:
        recipe().train((inputs, targets), folder=tmp_path, callbacks=[Failing(error)])
    (found,) = caught.value.diagnostics
    assert found.path == ("training",)
    assert found.message.endswith("on this data: OOM when allocating tensor with shape[9,9]")
    assert "smaller `batch_size`" in (found.hint or "")
    assert caught.value.__cause__ is error


@pytest.mark.parametrize(
    "error", [RuntimeError("own"), KeyError("own"), exhausted(f"a; {os.strerror(errno.ENOSPC)}")]
)
def test_other_errors_stay_what_they_are(error: Exception) -> None:
    compiled = load(CASES["Embedding"][0].rstrip() + REST).compiled
    with pytest.raises(Exception, match=r"own|No space left") as caught, run_errors(compiled):
        raise error
    kept = not isinstance(error, tf.errors.OpError)
    assert (caught.value is error) if kept else isinstance(caught.value, OSError)


def test_several_root_errors_give_the_first() -> None:
    """As TensorFlow words it where parallel branches fail."""
    compiled = load(CASES["Embedding"][0].rstrip() + REST).compiled
    text = (
        "Graph execution error:\n\nDetected at node model_1/row_1/GatherV2 defined at (most recent "
        'call last):\n  File "/keras/src/layers/y/flat/y.py", line 1, in call\n\n'
        "2 root error(s) found.\n  (0) INVALID_ARGUMENT:  indices[0,1] = 14 is not in [0, 13)\n"
        "\t [[{{node model_1/row_1/GatherV2}}]]\n  (1) CANCELLED:  other\n"
    )
    with pytest.raises(lstmgraph.RecipeError) as caught, run_errors(compiled):
        raise tf.errors.InvalidArgumentError(None, None, text)
    (found,) = caught.value.diagnostics
    assert found.path == ("layers", "row")
    assert found.message == (
        "TensorFlow cannot run 'row' (Embedding) on this data: indices[0,1] = 14 is not in [0, 13)"
    )
