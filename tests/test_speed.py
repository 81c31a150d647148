"""Steps that run several at once or are compiled: the numbers and batches are those of Keras."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import pytest
import tensorflow as tf
import training_cases
from data_building import recipe

from lstmgraph.compiler.machine.fitting import StepCost, step_cost
from lstmgraph.compiler.machine.machine import Machine
from lstmgraph.compiler.machine.plan import choose_xla
from lstmgraph.language.declaration.recipe import Runtime
from lstmgraph.models import steps

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

READER = """
    inputs: {x: {shape: [time, 2]}}
    layers:
      reader: {type: lstm, input: x, units: 5}
      y: {type: dense, input: reader, units: 1}
    outputs: {y: y}
    training:
      optimizer: {type: adam, learning_rate: {type: exponential_decay, initial_learning_rate: 1e-2,
        decay_steps: 3, decay_rate: 0.9}}
      loss: mse
      metrics: [mae]
      batch_size: 4
      epochs: 3
    runtime: {seed: 3}
"""


def arrays(rows: int, *, seed: int = 0) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    x = np.random.default_rng(seed).normal(size=(rows, 7, 2)).astype("float32")
    return {"x": x}, {"y": x.sum(axis=(1, 2))[:, None]}


class Batches(keras.callbacks.Callback):
    """Follows the batches: Keras says after which it is called."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[int] = []

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        assert set(logs) == {"loss", "mae"}
        self.seen.append(batch)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A training whose steps run one by one, as a callback follows them."""
    watcher = Batches()
    result = recipe(READER).train(
        arrays(30),
        validation=arrays(9, seed=1),
        folder=tmp_path_factory.mktemp("plain"),
        callbacks=watcher,
    )
    assert watcher.seen == [*range(8)] * 3
    return result


class OtherRows(keras.callbacks.Callback):
    """Evaluates and predicts rows of its own after each epoch, in batches and in one."""

    def __init__(self) -> None:
        super().__init__()
        self.inputs, self.targets = arrays(70, seed=2)
        self.found: list[list[float]] = []

    def on_epoch_end(self, *_: Any) -> None:
        given = self.inputs, self.targets
        by_batches = self.model.evaluate(*given, batch_size=8, verbose=0)[0]
        predicted = self.model.predict(self.inputs, batch_size=8, verbose=0)["y"]
        expected = np.mean((self.model(self.inputs)["y"] - self.targets["y"]) ** 2)
        by_hand = np.mean((predicted - self.targets["y"]) ** 2)
        self.found.append([by_batches, self.model.test_on_batch(*given)[0], by_hand, expected])


@pytest.mark.slow
def test_steps_at_once_give_the_same_bits(plain: Any, tmp_path: Path) -> None:
    """A callback's own batches are not taken for those of the training, nor change them."""
    others, sized = OtherRows(), recipe(READER, inputs__x__shape=[7, 2])  # `predict` is compiled
    result = sized.train(
        arrays(30), validation=arrays(9, seed=1), folder=tmp_path, callbacks=others
    )
    for *found, expected in others.found:
        assert found == pytest.approx([expected] * 3, rel=1e-5)
    assert result.history == plain.history
    for ours, theirs in zip(result.model.get_weights(), plain.model.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert result.model.steps_per_execution == 1
    assert result.model.train_function is result.model.test_function is None
    config = result.model.get_compile_config()
    assert (config["steps_per_execution"], config["jit_compile"]) == (1, False)


def test_functions_given_to_a_callback_follow_batches(tmp_path: Path) -> None:
    """One of them ends each evaluation after its first batch, and the next begins anew."""
    seen: list[int] = []

    def stop(*_: Any, **__: Any) -> None:
        follower.model.stop_evaluating = True

    follower = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, **_: seen.append(batch), on_test_batch_end=stop
    )
    given, held_out = training_cases.arrays(), training_cases.arrays(seed=1)
    result = training_cases.recipe().train(
        given, validation=held_out, folder=tmp_path, epochs=2, callbacks=follower
    )
    assert seen == [*range(5)] * 2
    x, y = ({name: each[:8] for name, each in part.items()} for part in held_out)
    expected = float(np.mean((result.model(x)["y"] - y["y"]) ** 2))
    assert result.history["val_loss"][-1] == pytest.approx(expected, rel=1e-5)


def test_the_trainings_of_a_process_are_not_taken_for_one_that_is_traced_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """TensorFlow warns of the fifth trace of a line, so of the third training in a notebook."""
    logger = tf.get_logger()
    logger.addHandler(caplog.handler)
    try:
        for make in (steps._function, tf.function):
            assert not caplog.messages
            for _ in range(8):
                make(lambda: tf.constant(0))()
    finally:
        logger.removeHandler(caplog.handler)
    assert any("retracing" in message for message in caplog.messages)


@pytest.mark.slow
def test_compiled_steps_give_the_same_numbers_and_are_counted(
    plain: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(StepCost, "pays", lambda *_, **__: True)
    reader, data = recipe(READER), (arrays(30), arrays(9, seed=1))
    ended = reader.train(
        data[0], validation=data[1], folder=tmp_path, on_epoch=lambda epoch, _: epoch == 2
    )
    # Full and last batches of `fit`, and of `evaluate`.
    assert ended.compilation.shapes == 4
    assert not ended.compilation.refused
    assert ended.compile_seconds > 0
    assert "to compile 4 batch shapes" in str(ended)
    assert ended.as_dict()["compiled"]["shapes"] == 4
    # What goes on is compiled as it began, whatever would pay now.
    monkeypatch.setattr(StepCost, "pays", lambda *_, forwards=False, **__: forwards)
    result = reader.train(data[0], validation=data[1], folder=tmp_path)
    assert result.resumed_from == 2
    assert result.compilation.shapes == 4
    for name, values in plain.history.items():
        np.testing.assert_allclose(result.history[name], values, rtol=2e-6, err_msg=name)
    for ours, theirs in zip(result.model.get_weights(), plain.model.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-6)


@pytest.mark.slow
def test_what_xla_cannot_compile_trains_without_and_loses_no_batch(
    plain: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(StepCost, "pays", lambda *_, forwards=False, **__: not forwards)
    step = keras.Model.train_step

    def with_text(model: keras.Model, data: Any) -> Any:
        """A step with an operation that XLA does not have."""
        nothing = tf.strings.to_number(tf.strings.as_string(0.0 * data[1]["y"]))
        return step(model, (data[0], {"y": data[1]["y"] + nothing}))

    monkeypatch.setattr(keras.Model, "train_step", with_text)
    result = recipe(READER).train(arrays(30), validation=arrays(9, seed=1), folder=tmp_path)
    assert result.compilation.refused
    assert result.compilation.shapes == 0
    assert "XLA could not compile the steps" in str(result)
    assert result.history == plain.history


def test_it_pays_where_the_loop_takes_the_time_and_there_are_many_steps() -> None:
    graph = recipe(READER).compiled.graph
    cost = step_cost(graph, 4, {"time": 7})
    assert (cost.loop_steps, cost.layers, cost.products) == (7, 1, 4 * 7 * 4 * 5 * (2 + 5 + 1))
    assert not cost.pays(100, 2)
    assert choose_xla(Runtime(), graph, Machine()).fit
    for key in ("dropout", "recurrent_dropout"):
        random = recipe(READER, **{f"layers__reader__{key}": 0.1}).compiled.graph
        for kernel in ("auto", "standard"):
            on_kernel = replace(random, kernel_choice=kernel)
            assert choose_xla(Runtime(), on_kernel, Machine()).fit, "XLA draws the same numbers"
    assert cost.pays(100_000, 2)
    assert not cost.pays(100_000, 2000), "every length a shape of its own"
    assert not step_cost(graph, 10_000, {"time": 7}).pays(10**9, 1), "products take the time"
    assert not StepCost(0, 0, 0).pays(10**9, 1), "without a loop"
    wide = recipe(READER, layers__reader__units=128).compiled.graph
    assert not step_cost(wide, 32, {"time": 7}).pays(10**9, 1)
    assert step_cost(wide, 32, {"time": 7}, ["reader"]).pays(10**9, 1), "on the fused loop"
    assert not step_cost(graph, 2048, {"time": 7}, ["reader"]).pays(10**9, 1), "on one core"
    assert step_cost(wide, 64, {"time": 7}, ["reader"]).pays(10**9, 1)
    assert not step_cost(wide, 65, {"time": 7}, ["reader"]).pays(10**9, 1), "many rows"
    stepped = recipe(READER, inputs__x__shape=[1, 2]).compiled.graph
    single = step_cost(stepped, 4, {})
    assert (single.loop_steps, single.layers) == (0, 0), "one step runs without a loop"
    assert single.products == cost.products // 7
    assert cost.at_once == 32
    assert step_cost(graph, 100_000, {"time": 7_000}).at_once == 1
