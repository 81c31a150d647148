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
    """One problem; `where` names the file or other source."""

    code: str
    message: str
    where: str
    hint: str | None = None
    severity: str = ERROR

    def as_dict(self) -> dict[str, Any]:
        """Return the problem as ``--format json`` prints it; the form is stable."""
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
"""Problems of which a text is made: a table can have thousands of columns."""


def as_lines(problems: Sequence[DataProblem]) -> list[str]:
    """Return the first 100 problems as text, and the number of further ones."""
    left = len(problems) - MOST_SHOWN
    more = [f"and {counted(left, 'more problem')}"] if left > 0 else []
    return [*map(str, problems[:MOST_SHOWN]), *more]


class DataError(LstmgraphError):
    """Data does not fit the recipe. Carries every problem found; its text is what is printed.

    The text shows the first 100 problems and counts the rest; `problems` holds them all.
    """

    def __init__(self, problems: Iterable[DataProblem]) -> None:
        self.problems = tuple(problems)
        super().__init__(self.problems)

    def __str__(self) -> str:
        return "\n".join(as_lines(self.problems))


@dataclass
class Problems:
    """The problems of one source, collected so that all are reported at once."""

    where: str
    found: list[DataProblem] = field(default_factory=list)
    noted: set[DataProblem] = field(default_factory=set)
    guesses: Guesses = field(default_factory=Guesses)
    """For the names that may be meant."""

    def add(self, code: str, message: str, hint: str | None = None) -> None:
        """Add an error, unless an identical one is there."""
        self._note(DataProblem(code, message, self.where, hint))

    def warn(self, code: str, message: str, hint: str | None = None) -> None:
        """Add a warning: probably a mistake, but it does not prevent training."""
        self._note(DataProblem(code, message, self.where, hint, WARNING))

    def _note(self, problem: DataProblem) -> None:
        if problem not in self.noted:
            self.noted.add(problem)
            self.found.append(problem)

    @property
    def errors(self) -> tuple[DataProblem, ...]:
        """Return all problems but warnings."""
        return tuple(problem for problem in self.found if problem.severity == ERROR)

    @property
    def warnings(self) -> tuple[DataProblem, ...]:
        """Return the warnings, which do not prevent training."""
        return tuple(problem for problem in self.found if problem.severity == WARNING)

    def raise_errors(self) -> None:
        """Raise a DataError of all problems, warnings included, if one of them is an error."""
        if self.errors:
            raise DataError(self.found)
