"""Ids outside of a table, which XLA would take for others, are refused or give NaN."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from building import load

from lstmgraph.compiler.machine.machine import Machine
from lstmgraph.compiler.machine.plan import choose_xla

MODEL = """
inputs: {ids: {shape: [6], dtype: int32}, vectors: {shape: [6, 2]}}
layers:
  twice: {type: add, input: [ids, ids]}
  computed: {type: embedding, input: twice, input_dim: 10, output_dim: 2, mask_zero: true}
  tied: {type: reversible_embedding, input: ids, input_dim: 5, output_dim: 2, mask_zero: true}
  back: {call: tied, input: vectors, reverse: true}
outputs: {computed: computed, tied: tied, back: back}
runtime: {seed: 1}
"""
GIVEN = np.array([[0, 1, 4, 5, -1, -6]], "int32")
VECTORS = np.ones((1, 6, 2), "float32")


@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow" or bool(keras.distribution.list_devices("gpu")),
    reason="for CPUs with TensorFlow",
)
def test_xla_gives_nan_for_an_id_that_tensorflow_refuses() -> None:
    model = load(MODEL).build()
    given = {"ids": GIVEN, "vectors": VECTORS}
    with pytest.raises(tf.errors.InvalidArgumentError, match="not in"):
        model(given)

    def called(given: dict[str, np.ndarray]) -> dict[str, Any]:
        found = model(given)
        masks = {f"mask of {name}": found[name]._keras_mask for name in ("computed", "tied")}
        return found | masks

    found = tf.function(called, jit_compile=True)(given)
    tables = [model.get_layer(name).embeddings.numpy() for name in ("computed", "tied")]
    for name, table, ids in zip(("computed", "tied"), tables, (2 * GIVEN, GIVEN), strict=True):
        padded = np.concatenate([table, np.full((9, 2), np.nan), table])  # ids from the end
        np.testing.assert_array_equal(found[name], padded[ids])
        np.testing.assert_array_equal(found[f"mask of {name}"], ids != 0)
    np.testing.assert_allclose(found["back"], VECTORS @ tables[1].T, rtol=1e-6)


READS = """
inputs: {{ids: {{shape: [4], dtype: int32}}, numbers: {{shape: [4]}}}}
layers:
  source: {{{source}}}
  vector: {{type: embedding, input: {reads}, input_dim: 9, output_dim: 2}}
  y: {{type: gru, input: vector, units: 2{state}}}
outputs: {{y: y}}
"""


@pytest.mark.parametrize(
    ("source", "reads", "is_on"),
    [
        ("type: identity, input: ids", "ids", True),
        ("type: discretization, input: numbers, bin_boundaries: [0.0, 1.0]", "source", True),
        ("type: hashing, input: ids, num_bins: 9", "source", None),
        ("type: add, input: [ids, ids]", "source", False),
        ("type: reshape, input: ids, target_shape: [4]", "source", False),
    ],
)
@pytest.mark.parametrize("state", ["", ", initial_state: learned"])
def test_xla_is_off_where_nothing_checks_the_ids(
    source: str, reads: str, is_on: bool | None, state: str
) -> None:
    compiled = load(READS.format(source=source, reads=reads, state=state)).compiled
    choice = choose_xla(compiled.declaration.runtime, compiled.graph, Machine())
    assert choice.fit is choice.predict is (is_on or False)
    assert ("would take ids that are not in the table of 'vector'" in choice.reason) == (
        is_on is False
    )
