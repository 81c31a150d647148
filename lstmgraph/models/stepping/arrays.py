"""Arrays that a caller gives, checked against what the models read."""

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
KINDS = {"float": "fiu", "int": "iu", "uint": "iu", "bool": "b"}
"""By the kind of an input, the kinds of arrays that it takes as they are: no rounding, no truth of
numbers."""


def named(given: Any, names: Sequence[str], what: str) -> Mapping[str, Any]:
    """Return arrays by name; a single one needs none.

    Raises:
        ValueError: an array is missing or unknown.
    """
    if not isinstance(given, Mapping):
        if len(names) != 1:
            raise ValueError(f"{what} takes a dictionary with {listed(names)}")
        return {names[0]: given}
    missing = [name for name in names if name not in given]
    unknown = [str(name) for name in given if name not in names]
    if missing or unknown:
        found = (f"missing: {listed(missing)}" if missing else "") + (
            f"{'; ' if missing else ''}unknown: {listed(unknown)}" if unknown else ""
        )
        raise ValueError(f"{what} takes {listed(names) or 'nothing'}; {found}")
    return given


def as_array(value: Any, shape: tuple[int | str | None, ...], dtype: str, name: str) -> np.ndarray:
    """Return `value` as an array of `dtype`; sizes that are no numbers are free.

    Raises:
        ValueError: `value` has another shape, or numbers of another kind or too large for `dtype`.
    """
    array = np.asarray(value)
    kind = dtype.rstrip("0123456789").removeprefix("b" if dtype == "bfloat16" else "")
    if array.dtype.kind not in KINDS[kind] and str(array.dtype) != dtype:
        raise ValueError(f"{name} is {dtype}, given: {array.dtype}")
    if kind in {"int", "uint"} and not np.can_cast(array.dtype, dtype):
        fitting = fits_dtype(array, np.dtype(dtype))
        if not fitting.all():
            raise ValueError(f"{name} is {dtype}, given: {array[~fitting].flat[0]}")
    if not fits(array.shape, shape):
        wanted = ", ".join("any" if size is None else str(size) for size in shape)
        raise ValueError(f"{name} has shape ({wanted}), given: {array.shape}")
    return array.astype(dtype, copy=False)


def fits(shape: tuple[int, ...], wanted: tuple[int | str | None, ...]) -> bool:
    """Return whether every size is the wanted one, where that is a number."""
    return len(shape) == len(wanted) and all(
        not isinstance(size, int) or own == size for own, size in zip(shape, wanted, strict=True)
    )


def with_rows(spec: TensorSpec, rows: int) -> tuple[int | str | None, ...]:
    """Return the shape of a tensor of `rows` rows."""
    return (rows, *spec.shape_without_batch)


def chosen_rows(which: Any, rows: int) -> np.ndarray:
    """Return numbers of rows: of one, some (numbers, a slice, true and false), or all (None).

    Raises:
        ValueError: there are no such rows, or one is named twice.
    """
    numbers = np.arange(rows)
    if which is None:
        return numbers
    try:
        found = np.atleast_1d(numbers[which if isinstance(which, slice) else np.asarray(which)])
    except (IndexError, TypeError):
        raise ValueError(f"there are {rows} rows, 0 to {rows - 1}; given: {which}") from None
    if len(set(found.tolist())) != found.size or found.ndim != 1:
        raise ValueError(f"a row is named twice in {which}")
    return found
