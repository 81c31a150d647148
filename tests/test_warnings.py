"""Warnings: what is legal but probably unintended is reported once, at its place, with a fix.

The files under recipes/warnings list in their first lines the warnings they must get:
``# expect: CODE LINE:COLUMN FRAGMENT``.
"""

import json
import re
from pathlib import Path

import pytest
from building import SHIPPED
from test_docs import FRAGMENTS, WHOLE_RECIPES, completed_fragment
from typer.testing import CliRunner

import lstmgraph
from lstmgraph.cli import app
from lstmgraph.compiler.lint import CODES, RULES
from lstmgraph.messages.diagnostics import Diagnostic

TESTS = Path(__file__).parent
PACKAGE = TESTS.parent / "lstmgraph"
EXAMPLES = sorted((TESTS / "recipes" / "warnings").glob("*.yaml"))
EXPECTATION = re.compile(r"^# expect: (?P<code>W\d{3}) (?P<place>\d+:\d+) (?P<fragment>.+)$", re.M)

OF_THE_TEXT = {"W101", "W102"}
"""Of comments and variables, which resolved recipes have none of, or others."""


def expectations(path: Path) -> list[re.Match[str]]:
    return list(EXPECTATION.finditer(path.read_text("utf-8")))


def place(diagnostic: Diagnostic) -> str:
    return f"{diagnostic.place.span.line}:{diagnostic.place.span.column}"


def codes(text: str, **overrides: object) -> list[str]:
    return [found.code for found in lstmgraph.load(text, overrides=overrides).warnings]


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_tells_exactly_what_is_doubtful(path: Path) -> None:
    expected = expectations(path)
    found = lstmgraph.load(path).warnings
    assert [(d.code, place(d)) for d in found] == [(e["code"], e["place"]) for e in expected]
    for diagnostic, wanted in zip(found, expected, strict=True):
        assert wanted["fragment"] in diagnostic.message
        assert diagnostic.severity == "warning"
        assert diagnostic.hint
        assert "\n" not in f"{diagnostic.message}{diagnostic.hint}"
        assert diagnostic.place.source == str(path)


FOUND_WHEN_TRAINING = {"W764"}
"""Warnings that depend on more than the recipe, which no comment can silence."""


def test_every_code_is_expected_somewhere() -> None:
    written = {
        code
        for path in PACKAGE.rglob("*.py")
        if path.name != "codes.py"
        for code in re.findall(r'"(W\d{3})"', path.read_text("utf-8"))
    }
    written -= FOUND_WHEN_TRAINING
    assert written == set(CODES)
    assert {match["code"] for path in EXAMPLES for match in expectations(path)} == written
    assert sorted(CODES) == list(CODES)


# The hint of each file, applied.
MENDS = {
    "accuracy-of-distances": ("[accuracy]", "[mae]"),
    "accuracy-with-arguments": ("type: accuracy", "type: binary_accuracy"),
    "accuracy-of-logits": ("[accuracy, auc, ", "["),
    "auc-of-any-number": ("units: 9}", "units: 9, activation: sigmoid}"),
    "divergence-of-any-number": ("units: 9}", "units: 9, activation: softmax}"),
    "metric-of-logits-under-probabilities": (", from_logits: true", ""),
    "autoencoder-of-padding": ("input: code,", "input: code, mask: {from: encoder},"),
    "batch-of-one": ("type: batch_normalization", "type: layer_normalization"),
    "binary-metric-of-classes": ("[binary_accuracy]", "[accuracy]"),
    "classes-by-sigmoid": ("activation: sigmoid", "activation: softmax"),
    "comment-without-a-use": ("  # lstmgraph: ignore[W701] we train on CPUs", ""),
    "dropout-of-an-output": ("outputs: {speaker: speaker}", "outputs: {speaker: score}"),
    "dropout-of-most": ("0.9", "0.1"),
    "dropout-of-most-in-a-cell": ("0.8", "0.2"),
    "gates-of-tanh": (", recurrent_activation: tanh", ""),
    "half-output": (", dtype_policy: mixed_bfloat16", ""),
    "half-softmax": (", dtype_policy: mixed_float16", ""),
    "ids-of-a-byte": ("dtype: uint8", "dtype: int32"),
    "logits-under-probabilities": ("units: 9}", "units: 9, activation: softmax}"),
    "mask-by-a-changed-value": (
        "scaled: {type: layer_normalization, input: frames}\n  voice: {type: lstm, input: scaled, "
        "units: 8, mask: {value: 0.0}}",
        "masked: {type: masking, input: frames}\n  scaled: {type: layer_normalization, input: "
        "masked}\n  voice: {type: lstm, input: scaled, units: 8}",
    ),
    "mask-dropped-before-the-loss": (
        "type: conv1d, input: voice.sequence, filters: 4, kernel_size: 1, mask: none",
        "type: dense, input: voice.sequence, units: 4",
    ),
    "weights-that-a-metric-ignores": ("metrics: [mae]", "weighted_metrics: [mae]"),
    "mask-forgotten": ("type: gru, input: frames", "type: gru, input: frames, mask: {from: voice}"),
    "no-bias": (", use_bias: false", ""),
    "only-the-mask-is-read": ("{from: masked}", "{value: 0.0}"),
    "padded-on-the-left": ("padding: left", "padding: right"),
    "patience-longer-than-training": ("patience: 20", "patience: 3"),
    "recurrent-dropout": ("    recurrent_dropout: 0.2\n", ""),
    "relu-in-a-cell": (", activation: relu", ""),
    "relu-recurrence": (", activation: relu", ""),
    "relu-under-probabilities": ("activation: relu", "activation: sigmoid"),
    "reverse-beside-forward": ("go_backwards: true", "bidirectional: true"),
    "sigmoid-layer-under-logits": (", from_logits: true", ""),
    "softmax-of-one": ("activation: softmax", "activation: sigmoid"),
    "softmax-under-logits": (", from_logits: true", ""),
    "steps-in-reverse": ("go_backwards: true", "bidirectional: true"),
    "unrolled-far": (", unroll: true", ""),
    "unrolled-far-by-kernel": ("kernel: unrolled", "kernel: auto"),
    "unused-variable": (", width: 8", ""),
    "unused-chain": ("outputs: {voice: voice}", "outputs: {voice: voice, gender: gender}"),
    "unused-input": ("  age: {shape: [1]}\n", ""),
    "unused-block": ("{type: lstm, input: frames, units: 64}", "{call: tower, input: frames}"),
    "unread-input-of-a-block": ("input: x, units", "input: [x, other], units"),
    "mask-that-ends-in-a-loop": ("input: reader, units", "input: reader.sequence, units"),
    "unused-layer-of-a-block": ("{code: reader}", "{code: reader, idle: idle}"),
    "unused-layer": ("outputs: {speaker", "outputs: {gender: gender, speaker"),
    "worst-checkpoint": (", mode: max", ""),
    "worst-objective": (", direction: min", ""),
}
UNREAD_AFTERWARDS = {"dropout-of-an-output", "only-the-mask-is-read"}
"""Mends that leave a layer without a reader, which is another matter."""


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_the_hint_mends(path: Path) -> None:
    text = EXPECTATION.sub("#", path.read_text("utf-8")).replace(f"name: {path.stem}", "name: x")
    old, new = MENDS[path.stem]
    assert old in text
    left = codes(text.replace(old, new, 1))
    assert left == (["W301"] if path.stem in UNREAD_AFTERWARDS else [])


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_shipped_recipes_have_none(path: Path) -> None:
    assert lstmgraph.load(path, strict=True).warnings == ()


@pytest.mark.parametrize("text", WHOLE_RECIPES)
def test_documented_recipes_have_none(text: str) -> None:
    # An imported recipe does what its model does, also where that is strange.
    assert codes(text) == (["W501"] if "# Keras drops this mask" in text else [])


@pytest.mark.parametrize("text", FRAGMENTS)
def test_documented_fragments_have_none(text: str) -> None:
    assert codes(completed_fragment(text)) == []


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_a_resolved_recipe_tells_the_same(path: Path) -> None:
    recipe = lstmgraph.load(path)
    again = lstmgraph.load(recipe.resolved())
    wanted = {(d.code, d.path, d.message) for d in recipe.warnings if d.code not in OF_THE_TEXT}
    assert {(d.code, d.path, d.message) for d in again.warnings} == wanted


def test_a_recipe_with_a_mistake_has_no_warnings_beside_it() -> None:
    text = (TESTS / "recipes" / "warnings" / "recurrent-dropout.yaml").read_text("utf-8")
    with pytest.raises(lstmgraph.RecipeError) as caught:
        lstmgraph.load(text.replace("input: frames", "input: frame"))
    assert [found.code for found in caught.value.diagnostics] == ["L301"]


def test_rules_are_functions_that_say_their_codes() -> None:
    documented = {code for rule in RULES for code in re.findall(r"W\d{3}", rule.__doc__ or "")}
    assert documented == set(CODES) - OF_THE_TEXT


# What is chosen on purpose gets no warning.

MEANT = {
    "the standard kernel": {"runtime.kernel": "standard"},
    "a CPU": {"runtime.device": "cpu"},
    "XLA": {"runtime.xla": True},
}


@pytest.mark.parametrize("name", ["recurrent-dropout", "no-bias", "padded-on-the-left"])
@pytest.mark.parametrize("overrides", MEANT.values(), ids=MEANT)
def test_a_slower_kernel_that_is_asked_for_is_not_told(
    name: str, overrides: dict[str, object]
) -> None:
    path = TESTS / "recipes" / "warnings" / f"{name}.yaml"
    assert lstmgraph.load(path, overrides=overrides).warnings == ()


NOT_TOLD = {
    "early stopping that gives back the best weights": (
        "patience-longer-than-training",
        {"training.callbacks.early_stopping.restore_best_weights": True},
    ),
    "probabilities under a squared error": (
        "accuracy-of-distances",
        {"layers.speaker.activation": "sigmoid"},
    ),
    "a mask dropped on purpose": ("mask-forgotten", {"layers.mood.mask": "none"}),
    "few steps unrolled": ("unrolled-far", {"inputs.frames.shape": [20, 12]}),
    "a ReLU in a SimpleRNN": ("relu-recurrence", {"layers.voice.type": "simple_rnn"}),
    "a squared error of logits": ("logits-under-probabilities", {"training.loss": "mse"}),
}


@pytest.mark.parametrize("case", NOT_TOLD)
def test_what_is_near_and_right_is_not_told(case: str) -> None:
    name, overrides = NOT_TOLD[case]
    path = TESTS / "recipes" / "warnings" / f"{name}.yaml"
    assert lstmgraph.load(path, overrides=overrides).warnings == ()


def test_a_recurrent_layer_may_give_an_output_in_16_bits() -> None:
    text = (TESTS / "recipes" / "warnings" / "relu-recurrence.yaml").read_text("utf-8")
    stack = "residual: true, normalization: layer, return_sequences: true"
    text = text.replace("activation: relu", f"{stack}, dtype_policy: mixed_float16")
    assert codes(text) == []


def test_two_layers_that_go_back_one_after_the_other_give_the_steps_in_order() -> None:
    text = (TESTS / "recipes" / "warnings" / "steps-in-reverse.yaml").read_text("utf-8")
    again = (
        "  again: {type: gru, input: back, units: 8, go_backwards: true, return_sequences: true}"
    )
    text = text.replace("  pitch:", f"{again}\n  pitch:")
    assert codes(text.replace("input: back, units: 1", "input: again, units: 1")) == []


# Searches.

SEARCHED = """\
recipe: 1
name: searched
inputs: {frames: {shape: [time, 12]}}
layers:
  quick: {type: gru, input: frames, units: 8}
  slow:
    type: lstm
    input: frames
    units: 8
    recurrent_dropout: {$search: {choice: [0.0, 0.2]}}COMMENT
  answer: {type: dense, input: {$search: {choice: [quick, slow]}}, units: 1}
outputs: {answer: answer}
"""


def test_a_layer_that_is_read_at_another_point_is_used() -> None:
    recipe = lstmgraph.load(SEARCHED.replace("COMMENT", ""))
    assert recipe.warnings == ()
    assert recipe.at({"layers.answer.input": "slow"}).warnings == ()


def test_points_of_a_space_have_warnings_of_their_own() -> None:
    point = {"layers.answer.input": "slow", "layers.slow.recurrent_dropout": 0.2}
    (found,) = lstmgraph.load(SEARCHED.replace("COMMENT", "")).at(point).warnings
    assert (found.code, place(found)) == ("W701", "10:49")
    comment = "  # lstmgraph: ignore[W701] worth the time"
    recipe = lstmgraph.load(SEARCHED.replace("COMMENT", comment))
    assert recipe.warnings == ()
    assert recipe.at(point).warnings == ()


# Strict.

DROPPED = TESTS / "recipes" / "warnings" / "recurrent-dropout.yaml"
runner = CliRunner()


def test_strict_makes_warnings_errors() -> None:
    with pytest.raises(lstmgraph.RecipeError) as caught:
        lstmgraph.load(DROPPED, strict=True)
    (found,) = caught.value.diagnostics
    assert (found.code, found.severity) == ("W701", "error")
    assert "recurrent-dropout.yaml:13:24: error[W701]:" in str(caught.value)


def test_loading_prints_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    lstmgraph.load(DROPPED)
    assert capfd.readouterr() == ("", "")


def test_validate_prints_warnings_and_is_content() -> None:
    result = runner.invoke(app, ["validate", str(DROPPED), str(SHIPPED[0])])
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        f"{SHIPPED[0]}: ok",
        f"{DROPPED}: ok, 1 warning",
    ]
    assert result.stderr.endswith("1 warning in 1 of 2 files\n")
    assert f"{DROPPED}:13:24: warning[W701]: 'voice' cannot run on cuDNN" in result.stderr
    logits = DROPPED.with_name("accuracy-of-logits.yaml")
    assert "ok, 2 warnings" in runner.invoke(app, ["validate", str(logits)]).stdout


def test_validate_lists_warnings_as_json() -> None:
    result = runner.invoke(app, ["validate", "--format", "json", str(DROPPED)])
    assert (result.exit_code, result.stderr) == (0, "")
    answer = json.loads(result.stdout)
    (found,) = answer["files"][0]["diagnostics"]
    assert (answer["ok"], answer["files"][0]["ok"]) == (True, True)
    assert (found["code"], found["severity"], found["line"]) == ("W701", "warning", 13)


def test_other_commands_print_warnings_once() -> None:
    text = runner.invoke(app, ["explain", str(DROPPED)])
    assert (text.exit_code, text.stderr.count("warning[W701]")) == (0, 1)
    answer = runner.invoke(app, ["explain", "--format", "json", str(DROPPED)])
    assert answer.stderr == ""
    assert [found["code"] for found in json.loads(answer.stdout)["warnings"]] == ["W701"]


COMMANDS = {
    "validate": [],
    "explain": [],
    "build": ["-o", "{folder}"],
    "export": ["--format", "onnx", "-o", "{folder}"],
    "train": ["--data", "none.npz", "-o", "{folder}"],
    "tune": ["--data", "none.npz", "-o", "{folder}"],
}


@pytest.mark.parametrize("command", COMMANDS)
def test_strict_refuses_a_recipe_with_warnings(command: str, tmp_path: Path) -> None:
    options = [each.format(folder=tmp_path) for each in COMMANDS[command]]
    result = runner.invoke(app, [command, str(DROPPED), "--strict", *options])
    assert result.exit_code == 1
    assert "error[W701]" in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_the_page_shows_what_the_command_prints(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = (TESTS.parent / "docs" / "warnings.md").read_text("utf-8")
    recipe = re.findall(r"```yaml\n(recipe: 1.*?)```", page, re.S)[0]
    monkeypatch.chdir(tmp_path)
    Path("warned.yaml").write_text(re.sub(r" +# lstmgraph.*", "", recipe), "utf-8")
    result = runner.invoke(app, ["validate", "warned.yaml"])
    assert f"```text\n{result.stderr}{result.stdout}```" in page


def test_hundreds_of_warnings_are_told_once_each() -> None:
    layers = "\n".join(
        f"  l{n}: {{type: lstm, input: frames, units: 2, recurrent_dropout: 0.2}}"
        for n in range(400)
    )
    text = f"recipe: 1\nname: many\ninputs: {{frames: {{shape: [time, 2]}}}}\nlayers:\n{layers}\n"
    outputs = ", ".join(f"y{n}: l{n}" for n in range(400))
    assert codes(f"{text}outputs: {{{outputs}}}\n") == ["W701"] * 400
