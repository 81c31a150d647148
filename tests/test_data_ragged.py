"""Rows of different lengths: padded where lengths mask them, and errors with the fix elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from data_building import recipe

import lstmgraph
from lstmgraph.data.fingerprint import fingerprint
from lstmgraph.tuning.data import kept_path

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TAGGER = """
    inputs:
      x: {shape: [time, 2]}
      lengths: {shape: [], dtype: int32}
    layers:
      reader: {type: gru, input: x, units: 3, mask: {lengths: lengths}}
      words: {type: dense, input: reader.sequence, units: 4, activation: softmax}
    outputs: {words: words}
    training: {loss: sparse_categorical_crossentropy}
    data: {split: {validation: 0}}
"""
LENGTHS = [3, 1, 4, 2]


def rows() -> list[np.ndarray]:
    return [np.arange(2.0 * n).reshape(n, 2) + n for n in LENGTHS]


def words() -> list[np.ndarray]:
    return [np.arange(n) % 4 for n in LENGTHS]


def as_objects(arrays: list[np.ndarray]) -> np.ndarray:
    found = np.empty(len(arrays), object)
    found[:] = arrays
    return found


class Tensor:
    """An array as other libraries have it."""

    def __init__(self, array: np.ndarray) -> None:
        self.array, self.ndim = array, array.ndim

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.array(self.array, dtype)


def elements() -> Iterator[Any]:
    yield from (({"x": x}, {"words": y}) for x, y in zip(rows(), words(), strict=True))


def datasets() -> dict[str, Any]:
    import tensorflow as tf  # noqa: PLC0415 - only here

    signature = ({"x": tf.TensorSpec((None, 2))}, {"words": tf.TensorSpec((None,), tf.int32)})
    one_by_one = tf.data.Dataset.from_generator(elements, output_signature=signature)
    even = tf.RaggedTensor.from_row_lengths(np.concatenate(rows()), LENGTHS)
    twice = tf.ragged.constant([row.tolist() for row in rows()])
    ids = tf.ragged.constant([row.tolist() for row in words()])
    sliced = tf.data.Dataset.from_tensor_slices(({"x": even}, {"words": ids}))
    padded = one_by_one.map(lambda x, y: ({**x, "lengths": tf.shape(x["x"])[0]}, y))
    return {
        "a ragged tensor": ({"x": even}, {"words": ids}),
        "a ragged tensor of two ragged axes": ({"x": twice}, {"words": ids}),
        "elements": one_by_one,
        "ragged batches": one_by_one.ragged_batch(3),
        "ragged batches of one": one_by_one.ragged_batch(1),
        "slices": tf.data.Dataset.from_tensor_slices(({"x": twice}, {"words": ids})),
        "batches of slices": sliced.batch(2),
        "batches padded by themselves": padded.padded_batch(2),
    }


FORMS: dict[str, Any] = {
    "lists of arrays": ({"x": rows()}, {"words": words()}),
    "lists of lists": (
        {"x": [row.tolist() for row in rows()]},
        {"words": [row.tolist() for row in words()]},
    ),
    "object arrays": ({"x": as_objects(rows())}, {"words": as_objects(words())}),
    "tensors": ({"x": [Tensor(row) for row in rows()]}, {"words": words()}),
    "by name": {"x": rows(), "words": words()},
    "with lengths": {"x": rows(), "lengths": LENGTHS, "words": words()},
}


def padded() -> tuple[dict[str, Any], dict[str, Any]]:
    counted = np.arange(4) < np.array(LENGTHS)[:, None]
    x, y = np.zeros((4, 4, 2)), np.zeros((4, 4), int)
    x[counted], y[counted] = np.concatenate(rows()), np.concatenate(words())
    return {"x": x, "lengths": LENGTHS}, {"words": y}


def check(source: Any) -> None:
    inputs, targets, _ = recipe(TAGGER).load_data(source).train.arrays()
    wanted_inputs, wanted_targets = padded()
    np.testing.assert_array_equal(inputs["x"], wanted_inputs["x"])
    np.testing.assert_array_equal(inputs["lengths"], wanted_inputs["lengths"])
    np.testing.assert_array_equal(targets["words"], wanted_targets["words"])


@pytest.mark.parametrize("form", FORMS)
def test_rows_are_padded_and_their_lengths_filled_in(form: str) -> None:
    check(FORMS[form])


def test_tensors_and_datasets_of_tensorflow() -> None:
    for source in datasets().values():
        check(source)


def test_a_search_keeps_them_padded(tmp_path: Path) -> None:
    found = recipe(TAGGER)
    for name in ("lists of arrays", "by name"):
        given = found.load_data(FORMS[name]).train
        path = kept_path(found.compiled, FORMS[name], tmp_path)
        assert fingerprint(found.load_data(path).train) == fingerprint(given)
        check(path)


def test_weights_of_steps_are_padded_too() -> None:
    given = {**FORMS["by name"], "sample_weight": [np.ones(n) for n in LENGTHS]}
    weights = recipe(TAGGER).load_data(given).train.arrays()[2]
    assert weights is not None
    np.testing.assert_array_equal(weights["words"].sum(axis=1), LENGTHS)


def test_lists_of_rows_of_one_length() -> None:
    """Lengths are filled in for them too; empty rows are padded to the declared size."""
    data = recipe(TAGGER).load_data({"x": [[[1, 2]]] * 3, "words": [[0]] * 3})
    np.testing.assert_array_equal(data.train.arrays()[0]["lengths"], [1, 1, 1])
    fixed = recipe(TAGGER, inputs__x__shape=[6, 2])
    inputs, targets, _ = fixed.load_data(
        {"x": [*rows(), []], "words": [*words(), []]}
    ).train.arrays()
    assert (inputs["x"].shape, targets["words"].shape) == ((5, 6, 2), (5, 6))
    np.testing.assert_array_equal(inputs["lengths"], [*LENGTHS, 0])


def reported(source: Any, **values: Any) -> list[str]:
    with pytest.raises(lstmgraph.DataError) as error:
        recipe(TAGGER, **values).load_data(source)
    assert all(problem.hint for problem in error.value.problems)
    return [f"{problem.code} {problem.message}" for problem in error.value.problems]


def test_rows_that_cannot_be_padded() -> None:
    unmasked = {"layers__reader__mask": "none"}
    apart = "have different numbers of steps, 1 to 4, and no lengths mask them"
    assert reported(FORMS["with lengths"], **unmasked) == [
        f"D207 the rows of 'x' {apart}",
        f"D207 the rows of 'words' {apart}",
    ]
    for number in (1, 7):
        lengths = [min(n + number, 4) for n in LENGTHS]
        assert reported({**FORMS["by name"], "lengths": lengths})[0] == (
            "D208 'lengths' is 4 for row 0, but that row of 'x' has 3 steps"
        )
    odd = [np.ones((2, 2)), np.ones((3, 1))]
    assert reported({"x": odd, "words": words()[:2]}) == [
        "D207 row 1 of 'x' has shape (3, 1), another one (2, 2)"
    ]
    inner = [[[1.0, 2.0], [3.0]], [[1.0, 2.0]]]
    assert reported({"x": inner, "words": words()[:2]}) == [
        "D207 row 0 of 'x' has parts of different lengths itself"
    ]
    assert reported({"x": rows(), "words": words()[:3]}) == [
        "D204 'words' has 3 examples, but 'x' has 4"
    ]


@pytest.mark.parametrize(
    ("lengths", "wanted"),
    [
        ([3, 1, 5, 2], "D302 'lengths': 1 value is out of range, the first in lengths[2]: 5"),
        ([3, 1, -1, 2], "D302 'lengths': 1 value is out of range, the first in lengths[2]: -1"),
        ([3, 1, 1.5, 2], "D202 'lengths': 1 value is not int32, the first in lengths[2]: 1.5"),
        ([3, 1, np.nan, 2], "D301 'lengths': 1 value is missing (NaN), the first in lengths[2]"),
        (
            np.ones((4, 2)),
            "D203 'lengths' has shape (4, 2), but the input takes (batch)",
        ),
        ([[3, 1], [2]], "D207"),
    ],
)
def test_lengths_that_are_none(lengths: Any, wanted: str) -> None:
    x, y = padded()
    (first, *_) = reported(({**x, "lengths": lengths}, y))
    assert first.startswith(wanted)


def test_several_inputs_have_names() -> None:
    x, y = padded()
    for given in ([x["x"], x["lengths"]], x["x"], rows()):
        assert reported((given, y)) == ["D201 x has no names, but the recipe has 2 inputs"]


def test_objects_without_numbers() -> None:
    x, y = padded()
    for odd in ({"a": 1}, object(), [None, {}], "text"):
        (first, *_) = reported(({**x, "x": odd}, y))
        assert first.startswith(("D202 'x' holds", "D203 'x' is a single"))
