"""Streams: steps and chunks equal the whole sequence, rows are independent, files restore them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from building import RECIPES, Arrays, batch_for, load, outputs_of, randomise
from stepping import random_sizes, time_axis

import lstmgraph

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lstmgraph.models.derived import Derived

# Keras 3.15 writes weights with a call that NumPy 2 wants spelled otherwise.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

ROWS = 5
SMALL = """
inputs: {x: {shape: [time, 3]}}
layers:
  reader: {type: lstm, input: x, units: 4, return_sequences: true}
  y: {type: dense, input: reader, units: 2}
outputs: {y: y}
"""
X = np.random.default_rng(8).normal(size=(ROWS, 7, 3)).astype("float32")


def derived_from(recipe: lstmgraph.Recipe) -> Derived:
    derived = recipe.derive("step")
    assert derived.main
    randomise(derived.main)
    return derived


@pytest.fixture(scope="module")
def small() -> Derived:
    return derived_from(load(SMALL))


def whole(derived: Derived, x: np.ndarray = X) -> np.ndarray:
    assert derived.main
    return outputs_of(derived.main, {"x": x})["y"]


def in_chunks(stepper: lstmgraph.Stepper, inputs: Mapping[str, np.ndarray], seed: int) -> Arrays:
    """Random chunks; those of one step through `step`."""
    plan, random = stepper.plan, np.random.default_rng(seed)
    steps = inputs[plan.steps[0]].shape[time_axis(plan, plan.steps[0])]
    parts: dict[str, list[np.ndarray]] = {}
    position = 0
    for size in random_sizes(steps, random):
        places = np.arange(position, position + size)
        chunk = {n: inputs[n].take(places, time_axis(plan, n)) for n in plan.steps}
        for name in plan.lengths:
            chunk[name] = np.clip(inputs[name] - position, 0, size).astype(inputs[name].dtype)
        if size == 1:
            one = {
                n: a.squeeze(time_axis(plan, n)) if n in plan.steps else a for n, a in chunk.items()
            }
            found = stepper.step(one)
            found = {n: y[:, None] if plan.outputs[n] == "steps" else y for n, y in found.items()}
        else:
            found = stepper.run(chunk)
        for name, y in found.items():
            parts.setdefault(name, []).append(y)
        position += size
    return {
        name: np.concatenate(y, 1) if plan.outputs[name] == "steps" else y[-1]
        for name, y in parts.items()
    }


NAMES = (
    "stacked-cells",  # nested states, from inputs; lengths
    "store-forecaster",  # an encoder of other lengths, static features
    "number-words",  # attention to what the start model gives; masks of ids
    "time-major",
    "unrolled",  # no model of any number of steps
)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_any_chunks_give_what_the_whole_sequence_does(name: str) -> None:
    derived = derived_from(lstmgraph.load(RECIPES / f"{name}.yaml"))
    assert derived.main
    inputs = batch_for(derived.main)
    wanted = outputs_of(derived.main, inputs)
    stepper = lstmgraph.Stepper(derived, rows=ROWS, xla=False)  # traced in a quarter of the time
    if stepper.start_inputs:
        stepper.start({name: inputs[name] for name in stepper.start_inputs})
    for seed in (0, 1):
        found = in_chunks(stepper, inputs, seed)
        assert found.keys() == wanted.keys()
        for output, y in found.items():
            np.testing.assert_allclose(y, wanted[output], atol=3e-6, rtol=1e-5)
        stepper.reset()


@pytest.mark.slow
def test_rows_begin_and_stand_still_by_themselves(small: Derived) -> None:
    """Each row sees its own sequence, begun at its own time, with pauses of its own."""
    stepper, random = lstmgraph.Stepper(small, rows=ROWS), np.random.default_rng(2)
    wanted = whole(small)
    at = np.zeros(ROWS, int)
    for _ in range(40):
        anew = np.flatnonzero((at == X.shape[1]) | (random.random(ROWS) < 0.05))
        stepper.reset(anew)
        at[anew] = 0
        active = random.random(ROWS) < 0.7
        found = stepper.step(X[np.arange(ROWS), at], active=active)["y"]
        np.testing.assert_allclose(
            found[active], wanted[np.arange(ROWS), at][active], atol=2e-6, rtol=1e-5
        )
        at[active] += 1
        assert stepper.position.tolist() == at.tolist()
    assert len(set(at.tolist())) > 1


def test_chunks_leave_the_rows_alone_that_are_not_active(small: Derived) -> None:
    stepper = lstmgraph.Stepper(small, rows=ROWS)
    active = np.array([True, False, True, False, False])
    stepper.run(X[:, :3], active=active)
    assert stepper.position.tolist() == [3, 0, 3, 0, 0]
    found = stepper.run(X)["y"]
    np.testing.assert_allclose(found[~active], whole(small)[~active], atol=2e-6, rtol=1e-5)
    again = np.concatenate([X[:, :3], X], 1)
    np.testing.assert_allclose(found[active], whole(small, again)[active, 3:], atol=2e-6, rtol=1e-5)


@pytest.mark.slow
def test_rows_are_started_one_by_one() -> None:
    derived = derived_from(lstmgraph.load(RECIPES / "store-forecaster.yaml"))
    assert derived.main
    inputs = batch_for(derived.main)
    wanted = outputs_of(derived.main, inputs)["forecast"]
    stepper = lstmgraph.Stepper(derived, rows=ROWS, xla=False)
    with pytest.raises(ValueError, match=r"start\(\) first, with history, lengths, store"):
        stepper.step(inputs["known"][:, 0])
    for rows in ([3], [0, 4], slice(1, 3)):
        stepper.start({n: inputs[n][rows] for n in stepper.start_inputs}, rows=rows)
    first = stepper.run(inputs["known"][:, :4])["forecast"]
    np.testing.assert_allclose(first, wanted[:, :4], atol=3e-6, rtol=1e-5)
    stepper.reset(2)
    second = stepper.step(inputs["known"][:, [4, 4, 0, 4, 4]][np.arange(5), np.arange(5)])
    expected = wanted[np.arange(5), [4, 4, 0, 4, 4]]
    np.testing.assert_allclose(second["forecast"], expected, atol=3e-6, rtol=1e-5)


@pytest.mark.slow
def test_what_rows_begin_with_has_one_length() -> None:
    derived = derived_from(lstmgraph.load(RECIPES / "number-words.yaml"))
    stepper = lstmgraph.Stepper(derived, rows=2, xla=False)
    stepper.start({"words": np.ones((2, 4), "int32")})
    with pytest.raises(ValueError, match="pad the inputs of start\\(\\) to one length"):
        stepper.start({"words": np.ones((1, 6), "int32")}, rows=1)
    stepper.start({"words": np.ones((2, 6), "int32")})
    assert stepper.step(np.full(2, 11, "int32"))["next"].shape == (2, 13)


def test_training_the_model_that_shares_its_layers_moves_the_stepper() -> None:
    derived = derived_from(load(SMALL))
    assert derived.main
    stepper = lstmgraph.Stepper(derived, rows=ROWS)
    stepper.step(X[:, 0])
    randomise(derived.main, seed=4)
    stepper.reset()
    np.testing.assert_allclose(stepper.run(X)["y"], whole(derived), atol=2e-6, rtol=1e-5)


def test_weights_of_a_model_and_of_a_file(tmp_path: Path) -> None:
    recipe = load(SMALL)
    model = recipe.build()
    randomise(model)
    recipe.save(model, tmp_path / "m.keras")
    wanted = outputs_of(model, {"x": X})["y"]
    for stepper in (
        lstmgraph.Stepper(model, recipe, rows=ROWS),
        lstmgraph.Stepper(tmp_path / "m.keras", rows=ROWS),
    ):
        np.testing.assert_allclose(stepper.run(X)["y"], wanted, atol=2e-6, rtol=1e-5)
    randomise(model, seed=3)
    stepper.update(model)
    stepper.reset()
    np.testing.assert_allclose(
        stepper.run(X)["y"], outputs_of(model, {"x": X})["y"], atol=2e-6, rtol=1e-5
    )


def test_states_are_read_and_put_back(small: Derived) -> None:
    stepper = lstmgraph.Stepper(small, rows=ROWS)
    assert {name: state.shape for name, state in stepper.state.items()} == {
        "reader_h": (ROWS, 4),
        "reader_c": (ROWS, 4),
    }
    stepper.run(X[:, :3])
    states = stepper.state
    wanted = stepper.step(X[:, 3])["y"]
    states["reader_h"][0] += 0.0  # a copy, which may be written to
    stepper.state = states
    np.testing.assert_array_equal(stepper.step(X[:, 3])["y"], wanted)
    with pytest.raises(ValueError, match="missing: reader_c"):
        stepper.state = {"reader_h": states["reader_h"]}
    with pytest.raises(ValueError, match=r"reader_h must have shape \(5, 4\), not \(4, 5\)"):
        stepper.state = {**states, "reader_h": states["reader_h"].T}


def test_arrays_may_change_after_a_step(small: Derived) -> None:
    """On a CPU a tensor may lie in the memory of the array that it was made from."""
    stepper = lstmgraph.Stepper(small, rows=ROWS)
    buffer = np.empty((ROWS, 3), "float32")
    found = []
    for step in range(7):
        buffer[:] = X[:, step]
        found.append(stepper.step(buffer)["y"])
    np.testing.assert_allclose(np.stack(found, 1), whole(small), atol=2e-6, rtol=1e-5)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda s: s.step(X), r"x must have shape \(5, 3\), not \(5, 7, 3\)"),
        (lambda s: s.step(X[:2, 0]), r"x must have shape \(5, 3\), not \(2, 3\)"),
        (lambda s: s.step({"y": X[:, 0]}), "a step takes x; missing: x; unknown: y"),
        (lambda s: s.step({"x": X[:, 0], "y": 0}), "a step takes x; unknown: y"),
        (lambda s: s.step(X[:, 0].astype(complex)), "x must be float32, not complex128"),
        (lambda s: s.step(X[:, 0], active=[1, 0, 1, 1, 1]), "active must be bool, not int64"),
        (lambda s: s.run(X[:, :0]), r"x has shape \(5, 0, 3\): there are no steps in it"),
        (lambda s: s.run(X[..., :2]), r"x must have shape \(5, 7, 3\), not \(5, 7, 2\)"),
        (lambda s: s.reset(5), "rows are numbered 0 to 4; given: 5"),
        (lambda s: s.reset([1, 1]), "names a row twice"),
        (lambda s: s.start({"h": 0}), "start takes nothing; unknown: h"),
    ],
)
def test_what_does_not_fit_is_refused(call, message: str, small: Derived) -> None:
    stepper = lstmgraph.Stepper(small, rows=ROWS)
    with pytest.raises(ValueError, match=message):
        call(stepper)
    assert stepper.position.tolist() == [0] * ROWS


@pytest.mark.parametrize(
    ("source", "options", "message"),
    [
        ("model.h5", {}, "reads .keras files"),
        (load(SMALL), {}, "a recipe has no weights"),
        (load(SMALL).build(), {}, r"Stepper\(model, recipe\)"),
        (None, {"rows": 0}, "rows must be at least 1"),
    ],
)
def test_sources_that_are_none(source, options, message: str, small: Derived) -> None:
    with pytest.raises(ValueError, match=message):
        lstmgraph.Stepper(small if source is None else source, **options)


def test_what_cannot_be_stepped_is_refused_with_its_layer() -> None:
    recipe = load("""
inputs: {x: {shape: [time, 3]}}
layers: {both_ways: {type: lstm, input: x, units: 4, bidirectional: true, return_sequences: true}}
outputs: {y: both_ways}
""")
    with pytest.raises(lstmgraph.RecipeError, match=r"L834.*'both_ways' cannot run step by step"):
        lstmgraph.Stepper(recipe.build(), recipe)


@pytest.mark.slow
def test_a_step_models_own_file_is_given_what_its_start_would_compute(tmp_path: Path) -> None:
    recipe = lstmgraph.load(RECIPES / "store-forecaster.yaml").with_derived("step")
    models = recipe.models()
    whole, start = models["store-forecaster"], models["step.start"]
    randomise(whole)
    recipe.save(models["step"], tmp_path / "step.keras", further="step")
    inputs = batch_for(whole)
    stepper = lstmgraph.Stepper(tmp_path / "step.keras", rows=ROWS, xla=False)
    assert stepper.start_inputs == ("store", "decoder_h", "decoder_c")
    begun = outputs_of(start, {name: inputs[name] for name in start.input})
    stepper.start({**begun, "store": inputs["store"]})
    found = stepper.run(inputs["known"])["forecast"]
    np.testing.assert_allclose(found, outputs_of(whole, inputs)["forecast"], atol=3e-6, rtol=1e-5)


def test_a_batch_size_is_held() -> None:
    recipe = lstmgraph.load(RECIPES / "carried-state.yaml")
    fixed = recipe.build().input["chunk"].shape[0]
    assert lstmgraph.Stepper(recipe.derive("step")).rows == fixed
    with pytest.raises(ValueError, match=f"batch_size is {fixed}; given: 3 rows"):
        lstmgraph.Stepper(recipe.derive("step"), rows=3)


# Files.


def test_a_file_of_streams_goes_on_where_it_was(small: Derived, tmp_path: Path) -> None:
    stepper, other = (lstmgraph.Stepper(small, rows=ROWS) for _ in range(2))
    stepper.run(X[:, :3])
    stepper.reset(4)
    stepper.save_state(tmp_path / "s.npz")
    wanted = stepper.step(X[:, 3])["y"]
    other.restore_state(tmp_path / "s.npz")
    assert other.position.tolist() == [3, 3, 3, 3, 0]
    np.testing.assert_array_equal(other.step(X[:, 3])["y"], wanted)
    assert [path.name for path in tmp_path.iterdir()] == ["s.npz"]


@pytest.mark.slow
def test_started_streams_are_restored_without_their_sources(tmp_path: Path) -> None:
    derived = derived_from(lstmgraph.load(RECIPES / "number-words.yaml"))
    stepper, other = (lstmgraph.Stepper(derived, rows=2) for _ in range(2))
    with pytest.raises(ValueError, match="have not begun"):
        stepper.save_state(tmp_path / "s.npz")
    stepper.start({"words": np.array([[1, 2, 3], [4, 5, 0]], "int32")})
    first = stepper.step(np.array([11, 11], "int32"))["next"]
    stepper.save_state(tmp_path / "s.npz")
    second = stepper.step(np.array([3, 4], "int32"))["next"]
    other.restore_state(tmp_path / "s.npz")
    np.testing.assert_array_equal(other.step(np.array([3, 4], "int32"))["next"], second)
    other.reset()
    np.testing.assert_array_equal(other.step(np.array([11, 11], "int32"))["next"], first)


def test_files_of_others_are_refused(small: Derived, tmp_path: Path) -> None:
    stepper = lstmgraph.Stepper(small, rows=ROWS)
    stepper.run(X[:, :3])
    before = stepper.state
    path = tmp_path / "s.npz"

    def refused(message: str) -> None:
        with pytest.raises(lstmgraph.StateFileError, match=message):
            stepper.restore_state(path)
        assert stepper.position.tolist() == [3] * ROWS
        for name, state in stepper.state.items():
            np.testing.assert_array_equal(state, before[name])

    lstmgraph.Stepper(small, rows=2).save_state(path)
    refused("holds 2 rows, but the Stepper has 5")
    derived = load(SMALL).derive("step")
    lstmgraph.Stepper(derived, rows=ROWS).save_state(path)
    refused("other weights")
    gru = load(SMALL.replace("lstm", "gru")).derive("step")
    lstmgraph.Stepper(gru, rows=ROWS).save_state(path)
    refused("another model: its states are reader_h, not reader_h and reader_c")
    np.savez(path, reader_h=np.zeros((ROWS, 4)))
    refused("does not say which model")
    stepper.save_state(path)
    content = path.read_bytes()
    for size in (0, 10, len(content) // 2, len(content) - 30):
        path.write_bytes(content[:size])
        refused("not a state file, or is damaged")
    np.save(tmp_path / "array.npy", X)
    (tmp_path / "array.npy").rename(path)
    refused("not a state file, or is damaged")
    path.unlink()
    with pytest.raises(FileNotFoundError):
        stepper.restore_state(path)


def test_no_damage_goes_unnoticed(small: Derived, tmp_path: Path) -> None:
    """Any byte may be wrong: the file is refused, or it is a byte that no array is read from."""
    stepper = lstmgraph.Stepper(small, rows=ROWS)
    stepper.run(X[:, :3])
    wanted, path = stepper.state, tmp_path / "s.npz"
    stepper.save_state(path)
    content, refused = path.read_bytes(), 0
    for place in np.random.default_rng(0).integers(0, len(content), 150).tolist():
        damaged = bytearray(content)
        damaged[place] ^= 0xFF
        path.write_bytes(damaged)
        try:
            stepper.restore_state(path)
        except lstmgraph.StateFileError:
            refused += 1
        for name, state in stepper.state.items():
            np.testing.assert_array_equal(state, wanted[name])
    assert refused > 75


STREAM = """
import sys
import numpy as np
import lstmgraph

stepper = lstmgraph.Stepper(sys.argv[1], rows=5)
x = np.load(sys.argv[2])
state = sys.argv[3]
while True:
    step = int(stepper.position[0]) % x.shape[1]
    stepper.step(x[:, step])
    stepper.save_state(state)
    print(stepper.position[0], flush=True)
"""


@pytest.mark.slow
def test_a_killed_process_goes_on_with_the_same_numbers(tmp_path: Path) -> None:
    recipe = load(SMALL)
    model = recipe.build()
    randomise(model)
    recipe.save(model, tmp_path / "m.keras")
    np.save(tmp_path / "x.npy", X)
    arguments = [str(tmp_path / name) for name in ("m.keras", "x.npy", "state.npz")]
    with subprocess.Popen(
        [sys.executable, "-c", STREAM, *arguments],
        stdout=subprocess.PIPE,
        text=True,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": str(Path(lstmgraph.__file__).parents[1])},
    ) as child:
        assert child.stdout
        lines = iter(child.stdout)
        seen = [int(next(lines)) for _ in range(30)]
        child.send_signal(signal.SIGKILL)
    assert child.returncode == -signal.SIGKILL
    restored = lstmgraph.Stepper(tmp_path / "m.keras", rows=ROWS)
    restored.restore_state(tmp_path / "state.npz")
    position = int(restored.position[0])
    assert position >= seen[-1] == 30
    never = lstmgraph.Stepper(tmp_path / "m.keras", rows=ROWS)
    for step in range(position):
        never.step(X[:, step % 7])
    for step in range(position, position + 10):
        found, wanted = (each.step(X[:, step % 7])["y"] for each in (restored, never))
        np.testing.assert_array_equal(found, wanted)
