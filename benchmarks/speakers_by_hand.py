"""A whole script: the speaker classifier trained as recipes/speaker-classifier.yaml says."""

from pathlib import Path

import keras
import numpy as np
from keras import layers

data = np.load(Path(__file__).parent.parent / "recipes" / "data" / "japanese_vowels.npz")
model = keras.Sequential(
    [
        keras.Input((None, 12)),
        layers.Masking(),
        layers.LSTM(100, dropout=0.2),
        layers.Dense(9, activation="softmax"),
    ]
)
model.compile(
    optimizer=keras.optimizers.Adam(3e-3),
    loss="sparse_categorical_crossentropy",
    metrics=["sparse_categorical_accuracy"],
)
history = model.fit(
    data["train_frames"], data["train_speaker"], batch_size=27, epochs=30, verbose=0
)
print(history.history["sparse_categorical_accuracy"][-1])
