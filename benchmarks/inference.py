"""Prediction: `predict_on_batch` against Keras by hand, and against torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import keras
import numpy as np

from benchmarks import by_hand, by_recipe
from benchmarks.agreement import require_equal
from benchmarks.floor import floor_of
from benchmarks.grid import Case, cases
from benchmarks.options import Options, missing
from benchmarks.timing import OURS, Figure, Side, compare

if TYPE_CHECKING:
    from collections.abc import Iterator

PART = "inference"
KERAS = "Keras by hand"
KERAS_CALL = "Keras by hand, model(x)"
TORCH = "torch.nn.LSTM"


def measure(options: Options) -> Iterator[Figure]:
    """Figures of every case of the grid."""
    for case in cases(options):
        floor = floor_of(case.forward_flops(), "tensorflow")
        aims = {KERAS: 0.5 if case.batch == 1 else 1.03}
        yield from compare(PART, str(case), _sides(case), options, aims=aims, floor=floor)
        keras.backend.clear_session()


def _sides(case: Case) -> dict[str, Side]:
    batch = case.data()
    ours, theirs = by_recipe.classifier_recipe(case).build(), by_hand.classifier(case)
    theirs.set_weights(ours.get_weights())
    inputs = by_recipe.inputs(case, batch)
    sides: dict[str, Side] = {
        OURS: lambda: ours.predict_on_batch(inputs)["label"],
        KERAS: lambda: theirs.predict_on_batch(batch.sequence),
        KERAS_CALL: lambda: np.asarray(theirs(batch.sequence)),
        TORCH: missing("torch"),
    }
    if not sides[TORCH]:
        from benchmarks.by_torch import Runner

        sides[TORCH] = Runner(case, batch, ours.get_weights()).predict
    require_equal_outputs(case, sides)
    return sides


def require_equal_outputs(case: Case, sides: dict[str, Side]) -> None:
    """Every side gives the same probabilities."""
    outputs = {name: side() for name, side in sides.items() if not isinstance(side, str)}
    wanted = outputs[next(iter(outputs))] if outputs else None
    for name, found in outputs.items():
        require_equal(found, wanted, f"the probabilities of {name}, {case}")
