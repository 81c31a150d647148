"""``python -m lstmgraph``, shell completion and ``--version``, all without TensorFlow."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.metadata import version
from typing import TYPE_CHECKING

import pytest
import typer
from started import Started

from lstmgraph.cli import app, commands

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Program = Callable[..., str]

COMMANDS = set(typer.main.get_group(app).commands)
WITHOUT_TENSORFLOW = """
import sys
from lstmgraph.cli import main
try:
    main()
finally:
    assert not {"tensorflow", "keras"} & set(sys.modules)
"""


@pytest.fixture(scope="module")
def program() -> Iterator[Program]:
    """What a command prints; it fails where TensorFlow is imported."""
    with Started("lstmgraph.cli") as started:

        def run(*arguments: str, **environment: str) -> str:
            result = started.run(WITHOUT_TENSORFLOW, *arguments, environment=environment)
            assert result.stderr == ""
            return result.stdout

        yield run


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_s_script_calls_the_program_by_its_name(shell: str, program: Program) -> None:
    script = program(_LSTMGRAPH_COMPLETE=f"source_{shell}")
    assert "_LSTMGRAPH_COMPLETE=complete_" in script
    assert "lstmgraph" in script
    assert "python" not in script
    shown = program("--show-completion", shell, _TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION="1")
    assert shown.strip() == script.strip()


@pytest.mark.slow
@pytest.mark.skipif(not os.path.exists("/bin/bash"), reason="there is no Bash")  # noqa: PTH110
def test_bash_takes_its_script(program: Program) -> None:
    script = program(_LSTMGRAPH_COMPLETE="source_bash")
    subprocess.run(["/bin/bash", "-n"], input=script, text=True, check=True)
    found = subprocess.run(
        ["/bin/bash", "-c", f"{script}\ncomplete -p lstmgraph"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "lstmgraph" in found.stdout


OWN = """
import sys
from lstmgraph.cli import main
from lstmgraph.cli.commands import FUNCTIONS
try:
    main()
finally:
    every = {function.partition(":")[0] for function in FUNCTIONS.values()}
    found = sorted(name for name in every if f"lstmgraph.cli.{name}" in sys.modules)
    print(*found, file=sys.stderr)
"""


@pytest.mark.parametrize(
    ("line", "modules"),
    [
        (["--version"], ""),
        (["explain-code", "L101"], "codes"),
        (["import", "--help"], "importing"),
        (["frobnicate"], ""),
    ],
)
def test_a_command_imports_its_own_module_alone(line: list[str], modules: str) -> None:
    with Started("lstmgraph.cli") as started:
        assert started.run(OWN, *line).stderr.splitlines()[-1] == modules


def test_the_list_of_commands_reads_no_options(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    group = typer.main.get_group(app)
    shown = [command.get_short_help_str(200) for command in group.commands.values()]
    monkeypatch.setattr(commands, "_built", lambda name: pytest.fail(f"{name} is built"))
    typer.main.get_group(app).main(["--help"], prog_name="lstmgraph", standalone_mode=False)
    found = " ".join(capsys.readouterr().out.split())
    assert len(shown) == 22
    assert [text for text in shown if text not in found] == []


@pytest.mark.slow
def test_commands_options_and_values_are_completed(program: Program) -> None:
    def completed(line: str) -> list[str]:
        """What Bash offers for the last word of `line`."""
        place = {"COMP_WORDS": line, "COMP_CWORD": str(len(line.split(" ")) - 1)}
        return program(_LSTMGRAPH_COMPLETE="complete_bash", **place).split()

    assert set(completed("lstmgraph ")) == COMMANDS
    assert completed("lstmgraph ex") == ["explain", "export", "explain-code"]
    assert completed("lstmgraph build r.yaml --we") == ["--weights"]
    assert completed("lstmgraph export r.yaml --to o") == ["onnx"]
    assert completed("lstmgraph explain r.yaml --format m") == ["markdown"]
    assert completed("lstmgraph explain-code D10")[:3] == ["D101", "D102", "D103"]
    assert completed("lstmgraph explain-code L203 W70") == ["W701", "W702"]
    assert completed("lstmgraph init --from speaker-classifier-") == ["speaker-classifier-search"]
    assert completed("lstmgraph init --task fore") == ["forecast"]


@pytest.mark.slow
def test_the_module_is_the_program() -> None:
    module = [sys.executable, "-m", "lstmgraph"]
    shown = subprocess.run([*module, "explain", "-h"], capture_output=True, text=True, check=True)
    assert shown.stdout.startswith("Usage: lstmgraph explain ")
    wrong = subprocess.run([*module, "frobnicate"], capture_output=True, check=False)
    assert wrong.returncode == 2


@pytest.mark.slow
def test_the_version_names_what_decides_on_numbers(program: Program, tmp_path: Path) -> None:
    home = str(tmp_path)
    first = f"lstmgraph {version('lstmgraph')}\nKeras {version('keras')}\nTensorFlow "
    found = program("--version", KERAS_HOME=home, KERAS_BACKEND="")
    assert found == f"{first}{version('tensorflow')}\nbackend tensorflow\n"
    (tmp_path / "keras.json").write_text(json.dumps({"backend": "jax"}))
    assert program("--version", KERAS_HOME=home, KERAS_BACKEND="").endswith("\nbackend jax\n")
    assert program("--version", KERAS_HOME=home, KERAS_BACKEND="torch").endswith(
        "\nbackend torch\n"
    )
