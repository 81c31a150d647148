"""How many operations XLA makes of a time step of the fused loop, on a CPU.

Up to eight it runs one after another; more it queues, which takes longer than a small operation.
"""

from __future__ import annotations

import re
from collections import Counter

import keras
import pytest
import tensorflow as tf
from test_fused_numbers import COUNTED, fused, given_to, made

MOST = 8
NO_WORK = {"parameter", "tuple", "get-tuple-element", "constant", "bitcast"}


def operations_of_loops(layer: keras.Layer, *, masked: bool) -> list[Counter[str]]:
    """The operations of the body of each loop that XLA compiles for a call and its gradients."""

    @tf.function(jit_compile=True)
    def gradients(inputs: tf.Tensor, mask: tf.Tensor) -> list[tf.Tensor]:
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            outputs = layer(inputs, mask=mask if masked else None, training=True)
            loss = tf.reduce_sum(outputs**2)
        return tape.gradient(loss, [inputs, *(w.value for w in layer.trainable_variables)])

    inputs, mask = given_to(layer, states=False)[0], tf.constant(COUNTED)
    compiled = gradients.experimental_get_compiler_ir(inputs, mask)
    text = compiled(stage="optimized_hlo", platform_name="CPU")
    found = []
    for name in re.findall(r" while\(.*?body=%?([\w.-]+)", text):
        body = re.search(rf"^%?{re.escape(name)} .*?\{{\n(.*?)^\}}", text, re.S | re.M)
        assert body, name
        operations = re.findall(r"^  (?:ROOT )?%?[\w.-]+ = .*? ([a-z-]+)\(", body[1], re.M)
        assert len(operations) == len(body[1].splitlines())
        found.append(Counter(each for each in operations if each not in NO_WORK))
    return found


@pytest.mark.slow
@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="the loop is TensorFlow's")
@pytest.mark.parametrize("masked", [False, True], ids=["plain", "masked"])
@pytest.mark.parametrize("below", [False, True], ids=["last", "below another layer"])
@pytest.mark.parametrize("kind", ["lstm", "gru"])
def test_a_step_has_few_operations(kind: str, below: bool, masked: bool) -> None:
    loops = operations_of_loops(fused(kind, return_sequences=below), masked=masked)
    assert len(loops) == 2  # one forward, one back
    for loop in loops:
        assert loop["dot"] == 1  # all gates in one product; those of weights come after the loop
        assert loop.total() <= MOST, loop


@pytest.mark.slow
@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="the loop is TensorFlow's")
def test_a_step_of_keras_has_more() -> None:
    """So the count is one of what a step does."""
    assert max(loop.total() for loop in operations_of_loops(made("lstm"), masked=True)) > MOST
