"""A whole script: keras-tuner's RandomSearch over the values of a file, on the speaker data.

``python search_by_hand.py VALUES.json FOLDER`` prints the seconds that the search took.
"""

import json
import sys
import time
from pathlib import Path

import keras
import keras_tuner
import numpy as np
from keras import layers

RECORDED = json.loads(Path(sys.argv[1]).read_text("utf-8"))
EPOCHS = 3

data = np.load(Path(__file__).parent.parent / "recipes" / "data" / "japanese_vowels.npz")
x, y = data["train_frames"], data["train_speaker"]


class Recorded(keras_tuner.oracles.RandomSearchOracle):
    """Proposes what was recorded, in that order."""

    def populate_space(self, _):
        """The values of a trial."""
        number = len(self.trials)
        if number >= len(RECORDED):
            return {"status": keras_tuner.engine.trial.TrialStatus.STOPPED, "values": None}
        values = RECORDED[number]
        return {"status": keras_tuner.engine.trial.TrialStatus.RUNNING, "values": values}


def build(hp):
    """The model of a trial."""
    model = keras.Sequential(
        [
            keras.Input((None, 12)),
            layers.Masking(),
            layers.LSTM(hp.Int("units", 32, 128), dropout=hp.Float("dropout", 0.0, 0.5)),
            layers.Dense(9, activation="softmax"),
        ]
    )
    model.compile(
        optimizer=keras.optimizers.Adam(hp.Float("rate", 1e-3, 1e-2, sampling="log")),
        loss="sparse_categorical_crossentropy",
    )
    return model


oracle = Recorded(objective=keras_tuner.Objective("val_loss", "min"), max_trials=len(RECORDED))
tuner = keras_tuner.Tuner(oracle, hypermodel=build, directory=sys.argv[2], overwrite=True)
began = time.perf_counter()
tuner.search(
    x[:216], y[:216], validation_data=(x[216:], y[216:]), batch_size=27, epochs=EPOCHS, verbose=0
)
seconds = time.perf_counter() - began
if len(oracle.get_best_trials(len(RECORDED))) != len(RECORDED):
    sys.exit("a trial has failed")
print(seconds)
