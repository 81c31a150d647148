"""No command, and no process that one starts, imports from the folder that it is run in."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tuning_cases import QUICK, write_files

if TYPE_CHECKING:
    from collections.abc import Sequence

PROGRAM = (str(Path(sys.executable).with_name("lstmgraph")),)
NAMES = (
    "json", "typing", "re", "os", "csv", "random", "selectors", "traceback", "secrets", "zipfile",
    "sitecustomize", "usercustomize", "numpy", "h5py", "keras", "tensorflow", "keras_tuner",
    "sklearn", "scipy", "psutil", "rich", "typer", "yaml", "jsonschema", "pyarrow", "onnx",
    "tensorboard", "lstmgraph", "search", "data", "tuning",
)  # fmt: skip
HOSTILE = """
import os
with open(os.environ["MARKER"], "a") as file:
    file.write(__file__ + chr(10))
raise SystemExit("a module of the current folder")
"""
OWN = (
    "import numpy as np, json\nfrom helper import y\ndef arrays():\n    return json.loads('1') and "
)
OWN += "{'x': np.ones((40, 4, 3), 'float32'), 'y': y()}\n"
CLOSED = QUICK.replace("{$search: {float: [0.1, 0.5]}}", "0.2")
TUNE = ("tune", "quick.yaml", "--max-trials", "1", "--out", "out", "--data")

COMMANDS = {
    "validate": ("validate", "quick.yaml"),
    "explain": ("explain", "closed.yaml"),
    "space": ("space", "quick.yaml"),
    "graph": ("graph", "closed.yaml", "-o", "graph.svg"),
    "diff": ("diff", "closed.yaml", "closed.yaml"),
    "schema": ("schema",),
    "explain-code": ("explain-code", "L203"),
    "init": ("init", "--from", "speaker-classifier", "--yes", "-o", "first.yaml"),
    "fmt": ("fmt", "closed.yaml"),
    "migrate": ("migrate", "closed.yaml"),
    "data": ("data", "closed.yaml", "--data", "data.npz"),
    "data of a function": ("data", "closed.yaml", "--data", "own:arrays"),
}
IN_TURN = (
    ("build", "closed.yaml", "-o", "built"),
    ("export", "closed.yaml", "--format", "onnx", "-o", "exported"),
    ("transfer", "built/quick.keras", "closed.yaml", "-o", "moved.keras"),
    ("train", "closed.yaml", "--data", "data.npz", "-o", "trained"),
    (*TUNE, "own:arrays"),
    ("report", "out"),
)
"""In one process, as each imports TensorFlow, or reads what one before it wrote."""
PROGRAM_IN_FORKS = """
import json, os, sys
from lstmgraph.cli import main
for name, arguments in json.loads(sys.argv[1]).items():
    if not os.fork():
        sys.argv[1:] = arguments
        main()
    ended = os.waitstatus_to_exitcode(os.wait()[1])
    found = os.path.exists(os.environ["MARKER"]) and open(os.environ["MARKER"]).read()
    if ended or found:
        sys.exit(f"{name}: ended with {ended}, imported {found}")
"""
"""Each command in a process that has imported what the program itself does."""
PROGRAM_IN_TURN = """
import json, sys
from lstmgraph.cli import main
for sys.argv[1:] in json.loads(sys.argv[1]):
    try:
        main()
    except SystemExit as stop:
        if stop.code:
            raise
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_files(tmp_path)
    (tmp_path / "quick.yaml").write_text(QUICK, "utf-8")
    (tmp_path / "closed.yaml").write_text(CLOSED, "utf-8")
    (tmp_path / "own.py").write_text(OWN, "utf-8")
    (tmp_path / "helper.py").write_text("import numpy\ny = lambda: numpy.ones((40, 2))\n", "utf-8")
    for name in NAMES:
        (tmp_path / f"{name}.py").write_text(HOSTILE, "utf-8")
    return tmp_path


def run(
    folder: Path, *arguments: str, program: Sequence[str] = PROGRAM, **environment: str
) -> subprocess.CompletedProcess[str]:
    variables = {**os.environ, "MARKER": str(folder / "marker"), **environment}
    command = [*program, *arguments]
    return subprocess.run(
        command, cwd=folder, env=variables, capture_output=True, text=True, check=False
    )


def test_modules_of_the_current_folder_are_not_run(folder: Path) -> None:
    assert_no_marker(folder, run(folder, "--version"))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("program", "commands"), [(PROGRAM_IN_FORKS, COMMANDS), (PROGRAM_IN_TURN, IN_TURN)]
)
def test_nor_by_any_command(
    program: str, commands: object, folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Python has the folder of a program on its path, here as for the installed one."""
    file = tmp_path_factory.mktemp("bin") / "program.py"
    file.write_text(program, "utf-8")
    assert_no_marker(folder, run(folder, json.dumps(commands), program=(sys.executable, str(file))))
    written = "out/report.html" if commands is IN_TURN else "graph.svg"
    assert (folder / written).exists()


def assert_no_marker(folder: Path, done: subprocess.CompletedProcess[str]) -> None:
    marker = folder / "marker"
    assert not marker.exists(), marker.read_text("utf-8")
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_the_path_that_the_user_names_counts(tmp_path: Path) -> None:
    write_files(tmp_path)
    (tmp_path / "quick.yaml").write_text(QUICK, "utf-8")
    modules = tmp_path / "modules"
    modules.mkdir()
    (modules / "psutil.py").write_text(HOSTILE, "utf-8")
    done = run(tmp_path, *TUNE, "data.npz", PYTHONPATH=str(modules))
    assert done.returncode != 0
    assert "psutil.py" in (tmp_path / "marker").read_text("utf-8")


@pytest.mark.slow
def test_a_name_that_is_taken_is_said(tmp_path: Path) -> None:
    (tmp_path / "closed.yaml").write_text(CLOSED, "utf-8")
    (tmp_path / "json.py").write_text("def arrays():\n    return {}\n", "utf-8")
    done = run(tmp_path, "data", "closed.yaml", "--data", "json:arrays")
    assert "another module has this name; write json.py:arrays" in done.stderr
