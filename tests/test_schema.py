"""The published schema: valid, complete towards Keras, and read alike by any validator."""

from __future__ import annotations

import copy
import json
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest
from building import SHIPPED
from bundled import bundled
from generated import Generated, recipes
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from lstmgraph.authoring.editor_schema import published_schema
from lstmgraph.language.schema.messages import KERAS_KEY_HINTS
from lstmgraph.language.schema.structure import check_structure
from lstmgraph.language.space.collect import collect
from lstmgraph.language.space.fill import assign
from lstmgraph.language.text.document import Document, parse_document
from lstmgraph.resources import KERAS_SCHEMA, RECIPE_SCHEMA, read_schema

if TYPE_CHECKING:
    from collections.abc import Iterator

RECIPE = read_schema(RECIPE_SCHEMA)
KERAS = read_schema(KERAS_SCHEMA)

PROPERTY = settings(
    deadline=None,
    derandomize=True,
    print_blob=True,
    database=None,
    max_examples=150,
    suppress_health_check=[HealthCheck.too_slow],
)


@cache
def plain() -> Draft202012Validator:
    """Any validator, of the bundle."""
    return Draft202012Validator(bundled())


def says_yes(data: Any) -> bool:
    """The verdict of lstmgraph's own structural check."""
    document = Document(data=data)
    at_fault = check_structure(document)  # None: nothing more can be said
    assert (at_fault is None or bool(at_fault)) == bool(document.diagnostics)
    return not document.diagnostics


def concrete(data: Any) -> Any:
    """`data` with defaults in place of what is searched: what lstmgraph itself checks."""
    return assign(data, collect(Document(data=data)).space, {})


def places_in(schema: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every mapping and list in a schema, with its path."""
    yield path, schema
    if isinstance(schema, dict):
        for key, inner in schema.items():
            yield from places_in(inner, (*path, key))
    elif isinstance(schema, list):
        for index, inner in enumerate(schema):
            yield from places_in(inner, (*path, str(index)))


# --- the files ---


@pytest.mark.slow
@pytest.mark.parametrize("name", ["recipe", "keras", "bundled"])
def test_it_is_a_schema(name: str) -> None:
    schema = {"recipe": RECIPE, "keras": KERAS}.get(name) or bundled()
    Draft202012Validator.check_schema(schema)


@pytest.mark.parametrize("layer", ["LSTM", "GRU", "SimpleRNN"])
def test_every_keras_argument_of_a_recurrent_layer_is_answered(layer: str) -> None:
    """It has Keras's own spelling here, or the error says what to write instead."""
    taken = set(RECIPE["$defs"]["recurrent"]["properties"])
    arguments = set(KERAS["$defs"][layer]["properties"])
    unanswered = arguments - taken - set(KERAS_KEY_HINTS)
    assert not unanswered
    assert not taken & set(KERAS_KEY_HINTS)


@pytest.mark.parametrize("layer", ["LSTM", "GRU", "SimpleRNN"])
def test_an_argument_that_keras_lacks_is_refused(layer: str) -> None:
    own = {"depth", "bidirectional", "merge_mode", "padded_output", "initial_state"}
    own |= {"residual", "normalization"}
    recurrent = RECIPE["$defs"]["recurrent"]["properties"]
    for argument in set(recurrent) - set(KERAS["$defs"][layer]["properties"]) - own:
        data = small({"type": layer, "input": "x", "units": 2, argument: _allowed(argument)})
        assert not says_yes(data), argument


def _allowed(argument: str) -> Any:
    return "tanh" if argument == "recurrent_activation" else True


def small(layer: Any) -> dict[str, Any]:
    return {
        "recipe": 1,
        "name": "small",
        "inputs": {"x": {"shape": ["time", 2]}},
        "layers": {"first": layer},
        "outputs": {"first": "first"},
    }


@pytest.mark.parametrize("name", RECIPE["$defs"])
def test_every_definition_has_a_title_and_a_description(name: str) -> None:
    assert RECIPE["$defs"][name]["title"]
    assert RECIPE["$defs"][name]["description"].endswith(".")


def test_defaults_and_examples_follow_their_own_schema() -> None:
    for path, inner in places_in(bundled()):
        if not isinstance(inner, dict) or "$defs" in inner or path[-1:] == ("properties",):
            continue
        samples = [inner["default"]] if "default" in inner else []
        if isinstance(inner.get("examples"), list):
            samples += inner["examples"]
        checker = Draft202012Validator({**inner, "$defs": bundled()["$defs"]}) if samples else None
        for sample in samples:
            assert checker is not None
            checker.validate(sample)


# --- the bundle ---


def test_the_bundle_needs_no_other_file() -> None:
    for path, inner in places_in(bundled()):
        reference = inner.get("$ref") if isinstance(inner, dict) else None
        if not isinstance(reference, str):
            continue
        assert reference.startswith("#/"), path
        found: Any = bundled()
        for key in reference.removeprefix("#/").split("/"):
            assert key in found, (path, reference)
            found = found[key]


@pytest.mark.slow
def test_bundling_leaves_the_files_alone() -> None:
    before = json.dumps([RECIPE, KERAS])
    first = published_schema()
    first["$defs"].clear()
    assert json.dumps([RECIPE, KERAS]) == before
    assert published_schema() == bundled()


# --- any validator gives the same verdict ---


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_shipped_recipes_follow_the_bundle(path: Any) -> None:
    data = parse_document(path.read_text("utf-8")).data
    assert plain().is_valid(data)
    assert says_yes(concrete(data))


@pytest.mark.slow
@PROPERTY
@given(recipes())
def test_generated_recipes_follow_the_bundle(generated: Generated) -> None:
    assert plain().is_valid(generated.data)
    assert says_yes(generated.data)


def entries(data: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner: Any = ()
    if isinstance(data, dict):
        inner = data.items()
    elif isinstance(data, list):
        inner = enumerate(data)
    return [p for k, v in inner for p in [(*path, k), *entries(v, (*path, k))]]


VALUES = st.sampled_from(
    [None, True, 0, -1, 2.5, 10**9, "", "x", "zeros", "adam", "lstm", "Dense", "gru", "none",
     [], {}, [1], ["x"], {"type": "adam"}, {"type": "l2", "l2": 0.1}, {"type": "nothing"},
     {"value": 0.0}, {"lengths": "n"}, {"value": 0, "lengths": "n"}, {"from": "a.b"},
     {"inputs": ["h"]}, {"h": "zeros", "x": 1}, {"static": []}]
)  # fmt: skip
KEYS = st.sampled_from(
    ["type", "units", "mask", "initial_state", "merge_mode", "reset_after", "unit_forget_bias",
     "use_cudnn", "input", "rate", "dtype_policy", "activation", "kernel_regularizer", "layer",
     "Ünits", "loss", "optimizer", "extra"]
)  # fmt: skip
SOURCES = st.one_of(
    st.sampled_from([concrete(parse_document(path.read_text("utf-8")).data) for path in SHIPPED]),
    recipes(max_layers=3).map(lambda generated: generated.data),
)


@st.composite
def mutated(draw: Any) -> Any:
    """A recipe in which something was put in, taken away or replaced."""
    data = copy.deepcopy(draw(SOURCES))
    for _ in range(draw(st.integers(1, 2))):
        path = draw(st.sampled_from(entries(data)))
        parent = data
        for part in path[:-1]:
            parent = parent[part]
        action = draw(st.sampled_from(["replace", "remove", "add"]))
        if action == "remove":
            del parent[path[-1]]
        elif action == "add" and isinstance(parent[path[-1]], dict):
            parent[path[-1]][draw(KEYS)] = copy.deepcopy(draw(VALUES))
        else:
            parent[path[-1]] = copy.deepcopy(draw(VALUES))  # may be changed in turn
        if not data:
            break
    return data


@pytest.mark.slow
@settings(PROPERTY, max_examples=400)
@given(mutated())
def test_mutated_recipes_get_the_verdict_of_the_bundle(data: Any) -> None:
    """A newer version is reported before all other mistakes; both schemas refuse it."""
    assert says_yes(data) == plain().is_valid(data)


@pytest.mark.parametrize("units", [64.0, 1e3])
def test_floats_are_no_integers(units: float) -> None:
    """The one difference: JSON Schema takes 64.0 for an integer, and Keras does not."""
    data = small({"type": "lstm", "input": "x", "units": units})
    assert plain().is_valid(data)
    assert not says_yes(data)
