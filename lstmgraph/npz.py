"""Read arrays from untrusted ``.npz`` archives: numbers only, within a limit of bytes."""

from __future__ import annotations

import math
import os
import tokenize
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING

import numpy as np

from lstmgraph.archives import ArchiveError, TooLargeError, opened_archive
from lstmgraph.files import open_file

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from lstmgraph.archives import Archive

SUFFIX = ".npy"
MOST_EXPANSION = 1024
"""How many times larger than its archive an array may be."""
MOST_VALUES = 2**62
"""The most values of a dtype without bytes, which no limit of bytes stops."""
_LONGEST_HEADER = 10_000
"""NumPy's own limit: it parses headers as Python, which is slow for long ones."""

_NO_HEADER = (ValueError, TypeError, SyntaxError, AttributeError, RecursionError, MemoryError)
"""The exceptions that parsing a header raises; the last two for deep nesting."""


class NoSuchArrayError(ArchiveError):
    """An archive of several arrays has none of the name, or no name was given.

    Args:
        file: the name of the archive.
        name: the name that was given.
        names: the names of its arrays.
    """

    def __init__(self, file: str, name: str | None, names: Sequence[str]) -> None:
        found = ", ".join(names) or "none"
        problem = "holds several arrays" if names else "holds no arrays"
        if name is not None:
            problem = f"has no array {name!r}"
        super().__init__(f"{file!r} {problem}; its arrays: {found}")
        self.names = tuple(names)


def array_names(archive: Archive) -> tuple[str, ...]:
    """Return the names of the arrays in an archive."""
    return tuple(name.removesuffix(SUFFIX) for name in archive.names if name.endswith(SUFFIX))


def read_array(archive: Archive, name: str, most: int) -> np.ndarray:
    """Return the array `name` of an archive.

    Raises:
        ArchiveError: if there is no such array, it takes more than `most` bytes, holds Python
            objects, or is damaged. All this is checked before anything is unpacked.
    """
    member = name + SUFFIX
    with archive.opened(member, most + _LONGEST_HEADER) as stream:
        declared = header_bytes(stream)
        if declared > most:
            raise TooLargeError(f"the array {name} takes more than {most:,} bytes")
        _require_length(name, declared + stream.tell(), archive.size(member))
    with archive.opened(member, most + _LONGEST_HEADER) as stream:
        return np.lib.format.read_array(stream, allow_pickle=False)


def read_arrays(archive: Archive, names: Iterable[str], most: int) -> dict[str, np.ndarray]:
    """Return the arrays `names` by name; together they take at most `most` bytes.

    Raises:
        ArchiveError: as ``read_array`` does.
    """
    arrays: dict[str, np.ndarray] = {}
    for name in names:
        arrays[name] = read_array(archive, name, most)
        most -= arrays[name].nbytes
    return arrays


def file_header(path: Path, name: str | None = None) -> tuple[tuple[int, ...], np.dtype]:
    """Return shape and dtype of an array in a file, without reading its values.

    Args:
        path: a ``.npy`` file, or a ``.npz`` archive.
        name: of the array in an archive; None for its only one.

    Raises:
        ArchiveError: it is no array of numbers, is damaged, or not named in an archive of several.
        OSError, ValueError: the file cannot be opened.
    """
    with _opened_array(path, name) as stream:
        shape, dtype = _header(stream)
        return shape, dtype


def file_array(path: Path, name: str | None = None) -> np.ndarray:
    """Return an array in a file; see ``file_header``.

    Raises:
        ArchiveError, OSError, ValueError: as ``file_header`` does.
    """
    file_header(path, name)
    with _opened_array(path, name) as stream:
        return np.lib.format.read_array(stream, allow_pickle=False)


@contextmanager
def _opened_array(path: Path, name: str | None) -> Iterator[IO[bytes]]:
    """Open an array in a file, whose header declares as much data as there is."""
    if path.suffix != ".npz":
        with os.fdopen(open_file(path), "rb") as stream:
            declared = header_bytes(stream)
            _require_length(path.name, declared + stream.tell(), os.fstat(stream.fileno()).st_size)
            stream.seek(0)
            yield stream
        return
    with opened_archive(path) as archive:
        names = array_names(archive)
        chosen = names[0] if name is None and len(names) == 1 else name
        if chosen not in names:
            raise NoSuchArrayError(path.name, name, names)
        most = path.stat().st_size * MOST_EXPANSION
        with archive.opened(chosen + SUFFIX, most) as stream:
            declared = header_bytes(stream)
            _require_length(chosen, declared + stream.tell(), archive.size(chosen + SUFFIX))
        with archive.opened(chosen + SUFFIX, most) as stream:
            yield stream


def _require_length(name: str, declared: int, found: int) -> None:
    if declared != found:
        raise ArchiveError(f"the array {name} does not have the length that its header declares")


def header_bytes(stream: IO[bytes]) -> int:
    """Read an array's header from `stream` and return how many bytes of data follow it.

    Raises:
        ArchiveError: if it is not a valid header, or the array holds Python objects.
    """
    shape, dtype = _header(stream)
    return math.prod(shape) * dtype.itemsize


def _header(stream: IO[bytes]) -> tuple[tuple[int, ...], np.dtype]:
    try:
        version = np.lib.format.read_magic(stream)
        if version == (1, 0):
            shape, _, dtype = np.lib.format.read_array_header_1_0(stream)
        else:
            shape, _, dtype = np.lib.format.read_array_header_2_0(stream)
    except (*_NO_HEADER, tokenize.TokenError) as error:
        raise ArchiveError(f"its array header is damaged ({error})") from None
    if dtype.hasobject:
        raise ArchiveError("it holds Python objects, which are never loaded")
    values = math.prod(shape)
    # NumPy's header parser accepts `True` as a size; its arrays do not.
    if any(isinstance(size, bool) or size < 0 for size in shape) or (
        values > MOST_VALUES and not dtype.itemsize
    ):
        raise ArchiveError(f"its array header is damaged (a shape of {shape})")
    return shape, dtype
