"""The recipe that `lstmgraph init` proposes for recipes/data/flights.csv, by hand.

It is flights_by_hand.py without its forecasts, which `lstmgraph train` does not make.
"""

import sys
from pathlib import Path

import keras
from keras import ops

from benchmarks.fits.common import DATA, EPOCHS, FOLDER, train

sys.argv[1:] = [str(DATA), str(FOLDER / "forecasts.csv"), "0"]
script = Path(__file__).parents[1] / "flights_by_hand.py"
names = {}
exec(script.read_text("utf-8").partition("\n\ndef forecast")[0], names)
model, inputs, targets = names["model"], names["inputs"], names["targets"]
scale = float(names["scaler"].scale_[0])


def mae(wanted, quantiles):
    """Return the error of the median, in flights."""
    return scale * ops.mean(ops.abs(wanted[..., 0] - quantiles[..., 2]), axis=-1)


def coverage(wanted, quantiles):
    """Return the share between the outer quantiles."""
    inside = (wanted >= quantiles[..., :1]) & (wanted <= quantiles[..., -1:])
    return ops.mean(ops.cast(inside[..., 0], "float32"), axis=-1)


model.compile(keras.optimizers.Adam(1e-3), names["pinball"], metrics=[mae, coverage])
data = {part: (inputs[part], targets[part]) for part in inputs}
stopping = keras.callbacks.EarlyStopping(patience=EPOCHS, restore_best_weights=True)
train(model, *data.values(), batch_size=64, callbacks=[stopping])
