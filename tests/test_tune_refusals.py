"""What ``lstmgraph tune`` refuses before anything is trained, and how it takes data."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
import tensorflow as tf
from jsonschema import Draft202012Validator
from tuning_cases import QUICK, TEXT, arrays, write_files
from typer.testing import CliRunner

import lstmgraph
from lstmgraph.authoring.editor_schema import published_schema
from lstmgraph.cli import app
from lstmgraph.language.text.document import read_document
from lstmgraph.language.text.overrides import apply_overrides
from lstmgraph.tuning import data as tuning_data
from lstmgraph.tuning import recipes
from lstmgraph.tuning.search import engine
from lstmgraph.tuning.search.errors import SearchError
from lstmgraph.tuning.search.spaces import hyperparameters, plain_values

if TYPE_CHECKING:
    from typer.testing import Result


def tune(folder: Path, *arguments: object, text: str = QUICK) -> Result:
    """The command, of which only what is refused at once is seen."""
    _, data = write_files(folder)
    recipe = folder / "recipe.yaml"
    recipe.write_text(text, "utf-8")
    options = ["--data", data] if "--data" not in arguments else []
    options += ["--out", folder / "out"] if "--out" not in arguments else []
    command = ["tune", recipe, *options, *arguments]
    return CliRunner().invoke(app, [str(argument) for argument in command])


def refused(result: Result, code: int, *said: str) -> None:
    assert result.exit_code == code, result.output
    assert "Traceback" not in result.output
    for text in said:
        assert text in result.stderr


def test_a_search_without_an_end(tmp_path: Path) -> None:
    refused(tune(tmp_path), 1, "this search has no limit", "--max-trials 50")


def test_a_recipe_that_leaves_nothing_open(tmp_path: Path) -> None:
    closed = ["--max-trials", 2, "--set", "layers.thinned.rate=0.1"]
    refused(tune(tmp_path, *closed), 1, "leaves nothing open", "{$search: {int: [16, 64]}}`")
    untrained = TEXT[: TEXT.index("training:")]
    refused(tune(tmp_path, text=untrained), 1, "'small' has no `training:` section")


def test_a_wrong_recipe_is_shown_where_it_is_wrong(tmp_path: Path) -> None:
    result = tune(tmp_path, text=QUICK.replace("units: 2", "unit: 2"))
    refused(result, 1, f"{tmp_path / 'recipe.yaml'}:7:36: error[L203]", "did you mean 'units'?")


def test_nothing_to_validate_with(tmp_path: Path) -> None:
    nothing = ["--max-trials", 2, "--set", "data={split: {validation: 0}}"]
    wanted = "the search watches 'val_loss', and there is no validation data"
    place = f"{tmp_path / 'recipe.yaml'}:11:1: error[L764]"
    refused(tune(tmp_path, *nothing), 1, wanted, place, "--validation FILE")
    result = tune(tmp_path, *nothing, "--format", "json")
    assert json.loads(result.stdout)["diagnostics"][0]["code"] == "L764"


def test_wrong_data(tmp_path: Path) -> None:
    missing = tmp_path / "none.npz"
    refused(tune(tmp_path, "--max-trials", 2, "--data", missing), 2, "error[D101]")
    other = tmp_path / "other.npz"
    np.savez(other, z=np.zeros(3))
    refused(tune(tmp_path, "--max-trials", 2, "--data", other), 1, "no array 'x'", "error[D201]")
    assert not (tmp_path / "out").exists()


def test_no_data_and_numbers_that_make_no_sense(tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(QUICK, "utf-8")
    refused(CliRunner().invoke(app, ["tune", str(recipe)]), 2, "--data")
    refused(tune(tmp_path, "--time", "soon"), 2, "'soon' is no length of time")
    refused(tune(tmp_path, "--trial-memory", 0), 2, "--trial-memory")
    with pytest.raises(ValueError, match="workers must be greater than 0"):
        lstmgraph.tune(QUICK, arrays(), workers=0, max_trials=1)
    options: Any = {"trials": 3}
    with pytest.raises(TypeError, match="unexpected keyword argument 'trials'"):
        lstmgraph.tune(QUICK, arrays(), **options)


def test_a_folder_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "taken").touch()
    result = tune(tmp_path, "--max-trials", 2, "--out", tmp_path / "taken")
    refused(result, 2, f"{tmp_path / 'taken'} is not a folder")


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "locked").mkdir(mode=0o500)
    result = tune(tmp_path, "--max-trials", 2, "--out", tmp_path / "locked" / "out")
    refused(result, 2, "locked/out: Permission denied; choose another -o")


def test_restart_keeps_the_old_search(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "search.jsonl").write_text("the old search", "utf-8")

    def stop(*_: object, **__: object) -> None:
        raise SearchError("no further")

    monkeypatch.setattr(engine, "check_job", stop)
    with pytest.raises(SearchError, match="no further"):
        lstmgraph.tune(QUICK, arrays(), folder=tmp_path / "out", max_trials=1, restart=True)
    assert (tmp_path / "out.1" / "search.jsonl").read_text("utf-8") == "the old search"
    assert [path.name for path in tmp_path.glob("out/data/*/*")] != []


def test_search_itself_is_not_searched(tmp_path: Path) -> None:
    text = QUICK.replace("{seed: 4}", "{seed: {$search: {int: [1, 4]}}}")
    refused(tune(tmp_path, text=text), 1, "error[L821]: '$search' cannot be used here")
    published = Draft202012Validator(published_schema())
    recipe = read_document(tmp_path / "recipe.yaml").data
    assert [next(iter(error.path)) for error in published.iter_errors(recipe)] == ["search"]


# --- data that is given as values, kept for the trials ---


def kept(value: Any, folder: Path, text: str = QUICK) -> Path:
    return Path(tuning_data.kept_path(lstmgraph.load(text).compiled, value, folder))


def test_a_path_stays_where_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, data = write_files(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert kept("data.npz", tmp_path / "kept") == data
    assert not (tmp_path / "kept").exists()


@pytest.mark.parametrize("form", ["pair", "names", "dataset", "saved dataset"])
def test_values_are_kept_under_a_name_made_from_them(form: str, tmp_path: Path) -> None:
    x, y = arrays()

    def given(x: Any, y: Any) -> Any:
        if form == "pair":
            return x, y
        if form == "names":
            return {**x, **y}
        dataset = tf.data.Dataset.from_tensor_slices((x, y))
        if form == "dataset":
            return dataset
        dataset.save(str(tmp_path / "saved"))
        return tmp_path / "saved"

    place = kept(given(x, y), tmp_path / "kept")
    assert place == kept(given(x, y), tmp_path / "kept")
    assert {path.name for path in place.iterdir()} == {"x.npy", "y.npy"}
    np.testing.assert_array_equal(np.load(place / "x.npy"), x["x"])
    np.testing.assert_array_equal(np.load(place / "y.npy"), y["y"])
    assert place != kept(given(*arrays(seed=9)), tmp_path / "kept")
    assert sorted(path.parent for path in (tmp_path / "kept").rglob("x.npy"))
    assert len(list((tmp_path / "kept").iterdir())) == 2


def test_a_table_is_kept_as_parquet(tmp_path: Path) -> None:
    columns = {"a": np.arange(5.0), "b": np.arange(5.0) ** 2}
    table = {"inputs": {"x": {"columns": ["a"]}}, "targets": {"y": {"columns": ["b"]}}}
    text = QUICK.replace("[4, 3]", "[1]").replace("units: 2", "units: 1")
    text = text.replace("type: flatten, input: x", "type: activation, activation: linear, input: x")
    for value in (columns, pyarrow.table(columns)):
        searched = f"{text}data: {json.dumps(table)}\n"
        place = kept(value, tmp_path / "kept", searched)
        found = pyarrow.parquet.read_table(place / "table.parquet").to_pydict()
        assert found == {name: array.tolist() for name, array in columns.items()}


# --- the recipe, as trials read it ---


def test_a_trial_reads_the_recipe_with_its_lines_and_what_was_put_in(tmp_path: Path) -> None:
    path = tmp_path / "small.yaml"
    path.write_text(TEXT, "utf-8")
    document = read_document(path)
    apply_overrides(document, ["training.batch_size=4", "layers.y.units=3"])
    read = recipes.read_payload(json.loads(json.dumps(recipes.recipe_payload(document))))
    assert read.data == document.data
    assert read.values == document.values
    assert read.keys == document.keys


def test_what_keras_tuner_draws_is_in_the_space() -> None:
    """Steps of a float reach both ends; whole numbers on a logarithmic scale stay inside."""
    rate = "{$search: {float: [0.0, 1.0], step: 0.1}}"
    units = "{$search: {int: [5, 11], scale: log}}"
    text = QUICK.replace("{$search: {float: [0.1, 0.5]}}", rate).replace(
        "units: 2", f"units: {units}"
    )
    recipe = lstmgraph.load(
        text.replace("dropout, input: row, rate", "leaky_relu, input: row, negative_slope")
    )
    space = recipe.space()
    declared = {each.name: each for each in hyperparameters(space).space}
    drawn: dict[str, set[Any]] = {name: set() for name in declared}
    for seed in range(300):
        proposed = {name: each.random_sample(seed) for name, each in declared.items()}
        values = plain_values(space, proposed)
        space.point(values)
        for name, value in values.items():
            drawn[name].add(value)
    assert sorted(drawn["layers.thinned.negative_slope"]) == [step / 10 for step in range(11)]
    assert drawn["layers.y.units"] == set(range(5, 12))
