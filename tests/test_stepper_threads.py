"""A Stepper that threads share: each call runs by itself; what cannot be shared is refused."""

from __future__ import annotations

import copy
import pickle
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
import pytest
from building import load, randomise

import lstmgraph

if TYPE_CHECKING:
    from collections.abc import Iterator

ROWS, THREADS, STEPS = 4, 4, 150
TEXT = """
inputs: {x: {shape: [time, 4]}}
layers:
  reader: {type: gru, input: x, units: 16, return_sequences: true}
  y: {type: dense, input: reader, units: 4}
outputs: {y: y}
"""
WRITER = """
inputs: {token: {shape: [time], dtype: int32}}
layers:
  embedding: {type: embedding, input: token, input_dim: 5, output_dim: 2}
  writer: {type: lstm, input: embedding, units: 3, return_sequences: true}
  next: {type: dense, input: writer, units: 5, activation: softmax}
outputs: {next: next}
"""
X = np.random.default_rng(1).normal(size=(ROWS, 4)).astype("float32")


@pytest.fixture(autouse=True)
def _often_switched() -> Iterator[None]:
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(interval)


def stepper_of(text: str = TEXT) -> lstmgraph.Stepper:
    derived = load(text).derive("step")
    assert derived.main
    randomise(derived.main)
    return lstmgraph.Stepper(derived, rows=ROWS, xla=False)


def test_steps_of_threads_equal_those_of_one() -> None:
    """All threads step every row alike, so that only lost steps can make a difference."""
    shared, alone = stepper_of(), stepper_of()
    for _ in range(THREADS * STEPS):
        alone.step(X)

    def steps(_thread: int) -> None:
        for _ in range(STEPS):
            shared.step(X)

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(steps, range(THREADS)))
    assert shared.position.tolist() == alone.position.tolist() == [THREADS * STEPS] * ROWS
    np.testing.assert_array_equal(shared.state["reader_h"], alone.state["reader_h"])


@pytest.mark.slow
def test_each_thread_has_its_row_while_others_reset_save_and_restore(tmp_path) -> None:
    shared, alone = stepper_of(), stepper_of()
    random = np.random.default_rng(0)
    inputs = random.normal(size=(STEPS, ROWS, 4)).astype("float32")
    wanted = np.stack([alone.step(x)["y"] for x in inputs])
    path = tmp_path / "s.npz"

    def rowwise(row: int) -> None:
        own = np.arange(ROWS) == row
        for turn in range(2):
            for step in range(STEPS):
                found = shared.step(inputs[step], active=own)["y"][row]
                np.testing.assert_allclose(found, wanted[step, row], atol=1e-6)
            assert shared.position[row] == STEPS, turn
            shared.reset(row)

    def watching(_: int) -> None:
        for _ in range(10):
            shared.save_state(path)
            with np.load(path) as file:
                assert (file["now.reader_h"][file["position"] == 0] == 0).all()
            shared.beginning()

    with ThreadPoolExecutor(ROWS + 1) as pool:
        watched = pool.submit(watching, 0)
        list(pool.map(rowwise, range(ROWS)))
        watched.result()


@pytest.mark.slow
def test_generation_and_steps_share_a_stepper() -> None:
    shared = stepper_of(WRITER)
    token = np.ones(ROWS, "int32")
    wanted = lstmgraph.generate(shared, start_token=1, max_steps=5).tokens

    def write(_: int) -> np.ndarray:
        return lstmgraph.generate(shared, {}, start_token=token, max_steps=5).tokens

    def read(_: int) -> None:
        for _ in range(50):
            shared.step(token)

    with ThreadPoolExecutor(4) as pool:
        reading = [pool.submit(read, i) for i in range(2)]
        for found in pool.map(write, range(6)):
            np.testing.assert_array_equal(found, wanted)
        for each in reading:
            each.result()
    assert shared.position.tolist() == [100] * ROWS


@pytest.mark.slow
def test_steppers_of_the_same_models_keep_their_streams_apart() -> None:
    """They share weights alone: states are given to the models and come out of them."""
    shared = stepper_of().derived
    inputs = np.random.default_rng(2).normal(size=(THREADS, STEPS, ROWS, 4)).astype("float32")

    def outputs(x: np.ndarray) -> np.ndarray:
        stepper = lstmgraph.Stepper(shared, rows=ROWS, xla=False)
        return np.stack([stepper.step(step)["y"] for step in x])

    wanted = [outputs(x) for x in inputs]
    with ThreadPoolExecutor(THREADS) as pool:
        for found, alone in zip(pool.map(outputs, inputs), wanted, strict=True):
            np.testing.assert_array_equal(found, alone)


STATIC = """
inputs: {x: {shape: [time, 4]}, user: {shape: [2]}}
layers:
  reader: {type: gru, input: x, units: 3, return_sequences: true, initial_state: {static: [user]}}
  y: {type: dense, input: reader, units: 4}
outputs: {y: y}
"""


def test_update_with_a_model_that_lacks_a_layer_of_the_beginning_changes_nothing() -> None:
    stepper, other = stepper_of(STATIC), stepper_of(STATIC)
    randomise(other.derived.model, 3)
    before = [weight.numpy() for weight in stepper.derived.model.weights]
    with pytest.raises(ValueError, match="lacks the layers reader_h"):
        stepper.update(other.derived.model)
    for weight, value in zip(stepper.derived.model.weights, before, strict=True):
        np.testing.assert_array_equal(weight.numpy(), value)


@pytest.mark.parametrize("how", [copy.copy, copy.deepcopy, pickle.dumps])
def test_a_stepper_is_not_copied(how) -> None:
    with pytest.raises(TypeError, match=r"save_state\(\) and restore_state\(\)"):
        how(stepper_of())
