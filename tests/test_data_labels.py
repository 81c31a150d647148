"""Rows with fewer steps than CTC needs for their labels, which Keras gives a loss of about 700."""

from __future__ import annotations

import numpy as np
import pytest

import lstmgraph

STEPS_OF_LABELS = """
recipe: 1
name: labels
inputs: {x: {shape: [time, 3]}, lengths: {shape: [], dtype: int32}}
layers:
  r: {type: gru, input: x, units: 4, mask: {lengths: lengths}}
  y: {type: dense, input: r.sequence, units: 4}
outputs: {y: y}
training: {loss: ctc}
data: {split: {validation: 0}}
"""


@pytest.mark.parametrize(
    ("steps", "labels", "words"),
    [
        ([3, 3], [[1, 2, 3, 1], [1, 0, 0, 0]], r"1 row .* y\[0\]: 4 labels need 4 steps, .* 3"),
        ([3, 3], [[1, 2, 3, 0], [1, 1, 2, 0]], r"1 row .* y\[1\]: 3 labels need 4 steps, .* 3"),
        ([3, 1], [[1, 2, 3, 0], [1, 2, 0, 0]], r"1 row .* y\[1\]: 2 labels need 2 steps, .* 1"),
        ([3, 0], [[1, 2, 3, 0], [1, 1, 2, 1]], ""),
        ([3, 2], [[1, 1, 0, 0], [1, 2, 0, 0]], ""),
    ],
)
def test_labels_need_steps_in_ctc(steps: list[int], labels: list[list[int]], words: str) -> None:
    data = {"x": np.zeros((2, 3, 3), "float32"), "lengths": steps, "y": labels}
    data = {name: np.array(array) for name, array in data.items()}
    recipe = lstmgraph.load(STEPS_OF_LABELS)
    if not words:
        recipe.load_data(data)
        return
    with pytest.raises(lstmgraph.DataError, match=words) as caught:
        recipe.load_data(data)
    assert [problem.code for problem in caught.value.problems] == ["D209"]


def test_labels_need_steps_in_ctc_where_no_lengths_count_them() -> None:
    labels = np.array([[1, 2, 3, 1, 1, 2]] * 3)
    text = STEPS_OF_LABELS.replace(", mask: {lengths: lengths}", "")
    recipe = lstmgraph.load(text.replace(", lengths: {shape: [], dtype: int32}", ""))
    with pytest.raises(lstmgraph.DataError, match=r"3 rows .* 6 labels need 7 steps, but it has 6"):
        recipe.load_data({"x": np.zeros((3, 6, 3)), "y": labels})
