"""One training step: `train_on_batch` against Keras by hand, and against torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import keras

from benchmarks import by_hand, by_recipe
from benchmarks.agreement import require_equal
from benchmarks.floor import floor_of
from benchmarks.grid import Case, cases
from benchmarks.options import Options, missing
from benchmarks.timing import OURS, Figure, Side, compare

if TYPE_CHECKING:
    from collections.abc import Iterator

PART = "training step"
KERAS = "Keras by hand"
TORCH = "torch.nn.LSTM"
AIMS = {KERAS: 1.03}


def measure(options: Options) -> Iterator[Figure]:
    """Figures of every case of the grid."""
    for case in cases(options):
        floor = floor_of(case.training_flops(), "tensorflow")
        yield from compare(PART, str(case), _sides(case), options, aims=AIMS, floor=floor)
        keras.backend.clear_session()


def _sides(case: Case) -> dict[str, Side]:
    batch = case.data()
    ours, theirs = by_recipe.classifier_recipe(case).build(), by_hand.classifier(case)
    theirs.set_weights(ours.get_weights())
    inputs, targets = by_recipe.inputs(case, batch), {"label": batch.labels}
    sides: dict[str, Side] = {
        OURS: lambda: ours.train_on_batch(inputs, targets),
        KERAS: lambda: theirs.train_on_batch(batch.sequence, batch.labels),
        TORCH: missing("torch"),
    }
    if not sides[TORCH]:
        from benchmarks.by_torch import Trainer

        sides[TORCH] = Trainer(case, batch, ours.get_weights()).train
    _require_equal_losses(case, sides)
    return sides


def _require_equal_losses(case: Case, sides: dict[str, Side]) -> None:
    """The loss before the first step and, between the two in Keras, after it.

    torch's LSTM trains two biases where Keras's has one, so after a step the two differ.
    """
    for name, side in sides.items():
        if isinstance(side, str):
            continue
        losses = [side(), side()]
        if name == OURS:
            wanted = losses
        compared = 1 if name == TORCH else 2
        what = f"the losses of {OURS} and {name}, {case}"
        require_equal(losses[:compared], wanted[:compared], what)
