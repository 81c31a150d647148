"""The recipe stream-anomalies by hand."""

import keras
import numpy as np
from keras import layers

from benchmarks.fits.common import DATA, train

data = np.load(DATA)
model = keras.Sequential(
    [
        keras.Input((None, 12)),
        layers.Masking(),
        layers.GRU(48, return_sequences=True),
        layers.Dense(12),
    ]
)
model.compile(keras.optimizers.Adam(0.005), "mse")
frames, expected = data["train_frames"], data["train_expected"]
# The last frame of each sequence has no frame to expect after it.
steps = np.arange(frames.shape[1]) < data["train_lengths"][:, None]
train(model, (frames * steps[..., None], expected), batch_size=27)
