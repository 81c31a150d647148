"""Fingerprints of data, so that trainings and searches are resumed only with the same data.

A fingerprint depends on the values that the model is fed, not on the file that they come from: a
table has the same one as CSV and as Parquet, wherever the file is. A search reads every array
whole. A training reads only 1,024 blocks of 64 KiB, spread evenly over the rows, of an array larger
than 64 MiB, so that the cost stays the same however large the data is: another version of the data
is noticed, a change of a few values between the blocks is not.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lstmgraph.data.examples import Examples
    from lstmgraph.data.values import Array

WHOLE = 64 << 20
"""The size in bytes up to which an array is read whole."""
BLOCK = 64 << 10
"""The size in bytes of the blocks that are read at a time."""


def fingerprint(
    examples: Examples, *, whole: bool = False, digests: dict[int, bytes] | None = None
) -> str:
    """Return the number of examples and a hash of their values, as text.

    Args:
        examples: A part of the data.
        whole: Reads every array whole, however large it is.
        digests: The digests of arrays that have been read, by their ``id``, extended by this call;
            parts of one source share their arrays.
    """
    source = examples.source
    named = [("input", name, field) for name, field in source.inputs.items()]
    named += [("target", name, field) for name, field in source.targets.items()]
    named += [("weight", name, field) for name, field in source.sample_weights.items()]
    found = hashlib.blake2b(digest_size=16)
    digests = {} if digests is None else digests  # windows share their tables and their places
    for role, name, field in named:
        found.update(f"{role} {name} {field.shape} {field.dtype.str};".encode())
        for array in field.arrays:
            if id(array) not in digests:
                digests[id(array)] = _digest(array, whole=whole)
            found.update(digests[id(array)])
    found.update(_digest(examples.numbers, whole=whole))
    return f"{len(examples)} examples, {found.hexdigest()}"


def _digest(array: Array, *, whole: bool) -> bytes:
    found = hashlib.blake2b(f"{array.shape} {array.dtype.str};".encode(), digest_size=16)
    for rows in _rows_read(array, whole=whole):
        found.update(np.ascontiguousarray(array[rows]).reshape(-1).view(np.uint8).data)
    return found.digest()


def _rows_read(array: Array, *, whole: bool = False) -> Iterator[slice]:
    row_bytes = max(1, array[:1].nbytes)
    block = max(1, BLOCK // row_bytes)
    if whole or array.nbytes <= WHOLE:
        starts = np.arange(0, len(array), block)
    else:
        count = max(2, min(WHOLE // BLOCK, WHOLE // row_bytes))
        starts = np.unique(np.linspace(0, len(array) - block, count).astype(np.int64))
    for start in starts.tolist():
        yield slice(start, start + block)
