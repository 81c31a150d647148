"""Commands that need a temporary folder, and have none, or a full one."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest
from building import RECIPES
from commands import command, messages, write_inputs

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# Keras 3.15 writes weights with a call that NumPy 2 wants spelled otherwise.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

TABLE = f"{RECIPES / 'next-frame.yaml'} --data {RECIPES / 'data' / 'japanese_vowels.parquet'}"
NEEDING = {
    "data": f"data {TABLE}",
    "train on a table": f"train {TABLE} -o out --epochs 1",
    "transfer": "transfer from.keras small.yaml -o out.keras",
    "build --weights": "build small.yaml --weights from.keras -o out",
    "export --weights": "export small.yaml --weights from.keras --format onnx -o out",
    "export onnx": "export from.keras --format onnx -o out",
    "export litert": "export from.keras --format litert -o out",
    "export several": "export from.keras --format onnx --format litert -o out",
}
"""They end with one message, and leave nothing."""
OTHERS = {
    "diff": "diff small.yaml from.keras",
    "explain": "explain from.keras",
}
"""They work without one."""
SAVING = {
    "build": "build small.yaml -o out",
    "train": "train small.yaml --data data.npz -o out --epochs 1",
}
"""Keras makes an empty temporary folder for them, so they need one, even if it is full."""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("inputs")
    write_inputs(folder)
    return folder


@pytest.fixture
def full(tmp_path: Path) -> Iterator[Path]:
    """A file system of one page, which only root can make."""
    folder = tmp_path / "full"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4k", "tmpfs", str(folder)]
    if os.name != "posix" or os.geteuid() or subprocess.run(mount, check=False).returncode:
        pytest.skip("no file system can be made here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def outcome(arguments: str, temporary: Path, place: Path, folder: Path) -> tuple[int, list[str]]:
    """The exit code, and the messages; nothing is left beside what was there."""
    folder.mkdir()
    errors = folder / "errors"
    streams: dict[int, str | None] = {1: "/dev/null", 2: str(errors)}
    code = command(place, folder, arguments, streams, temporary=str(temporary))
    lines = messages(errors)
    left = {path.name for path in folder.iterdir()} - {path.name for path in place.iterdir()}
    if code and "train small" not in arguments:  # which has begun, and can be gone on with
        assert left == {"errors"}
    return code, lines


@pytest.mark.parametrize("name", [*NEEDING, *SAVING])
@pytest.mark.parametrize("missing", [True, False])
def test_it_is_said_in_one_message(
    name: str, missing: bool, place: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    temporary = tmp_path / "missing" if missing else request.getfixturevalue("full")
    arguments = (NEEDING | SAVING)[name]
    code, lines = outcome(arguments, temporary, place, tmp_path / "here")
    if name in SAVING and not missing:
        assert (code, lines) == (0, [])
        return
    assert code == 1, lines
    said = "No such file or directory" if missing else "No space left on device"
    said_so = [line for line in lines if not line.startswith("  help: ")]
    assert len(said_so) == 1, lines
    assert said in said_so[0], lines


@pytest.mark.parametrize("name", OTHERS)
def test_others_work_without_one(name: str, place: Path, tmp_path: Path) -> None:
    assert outcome(OTHERS[name], tmp_path / "missing", place, tmp_path / "here") == (0, [])
