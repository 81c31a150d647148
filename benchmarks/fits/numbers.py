"""The recipe number-words by hand."""

import keras
import numpy as np
from keras import layers

from benchmarks.fits.common import DATA, train

data = np.load(DATA)
words, digits = (keras.Input((None,), dtype="int32") for _ in "ab")
word = layers.Embedding(40, 32, mask_zero=True)(words)
digit = layers.Embedding(13, 16, mask_zero=True)
encoder = layers.Bidirectional(layers.LSTM(48, return_sequences=True, return_state=True))
memory, *states = encoder(word)
state = [layers.Concatenate()(states[place::2]) for place in (0, 1)]
written = digit(digits)
decoded = layers.LSTM(96, return_sequences=True)(
    written, mask=digit.compute_mask(digits), initial_state=state
)
read = layers.Attention(score_mode="dot")(
    [decoded, memory], mask=[digit.compute_mask(digits), word._keras_mask]
)
both = layers.Concatenate()([decoded, read])
model = keras.Model([words, digits], layers.Dense(13, activation="softmax")(both))
model.compile(
    keras.optimizers.Adam(0.006),
    "sparse_categorical_crossentropy",
    metrics=["sparse_categorical_accuracy"],
)
inputs = [data["train_words"], data["train_digits"]]
train(model, (inputs, data["train_next"]), batch_size=32)
