"""Python programs in forks of a process that has imported Keras, as that takes longest.

TensorFlow has not started there: each program starts its own.
"""

from __future__ import annotations

import os
import sys
import textwrap
from typing import TYPE_CHECKING

from killed import CONTEXT

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def _run(code: str, folder: Path, environment: Mapping[str, str], output: str) -> None:
    for number, path in enumerate((output, f"{output}.errors"), 1):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT), number)
    os.chdir(folder)
    os.environ |= {"TF_CPP_MIN_LOG_LEVEL": "3", **environment}
    exec(compile(code, "<program>", "exec"), {"__name__": "__main__"})
    sys.stdout.flush()


def run_program(code: str, folder: Path, output: Path, *, ends: int = 0, **environment: str) -> str:
    """Return what `code` prints, run in `folder`; its exit code is what `ends` says."""
    path = output / f"output-{len(list(output.glob('output-*')))}"
    child = CONTEXT.Process(
        target=_run, args=(textwrap.dedent(code), folder, environment, str(path))
    )
    child.start()
    child.join()
    assert child.exitcode == ends, path.read_text("utf-8") + path.with_suffix(".errors").read_text()
    return path.read_text("utf-8")
