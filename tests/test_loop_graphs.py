"""Loops in the graph: a step of a sequence, the results of all steps, and what is fed back."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import pytest
from building import (
    LENGTHS,
    MASK,
    STEPS,
    Arrays,
    assert_equal_arrays,
    outputs_of,
    randomise,
)
from handwritten import first_steps
from keras import layers, ops
from looping import Loop, load_loop
from onnx_running import assert_runs_as_keras
from test_outputs import assert_same_outputs, handwritten_twin

import lstmgraph
from lstmgraph.models.building.operations import full

if TYPE_CHECKING:
    from pathlib import Path

Tensors = dict[str, Any]

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

RETURNING = {"return_sequences": True, "return_state": True, "zero_output_for_mask": True}


def forecaster(steps: int = STEPS) -> Loop:
    """States and forecasts are fed back; what is known of a step is masked by its values."""
    return Loop(
        inputs={
            "x": {"shape": ["time", 3]},
            "lengths": {"shape": [], "dtype": "int32"},
            "known": {"shape": [steps, 2]},
        },
        before={
            "reader": {"type": "lstm", "input": "x", "units": 4, "mask": {"lengths": "lengths"}},
            "masked": {"type": "masking", "input": "known"},
        },
        full={"start": ("x", [1, 3], 0.5)},
        each={"step": "masked"},
        feedback={"value": ("start", "y"), "state": ("reader", "writer")},
        block={
            "writer": {
                "type": "lstm",
                "input": ["value", "step"],
                "units": 4,
                "initial_state": "state",
            },
            "y": {"type": "dense", "input": "writer.sequence", "units": 3},
        },
        outputs={"ys": "y", "states": "writer.state.h"},
        steps=steps,
        rest={"training": {"loss": {"of_ys": "mse"}}},
    )


def by_hand(t: Tensors, steps: int = STEPS) -> Tensors:
    reader, writer = (layers.LSTM(4, name=name, **RETURNING) for name in ("reader", "writer"))
    head = layers.Dense(3, name="y")
    counted = ops.any(ops.not_equal(t["known"], 0.0), axis=-1)
    _, *state = reader(t["x"], mask=first_steps(t["lengths"]))
    known = layers.Masking()(t["known"])
    value = ops.repeat(ops.ones_like(t["x"][:, :1, :1]) / 2, 3, axis=-1)
    ys, states = [], []
    for step in range(steps):
        x = ops.concatenate([value, known[:, step : step + 1]], axis=-1)
        y, *state = writer(x, mask=counted[:, step : step + 1], initial_state=state)
        value = head(y)
        ys.append(value)
        states.append(state[0])
    ys = ops.concatenate(ys, axis=1)
    return {"of_ys": ops.where(counted[..., None], ys, 0), "of_states": ops.stack(states, axis=1)}


def attending() -> Loop:
    """Attention whose query is the last state; tokens, lengths, and masks that meet inside."""
    return Loop(
        inputs={
            "source": {"shape": ["time", 3]},
            "target": {"shape": [STEPS], "dtype": "int32"},
            "frames": {"shape": [STEPS, 4]},
            "lengths": {"shape": [], "dtype": "int32"},
        },
        before={
            "memory": {
                "type": "gru",
                "input": "source",
                "units": 4,
                "return_sequences": True,
                "mask": {"value": 0.0},
            },
            "first": {"type": "reshape", "input": "memory.state.h", "target_shape": [1, 4]},
        },
        each={"token": "target", "frame": "frames"},
        feedback={"state": ("memory.state.h", "writer.state.h"), "last": ("first", "joined")},
        block={
            "word": {
                "type": "embedding",
                "input": "token",
                "input_dim": 10,
                "output_dim": 4,
                "mask_zero": True,
            },
            "query": {"type": "reshape", "input": "state", "target_shape": [1, 4]},
            "context": {
                "type": "multi_head_attention",
                "input": {"query": "query", "value": "memory"},
                "num_heads": 2,
                "key_dim": 3,
            },
            "summed": {"type": "add", "input": ["last", "word"]},
            "writer": {
                "type": "gru",
                "input": ["context", "summed"],
                "units": 4,
                "initial_state": {"h": "state"},
            },
            "looked": {
                "type": "simple_rnn",
                "input": "frame",
                "units": 4,
                "mask": {"lengths": "lengths"},
                "return_sequences": True,
            },
            "joined": {"type": "dense", "input": "writer.sequence", "units": 4},
        },
        outputs={"words": "joined", "looks": "looked", "states": "writer", "ids": "token"},
        steps=STEPS,
        after={"again": {"type": "gru", "input": "words", "units": 2}},
        rest={
            "outputs": {
                "words": "words",
                "looks": "looks",
                "states": "states",
                "ids": "ids",
                "again": "again",
            }
        },
    )


def attending_by_hand(t: Tensors) -> Tensors:
    memory = layers.GRU(4, name="memory", **RETURNING)
    word = layers.Embedding(10, 4, mask_zero=True, name="word")
    context = layers.MultiHeadAttention(2, 3, name="context")
    writer = layers.GRU(4, name="writer", **RETURNING)
    looked = layers.SimpleRNN(4, name="looked", return_sequences=True, zero_output_for_mask=True)
    joined = layers.Dense(4, name="joined")
    again = layers.GRU(2, name="again")
    heard = ops.any(ops.not_equal(t["source"], 0.0), axis=-1)
    written = ops.not_equal(t["target"], 0)
    looking = first_steps(t["lengths"])
    sequence, state = memory(t["source"], mask=heard)
    sequence = ops.copy(sequence)
    last = layers.Reshape((1, 4))(state)
    found: dict[str, list[Any]] = {"words": [], "looks": [], "states": []}
    for step in range(STEPS):
        at = slice(step, step + 1)
        query = layers.Reshape((1, 4))(state)
        attended = context(query, sequence, value_mask=heard)
        summed = ops.add(last, ops.copy(word(t["target"][:, at])))
        x = ops.concatenate([attended, summed], axis=-1)
        y, state = writer(x, mask=written[:, at], initial_state=state)
        last = joined(y)
        found["words"].append(last)
        found["looks"].append(looked(t["frames"][:, at], mask=looking[:, at]))
        found["states"].append(state)
    words = ops.where(written[..., None], ops.concatenate(found["words"], axis=1), 0)
    return {
        "words": words,
        "looks": ops.concatenate(found["looks"], axis=1),
        "states": ops.stack(found["states"], axis=1),
        "ids": ops.expand_dims(t["target"], -1),
        "again": again(words, mask=written),
    }


LOOPS = {"forecaster": (forecaster, by_hand), "attending": (attending, attending_by_hand)}


def inputs_for(model: keras.Model) -> Arrays:
    """Rows with padding before, between and behind the steps; the last row has nothing else."""
    random = np.random.default_rng(0)
    made: Arrays = {"lengths": LENGTHS}
    for name, tensor in model.input.items():
        shape = [len(LENGTHS), *(STEPS if size is None else size for size in tensor.shape[1:])]
        if name == "target":
            made[name] = random.integers(1, 10, shape).astype("int32") * MASK
        elif name != "lengths":
            made[name] = random.normal(size=shape).astype("float32")
    for name in {"known", "source"} & made.keys():
        made[name] = made[name] * MASK[..., None]
    return made


@pytest.fixture(scope="module", params=LOOPS)
def looped(request: pytest.FixtureRequest) -> tuple[str, lstmgraph.Recipe, keras.Model, Arrays]:
    loop = LOOPS[request.param][0]()
    recipe = load_loop(loop, pytest.MonkeyPatch())
    model = recipe.build()
    randomise(model)
    return request.param, recipe, model, inputs_for(model)


@pytest.mark.slow
def test_a_loop_equals_keras_called_in_a_loop(looped, tmp_path: Path) -> None:
    """To the last bit; saved, and loaded without lstmgraph; with its weights once."""
    name, recipe, model, data = looped
    twin = handwritten_twin(model, LOOPS[name][1])
    wanted = outputs_of(twin, data)
    assert_same_outputs(outputs_of(model, data), wanted)
    assert recipe.explain().trainable_parameters == twin.count_params()
    recipe.save(model, tmp_path / "m.keras")
    loaded = keras.models.load_model(tmp_path / "m.keras")
    assert_equal_arrays(outputs_of(loaded, data), outputs_of(model, data))


def test_a_loop_runs_in_onnx(looped) -> None:
    _, recipe, model, data = looped
    proto = assert_runs_as_keras(recipe, model, data)
    assert "Loop" not in {node.op_type for node in proto.graph.node}


@pytest.mark.slow
@pytest.mark.skipif(keras.backend.backend() == "jax", reason="gradients by tf.GradientTape")
def test_a_loss_leaves_out_the_padded_steps_of_a_loop() -> None:
    """By NumPy; numbers in padded steps, which the mask hides, change nothing and no gradient."""
    import tensorflow as tf  # noqa: PLC0415

    recipe = load_loop(forecaster(), pytest.MonkeyPatch())
    model = recipe.build()
    randomise(model)
    data = inputs_for(model)
    targets = np.random.default_rng(1).normal(size=(len(LENGTHS), STEPS, 3)).astype("float32")
    y = outputs_of(model, data)["of_ys"].astype("float64")
    errors = ((y - targets) ** 2).mean(axis=-1)
    counted = data["known"].any(axis=-1)
    states = np.zeros((len(LENGTHS), STEPS, 4))
    whole = {"of_ys": targets, "of_states": states}
    loss = model.evaluate(data, whole, batch_size=len(LENGTHS), verbose=0)
    loss = loss[0] if isinstance(loss, list) else loss
    assert loss == pytest.approx((errors * counted).sum() / counted.sum(), rel=1e-5)
    with tf.GradientTape() as tape:
        whole = tf.reduce_sum(model(dict(data))["of_ys"] ** 2)
    gradients = tape.gradient(whole, [weight.value for weight in model.trainable_weights])
    assert all(np.isfinite(gradient).all() for gradient in map(tf.convert_to_tensor, gradients))


@pytest.mark.parametrize(
    ("shape", "dtype"), [((3, 0), "float32"), ((None, 3), "float16"), ((), "int32"), ((2,), "bool")]
)
def test_a_full_tensor_reads_only_the_rows(shape: tuple[int | None, ...], dtype: str) -> None:
    """Not even NaN, of tensors without any features too, and of no rows."""
    given = keras.Input(shape, dtype=dtype)
    wanted = [(), (2,), (1, 3), (2, 1, 2)]
    model = keras.Model(given, [full(given, size, 0.25, "float32") for size in wanted])
    for rows in (5, 0):
        sizes = [2 if size is None else size for size in shape]
        value = np.nan if dtype.startswith("float") else 1
        found = model(np.full([rows, *sizes], value, dtype))
        for size, array in zip(wanted, map(ops.convert_to_numpy, found), strict=True):
            np.testing.assert_array_equal(array, np.full([rows, *size], 0.25, "float32"))


# --- what does not fit ---


def refused(loop: Loop) -> list[tuple[str, tuple[Any, ...], str]]:
    with pytest.raises(lstmgraph.RecipeError) as error:
        load_loop(loop, pytest.MonkeyPatch())
    found = error.value.diagnostics
    assert all(diagnostic.hint for diagnostic in found)
    return [(each.code, each.path, each.message) for each in found]


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ([4, 2], "the loop has 6 steps, but 'masked' has 4 steps"),
        (["ahead", 2], "has `ahead` steps, which are known only from the data"),
    ],
)
def test_a_sequence_with_other_steps_is_refused_once(shape: list[Any], message: str) -> None:
    loop = forecaster()
    loop.inputs["known"] = {"shape": shape}
    ((code, _, found),) = {(code, "", text) for code, _, text in refused(loop)}
    assert code == "L317"
    assert message in found


def test_what_is_fed_back_in_another_shape_is_refused_once() -> None:
    loop = forecaster()
    loop.block["y"]["units"] = 2
    assert refused(loop) == [
        (
            "L318",
            ("layers", "y"),
            "'y' is (batch, 1, 3) in the first step, but 'y', which the next steps read in "
            "its place, is (batch, 1, 2)",
        )
    ]


def test_a_mistake_in_a_block_is_reported_once() -> None:
    loop = forecaster()
    loop.block["y"] |= {"type": "conv1d", "filters": 3, "kernel_size": 3, "padding": "valid"}
    del loop.block["y"]["units"]
    assert [code for code, *_ in refused(loop)] == ["L401"]


def test_masks_of_the_steps_inside_of_a_step_are_refused() -> None:
    loop = attending()
    loop.outputs = {"words": "joined", "all": "memory"}
    loop.rest = {"outputs": {"words": "words", "all": "all"}}
    assert [code for code, *_ in refused(loop)] == ["L523"]


def test_lengths_in_a_loop_without_a_sequence_are_refused() -> None:
    loop = replace(forecaster(), each={})
    loop.block["writer"]["input"] = "value"
    loop.block["writer"]["mask"] = {"lengths": "lengths"}
    loop.outputs = {"ys": "y"}
    assert {code for code, *_ in refused(loop)} == {"L524"}
