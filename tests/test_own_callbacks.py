"""Callbacks of the user's own, in trainings and in the processes of trials."""

from __future__ import annotations

import csv
import threading
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import pytest
from training_cases import arrays, recipe
from tuning_cases import QUICK
from tuning_cases import arrays as searched_arrays

import lstmgraph
from lstmgraph.tuning.callbacks import MOST_BYTES, pickled

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


pytestmark = [
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
    pytest.mark.usefixtures("forked_servers"),
]


class Noting(keras.callbacks.Callback):
    """Notes what is called, and does what a test asks for at the end of an epoch."""

    def __init__(self, at_end: Callable[[Any, int, dict[str, Any]], None] | None = None) -> None:
        super().__init__()
        self.at_end = at_end
        self.began: list[str] = []
        self.epochs: list[int] = []

    def on_train_begin(self, logs: Any = None) -> None:  # noqa: ARG002 - Keras's
        self.began.append(self.model.name)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        assert "learning_rate" in logs  # after those of the recipe
        self.epochs.append(epoch)
        if self.at_end:
            self.at_end(self, epoch, logs)


def trained(folder: Path, callbacks: Any = None, **options: Any) -> lstmgraph.TrainingResult:
    x, y = arrays()
    return recipe(**{"training.epochs": 4}).train(
        (x, y), folder=folder, callbacks=callbacks, **options
    )


def same_numbers(one: lstmgraph.TrainingResult, other: lstmgraph.TrainingResult) -> None:
    assert one.history == other.history
    for a, b in zip(one.model.weights, other.model.weights, strict=True):
        np.testing.assert_array_equal(np.asarray(a), np.asarray(b))


@pytest.mark.slow
def test_callbacks_that_look_change_nothing_and_go_on_with_a_training(tmp_path: Path) -> None:
    plain = trained(tmp_path / "plain")

    def put_beside(_: Any, epoch: int, logs: dict[str, Any]) -> None:
        logs[f"own_{epoch}"] = "no number"

    looking = Noting(put_beside)
    result = trained(tmp_path / "looking", [looking])
    same_numbers(result, plain)
    assert looking.began == ["small"]
    assert looking.epochs == [0, 1, 2, 3]
    assert not result.stopped_early

    # Stopped after two epochs by `on_epoch`; the epochs of the rest are numbered on.
    first = trained(tmp_path / "resumed", Noting(), on_epoch=lambda epoch, _: epoch == 2)
    assert first.epochs == 2
    second = Noting()
    resumed = trained(tmp_path / "resumed", (second,))
    assert second.epochs == [2, 3]
    assert resumed.resumed_from == 2
    same_numbers(resumed, plain)
    third = Noting()
    same_numbers(trained(tmp_path / "resumed", third), plain)  # has ended: nothing is left to do
    assert third.epochs == []


@pytest.mark.slow
def test_a_callback_that_stops_ends_the_training_for_good(tmp_path: Path) -> None:
    def stop(callback: Any, epoch: int, _: Any) -> None:
        callback.model.stop_training = epoch == 1

    result = trained(tmp_path, Noting(stop))
    assert (result.epochs, result.stopped_early) == (2, True)
    again = Noting()
    after = trained(tmp_path, again, epochs=9)
    assert (after.epochs, after.stopped_early, again.epochs) == (2, True, [])
    same_numbers(after, result)


@pytest.mark.slow
def test_what_a_callback_raises_loses_nothing(tmp_path: Path) -> None:
    def fail(_: Any, epoch: int, logs: Any) -> None:
        if epoch == 2:
            raise ZeroDivisionError("in a callback")

    with pytest.raises(ZeroDivisionError, match="in a callback"):
        trained(tmp_path, Noting(fail))
    with (tmp_path / "history.csv").open() as file:
        assert [row["epoch"] for row in csv.DictReader(file)] == ["1", "2"]
    again = Noting()
    resumed = trained(tmp_path, again)
    assert again.epochs[-1] == 3
    same_numbers(resumed, trained(tmp_path / "plain"))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (len, "not builtin_function_or_method"),
        ([Noting], "not the class Noting"),
        ([Noting(), 5], "not int"),
        ("early_stopping", "not str"),
    ],
    ids=["function", "class", "number", "text"],
)
def test_what_is_no_callback_is_refused_at_once(given: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(TypeError, match=f"instances of keras.callbacks.Callback, {message}"):
        trained(tmp_path / "new", given)
    assert not (tmp_path / "new").exists()


def searched(folder: Path, **options: Any) -> lstmgraph.TuneResult:
    return lstmgraph.load(QUICK).tune(
        searched_arrays(),
        validation=searched_arrays(seed=1),
        folder=folder,
        max_trials=2,
        workers=2,
        **options,
    )


def numbers(result: lstmgraph.TuneResult) -> list[Any]:
    return [(t.number, t.status, t.metrics, t.history, t.values) for t in result.results.trials]


CELL = """
import keras

class Writing(keras.callbacks.Callback):
    def __init__(self, path, *, stop=False, fail=False):
        super().__init__()
        self.path, self.stop, self.fail, self.seen = path, stop, fail, 0

    def on_epoch_end(self, epoch, logs=None):
        self.seen += 1
        with self.path.open("a") as file:
            file.write(f"{self.seen} {epoch}\\n")
        if self.fail:
            raise ZeroDivisionError("in a callback")
        self.model.stop_training = self.stop

def made(trial):
    first = trial.number == 0
    return [Writing(trial.folder / "own.txt", stop=first, fail=not first)]
"""
"""What a cell of a notebook defines, which no process of a trial can import."""


@pytest.mark.slow
def test_trials_have_callbacks_of_their_own(tmp_path: Path) -> None:
    cell: dict[str, Any] = {"__name__": "__main__"}
    exec(CELL, cell)
    plain = searched(tmp_path / "plain")
    noted = tmp_path / "noted.txt"
    copied = searched(tmp_path / "copied", callbacks=[cell["Writing"](noted)])
    assert numbers(copied) == numbers(plain)
    # Each trial had a copy, which began to count anew.
    assert sorted(noted.read_text().split("\n")) == ["", "1 0", "1 0", "2 1", "2 1"]

    result = searched(tmp_path / "made", callbacks=cell["made"])
    first, second = result.results.trials
    assert (first.status, first.epochs) == ("completed", 1)
    assert first.values == plain.results.trials[0].values
    assert second.status == "failed"
    assert second.reason == "ZeroDivisionError: in a callback"
    trials = tmp_path / "made" / "trials"
    assert [(trials / n / "own.txt").read_text() for n in ("0000", "0001")] == ["1 0\n", "1 0\n"]


def test_callbacks_that_cannot_travel_are_refused_before_anything_starts(tmp_path: Path) -> None:
    locked = Noting()
    locked.lock = threading.Lock()
    with pytest.raises(ValueError, match=r"cannot be pickled .*lock.*; give a function"):
        searched(tmp_path / "new", callbacks=[locked])
    with pytest.raises(TypeError, match="not int"):
        searched(tmp_path / "new", callbacks=5)
    large = Noting()
    large.data = b"0" * (MOST_BYTES + 1)
    with pytest.raises(ValueError, match=r"take .* bytes, and 16,777,216 at most"):
        searched(tmp_path / "new", callbacks=large)
    assert not (tmp_path / "new").exists()
    assert pickled(keras.callbacks.EarlyStopping())
