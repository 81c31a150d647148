"""Commands whose standard streams are closed, or full: they work, or say so where they can."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import typer
from building import RECIPES
from commands import command, messages, write_inputs

from lstmgraph.cli import app

# Keras 3.15 writes weights with a call that NumPy 2 wants spelled otherwise.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

FULL = Path("/dev/full")
SHIPPED = str(RECIPES / "speaker-classifier.yaml")
VOWELS = str(RECIPES / "data" / "japanese_vowels.npz")

COMMANDS = {
    "validate": f"validate {SHIPPED}",
    "explain": f"explain {SHIPPED}",
    "graph": "graph small.yaml -o out.svg",
    "diff": f"diff {SHIPPED} {SHIPPED}",
    "build": "build small.yaml -o out",
    "export": "export small.yaml --format keras -o out",
    "code": "code small.yaml -o out.py",
    "transfer": "transfer from.keras small.yaml -o out.keras",
    "import": "import from.keras -o out.yaml --no-weights",
    "train": "train small.yaml --data data.npz -o out --epochs 1",
    "predict": "predict from.keras --data data.npz -o out.csv",
    "evaluate": "evaluate from.keras --data data.npz",
    "audit": "audit from.keras",
    "space": f"space {SHIPPED}",
    "tune": "tune quick.yaml --data quick.npz -o out --max-trials 1",
    "data": f"data {SHIPPED} --data {VOWELS}",
    "schema": "schema",
    "explain-code": "explain-code L203",
    "init": "init --task forecast --features 2 --horizon 2 --yes -o out.yaml",
    "fmt": "fmt small.yaml",
    "migrate": "migrate small.yaml",
    "--version": "--version",
    "--help": "--help",
}
"""One of each; they are run where ``place`` put what they name."""
QUIET = {"fmt", "tune", "export", "transfer", "import", "predict", "code"}
"""They print nothing, or as others do, and take long."""
WRONG = {
    "validate": "validate wrong.yaml",
    "build": "build wrong.yaml",
    "data": f"data {SHIPPED} --data no.npz",
    "nothing": "nothing",
}
CLOSED = {"output": (1,), "errors": (2,), "both": (1, 2), "all": (0, 1, 2)}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("streams")
    write_inputs(folder)
    return folder


def assert_whole(folder: Path) -> None:
    """What was written is what it should be, and no message stands in it."""
    for path in (folder / "out").rglob("*.keras"):
        with zipfile.ZipFile(path) as archive:
            assert archive.testzip() is None
    for path in (*folder.glob("out.*"), *folder.rglob("*.yaml")):
        text = path.read_bytes()
        assert b"wrote" not in text[:20]
        assert path.suffix == ".keras" or not text.startswith(b"\0")


def test_every_command_is_here() -> None:
    assert set(typer.main.get_group(app).commands) == {
        *(name for name in COMMANDS if not name.startswith("--")),
        "report",
    }


@pytest.mark.parametrize(
    ("name", "closed"),
    [
        *((name, "all") for name in COMMANDS if name != "tune"),
        *((name, closed) for name in ("validate", "build") for closed in CLOSED),
    ],
)
def test_commands_work_with_closed_streams(
    name: str, closed: str, place: Path, tmp_path: Path
) -> None:
    streams = dict.fromkeys(CLOSED[closed])
    assert command(place, tmp_path, COMMANDS[name], streams) == 0
    assert_whole(tmp_path)


@pytest.mark.parametrize(("command_line", "code"), [(f"validate {SHIPPED}", 0), ("nothing", 2)])
def test_a_process_may_begin_without_streams(command_line: str, code: int) -> None:
    """The others are forked from one that had streams while it imported."""
    program = "from lstmgraph.cli import main; main()"
    shell = f"exec {sys.executable} -c '{program}' {command_line} <&- >&- 2>&-"
    assert subprocess.run(["sh", "-c", shell], check=False).returncode == code


@pytest.mark.slow
def test_a_search_and_its_report_work_with_all_closed(place: Path, tmp_path: Path) -> None:
    streams = dict.fromkeys(CLOSED["all"])
    assert command(place, tmp_path, COMMANDS["tune"], streams) == 0
    assert_whole(tmp_path)
    (tmp_path / "out" / "report.html").unlink()
    assert command(place, tmp_path, "report out", streams) == 0
    assert (tmp_path / "out" / "report.html").read_bytes().startswith(b"<!")


@pytest.mark.parametrize("closed", ["errors", "all"])
@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_has_its_exit_code(
    name: str, closed: str, place: Path, tmp_path: Path
) -> None:
    wanted = 1 if name in {"validate", "build"} else 2
    assert command(place, tmp_path, WRONG[name], dict.fromkeys(CLOSED[closed])) == wanted


@pytest.mark.skipif(not FULL.exists(), reason="Linux's")
@pytest.mark.parametrize("name", [name for name in COMMANDS if name not in QUIET])
def test_a_full_output_is_said(name: str, place: Path, tmp_path: Path) -> None:
    errors = tmp_path / "errors"
    assert command(place, tmp_path, COMMANDS[name], {1: "/dev/full", 2: str(errors)}) == 1
    (message,) = messages(errors)
    assert message.startswith("Error: No space left on device")
    assert_whole(tmp_path)


@pytest.mark.skipif(not FULL.exists(), reason="Linux's")
def test_where_nothing_can_be_said_the_exit_code_says_it(place: Path, tmp_path: Path) -> None:
    full = {1: "/dev/full", 2: "/dev/full"}
    assert command(place, tmp_path, "schema", full) == 1
    assert command(place, tmp_path, "validate wrong.yaml", full) == 1
    assert command(place, tmp_path, "build small.yaml -o out", full) == 1
    assert not (tmp_path / "out").exists()
