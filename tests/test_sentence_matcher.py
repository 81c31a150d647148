"""A siamese recipe on sentences that are made: trained, then asked about meanings it never saw."""

from __future__ import annotations

import numpy as np
import pytest
from building import RECIPES

import lstmgraph
from benchmarks.sentences import MOST_WORDS, VOCABULARY, meanings, pairs, sentence


def test_sentences_say_the_same_in_other_words() -> None:
    random = np.random.default_rng(0)
    said = {sentence((0, 0, 0, 0), random) for _ in range(200)}
    assert "the old doctor sees a boat" in said
    assert "a ship is what the ancient physician really spots" in said
    assert len(said) == 2 * 2**4
    assert max(len(text.split()) for text in said) == MOST_WORDS
    assert len(VOCABULARY) == len(set(VOCABULARY)) < 64


@pytest.mark.slow
def test_unseen_meanings_are_matched() -> None:
    recipe = lstmgraph.load(RECIPES / "sentence-matcher.yaml")
    model = recipe.build()
    unseen, trained = np.split(meanings(), [200])
    inputs, same = pairs(trained, seed=1)
    model.fit(inputs, {"same": same}, batch_size=32, epochs=6, verbose=0)
    inputs, same = pairs(unseen, seed=2)
    found = model.predict(inputs, batch_size=400, verbose=0)["same"]
    assert same.mean() == 0.5
    assert np.mean((found > 0.5) == same) > 0.7
    swapped = {"first": inputs["second"], "second": inputs["first"]}
    other = model.predict(swapped, batch_size=400, verbose=0)["same"]
    np.testing.assert_allclose(other, found, atol=1e-6)  # one encoder reads both
