"""Commands that rewrite recipes, without importing TensorFlow."""

from __future__ import annotations

from typing import Annotated

import typer

from lstmgraph.language.schema.structure import SUPPORTED_VERSION

EditedPaths = Annotated[
    list[str],
    typer.Argument(
        metavar="RECIPE...", help="Recipe files; - reads standard input and prints the result."
    ),
]
Check = Annotated[
    bool, typer.Option("--check", help="Write nothing; exit with 1 if a file would change.")
]
Diff = Annotated[bool, typer.Option("--diff", help="Write nothing; print what would change.")]


def fmt(recipes: EditedPaths, check: Check = False, diff: Diff = False) -> None:
    """Rewrite recipes in one layout: order of keys, indentation, quotes. Comments are kept.

    Example: lstmgraph fmt --check *.yaml
    """
    from lstmgraph.authoring.editing.formatting import format_text  # noqa: PLC0415 - as above
    from lstmgraph.cli.rewriting import Rewriting, rewrite  # noqa: PLC0415 - what it needs alone

    rewrite(recipes, Rewriting(format_text, "unchanged", check=check, diff=diff))


def migrate(recipes: EditedPaths, check: Check = False, diff: Diff = False) -> None:
    """Rewrite recipes from an older version of the language. Comments and layout are kept.

    If a result still has mistakes, they are shown, and the exit code is 1.

    Example: lstmgraph migrate --diff *.yaml
    """
    from lstmgraph.authoring.editing.migration import migrate_text  # noqa: PLC0415 - as above
    from lstmgraph.cli.rewriting import Rewriting, rewrite  # noqa: PLC0415 - what it needs alone

    current = f"is of version {SUPPORTED_VERSION} already"
    rewrite(recipes, Rewriting(migrate_text, current, check=check, diff=diff, validates=True))
