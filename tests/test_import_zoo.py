"""Public architectures, written by hand in Keras, are imported and give the same outputs.

``import_model`` runs both: the hand-written model as it is, and the recipe's with its weights.
Those that resemble another are imported with ``LSTMGRAPH_EXAMPLES=1`` only.
"""

from __future__ import annotations

import inspect
import os
from typing import TYPE_CHECKING

import pytest
from zoo import hierarchies, series, texts

import lstmgraph
from lstmgraph.messages.errors import ModelFileError

if TYPE_CHECKING:
    from collections.abc import Callable

    import keras

ZOO: dict[str, Callable[[], keras.Model]] = {
    name: function
    for module in (texts, series, hierarchies)
    for name, function in inspect.getmembers(module, inspect.isfunction)
    if function.__module__ == module.__name__ and not inspect.signature(function).parameters
}
REFUSED = {
    "two_backward_sizes": "M202",
    "apart": "M202",
    "ragged_sum": "M204",
    "either_mask": "M206",
}
RESEMBLING = {
    *("addition", "character_rnn", "elmo_like", "imdb_bidirectional", "merged_captioner"),
    *("mixture", "pooled_speakers", "recommender", "siamese_of_models", "sound_to_text", "stacked"),
    *("static_on_every_step", "tagger_with_characters", "translator", "translator_decoder"),
    *("actions", "model_on_each_step", "variational", "weather"),
    *("hierarchical_attention", "paragraphs", "ranked_answers", "sessions_of_two"),  # in blocks
}
"""Models of kinds that others have too: what they share, nest, mask, repeat, carry or attend to."""
SAMPLE = ZOO.keys() - REFUSED.keys() - RESEMBLING
IMPORTED = ZOO.keys() - REFUSED.keys() if "LSTMGRAPH_EXAMPLES" in os.environ else SAMPLE


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(IMPORTED))
def test_a_public_architecture_is_imported_with_its_numbers(name: str) -> None:
    model = ZOO[name]()
    imported = lstmgraph.import_model(model)
    assert imported.check.ok, str(imported.check)


@pytest.mark.parametrize(("name", "code"), REFUSED.items())
def test_what_the_language_cannot_hold_is_refused_with_its_layer(name: str, code: str) -> None:
    with pytest.raises(ModelFileError) as error:
        lstmgraph.import_model(ZOO[name]())
    assert [each.code for each in error.value.diagnostics] == [code]
    assert "layer '" in str(error.value)


def test_the_zoo_is_large() -> None:
    assert ZOO.keys() >= RESEMBLING | REFUSED.keys()
    assert len(SAMPLE) >= 30
