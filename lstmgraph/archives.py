"""Read untrusted zip archives, such as ``.keras`` and ``.npz`` files, within size limits.

A few kilobytes can unpack to gigabytes, and the sizes that an archive declares may be wrong. So
members are read one at a time, each with a limit on its bytes.
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

ZIP, HDF5 = b"PK", b"\x89HDF\r\n\x1a\n"
"""How files of the two kinds begin."""
DAMAGED = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    NotImplementedError,  # an unknown compression method
    RuntimeError,  # encrypted
    UnicodeDecodeError,
    OverflowError,
    ValueError,
)
"""The exceptions that reading a damaged archive raises."""


COMPRESSION = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""The methods that Keras and NumPy use. Python unpacks others without limiting memory."""


class ArchiveError(ValueError):
    """Raised for an archive that is damaged, lacks a member, or has a member above its limit."""


class TooLargeError(ArchiveError):
    """Raised for a member that unpacks to more bytes than allowed."""


class Archive:
    """An archive that is open for reading."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        self.names = tuple(archive.namelist())
        if len(set(self.names)) < len(self.names):
            raise ArchiveError("two of its members have the same name")

    def __contains__(self, name: str) -> bool:
        return name in self.names

    def size(self, name: str) -> int:
        """Return the unpacked size of a member in bytes, as the archive declares it."""
        with _archive_errors():
            return self._archive.getinfo(name).file_size

    def read(self, name: str, most: int) -> bytes:
        """Return the bytes of a member.

        Raises:
            ArchiveError: if there is no such member, it has more than `most` bytes, or is damaged.
        """
        with self.opened(name, most) as member:
            content = member.read(most + 1)
            if len(content) > most:  # more than the archive declares
                raise TooLargeError(too_large(name, most))
            return content

    @contextmanager
    def opened(self, name: str, most: int) -> Iterator[IO[bytes]]:
        """Open a member for reading.

        Raises:
            ArchiveError: as ``read`` does; also when reading inside the block fails.
        """
        with _archive_errors():
            if name not in self.names:
                raise ArchiveError(f"it has no member {name}")
            if self._archive.getinfo(name).compress_type not in COMPRESSION:
                raise ArchiveError(f"its member {name} uses an unsupported compression method")
            if self.size(name) > most:
                raise TooLargeError(too_large(name, most))
            with self._archive.open(name) as member:
                yield member


def too_large(name: str, most: int) -> str:
    """Return the message for a member above its limit."""
    return f"its member {name} unpacks to more than {most:,} bytes"


@contextmanager
def opened_archive(path: Path, *, follow_links: bool = True) -> Iterator[Archive]:
    """Open an archive for reading.

    Raises:
        ArchiveError: if it is not a zip archive, or is damaged.
        OSError: if it cannot be read, is not a regular file, or is a link and `follow_links` is
            false.
    """
    with (
        os.fdopen(open_file(path, follow_links=follow_links), "rb") as file,
        archive_in(file) as archive,
    ):
        yield archive


@contextmanager
def archive_in(file: IO[bytes]) -> Iterator[Archive]:
    """Open the archive that an open file holds, such as a member of another archive.

    Raises:
        ArchiveError: as ``opened_archive`` does.
    """
    with _archive_errors():
        archive = zipfile.ZipFile(file)
    with archive:
        yield Archive(archive)


@contextmanager
def _archive_errors() -> Iterator[None]:
    """Turn the exceptions of damaged archives into ``ArchiveError``."""
    try:
        yield
    except ArchiveError:
        raise
    except DAMAGED as error:
        raise ArchiveError(
            f"it is not a whole zip archive ({error or type(error).__name__})"
        ) from None
    except OSError as error:
        # EINVAL: an offset before the file's start. Errors of bz2 have no errno.
        if error.errno not in (None, errno.EINVAL):
            raise
        raise ArchiveError(f"it is not a whole zip archive ({error.strerror or error})") from None
