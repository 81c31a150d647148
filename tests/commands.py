"""Commands run whole in forked children, with streams and a temporary folder of the test's."""

from __future__ import annotations

import os
import re
import sys
import tempfile
import traceback
from typing import TYPE_CHECKING, Any

import numpy as np
import tuning_cases
from killed import CONTEXT
from training_cases import arrays, recipe

if TYPE_CHECKING:
    from multiprocessing.process import BaseProcess
    from pathlib import Path

UNCAUGHT = 99
"""The exit code of a command that raised what ``main`` lets through."""
Streams = dict[int, str | None]
"""By number, a file; None for a stream that is closed."""


def write_inputs(folder: Path) -> None:
    """Recipes, a model and data for commands to read."""
    small = recipe()
    (folder / "small.yaml").write_text(small.resolved())
    (folder / "wrong.yaml").write_text("recipe: 1\nname: wrong\n")
    (folder / "quick.yaml").write_text(tuning_cases.QUICK)
    small.save(small.build(), folder / "from.keras")
    for name, (inputs, targets) in {"data": arrays(), "quick": tuning_cases.arrays()}.items():
        np.savez(folder / f"{name}.npz", **inputs, **targets)


def command(place: Path, folder: Path, arguments: str, streams: Streams, **options: Any) -> int:
    """The exit code of a command in a child, in `folder`; as ``start`` has it."""
    child = start(place, folder, arguments, streams, **options)
    child.join(300)
    assert child.exitcode is not None
    return child.exitcode


def start(  # noqa: PLR0913 - each says one thing
    place: Path,
    folder: Path,
    arguments: str,
    streams: Streams,
    *,
    temporary: str | None = None,
    first: tuple[Any, ...] = (),
) -> BaseProcess:
    """Start a command in a child, in `folder`, with copies of what is in `place`.

    `first` is a function, and its arguments, that the child calls before.
    """
    for path in place.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    options = (str(folder), arguments.split(), streams, temporary, first)
    child = CONTEXT.Process(target=_run, args=options)
    child.start()
    return child


def messages(errors: Path) -> list[str]:
    """The lines of a command's standard error, less TensorFlow's own log."""
    lines = errors.read_text().splitlines()
    return [line for line in lines if not re.match(r"[EWI]\d{4} ", line)]


def _run(
    folder: str,
    arguments: list[str],
    streams: Streams,
    temporary: str | None,
    first: tuple[Any, ...],
) -> None:
    os.chdir(folder)
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    tempfile.tempdir = temporary
    for number, path in streams.items():
        if path is None:
            os.close(number)
            setattr(sys, ("stdin", "stdout", "stderr")[number], None)  # as Python does it
        else:
            os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT), number)
    from lstmgraph.cli import main  # noqa: PLC0415 - in the child alone

    for function in first[:1]:
        function(*first[1:])
    sys.argv = ["lstmgraph", *arguments]
    code: object = 0
    try:
        main()
    except SystemExit as end:
        code = end.code
    except BaseException:
        traceback.print_exc()
        code = UNCAUGHT
    os._exit(code if isinstance(code, int) else UNCAUGHT)
