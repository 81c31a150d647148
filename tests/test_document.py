"""The parser: data and positions of any text, within bounds that hostile text cannot pass."""

from __future__ import annotations

import json
import time
import tracemalloc
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lstmgraph.compiler.compile import compile_document
from lstmgraph.compiler.resolved import resolved_yaml
from lstmgraph.language.text.document import MAX_NODES, Document, parse_document, read_document
from lstmgraph.language.text.nodes import MAX_BYTES, MAX_DEPTH
from lstmgraph.language.text.overrides import OverrideFormatError, apply_overrides
from lstmgraph.messages.errors import RecipeError
from lstmgraph.messages.rendering.text import render_text

if TYPE_CHECKING:
    from pathlib import Path

PROPERTY = settings(
    deadline=None,
    derandomize=True,
    print_blob=True,
    database=None,
    max_examples=200,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)

RECIPE = """\
recipe: 1
name: small
inputs:
  x: {shape: [time, 2]}
layers:
  encoder:
    type: lstm
    input: x
    units: [4, 3]
outputs: {encoder: encoder}
"""

WORDS = st.sampled_from(
    ["1e-3", "no", "yes", "012", "0o17", "12:30:00", "~", "null", "<<", ".5", "- a", "a: b", "#"]
)


def data_of(text: st.SearchStrategy[str]) -> st.SearchStrategy[dict[str, Any]]:
    """Data of nested mappings and lists, whose keys and texts are `text`."""
    text |= WORDS
    numbers = st.integers(-(10**40), 10**40) | st.floats(allow_nan=False, allow_infinity=False)
    inner = st.recursive(
        st.none() | st.booleans() | numbers | text,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(text, inner, max_size=4),
        max_leaves=12,
    )
    return st.dictionaries(text, inner, min_size=1, max_size=4)


ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
PLAIN_TEXT = st.text(
    st.characters(
        exclude_categories=["Cs", "Cc", "Zl", "Zp"], exclude_characters="\ufeff\ufffe\uffff"
    ),
    max_size=12,
)
"""Characters that YAML takes without an escape and that end no line."""


def codes(document: Document) -> list[str]:
    return [found.code for found in document.diagnostics.found]


def is_same(first: Any, second: Any) -> bool:
    """Equal, and of equal types: True is not 1, and 1.0 is not 1."""
    return repr(first) == repr(second)


def only_mistake(text: str) -> tuple[str, int, int]:
    """Code, line and column of the one mistake in `text`."""
    (found,) = parse_document(text).diagnostics.found
    return found.code, found.place.span.line, found.place.span.column


# --- data ---


@pytest.mark.slow
@PROPERTY
@given(data_of(ANY_TEXT))
def test_json_text_reads_back(data: dict[str, Any]) -> None:
    for indent in (None, 2):
        document = parse_document(json.dumps(data, indent=indent))
        assert codes(document) == []
        assert is_same(document.data, data)


@pytest.mark.slow
@PROPERTY
@given(data_of(PLAIN_TEXT))
def test_json_text_without_escapes_reads_back(data: dict[str, Any]) -> None:
    document = parse_document(json.dumps(data, ensure_ascii=False))
    assert codes(document) == []
    assert is_same(document.data, data)


@pytest.mark.slow
@PROPERTY
@given(data_of(ANY_TEXT))
def test_resolved_yaml_reads_back(data: dict[str, Any]) -> None:
    data = {key: value for key, value in data.items() if value != ""}
    document = parse_document(resolved_yaml(data))
    assert codes(document) == []
    assert is_same(document.data, data)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 1e-3), ("1E5", 1e5), ("1.", 1.0), (".5", 0.5), ("-.5", -0.5), ("+1", 1),
        ("-0", 0), ("012", 12), ("0o17", 15), ("0x1F", 31), ("1_000", "1_000"), ("0b11", "0b11"),
        ("12:30:00", "12:30:00"), ("2024-01-01", "2024-01-01"), ("no", "no"), ("yes", "yes"),
        ("on", "on"), ("Off", "Off"), ("y", "y"), ("true", True), ("FALSE", False),
        ("tRue", "tRue"), ("~", None), ("null", None), ("NULL", None), ("", None), ("nULL", "nULL"),
        ("'1'", "1"), ('"true"', "true"), ("1e", "1e"), ("e5", "e5"), (".", "."), ("+", "+"),
        ("0x", "0x"), ("0o8", "0o8"), ("1.5.2", "1.5.2"), ("=", "="), ("٣", "٣"),
        ("1e400x", "1e400x"),
    ],
)  # fmt: skip
def test_scalars_are_yaml_1_2(text: str, value: Any) -> None:
    document = parse_document(f"key: {text}\n")
    assert codes(document) == []
    assert is_same(document.data["key"], value)


@pytest.mark.parametrize("text", [".inf", "-.INF", "+.Inf", ".nan", ".NaN", "1e999", "9" * 101])
def test_numbers_that_no_recipe_can_mean(text: str) -> None:
    assert only_mistake(f"a: 1\nkey: {text}\n") == ("L114", 2, 6)


# --- positions ---


def at(lines: list[str], line: int, column: int) -> str:
    return lines[line - 1][column - 1 :]


def paths_of(data: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    if not isinstance(data, dict | list):
        return [path]
    inner = data.items() if isinstance(data, dict) else enumerate(data)
    return [path, *(p for key, value in inner for p in paths_of(value, (*path, key)))]


@pytest.mark.slow
@PROPERTY
@given(data_of(ANY_TEXT), st.sampled_from([None, 2]))
def test_every_place_begins_with_its_key_or_scalar(data: dict[str, Any], indent: Any) -> None:
    text = json.dumps(data, indent=indent)
    document = parse_document(text)
    lines = text.split("\n")
    for path in paths_of(data)[1:]:
        value = _at_path(data, path)
        if isinstance(path[-1], str):
            span = document.place(path, at_key=True).span
            assert at(lines, span.line, span.column).startswith(json.dumps(path[-1]))
        if not isinstance(value, dict | list):
            span = document.place(path).span
            assert at(lines, span.line, span.column).startswith(json.dumps(value))


def _at_path(data: Any, path: tuple[Any, ...]) -> Any:
    for part in path:
        data = data[part]
    return data


def test_places_in_block_text() -> None:
    document = parse_document(RECIPE)
    places = {path: place.span for path, place in document.values.items()}
    assert (places["layers", "encoder", "units", 1].line) == 9
    assert places["layers", "encoder", "units", 1].column == 16
    assert document.place(("layers", "encoder"), at_key=True).span.line == 6
    assert document.place(("layers", "encoder", "absent")).span.line == 6
    assert document.place(("absent", "more")).span.line == 1


def test_places_count_characters_not_bytes() -> None:
    assert only_mistake("a: {é: 1, 漢字: 2, 🙂: 3, a: 1, a: 2}\n") == ("L105", 1, 30)


# --- hostile text ---


def finishes(text: str) -> Document:
    """The document of any text; whatever it holds, compiling it raises RecipeError at most."""
    document = parse_document(text)
    compiles_or_reports(document)
    return document


def compiles_or_reports(document: Document) -> None:
    try:
        compile_document(document)
    except RecipeError as error:
        raised = error
    else:
        return
    assert raised.diagnostics
    assert str(raised) == render_text(raised.diagnostics, raised.sources)


@PROPERTY
@given(st.text())
def test_arbitrary_text(text: str) -> None:
    finishes(text)


YAML_PIECES = st.sampled_from(
    [
        *"{}[]:,-?&*!|>'\"%@`#~",
        "\n",
        "\n  ",
        "  ",
        ": ",
        "- ",
        "a",
        "b",
        "<<",
        "&a",
        "*a",
        "1",
        "\t",
    ]
)


@PROPERTY
@given(st.lists(YAML_PIECES, max_size=40).map("".join))
def test_arbitrary_pieces_of_yaml(text: str) -> None:
    finishes(text)


@PROPERTY
@given(st.binary())
def test_arbitrary_bytes(tmp_path: Path, raw: bytes) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_bytes(raw)
    document = read_document(path)
    assert document.data is not None or document.diagnostics or raw.strip()
    compiles_or_reports(document)


@pytest.mark.slow
@PROPERTY
@given(data_of(st.sampled_from(["recipe", "name", "inputs", "layers", "outputs", "type"])))
def test_arbitrary_data_where_a_recipe_is_wanted(data: dict[str, Any]) -> None:
    document = finishes(json.dumps({"recipe": 1, **data}))
    assert document.diagnostics


PIECES = st.sampled_from(
    [None, True, 0, -1, 1.5, "", "x", "encoder", "zeros", [], {}, [[]], ["x", "x"], {"x": "x"},
     {"h": "zeros"}, {"from": "encoder"}, {"static": ["x"]}, {"lengths": "x"}, "encoder.state",
     10**30]
)  # fmt: skip


@pytest.mark.slow
@PROPERTY
@given(
    st.sampled_from(paths_of(parse_document(RECIPE).data)[1:]) | st.sampled_from(
        [("layers", "encoder", key) for key in ("mask", "initial_state", "depth", "bidirectional")]
        + [("runtime",), ("training",), ("runtime", "kernel"), ("training", "loss")]
    ),
    PIECES,
)  # fmt: skip
def test_any_value_in_any_place(path: tuple[Any, ...], value: Any) -> None:
    data = parse_document(RECIPE).data
    if path[0] in ("runtime", "training") and len(path) > 1:
        data[path[0]] = {}
    _at_path(data, path[:-1])[path[-1]] = value
    finishes(json.dumps(data))


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("a: 1\nb: 2\na: 3\n", ("L105", 3, 1)),
        ("a: {b: 1, b: 2}", ("L105", 1, 11)),
        ("a: !!python/object/apply:os.system [ls]\n", ("L106", 1, 4)),
        ("a: !!str 1\n", ("L106", 1, 4)),
        ("!custom {a: 1}\n", ("L106", 1, 1)),
        ("a: 1\n---\nb: 2\n", ("L107", 2, 1)),
        ("a: *missing\n", ("L110", 1, 4)),
        ("a: &a [*a]\n", ("L110", 1, 8)),
        ("a: &a {b: *a}\n", ("L110", 1, 11)),
        ("{a: 1}: 2\n", ("L111", 1, 1)),
        ("? [a]\n: 2\n", ("L111", 1, 3)),
        ("", ("L112", 1, 1)),
        ("# a remark\n", ("L112", 1, 1)),
        ("<<: 1\na: 2\n", ("L113", 1, 1)),
        ("a:\n\tb: 1\n", ("L104", 2, 1)),
        ("a: b: c\n", ("L104", 1, 5)),
        ("a: [1, 2\n", ("L104", 1, 4)),
        ("a: \x00\n", ("L104", 1, 4)),
        ("b: 1\na: \x07\n", ("L104", 2, 4)),
        ("b: 1\na: x\ud800\n", ("L104", 2, 5)),
    ],
)
def test_text_that_is_refused(text: str, mistake: tuple[str, int, int]) -> None:
    assert only_mistake(text) == mistake
    with pytest.raises(RecipeError):
        compile_document(parse_document(text))


@pytest.mark.parametrize(
    ("text", "place", "note", "hint"),
    [
        ("x:\n  - 1\n - 2\n", (3, 2), (1, 1), "indent this line"),
        ('x: "abc\n\ny: 1\n', (1, 4), None, "close the quotes"),
        ("x: @voice\n", (1, 4), None, "put quotes around a value"),
        ('x: "a\\qb"\n', (1, 6), (1, 4), "write the backslash twice"),
        ("a: 1\nbcd\ne: 2\n", (2, 1), None, "write a colon"),
        ("a: [1,\n  b: {c: 1]\n", (2, 11), (2, 6), "close the bracket"),
        ("a: 1\n%x\n", (2, 3), (2, 1), "put quotes around text that begins with %"),
        ("a: \x07\n", (1, 4), None, "inside double quotes, write it as"),
    ],
)
def test_what_is_no_yaml_is_shown_with_what_it_began(
    text: str, place: tuple[int, int], note: tuple[int, int] | None, hint: str
) -> None:
    (found,) = parse_document(text).diagnostics.found
    assert found.code == "L104"
    assert (found.place.span.line, found.place.span.column) == place
    began = [(each.place.span.line, each.place.span.column) for each in found.notes]
    assert began == ([note] if note else [])
    assert hint in (found.hint or "")


@pytest.mark.parametrize("text", ["a: 1\r\nb: [2,\r\n 3]\r\n", "\ufeffa: 1\nb: [2, 3]\n"])
def test_line_ends_and_byte_order_mark(tmp_path: Path, text: str) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_bytes(text.encode())
    document = read_document(path)
    assert codes(document) == []
    assert document.data == {"a": 1, "b": [2, 3]}
    assert document.place(("b",), at_key=True).span.line == 2


@pytest.mark.parametrize(
    ("raw", "code", "line"),
    [(b"a: 1\nb: \xff\xfe\n", "L102", 2), (b"\xff\xfea\x00:\x00", "L102", 1), (b"", "L112", 1)],
)
def test_bytes_that_are_refused(tmp_path: Path, raw: bytes, code: str, line: int) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_bytes(raw)
    (found,) = read_document(path).diagnostics.found
    assert (found.code, found.place.span.line) == (code, line)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    assert codes(read_document(tmp_path)) == ["L101"]
    assert codes(read_document(tmp_path / "absent.yaml")) == ["L101"]


def test_files_that_are_too_large(tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_bytes(b"#" * (MAX_BYTES + 1))
    assert codes(read_document(path)) == ["L103"]
    assert codes(parse_document("#" * (MAX_BYTES + 1))) == ["L103"]


# --- bounds ---

LAUGHS = "a0: &a0 [x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12)
)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (LAUGHS, "L109"),
        ("a: [" + "x," * MAX_NODES + "x]", "L109"),
        ("[" * (MAX_DEPTH + 2) + "]" * (MAX_DEPTH + 2), "L108"),
        ("{a: " * (MAX_DEPTH + 2) + "1" + "}" * (MAX_DEPTH + 2), "L108"),
        ("[" * 100_000, "L108"),
        ("- " * 100_000, "L108"),
        ("a: " + "9" * 1_000_000, "L114"),
    ],
    ids=["laughs", "values", "lists", "mappings", "open lists", "dashes", "digits"],
)
def test_hostile_text_is_refused_in_little_time_and_memory(text: str, code: str) -> None:
    tracemalloc.start()
    start = time.perf_counter()
    found = codes(parse_document(text))
    seconds = time.perf_counter() - start
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found == [code]
    assert seconds < 20  # with memory traced, on a busy machine
    assert peak < 300 * 1024 * 1024


def test_aliases_through_merge_keys_are_bounded() -> None:
    lines = ["a0: &a0 {k0: 1, k1: 2}"]
    lines += [f"a{n}: &a{n} {{b: *a{n - 1}, c: *a{n - 1}, <<: *a{n - 1}}}" for n in range(1, 25)]
    assert codes(parse_document("\n".join(lines)))[-1] == "L109"


def test_depth_reached_through_aliases() -> None:
    """Each alias names some levels more: no text is nested deeply, and yet the data would be."""
    deeper = [f"a{n}: &a{n} {'[' * 45}*a{n - 1}{']' * 45}" for n in range(1, 60)]
    document = finishes("\n".join(["a0: &a0 x", *deeper]))
    assert codes(document) == ["L108"]


def test_merge_keys_and_anchors() -> None:
    text = """
common: &common {type: lstm, units: 4, input: x}
first: {<<: *common, units: 8}
second: {units: 1, <<: [{units: 2, depth: 3}, *common]}
quoted: {"<<": 1}
"""
    data = parse_document(text).data
    assert data["first"] == {"units": 8, "type": "lstm", "input": "x"}
    assert data["second"] == {"units": 1, "depth": 3, "type": "lstm", "input": "x"}
    assert data["quoted"] == {"<<": 1}


def test_a_merged_mapping_brings_what_it_merges_itself() -> None:
    text = """
first: &first {type: lstm, units: 4, input: x}
second: &second {<<: *first, units: 8}
third: {<<: *second, input: y}
"""
    data = parse_document(text).data
    assert data["third"] == {"type": "lstm", "units": 8, "input": "y"}


def test_merge_keys_that_multiply_are_bounded() -> None:
    lines = ["a0: &a0 {k: 1}"]
    lines += [f"a{n}: &a{n} {{<<: [*a{n - 1}, *a{n - 1}]}}" for n in range(1, 100)]
    finishes("\n".join(lines))
    assert parse_document("\n".join(lines)).data["a99"] == {"k": 1}


def test_merge_keys_that_are_read_from_the_last_one_are_bounded() -> None:
    chain = [f"a{n}: &a{n} {{<<: *a{n - 1}}}" for n in range(1, 5000)]
    text = f"<<: {{{', '.join(['a0: &a0 {k: 1}', *chain])}}}\nb: *a4999"
    assert codes(finishes(text)) == ["L108"]


# --- overrides ---


def overridden(*texts: str) -> Document:
    document = parse_document(RECIPE)
    apply_overrides(document, texts)
    return document


def test_an_override_changes_a_value_and_its_place() -> None:
    document = overridden("layers.encoder.units=[8, nine]")
    assert document.data["layers"]["encoder"]["units"] == [8, "nine"]
    place = document.place(("layers", "encoder", "units", 1))
    assert place.source == "--set layers.encoder.units"
    assert document.sources[place.source][place.span.column - 1 :].startswith("nine]")
    with pytest.raises(RecipeError) as caught:
        compile_document(document)
    (found,) = caught.value.diagnostics
    assert found.place == place
    assert "--set layers.encoder.units:1:26: error[L204]" in str(caught.value)
    assert "layers.encoder.units=[8, nine]" in str(caught.value)


def test_overrides_of_lists_sections_and_new_keys() -> None:
    document = overridden(
        "layers.encoder.units.1=9", "runtime.seed=3", "name=other", "inputs.y={shape: []}"
    )
    assert document.data["layers"]["encoder"]["units"] == [4, 9]
    assert document.data["runtime"] == {"seed": 3}
    assert document.data["name"] == "other"
    assert document.data["inputs"]["y"] == {"shape": []}
    assert codes(document) == []


def test_overrides_as_a_mapping() -> None:
    document = parse_document(RECIPE)
    apply_overrides(
        document, {"layers.encoder.units": 8, "description": "no", "runtime.seed": None}
    )
    assert document.data["layers"]["encoder"]["units"] == 8
    assert document.data["description"] == "no"
    assert document.data["runtime"] == {"seed": None}


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("layers.encodre.units=3", "L121"),
        ("layers.encoder.units.2=3", "L121"),
        ("layers.encoder.units.first=3", "L121"),
        ("name.first=3", "L121"),
        ("recipe.a.b=3", "L121"),
        ("layers.encoder.units=[1", "L104"),
        ("layers.encoder.units=!!python/name:os.system", "L106"),
        ("layers.encoder.units=*a", "L110"),
        ("layers.encoder.units=.inf", "L114"),
        ("layers.encoder.units=" + "[" * 60, "L108"),
        ("layers.encoder.units=1\n---\n2", "L107"),
    ],
)
def test_overrides_that_are_refused(text: str, code: str) -> None:
    document = overridden(text)
    (found,) = document.diagnostics.found
    assert found.code == code
    assert found.place.source == f"--set {text.partition('=')[0]}"
    compiles_or_reports(document)


@pytest.mark.parametrize("text", ["", "=", "=3", "layers", " =1"])
def test_texts_that_are_no_override(text: str) -> None:
    with pytest.raises(OverrideFormatError):
        overridden(text)


@pytest.mark.slow
@PROPERTY
@given(
    st.sampled_from(["name", "layers.encoder.units", "layers.encoder.units.0", "a.b.c", "layers"])
    | st.text(max_size=8),
    st.text() | st.lists(YAML_PIECES, max_size=20).map("".join),
)
def test_arbitrary_overrides(path: str, value: str) -> None:
    document = parse_document(RECIPE)
    try:
        apply_overrides(document, [f"{path}={value}"])
    except OverrideFormatError:
        return
    compiles_or_reports(document)


@pytest.mark.slow
@PROPERTY
@given(data_of(ANY_TEXT))
def test_any_value_given_from_python_arrives(value: Any) -> None:
    document = parse_document(RECIPE)
    apply_overrides(document, {"description": value})
    assert is_same(document.data["description"], value)


def test_overrides_of_text_that_is_no_mapping() -> None:
    for text in ("[1, 2]", "a: [", "3", ""):
        document = parse_document(text)
        apply_overrides(document, ["name=x"])
        compiles_or_reports(document)


def test_pyyaml_agrees_where_the_two_versions_of_yaml_do() -> None:
    assert parse_document(RECIPE).data == yaml.safe_load(RECIPE)
