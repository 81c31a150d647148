"""The standard streams of a command, which may be closed, or full."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def open_closed_streams() -> None:
    """Open what is closed of the standard streams; what is written there goes nowhere.

    The system gives a closed one's number to the next file that is opened. Messages of TensorFlow,
    which writes to the numbers, would then stand in that file.
    """
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(descriptor, True)
    os.close(descriptor)
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            stream = Path(os.devnull).open(mode, encoding="utf-8")  # noqa: SIM115 - to the end
            setattr(sys, name, stream)


def discard_output() -> None:
    """Send what is still to be written to the standard output, and would fail again, nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
