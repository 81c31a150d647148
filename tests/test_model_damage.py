"""Damaged ``.keras`` files, and small ones that unpack to gigabytes: one error that names the file.

Random edits of a real file: what still loads is the recipe's model, whatever was edited.
"""

from __future__ import annotations

import io
import json
import os
import random
import struct
import zipfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from building import load
from forked import run_program
from hostile_weights import read_members, write_members
from mutated_models import edit_bytes, edit_config
from typer.testing import CliRunner

import lstmgraph
from lstmgraph.cli import app
from lstmgraph.models.carried import restore_states

if TYPE_CHECKING:
    from collections.abc import Callable

    Members = dict[str, bytes]

# Keras 3.15 writes weights with a call that NumPy 2 wants spelled otherwise.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

TEXT = """
inputs: {x: {shape: [time, 3]}}
layers:
  reader: {type: lstm, input: x, units: 2}
  y: {type: dense, input: reader, units: 2}
outputs: {y: y}
training: {loss: mse}
"""
DOCUMENTED = (lstmgraph.RecipeError, ValueError)


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("saved") / "m.keras"
    recipe = load(TEXT)
    recipe.save(recipe.build(), path)
    return path


CONFIGS: dict[str, bytes] = {
    "nothing": b"",
    "no JSON": b"{",
    "no text": b"\xff\xfe\x00",
    "null": b"null",
    "a number": b"5",
    "a list": b"[]",
    "a text": b'"Functional"',
    "no keys": b"{}",
    "deep": b"[" * 100_000 + b"]" * 100_000,
    "deep mappings": b'{"config":' * 50_000 + b"1" + b"}" * 50_000,
    "a long number": b'{"config": ' + b"1" * 100_000 + b"}",
    "layers that are no list": b'{"config": {"layers": 5}}',
    "layers that are numbers": b'{"config": {"layers": [1, null]}}',
    "layers without a name": b'{"config": {"layers": [{"config": {}}]}}',
    "layers with other names": b'{"config": {"layers": [{"name": ["x"]}]}}',
    "a config that is a list": b'{"config": [1]}',
}


def config(content: bytes) -> Callable[[Members, Path], None]:
    return lambda members, path: write_members(path, {**members, "config.json": content})


def inside(edit: Callable[[Any], None]) -> Callable[[Members, Path], None]:
    def spoil(members: Members, path: Path) -> None:
        found = json.loads(members["config.json"])
        edit(found)
        write_members(path, {**members, "config.json": json.dumps(found).encode()})

    return spoil


def deep_value(found: Any) -> None:
    value: Any = 1
    for _ in range(900):
        value = [value]
    found["config"]["layers"][1]["config"]["units"] = value


def deep_compile(found: Any) -> None:
    value: Any = 1
    for _ in range(900):
        value = {"config": value}
    found["compile_config"]["loss"] = value


def less(name: str) -> Callable[[Members, Path], None]:
    return lambda members, path: write_members(
        path, {key: value for key, value in members.items() if key != name}
    )


def twice(name: str) -> Callable[[Members, Path], None]:
    def spoil(members: Members, path: Path) -> None:
        write_members(path, members)
        with zipfile.ZipFile(path, "a") as archive:
            archive.writestr(name, members[name])

    return spoil


def weights(content: bytes) -> Callable[[Members, Path], None]:
    return lambda members, path: write_members(path, {**members, "model.weights.h5": content})


def cut(size: int) -> Callable[[Members, Path], None]:
    def spoil(members: Members, path: Path) -> None:
        write_members(path, members)
        path.write_bytes(path.read_bytes()[:-size])

    return spoil


def cut_weights(members: Members, path: Path) -> None:
    weights(members["model.weights.h5"][:3000])(members, path)


def in_directory(at: int, value: int) -> Callable[[Members, Path], None]:
    """Two bytes in what the archive's directory says of config.json."""

    def spoil(members: Members, path: Path) -> None:
        write_members(path, members)
        content = bytearray(path.read_bytes())
        place = content.rindex(b"PK\x01\x02", 0, content.rindex(b"config.json"))
        struct.pack_into("<H", content, place + at, value)
        path.write_bytes(content)

    return spoil


def compressed(method: int) -> Callable[[Members, Path], None]:
    return lambda members, path: write_members(path, members, method)


DAMAGES: dict[str, Callable[[Members, Path], None]] = {
    **{f"config: {name}": config(content) for name, content in CONFIGS.items()},
    "a deep value": inside(deep_value),
    "a deep loss": inside(deep_compile),
    "no config": less("config.json"),
    "no weights": less("model.weights.h5"),
    "no recipe": less("lstmgraph.recipe.yaml"),
    "two configs": twice("config.json"),
    "two recipes": twice("lstmgraph.recipe.yaml"),
    "two weights": twice("model.weights.h5"),
    "weights of text": weights(b"weights"),
    "weights of nothing": weights(b""),
    "half the weights": cut_weights,
    "cut": cut(40),
    "cut in half": cut(9000),
    "encrypted": in_directory(8, 1),
    "an unknown compression": in_directory(10, 77),
    "another compression": in_directory(10, zipfile.ZIP_DEFLATED),
    "bzip2": compressed(zipfile.ZIP_BZIP2),
    "lzma": compressed(zipfile.ZIP_LZMA),
    "further model of no name": lambda members, path: write_members(
        path, {**members, "lstmgraph.model.txt": b"\xff\xff"}
    ),
    "unknown further model": lambda members, path: write_members(
        path, {**members, "lstmgraph.model.txt": b"decoder"}
    ),
    "a recipe of bytes": lambda members, path: write_members(
        path, {**members, "lstmgraph.recipe.yaml": b"\xff\xff\x00"}
    ),
}


@pytest.mark.parametrize("name", DAMAGES)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_damaged_files_are_errors_that_name_them(name: str, saved: Path, tmp_path: Path) -> None:
    path = tmp_path / "damaged.keras"
    DAMAGES[name](read_members(saved), path)
    recipe = load(TEXT)
    for call in (
        partial(lstmgraph.load_model, path),
        partial(lstmgraph.Stepper, path),
        partial(lstmgraph.load_model, path, recipe=recipe),
        partial(lstmgraph.Stepper, path, recipe),
    ):
        try:
            call()
        except DOCUMENTED as error:
            assert "damaged.keras" in str(error)  # noqa: PT017 - one of two classes
        else:
            assert name in {"no recipe", "a recipe of bytes"}, "it must be refused"


@pytest.mark.slow
@pytest.mark.parametrize("name", DAMAGES)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_commands_read_damaged_files_without_a_traceback(
    name: str, saved: Path, tmp_path: Path
) -> None:
    """Each by two of the commands in turn, as they read files alike; `LSTMGRAPH_EXAMPLES`: all."""
    path, out = tmp_path / "damaged.keras", tmp_path / "out"
    DAMAGES[name](read_members(saved), path)
    commands = (
        ("validate", path),
        ("explain", path),
        ("diff", path, saved),
        ("diff", saved, path),
        ("export", path, "--format", "keras", "-o", out),
        ("transfer", path, saved, "-o", out / "o.keras"),
        ("build", saved, "--weights", path, "-o", out),
    )
    number = [*DAMAGES].index(name)
    turn = [commands[(2 * number + each) % len(commands)] for each in range(2)]
    for arguments in commands if "LSTMGRAPH_EXAMPLES" in os.environ else turn:
        result = CliRunner().invoke(app, [str(argument) for argument in arguments])
        assert result.exception is None or isinstance(result.exception, SystemExit), arguments
        if result.exit_code:
            assert "damaged.keras" in result.output or "differ" in result.output, arguments


def test_what_is_not_needed_is_not_read(saved: Path, tmp_path: Path) -> None:
    """Members that lead out of the folder, and Keras's metadata, may say what they like."""
    further = {"../../outside": b"x", "/tmp/lstmgraph-outside": b"x", "assets/x": b"x"}
    path = tmp_path / "deep" / "er" / "m.keras"
    path.parent.mkdir(parents=True)
    write_members(path, {**read_members(saved), **further, "metadata.json": b"\xff["})
    lstmgraph.load_model(path)
    assert [each for each in tmp_path.rglob("*") if each.is_file()] == [path]
    assert not Path("/tmp/lstmgraph-outside").exists()


@pytest.mark.parametrize("missing", ["none.keras", "folder.keras"])
def test_what_cannot_be_read_is_named(missing: str, tmp_path: Path) -> None:
    (tmp_path / "folder.keras").mkdir()
    for call in (
        partial(lstmgraph.load_model, tmp_path / missing),
        partial(lstmgraph.load_model, tmp_path / missing, recipe=load(TEXT)),
    ):
        with pytest.raises(DOCUMENTED, match=missing):
            call()


# Small files that unpack to gigabytes.

ZEROS = 1 << 27
BOMBS = {
    "config.json": "refused",
    "model.weights.h5": "refused",
    "lstmgraph.recipe.yaml": "refused",
    "lstmgraph.model.txt": "refused",
    "metadata.json": "loaded",
    "assets/spare": "loaded",
}
CASES = [("load_model", name, end) for name, end in BOMBS.items()]
CASES += [("transfer", "model.weights.h5", "refused"), ("transfer", "config.json", "loaded")]
PROGRAM = """
import json, resource
import lstmgraph
own, cases = {own!r}, {cases!r}
recipe = lstmgraph.load(own)
recipe.save(recipe.build(), own)
lstmgraph.load_model(own)
lstmgraph.transfer(own, recipe)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
ends = []
for call, path in cases:
    try:
        lstmgraph.load_model(path) if call == "load_model" else lstmgraph.transfer(path, recipe)
    except (ValueError, lstmgraph.RecipeError) as error:
        assert path in str(error), error
        ends.append("refused")
    else:
        ends.append("loaded")
print(json.dumps([ends, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) >> 10]))
"""


def bomb(folder: Path, saved: Path, name: str) -> str:
    """The same file, with a member `name` of many zeros."""
    path = folder / f"bomb.{name.replace('/', '.')}.keras"
    members = {**read_members(saved), name: bytes(ZEROS)}
    write_members(path, members, zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < ZEROS / 500
    return str(path)


@pytest.mark.slow
def test_bombs_are_not_unpacked(saved: Path, tmp_path: Path) -> None:
    own = tmp_path / "own.keras"
    own.write_bytes(saved.read_bytes())
    paths = {name: bomb(tmp_path, saved, name) for name in BOMBS}
    cases = [(call, paths[name]) for call, name, _ in CASES]
    program = PROGRAM.format(own=str(own), cases=cases)
    ends, grown = json.loads(run_program(program, tmp_path, tmp_path))
    assert ends == [end for _, _, end in CASES]
    assert grown < 100, "megabytes"


# States.

CARRIED = """
inputs: {x: {shape: [time, 3]}}
layers: {reader: {type: lstm, input: x, units: 4, initial_state: carried}}
outputs: {y: reader}
runtime: {batch_size: 5}
"""


def test_states_are_read_within_bounds(tmp_path: Path) -> None:
    model = load(CARRIED).build()
    path = tmp_path / "states.npz"
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "<f4", "fortran_order": False, "shape": (ZEROS,)}
    )
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("reader.h", "reader.c"):
            archive.writestr(f"{name}.npy", header.getvalue() + bytes(1 << 20))
    with pytest.raises(ValueError, match=r"states\.npz is not a file of states"):
        restore_states(model, path)
    for method in (zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        with zipfile.ZipFile(path, "w", method) as archive:
            archive.writestr("reader.h.npy", b"x")
            archive.writestr("reader.c.npy", b"x")
        with pytest.raises(ValueError, match=r"states\.npz is not a file of states"):
            restore_states(model, path)


# Random edits.

COUNT = int(os.environ.get("LSTMGRAPH_EXAMPLES", "0")) or 120


@pytest.mark.slow
def test_what_loads_after_random_edits_is_the_recipes_model(saved: Path, tmp_path: Path) -> None:
    recipe, path = load(TEXT), tmp_path / "m.keras"
    wanted = json.loads(recipe.build().to_json())["config"]
    ends = {"loaded": 0, "refused": 0}
    for seed in range(COUNT):
        edit = edit_bytes if seed % 4 == 3 else edit_config
        edit(saved, path, random.Random(seed))
        try:
            model = lstmgraph.load_model(path, recipe=recipe)
        except ValueError as error:
            assert "m.keras" in str(error), seed  # noqa: PT017 - one of two ends
            ends["refused"] += 1
        else:
            ends["loaded"] += 1
            assert plain(json.loads(model.to_json())["config"]) == plain(wanted), seed
    assert ends["refused"] > COUNT // 4
    assert ends["loaded"] > 0


def plain(found: Any) -> Any:
    """Less what a file may change: which layers are trained."""
    noise = ("trainable", "build_config", "shared_object_id")
    if isinstance(found, dict):
        return {key: plain(value) for key, value in found.items() if key not in noise}
    return [plain(each) for each in found] if isinstance(found, list) else found
