"""One recipe on TensorFlow and on JAX: the same numbers, or an error at the line that says why.

The files go between two processes: this one, on the backend that the suite runs on, and one on the
other. `.ci/run` runs the numeric core of the suite on JAX itself.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING

import keras
import numpy as np
import pytest
from building import (
    RECIPES,
    SHIPPED,
    Arrays,
    batch_for,
    built,
    load,
    outputs_of,
    randomise,
)
from test_outputs import CASES
from training_cases import CARRIED, arrays

import lstmgraph
from lstmgraph.compiler.machine.machine import Machine
from lstmgraph.compiler.machine.obstacles import obstacles
from lstmgraph.export import check_obstacles
from lstmgraph.messages.errors import RecipeError
from lstmgraph.models.carried import read_states

if TYPE_CHECKING:
    from pathlib import Path

# Keras 3.15 writes weights with a call that NumPy 2 wants spelled otherwise.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

ON_JAX = Machine(0, "JAX sees none", "jax")
ON_JAX_WITH_GPU = Machine(1, "", "jax")

# One file, two backends.

OTHER = "tensorflow" if keras.backend.backend() == "jax" else "jax"
needs_both = pytest.mark.skipif(
    find_spec("jax") is None, reason="JAX is not installed: pip install 'lstmgraph[jax]'"
)
TOLERANCE = 1e-5

MASKED_AND_BOTH_WAYS = """
inputs: {x: {shape: [time, 3]}, lengths: {shape: [], dtype: int32}}
layers:
  reader: {type: lstm, input: x, units: [4, 3], bidirectional: true, mask: {lengths: lengths}}
  second: {type: gru, input: reader.sequence, units: 5, initial_state: learned}
  y: {type: dense, input: second, units: 2}
outputs: {y: y, states: reader.state}
training: {loss: {y: mse}, optimizer: adam}
"""
PLAIN = CARRIED.replace(", dropout: 0.3", "")
"""Carried states, and no dropout: two backends draw different numbers."""

ON_THE_OTHER = """
import json, sys, warnings
from pathlib import Path
import keras
import numpy as np
import lstmgraph
import lstmgraph.models.carried

warnings.filterwarnings("error", category=UserWarning)
folder, other = Path(sys.argv[1]), sys.argv[2]
assert keras.backend.backend() == other
for path in sorted(folder.glob("*.keras")):
    model = lstmgraph.load_model(path)
    if path.stem == "trained":
        with np.load(folder / "trained.data.npz") as data:
            losses = model.fit(
                {"x": data["x"]}, {"y": data["y"]}, batch_size=6, epochs=2, shuffle=False, verbose=0
            ).history["loss"]
        (folder / "losses.json").write_text(json.dumps(losses))
        outputs = lstmgraph.models.carried.read_states(model)
    else:
        with np.load(path.with_suffix(".inputs.npz")) as inputs:
            outputs = model.predict_on_batch(dict(inputs))
    np.savez(path.with_suffix(".found.npz"), **outputs)
    model.save(folder / "back" / path.name)
"""


EXCHANGED = ("carried-state", "conv-lstm", "learned-states", "stacked-cells")


def recipes() -> dict[str, lstmgraph.Recipe]:
    found = {name: lstmgraph.load(RECIPES / f"{name}.yaml") for name in EXCHANGED}
    found["both-ways"] = load(MASKED_AND_BOTH_WAYS, "both-ways")
    return found


@pytest.fixture(scope="module")
def exchanged(tmp_path_factory) -> tuple[Path, dict[str, Arrays], keras.Model, list[float]]:
    """A folder with every file and what the other backend made of it; our outputs and training."""
    folder = tmp_path_factory.mktemp("exchanged")
    (folder / "back").mkdir()
    outputs = {}
    for name, recipe in recipes().items():
        model = built(recipe)
        randomise(model)
        recipe.save(model, folder / f"{name}.keras")
        data = batch_for(model)
        np.savez(folder / f"{name}.inputs.npz", **data)
        outputs[name] = outputs_of(model, data)
    recipe = load(PLAIN, "trained")
    trained = recipe.build()
    recipe.save(trained, folder / "trained.keras")
    x, y = arrays(18)
    np.savez(folder / "trained.data.npz", **x, **y)
    how = {"batch_size": 6, "epochs": 2, "shuffle": False, "verbose": 0}
    losses = trained.fit(x, y, **how).history["loss"]
    command = [sys.executable, "-c", ON_THE_OTHER, str(folder), OTHER]
    variables = {**os.environ, "KERAS_BACKEND": OTHER, "TF_CPP_MIN_LOG_LEVEL": "3"}
    run = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    return folder, outputs, trained, losses


def assert_close(found: Arrays, wanted: Arrays) -> None:
    assert found.keys() == wanted.keys()
    for name, array in wanted.items():
        assert found[name].dtype == array.dtype
        np.testing.assert_allclose(found[name], array, rtol=0, atol=TOLERANCE, err_msg=name)


@needs_both
@pytest.mark.parametrize("name", recipes())
def test_a_file_computes_the_same_on_the_other_backend(name: str, exchanged) -> None:
    folder, outputs, _, _ = exchanged
    with np.load(folder / f"{name}.found.npz") as found:
        assert_close(dict(found), outputs[name])


@needs_both
@pytest.mark.parametrize("name", recipes())
def test_a_file_that_the_other_backend_wrote_computes_the_same(name: str, exchanged) -> None:
    folder, outputs, _, _ = exchanged
    model = keras.models.load_model(folder / "back" / f"{name}.keras")
    with np.load(folder / f"{name}.inputs.npz") as inputs:
        assert_close(outputs_of(model, dict(inputs)), outputs[name])


@needs_both
def test_training_gives_the_same_numbers(exchanged) -> None:
    """Two epochs of Adam, states carried from batch to batch and through both of them."""
    folder, _, trained, losses = exchanged
    found = json.loads((folder / "losses.json").read_text())
    assert found == pytest.approx(losses, rel=1e-5)
    there = keras.models.load_model(folder / "back" / "trained.keras")
    for ours, theirs in zip(trained.get_weights(), there.get_weights(), strict=True):
        np.testing.assert_allclose(theirs, ours, rtol=0, atol=TOLERANCE)
    states = read_states(trained)
    assert all(state.any() for state in states.values())
    with np.load(folder / "trained.found.npz") as kept:
        assert_close(dict(kept), states)


# What JAX cannot do is refused, at the line. Decided without JAX.

READER = """
inputs: {{x: {{shape: [6, 3]{dtype}}}{mask}}}
layers: {{reader: {{type: {layer}, units: 2, input: x{arguments}}}}}
outputs: {{y: reader.sequence}}
runtime: {{{runtime}}}
"""
MASKED = ", mask: {input: mask}"
HELD = f"{MASKED}, padded_output: hold"


def recipe(
    runtime: str = "", arguments: str = "", dtype: str = "", layer: str = "lstm"
) -> lstmgraph.Recipe:
    given = {"runtime": runtime, "arguments": arguments, "dtype": dtype, "layer": layer}
    mask = ", mask: {shape: [6], dtype: bool}" if MASKED in arguments else ""
    return load(READER.format(**given, mask=mask))


def refused(compiled, machine: Machine = ON_JAX) -> list[tuple[str, str]]:
    """Code and last part of the path of each obstacle."""
    found = obstacles(compiled.declaration.runtime, compiled.graph, machine)
    return [(obstacle.code, str(obstacle.path[-1])) for obstacle in found]


REFUSED = {
    "cudnn": ({"runtime": "kernel: cudnn"}, [("L763", "kernel")]),
    "threads": ({"runtime": "threads: 2"}, [("L763", "threads")]),
    "nothing": ({"arguments": MASKED, "runtime": "seed: 1, xla: true"}, []),
    "float64": ({"runtime": "dtype_policy: float64"}, [("L765", "dtype_policy")]),
    "a layer of it": ({"arguments": ", dtype_policy: float64"}, [("L765", "dtype_policy")]),
    "an input of it": ({"dtype": ", dtype: float64"}, [("L765", "dtype")]),
    "unrolled": ({"runtime": "kernel: unrolled", "arguments": MASKED}, [("L766", "unroll")]),
    "unrolled and held": ({"runtime": "kernel: unrolled", "arguments": HELD}, []),
    "unrolled, no mask": ({"runtime": "kernel: unrolled"}, []),
    "held from zeros": ({"arguments": HELD}, []),
    "held from a state": (
        {"arguments": f"{HELD}, initial_state: input"},
        [("L766", "padded_output")],
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_jax_is_refused_what_it_cannot_do(name: str) -> None:
    given, wanted = REFUSED[name]
    compiled = recipe(**given).compiled
    assert refused(compiled) == wanted
    if name != "cudnn":
        assert not refused(compiled, Machine())


def test_on_a_gpu_deterministic_is_tensorflows() -> None:
    compiled = recipe("deterministic: true, seed: 1").compiled
    assert refused(compiled) == []
    assert refused(compiled, ON_JAX_WITH_GPU) == [("L763", "deterministic")]


@pytest.mark.slow
def test_the_numeric_core_leaves_only_these_out() -> None:
    """`building.built` skips on JAX what is refused there."""
    found = {name: refused(load(case.recipe).compiled) for name, case in CASES.items()}
    assert {name: codes for name, codes in found.items() if codes} == {
        "arguments_of_the_cell": [("L766", "unroll")],
        "mask_from_embedding_with_states_from_inputs": [("L765", "dtype")],
    }
    assert not any(refused(lstmgraph.load(path).compiled) for path in SHIPPED)


@pytest.mark.parametrize("format_name", ["saved_model", "litert"])
def test_formats_of_tensorflow_are_refused(format_name: str, monkeypatch) -> None:
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    compiled = recipe().compiled
    with pytest.raises(RecipeError) as caught:
        check_obstacles(compiled, [format_name])
    assert [found.code for found in caught.value.diagnostics] == ["L805"]
    check_obstacles(compiled, ["keras", "onnx"])


# What `explain` says there.


@pytest.mark.parametrize(
    ("given", "kernel", "reason"),
    [
        ({}, "standard", "there is no GPU"),
        ({"arguments": ", mask: {value: 0.0, padding: right}"}, "standard", "masked calls"),
        ({"layer": "gru"}, "standard", "on jax, Keras's loop runs GRUs"),
        ({"runtime": "kernel: standard"}, "standard", "`kernel: standard`"),
    ],
)
def test_explain_says_the_kernel_on_jax(given, kernel: str, reason: str) -> None:
    row = recipe(**given).explain(ON_JAX).layers[0]
    assert row.kernel == kernel
    assert reason in (row.kernel_reason or "")


def test_explain_says_what_cannot_be_built() -> None:
    rows = recipe("threads: 2, dtype_policy: float64").explain(ON_JAX).runtime
    said = {row.key: row.effect for row in rows}
    assert said["threads"].startswith("cannot be built here: `threads` works only with TensorFlow")
    assert said["dtype_policy"].startswith("cannot be built here: the recipe is float64")
    assert said["xla"] == "jax compiles as it always does"


# Why they are refused: once Keras does better, they can go.

STEPS_THAT_COUNT = np.array([[False, True, True, False]])


def kerass_loop(**arguments) -> keras.layers.LSTM:
    return keras.layers.LSTM(2, return_sequences=True, **arguments)


@pytest.mark.skipif(keras.backend.backend() != "jax", reason="what Keras does on JAX")
def test_why_calls_are_refused_on_jax() -> None:
    x = np.random.default_rng(0).normal(size=(1, 4, 3)).astype("float32")
    states = [np.full((1, 2), value, "float32") for value in (0.3, 0.4)]
    unrolled = kerass_loop(unroll=True, zero_output_for_mask=True)
    assert np.asarray(unrolled(x, mask=STEPS_THAT_COUNT))[0, -1].all()  # not zeros
    held = kerass_loop()(x, mask=STEPS_THAT_COUNT, initial_state=states)
    np.testing.assert_array_equal(np.asarray(held)[0, 0], states[0][0])  # not zeros
