"""Recipes made and changed in Python: mappings in place of text, overrides, and back again."""

from __future__ import annotations

import json
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pytest
import yaml
from building import SHIPPED

import lstmgraph

PLAIN: dict[str, Any] = {
    "recipe": 1,
    "name": "plain",
    "inputs": {"x": {"shape": ["time", 3]}},
    "layers": {"reader": {"type": "lstm", "input": "x", "units": 8}},
    "outputs": {"y": "reader"},
}
SEARCHED: dict[str, Any] = {
    **PLAIN,
    "vars": {"size": 6},
    "layers": {
        "reader": {
            "type": "lstm",
            "input": "x",
            "units": "${vars.size}",
            "dropout": {"$search": {"float": [0.0, 0.5]}},
        },
    },
}


def changed(data: dict[str, Any], **layer: Any) -> dict[str, Any]:
    reader = {**data["layers"]["reader"], **layer}
    return {**data, "layers": {"reader": reader}}


def same(one: lstmgraph.Recipe, other: lstmgraph.Recipe) -> bool:
    return one.resolved() == other.resolved() and one.space() == other.space()


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_every_recipe_goes_to_a_mapping_and_back(path: Path) -> None:
    recipe = lstmgraph.load(path)
    data = recipe.to_dict()
    assert json.loads(json.dumps(data)) == data
    again = lstmgraph.load(data, folder=path.parent)
    assert same(again, recipe)
    assert again.to_dict() == data


@pytest.mark.parametrize("data", [PLAIN, SEARCHED], ids=["plain", "searched"])
def test_what_was_written_stays_as_it_is(data: dict[str, Any]) -> None:
    recipe = lstmgraph.load(data)
    assert recipe.to_dict() == data
    recipe.to_dict()["layers"].clear()  # a copy
    assert recipe.to_dict() == data
    assert same(lstmgraph.load(yaml.safe_dump(data, sort_keys=False)), recipe)


def test_values_of_python_and_numpy_are_those_of_text() -> None:
    given = changed(PLAIN, units=np.int64(8), dropout=np.float32(0.5), use_bias=np.bool_(True))
    given["inputs"] = {"x": {"shape": ("time", np.uint8(3))}}
    given["outputs"] = {"y": PurePosixPath("reader")}
    given["name"] = np.str_("plain")
    layer = lstmgraph.load(given).to_dict()["layers"]["reader"]
    assert layer == {"type": "lstm", "input": "x", "units": 8, "dropout": 0.5, "use_bias": True}
    assert [type(value) for value in layer.values()] == [str, str, int, float, bool]


def cycle() -> dict[str, Any]:
    data: dict[str, Any] = {}
    data["self"] = data
    return data


def doubling() -> dict[str, Any]:
    items: list[Any] = []
    items += [items, items]
    return {"x": items}


REFUSED = {
    "function": (changed(PLAIN, units=len), r"`layers\.reader\.units` is of type builtin_function"),
    "set": ({"x": {1, 2}}, r"`x` is of type set"),
    "array": (changed(PLAIN, units=np.arange(3)), r"type ndarray.*\.tolist\(\)"),
    "key": ({"layers": {1: {}}}, r"`layers` has the key 1 of type int: keys are texts"),
    "cycle": (cycle(), "deep, or holds itself"),
    "doubling": (doubling(), "deep, or holds itself"),
    "huge": ({"x": list(range(200_000))}, "at most 100,000 values"),
    "digits": ({"x": 10**5000}, "too many digits"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_no_recipe_holds_is_named(case: str) -> None:
    data, message = REFUSED[case]
    with pytest.raises(lstmgraph.PlainDataError, match=message):
        lstmgraph.load(data)


@pytest.mark.parametrize("source", [None, 5, [PLAIN], b"recipe: 1\n"], ids=repr)
def test_what_is_no_recipe_at_all(source: Any) -> None:
    with pytest.raises(TypeError, match="a recipe is a path, a text or a mapping, not of type"):
        lstmgraph.load(source)


def message_of(source: Any, **options: Any) -> str:
    with pytest.raises(lstmgraph.RecipeError) as error:
        lstmgraph.load(source, **options)
    return str(error.value)


def test_mistakes_are_shown_with_the_path_of_their_value() -> None:
    text = message_of(changed(PLAIN, units=-4))
    assert text.splitlines() == [
        "<mapping> layers.reader.units: error[L206]: 'units' must be at least 1, not -4",
        "  12 |     units: -4",
        "     |            ^^",
        "  help: write 1 or more",
    ]
    assert "<mapping> layers.reader.units: error[L114]" in message_of(changed(PLAIN, units=np.nan))
    assert "<mapping>: error[L202]: the recipe has no 'layers'" in message_of({"recipe": 1})
    both = message_of(changed(PLAIN, units=-4, unit=3))
    assert both.count("error[") == 2
    assert "half of a character" in message_of({**PLAIN, "description": "\ud800"})


def test_strict_and_overrides_hold_for_mappings() -> None:
    recipe = lstmgraph.load(PLAIN, overrides={"layers.reader.units": np.int32(5)})
    assert recipe.to_dict() == changed(PLAIN, units=5)
    assert PLAIN["layers"]["reader"]["units"] == 8
    unused = {**PLAIN, "vars": {"size": 4}}
    assert lstmgraph.load(unused).warnings
    assert "W102" in message_of(unused, strict=True)


BASE = """
vars: {size: 6}
layers:
  reader: {type: lstm, input: x, units: "${vars.size}", dropout: 0.2}
outputs: {y: reader}
"""
EXTENDING = {
    "extends": "parts/base.yaml",
    "recipe": 1,
    "name": "extending",
    "inputs": {"x": {"shape": ["time", 3]}},
}


def test_paths_of_bases_begin_at_the_folder_that_is_given(tmp_path: Path) -> None:
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "base.yaml").write_text(BASE)
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump(EXTENDING, sort_keys=False))
    recipe = lstmgraph.load(path)
    assert recipe.to_dict() == EXTENDING
    assert same(lstmgraph.load(recipe.to_dict(), folder=tmp_path), recipe)
    assert same(lstmgraph.load(path.read_text(), folder=str(tmp_path)), recipe)
    assert "give `lstmgraph.load` its `folder`" in message_of(EXTENDING)
    assert "leads out of the recipe's folder" in message_of(
        EXTENDING, folder=tmp_path / "parts"
    ) or ("there is no file" in message_of(EXTENDING, folder=tmp_path / "parts"))
    with pytest.raises(ValueError, match="a file's bases lie beside it"):
        lstmgraph.load(path, folder=tmp_path)

    # With values put in, the bases are written in: they may stand in a part of a base.
    larger = recipe.with_overrides({"vars.size": 9})
    data = larger.to_dict()
    assert "extends" not in data
    assert data["vars"] == {"size": 9}
    assert data["layers"]["reader"]["units"] == "${vars.size}"
    (tmp_path / "parts" / "base.yaml").unlink()
    assert same(lstmgraph.load(data), larger)
    assert same(recipe.with_overrides({"vars.size": 9}), larger)  # without reading a file again


def test_overrides_follow_the_rules_of_load() -> None:
    recipe = lstmgraph.load(SEARCHED)
    for overrides in (
        {"vars.size": 9},
        ["vars.size=9"],
        {"layers.reader.dropout": 0.1},
        {"layers.reader.dropout": "$delete"},
        {"training": {"loss": "mse"}},
    ):
        assert same(recipe.with_overrides(overrides), lstmgraph.load(SEARCHED, overrides=overrides))
    assert recipe.to_dict() == SEARCHED
    twice = recipe.with_overrides({"vars.size": 9}).with_overrides({"layers.reader.dropout": 0.1})
    both = {"vars.size": 9, "layers.reader.dropout": 0.1}
    assert same(twice, lstmgraph.load(SEARCHED, overrides=both))
    assert twice.to_dict()["vars"] == {"size": 9}
    assert same(lstmgraph.load(twice.to_dict()), twice)
    with pytest.raises(
        lstmgraph.RecipeError, match=r"--set layers\.reader\.units:1:21: error\[L206"
    ):
        recipe.with_overrides({"layers.reader.units": -1})
    with pytest.raises(lstmgraph.RecipeError, match="did you mean 'reader'"):
        recipe.with_overrides({"layers.readr.units": 1})
    with pytest.raises(lstmgraph.OverrideFormatError, match=r"`layers\.reader\.units` is of type"):
        recipe.with_overrides({"layers.reader.units": len})
    with pytest.raises(lstmgraph.OverrideFormatError, match="is not PATH=VALUE"):
        recipe.with_overrides(["units"])
    with pytest.raises(lstmgraph.RecipeError, match="W102"):
        recipe.with_overrides({"layers.reader.units": 3}, strict=True)


def test_points_and_derived_recipes_are_written_out() -> None:
    data = {**SEARCHED, "description": "costs $${vars.size}"}
    recipe = lstmgraph.load(data)
    point = recipe.at({"layers.reader.dropout": 0.25})
    written = point.to_dict()
    assert written["layers"]["reader"]["dropout"] == 0.25
    assert written["layers"]["reader"]["units"] == 6
    assert written["description"] == "costs $${vars.size}"
    assert same(lstmgraph.load(written), point)
    assert same(
        point.with_overrides({"layers.reader.units": 3}),
        point.with_overrides(["layers.reader.units=3"]),
    )
    step = lstmgraph.load(PLAIN).with_derived("step")
    assert step.to_dict()["models"] == {"step": {"derive": "step"}}
    assert same(lstmgraph.load(step.to_dict()), step)


def test_a_mapping_is_searched_and_compared_as_a_file() -> None:
    recipe = lstmgraph.load(SEARCHED)
    assert list(recipe.space().by_name) == ["layers.reader.dropout"]
    assert lstmgraph.diff(recipe, lstmgraph.load(yaml.safe_dump(SEARCHED))).same
    origin = next(each for each in recipe.blame().values if each.name == "layers.reader.units")
    assert str(origin) == "<mapping>, vars.size at <mapping>"
