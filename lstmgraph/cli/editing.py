"""Commands that rewrite recipes, and import no TensorFlow."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lstmgraph.cli.shared import COMMAND_LINE_IS_WRONG, RECIPE_IS_WRONG, exit_code
from lstmgraph.diagnostics import RecipeError
from lstmgraph.editing.files import NotEditableError, edit_bytes, edit_file
from lstmgraph.editing.formatting import UnsafeEditError
from lstmgraph.functions import load
from lstmgraph.schema import SUPPORTED_VERSION
from lstmgraph.yaml_nodes import MAX_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lstmgraph.editing.files import Change, Edited

STDIN = "-"

EditedPaths = Annotated[
    list[str],
    typer.Argument(metavar="RECIPE...", help="Recipe files; - reads one and prints the result."),
]
Check = Annotated[
    bool, typer.Option("--check", help="Write nothing; exit with 1 where a file would change.")
]
Diff = Annotated[bool, typer.Option("--diff", help="Print what would change; write nothing.")]


def fmt(recipes: EditedPaths, check: Check = False, diff: Diff = False) -> None:
    """Rewrite recipes in one layout: order of keys, indentation, quotes. Comments stay.

    Example: lstmgraph fmt --check recipes/*.yaml
    """
    from lstmgraph.editing.formatting import format_text  # noqa: PLC0415 - what one command needs

    command = _Command(format_text, "unchanged", check=check, diff=diff)
    _exit_after(command.run(name) for name in _names(recipes))


def migrate(recipes: EditedPaths, check: Check = False, diff: Diff = False) -> None:
    """Rewrite recipes of an older version of the language. Comments and layout stay.

    Where a result still has mistakes, they are shown, and the exit code is 1.

    Example: lstmgraph migrate --diff recipes/*.yaml
    """
    from lstmgraph.editing.migration import migrate_text  # noqa: PLC0415 - what one command needs

    current = f"is of version {SUPPORTED_VERSION} already"
    command = _Command(migrate_text, current, check=check, diff=diff, validates=True)
    _exit_after(command.run(name) for name in _names(recipes))


def _names(recipes: list[str]) -> list[str]:
    if STDIN in recipes and len(recipes) > 1:
        raise typer.BadParameter("- stands alone: it prints one recipe", param_hint="RECIPE")
    return recipes


def _exit_after(codes: Iterable[int]) -> None:
    code = max(codes)
    if code:
        raise typer.Exit(code)


@dataclass(frozen=True)
class _Command:
    """What is done with each recipe; says so, and returns the exit code."""

    change: Change
    unchanged: str
    check: bool
    diff: bool
    validates: bool = False

    def run(self, name: str) -> int:
        try:
            if name == STDIN:
                edited = edit_bytes(sys.stdin.buffer.read(MAX_BYTES + 1), "<stdin>", self.change)
            else:
                edited = edit_file(Path(name), self.change, tidy=not self.validates)
            return self.finish(edited, name)
        except RecipeError as error:
            typer.echo(str(error), err=True)
            return exit_code(error)
        except NotEditableError as error:
            typer.echo(str(error), err=True)
            return COMMAND_LINE_IS_WRONG
        except UnsafeEditError as error:
            typer.echo(f"{error}: a mistake in lstmgraph; nothing is written", err=True)
            return RECIPE_IS_WRONG

    def finish(self, edited: Edited, name: str) -> int:
        if self.diff:
            typer.echo(edited.difference(), nl=False)
        if self.check:
            if edited.changed and not self.diff:
                typer.echo(f"{edited.name}: would be rewritten")
            return RECIPE_IS_WRONG if edited.changed else 0
        if self.diff:
            return 0
        if name == STDIN:
            typer.echo(edited.after, nl=False)
        else:
            if edited.changed:
                edited.write(Path(name))
            typer.echo(f"{name}: {'rewritten' if edited.changed else self.unchanged}")
        return self.remaining(edited, name) if self.validates else 0

    def remaining(self, edited: Edited, name: str) -> int:
        """Show what a migrated recipe still has wrong."""
        try:
            load(edited.after.decode("utf-8") if name == STDIN else Path(name))
        except RecipeError as error:
            typer.echo(str(error), err=True)
            return exit_code(error)
        return 0
