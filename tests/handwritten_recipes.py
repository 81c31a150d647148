"""The shipped recipes for the forms that people write by hand, written by hand."""

from __future__ import annotations

import keras
from handwritten import Tensors, average, first_steps
from keras import layers, ops


def dynamic_rnn(t: Tensors) -> Tensors:
    reader = layers.LSTM(
        32, return_sequences=True, return_state=True, zero_output_for_mask=True, name="reader"
    )
    y, h, c = reader(t["frames"], mask=first_steps(t["lengths"]))
    return {"outputs": y, "state_h": h, "state_c": c}


def stacked_cells(t: Tensors) -> Tensors:
    cells = [layers.LSTMCell(32, recurrent_dropout=0.1), layers.GRUCell(16)]
    reader = layers.RNN(cells, return_state=True, name="reader")
    states = [[t["reader_1_h"], t["reader_1_c"]], [t["reader_2_h"]]]
    mask = first_steps(t["lengths"])
    _, (h, c), second = reader(t["frames"], mask=mask, initial_state=states)
    (second_h,) = second if isinstance(second, list | tuple) else [second]
    return {"last": second_h, "state_1_h": h, "state_1_c": c, "state_2_h": second_h}


def unrolled(t: Tensors) -> Tensors:
    """The loop itself, over one cell."""
    reader = layers.RNN(layers.LSTMCell(32), return_sequences=True, unroll=True, name="reader")
    return {"outputs": reader(t["frames"])}


def time_major(t: Tensors) -> Tensors:
    frames = ops.transpose(t["by_time"], (1, 0, 2))
    reader = layers.GRU(32, name="reader")
    return {"last": reader(frames, mask=first_steps(t["lengths"]))}


def prepended_step(t: Tensors) -> Tensors:
    words = layers.Embedding(1000, 32, name="word_vectors")(t["words"])
    first = layers.Dense(32, name="projection")(t["picture"])
    steps = ops.concatenate([ops.expand_dims(first, 1), words], axis=1)
    counts = ops.not_equal(t["words"], 0)
    always = ops.ones_like(counts[:, :1])
    reader = layers.LSTM(64, return_sequences=True, zero_output_for_mask=True, name="reader")
    read = reader(steps, mask=ops.concatenate([always, counts], axis=1))
    return {"next_word": layers.Dense(1000, activation="softmax", name="next_word")(read)}


def carried_state(t: Tensors) -> Tensors:
    lower = layers.LSTM(32, return_sequences=True, stateful=True, name="reader_1")
    upper = layers.LSTM(16, return_sequences=True, stateful=True, name="reader_2")
    alarm = layers.Dense(1, activation="sigmoid", name="alarm")
    return {"alarm": alarm(upper(lower(t["chunk"])))}


def learned_states(t: Tensors) -> Tensors:
    frames, store = t["frames"], t["store"]
    rows = ops.zeros_like(frames[:, 0, 0], dtype="int32")

    def learned(units: int, name: str) -> keras.KerasTensor:
        return layers.Embedding(1, units, name=name)(rows)

    first = layers.LSTM(64, return_sequences=True, name="reader_1")
    states = [learned(64, "reader_1_h"), learned(64, "reader_1_c")]
    y = first(frames, initial_state=states)
    h = layers.Dense(32, activation="tanh", name="reader_2_h")(store)
    y = layers.LSTM(32, return_sequences=True, name="reader_2")(
        y, initial_state=[h, ops.zeros_like(h)]
    )
    h = learned(16, "reader_3_h")
    third = layers.LSTM(16, name="reader_3")
    return {"last": third(y, initial_state=[h, ops.zeros_like(h) + 0.1])}


def residual_stack(t: Tensors) -> Tensors:
    mask = ops.not_equal(t["words"], 0)
    y = layers.Embedding(1000, 64, name="word_vectors")(t["words"])
    for number in range(1, 5):
        name = f"reader_{number}"
        reader = layers.LSTM(64, return_sequences=True, zero_output_for_mask=True, name=name)
        read = reader(y, mask=mask)
        y = layers.LayerNormalization(name=f"{name}_norm")(read if number == 1 else y + read)
    pooled = average(y, mask)
    return {"topic": layers.Dense(20, activation="softmax", name="topic")(pooled)}


def conv_lstm(t: Tensors) -> Tensors:
    motion = layers.ConvLSTM2D(8, 3, padding="same", name="motion")
    mask = first_steps(t["lengths"])
    if keras.backend.backend() == "jax":  # where (batch, time) is taken for (batch, last axis)
        mask = mask[:, :, None, None, None]
    last = motion(t["film"], mask=mask)
    pooled = ops.max(last, axis=(1, 2))
    return {"action": layers.Dense(10, activation="softmax", name="action")(pooled)}


RECIPES_BY_HAND = {
    "carried-state": carried_state,
    "conv-lstm": conv_lstm,
    "dynamic-rnn": dynamic_rnn,
    "learned-states": learned_states,
    "prepended-step": prepended_step,
    "residual-stack": residual_stack,
    "stacked-cells": stacked_cells,
    "time-major": time_major,
    "unrolled": unrolled,
}
