"""The cells of the table of training steps: models, their data, and how much arithmetic each is."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

KINDS = ("lstm", "gru")
SIZES = ((32, 60, 4), (64, 30, 8), (128, 100, 32))
"""Units, steps, features."""
DEPTHS = (1, 2, 3)
BATCHES = (1, 16, 32, 64, 256)
CLASSES = 10
GATES = {"lstm": 4, "gru": 3}
MEASURED_SECONDS = 0.1
"""About how long an epoch is that is measured, by a rough estimate of Keras's time."""


@dataclass(frozen=True)
class Arrays:
    """Numbers for one cell; `n` is the number of batches by the size of a batch."""

    sequence: np.ndarray
    """(n, steps, features) float32; zeros after each row's length."""
    lengths: np.ndarray
    """(n,) int32: the steps of each row that count."""
    labels: np.ndarray
    """(n,) int32, below CLASSES."""


@dataclass(frozen=True)
class Cell:
    """`depth` recurrent layers, the last output into a dense softmax of CLASSES."""

    kind: str
    masked: bool
    units: int
    steps: int
    features: int
    depth: int
    batch: int

    @property
    def batches(self) -> int:
        """How many batches an epoch has."""
        rows = self.batch * self.steps * self.depth
        guess = 2e-3 + 5e-5 * self.steps * self.depth + 6 * rows * self._products() / 1e11
        return int(np.clip(np.ceil(MEASURED_SECONDS / guess), 2, 100))

    def _products(self) -> int:
        return GATES[self.kind] * self.units * (2 * self.units)

    @property
    def inputs(self) -> list[int]:
        """The features that each layer reads."""
        return [self.features, *[self.units] * (self.depth - 1)]

    def arrays(self, batches: int) -> Arrays:
        """Random numbers, the same in every process. Masked rows have half of the steps or more."""
        random = np.random.default_rng(1)
        count = batches * self.batch
        lengths = np.full(count, self.steps, "int32")
        if self.masked:
            lengths = random.integers(self.steps // 2, self.steps, count, endpoint=True)
        sequence = random.normal(size=(count, self.steps, self.features)).astype("float32")
        counts = np.arange(self.steps) < lengths[:, None]
        labels = random.integers(0, CLASSES, count).astype("int32")
        return Arrays(
            sequence * counts[:, :, None].astype("float32"), lengths.astype("int32"), labels
        )

    def weights(self) -> list[np.ndarray]:
        """Keras's arrays of each layer and of the head, in its order, the same in every process."""
        random, gates = np.random.default_rng(2), GATES[self.kind] * self.units
        bias = (gates,) if self.kind == "lstm" else (2, gates)
        shapes = [s for i in self.inputs for s in ((i, gates), (self.units, gates), bias)]
        shapes += [(self.units, CLASSES), (CLASSES,)]
        return [(random.normal(size=s) / np.sqrt(self.units)).astype("float32") for s in shapes]

    def recipe(self) -> dict[str, Any]:
        """Return the model as a recipe; where it is masked, the lengths are an input."""
        reader: dict[str, Any] = {"type": self.kind, "input": "sequence"}
        reader["units"] = [self.units] * self.depth
        inputs: dict[str, Any] = {"sequence": {"shape": [self.steps, self.features]}}
        if self.masked:
            inputs["lengths"] = {"shape": [], "dtype": "int32"}
            reader["mask"] = {"lengths": "lengths"}
        head = {"type": "dense", "input": "reader", "units": CLASSES, "activation": "softmax"}
        return {
            "recipe": 1,
            "name": "classifier",
            "inputs": inputs,
            "layers": {"reader": reader, "label": head},
            "outputs": {"label": "label"},
            "training": {
                "loss": "sparse_categorical_crossentropy",
                "optimizer": "adam",
                "batch_size": self.batch,
                "epochs": 100,
                "shuffle": False,
            },
        }

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain data, which ``Cell(**...)`` takes."""
        return asdict(self)


def cells() -> Iterator[Cell]:
    """All cells: sizes and kinds change slowest, as the table shows them."""
    for size, kind, masked in product(SIZES, KINDS, (False, True)):
        for depth, batch in product(DEPTHS, BATCHES):
            yield Cell(kind, masked, *size, depth=depth, batch=batch)


def floor_seconds(cell: Cell, runs: int = 5) -> float:
    """Return the seconds of the matrix products of one training step alone, the best of `runs`.

    Those of a step that saves what it can: each layer's input is multiplied for all steps at once;
    so are the three products of the gradients of both matrices and of the input, which the first
    layer does not need. Two products for each step, of the batch, are left: one forwards and one
    backwards. In the quicker of NumPy and torch.
    """
    units, gates = cell.units, GATES[cell.kind] * cell.units
    rows = cell.batch * cell.steps
    shapes = [((cell.batch, units, gates), cell.steps), ((cell.batch, gates, units), cell.steps)]
    found = 0.0
    for layer, features in enumerate(cell.inputs):
        whole = [(rows, features, gates), (features, rows, gates), (units, rows, gates)]
        whole += [(rows, gates, features)] if layer else []
        for shape, times in [*shapes, *((shape, 1) for shape in whole)]:
            found += min(_seconds(make(*shape), times, runs) for make in _makers())
    return found


def _makers() -> list[Callable[[int, int, int], Callable[[], object]]]:
    makers: list[Callable[[int, int, int], Callable[[], object]]] = [_numpy_product]
    try:
        import torch  # noqa: F401
    except ImportError:
        return makers
    return [*makers, _torch_product]


def _numpy_product(rows: int, inner: int, columns: int) -> Callable[[], object]:
    a, b = np.ones((rows, inner), "float32"), np.ones((inner, columns), "float32")
    out = np.empty((rows, columns), "float32")
    return lambda: np.matmul(a, b, out=out)


def _torch_product(rows: int, inner: int, columns: int) -> Callable[[], object]:
    import torch

    from benchmarks.options import THREADS

    torch.set_num_threads(THREADS)
    a, b, out = torch.ones(rows, inner), torch.ones(inner, columns), torch.empty(rows, columns)
    return lambda: torch.mm(a, b, out=out)


def _seconds(product_: Callable[[], object], times: int, runs: int) -> float:
    best = float("inf")
    for _ in range(runs + 1):
        start = time.perf_counter()
        for _ in range(times):
            product_()
        best = min(best, time.perf_counter() - start)
    return best
