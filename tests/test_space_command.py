"""``lstmgraph space``: what is left open, as a table and as JSON."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest
from building import RECIPES, SHIPPED
from typer.testing import CliRunner, Result

import lstmgraph
from lstmgraph.cli import app

if TYPE_CHECKING:
    from pathlib import Path

SEARCHED = RECIPES / "speaker-classifier-search.yaml"
ROOT = RECIPES.parent


def space(path: Path, *options: str) -> Result:
    result = CliRunner().invoke(app, ["space", str(path), *options])
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result


def rows(result: Result) -> dict[str, list[str]]:
    """The cells of each row, by the dimension."""
    lines = [re.split(r"\s{2,}", line.strip()) for line in result.stdout.splitlines()]
    return {line[0]: line[1:] for line in lines if "." in line[0]}


def test_the_table_says_what_is_searched() -> None:
    result = space(SEARCHED)
    assert result.exit_code == 0
    found = rows(result)
    assert found["layers.voice.depth"] == ["int from 1 to 3", "1"]
    assert found["layers.voice.units.1"] == ["int from 32 to 128 by 32", "64"]
    third = ["int from 32 to 128 by 32", "64", "layers.voice.depth is 3"]
    assert found["layers.voice.units.3"] == third
    assert found["layers.voice.bidirectional"] == ["one of false, true", "false"]
    assert found["training.optimizer"] == ['one of "adam", "sgd"', '"adam"']
    assert found["training.optimizer.adam.learning_rate"] == [
        "float from 0.0001 to 0.01, log scale",
        "0.003",
        "training.optimizer is adam",
    ]
    assert "12 dimensions, infinitely many points" in result.stdout


def test_the_size_is_shown_where_it_is_finite() -> None:
    rates = "training.optimizer={type: adam}"
    result = space(SEARCHED, "--set", rates, "--set", "layers.voice.dropout=0.1")
    units = 4 + 4**2 + 4**3
    assert result.stdout.splitlines()[-1] == f"7 dimensions, {2 * units * 2 * 3:,} points"


def test_a_list_is_shown_as_it_is() -> None:
    result = space(SEARCHED, "--set", "layers.voice.depth=1", "--set", f"layers.voice={VOICE}")
    assert rows(result)["layers.voice.units"] == ["one of [64, 32], 64", "[64, 32]"]


VOICE = (
    "{type: lstm, input: frames, mask: {lengths: lengths}, "
    "units: {$search: {choice: [[64, 32], 64]}}}"
)


@pytest.mark.parametrize("path", [path for path in SHIPPED if path != SEARCHED])
def test_other_recipes_search_nothing(path: Path) -> None:
    assert space(path).stdout == "nothing is searched\n"
    found = json.loads(space(path, "--format", "json").stdout)
    assert found == {"recipe": path.stem, "dimensions": [], "points": 1, "warnings": []}


def test_json_has_the_documented_keys() -> None:
    found = json.loads(space(SEARCHED, "--format", "json").stdout)
    assert found["recipe"] == "speaker-classifier-search"
    assert found["points"] is None
    assert [d["name"] for d in found["dimensions"]] == list(
        lstmgraph.load(SEARCHED).space().by_name
    )
    by_name = {dimension["name"]: dimension for dimension in found["dimensions"]}
    assert by_name["training.optimizer.sgd.learning_rate"] == {
        "name": "training.optimizer.sgd.learning_rate",
        "kind": "float",
        "range": {"low": 0.001, "high": 0.1, "step": None, "scale": "log"},
        "choices": None,
        "default": 0.01,
        "conditions": [{"dimension": "training.optimizer", "values": ["sgd"]}],
    }
    assert by_name["training.batch_size"]["choices"] == [9, 27, 81]
    page = (ROOT / "docs" / "json.md").read_text("utf-8")
    section = page[page.index("## space") :]
    keys = {*found, *by_name["training.batch_size"], *by_name["layers.voice.units.1"]["range"]}
    assert not {key for key in keys if f"`{key}`" not in section}


def test_a_wrong_recipe_is_reported() -> None:
    result = space(SEARCHED, "--set", "layers.voice.units=0")
    assert result.exit_code == 1
    assert "L206" in result.stderr
