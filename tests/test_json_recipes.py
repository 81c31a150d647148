"""JSON is YAML 1.2: whatever ``json.dumps`` writes is read, and every place in it is right."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import lstmgraph
from lstmgraph.authoring.editing.formatting import format_text
from lstmgraph.language.text import events
from lstmgraph.language.text.comments import comments
from lstmgraph.language.text.document import Document, parse_document
from lstmgraph.language.text.nodes import MAX_DEPTH
from lstmgraph.language.text.overrides import apply_overrides
from lstmgraph.messages.errors import RecipeError

if TYPE_CHECKING:
    from pathlib import Path

PROPERTY = settings(
    deadline=None,
    derandomize=True,
    database=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
LOADERS = [yaml.SafeLoader] + [yaml.CSafeLoader] * yaml.__with_libyaml__

RECIPE: dict[str, Any] = {
    "recipe": 1,
    "name": "small",
    "description": "\U0001f600 \\ud83d \x7f\x85\u2028",
    "inputs": {"x": {"shape": ["time", 2]}},
    "layers": {"encoder": {"type": "lstm", "units": 3, "input": "x"}},
    "outputs": {"y": "encoder"},
}

ODD = st.sampled_from(
    ["\U0001f600", "\U0010ffff", "\uf8ff", r"\uf8ff", r"\ud83d", "\\", '"', "\t", "\n", "\x7f",
     "\x85", "\u2028", " \u2029 ", "\ufffe", "\uffff", "\ufeff", "\x9f", "\x00", "/", "# a", "'"]
)  # fmt: skip
CHARACTERS = st.characters(exclude_categories=["Cs"])
TEXT = st.lists(ODD | st.text(CHARACTERS, max_size=4), max_size=8).map("".join)
NUMBERS = st.integers(-(10**60), 10**60) | st.floats(allow_nan=False, allow_infinity=False)
DATA = st.dictionaries(
    TEXT,
    st.recursive(
        st.none() | st.booleans() | NUMBERS | TEXT,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
        max_leaves=10,
    ),
    min_size=1,
    max_size=4,
)


@pytest.fixture(params=LOADERS, ids=lambda loader: loader.__name__, autouse=True)
def _loader(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test runs with libyaml and without it."""
    monkeypatch.setattr(events, "LOADER", request.param)


def only_mistake(text: str) -> tuple[str, int, int, str]:
    (found,) = parse_document(text).diagnostics.found
    return found.code, found.place.span.line, found.place.span.column, found.message


def same(document: Document, data: Any) -> bool:
    assert not document.diagnostics, document.diagnostics.found
    return repr(document.data) == repr(data)  # True is not 1


@pytest.mark.slow
@PROPERTY
@given(DATA, st.booleans(), st.sampled_from([None, 2, "\t"]), st.booleans())
def test_whatever_json_writes_is_read(
    data: dict[str, Any], ascii_only: bool, indent: Any, sort: bool
) -> None:
    if indent == "\t" and events.LOADER is yaml.SafeLoader:
        indent = 4  # PyYAML without libyaml takes no tabs before a value
    text = json.dumps(data, ensure_ascii=ascii_only, indent=indent, sort_keys=sort)
    assert same(parse_document(text), json.loads(text))


@pytest.mark.slow
@PROPERTY
@given(DATA, st.booleans())
def test_what_stands_in_block_yaml_is_read_too(data: dict[str, Any], ascii_only: bool) -> None:
    """The same scalars as values of a block, with an anchor, an alias and comments."""
    lines = [
        f"k{number}: &a{number} {json.dumps(value, ensure_ascii=ascii_only)} # \\ud83d\n"
        f"l{number}: *a{number}"
        for number, value in enumerate(data.values())
    ]
    expected = {}
    for number, value in enumerate(data.values()):
        expected |= {f"k{number}": value, f"l{number}": value}
    assert same(parse_document("\n".join(lines)), expected)


@pytest.mark.slow
@PROPERTY
@given(DATA, st.booleans())
def test_places_are_those_of_the_text(data: dict[str, Any], ascii_only: bool) -> None:
    text = json.dumps(data, ensure_ascii=ascii_only)
    document = parse_document(text)
    for path, place in document.keys.items():
        written = json.dumps(path[-1], ensure_ascii=ascii_only)
        assert text[place.span.column - 1 : place.span.end_column - 1] == written
        assert place.span.line == 1


@pytest.mark.slow
@PROPERTY
@given(DATA, st.booleans())
def test_formatting_keeps_the_data(data: dict[str, Any], ascii_only: bool) -> None:
    formatted = format_text(json.dumps(data, ensure_ascii=ascii_only))
    assert same(parse_document(formatted), parse_document(json.dumps(data)).data) or data
    assert format_text(formatted) == formatted


@pytest.mark.parametrize("ascii_only", [True, False])
def test_a_json_recipe_goes_through_every_reader(tmp_path: Path, ascii_only: bool) -> None:
    text = json.dumps(RECIPE, ensure_ascii=ascii_only)
    assert lstmgraph.load(text).resolved() == lstmgraph.load(json.dumps(RECIPE)).resolved()
    base = tmp_path / "base.yaml"
    base.write_text(text, "utf-8")
    (tmp_path / "own.yaml").write_text("recipe: 1\nextends: base.yaml\nname: own\n")
    assert lstmgraph.load(tmp_path / "own.yaml").name == "own"


def test_values_of_options_may_be_pairs() -> None:
    document = parse_document(json.dumps(RECIPE))
    apply_overrides(document, [r'description="a \ud83d\ude00 b"'])
    assert document.data["description"] == "a \U0001f600 b"
    apply_overrides(document, {"description": "\U0001f601\x7f\u2028"})
    assert document.data["description"] == "\U0001f601\x7f\u2028"
    assert not document.diagnostics


@pytest.mark.parametrize(
    ("text", "data"),
    [
        ('a: "\\ud83d\\ude00"', "\U0001f600"),
        ('a: "\\uD83D\\uDE00"', "\U0001f600"),
        ('a: "x\\\n  \\ud83d\\ude00\n  y"', "x\U0001f600 y"),
        ('a: "\\\\ud83d\\ude00\\ud83d"'.replace("\\ude00\\ud83d", ""), "\\ud83d"),
        ("a: \\ud83d\\ude00", "\\ud83d\\ude00"),
        ("a: '\\ud83d'", "\\ud83d"),
        ("a: \\ud83d \\uf8ff \uf8ff", "\\ud83d \\uf8ff \uf8ff"),
        ("a: | # \\ud83d\n  \\uf8ff\n  \\ude00\n", "\\uf8ff\n\\ude00\n"),
        ("a: >- # \\ud83d\n  \\uf8ff\n  \\ude00\n", "\\uf8ff \\ude00"),
        ('a: &b # \\ud83d "\n  "\\ud83d\\ude00"', "\U0001f600"),
        ('a: "\\uF8FF\\ud83d\\ude00\\U0000f8ff\uf8ff"', "\uf8ff\U0001f600\uf8ff\uf8ff"),
        ("a: '\x7f'", "\x7f"),
        ('a: "b \x85 c"', "b \x85 c"),
        ("a: b\u2028c", "b\u2028c"),
        ("a: \u2028c", "\u2028c"),
        ("a: &b\n  \x85c", "\x85c"),
        ("a: |\n  b\x85c\n", "b\x85c\n"),
        ("# \u2028\na: 1", 1),
    ],
)  # fmt: skip
def test_what_is_written_is_read(text: str, data: Any) -> None:
    assert same(parse_document(text), {"a": data})
    assert same(parse_document("\ufeff" + text), {"a": data})


@pytest.mark.parametrize(
    ("text", "line", "column", "words"),
    [
        ('{"a": 1,\n "b": "x\\ud83d"}', 2, 9, r"\ud83d is half of a character"),
        ('{"a": "\\ud83d\\ude00\\ude01"}', 1, 20, r"\ude01 is half of a character"),
        ('{"a": "\\ude00\\ud83d"}', 1, 8, r"\ude00 is half of a character"),
        ('{"\\uD83D": 1}', 1, 3, r"\uD83D is half of a character"),
        ('{"a": "\\uf8ff\\x41\\ud83d!"}', 1, 18, r"\ud83d is half of a character"),
        ("a: 1\nb: \x7f", 2, 4, "the character #x007f is not allowed"),
        ("a: 1 # \x7f", 1, 8, "the character #x007f is not allowed"),
        ('a: "\x7f"\nb: \x9f', 2, 4, "the character #x009f is not allowed"),
        ("a: |\n  \ufffe", 2, 3, "the character #xfffe is not allowed"),
        ("a: 1\nb: \x00", 2, 4, "the character #x0000 is not allowed"),
        ('["\\ud83d\\ude00", }', 1, 18, "node content"),
    ],
)
def test_what_is_no_character_is_shown(text: str, line: int, column: int, words: str) -> None:
    for before in ("", "\ufeff"):
        code, at_line, at_column, message = only_mistake(before + text)
        assert (code, at_line, at_column) == ("L104", line, column)
        assert words in message


def test_mistakes_behind_a_pair_are_at_their_place() -> None:
    text = '{"a": "\\ud83d\\ude00", "a": 1}'
    assert only_mistake(text)[:3] == ("L105", 1, text.rindex('"a"') + 1)


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e400", "-1e400"])
def test_numbers_of_json_that_are_none(number: str) -> None:
    """Python writes the first three; they are no JSON, and YAML reads them as words."""
    document = parse_document(f'{{"a": {number}}}')
    if "e" in number:
        assert [found.code for found in document.diagnostics.found] == ["L114"]
    else:
        assert document.data == {"a": number}


def test_comments_are_found_beside_pairs() -> None:
    (found,) = comments('a: "\\ud83d\\ude00#" # b\n')
    assert found.text == " b"


@pytest.mark.slow
def test_many_pairs_take_little_time() -> None:
    text = json.dumps(["\U0001f600"] * 30_000)
    assert parse_document(text).data == ["\U0001f600"] * 30_000


DEEP = {
    "lists": ("[", "]"),
    "mappings": ("{a: ", "}"),
    "mappings without keys": ("{", "}"),
    "lists of mappings": ("[{a: ", "}]"),
    "dashes": ("- ", ""),
    "questions": ("? ", ""),
    "lists on lines": ("[\n", "]"),
    "quoted keys": ('{"a": ', "}"),
}


@pytest.mark.parametrize("closed", [True, False])
@pytest.mark.parametrize("kind", DEEP)
@pytest.mark.parametrize("depth", [MAX_DEPTH + 2, 990, 1001, 5000])
def test_what_is_too_deep_has_one_code(kind: str, depth: int, closed: bool) -> None:
    """libyaml has a limit of its own since 0.2.6, which it may meet before the first event."""
    begin, end = DEEP[kind]
    text = begin * depth + ("x" + end * depth if closed else "")
    code, _, _, message = only_mistake(text)
    assert code in ("L108", "L111") if kind == "questions" else code == "L108"
    assert "nested more than 50 levels deep" in message or code == "L111"


def test_deep_blocks_have_the_same_code() -> None:
    text = "".join(" " * level + "a:\n" for level in range(1500))
    assert only_mistake(text)[0] == "L108"


@pytest.mark.parametrize("kind", ["lists", "mappings", "dashes", "quoted keys"])
def test_what_is_not_too_deep_is_read(kind: str) -> None:
    begin, end = DEEP[kind]
    assert not parse_document(begin * (MAX_DEPTH - 1) + "x" + end * (MAX_DEPTH - 1)).diagnostics


def test_an_earlier_mistake_is_not_hidden_by_what_is_too_deep() -> None:
    assert only_mistake("[*a, " + "[" * 2000)[0] == "L110"
    assert only_mistake("[!x y, " + "[" * 2000)[0] == "L106"


def test_a_wrong_recipe_in_json_says_so_in_a_message() -> None:
    with pytest.raises(RecipeError, match="half of a character"):
        lstmgraph.load('{"recipe": 1, "name": "\\ud83d"}')
