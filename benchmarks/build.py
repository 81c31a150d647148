"""From recipe text to a compiled model, against the same model written by hand."""

from __future__ import annotations

import gc

import keras
from keras import layers, ops

import lstmgraph
from benchmarks.timing import Figure, alternate

UNITS = 16
FEATURES = 8


def measure(depth: int, repeats: int) -> Figure:
    """The ratio for `depth` masked LSTM layers, each a layer of its own in the recipe."""
    text = recipe_text(depth)
    # No model is kept: Python's collector would walk it again and again in either side's time.
    if lstmgraph.load(text).build().count_params() != write_by_hand(depth).count_params():
        raise RuntimeError("the two sides do not build the same model")
    return alternate(
        f"recipe to model, {depth} layers / by hand",
        lambda: lstmgraph.load(text).build(),
        lambda: write_by_hand(depth),
        repeats=repeats,
        aim=1.10,
        before_each=_forget,
    )


def recipe_text(depth: int) -> str:
    """A chain of `depth` LSTM layers over padded sequences, and a dense head."""
    chain = []
    source = "sequence"
    for index in range(depth):
        chain.append(
            f"  recurrent{index}: {{type: lstm, input: {source}, units: {UNITS}, "
            "return_sequences: true, mask: {lengths: lengths}}"
        )
        source = f"recurrent{index}"
    return "\n".join(
        [
            "recipe: 1",
            f"name: chain-of-{depth}",
            "inputs:",
            f"  sequence: {{shape: [time, {FEATURES}]}}",
            "  lengths: {shape: [], dtype: int32}",
            "layers:",
            *chain,
            f"  head: {{type: dense, input: {source}, units: 1}}",
            "outputs: {head: head}",
            "training: {optimizer: adam, loss: mse}",
        ]
    )


def write_by_hand(depth: int) -> keras.Model:
    """The same model, as one writes it with care."""
    sequence = keras.Input((None, FEATURES), name="sequence")
    lengths = keras.Input((), dtype="int32", name="lengths")
    step = ops.cumsum(ops.ones_like(sequence[:, :, 0], dtype="int32"), axis=1)
    mask = ops.less_equal(step, ops.expand_dims(lengths, 1))
    x = sequence
    for index in range(depth):
        layer = layers.LSTM(
            UNITS, return_sequences=True, zero_output_for_mask=True, name=f"recurrent{index}"
        )
        x = layer(x, mask=mask)
    head = layers.Dense(1, name="head")(x)
    model = keras.Model({"sequence": sequence, "lengths": lengths}, {"head": head})
    model.compile(optimizer="adam", loss={"head": "mse"})
    return model


def _forget() -> None:
    keras.backend.clear_session()
    gc.collect()
