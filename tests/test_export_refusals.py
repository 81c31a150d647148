"""What an export refuses: before it writes, by the recipe's line; or because a file computes
something else, and then nothing of it is left.
"""

from __future__ import annotations

import signal
import textwrap
from dataclasses import replace
from typing import TYPE_CHECKING

import keras
import numpy as np
import pytest
from building import batch_for, build, load, outputs_of, randomise, with_header
from forked import run_program

import lstmgraph
from lstmgraph.export import FORMATS, ExportOptions, check_obstacles, files, litert_finished
from lstmgraph.export.check import compare, tolerance_for
from lstmgraph.export.files import export_files
from lstmgraph.export.flatbuffer import changed
from lstmgraph.export.fused_lstm import _cumulated
from lstmgraph.export.litert_weights import rounded
from lstmgraph.export.refusals import as_refusal, is_own

if TYPE_CHECKING:
    from pathlib import Path

# Keras 3.15 writes weights with a call that NumPy 2 wants spelled otherwise.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

SMALL = """
inputs:
  x: {shape: [time, 3]}
layers:
  reader: {type: lstm, input: x, units: 2}
  y: {type: dense, input: reader, units: 2}
outputs: {y: y, last: reader}
"""


def refusals(text: str, *formats: str) -> list[tuple[str, int, str]]:
    """Code, line and message of what is known without TensorFlow to be against `formats`."""
    with pytest.raises(lstmgraph.RecipeError) as caught:
        check_obstacles(load(text).compiled, formats)
    return [(d.code, d.place.span.line, d.message) for d in caught.value.diagnostics]


def line_of(text: str, part: str) -> int:
    lines = with_header(text).splitlines()
    return next(number for number, line in enumerate(lines, start=1) if part in line)


# --- known before anything is done ---


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16", "float64"])
def test_litert_computes_in_float32(policy: str) -> None:
    text = SMALL + f"runtime: {{dtype_policy: {policy}}}\n"
    assert refusals(text, "litert") == [
        (
            "L801",
            line_of(text, policy),
            f"LiteRT computes in float32, but the recipe asks for {policy}",
        )
    ]


def test_litert_names_each_layer_and_input_that_is_not_float32() -> None:
    text = SMALL.replace("[time, 3]}", "[time, 3], dtype: float16}").replace(
        "input: reader, units: 2", "input: reader, units: 2, dtype_policy: float64"
    )
    assert refusals(text, "litert") == [
        ("L801", line_of(text, "float16"), "LiteRT computes in float32, but 'x' is float16"),
        ("L801", line_of(text, "float64"), "LiteRT computes in float32, but 'y' asks for float64"),
    ]


def test_the_other_formats_hold_other_precisions() -> None:
    text = SMALL + "runtime: {dtype_policy: mixed_float16}\n"
    check_obstacles(load(text).compiled, ["keras", "saved_model"])


def test_all_formats_are_asked_before_anything_is_written(tmp_path) -> None:
    recipe = load(SMALL + "runtime: {dtype_policy: mixed_float16}\n")
    targets = {name: FORMATS[name].path(tmp_path / "new", "m") for name in ("keras", "litert")}
    with pytest.raises(lstmgraph.RecipeError, match="L801"):
        export_files(recipe.compiled, recipe.build(), targets, ExportOptions())
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("name", ["onnx", "litert"])
def test_missing_packages_are_named_with_the_mend(name: str, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("lstmgraph.export.formats.find_spec", lambda _: None)
    needs = rf"format {name} needs {FORMATS[name].packages[0]}.*pip install 'lstmgraph\[{name}\]'"
    with pytest.raises(ImportError, match=needs):
        load(SMALL).export(build(SMALL), tmp_path, format=name)


@pytest.mark.parametrize(
    ("shape", "layer", "hint"),
    [
        ([6, 3], "adaptive_average_pooling1d, output_size: 1", "`global_average_pooling1d` with"),
        ([6, 5, 3], "adaptive_max_pooling2d, output_size: [1, 2]", "`max_pooling2d` with a `pool"),
        ([6, 5, 4, 3], "adaptive_average_pooling3d, output_size: 1", "`global_average_pooling3d`"),
    ],
)
def test_adaptive_pooling_to_one_value_is_not_traced(shape, layer: str, hint: str) -> None:
    """Keras gives the windows of all sizes, one step longer than the axis among them."""
    text = f"inputs: {{x: {{shape: {shape}}}}}\nlayers:\n  y: {{type: {layer}, input: x}}\n"
    compiled = load(text + "outputs: {y: y}").compiled
    for name in ("litert", "saved_model"):
        with pytest.raises(lstmgraph.RecipeError) as caught:
            check_obstacles(compiled, [name])
        (found,) = caught.value.diagnostics
        assert found.code == "L801"
        assert "does: its windows would be longer than the input" in found.message
        assert hint in found.hint
    two = text.replace("output_size: 1", "output_size: 2").replace("[1, 2]", "[2, 2]")
    check_obstacles(load(two + "outputs: {y: y}").compiled, ["saved_model"])


POOLED = """
inputs: {{x: {{shape: {shape}, dtype: {dtype}}}}}
layers: {{y: {{type: {layer}, input: x}}}}
outputs: {{y: y}}
"""
CUBE, PLANE, LINE = [8, 8, 8, 2], [8, 8, 2], [8, 2]


@pytest.mark.parametrize(
    ("layer", "shape", "dtype", "says", "hint"),
    [
        ("max_pooling3d", CUBE, "float32", "in three", "or `global_max_pooling3d`"),
        (
            "average_pooling3d, pool_size: 2",
            CUBE,
            "float32",
            "in three",
            "or `global_average_pooling3d`",
        ),
        ("adaptive_max_pooling3d, output_size: 2", CUBE, "float32", "in three", "use `conv3d`"),
        ("adaptive_average_pooling3d, output_size: 2", CUBE, "float32", "in three", "`conv3d`"),
        ("max_pooling1d", LINE, "int32", "pools int32", "put a `rescaling` with `scale: 1.0`"),
        ("max_pooling2d", PLANE, "int32", "pools int32", "put a `rescaling` with `scale: 1.0`"),
        ("adaptive_max_pooling1d, output_size: 2", LINE, "int32", "pools int32", "`rescaling`"),
        ("adaptive_max_pooling2d, output_size: 2", PLANE, "int32", "pools int32", "`rescaling`"),
    ],
)
def test_pooling_without_an_operator_is_refused_with_what_to_use(
    layer: str, shape, dtype: str, says: str, hint: str
) -> None:
    compiled = load(POOLED.format(shape=shape, dtype=dtype, layer=layer)).compiled
    with pytest.raises(lstmgraph.RecipeError) as caught:
        check_obstacles(compiled, ["litert"])
    (found,) = caught.value.diagnostics
    assert found.code == "L801"
    assert says in found.message
    assert hint in found.hint
    check_obstacles(compiled, ["saved_model"])


def test_pooling_that_litert_has_is_no_obstacle() -> None:
    for shape, layer in ((LINE, "max_pooling1d"), (PLANE, "average_pooling2d, pool_size: 2")):
        text = POOLED.format(shape=shape, dtype="float32", layer=layer)
        check_obstacles(load(text).compiled, ["litert"])


# --- known when the exporter tries ---

REFUSED = {
    "litert": """
        inputs: {x: {shape: [6, 2]}}
        layers:
          before: {type: dense, input: x, units: 2}
          given:
            {type: conv1d_transpose, input: before, filters: 2, kernel_size: 3, dilation_rate: 2}
        outputs: {y: given}
    """,
    "saved_model": """
        inputs: {x: {shape: [time, 3]}}
        layers:
          before: {type: dense, input: x, units: 2}
          given: {type: adaptive_max_pooling1d, input: before, output_size: 4}
        outputs: {y: given}
    """,
}
SAYS = {
    "litert": "LiteRT cannot hold 'given' (Conv1DTranspose): it has no operators for this layer "
    "with its arguments, dtype and rank",
    "saved_model": "SavedModel cannot hold 'given' (AdaptiveMaxPooling1D): Input length must be "
    "statically known for adaptive pooling",
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_an_exporter_cannot_do_is_said_at_the_layer_s_line(name: str, tmp_path) -> None:
    text = textwrap.dedent(REFUSED[name])
    recipe = load(text)
    with pytest.raises(lstmgraph.RecipeError) as caught:
        recipe.export(recipe.build(), tmp_path / "new", format=name)
    (found,) = caught.value.diagnostics
    assert (found.code, found.message) == ("L802", SAYS[name])
    assert found.place.span.line == line_of(text, "given:")
    assert not (tmp_path / "new").exists()


def keras_refuses() -> None:
    keras.layers.Dense(3)(np.zeros((2, 2, 0), "float32")[0, 0])


def litert_refuses() -> None:
    from ai_edge_litert.interpreter import Interpreter  # noqa: PLC0415 - in an extra

    Interpreter(model_content=b"no model")


@pytest.mark.parametrize(
    ("mistake", "own"),
    [
        (lambda: changed(b"", lambda *_: None), True),  # the package flatbuffers raises it
        (lambda: rounded(np.ones((2, 0))), True),  # NumPy does
        (lambda: _cumulated(None, 1), True),  # type: ignore[arg-type]
        (keras_refuses, False),
        (litert_refuses, False),
    ],
)
def test_mistakes_of_our_own_are_told_from_refusals(mistake, own: bool) -> None:
    with pytest.raises(Exception) as caught:  # noqa: PT011 - of any kind
        mistake()
    assert is_own(caught.value) == own


def test_a_mistake_of_our_own_is_no_refusal(tmp_path, monkeypatch) -> None:
    """It was shown as L802, as if the format could not hold the model."""
    monkeypatch.setattr(litert_finished, "set_states", None)
    recipe = load(SMALL.replace("lstm", "simple_rnn").replace("time", "2"))
    with pytest.raises(TypeError, match="NoneType"):
        recipe.export(recipe.build(), tmp_path / "out", format="litert")
    assert not (tmp_path / "out").exists()


def test_an_operator_that_lacks_numbers_is_named() -> None:
    """What LiteRT says where the kernel of SQUARE gets integers."""
    said = "elementwise.cc:144 INT16 != FLOAT32\nNode number 1 (SQUARE) failed to prepare."
    found = as_refusal(load(SMALL).compiled.graph, "LiteRT", RuntimeError(said), "int16x8")
    assert found.code == "L802"
    assert found.message.endswith("its operator SQUARE does not compute in these numbers or sizes")
    assert found.hint.startswith("choose another --quantize than int16x8, or use another layer")


# --- a file that computes something else ---


def exported(recipe: lstmgraph.Recipe, model: keras.Model, folder: Path, name: str) -> str:
    with pytest.raises(lstmgraph.RecipeError) as caught:
        recipe.export(model, folder, format=name)
    assert {found.code for found in caught.value.diagnostics} == {"L803"}
    return str(caught.value)


def as_it_was(folder: Path, name: str) -> Path:
    """A folder with a file in the place of the export."""
    path = FORMATS[name].path(folder, "inline")
    if name == "saved_model":
        path.mkdir()
        path = path / "mine"
    path.write_text("as it was")
    return path


@pytest.mark.slow
@pytest.mark.parametrize("name", ["saved_model", "litert"])
def test_wrong_weights_are_caught_and_leave_nothing(name: str, tmp_path, monkeypatch) -> None:
    text = SMALL
    recipe = load(text)
    model = recipe.build()
    randomise(model)
    there = as_it_was(tmp_path, name)

    def wrong(*arguments: object) -> tuple[keras.Model, dict[str, keras.Model]]:
        copy = recipe.build()
        copy.set_weights([w * (1 + 1e-2) for w in model.get_weights()])
        return copy, {}

    monkeypatch.setattr(files, "inference_models", wrong)
    said = exported(recipe, model, tmp_path, name)
    title = FORMATS[name].title
    assert f"error[L803]: output 'y' of the {title} file differs from the model's by up to " in said
    assert f":{line_of(text, 'outputs:')}:" in said
    assert "output 'last'" in said
    assert there.read_text() == "as it was"
    assert [path.name for path in tmp_path.iterdir()] == [
        FORMATS[name].path(tmp_path, "inline").name
    ]


UNMASKED = """
inputs: {x: {shape: [time, 3]}}
layers: {y: {type: lstm, input: x, units: 2}}
outputs: {y: y}
"""


@pytest.mark.slow
def test_a_wrong_mask_is_caught(tmp_path, monkeypatch) -> None:
    """The same weights without the mask: what a mask lost on the way would give."""
    masked = """
    inputs: {x: {shape: [time, 3]}, lengths: {shape: [], dtype: int32}}
    layers: {y: {type: lstm, input: x, units: 2, mask: {lengths: lengths}}}
    outputs: {y: y}
    """
    masked = textwrap.dedent(masked)
    recipe, unmasked = load(masked), load(UNMASKED)
    model, other = recipe.build(), unmasked.build()
    other.set_weights(model.get_weights())

    def without_mask(batch):
        return {"y": other({"x": batch["x"]})["y"].numpy()}

    opened = files.saved_model.open_file
    monkeypatch.setattr(
        files.saved_model,
        "open_file",
        lambda job, path: replace(opened(job, path), run=without_mask),
    )
    exported(recipe, model, tmp_path, "saved_model")


@pytest.mark.parametrize("tolerance", [0.05, 1e-3])
def test_the_tolerance_is_of_the_greatest_value(tolerance: float, tmp_path, monkeypatch) -> None:
    """Weights of a dense layer 1 % off put its output 1 % off, however small that is."""
    recipe = load(
        """
        inputs: {x: {shape: [3]}}
        layers: {y: {type: dense, input: x, units: 2}}
        outputs: {y: y}
        """
    )
    model = recipe.build()
    model.set_weights([w * 1e-5 for w in model.get_weights()])
    copy = recipe.build()
    copy.set_weights([w * 1.01 for w in model.get_weights()])
    monkeypatch.setattr(files, "inference_models", lambda *_: (copy, {}))
    if tolerance > 0.01:
        report = recipe.export(model, tmp_path, format="saved_model", tolerance=tolerance)
        (check,) = report.outputs
        assert check.greatest_difference == pytest.approx(0.01 * check.greatest_value, rel=1e-3)
    else:
        with pytest.raises(lstmgraph.RecipeError, match="L803"):
            recipe.export(model, tmp_path, format="saved_model", tolerance=tolerance)


ONES = np.ones((2, 2), "float32")


@pytest.mark.parametrize(
    ("found", "says"),
    [
        ({"y": ONES}, "output 'last' of the X file is not in the file"),
        ({"y": ONES, "last": ONES[:1]}, "has shape (1, 2), but the model's has (2, 2)"),
        ({"y": ONES, "last": ONES.astype("float64")}, "is float64, but the model's is float32"),
        ({"y": ONES, "last": ONES * np.nan}, "differs from the model's by up to nan"),
        ({"y": ONES, "last": -ONES}, "differs from the model's by up to 2.0e+00"),
        ({"y": ONES, "last": ONES + 2e-4}, "differs from the model's by up to 2.0e-04"),
    ],
)
def test_outputs_are_compared_by_name_shape_dtype_and_number(found, says: str) -> None:
    graph = load(SMALL).compiled.graph
    _, mistakes = compare(graph, [{"y": ONES, "last": ONES}], [found], "X", 1e-4)
    (mistake,) = mistakes
    assert mistake.path == ("outputs", "last")
    assert says in mistake.message


def test_what_is_not_a_number_in_both_is_alike() -> None:
    graph = load(SMALL).compiled.graph
    strange = np.array([[np.nan, np.inf], [1.0, -np.inf]], "float32")
    outputs = {"y": ONES, "last": strange}
    checks, mistakes = compare(graph, [outputs], [outputs], "X", 0.0)
    assert mistakes == []
    assert [(check.greatest_difference, check.greatest_value) for check in checks] == [(0, 1)] * 2


def test_integers_are_compared_exactly() -> None:
    text = """
    inputs: {x: {shape: [3], dtype: int32}}
    layers: {y: {type: identity, input: x}}
    outputs: {y: y}
    """
    graph = load(text).compiled.graph
    many = np.full((2, 2), 10**6)
    _, mistakes = compare(graph, [{"y": many}], [{"y": many + 1}], "X", 1e-4)
    assert "allowed is 0e+00 of its largest value" in mistakes[0].message


@pytest.mark.parametrize(
    ("policy", "tolerance"),
    [("float32", 1e-4), ("float64", 1e-9), ("mixed_float16", 2e-2), ("mixed_bfloat16", 1e-1)],
)
def test_tolerances_are_by_the_coarsest_dtype(policy: str, tolerance: float) -> None:
    text = SMALL + f"runtime: {{dtype_policy: {policy}}}\n"
    assert tolerance_for(load(text).compiled.graph) == tolerance


@pytest.mark.slow
@pytest.mark.parametrize("policy", ["float64", "mixed_float16", "mixed_bfloat16"])
def test_saved_models_hold_other_precisions(policy: str, tmp_path) -> None:
    recipe = load(SMALL + f"runtime: {{dtype_policy: {policy}}}\n")
    model = recipe.build()
    randomise(model)
    report = recipe.export(model, tmp_path, format="saved_model")
    import tensorflow as tf  # noqa: PLC0415 - in this test only

    data = batch_for(model)
    found = tf.saved_model.load(str(report.path)).signatures["serving_default"](**data)
    assert found["last"].dtype == ("float64" if policy == "float64" else "float32")
    digits = {"float64": 1e-12, "mixed_float16": 1e-2, "mixed_bfloat16": 5e-2}[policy]
    for name, wanted in outputs_of(model, data).items():
        limit = digits * np.abs(wanted).max()
        np.testing.assert_allclose(found[name], wanted, rtol=0, atol=limit)


# --- killed midway ---

KILLED = """
import os, signal
import lstmgraph
from lstmgraph.export import files
files.compare = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)
recipe = lstmgraph.load('recipe.yaml')
recipe.export(recipe.build(), 'out', format="saved_model")
"""


def test_killed_before_the_check_ends_it_leaves_no_file_of_the_name(tmp_path) -> None:
    (tmp_path / "recipe.yaml").write_text(with_header(SMALL))
    folder = tmp_path / "out"
    run_program(KILLED, tmp_path, tmp_path, ends=-signal.SIGKILL)
    (left,) = folder.iterdir()
    assert left.name.startswith(".inline.")


# --- a model of another recipe ---


@pytest.mark.parametrize(
    ("other", "says"),
    [
        (
            SMALL.replace("input: x, units: 2", "input: x, units: 4"),
            "'reader' have the shapes (3, 8)",
        ),
        (SMALL.replace("  y:", "  z:").replace("y: y", "y: z"), "the model has no weights for 'y'"),
        (
            SMALL.replace(
                "outputs: {", "  more: {type: dense, input: reader, units: 1}\noutputs: {m: more, "
            ),
            "the model has weights for 'more', which is not a layer of the recipe",
        ),
    ],
)
def test_a_model_of_another_recipe_is_refused(other: str, says: str, tmp_path) -> None:
    with pytest.raises(lstmgraph.RecipeError) as caught:
        load(SMALL).export(build(other), tmp_path, format="saved_model")
    assert {found.code for found in caught.value.diagnostics} == {"L804"}
    assert any(says in found.message for found in caught.value.diagnostics)
    assert not list(tmp_path.iterdir())
