"""`explain-code`: what the page says of a code, without the page at hand."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from lstmgraph.cli import app
from lstmgraph.messages.error_page import Section, error_sections

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "errors.md").read_text("utf-8")
HEADINGS = re.findall(r"^### ([LWDMA]\d{3}): (.+)$", PAGE, re.M)


def explain_code(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["explain-code", *arguments])


def test_a_code_is_explained_as_on_the_page() -> None:
    result = explain_code("L301")
    assert result.exit_code == 0
    assert (
        result.stdout
        == """\
L301: there is no such layer or input

The name is misspelt, or missing under `inputs:` and `layers:`. `lengths` and `input` of a mask must
name inputs.

Wrong:

    layers:
      voice: {type: lstm, input: frame, units: 64}

Right:

    layers:
      voice: {type: lstm, input: frames, units: 64}
"""
    )


def test_links_are_their_texts() -> None:
    result = explain_code("L763")
    assert "Leave them out on Keras's other backends" in result.stdout.replace("\n", " ")
    assert "](" not in result.stdout


def test_several_codes_in_any_case() -> None:
    result = explain_code("l203", " L105 ")
    assert result.exit_code == 0
    assert [line for line in result.stdout.splitlines() if re.match("[LW]\\d", line)] == [
        "L203: an unknown key",
        "L105: a key is written twice",
    ]


def test_without_a_code_all_are_listed() -> None:
    result = explain_code()
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [f"{code}  {title}" for code, title in HEADINGS]


def test_as_json() -> None:
    result = explain_code("l110", "--format", "json")
    (code,) = json.loads(result.stdout)["codes"]
    assert list(code) == ["code", "title", "text"]
    assert (code["code"], code["title"]) == ("L110", "an alias without an anchor")
    assert code["text"] in PAGE
    assert "```yaml" in code["text"]
    every = json.loads(explain_code("--format", "json").stdout)["codes"]
    assert [(each["code"], each["title"]) for each in every] == HEADINGS


@pytest.mark.parametrize(
    ("written", "says"),
    [
        ("L999", "there is no code 'L999'; did you mean 'L299'?"),
        ("204", "there is no code '204'; did you mean 'M204'?"),
        ("L20", "there is no code 'L20'; did you mean 'L"),
        ("d219", "there is no code 'd219'; did you mean 'D"),
        ("units", "there is no code 'units'; `lstmgraph explain-code` lists all"),
        ("\x1b[2J", "there is no code '\\x1b[2J'; `lstmgraph explain-code` lists all"),
    ],
)
def test_there_is_no_such_code(written: str, says: str) -> None:
    result = explain_code("L203", written)
    assert result.exit_code == 2
    assert says in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize("section", error_sections().values(), ids=lambda each: each.code)
def test_a_section_is_whole(section: Section) -> None:
    """Title, words and closed code blocks; the next heading is not in it."""
    assert section.title == section.title.strip() != ""
    assert section.text
    assert section.text.count("```") % 2 == 0
    assert not re.search(r"^##", section.text, re.M)
    prose = re.sub(r"```.*?```", "", section.text, flags=re.S)
    assert re.sub(r"\s", "", prose.replace("Wrong:", "").replace("Right:", "")) or (
        "Wrong:" in section.text and "Right:" in section.text
    )


def test_every_section_is_under_the_chapter_of_its_digit() -> None:
    chapter = "no chapter yet"
    for line in PAGE.splitlines():
        if line.startswith("## "):
            chapter = line[3:5].replace("x", "")
        elif line.startswith("### "):
            assert line[4:].startswith(chapter), line


def test_anchors_are_those_of_the_contents() -> None:
    """GitHub's rule, as the table at the top of the page uses it for chapters."""
    assert error_sections()["L203"].anchor == "l203-an-unknown-key"
    assert error_sections()["L121"].anchor == "l121---set-of-something-that-is-not-there"
    assert error_sections()["L756"].anchor == "l756-a-metric-without-a-direction"
