"""What the scripts of this folder share: their arguments, parts of the data, and the training."""

import json
import sys
from pathlib import Path

import keras
import numpy as np

DATA, FOLDER = Path(sys.argv[1]), Path(sys.argv[2])
EPOCHS, SEED = int(sys.argv[3]), int(sys.argv[4])
keras.utils.set_random_seed(SEED)


def parts(count, *shares):
    """Return positions of the training part and of one for each share, at random."""
    order = np.random.default_rng(SEED).permutation(count)
    sizes = [round(count * share) for share in shares]
    cuts = np.cumsum([count - sum(sizes), *sizes])[:-1]
    return np.split(order, cuts)


def train(model, training, validation=None, test=None, **options):
    """Fit, evaluate, save, and print the losses of the first and of the last epoch."""
    fitted = model.fit(*training, validation_data=validation, epochs=EPOCHS, verbose=0, **options)
    for part in filter(None, (validation, test)):
        model.evaluate(*part, batch_size=options["batch_size"], verbose=0)
    FOLDER.mkdir(parents=True, exist_ok=True)
    model.save(FOLDER / "model.keras")
    losses = fitted.history["loss"]
    weights = sum(variable.value.shape.num_elements() for variable in model.trainable_variables)
    print(json.dumps({"last": losses[-1], "epochs": len(losses), "weights": weights}))
