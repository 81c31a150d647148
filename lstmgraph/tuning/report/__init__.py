"""A search's results as one HTML file that needs no network."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from lstmgraph.files import write_text
from lstmgraph.tuning.report.page import page
from lstmgraph.tuning.search.results import Objective

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lstmgraph.tuning.search.results import SearchResults

__all__ = ["report_html", "write_report"]


def report_html(
    results: SearchResults, *, recipe: str = "", test: Mapping[str, float] | None = None
) -> str:
    """Return the report of a search, running or ended, as an HTML document.

    It holds its own style and script and asks for nothing else. Texts of recipes and failures are
    shown as texts, whatever stands in them; long ones are shortened, the best recipe is not.

    Args:
        results: what the search has found.
        recipe: the best recipe as it is to be shown; without one, its resolved form is.
        test: the best model's metrics on the test data.
    """
    if not results.objectives:
        results = replace(results, objectives=(Objective("val_loss", "min"),))
    return page(results, recipe or results.best_recipe, test or {})


def write_report(
    results: SearchResults,
    path: str | Path,
    *,
    recipe: str = "",
    test: Mapping[str, float] | None = None,
) -> None:
    """Write what ``report_html`` returns to `path`, whole or not at all.

    Raises:
        OSError: the file cannot be written.
    """
    write_text(Path(path), report_html(results, recipe=recipe, test=test))
