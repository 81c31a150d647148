"""What docs/why.md says that Keras computes wrong: still so in the installed Keras.

A row of the table that fails here is right in this Keras, or wrong in another way: the rule of
lstmgraph that stands for it may go, or must be changed.
"""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import TYPE_CHECKING

import keras
import numpy as np
import pytest
import step_numbers
import tensorflow as tf
from keras import losses, metrics, ops

if TYPE_CHECKING:
    from collections.abc import Callable

TABLE = Path(__file__).parents[1] / "docs" / "why.md"
ROW = re.compile(r"^\| (?P<fact>[^|]+) \| (?P<found>[^|]+) \| (?P<right>[^|]+) \| [^|]+ \|$", re.M)

MASK = np.array([[True, True, False], [True, False, False]])
TARGET = np.array([[1, 0, 1], [1, 1, 1]], "float32")[:, :, None]
CHANCE = np.array([[0.9, 0.2, 0.1], [0.4, 0.3, 0.3]], "float32")[:, :, None]
STEPS = (TARGET[MASK].astype("float64"), CHANCE[MASK].astype("float64"), np.ones(3))


def masked(values: np.ndarray) -> keras.KerasTensor:
    """The tensor with the mask, as a layer that passes masks on gives it."""
    kept = np.where(MASK[..., None], values, -1).astype("float32")
    tensor = keras.layers.Masking(-1)(kept)
    return keras.layers.Activation(lambda x: ops.where(x < 0, values, x))(tensor)


def metric(name: str) -> tuple[float, float]:
    own = getattr(metrics, name)()
    own.update_state(TARGET, masked(CHANCE))
    return float(own.result()), float(np.squeeze(step_numbers.METRICS[name](*STEPS)))


def f1_of_a_sequence() -> tuple[float, float]:
    own = metrics.F1Score(average="micro", threshold=0.5)
    right = step_numbers.f_score(*STEPS, average="micro", threshold=0.5)
    try:
        own.update_state(TARGET, masked(CHANCE))
    except ValueError:
        return math.nan, right
    return float(own.result()), right


def dice() -> tuple[float, float]:
    return float(losses.Dice()(TARGET, masked(CHANCE))), step_numbers.overlap("Dice", *STEPS[:2])


def tversky() -> tuple[float, float]:
    target, chance = TARGET[0].astype("float64"), CHANCE[0].astype("float64")
    found = float(losses.Tversky(alpha=0.9, beta=0.1)(target, chance))
    # The documentation: alpha weighs false positives, beta false negatives.
    return found, step_numbers.overlap("Tversky", target, chance, alpha=0.1, beta=0.9)


def weighed_dice() -> tuple[float, float]:
    weights = np.array([0.0, 2.0, 4.0])
    target, chance = TARGET[0].astype("float64"), CHANCE[0].astype("float64")
    found = float(losses.Dice()(target, chance, sample_weight=weights))
    both = (weights[:, None] * target * chance).sum()
    return found, 1 - 2 * both / (weights[:, None] * (target + chance)).sum()


def nan_in_padding() -> tuple[float, float]:
    target = np.where(MASK[..., None], TARGET, np.nan)
    found = float(losses.MeanSquaredError()(target, masked(CHANCE)))
    return found, float(step_numbers.squared(*STEPS[:2]).mean())


def masked_hinge() -> tuple[float, float]:
    """Labels 0 and 1 are only taken for -1 and 1 if the whole batch is 0 and 1, padding too."""
    padded = np.where(MASK[..., None], TARGET, -1)
    found = float(losses.Hinge()(padded, masked(CHANCE)))
    return found, float(step_numbers.hinge(*STEPS[:2]).mean())


def ctc_of_steps() -> tuple[float, float]:
    logits = np.random.default_rng(0).normal(size=(2, 2, 3)).astype("float32")
    tensor = keras.layers.Masking(-9)(np.where([[[1], [1]], [[1], [0]]], logits, -9.0))
    labels = np.array([[1], [2]])
    right = [step_numbers.ctc(logits[0].astype("float64"), [1])]
    right.append(step_numbers.ctc(logits[1, :1].astype("float64"), [2]))
    return float(losses.CTC()(labels, tensor)), float(np.mean(right))


def rows_for_steps() -> tuple[float, float]:
    """Weights of three rows over three steps."""
    target, chance = np.zeros((3, 3, 1)), np.arange(9.0).reshape(3, 3, 1)
    weights = np.array([1.0, 0.0, 0.0])
    found = float(losses.MeanSquaredError()(target, chance, sample_weight=weights))
    return found, float((chance[:, :, 0] ** 2 * weights[:, None]).mean())


def smaller_batches() -> tuple[float, float]:
    """The loss of one of two outputs over a batch of two rows and one of one row."""
    given = keras.Input((1,))
    model = keras.Model(given, {"a": given, "b": given})
    model.compile(loss={"a": "mse", "b": "mse"}, jit_compile=False)
    x = np.array([[1.0], [1.0], [4.0]])
    zeros = {"a": np.zeros((3, 1)), "b": np.zeros((3, 1))}
    found = model.evaluate(x, zeros, batch_size=2, verbose=0, return_dict=True)
    return found["a_loss"], float((x**2).mean())


def empty_row() -> tuple[float, float]:
    pooling = keras.layers.GlobalAveragePooling1D()
    found = pooling(np.ones((1, 3, 1), "float32"), mask=np.zeros((1, 3), bool))
    return float(ops.squeeze(found)), 0.0


def best_of_float64() -> tuple[float, float]:
    own = metrics.TopKCategoricalAccuracy(k=1, dtype="float64")
    target, found = np.eye(3), np.eye(3)
    try:
        own.update_state(target, ops.convert_to_tensor(found, "float64"))
    except Exception:
        return math.nan, 1.0
    return float(own.result()), 1.0


def binary_of_a_softmax() -> tuple[float, float]:
    """Keras keeps the logits of an activation on the tensor, of whichever it is."""
    logits, target = np.array([[2.0, 0.0, -1.0]]), np.array([[1.0, 0.0, 0.0]])
    chances = keras.layers.Softmax()(logits.astype("float32"))
    right = step_numbers.binary_crossentropy(target, np.array(chances, "float64"))
    return float(losses.BinaryCrossentropy()(target, chances)), float(right.mean())


def adjusted_r2() -> tuple[float, float]:
    random = np.random.default_rng(1)
    target, found = random.normal(size=(2, 6, 3))
    own = metrics.R2Score(num_regressors=2)
    own.update_state(target, found)
    plain = step_numbers.r2(target, found, np.ones(6))
    return float(own.result()), 1 - (1 - plain) * (6 - 1) / (6 - 2 - 1)


def steps_in_a_graph() -> tuple[float, float]:
    layer = keras.layers.TimeDistributed(keras.layers.Dense(3))
    given = keras.Input((None, 4))
    model = keras.Model(given, layer(given))
    assert model.predict(np.ones((2, 3, 4)), verbose=0).shape == (2, 3, 3)  # the first size
    found = model.predict(np.ones((2, 5, 4)), verbose=0)
    assert layer(np.ones((2, 5, 4))).shape == (2, 5, 3)  # called without a graph
    return float(found.shape[1]), 5.0


def sums_to_one() -> tuple[float, float]:
    values = np.array([[0.0, 0.0, 0.0, -1.0, 3.0, 2.5]], "float32")
    return float(ops.sum(keras.activations.sparsemax(values))), 1.0


FACTS: dict[str, Callable[[], tuple[float, float]]] = {
    "`Recall` of masked steps": lambda: metric("Recall"),
    "`AUC` of masked steps": lambda: metric("AUC"),
    "`RootMeanSquaredError` of masked steps": lambda: metric("RootMeanSquaredError"),
    "`F1Score` of a sequence": f1_of_a_sequence,
    "`Dice` of masked steps": dice,
    "`Dice` with weights of rows": weighed_dice,
    "`Tversky`, alpha 0.9 and beta 0.1": tversky,
    "`CTC` of masked steps, as many as rows": ctc_of_steps,
    "a loss of masked steps with NaN in a padded target": nan_in_padding,
    "`Hinge` of labels 0 and 1 with another number in the padding": masked_hinge,
    "weights of rows for a sequence, as many steps as rows": rows_for_steps,
    "the loss of one of several outputs over batches of two rows and one": smaller_batches,
    "`GlobalAveragePooling1D` of a row without a step": empty_row,
    "`TopKCategoricalAccuracy` of float64": best_of_float64,
    "`BinaryCrossentropy` of a softmax": binary_of_a_softmax,
    "adjusted `R2Score` of three units": adjusted_r2,
    "how many steps `TimeDistributed` computes in a graph, of 2 rows with 5 steps each": (
        steps_in_a_graph
    ),
    "the sum of a row of `sparsemax`": sums_to_one,
}
if keras.backend.backend() != "tensorflow":
    pytest.skip("the numbers are those of TensorFlow", allow_module_level=True)


def documented() -> dict[str, tuple[str, str]]:
    section = TABLE.read_text("utf-8").partition("## What Keras computes wrong")[2]
    rows = [match for match in ROW.finditer(section) if "---" not in match["fact"]]
    return {row["fact"]: (row["found"], row["right"]) for row in rows[1:]}


def text(value: float) -> str:
    return "NaN or an error" if math.isnan(value) else f"{value:.3f}"


def test_the_table_has_these_facts() -> None:
    assert list(documented()) == list(FACTS)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("fact", FACTS)
def test_keras_is_wrong_as_the_table_says(fact: str) -> None:
    found, right = FACTS[fact]()
    assert text(found) != text(right)
    assert documented()[fact] == (text(found), text(right))


def test_keras_rounds_arrays_for_models_of_float64() -> None:
    """As docs/language.md says under "Precision"; a dataset keeps every digit."""
    given = keras.Input((3,), dtype="float64")
    model = keras.Model(given, keras.layers.Identity(dtype="float64")(given))
    x = np.full((2, 3), 1 / 3)
    assert np.array_equal(model.predict(x, verbose=0), x.astype("float32"))
    assert np.array_equal(model.predict(tf.data.Dataset.from_tensors(x), verbose=0), x)
