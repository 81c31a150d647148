"""``-`` stands for standard input in every command that reads a recipe."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import training_cases
import typer
from typer.testing import CliRunner

from lstmgraph.cli import app
from lstmgraph.language.text.nodes import MAX_BYTES

if TYPE_CHECKING:
    from typer.testing import Result

# Keras 3.15 writes weights with a call that NumPy 2 wants spelled otherwise.
pytestmark = [
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
    pytest.mark.usefixtures("forked_servers"),
]

GROUP: Any = typer.main.get_group(app)
WRONG = "recipe: 1\nname: wrong\n"
COMMANDS = {
    "validate": "validate -",
    "explain": "explain -",
    "space": "space -",
    "graph": "graph -",
    "diff": "diff - small.yaml",
    "diff the second": "diff small.yaml -",
    "fmt": "fmt -",
    "migrate": "migrate -",
    "data": "data - --data data.npz",
    "train": "train - --data data.npz -o run --epochs 1",
    "build": "build - -o out --force",
    "export": "export - --to keras -o out --force",
    "code": "code -",
    "transfer": "transfer from.keras - -o to.keras --force",
    "tune": "tune - --data data.npz -o search --max-trials 1",
}
NO_RECIPE = {
    *("audit", "explain-code", "import", "init", "report", "schema", "predict", "evaluate"),
}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("stdin")
    small = training_cases.recipe()
    (folder / "small.yaml").write_text(small.resolved())
    inputs, targets = training_cases.arrays()
    np.savez(folder / "data.npz", **inputs, **targets)
    small.save(small.build(), folder / "from.keras")
    return folder


def invoke(command: str, text: str | bytes) -> Result:
    result = CliRunner().invoke(app, command.split(), input=text)
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result


def test_every_command_that_reads_a_recipe_is_here() -> None:
    assert {command.split()[0] for command in COMMANDS} == set(GROUP.commands) - NO_RECIPE


@pytest.mark.parametrize("command", [name for name in COMMANDS if name != "tune"])
def test_a_recipe_is_read(command: str, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place)
    result = invoke(COMMANDS[command], (place / "small.yaml").read_text())
    assert result.exit_code == 0, result.output
    if command == "validate":
        assert result.stdout == "<stdin>: ok\n"


def test_a_search_takes_one_too(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As far as the recipe, which leaves nothing open."""
    monkeypatch.chdir(place)
    result = invoke(COMMANDS["tune"], (place / "small.yaml").read_text())
    assert result.exit_code == 1
    assert "leaves nothing open" in result.stderr


@pytest.mark.parametrize("command", COMMANDS)
def test_its_mistakes_are_at_stdin(
    command: str, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(place)
    result = invoke(COMMANDS[command], WRONG)
    if command == "fmt":  # which lays a wrong recipe out too
        assert result.exit_code == 0
        return
    assert result.exit_code == 1
    assert "<stdin>:1:1: error[L202]" in result.stderr


def test_json_names_it(place: Path) -> None:
    result = invoke("validate - --format json", WRONG)
    (file,) = json.loads(result.stdout)["files"]
    assert file["file"] == "<stdin>"
    assert {found["file"] for found in file["diagnostics"]} == {"<stdin>"}


def test_beside_files_and_bases_of_the_current_folder(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(place)
    result = invoke("validate small.yaml - -", "recipe: 1\nname: above\nextends: small.yaml\n")
    assert result.exit_code == 0, result.output
    assert "<stdin>: ok" in result.stdout
    assert "no problems in 2 files" in result.stdout
    twice = invoke("diff - -", "")
    assert twice.exit_code == 2
    assert "standard input can be read only once" in twice.stderr


@pytest.mark.parametrize(
    ("raw", "code"),
    [(b"", "L112"), (b"\xff\xfe", "L102"), (b"# " + b"x" * MAX_BYTES, "L103"), (b"a: [", "L104")],
)
def test_what_is_no_recipe(raw: bytes, code: str) -> None:
    result = invoke("validate -", raw)
    assert result.exit_code == 1
    assert f"error[{code}]" in result.stderr
    assert "<stdin>:" in result.stderr


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="there is no endless device")
def test_an_endless_input_is_bounded() -> None:
    with Path("/dev/zero").open("rb") as endless:
        result = run("validate", "-", stdin=endless)
    assert result.returncode == 1
    assert "error[L103]" in result.stderr


def test_an_input_that_cannot_be_read(tmp_path: Path) -> None:
    with (tmp_path / "written").open("wb") as file:
        result = run("explain", "-", stdin=file)
    assert result.returncode == 2
    head, *_ = result.stderr.splitlines()
    assert head == "<stdin>: error[L101]: cannot read standard input: Bad file descriptor"


def test_a_terminal_is_asked_and_ended_by_ctrl_d(place: Path) -> None:
    master, slave = pty.openpty()
    os.write(master, (place / "small.yaml").read_bytes() + b"\n\x04")
    result = run("validate", "-", stdin=slave)
    os.close(master)
    os.close(slave)
    assert result.stderr == "reading a recipe from the terminal; Ctrl-D on a new line ends it\n"
    assert result.stdout == "<stdin>: ok\n"


def run(*arguments: str, stdin: Any) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "lstmgraph", *arguments]
    return subprocess.run(
        command, stdin=stdin, capture_output=True, text=True, check=False, timeout=60
    )
