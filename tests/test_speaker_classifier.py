"""The shipped classifier, trained for real on the Japanese vowels data set."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from building import RECIPES

import lstmgraph


@pytest.fixture(scope="module")
def data() -> dict[str, np.ndarray]:
    with np.load(RECIPES / "data" / "japanese_vowels.npz") as arrays:
        return dict(arrays)


@pytest.fixture(scope="module")
def trained(data) -> keras.Model:
    """Trained as the recipe says; the seed is for the order of the batches."""
    recipe = lstmgraph.load(RECIPES / "speaker-classifier.yaml")
    model = recipe.build()
    keras.utils.set_random_seed(2)
    model.fit(
        inputs(data, "train"),
        {"speaker": data["train_speaker"]},
        batch_size=recipe.training["batch_size"],
        epochs=recipe.training["epochs"],
        verbose=0,
    )
    return model


def inputs(data: dict[str, np.ndarray], part: str) -> dict[str, np.ndarray]:
    return {name: data[f"{part}_{name}"] for name in ("frames", "lengths")}


@pytest.mark.slow
def test_recognises_utterances_it_was_not_trained_on(trained, data) -> None:
    predicted = trained.predict_on_batch(inputs(data, "test"))["speaker"].argmax(axis=-1)
    accuracy = (predicted == data["test_speaker"]).mean()
    assert accuracy >= 0.90


@pytest.mark.slow
def test_padded_frames_do_not_count(trained, data) -> None:
    clean = inputs(data, "test")
    frames = clean["frames"].copy()
    padded = np.arange(frames.shape[1]) >= clean["lengths"][:, None]
    frames[padded] = np.random.default_rng(0).normal(0, 100, (padded.sum(), frames.shape[2]))
    wanted = trained.predict_on_batch(clean)["speaker"]
    found = trained.predict_on_batch({**clean, "frames": frames})["speaker"]
    assert padded.any()
    np.testing.assert_array_equal(found, wanted)
