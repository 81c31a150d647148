"""The measures of a model on data, as Python users see them."""

from __future__ import annotations

from lstmgraph.evaluation.report import page
from lstmgraph.evaluation.results import Measured
from lstmgraph.evaluation.text import evaluation_text


class Evaluation(Measured):
    """The measures of a model on data; ``str()`` gives tables, `to_dict` plain data."""

    def __str__(self) -> str:
        return evaluation_text(self)

    def __repr__(self) -> str:
        return f"<Evaluation of {self.model}: {self.examples:,} examples>"

    def report(self) -> str:
        """Return the evaluation as one HTML page, which needs no other file."""
        return page(self)
