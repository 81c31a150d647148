"""The shipped detector on real recordings: frames that do not belong are a surprise."""

from __future__ import annotations

import numpy as np
import pytest
from building import RECIPES

import lstmgraph


@pytest.mark.slow
def test_swapped_frames_are_found_as_they_come() -> None:
    recipe = lstmgraph.load(RECIPES / "stream-anomalies.yaml")
    derived = recipe.derive("step")
    with np.load(RECIPES / "data" / "japanese_vowels.npz") as archive:
        frames, lengths = archive["train_frames"], archive["train_lengths"]
        unseen, counts = archive["test_frames"], archive["test_lengths"]
    assert derived.main
    derived.main.fit(
        {"frames": frames[:, :-1], "lengths": lengths - 1},
        {"expected": frames[:, 1:]},
        batch_size=27,
        epochs=12,
        verbose=0,
    )
    rows = np.flatnonzero(counts >= 12)[:64]
    streams = unseen[rows, :12].copy()
    # At frame 8 the stream is torn: a frame of another voice's recording stands there.
    torn = streams.copy()
    torn[:, 8] = streams[np.roll(np.arange(64), 32), 3]
    surprise = {}
    for name, x in (("whole", streams), ("torn", torn)):
        stepper = lstmgraph.Stepper(derived, rows=64)
        expected, found = np.zeros((64, 12)), []
        for step in range(12):
            found.append(((x[:, step] - expected) ** 2).mean(1))
            expected = stepper.step({"frames": x[:, step]})["expected"]
        surprise[name] = np.array(found)
    usual = np.quantile(surprise["whole"][3:], 0.99)
    assert (surprise["torn"][8] > usual).mean() > 0.8
