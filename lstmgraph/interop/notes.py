"""What to know of a result that is there: notes with a code of docs/errors.md and a hint."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Note:
    """What a result does not do as its source, with what to do about it."""

    code: str
    message: str
    hint: str

    def as_dict(self) -> dict[str, Any]:
        """Return the stable form that ``--format json`` prints."""
        return {"code": self.code, "message": self.message, "hint": self.hint}

    def __str__(self) -> str:
        return f"{self.code}: {self.message}\n  help: {self.hint}"
