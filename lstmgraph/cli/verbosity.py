"""``--quiet`` and ``--verbose``: how much a command that works for long prints."""

from __future__ import annotations

import time
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Annotated

import typer

from lstmgraph.cli.printing import say
from lstmgraph.cli.quiet import held_back

if TYPE_CHECKING:
    from collections.abc import Iterator

Quiet = Annotated[
    bool, typer.Option("--quiet", "-q", help="Print only errors and the final result.")
]
Verbose = Annotated[
    bool,
    typer.Option(
        "--verbose",
        "-v",
        help="Print on standard error how long each step takes, and what Keras, TensorFlow and "
        "the exporters log.",
    ),
]


class Verbosity:
    """How much is printed beside the result."""

    def __init__(self, *, quiet: bool, verbose: bool) -> None:
        if quiet and verbose:
            raise typer.BadParameter("leave one of the two out", param_hint="--quiet, --verbose")
        self.quiet, self.verbose = quiet, verbose

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Time a step; only with ``--verbose``, say how long it took."""
        began = time.monotonic()
        yield
        if self.verbose:
            say(f"{name}: {time.monotonic() - began:.1f} s", err=True)

    @contextmanager
    def library_step(self, name: str) -> Iterator[None]:
        """Time a step that runs other libraries, whose log is shown only with ``--verbose``."""
        with self.step(name), held_back(show=self.verbose):
            yield

    @contextmanager
    def shown_step(self, name: str) -> Iterator[None]:
        """Time a step that shows its progress; with ``--verbose``, all on standard error."""
        with self.step(name), held_back(show=True) if self.verbose else nullcontext():
            yield
