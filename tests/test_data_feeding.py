"""Examples as Keras trains on them: every order follows from the epoch, every batch fits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import pytest
from building import RECIPES
from data_building import FORECAST, SEQUENCES, forecaster, recipe, store_rows, table

import lstmgraph
from lstmgraph.data.examples import epoch_order

if TYPE_CHECKING:
    from lstmgraph.data.examples import Examples
    from lstmgraph.data.feeding import Feed

IN_MEMORY = pytest.mark.parametrize("in_memory", [1 << 30, 0], ids=["in memory", "as it is read"])


class Seen(keras.Model):
    """Trains nothing: keeps what it is given, epoch by epoch."""

    def __init__(self) -> None:
        super().__init__()
        self.batches: list[list[np.ndarray]] = []
        self.bias = self.add_weight(shape=(), name="bias")

    def call(self, x: dict[str, Any]) -> Any:
        return self.bias + 0.0 * keras.ops.sum(x["history"])

    def train_step(self, data: Any) -> dict[str, Any]:
        self.batches[-1].append(data[1]["forecast"].numpy()[:, 0, 0])
        return {"loss": self.bias}


def seen(feed: Feed, *, epochs: int, initial_epoch: int = 0) -> list[list[np.ndarray]]:
    """The first target of every example, in the batches of every epoch."""
    model = Seen()
    model.compile("sgd", "mse", run_eagerly=True)
    begin = keras.callbacks.LambdaCallback(on_epoch_begin=lambda *_: model.batches.append([]))
    callbacks = [begin, *feed.callbacks]
    model.fit(
        feed.dataset, epochs=epochs, initial_epoch=initial_epoch, callbacks=callbacks,
        shuffle=False, verbose=0,
    )  # fmt: skip
    return model.batches


def part(**values: Any) -> Examples:
    return forecaster(**values).load_data(table(store_rows(20, 15))).train


def sales(examples: Examples, order: np.ndarray) -> np.ndarray:
    return examples.batch(order)[1]["forecast"][:, 0, 0]


@IN_MEMORY
def test_each_epoch_has_the_order_that_its_number_gives(in_memory: int) -> None:
    train = part()
    found = seen(train.as_keras(8, seed=3, in_memory=in_memory), epochs=3)
    assert [len(batch) for batch in found[0]] == [8] * (len(train) // 8) + [len(train) % 8]
    for epoch, batches in enumerate(found):
        wanted = sales(train, epoch_order(len(train), 3, epoch))
        np.testing.assert_array_equal(np.concatenate(batches), wanted)
    assert not np.array_equal(np.concatenate(found[0]), np.concatenate(found[1]))


@IN_MEMORY
def test_a_resumed_run_sees_what_it_would_have_seen(in_memory: int) -> None:
    train = part()
    whole = seen(train.as_keras(8, seed=3, in_memory=in_memory), epochs=4)
    resumed = seen(train.as_keras(8, seed=3, in_memory=in_memory), epochs=4, initial_epoch=2)
    for batches, wanted in zip(resumed, whole[2:], strict=True):
        for batch, other in zip(batches, wanted, strict=True):
            np.testing.assert_array_equal(batch, other)


@IN_MEMORY
def test_without_a_seed_examples_stay_in_order(in_memory: int) -> None:
    train = part()
    feed = train.as_keras(8, in_memory=in_memory)
    assert feed.callbacks == []
    for batches in seen(feed, epochs=2):
        np.testing.assert_array_equal(np.concatenate(batches), sales(train, np.arange(len(train))))


@IN_MEMORY
def test_a_last_batch_that_is_smaller_can_be_left_out(in_memory: int) -> None:
    train = part()
    feed = train.as_keras(8, drop_last=True, in_memory=in_memory)
    assert len(train) % 8
    assert len(feed) == len(train) // 8
    assert [len(batch) for batch in seen(feed, epochs=1)[0]] == [8] * len(feed)
    assert all(shape[0] == 8 for shape in _shapes(feed))


def _shapes(feed: Feed) -> list[tuple[int | None, ...]]:
    import tensorflow as tf  # noqa: PLC0415 - as its datasets are

    return [tuple(spec.shape) for spec in tf.nest.flatten(feed.dataset.element_spec)]


def test_an_order_is_a_permutation_that_every_seed_and_epoch_changes() -> None:
    orders = [epoch_order(100, seed, epoch) for seed in (0, 1) for epoch in (0, 1, 2)]
    assert all(sorted(order) == list(range(100)) for order in orders)
    assert len({tuple(order) for order in orders}) == 6
    np.testing.assert_array_equal(epoch_order(100, 1, 2), orders[-1])


@IN_MEMORY
def test_batches_hold_what_the_examples_do(in_memory: int) -> None:
    train = part(data__sample_weight={"columns": ["promo"]})
    feed = train.as_keras(8, seed=1, in_memory=in_memory)
    order = epoch_order(len(train), 1, 0)
    for number, batch in enumerate(feed.dataset.as_numpy_iterator()):
        wanted = train.batch(order[number * 8 : number * 8 + 8])
        for found, expected in zip(batch, wanted, strict=True):
            assert expected is not None
            assert found.keys() == expected.keys()
            for name, array in found.items():
                np.testing.assert_array_equal(array, expected[name])
                assert array.dtype == expected[name].dtype


@pytest.mark.tensorflow("only its trainings take batches from tensors")
@pytest.mark.parametrize("drop_last", [False, True])
def test_batches_from_tensors_are_those_of_the_dataset(drop_last: bool) -> None:
    import tensorflow as tf  # noqa: PLC0415 - as its datasets are

    feed = part(data__sample_weight={"columns": ["promo"]}).as_keras(8, seed=1, drop_last=drop_last)
    feed.epoch = 2
    taken = tf.function(feed.taken)
    batches = list(feed.dataset)
    assert len(batches) == len(feed) == len(list(feed.counted))
    for index, batch in enumerate(batches):
        found = taken(feed.positions(), tf.constant(index))
        tf.nest.map_structure(np.testing.assert_array_equal, found, batch)
        assert all(
            spec.is_compatible_with(tensor)
            for spec, tensor in zip(
                tf.nest.flatten(feed.dataset.element_spec), tf.nest.flatten(found), strict=True
            )
        )


@pytest.mark.slow
def test_a_model_learns_from_windows_that_are_read_batch_by_batch() -> None:
    """Sales follow a wave: the loss falls far below that of a guess."""
    rows = store_rows(60, 60, 60)
    for index, row in enumerate(rows):
        row["sales"] = float(np.sin(index))
    found = forecaster(training__optimizer={"type": "adam", "learning_rate": 0.05}, runtime__seed=1)
    data = found.load_data(table(rows))
    feed = data.train.as_keras(16, seed=0, in_memory=0)
    assert data.validation is not None
    history = found.build().fit(
        feed.dataset,
        validation_data=data.validation.as_keras(32, in_memory=0).dataset,
        epochs=12,
        callbacks=feed.callbacks,
        shuffle=False,
        verbose=0,
    )
    assert history.history["val_loss"][-1] < 0.25 * np.var([row["sales"] for row in rows])


@IN_MEMORY
def test_time_major_inputs_and_a_fixed_batch_size(in_memory: int) -> None:
    carried = """
    inputs: {x: {shape: [3, 2], time_major: true}}
    layers:
      reader: {type: lstm, input: x, units: 2, initial_state: carried}
      y: {type: dense, input: reader, units: 1}
    outputs: {y: y}
    runtime: {batch_size: 4}
    training: {loss: mse}
    data: {split: {validation: 0}}
    """
    random = np.random.default_rng(0)
    arrays = {"x": random.normal(size=(10, 3, 2)).astype("float32"), "y": np.zeros(10)}
    found = recipe(carried)
    train = found.load_data(arrays).train
    feed = train.as_keras(4, drop_last=True, in_memory=in_memory)
    inputs = [x["x"] for x, _ in feed.dataset.as_numpy_iterator()]
    np.testing.assert_array_equal(inputs, [arrays["x"][n : n + 4].swapaxes(0, 1) for n in (0, 4)])
    if not in_memory:  # the shapes of these batches are known from one example alone
        found.build().fit(feed.dataset, shuffle=False, verbose=0)


TWO_OUTPUTS = """
    inputs: {x: {shape: [3, 2]}}
    layers:
      reader: {type: lstm, input: x, units: 2, return_sequences: true}
      each: {type: dense, input: reader, units: 1}
      code: {type: dense, input: reader, units: 5}
    outputs: {each: each, code: code}
    training: {loss: {each: mse}, metrics: {each: [mae]}}
    data: {split: {validation: 0}}
"""


@pytest.mark.slow
@pytest.mark.parametrize("weight", [None, (6, 3)])
def test_an_output_without_a_loss_gets_what_keras_wants_for_its_metrics(
    weight: tuple[int, ...] | None,
) -> None:
    arrays = {"x": np.ones((6, 3, 2), "float32"), "each": np.full((6, 3, 1), 2.0)}
    if weight is not None:
        arrays["sample_weight"] = np.zeros(weight)
    found = recipe(TWO_OUTPUTS)
    feed = found.load_data(arrays).train.as_keras(4)
    with pytest.warns(UserWarning, match="Gradients do not exist"):
        history = found.build().fit(feed.dataset, shuffle=False, verbose=0)
    assert (history.history["loss"][0] == 0) == (weight is not None)


METRIC_ALONE = """
    inputs: {x: {shape: [3, 2]}}
    layers:
      reader: {type: lstm, input: x, units: 2}
      y: {type: dense, input: reader, units: 1}
      z: {type: dense, input: reader, units: 4, activation: softmax}
    outputs: {y: y, z: z}
    training: {loss: {y: mse}, metrics: {z: [METRIC]}}
    data: {split: {validation: 0}}
"""


@pytest.mark.parametrize(
    ("metric", "weighted"),
    [
        ("mae", True),
        ("accuracy", True),
        ("sparse_categorical_accuracy", False),
        ("categorical_accuracy", False),
    ],
)
def test_an_output_with_a_metric_alone_is_measured_by_its_own_target(
    metric: str, weighted: bool
) -> None:
    """Of all rows alike: weights are of losses."""
    random = np.random.default_rng(0)
    ids = random.integers(0, 4, 6)
    hot = np.eye(4, dtype="float32")[ids]
    takes_ids = metric in {"accuracy", "sparse_categorical_accuracy"}
    arrays = {
        "x": random.normal(size=(6, 3, 2)).astype("float32"),
        "y": np.zeros(6),
        "z": ids if takes_ids else hot,
    }
    if weighted:
        arrays["sample_weight"] = np.arange(6.0)
    found = recipe(METRIC_ALONE.replace("METRIC", metric))
    model = found.build()
    feed = found.load_data(arrays).train.as_keras(6)
    measured = model.evaluate(feed.dataset, return_dict=True, verbose=0)
    predicted = keras.ops.convert_to_numpy(model({"x": arrays["x"]})["z"]).astype("float64")
    right = np.mean(predicted.argmax(1) == ids)
    wanted = np.mean(np.abs(predicted - hot)) if metric == "mae" else right
    assert measured[f"z_{metric}"] == pytest.approx(wanted, rel=1e-5)


def test_rows_of_carried_states_are_split_in_order() -> None:
    found = recipe(
        """
    inputs: {x: {shape: [3, 1]}}
    layers:
      reader: {type: lstm, input: x, units: 2, initial_state: carried}
      y: {type: dense, input: reader, units: 1}
    outputs: {y: y}
    runtime: {batch_size: 2}
    training: {loss: mse}
    """
    )
    rows = np.arange(10.0)
    data = found.load_data({"x": rows[:, None, None] * np.ones((1, 3, 1)), "y": rows})
    assert data.validation is not None
    np.testing.assert_array_equal(data.train.arrays()[1]["y"][:, 0], rows[:8])
    np.testing.assert_array_equal(data.validation.arrays()[1]["y"][:, 0], rows[8:])


def test_keras_weighs_a_loss_as_numpy_does() -> None:
    """Weights of 0 and 1 for every step leave the mean over all steps of what they let through."""
    found = recipe(FORECAST, data__sample_weight={"columns": ["promo"]}, data__split__validation=0)
    train = found.load_data(table(store_rows(20, 15))).train
    model = found.build()
    x, y, weights = train.arrays()
    assert weights is not None
    loss = model.evaluate(train.as_keras(len(train)).dataset, verbose=0)
    predicted = keras.ops.convert_to_numpy(model(x)["forecast"]).astype("float64")
    errors = (predicted - y["forecast"])[..., 0] ** 2 * weights["forecast"]
    assert loss == pytest.approx(errors.mean(), rel=1e-5)


def test_inputs_alone_are_for_prediction() -> None:
    text = SEQUENCES.replace("    training: {loss: sparse_categorical_crossentropy}\n", "")
    found = recipe(text, data__split={"validation": 0})
    arrays = {"x": np.ones((5, 3, 2), "float32"), "lengths": np.full(5, 3)}
    feed = found.load_data(arrays).train.as_keras(2)
    assert found.build().predict(feed.dataset, verbose=0)["kind"].shape == (5, 4)


@pytest.mark.slow
def test_the_shipped_classifier_trains_on_its_archive() -> None:
    found = lstmgraph.load(RECIPES / "speaker-classifier.yaml", overrides=["layers.voice.units=16"])
    data = found.load_data(RECIPES / "data" / "japanese_vowels.npz")
    feed = data.train.as_keras(27, seed=0)
    model = found.build()
    model.fit(feed.dataset, epochs=3, callbacks=feed.callbacks, shuffle=False, verbose=0)
    assert data.test is not None
    _, accuracy = model.evaluate(data.test.as_keras(128).dataset, verbose=0)
    assert accuracy > 2 / 9


def test_parts_that_are_evaluated_have_batches_of_one_structure() -> None:
    """So one function evaluates them, whether or not the last batch is full."""
    full, other = part().as_keras(len(part())), part().as_keras(len(part()) - 1)
    assert (len(full), len(other)) == (1, 2)
    assert full.dataset.element_spec == other.dataset.element_spec
