"""What the printing of code finds: errors that end it, and notes about what is left out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lstmgraph.root_error import LstmgraphError


@dataclass(frozen=True)
class Note:
    """What the code does not do as the recipe does, with what to do about it."""

    code: str
    message: str
    hint: str

    def as_dict(self) -> dict[str, Any]:
        """Return the stable form that ``--format json`` prints."""
        return {"code": self.code, "message": self.message, "hint": self.hint}

    def __str__(self) -> str:
        return f"{self.code}: {self.message}\n  hint: {self.hint}"


class CodeError(LstmgraphError, ValueError):
    """A model has a part that plain Keras code cannot make."""

    def __init__(self, note: Note) -> None:
        self.note = note
        super().__init__(note)

    def __str__(self) -> str:
        return str(self.note)
