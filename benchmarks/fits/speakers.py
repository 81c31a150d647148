"""The recipe speaker-classifier by hand."""

import keras
import numpy as np
from keras import layers

from benchmarks.fits.common import DATA, parts, train

data = np.load(DATA)
frames, speaker = data["train_frames"], data["train_speaker"]
training, held_out = parts(len(frames), 0.2)
model = keras.Sequential(
    [
        keras.Input((None, 12)),
        layers.Masking(),
        layers.LSTM(100, dropout=0.2),
        layers.Dense(9, activation="softmax"),
    ]
)
model.compile(
    keras.optimizers.Adam(3e-3),
    "sparse_categorical_crossentropy",
    metrics=["sparse_categorical_accuracy"],
)
train(
    model,
    (frames[training], speaker[training]),
    (frames[held_out], speaker[held_out]),
    (data["test_frames"], data["test_speaker"]),
    batch_size=27,
)
