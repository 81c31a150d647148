"""What commands that work for long print meanwhile, also with ``--quiet`` and ``--verbose``."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import signal
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import training_cases
import tuning_cases
from killed import CONTEXT, run_command
from typer.testing import CliRunner

from lstmgraph.cli import app
from lstmgraph.cli.progress import epoch_line

if TYPE_CHECKING:
    from multiprocessing.process import BaseProcess

    from typer.testing import Result

# Keras 3.15 writes weights with a call that NumPy 2 wants spelled otherwise.
pytestmark = [
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
    pytest.mark.usefixtures("forked_servers"),
]

TRAIN = ("train", "small.yaml", "--data", "data.npz", "-o", "run", "--restart")
TUNE = ("tune", "quick.yaml", "--data", "quick.npz", "-o", "search", "--restart")
EPOCH = re.compile(r"epoch \d+/\d+: loss \S+, .*, \d+\.\d s")
COMMANDS = {
    "data": ("data", "small.yaml", "--data", "data.npz"),
    "build": ("build", "small.yaml", "-o", "out", "--force"),
    "train": (*TRAIN, "--epochs", "2"),
    "export": ("export", "small.yaml", "--to", "saved_model", "-o", "out", "--force"),
    "transfer": ("transfer", "from.keras", "small.yaml", "-o", "to.keras", "--force"),
    "tune": (*TUNE, "--max-trials", "1"),
    "report": ("report", "search"),
}
PROGRESS = re.compile(r"^epoch \d|^trial \d+: |warning\[", re.M)


@pytest.fixture(scope="module", autouse=True)
def _place(tmp_path_factory: pytest.TempPathFactory) -> None:
    """A folder with recipes, a model and data."""
    folder = tmp_path_factory.mktemp("progress")
    small = training_cases.recipe()
    (folder / "small.yaml").write_text(small.resolved())
    (folder / "quick.yaml").write_text(tuning_cases.QUICK)
    small.save(small.build(), folder / "from.keras")
    cases = {"data": training_cases.arrays(), "quick": tuning_cases.arrays()}
    for name, (inputs, targets) in cases.items():
        np.savez(folder / f"{name}.npz", **inputs, **targets)
    before = os.getcwd()  # noqa: PTH109 - to come back
    os.chdir(folder)
    yield
    os.chdir(before)


def invoke(*arguments: str) -> Result:
    result = CliRunner().invoke(app, list(arguments))
    assert result.exit_code == 0, result.output
    return result


def train_in_child(
    place: Path, epochs: str, output: Path, errors: Path, **environment: str
) -> BaseProcess:
    """A training as from a shell, which has begun."""
    files = ("train", str(place / "small.yaml"), "--data", str(place / "data.npz"))
    arguments = [*files, "-o", str(place / "run"), "--restart", "--epochs", epochs]
    child = CONTEXT.Process(
        target=run_command, args=(arguments, output, errors), kwargs=environment
    )
    child.start()
    return child


@cache
def loud(name: str) -> Result:
    """What a command prints by itself."""
    return invoke(*COMMANDS[name])


def test_an_epoch_is_a_line_with_its_metrics_and_its_time() -> None:
    line = epoch_line(3, 20, {"loss": 0.51234567, "val_loss": 12345.678, "seconds": 1.23})
    assert line == "epoch 3/20: loss 0.5123, val_loss 1.235e+04, 1.2 s"


@pytest.mark.slow
def test_training_prints_a_line_an_epoch_where_there_is_no_terminal() -> None:
    lines = loud("train").stdout.splitlines()
    assert [bool(EPOCH.fullmatch(line)) for line in lines[:3]] == [True, True, False]
    assert lines[0].startswith("epoch 1/2: ")
    assert lines[2].startswith("2 epochs in ")


@pytest.mark.slow
def test_json_is_alone_on_standard_output() -> None:
    result = invoke(*COMMANDS["train"], "--format", "json")
    assert json.loads(result.stdout)["epochs"] == 2
    assert [bool(EPOCH.fullmatch(line)) for line in result.stderr.splitlines()] == [True, True]


def test_a_line_is_written_when_its_epoch_ends_not_when_a_buffer_is_full() -> None:
    """As under nohup: a pipe, and a training of so many epochs that it is interrupted."""
    place = Path.cwd()
    pipe = place / "pipe"
    os.mkfifo(pipe)
    child = train_in_child(place, "100000", pipe, Path(os.devnull))
    with pipe.open("rb", buffering=0) as output:
        first = output.read(65536)
        os.kill(child.pid or 0, signal.SIGINT)
        output.readall()
    child.join()
    assert first.startswith(b"epoch 1/100000: ")
    assert len(first) < 4096  # of a buffer's 8192
    assert child.exitcode == 130


@pytest.mark.slow
@pytest.mark.parametrize("name", COMMANDS)
def test_quiet_prints_the_result_alone(name: str) -> None:
    if name == "report":
        loud("tune")
    usual, quiet = loud(name), invoke(*COMMANDS[name], "-q")
    assert quiet.stderr == ""
    assert not PROGRESS.search(quiet.stdout)
    last, *_ = reversed(quiet.stdout.splitlines())
    same = re.sub(r"\d+(\.\d+)?", "N", last)
    assert same == re.sub(r"\d+(\.\d+)?", "N", usual.stdout.splitlines()[-1])
    assert name not in {"train", "tune"} or PROGRESS.search(usual.stdout)


@pytest.mark.parametrize("name", [name for name in COMMANDS if name != "tune"])
def test_verbose_times_each_step_on_standard_error(name: str) -> None:
    if name == "report":
        loud("tune")
    result = invoke(*COMMANDS[name], "-v", "--format", "json")
    json.loads(result.stdout)
    steps = re.findall(r"^(.+): \d+\.\d s$", result.stderr, re.M)
    assert steps
    assert steps[0] == ("write the report" if name == "report" else "check the recipe")


def test_a_warning_is_not_printed_by_quiet() -> None:
    warned = [
        "--set",
        "training.epochs=10",
        "--set",
        "training.callbacks={early_stopping: {monitor: loss, patience: 10}}",
    ]
    warning, quiet = (invoke(*COMMANDS["data"], *warned, *more) for more in ((), ("-q",)))
    assert "warning[" in warning.stderr
    assert quiet.stderr == ""
    assert quiet.stdout == warning.stdout


@pytest.mark.slow
def test_a_terminal_shows_the_epochs_above_a_bar() -> None:
    master, slave = pty.openpty()
    terminal = Path(os.ttyname(slave))
    child = train_in_child(Path.cwd(), "2", terminal, terminal, COLUMNS="80", TERM="xterm")
    parts = []
    while select.select([master], [], [], 0.05)[0] or child.is_alive():
        if select.select([master], [], [], 0.0)[0]:
            parts.append(os.read(master, 65536))
    os.close(slave)
    os.close(master)
    assert child.exitcode == 0
    text = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", b"".join(parts).decode())
    assert len(re.findall(r"epoch [12]/2: loss ", text)) == 2
    assert "2/2" in text
    assert "2 epochs in " in text
