"""The fused loop computes what Keras's loop does, with the gradients of finite differences.

``LSTMGRAPH_EXAMPLES=5000`` computes so many random calls, those of the seeds from 0; a run of the
suite, a few. Most run eagerly, which costs little; in models XLA compiles the loop, so some are
compiled too.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import pytest
import random_loops
import tensorflow as tf
from random_loops import CLASSES, UNITS, Case, weights_of

from lstmgraph.models.kernels import can_install, install

if TYPE_CHECKING:
    from collections.abc import Sequence

ROWS, STEPS, FEATURES = 3, 4, random_loops.FEATURES
COUNTED = np.array([[0, 0, 1, 0], [1, 0, 1, 1], [0, 1, 0, 0]], bool)
ASKED = int(os.environ.get("LSTMGRAPH_EXAMPLES", "0"))
EAGER = max(10, ASKED // len(CLASSES))
COMPILED = max(1, ASKED // 100)
"""Cases of each kind."""
TOLERANCES = {"float32": 1e-5, "float64": 1e-12}
"""Of the difference to Keras, relative to the largest number of an array."""
OF_NUMPY = {"float32": 2e-5, "float64": 1e-6, "mixed_bfloat16": 2**-7}
"""Of the difference to NumPy and its central differences."""


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


def given_to(layer: keras.Layer, *, states: bool = True) -> list[Any]:
    """Return random inputs and initial states of a layer."""
    generator, dtype = np.random.default_rng(0), layer.compute_dtype
    shapes = [(ROWS, STEPS, FEATURES)]
    if states:
        shapes += [(ROWS, UNITS)] * len(layer.state_size)
    return [tf.constant(generator.normal(size=shape), dtype) for shape in shapes]


def called(
    layer: keras.Layer,
    tensors: list[Any],
    counts: list[Any],
    compiled: Sequence[Any] = (),
    **call: Any,
) -> list[np.ndarray]:
    """Return the outputs of a call, and the gradients of their sum, weighted by `counts`.

    `compiled` are the shapes of the tensors for which XLA compiles the call; it runs eagerly
    without them.
    """

    def both(tensors: list[Any]) -> list[Any]:
        with tf.GradientTape() as tape:
            tape.watch(tensors)
            results = layer(tensors[0], initial_state=tensors[1:] or None, **call)
            outputs = keras.tree.flatten(results)
            loss = sum(tf.reduce_sum(a * b) for a, b in zip(outputs, counts, strict=True))
        sources = [*tensors, *(variable.value for variable in layer.trainable_variables)]
        return [*outputs, *tape.gradient(loss, sources, unconnected_gradients="zero")]

    if compiled:
        specs = [tf.TensorSpec(shape, tensors[0].dtype) for shape in compiled]
        both = tf.function(both, jit_compile=True, input_signature=[specs])
    return [tf.cast(each, "float64").numpy() for each in both(tensors)]


def assert_close(
    found: list[Any], expected: list[Any], tolerance: float, case: Case, what: str
) -> float:
    """Relative to the largest number of each array; return the largest difference."""
    scales = [max(1.0, np.abs(each).max(initial=0)) for each in expected]
    errors = [
        np.abs(one - other).max(initial=0) / scale
        for one, other, scale in zip(found, expected, scales, strict=True)
    ]
    worst = float(np.max(errors))  # NaN, and not less, where there is one
    assert worst < tolerance, (what, errors, case)
    return worst


def compare(case: Case, *, compiled: bool = False, known: bool = False) -> dict[str, float]:
    """Compare a case on the fused loop with Keras's loop and NumPy; return the differences."""
    layer, dtype = case.layer(), case.arguments["dtype"]
    begin = layer.cell.seed_generator.state.numpy()
    tensors = [tf.constant(each, layer.compute_dtype) for each in case.tensors]
    dropout = random_loops.keras_dropout(layer, tensors)
    outputs, gradients = random_loops.differentiated(case, layer, tensors, dropout)
    counts = weights_of(outputs, layer.compute_dtype)
    by_keras = []
    if dtype in TOLERANCES:
        by_keras = called(layer, tensors, counts, **case.call)
        layer.cell.seed_generator.state.assign(begin)
    install(layer, always=True)
    assert "inner_loop" in vars(layer)
    shapes = [each.shape for each in tensors] if compiled else []
    if compiled and not known:
        shapes = [[*[None] * (len(shape) - 1), shape[-1]] for shape in shapes]
    found = called(layer, tensors, counts, shapes, **case.call)
    worst = {}
    if by_keras:
        worst["keras " + dtype] = assert_close(found, by_keras, TOLERANCES[dtype], case, "Keras")
    exact = [*outputs, *gradients]
    worst["numpy " + dtype] = assert_close(found, exact, OF_NUMPY[dtype], case, "NumPy")
    return worst


@pytest.mark.slow
@pytest.mark.parametrize("kind", CLASSES)
def test_random_calls_have_the_numbers_and_gradients_of_keras_and_numpy(kind: str) -> None:
    for seed in range(EAGER):
        compare(random_loops.drawn(kind, seed))


@pytest.mark.slow
@pytest.mark.parametrize("kind", CLASSES)
def test_random_calls_do_so_compiled_by_xla(kind: str) -> None:
    """The first with everything; every second with sizes that are known only in the call."""
    for seed in range(COMPILED):
        case = random_loops.drawn(kind, seed, {} if seed else random_loops.EVERYTHING)
        compare(case, compiled=True, known=bool(seed % 2))


@pytest.mark.slow
def test_dropout_draws_with_xla_what_keras_draws_without() -> None:
    """TensorFlow's own floats differ under XLA."""
    for dtype in ("float32", "float64"):
        plain, own = (make("lstm", dtype, dropout=0.3) for make in (made, fused))
        of = tf.ones((9, 7), dtype)

        def drawn(cell: Any, of: Any = of) -> Any:
            return tf.stack([cell._create_dropout_mask(of, 0.3) for _ in range(2)])

        expected = tf.function(drawn)(plain.cell)
        np.testing.assert_array_equal(tf.function(drawn, jit_compile=True)(own.cell), expected)


@pytest.mark.slow
def test_in_16_bits_it_errs_less_than_keras() -> None:
    """Against float64, of outputs and gradients."""
    policy, half = "mixed_bfloat16", "bfloat16"
    kind, arguments = "gru", {"return_sequences": True, "return_state": True}
    exact, plain, own = (
        make(kind, dtype, **arguments)
        for make, dtype in ((made, "float64"), (made, policy), (fused, policy))
    )
    given = [tf.cast(each, half) for each in given_to(exact)]
    counts = weights_of(exact(given[0]), half)

    def computed(layer: keras.Layer, dtype: str) -> list[np.ndarray]:
        tensors, own = ([tf.cast(each, dtype) for each in group] for group in (given, counts))
        return called(layer, tensors, own, mask=tf.constant(COUNTED), training=True)

    expected = computed(exact, "float64")
    errors = [
        np.array([np.abs(a - b).mean() for a, b in zip(found, expected, strict=True)])
        for found in (computed(layer, half) for layer in (plain, own))
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
