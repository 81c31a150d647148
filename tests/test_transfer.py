"""Weights between recipes: what fits is loaded, by name; everything else is said."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest
from building import load, randomise, weights_by_layer, with_header
from typer.testing import CliRunner

import lstmgraph
from lstmgraph.cli import app

if TYPE_CHECKING:
    from pathlib import Path

    from typer.testing import Result

# Keras 3.15 writes weights with a call that NumPy 2 wants spelled otherwise.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

FIRST = """
inputs: {x: {shape: [time, 4]}}
layers:
  lower: {type: lstm, input: x, units: 4, bidirectional: true, return_sequences: true}
  upper: {type: lstm, input: lower, units: 4}
  other: {type: lstm, input: lower, units: 4}
  both: {type: concatenate, input: [upper, other]}
  label: {type: dense, input: both, units: 3}
outputs: {label: label}
"""
# Two layers of one shape have changed places; the head has more classes; a layer has a new name.
SECOND = """
inputs: {x: {shape: [time, 4]}}
layers:
  reader: {type: lstm, input: x, units: 4, bidirectional: true, return_sequences: true}
  other: {type: lstm, input: reader, units: 4}
  upper: {type: lstm, input: reader, units: 4}
  both: {type: concatenate, input: [upper, other]}
  label: {type: dense, input: both, units: 5}
outputs: {label: label}
"""


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, list[np.ndarray]]]:
    recipe = load(FIRST)
    model = recipe.build()
    randomise(model)
    path = tmp_path_factory.mktemp("trained") / "first.keras"
    recipe.save(model, path)
    return path, weights_by_layer(model)


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["transfer", *map(str, arguments)])


def written(text: str, folder: Path) -> Path:
    path = folder / "second.yaml"
    path.write_text(with_header(text), "utf-8")
    return path


def test_what_fits_is_loaded_and_the_rest_is_said(trained, tmp_path: Path) -> None:
    source, weights = trained
    out = tmp_path / "deep" / "out.keras"
    result = run(source, written(SECOND, tmp_path), "-o", out)
    assert result.exit_code == 0, result.output
    lines = [" ".join(line.split()) for line in result.stdout.splitlines()]
    assert lines == [
        "missing reader: the file has no such layer; (4, 16), (4, 16), (16), (4, 16), (4, 16), "
        "(16) keep their initial values (if it is the file's 'lower', rename one)",
        "loaded upper: (8, 16), (4, 16), (16)",
        "loaded other: (8, 16), (4, 16), (16)",
        "shape label: the file has (8, 3), (3), the recipe (8, 5), (5); keeps its initial weights",
        "left over lower: the recipe has no such layer; (4, 16), (4, 16), (16), (4, 16), (4, 16), "
        "(16) are not used",
        f"2 of 5 layers fit; wrote {out}",
    ]
    found = weights_by_layer(lstmgraph.load_model(out))
    for name in ("upper", "other"):
        for own, given in zip(found[name], weights[name], strict=True):
            np.testing.assert_array_equal(own, given)
    assert (found["upper"][0] != found["other"][0]).any()
    assert lstmgraph.load(out).name == "inline"


@pytest.mark.slow
def test_strict_refuses_what_does_not_fit(trained, tmp_path: Path) -> None:
    source, weights = trained
    out = tmp_path / "out.keras"
    refused = run(source, written(SECOND, tmp_path), "-o", out, "--strict", "--format", "json")
    assert refused.exit_code == 1
    said = json.loads(refused.stdout)
    assert (said["ok"], said["file"], said["complete"]) == (False, None, False)
    assert {layer["name"]: layer["outcome"] for layer in said["layers"]} == {
        "reader": "missing",
        "other": "loaded",
        "upper": "loaded",
        "label": "shape",
        "lower": "left over",
    }
    assert not out.exists()
    turned = FIRST.replace("[upper, other]", "[other, upper]")
    assert run(source, written(turned, tmp_path), "-o", out, "--strict").exit_code == 0
    for name, own in weights_by_layer(lstmgraph.load_model(out)).items():
        for array, given in zip(own, weights[name], strict=True):
            np.testing.assert_array_equal(array, given)


def test_where_nothing_fits_nothing_is_written(trained, tmp_path: Path) -> None:
    out = tmp_path / "out.keras"
    text = "inputs: {x: {shape: [4]}}\nlayers: {y: {type: dense, input: x, units: 2}}\n"
    result = run(trained[0], written(f"{text}outputs: {{y: y}}", tmp_path), "-o", out)
    assert result.exit_code == 1
    assert "0 of 5 layers fit; nothing is written" in result.output
    assert not out.exists()


def test_weights_of_another_kind_of_layer_do_not_fit(tmp_path: Path) -> None:
    """A SimpleRNN's three weights and an EinsumDense's do not lie at the same places."""
    text = "inputs: {{x: {{shape: [time, 4]}}}}\nlayers: {{y: {layer}}}\noutputs: {{y: y}}"
    recurrent = load(text.format(layer="{type: simple_rnn, input: x, units: 4, use_bias: false}"))
    model = recurrent.build()
    recurrent.save(model, tmp_path / "a.keras")
    gru = load(text.format(layer="{type: gru, input: x, units: 4, use_bias: false}"))
    found = lstmgraph.transfer(tmp_path / "a.keras", gru)
    assert [layer.outcome for layer in found.layers] == ["shape"]
    assert not found.complete


@pytest.mark.parametrize(
    ("content", "out", "message"),
    [
        (None, "out.keras", "there is no file"),
        (b"PK nothing", "out.keras", "is not a .keras file with weights"),
        (b"x", "out.h5", "does not end in .keras"),
    ],
)
def test_other_files_are_refused(
    content: bytes | None, out: str, message: str, tmp_path: Path
) -> None:
    source = tmp_path / "first.keras"
    if content is not None:
        source.write_bytes(content)
    result = run(source, written(FIRST, tmp_path), "-o", tmp_path / out)
    assert result.exit_code == 2
    assert message in result.output.replace("\n", " ")
    assert "Traceback" not in result.output


def test_a_file_is_not_overwritten_unasked(trained, tmp_path: Path) -> None:
    out = tmp_path / "out.keras"
    out.write_text("mine")
    result = run(trained[0], written(SECOND, tmp_path), "-o", out)
    assert (result.exit_code, out.read_text()) == (2, "mine")
    assert run(trained[0], written(SECOND, tmp_path), "-o", out, "--force").exit_code == 0
