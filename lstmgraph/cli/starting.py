"""The command that writes a first recipe, and imports no TensorFlow."""

from __future__ import annotations

import shlex
import sys
import textwrap
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from lstmgraph.cli.shared import COMMAND_LINE_IS_WRONG, Format, OutputFormat, print_json
from lstmgraph.functions import load
from lstmgraph.starting.files import StartFiles, recipe_name
from lstmgraph.starting.first_recipe import first_recipe
from lstmgraph.starting.packaged import descriptions, packaged_text
from lstmgraph.starting.questions import (
    LARGEST,
    TASKS,
    AnswersError,
    check_answers,
    missing_answers,
)

if TYPE_CHECKING:
    from lstmgraph.starting.questions import Answer, Question

Task = StrEnum("Task", {name.replace("-", "_"): name for name in TASKS})  # type: ignore[misc]


def _count(text: str) -> Any:
    return typer.Option(metavar="N", help=text)


def init(  # noqa: PLR0913, PLR0917 - each option is one
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="The recipe that is written.")
    ] = Path("recipe.yaml"),
    source: Annotated[
        str | None,
        typer.Option("--from", metavar="NAME", help="Begin with a recipe of the package."),
    ] = None,
    listing: Annotated[bool, typer.Option("--list", help="List the package's recipes.")] = False,
    task: Annotated[Task | None, typer.Option(help="What the model is for.")] = None,
    features: Annotated[int | None, _count("Numbers in each step.")] = None,
    vocabulary: Annotated[int | None, _count("Ids to read, 0 included.")] = None,
    target_vocabulary: Annotated[int | None, _count("Ids to write, 0 included.")] = None,
    classes: Annotated[int | None, _count("Classes to tell apart.")] = None,
    horizon: Annotated[int | None, _count("Steps ahead.")] = None,
    targets: Annotated[int | None, _count("Numbers to predict.")] = None,
    known: Annotated[int | None, _count("Numbers known of each step ahead.")] = None,
    lengths: Annotated[
        bool | None, typer.Option("--lengths/--no-lengths", help="Sequences differ in length.")
    ] = None,
    static: Annotated[int | None, _count("Features that hold for a whole sequence.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Ask nothing; take the defaults.")] = False,
    schema: Annotated[
        bool,
        typer.Option("--schema/--no-schema", help="Write the schema, for editors, beside it."),
    ] = True,
    force: Annotated[bool, typer.Option("--force", help="Overwrite files.")] = False,
    output_format: OutputFormat = Format.text,
) -> None:
    """Write a first recipe: one of the package's, or one made from the answers to a few questions.

    On a terminal, what no option says is asked.

    Example: lstmgraph init --task forecast --features 8 --horizon 24 --yes -o forecast.yaml
    """
    if listing:
        _list(output_format)
        return
    answers = {
        **{"features": features, "vocabulary": vocabulary, "target_vocabulary": target_vocabulary},
        **{"classes": classes, "horizon": horizon, "targets": targets, "known": known},
        **{"lengths": lengths, "static": static},
    }
    given = {name: answer for name, answer in answers.items() if answer is not None}
    if source is not None and (task or given):
        _refuse("--from takes a recipe as it is: leave out the answers, or --from")
    files = StartFiles(output, schema)
    if problem := files.obstacle(overwrite=force):
        _refuse(problem)
    text = _packaged(source) if source else _answered(task, given, recipe_name(output), yes=yes)
    written = files.write(text, overwrite=force)
    _say_what_is_next(files.recipe, written, output_format)


def _list(output_format: Format) -> None:
    found = descriptions()
    if output_format is Format.json:
        print_json([{"name": name, "description": text} for name, text in found.items()])
        return
    for name, text in found.items():
        typer.echo(name)
        typer.echo(textwrap.fill(text, 96, initial_indent="    ", subsequent_indent="    "))


def _packaged(name: str) -> str:
    try:
        return packaged_text(name)
    except ValueError as error:
        _refuse(str(error))


def _answered(task: str | None, given: dict[str, Answer], name: str, *, yes: bool) -> str:
    """A recipe from the answers; those that are missing are asked, or named."""
    asks = _on_terminal() and not yes
    if task is None:
        if not asks:
            _refuse(f"say what the model is for: {_choices()}; or --from NAME, see --list")
        typer.echo("\n".join(f"  {known:<24}{meaning}" for known, meaning in TASKS.items()))
        task = typer.prompt("What is the model for?", value_proc=_as_task)
    try:
        check_answers(task, given)
    except AnswersError as error:
        _refuse(str(error))
    missing = missing_answers(task, given, defaults=yes)
    if missing and not asks:
        _refuse(_what_is_missing(task, missing, yes=yes))
    asked = {question.name: _ask(question) for question in missing}
    return first_recipe(task, name, {**given, **asked})


def _on_terminal() -> bool:
    return sys.stdin.isatty()


def _choices() -> str:
    return " | ".join(f"--task {name}" for name in TASKS)


def _what_is_missing(task: str, missing: tuple[Question, ...], *, yes: bool) -> str:
    lines = [f"the task {task} also needs:"]
    lines += [f"  {question.example:<28}{question.text}" for question in missing]
    if not yes and any(question.default is not None for question in missing):
        lines.append("--yes takes the default of those that have one")
    return "\n".join(lines)


def _ask(question: Question) -> Answer:
    answer: Answer
    if isinstance(question.default, bool):
        answer = typer.confirm(question.text, default=question.default)
    else:
        answer = typer.prompt(
            question.text, default=question.default, value_proc=partial(_as_count, question)
        )
    return answer


def _as_task(text: str) -> str:
    if text not in TASKS:
        raise typer.BadParameter(f"write one of {', '.join(TASKS)}")
    return text


def _as_count(question: Question, text: str | int) -> int:
    try:
        count = int(text)
    except ValueError:
        count = -1
    if not question.least <= count <= LARGEST:
        raise typer.BadParameter(f"write a number from {question.least} to {LARGEST:,}")
    return count


def _say_what_is_next(recipe: Path, written: list[Path], output_format: Format) -> None:
    name = shlex.quote(str(recipe))
    commands = [f"lstmgraph explain {name}", f"lstmgraph build {name} -o models"]
    if load(recipe).training is not None:
        commands[1] = f"lstmgraph train {name} --data DATA -o runs/first"
    if output_format is Format.json:
        print_json({"files": [str(path) for path in written], "next": commands})
        return
    typer.echo("\n".join(f"wrote {path}" for path in written))
    typer.echo("\n".join(["next:", *(f"  {command}" for command in commands)]))


def _refuse(message: str) -> NoReturn:
    typer.echo(message, err=True)
    raise typer.Exit(COMMAND_LINE_IS_WRONG) from None
