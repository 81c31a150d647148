"""``diff``: what two models differ in, and whether weights of one load into the other."""

from __future__ import annotations

import json
from itertools import product
from typing import TYPE_CHECKING, Any

import pytest
from building import RECIPES, load, with_header
from markdown_it import MarkdownIt
from test_transfer import FIRST, SECOND
from typer.testing import CliRunner

import lstmgraph
from lstmgraph.cli import app
from lstmgraph.explain.weight_fit import fit_weights
from lstmgraph.models.weights_file import opened_weights

if TYPE_CHECKING:
    from pathlib import Path

    from typer.testing import Result

    from lstmgraph.explain.diff.items import Difference

# Keras 3.15 writes weights with a call that NumPy 2 wants spelled otherwise.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

BASE = """
inputs: {x: {shape: [time, 4]}, store: {shape: [3]}}
layers:
  first: {type: lstm, input: x, units: 8, return_sequences: true}
  second: {type: gru, input: first, units: 8, initial_state: {static: [store]}}
  label: {type: dense, input: second, units: 3, activation: softmax}
outputs: {label: label}
training: {optimizer: adam, loss: mse, batch_size: 8, epochs: 3}
"""


def edited(*edits: tuple[str, str], text: str = BASE) -> str:
    for old, new in edits:
        assert old in text
        text = text.replace(old, new)
    return text


def compared(*edits: tuple[str, str], text: str = BASE) -> lstmgraph.Comparison:
    return lstmgraph.diff(load(text), load(edited(*edits, text=text)))


def changes(difference: Difference) -> dict[str, dict[str, tuple[Any, Any]]]:
    """By the name of what changed, what it had and what it has."""
    return {
        each.name: {change.key: (change.before, change.after) for change in each.changes}
        for each in difference.changed
    }


# --- weights: the verdict is that of `transfer` ---

SHAPES = {
    "first": FIRST,
    "second": SECOND,
    "cells": """
inputs: {x: {shape: [time, 4]}}
layers:
  upper:
    type: rnn
    input: x
    cells:
      - {type: lstm_cell, units: 4}
      - {type: simple_rnn_cell, units: 3}
      - {type: lstm_cell, units: 4}
  other: {type: rnn, input: x, cells: [{type: gru_cell, units: 4}], bidirectional: true}
outputs: {upper: upper, other: other}
""",
    "learned": """
inputs: {x: {shape: [time, 8]}}
layers:
  upper: {type: lstm, input: x, units: 4, initial_state: learned, recurrent_dropout: 0.1}
  other: {type: gru, input: x, units: 4, reset_after: false, dropout: 0.2}
  lower: {type: dropout, input: other, rate: 0.5}
  label: {type: dense, input: lower, units: 3, lora_rank: 2}
outputs: {upper: upper, label: label}
""",
    "plain": """
inputs: {x: {shape: [6, 8]}}
layers:
  upper: {type: batch_normalization, input: x}
  other: {type: multi_head_attention, input: [upper, x], num_heads: 2, key_dim: 3, dropout: 0.1}
  lower: {type: time_distributed, input: other, layer: {type: dense, units: 4}}
  both: {type: flatten, input: lower}
  label: {type: dense, input: both, units: 3, trainable: false}
outputs: {label: label}
""",
}
FILES = ("store-forecaster", "stacked-cells", "carried-state", "residual-stack", "learned-states")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[lstmgraph.Recipe, Path]]:
    """Recipes, and a file of the weights of each one's model."""
    recipes = {name: load(text) for name, text in SHAPES.items()}
    recipes |= {name: lstmgraph.load(RECIPES / f"{name}.yaml") for name in FILES}
    folder = tmp_path_factory.mktemp("built")
    found = {}
    for name, recipe in recipes.items():
        path = folder / f"{name}.weights.h5"
        recipe.build().save_weights(path)
        found[name] = (recipe, path)
    return found


def in_file(path: Path) -> dict[str, dict[str, tuple[int, ...]]]:
    with opened_weights(path) as weights:
        return {
            name: {place: data.shape for place, data in datasets.items()}
            for name, datasets in weights.layers.items()
        }


@pytest.mark.slow
def test_the_verdict_on_weights_is_that_of_the_files(built) -> None:
    shapes = {name: in_file(path) for name, (_, path) in built.items()}
    for one, other in product(built, built):
        found = lstmgraph.diff(built[one][0], built[other][0])
        assert set(found.weights) == set(fit_weights(shapes[one], shapes[other])), (one, other)
        assert (found.weights_fit == "all") == (one == other)


@pytest.mark.slow
@pytest.mark.parametrize(("one", "other"), [("first", "second"), ("second", "learned")])
def test_transfer_does_what_diff_says(built, one: str, other: str) -> None:
    found = lstmgraph.diff(built[one][0], built[other][0])
    moved = lstmgraph.transfer(built[one][1], built[other][0])
    assert set(found.weights) == set(moved.layers)
    assert found.weights_fit == ("some" if moved.loaded else "none")


# --- what differs ---


@pytest.mark.parametrize(
    "text",
    [
        edited(
            ("[time, 4]", '["time", 4 ]'),
            ("units: 8, return", "depth: 1, units: 8, return"),
        ),
        edited(("optimizer: adam, loss: mse", "loss: mse, optimizer: {type: adam}")),
        edited(("activation: softmax", "activation: softmax, use_bias: true")),
    ],
    ids=["text", "order", "defaults"],
)
def test_ways_to_write_one_model_make_no_difference(text: str) -> None:
    found = lstmgraph.diff(with_header(BASE), with_header(text))
    assert (found.same, found.weights_fit) == (True, "all")
    assert str(found).startswith("the models are the same")


def test_an_argument_changes_what_follows_from_it() -> None:
    found = compared(("x, units: 8", "x, units: 6"))
    assert changes(found.layers) == {
        "first": {
            "shape": (["batch", "time", 8], ["batch", "time", 6]),
            "trainable_parameters": (416, 264),  # 4 * units * (4 + units + 1)
            "arguments.units": (8, 6),
        },
        "second": {"trainable_parameters": (432, 384)},  # 3 * 8 * (units + 8 + 2)
    }
    assert [counts.total for counts in found.parameters] == [907, 707]  # and 32 + 27 of the others
    outcomes = {layer.name: layer.outcome for layer in found.weights}
    assert outcomes == {
        "first": "shape", "second": "shape", "second_h": "loaded", "label": "loaded"
    }  # fmt: skip


@pytest.mark.parametrize(
    ("edits", "name", "wanted"),
    [
        (
            [("x, units: 8", "x, recurrent_dropout: 0.1, units: 8")],
            "first",
            {
                "kernel": (
                    "cudnn (on a GPU; without one Keras's loop runs)",
                    "standard (recurrent_dropout is 0.1)",
                ),
                "arguments.recurrent_dropout": (0.0, 0.1),
            },
        ),
        (
            [("x, units: 8", "x, initial_state: {h: learned, c: zeros}, units: 8")],
            "first",
            {"initial_state.h": ("zeros", "learned")},
        ),
        (
            [("type: gru", "type: simple_rnn")],
            "second",
            {
                "type": ("GRU", "SimpleRNN"),
                "trainable_parameters": (432, 136),
                "kernel": (
                    "cudnn (on a GPU; without one Keras's loop runs)",
                    "standard (cuDNN has no SimpleRNN)",
                ),
            },
        ),
        (
            [("x, units: 8", "x, mask: {value: 0.0}, units: 8")],
            "second",
            {"mask": (None, "x != 0.0")},
        ),
    ],
    ids=["kernel", "state", "type", "mask"],
)
def test_what_a_call_does_is_compared(
    edits: list[tuple[str, str]], name: str, wanted: dict[str, tuple[Any, Any]]
) -> None:
    found = changes(compared(*edits).layers)[name]
    assert {key: value for key, value in found.items() if key in wanted} == wanted


def test_dtypes_inputs_and_outputs() -> None:
    found = compared(
        ("{shape: [time, 4]}", "{shape: [10, 4]}"),
        ("outputs: {label: label}", "outputs: {label: label, state: second.state.h}"),
        ("training:", "runtime: {dtype_policy: mixed_bfloat16}\ntraining:"),
    )
    assert changes(found.inputs) == {"x": {"shape": (["batch", "time", 4], ["batch", 10, 4])}}
    assert [item.name for item in found.outputs.added] == ["state"]
    first = changes(found.layers)["first"]
    assert first["dtype"] == ("float32", "bfloat16")
    assert first["dtype_policy"] == ("float32", "mixed_bfloat16")
    assert first["shape"] == (["batch", "time", 8], ["batch", 10, 8])
    assert [change.key for change in found.settings] == ["runtime.dtype_policy"]
    assert found.weights_fit == "all"  # they are float32 under either policy


def test_a_renamed_layer_is_told_from_another_one() -> None:
    found = compared(("first", "reader"))
    assert found.layers.renamed == (("first", "reader"),)
    assert not found.layers.added
    assert not found.layers.changed
    missing = next(layer for layer in found.weights if layer.name == "reader")
    assert (missing.outcome, missing.meant) == ("missing", "first")
    assert (found.same, found.weights_fit) == (False, "some")


def test_a_rename_is_followed_into_states_masks_and_outputs() -> None:
    text = """
inputs: {x: {shape: [time, 4]}, lengths: {shape: [], dtype: int32}}
layers:
  reader: {type: lstm, input: x, units: [8, 8], mask: {lengths: lengths}}
  writer:
    {type: lstm, input: reader.sequence, units: 8, initial_state: {from: reader, bridge: last}}
outputs: {y: writer}
"""
    found = compared(
        ("reader", "encoder"),
        ("lengths: {shape", "sizes: {shape"),
        ("{lengths: lengths}", "{lengths: sizes}"),
        text=text,
    )
    assert found.inputs.renamed == (("lengths", "sizes"),)
    assert found.layers.renamed == (("reader_1", "encoder_1"), ("reader_2", "encoder_2"))
    assert not found.layers.changed
    assert not found.outputs


def test_a_layer_with_a_new_name_and_a_new_type_is_still_the_one_of_its_parts() -> None:
    text = """
inputs: {x: {shape: [time, 4]}, store: {shape: [3]}}
layers:
  reader: {type: lstm, input: [x, store], units: 8}
  both: {type: lstm, input: [x, store], units: 8}
outputs: {y: reader, z: both}
"""
    found = compared(
        ("reader: {type: lstm, input: [x, store]", "writer: {type: gru, input: [x, store]"),
        ("y: reader", "y: writer"),
        text=text,
    )
    assert found.layers.renamed == (("reader_input", "writer_input"), ("reader", "writer"))
    assert changes(found.layers)["writer"]["type"] == ("LSTM", "GRU")
    assert not found.layers.removed
    assert not found.outputs


def test_layers_added_and_removed() -> None:
    found = compared(
        ("  label:", "  between: {type: dropout, input: second, rate: 0.5}\n  label:"),
        ("dense, input: second", "dense, input: between"),
    )
    assert [item.summary for item in found.layers.added] == ["Dropout (batch, 8), 0 parameters"]
    assert changes(found.layers) == {"label": {"inputs": (["second.h"], ["between"])}}
    assert found.weights_fit == "all"


def test_settings_and_spaces() -> None:
    searched = compared(
        ("batch_size: 8", "batch_size: {$search: {choice: [8, 16]}}"),
        ("optimizer: adam", "optimizer: {type: sgd, momentum: 0.9}"),
    )
    assert [item.name for item in searched.space.added] == ["training.batch_size"]
    settings = {change.key: (change.before, change.after) for change in searched.settings}
    assert settings["training.optimizer.type"] == ("adam", "sgd")
    assert "training.batch_size" not in settings  # the default is the same
    assert not searched.layers
    assert not searched.same


def test_a_dimension_that_changed() -> None:
    text = edited(("x, units: 8", "x, units: {$search: {int: [4, 16], default: 8}}"))
    found = compared(("[4, 16]", "[4, 32]"), text=text)
    (name,) = changes(found.space)
    assert name == "layers.first.units"
    before, after = changes(found.space)[name]["range"]
    assert (before["high"], after["high"]) == (16, 32)


def test_further_models() -> None:
    found = compared(
        (
            "training:",
            "models: {states: {inputs: [x, store], outputs: {s: second.state.h}}}\ntraining:",
        )
    )
    assert [item.name for item in found.models.added] == ["states"]
    assert not found.layers


# --- the command ---


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["diff", *map(str, arguments)])


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    paths = tmp_path / "a.yaml", tmp_path / "b.yaml"
    texts = (
        BASE,
        edited(
            ("units: 3", "units: 5"), ("label:", "label_:"), ("{label_: label}", "{label: label_}")
        ),
    )
    for path, text in zip(paths, texts, strict=True):
        path.write_text(with_header(text), "utf-8")
    return paths


def test_exit_codes(files: tuple[Path, Path], tmp_path: Path) -> None:
    one, other = files
    assert run(one, one).exit_code == 0
    assert run(one, other).exit_code == 1
    assert run(one).exit_code == 2
    assert run(one, tmp_path / "none.yaml").exit_code == 2


def test_mistakes_of_both_recipes_are_said_at_once(files: tuple[Path, Path]) -> None:
    for path in files:
        path.write_text(path.read_text("utf-8").replace("type: gru", "type: gruu"), "utf-8")
    result = run(*files)
    assert result.exit_code == 1
    assert all(f"{path}:6:" in result.stderr for path in files)
    said = json.loads(run(*files, "--format", "json").stdout)
    assert said["ok"] is False
    assert [mistake["file"] for mistake in said["diagnostics"]] == [str(path) for path in files]


def test_json(files: tuple[Path, Path]) -> None:
    said = json.loads(run(*files, "--format", "json").stdout)
    assert (said["ok"], said["same"], said["weights"]["fit"]) == (True, False, "some")
    assert said["layers"]["renamed"] == [{"before": "label", "after": "label_"}]
    page = (RECIPES.parent / "docs" / "json.md").read_text("utf-8")
    section = page.partition("## diff\n")[2].partition("\n## ")[0]
    for key in said:
        assert f"`{key}`" in section, key


def test_markdown_holds_what_the_json_holds(files: tuple[Path, Path]) -> None:
    said = json.loads(run(*files, "--format", "json").stdout)
    tables = cells_of(run(*files, "--format", "markdown").stdout)
    rows = [row for table in tables for row in table]
    for each in said["layers"]["changed"]:
        for change in each["changes"]:
            assert any(row[1:3] == [each["name"], change["key"]] for row in rows)
    for layer in said["weights"]["layers"]:
        assert any(row[0] == layer["name"] for row in rows)


def cells_of(markdown: str) -> list[list[list[str]]]:
    """The text of every cell, as a reader of Markdown sees it, by table and row."""
    tables: list[list[list[str]]] = []
    for token in MarkdownIt("commonmark").enable("table").parse(markdown):
        if token.type == "table_open":
            tables.append([])
        elif token.type == "tr_open":
            tables[-1].append([])
        elif token.type == "inline" and tables and token.level == 4 + (token.level > 4):
            tables[-1][-1].append("".join(child.content for child in token.children or []))
    return tables


def test_a_keras_file_stands_for_the_recipe_in_it(tmp_path: Path) -> None:
    text = edited(
        ("training:", "models: {states: {inputs: [x], outputs: {s: first.state.h}}}\ntraining:")
    )
    recipe = load(text)
    models = recipe.models()
    recipe.save(models[recipe.name], tmp_path / "main.keras")
    recipe.save(models["states"], tmp_path / "states.keras", further="states")
    assert lstmgraph.diff(tmp_path / "main.keras", with_header(text)).same
    part = lstmgraph.diff(tmp_path / "states.keras", with_header(text))
    moved = lstmgraph.transfer(tmp_path / "states.keras", recipe)
    assert set(part.weights) == set(moved.layers)
    assert {layer.name: layer.outcome for layer in part.weights} == {
        "first": "loaded", "second": "missing", "second_h": "missing", "label": "missing"
    }  # fmt: skip
