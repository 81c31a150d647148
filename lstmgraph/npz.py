"""Arrays in ``.npz`` archives from anywhere: numbers only, and no more bytes than are allowed."""

from __future__ import annotations

import math
import tokenize
from typing import IO, TYPE_CHECKING

import numpy as np

from lstmgraph.archives import ArchiveError, TooLargeError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lstmgraph.archives import Archive

SUFFIX = ".npy"
MOST_VALUES = 2**62
"""Of no size, which no bound on bytes refuses; NumPy cannot count further."""
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
            raise TooLargeError(f"the array {name} takes more than {most:,} bytes")
        if declared + stream.tell() != archive.size(member):
            raise ArchiveError(f"the array {name} is not as long as it says")
    with archive.opened(member, most + _LONGEST_HEADER) as stream:
        return np.lib.format.read_array(stream, allow_pickle=False)


def read_arrays(archive: Archive, names: Iterable[str], most: int) -> dict[str, np.ndarray]:
    """Return the arrays `names`, which take no more than `most` bytes together.

    Raises:
        ArchiveError: as ``read_array`` does.
    """
    arrays: dict[str, np.ndarray] = {}
    for name in names:
        arrays[name] = read_array(archive, name, most)
        most -= arrays[name].nbytes
    return arrays


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
    values = math.prod(shape)
    # NumPy's header takes `True` for a size, and its arrays do not.
    if any(isinstance(size, bool) or size < 0 for size in shape) or (
        values > MOST_VALUES and not dtype.itemsize
    ):
        raise ArchiveError(f"it holds no whole array (a shape of {shape})")
    return values * dtype.itemsize
