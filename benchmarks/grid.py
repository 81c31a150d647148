"""The grid of cases for inference: shapes, data, and how much arithmetic each is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.options import Options

STEPS = 100
FEATURES = 32
UNITS = 128
CLASSES = 10

CHAIN_FEATURES = 8
CHAIN_UNITS = 16
"""Of the models that are built and not run."""


@dataclass(frozen=True)
class Batch:
    """Numbers for one case."""

    sequence: np.ndarray
    """(batch, STEPS, FEATURES) float32; zeros after each row's length."""
    lengths: np.ndarray
    """(batch,) int32: the steps of each row that count."""
    labels: np.ndarray
    """(batch,) int32, below CLASSES."""


@dataclass(frozen=True)
class Case:
    """`depth` LSTM layers of UNITS, the last output into a dense softmax of CLASSES."""

    depth: int
    batch: int
    masked: bool

    def __str__(self) -> str:
        layers = "1 layer" if self.depth == 1 else f"{self.depth} layers"
        return f"{layers}, batch {self.batch}, {'masked' if self.masked else 'not masked'}"

    @property
    def lengths(self) -> np.ndarray:
        """(batch,) int32: where masked, evenly from half of the steps to all, in random order."""
        if not self.masked:
            return np.full(self.batch, STEPS, "int32")
        even = np.linspace(STEPS / 2, STEPS, self.batch + 2)[1:-1].round().astype("int32")
        return np.random.default_rng(0).permutation(even)

    def data(self) -> Batch:
        """Random numbers, the same in every run."""
        random = np.random.default_rng(1)
        sequence = random.normal(size=(self.batch, STEPS, FEATURES)).astype("float32")
        counts = np.arange(STEPS) < self.lengths[:, None]
        labels = random.integers(0, CLASSES, self.batch).astype("int32")
        return Batch(sequence * counts[:, :, None].astype("float32"), self.lengths, labels)

    def forward_flops(self) -> int:
        """Floating-point operations of one forward pass that the result depends on.

        A step of an LSTM layer multiplies a row of i features by the (i, 4u) kernel and u states by
        the (u, 4u) recurrent kernel (Keras's `LSTMCell`: four gates side by side): 4u(i + u)
        multiplications and as many additions, 2 * 4 * u * (i + u). Steps after a row's length do
        not count, and neither does what is done by element (activations, gates, the softmax).
        """
        layers = sum(
            2 * 4 * UNITS * (features + UNITS)
            for features in (FEATURES, *[UNITS] * (self.depth - 1))
        )
        return layers * int(self.lengths.sum()) + 2 * UNITS * CLASSES * self.batch


def cases(options: Options) -> Iterator[Case]:
    """The grid, small cases first."""
    for depth in options.depths:
        for batch in options.batches:
            for masked in options.masks:
                yield Case(depth, batch, masked)
