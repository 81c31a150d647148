"""A whole script: the recipe recipes/speaker-classifier.yaml built and trained."""

from pathlib import Path

import numpy as np

import lstmgraph

RECIPES = Path(__file__).parent.parent / "recipes"

data = np.load(RECIPES / "data" / "japanese_vowels.npz")
recipe = lstmgraph.load(RECIPES / "speaker-classifier.yaml")
history = recipe.build().fit(
    {"frames": data["train_frames"], "lengths": data["train_lengths"]},
    {"speaker": data["train_speaker"]},
    batch_size=recipe.training["batch_size"],
    epochs=recipe.training["epochs"],
    verbose=0,
)
print(history.history["sparse_categorical_accuracy"][-1])
