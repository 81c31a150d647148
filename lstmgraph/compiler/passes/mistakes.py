"""What a pass finds wrong, as an exception until it reaches the document."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lstmgraph.language.text.document import Document
    from lstmgraph.messages.diagnostics import Path

    Remark = tuple[Path, str]
    """Where a note stands, and what it says."""


class GraphMistake(Exception):  # noqa: N818 - a mistake in the recipe, not a failure of the program
    """A shape, a mask or a state that cannot be what the recipe says."""

    def __init__(
        self,
        code: str,
        path: Path,
        message: str,
        hint: str | None,
        *,
        notes: tuple[Remark, ...] = (),
    ) -> None:
        super().__init__(message)
        self.code = code
        self.path = path
        self.message = message
        self.hint = hint
        self.notes = notes

    def report(self, document: Document, *further: Remark) -> None:
        """Note the mistake in `document`, with `further` notes."""
        notes = tuple(document.note(*remark) for remark in (*self.notes, *further))
        document.report(self.code, self.path, self.message, hint=self.hint, notes=notes)
