"""The whole page."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lstmgraph.explain.charts.document import document
from lstmgraph.explain.charts.markup import Markup, tag
from lstmgraph.messages.wording import shortened
from lstmgraph.tuning.report.listing import (
    best_figure,
    settings_figure,
    summary,
    trials_figure,
    unread_note,
)
from lstmgraph.tuning.report.model import model_figure
from lstmgraph.tuning.report.progress import best_so_far_figure, front_figure, learning_figure
from lstmgraph.tuning.report.space import effects_figure, parallel_figure

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lstmgraph.tuning.search.results import SearchResults


def page(results: SearchResults, recipe: str, test: Mapping[str, float]) -> str:
    """Return the report as one HTML document, which is well-formed XML too."""
    title = f"Search of {shortened(results.recipe, 80)}"
    state = tag("span", shortened(results.state, 40), class_="state")
    top = tag("header", tag("h1", title, " ", state), summary(results, test), unread_note(results))
    script = tag("script", Markup(f"//<![CDATA[{_text('report.js')}//]]>"))
    tip = tag("div", Markup(), id="tip", hidden="hidden")
    return document(title, "", tag("main", top, *_sections(results, recipe, test)), tip, script)


def _sections(results: SearchResults, recipe: str, test: Mapping[str, float]) -> list[Markup]:
    left = tag("div", best_so_far_figure(results), learning_figure(results), class_="column")
    right = tag("div", best_figure(results, recipe, test), front_figure(results), class_="column")
    wide = (parallel_figure, effects_figure, trials_figure, model_figure, settings_figure)
    full = [tag("div", draw(results), class_="full") for draw in wide]
    return [left, right, *full]


def _text(name: str) -> str:
    return Path(__file__).with_name(name).read_text("utf-8")
