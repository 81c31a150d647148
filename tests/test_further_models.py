"""`models:`: parts of a recipe's graph with layers, weights and numbers of the whole."""

from __future__ import annotations

import json
import warnings
from typing import TYPE_CHECKING

import keras
import numpy as np
import pytest
from building import batch_for, load, outputs_of, randomise
from test_cli import invoke

import lstmgraph
from lstmgraph.messages.errors import RecipeError

if TYPE_CHECKING:
    from pathlib import Path

    from started import Started

FORECASTER = """
    inputs:
      history: {shape: [time, 3]}
      lengths: {shape: [], dtype: int32}
      known: {shape: [ahead, 2]}
    layers:
      encoder: {type: lstm, input: history, units: 5, mask: {lengths: lengths}}
      decoder: {type: lstm, input: known, units: 5, initial_state: encoder}
      forecast: {type: dense, input: decoder.sequence, units: 1}
    outputs: {forecast: forecast}
    models:
      encode: {inputs: [history, lengths], outputs: {state: encoder.state, last: encoder}}
      decode:
        inputs: [known]
        initial_state: {decoder: input}
        outputs: {forecast: forecast, state: decoder.state}
      fresh: {inputs: [known], initial_state: {decoder: zeros}, outputs: {forecast: forecast}}
    training: {optimizer: adam, loss: mse}
"""
ATTENDING = """
    inputs:
      source: {shape: [time, 3]}
      lengths: {shape: [], dtype: int32}
      target: {shape: [ahead, 6]}
    layers:
      encoder:
        {type: gru, input: source, units: 6, return_sequences: true, mask: {lengths: lengths}}
      attended: {type: ATTENTION, input: [target, encoder]}
      out: {type: dense, input: attended, units: 2}
    outputs: {out: out}
    models: {attend: {inputs: INPUTS, outputs: {out: out}}}
"""


def models_of(recipe: lstmgraph.Recipe) -> dict[str, keras.Model]:
    models = recipe.models()
    randomise(models[recipe.name])
    return models


def test_parts_run_one_after_the_other_are_the_whole() -> None:
    models = models_of(load(FORECASTER))
    assert list(models) == ["inline", "encode", "decode", "fresh"]
    x = batch_for(models["inline"])
    states = outputs_of(models["encode"], {k: x[k] for k in ("history", "lengths")})
    np.testing.assert_array_equal(states["last"], states["state_h"])
    fed = {"known": x["known"], "decoder_h": states["state_h"], "decoder_c": states["state_c"]}
    found = outputs_of(models["decode"], fed)
    whole = outputs_of(models["inline"], x)
    np.testing.assert_allclose(found["forecast"], whole["forecast"], atol=1e-6)


def test_a_decoder_is_the_one_that_is_written_by_hand() -> None:
    models = models_of(load(FORECASTER))
    known, h, c = keras.Input((None, 2)), keras.Input((5,)), keras.Input((5,))
    lstm = keras.layers.LSTM(5, return_sequences=True, return_state=True)
    dense = keras.layers.Dense(1)
    y, *states = lstm(known, initial_state=[h, c])
    by_hand = keras.Model([known, h, c], [dense(y), *states])
    lstm.set_weights(models["inline"].get_layer("decoder").get_weights())
    dense.set_weights(models["inline"].get_layer("forecast").get_weights())
    random = np.random.default_rng(0)
    x = [random.normal(size=size).astype("float32") for size in ((2, 4, 2), (2, 5), (2, 5))]
    fed = dict(zip(("known", "decoder_h", "decoder_c"), x, strict=True))
    found = outputs_of(models["decode"], fed)
    for name, wanted in zip(("forecast", "state_h", "state_c"), by_hand(x), strict=True):
        np.testing.assert_allclose(found[name], wanted, atol=1e-6)
    zeros = {"known": x[0], "decoder_h": 0 * x[1], "decoder_c": 0 * x[2]}
    begun = outputs_of(models["fresh"], {"known": x[0]})["forecast"]
    np.testing.assert_allclose(begun, outputs_of(models["decode"], zeros)["forecast"], atol=1e-6)


def test_training_one_trains_all() -> None:
    models = models_of(load(FORECASTER))
    x = batch_for(models["inline"])
    fed = {k: x[k] for k in ("history", "lengths")}
    before = outputs_of(models["encode"], fed)["state_h"]
    rows, steps = x["known"].shape[:2]
    models["inline"].run_eagerly = True
    models["inline"].fit(x, {"forecast": np.ones((rows, steps, 1))}, verbose=0)
    after = outputs_of(models["encode"], fed)["state_h"]
    assert not np.allclose(before, after)
    shared = [models[name].get_layer("encoder") for name in ("inline", "encode")]
    assert shared[0] is shared[1]


@pytest.mark.parametrize(
    "attention", ["attention", "multi_head_attention, num_heads: 2, key_dim: 2"]
)
@pytest.mark.parametrize("known", ["lengths", "encoder_sequence_mask"])
def test_a_sequence_that_is_fed_keeps_its_mask(attention: str, known: str) -> None:
    """It is computed where the lengths are listed, and an input of its own where they are not."""
    inputs = (
        "[target, encoder.sequence, lengths]"
        if known == "lengths"
        else ("[target, encoder.sequence]")
    )
    recipe = load(ATTENDING.replace("INPUTS", inputs).replace("ATTENTION", attention))
    models = models_of(recipe)
    x = batch_for(models["inline"])
    wanted = outputs_of(models["inline"], x)["out"]
    gru = models["inline"].get_layer("encoder")
    counted = np.arange(x["source"].shape[1]) < x["lengths"][:, None]
    sequence = gru(x["source"], mask=counted)
    sequence = np.asarray(sequence[0] if isinstance(sequence, list | tuple) else sequence)
    mask = x["lengths"] if known == "lengths" else counted
    fed = {"target": x["target"], "encoder_sequence": sequence, known: mask}
    assert set(models["attend"].input) == set(fed)
    np.testing.assert_allclose(outputs_of(models["attend"], fed)["out"], wanted, atol=1e-6)


def test_encoder_and_decoder_are_derived_from_it() -> None:
    recipe = load(FORECASTER.partition("    models:")[0])
    encoder, decoder = (recipe.derive(kind) for kind in ("encoder", "decoder"))
    randomise(encoder.main)
    decoder = recipe.derive("decoder", encoder.main)
    x = batch_for(encoder.main)
    states = outputs_of(encoder.model, {k: x[k] for k in ("history", "lengths")})
    assert set(states) == {"decoder_h", "decoder_c"}
    found = outputs_of(decoder.model, {**states, "known": x["known"]})
    wanted = outputs_of(encoder.main, x)["forecast"]
    np.testing.assert_allclose(found["forecast"], wanted, atol=1e-6)
    assert decoder.states == {"decoder_h": "next_decoder_h", "decoder_c": "next_decoder_c"}


def test_weights_of_another_recipe_are_refused() -> None:
    recipe, other = load(FORECASTER), load(FORECASTER.replace("units: 5", "units: 4"))
    with pytest.raises(ValueError, match="the weights of 'decoder' have the shapes"):
        recipe.derive("step", other.build())
    small = load("""
        inputs: {x: {shape: [time, 3]}}
        layers: {reader: {type: lstm, input: x, units: 3}}
        outputs: {y: reader}
    """)
    with pytest.raises(ValueError, match="the model lacks the layers decoder, forecast"):
        recipe.derive("step", small.build())
    with pytest.raises(ValueError, match="one of: encoder, decoder, step; given: stream"):
        recipe.derive("stream")


def test_a_searched_recipe_is_derived_with_its_defaults() -> None:
    text = FORECASTER.partition("    models:")[0]
    text = text.replace(
        "units: 5, mask", "units: 5, dropout: {$search: {float: [0, 0.5], default: 0.1}}, mask"
    )
    recipe = load(text).with_derived("step", "encoder")
    assert [model.name for model in recipe.explain().models] == ["step", "step.start", "encoder"]
    assert recipe.with_derived("step").resolved() == recipe.resolved()
    assert lstmgraph.load(recipe.resolved()).explain().as_dict() == recipe.explain().as_dict()


def test_explain_shows_further_models_without_tensorflow() -> None:
    explanation = load(FORECASTER).explain()
    text = str(explanation)
    rows = [line.split() for line in text.partition("\nmodel decode\n")[2].splitlines()]
    assert ["input", "known", "(batch,", "ahead,", "2)", "float32"] in rows
    assert ["input", "decoder_h", "(batch,", "5)", "float32", "state_h"] in rows
    decode = explanation.as_dict()["models"][1]
    assert decode["states"] == {"decoder_h": "state_h", "decoder_c": "state_c"}
    assert decode["outputs"][0] == {
        "name": "forecast", "shape": ["batch", "ahead", 1], "dtype": "float32",
    }  # fmt: skip


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a build of the forecaster, and the same with trained weights in `again`."""
    folder = tmp_path_factory.mktemp("build")
    recipe = folder / "forecaster.yaml"
    recipe.write_text("recipe: 1\nname: forecaster\n" + _dedented(FORECASTER), "utf-8")
    options = ("--derive", "step", "--format", "json")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Keras's saving warns
        result = invoke("build", str(recipe), "-o", str(folder), *options)
    assert result.exit_code == 0, result.stderr
    files = json.loads(result.stdout)["files"]
    names = ["encode", "decode", "fresh", "step", "step.start"]
    assert list(files["models"]) == names
    assert files["manifest"] == str(folder / "forecaster.manifest.json")
    return folder


def _dedented(text: str) -> str:
    return "\n".join(line[4:] for line in text.splitlines())


@pytest.mark.slow
def test_a_build_writes_every_model_and_a_manifest(built: Path) -> None:
    manifest = json.loads((built / "forecaster.manifest.json").read_text("utf-8"))
    models = {model["name"]: model for model in manifest["models"]}
    assert manifest["recipe"] == "forecaster"
    assert models["forecaster"]["kind"] == "main"
    for model in models.values():
        loaded = lstmgraph.load_model(built / model["file"])
        assert [each["name"] for each in model["inputs"]] == list(loaded.input)
        assert [each["name"] for each in model["outputs"]] == list(loaded.output)
    plan = models["step"]["plan"]
    assert plan["steps"] == ["known"]
    assert [state["begins"] for state in plan["states"]] == ["start", "start"]


@pytest.mark.slow
def test_the_models_of_a_build_have_the_same_weights(built: Path) -> None:
    whole, step = (lstmgraph.load_model(built / f"forecaster{n}.keras") for n in ("", ".step"))
    for name in ("decoder", "forecast"):
        for one, other in zip(
            whole.get_layer(name).get_weights(), step.get_layer(name).get_weights(), strict=True
        ):
            np.testing.assert_array_equal(one, other)


def test_a_step_file_holds_its_recipe(built: Path) -> None:
    """Its plan is that of the recipe in it; what the file does not hold is not made up."""
    path = built / "forecaster.step.keras"
    derived = lstmgraph.load(path).derive("step", lstmgraph.load_model(path))
    assert derived.main is None
    assert derived.start is None
    assert [state.name for state in derived.plan.states] == ["decoder_h", "decoder_c"]


def test_one_model_is_written_alone_with_given_weights(built: Path) -> None:
    weights = built / "forecaster.keras"
    options = ("--model", "decode", "--weights", str(weights))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = invoke("build", str(weights), "-o", str(built / "one"), *options)
    assert result.exit_code == 0, result.stderr
    assert [path.name for path in (built / "one").iterdir()] == ["forecaster.decode.keras"]
    given, found = (
        lstmgraph.load_model(path).get_layer("decoder").get_weights()
        for path in (weights, built / "one" / "forecaster.decode.keras")
    )
    for one, other in zip(given, found, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (
            ("--model", "encoder"),
            2,
            "did you mean 'encode'? There are: forecaster, encode, decode",
        ),
        (("--derive", "stream"), 2, "a model can be derived as one of: encoder, decoder, step"),
        (("--weights", "no.keras"), 2, "there is no file no.keras"),
        (("--set", "layers.decoder.bidirectional=true", "--derive", "step"), 1, "error[L6"),
        (("--set", "layers.decoder.go_backwards=true", "--derive", "step"), 1, "error[L834]"),
        (("--weights", __file__), 2, "is not a"),
    ],
)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Keras's saving warns
def test_what_cannot_be_built_is_said(
    built: Path, options: tuple[str, ...], code: int, said: str
) -> None:
    result = invoke("build", str(built / "forecaster.yaml"), "-o", str(built / "not"), *options)
    assert result.exit_code == code, result.output
    assert said in result.stderr
    assert not (built / "not").exists()


PLAIN_KERAS = """
import sys, json
import keras, numpy as np
for path in sys.argv[1:]:
    model = keras.models.load_model(path)
    shapes = {name: [size or 2 for size in tensor.shape] for name, tensor in model.input.items()}
    model({name: np.ones(shape, model.input[name].dtype) for name, shape in shapes.items()})
print(json.dumps("lstmgraph" in sys.modules))
"""


@pytest.mark.slow
def test_further_models_load_without_lstmgraph(built: Path, keras_alone: Started) -> None:
    paths = [str(path) for path in sorted(built.glob("*.keras"))]
    run = keras_alone.run(PLAIN_KERAS, *paths)
    assert run.returncode == 0, run.stderr
    assert json.loads(run.stdout) is False


@pytest.mark.parametrize(
    ("text", "code", "place", "said"),
    [
        ("{inputs: [history], outputs: {y: encoder}}", "L831", (13, 11), "the input 'lengths'"),
        (
            "{inputs: [known, lengths], outputs: {y: forecast}}",
            "L831", (13, 11), "the input 'history', which 'encoder' reads",
        ),
        (
            "{inputs: [known, history, lengths], outputs: {y: encoder}}",
            "L832", (13, 20), "does not need the input 'known'",
        ),
        ("{inputs: [hist], outputs: {y: encoder}}", "L301", (13, 20), "no layer or input 'hist'"),
        ("{inputs: [known], outputs: {y: encoder.states}}", "L302", (13, 41), "no port 'states'"),
        (
            "{inputs: [known], initial_state: {forecast: input}, outputs: {y: forecast}}",
            "L833", (13, 44), "'forecast' is not a recurrent layer",
        ),
        (
            "{inputs: [known], initial_state: {decoder: {inputs: [h]}}, outputs: {y: forecast}}",
            "L602", (13, 54), "1 input is named for 2 states",
        ),
        (
            "{inputs: [history, lengths], initial_state: {decoder: input}, outputs: {y: encoder}}",
            "L832", (13, 55), "needs 'decoder'",
        ),
        ("{inputs: [known], outputs: {y: known}}", "L832", (13, 41), "the input 'known' itself"),
        ("{inputs: [], outputs: {h: history}}", "L831", (13, 11), "needs the input 'history'"),
        ("{derive: stream}", "L205", (13, 19), "stream"),
        ("{derive: step, inputs: [known]}", "L203", (13, 25), "inputs"),
        ("{inputs: [known]}", "L202", (13, 3), "outputs"),
    ],
)  # fmt: skip
def test_a_wrong_model_is_refused_where_it_is_wrong(
    text: str, code: str, place: tuple[int, int], said: str
) -> None:
    whole = FORECASTER.partition("    models:")[0] + f"    models:\n      wrong: {text}\n"
    with pytest.raises(RecipeError) as caught:
        load(whole)
    (found,) = caught.value.diagnostics
    assert found.code == code
    assert said in found.message
    span = found.place.span
    assert (span.line, span.column) == place


@pytest.mark.parametrize(
    ("inputs", "layers"),
    [
        ("reader_h: {shape: [time, 3]}", "reader: {type: gru, input: reader_h, units: 2}"),
        (
            "x: {shape: [time, 3]}, s: {shape: [4]}",
            "reader_h: {type: dense, input: s, units: 2}, "
            "reader: {type: gru, input: [x, reader_h], units: 2}",
        ),
    ],
)
def test_a_name_that_a_state_needs_is_refused(inputs: str, layers: str) -> None:
    text = f"""
        inputs: {{{inputs}}}
        layers: {{{layers}}}
        outputs: {{y: reader}}
        models: {{live: {{derive: step}}}}
    """
    with pytest.raises(RecipeError, match=r"L835.*'reader_h' would be the name of both a state"):
        load(text)
