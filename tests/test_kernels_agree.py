"""A recipe computes the same on every kernel, and `explain` says which one it is for.

Keras's loop, the unrolled loop, the fused loop and XLA are compared by their numbers; XLA, which
compiles for seconds, with one mask a layer, and with all of them by ``LSTMGRAPH_EXAMPLES=1``. Of
cuDNN only the decision is tested, as `explain` shows it and as it is built: it runs on GPUs alone.
"""

from __future__ import annotations

import os
from typing import NamedTuple

import keras
import numpy as np
import pytest
from building import (
    FIRST_STEPS,
    MASK,
    STEPS,
    Arrays,
    batch_for,
    build,
    copy_weights,
    load,
    outputs_of,
    randomise,
)
from keras import layers

import lstmgraph
import lstmgraph.models.runtime
from lstmgraph.compiler.machine.machine import Machine

TOLERANCE = 1e-6

LAYERS = {
    "lstm": "type: lstm",
    "gru": "type: gru",
    "lstm-both-ways": "type: lstm, bidirectional: true",
    "gru-both-ways": "type: gru, bidirectional: true",
}
RUNTIMES = {
    "standard": "kernel: standard",
    "unrolled": "kernel: unrolled",
    "auto": "kernel: auto",
    "fused": "kernel: fused",
    "xla": "kernel: standard, xla: true",
}


class Masked(NamedTuple):
    """A mask as the recipe writes it, the steps that count by it, and the input that it needs."""

    written: str
    steps: np.ndarray
    needs: str = ""


MASKS = {
    "unmasked": Masked("none", np.ones_like(MASK)),
    "lengths": Masked("{lengths: lengths}", FIRST_STEPS, "lengths: {shape: [], dtype: int32}"),
    "left-padded": Masked("{value: 0.0, padding: left}", FIRST_STEPS[:, ::-1]),
    "gaps": Masked("{input: mask}", MASK, f"mask: {{shape: [{STEPS}], dtype: bool}}"),
}
"""The last row of each but the first is padded from end to end."""

ENDS = {
    f"{layer}_{port}": f"{layer}.{port}"
    for layer in ("whole", "brief", "fresh")
    for port in ("last", "state")
}
SEQUENCES = {"whole_sequence": "whole.sequence", "fresh_sequence": "fresh.sequence"}


def recipe(layer: str, mask: str, runtime: str, outputs: dict[str, str]) -> str:
    """The same layer with its sequence read, with its end read alone, and begun from zeros."""
    # With a mask of known shape the steps are known; else only the unrolled loop needs to know.
    steps = STEPS if runtime == "unrolled" or mask == "gaps" else "time"
    reader = f"{LAYERS[layer]}, input: frames, units: 4, mask: {MASKS[mask].written}"
    return f"""
    inputs: {{frames: {{shape: [{steps}, 3]}}, {MASKS[mask].needs}}}
    layers:
      whole: {{{reader}, initial_state: input}}
      brief: {{{reader}, initial_state: input}}
      fresh: {{{reader}}}
    outputs: {{{", ".join(f"{name}: {port}" for name, port in outputs.items())}}}
    runtime: {{{RUNTIMES[runtime]}}}
    """


COMPILED_MASK = dict(zip(LAYERS, ("lengths", "gaps", "gaps", "lengths"), strict=True))


def is_compiled(layer: str, mask: str) -> bool:
    """Whether it is computed by XLA too."""
    return mask == COMPILED_MASK[layer] or "LSTMGRAPH_EXAMPLES" in os.environ


ON_JAX = keras.backend.backend() == "jax"
ON_GPUS = bool(keras.distribution.list_devices("gpu"))


def is_refused(layer: str, mask: str, runtime: str) -> bool:
    """Whether the sequence cannot be read: Keras would compute it wrong, on JAX one way too."""
    return runtime == "unrolled" and mask != "unmasked" and (layer.endswith("both-ways") or ON_JAX)


def computed(model: keras.Model, data: Arrays, runtime: str) -> Arrays:
    """Eagerly; with XLA by `predict`, as only a traced model is compiled."""
    assert ON_GPUS or model.jit_compile is (runtime == "xla" or ON_JAX)  # there Keras chooses
    if runtime == "xla":
        return model.predict(data, batch_size=len(data["frames"]), verbose=0)
    return outputs_of(model, data)


@pytest.mark.slow
@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("layer", LAYERS)
def test_kernels_agree(layer: str, mask: str) -> None:
    counts = MASKS[mask].steps
    standard = build(recipe(layer, mask, "standard", ENDS | SEQUENCES))
    randomise(standard)
    data = batch_for(standard)
    if mask == "left-padded":
        data["frames"] *= counts[:, :, None]
    wanted = computed(standard, data, "standard")
    on_gpus = ["auto"] if ON_GPUS else []  # else it is the same loop
    assert_padding_does_not_count(wanted, data, counts)
    compiled = ["xla"] if is_compiled(layer, mask) else []
    fused = [] if on_gpus or ON_JAX else ["fused"]
    for runtime in ("unrolled", *fused, *compiled, *on_gpus):
        outputs = ENDS if is_refused(layer, mask, runtime) else ENDS | SEQUENCES
        model = build(recipe(layer, mask, runtime, outputs))
        copy_weights(standard, model)
        found = computed(model, data, runtime)
        assert wanted.keys() - found.keys() == (ENDS | SEQUENCES).keys() - outputs.keys()
        for name, array in found.items():
            np.testing.assert_allclose(
                array, wanted[name], rtol=0, atol=TOLERANCE, err_msg=f"{runtime}: {name}"
            )


def assert_padding_does_not_count(found: Arrays, data: Arrays, counts: np.ndarray) -> None:
    """Padded steps hold zeros, and a row without any other step ends in the state it began with."""
    padded_rows = ~counts.any(axis=1)
    for sequence in SEQUENCES:
        assert not found[sequence][~counts].any()
        assert found[sequence][counts].all()
    for name in (name for name in found if "_state_" in name):
        given = data.get(name.replace("_state", ""), np.zeros_like(found[name]))
        np.testing.assert_array_equal(found[name][padded_rows], given[padded_rows], err_msg=name)
    for layer in ("whole", "brief", "fresh"):
        h = [found[n] for n in found if n.startswith(f"{layer}_state") and n.endswith("h")]
        np.testing.assert_array_equal(found[f"{layer}_last"], np.concatenate(h, axis=-1))


# Where the unrolled loop would be wrong.


@pytest.mark.parametrize("mask", [mask for mask in MASKS if mask != "unmasked"])
@pytest.mark.parametrize("layer", ["lstm-both-ways", "gru-both-ways"])
def test_masked_sequence_is_not_unrolled_both_ways(layer: str, mask: str) -> None:
    with pytest.raises(lstmgraph.RecipeError) as caught:
        load(recipe(layer, mask, "unrolled", ENDS | SEQUENCES))
    assert [diagnostic.code for diagnostic in caught.value.diagnostics] == ["L703", "L703"]


@pytest.mark.tensorflow("on JAX the unrolled loop zeroes no steps: test_backends.py")
def test_keras_zeroes_the_wrong_steps_of_it() -> None:
    """The reason for the refusal: once Keras does better, it can go."""
    frames = np.random.default_rng(0).normal(size=(len(MASK), STEPS, 3)).astype("float32")
    unrolled = layers.Bidirectional(layers.GRU(4, return_sequences=True, unroll=True))
    found = keras.ops.convert_to_numpy(unrolled(frames, mask=FIRST_STEPS))
    ahead, back = np.split(found, 2, axis=-1)
    np.testing.assert_array_equal(ahead.any(axis=-1), FIRST_STEPS)
    np.testing.assert_array_equal(back[1].any(axis=-1), [False] * STEPS)
    assert FIRST_STEPS[1].any()


# XLA, with and without `training:`.


@pytest.mark.tensorflow("JAX compiles whatever it runs")
@pytest.mark.parametrize("training", ["", "training: {loss: mse}"])
@pytest.mark.parametrize(("xla", "wanted"), [("true", True), ("false", False), ("auto", False)])
def test_xla_is_what_the_recipe_says(xla: str, wanted: bool, training: str) -> None:
    """`auto` is off here: Keras compiles with XLA on GPUs alone."""
    model = build(f"""
inputs: {{frames: {{shape: [time, 3]}}}}
layers: {{reader: {{type: lstm, input: frames, units: 4}}}}
outputs: {{last: reader}}
runtime: {{xla: {xla}, kernel: standard}}
{training}
""")
    assert model.jit_compile is (ON_GPUS if xla == "auto" else wanted)


# Which kernel a call is for, and why no faster one.

CUDNN = "on a GPU; without one Keras's loop runs"
CUDNN_MASKED = "on a GPU, for batches without an empty row; otherwise Keras's loop runs"
UNKNOWN_PADDING = "its mask is not known to be padded on the right"


class Decision(NamedTuple):
    layer: str
    kernel: str
    reason: str
    runtime: str = "{}"
    output: str = "reader"


DECISIONS = {
    "lstm": Decision("type: lstm", "cudnn", CUDNN),
    "gru": Decision("type: gru", "cudnn", CUDNN),
    "both ways": Decision("type: lstm, bidirectional: true", "cudnn", CUDNN),
    "dropout": Decision("type: lstm, dropout: 0.2", "cudnn", CUDNN),
    "states given": Decision("type: gru, initial_state: input", "cudnn", CUDNN),
    "backwards": Decision("type: lstm, go_backwards: true", "cudnn", CUDNN),
    "mixed precision": Decision("type: lstm, dtype_policy: mixed_float16", "cudnn", CUDNN),
    "lengths": Decision("type: lstm, mask: {lengths: lengths}", "cudnn", CUDNN_MASKED),
    "lengths both ways": Decision(
        "type: gru, bidirectional: true, mask: {lengths: lengths}",
        "cudnn",
        CUDNN_MASKED,
        output="reader.sequence",
    ),
    "padded right": Decision(
        "type: lstm, mask: {value: 0.0, padding: right}", "cudnn", CUDNN_MASKED
    ),
    "padded left": Decision(
        "type: lstm, mask: {value: 0.0, padding: left}",
        "standard",
        f"{UNKNOWN_PADDING} (frames != 0.0)",
    ),
    "padded somewhere": Decision(
        "type: lstm, mask: {value: 0.0}", "standard", f"{UNKNOWN_PADDING} (frames != 0.0)"
    ),
    "mask as an input": Decision(
        "type: gru, mask: {input: valid}", "standard", f"{UNKNOWN_PADDING} (valid)"
    ),
    "mask as a right-padded input": Decision(
        "type: gru, mask: {input: valid, padding: right}", "cudnn", CUDNN_MASKED
    ),
    "hold": Decision(
        "type: lstm, mask: {lengths: lengths}, padded_output: hold",
        "standard",
        "cuDNN gives zeros at padded steps",
        output="reader.sequence",
    ),
    "hold without the sequence": Decision(
        "type: lstm, mask: {lengths: lengths}, padded_output: hold", "cudnn", CUDNN_MASKED
    ),
    "recurrent dropout": Decision(
        "type: lstm, recurrent_dropout: 0.1", "standard", "recurrent_dropout is 0.1"
    ),
    "relu": Decision("type: lstm, activation: relu", "standard", "activation is not tanh"),
    "hard gates": Decision(
        "type: gru, recurrent_activation: hard_sigmoid",
        "standard",
        "recurrent_activation is not sigmoid",
    ),
    "no bias": Decision("type: lstm, use_bias: false", "standard", "it has no bias"),
    "reset before": Decision("type: gru, reset_after: false", "standard", "reset_after is false"),
    "simple_rnn": Decision("type: simple_rnn", "standard", "cuDNN has no SimpleRNN"),
    "unroll": Decision("type: lstm, unroll: true", "unrolled", "`unroll: true`"),
    "kernel: unrolled": Decision(
        "type: gru", "unrolled", "`kernel: unrolled`", "{kernel: unrolled}"
    ),
    "kernel: standard": Decision(
        "type: gru", "standard", "`kernel: standard`", "{kernel: standard}"
    ),
    "kernel: cudnn": Decision("type: gru", "cudnn", CUDNN, "{kernel: cudnn}"),
    "xla: true": Decision(
        "type: gru", "standard", "`xla: true`: XLA cannot compile cuDNN", "{xla: true}"
    ),
}


def decided_recipe(decision: Decision) -> lstmgraph.Recipe:
    declared = {
        "lengths": "lengths: {shape: [], dtype: int32}",
        "valid": f"valid: {{shape: [{STEPS}], dtype: bool}}",
    }
    needed = [text for name, text in declared.items() if f": {name}" in decision.layer]
    return load(f"""
    inputs: {{{", ".join([f"frames: {{shape: [{STEPS}, 3]}}", *needed])}}}
    layers:
      reader: {{{decision.layer}, input: frames, units: 4}}
    outputs: {{y: {decision.output}}}
    runtime: {decision.runtime}
    """)


ON_TENSORFLOW = Machine()


@pytest.mark.parametrize("name", DECISIONS)
def test_explain_says_the_kernel_and_why(name: str) -> None:
    decision = DECISIONS[name]
    row = (
        decided_recipe(decision).explain(Machine(gpus=1)).layers[0]
    )  # behind mixed precision stands a cast
    assert (row.kernel, row.kernel_reason) == (decision.kernel, decision.reason)


@pytest.mark.tensorflow("`kernel: cudnn` is refused elsewhere, and some decisions differ")
@pytest.mark.parametrize("name", [name for name in DECISIONS if name != "simple_rnn"])
def test_the_layer_is_built_for_that_kernel(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The decision only: with `use_cudnn` Keras itself looks for a GPU."""
    monkeypatch.setattr(lstmgraph.models.runtime, "seen_machine", lambda: Machine(1, ""))
    decision = DECISIONS[name]
    reader = decided_recipe(decision).build().get_layer("reader")
    both_ways = isinstance(reader, layers.Bidirectional)
    wanted = {"cudnn": "auto"}.get(decision.kernel, False)
    for layer in (reader.forward_layer, reader.backward_layer) if both_ways else (reader,):
        assert layer.use_cudnn == (True if name == "kernel: cudnn" else wanted)
        assert layer.unroll is (decision.kernel == "unrolled")
