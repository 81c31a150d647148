"""Quantized files, C arrays and devices: what is written, how it is measured, and what is refused.

Outputs are compared with the Keras model's in float32; sizes and bytes with those of the files.
"""

from __future__ import annotations

import importlib.util
import json
import re
import shlex
import shutil
import subprocess
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from building import load, randomise
from programs import needs

import lstmgraph
from benchmarks import quantized
from lstmgraph.data.problems import DataError
from lstmgraph.export import ExportOptions, micro
from lstmgraph.export.arena import _Buffer, _planned
from lstmgraph.export.formats import FORMATS
from lstmgraph.export.report import ExportReport, Quantized
from lstmgraph.messages.errors import RecipeError

# Keras 3.15 writes weights with a call that NumPy 2 wants spelled otherwise.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

ROOT = Path(lstmgraph.__file__).parent.parent
needs_micro = needs("micro", importlib.util.find_spec("tflite_micro"), "install the extra micro")

RECIPE = """
inputs: {x: {shape: [8, 6]}}
layers:
  reader: {type: dense, input: x, units: 64, activation: tanh}
  all: {type: flatten, input: reader}
  y: {type: dense, input: all, units: 3}
outputs: {y: y}
runtime: {seed: 7}
training: {loss: mse}
"""
RECURRENT = """
inputs: {x: {shape: [time, 6]}}
layers:
  reader: {type: lstm, input: x, units: 64}
  y: {type: dense, input: reader, units: 3}
outputs: {y: y}
runtime: {seed: 7}
training: {loss: mse}
"""
TINY = RECURRENT.replace("64", "4")


def arrays(seed: int, rows: int = 60) -> dict[str, np.ndarray]:
    random = np.random.default_rng(seed)
    x = random.normal(size=(rows, 8, 6)).astype("float32")
    return {"x": x, "y": x.mean(1)[:, :3]}


@pytest.fixture(scope="module", params=[RECIPE, RECURRENT], ids=["dense", "lstm"])
def made(request):
    recipe = load(request.param, "small")
    model = recipe.build()
    randomise(model)
    return recipe, model


@pytest.fixture(scope="module")
def dense():
    recipe = load(RECIPE, "small")
    model = recipe.build()
    randomise(model)
    return recipe, model


def mean_error(model, run, data) -> float:
    """The mean difference from Keras, in parts of the largest value."""
    wanted = np.asarray(model({"x": data["x"]})["y"])
    return float(np.abs(run(data["x"]) - wanted).mean() / np.abs(wanted).max())


def by_onnxruntime(path: Path):
    import onnxruntime  # noqa: PLC0415 - in an extra

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return lambda x: session.run(["y"], {"x": x})[0]


def by_litert(content: bytes):
    from ai_edge_litert.interpreter import Interpreter  # noqa: PLC0415 - in an extra

    run = Interpreter(model_content=content).get_signature_runner()
    return lambda x: np.concatenate([run(x=row[None])["y"] for row in x])


@pytest.mark.parametrize(
    ("kind", "most", "share"),
    [("dynamic", 0.02, 0.7), ("int8", 0.03, 0.8), ("float16", 1e-3, 0.8)],
)
def test_onnx(made, tmp_path, kind: str, most: float, share: float) -> None:
    recipe, model = made
    report = recipe.export(model, tmp_path, quantize=kind, data=arrays(1), test=arrays(2))
    plain = recipe.export(model, tmp_path / "plain.onnx")
    assert 1e-7 < mean_error(model, by_onnxruntime(report.path), arrays(3)) < most
    assert report.size == report.path.stat().st_size < share * plain.size
    assert report.quantized.plain_size == pytest.approx(plain.size, rel=0.01)


@pytest.mark.slow
def test_weights_of_an_lstm_are_stored_in_8_bits(tmp_path) -> None:
    """TensorFlow's newer quantizer left them as they were: the file was larger than without."""
    recipe = load(RECURRENT, "small")
    model = recipe.build()
    randomise(model)
    report = recipe.export(model, tmp_path, format="litert", quantize="dynamic", tolerance=0.05)
    lines = str(report)
    assert "UNIDIRECTIONAL_SEQUENCE_LSTM" in lines
    assert 1e-6 < mean_error(model, by_litert(report.path.read_bytes()), arrays(3)) < 0.01
    assert report.size < 0.8 * report.quantized.plain_size


@pytest.mark.slow
def test_a_file_that_is_no_smaller_says_so(tmp_path) -> None:
    recipe = load(TINY, "tiny")
    report = recipe.export(recipe.build(), tmp_path, format="litert", quantize="dynamic")
    assert report.size >= report.quantized.plain_size
    assert "no smaller: small tensors" in str(report)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "most"), [("dynamic", 0.02), ("int8", 0.03), ("int16x8", 5e-3), ("float16", 1e-3)]
)
def test_litert(dense, tmp_path, kind: str, most: float) -> None:
    recipe, model = dense
    given = {"quantize": kind, "data": arrays(1), "test": arrays(2), "format": "litert"}
    report = recipe.export(model, tmp_path, **given)
    run = by_litert(report.path.read_bytes())
    assert 1e-7 < mean_error(model, run, arrays(3)) < most
    (mae, rmse) = report.quantized.measures
    own = arrays(2)
    wanted = np.asarray(model({"x": own["x"]})["y"])
    assert mae.before == pytest.approx(np.abs(wanted - own["y"]).mean(), rel=1e-4)
    assert rmse.after == pytest.approx(np.sqrt(((run(own["x"]) - own["y"]) ** 2).mean()), rel=1e-4)


@pytest.mark.slow
def test_a_loss_beyond_the_limit_leaves_nothing(dense, tmp_path) -> None:
    recipe, model = dense
    own = arrays(2)
    own["y"] = np.asarray(model({"x": own["x"]})["y"])  # every error is that of the file
    given = {"data": arrays(1), "test": own, "format": "litert", "max_loss": 0.01}
    with pytest.raises(RecipeError, match=r"L807.*mae of 'y' gets worse by .*in int8"):
        recipe.export(model, tmp_path / "out", quantize="int8", **given)
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_wrong_ranges_are_found_and_the_layers_named(dense, tmp_path) -> None:
    """Ranges of small numbers cut off the large ones that the file is compared on."""
    recipe, model = dense
    small = arrays(1)
    small["x"] = small["x"] * 0.01
    given = {"format": "litert", "quantize": "int8", "data": small, "test": arrays(2)}
    with pytest.raises(RecipeError, match=r"L803.*on average.*layers are off: .*'reader' by \d+%"):
        recipe.export(model, tmp_path, **given)
    report = recipe.export(model, tmp_path, tolerance=0.9, **given)
    assert {each.layer for each in report.quantized.layers} >= {"reader"}
    assert report.quantized.layers[0].error > 0.1


LOOP = """
inputs: {x: {shape: [time], dtype: int32}}
layers:
  word: {type: embedding, input: x, input_dim: 9, output_dim: 4, mask_zero: true}
  reader: {type: gru, input: word, units: 4, bidirectional: true}
outputs: {y: reader}
runtime: {seed: 7}
"""


@pytest.mark.slow
def test_layers_that_are_off_are_named_beside_values_that_litert_has_freed(tmp_path) -> None:
    """The states of loops, whose sizes are open, were read all the same: a traceback."""
    recipe = load(LOOP, "loop")
    with pytest.raises(RecipeError, match=r"L803.*by .* on average"):
        recipe.export(*(recipe.build(), tmp_path), format="litert", quantize="float16", tolerance=0)


def test_data_that_does_not_fit_is_refused(dense, tmp_path) -> None:
    recipe, model = dense
    with pytest.raises(DataError):
        recipe.export(model, tmp_path, quantize="int8", data={"z": np.zeros((2, 3))})


@pytest.mark.parametrize(
    ("formats", "options", "data", "says"),
    [
        (["onnx"], {"quantize": "int16x8"}, True, "onnxruntime has no kernels for values in int16"),
        (["keras"], {"quantize": "int8"}, True, "format keras cannot be int8; choose litert"),
        (["saved_model"], {"quantize": "float16"}, True, "format saved_model cannot be float16"),
        (["litert", "onnx"], {"quantize": "int16x8"}, True, "format onnx cannot be int16x8"),
        (["litert"], {"quantize": "int8"}, False, "never from random numbers: add --data FILE"),
        (["onnx"], {"quantize": "int8"}, False, "never from random numbers: add --data FILE"),
        (["c"], {"quantize": "int16x8"}, False, "never from random numbers: add --data FILE"),
        (["onnx"], {"quantize": "dynamic", "max_loss": 0.1}, False, "measured on data"),
        (["onnx"], {"max_loss": 0.1}, False, "add --quantize, or leave --max-loss out"),
        (["onnx"], {"device": "microcontroller"}, False, "choose litert or c"),
        (
            ["c"],
            {"device": "microcontroller", "quantize": "dynamic"},
            True,
            "no operators for dynamic weights",
        ),
    ],
)
def test_options_that_do_not_fit(formats, options, data: bool, says: str) -> None:
    with pytest.raises(ValueError, match=re.escape(says)):
        ExportOptions(**options).check(formats, None, has_data=data)


@pytest.mark.parametrize(
    ("model", "says"),
    [
        ("step", ["(--model step.start)", "measured on the recipe's own model alone"]),
        ("", ["not measured: --data FILE with a part", "or --test FILE"]),
    ],
)
def test_a_report_names_what_to_give_for_the_rest(model: str, says: list[str]) -> None:
    """A step model is never measured, whatever data is given: advice to give some helps nobody."""
    quantized = Quantized("int8", 20, True, "test" if not model else None, [], [])
    states = {"states": {"h": "next_h"}, "begins": {"h": "start"}} if model else {}
    path = Path("small.tflite")
    report = ExportReport(
        "litert", path, [], [], 0.1, 3, [], size=10, quantized=quantized, model=model, **states
    )
    assert all(part in str(report) for part in says)
    assert str(report).count("measured") == 1


@pytest.mark.parametrize(
    ("quantize", "data", "test", "says"),
    [
        (None, "data.npz", None, "add --quantize, or leave --data out"),
        (None, None, "test.npz", "add --quantize, or leave --test out"),
        (None, "data.npz", "test.npz", "add --quantize, or leave --data out"),
        ("dynamic", None, "test.npz", "add --data FILE, or data= in Python"),
    ],
)
def test_data_without_the_option_that_reads_it(quantize, data, test, says: str) -> None:
    with pytest.raises(ValueError, match=re.escape(says)):
        ExportOptions(quantize=quantize).check_data(data, test)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"quantize": "int4"}, "one of dynamic, int8, int16x8, float16, not int4"),
        ({"max_loss": 1.5}, "at least 0 and less than 1, not 1.5"),
        ({"device": "phone"}, "one of microcontroller, not phone"),
    ],
)
def test_unknown_values(options, says: str) -> None:
    with pytest.raises(ValueError, match=re.escape(says)):
        ExportOptions(**options)


def test_every_format_that_is_quantized_has_every_kind_or_a_reason() -> None:
    kinds = {name: each.quantizations for name, each in FORMATS.items() if each.quantizations}
    assert kinds["litert"] == kinds["c"] == ("dynamic", "int8", "int16x8", "float16")
    assert kinds["onnx"] == ("dynamic", "int8", "float16")


# --- C ---

PROGRAM = """
#include <stdio.h>
#include "small.h"
int main(void) {
  if ((unsigned long)small % 16 != 0) return 2;
  return fwrite(small, 1, small_length, stdout) != small_length;
}
"""


@pytest.mark.parametrize("compiler", [["gcc", "-std=c11"], ["g++", "-x", "c++", "-std=c++17"]])
def test_a_c_array_holds_the_model(dense, tmp_path, compiler: list[str]) -> None:
    if shutil.which(compiler[0]) is None:
        pytest.skip(f"{compiler[0]} is not installed")
    recipe, model = dense
    report = recipe.export(model, tmp_path, format="c")
    assert report.header == tmp_path / "small.h"
    assert report.size < report.path.stat().st_size
    (tmp_path / "main.c").write_text(PROGRAM)
    binary = tmp_path / "program"
    sources = [str(tmp_path / name) for name in ("small.c", "main.c")]
    strict = ["-Wall", "-Wextra", "-Werror", "-pedantic"]
    subprocess.run([*compiler, *strict, *sources, "-o", str(binary)], check=True)
    content = subprocess.run([str(binary)], capture_output=True, check=True).stdout
    assert mean_error(model, by_litert(content), arrays(3)) < 1e-6
    said = report.header.read_text()
    assert "input(0) x: float32, 1 x 8 x 6" in said
    assert "output(0) y: float32, 1 x 3" in said


# --- devices ---


@needs_micro
@pytest.mark.parametrize("kind", [None, "int8", "int16x8"])
def test_a_file_runs_as_on_a_microcontroller(dense, tmp_path, kind) -> None:
    recipe, model = dense
    given = {"quantize": kind, "data": arrays(1)} if kind else {}
    report = recipe.export(model, tmp_path, format="litert", device="microcontroller", **given)
    assert report.ran_on_device
    file = micro.opened(report.path.read_bytes())
    found = np.concatenate([file.run({"x": row[None]})["y"] for row in arrays(3)["x"]])
    there = by_litert(report.path.read_bytes())(arrays(3)["x"])
    assert np.abs(found - there).max() < 0.03 * np.abs(there).max()


@needs_micro
def test_the_arena_is_what_the_microcontroller_s_planner_needs(dense, tmp_path, capfd) -> None:
    from tflite_micro import runtime  # noqa: PLC0415 - in an extra

    recipe, model = dense
    report = recipe.export(model, tmp_path, format="litert")
    content = report.path.read_bytes()
    runtime.Interpreter.from_bytes(content, arena_size=1 << 20).print_allocations()
    said = "".join(capfd.readouterr())
    assert int(re.search(r"Arena allocation head (\d+)", said)[1]) == report.arena


@pytest.mark.parametrize(
    ("buffers", "size"),
    [
        ([(16, 0, 1)], 16),
        ([(16, 0, 1), (32, 1, 2)], 48),  # both are needed in step 1
        ([(16, 0, 1), (32, 2, 3)], 32),  # one after the other
        ([(64, 0, 1), (32, 1, 2), (32, 2, 3), (64, 3, 4)], 128),
        ([(16, 0, 9), (32, 0, 1), (16, 2, 3), (16, 2, 3)], 48),  # two share the place of one
    ],
)
def test_values_share_memory(buffers, size: int) -> None:
    assert _planned([_Buffer(*each) for each in buffers]) == size


def test_open_sizes_are_refused_at_the_input(tmp_path) -> None:
    recipe = load(RECURRENT, "small")
    with pytest.raises(RecipeError) as caught:
        recipe.export(recipe.build(), tmp_path / "out", format="c", device="microcontroller")
    (found,) = caught.value.diagnostics
    assert found.code == "L806"
    assert "the size of `time` of 'x' is open" in found.message
    command = found.hint.split("`")[1]
    assert shlex.split(command) == ["--set", "inputs.x.shape=[16, 6]"], "as a shell reads it"
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ({"RESHAPE": None}, "has no operator FULLY_CONNECTED, which 'reader' needs"),
        (
            {"FULLY_CONNECTED": ["INT8"], "TANH": None, "RESHAPE": None},
            "computes FULLY_CONNECTED in int8, not in float32, which 'reader' needs",
        ),
    ],
)
def test_what_a_microcontroller_lacks_is_refused_at_the_layer(
    dense, tmp_path, monkeypatch, table, says: str
) -> None:
    monkeypatch.setattr(micro, "micro_operators", lambda: table)
    recipe, model = dense
    with pytest.raises(RecipeError) as caught:
        recipe.export(model, tmp_path / "out", format="litert", device="microcontroller")
    found = {each.message: each for each in caught.value.diagnostics}
    message = f"LiteRT for Microcontrollers {says}"
    assert found[message].code == "L806"
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_the_help_for_a_mask_on_a_microcontroller_is_not_another_quantization(tmp_path) -> None:
    masked = RECURRENT.replace("{x: {shape: [time", "{n: {shape: [], dtype: int32}, x: {shape: [8")
    recipe = load(masked.replace("lstm, input: x", "gru, input: x, mask: {lengths: n}"), "small")
    with pytest.raises(RecipeError) as caught:
        recipe.export(recipe.build(), tmp_path, format="litert", device="microcontroller")
    hints = {each.hint for each in caught.value.diagnostics if "not in bool" in each.message}
    assert hints == {"leave out the mask that it is of, or use another layer"}


@needs_micro
@pytest.mark.slow
@pytest.mark.parametrize("kind", [None, "int8"])
def test_many_tensors_are_joined_as_a_microcontroller_can(tmp_path, kind) -> None:
    """It joins at most ten: with more it "failed to allocate tensors"."""
    parts = {f"p{size}": f"{{type: dense, input: x, units: {size}}}" for size in range(1, 13)}
    text = "inputs: {x: {shape: [8, 6]}}\nlayers:\n"
    text += "".join(f"  {name}: {layer}\n" for name, layer in parts.items())
    text += f"  y: {{type: concatenate, input: [{', '.join(parts)}]}}\n"
    recipe = load(text + "outputs: {y: y}\ntraining: {loss: mse}\n", "small")
    model = recipe.build()
    randomise(model)
    data = {"x": arrays(1)["x"], "y": np.zeros((60, 8, 78), "float32")}
    given = {"quantize": kind, "data": data} if kind else {}
    report = recipe.export(model, tmp_path, format="c", device="microcontroller", **given)
    assert report.ran_on_device
    assert "CONCATENATION" in report.operators


def test_the_table_of_operators_says_where_it_is_from() -> None:
    table = json.loads(micro.TABLE.read_text("utf-8"))
    assert len(table["source"]["commit"]) == 40
    assert all(one < other for one, other in pairwise(table["operators"]))
    assert "UNIDIRECTIONAL_SEQUENCE_LSTM" in table["operators"]


def test_a_report_says_what_quantizing_changed(dense, tmp_path) -> None:
    recipe, model = dense
    given = {"quantize": "int8", "data": arrays(1), "test": arrays(2)}
    report = recipe.export(model, tmp_path, **given)
    text = str(report)
    assert f"int8: {report.size:,} bytes, " in text
    assert re.search(r"y mae: [\d.]+ before, [\d.]+ after, on the test part", text)
    found = report.as_dict()
    page = (Path(lstmgraph.__file__).parent.parent / "docs" / "json.md").read_text("utf-8")
    keys = {*found, *found["quantized"], *found["quantized"]["measures"][0]}
    assert not {key for key in keys if f"`{key}`" not in page}


# --- the table of benchmarks/quantized.py ---


def test_the_table_has_every_recipe_column_and_reason() -> None:
    titles = [column.title for column in quantized.columns()]
    wanted = {f"{name} {kind}" for name, each in FORMATS.items() for kind in each.quantizations}
    assert {title for title in wanted if not title.startswith("c ")} <= set(titles)
    cells: dict[str, object] = {title: {"bytes": 45_400, "off": 0.0} for title in titles}
    cells["onnx int8"] = {"bytes": 9_000, "off": 0.0021, "share": 0.3, "fixed": True}
    cells["litert int8"] = {"code": "L802", "reasons": ["a loop", "another"]}
    first, *others = [path.stem for path in quantized.recipes()]
    text = quantized.table({first: {"ranges": "random", "cells": cells}})
    (row,) = re.findall(rf"^\| {first} \| random \| (.*) \|$", text, re.M)
    shown = dict(zip(titles, row.split(" | "), strict=True))
    assert shown["keras"] == "45 kB, 0e+00"
    assert shown["onnx int8"] == "0.30, 2e-03 \\*"
    assert shown["litert int8"] == "L802"
    assert f"- L802, {first} (litert int8): another" in text
    assert f"Not run yet: {', '.join(others)}." in text


def test_the_page_has_the_table_of_what_was_found() -> None:
    """Every shipped recipe has a row, or is named as one that has not run yet."""
    found = json.loads(quantized.RESULTS.read_text("utf-8"))
    page = quantized.PAGE.read_text("utf-8")
    _, heading, rest = page.partition("## Every recipe\n")
    section = heading + rest.partition("\n## ")[0]
    assert section.strip() == quantized.table(found).strip()
    not_run = re.search(r"^Not run yet: (.*)\.$", section, re.M)
    rows = set(re.findall(r"^\| ([a-z][a-z-]*) \|", section, re.M)) - {"recipe"}
    named = set(not_run[1].split(", ")) if not_run else set()
    assert rows | named == {path.stem for path in quantized.recipes()}
    codes = (ROOT / "docs" / "errors.md").read_text("utf-8")
    cells = [cell for each in found.values() for cell in each["cells"].values() if "code" in cell]
    assert {cell["code"] for cell in cells} <= set(re.findall(r"^### (L\d+):", codes, re.M))


def test_reasons_in_the_table_are_in_our_words() -> None:
    """Neither TensorFlow's traces nor its names of operations, and each with a way out."""
    found = json.loads(quantized.RESULTS.read_text("utf-8"))
    cells = [cell for each in found.values() for cell in each["cells"].values()]
    reasons = {reason for cell in cells for reason in cell.get("reasons", ())}
    foreign = re.compile(r"\{\{|node |loc\(|NodeDef|Traceback|\.cc|\.py|0x[0-9a-f]|Error\b")
    assert not [each for each in reasons if foreign.search(each) or ". Instead: " not in each]
