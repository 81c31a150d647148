"""The recipe that `lstmgraph init` proposes for recipes/data/reviews.csv, by hand."""

import keras
import pandas as pd
import tensorflow as tf
from keras import layers

from benchmarks.fits.common import DATA, EPOCHS, parts, train

table = pd.read_csv(DATA)
training, held_out = parts(len(table), 0.2)
opinion = table["opinion"].map({"bad": 0, "good": 1, "mixed": 2}).to_numpy("int32")
columns = [tf.constant(table["bill"].fillna(22.98).to_numpy("float32")[:, None])]
columns += [tf.constant(table[name].to_numpy(str)) for name in ("review", "shop")]


def chosen(part):
    """Return inputs and targets of some rows."""
    return [tf.gather(each, part) for each in columns], opinion[part]


scaled = layers.Normalization()
words = layers.TextVectorization(100, output_sequence_length=20)
shops = layers.StringLookup(max_tokens=4)
for layer, values in zip((scaled, words, shops), chosen(training)[0], strict=True):
    layer.adapt(values)
inputs = [keras.Input((1,)), *(keras.Input((), dtype="string") for _ in "ab")]
bill, review, shop = inputs
vectors = layers.Embedding(100, 32, mask_zero=True)(words(review))
read = layers.Bidirectional(layers.LSTM(32))(vectors)
joined = layers.Concatenate()([scaled(bill), read, layers.Embedding(4, 3)(shops(shop))])
hidden = layers.Dense(64, activation="relu")(joined)
model = keras.Model(inputs, layers.Dense(3, activation="softmax")(hidden))
model.compile(
    keras.optimizers.Adam(1e-3),
    "sparse_categorical_crossentropy",
    metrics=["sparse_categorical_accuracy"],
)
stopping = keras.callbacks.EarlyStopping(patience=EPOCHS, restore_best_weights=True)
train(model, chosen(training), chosen(held_out), batch_size=64, callbacks=[stopping])
