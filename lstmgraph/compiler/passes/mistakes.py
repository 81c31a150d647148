"""The exception that a pass raises for a mistake, until it is reported in the document."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lstmgraph.language.text.document import Document
    from lstmgraph.messages.diagnostics import Path

    Remark = tuple[Path, str]
    """The path and the message of a note."""


class GraphMistake(Exception):  # noqa: N818 - a mistake in a recipe, not a program failure
    """Raised for a shape, mask or state that is impossible or would be wrong."""

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
        """Report the mistake in `document`, with `further` notes."""
        notes = tuple(document.note(*remark) for remark in (*self.notes, *further))
        document.report(self.code, self.path, self.message, hint=self.hint, notes=notes)
