"""``explain --blame``: where each value of the completed recipe came from."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from building import SHIPPED
from typer.testing import CliRunner

import lstmgraph
from lstmgraph.cli import app

if TYPE_CHECKING:
    from pathlib import Path

BASE = """\
vars: {size: 64}
inputs:
  frames: {shape: [time, 12]}
layers:
  voice: {type: lstm, input: frames, units: "${vars.size}", dropout: 0.1}
  speaker: {type: dense, input: voice, units: 9}
outputs: {speaker: speaker}
training: {loss: mse, optimizer: adam}
search: {objective: {metric: loss, direction: min}}
"""
OWN = """\
recipe: 1
name: own
extends: [base.yaml, preset:reproducible]
layers:
  voice: {dropout: $delete, recurrent_dropout: {$search: {float: [0.1, 0.5], default: 0.2}}}
"""


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    (tmp_path / "base.yaml").write_text(BASE, "utf-8")
    path = tmp_path / "own.yaml"
    path.write_text(OWN, "utf-8")
    return path


EXPECTED: dict[str, tuple[Any, str, str | None, int | None]] = {
    "name": ("own", "recipe", "own.yaml", 2),
    "inputs.frames.shape": (["time", 12], "base", "base.yaml", 3),
    "inputs.frames.dtype": ("float32", "default", None, None),
    "layers.voice.units": (32, "base", "base.yaml", 5),
    "layers.voice.dropout": (0.0, "default", None, None),
    "layers.voice.recurrent_dropout": (0.2, "search", "own.yaml", 5),
    "layers.speaker.units": (7, "set", "--set layers.speaker.units", 1),
    "runtime.seed": (7, "preset", "preset:reproducible", 4),
    "training.optimizer.type": ("adam", "base", "base.yaml", 8),
    "training.optimizer.beta_1": (0.9, "default", None, None),
    "search.objective.0.metric": ("loss", "base", "base.yaml", 9),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_says_where_a_value_came_from(name: str, recipe: Path) -> None:
    overrides = ["layers.speaker.units=7", "vars.size=32"]
    blamed = lstmgraph.load(recipe, overrides=overrides).blame()
    (found,) = (each for each in blamed.values if each.name == name)
    value, source, file, line = EXPECTED[name]
    assert (found.value, found.source) == (value, source)
    shown = found.as_dict()
    own_files = {"own.yaml": str(recipe), "base.yaml": str(recipe.with_name("base.yaml"))}
    assert shown["file"] == own_files.get(str(file), file)
    assert shown["line"] == line
    variables = [(each["name"], each["file"]) for each in shown["variables"]]
    assert variables == ([("size", "--set vars.size")] if name == "layers.voice.units" else [])
    assert bool(shown["deleted"]) == (name == "layers.voice.dropout")


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_every_value_that_is_written_is_shown_and_no_default_is_said_to_be(path: Path) -> None:
    """Of a recipe of one file: what is said to be written is in the named line of the text."""
    lines = path.read_text("utf-8").splitlines()
    loaded = lstmgraph.load(path)
    for value in loaded.blame().values:
        if value.place is None:
            continue
        key = str(next(part for part in reversed(value.path) if isinstance(part, str)))
        near = " ".join(lines[value.place.span.line - 1 :])
        assert key in near or str(value.value) in near or value.source == "search", value
    written = {value.path for value in loaded.blame().values if value.place is not None}
    document = loaded.compiled.document
    for section in ("inputs", "layers"):
        for name, entry in document.data[section].items():
            for key, value in entry.items():
                if not isinstance(value, dict | list):
                    assert (section, name, key) in written


def test_the_command_prints_it_as_text_and_json(recipe: Path) -> None:
    text = CliRunner().invoke(app, ["explain", "--blame", str(recipe)])
    assert text.exit_code == 0
    row = next(line for line in text.output.splitlines() if line.startswith("layers.voice.units"))
    base = recipe.with_name("base.yaml")
    assert row.split() == [
        "layers.voice.units", "64", f"{base}:5,", "vars.size", "at", f"{base}:1",
    ]  # fmt: skip
    printed = CliRunner().invoke(app, ["explain", "--blame", "--format", "json", str(recipe)])
    found = json.loads(printed.output)
    assert found["recipe"] == "own"
    assert found["values"][0]["path"] == ["recipe"]


def test_it_takes_no_size_of_a_batch(recipe: Path) -> None:
    """An option that does nothing is a mistake of the command line."""
    refused = CliRunner().invoke(app, ["explain", "--blame", "--batch", "3", str(recipe)])
    assert refused.exit_code == 2
    assert "Invalid value for --blame: it shows no memory" in refused.stderr


def test_it_is_a_table_of_markdown_too(recipe: Path) -> None:
    printed = CliRunner().invoke(app, ["explain", "--blame", "--format", "markdown", str(recipe)])
    assert printed.exit_code == 0
    lines = printed.stdout.splitlines()
    assert "| value | is | from |" in lines
    rows = [line for line in lines if line.startswith("| layers.")]
    assert rows
    assert all(line.count(" | ") == 2 for line in rows)
