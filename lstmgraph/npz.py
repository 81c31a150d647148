"""Arrays in ``.npz`` archives from anywhere: numbers only, and no more bytes than are allowed."""

from __future__ import annotations

import math
import tokenize
from typing import IO, TYPE_CHECKING

import numpy as np

from lstmgraph.archives import ArchiveError

if TYPE_CHECKING:
    from lstmgraph.archives import Archive

SUFFIX = ".npy"
_LONGEST_HEADER = 10_000
"""NumPy's own bound: it parses headers as Python, which is slow for long ones."""

_NO_HEADER = (ValueError, TypeError, SyntaxError, AttributeError, RecursionError, MemoryError)
"""What parsing a header raises; the last two of one that is nested deeply."""


def array_names(archive: Archive) -> tuple[str, ...]:
    """Return the names of the arrays in an archive."""
    return tuple(name.removesuffix(SUFFIX) for name in archive.names if name.endswith(SUFFIX))


def read_array(archive: Archive, name: str, most: int) -> np.ndarray:
    """Return the array `name`.

    Raises:
        ArchiveError: there is none, it takes more than `most` bytes, holds Python objects, or is
            damaged; nothing is unpacked before that is known.
    """
    member = name + SUFFIX
    with archive.opened(member, most + _LONGEST_HEADER) as stream:
        declared = header_bytes(stream)
        if declared > most:
            raise ArchiveError(f"the array {name} takes more than {most:,} bytes")
        if declared + stream.tell() != archive.size(member):
            raise ArchiveError(f"the array {name} is not as long as it says")
    with archive.opened(member, most + _LONGEST_HEADER) as stream:
        return np.lib.format.read_array(stream, allow_pickle=False)


def header_bytes(stream: IO[bytes]) -> int:
    """Return how many bytes follow an array's header, which is read.

    Raises:
        ArchiveError: it is no header, or one of Python objects.
    """
    try:
        version = np.lib.format.read_magic(stream)
        if version == (1, 0):
            shape, _, dtype = np.lib.format.read_array_header_1_0(stream)
        else:
            shape, _, dtype = np.lib.format.read_array_header_2_0(stream)
    except (*_NO_HEADER, tokenize.TokenError) as error:
        raise ArchiveError(f"it holds no whole array ({error})") from None
    if dtype.hasobject:
        raise ArchiveError("it holds Python objects, which are never loaded")
    if any(size < 0 for size in shape):
        raise ArchiveError(f"it holds no whole array (a shape of {shape})")
    return math.prod(shape) * dtype.itemsize
