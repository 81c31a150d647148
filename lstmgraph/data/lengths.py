"""Checks of sequence lengths, the same wherever a user gives them.

TensorFlow casts to an input's dtype silently: 2^32 + 1 becomes 1, NaN becomes 0, 4.5 becomes 4.
"""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from lstmgraph.keras_facts.tensors import LONGEST

Array = np.ndarray[Any, np.dtype[Any]]


def check_lengths(name: str, values: Any, steps: int | None) -> None:
    """Check that all values are whole numbers from 0 to `steps`, of any dtype.

    Args:
        name: The name of the input, for the message.
        values: An array of any shape.
        steps: The number of steps of the sequence; None if it is not known.

    Raises:
        ValueError: A value cannot be a length; the message names the first.
    """
    array = np.asarray(values)
    if array.dtype.kind not in "iuf":
        raise ValueError(f"{name} takes lengths, which are whole numbers; given: {array.dtype}")
    most = LONGEST if steps is None else steps
    wrong = ~fits_dtype(array, np.dtype("int32")) | outside(array, 0, most)
    if wrong.any():
        place = tuple(int(i) for i in np.unravel_index(int(np.argmax(wrong)), wrong.shape))
        where = f"{name}{list(place)}" if place else name
        raise ValueError(
            f"{where} is {array[place].item()}: a length is a whole number from 0 to {most:,}"
            + ("" if steps is None else ", the number of steps")
        )


def fits_dtype(values: Array, dtype: np.dtype[Any]) -> Array:
    """Return a mask of the values that are finite and that `dtype` can hold unchanged."""
    finite = np.isfinite(values)
    fits: Array
    if dtype.kind == "b":
        fits = (values == 0) | (values == 1)
    elif dtype.kind in "iu":
        limits = np.iinfo(dtype)
        fits = (values >= limits.min) & (values <= limits.max)
        if values.dtype.kind == "f":
            sound = np.where(finite, values, 0)
            fits &= np.trunc(sound) == sound
    else:
        fits = np.abs(values) <= np.finfo(dtype).max
    return finite & fits


def outside(values: Array, low: float, high: float | None, exception: float | None = None) -> Array:
    """Return a mask of the values outside `low` to `high` (both allowed), without `exception`."""
    wrong: Array = values < low
    if high is not None:
        wrong = wrong | (values > high)
    return wrong if exception is None else wrong & (values != exception)


def whole_number(name: str, value: Any, least: int, most: int = LONGEST) -> int:
    """Return `value`, a number of steps, rows or the like, as an int.

    Raises:
        ValueError: It is not a whole number, or is not from `least` to `most`.
    """
    try:
        number = operator.index(value)
    except TypeError:
        raise ValueError(f"{name} must be a whole number; given: {value!r}") from None
    if not least <= number <= most:
        raise ValueError(f"{name} must be at least {least} and at most {most:,}; given: {number}")
    return number
