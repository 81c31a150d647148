"""Variables that are searched: one dimension, with one value at each place of use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

import lstmgraph
from lstmgraph.language.space import Condition
from lstmgraph.language.space.collect import collect
from lstmgraph.tuning.recipes import read_payload, recipe_payload

if TYPE_CHECKING:
    from pathlib import Path

VARIABLES = """vars:
  deepest: 3
  depth: {$search: {int: [1, "${vars.deepest}"]}}
  same: "${vars.depth}"
  rate: {$search: {choice: [0.0, 0.5]}}
  cell:
    $choose:
      wide: {type: gru, input: z, units: {$search: {choice: [8, 16]}}, dropout: "${vars.rate}"}
      deep:
        type: lstm
        input: z
        depth: {$search: {int: [1, 2]}}
        units: {$search: {choice: [4, 6], per_layer: true}}
"""
LAYERS = """inputs: {x: {shape: [time, 3]}, z: {shape: [time, 3]}}
layers:
  e: {type: lstm, input: x, depth: "${vars.depth}", units: 8}
  d: {type: lstm, input: z, depth: "${vars.same}", units: 8, initial_state: e}
  g:
    type: gru
    input: z
    depth: "${vars.depth}"
    units: {$search: {choice: [4, 8], per_layer: true}}
  a: ${vars.cell}
  b: ${vars.cell}
  c: {type: gru, input: z, units: 2, dropout: "${vars.rate}"}
  y: {type: dense, input: d, units: 1}
outputs: {y: y, g: g, c: c, a: a, b: b}
training: {loss: {y: mse, g: mse, c: mse, a: mse, b: mse}}
"""
TIED = f"recipe: 1\nname: tied\n{VARIABLES}{LAYERS}"


def units(recipe: lstmgraph.Recipe, name: str) -> list[int]:
    layer = recipe.compiled.completed["layers"][name]
    own = layer["units"]
    return own if isinstance(own, list) else [own] * layer["depth"]


@pytest.mark.slow
def test_each_use_has_the_same_value_at_every_point() -> None:
    recipe = lstmgraph.load(TIED)
    space = recipe.space()
    assert list(space.by_name) == [
        "vars.depth",
        *(f"layers.g.units.{number}" for number in (1, 2, 3)),
        "vars.cell",
        "vars.cell.wide.units",
        "vars.rate",
        "vars.cell.deep.depth",
        "vars.cell.deep.units.1",
        "vars.cell.deep.units.2",
    ]
    assert space.by_name["layers.g.units.3"].conditions == (Condition("vars.depth", (3,)),)
    points = list(space.grid())
    # Depths of g: 2 + 4 + 8; rates: 2; cells: 2 wide ones, 2 of one layer and 4 of two.
    assert len(points) == space.size() == (2 + 4 + 8) * 2 * (2 + 2 + 4)
    assert len({space.key(point) for point in points}) == len(points)
    for point in points[::17]:
        at = recipe.at(point)
        depth = point["vars.depth"]
        layers = at.compiled.completed["layers"]
        assert [len(units(at, name)) for name in "edg"] == [depth] * 3
        assert units(at, "g") == [point[f"layers.g.units.{n}"] for n in range(1, depth + 1)]
        assert layers["a"] == layers["b"]
        assert layers["a"]["type"] == {"wide": "gru", "deep": "lstm"}[point["vars.cell"]]
        assert layers["c"]["dropout"] == point["vars.rate"]
        assert lstmgraph.load(at.resolved()).resolved() == at.resolved()


@pytest.mark.parametrize(
    ("overrides", "missing", "depths"),
    [
        ({"vars.depth": 2}, {"vars.depth", "layers.g.units.3"}, [2, 2, 2]),
        ({"layers.d.depth": 1}, set(), [1, 1, 1]),
        ({"vars.same": 1}, set(), [1, 1, 1]),
        ({"vars.cell.wide.units": 9}, {"vars.cell.wide.units"}, [1, 1, 1]),
        (
            {"vars.cell": "$delete", "layers.a": "$delete", "layers.b": "$delete"}
            | {"outputs": {"y": "y", "g": "g", "c": "c"}, "training.loss": "mse"},
            {name for name in lstmgraph.load(TIED).space().by_name if name.startswith("vars.cell")},
            [1, 1, 1],
        ),
    ],
)
def test_overrides_fix_it_everywhere_or_in_one_place(
    overrides: dict[str, Any], missing: set[str], depths: list[int]
) -> None:
    before = lstmgraph.load(TIED)
    changed = lstmgraph.load(TIED, overrides=overrides)
    assert set(before.space().by_name) - set(changed.space().by_name) == missing
    assert [len(units(changed, name)) for name in "edg"] == depths
    again = before.with_overrides(overrides)
    assert list(again.space().by_name) == list(changed.space().by_name)


def test_a_place_can_be_searched_on_its_own() -> None:
    changed = lstmgraph.load(TIED, overrides={"layers.g.depth": {"$search": {"int": [1, 2]}}})
    assert {"layers.g.depth", "vars.depth"} <= set(changed.space().by_name)


def test_a_concrete_recipe_can_be_opened_again() -> None:
    at = lstmgraph.load(TIED).at({"vars.depth": 3})
    opened = at.with_overrides({"layers.a.dropout": {"$search": {"choice": [0.0, 0.1]}}})
    assert list(opened.space().by_name) == ["layers.a.dropout"]


def test_it_applies_where_one_of_its_uses_does() -> None:
    text = """recipe: 1
name: uses
vars: {rate: {$search: {choice: [0.1, 0.2]}}, units: {$search: {choice: [3, 4]}}}
inputs: {x: {shape: [time, 3]}}
layers:
  v:
    $choose:
      a: {type: lstm, input: x, units: "${vars.units}", dropout: "${vars.rate}"}
      b: {type: gru, input: x, units: 4, dropout: "${vars.rate}"}
      c: {type: gru, input: x, units: 5}
  w:
    $choose:
      d: {type: gru, input: x, units: "${vars.units}"}
      e: {type: gru, input: x, units: 1}
  y: {type: dense, input: v, units: 1}
outputs: {y: y, w: w}
"""
    space = lstmgraph.load(text).space()
    assert space.by_name["vars.rate"].conditions == (Condition("layers.v", ("a", "b")),)
    assert space.by_name["vars.units"].conditions == ()
    assert space.size() == len(list(space.grid())) == (2 + 2 + 1) * 2 * 2


def test_a_base_can_define_it_and_the_job_of_a_search_keeps_it(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text(f"recipe: 1\n{VARIABLES}", "utf-8")
    own = tmp_path / "own.yaml"
    own.write_text(f"recipe: 1\nname: tied\nextends: base.yaml\n{LAYERS}", "utf-8")
    recipe = lstmgraph.load(own)
    written = read_payload(recipe_payload(recipe.compiled.written))
    assert not written.diagnostics
    expected = lstmgraph.load(TIED).space().as_dict()
    assert recipe.space().as_dict() == expected
    assert collect(written).space.as_dict() == expected


def test_an_unused_one_is_a_warning_and_no_dimension() -> None:
    text = TIED.replace("vars:\n", "vars:\n  spare: {$search: {int: [1, 2]}}\n")
    recipe = lstmgraph.load(text)
    assert [warning.code for warning in recipe.warnings] == ["W102"]
    assert "vars.spare" not in recipe.space().by_name


def test_too_many_that_decide_others_are_refused() -> None:
    names = [f"v{number}" for number in range(14)]
    variables = "".join(
        f"  {name}: {{$choose: {{a: {{type: gru, input: x, units: {{$search: {{int: [1, 2]}}}}}}, "
        f"b: {{type: gru, input: x, units: 2}}}}}}\n"
        for name in names
    )
    layers = "".join(f"  {name}: ${{vars.{name}}}\n" for name in names)
    outputs = ", ".join(f"{name}: {name}" for name in names)
    text = (
        f"recipe: 1\nname: many\nvars:\n{variables}inputs: {{x: {{shape: [time, 3]}}}}\n"
        f"layers:\n{layers}outputs: {{{outputs}}}\n"
    )
    with pytest.raises(lstmgraph.RecipeError, match="combinations") as caught:
        lstmgraph.load(text)
    assert [mistake.code for mistake in caught.value.diagnostics] == ["L826"]
