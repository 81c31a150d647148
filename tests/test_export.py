"""Shipped recipes of every kind, in every format: written, loaded without lstmgraph, compared.

The inputs here are not those of the check that every export makes; the numbers come from the model
in this process.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from itertools import product
from typing import TYPE_CHECKING

import keras
import numpy as np
import pytest
from building import (
    FEWER_STEPS,
    SHIPPED,
    Arrays,
    batch_for,
    build,
    load,
    outputs_of,
    randomise,
    weights_by_layer,
)

import lstmgraph
from lstmgraph.export import FORMATS, ExportOptions, ExportReport, files
from lstmgraph.export.files import export_files
from lstmgraph.models import carried

if TYPE_CHECKING:
    from pathlib import Path

    from started import Started

# Keras 3.15 writes weights with a call that NumPy 2 wants spelled otherwise.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

CHECKED = ("keras", "saved_model", "litert")
"""ONNX has tests of its own, against onnxruntime."""
ENDINGS = {"keras": ".keras", "saved_model": ".saved_model", "litert": ".tflite"}
ALIKE = {
    *("character-writer", "dynamic-rnn", "feedback-forecaster", "next-frame", "number-words"),
    *("placeholder-states", "speaker-classifier", "speaker-classifier-search"),
    *("stream-anomalies", "unrolled", "carried-state", "residual-stack", "sentence-matcher"),
}
"""Recipes of the same kinds of calls as others: three conversions of each take their time.

Loops are in ``number-words-attention``, dropout in ``store-forecaster``, carried states below.
"""
OPEN_SEGMENTS = {"character-tagger", "document-classifier", "session-churn"}
"""What LiteRT cannot hold; tests/test_hierarchies.py exports one with a fixed number."""
WITH_EXAMPLES = set() if "LSTMGRAPH_EXAMPLES" in os.environ else {"encoder-decoder"}
"""Masks of words and layers in both directions are in ``number-words-attention`` too."""
EXPORTED = [path for path in SHIPPED if path.stem not in ALIKE | OPEN_SEGMENTS | WITH_EXAMPLES]
NAMES = tuple(path.stem for path in EXPORTED)
CLOSE = 1e-5
"""Seen: 3e-6 at most, in parts of an output's greatest value."""

BLOCK_LSTMGRAPH = """
import json
import sys
from pathlib import Path

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in BLOCKED:
            raise ImportError(name)

sys.meta_path.insert(0, Blocker())
import numpy as np

def inputs_of(path):
    with np.load(path.with_suffix(".npz")) as arrays:
        return dict(arrays)

def write_shapes(path, shapes):
    path.write_text(json.dumps({name: list(shape) for name, shape in shapes.items()}))

folder = Path(sys.argv[1])
"""
LOADERS = {
    "keras": """BLOCKED = {"lstmgraph"}"""
    + BLOCK_LSTMGRAPH
    + """
import keras
import tensorflow as tf
for path in folder.glob("*.keras"):
    model = keras.models.load_model(path)
    write_shapes(
        path.with_suffix(".keras.json"), {name: x.shape for name, x in model.input.items()}
    )
    outputs = model(inputs_of(path))
    outputs = {name: keras.ops.convert_to_numpy(y) for name, y in outputs.items()}
    np.savez(path.with_suffix(".keras.npz"), **outputs)
for path in folder.glob("*.saved_model"):
    loaded = tf.saved_model.load(str(path))
    _, specs = loaded.signatures["serving_default"].structured_input_signature
    shapes = {name: spec.shape.as_list() for name, spec in specs.items()}
    write_shapes(path.with_suffix(".saved_model.json"), shapes)
    given = {name: tf.constant(array) for name, array in inputs_of(path).items()}
    outputs = loaded.signatures["serving_default"](**given)
    np.savez(path.with_suffix(".saved_model.npz"), **{n: y.numpy() for n, y in outputs.items()})
""",
    "litert": """BLOCKED = {"lstmgraph", "keras", "tensorflow"}"""
    + BLOCK_LSTMGRAPH
    + """
from ai_edge_litert.interpreter import Interpreter
for path in folder.glob("*.tflite"):
    run = Interpreter(model_path=str(path)).get_signature_runner()
    shapes = {
        name: [None if size == -1 else int(size) for size in each["shape_signature"]]
        for name, each in run.get_input_details().items()
    }
    write_shapes(path.with_suffix(".litert.json"), shapes)
    given = inputs_of(path)
    axis = {name: int(name == "by_time") for name in given}
    rows = range(len(next(array for name, array in given.items() if not axis[name])))
    one_by_one = [
        run(**{name: np.take(array, [row], axis[name]) for name, array in given.items()})
        for row in rows
    ]
    names = one_by_one[0]
    outputs = {name: np.concatenate([one[name] for one in one_by_one]) for name in names}
    np.savez(path.with_suffix(".litert.npz"), **outputs)
""",
}


@pytest.fixture(scope="module")
def exported(tmp_path_factory) -> tuple[Path, dict[str, Arrays], dict[str, list[ExportReport]]]:
    """A folder with all the files, the model's outputs for other data, and the reports."""
    folder = tmp_path_factory.mktemp("exported")
    outputs, reports = {}, {}
    for path in EXPORTED:
        recipe = lstmgraph.load(path, overrides=FEWER_STEPS.get(path.stem, ()))
        model = recipe.build()
        randomise(model)
        before = weights_by_layer(model)
        targets = {name: FORMATS[name].path(folder, recipe.name) for name in CHECKED}
        reports[path.stem] = export_files(recipe.compiled, model, targets, ExportOptions())
        data = batch_for(model, seed=3)
        np.savez(folder / f"{path.stem}.npz", **data)
        outputs[path.stem] = outputs_of(model, data)
        assert str(before) == str(weights_by_layer(model))
    return folder, outputs, reports


@pytest.fixture(scope="module")
def loaded_elsewhere(exported, keras_alone: Started) -> dict[str, dict[str, Arrays]]:
    """What the files of each format give in processes that have nothing of lstmgraph."""
    folder = exported[0]
    command = [sys.executable, "-I", "-c", LOADERS["litert"], str(folder)]
    for result in (
        subprocess.run(command, capture_output=True, text=True, check=False),
        keras_alone.run(LOADERS["keras"], str(folder)),
    ):
        assert result.returncode == 0, result.stderr
    found: dict[str, dict[str, Arrays]] = {format_name: {} for format_name in CHECKED}
    for format_name, name in product(CHECKED, NAMES):
        with np.load(folder / f"{name}.{format_name}.npz") as arrays:
            found[format_name][name] = dict(arrays)
    return found


def assert_close(found: Arrays, wanted: Arrays) -> None:
    assert found.keys() == wanted.keys()
    for name, array in wanted.items():
        assert found[name].dtype == array.dtype
        limit = CLOSE * np.nanmax(np.abs(array))  # NaN is the mean of no steps
        np.testing.assert_allclose(found[name], array, rtol=0, atol=limit, err_msg=name)


@pytest.mark.slow
@pytest.mark.parametrize("format_name", CHECKED)
def test_files_compute_what_the_model_does(format_name: str, loaded_elsewhere, exported) -> None:
    for name in NAMES:
        assert_close(loaded_elsewhere[format_name][name], exported[1][name])


@pytest.mark.slow
@pytest.mark.usefixtures("loaded_elsewhere")
@pytest.mark.parametrize("name", NAMES)
def test_reports_say_what_is_in_the_files(name: str, exported) -> None:
    """The shapes of a file's inputs are as its runtime reads them; None where any size is taken."""
    folder, outputs, reports = exported
    for report, format_name in zip(reports[name], CHECKED, strict=True):
        assert report.path == folder / f"{name}{ENDINGS[format_name]}"
        given = {tensor.name: tensor.shape for tensor in report.inputs}
        read = json.loads((folder / f"{name}.{format_name}.json").read_text("utf-8"))
        assert read == {
            tensor: [None if isinstance(size, str) else size for size in shape]
            for tensor, shape in given.items()
        }
        assert {each.name: each.dtype for each in report.outputs} == {
            output: str(array.dtype) for output, array in outputs[name].items()
        }
        for each in report.outputs:  # random inputs of another seed: of the same magnitude
            seen = np.nanmax(np.abs(outputs[name][each.name]))
            assert seen / 10 < each.greatest_value < seen * 10
        assert report.tolerance == 1e-4
        assert report.batches == 3


@pytest.mark.slow
def test_nothing_else_is_left(exported) -> None:
    folder = exported[0]
    of_tests = {".npz", ".json"}
    suffixes = {FORMATS[name].suffix for name in CHECKED}
    assert {path.suffix for path in folder.iterdir()} - of_tests == suffixes
    assert not [path for path in folder.iterdir() if path.name.startswith(".")]


@pytest.mark.slow
def test_litert_files_hold_no_operators_of_tensorflow(exported) -> None:
    for reports in exported[2].values():
        litert = next(report for report in reports if report.format == "litert")
        assert "CUSTOM" not in litert.operators
        assert "FULLY_CONNECTED" in litert.operators


# --- saved_model: names, open sizes, states, GPUs ---


def signature(path: Path, name: str = "serving_default"):
    import tensorflow as tf  # noqa: PLC0415 - in this part only

    return tf.saved_model.load(str(path)).signatures[name]


@pytest.mark.slow
def test_saved_models_leave_batch_and_time_open(exported) -> None:
    """One file takes rows and steps of any number; time-major data keeps its axes."""
    found = {}
    for name in ("store-forecaster", "time-major"):
        _, tensors = signature(exported[0] / f"{name}.saved_model").structured_input_signature
        found |= {key: spec.shape.as_list() for key, spec in tensors.items()}
    assert found == {
        "history": [None, None, 8],
        "lengths": [None],
        "store": [None, 16],
        "known": [None, 24, 3],
        "by_time": [None, None, 12],
    }


@pytest.mark.slow
def test_inference_draws_no_random_numbers(exported) -> None:
    """The recipe has dropout, whose seed Keras would draw and keep in a variable, call by call."""
    for report in exported[2]["store-forecaster"]:
        assert not {"AssignVariableOp", "ASSIGN_VARIABLE"} & set(report.operators)


CARRIED = """
inputs: {x: {shape: [time, 3]}}
layers: {reader: {type: lstm, input: x, units: 2, initial_state: carried}}
outputs: {y: reader}
runtime: {batch_size: 5}
"""


@pytest.fixture(scope="module")
def with_carried_states(tmp_path_factory) -> tuple[keras.Model, Arrays, Path]:
    """A model in the middle of its series, the data, and the folder of its exports."""
    folder = tmp_path_factory.mktemp("carried")
    model = build(CARRIED)
    data = batch_for(model)
    model(dict(data))
    states = carried.read_states(model)
    recipe = load(CARRIED)
    targets = {name: FORMATS[name].path(folder, "carried") for name in ("saved_model", "litert")}
    export_files(recipe.compiled, model, targets, ExportOptions())
    np.testing.assert_equal(carried.read_states(model), states)
    return model, data, folder


@pytest.mark.slow
def test_saved_models_carry_states_and_reset_them(with_carried_states) -> None:
    import tensorflow as tf  # noqa: PLC0415 - in this part only

    model, data, folder = with_carried_states
    carried.reset_states(model)
    first, second = (outputs_of(model, data)["y"] for _ in range(2))
    loaded = tf.saved_model.load(str(folder / "carried.saved_model")).signatures
    run = [loaded["serving_default"](**data)["y"] for _ in range(2)]
    np.testing.assert_allclose(run, [first, second], rtol=1e-5)
    assert np.abs(first - second).max() > 1e-3
    loaded["reset_states"]()
    np.testing.assert_allclose(loaded["serving_default"](**data)["y"], first, rtol=1e-5)


@pytest.mark.slow
def test_litert_files_carry_states_and_begin_from_zeros(with_carried_states) -> None:
    from ai_edge_litert.interpreter import Interpreter  # noqa: PLC0415 - in this part only

    model, data, folder = with_carried_states
    carried.reset_states(model)
    wanted = [outputs_of(model, data)["y"] for _ in range(2)]
    for _ in range(2):  # each interpreter anew
        run = Interpreter(model_path=str(folder / "carried.tflite")).get_signature_runner()
        np.testing.assert_allclose([run(**data)["y"] for _ in range(2)], wanted, rtol=1e-4)


FOR_CUDNN = """
inputs: {x: {shape: [time, 3]}}
layers:
  both: {type: lstm, input: x, units: 2, bidirectional: true}
  reader: {type: gru, input: both.sequence, units: 2}
outputs: {y: reader}
"""


@pytest.mark.slow
@pytest.mark.parametrize(("kernel", "needs_a_gpu"), [("standard", False), ("auto", True)])
def test_traced_beside_a_gpu_it_runs_without_one(
    kernel, needs_a_gpu, tmp_path, monkeypatch
) -> None:
    """Keras asks TensorFlow for GPUs; here TensorFlow answers that there is one.

    cuDNN's operation can then be traced, but not run: so only the writing is tested.
    """
    import tensorflow as tf  # noqa: PLC0415 - in this part only

    from lstmgraph.export import saved_model  # noqa: PLC0415 - imports TensorFlow
    from lstmgraph.export.inference import inference_models  # noqa: PLC0415 - imports Keras
    from lstmgraph.export.job import ExportJob  # noqa: PLC0415 - beside it

    recipe = load(FOR_CUDNN)
    model = recipe.build()
    copy, _ = inference_models(recipe.compiled, {}, model, kernel)
    job = ExportJob(recipe.compiled, model, copy, ExportOptions(kernel=kernel))
    monkeypatch.setattr(tf.config, "list_logical_devices", lambda kind: [kind])
    saved_model.write([job], tmp_path / "m.saved_model")
    monkeypatch.undo()
    ops = saved_model.operators(signature(tmp_path / "m.saved_model"))
    assert any("Cudnn" in op for op in ops) == needs_a_gpu


@pytest.mark.slow
def test_cudnn_is_kept_in_saved_models_only(tmp_path, monkeypatch) -> None:
    built = []
    make = files.inference_models

    def noted(compiled, graphs, model, kernel):
        built.append(kernel)
        return make(compiled, graphs, model, kernel)

    monkeypatch.setattr(files, "inference_models", noted)
    recipe = load(FOR_CUDNN)
    targets = {name: FORMATS[name].path(tmp_path, "m") for name in ("saved_model", "litert")}
    export_files(recipe.compiled, recipe.build(), targets, ExportOptions(kernel="auto"))
    assert built == ["auto", "standard"]


# --- litert: rows ---


@pytest.mark.slow
def test_litert_files_can_be_for_more_rows(tmp_path) -> None:
    recipe = lstmgraph.load(next(path for path in SHIPPED if path.stem == "dynamic-rnn"))
    model = recipe.build()
    report = recipe.export(model, tmp_path, format="litert", batch_size=5)
    assert [tensor.shape[0] for tensor in report.inputs] == [5, 5]
    from ai_edge_litert.interpreter import Interpreter  # noqa: PLC0415 - in this part only

    run = Interpreter(model_path=str(report.path)).get_signature_runner()
    data = batch_for(model)
    assert_close(run(**data), outputs_of(model, data))


# --- from Python ---


SMALL = """
inputs: {x: {shape: [time, 3]}}
layers: {reader: {type: lstm, input: x, units: 2}}
outputs: {y: reader}
training: {loss: mse}
"""


@pytest.mark.parametrize("target", ["new/folder", "new/other.keras"])
def test_targets_are_folders_or_files(target: str, tmp_path) -> None:
    recipe = load(SMALL, "small")
    report = recipe.export(recipe.build(), tmp_path / target, format="keras")
    wanted = target if target.endswith(".keras") else f"{target}/small.keras"
    assert report.path == tmp_path / wanted
    assert isinstance(keras.models.load_model(report.path).optimizer, keras.optimizers.Adam)


@pytest.mark.slow
def test_what_is_there_is_replaced(tmp_path) -> None:
    recipe = load(SMALL, "small")
    folder = tmp_path / "small.saved_model"
    (folder / "assets").mkdir(parents=True)
    (folder / "assets" / "old").write_text("old")
    (tmp_path / "small.keras").write_text("old")
    recipe.export(recipe.build(), tmp_path, format="saved_model")
    recipe.export(recipe.build(), tmp_path, format="keras")
    assert not (folder / "assets" / "old").exists()
    assert {path.name for path in tmp_path.iterdir()} == {"small.saved_model", "small.keras"}
    keras.models.load_model(tmp_path / "small.keras")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"format": "onyx"},
            "there is no format onyx; choose one of: keras, saved_model, onnx, litert",
        ),
        ({"kernel": "cudnn"}, "standard or auto, not cudnn"),
        ({"batch_size": 0}, "batch size must be at least 1, not 0"),
        ({"tolerance": 1.0}, "less than 1, not 1.0"),
        ({"tolerance": float("nan")}, "less than 1, not nan"),
    ],
)
def test_wrong_arguments_are_errors(options, message: str, tmp_path) -> None:
    recipe = load(SMALL)
    with pytest.raises(ValueError, match=message):
        recipe.export(recipe.build(), tmp_path, **{"format": "keras", **options})


def test_another_batch_size_than_the_recipe_s_is_an_error(tmp_path) -> None:
    with pytest.raises(ValueError, match="batch_size is 5, not 3"):
        load(CARRIED).export(build(CARRIED), tmp_path, format="litert", batch_size=3)
