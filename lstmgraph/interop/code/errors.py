"""The error that ends the printing of code."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lstmgraph.root_error import LstmgraphError

if TYPE_CHECKING:
    from lstmgraph.interop.notes import Note


class CodeError(LstmgraphError, ValueError):
    """A model has a part that plain Keras code cannot make."""

    def __init__(self, note: Note) -> None:
        self.note = note
        super().__init__(note)

    def __str__(self) -> str:
        return str(self.note)
