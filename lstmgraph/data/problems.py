"""What is wrong with data, where, and the mend. The codes are listed in docs/data.md."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

ERROR = "error"
WARNING = "warning"


@dataclass(frozen=True)
class DataProblem:
    """One problem. `where` names the file, or says what else was given."""

    code: str
    message: str
    where: str
    hint: str | None = None
    severity: str = ERROR

    def as_dict(self) -> dict[str, Any]:
        """The stable form that ``--format json`` prints."""
        return {
            "code": self.code,
            "severity": self.severity,
            "message": self.message,
            "hint": self.hint,
            "where": self.where,
        }

    def __str__(self) -> str:
        text = f"{self.where}: {self.severity}[{self.code}]: {self.message}"
        return f"{text}\n  help: {self.hint}" if self.hint else text


class DataError(Exception):
    """Data does not fit the recipe. Carries every problem found; its text is what is printed."""

    def __init__(self, problems: Iterable[DataProblem]) -> None:
        self.problems = tuple(problems)
        super().__init__(self.problems)

    def __str__(self) -> str:
        return "\n".join(str(problem) for problem in self.problems)


@dataclass
class Problems:
    """Collects problems of one source, so that all of them are reported at once."""

    where: str
    found: list[DataProblem] = field(default_factory=list)

    def add(self, code: str, message: str, hint: str | None = None) -> None:
        """Note an error; an identical one is noted once."""
        self._note(DataProblem(code, message, self.where, hint))

    def warn(self, code: str, message: str, hint: str | None = None) -> None:
        """Note something that is probably not meant, and can be trained on all the same."""
        self._note(DataProblem(code, message, self.where, hint, WARNING))

    def _note(self, problem: DataProblem) -> None:
        if problem not in self.found:
            self.found.append(problem)

    @property
    def errors(self) -> tuple[DataProblem, ...]:
        """All but warnings."""
        return tuple(problem for problem in self.found if problem.severity == ERROR)

    @property
    def warnings(self) -> tuple[DataProblem, ...]:
        """Those that do not stop anything."""
        return tuple(problem for problem in self.found if problem.severity == WARNING)

    def raise_errors(self) -> None:
        """Raise what was found so far, warnings included, if an error is among it."""
        if self.errors:
            raise DataError(self.found)
