"""On a terminal nothing is wider than it; in a pipe everything has its full width."""

from __future__ import annotations

import io
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console
from rich.live import Live

from lstmgraph.messages.tables import Section, as_text, fitted
from lstmgraph.tuning.search.display import LiveWatcher
from lstmgraph.tuning.search.results import Objective, TrialRow

ROOT = Path(__file__).parent.parent
FORECASTER = str(ROOT / "recipes" / "store-forecaster.yaml")
WIDTHS = (40, 80, 120)


def on_a_terminal(columns: int, *arguments: str) -> list[str]:
    """The lines of a command whose three streams are one terminal of so many columns."""
    master, slave = pty.openpty()
    environment = {**os.environ, "COLUMNS": str(columns), "TERM": "xterm"}
    command = [sys.executable, "-m", "lstmgraph", *arguments]
    with subprocess.Popen(
        command, stdin=slave, stdout=slave, stderr=slave, env=environment
    ) as process:
        os.close(slave)
        parts = []
        while True:
            try:
                part = os.read(master, 65536)
            except OSError:  # Linux: the other end is closed
                break
            if not part:
                break
            parts.append(part)
    os.close(master)
    assert process.returncode == 0, b"".join(parts)
    text = b"".join(parts).decode()
    return [re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", line) for line in text.split("\r\n")]


@pytest.mark.parametrize("columns", WIDTHS)
def test_explain_fits_the_terminal_and_loses_nothing(columns: int) -> None:
    lines = on_a_terminal(columns, "explain", FORECASTER)
    assert max(map(len, lines)) <= columns
    squeezed = re.sub(r"[\s─]", "", "".join(lines))
    for text in ("(batch,24,64)", "21,504", "step<lengths", "h:encoder_2.h", "dense(store)"):
        assert text in squeezed


@pytest.mark.slow
def test_a_pipe_has_the_full_width_whatever_columns_says() -> None:
    command = [sys.executable, "-m", "lstmgraph", "explain", FORECASTER]
    narrow, wide = (
        subprocess.run(
            command, env={**os.environ, "COLUMNS": str(columns)}, capture_output=True, check=True
        ).stdout.decode()
        for columns in (40, 300)
    )
    assert narrow == wide
    assert max(map(len, narrow.splitlines())) > 120


@pytest.mark.parametrize("width", [20, *WIDTHS])
def test_a_table_too_wide_is_printed_row_by_row(width: int) -> None:
    rows = [("first", "a text of several words", "12,345", ""), ("second", "", "6", "x")]
    section = Section(
        "all", ["above"], ("name", "text", "count", "last"), rows, frozenset({"count"})
    )
    with fitted(width):
        text = as_text([section])
    assert max(map(len, text.splitlines())) <= width
    assert {word for row in rows for cell in row for word in cell.split()} <= set(text.split())
    assert ("count: 12,345" in text) == (width < 40)
    assert as_text([section]) != text or width > 40


def trial(number: int, status: str) -> TrialRow:
    values = {"layers.voice.units": 96, "layers.voice.dropout": 0.25, "training.epochs": 20}
    metrics = {"val_loss": 0.5123456 + number, "val_sparse_categorical_accuracy": 0.9}
    return TrialRow(number, status, values, metrics=metrics, epochs=20, seconds=123.4)


@pytest.mark.parametrize("width", [20, *WIDTHS, 300])
def test_a_line_of_the_live_table_is_a_trial_s_and_says_what_is_cut(
    width: int, tmp_path: Path
) -> None:
    objectives = (Objective("val_loss", "min"), Objective("val_sparse_categorical_accuracy", "max"))
    buffer = io.StringIO()
    console = Console(file=buffer, width=width, height=60, force_terminal=True, color_system=None)
    watcher = LiveWatcher(objectives, tmp_path, Live(console=console))
    for number in range(3):
        watcher.started(trial(number, "running"))
    watcher.ended(trial(0, "completed"))
    buffer.truncate(0)
    console.print(watcher.table())
    lines = buffer.getvalue().lstrip("\0").rstrip("\n").split("\n")
    assert max(map(len, lines)) <= width
    title, headings, _, *rest = lines
    assert title.startswith("1 completed, 2 runn")
    assert [line.split()[0] for line in rest if line.split()[0].isdecimal()] == ["1", "2", "0"]
    cut = [line for line in lines if line.startswith("too narrow for ")]
    for heading in ("trial", "status", "epochs", "seconds", "val_loss", "values"):
        assert heading in headings or (cut and (heading in cut[0] or "…" in cut[0])), heading
    assert bool(cut) == (width < 120)
    assert "val_loss" in headings or width == 20
