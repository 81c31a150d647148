"""Files that Keras 3 itself does not open, imported: the recipe's model gives what they gave.

``LSTMGRAPH_EXAMPLES=1`` imports all of them.
"""

from __future__ import annotations

import json
import os
import zipfile
from functools import partial
from pathlib import Path

import keras
import numpy as np
import pytest

import lstmgraph
from lstmgraph.interop.building import opened
from lstmgraph.interop.keras_model import flat_tensors
from lstmgraph.interop.reading import read_model
from lstmgraph.messages.errors import ModelFileError

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

FURTHER = ("gru", "cudnn_lstm") if "LSTMGRAPH_EXAMPLES" in os.environ else ()
IMPORTED = ("lstm", "sequential", "images", "cudnn_gru", *FURTHER)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("keras2")
    with zipfile.ZipFile(Path(__file__).parent / "keras2" / "files.zip") as archive:
        archive.extractall(folder)
    return folder


def saved(files: Path, name: str) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Return the inputs that Keras 2 was given, and its outputs."""
    with np.load(files / f"{name}.npz") as found:
        sides = [[key for key in found if key.startswith(side)] for side in ("in", "out")]
        inputs, outputs = ([found[key] for key in sorted(keys)] for keys in sides)
    return inputs, outputs


@pytest.mark.parametrize("name", ["nested", "stateful"])
def test_a_file_of_keras_2_opens_with_its_numbers(files: Path, name: str) -> None:
    data = read_model(files / f"{name}.h5")
    found = opened(files / f"{name}.h5", data)
    inputs, outputs = saved(files, name)
    names = [tensor.layer for tensor in flat_tensors(data.inputs)]
    by_name = dict(zip(names, inputs, strict=True))
    given = keras.tree.map_structure(
        lambda tensor: by_name[tensor.name], found.model._inputs_struct
    )
    ours = keras.tree.flatten(found.model(given))
    for one, wanted in zip(ours, outputs, strict=True):
        assert np.abs(np.asarray(one) - wanted).max() <= 1e-6


@pytest.mark.slow
@pytest.mark.parametrize("name", IMPORTED)
def test_a_file_of_keras_2_is_imported_with_its_numbers(files: Path, name: str) -> None:
    """The recipe's model, and by the check the file's as Keras 3 has it, give Keras 2's numbers."""
    found = lstmgraph.import_model(files / f"{name}.h5")
    assert found.check.ok, str(found.check)
    inputs, outputs = saved(files, name)
    given = dict(zip(found.recipe.to_dict()["inputs"], inputs, strict=True))
    for one, wanted in zip(found.model(given).values(), outputs, strict=True):
        assert np.abs(np.asarray(one) - wanted).max() <= 1e-6
    assert bool(found.notes) == (name == "sequential")  # whose ids are floats in Keras 2


@pytest.mark.slow
def test_states_that_a_file_of_keras_2_carries_are_imported(files: Path) -> None:
    found = lstmgraph.import_model(files / "stateful.h5")
    assert found.check.ok, str(found.check)
    assert found.check.batches == 3
    assert "the language has its own use" in found.notes[0]


def test_what_a_file_of_keras_2_slices_is_refused_at_its_place(files: Path) -> None:
    with pytest.raises(ModelFileError) as error:
        lstmgraph.import_model(files / "nested.h5")
    (found,) = error.value.diagnostics
    assert found.code == "M204"
    assert "GetItem" in found.message


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")
def test_operations_in_an_hdf5_file(tmp_path: Path) -> None:
    words = keras.Input((None,), dtype="int32", name="words")
    steps = keras.layers.Embedding(9, 4, mask_zero=True, name="steps")(words)
    start = keras.layers.LSTM(5, return_state=True, name="start")(steps)[1:]
    read = keras.layers.LSTM(5, name="read")(steps, initial_state=start, mask=words != 0)
    model = keras.Model(words, read)
    model.save(tmp_path / "model.h5")
    with pytest.raises(ValueError, match="NotEqual"):
        keras.saving.load_model(tmp_path / "model.h5")
    found = lstmgraph.import_model(tmp_path / "model.h5")
    assert found.check.ok, str(found.check)
    given = np.array([[1, 2, 3, 0], [4, 0, 0, 0]], "int32")
    (ours,) = found.model({"words": given}).values()
    assert np.abs(np.asarray(ours) - np.asarray(model(given))).max() <= 1e-6


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("small") / "small.keras"
    steps = keras.Input((None, 2), name="steps")
    keras.Model(steps, keras.layers.GRU(3, name="read")(steps)).save(path)
    return path


@pytest.mark.parametrize("work", ["import", "audit"])
@pytest.mark.parametrize(
    ("units", "keeps_weights", "words"),
    [
        (100_000, True, "`units` is 100000, more than its weights"),
        (4, True, "cannot be built"),
        (3, False, "no whole .keras file|weights"),
    ],
    ids=["huge", "other shapes", "no weights"],
)
def test_weights_that_do_not_fit(  # noqa: PLR0913, PLR0917 - fixtures and cases
    small: Path, tmp_path: Path, units: int, keeps_weights: bool, words: str, work: str
) -> None:
    path = tmp_path / "changed.keras"
    with zipfile.ZipFile(small) as old, zipfile.ZipFile(path, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            if name == "config.json":
                config = json.loads(content)
                config["config"]["layers"][1]["config"]["units"] = units
                content = json.dumps(config).encode()
            if keeps_weights or name != "model.weights.h5":
                new.writestr(name, content)
    run = lstmgraph.import_model if work == "import" else partial(lstmgraph.audit, run=True)
    with pytest.raises(lstmgraph.ModelFileError, match=words) as error:
        run(path)
    assert "M114" in str(error.value)
