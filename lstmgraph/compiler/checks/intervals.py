"""Check ``intervals:`` against the losses, the shapes and the histories of outputs."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any

from lstmgraph.compiler.checks.data_needs import output_spec
from lstmgraph.compiler.checks.metric_names import losses_by_output
from lstmgraph.keras_facts.distributions import quantiles_of
from lstmgraph.language.declaration.intervals import CALIBRATED
from lstmgraph.language.declaration.scaling import past_of
from lstmgraph.messages.diagnostics import Diagnostic
from lstmgraph.messages.wording import counted

if TYPE_CHECKING:
    from lstmgraph.compiler.graph import Graph
    from lstmgraph.language.declaration.recipe import RecipeDeclaration, Training
    from lstmgraph.language.text.document import Document

PATH = ("training", "intervals")


@dataclass(frozen=True)
class _Checked:
    recipe: RecipeDeclaration
    graph: Graph
    document: Document


def check_intervals(
    recipe: RecipeDeclaration, training: Training, graph: Graph, document: Document
) -> None:
    """Report outputs without quantiles (L877), and numbers that do not fit them (L878)."""
    given = training.intervals
    if given is None:
        return
    losses = losses_by_output(training, list(graph.outputs))
    levels = {name: quantiles_of(losses.get(name)) for name in graph.outputs}
    hint = "write `loss: {type: pinball, quantiles: [0.1, 0.5, 0.9]}`, or remove `intervals:`"
    if given == CALIBRATED:
        if graph.outputs and not any(levels.values()):
            message = "no output has quantiles, whose intervals could be calibrated"
            document.report("L877", PATH, message, hint=hint)
        return
    assert isinstance(given, dict)
    for name, own in given.items():
        quantiles = levels.get(name)
        if name in levels and quantiles is None:
            message = f"the output '{name}' has no quantiles that could be calibrated"
            document.report("L877", (*PATH, name), message, hint=hint, at_key=True)
        elif quantiles:
            _check_numbers(name, own, quantiles, _Checked(recipe, graph, document))


def _check_numbers(
    name: str, own: dict[str, Any], quantiles: list[float], checked: _Checked
) -> None:
    data, document = checked.recipe.data, checked.document
    season = own.get("season", 0)
    history, _ = past_of(data, name) if data else ("", ())
    window = data.window if data else None
    steps = window.history if history and window and window.history else 0
    if season and steps < 2 * season:
        had = f"has {counted(steps, 'step')}" if history else "has no whole history in its inputs"
        document.report(
            "L878",
            (*PATH, name, "season"),
            f"the target of '{name}' {had}; how much a season changes takes two of them",
            hint=f"give at least {2 * season} steps of history, or write `season: 0`",
        )
    spec = output_spec(checked.graph, name)
    cells = spec.shape[1:-1] if spec else ()
    sizes = [each for each in cells if isinstance(each, int)]
    rows = own.get("offsets", ())
    count = prod(sizes)
    wanted = {1} if len(sizes) < len(cells) else {1, count}
    if rows and len(rows) not in wanted:
        message = f"{counted(len(rows), 'row')} of offsets are for no output of {count} steps"
    elif any(len(row) != len(quantiles) for row in rows):
        message = f"each row of offsets has a number for each of {len(quantiles)} quantiles"
    else:
        return
    hint = "remove `offsets:`; `lstmgraph train` finds them"
    document.report("L878", (*PATH, name, "offsets"), message, hint=hint)


def unvalidated(training: Training | None, document: Document) -> list[Diagnostic]:
    """Return L879 where intervals are to be calibrated, for a training without validation data."""
    if training is None or training.intervals is None:
        return []
    place = document.place(PATH)
    message = "intervals are calibrated on validation data, and there is none"
    hint = "give validation data, with `split:` of `data:` or `--validation`, or remove the line"
    notes = document.origins.notes(PATH, place)
    return [Diagnostic("L879", message, PATH, place, hint, notes=notes)]
