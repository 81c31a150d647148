"""The questions of `init`, asked on a terminal."""

from __future__ import annotations

import sys
from functools import partial
from typing import TYPE_CHECKING

import typer

from lstmgraph.authoring.starting.first_recipe import first_recipe
from lstmgraph.authoring.starting.questions import (
    LARGEST,
    TASKS,
    AnswersError,
    check_answers,
    missing_answers,
)
from lstmgraph.cli.printing import say

if TYPE_CHECKING:
    from lstmgraph.authoring.starting.questions import Answer, Question


def answered(task: str | None, given: dict[str, Answer], name: str, *, yes: bool) -> str:
    """Return a recipe from the answers; on a terminal, ask for the missing ones.

    Raises:
        AnswersError: one is wrong; or some are missing, and nobody can be asked.
    """
    asks = _on_terminal() and not yes
    if task is None:
        if not asks:
            raise AnswersError(
                f"say what the model is for: {_choices()}; or --from NAME, see --list"
            )
        say("\n".join(f"  {known:<24}{meaning}" for known, meaning in TASKS.items()))
        task = typer.prompt("What is the model for?", value_proc=_as_task)
    check_answers(task, given)
    missing = missing_answers(task, given, defaults=yes)
    if missing and not asks:
        raise AnswersError(_what_is_missing(task, missing, yes=yes))
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
