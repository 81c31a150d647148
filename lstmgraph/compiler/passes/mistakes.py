"""The exception that a pass raises for a mistake, until it is reported in the document."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lstmgraph.compiler.graph import Node
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


class Reported:
    """Remembers the mistakes of a loop's block, which every step would repeat."""

    def __init__(self) -> None:
        self._known: set[tuple[str, Path]] = set()

    def is_new(self, mistake: GraphMistake, node: Node) -> bool:
        """Return whether `mistake` of `node` is not that of an earlier step of its loop."""
        key = mistake.code, mistake.path
        repeats = node.loop is not None and key in self._known
        self._known.add(key)
        return not repeats
