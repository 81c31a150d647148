"""Arrays on disk: `.npy` files that grow row by row, and temporary folders for them."""

from __future__ import annotations

import os
import shutil
import tempfile
import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lstmgraph.archives import ArchiveError
from lstmgraph.files import open_file
from lstmgraph.npz import header_bytes
from lstmgraph.root_error import LstmgraphError

if TYPE_CHECKING:
    from types import TracebackType

    from lstmgraph.data.values import Array


class NoWorkspaceError(LstmgraphError, OSError):
    """There is no folder that temporary files can be written to."""


class Workspace:
    """A temporary folder, removed with this object or at the end of the process that made it.

    A forked process sees the files, and does not remove them when it ends.
    """

    def __init__(self) -> None:
        try:
            self.path = Path(tempfile.mkdtemp(prefix="lstmgraph-"))
        except OSError as error:
            raise NoWorkspaceError(error.errno, error.strerror) from None
        self._removal = weakref.finalize(self, _remove, self.path, os.getpid())

    def remove(self) -> None:
        """Remove the folder now.

        Arrays that are mapped from it stay readable on systems that keep open files.
        """
        self._removal()


def _remove(path: Path, owner: int) -> None:
    if os.getpid() == owner:
        shutil.rmtree(path, ignore_errors=True)


class GrowingArray:
    """A `.npy` file of shape (rows, width) to which any number of rows can be added."""

    def __init__(self, path: Path, dtype: np.dtype[Any], width: int) -> None:
        self._dtype, self._width = dtype, width
        self._rows = 0
        self._file = path.open("wb")
        self._write_header()
        self._data_starts = self._file.tell()

    def append(self, rows: Array) -> None:
        """Add `rows`, (count, width)."""
        self._file.write(np.ascontiguousarray(rows, self._dtype).data)
        self._rows += len(rows)

    def _write_header(self) -> None:
        """Write the header, in which NumPy leaves space for the number of rows to grow."""
        header = {
            "descr": np.lib.format.dtype_to_descr(self._dtype),
            "fortran_order": False,
            "shape": (self._rows, self._width),
        }
        np.lib.format.write_array_header_1_0(self._file, header)

    def __enter__(self) -> GrowingArray:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None:
            self._file.seek(0)
            self._write_header()
            assert self._file.tell() == self._data_starts
        self._file.close()


def mapped(path: Path) -> Array:
    """Return the array of a `.npy` file, mapped: its values are read from disk as they are used.

    Raises:
        ArchiveError: The file is not a `.npy` file, is cut off, or holds Python objects.
        OSError: It cannot be read, or is not a regular file.
    """
    with os.fdopen(open_file(path), "rb") as file:
        if header_bytes(file) > os.fstat(file.fileno()).st_size - file.tell():
            raise ArchiveError("the file is shorter than it says")
    array: Array = np.lib.format.open_memmap(path, mode="r")
    return array
