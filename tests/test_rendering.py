"""What was found, as text, for GitHub and as SARIF: the same places, and no raw escapes."""

from __future__ import annotations

import io
import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from typer.testing import CliRunner

import lstmgraph
from lstmgraph.cli import app
from lstmgraph.cli.terminal import wants_colour
from lstmgraph.messages.diagnostics import Diagnostic, Note, Place, Span
from lstmgraph.messages.errors import RecipeError
from lstmgraph.messages.rendering import sarif
from lstmgraph.messages.rendering.checked import CheckedFile, summary
from lstmgraph.messages.rendering.excerpts import WIDEST, excerpt, source_lines
from lstmgraph.messages.rendering.github import render_github
from lstmgraph.messages.rendering.printable import printable
from lstmgraph.messages.rendering.sarif import sarif_log
from lstmgraph.messages.rendering.text import render_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ROOT = Path(__file__).parent.parent
GOLDEN = Path(__file__).parent / "golden" / "reports"
HOW_TO_REGENERATE = "REGENERATE_GOLDEN=1 python -m pytest tests/test_rendering.py"
SINGLE = "tests/recipes/invalid/single"
SHOWN = (
    f"{SINGLE}/circle.yaml",
    f"{SINGLE}/key-twice.yaml",
    f"{SINGLE}/mask-lost-at-add.yaml",
    f"{SINGLE}/nested-too-deep.yaml",
    f"{SINGLE}/python-tag.yaml",
    f"{SINGLE}/units-that-do-not-fit.yaml",
    "recipes/speaker-classifier.yaml",
    "tests/recipes/invalid/several/names-everywhere.yaml",
)
GOLDEN_FILES = {"text": "report.txt", "github": "report.github.txt", "sarif": "report.sarif.json"}
ESCAPE = re.compile(r"\x1b\[[0-9;]*m")
RAW = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]")
"""What would move the cursor, recolour the terminal or turn text round; a line break is ours."""


def validate(*arguments: str, **environment: str) -> tuple[int, str]:
    """The exit code, and all that is printed, as CI sees it."""
    result = CliRunner().invoke(app, ["validate", *arguments], env=environment)
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result.exit_code, result.output


# Whole reports


@pytest.mark.parametrize("form", GOLDEN_FILES)
def test_report(form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    code, found = validate("--format", form, *SHOWN)
    assert code == 1
    if form == "sarif":
        found = found.replace(f'"version": "{lstmgraph.__version__}"', '"version": "VERSION"')
    golden = GOLDEN / GOLDEN_FILES[form]
    if os.environ.get("REGENERATE_GOLDEN"):
        golden.write_text(found, "utf-8")
    assert found == golden.read_text("utf-8"), HOW_TO_REGENERATE


def test_files_are_shown_by_name_once_and_summed_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    given_twice = (*reversed(SHOWN), SHOWN[0])
    code, found = validate(*given_twice)
    assert (code, found) == (1, (GOLDEN / "report.txt").read_text("utf-8"))
    assert found.splitlines()[-1] == "10 errors in 7 of 8 files"


@pytest.mark.parametrize(
    ("counts", "says"),
    [
        ([(0, 0)], "no problems in 1 file"),
        ([(0, 0), (0, 0)], "no problems in 2 files"),
        ([(1, 0)], "1 error in 1 of 1 file"),
        ([(2, 1), (0, 0), (1, 0)], "3 errors and 1 warning in 2 of 3 files"),
        ([(0, 2), (0, 0)], "2 warnings in 1 of 2 files"),
        ([(1200, 0)] + [(0, 0)] * 1199, "1,200 errors in 1 of 1,200 files"),
    ],
)
def test_summary(counts: list[tuple[int, int]], says: str) -> None:
    place = Place("a.yaml", Span(1, 1, 1, 2))
    files = [
        CheckedFile(
            "a.yaml",
            tuple(
                Diagnostic("L203", "wrong", (), place, severity=severity)
                for severity, count in (("error", errors), ("warning", warnings))
                for _ in range(count)
            ),
        )
        for errors, warnings in counts
    ]
    assert summary(files) == says


@pytest.mark.parametrize("form", ["text", "json", "github", "sarif"])
def test_exit_codes(form: str) -> None:
    fine, wrong = str(ROOT / SHOWN[6]), str(ROOT / SHOWN[0])
    assert validate("--format", form, fine)[0] == 0
    assert validate("--format", form, fine, wrong)[0] == 1
    assert validate("--format", form, fine, wrong, "missing.yaml")[0] == 2


# Carets


def caret_line(line: str, start: int, end: int) -> tuple[str, str]:
    return excerpt(line, Span(1, start + 1, 1, end + 1))


@pytest.mark.parametrize(
    ("before", "marked"),
    [
        ("plain: ", "value"),
        ("日本語: ", "値"),  # two cells each
        ("e\u0301te\u0301: ", "n\u0303o"),  # each accent is a character of its own
        ("한국: ", "unist"),
        ("ｶﾅ: ", "wide"),  # halfwidth katakana
        ("\tname:\t", "x"),
        ("a\x1b[31m: ", "\x07"),
        ("\u202ecba: ", "x"),
        ("😀 ", "unist"),
    ],
)
def test_the_caret_stands_under_what_is_meant(before: str, marked: str) -> None:
    """Rich, which draws tables on terminals, says how many cells a text takes."""
    line = f"{before}{marked} # the rest"
    shown, carets = caret_line(line, len(before), len(before) + len(marked))
    indent = len(carets) - len(carets.lstrip(" "))
    start = shown.index(printable(marked), len(before.rstrip()))
    assert cell_len(shown[:start]) == indent
    assert cell_len(printable(marked)) == len(carets) - indent
    assert not RAW.search(shown)


@settings(derandomize=True, deadline=None, database=None, max_examples=200)
@given(
    st.text(
        st.sampled_from("ab: é日本ｶ語한\u0301\t\x1b\x07\u200b\u202e😀\x85\ud800"), max_size=300
    ),
    st.integers(0, 310),
    st.integers(0, 310),
)
def test_any_line_has_its_caret_and_nothing_raw(text: str, start: int, length: int) -> None:
    line = source_lines(text)[0]
    shown, carets = caret_line(line, start, start + length)
    assert carets.strip("^ ") == ""
    assert "^" in carets
    assert not RAW.search(shown)
    shown.encode("utf-8")  # nor half of a surrogate pair
    assert cell_len(carets) <= cell_len(shown) + 1


def test_of_a_long_line_what_is_around_the_caret_is_shown() -> None:
    line = "a" * 500 + "HERE" + "b" * 500
    shown, carets = caret_line(line, 500, 504)
    assert shown[carets.index("^") :][: carets.count("^")] == "HERE"
    assert shown.startswith("...a")
    assert shown.endswith("b...")
    assert len(shown) == WIDEST + 6


def test_lines_are_those_of_yaml() -> None:
    """A form feed ends no line of YAML; Python's `splitlines` thinks so."""
    assert source_lines("a\x0cb\r\nc\rd\u2028e\n") == ["a\x0cb", "c", "d\u2028e", ""]


# Hostile text

HOSTILE = """\
recipe: 1
name: hostile
inputs: {frames: {shape: [time, 12]}}
layers:
  voice: {type: lstm, input: frames, units: 2, "\\e[2Jcleared\\u202e": 1}
  voice2: {type: "\\e]0;title\\a", input: frames, "100%\\r\\n::error::fake": 2}
outputs: {voice: voice}
"""


@pytest.mark.parametrize("form", ["text", "json", "github", "sarif"])
def test_nothing_in_a_recipe_or_a_name_reaches_the_terminal(form: str, tmp_path: Path) -> None:
    path = tmp_path / "\x1b[31mred\n::error::fake,a:b.yaml"
    path.write_text(HOSTILE, "utf-8")
    code, found = validate("--format", form, str(path), str(path.with_name("\x1b[0mmissing")))
    assert code == 2
    assert not RAW.search(found)
    assert "cleared" in found
    if form == "github":
        assert all(line.startswith("::error file=") for line in found.splitlines())
    if form == "text":
        assert "\\x1b[2Jcleared\\u202e" in found


def test_the_text_of_an_exception_is_safe_too() -> None:
    with pytest.raises(RecipeError) as raised:
        lstmgraph.load(HOSTILE)
    assert not RAW.search(str(raised.value))


# Colour


class Stream(io.StringIO):
    def __init__(self, *, terminal: bool) -> None:
        super().__init__()
        self.terminal = terminal

    def isatty(self) -> bool:
        return self.terminal


@pytest.mark.parametrize(
    ("terminal", "environment", "coloured"),
    [
        (True, {}, True),
        (False, {}, False),
        (True, {"TERM": "dumb"}, False),
        (True, {"TERM": "xterm-256color"}, True),
        (True, {"NO_COLOR": "1"}, False),
        (True, {"NO_COLOR": ""}, True),  # set and empty is as if it were not set
        (False, {"FORCE_COLOR": "1"}, True),
        (False, {"FORCE_COLOR": ""}, False),
        (False, {"FORCE_COLOR": "1", "TERM": "dumb"}, True),
        (True, {"NO_COLOR": "1", "FORCE_COLOR": "1"}, False),
    ],
)
def test_when_there_is_colour(
    terminal: bool, environment: Mapping[str, str], coloured: bool
) -> None:
    assert wants_colour(Stream(terminal=terminal), environment) is coloured


def test_without_its_colours_coloured_text_is_the_plain_one() -> None:
    path = ROOT / SHOWN[5]
    with pytest.raises(RecipeError) as raised:
        lstmgraph.load(path)
    error = raised.value
    coloured = render_text(error.diagnostics, error.sources, colour=True)
    assert ESCAPE.sub("", coloured) == str(error)
    assert "\x1b[1;31merror[L608]\x1b[0m" in coloured
    assert "\x1b[1;36mnote\x1b[0m" in coloured


def test_colour_can_be_forced_into_a_pipe() -> None:
    path = str(ROOT / SHOWN[5])
    _, plain = validate(path)
    _, coloured = validate(path, FORCE_COLOR="1")
    assert "\x1b[1;31m" in coloured
    assert ESCAPE.sub("", coloured) == plain


def test_a_person_is_told_once_where_more_is_said() -> None:
    """On a terminal, in colour; in a pipe neither (the golden report)."""
    ours, theirs = pty.openpty()
    program = "from lstmgraph.cli import main; main()"
    command = [sys.executable, "-c", program, "validate", *(str(ROOT / path) for path in SHOWN[:2])]
    environment = {k: v for k, v in os.environ.items() if k not in {"NO_COLOR", "FORCE_COLOR"}}
    environment["TERM"] = "xterm"
    quiet = subprocess.DEVNULL
    run = subprocess.run(command, stderr=theirs, stdout=quiet, env=environment, check=False)
    os.close(theirs)
    found = b"".join(_all(ours)).decode()
    assert run.returncode == 1
    assert found.count("explain-code") == 1
    assert found.rstrip().endswith("`lstmgraph explain-code L304` says more.")
    assert "\x1b[1;31merror[L304]\x1b[0m" in found


def test_letters_that_an_output_cannot_show_are_written_out(tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text("recipe: 1\nname: 日本\n", "utf-8")
    program = "from lstmgraph.cli import main; main()"
    command = [sys.executable, "-c", program, "validate", "--format", "github", str(path)]
    environment = {**os.environ, "PYTHONIOENCODING": "latin-1"}
    run = subprocess.run(command, capture_output=True, env=environment, check=False)
    assert (run.returncode, run.stderr) == (1, b"")
    assert b"'\\u65e5\\u672c' is not a valid name here" in run.stdout


def _all(descriptor: int) -> Iterator[bytes]:
    while True:
        try:
            data = os.read(descriptor, 65536)
        except OSError:  # the other side is closed
            data = b""
        if not data:
            os.close(descriptor)
            return
        yield data


# Warnings, and values from the command line

WARNING = Diagnostic(
    "W301", "50% unused, really: yes", (), Place("a,b.yaml", Span(2, 3, 2, 6)), "a\nb", "warning"
)
OPTION = Diagnostic("L204", "wrong", (), Place("--set layers.a.units", Span(1, 16, 1, 20)))
SEVERAL_LINES = Diagnostic("L104", "wrong", (), Place("a.yaml", Span(2, 3, 4, 1)))
NOTED = Diagnostic(
    "L608",
    "wrong",
    (),
    Place("a.yaml", Span(2, 3, 2, 4)),
    notes=(Note("here", Place("b.yaml", Span(7, 1, 7, 2))),),
)


@pytest.mark.parametrize(
    ("diagnostic", "command"),
    [
        (
            WARNING,
            "::warning file=a%2Cb.yaml,line=2,endLine=2,col=3,endColumn=5,title=W301"
            "::50%25 unused, really: yes%0Ahelp: a\\nb",
        ),
        (OPTION, "::error file=r.yaml,title=L204::--set layers.a.units: wrong"),
        (SEVERAL_LINES, "::error file=a.yaml,line=2,endLine=4,title=L104::wrong"),
        (
            NOTED,
            "::error file=a.yaml,line=2,endLine=2,col=3,endColumn=3,title=L608"
            "::wrong%0Anote: b.yaml:7:1: here",
        ),
    ],
)
def test_github_commands(diagnostic: Diagnostic, command: str) -> None:
    """By hand, after GitHub's page on workflow commands and the escapes of actions/toolkit."""
    assert render_github([CheckedFile("r.yaml", (diagnostic,))]) == command


# SARIF: what the standard requires (its schema is not ours to copy), and what services read

LEVELS = {"none", "note", "warning", "error"}


def log_of(*diagnostics: Diagnostic) -> dict[str, Any]:
    return sarif_log([CheckedFile("r.yaml", diagnostics)], "1.2.3")


def check_location(location: dict[str, Any]) -> None:
    physical = location["physicalLocation"]
    assert re.fullmatch(r"[!-~]+", physical["artifactLocation"]["uri"])
    region = physical.get("region", {"startLine": 1, "endLine": 1})
    assert all(isinstance(value, int) and value >= 1 for value in region.values())
    assert region["startLine"] <= region["endLine"]


@pytest.mark.slow
def test_sarif_has_what_the_standard_requires(monkeypatch: pytest.MonkeyPatch) -> None:
    """SARIF 2.1.0, sections 3.13, 3.14, 3.19, 3.27, 3.28, 3.29, 3.30 and 3.49."""
    monkeypatch.chdir(ROOT)
    paths = sorted(str(path) for path in Path(SINGLE).glob("[a-m]*.yaml"))
    log = json.loads(validate("--format", "sarif", *paths)[1])
    assert log["version"] == "2.1.0"
    assert log["$schema"].endswith("sarif-schema-2.1.0.json")
    (run,) = log["runs"]
    assert run["columnKind"] in {"utf16CodeUnits", "unicodeCodePoints"}
    driver = run["tool"]["driver"]
    assert driver["name"] == "lstmgraph"
    assert driver["version"] == lstmgraph.__version__
    ids = [rule["id"] for rule in driver["rules"]]
    assert len(set(ids)) == len(ids)
    for rule in driver["rules"]:
        assert rule["shortDescription"]["text"]
        assert rule["help"]["text"]
        assert rule["help"]["markdown"]
        assert rule["defaultConfiguration"]["level"] in LEVELS
    assert len(run["results"]) == len(paths)
    for result in run["results"]:
        assert ids[result["ruleIndex"]] == result["ruleId"]
        assert result["level"] in LEVELS
        assert result["message"]["text"]
        assert len(result["locations"]) == 1
        related = result.get("relatedLocations", [])
        assert [each["id"] for each in related] == list(range(1, len(related) + 1))
        for location in (*result["locations"], *related):
            check_location(location)


def test_a_region_of_sarif_is_what_is_underlined(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    path = SHOWN[5]
    (run,) = json.loads(validate("--format", "sarif", path)[1])["runs"]
    (result,) = run["results"]
    lines = Path(path).read_text("utf-8").splitlines()
    places = [result["locations"][0], *result["relatedLocations"]]
    regions = [place["physicalLocation"]["region"] for place in places]
    assert [
        lines[region["startLine"] - 1][region["startColumn"] - 1 : region["endColumn"] - 1]
        for region in regions
    ] == ["encoder", "64", "48"]
    uris = {place["physicalLocation"]["artifactLocation"]["uri"] for place in places}
    assert {unquote(uri) for uri in uris} == {path}


def test_sarif_of_a_warning_and_of_a_value_from_the_command_line() -> None:
    (run,) = log_of(WARNING, OPTION)["runs"]
    warning, option = run["results"]
    assert warning["level"] == "warning"
    assert warning["locations"][0]["physicalLocation"]["artifactLocation"] == {"uri": "a%2Cb.yaml"}
    assert option["message"]["text"] == "--set layers.a.units: wrong"
    assert option["locations"] == [{"physicalLocation": {"artifactLocation": {"uri": "r.yaml"}}}]
    levels = {rule["id"]: rule["defaultConfiguration"]["level"] for rule in _rules(run)}
    assert levels == {"L204": "error", "W301": "warning"}


def test_what_a_preset_says_is_shown_where_it_is_extended(tmp_path: Path) -> None:
    """No program finds the file `preset:classification`."""
    layers = "{a: {type: lstm, input: x, units: 4}, b: {type: dense, input: a, units: 3}}"
    text = "recipe: 1\nname: r\nextends: preset:classification\ninputs: {x: {shape: [t, 8]}}\n"
    path = tmp_path / "r.yaml"
    path.write_text(f"{text}layers: {layers}\noutputs: {{b: b}}\n", "utf-8")
    command = validate("--format", "github", str(path))[1]
    assert command.startswith(f"::warning file={path},line=3,endLine=3,col=10,endColumn=30,")
    assert "title=W752::preset:classification:5:9: SparseCategoricalCrossentropy takes" in command
    (run,) = json.loads(validate("--format", "sarif", str(path))[1])["runs"]
    (result,) = run["results"]
    location = result["locations"][0]["physicalLocation"]
    assert location["artifactLocation"] == {"uri": path.as_uri()}
    assert location["region"]["startLine"] == 3
    assert result["message"]["text"].startswith("preset:classification:5:9: Sparse")


def test_sarif_of_an_absolute_path_with_a_space() -> None:
    place = Place("/a b/ü.yaml", Span(1, 1, 1, 2))
    (run,) = log_of(Diagnostic("L203", "wrong", (), place))["runs"]
    (location,) = run["results"][0]["locations"]
    assert location["physicalLocation"]["artifactLocation"]["uri"] == "file:///a%20b/%C3%BC.yaml"


def test_rules_link_to_the_documentation_where_the_package_says_where_it_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def metadata(_name: str) -> Any:
        return _Metadata()

    monkeypatch.setattr(sarif, "metadata", metadata)
    (rule,) = _rules(log_of(OPTION)["runs"][0])
    assert rule["helpUri"] == "https://example.org/docs/errors.md#l204-a-value-of-another-type"


class _Metadata:
    def get_all(self, key: str) -> list[str]:
        assert key == "Project-URL"
        return ["Homepage, https://example.org", "Documentation, https://example.org/docs/"]


def _rules(run: dict[str, Any]) -> list[dict[str, Any]]:
    rules: list[dict[str, Any]] = run["tool"]["driver"]["rules"]
    return rules


def test_a_file_without_mistakes_has_no_results() -> None:
    path = str(ROOT / SHOWN[6])
    assert json.loads(validate("--format", "sarif", path)[1])["runs"][0]["results"] == []
    assert validate("--format", "github", path) == (0, "")
