"""What a model is trained with: rows that can be asked for by their numbers."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Protocol

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

Arrays = dict[str, np.ndarray]
Batch = tuple[Arrays, Arrays, np.ndarray | None]
"""Inputs and targets by name, and a weight for each row or None."""


class DataError(ValueError):
    """Data that the model cannot be trained with."""


class Examples(Protocol):
    """Rows with inputs and targets. `batch` may be called from another thread, one at a time."""

    @property
    def fingerprint(self) -> str:
        """Differs where the rows do: a training goes on only with the data it began with."""

    def __len__(self) -> int:
        """How many rows there are."""

    def batch(self, indices: np.ndarray) -> Batch:
        """The rows `indices`, in that order: inputs, targets and sample weights.

        Arrays are by the names of the recipe's inputs and outputs, rows on the first axis (of
        time-major inputs, on the second).
        """


class ArrayExamples:
    """Rows of arrays in memory, or of memory maps.

    Args:
        inputs: by the recipe's names, shape (rows, ...).
        targets: by the names of the outputs, shape (rows, ...).
        sample_weight: shape (rows,); how much each row counts in the loss.
        time_major: inputs of shape (time, rows, ...).

    Raises:
        DataError: the arrays are not of equally many rows, or of none.
    """

    def __init__(
        self,
        inputs: Mapping[str, np.ndarray],
        targets: Mapping[str, np.ndarray],
        sample_weight: np.ndarray | None = None,
        *,
        time_major: tuple[str, ...] = (),
    ) -> None:
        self.inputs, self.targets, self.sample_weight = dict(inputs), dict(targets), sample_weight
        self.time_major = time_major
        weights = {} if sample_weight is None else {"sample_weight": sample_weight}
        self._all = {**{f"input {k}": v for k, v in inputs.items()}, **targets, **weights}
        rows = {
            name: self._rows(name.removeprefix("input "), array)
            for name, array in self._all.items()
        }
        if len(set(rows.values())) > 1:
            listed = ", ".join(f"{name}: {count}" for name, count in rows.items())
            raise DataError(f"the arrays have different numbers of rows ({listed})")
        self._length = next(iter(rows.values()), 0)
        if not self._length:
            raise DataError("there are no rows")

    def _rows(self, name: str, array: np.ndarray) -> int:
        axis = int(name in self.time_major)
        if array.ndim <= axis:
            raise DataError(f"'{name}' has the shape {array.shape}: rows are missing")
        return int(array.shape[axis])

    def __len__(self) -> int:
        """How many rows there are."""
        return self._length

    @property
    def fingerprint(self) -> str:
        """The number of rows, and a hash of every name, shape, dtype and value."""
        found = hashlib.blake2b(digest_size=16)
        for name, array in self._all.items():
            found.update(f"{name} {array.shape} {array.dtype.str};".encode())
            found.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
        return f"{self._length} rows, {found.hexdigest()}"

    def batch(self, indices: np.ndarray) -> Batch:
        """The rows `indices`."""
        inputs = {
            name: array[:, indices] if name in self.time_major else array[indices]
            for name, array in self.inputs.items()
        }
        targets = {name: array[indices] for name, array in self.targets.items()}
        weights = None if self.sample_weight is None else self.sample_weight[indices]
        return inputs, targets, weights
