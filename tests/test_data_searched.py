"""`$search` below `data:` and `training:`: windows, batches, epochs and the learning rate."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import jsonschema
import numpy as np
import pytest
from data_building import FORECAST, recipe, store_rows, table, values, windows
from typer.testing import CliRunner

import lstmgraph
from lstmgraph.authoring.editor_schema import published_schema
from lstmgraph.cli import app

if TYPE_CHECKING:
    from pathlib import Path

LEARNING_RATE = {"$search": {"float": [1e-4, 1e-2], "scale": "log"}}
SEARCHED = {
    "data__window__history": {"$search": {"int": [2, 6], "default": 4}},
    "data__window__horizon": {"$search": {"choice": [1, 2]}},
    "data__window__stride": {"$search": {"int": [1, 3]}},
    "data__window__min_history": 2,
    "data__split": {"validation": 0},
    "training__batch_size": {"$search": {"choice": [8, 16]}},
    "training__epochs": {"$search": {"int": [1, 5]}},
    "training__optimizer": {"type": "adam", "learning_rate": LEARNING_RATE},
}
NAMES = [
    "training.batch_size",
    "training.epochs",
    "training.optimizer.learning_rate",
    "data.window.history",
    "data.window.horizon",
    "data.window.stride",
]


@pytest.fixture
def searched() -> lstmgraph.Recipe:
    return recipe(FORECAST, **SEARCHED)


@pytest.mark.slow
def test_they_are_listed(searched: lstmgraph.Recipe, tmp_path: Path) -> None:
    assert sorted(searched.space().defaults()) == sorted(NAMES)
    path = tmp_path / "searched.yaml"
    path.write_text(json.dumps(searched.compiled.written.data))
    result = CliRunner().invoke(app, ["space", str(path)])
    assert result.exit_code == 0, result.output
    listed = [
        line.split()[0] for line in result.stdout.splitlines() if " from " in line or " of " in line
    ]
    assert set(NAMES) <= set(listed)
    jsonschema.validate(json.loads(path.read_text()), published_schema())


@pytest.mark.parametrize(("history", "horizon", "stride"), [(4, 1, 1), (6, 2, 3), (2, 2, 1)])
def test_a_point_cuts_its_own_windows(
    searched: lstmgraph.Recipe, history: int, horizon: int, stride: int
) -> None:
    point = dict(zip(NAMES[3:], (history, horizon, stride), strict=True))
    rows = store_rows(15, 11)
    inputs, targets, _ = searched.at(point).load_data(table(rows)).train.arrays()
    cut = windows(rows, history, horizon, stride, shortest=2)
    wanted = [values(each.history, "sales", "price", steps=history) for each in cut]
    np.testing.assert_array_equal(inputs["history"], np.array(wanted, "float32"))
    wanted = [values(each.ahead, "sales") for each in cut]
    np.testing.assert_array_equal(targets["forecast"], np.array(wanted, "float32"))


def test_a_point_trains_as_it_says(searched: lstmgraph.Recipe) -> None:
    rate = "training.optimizer.learning_rate"
    found = searched.at({"training.batch_size": 16, "training.epochs": 3, rate: 2e-3}).training
    assert found is not None
    assert (found["batch_size"], found["epochs"]) == (16, 3)
    assert found["optimizer"]["learning_rate"] == 2e-3


def test_a_window_that_fits_nothing_is_a_mistake_at_its_line() -> None:
    with pytest.raises(
        lstmgraph.RecipeError, match=r"with data\.window\.history = 1: the shortest"
    ) as caught:
        recipe(
            FORECAST,
            **{**SEARCHED, "data__window__history": {"$search": {"int": [1, 6], "default": 2}}},
        )
    assert [found.code for found in caught.value.diagnostics] == ["L853"]


def test_a_section_of_data_cannot_be_left_open() -> None:
    with pytest.raises(lstmgraph.RecipeError, match="training: and data:") as caught:
        recipe(FORECAST, description={"$search": {"choice": ["a", "b"]}})
    assert [found.code for found in caught.value.diagnostics] == ["L821"]
