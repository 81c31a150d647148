"""Sequence to sequence on real words: trained, then decoded step by step on unseen numbers."""

from __future__ import annotations

import numpy as np
import pytest
from building import RECIPES, outputs_of

import lstmgraph
from benchmarks.number_words import (
    END,
    MOST_DIGITS,
    START,
    digit_ids,
    in_words,
    number_of,
    numbers,
    word_ids,
)

QUICKER = {"number-words-attention": {"blocks.write.layers.cell.unroll": True}}
"""The same numbers: Keras writes a loop around each single step otherwise, slow to trace."""
UNSEEN, TRAINED = np.split(numbers(3500), [500])


@pytest.fixture(scope="module", params=[("number-words", 3), ("number-words-attention", 5)])
def stepper(request: pytest.FixtureRequest) -> lstmgraph.Stepper:
    name, epochs = request.param
    recipe = lstmgraph.load(RECIPES / f"{name}.yaml", overrides=QUICKER.get(name, ()))
    derived = recipe.derive("step")
    assert derived.main
    assert recipe.training
    read, written = digit_ids(TRAINED.tolist())
    inputs = {"words": word_ids(in_words(n) for n in TRAINED.tolist()), "digits": read}
    derived.main.fit(
        inputs,
        {"next": written},
        batch_size=recipe.training["batch_size"],
        epochs=epochs,
        verbose=0,
    )
    return lstmgraph.Stepper(derived, xla=False)


def test_the_words_are_english() -> None:
    assert in_words(305) == "three hundred and five"
    assert in_words(70_012) == "seventy thousand and twelve"
    assert in_words(99_999) == "ninety nine thousand nine hundred and ninety nine"
    assert not set(UNSEEN.tolist()) & set(TRAINED.tolist())


@pytest.mark.slow
@pytest.mark.parametrize("beams", [1, 4])
def test_unseen_numbers_are_translated(beams: int, stepper: lstmgraph.Stepper) -> None:
    words = word_ids(in_words(n) for n in UNSEEN.tolist())
    found = lstmgraph.generate(
        stepper,
        {"words": words},
        start_token=START,
        end_token=END,
        max_steps=MOST_DIGITS,
        beams=beams,
        output="next",
    )
    written = [number_of(*each) for each in zip(found.tokens, found.lengths, strict=True)]
    exact = np.mean([text == str(n) for text, n in zip(written, UNSEEN.tolist(), strict=True)])
    assert exact >= 0.9  # 0.938 to 0.998 in 15 trainings


@pytest.mark.slow
def test_teacher_forcing_is_the_decoder_stepped_with_the_same_tokens(
    stepper: lstmgraph.Stepper,
) -> None:
    some = UNSEEN[:8].tolist()
    read, _ = digit_ids(some)
    words = word_ids(in_words(n) for n in some)
    assert stepper.derived.main
    outputs = outputs_of(stepper.derived.main, {"words": words, "digits": read})
    decoder = lstmgraph.Stepper(stepper.derived, rows=8, xla=False)
    decoder.start({"words": words})
    steps = [decoder.step(read[:, step]) for step in range(MOST_DIGITS)]
    for name, wanted in outputs.items():
        found = np.stack([step[name] for step in steps], 1)
        np.testing.assert_allclose(found, wanted, atol=1e-6)
        if name == "next":
            assert (found.argmax(-1) == wanted.argmax(-1)).all()
    if "weights" in outputs:  # of the words that each digit is made from
        weights = outputs["weights"]
        np.testing.assert_allclose(weights.sum(-1), 1, atol=1e-5)
        assert not weights[np.broadcast_to((words == 0)[:, None], weights.shape)].any()
