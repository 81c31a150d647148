"""The command that writes a first recipe, without importing TensorFlow."""

from __future__ import annotations

import shlex
import textwrap
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from lstmgraph.api import load
from lstmgraph.authoring.starting.questions import LARGEST, TASKS
from lstmgraph.cli.printing import print_json, say
from lstmgraph.cli.shared import Force, Format, OutputFormat, refuse

Task = StrEnum("Task", {name.replace("-", "_"): name for name in TASKS})  # type: ignore[misc]


def _packaged_like(incomplete: str) -> list[tuple[str, str]]:
    from lstmgraph.authoring.starting.packaged import descriptions  # noqa: PLC0415 - as below

    return [(name, text) for name, text in descriptions().items() if name.startswith(incomplete)]


def _count(text: str) -> Any:
    return typer.Option(metavar="N", help=text)


def init(  # noqa: PLR0913, PLR0917 - each option is one
    output: Annotated[
        Path,
        typer.Option(
            "--output", "-o", metavar="FILE", help="Where to write the result: a recipe file."
        ),
    ] = Path("recipe.yaml"),
    source: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="NAME",
            help="Copy a recipe of the package; --list names them.",
            autocompletion=_packaged_like,
        ),
    ] = None,
    listing: Annotated[
        bool, typer.Option("--list", help="List the recipes of the package, and write nothing.")
    ] = False,
    task: Annotated[Task | None, typer.Option(help="What the model is for.")] = None,
    features: Annotated[
        int | None, _count("How many numbers each step of a sequence holds.")
    ] = None,
    vocabulary: Annotated[
        int | None, _count("How many ids the inputs have, 0 (padding) included.")
    ] = None,
    target_vocabulary: Annotated[
        int | None, _count("How many ids the outputs have, 0 (padding) included.")
    ] = None,
    classes: Annotated[int | None, _count("How many classes there are.")] = None,
    horizon: Annotated[int | None, _count("How many steps ahead to forecast.")] = None,
    targets: Annotated[int | None, _count("How many numbers to predict.")] = None,
    known: Annotated[
        str | None,
        typer.Option(
            metavar="N|COLUMNS",
            help="How many numbers are known of each step ahead; with --data, the columns: "
            "promotion,price.",
        ),
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(
            "--data",
            metavar="TABLE",
            help="The data: a table to propose a recipe for, as a CSV or Parquet file or a folder "
            "of them.",
        ),
    ] = None,
    target: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="The column to predict, with --data.")
    ] = None,
    lengths: Annotated[
        bool | None,
        typer.Option("--lengths/--no-lengths", help="Whether sequences differ in length."),
    ] = None,
    static: Annotated[
        int | None, _count("How many features are the same for a whole sequence.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Ask nothing, and take the defaults.")] = False,
    schema: Annotated[
        bool,
        typer.Option(
            "--schema/--no-schema",
            help="Whether to write the schema for editors beside the recipe.",
        ),
    ] = True,
    force: Force = False,
    output_format: OutputFormat = Format.text,
) -> None:
    """Write a first recipe: for a table, from answers to a few questions, or one of the package.

    With --data it looks at the table's columns and proposes a recipe that trains on it at once;
    comments say why. Without it, on a terminal, it asks what no option answers.

    Example: lstmgraph init --data sales.csv --target sold --horizon 14 -o forecast.yaml
    """
    if listing:
        _list(output_format)
        return
    answers = {
        **{"features": features, "vocabulary": vocabulary, "target_vocabulary": target_vocabulary},
        **{"classes": classes, "horizon": horizon, "targets": targets},
        "known": _as_count(known) if data is None else None,
        **{"lengths": lengths, "static": static},
    }
    given = {name: answer for name, answer in answers.items() if answer is not None}
    if data is None and target is not None:
        refuse("--target names a column: add --data TABLE")
    if data is not None and (source or task or given.keys() - {"horizon"}):
        refuse("--data takes --target, --known and --horizon alone: leave out the other answers")
    if source is not None and (task or given):
        refuse("--from takes a recipe as it is: leave out the answers, or --from")
    from lstmgraph.authoring.starting.files import StartFiles, recipe_name  # noqa: PLC0415 - as above
    from lstmgraph.authoring.starting.packaged import packaged_text  # noqa: PLC0415 - as above
    from lstmgraph.cli.asking import answered  # noqa: PLC0415 - what it needs alone

    files = StartFiles(output, schema)
    if problem := files.obstacle(overwrite=force):
        refuse(problem)
    if data is not None:
        names = tuple(name for name in map(str.strip, (known or "").split(",")) if name)
        text = _proposed(Path(data), recipe_name(output), (target, names, horizon), output_format)
    else:
        try:
            text = (
                packaged_text(source)
                if source
                else answered(task, given, recipe_name(output), yes=yes)
            )
        except ValueError as error:
            refuse(str(error))
    written = files.write(text, overwrite=force)
    _say_what_is_next(files.recipe, written, output_format, Path(data) if data else None)


def _as_count(known: str | None) -> int | None:
    if known is None:
        return None
    try:
        return int(known)
    except ValueError:
        refuse(f"--known takes a number, not '{known}'; names of columns need --data TABLE")


def _proposed(
    table: Path,
    name: str,
    wished: tuple[str | None, tuple[str, ...], int | None],
    output_format: Format,
) -> str:
    """Return the recipe that is proposed for a table; where there is none, say why and exit."""
    from lstmgraph.cli.sources import fail_data  # noqa: PLC0415 - imports NumPy
    from lstmgraph.data.problems import DataError  # noqa: PLC0415 - as above
    from lstmgraph.proposal.propose import proposed_recipe  # noqa: PLC0415 - as above
    from lstmgraph.proposal.roles import Wishes  # noqa: PLC0415 - as above

    target, known, horizon = wished
    if horizon is not None and not 1 <= horizon <= LARGEST:
        refuse(f"--horizon must be from 1 to {LARGEST:,}, not {horizon:,}")
    try:
        return proposed_recipe(table, name, Wishes(target, known, horizon))
    except DataError as error:
        fail_data(error, output_format)


def _list(output_format: Format) -> None:
    from lstmgraph.authoring.starting.packaged import descriptions  # noqa: PLC0415 - what it needs alone

    found = descriptions()
    if output_format is Format.json:
        print_json([{"name": name, "description": text} for name, text in found.items()])
        return
    for name, text in found.items():
        say(name)
        say(textwrap.fill(text, 96, initial_indent="    ", subsequent_indent="    "))


def _say_what_is_next(
    recipe: Path, written: list[Path], output_format: Format, table: Path | None
) -> None:
    name = shlex.quote(str(recipe))
    commands = [f"lstmgraph explain {name}", f"lstmgraph build {name} -o models"]
    if load(recipe).training is not None:
        source = "DATA" if table is None else shlex.quote(str(table))
        commands[1] = f"lstmgraph train {name} --data {source} -o runs/first"
    if output_format is Format.json:
        print_json({"files": [str(path) for path in written], "next": commands})
        return
    say("\n".join(f"wrote {path}" for path in written))
    say("\n".join(["next:", *(f"  {command}" for command in commands)]))
