"""Zip archives from anywhere, such as ``.keras`` and ``.npz`` files, read within bounds.

A few kilobytes can unpack to gigabytes, and the sizes that an archive names may be wrong. So a
member is read only where somebody asks for it, and no further than the bound that goes with it.
"""

from __future__ import annotations

import errno
import lzma
import os
import struct
import zipfile
import zlib
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING

from lstmgraph.files import open_file

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DAMAGED = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    NotImplementedError,  # compressed in an unknown way
    RuntimeError,  # encrypted
    UnicodeDecodeError,
    OverflowError,
    ValueError,
)
"""What reading the bytes of a damaged archive raises."""


COMPRESSION = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""All that Keras and NumPy write. Python unpacks the others without a bound of its own."""


class ArchiveError(ValueError):
    """A file that is no whole archive, lacks a member, or holds a member beyond its bound."""


class TooLargeError(ArchiveError):
    """A member beyond its bound."""


class Archive:
    """An open archive."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        self.names = tuple(archive.namelist())
        if len(set(self.names)) < len(self.names):
            raise ArchiveError("two of its members have one name")

    def __contains__(self, name: str) -> bool:
        return name in self.names

    def size(self, name: str) -> int:
        """Return how many bytes the archive says that a member has."""
        with _told():
            return self._archive.getinfo(name).file_size

    def read(self, name: str, most: int) -> bytes:
        """Return a member's bytes.

        Raises:
            ArchiveError: there is no such member, it has more than `most` bytes, or is damaged.
        """
        with self.opened(name, most) as member:
            content = member.read(most + 1)
            if len(content) > most:  # more than the archive says
                raise TooLargeError(too_large(name, most))
            return content

    @contextmanager
    def opened(self, name: str, most: int) -> Iterator[IO[bytes]]:
        """Open a member for reading.

        Raises:
            ArchiveError: as ``read`` does, of what is read in the block too.
        """
        with _told():
            if name not in self.names:
                raise ArchiveError(f"it has no member {name}")
            if self._archive.getinfo(name).compress_type not in COMPRESSION:
                raise ArchiveError(f"its member {name} is compressed in an unusual way")
            if self.size(name) > most:
                raise TooLargeError(too_large(name, most))
            with self._archive.open(name) as member:
                yield member


def too_large(name: str, most: int) -> str:
    """Return what there is to say of a member beyond its bound."""
    return f"its member {name} unpacks to more than {most:,} bytes"


@contextmanager
def opened_archive(path: Path, *, follow_links: bool = True) -> Iterator[Archive]:
    """Open an archive for reading.

    Raises:
        ArchiveError: it is none, or is not whole.
        OSError: it cannot be read, is no regular file, or a link that is not followed.
    """
    with (
        os.fdopen(open_file(path, follow_links=follow_links), "rb") as file,
        archive_in(file) as archive,
    ):
        yield archive


@contextmanager
def archive_in(file: IO[bytes]) -> Iterator[Archive]:
    """Open the archive that is the content of `file`, such as a member of another.

    Raises:
        ArchiveError: as ``opened_archive`` does.
    """
    with _told():
        archive = zipfile.ZipFile(file)
    with archive:
        yield Archive(archive)


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except ArchiveError:
        raise
    except DAMAGED as error:
        raise ArchiveError(f"it is not a whole archive ({error or type(error).__name__})") from None
    except OSError as error:
        # EINVAL is of a place before the file's beginning; bz2 says nothing but a text.
        if error.errno not in (None, errno.EINVAL):
            raise
        raise ArchiveError(f"it is not a whole archive ({error.strerror or error})") from None
