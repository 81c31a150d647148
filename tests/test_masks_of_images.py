"""Frames of a film whose numbers all equal the masked value are left out."""

from __future__ import annotations

import numpy as np
import pytest
from building import build, load, outputs_of, randomise

import lstmgraph


def film(mask: str) -> str:
    return f"""
    inputs:
      film: {{shape: [time, 5, 4, 2]}}
      lengths: {{shape: [], dtype: int32}}
    layers:
      motion:
        type: conv_lstm2d
        input: film
        filters: 3
        kernel_size: 3
        padding: same
        mask: {mask}
    outputs: {{motion: motion}}
    runtime: {{seed: 1}}
    """


def test_a_mask_by_value_is_one_of_frames() -> None:
    """The same numbers as with the lengths of the rows, whose other frames are all zeros."""
    lengths = np.array([4, 2, 0], "int32")
    frames = np.random.default_rng(0).normal(size=(3, 4, 5, 4, 2)).astype("float32")
    frames[np.arange(4) >= lengths[:, None]] = 0
    frames[0, 0, 0] = 0  # zeros within a frame are numbers as others
    found = []
    for mask in ("{value: 0.0}", "{lengths: lengths}"):
        model = build(film(mask))
        randomise(model)
        found.append(outputs_of(model, {"film": frames, "lengths": lengths})["motion"])
    np.testing.assert_allclose(found[0], found[1], rtol=1e-6, atol=1e-7)
    assert abs(found[0][0]).max() > 0.01


def test_a_masking_layer_of_images_is_refused() -> None:
    """Its mask is one of pixels: Keras's loop over frames fails when it runs."""
    text = film("inherited").replace("input: film", "input: masked")
    text = text.replace("motion:\n", "masked: {type: masking, input: film}\n      motion:\n", 1)
    with pytest.raises(lstmgraph.RecipeError, match="L503"):
        load(text)
