"""The attention weights of a layer, read as its port ``scores``."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from building import batch_for, copy_weights, load, outputs_of, randomise, weights_by_layer
from handwritten_scores import SCORED
from onnx_running import assert_runs_as_keras
from test_outputs import assert_same_as_by_hand, outputs_by_batch

import lstmgraph

pytestmark = [
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
    # Of the query's mask inside of GroupQueryAttention, which uses it all the same.
    pytest.mark.filterwarnings("ignore:Layer 'query' .of type EinsumDense:UserWarning"),
]


@pytest.fixture(scope="module")
def scored() -> tuple[lstmgraph.Recipe, keras.Model]:
    recipe = load(SCORED.recipe)
    model = recipe.build()
    randomise(model)
    return recipe, model


def test_scores_are_those_of_keras_by_hand(scored) -> None:
    assert_same_as_by_hand(scored[1], outputs_by_batch(scored[1]), SCORED.by_hand)


def test_scores_are_those_of_numpy(scored) -> None:
    _, model = scored
    data = batch_for(model)
    found = outputs_of(model, data)
    for name, wanted in SCORED.in_numpy(weights_by_layer(model), data).items():
        np.testing.assert_allclose(found[name], wanted, atol=2e-6, err_msg=name)


def test_files_give_the_same_scores(scored, tmp_path) -> None:
    recipe, model = scored
    data = batch_for(model)
    recipe.save(model, tmp_path / "m.keras")
    loaded = keras.models.load_model(tmp_path / "m.keras")
    wanted, found = outputs_of(model, data), outputs_of(loaded, data)
    for name in wanted:
        np.testing.assert_array_equal(found[name], wanted[name], err_msg=name)
    assert_runs_as_keras(recipe, model, data)


def test_explain_shows_where_outputs_come_from(scored) -> None:
    rows = {row.name: row for row in scored[0].explain().outputs}
    assert rows["heads_scores"].source == "heads.scores"
    assert rows["heads_scores"].shape == ["batch", 2, "steps", "time"]
    assert scored[0].explain(batch=2, time=5).memory


KINDS = {
    "attention": "",
    "additive_attention": "",
    "multi_head_attention": "num_heads: 2, key_dim: 3",
    "group_query_attention": "head_dim: 2, num_query_heads: 2, num_key_value_heads: 1",
}
READS_ITSELF = """
inputs: {x: {shape: [time, 3]}, lengths: {shape: [], dtype: int32}}
layers:
  read: {type: time_distributed, input: x, layer: {type: dense, units: 4}, mask: {lengths: lengths}}
LAYERS
outputs: {OUTPUTS}
training: {optimizer: sgd, loss: {LOSSES}}
"""


def reading_itself(*, with_scores: bool) -> str:
    layers = [
        line
        for kind, arguments in KINDS.items()
        for line in (
            f"  of_{kind}: {{type: {kind}, input: [read, read], {arguments}}}".replace(", }", "}"),
            f"  mean_of_{kind}: {{type: global_average_pooling1d, input: of_{kind}}}",
        )
    ]
    outputs = {kind: f"mean_of_{kind}" for kind in KINDS}
    losses = ", ".join(f"{name}: mse" for name in outputs)
    if with_scores:
        outputs |= {f"{kind}_scores": f"of_{kind}.scores" for kind in KINDS}
    text = READS_ITSELF.replace("LAYERS", "\n".join(layers)).replace("{LOSSES", f"{{{losses}")
    return text.replace("{OUTPUTS", "{" + ", ".join(f"{k}: {v}" for k, v in outputs.items()))


@pytest.mark.slow
def test_scores_need_no_loss_and_padding_reaches_no_weight() -> None:
    """NaN in the padded steps of query and value; and training goes as it does without scores."""
    x = np.random.default_rng(0).normal(size=(3, 5, 3)).astype("float32")
    lengths = np.array([5, 2, 0], "int32")
    counts = np.arange(5) < lengths[:, None]
    x[~counts] = np.nan
    data = {"x": x, "lengths": lengths}
    models = [load(reading_itself(with_scores=each)).build() for each in (True, False)]
    randomise(models[0])
    copy_weights(*models)
    for model in models:
        targets = {name: np.ones((3, 4), "float32") for name in KINDS}
        model.train_on_batch(data, targets)
    weights = [weights_by_layer(model) for model in models]
    for name in weights[0]:
        for with_scores, without in zip(*(each[name] for each in weights), strict=True):
            np.testing.assert_allclose(with_scores, without, atol=1e-6, err_msg=name)
    found = outputs_of(models[0], data)
    for kind in KINDS:
        scores = found[f"{kind}_scores"]
        scores = scores if scores.ndim == 4 else scores[:, None]
        pairs = np.broadcast_to(counts[:, None, :, None] & counts[:, None, None], scores.shape)
        assert np.isfinite(found[kind]).all(), kind
        assert (scores[~pairs] == 0).all(), kind
        of_steps = np.broadcast_to(counts[:, None], scores.shape[:3])
        np.testing.assert_allclose(scores.sum(-1), of_steps, atol=1e-6, err_msg=kind)


# --- derived models ---

DECODER = """
inputs:
  source: {shape: [time, 3]}
  target: {shape: [steps, 3]}
  lengths: {shape: [], dtype: int32}
layers:
  read: {type: gru, input: source, units: 4, mask: {lengths: lengths}}
  write: {type: gru, input: target, units: 4, initial_state: read}
  attended: {type: additive_attention, input: [write.sequence, read.sequence]}
  head: {type: dense, input: attended, units: 3}
outputs: {y: head, scores: attended.scores}
models: {look: {inputs: [source, target, lengths], outputs: {seen: attended.scores}}}
"""
WITH_HEADS = DECODER.replace(
    "{type: additive_attention,", "{type: multi_head_attention, num_heads: 2, key_dim: 3,"
)
ONLY_LOOKED_AT = WITH_HEADS.replace(", scores: attended.scores", "")


def test_scores_of_each_step_are_those_of_the_whole() -> None:
    recipe = load(DECODER)
    derived = recipe.derive("step")
    model = derived.main
    assert model is not None
    randomise(model)
    data = batch_for(model)
    wanted = outputs_of(model, data)["scores"]
    stepper = lstmgraph.Stepper(derived, rows=len(wanted), xla=False)
    stepper.start({"source": data["source"], "lengths": data["lengths"]})
    found = [stepper.step({"target": data["target"][:, step]})["scores"] for step in range(2)]
    np.testing.assert_allclose(np.stack(found, 1), wanted[:, :2], atol=1e-6)


def test_a_model_that_looks_at_scores_is_beside_one_that_does_not() -> None:
    """With heads the steps are not the second axis, so the stepped model must not return them."""
    with pytest.raises(lstmgraph.RecipeError, match="the steps come behind the heads"):
        load(WITH_HEADS.replace("models: {", "models: {live: {derive: step}, "))
    models = load(ONLY_LOOKED_AT).models()
    main, look = models["inline"], models["look"]
    randomise(main)
    data = batch_for(main)
    scores = outputs_of(look, data)["seen"]
    assert scores.shape == (5, 2, 4, 6)
    assert set(outputs_of(main, data)) == {"y"}
    unread = load(ONLY_LOOKED_AT.partition("models:")[0]).build()
    copy_weights(main, unread)
    found, wanted = outputs_of(main, data)["y"], outputs_of(unread, data)["y"]
    np.testing.assert_allclose(found[:4], wanted[:4], atol=1e-6)
    bias = main.get_layer("attended").get_weights()[-1]  # the last row has no step to attend to
    of_nothing = np.tile(bias @ main.get_layer("head").get_weights()[0], (4, 1))
    np.testing.assert_allclose(found[4] - weights_by_layer(main)["head"][1], of_nothing, atol=1e-6)


def test_the_picture_and_the_difference_name_the_port() -> None:
    assert '-- "scores" --> out_scores' in load(DECODER).graph("mermaid")
    difference = lstmgraph.diff(load(DECODER), load(DECODER.replace(", scores: att", ", s: att")))
    assert not difference.layers.changed


def test_scores_that_only_an_unread_layer_reads_are_not_returned() -> None:
    text = DECODER.partition("outputs:")[0] + "  late: {type: flatten, input: attended.scores}\n"
    graph = load(f"{text}outputs: {{y: head}}").compiled.graph
    assert set(graph.by_name["attended"].outputs) == {"output"}
