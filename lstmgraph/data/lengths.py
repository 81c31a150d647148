"""Checks of sequence lengths that are given by hand.

TensorFlow casts to an input's dtype in silence: 2^32 + 1 becomes 1, NaN 0, and 4.5 becomes 4.
"""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from lstmgraph.keras_facts.tensors import LONGEST

Array = np.ndarray[Any, np.dtype[Any]]


def check_lengths(name: str, values: Any, steps: int | None) -> None:
    """Check that all values, of any dtype, are whole numbers from 0 to `steps`.

    Args:
        name: name of the input, for the message.
        values: an array of any shape.
        steps: steps of the sequence that the lengths count along; None where unknown.

    Raises:
        ValueError: a value cannot be a length; it names the first.
    """
    array = np.asarray(values)
    if array.dtype.kind not in "iuf":
        raise ValueError(f"{name} holds lengths, which are whole numbers; given: {array.dtype}")
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
    """Return where values are finite and keep their value in `dtype`."""
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
    """Return where values are neither from `low` to `high`, inclusive, nor `exception`."""
    wrong: Array = values < low
    if high is not None:
        wrong = wrong | (values > high)
    return wrong if exception is None else wrong & (values != exception)


def whole_number(name: str, value: Any, least: int, most: int = LONGEST) -> int:
    """Return `value`, a number of steps, rows or the like, as an int.

    Raises:
        ValueError: `value` is no whole number from `least` to `most`.
    """
    try:
        number = operator.index(value)
    except TypeError:
        raise ValueError(f"{name} is a whole number; given: {value!r}") from None
    if not least <= number <= most:
        raise ValueError(f"{name} is at least {least} and at most {most:,}; given: {number}")
    return number
