"""`lstmgraph code`: the code builds the same model, whatever is in the recipe's texts."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import pytest
from building import (
    SHIPPED,
    assert_equal_arrays,
    batch_for,
    copy_weights,
    load,
    outputs_of,
    randomise,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import ops, tree
from programs import needs
from typer.testing import CliRunner
from zoo import series, texts

import lstmgraph
from lstmgraph.cli import app
from lstmgraph.interop.code import CodeError, keras_code
from lstmgraph.interop.code.layout import called, laid_out, literal, quoted
from lstmgraph.interop.code.likelihoods import LIKELIHOODS
from lstmgraph.interop.code.names import Names
from lstmgraph.interop.code.recipes import recipe_code
from lstmgraph.interop.code.source_file import Additions, model_source
from lstmgraph.interop.keras_model import Call, KerasModel, Layer, Tensor
from lstmgraph.models.building.forecasting import NegativeLogLikelihood

if TYPE_CHECKING:
    from collections.abc import Callable

RUFF = Path(sys.executable).with_name("ruff")
UNFITTED = {"review-classifier"}
"""Its vocabulary is found in training; `test_a_vocabulary_is_part_of_the_code` has one."""


def run(text: str) -> dict[str, Any]:
    names: dict[str, Any] = {"__name__": "generated"}
    exec(compile(text, "model.py", "exec"), names)
    return names


def config(model: keras.Model) -> Any:
    """Return the configuration; operations, which Keras numbers, by their place."""
    found = json.loads(model.to_json())["config"]
    operations = [each["name"] for each in found["layers"] if ".ops." in each["module"]]
    places = {name: f"operation {place}" for place, name in enumerate(operations)}

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            # A call without a mask and one with `mask=None` are the same.
            return {k: plain(v) for k, v in value.items() if not (k == "mask" and v is None)}
        if isinstance(value, list):
            return [plain(each) for each in value]
        return places.get(value, value) if isinstance(value, str) else value

    return plain(found)


# Keras 3.15 writes weights with a call that NumPy 2 wants spelled otherwise.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def assert_same(found: keras.Model, wanted: keras.Model) -> None:
    assert config(found) == config(wanted)
    randomise(wanted)
    copy_weights(wanted, found)
    batch = batch_for(wanted)
    assert_equal_arrays(outputs_of(found, batch), outputs_of(wanted, batch))


SAMPLE = {
    *("store-forecaster", "stacked-cells", "carried-state", "sentence-matcher"),
    *("stream-anomalies", "conv-lstm", "session-churn"),
}
"""Shipped recipes of every run; with ``LSTMGRAPH_EXAMPLES`` set, all are run."""
CHOSEN = [
    path
    for path in SHIPPED
    if path.stem in SAMPLE or ("LSTMGRAPH_EXAMPLES" in os.environ and path.stem not in UNFITTED)
]


@pytest.fixture(scope="module")
def codes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("codes")


@pytest.mark.parametrize("path", CHOSEN, ids=lambda path: path.stem)
def test_shipped_recipes(path: Path, codes: Path) -> None:
    recipe = lstmgraph.load(path)
    code = recipe.code()
    (codes / f"{path.stem.replace('-', '_')}.py").write_text(code)
    found, wanted = run(code), recipe.build()
    model = found["build_model"]()
    if recipe.compiled.declaration.runtime.seed is not None:
        assert all(map(np.array_equal, model.get_weights(), wanted.get_weights()))
    first = keras_code(model).text
    assert first == keras_code(run(first)["build_model"]()).text
    assert [each.path for each in model.weights] == [each.path for each in wanted.weights]
    assert_same(model, wanted)
    if recipe.compiled.models:
        models = found["build_models"]()
        for name, other in recipe.models().items():
            assert config(models[name]) == config(other)


MIXED = """
inputs: {x: {shape: [2, 4]}, s: {shape: [3]}}
layers:
  frozen: {type: lstm, input: x, units: 3, bidirectional: true, trainable: false}
  attended: {type: additive_attention, input: [x, x]}
  pooled: {type: global_average_pooling1d, input: attended}
  both: {type: concatenate, input: [frozen, pooled, s]}
  forecast: {type: dense, input: both, units: 3, kernel_regularizer: {type: l2, l2: 1e-4}}
  label: {type: dense, input: both, units: 1, activation: sigmoid, dtype_policy: float64}
outputs: {forecast: forecast, label: label}
runtime: {seed: 3}
training:
  optimizer:
    type: adamw
    learning_rate:
      {type: exponential_decay, initial_learning_rate: 1e-2, decay_steps: 9, decay_rate: 0.9}
  loss: {forecast: {type: pinball, quantiles: [0.1, 0.5, 0.9]}, label: binary_crossentropy}
  metrics: {forecast: [crps], label: [auc]}
  callbacks: {early_stopping: {patience: 2}}
  batch_size: 4
  epochs: 1
"""


@pytest.mark.slow
def test_training(codes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Frozen layers, dtypes, losses of lstmgraph's own; and the file trains."""
    recipe = load(MIXED)
    code = recipe_code(recipe.compiled)
    assert [note.code for note in code.notes] == ["M304"]
    (codes / "mixed.py").write_text(code.text)
    found, wanted = run(code.text), recipe.build()
    model = found["build_model"]()
    assert not model.get_layer("frozen").trainable_weights
    assert all(map(np.array_equal, model.get_weights(), wanted.get_weights()))
    random = np.random.default_rng(0)
    x = {"x": random.normal(size=(4, 2, 4)), "s": random.normal(size=(4, 3))}
    y = {"forecast": random.normal(size=4), "label": random.integers(0, 2, 4)}
    for each in (model, wanted):
        each.run_eagerly = True  # tracing would take most of the time
    # Keras numbers the metrics of a process.
    own, other = (
        {re.sub(r"_\d+$", "", key): value for key, value in found.items()}
        for found in (each.evaluate(x, y, verbose=0, return_dict=True) for each in (model, wanted))
    )
    assert own == pytest.approx({key: other[key] for key in own}, rel=1e-6)
    np.savez(tmp_path / "data.npz", **x, **y)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["model.py", "data.npz"])
    found["build_model"] = lambda: model
    found["main"]()
    assert (tmp_path / "inline.keras").is_file()


BY_HAND = [
    series.tree_of_models,
    series.model_on_each_step,
    series.two_backward_sizes,
    texts.siamese_of_models,
    texts.hierarchical_attention,
]


@pytest.mark.parametrize("make", BY_HAND, ids=lambda make: make.__name__)
def test_models_by_hand(make: Callable[[], keras.Model], codes: Path) -> None:
    """Nested and shared models: the same numbers, and the code of the code."""
    wanted = make()
    code = keras_code(wanted).text
    (codes / f"{make.__name__}.py").write_text(code)
    model = run(code)["build_model"]()
    assert code == keras_code(model).text
    model.set_weights(wanted.get_weights())
    random = np.random.default_rng(0)
    inputs = [random.integers(0, 3, (2, *x.shape[1:])).astype(x.dtype) for x in wanted.inputs]
    given_inputs = inputs if len(inputs) > 1 else inputs[0]
    outputs = [tree.flatten(each(given_inputs)) for each in (model, wanted)]
    for own, other in zip(*outputs, strict=True):
        np.testing.assert_array_equal(own, other)


@needs("ruff", RUFF.exists(), "install the extra dev")
def test_formatters_change_nothing(codes: Path) -> None:
    """Of what the tests before have written, and of some recipes in any case."""
    for path in SHIPPED:
        if path.stem in {"encoder-decoder", "speaker-classifier", "store-forecaster"}:
            (codes / f"{path.stem}.py").write_text(lstmgraph.load(path).code())
    for command in (["format", "--check"], ["check"]):
        done = subprocess.run(
            [RUFF, *command, "--isolated", codes], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout


HOSTILE = [
    'x"""\nimport os\nos.abort()\n"""',
    "x'); import os; os.abort(); ('",
    "\\",
    "a\u2028b\rc\nimport os",
    "class",
    "print",
    "keras",
    "1st",
    "",
    "naïve ﬁ",
]


def test_names_are_data() -> None:
    """Whatever names and texts are, the code has no other statements and parses."""
    layers = {
        name: Layer(name, "InputLayer", {"batch_shape": [None, 3], "dtype": "float32"})
        for name in HOSTILE
    }
    tensors = {name: Tensor(name) for name in HOSTILE}
    model = KerasModel(HOSTILE[0], layers, (), tensors, tensors)
    for description in HOSTILE:
        text = model_source(model, Additions(title=description, description=description))
        tree = ast.parse(text)
        kinds = [type(node).__name__ for node in tree.body]
        assert kinds == ["Expr", "Import", "FunctionDef"]
        assert all(type(n) in (ast.Expr, ast.Assign, ast.Return) for n in tree.body[-1].body)
        given_names = [
            keyword.value.value
            for node in ast.walk(tree)
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "keras.Input"
            for keyword in node.keywords
            if keyword.arg == "name" and isinstance(keyword.value, ast.Constant)
        ]
        assert given_names == HOSTILE


@pytest.mark.slow
@given(st.lists(st.text(), max_size=4))
@settings(max_examples=40, deadline=None)
def test_texts_are_literals(texts: list[str]) -> None:
    line = "\n".join(laid_out(called("f", [("", literal(texts))]), "x = "))
    tree = ast.parse(line)
    assert ast.literal_eval(tree.body[0].value.args[0]) == texts
    assert all(ast.literal_eval(quoted(text)) == text for text in texts)
    names = Names()
    given_names = [names.new(text) for text in texts]
    assert len(set(given_names)) == len(texts)
    assert all(name.isidentifier() and name.isascii() for name in given_names)


def test_what_is_not_keras_is_refused() -> None:
    one = Tensor("x")
    inputs = {"x": Layer("x", "InputLayer", {"batch_shape": [None, 3]})}
    for layer, code in (
        (Layer("l", "Lambda", {}), "M302"),
        (Layer("l", "deserialize", {}), "M302"),
        (Layer("l", "__class__", {}), "M302"),
        (Layer("l", "Nothing", {}, is_operation=True), "M301"),
        (Layer("l", "Add", {"nothing": 1}, is_operation=True), "M301"),
    ):
        calls = (Call("l", 0, (one,)),)
        model = KerasModel("m", {**inputs, "l": layer}, calls, one, Tensor("l"))
        with pytest.raises(CodeError, match=code):
            model_source(model)


@keras.saving.register_keras_serializable("mine")
class MeanSquaredError(keras.losses.MeanSquaredError):
    """Of the same name as one of Keras's."""


@keras.saving.register_keras_serializable("mine")
class Distance(keras.metrics.MeanAbsoluteError):
    pass


@keras.saving.register_keras_serializable("mine")
class Slow(keras.optimizers.SGD):
    pass


@keras.saving.register_keras_serializable("mine")
class Constant(keras.optimizers.schedules.LearningRateSchedule):
    def __call__(self, step: object) -> float:  # noqa: ARG002 - the signature is Keras's
        return 0.1

    def get_config(self) -> dict[str, object]:
        return {}


@keras.saving.register_keras_serializable("mine")
def weighted(y_true: object, y_pred: object) -> object:
    return keras.losses.mean_squared_error(y_true, y_pred) * 2


def unregistered(y_true: object, y_pred: object) -> object:
    return weighted(y_true, y_pred)


NOT_COMPILED: dict[str, dict[str, Any]] = {
    "a registered function": {"loss": weighted},
    "a function": {"loss": unregistered},
    "a class with the name of one of Keras's": {"loss": MeanSquaredError()},
    "in a list": {"loss": ["mse", weighted]},
    "in a mapping": {"loss": {"a": "mae", "b": weighted}},
    "an optimizer": {"loss": "mse", "optimizer": Slow},
    "a schedule": {"loss": "mse", "optimizer": lambda: keras.optimizers.SGD(Constant())},
    "a function of the step": {"loss": "mse", "optimizer": lambda: keras.optimizers.SGD(rate)},
}
KEPT_METRICS: dict[str, tuple[Any, Any]] = {
    "the only one": ([["mae"], [weighted]], [["mae"], []]),
    "beside another": ([[weighted, "acc"], ["mse"]], [["acc"], ["mse"]]),
    "a class": ({"a": [Distance()], "b": ["mae"]}, {"b": ["mae"]}),
    "in a wrapper": ([[keras.metrics.MeanMetricWrapper(unregistered)], ["mse"]], [[], ["mse"]]),
    "none is left": ([[weighted], [unregistered]], None),
}


def rate() -> float:
    return 0.1


def two_outputs() -> keras.Model:
    x = keras.Input((3,), name="x")
    return keras.Model(x, [keras.layers.Dense(1, name=name)(x) for name in "ab"], name="two")


def as_source(model: keras.Model, form: str, folder: Path) -> Any:
    if form == "live":
        return model
    path = folder / f"model.{form}"
    path.write_text(model.to_json()) if form == "json" else model.save(path)
    return path


@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")
@pytest.mark.parametrize("form", ["live", "keras", "json"])
@pytest.mark.parametrize("case", NOT_COMPILED)
def test_what_keras_does_not_have_is_not_compiled_with(
    case: str, form: str, tmp_path: Path
) -> None:
    """It is said, in the notes and in the file; the model is built all the same."""
    options = dict(NOT_COMPILED[case])
    model = two_outputs()
    model.compile(optimizer=options.pop("optimizer", lambda: "sgd")(), **options)
    code = keras_code(as_source(model, form, tmp_path))
    assert [note.code for note in code.notes] == ["M303"]
    assert "no compilation: " in code.text.partition("import")[0]
    assert config(run(code.text)["build_model"]()) == config(two_outputs())
    assert "compile(" not in code.text


@pytest.mark.parametrize("form", ["live", "keras", "json"])
@pytest.mark.parametrize("case", KEPT_METRICS)
def test_metrics_that_keras_does_not_have_are_left_out(
    case: str, form: str, tmp_path: Path
) -> None:
    """The others stay, each with its output."""
    metrics, kept = KEPT_METRICS[case]
    model = two_outputs()
    model.compile("sgd", "mse", metrics=metrics)
    code = keras_code(as_source(model, form, tmp_path))
    assert {note.code for note in code.notes} == {"M304"}
    assert "left out" in code.text.partition("import")[0]
    made = run(code.text)["build_model"]()
    assert made.get_compile_config()["metrics"] == kept
    made.evaluate(np.ones((2, 3)), [np.ones((2, 1))] * 2, verbose=0)


@pytest.mark.parametrize("form", ["live", "keras", "json"])
def test_layers_inside_layers_keep_their_names(form: str, tmp_path: Path) -> None:
    """The paths of weights are those of the original: other programs find them by path."""
    layers = keras.layers
    x = keras.Input((None, 3), name="x")
    cells = [layers.LSTMCell(2, name="low"), layers.GRUCell(3, name="high")]
    y = layers.Bidirectional(layers.LSTM(2, return_sequences=True, name="inner"), name="outer")(x)
    y = layers.RNN(layers.StackedRNNCells(cells), return_sequences=True, name="stack")(y)
    back = layers.LSTM(2, return_sequences=True, go_backwards=True, name="from_the_end")
    front = layers.LSTM(2, return_sequences=True)
    y = layers.Bidirectional(front, backward_layer=back, name="both")(y)
    y = layers.SpectralNormalization(layers.Dense(2), name="bounded")(y)
    y = layers.TimeDistributed(layers.Dense(1, name="head"), name="each")(y)
    wanted = keras.Model(x, y)
    made = run(keras_code(as_source(wanted, form, tmp_path)).text)["build_model"]()
    assert [w.path for w in made.weights] == [w.path for w in wanted.weights]


def test_a_function_named_as_one_of_kerass_is_told_apart_in_a_live_model() -> None:
    def mean_squared_error(y_true: object, y_pred: object) -> object:
        return weighted(y_true, y_pred)

    model = two_outputs()
    model.compile("sgd", mean_squared_error)
    assert [note.code for note in keras_code(model).notes] == ["M303"]
    model.compile("sgd", keras.losses.mean_squared_error)
    assert not keras_code(model).notes


def test_the_command(tmp_path: Path) -> None:
    path = next(p for p in SHIPPED if p.stem == "speaker-classifier")
    runner, target = CliRunner(), tmp_path / "model.py"
    printed = runner.invoke(app, ["code", str(path)])
    written = runner.invoke(app, ["code", str(path), "-o", str(target)])
    assert printed.exit_code == written.exit_code == 0
    assert printed.stdout == target.read_text() == lstmgraph.load(path).code()
    again = runner.invoke(app, ["code", str(path), "-o", str(target)])
    assert again.exit_code == 2
    assert runner.invoke(app, ["code", str(path), "-o", str(tmp_path / "model.txt")]).exit_code == 2
    model = run(target.read_text())["build_model"]()
    config_file = tmp_path / "config.json"
    config_file.write_text(model.to_json())
    of_config = runner.invoke(app, ["code", str(config_file), "--format", "json"])
    assert of_config.exit_code == 0, of_config.output
    assert config(run(json.loads(of_config.stdout)["code"])["build_model"]()) == config(model)


def test_the_page_shows_the_code() -> None:
    page = (Path(__file__).parent.parent / "docs" / "code.md").read_text()
    recipe = re.search(r"```yaml\n(.*?)```", page, re.S)
    code = re.search(r"```text\n(.*?)```", page, re.S)
    assert recipe
    assert code
    assert code[1] in lstmgraph.load(recipe[1]).code()


LIKELIHOOD_CASES = {
    "normal": [[0.5, 1e-3], [3.0, 40.0]],
    "student_t": [[0.5, 1e-2, 2.1], [3.0, 40.0, 5000.0]],
    "negative_binomial": [[0.1, 1e-5], [9e4, 2.0]],
    "poisson": [[1e-3], [1e5]],
}


@pytest.mark.parametrize("name", LIKELIHOODS)
def test_likelihoods(name: str) -> None:
    """The functions of the file are lstmgraph's losses, for small numbers and large ones."""
    names: dict[str, Any] = {"np": np, "ops": ops}
    for text in LIKELIHOODS[name]:
        exec(text, names)
    forecasts = np.array(LIKELIHOOD_CASES[name], "float32")[:, None]
    forecasts = np.repeat(forecasts, 5, axis=1)
    targets = np.array([[0, 1, 2, 17, 90_000]] * 2, "float32")
    found = names[f"{name}_likelihood"](targets, ops.convert_to_tensor(forecasts))
    wanted = NegativeLogLikelihood(name).call(targets, forecasts)
    np.testing.assert_allclose(found, wanted, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", LIKELIHOODS)
def test_a_likelihood_is_compiled(name: str, codes: Path) -> None:
    numbers = len(LIKELIHOOD_CASES[name][0])
    recipe = load(
        f"""
inputs: {{x: {{shape: [2, 4]}}}}
layers: {{flat: {{type: flatten, input: x}}, y: {{type: dense, input: flat, units: {numbers}}}}}
outputs: {{y: y}}
training: {{loss: {{type: negative_log_likelihood, distribution: {name}}}, epochs: 1}}
"""
    )
    code = recipe_code(recipe.compiled)
    assert code.notes == ()
    (codes / f"{name}.py").write_text(code.text)
    assert f"{name}_likelihood" in code.text
    assert run(code.text)["build_model"]().compiled


@pytest.mark.slow
def test_the_mask_of_masking_is_there_once() -> None:
    recipe = load(
        """
inputs: {x: {shape: [time, 3]}}
layers:
  masking: {type: masking, input: x, mask_value: 2.0}
  lstm: {type: lstm, input: masking, units: 4, bidirectional: true, return_sequences: true}
  other: {type: gru, input: lstm, units: 4}
outputs: {other: other}
"""
    )
    code = recipe.code()
    assert "mask=" not in code
    assert "ops" not in code
    model, wanted = run(code)["build_model"](), recipe.build()
    copy_weights(wanted, model)
    x = np.random.default_rng(0).normal(size=(3, 5, 3)).astype("float32")
    x[0, 3:], x[1, 1] = 2.0, 2.0
    assert_equal_arrays(outputs_of(model, {"x": x}), outputs_of(wanted, {"x": x}))
    x[:, 3] = 2.0
    assert not np.array_equal(
        outputs_of(model, {"x": x + 1})["other"], outputs_of(model, {"x": x})["other"]
    )


@pytest.mark.parametrize("command", ["audit", "code", "import"])
def test_exit_codes_of_model_files(command: str, tmp_path: Path) -> None:
    """2 where there is no file to read, as for recipes; 1 where it is no model."""
    more = ["-o", str(tmp_path / "r.yaml")] if command == "import" else []
    for name, content, code in (
        ("none.keras", None, 2),
        ("none.h5", None, 2),
        ("damaged.keras", b"PK damaged", 1),
        ("text.h5", b"no model", 1),
        ("empty.keras", b"", 1),
    ):
        path = tmp_path / name
        if content is not None:
            path.write_bytes(content)
        for form in ("text", "json"):
            done = CliRunner().invoke(app, [command, str(path), *more, "--format", form])
            assert done.exit_code == code, (name, done.output)
            if form == "json":
                assert json.loads(done.stdout)["ok"] is False
