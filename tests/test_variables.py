"""`vars:`: values that are said once, with their types, and where mistakes in them are shown."""

from __future__ import annotations

import json
from typing import Any

import pytest
from generated import examples
from hypothesis import given
from hypothesis import strategies as st

import lstmgraph
from lstmgraph.compiler.resolved import recipe_yaml
from lstmgraph.language.compose import composed
from lstmgraph.language.compose.variables import MAX_CHAIN
from lstmgraph.language.text.document import MAX_NODES, parse_document
from lstmgraph.messages.errors import RecipeError

RECIPE = """\
recipe: 1
name: forecast-${vars.horizon}
vars:
  horizon: 24
  units: [32, 16]
  wide: true
inputs:
  history: {shape: [time, 8]}
  known: {shape: ["${vars.horizon}", 3]}
layers:
  encoder: {type: lstm, input: history, units: "${vars.units}", bidirectional: "${vars.wide}"}
  decoder: {type: lstm, input: known, units: 16}
  forecast: {type: dense, input: decoder.sequence, units: 1}
  joined: {type: concatenate, input: [encoder, decoder]}
outputs: {forecast: forecast, joined: joined}
"""


def substituted(text: str, *overrides: str) -> Any:
    document = composed(parse_document(text), None, overrides)
    assert not document.diagnostics, document.diagnostics.found
    return document.data


def errors(text: str, *overrides: str) -> list[Any]:
    with pytest.raises(RecipeError) as caught:
        lstmgraph.load(text, overrides=overrides)
    str(caught.value)
    return list(caught.value.diagnostics)


def test_a_recipe_with_variables_is_the_recipe_without() -> None:
    recipe = lstmgraph.load(RECIPE)
    plain = RECIPE.replace("${vars.horizon}", "24").replace('"24"', "24")
    plain = plain.replace('"${vars.units}"', "[32, 16]").replace('"${vars.wide}"', "true")
    plain = plain.replace("vars:\n  horizon: 24\n  units: [32, 16]\n  wide: true\n", "")
    assert recipe.resolved() == lstmgraph.load(plain).resolved()


def test_a_variable_is_put_in_from_the_command_line() -> None:
    recipe = lstmgraph.load(RECIPE, overrides=["vars.horizon=48"])
    assert recipe.name == "forecast-48"
    assert recipe.compiled.completed["inputs"]["known"]["shape"] == [48, 3]


def test_a_variable_that_is_not_there_is_not_put_in() -> None:
    (found,) = errors(RECIPE, "vars.horzion=48")
    assert (found.code, found.place.source) == ("L121", "--set vars.horzion")
    assert "did you mean 'horizon'" in found.message
    (found,) = errors("recipe: 1\nname: none\n" + RECIPE.partition("inputs:")[1], "vars.a=1")[:1]
    assert found.code == "L121"


def test_no_section_is_taken_for_a_misspelt_vars() -> None:
    without = RECIPE.replace(RECIPE[RECIPE.index("vars:") : RECIPE.index("inputs:")], "")
    messages = [found.message for found in errors(without) if found.code == "L142"]
    assert "there is no `vars.horizon`: the recipe has no `vars:`" in messages
    assert "there is no `vars` in the recipe" in [e.message for e in errors(without, "vars.a=1")]


def test_a_value_that_is_put_in_may_name_a_variable() -> None:
    recipe = lstmgraph.load(RECIPE, overrides=["layers.decoder.units=${vars.horizon}"])
    assert recipe.compiled.completed["layers"]["decoder"]["units"] == 24


def test_a_mistake_stands_where_the_variable_is_named_with_a_note_at_it() -> None:
    (found,) = errors(RECIPE.replace("horizon: 24", "horizon: 0"))
    assert (found.place.span.line, found.place.span.column) == (9, 19)
    (note,) = found.notes
    assert (note.message, note.place.span.line) == ("`vars.horizon` is 0", 4)
    (found,) = errors(RECIPE, "vars.units=[32, x]")
    assert (found.code, found.path) == ("L204", ("layers", "encoder", "units", 1))
    assert (found.place.span.line, found.place.span.column) == (11, 48)
    (note,) = found.notes
    assert (note.message, note.place.source) == ('`vars.units` is [32, "x"]', "--set vars.units")


def test_variables_of_variables_are_all_in_the_notes() -> None:
    (found,) = errors(RECIPE.replace("horizon: 24", "base: 0\n  horizon: ${vars.base}"))
    assert [note.message for note in found.notes] == ["`vars.horizon` is 0", "`vars.base` is 0"]


def test_a_variable_within_a_search_is_part_of_it() -> None:
    text = RECIPE.replace("units: 16", 'units: {$search: {int: [1, "${vars.horizon}"]}}')
    recipe = lstmgraph.load(text)
    (dimension,) = recipe.space().dimensions
    assert (dimension.range.low, dimension.range.high) == (1, 24)  # type: ignore[union-attr]
    (found,) = (each for each in errors(text, "vars.horizon=0") if each.code == "L823")
    assert (found.path, found.place.span.line) == (("layers", "decoder", "units"), 12)


def test_a_mistake_at_another_point_of_a_space_names_the_variable() -> None:
    text = RECIPE.replace("units: 16", 'units: {$search: {choice: [16, "${vars.horizon}"]}}')
    *_, found = errors(text, "vars.horizon=-3")
    assert (found.code, found.path) == ("L206", ("layers", "decoder", "units"))
    assert [note.message for note in found.notes] == ["`vars.horizon` is -3"]


def test_one_mistake_of_a_variable_is_one_message() -> None:
    """Not one for each value that names it, nor for what is then not known."""
    text = RECIPE.replace("horizon: 24", "horizon: ${vars.hours}")
    (found,) = errors(text)
    assert (found.code, found.place.span.line) == ("L142", 4)


def test_a_wrong_value_is_left_out_and_the_rest_is_checked() -> None:
    text = RECIPE.replace("${vars.wide}", "${vars.wid}").replace("units: 1}", "units: 0}")
    assert [(found.code, found.place.span.line) for found in errors(text)] == [
        ("L142", 11),
        ("L206", 13),
    ]


def test_characters_that_look_like_a_variable_are_written_with_two_dollars() -> None:
    recipe = lstmgraph.load(RECIPE.replace("vars:\n", "description: $${vars.x} or $$${x\nvars:\n"))
    assert recipe.description == "${vars.x} or $${x"
    assert lstmgraph.load(recipe.resolved()).description == recipe.description


def test_an_escape_in_quotes_is_the_character() -> None:
    assert substituted('vars: {a: 1}\nb: "\\x24{vars.a}"\n')["b"] == 1


def test_braces_need_quotes_and_the_message_says_so() -> None:
    (found,) = errors("layers: {voice: {units: ${vars.units}}}\n")
    assert found.code == "L104"
    assert "put quotes around" in found.hint


def test_an_unused_variable_is_noticed() -> None:
    document = composed(parse_document("vars: {a: 1, b: 2, c: '${vars.b}'}\nx: '${vars.a}'\n"))
    assert not document.diagnostics
    (warning,) = document.diagnostics.ordered_warnings()
    assert (warning.code, warning.path) == ("W102", ("vars", "c"))


@pytest.mark.parametrize("section", ["[1]", "text", "null"])
def test_where_vars_is_no_mapping_its_names_are_not_missed(section: str) -> None:
    text = f"vars: {section}\nx: '${{vars.a}}'\ny: 'b-${{vars.b}}'\n"
    (found,) = composed(parse_document(text)).diagnostics.found
    assert (found.code, found.path) == ("L141", ("vars",))


def test_a_variable_that_nothing_names_may_be_a_misspelt_one() -> None:
    document = composed(parse_document("vars: {horizon: 1, horizn: 2}\nx: '${vars.horizon}'\n"))
    (warning,) = document.diagnostics.ordered_warnings()
    assert warning.message == "`vars.horizn` is not used; did you mean 'horizon'?"


def test_without_variables_nothing_is_touched() -> None:
    document = parse_document(RECIPE.replace("${", "#{"))
    del document.data["vars"]
    data = document.data
    assert composed(document).data is data


def test_a_row_of_variables_has_an_end() -> None:
    links = "".join(f"  v{n}: '${{vars.v{n + 1}}}'\n" for n in range(MAX_CHAIN + 3))
    document = composed(parse_document(f"vars:\n{links}  v{MAX_CHAIN + 3}: 1\n"))
    (found,) = document.diagnostics.found
    assert found.code == "L145"


def test_lists_that_are_named_often_do_not_grow_without_end() -> None:
    entries = ", ".join(["1"] * 1000)
    uses = "".join(f"  a{n}: '${{vars.many}}'\n" for n in range(MAX_NODES // 1000 + 50))
    document = composed(parse_document(f"vars: {{many: [{entries}]}}\nruntime:\n{uses}"))
    assert {found.code for found in document.diagnostics.found} == {"L145"}


TEXTS = st.text("ab ${}.x", max_size=6)
SCALARS = st.one_of(
    st.integers(-9, 9),
    st.floats(allow_nan=False, allow_infinity=False, width=32),
    st.booleans(),
    st.none(),
    TEXTS,
)


@examples(50)
@given(st.dictionaries(st.sampled_from("abcd"), SCALARS | st.lists(SCALARS, max_size=3)))
def test_a_whole_value_keeps_its_type(variables: dict[str, Any]) -> None:
    text = recipe_yaml({"vars": variables})  # in which `${` of the values is escaped
    uses = "".join(f"use_{name}: ${{vars.{name}}}\n" for name in variables)
    data = substituted(text + uses)
    for name, value in variables.items():
        assert data[f"use_{name}"] == value
        assert json.dumps(data[f"use_{name}"]) == json.dumps(value)  # 1, 1.0 and true differ


@examples(30)
@given(SCALARS)
def test_inside_a_text_a_value_is_written_as_yaml_has_it(value: Any) -> None:
    text = recipe_yaml({"vars": {"a": value}}) + "use: <${vars.a}>\n"
    written = value if isinstance(value, str) else parse_document(f"v: {_yaml(value)}").data["v"]
    assert substituted(text)["use"] == f"<{written if isinstance(value, str) else _yaml(value)}>"


def _yaml(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "null" if value is None else repr(value)
