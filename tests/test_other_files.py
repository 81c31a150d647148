"""Files of other kinds in place of a recipe: each is named, and no help would destroy it."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import pickle
import zipfile
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet
import pytest
from typer.testing import CliRunner

import lstmgraph
from lstmgraph.cli import app
from lstmgraph.language.text.nodes import MAX_BYTES
from lstmgraph.resources import folder

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

TABLE = "shop,day,sales\n" + "".join(f"north,2024-01-{day:02},3.5\n" for day in range(1, 30))


def zipped(*names: str) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name in names:
            archive.writestr(name, b"\xff")
    return stream.getvalue()


def written(write: Callable[[io.BytesIO], object]) -> bytes:
    stream = io.BytesIO()
    write(stream)
    return stream.getvalue()


COLUMNS = pa.table({"sales": [1.0, 2.0]})
FILES: dict[str, tuple[bytes, str, str]] = {
    "arrays": (written(lambda f: np.savez(f, x=np.ones(3))), "a zip archive of arrays", "--data"),
    "array": (written(lambda f: np.save(f, np.ones(3))), "an array of NumPy", "--data"),
    "parquet": (written(lambda f: pa.parquet.write_table(COLUMNS, f)), "a Parquet", "--data"),
    "feather": (written(lambda f: pa.feather.write_feather(COLUMNS, f)), "an Arrow", "Parquet"),
    "keras": (zipped("metadata.json", "config.json"), "a model of Keras", ".keras"),
    "torch": (zipped("model/data.pkl", "model/version"), "a file of PyTorch", "transfer"),
    "workbook": (zipped("[Content_Types].xml"), "a workbook", "save a sheet of it as CSV"),
    "zip": (zipped("forecast.yaml"), "a zip archive", "unpack it"),
    "onnx": (b"\x08\x09\x12\x09lstmgraph\x3a\x80\x01\xff", "an ONNX model", "predict"),
    "tflite": (b"\x1c\0\0\0TFL3\x14\0\x20\0\xff", "a LiteRT model", "predict"),
    "saved model": (b"\x08\x01\x12\xa0\xff\x01", "a SavedModel", "name a recipe"),
    "hdf5": (b"\x89HDF\r\n\x1a\n\0\0", "an HDF5 file", "lstmgraph import"),
    "pickle": (pickle.dumps({"a": 1}), "a Python pickle", "name a recipe"),
    "gzip": (gzip.compress(TABLE.encode()), "compressed with gzip", "unpack it"),
    "bzip2": (bz2.compress(b"recipe: 1"), "compressed with bzip2", "unpack it"),
    "xz": (lzma.compress(b"recipe: 1"), "compressed with xz", "unpack it"),
    "unknown": (b"\x01\x02\x80\xff\0\0" * 9, "a binary file", "name a recipe"),
    "csv": (TABLE.encode(), "a table", "--data"),
    "csv of Windows": (b"\xef\xbb\xbf" + TABLE.replace("\n", "\r\n").encode(), "a table", "--data"),
    "semicolons": (TABLE.replace(",", ";").encode(), "a table", "--data"),
    "tabs": (TABLE.replace(",", "\t").encode(), "a table", "--data"),
    "quotes": (b'"a","b"\n"1, 2","3: 4"\n', "a table", "--data"),
    "latin 1": (b"ort,\xfcber\nhier,3\n", "a table", "--data"),
    "large table": (TABLE.encode() * (MAX_BYTES // len(TABLE) + 2), "a table", "--data"),
    "large zip": (zipped("x.npy") + b"\0" * MAX_BYTES, "a zip archive of arrays", "--data"),
}


@pytest.mark.parametrize("kind", FILES)
def test_a_file_of_another_kind_is_named(tmp_path: Path, kind: str) -> None:
    raw, what, hint = FILES[kind]
    path = tmp_path / "given.dat"
    path.write_bytes(raw)
    with pytest.raises(lstmgraph.RecipeError) as caught:
        lstmgraph.load(path)
    (found,) = caught.value.diagnostics
    assert found.code == "L102"
    assert what in found.message
    assert found.message.endswith(", not a recipe")
    assert found.hint is not None
    assert hint in found.hint
    assert "UTF-8" not in found.hint
    assert len(found.message) + len(found.hint) < 250


@pytest.mark.parametrize("name", sorted(path.name for path in folder("recipes").glob("*.yaml")))
def test_a_recipe_is_taken_for_nothing_else(tmp_path: Path, name: str) -> None:
    lines = (folder("recipes") / name).read_text("utf-8").splitlines(keepends=True)
    path = tmp_path / name
    path.write_text("".join(line for line in lines if not line.startswith("#")))
    assert lstmgraph.load(path)


@pytest.mark.parametrize(
    "text",
    [
        '{"recipe": 1, "name": "a",\n"inputs": {}, "layers": {},\n"a": 1, "b": 1}',
        "'name': 'a, b'\n'description': 'c, d'\n",
        "? a, b\n: c, d\n",
    ],
)
def test_a_mapping_is_no_table(tmp_path: Path, text: str) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text(text)
    with pytest.raises(lstmgraph.RecipeError) as caught:
        lstmgraph.load(path)
    assert "L102" not in {found.code for found in caught.value.diagnostics}


def test_text_in_another_encoding_is_to_be_saved_again(tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_bytes("recipe: 1\nname: müde\n".encode("latin-1"))
    with pytest.raises(lstmgraph.RecipeError, match="save the file as UTF-8"):
        lstmgraph.load(path)


def lines_of(*arguments: str, given: str | None = None) -> str:
    return CliRunner().invoke(app, list(arguments), input=given).output


@pytest.mark.parametrize("command", ["explain", "validate", "fmt", "migrate", "space", "graph"])
def test_every_command_says_so(tmp_path: Path, command: str) -> None:
    path = tmp_path / "sales.csv"
    path.write_text(TABLE)
    assert f"{path}: error[L102]: it is a table, not a recipe" in lines_of(command, str(path))
    assert path.read_text() == TABLE
    assert "<stdin>: error[L102]: it is a table" in lines_of(command, "-", given=TABLE)


@pytest.mark.parametrize(
    "value", ["word " * 999, json.dumps("word " * 999)], ids=["plain", "quoted"]
)
@pytest.mark.parametrize(
    "path", ["", "layers: ", "training: ", "training: {loss: mse, metrics: VALUE}\n"]
)
def test_no_help_repeats_a_long_text(path: str, value: str) -> None:
    with pytest.raises(lstmgraph.RecipeError) as caught:
        lstmgraph.load(path.replace("VALUE", value) if "VALUE" in path else f"{path}{value}\n")
    for found in caught.value.diagnostics:
        assert len(found.message) + len(found.hint or "") < 300


def test_a_device_gets_one_advice(tmp_path: Path) -> None:
    assert "help" not in lines_of("validate", "/dev/null")
    (tmp_path / "notes.txt").write_text("no recipe")
    assert "name a recipe file" in lines_of("validate", str(tmp_path))
