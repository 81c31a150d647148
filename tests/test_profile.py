"""Where the time of a training goes: parts that add up, by a clock that moves only when told."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import keras
import numpy as np
import pytest
import training_cases
from training_cases import train_small
from typer.testing import CliRunner

from lstmgraph.cli import app
from lstmgraph.models import waiting
from lstmgraph.models.waiting import Waiting
from lstmgraph.training import callbacks, recorder, run
from lstmgraph.training.profile import PARTS, EpochTimes, Profile
from lstmgraph.training.profile_picture import profile_svg
from lstmgraph.training.profiler import Profiler

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

# Keras 3.15 writes weights with a call that NumPy 2 wants spelled otherwise.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

ON_TENSORFLOW = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="TensorFlow's pipeline"
)
SVG = "{http://www.w3.org/2000/svg}"


class Clock:
    """Stands still but where time is spent, and notes for which part that was."""

    def __init__(self) -> None:
        self.now, self.epoch = 100.0, 0
        self.spent: dict[int, dict[str, float]] = defaultdict(lambda: dict.fromkeys(PARTS, 0.0))

    def __call__(self) -> float:
        return self.now

    def spend(self, part: str, seconds: float) -> None:
        self.now += seconds
        self.spent[self.epoch][part] += seconds

    def before(self, part: str, seconds: float, function: Callable[..., Any]) -> Callable[..., Any]:
        def slow(*arguments: Any, **options: Any) -> Any:
            self.spend(part, seconds)
            return function(*arguments, **options)

        return slow


class Slow(keras.callbacks.Callback):
    """A user's callback that takes its time."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self.clock = clock

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002
        self.clock.epoch = epoch + 1
        self.clock.spend("callbacks", 0.5)

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:  # noqa: ARG002
        self.clock.spend("callbacks", 0.25)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:  # noqa: ARG002
        self.clock.spend("callbacks", 1.0)

    def on_test_begin(self, logs: Any = None) -> None:  # noqa: ARG002
        if self.clock.epoch:
            self.clock.spend("validation", 4.0)

    def on_test_batch_end(self, batch: int, logs: Any = None) -> None:  # noqa: ARG002
        self.clock.spend("validation", 2.0)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002
        self.clock.spend("callbacks", 8.0)


@pytest.mark.slow
def test_every_second_is_in_its_part(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Two epochs of five batches, each validated by two; the first call of both traces."""
    clock = Clock()
    plain = train_small("stopping", str(tmp_path / "plain"), epochs=2)
    monkeypatch.setattr(run, "Profiler", lambda: Profiler(clock))
    for module, name in ((callbacks, "save_model"), (recorder, "write_checkpoint")):
        slow = clock.before("checkpoint", 16.0, getattr(module, name))
        monkeypatch.setattr(module, name, slow)
    for name in ("train_step", "test_step"):  # Python runs them to trace
        monkeypatch.setattr(
            keras.Model, name, clock.before("compile", 32.0, getattr(keras.Model, name))
        )
    waits: list[float] = []

    def since_last(_: Waiting) -> float:
        waited = sum(waits)
        waits.clear()
        return waited

    monkeypatch.setattr(Waiting, "since_last", since_last)

    def measured(self: Waiting, arguments: Any, during: Any) -> Any:
        clock.spend("step", 128.0)
        clock.spend("input", 64.0)
        waits.append(64.0)
        return arguments

    monkeypatch.setattr(Waiting, "measured", measured)
    told = clock.before("callbacks", 256.0, lambda *_: None)
    monkeypatch.setattr(clock, "epoch", 0)
    result = train_small(
        "stopping",
        str(tmp_path / "run"),
        epochs=2,
        profile=True,
        callbacks=Slow(clock),
        on_epoch=told,
    )
    profile = result.profile
    assert [each.epoch for each in profile.epochs] == [1, 2]
    for each in profile.epochs:
        assert each.parts == clock.spent[each.epoch]
        assert sum(each.parts.values()) == each.seconds > 1000
        assert set(each.parts) == set(PARTS)
    first, second = profile.epochs
    assert first.parts["compile"] == 2 * 32
    assert second.parts["compile"] == 0
    assert second.parts["step"] == 5 * 128
    assert second.parts["input"] == 5 * 64
    assert second.parts["validation"] == 4 + 2 * 2
    assert result.history == plain.history
    assert plain.profile is None
    assert plain.as_dict()["profile"] is None


@pytest.mark.slow
def test_a_command_shows_and_writes_it_and_a_resumed_one_its_own_epochs(tmp_path: Path) -> None:
    inputs, targets = training_cases.arrays()
    np.savez(tmp_path / "data.npz", **inputs, **targets)
    (tmp_path / "small.yaml").write_text(training_cases.recipe().resolved())
    folder = tmp_path / "run"
    given = [
        "train",
        str(tmp_path / "small.yaml"),
        "--data",
        str(tmp_path / "data.npz"),
        "-o",
        str(folder),
    ]
    printed = CliRunner().invoke(app, [*given, "--epochs", "2", "--profile"])
    assert printed.exit_code == 0, printed.output
    lines = printed.stdout.splitlines()
    assert "where the time of 2 epochs went" in lines
    named = [line.split()[0] for line in lines if line[1:2].isalpha() and " s " in line]
    assert [name for name in named if name in PARTS] == list(PARTS)
    assert f"wrote {folder / 'profile.svg'}" in lines
    rows = json.loads((folder / "results.json").read_text())["profile"]
    assert [row["epoch"] for row in rows] == [1, 2]
    for row in rows:
        assert sum(row[name] for name in PARTS) == pytest.approx(row["seconds"], abs=1e-5)
    assert rows[0]["compile"] > 0  # that of its only batch
    assert rows[1]["step"] > 0
    assert rows[0]["compile"] > rows[1]["compile"] == 0
    texts = [e.text for e in ElementTree.parse(folder / "profile.svg").iter(f"{SVG}text")]
    assert {"small", *PARTS, "1", "2"} <= set(texts)

    again = CliRunner().invoke(app, [*given, "--epochs", "3", "--profile", "--format", "json"])
    found = json.loads(again.stdout)
    assert [row["epoch"] for row in found["profile"]] == [3]
    assert found["files"]["profile"] == str(folder / "profile.svg")
    without = CliRunner().invoke(app, [*given, "--format", "json", "-q", "--epochs", "3"])
    assert json.loads(without.stdout)["profile"] is None
    assert not (folder / "profile.svg").exists()
    assert "profile" not in json.loads((folder / "results.json").read_text())


def times(epoch: int, **seconds: float) -> EpochTimes:
    parts = {**dict.fromkeys(PARTS, 0.0), **seconds}
    return EpochTimes(epoch, sum(parts.values()), parts)


def test_the_table_compares_the_first_epoch_with_a_later_one() -> None:
    profile = Profile((times(5, compile=6.0, step=2.0), times(6, step=1.0), times(7, step=3.0)))
    rows = {row[0]: row[1:] for row in profile.section().rows}
    assert profile.section().headings == ("part", "epoch 5", "%", "a later one", "%", "all", "%")
    assert rows["compile"] == ("6.000 s", "75", "0.000 s", "0", "6.000 s", "50")
    assert rows["step"] == ("2.000 s", "25", "2.000 s", "100", "6.000 s", "50")
    assert rows["in all"] == ("8.000 s", "100", "2.000 s", "100", "12.000 s", "100")
    assert all(len(line) <= 80 for line in str(profile).splitlines())
    assert "a later one" not in str(Profile(profile.epochs[:1]))


@pytest.mark.parametrize("count", [1, 2, 12, 13, 1000])
def test_many_epochs_share_bars(count: int) -> None:
    profile = Profile(tuple(times(epoch, step=3.0, input=1.0) for epoch in range(1, count + 1)))
    root = ElementTree.fromstring(profile_svg(profile, "a <b> & c"))
    bars = [rect for rect in root.iter(f"{SVG}rect") if rect.get("class") == "step"][1:]
    assert len(bars) == min(count, 12) or (count > 12 and len(bars) <= 12)
    x = [
        float(rect.get("width", "0"))
        for rect in root.iter(f"{SVG}rect")
        if rect.get("class") == "input"
    ]
    for waited, step in zip(x[1:], bars, strict=True):
        assert float(step.get("width", "0")) == pytest.approx(3 * waited, abs=0.3)


@ON_TENSORFLOW
def test_waiting_is_measured_in_the_pipeline_and_batches_stay_as_they_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import tensorflow as tf  # noqa: PLC0415 - other backends run without it

    clock = Clock()

    def note() -> Any:
        return tf.ensure_shape(tf.numpy_function(clock, [], tf.float64), [])

    def slow(index: Any) -> Any:
        clock.now += 2.0
        return index

    def read(index: Any) -> Any:
        rows = tf.ensure_shape(tf.numpy_function(slow, [index], tf.int64), [])
        return {"x": tf.ones([rows % 2 + 3])}, tf.cast(index, "float32")

    monkeypatch.setattr(tf, "timestamp", note)
    dataset = tf.data.Dataset.range(5).map(read)
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.jit_compile = True
    measured = Waiting(model, dataset)
    assert measured.dataset.element_spec == dataset.element_spec
    assert measured.dataset.cardinality() == 5
    elements, noted = [], []
    for element in measured.dataset:
        clock.now += 1.0  # a step
        elements.append(element)
        noted.append((measured.since_last(), measured.has_new_shape()))
    assert noted == [(2.0, True), (2.0, True), (2.0, False), (2.0, False), (2.0, False)]
    for found, wanted in zip(elements, dataset, strict=True):
        tf.nest.map_structure(np.testing.assert_array_equal, found, wanted)


def test_on_jax_each_batch_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting.keras.backend, "backend", lambda: "jax")
    clock = Clock()
    profiler = Profiler(clock)

    def batches() -> Any:
        for index in range(3):
            clock.now += 2.0
            yield index

    profiler.begin_epoch()
    profiler.switch("step")
    state, timed = Waiting(keras.Sequential(), None).measured(("state", batches()), profiler.during)
    assert state == "state"
    for wanted in range(3):
        assert next(timed) == wanted
        clock.now += 1.0
    profiler.end_epoch(0)
    (only,) = profiler.epochs
    assert (only.parts["input"], only.parts["step"], only.seconds) == (6.0, 3.0, 9.0)
