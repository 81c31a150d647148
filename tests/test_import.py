"""`lstmgraph import`: round trips, masks that Keras loses, what is written, what is said.

Four shipped recipes and a loop come back in every run, all with ``LSTMGRAPH_EXAMPLES=100``.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import pytest
from generated import examples, recipes
from hypothesis import given
from keras import layers
from round_trips import differences, randomized, round_trip, without_sections
from typer.testing import CliRunner

import lstmgraph
from lstmgraph.authoring.editing.formatting import format_text
from lstmgraph.cli import app
from lstmgraph.messages.errors import ModelFileError

if TYPE_CHECKING:
    from generated_base import Generated

# Keras 3.15 writes weights with a call that NumPy 2 wants spelled otherwise.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "import.md").read_text("utf-8")
FOUND = sorted((ROOT / "tests" / "recipes" / "round-trips").glob("*.yaml"))
ALL = "LSTMGRAPH_EXAMPLES" in os.environ
SAMPLE = ("encoder-decoder", "sentence-matcher", "session-churn", "stacked-cells")
FURTHER = (
    *("character-tagger", "learned-states", "prepended-step", "residual-stack"),
    *("store-forecaster", "time-major"),
)
"""With SAMPLE, shipped recipes with different forms of masks, states, stacks, calls and folds."""


@pytest.mark.parametrize("name", SAMPLE + FURTHER if ALL else SAMPLE)
def test_a_shipped_recipe_comes_back(name: str) -> None:
    """Every layer, call, operation, mask, state and output is the same; no name is another."""
    path = ROOT / "recipes" / f"{name}.yaml"
    text, differences = round_trip(without_sections(str(path)))
    assert not differences
    assert format_text(text) == text


@pytest.mark.parametrize(
    "name", ["number-words-attention", *(["feedback-forecaster"] if ALL else [])]
)
def test_a_shipped_loop_comes_back(name: str) -> None:
    """With three steps, as each costs a call of every layer."""
    text = (ROOT / "recipes" / f"{name}.yaml").read_text("utf-8")
    text = (
        text.replace("steps: 24", "steps: 3").replace("steps: 6", "steps: 3").replace("[6]", "[3]")
    )
    imported, differences = round_trip(without_sections(text))
    assert not differences
    assert "loop:" in imported


def test_a_recipe_with_words_found_in_data_comes_back(tmp_path: Path) -> None:
    table = tmp_path / "reviews.csv"
    rows = [f"It was {each},mill {each},{each}" for each in ("good", "bad", "mixed") * 4]
    table.write_text("\n".join(["text,shop,opinion", *rows]), "utf-8")
    recipe = lstmgraph.load(str(ROOT / "recipes" / "review-classifier.yaml"))
    fitted = recipe.fitted(recipe.load_data(table).train).to_dict()
    del fitted["training"]["class_weight"]  # by names that `data:` has; `fit` takes it
    text, differences = round_trip(without_sections(fitted))
    assert not differences
    assert "vocabulary: [mill " in text


def written_out(*, sliced: bool) -> keras.Model:
    """A decoder of four steps as people write it, which reads a sequence or its own words."""
    steps = keras.Input((4, 3), name="steps")
    _, h, c = layers.LSTM(5, return_state=True, name="reader")(steps)
    cell = layers.LSTM(5, return_state=True, return_sequences=True, name="decoder")
    word = layers.Dense(3, name="word")
    now, words = steps[:, :1], []
    for step in range(4):
        now = steps[:, step : step + 1] if sliced else now
        state, h, c = cell(now, initial_state=[h, c])
        now = word(state)
        words.append(now)
    return keras.Model(steps, {"words": layers.Concatenate(axis=1)(words), "h": h})


@pytest.mark.parametrize("sliced", [True, False])
def test_a_loop_that_was_written_out_is_folded(sliced: bool) -> None:
    imported = lstmgraph.import_model(written_out(sliced=sliced))
    assert imported.check.ok, str(imported.check)
    data = imported.recipe.to_dict()
    assert data["layers"]["steps_2"]["loop"] == "one_step"
    assert ("each" in data["layers"]["steps_2"]) == sliced
    assert any("'one_step_decoder'" in note for note in imported.notes)


def test_frozen_layers_stay_frozen() -> None:
    steps = keras.Input((4, 3), name="steps")
    frozen = layers.Bidirectional(layers.LSTM(4), trainable=False, name="frozen")
    model = keras.Model(steps, layers.Dense(1, name="y")(frozen(steps)))
    imported = lstmgraph.import_model(model)
    assert imported.model is not None
    assert [each.shape for each in imported.model.trainable_weights] == [(8, 1), (1,)]


@pytest.mark.slow
@examples(6)
@given(recipes())
def test_a_random_recipe_comes_back(generated: Generated) -> None:
    keras.backend.clear_session()
    _, differences = round_trip(without_sections(generated.data))
    assert not differences


def documented() -> keras.Model:
    scope: dict[str, Any] = {}
    code = re.findall(r"```py\n(.*?)```", PAGE, re.S)[0]
    exec(compile(code, "docs/import.md", "exec"), scope)
    model: keras.Model = scope["model"]
    return model


@pytest.mark.slow
def test_the_page_shows_what_the_command_writes(tmp_path: Path) -> None:
    model, recipe = tmp_path / "model.keras", tmp_path / "translator.yaml"
    documented().save(model)
    run = CliRunner().invoke(app, ["import", str(model), "-o", str(recipe)])
    assert run.exit_code == 0, run.output
    assert "the same outputs" in run.output
    (whole,) = [each for each in re.findall(r"```yaml\n(.*?)```", PAGE, re.S) if "recipe:" in each]
    assert (tmp_path / "translator.yaml").read_text("utf-8") == whole
    assert (
        lstmgraph.load(tmp_path / "translator.keras").to_dict() == lstmgraph.load(whole).to_dict()
    )


@pytest.mark.slow
def test_fixed_masks_are_kept() -> None:
    """Numbers of the padded row alone: the fixed model reads no padding, and Keras's does."""
    model = documented()
    faithful, fixed = (lstmgraph.import_model(model, fix=fix) for fix in (False, True))
    assert "mask: none" in faithful.text
    assert "mask: none" not in fixed.text
    assert faithful.check.ok
    assert fixed.check.ok
    assert faithful.model is not None
    assert fixed.model is not None
    source = np.array([[3, 4, 5]], "int32")
    short, padded = np.array([[7, 8]], "int32"), np.array([[0, 7, 8]], "int32")
    for imported, same in ((faithful, False), (fixed, True)):
        before = imported.model({"source": source, "target": short})["word"][0, -1]
        after = imported.model({"source": source, "target": padded})["word"][0, -1]
        assert np.allclose(before, after, atol=1e-6) == same


def test_everything_in_the_way_is_named_at_once_and_nothing_is_written(tmp_path: Path) -> None:
    steps = keras.Input((5, 3), name="steps")
    both = layers.Bidirectional(layers.GRU(3), merge_mode=None, name="both")
    one, two = both(steps)
    summed = keras.ops.cumsum(layers.LSTM(4, return_sequences=True, name="reader")(steps), axis=1)
    out = layers.Dense(1, name="out")(summed)
    keras.Model(steps, [layers.Subtract()([one, two]), out]).save(tmp_path / "m.keras")
    arguments = ["import", str(tmp_path / "m.keras"), "-o", str(tmp_path / "n.yaml")]
    run = CliRunner().invoke(app, [*arguments, "--format", "json"])
    assert run.exit_code == 1
    found = json.loads(run.stdout)
    assert {each["code"] for each in found["diagnostics"]} == {"M202", "M204"}
    assert [each.name for each in tmp_path.iterdir()] == ["m.keras"]


@pytest.mark.parametrize("path", FOUND, ids=lambda path: path.stem)
def test_what_random_recipes_found_comes_back(path: Path) -> None:
    model = lstmgraph.load(str(path)).build()
    randomized(model)
    imported = lstmgraph.import_model(model)
    assert imported.model is not None
    assert not differences(model, imported.model)
    assert imported.check.ok


@pytest.mark.parametrize("shape", ["[time, 3]", "[7, 3]"])
@pytest.mark.parametrize("mask", ["{from: reader.sequence}", "{lengths: lengths}"])
def test_lengths_are_counted_in_the_same_sequence(shape: str, mask: str) -> None:
    """Of equal masks the first one is made, of the steps of the sequence that it masks."""
    _, found = round_trip(
        lstmgraph.load(f"""
recipe: 1
name: shared
inputs:
  steps: {{shape: {shape}}}
  other: {{shape: {shape}}}
  lengths: {{shape: [], dtype: int32}}
layers:
  reader: {{type: gru, input: steps, units: 4, mask: {{lengths: lengths}}}}
  second: {{type: gru, input: other, units: 4, mask: {mask}}}
outputs: {{y: second, z: reader.sequence}}
""")
    )
    assert not found


def test_names_that_the_language_does_not_allow_are_changed_and_said() -> None:
    steps = keras.Input((None, 3), name="1st input")
    imported = lstmgraph.import_model(
        keras.Model(
            steps,
            layers.Dense(2, name="my.head")(layers.GRU(4, name="input")(steps)),
            name="Churn Model v2",
        )
    )
    assert imported.recipe.to_dict()["name"] == "Churn_Model_v2"
    assert any("the model 'Churn Model v2' is named 'Churn_M" in each for each in imported.notes)
    assert imported.check.ok
    assert imported.recipe.to_dict()["layers"].keys() == {"input_2", "my_head"}
    assert any("'my.head' is named 'my_head'" in note for note in imported.notes)


def own_loss(y: Any, x: Any) -> Any:
    return keras.ops.mean(y - x)


def test_training_is_imported() -> None:
    steps = keras.Input((4, 3), name="steps")
    model = keras.Model(steps, layers.Dense(1, name="y")(layers.LSTM(4, name="reader")(steps)))
    rate = keras.optimizers.schedules.ExponentialDecay(0.01, 100, 0.9)
    model.compile(
        keras.optimizers.Adam(rate, clipnorm=1.0),
        keras.losses.BinaryCrossentropy(from_logits=True),
        metrics=["mae"],
    )
    assert lstmgraph.import_model(model).recipe.to_dict()["training"] == {
        "optimizer": {
            "type": "adam",
            "learning_rate": {
                "type": "exponential_decay",
                "initial_learning_rate": 0.01,
                "decay_steps": 100,
                "decay_rate": 0.9,
            },
            "clipnorm": 1.0,
        },
        "loss": {"type": "binary_crossentropy", "from_logits": True},
        "metrics": ["mae"],
    }
    model.compile("adam", own_loss)
    with pytest.raises(ModelFileError, match="M207"):
        lstmgraph.import_model(model)
    assert "training" not in lstmgraph.import_model(model, training=False).recipe.to_dict()


@pytest.mark.parametrize(
    ("loss", "section"),
    [
        (keras.losses.Huber(delta=2.0), {"type": "huber", "delta": 2.0}),
        (keras.losses.Huber(), "huber"),
        (keras.losses.CosineSimilarity(axis=1), {"type": "cosine_similarity", "axis": 1}),
    ],
)
def test_arguments_of_losses_that_keras_does_not_store(
    loss: keras.losses.Loss, section: Any, tmp_path: Path
) -> None:
    """From the model itself they are imported; of a file the command says that they are lost."""
    model = keras.Sequential([keras.Input((4, 3)), layers.LSTM(4, name="reader")])
    model.compile("adam", loss)
    imported = lstmgraph.import_model(model)
    assert imported.recipe.to_dict()["training"]["loss"] == section
    assert not imported.notes
    model.save(tmp_path / "m.keras")
    (note,) = lstmgraph.import_model(tmp_path / "m.keras").notes
    assert f"of {type(loss).__name__}: if it was not the default" in note


def test_a_configuration_has_no_weights_and_is_imported() -> None:
    model = keras.Sequential([keras.Input((None, 3)), layers.LSTM(4, name="reader")])
    imported = lstmgraph.import_model(model.to_json())
    assert imported.model is None
    assert not imported.check.ran
    assert imported.recipe.to_dict()["layers"]["reader"]["units"] == 4


def test_the_first_layer_that_differs_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two models that differ, as a recipe would that says the wrong activation."""
    from lstmgraph.interop.importing import conversion  # noqa: PLC0415 - to be changed

    steps = keras.Input((4, 3), name="steps")
    wrong = layers.Dense(4, name="wrong", activation="tanh")(layers.LSTM(4, name="reader")(steps))
    model = keras.Model(steps, layers.Dense(1, name="y")(wrong))
    write = conversion.recipe_text
    monkeypatch.setattr(
        conversion, "recipe_text", lambda *given: write(*given).replace("tanh", "relu")
    )
    check = lstmgraph.import_model(model).check
    assert not check.ok
    assert (check.output, check.layer) == ("y", "wrong")
