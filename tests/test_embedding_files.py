"""Tables of embeddings from a file: checked at their line, begun with, kept in the model's file."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import keras
import numpy as np
import pytest
from typer.testing import CliRunner

import lstmgraph
from lstmgraph.cli import app
from lstmgraph.messages.errors import FolderError
from lstmgraph.tuning.recipes import read_payload, recipe_payload

if TYPE_CHECKING:
    from pathlib import Path

# Keras 3.15 writes weights with a call that NumPy 2 wants spelled otherwise.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

TEXT = """\
recipe: 1
name: words
inputs: {ids: {shape: [4], dtype: int32}, rows: {shape: [2, 4], dtype: int32}}
layers:
  word:
    type: embedding
    input: ids
    input_dim: 6
    output_dim: 3
    trainable: false
    embeddings: {from: vectors.npy}
  each:
    type: time_distributed
    input: rows
    layer: {type: embedding, input_dim: 6, output_dim: 3, embeddings: {from: all.npz, array: words}}
  flat: {type: flatten, input: word}
  rest: {type: flatten, input: each}
  both: {type: concatenate, input: [flat, rest]}
  y: {type: dense, input: both, units: 1}
outputs: {y: y}
training: {loss: mse, optimizer: {type: sgd, learning_rate: 0.1}}
data: {split: {validation: 0}}
runtime: {seed: 5}
"""
VECTORS = np.random.default_rng(0).normal(size=(6, 3))


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "words.yaml").write_text(TEXT)
    np.save(tmp_path / "vectors.npy", VECTORS)
    np.savez(tmp_path / "all.npz", words=VECTORS.astype("float32") * 2, others=np.ones(3))
    ids = np.random.default_rng(1).integers(0, 6, (8, 2, 4)).astype("int32")
    np.savez(tmp_path / "data.npz", ids=ids[:, 0], rows=ids, y=np.ones((8, 1), "float32"))
    return tmp_path


def tables(model: keras.Model) -> tuple[np.ndarray, np.ndarray]:
    return model.get_layer("word").get_weights()[0], model.get_layer("each").get_weights()[0]


@pytest.mark.slow
def test_a_table_begins_with_the_file(place: Path) -> None:
    """Frozen it stays; trained it changes. The model's file needs the files no more."""
    recipe = lstmgraph.load(place / "words.yaml")
    word, each = tables(recipe.build())
    np.testing.assert_array_equal(word, VECTORS.astype("float32"))
    np.testing.assert_array_equal(each, VECTORS.astype("float32") * 2)
    result = recipe.train(place / "data.npz", folder=place / "out", epochs=1)
    word, each = tables(result.model)
    np.testing.assert_array_equal(word, VECTORS.astype("float32"))
    assert not np.allclose(each, VECTORS.astype("float32") * 2, atol=1e-4)

    # Other values are another training; the same go on.
    assert recipe.train(place / "data.npz", folder=place / "out", epochs=2).resumed_from == 1
    np.save(place / "vectors.npy", VECTORS + 1)
    with pytest.raises(FolderError, match="-weights: fresh, word"):
        recipe.train(place / "data.npz", folder=place / "out", epochs=3)

    for name in ("vectors.npy", "all.npz"):
        (place / name).unlink()
    path = place / "out" / "words.keras"
    again = lstmgraph.load(path)
    for model in (lstmgraph.load_model(path), keras.models.load_model(path), again.build()):
        np.testing.assert_array_equal(tables(model)[0], VECTORS.astype("float32"))
    later = again.train(place / "data.npz", folder=place / "later", epochs=1)
    np.testing.assert_array_equal(tables(later.model)[0], VECTORS.astype("float32"))
    with pytest.raises(lstmgraph.RecipeError, match="cannot begin anew"):
        again.build(weights=False)


def test_a_trial_finds_the_file(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From wherever its process works."""
    monkeypatch.chdir(place)
    recipe = lstmgraph.load(
        "words.yaml", overrides={"layers.y.units": {"$search": {"int": [1, 2]}}}
    )
    payload = recipe_payload(recipe.compiled.written)
    monkeypatch.chdir("/")
    document = read_payload(payload)
    assert document.folder == place
    assert tables(recipe.at({"layers.y.units": 2}).build())[0].shape == (6, 3)


def hostile(place: Path) -> dict[str, str]:
    """Files that are refused, with what is said of each."""
    (place / "deep").mkdir()
    shutil.copy(place / "vectors.npy", place / "deep" / "vectors.npy")
    outside = place.parent / "outside.npy"
    np.save(outside, VECTORS)
    (place / "link.npy").symlink_to(outside)
    os.mkfifo(place / "pipe.npy")
    np.save(place / "small.npy", VECTORS[:5])
    np.save(place / "ids.npy", np.ones((6, 3), "int32"))
    np.save(place / "objects.npy", np.array([[{}] * 3] * 6), allow_pickle=True)
    (place / "damaged.npy").write_bytes(b"\\x93NUMPY and more")
    whole = (place / "vectors.npy").read_bytes()
    (place / "cut.npy").write_bytes(whole[:-8])
    return {
        "vectors.txt": "L780 'vectors.txt' does not name a .npy or .npz file",
        "no.npy": "L780 there is no file 'no.npy'",
        "/etc/vectors.npy": "L780 '/etc/vectors.npy' is not a relative path",
        "../outside.npy": "L780 '../outside.npy' is outside the recipe's folder",
        "link.npy": "L780 'link.npy' is outside the recipe's folder",
        "pipe.npy": "L780 there is no file 'pipe.npy'",
        "deep": "L780 'deep' does not name",
        "small.npy": "L781 'small.npy' has shape (5, 3), but the layer's table is (6, 3)",
        "ids.npy": "L781 'ids.npy' holds int32, not floats",
        "objects.npy": "L781 'objects.npy' cannot be read: it holds Python objects",
        "damaged.npy": "L781 'damaged.npy' cannot be read: its array header is damaged",
        "cut.npy": "L781 'cut.npy' cannot be read: the array cut.npy does not have the length",
        "all.npz": "L781 'all.npz' holds several arrays; its arrays: ",
        "deep/vectors.npy": "",
    }


def test_other_files_are_refused_at_their_line(place: Path) -> None:
    for name, said in hostile(place).items():
        text = TEXT.replace("from: vectors.npy", f"from: {name}")
        (place / "words.yaml").write_text(text)
        if not said:
            lstmgraph.load(place / "words.yaml")
            continue
        with pytest.raises(lstmgraph.RecipeError) as caught:
            lstmgraph.load(place / "words.yaml")
        (found,) = caught.value.diagnostics
        assert f"{found.code} {found.message}".startswith(said)
        assert (found.place.span.line, found.place.span.column) == (11, 24)
    with pytest.raises(lstmgraph.RecipeError, match=r"L780.*this recipe is not in a folder"):
        lstmgraph.load(TEXT)
    assert lstmgraph.load(TEXT, folder=place).name == "words"
    broken = VECTORS.copy()
    broken[4, 1] = np.nan
    np.save(place / "vectors.npy", broken)
    with pytest.raises(lstmgraph.RecipeError, match="holds NaN or infinity, first for the id 4"):
        lstmgraph.load(TEXT, folder=place).build()


def test_a_file_is_checked_without_tensorflow(place: Path) -> None:
    """Also at every size that a search tries."""
    searched = TEXT.replace("input_dim: 6\n", "input_dim: {$search: {choice: [6, 7]}}\n")
    (place / "words.yaml").write_text(searched)
    result = CliRunner().invoke(app, ["validate", str(place / "words.yaml")])
    assert result.exit_code == 1
    assert "error[L781]: with layers.word.input_dim = 7: 'vectors.npy' has shape (6, 3)" in (
        result.stderr
    )


def test_the_array_of_an_archive_is_named(place: Path) -> None:
    for table in ("from: all.npz", "from: all.npz, array: wrods"):
        (place / "words.yaml").write_text(TEXT.replace("from: vectors.npy", table))
        with pytest.raises(lstmgraph.RecipeError) as caught:
            lstmgraph.load(place / "words.yaml")
        (found,) = caught.value.diagnostics
        assert found.code == "L781"
        assert found.hint == "write `array: words` beside `from:`, or another of these"
    right = TEXT.replace("from: vectors.npy", "from: all.npz, array: words")
    lstmgraph.load(right, folder=place)
