"""Targets that a loss or a metric cannot read are reported before a training, not by TensorFlow."""

from __future__ import annotations

import numpy as np
import pytest

import lstmgraph

SHARES = np.array([[0.5, 0.5, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 0.0], [0.2, 0.3, 0.5]])
"""What adds up to 1, and what all losses take for padding."""


def load(values: np.ndarray, loss: str, metrics: str, head: str) -> lstmgraph.Data:
    units, activation = head.split()
    sequence = ".sequence" if loss == "ctc" else ""
    recipe = lstmgraph.load(f"""
recipe: 1
name: targets
inputs: {{x: {{shape: [time, 3]}}}}
layers:
  r: {{type: gru, input: x, units: 4}}
  y: {{type: dense, input: r{sequence}, units: {units}, activation: {activation}}}
outputs: {{y: y}}
training: {{loss: {loss}, metrics: [{metrics}]}}
""")
    return recipe.load_data({"x": np.zeros((len(values), 6, 3), "float32"), "y": values})


@pytest.mark.parametrize(
    ("loss", "metrics", "head", "values", "words"),
    [
        ("sparse_categorical_crossentropy", "", "3 softmax", [0, 1, 2, 3], r"y\[3\]: 3"),
        ("sparse_categorical_crossentropy", "", "3 softmax", [0, -1, 2, 1], r"y\[1\]: -1"),
        ("sparse_categorical_crossentropy", "", "3 softmax", [0, 0.5, 2, 1], "whole numbers"),
        ("categorical_crossentropy", "accuracy", "3 softmax", SHARES * 2, "add up to 1"),
        ("kl_divergence", "", "3 softmax", SHARES / 2, r"add up to 1"),
        ("binary_crossentropy", "", "1 sigmoid", [[0], [1], [2], [1]], "takes 0 to 1"),
        ("binary_crossentropy", "auc", "1 sigmoid", [[0.5]] * 4, "AUC takes 0 and 1"),
        ("mse", "recall", "1 sigmoid", [[0.5]] * 4, "Recall takes 0 and 1"),
        ("hinge", "", "1 tanh", [[0], [1], [-2], [1]], "-1 and 1, or 0 and 1"),
        ("poisson", "", "1 softplus", [[0], [1], [-2], [1]], "numbers from 0"),
        ("dice", "", "1 sigmoid", [[0], [1], [-2], [1]], "takes 0 to 1"),
        ("ctc", "", "4 linear", [[1, 2], [3, 0], [4, 0], [1, 1]], "labels are 1 to 3"),
        ("ctc", "", "4 linear", [[1, 2], [0, 3], [1, 0], [1, 1]], "behind its last label"),
    ],
)
def test_targets_that_cannot_be_read(
    loss: str, metrics: str, head: str, values: object, words: str
) -> None:
    with pytest.raises(lstmgraph.DataError, match=words) as caught:
        load(np.array(values), loss, metrics, head)
    assert len(caught.value.problems) == 1


@pytest.mark.parametrize(
    ("loss", "metrics", "head", "values"),
    [
        ("categorical_crossentropy", "accuracy", "3 softmax", SHARES),
        ("binary_crossentropy", "accuracy", "1 sigmoid", [[0.5], [0.0], [1.0], [0.1]]),
        ("hinge", "hinge", "1 tanh", [[-1], [1], [-1], [1]]),
        ("hinge", "hinge", "1 tanh", [[0], [1], [0], [1]]),
        ("mse", "categorical_accuracy", "3 linear", SHARES * 9),
        ("ctc", "", "4 linear", [[1, 2], [3, 0], [0, 0], [1, 1]]),
    ],
)
def test_targets_that_can_be_read(loss: str, metrics: str, head: str, values: object) -> None:
    load(np.array(values), loss, metrics, head)


TWO_OF_A_NAME = """
recipe: 1
name: two
inputs: {x: {shape: [2]}, x_target: {shape: [2]}}
layers:
  y: {type: dense, input: x, units: 2}
  z: {type: add, input: [y, x_target]}
outputs: {x: z}
"""


def test_a_target_has_no_name_of_an_input() -> None:
    with pytest.raises(lstmgraph.RecipeError, match=r"L795.* for the input 'x_target'"):
        lstmgraph.load(TWO_OF_A_NAME + "training: {loss: mse}")
    renamed = TWO_OF_A_NAME.replace("{x: z}", "{z: z}") + "training: {loss: mse}"
    assert lstmgraph.load(renamed).warnings == ()
    assert lstmgraph.load(TWO_OF_A_NAME).warnings == ()  # without a training there are no targets
