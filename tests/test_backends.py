"""The same recipe on TensorFlow and on JAX: the same numbers, or an error at the line that says why.

The files go between two processes: this one, on the backend that the suite runs on, and one on the
other. `.ci/run` runs the numeric core of the suite on JAX itself.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import keras
import numpy as np
import pytest
from building import (
    REFUSED_ON_JAX,
    SHIPPED,
    Arrays,
    batch_for,
    built,
    load,
    outputs_of,
    randomise,
    with_header,
)
from test_outputs import CASES
from training_cases import CARRIED, arrays

import lstmgraph
from lstmgraph.carried import read_states
from lstmgraph.diagnostics import RecipeError
from lstmgraph.export import ExportOptions, check_obstacles
from lstmgraph.machine import Machine
from lstmgraph.obstacles import obstacles

ON_JAX = Machine(0, "JAX sees none", "jax", has_64_bits=False)
ON_JAX_WITH_GPU = Machine(1, "", "jax", has_64_bits=False)

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

warnings.filterwarnings("error", category=UserWarning)
folder, other = Path(sys.argv[1]), sys.argv[2]
assert keras.backend.backend() == other
for path in sorted(folder.glob("*.keras")):
    model = lstmgraph.load_model(path)
    if model.compiled and path.stem == "trained":
        with np.load(folder / "trained.data.npz") as data:
            losses = model.fit(
                {"x": data["x"]}, {"y": data["y"]}, batch_size=6, epochs=2, shuffle=False, verbose=0
            ).history["loss"]
        (folder / "losses.json").write_text(json.dumps(losses))
        weights = {f"w{i}": np.asarray(w.value) for i, w in enumerate(model.weights)}
        np.savez(folder / "trained.weights.npz", **weights)
        states = lstmgraph.carried.read_states(model)
        np.savez(folder / "trained.states.npz", **states)
        model.save(folder / "back" / path.name)
        continue
    with np.load(path.with_suffix(".inputs.npz")) as inputs:
        outputs = model.predict_on_batch(dict(inputs))
    np.savez(path.with_suffix(".found.npz"), **outputs)
"""


def recipes() -> dict[str, lstmgraph.Recipe]:
    found = {path.stem: lstmgraph.load(path) for path in SHIPPED}
    found["both-ways"] = load(MASKED_AND_BOTH_WAYS, "both-ways")
    return found


@pytest.fixture(scope="module")
def exchanged(tmp_path_factory) -> tuple[Path, dict[str, Arrays], keras.Model]:
    """A folder with every file and what the other backend made of it; our outputs; our training."""
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
    trained.losses = trained.fit(x, y, **how).history["loss"]
    command = [sys.executable, "-c", ON_THE_OTHER, str(folder), OTHER]
    variables = {**os.environ, "KERAS_BACKEND": OTHER, "TF_CPP_MIN_LOG_LEVEL": "3"}
    run = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    return folder, outputs, trained
