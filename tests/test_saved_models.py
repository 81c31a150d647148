"""Built files load anywhere: in a process without lstmgraph, with Keras's safe mode on.

Of shipped recipes of the same kinds of calls one is built; ``LSTMGRAPH_EXAMPLES`` builds all.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import keras
import numpy as np
import pytest
from building import (
    FEWER_STEPS,
    SHIPPED,
    Arrays,
    assert_equal_arrays,
    batch_for,
    load,
    outputs_of,
    with_header,
)
from test_masked_loss import LOSS_RECIPES, masked_mse, target_for
from test_outputs import CASES
from typer.testing import CliRunner

import lstmgraph
from lstmgraph.cli import app
from lstmgraph.cli.build_files import BuildFiles, build_files, write_build

if TYPE_CHECKING:
    from pathlib import Path

    from started import Started

# Keras 3.15 writes weights with a call that NumPy 2 wants spelled otherwise.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

ALIKE = {
    "carried-state": "states_carried_and_others_in_one_stack",
    "document-classifier": "character-tagger",
    "next-frame": "store-forecaster",
    "number-words": "encoder-decoder",
    "placeholder-states": "mask_from_embedding_with_states_from_inputs",
    "speaker-classifier": "speaker-classifier-search",
    "stream-anomalies": "time-major",
}
"""Recipes, and those that have the same kinds of calls."""

INLINE = (
    "mask_from_embedding_with_states_from_inputs",
    "mask_none_really_drops_it",
    "mask_from_an_input_with_gaps",
    "mask_by_lengths_holding_the_last_output",
    "mask_inherited_through_other_layers",
    "state_of_two_directions_for_one",
    "states_h_and_c_from_different_places",
    "joined_inputs_keep_the_sequence_mask",
    "bidirectional_ave",
    "time_distributed_hands_the_mask_on",
    "attention_uses_the_masks_of_all_its_inputs",
    "states_learned_in_both_directions",
    "states_carried_and_others_in_one_stack",
    "several_cells_in_a_layer",
    "static_step_before_a_sequence",
    "masked_sequences_joined_in_time",
)

MIXED = """
inputs: {ids: {shape: [time], dtype: int32}}
layers:
  embedding: {type: embedding, input: ids, input_dim: 10, output_dim: 3, mask_zero: true}
  reader: {type: lstm, input: embedding, units: 4, bidirectional: true, initial_state: input}
  low:
    type: gru
    input: reader.sequence
    units: 3
    dtype_policy: mixed_bfloat16
    initial_state: learned
  high:
    type: gru
    input: low.sequence
    units: 3
    dtype_policy: float64
    initial_state: {constant: 0.1}
  y: {type: dense, input: high.sequence, units: 2, activation: softmax}
outputs: {y: y, low: low.state, read: reader.last}
runtime: {seed: 3, dtype_policy: mixed_float16}
training:
  loss: {y: sparse_categorical_crossentropy}
  metrics: {y: [sparse_categorical_accuracy]}
"""
OTHER_POLICIES = ("float64",)

LOAD_AND_PREDICT = """
import sys, warnings
from pathlib import Path

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "lstmgraph":
            raise ImportError(name)

sys.meta_path.insert(0, Blocker())
import keras
import numpy as np

warnings.filterwarnings("error", category=UserWarning)
for path in sorted(Path(sys.argv[1]).glob("*.keras")):
    model = keras.models.load_model(path)
    with np.load(path.with_suffix(".inputs.npz")) as inputs:
        outputs = model(dict(inputs))
    np.savez(path.with_suffix(".found.npz"), **outputs)
assert not any(name.partition(".")[0] == "lstmgraph" for name in sys.modules)
"""


def recipes() -> dict[str, lstmgraph.Recipe]:
    """Shipped recipes, and inline ones; all have a seed."""
    left_out = () if "LSTMGRAPH_EXAMPLES" in os.environ else ALIKE
    found = {
        path.stem: lstmgraph.load(path, overrides=FEWER_STEPS.get(path.stem, ()))
        for path in SHIPPED
        if path.stem not in left_out
    }
    inline = {name: CASES[name].recipe for name in INLINE}
    inline["compiled"] = LOSS_RECIPES["initial state"]
    for name, text in inline.items():
        found[name] = lstmgraph.load(with_header(text, name), overrides={"runtime.seed": 5})
    found["mixed"] = load(MIXED, "mixed")
    for policy in OTHER_POLICIES:
        text = with_header(MIXED, f"mixed-{policy}")
        found[f"mixed-{policy}"] = lstmgraph.load(text, overrides={"runtime.dtype_policy": policy})
    return found


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> tuple[Path, dict[str, Arrays], dict[str, list[np.ndarray]]]:
    """A folder with all the files; outputs that were computed beside it, and the weights."""
    folder = tmp_path_factory.mktemp("built")
    outputs, weights = {}, {}
    for name, recipe in recipes().items():
        keras.backend.clear_session()  # Keras numbers the optimizers of a process: count anew
        model = recipe.build()
        with pytest.MonkeyPatch.context() as patched:  # the same model in the files: built once
            patched.setattr(lstmgraph.Recipe, "build", lambda _self, model=model, **_: model)
            write_build(recipe, build_files(folder, name))
        data = batch_for(model)
        outputs[name] = {key: np.asarray(y) for key, y in model(data).items()}
        np.savez(folder / f"{name}.inputs.npz", **data)
        weights[name] = model.get_weights()
    return folder, outputs, weights


@pytest.fixture(scope="module")
def loaded_elsewhere(built, keras_alone: Started) -> Path:
    """The folder, with the outputs of the loaded models in it."""
    folder, *_ = built
    result = keras_alone.run(LOAD_AND_PREDICT, str(folder))
    assert result.returncode == 0, result.stderr
    return folder


NAMES = tuple(recipes())


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_loads_in_a_process_without_lstmgraph(name: str, built, loaded_elsewhere: Path) -> None:
    _, outputs, _ = built
    with np.load(loaded_elsewhere / f"{name}.found.npz") as found:
        assert_equal_arrays(dict(found), outputs[name])


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in NAMES if name not in INLINE])
def test_resolved_recipe_builds_the_same_model(name: str, built) -> None:
    folder, _, weights = built
    files = build_files(folder, name)
    again = lstmgraph.load(files.resolved)
    keras.backend.clear_session()
    model = again.build()
    assert json.loads(model.to_json()) == json.loads(files.config.read_text("utf-8"))
    for found, wanted in zip(model.get_weights(), weights[name], strict=True):
        np.testing.assert_array_equal(found, wanted, strict=True)
    assert again.resolved() == files.resolved.read_text("utf-8")


# Files are written whole or not at all.

SMALL = """
inputs: {x: {shape: [time, 3]}}
layers: {reader: {type: lstm, input: x, units: 2}}
outputs: {y: reader}
"""


def existing_files(folder: Path) -> BuildFiles:
    files = build_files(folder, "small")
    for path in (files.model, files.config, files.resolved):
        path.write_text("as it was")
    return files


def assert_as_it_was(folder: Path) -> None:
    names = {"small.keras", "small.config.json", "small.resolved.yaml"}
    assert {path.name for path in folder.iterdir()} == names
    assert {path.read_text() for path in folder.iterdir()} == {"as it was"}


def half_saved(model: keras.Model, path: Path) -> None:
    path.write_text("half a mod")
    raise OSError("no space left on device")


def unresolved(recipe: lstmgraph.Recipe) -> str:
    raise OSError("no space left on device")


@pytest.mark.parametrize(
    ("owner", "method", "failure"),
    [(keras.Model, "save", half_saved), (lstmgraph.Recipe, "resolved", unresolved)],
)
def test_failed_build_leaves_existing_files(tmp_path, monkeypatch, owner, method, failure) -> None:
    files = existing_files(tmp_path)
    monkeypatch.setattr(owner, method, failure)
    with pytest.raises(OSError, match="no space"):
        write_build(load(SMALL, "small"), files)
    assert_as_it_was(tmp_path)


def run_build(folder: Path, *options: str, recipe: str = SMALL):
    path = folder / "recipe.yaml"
    path.write_text(with_header(recipe, "small"))
    return CliRunner().invoke(app, ["build", str(path), "-o", str(folder / "out"), *options])


def test_existing_files_stay_without_force(tmp_path) -> None:
    (tmp_path / "out").mkdir()
    existing_files(tmp_path / "out")
    result = run_build(tmp_path)
    assert result.exit_code == 2
    assert "--force" in result.output
    assert_as_it_was(tmp_path / "out")


def test_wrong_recipe_leaves_existing_files(tmp_path) -> None:
    (tmp_path / "out").mkdir()
    existing_files(tmp_path / "out")
    assert run_build(tmp_path, "--force", recipe=SMALL.replace("lstm", "lstn")).exit_code == 1
    assert_as_it_was(tmp_path / "out")


def test_force_overwrites(tmp_path) -> None:
    (tmp_path / "out").mkdir()
    files = existing_files(tmp_path / "out")
    assert run_build(tmp_path, "--force").exit_code == 0
    assert list(keras.models.load_model(files.model).output) == ["y"]
    assert len(list((tmp_path / "out").iterdir())) == 3


@pytest.mark.slow
@pytest.mark.usefixtures("eagerly")
@pytest.mark.parametrize("name", LOSS_RECIPES)
def test_loaded_model_masks_the_loss(name: str, tmp_path) -> None:
    files = build_files(tmp_path, "inline")
    write_build(load(LOSS_RECIPES[name]), files)
    model = keras.models.load_model(files.model)
    data, target = batch_for(model), target_for(model)
    wanted = masked_mse(outputs_of(model, data)["y"], target)
    assert model.test_on_batch(data, {"y": target}) == pytest.approx(wanted, rel=1e-5)
