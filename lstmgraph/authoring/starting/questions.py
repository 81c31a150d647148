"""The tasks of `lstmgraph init`, and the questions that it asks for each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    Answer = int | bool

CLASSIFY, LABEL, REGRESS = "classify", "label", "regress"
FORECAST, TRANSLATE = "forecast", "sequence-to-sequence"

TASKS = {
    CLASSIFY: "one class for each sequence",
    LABEL: "one class for each step of a sequence",
    REGRESS: "numbers for each sequence",
    FORECAST: "the next steps of a sequence",
    TRANSLATE: "one sequence of ids from another",
}

_OF_NUMBERS = (CLASSIFY, LABEL, REGRESS, FORECAST)
"""The tasks whose sequences hold numbers, not ids."""

LARGEST = 1_000_000


@dataclass(frozen=True)
class Question:
    """A question, which is also an option of the command line, of the same name."""

    name: str
    text: str
    tasks: tuple[str, ...]
    default: Answer | None = None
    """The default answer; None if only the user can know it."""
    least: int = 0

    @property
    def option(self) -> str:
        """The option as it is written on the command line."""
        return "--" + self.name.replace("_", "-")

    @property
    def example(self) -> str:
        """The option with an example of a valid value."""
        if isinstance(self.default, bool):
            return f"{self.option} or --no-{self.name}"
        return f"{self.option} N"


QUESTIONS = (
    Question("features", "How many numbers does each step hold?", _OF_NUMBERS, least=1),
    Question("vocabulary", "How many ids can the input have, including 0?", (TRANSLATE,), least=2),
    Question(
        "target_vocabulary", "How many ids can the output have, including 0?", (TRANSLATE,), least=2
    ),
    Question("classes", "How many classes are there?", (CLASSIFY, LABEL), least=2),
    Question("horizon", "How many steps ahead does it forecast?", (FORECAST,), least=1),
    Question(
        "targets", "How many numbers does the model predict?", (REGRESS, FORECAST), 1, least=1
    ),
    Question(
        "known", "How many numbers of each step ahead are known? (0 for none)", (FORECAST,), 0
    ),
    Question("lengths", "Do sequences differ in length?", _OF_NUMBERS, default=False),
    Question(
        "static", "How many static features does each example have? (0 for none)", tuple(TASKS), 0
    ),
)


class AnswersError(ValueError):
    """Answers are missing, out of range, or for another task."""


def questions_of(task: str) -> tuple[Question, ...]:
    """Return the questions of a task, in the order in which they are asked."""
    return tuple(question for question in QUESTIONS if task in question.tasks)


def check_answers(task: str, given: Mapping[str, Answer]) -> None:
    """Check that the answers belong to the task and are in range.

    Raises:
        AnswersError: An answer is for another task, or out of range.
    """
    known = {question.name: question for question in questions_of(task)}
    for name, answer in given.items():
        if name not in known:
            option = "--" + name.replace("_", "-")
            raise AnswersError(f"{option} is not for the task {task}")
        least = known[name].least
        if not isinstance(answer, bool) and not least <= answer <= LARGEST:
            message = f"{known[name].option} must be from {least} to {LARGEST:,}, not {answer:,}"
            raise AnswersError(message)


def missing_answers(
    task: str, given: Mapping[str, Answer], *, defaults: bool
) -> tuple[Question, ...]:
    """Return the questions without an answer; with `defaults`, only those without a default."""
    return tuple(
        question
        for question in questions_of(task)
        if question.name not in given and not (defaults and question.default is not None)
    )


def with_defaults(task: str, given: Mapping[str, Answer]) -> dict[str, Answer]:
    """Return the answers, with defaults for missing ones."""
    defaults = {
        question.name: question.default
        for question in questions_of(task)
        if question.default is not None
    }
    return {**defaults, **given}
