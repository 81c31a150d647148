"""Problems of data: what is wrong, where, and the fix. docs/data.md lists the codes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lstmgraph.messages.rendering.printable import printable
from lstmgraph.messages.wording import Guesses, counted
from lstmgraph.root_error import LstmgraphError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

ERROR = "error"
WARNING = "warning"


@dataclass(frozen=True)
class DataProblem:
    """One problem of the data; `where` names the file or whatever else was given."""

    code: str
    message: str
    where: str
    hint: str | None = None
    severity: str = ERROR

    def as_dict(self) -> dict[str, Any]:
        """Return the stable form that ``--format json`` prints."""
        return {
            "code": self.code,
            "severity": self.severity,
            "message": self.message,
            "hint": self.hint,
            "where": self.where,
        }

    def __str__(self) -> str:
        where, message = printable(self.where), printable(self.message)
        text = f"{where}: {self.severity}[{self.code}]: {message}"
        return f"{text}\n  help: {printable(self.hint)}" if self.hint else text


MOST_SHOWN = 100
"""How many problems a text shows, as a table can have thousands of columns."""


def as_lines(problems: Sequence[DataProblem]) -> list[str]:
    """Return the texts of the first 100 problems, and a line that counts the others."""
    left = len(problems) - MOST_SHOWN
    more = [f"and {counted(left, 'more problem')}"] if left > 0 else []
    return [*map(str, problems[:MOST_SHOWN]), *more]


class DataError(LstmgraphError):
    """The data does not fit the recipe; `problems` holds every problem that was found.

    Its text shows the first 100 problems and counts the others.
    """

    def __init__(self, problems: Iterable[DataProblem]) -> None:
        self.problems = tuple(problems)
        super().__init__(self.problems)

    def __str__(self) -> str:
        return "\n".join(as_lines(self.problems))


@dataclass
class Problems:
    """Collects the problems of one source, so that they are reported together."""

    where: str
    found: list[DataProblem] = field(default_factory=list)
    noted: set[DataProblem] = field(default_factory=set)
    guesses: Guesses = field(default_factory=Guesses)
    """Finds the names that a misspelled one may stand for."""

    def add(self, code: str, message: str, hint: str | None = None) -> None:
        """Add an error, unless the same one is there."""
        self._note(DataProblem(code, message, self.where, hint))

    def warn(self, code: str, message: str, hint: str | None = None) -> None:
        """Add a warning about data that can be used but is probably not as intended."""
        self._note(DataProblem(code, message, self.where, hint, WARNING))

    def _note(self, problem: DataProblem) -> None:
        if problem not in self.noted:
            self.noted.add(problem)
            self.found.append(problem)

    @property
    def errors(self) -> tuple[DataProblem, ...]:
        """The problems that are not warnings."""
        return tuple(problem for problem in self.found if problem.severity == ERROR)

    @property
    def warnings(self) -> tuple[DataProblem, ...]:
        """The problems that do not prevent training."""
        return tuple(problem for problem in self.found if problem.severity == WARNING)

    def raise_errors(self) -> None:
        """Raise all problems so far, including warnings, if there is an error.

        Raises:
            DataError: There is an error.
        """
        if self.errors:
            raise DataError(self.found)
