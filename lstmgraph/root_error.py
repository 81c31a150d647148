"""The root of every error that users meet. It stands lowest, so that all packages can use it."""

from __future__ import annotations

import os
import traceback
from pathlib import Path

_PACKAGE = str(Path(__file__).parent) + os.sep
_SHOWN_CALLS = 3


class LstmgraphError(Exception):
    """The root of what lstmgraph raises for wrong recipes, data, folders, files and searches."""

    def _render_traceback_(self) -> list[str]:
        """Return what IPython and Jupyter show in place of a traceback.

        The user's own lines that led here, then the whole message: none of this package's lines
        helps to correct a recipe. ``traceback`` and debuggers show every frame as ever.
        """
        lines = [type(self).__name__, *_calls(self), *str(self).splitlines()]
        if self.__cause__ is not None:
            lines.append(f"caused by {type(self.__cause__).__name__}: {self.__cause__}")
        return lines


def is_of_library(error: BaseException) -> bool:
    """Return whether a library raised `error`, such as TensorFlow, not a line of this package."""
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    return bool(frames) and not frames[-1].f_code.co_filename.startswith(_PACKAGE)


def _calls(error: BaseException) -> list[str]:
    """Return the last lines of the user's own code that led to `error`."""
    found: list[str] = []
    for frame, line in traceback.walk_tb(error.__traceback__):
        if frame.f_code.co_filename.startswith(_PACKAGE):
            break
        if str(frame.f_globals.get("__name__", "")).partition(".")[0] != "IPython":
            summary = traceback.FrameSummary(frame.f_code.co_filename, line, frame.f_code.co_name)
            found.append(f"  line {line}: {summary.line}" if summary.line else f"  line {line}")
    return found[-_SHOWN_CALLS:]
