"""The shipped forecaster, on real data in a table: windows, split and training."""

from __future__ import annotations

import numpy as np
import pytest
from building import RECIPES
from pyarrow import parquet

import lstmgraph

TABLE = RECIPES / "data" / "japanese_vowels.parquet"
COEFFICIENTS = [f"lpc_{number}" for number in range(1, 13)]


def test_the_table_holds_what_the_archive_does() -> None:
    table = parquet.read_table(TABLE).to_pydict()
    frames = np.array([table[name] for name in COEFFICIENTS], "float32").T
    with np.load(RECIPES / "data" / "japanese_vowels.npz") as archive:
        row = utterance = 0
        for part in ("train", "test"):
            names = (f"{part}_{name}" for name in ("frames", "lengths", "speaker"))
            for own, length, speaker in zip(*(archive[name] for name in names), strict=True):
                utterance += 1
                rows = slice(row, row + length)
                np.testing.assert_array_equal(frames[rows], own[:length])
                assert table["utterance"][rows] == [utterance] * length
                assert table["frame"][rows] == list(range(1, length + 1))
                assert table["speaker"][rows] == [speaker] * length
                row += length
    assert row == len(frames) == 9961


@pytest.mark.slow
def test_windows_are_those_of_a_loop_over_utterances() -> None:
    data = lstmgraph.load(RECIPES / "next-frame.yaml").load_data(TABLE)
    assert [len(part) for part in data.parts.values()] == [4772, 1658, 1611]
    rows = parquet.read_table(TABLE).to_pylist()
    by_utterance: dict[int, list[list[float]]] = {}
    for row in rows:
        by_utterance.setdefault(row["utterance"], []).append([row[n] for n in COEFFICIENTS])
    cut = [
        (frames[max(0, now - 12) : now], frames[now])
        for frames in by_utterance.values()
        for now in range(3, len(frames))
    ]
    assert sum(len(part) for part in data.parts.values()) == len(cut)
    seen = set()
    for part in data.parts.values():
        x, y, _ = part.arrays()
        for number, frames, length, target in zip(
            part.numbers, x["frames"], x["lengths"], y["next_frame"], strict=True
        ):
            history, following = cut[number]
            np.testing.assert_array_equal(frames[:length], np.float32(history))
            assert not frames[length:].any()
            np.testing.assert_array_equal(target, np.float32(following))
            seen.add(int(number))
    assert len(seen) == len(cut)


@pytest.mark.slow
def test_it_forecasts_better_than_the_last_frame_repeated() -> None:
    """On utterances that it has not seen."""
    recipe = lstmgraph.load(RECIPES / "next-frame.yaml")
    data = recipe.load_data(TABLE)
    assert data.test is not None
    feed = data.train.as_keras(64, seed=7)
    model = recipe.build()
    model.fit(feed.dataset, epochs=6, callbacks=feed.callbacks, shuffle=False, verbose=0)
    x, y, _ = data.test.arrays()
    last = x["frames"][np.arange(len(data.test)), x["lengths"] - 1]
    repeated = float(((last - y["next_frame"]) ** 2).mean())
    assert model.evaluate(data.test.as_keras(256).dataset, verbose=0) < 0.9 * repeated
