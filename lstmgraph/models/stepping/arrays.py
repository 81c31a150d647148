"""Checks of a caller's arrays against what the models read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from lstmgraph.data.lengths import fits_dtype
from lstmgraph.messages.wording import listed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lstmgraph.keras_facts.tensors import TensorSpec

Arrays = dict[str, np.ndarray]
KINDS = {"float": "fiu", "int": "iu", "uint": "iu", "bool": "b", "string": "OU"}
"""The kinds of NumPy arrays that an input of each kind accepts: floats are not rounded to integers,
and numbers do not stand for booleans. Texts are objects or NumPy's own."""


def named(given: Any, names: Sequence[str], what: str) -> Mapping[str, Any]:
    """Return `given` as a mapping with exactly `names`; a single array needs no name.

    Args:
        given: a mapping by name, or the array itself where there is only one name.
        names: the names that are expected.
        what: the subject of the error message, such as "a step".

    Raises:
        ValueError: a name is missing or unknown.
    """
    if not isinstance(given, Mapping):
        if len(names) != 1:
            raise ValueError(f"{what} takes a dictionary with {listed(names)}")
        return {names[0]: given}
    missing = [name for name in names if name not in given]
    unknown = [str(name) for name in given if name not in names]
    if missing or unknown:
        problems = (f"missing: {listed(missing)}" if missing else "") + (
            f"{'; ' if missing else ''}unknown: {listed(unknown)}" if unknown else ""
        )
        raise ValueError(f"{what} takes {listed(names) or 'nothing'}; {problems}")
    return given


def as_array(value: Any, shape: tuple[int | str | None, ...], dtype: str, name: str) -> np.ndarray:
    """Return `value` as an array of `dtype`.

    Args:
        value: whatever NumPy makes an array of.
        shape: the expected shape; an axis may have any size where it is a name or None.
        dtype: the expected dtype, as Keras writes it.
        name: what error messages call the array.

    Raises:
        ValueError: the array has another shape, another kind of values, or values that do not fit
            in the dtype.
    """
    array = np.asarray(value)
    kind = dtype.rstrip("0123456789").removeprefix("b" if dtype == "bfloat16" else "")
    if array.dtype.kind not in KINDS[kind] and str(array.dtype) != dtype:
        raise ValueError(f"{name} must be {dtype}, not {array.dtype}")
    if kind in {"int", "uint"} and not np.can_cast(array.dtype, dtype):
        fitting = fits_dtype(array, np.dtype(dtype))
        if not fitting.all():
            raise ValueError(f"{name} is {dtype}, which cannot hold {array[~fitting].flat[0]}")
    if not fits(array.shape, shape):
        wanted = ", ".join("any" if size is None else str(size) for size in shape)
        raise ValueError(f"{name} must have shape ({wanted}), not {array.shape}")
    return array.astype(str if kind == "string" else dtype, copy=False)


def fits(shape: tuple[int, ...], wanted: tuple[int | str | None, ...]) -> bool:
    """Return whether `shape` matches `wanted`, in which only whole numbers fix a size."""
    return len(shape) == len(wanted) and all(
        not isinstance(size, int) or own == size for own, size in zip(shape, wanted, strict=True)
    )


def with_rows(spec: TensorSpec, rows: int) -> tuple[int | str | None, ...]:
    """Return the shape of the tensor in a batch of `rows` rows."""
    return (rows, *spec.shape_without_batch)


def chosen_rows(which: Any, rows: int) -> np.ndarray:
    """Return the indices of the chosen rows, (chosen,).

    Args:
        which: an index, several, a slice, or a boolean for each row; None chooses all rows.
        rows: the number of rows.

    Raises:
        ValueError: a row does not exist, or is named twice.
    """
    numbers = np.arange(rows)
    if which is None:
        return numbers
    try:
        chosen = np.atleast_1d(numbers[which if isinstance(which, slice) else np.asarray(which)])
    except (IndexError, TypeError):
        raise ValueError(f"rows are numbered 0 to {rows - 1}; given: {which}") from None
    if len(set(chosen.tolist())) != chosen.size or chosen.ndim != 1:
        raise ValueError(f"rows= names a row twice: {which}")
    return chosen
