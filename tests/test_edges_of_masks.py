"""Recipes whose masks are easily wrong: the right number, or a message whose way works.

The numbers are those of rows without padding, or of NumPy over the steps that count.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from building import outputs_of, randomise

import lstmgraph

if TYPE_CHECKING:
    from collections.abc import Mapping

    import keras

EDGES = Path(__file__).parent / "recipes" / "edges"
LENGTHS = np.array([8, 5, 3, 0], "int32")
FIRST = np.arange(8) < LENGTHS[:, None]


def text(name: str) -> str:
    return (EDGES / f"{name}.yaml").read_text("utf-8")


def model(source: str) -> keras.Model:
    recipe = lstmgraph.load(source)
    assert recipe.warnings == ()
    built = recipe.build()
    randomise(built)
    return built


def sequences(features: int = 3, padding: float = 0.0) -> np.ndarray:
    x = np.random.default_rng(1).normal(size=(len(LENGTHS), 8, features)).astype("float32")
    x[~FIRST] = padding
    return x


def assert_trains(built: keras.Model, x: Mapping[str, np.ndarray], y: object) -> None:
    built.fit(dict(x), y, verbose=0, batch_size=4)
    assert all(np.isfinite(weight).all() for weight in built.get_weights())


def test_lengths_after_a_convolution() -> None:
    source = text("lengths-after-a-convolution")
    with pytest.raises(lstmgraph.RecipeError, match="L511") as error:
        lstmgraph.load(source)
    assert error.value.diagnostics[0].hint.startswith("write `mask: {lengths: lengths}` on 'c'")
    moved = source.replace("units: 4, mask: {lengths: lengths}", "units: 4")
    built = model(moved.replace("padding: valid", "padding: valid, mask: {lengths: lengths}"))
    x = sequences(padding=np.nan)
    found = outputs_of(built, {"x": x, "lengths": LENGTHS})["y"]
    for row, length in enumerate(LENGTHS[:3]):
        alone = built.get_layer("c")(x[row : row + 1, :length])
        assert alone.shape[1] == (length - 3) // 2 + 1
        np.testing.assert_allclose(found[row], built.get_layer("r")(alone)[0], atol=1e-6)
    assert not found[3].any()


@pytest.mark.slow
def test_average_of_an_all_padded_row() -> None:
    built = model(text("average-of-an-all-padded-row"))
    data = {"x": sequences(padding=np.nan), "lengths": LENGTHS}
    _, bias = built.get_layer("y").get_weights()
    found = outputs_of(built, data)["y"]
    assert np.isfinite(found).all()
    np.testing.assert_allclose(found[3], bias, atol=1e-6)
    assert_trains(built, data, np.ones((4, 1)))


@pytest.mark.slow
def test_characters_of_padded_words() -> None:
    built = model(text("characters-of-padded-words"))
    random = np.random.default_rng(0)
    words = random.integers(1, 30, FIRST.shape) * FIRST
    chars = random.integers(1, 20, (*FIRST.shape, 8)) * FIRST[..., None]
    data = {"words": words.astype("int32"), "chars": chars.astype("int32")}
    found = outputs_of(built, data)["y"]
    for row, length in enumerate(LENGTHS[:3]):
        alone = {name: each[row : row + 1, :length] for name, each in data.items()}
        np.testing.assert_allclose(found[row], outputs_of(built, alone)["y"][0], atol=1e-6)
    assert_trains(built, data, np.ones((4, 1)))


def test_mask_made_inside_time_distributed() -> None:
    source = text("mask-made-inside-time-distributed")
    with pytest.raises(lstmgraph.RecipeError, match="an `embedding` by itself takes ids"):
        lstmgraph.load(source)
    wrapped = "{type: time_distributed, input: ids, layer: {type: embedding, input_dim: 20"
    itself = source.replace(wrapped, "{type: embedding, input: ids, input_dim: 20")
    itself = itself.replace("mask_zero: true}}", "mask_zero: true}")
    with pytest.raises(lstmgraph.RecipeError, match="L503"):  # a mask of words
        lstmgraph.load(itself)
    built = model(itself.replace("units: 3}", "units: 3, mask: none}"))
    ids = np.random.default_rng(0).integers(1, 20, (2, 3, 8)).astype("int32")
    ids[0, 1, 5:] = 0
    wider = np.concatenate([ids, np.zeros((2, 3, 4), "int32")], axis=2)
    (vectors,) = built.get_layer("e").get_weights()
    found = outputs_of(built, {"ids": wider})["p"]
    np.testing.assert_allclose(found[0, 1], vectors[ids[0, 1, :5]].mean(axis=0), atol=1e-6)
    np.testing.assert_allclose(found, outputs_of(built, {"ids": ids})["p"], atol=1e-6)


def test_value_mask_after_normalization() -> None:
    source = text("value-mask-after-normalization")
    (warning,) = lstmgraph.load(source).warnings
    assert warning.code == "W505"
    assert "put a `masking` layer before 'n'" in str(warning.hint)
    masked = source.replace("layers:\n", "layers:\n  m: {type: masking, input: x}\n")
    masked = masked.replace("normalization, input: x", "normalization, input: m")
    built = model(masked.replace(", mask: {value: 0.0}", ""))
    x = sequences(features=2)
    found = outputs_of(built, {"x": x})["y"]
    for row, length in enumerate(LENGTHS[:3]):
        normal = (x[row : row + 1, :length] - [1, 2]) / np.sqrt([4, 9])
        alone = built.get_layer("r")(normal.astype("float32"))
        np.testing.assert_allclose(found[row], alone[0], atol=1e-6)


def test_video_mask_by_value() -> None:
    built = model(text("video-mask-by-value"))
    film = np.random.default_rng(0).normal(size=(2, 4, 6, 6, 2)).astype("float32")
    film[0, 2:] = 0
    found = outputs_of(built, {"film": film})["y"]
    alone = outputs_of(built, {"film": film[:1, :2]})["y"]
    np.testing.assert_allclose(found[0], alone[0], atol=1e-6)


def test_autoencoder_loss_of_padding() -> None:
    source = text("autoencoder-loss-of-padding")
    (warning,) = lstmgraph.load(source).warnings
    assert warning.code == "W501"
    assert warning.hint == "write `mask: {from: enc}` on 'dec'"
    built = model(source.replace("input: rep, units: 5", "input: rep, units: 5, mask: {from: enc}"))
    x = sequences()
    found = outputs_of(built, {"x": x})["y"].astype("float64")
    wanted = np.square(found - x).mean(axis=-1)[FIRST].mean()
    loss = built.evaluate({"x": x}, {"y": x}, verbose=0, batch_size=4)
    np.testing.assert_allclose(loss if np.isscalar(loss) else loss[0], wanted, rtol=1e-5)
