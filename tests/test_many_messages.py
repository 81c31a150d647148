"""A file can hold a hundred thousand mistakes: a hundred are shown, and the rest counted."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

import lstmgraph
from lstmgraph.cli import app
from lstmgraph.data.problems import DataError, DataProblem, Problems
from lstmgraph.messages.diagnostics import MOST_NOTES, Diagnostic, Diagnostics, Note, Place, Span
from lstmgraph.messages.rendering.places import MOST_SHOWN
from lstmgraph.messages.wording import MOST_NAMES, Guesses, few, nearest

if TYPE_CHECKING:
    from pathlib import Path

MANY = 1500
SOME = 300
"""Enough to see that a format stops, and soon read."""
HEAD = "recipe: 1\nname: a\ninputs: {x: {shape: [time, 2]}}\n"
LAYER = "layers: {e: {type: lstm, units: 3, input: x}}\noutputs: {y: e}\n"


def layers(entry: str, many: int) -> str:
    return "".join(f"  e{n}: {entry.format(n)}\n" for n in range(many))


def wrong(many: int) -> dict[str, str]:
    """Recipes with as many mistakes, by their kind."""
    return {
        "keys": HEAD + LAYER + "".join(f"k{n}: 1\n" for n in range(many)),
        "a layer's keys": f"{HEAD}layers:\n  e:\n    type: lstm\n    units: 3\n    input: x\n"
        + "".join(f"    unit{n}: 1\n" for n in range(many))
        + "outputs: {y: e}\n",
        "references": f"{HEAD}layers:\n{layers('{{type: lstm, units: 3, input: y{}}}', many)}"
        "outputs: {y: e1}\n",
        "types": f"{HEAD}layers:\n{layers('{{type: lstmm, units: 3, input: x}}', many)}"
        "outputs: {y: e1}\n",
        "values": f"{HEAD}layers:\n{layers('{{type: lstm, units: 0, input: x}}', many)}"
        "outputs: {y: e1}\n",
        "keys twice": "recipe: 1\n" + "a: 1\n" * many,
        "numbers": f"recipe: 1\na: [{'.inf,' * many}]",
        "variables": f"recipe: 1\nvars: {{{', '.join(f'v{n}: 1' for n in range(many))}}}\n"
        + f"a: [{', '.join(f'${{vars.w{n}}}'.join(chr(34) * 2) for n in range(many))}]",
        "outputs": HEAD
        + "layers: {e: {type: lstm, units: 3, input: x}}\noutputs:\n"
        + "".join(f"  y{n}: f{n}\n" for n in range(many)),
        "losses": HEAD
        + f"layers:\n{layers('{{type: lstm, units: 3, input: x}}', many)}outputs:\n"
        + "".join(f"  y{n}: e{n}\n" for n in range(many))
        + "training:\n  loss:\n"
        + "".join(f"    z{n}: mse\n" for n in range(many)),
        "a circle": f"{HEAD}layers:\n"
        + "".join(
            f"  e{n}: {{type: lstm, units: 3, input: e{(n + 1) % many}.sequence}}\n"
            for n in range(many)
        )
        + "outputs: {y: e1}\n",
    }


WRONG = wrong(MANY)
FORMATS = ("text", "json", "github", "sarif")


def validate(text: str, form: str, folder: Path, *options: str) -> tuple[int, str]:
    path = folder / "recipe.yaml"
    path.write_text(text)
    result = CliRunner().invoke(app, ["validate", "--format", form, *options, str(path)])
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result.exit_code, result.output


@pytest.mark.parametrize("kind", WRONG)
def test_what_is_printed_is_bounded(kind: str, tmp_path: Path) -> None:
    code, found = validate(WRONG[kind], "text", tmp_path)
    assert code == 1
    assert len(found) < 500_000
    more = re.findall(r"^and ([\d,]+) more errors$", found, re.M)
    if kind == "a circle":
        assert more == []
    else:
        (number,) = more
        assert int(number.replace(",", "")) >= MANY - MOST_SHOWN - 1


@pytest.mark.slow
@pytest.mark.parametrize("kind", WRONG)
def test_every_format_is_bounded(kind: str, tmp_path: Path) -> None:
    text = wrong(SOME)[kind]
    with pytest.raises(lstmgraph.RecipeError) as caught:
        lstmgraph.load(text)
    number = len(caught.value.diagnostics) - MOST_SHOWN
    assert number >= SOME - MOST_SHOWN - 1 or kind == "a circle"
    for form in FORMATS:
        code, found = validate(text, form, tmp_path)
        assert code == 1
        assert len(found) < 300_000
        more = f'"more": {number}' if form == "json" else f"and {number:,} more errors"
        assert (more in found) is (kind != "a circle"), form


def test_each_format_lists_the_same_first_ones(tmp_path: Path) -> None:
    text = WRONG["keys"]
    _, plain = validate(text, "text", tmp_path)
    assert plain.count("error[L203]") == MOST_SHOWN
    _, found = validate(text, "json", tmp_path)
    (file,) = json.loads(found)["files"]
    assert [each["path"] for each in file["diagnostics"]] == [[f"k{n}"] for n in range(MOST_SHOWN)]
    assert file["more"] == MANY - MOST_SHOWN
    _, annotations = validate(text, "github", tmp_path)
    lines = annotations.splitlines()
    assert len(lines) == MOST_SHOWN + 1
    assert lines[-1].startswith("::error file=")
    assert lines[-1].endswith("::and 1,400 more errors")
    _, log = validate(text, "sarif", tmp_path)
    (run,) = json.loads(log)["runs"]
    assert len(run["results"]) == MOST_SHOWN
    (said,) = run["invocations"][0]["toolExecutionNotifications"]
    assert said["message"]["text"] == "and 1,400 more errors"
    assert said["locations"][0]["physicalLocation"]["artifactLocation"]["uri"].endswith(".yaml")


def test_as_many_as_are_shown_need_no_count(tmp_path: Path) -> None:
    text = HEAD + LAYER + "".join(f"k{n}: 1\n" for n in range(MOST_SHOWN))
    for form in FORMATS:
        _, found = validate(text, form, tmp_path)
        assert "more" not in found.replace("`lstmgraph explain-code L203` says more", "")


def test_the_sum_counts_what_is_not_shown(tmp_path: Path) -> None:
    (tmp_path / "other.yaml").write_text(HEAD + LAYER)
    _, found = validate(WRONG["keys"], "text", tmp_path, str(tmp_path / "other.yaml"))
    assert f"{MANY:,} errors in 1 of 2 files" in found


def test_the_error_holds_all_and_shows_the_first(tmp_path: Path) -> None:
    with pytest.raises(lstmgraph.RecipeError) as caught:
        lstmgraph.load(WRONG["keys"])
    assert len(caught.value.diagnostics) == MANY
    assert str(caught.value).endswith(f"and {MANY - MOST_SHOWN:,} more errors")
    assert str(caught.value).count("error[") == MOST_SHOWN


@pytest.mark.parametrize("command", [["explain"], ["build"], ["space"], ["diff", "-"], ["fmt"]])
def test_other_commands_are_bounded(command: list[str], tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text(WRONG["keys twice"])
    arguments = [str(path) if each == "-" else each for each in command] + [str(path)]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 1
    assert len(result.output) < 100_000
    assert "more errors" in result.output
    if command[0] in ("explain", "space"):
        found = json.loads(CliRunner().invoke(app, [*arguments, "--format", "json"]).stdout)
        assert len(found["diagnostics"]) == MOST_SHOWN
        assert found["more"] > 0


@pytest.mark.slow
def test_warnings_are_bounded(tmp_path: Path) -> None:
    count = 300
    text = f"{HEAD}layers:\n" + "".join(
        f"  e{n}: {{type: lstm, units: 3, input: x, activation: relu}}\n" for n in range(count)
    )
    text += f"outputs: {{{', '.join(f'y{n}: e{n}' for n in range(count))}}}\n"
    code, found = validate(text, "text", tmp_path)
    assert code == 0
    assert "and 200 more warnings" in found
    code, found = validate(text, "text", tmp_path, "--strict")
    assert code == 1
    assert "and 200 more errors" in found
    result = CliRunner().invoke(app, ["explain", "--format", "json", str(tmp_path / "recipe.yaml")])
    found = json.loads(result.stdout)
    assert (len(found["warnings"]), found["more_warnings"]) == (MOST_SHOWN, 200)
    assert len(lstmgraph.load(text).warnings) == count


def test_notes_are_bounded() -> None:
    place = Place("a.yaml", Span(1, 1, 1, 2))
    notes = tuple(Note(f"note {n}", place) for n in range(MANY))
    diagnostics = Diagnostics()
    diagnostics.add(Diagnostic("L203", "wrong", (), place, notes=notes))
    (found,) = diagnostics.ordered()
    assert len(found.notes) == MOST_NOTES
    assert found.notes[-1].message == "note 19; and 1,480 more notes"


def test_problems_of_data_are_bounded() -> None:
    problems = Problems("data.csv")
    for n in range(MANY):
        problems.add("D201", f"problem {n}")
        problems.add("D201", f"problem {n}")
    with pytest.raises(DataError) as caught:
        problems.raise_errors()
    assert len(caught.value.problems) == MANY
    lines = str(caught.value).splitlines()
    assert len(lines) == MOST_SHOWN + 1
    assert lines[-1] == "and 1,400 more problems"
    assert str(DataError([DataProblem("D201", "one", "here")])) == "here: error[D201]: one"


def test_lists_of_names_are_bounded() -> None:
    names = [f"name{n}" for n in range(MANY)]
    assert few(names).endswith(f"name{MOST_NAMES - 1} and 1,470 more")
    assert few(names[:2]) == "name0, name1"


def test_near_names_are_looked_for_among_those_that_begin_alike() -> None:
    names = [f"{first}ame{n}" for first in "mn" for n in range(MANY)]
    assert nearest("nane17", names) in names
    assert nearest("nmae29", names) is not None
    guesses = Guesses(left=1)
    assert guesses.nearest("nane", ["name"]) == "name"
    assert guesses.nearest("nane", ["name"]) is None
