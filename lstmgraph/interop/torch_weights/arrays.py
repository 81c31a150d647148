"""Numbers of PyTorch's dtypes as NumPy arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

BF16 = "BF16"
DTYPES: Mapping[str, tuple[str, int]] = {
    "F64": ("<f8", 8),
    "F32": ("<f4", 4),
    "F16": ("<f2", 2),
    BF16: ("<u2", 2),
    "I64": ("<i8", 8),
    "I32": ("<i4", 4),
    "I16": ("<i2", 2),
    "I8": ("i1", 1),
    "U8": ("u1", 1),
    "BOOL": ("?", 1),
}
"""Names of safetensors, with NumPy's dtype and the bytes of a number."""


def array_of(
    data: memoryview | bytes, dtype: str, shape: Sequence[int], order: str = "<"
) -> np.ndarray[Any, Any]:
    """Return the numbers in `data` as an array; bfloat16 becomes float32.

    Args:
        data: as many bytes as the shape needs.
        dtype: a key of ``DTYPES``.
        shape: the shape of the array.
        order: ``<`` for little endian, ``>`` for big endian.
    """
    numbers = np.frombuffer(data, DTYPES[dtype][0].replace("<", order)).reshape(shape)
    if dtype != BF16:
        return numbers
    return (numbers.astype("uint32") << 16).view("float32")
