"""Rows of different lengths: lists, object arrays and ragged tensors, padded where lengths say so.

A recurrent layer that masks by lengths gives the same numbers whatever stands in the padding. So
rows of such an input are padded with zeros, and the input of lengths is filled in. Everything else
must be padded by the user, who alone knows how.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lstmgraph.data.named import NamedArrays, weights_of
from lstmgraph.messages.wording import counted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lstmgraph.compiler.checks.data_needs import Need, Needs
    from lstmgraph.data.problems import Problems
    from lstmgraph.data.values import Array

RAGGED_TENSORS = ("RaggedTensor", "RaggedTensorValue")


@dataclass(frozen=True)
class Ragged:
    """Rows of one or more steps each: the steps of all rows, and the number of each row's steps."""

    values: Array
    """The steps of all rows, (steps of all rows, ...)."""
    lengths: Array
    """The number of steps of each row, (rows,) int64."""

    @property
    def ndim(self) -> int:
        """The number of axes of the padded array."""
        return self.values.ndim + 1

    @property
    def is_even(self) -> bool:
        """Whether all rows have the same number of steps."""
        return bool((self.lengths == self.lengths[:1]).all())

    def padded(self, least: int = 0) -> Array:
        """Return the rows padded with zeros to the longest, (rows, steps, ...).

        Args:
            least: the number of steps to pad to where all rows are shorter.
        """
        steps = max(int(self.lengths.max(initial=0)), least)
        if self.is_even and steps == self.lengths[:1]:
            return self.values.reshape(len(self.lengths), steps, *self.values.shape[1:])
        rows = np.zeros((len(self.lengths), steps, *self.values.shape[1:]), self.values.dtype)
        rows[np.arange(steps) < self.lengths[:, None]] = self.values
        return rows


def as_rows(value: Any, name: str, problems: Problems) -> Array | Ragged | None:
    """Return a given value as an array, or as rows of different lengths.

    Lists, object arrays and ragged tensors of TensorFlow are taken apart into rows. Return None
    and report it where that is not possible.
    """
    try:
        if type(value).__name__ in RAGGED_TENSORS:
            return _of_tensor(value, name, problems)
        if isinstance(value, list | tuple):
            return _of_list(value, name, problems)
        array = np.asarray(value)
        return _of_list(list(array), name, problems) if _holds_rows(array) else array
    except (TypeError, ValueError, RuntimeError) as error:  # of what is no array, as its owner says
        reason = " ".join(str(error).split())[:200]
        problems.add("D202", f"'{name}' cannot be read as an array: {reason}", "give numbers")
        return None


def _holds_rows(array: Array) -> bool:
    return array.dtype.kind == "O" and array.ndim == 1 and len(array) > 0 and _is_row(array[0])


def _is_row(value: Any) -> bool:
    return isinstance(value, list | tuple) or getattr(value, "ndim", 0) > 0


def _of_list(rows: Sequence[Any], name: str, problems: Problems) -> Array | Ragged | None:
    if not rows or not all(map(_is_row, rows)):
        return np.asarray(rows)
    arrays = []
    for number, row in enumerate(rows):
        try:
            array = np.asarray(row)
        except ValueError:  # a list of lists of different lengths
            array = np.empty(0, object)
        if array.dtype.kind == "O":
            _report_inner(f"row {number}", name, problems)
            return None
        arrays.append(array)
    first = next((array for array in arrays if len(array)), arrays[0])
    for number, array in enumerate(arrays):
        if not len(array):  # an empty list does not say what its steps would be
            arrays[number] = first[:0]
        elif array.shape[1:] != first.shape[1:]:
            problems.add(
                "D207",
                f"row {number} of '{name}' has shape {array.shape}, another one {first.shape}",
                "only the number of steps, the first axis of a row, may differ",
            )
            return None
    return Ragged(np.concatenate(arrays), np.array([len(array) for array in arrays]))


def _of_tensor(value: Any, name: str, problems: Problems) -> Ragged | None:
    values = value.values
    if type(values).__name__ in RAGGED_TENSORS:  # which may well be rows of the same length
        inner = _of_tensor(values, name, problems)
        if inner is not None and not inner.is_even:
            _report_inner("a row", name, problems)
        if inner is None or not inner.is_even:
            return None
        values = inner.padded()
    return Ragged(np.asarray(values), np.diff(np.asarray(value.row_splits)))


def _report_inner(row: str, name: str, problems: Problems) -> None:
    problems.add(
        "D207",
        f"{row} of '{name}' has parts of different lengths itself",
        "only the number of steps, the first axis of a row, may differ: pad the others",
    )


def filled_lengths(inputs: Mapping[str, Array | Ragged | None], needs: Needs) -> frozenset[str]:
    """Return the inputs of lengths that ``evened`` fills in where they are not given.

    None stands for an input that was reported.
    """
    return frozenset(
        needs.lengths[name]
        for name, each in inputs.items()
        if (each is None or isinstance(each, Ragged)) and name in needs.lengths
    )


def evened(arrays: NamedArrays, needs: Needs, problems: Problems) -> NamedArrays:
    """Return the arrays with ragged ones padded, and with the lengths of ragged inputs filled in.

    Ragged rows that are masked by no lengths are reported, and so are lengths beyond the steps of
    a row.
    """
    rows = dict(arrays.inputs)
    for name, each in arrays.inputs.items():
        lengths = needs.lengths.get(name)
        if isinstance(each, Ragged) and lengths and lengths not in rows:
            rows[lengths] = each.lengths.astype(np.int32)
    padding = _Padding(rows, needs, problems)
    return NamedArrays(
        padding.all({name: (name, each, needs.inputs[name], name) for name, each in rows.items()}),
        padding.all({n: (n, each, needs.targets[n], n) for n, each in arrays.targets.items()}),
        padding.all(
            {
                name: (weights_of(name), each, None, name or next(iter(needs.weighed), ""))
                for name, each in arrays.sample_weights.items()
            }
        ),
    )


@dataclass(frozen=True)
class _Padding:
    inputs: Mapping[str, Array | Ragged]
    needs: Needs
    problems: Problems

    def all(
        self, given: Mapping[str, tuple[str, Array | Ragged, Need | None, str]]
    ) -> dict[str, Array]:
        """Return arrays, given with the name for messages, the need, and the name in the recipe."""
        padded = {name: self._padded(*each) for name, each in given.items()}
        return {name: array for name, array in padded.items() if array is not None}

    def _padded(
        self, shown: str, given: Array | Ragged, need: Need | None, name: str
    ) -> Array | None:
        if not isinstance(given, Ragged):
            return given
        shape = need.shape if need else None
        least = shape[0] if shape and isinstance(shape[0], int) else 0
        key = self.needs.lengths.get(name)
        if key is None:
            if given.is_even or (need is not None and shape is None):  # labels end in zeros
                return given.padded()
            self._report(shown, given)
            return None
        lengths = self.inputs.get(key)
        fits = need is None or given.ndim == 1 + len(shape or ())
        if fits and isinstance(lengths, np.ndarray) and lengths.size == len(given.lengths):
            wrong = np.flatnonzero(lengths.reshape(-1) > given.lengths)
            if len(wrong):
                row = int(wrong[0])
                hint = f"give the number of its steps, or leave '{key}' out"
                if name not in self.needs.inputs:  # the lengths may be filled in from the input
                    hint = f"give as many steps as the input has, or a smaller '{key}'"
                self.problems.add(
                    "D208",
                    f"'{key}' is {lengths.reshape(-1)[row]} for row {row}, but that row of "
                    f"'{shown}' has {counted(int(given.lengths[row]), 'step')}",
                    hint,
                )
        return given.padded(least)

    def _report(self, name: str, given: Ragged) -> None:
        fewest, most = int(given.lengths.min()), int(given.lengths.max())
        keys = list(dict.fromkeys(self.needs.lengths.values()))
        hint = "pad them"
        if name in self.needs.inputs and not keys:
            hint = (
                "declare the input `lengths: {shape: [], dtype: int32}` and write `mask: {lengths: "
                "lengths}` on the layer that reads them, which pads them; or pad them yourself"
            )
        elif name not in self.needs.inputs:
            hint = "pad them, and give the padded steps a `sample_weight` of 0"
        self.problems.add(
            "D207",
            f"the rows of '{name}' have different numbers of steps, {fewest} to {most}, and no "
            "lengths mask them",
            hint,
        )
