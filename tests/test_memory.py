"""The estimate of memory: parts counted by hand or by Keras, the whole beside measured steps."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import keras
import pytest
from building import RECIPES, SHIPPED, load
from markdown_it import MarkdownIt
from typer.testing import CliRunner

import lstmgraph
from lstmgraph.cli import app
from lstmgraph.explain.memory import Memory, SizeError
from lstmgraph.keras_facts.optimizers import COPIES, optimizer_numbers
from lstmgraph.keras_facts.tensors import number_of
from lstmgraph.messages.tables import Section, as_markdown
from lstmgraph.resources import KERAS_SCHEMA, read_schema

if TYPE_CHECKING:
    from pathlib import Path

FORECASTER = RECIPES / "store-forecaster.yaml"

DENSE = """
inputs: {x: {shape: [frames, 8]}}
layers:
  a: {type: dense, input: x, units: 16, activation: relu}
  y: {type: dense, input: a, units: 4}
outputs: {y: y}
training: {optimizer: adam, loss: mse, batch_size: 8, epochs: 1}
runtime: {dtype_policy: POLICY}
"""


def memory(policy: str = "float32", **size: Any) -> Memory:
    found = load(DENSE.replace("POLICY", policy)).explain(**size).memory
    assert found is not None
    return found


def test_every_part_of_two_dense_layers() -> None:
    found = memory(batch=10, time=5)
    weights = 4 * (8 * 16 + 16 + 16 * 4 + 4)
    inputs, a, y = (4 * 10 * 5 * units for units in (8, 16, 4))
    assert found.sizes == {"batch": 10, "frames": 5}
    assert found.training is not None
    assert found.training.as_dict() == {
        "weights": weights,
        "inputs": 2 * inputs,
        "activations": a + y,
        "gradients": weights + a,
        "optimizer": 2 * weights,
        "total": 4 * weights + 2 * inputs + a + y + a,
    }
    assert found.inference.activations == a + y  # both are alive while the second is computed
    assert found.kept == {"a": a, "y": y}


def test_under_a_mixed_policy_activations_are_halved_and_variables_are_not() -> None:
    whole, mixed = memory(batch=10, time=5), memory("mixed_bfloat16", batch=10, time=5)
    assert whole.training is not None
    assert mixed.training is not None
    assert mixed.kept["a"] == whole.kept["a"] / 2
    assert mixed.training.optimizer == whole.training.optimizer
    copies = 2 * (8 * 16 + 16)  # of 16 bits, of the weights of `a`; the last layer stays float32
    assert mixed.training.weights == whole.training.weights + copies
    double = memory("float64", batch=10, time=5)
    assert double.inference.activations == 2 * whole.inference.activations


def test_an_lstm_keeps_seven_units_of_every_step() -> None:
    text = """
inputs: {x: {shape: [time, 8]}}
layers: {a: {type: lstm, input: x, units: 16}, y: {type: dense, input: a.sequence, units: 4}}
outputs: {y: y}
training: {optimizer: adam, loss: mse, batch_size: 8, epochs: 1}
"""
    found = load(text).explain(batch=10, time=5).memory
    assert found is not None
    steps = 4 * 10 * 5
    assert found.kept["a"] == steps * (8 + 7 * 16 + 16 + 16)  # inputs, the loop, outputs twice


# --- optimizers ---

OPTIMIZERS = [
    *({"type": name} for name in COPIES),
    {"type": "adam", "amsgrad": True},
    {"type": "sgd", "momentum": 0.9, "nesterov": True},
    {"type": "rmsprop", "momentum": 0.9, "centered": True},
    {"type": "adamw", "use_ema": True},
    {"type": "sgd", "gradient_accumulation_steps": 2},
]


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=str)
def test_an_optimizer_keeps_what_keras_makes(optimizer: dict[str, Any]) -> None:
    shapes = [(3, 4), (5,), (2, 3, 4)]
    arguments = {key: value for key, value in optimizer.items() if key != "type"}
    made = keras.optimizers.get({"class_name": optimizer["type"], "config": arguments})
    made.build([keras.Variable(keras.ops.ones(shape)) for shape in shapes])
    counted = sum(math.prod(each.shape) for each in made.variables if len(each.shape))
    assert optimizer_numbers(optimizer, shapes) == counted


def test_every_optimizer_of_the_catalogue_is_known() -> None:
    assert set(read_schema(KERAS_SCHEMA)["x-names"]["optimizer"].values()) == set(COPIES)


# --- sizes ---


@pytest.mark.parametrize(
    ("dim", "size"),
    [(7, 7), ("time", 10), ("time-2", 8), ("ceil((time-1)/2)", 5), ("2*height*(time-1)", 54)],
)
def test_sizes_are_computed(dim: int | str, size: int) -> None:
    assert number_of(dim, {"time": 10, "height": 3}) == size


@pytest.mark.parametrize(
    ("size", "message"),
    [
        ({"time": 3}, "the number of rows in a batch is missing"),
        ({"batch": 3}, "the size of `frames` is missing, which the inputs leave open"),
        ({"batch": 3, "time": 0}, "`frames` must be at least 1"),
        (
            {"batch": 3, "sizes": {"frame": 3}},
            "no input has an open size named `frame`; did you mean",
        ),
        (
            {"batch": 3, "sizes": {"x9": 3}},
            "no input has an open size named `x9`; the open sizes are `frames`",
        ),
    ],
)
def test_a_size_that_is_missing_or_wrong(size: dict[str, Any], message: str) -> None:
    with pytest.raises(SizeError, match=message):
        memory(**size)


def test_a_recipe_built_for_one_size_of_batches() -> None:
    recipe = lstmgraph.load(RECIPES / "carried-state.yaml")
    explained = recipe.explain(time=3).memory
    assert explained is not None
    assert (explained.sizes["batch"], explained.training) == (4, None)
    with pytest.raises(SizeError, match="batches of 4 rows, not 5"):
        recipe.explain(batch=5, time=3)


def test_without_a_size_there_is_no_estimate() -> None:
    assert lstmgraph.load(FORECASTER).explain().memory is None


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_every_shipped_recipe_has_an_estimate_that_grows_with_the_batch(path: Path) -> None:
    recipe = lstmgraph.load(path)
    rows = recipe.compiled.graph.batch_size
    small, large = (recipe.explain(batch=rows or 4, time=time).memory for time in (12, 24))
    if rows is None:
        large = recipe.explain(batch=8, time=12).memory
    assert small is not None
    assert large is not None
    assert small.inference.weights == large.inference.weights
    assert 0 < small.inference.activations < large.inference.activations
    if small.training and large.training:
        assert small.inference.total < small.training.total < large.training.total


# --- measured ---

MEASURED = ("store-forecaster",)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="peaks are read from /proc")
def test_the_estimate_is_near_measured_steps() -> None:
    """What a row adds to the peak; within a factor of two either way, as docs/explain.md says."""
    run = subprocess.run(
        [sys.executable, "-m", "benchmarks.estimates", *MEASURED],
        check=False,
        capture_output=True,
        text=True,
        cwd=RECIPES.parent,
    )
    assert run.returncode == 0, run.stderr[-2000:]
    found = [json.loads(line) for line in run.stdout.splitlines()]
    assert [each["case"] for each in found] == list(MEASURED)
    for each in found:
        for kind in ("training", "inference"):
            ratio = each[kind]["estimated"] / each[kind]["measured"]
            assert 0.5 < ratio < 2, (each["case"], kind, each[kind])


# --- the command ---


def run(*arguments: object) -> Any:
    return CliRunner().invoke(app, ["explain", str(FORECASTER), *map(str, arguments)])


def test_the_command_says_what_python_says() -> None:
    said = json.loads(run("--batch", 64, "--time", 100, "--format", "json").stdout)
    wanted = lstmgraph.load(FORECASTER).explain(batch=64, sizes={"time": 100}).memory
    assert wanted is not None
    assert said["memory"] == wanted.as_dict()
    text = run("--batch", 64, "--dim", "time=100").stdout
    assert "memory, estimated: batch 64, time 100" in text
    page = (RECIPES.parent / "docs" / "json.md").read_text("utf-8")
    section = page.partition("## explain\n")[2].partition("\n## ")[0]
    for key in ("memory", *said["memory"], *said["memory"]["training"]):
        assert f"`{key}`" in section, key


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--batch", 4], "the size of `time` is missing"),
        (["--batch", 4, "--dim", "time"], "time is not NAME=SIZE"),
        (["--batch", 4, "--dim", "tim=3"], "did you mean 'time'"),
        (["--batch", 0, "--time", 3], "0 is not in the range"),
    ],
)
def test_a_wrong_command_line(arguments: list[object], message: str) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert message in " ".join(result.stderr.replace("│", " ").split())


def test_markdown_shows_what_the_json_holds() -> None:
    arguments = ["--batch", 64, "--time", 100, "--set", "layers.forecast.activation=relu"]
    said = json.loads(run(*arguments, "--format", "json").stdout)
    shown = run(*arguments, "--format", "markdown").stdout
    cells = texts(shown)
    for row in said["layers"]:
        assert row["name"] in cells
        assert f"({', '.join(map(str, row['shape']))})" in cells
        assert row["mask"] is None or row["mask"] in cells  # `step < lengths`, escaped
    assert {row["key"] for row in said["runtime"] if row["effect"]} <= set(cells)
    assert "activations" in cells


def texts(markdown: str) -> list[str]:
    """Every cell of every table, as a reader of Markdown sees it."""
    tokens = MarkdownIt("commonmark").enable("table").parse(markdown)
    return [
        "".join(child.content for child in token.children or [])
        for token, before in zip(tokens[1:], tokens, strict=False)
        if token.type == "inline" and before.type in ("td_open", "th_open")
    ]


def test_markdown_cells_hold_pipes_and_marks() -> None:
    hostile = "a|b *c* _d_ `e` <i>f</i> \\| [g](h) & ~~i~~ e_f #1"
    page = as_markdown([Section("t", headings=("x", "y"), rows=[(hostile, "2")])])
    assert texts(page) == ["x", "y", hostile.replace("`", ""), "2"]  # as messages, with code
