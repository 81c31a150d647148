"""Data from a Python function, ``--data module:function``; only the command line allows it."""

from __future__ import annotations

import importlib
import importlib.util
import re
import sys
import traceback
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lstmgraph.data.problems import DataError, DataProblem
from lstmgraph.data.sources import Given

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

_FUNCTION = re.compile(r"(?P<module>.+\.py|[A-Za-z_][\w.]*):(?P<name>[A-Za-z_]\w*)")


def source_of(text: str) -> Any:
    """Return what ``--data`` names: a path, or the value that a function returns.

    Raises:
        DataError: The function cannot be imported, or fails.
    """
    return Given(call_function(text), text) if names_function(text) else Path(text)


def names_function(text: str) -> bool:
    """Return whether `text` is ``module:function`` or ``file.py:function`` and not a file."""
    return bool(_FUNCTION.fullmatch(text)) and not Path(text).exists()


def call_function(text: str) -> Any:
    """Call the function that `text` names without arguments, and return what it returns.

    Raises:
        DataError: The function cannot be imported, or fails; the message is its last line.
    """
    match = _FUNCTION.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not module:function")
    try:
        with _current_folder_last():
            module = _imported(match["module"])
            function = getattr(module, match["name"])
            return function()
    except (Exception, SystemExit) as error:
        raise DataError([_problem(text, error)]) from error


@contextmanager
def _current_folder_last() -> Iterator[None]:
    """Make modules of the current folder importable, after all others.

    Otherwise a ``json.py`` there would be run by the next import of ``json``.
    """
    folder = str(Path.cwd())
    if folder in sys.path:
        yield
        return
    sys.path.append(folder)
    try:
        yield
    finally:
        sys.path.remove(folder)


def _imported(name: str) -> ModuleType:
    if not name.endswith(".py"):
        return importlib.import_module(name)
    path = Path(name)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None or not path.is_file():
        raise FileNotFoundError(f"there is no file {name}")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _problem(text: str, error: BaseException) -> DataProblem:
    last = "".join(traceback.format_exception_only(error)).strip().splitlines()[-1]
    frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename != __file__]
    frames = [f for f in frames if "importlib" not in f.filename]  # including `<frozen importlib>`
    place = f"{frames[-1].filename}, line {frames[-1].lineno}" if frames else ""
    hint = (
        f"at {place}"
        if place
        else "give a function of a module that can be imported from this folder"
    )
    own = Path(text.partition(":")[0].partition(".")[0]).with_suffix(".py")
    if isinstance(error, AttributeError) and own.exists():
        hint = f"another module has this name; write {own}:{text.partition(':')[2]}"
    return DataProblem("D105", f"failed: {last}", text, hint)
