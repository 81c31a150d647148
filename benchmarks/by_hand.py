"""The other side: the same models in Keras, as one writes them with care."""

from __future__ import annotations

from typing import TYPE_CHECKING

import keras
from keras import layers, ops

from benchmarks.grid import CHAIN_FEATURES, CHAIN_UNITS, CLASSES, FEATURES, STEPS, UNITS

if TYPE_CHECKING:
    from benchmarks.grid import Case


def chain(depth: int) -> keras.Model:
    """The model of `benchmarks.by_recipe.chain_text`."""
    sequence = keras.Input((None, CHAIN_FEATURES), name="sequence")
    lengths = keras.Input((), dtype="int32", name="lengths")
    step = ops.cumsum(ops.ones_like(sequence[:, :, 0], dtype="int32"), axis=1)
    mask = ops.less_equal(step, ops.expand_dims(lengths, 1))
    x = sequence
    for index in range(depth):
        layer = layers.LSTM(
            CHAIN_UNITS,
            return_sequences=True,
            zero_output_for_mask=True,
            name=f"recurrent{index}",
        )
        x = layer(x, mask=mask)
    head = layers.Dense(1, name="head")(x)
    model = keras.Model({"sequence": sequence, "lengths": lengths}, {"head": head})
    model.compile(optimizer="adam", loss={"head": "mse"})
    return model


def classifier(case: Case) -> keras.Model:
    """A model of the grid. Padding is zeros, so `Masking` finds it without the lengths."""
    model = keras.Sequential([keras.Input((STEPS, FEATURES))])
    if case.masked:
        model.add(layers.Masking())
    for index in range(case.depth):
        model.add(layers.LSTM(UNITS, return_sequences=index < case.depth - 1))
    model.add(layers.Dense(CLASSES, activation="softmax"))
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy")
    return model
