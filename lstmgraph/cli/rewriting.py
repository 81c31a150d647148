"""What `fmt` and `migrate` share: read each recipe, change it, and write or show it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from lstmgraph.api import load
from lstmgraph.authoring.editing.files import NotEditableError, edit_bytes, edit_file
from lstmgraph.authoring.editing.formatting import UnsafeEditError
from lstmgraph.cli.exit_codes import COMMAND_LINE_IS_WRONG, RECIPE_IS_WRONG
from lstmgraph.cli.printing import hand_over, say
from lstmgraph.cli.shared import print_mistakes
from lstmgraph.cli.stdin import STDIN, STDIN_NAME, read_stdin
from lstmgraph.compiler.load import compile_read
from lstmgraph.language.text.document import decode_document
from lstmgraph.messages.errors import RecipeError

if TYPE_CHECKING:
    from lstmgraph.authoring.editing.files import Change, Edited


def rewrite(recipes: list[str], rewriting: Rewriting) -> None:
    """Rewrite each recipe, and exit with the worst code."""
    if STDIN in recipes and len(recipes) > 1:
        raise typer.BadParameter("name - alone: it prints one recipe", param_hint="RECIPE")
    codes = [rewriting.run(name) for name in recipes]
    # Only now: a recipe may extend one that comes after it.
    codes += [rewriting.remaining(name) for name in rewriting.rewritten]
    code = max(codes)
    if code:
        raise typer.Exit(code)


@dataclass(frozen=True)
class Rewriting:
    """A change to recipes, and what becomes of the result."""

    change: Change
    unchanged: str
    check: bool
    diff: bool
    validates: bool = False
    rewritten: dict[str, Edited] = field(default_factory=dict)
    """By name, the recipes that were rewritten and are still to be validated."""

    def run(self, name: str) -> int:
        """Rewrite one recipe, show its mistakes, and return the exit code."""
        try:
            if name == STDIN:
                edited = edit_bytes(read_stdin(), STDIN_NAME, self.change)
            else:
                edited = edit_file(Path(name), self.change, tidy=not self.validates)
            return self.finish(edited, name)
        except RecipeError as error:
            return print_mistakes(error)
        except NotEditableError as error:
            say(str(error), err=True)
            return COMMAND_LINE_IS_WRONG
        except UnsafeEditError as error:
            say(f"{error}; nothing is written", err=True)
            return RECIPE_IS_WRONG

    def finish(self, edited: Edited, name: str) -> int:
        """Show the difference, name the file, print the text or write it; return the exit code."""
        if self.diff:
            hand_over(edited.difference())
        if self.check:
            if edited.changed and not self.diff:
                say(f"{edited.name}: would be rewritten")
            return RECIPE_IS_WRONG if edited.changed else 0
        if self.diff:
            return 0
        if name == STDIN:
            hand_over(edited.after)
        else:
            if edited.changed:
                edited.write(Path(name))
            say(f"{name}: {'rewritten' if edited.changed else self.unchanged}")
        if self.validates:
            self.rewritten[name] = edited
        return 0

    def remaining(self, name: str) -> int:
        """Show the mistakes that are left in a migrated recipe, and return the exit code."""
        try:
            if name == STDIN:
                compile_read(decode_document(self.rewritten[name].after, STDIN_NAME), Path())
            else:
                load(Path(name))
        except RecipeError as error:
            return print_mistakes(error)
        return 0
