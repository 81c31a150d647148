"""The fused loop computes what Keras's loop does, with the gradients of finite differences.

``LSTMGRAPH_EXAMPLES=3000`` compares so many random layers with Keras; a run of the suite, a few.
"""

from __future__ import annotations

import os
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import layers

from lstmgraph.models.kernels import can_install, install

ROWS, STEPS, FEATURES, UNITS = 3, 4, 2, 2
CLASSES: dict[str, tuple[type[keras.Layer], dict[str, Any]]] = {
    "lstm": (layers.LSTM, {"use_cudnn": False}),
    "gru": (layers.GRU, {"use_cudnn": False}),
    "gru-before": (layers.GRU, {"use_cudnn": False, "reset_after": False}),
    "rnn": (layers.SimpleRNN, {}),
}
COUNTED = {
    "none": None,
    "lengths": np.arange(STEPS) < np.array([[0], [2], [STEPS]]),
    "holes": np.array([[0, 0, 1, 0], [1, 0, 1, 1], [0, 1, 0, 0]], bool),
}
EXAMPLES = max(8, int(os.environ.get("LSTMGRAPH_EXAMPLES", "0")))


def made(kind: str, dtype: str = "float32", **arguments: Any) -> keras.Layer:
    """Return a built layer whose weights are random, biases too."""
    cls, own = CLASSES[kind]
    layer = cls(UNITS, **own, **{"seed": 3, "dtype": dtype, **arguments})
    layer.build((ROWS, STEPS, FEATURES))
    generator = np.random.default_rng(7)
    layer.set_weights([generator.normal(size=w.shape) for w in layer.get_weights()])
    return layer


def fused(kind: str, dtype: str = "float32", **arguments: Any) -> keras.Layer:
    layer = made(kind, dtype, **arguments)
    install(layer, always=True)
    assert "inner_loop" in vars(layer)
    return layer


def given_to(layer: keras.Layer, seed: int = 0, *, states: bool = True) -> list[Any]:
    """Return random inputs and initial states of a layer."""
    generator, dtype = np.random.default_rng(seed), layer.compute_dtype
    shapes = [(ROWS, STEPS, FEATURES)]
    if states:
        shapes += [(ROWS, UNITS)] * len(layer.state_size)
    return [tf.constant(generator.normal(size=shape), dtype) for shape in shapes]


def called(layer: keras.Layer, tensors: list[Any], counted: Any, *, xla: bool = False) -> list[Any]:
    """Return the outputs of a training call, and the gradients of a weighted sum of them."""

    def call() -> list[Any]:
        with tf.GradientTape() as tape:
            tape.watch(tensors)
            results = layer(
                tensors[0],
                initial_state=tensors[1:] or None,
                mask=None if counted is None else tf.constant(counted),
                training=True,
            )
            outputs = keras.tree.flatten(results)
            loss = weighted(outputs)
        sources = [*tensors, *(variable.value for variable in layer.trainable_variables)]
        return [*outputs, *tape.gradient(loss, sources, unconnected_gradients="zero")]

    return [each.numpy() for each in tf.function(call, jit_compile=xla)()]


def weighted(outputs: list[Any]) -> Any:
    weights = [np.cos(np.arange(np.prod(each.shape)).reshape(each.shape)) for each in outputs]
    return sum(
        tf.reduce_sum(each * tf.constant(weight, each.dtype))
        for each, weight in zip(outputs, weights, strict=True)
    )


def assert_same(found: list[Any], expected: list[Any], tolerance: float) -> None:
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=tolerance, atol=tolerance)


ARGUMENTS = {
    "return_sequences": st.booleans(),
    "return_state": st.booleans(),
    "go_backwards": st.booleans(),
    "zero_output_for_mask": st.booleans(),
    "use_bias": st.booleans(),
    "dropout": st.sampled_from([0.0, 0.4]),
    "recurrent_dropout": st.sampled_from([0.0, 0.4]),
    "activation": st.sampled_from(["tanh", "tanh", "relu", "linear", "sigmoid"]),
    "dtype": st.sampled_from(["float32", "float32", "float64"]),
}
GATES = {"recurrent_activation": st.sampled_from(["sigmoid", "sigmoid", "hard_sigmoid"])}


@pytest.mark.parametrize("kind", CLASSES)
def test_random_layers_compute_and_learn_what_keras_does(kind: str) -> None:
    gates = {} if kind == "rnn" else GATES

    @settings(max_examples=EXAMPLES // len(CLASSES), deadline=None, derandomize=True)
    @given(
        st.fixed_dictionaries(ARGUMENTS | gates),
        st.sampled_from(list(COUNTED)),
        st.booleans(),
        st.sampled_from([False, False, True]),
    )
    def compare(arguments: dict[str, Any], mask: str, states: bool, xla: bool) -> None:
        plain, own = made(kind, **arguments), fused(kind, **arguments)
        tensors = given_to(plain, states=states)
        expected = called(plain, tensors, COUNTED[mask])
        tolerance = 1e-5 if arguments["dtype"] == "float32" else 1e-12
        assert_same(called(own, tensors, COUNTED[mask], xla=xla), expected, tolerance)

    compare()


@pytest.mark.parametrize("kind", CLASSES)
def test_gradients_are_those_of_finite_differences(kind: str) -> None:
    """For every number of the inputs, states and weights."""
    for mask, backwards in (("none", False), ("holes", True)):
        layer = fused(
            kind, "float64", return_sequences=True, return_state=True, go_backwards=backwards
        )
        tensors = given_to(layer)
        count = len(tensors) + len(layer.trainable_variables)
        gradients = called(layer, tensors, COUNTED[mask])[-count:]
        found = np.concatenate([np.ravel(each) for each in gradients])
        expected = differences(layer, tensors, COUNTED[mask])
        np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-7)


def differences(layer: keras.Layer, tensors: list[Any], counted: Any) -> Any:
    """Return the central differences of the loss, in float64."""
    weights = layer.trainable_variables
    sizes = [int(tf.size(each)) for each in [*tensors, *weights]]

    @tf.function
    def loss(values: Any) -> Any:
        parts = zip(tf.split(values, sizes), [*tensors, *weights], strict=True)
        own = [tf.reshape(part, tensor.shape) for part, tensor in parts]
        for weight, value in zip(weights, own[len(tensors) :], strict=True):
            weight.assign(value)
        results = layer(own[0], initial_state=own[1 : len(tensors)], mask=counted)
        return weighted(keras.tree.flatten(results))

    point = np.concatenate([np.ravel(each) for each in [*tensors, *layer.get_weights()]])
    steps = 1e-6 * np.eye(len(point))
    return np.array([(loss(point + step) - loss(point - step)) / 2e-6 for step in steps])


def test_dropout_draws_with_xla_what_keras_draws_without() -> None:
    """TensorFlow's own floats differ under XLA."""
    for dtype in ("float32", "float64"):
        plain, own = (make("lstm", dtype, dropout=0.3) for make in (made, fused))
        of = tf.ones((9, 7), dtype)

        def drawn(cell: Any, of: Any = of) -> Any:
            return tf.stack([cell._create_dropout_mask(of, 0.3) for _ in range(2)])

        expected = tf.function(drawn)(plain.cell)
        np.testing.assert_array_equal(tf.function(drawn, jit_compile=True)(own.cell), expected)


def test_in_16_bits_it_errs_less_than_keras() -> None:
    """Against float64, of outputs and gradients."""
    policy, half = "mixed_bfloat16", "bfloat16"
    kind, arguments = "gru", {"return_sequences": True, "return_state": True}
    exact, plain, own = (
        make(kind, dtype, **arguments)
        for make, dtype in ((made, "float64"), (made, policy), (fused, policy))
    )
    given = [tf.cast(each, half) for each in given_to(exact)]
    expected = called(exact, [tf.cast(each, "float64") for each in given], COUNTED["holes"])
    errors = [
        np.array(
            [
                np.abs(one.astype("float64") - other).mean()
                for one, other in zip(called(layer, given, COUNTED["holes"]), expected, strict=True)
            ]
        )
        for layer in (plain, own)
    ]
    ratios = errors[1] / errors[0]
    assert ratios.mean() < 0.9, ratios
    assert own(given[0])[0].dtype == half


def test_a_state_of_one_row_is_that_of_all_rows() -> None:
    plain, own = made("gru", return_sequences=True), fused("gru", return_sequences=True)
    tensors = given_to(plain)
    state = tensors[1][:1]
    expected = plain(tensors[0], initial_state=[tf.repeat(state, ROWS, axis=0)])
    np.testing.assert_allclose(own(tensors[0], initial_state=[state]), expected, atol=1e-6)


def test_the_loop_runs_only_in_what_xla_compiles() -> None:
    """Without `always`, whose result tells it apart from Keras's own loop."""
    layer = made("lstm")
    layer.inner_loop = lambda sequences, *_, **__: (sequences[:, 0], sequences, [])
    install(layer)
    tensors = given_to(layer, states=False)
    by_keras = tf.function(layer)(tensors[0])
    np.testing.assert_array_equal(by_keras, tensors[0][:, 0])
    by_xla = tf.function(layer, jit_compile=True)(tensors[0])
    np.testing.assert_allclose(by_xla, made("lstm")(tensors[0]), atol=1e-6)


@pytest.mark.parametrize(
    ("kind", "arguments"),
    {
        "unrolled": ("lstm", {"unroll": True}),
        "another activation": ("lstm", {"activation": "gelu"}),
        "another gate": ("gru", {"recurrent_activation": "softplus"}),
        "an own function": ("rnn", {"activation": tf.sin}),
        "mixed": ("gru", {"dtype": "mixed_float16"}),
        "no unit left": ("rnn", {"dropout": 1.0}),
    }.values(),
)
def test_what_it_does_not_compute_keeps_keras_loop(kind: str, arguments: dict[str, Any]) -> None:
    layer = CLASSES[kind][0](UNITS, **{**CLASSES[kind][1], **arguments})
    install(layer, always=True)
    assert not can_install(layer)
    assert "inner_loop" not in vars(layer)


def test_nothing_of_it_is_in_the_configuration() -> None:
    layer = fused("lstm")
    assert layer.get_config() | {"name": ""} == made("lstm").get_config() | {"name": ""}
    assert "inner_loop" not in vars(type(layer).from_config(layer.get_config()))
