"""The best model: its graph, and the table of its calls."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from lstmgraph.compiler.load import load_compiled
from lstmgraph.compiler.machine.machine import this_machine
from lstmgraph.explain.charts.frame import figure, note
from lstmgraph.explain.charts.markup import Markup, table, tag
from lstmgraph.explain.drawing import draw
from lstmgraph.explain.explanation import calls_section, explain
from lstmgraph.messages.errors import RecipeError
from lstmgraph.messages.wording import shortened

if TYPE_CHECKING:
    from lstmgraph.tuning.search.results import SearchResults


def model_figure(results: SearchResults) -> Markup:
    """Return the best recipe's model as graph and table, or why there is none."""
    title = "Model of the best trial"
    if not results.best_recipe:
        return figure(title, note("There is no best trial yet."))
    try:
        compiled = load_compiled(results.best_recipe)
    except RecipeError as error:
        why = tag("pre", shortened(str(error), 4000))
        return figure(title, note("This version of lstmgraph does not accept its recipe:"), why)
    machine = replace(this_machine(), gpus=int(_had_gpus(results)))
    calls = calls_section(explain(compiled, machine))
    picture = tag("div", Markup(draw(compiled, machine)), class_="scroll graph")
    listing = table(list(calls.headings), [list(row) for row in calls.rows], class_="calls")
    kernels = "Kernels are those that this search ran." if _known_gpus(results) else ""
    return figure(title, picture, listing, note(" ".join([*calls.lines, kernels])))


def _known_gpus(results: SearchResults) -> bool:
    return bool({"gpus", "gpus_per_trial"} & results.settings.keys())


def _had_gpus(results: SearchResults) -> bool:
    """Return whether trials ran, or may have run, on GPUs."""
    settings = results.settings
    named = settings.get("gpus_per_trial") if settings.get("cluster") else settings.get("gpus")
    return bool(named) or not _known_gpus(results)
