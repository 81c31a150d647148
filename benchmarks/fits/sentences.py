"""The recipe sentence-matcher by hand."""

import keras
import numpy as np
from keras import layers

from benchmarks.fits.common import DATA, train

data = np.load(DATA)
inputs = [keras.Input((None,), dtype="int32") for _ in "ab"]
word, meaning = layers.Embedding(64, 16, mask_zero=True), layers.GRU(48)
difference = layers.Subtract()([meaning(word(each)) for each in inputs])
distance = layers.Multiply()([difference, difference])
model = keras.Model(inputs, layers.Dense(1, activation="sigmoid")(distance))
model.compile(keras.optimizers.Adam(0.01), "binary_crossentropy", metrics=["binary_accuracy"])
pairs = [data["train_first"], data["train_second"]]
train(model, (pairs, data["train_same"]), batch_size=32)
