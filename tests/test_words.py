"""What commands say: summaries, places, code in Markdown, searched recipes, names of states."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from building import RECIPES, load, with_header
from typer.testing import CliRunner

import lstmgraph
from lstmgraph.cli import app
from lstmgraph.explain.drawing.drawing import Drawing
from lstmgraph.messages.tables import Section, as_markdown, fitted

SEARCH = RECIPES / "speaker-classifier-search.yaml"


def run(*arguments: object, **environment: str) -> str:
    result = CliRunner().invoke(app, [str(each) for each in arguments], env=environment)
    return result.output


def test_the_list_of_commands_has_whole_sentences() -> None:
    shown = run("-h", COLUMNS="80")
    assert "..." not in shown.split("Commands:")[1]
    assert max(map(len, shown.splitlines())) <= 80
    assert "the same command goes on from the last checkpoint." in " ".join(shown.split())


def test_what_cannot_be_read_has_no_line() -> None:
    assert run("validate", "nope.yaml").startswith("nope.yaml: error[L101]: ")
    assert "nope.yaml:1:1" not in run("explain", "nope.yaml")


def test_code_in_markdown_is_code() -> None:
    text = as_markdown([Section(lines=["every new size of `time` | `a|b` * would"])])
    assert text == r"every new size of `time` \| \`a\|b\` \* would"


@pytest.mark.parametrize("command", ["explain", "build"])
def test_a_searched_recipe_is_shown_with_its_defaults(command: str, tmp_path: Path) -> None:
    options = ["-o", tmp_path] if command == "build" else []
    shown = run(command, SEARCH, *options)
    count = len(lstmgraph.load(SEARCH).space().dimensions)
    assert f"{count} searched values have their defaults here; `lstmgraph space` lists" in shown
    assert "searched" not in run("explain", RECIPES / "speaker-classifier.yaml")
    assert lstmgraph.load(SEARCH).explain().as_dict()["searched"] == count


def test_origins_and_transfers_fit_the_terminal() -> None:
    blame = lstmgraph.load(SEARCH).blame()
    wide = str(blame)
    with fitted(60):
        narrow = str(blame)
    assert max(map(len, wide.splitlines())) > 60 >= max(map(len, narrow.splitlines()))
    assert all(each.name in narrow for each in blame.values if len(each.name) < 60)


def test_a_picture_has_the_same_ids_whenever_it_is_shown() -> None:
    texts = [str(load(RECIPE.format(kind=kind)).graph()) for kind in ("lstm", "gru")]
    first, again, other = (Drawing(text)._repr_svg_() for text in (texts[0], *texts))
    assert first == again
    ids = [set(re.findall(r'id="(lstmgraph-[^"]*)"', text or "")) for text in (first, other)]
    assert all(ids)
    assert not ids[0] & ids[1]


RECIPE = """
inputs: {{x: {{shape: [time, 3]}}}}
layers: {{reader: {{type: {kind}, input: x, units: 2}}}}
outputs: {{y: reader}}
"""
PAGE = Path(__file__).parent.parent / "docs" / "language.md"
STATES = {
    "`lstm`": "type: lstm, units: 2",
    "`gru`, `simple_rnn`": "type: gru, units: 2",
    "a stack": "type: lstm, units: 2, depth: 2",
    "`bidirectional: true`": "type: lstm, units: 2, bidirectional: true",
    "a bidirectional stack": "type: lstm, units: 2, depth: 2, bidirectional: true",
    "`rnn` with several cells": "type: rnn, cells: [{type: lstm_cell, units: 2}, "
    "{type: lstm_cell, units: 2}]",
}


@pytest.mark.parametrize("row", STATES)
def test_placeholders_have_the_names_of_the_page(row: str) -> None:
    text = with_header(f"""
inputs: {{x: {{shape: [time, 3]}}}}
layers: {{reader: {{{STATES[row]}, input: x, initial_state: input}}}}
outputs: {{y: reader}}
""")
    names = [each.name for each in lstmgraph.load(text).explain().inputs if each.name != "x"]
    (line,) = (each for each in PAGE.read_text().splitlines() if each.startswith(f"| {row} |"))
    documented = re.findall(r"`(reader_\w+)`", line.split("|")[2])
    assert names[: len(documented)] == documented
    assert ("..." in line) == (len(names) > len(documented))
