"""Batches of rows of similar lengths: the least padding, each row once, the same numbers."""

from __future__ import annotations

import itertools
from typing import Any

import keras
import numpy as np
import pytest
from data_building import recipe

import lstmgraph
from lstmgraph.data.buckets import least_padding

TAGGER = """
    inputs:
      x: {shape: [time, 2]}
      lengths: {shape: [], dtype: int32}
    layers:
      reader: {type: lstm, input: x, units: 3, bidirectional: true, mask: {lengths: lengths}}
      norm: {type: batch_normalization, input: reader.sequence}
      mean: {type: global_average_pooling1d, input: norm}
      tags: {type: dense, input: norm, units: 2, activation: softmax}
      kind: {type: dense, input: mean, units: 1}
    outputs: {tags: tags, kind: kind}
    training:
      loss: {tags: sparse_categorical_crossentropy, kind: mse}
      metrics: {tags: [sparse_categorical_accuracy]}
      weighted_metrics: {tags: [sparse_categorical_accuracy]}
      batch_size: 4
      epochs: 2
    runtime: {seed: 3}
    data: {bucket: 3, split: {validation: 0.3}}
"""
ROWS = 29
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def arrays() -> tuple[dict[str, np.ndarray], dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Inputs, targets and weights; padding is NaN or wrong, so that a read of it is seen."""
    random = np.random.default_rng(0)
    lengths = random.integers(1, 12, ROWS).astype("int32")
    x = random.normal(size=(ROWS, 12, 2)).astype("float32")
    tags = random.integers(0, 2, (ROWS, 12)).astype("int32")
    weights = random.uniform(0.5, 2, (ROWS, 12)).astype("float32")
    x[np.arange(12) >= lengths[:, None]] = 1e3
    inputs = {"x": x, "lengths": lengths}
    kinds = random.normal(size=(ROWS, 1)).astype("float32")
    return inputs, {"tags": tags, "kind": kinds}, {"tags": weights, "kind": np.ones(ROWS, "f4")}


@pytest.fixture(scope="module")
def data() -> Any:
    return recipe(TAGGER).load_data(arrays())


def test_the_sizes_need_the_least_padding() -> None:
    random = np.random.default_rng(0)
    for _ in range(60):
        lengths = random.integers(1, 12, (random.integers(1, 25), 1))
        count = int(random.integers(2, 6))
        sizes = least_padding(lengths, count)
        padded = sizes[(lengths[:, None] <= sizes).all(axis=2).argmax(axis=1), 0].sum()
        rows, known = lengths[:, 0], np.unique(lengths)
        least = min(
            sum(min(size for size in chosen if size >= row) for row in rows)
            for many in range(1, min(count, len(known)) + 1)
            for chosen in itertools.combinations(known, many)
            if chosen[-1] == known[-1]
        )
        assert len(sizes) <= count
        assert padded == least
    both = least_padding(random.integers(1, 900, (5000, 2)), 6)
    assert both.shape == (6, 2)
    assert (np.diff(both, axis=0) >= 0).all(), "a row moves up to where it fits"


@pytest.mark.parametrize("in_memory", [1 << 30, 0], ids=["in memory", "as it is read"])
def test_each_row_is_in_one_batch_of_few_sizes(data: Any, in_memory: int) -> None:
    train = data.train
    feed = train.as_keras(4, seed=5, in_memory=in_memory)
    seen = []
    for feed.epoch in (0, 1, 0):
        batches = [tuple(part for part in batch) for batch in feed.dataset.as_numpy_iterator()]
        rows, shapes = feed.positions(), feed.shapes()
        assert sorted(rows) == list(range(len(train)))
        assert len(batches) == feed.steps == -(-len(train) // 4)
        assert len({len(batch[0]["lengths"]) for batch in batches[:-1]} - {4}) == 0
        sizes = []
        for number, (x, y, weights) in enumerate(batches):
            own = rows[number * 4 : number * 4 + 4]
            whole_x, whole_y, whole_weights = train.batch(own)
            steps = x["x"].shape[1]
            sizes.append((len(own), steps))
            assert whole_x["lengths"].max() <= steps
            np.testing.assert_array_equal(x["x"], whole_x["x"][:, :steps])
            np.testing.assert_array_equal(y["tags"], whole_y["tags"][:, :steps])
            np.testing.assert_array_equal(weights["tags"], whole_weights["tags"][:, :steps])
            np.testing.assert_array_equal(y["kind"], whole_y["kind"])
        assert shapes == sizes
        assert len(set(sizes)) <= 4
        assert sizes[-1][1] == whole_max(train, feed), "one more shape, not one for each bucket"
        seen.append(rows)
    assert (seen[0] != seen[1]).any()
    np.testing.assert_array_equal(seen[0], seen[2])


def whole_max(train: Any, feed: Any) -> int:
    lengths = train.batch(slice(None))[0]["lengths"]
    return min(size for (size,) in feed.buckets.sizes if size >= lengths.max())


@pytest.mark.slow
def test_the_numbers_are_those_of_batches_padded_to_the_longest(data: Any, tmp_path: Any) -> None:
    tagger = recipe(TAGGER)
    result = tagger.train(data, folder=tmp_path)
    assert result.compilation.shapes == 0, "too few steps to pay"
    by_hand, feed = tagger.build(), data.train.as_keras(4, seed=3)
    for feed.epoch in (0, 1):
        rows = feed.positions()
        for start in range(0, len(rows), 4):
            x, y, weights = data.train.batch(rows[start : start + 4])
            by_hand.train_on_batch(x, y, weights)
    for ours, theirs in zip(result.model.get_weights(), by_hand.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-6)
    x, y, weights = data.validation.arrays()
    whole = by_hand.evaluate(x, y, sample_weight=weights, batch_size=4, verbose=0, return_dict=True)
    for name, value in result.metrics["validation"].items():
        assert value == pytest.approx(whole[name], rel=1e-5), name


def test_ids_and_values_that_pad_say_how_long_a_row_is() -> None:
    pair = """
        inputs: {first: {shape: [words], dtype: int32}, second: {shape: [times, 2]}}
        layers:
          word: {type: embedding, input: first, input_dim: 9, output_dim: 3, mask_zero: true}
          left: {type: gru, input: word, units: 3}
          right: {type: gru, input: second, units: 3, mask: {value: -1.0}}
          both: {type: concatenate, input: [left, right]}
          same: {type: dense, input: both, units: 1}
        outputs: {same: same}
        training: {loss: mse}
        data: {bucket: 2, split: {validation: 0}}
    """
    random = np.random.default_rng(1)
    first = random.integers(1, 9, (20, 7)).astype("int32")
    second = random.normal(size=(20, 9, 2)).astype("float32")
    ends = random.integers(1, 7, 20), random.integers(1, 9, 20)
    first[np.arange(7) >= ends[0][:, None]] = 0
    second[np.arange(9) >= ends[1][:, None]] = -1.0
    first[3, 0] = 0  # a hole, and no end
    inputs = {"first": first, "second": second}
    read = recipe(pair).load_data((inputs, {"same": np.zeros((20, 1), "float32")})).train
    feed = read.as_keras(20)
    (x, _), *others = feed.dataset.as_numpy_iterator()
    assert not others
    assert x["first"].shape[1] >= ends[0].max() == feed.buckets.sizes[-1][0]
    assert x["second"].shape[1] == ends[1].max()


REFUSED = {
    "no mask": ({"layers__reader__mask": "none", "layers__norm__mask": "none"},
                "the loss of 'tags' counts the padded steps"),
    "no open size": ({"inputs__x__shape": [12, 2]}, "no input has an open number of steps"),
    "a convolution": (
        {"layers__reader": {"type": "conv1d", "input": "x", "filters": 3, "kernel_size": 3,
                            "padding": "same", "mask": {"lengths": "lengths"}}},
        "'reader' is a Conv1D",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_reads_padded_steps_is_refused_at_its_line(case: str) -> None:
    values, message = REFUSED[case]
    if "reader" in str(values) and "conv1d" in str(values):
        values = {**values, "layers__norm__input": "reader", "training__loss__tags": "mse"}
        del values["training__loss__tags"]
    with pytest.raises(lstmgraph.RecipeError) as caught:
        recipe(TAGGER, **values)
    found = caught.value.diagnostics
    assert [each.code for each in found] == ["L773"]
    assert found[0].path == ("data", "bucket")
    assert message in found[0].message


def test_without_a_bucket_nothing_is_cut() -> None:
    train = recipe(TAGGER, data={"split": {"validation": 0}}).load_data(arrays()).train
    assert train.buckets is None
    assert {batch[0]["x"].shape[1] for batch in train.as_keras(4).dataset} == {12}
    assert keras.backend.backend() == "tensorflow"
