"""A search's results as one HTML file that needs no network."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from lstmgraph.files import atomic_path
from lstmgraph.tuning.report.page import page
from lstmgraph.tuning.search.results import Objective

if TYPE_CHECKING:
    from lstmgraph.tuning.search.results import SearchResults

__all__ = ["report_html", "write_report"]


def report_html(results: SearchResults) -> str:
    """The report of a search, running or ended, as an HTML document.

    It holds its own style and script and asks for nothing else. Texts of recipes and failures are
    shown as texts, whatever stands in them; long ones are shortened, the best recipe is not.
    """
    if not results.objectives:
        results = replace(results, objectives=(Objective("val_loss", "min"),))
    return page(results)


def write_report(results: SearchResults, path: str | Path) -> None:
    """Write the report to `path`, whole or not at all.

    Raises:
        OSError: the file cannot be written.
    """
    with atomic_path(Path(path)) as temporary:
        temporary.write_text(report_html(results), "utf-8")
