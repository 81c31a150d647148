"""The recipe next-frame by hand."""

import keras
import numpy as np
import pandas as pd
from keras import layers, ops

from benchmarks.fits.common import DATA, parts, train

HISTORY, LEAST = 12, 3
table = pd.read_parquet(DATA)
columns = [f"lpc_{number}" for number in range(1, 13)]
series = [
    (rows[columns].to_numpy("float32"), rows["speaker"].iloc[0])
    for _, rows in table.groupby("utterance")
]


def windows(chosen):
    """Return the windows of some utterances, padded on the right, and the frame after each."""
    frames, lengths, speakers, targets = [], [], [], []
    for number in chosen:
        values, speaker = series[number]
        for end in range(LEAST, len(values)):
            window = values[max(0, end - HISTORY) : end]
            frames.append(np.pad(window, ((0, HISTORY - len(window)), (0, 0))))
            lengths.append(len(window))
            speakers.append(speaker)
            targets.append(values[end])
    inputs = [np.stack(frames), np.array(lengths, "int32"), np.array(speakers, "int32")]
    return inputs, np.stack(targets)


frames, lengths = keras.Input((HISTORY, 12)), keras.Input((), dtype="int32")
speaker = keras.Input((), dtype="int32")
voice = layers.Embedding(9, 8)(speaker)
state = [layers.Dense(64, activation="tanh")(voice) for _ in "hc"]
mask = ops.less(np.arange(HISTORY), ops.expand_dims(lengths, -1))
last = layers.LSTM(64)(frames, mask=mask, initial_state=state)
model = keras.Model([frames, lengths, speaker], layers.Dense(12)(last))
model.compile(keras.optimizers.Adam(3e-3), "mse")
training, held_out, test = map(windows, parts(len(series), 0.2, 0.2))
train(model, training, held_out, test, batch_size=64)
