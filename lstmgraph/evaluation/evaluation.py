"""The measures of a model on data, as Python users see them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lstmgraph.evaluation.report import page
from lstmgraph.evaluation.results import Measured
from lstmgraph.evaluation.table import table_rows
from lstmgraph.evaluation.text import evaluation_text

if TYPE_CHECKING:
    from collections.abc import Iterator


class Evaluation(Measured):
    """The measures of a model on data; ``str()`` gives tables, `to_dict` plain data."""

    def __str__(self) -> str:
        return evaluation_text(self)

    def __repr__(self) -> str:
        return f"<Evaluation of {self.model}: {self.examples:,} examples>"

    def report(self) -> str:
        """Return the evaluation as one HTML page, which needs no other file."""
        return page(self)

    def table(self) -> Iterator[list[Any]]:
        """Yield the rows of a table of all measures, the names of its columns first.

        A row is for all targets of an output, a step, a series or a class, and for a forecast.
        """
        return table_rows(self)
