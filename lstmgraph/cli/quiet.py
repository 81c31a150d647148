"""Hide what TensorFlow and the exporters print."""

from __future__ import annotations

import os
import sys
import tempfile
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def held_back(*, show: bool = False) -> Iterator[None]:
    """Hide what the block writes to the standard output and error, or `show` it on the latter.

    TensorFlow writes to the file descriptors, before any of its settings can silence it. An error
    that leaves the block carries what was hidden as a note, which its traceback shows.
    """
    if show:
        with _redirected(1, sys.stdout, 2):
            yield
        return
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with ExitStack() as stack:
        log = stack.enter_context(_log())
        for number, stream in ((1, sys.stdout), (2, sys.stderr)):
            stack.enter_context(_redirected(number, stream, log.fileno()))
        try:
            yield
        except BaseException as error:
            sys.stdout.flush()
            sys.stderr.flush()
            log.seek(0)
            error.add_note(log.read().decode(errors="replace"))
            raise


def _log() -> IO[bytes]:
    """Open a file without a name; if the disk is full, what is written to it is lost."""
    try:
        return tempfile.TemporaryFile()
    except OSError:
        return Path(os.devnull).open("r+b")


@contextmanager
def _redirected(number: int, stream: TextIO, target: int) -> Iterator[None]:
    before = os.dup(number)
    stream.flush()
    os.dup2(target, number)
    try:
        yield
    finally:
        stream.flush()
        os.dup2(before, number)
        os.close(before)
