"""The published schema with searches: it takes what lstmgraph takes, and refuses typos."""

from __future__ import annotations

import copy
import json
from functools import cache
from typing import Any

import pytest
from building import RECIPES, with_header
from bundled import bundled
from generated import Generated, examples, recipes
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from searched import SEARCHES

import lstmgraph
from lstmgraph.language.space.leaves import EXAMPLES, FormError, read_leaf
from lstmgraph.language.text.document import parse_document
from lstmgraph.messages.errors import RecipeError
from lstmgraph.resources import RECIPE_SCHEMA, read_schema

TEXT = (RECIPES / "speaker-classifier-search.yaml").read_text("utf-8")


@cache
def published() -> Draft202012Validator:
    return Draft202012Validator(bundled())


@cache
def of_searches() -> Draft202012Validator:
    """Of the values of a search alone."""
    return Draft202012Validator({"$defs": bundled()["$defs"], "$ref": "#/$defs/search_values"})


def data_of(text: str) -> Any:
    return parse_document(text).data


def without(data: Any, *path: str) -> Any:
    """A copy of `data` in which `path` is misspelt."""
    data = copy.deepcopy(data)
    *above, last = path
    here = data
    for key in above:
        here = here[key]
    here[f"{last}x"] = here.pop(last)
    return data


def test_the_shipped_search_is_accepted() -> None:
    assert published().is_valid(data_of(TEXT))


@pytest.mark.parametrize(
    "path",
    [
        ("layers", "voice", "dropout", "$search"),
        ("layers", "voice", "dropout", "$search", "float"),
        ("layers", "voice", "dropout", "$search", "step"),
        ("layers", "speaker", "units"),
        ("training", "optimizer", "$choose"),
        ("training", "optimizer", "$choose", "sgd", "momentum"),
        ("training", "optimizer", "$choose", "adam", "learning_rate", "$search", "scale"),
        ("training", "batch_size", "$search", "choice"),
        ("training", "batch_size", "$search", "default"),
        ("training", "loss"),
    ],
    ids=".".join,
)
def test_a_typo_is_refused(path: tuple[str, ...]) -> None:
    data = data_of(TEXT)
    data["layers"]["voice"]["type"] = "lstm"  # where the type is searched, nothing is sure
    assert published().is_valid(data)
    assert not published().is_valid(without(data, *path))


PLACES = {
    "a layer": ("layers", "y"),
    "a type": ("layers", "y", "type"),
    "an input": ("layers", "y", "input"),
    "an argument": ("layers", "y", "units"),
    "an entry of a list": ("layers", "y", "cells", 0),
    "an argument of a cell": ("layers", "y", "cells", 0, "units"),
    "an initializer": ("layers", "y", "kernel_initializer"),
    "an initializer's argument": ("layers", "y", "kernel_initializer", "stddev"),
    "an initial state": ("layers", "y", "initial_state"),
    "a state's source": ("layers", "y", "initial_state", "from"),
    "a static feature": ("layers", "y", "initial_state", "static", 0),
    "a mask": ("layers", "y", "mask"),
    "a mask's value": ("layers", "y", "mask", "value"),
    "an inner layer": ("layers", "y", "layer"),
    "an inner layer's argument": ("layers", "y", "layer", "units"),
    "a policy": ("runtime", "dtype_policy"),
    "a seed": ("runtime", "seed"),
    "a loss": ("training", "loss"),
    "a loss of an output": ("training", "loss", "y"),
    "a loss's argument": ("training", "loss", "delta"),
    "a metric": ("training", "metrics", 0),
    "a weight": ("training", "loss_weights", "y"),
    "epochs": ("training", "epochs"),
}
"""Each path is made in a recipe where everything else is right."""

RECURRENT = {"type": "lstm", "input": "x", "units": 4}
SURROUNDINGS: dict[tuple[Any, ...], dict[str, Any]] = {
    ("cells",): {"type": "rnn", "input": "x", "cells": [{"type": "lstm_cell", "units": 4}]},
    ("kernel_initializer",): {
        **RECURRENT,
        "kernel_initializer": {"type": "random_normal", "stddev": 0.1},
    },
    ("initial_state", "from"): {**RECURRENT, "initial_state": {"from": "z"}},
    ("initial_state", "static"): {**RECURRENT, "initial_state": {"static": ["s"]}},
    ("mask", "value"): {**RECURRENT, "mask": {"value": 0.0}},
    ("layer",): {"type": "time_distributed", "input": "x", "layer": {"type": "dense", "units": 2}},
}


def surrounded(path: tuple[Any, ...], value: Any) -> Any:
    layer: Any = RECURRENT
    for start, surroundings in SURROUNDINGS.items():
        if path[:2] == ("layers", "y") and path[2 : 2 + len(start)] == start:
            layer = surroundings
    by_output = path == ("training", "loss", "y")
    delta = {"type": "huber", "delta": 1.0} if path[-1] == "delta" else "mse"
    data: Any = copy.deepcopy(
        {
            "recipe": 1,
            "name": "searched",
            "inputs": {"x": {"shape": ["time", 2]}},
            "layers": {"y": layer},
            "outputs": {"y": "y"},
            "runtime": {},
            "training": {
                "loss": {"y": "mse"} if by_output else delta,
                "metrics": ["mae"],
                "loss_weights": {},
            },
        }
    )
    here = data
    for part in path[:-1]:
        here = here[part]
    here[path[-1]] = value
    return data


FORMS: dict[str, Any] = {
    "search": {"$search": {"choice": [1, "a"]}},
    "choose": {"$choose": {"a": {"$search": {"bool": True}}, "b": {"$search": {"choice": [1]}}}},
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("place", PLACES)
def test_any_value_may_be_searched(place: str, form: str) -> None:
    data = surrounded(PLACES[place], FORMS[form])
    assert published().is_valid(data), [error.message for error in published().iter_errors(data)]
    for misspelt in ({"$serch": {"choice": [1]}}, {"$search": {"choices": [1]}}, {"$choose": {}}):
        assert not published().is_valid(surrounded(PLACES[place], misspelt)), misspelt


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    "path",
    [("recipe",), ("name",), ("inputs", "x"), ("inputs", "x", "shape"), ("outputs", "y"),
     ("layers",), ("training",), ("runtime",)],
    ids=".".join,
)  # fmt: skip
def test_other_values_may_not(path: tuple[str, ...], form: str) -> None:
    assert not published().is_valid(surrounded(path, FORMS[form]))


def test_an_alternative_is_such_a_value() -> None:
    good = {"$choose": {"a": 4, "b": {"$choose": {"c": 8, "d": [4, {"$search": {"int": [1, 4]}}]}}}}
    assert published().is_valid(surrounded(("layers", "y", "units"), good))
    good["$choose"]["b"]["$choose"]["d"] = [4, "x"]  # type: ignore[index]
    assert not published().is_valid(surrounded(("layers", "y", "units"), good))


# --- what a search says, by the schema and by lstmgraph ---

OPTIONS = st.fixed_dictionaries(
    {},
    optional={
        "step": st.sampled_from([1, 2, 0.5, 0, -1, "x"]),
        "scale": st.sampled_from(["linear", "log", "lag", 3]),
        "default": st.sampled_from([1, 2.5, "a", None]),
        "per_layer": st.sampled_from([True, False, "yes"]),
        "stop": st.just(3),
    },
)
KINDS = st.fixed_dictionaries(
    {},
    optional={
        "int": st.sampled_from([[1, 4], [1, 2.5], [4], [], "1-4", [True, 4], [3, 1]]),
        "float": st.sampled_from([[1, 4], [0.1, 2.5], [0.1], ["a", 1], None]),
        "choice": st.sampled_from([[1], ["a", None], [], [1, 1], "a", {"a": 1}]),
        "bool": st.sampled_from([True, False, "yes", 1, None]),
    },
)
LEAVES = st.builds(lambda kind, options: {**kind, **options}, KINDS, OPTIONS)


@pytest.mark.slow
@examples(400)
@given(st.one_of(LEAVES, SEARCHES.map(lambda form: form["$search"])))
def test_the_schema_takes_what_lstmgraph_takes(leaf: dict[str, Any]) -> None:
    """The schema knows less: not which option belongs to which kind, nor what a range holds."""
    try:
        read_leaf(leaf)
    except FormError:
        return
    assert of_searches().is_valid(leaf), leaf


@pytest.mark.parametrize(
    "leaf",
    [{}, {"int": [1, 2], "float": [1, 2]}, {"int": [1]}, {"int": [1, 2.5]}, {"choice": []},
     {"bool": "yes"}, {"int": [1, 4], "scale": "lag"}, {"ints": [1, 4]},
     {"int": [1, 4], "step": 0}],
    ids=str,
)  # fmt: skip
def test_both_refuse_a_form_that_is_wrong(leaf: dict[str, Any]) -> None:
    assert not of_searches().is_valid(leaf)
    with pytest.raises(FormError):
        read_leaf(leaf)


@pytest.mark.parametrize("example", EXAMPLES.values())
def test_what_messages_show_is_right(example: str) -> None:
    leaf = data_of(f"leaf: {example}")["leaf"]
    assert of_searches().is_valid(leaf)
    read_leaf(leaf)


# --- plain recipes ---


@pytest.mark.slow
@examples(100)
@given(recipes(), st.randoms(use_true_random=False))
def test_a_value_left_open_is_taken_where_the_value_was(generated: Generated, random: Any) -> None:
    """Any value below layers, as the one choice there is: the same recipe for both."""
    data = copy.deepcopy(generated.data)
    here, key = data["layers"], random.choice(list(data["layers"]))
    while isinstance(here[key], dict | list) and here[key] and random.random() < 0.7:
        here = here[key]
        key = random.choice(list(here)) if isinstance(here, dict) else random.randrange(len(here))
    here[key] = {"$search": {"choice": [here[key]]}}
    assert published().is_valid(data)
    plain = lstmgraph.load(_json(generated.data))
    assert lstmgraph.load(_json(data)).resolved() == plain.resolved()


def _json(data: Any) -> str:
    return json.dumps(data)


def test_lstmgraph_itself_checks_by_the_schema_without_the_forms() -> None:
    """Its messages stay those of plain values."""
    assert "$choose" not in str(read_schema(RECIPE_SCHEMA)["$defs"]["recurrent"])
    with pytest.raises(RecipeError) as caught:
        lstmgraph.load(with_header("inputs: {x: {shape: [2]}}\nlayers: {y: 3}\noutputs: {y: y}\n"))
    assert caught.value.diagnostics[0].message == "'y' must be a mapping, not 3"
