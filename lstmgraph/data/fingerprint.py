"""What tells one data set from another: trainings and searches go on only with the same data.

A fingerprint is of the values that the model is fed, whatever file they come from: a table has the
same as CSV and as Parquet, and moving a file changes nothing. Arrays are read block by block: a
search reads all of them, a training of one larger than 64 MiB only 1,024 blocks of 64 KiB, evenly
spread from the first row to the last, so that it costs the same however large the data is. Another
version of the data differs there, but a change of a few values between the blocks is not seen.
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
"""Bytes of an array up to which all of it is read."""
BLOCK = 64 << 10
"""Bytes that are read at once of a larger one."""


def fingerprint(
    examples: Examples, *, whole: bool = False, digests: dict[int, bytes] | None = None
) -> str:
    """Return how many examples there are, and a hash of what they are made of.

    Args:
        examples: a part of the data.
        whole: read all of every array, however large.
        digests: of arrays that are read already, by their ``id``: parts of one source share them.
    """
    source = examples.source
    named = [("input", name, field) for name, field in source.inputs.items()]
    named += [("target", name, field) for name, field in source.targets.items()]
    if source.sample_weight is not None:
        named.append(("weight", "", source.sample_weight))
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
