"""Attention gets the mask of each of its inputs, wherever the mask was made."""

from __future__ import annotations

import numpy as np
import pytest
from building import load

KINDS = {
    "attention": "{type: attention, input: [asked, read]}",
    "additive_attention": "{type: additive_attention, input: [asked, read]}",
    "group_query_attention": (
        "{type: group_query_attention, input: {query: asked, value: read}, "
        "head_dim: 2, num_query_heads: 2, num_key_value_heads: 1}"
    ),
    "multi_head_attention": (
        "{type: multi_head_attention, input: {query: asked, value: read}, key_dim: 2, num_heads: 1}"
    ),
}


def attending(kind: str) -> str:
    return f"""
        inputs:
          x: {{shape: [time, 3]}}
          lengths: {{shape: [], dtype: int32}}
          query: {{shape: [query_time, 3]}}
        layers:
          read:
            type: lstm
            input: x
            units: 4
            mask: {{lengths: lengths}}
            return_sequences: true
          asked: {{type: lstm, input: query, units: 4, return_sequences: true}}
          attended: {KINDS[kind]}
        outputs: {{attended: attended}}
        runtime: {{seed: 1}}
    """


@pytest.mark.parametrize("kind", KINDS)
def test_a_padded_row_attends_as_it_does_alone(kind: str) -> None:
    model = load(attending(kind)).build()
    random = np.random.default_rng(0)
    x = random.normal(size=(3, 5, 3)).astype("float32")
    query = random.normal(size=(3, 2, 3)).astype("float32")
    lengths = np.array([2, 5, 3], "int32")
    together = np.array(model({"x": x, "lengths": lengths, "query": query})["attended"])
    for row, length in enumerate(lengths):
        alone = model(
            {
                "x": x[row : row + 1, :length],
                "lengths": lengths[row : row + 1],
                "query": query[row : row + 1],
            }
        )
        np.testing.assert_allclose(together[row], np.array(alone["attended"])[0], atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_explain_shows_the_mask_of_each_input(kind: str) -> None:
    row = load(attending(kind)).explain().layers[-1]
    assert row.mask == "asked.sequence: none, read.sequence: step < lengths"
