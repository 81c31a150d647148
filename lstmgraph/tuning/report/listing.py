"""Tables: the summary, the best trial, all trials, the settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lstmgraph.compiler.checks.metric_names import VALIDATION
from lstmgraph.explain.charts.frame import figure, note
from lstmgraph.explain.charts.markup import Markup, joined, number, plain, table, tag
from lstmgraph.messages.wording import shortened
from lstmgraph.tuning.report.facts import best_trial, counts, score, status_class

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from lstmgraph.tuning.search.results import SearchResults, TrialRow

LONGEST_CELL = 100
LONGEST_REASON = 300


def summary(results: SearchResults, test: Mapping[str, float]) -> Markup:
    """Return the first things to know: best value, test score, trials by status, time, memory."""
    best = best_trial(results)
    tiles = []
    for objective in results.objectives:
        value = score(best, objective) if best else None
        shown = "none yet" if value is None else f"{value:.6g}"
        goal = "largest" if objective.direction == "max" else "smallest"
        tiles.append(
            _tile(shown, f"{shortened(objective.metric, 60)} of the best trial ({goal} wanted)")
        )
    searched = [o.metric.removeprefix(VALIDATION) for o in results.objectives]
    for name in [name for name in dict.fromkeys(searched) if name in test] or list(test)[:1]:
        text = f"{shortened(name, 60)} of the best model on the test data, which no trial saw"
        tiles.append(_tile(f"{test[name]:.6g}", text))
    tiles.append(_tile(f"{len(results.trials):,}", "trials"))
    tiles += _times(results)
    peak = max((trial.peak_memory_mb for trial in results.trials), default=0.0)
    tiles.append(_tile(f"{peak:,.0f} MiB", "peak memory of a trial"))
    chips = [
        tag(
            "span",
            tag("b", f"{count:,}"),
            f" {shortened(status, 40)}",
            class_=f"chip {_known(status)}",
        )
        for status, count in counts(results).items()
    ]
    return joined(tag("div", *tiles, class_="tiles"), tag("p", *chips, class_="chips"))


def _times(results: SearchResults) -> Iterator[Markup]:
    """Yield how long the search took, and how long its trials took together."""
    workers = results.settings.get("workers")
    several = f" with {plain(workers)} trials at a time" if workers not in (None, 1) else ""
    seconds = number(results.settings.get("search_seconds"))
    if seconds is not None:
        yield _tile(duration(seconds), f"from start to end{several}")
    whole = duration(sum(trial.seconds for trial in results.trials))
    fit = duration(sum(trial.fit_seconds for trial in results.trials))
    yield _tile(whole, f"sum over all trials, {fit} of it in training")


def unread_note(results: SearchResults) -> Markup:
    """Return a remark on the files of the folder that could not be read."""
    said = [tag("li", shortened(line, LONGEST_REASON)) for line in results.unread_lines()]
    what = "Not all of the folder could be read:"
    return joined(note(what), tag("ul", *said)) if said else Markup()


def _known(status: str) -> str:
    return status if status.isidentifier() else "failed"


def _tile(value: str, text: str) -> Markup:
    return tag("div", tag("b", value), tag("span", text), class_="tile")


def duration(seconds: float) -> str:
    """Return a duration as ``2 h 05 min``, ``3 min 20 s`` or ``4.2 s``."""
    if not 0 <= seconds < 1e12:
        return plain(seconds)
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:,} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s"


def best_figure(results: SearchResults, recipe: str, test: Mapping[str, float]) -> Markup:
    """Return the best trial's values, its metrics, and its recipe."""
    best = best_trial(results)
    if best is None:
        return figure("Best trial", note("No trial has completed yet."))
    values: list[list[object]] = [
        [dimension.name, shortened(plain(best.values[dimension.name]), LONGEST_CELL)]
        for dimension in results.dimensions
        if dimension.name in best.values
    ]
    metrics: list[list[object]] = [[name, plain(value)] for name, value in best.metrics.items()]
    metrics += [[f"{name} on the test data", plain(value)] for name, value in test.items()]
    text = tag("details", tag("summary", "Its recipe"), tag("pre", recipe), open="open")
    several = note("With several objectives: the first of the Pareto front.")
    return figure(
        f"Best trial: {best.number}",
        several if len(results.objectives) > 1 else "",
        table(["dimension", "value"], values),
        table(["metric", "value"], metrics),
        note(_which_epoch(results)),
        text if recipe else "",
    )


def _which_epoch(results: SearchResults) -> str:
    """Say of which weights the metrics are: those of the saved model, too."""
    first = "its first training" if _repeats(results) else "the trial"
    saved = f"The saved model has the weights of the epoch of {first} with the best objective"
    if _repeats(results):
        return f"{saved}. Metrics are means over all its trainings, each at its own best epoch."
    return f"{saved}, and these are its metrics."


def _repeats(results: SearchResults) -> bool:
    """Return whether each trial trains more than once."""
    settings = results.settings
    return settings.get("executions_per_trial") not in (None, 1) or bool(settings.get("folds"))


def trials_figure(results: SearchResults) -> Markup:
    """Return the table of all trials; a click on a heading sorts it."""
    if not results.trials:
        return figure("Trials", note("No trial has started yet."))
    metrics = list(
        dict.fromkeys(
            [objective.metric for objective in results.objectives]
            + [name for trial in results.trials for name in trial.metrics]
        )
    )
    dimensions = [dimension.name for dimension in results.dimensions]
    headings = ["trial", "status", *metrics, *dimensions]
    headings += ["epochs", "seconds", "fit seconds", "peak MiB", "parameters", "reason"]
    head = [
        tag("th", tag("button", _heading(name), type="button"), scope="col") for name in headings
    ]
    rows = [_row(trial, metrics, dimensions, results) for trial in results.trials]
    whole = tag(
        "table", tag("thead", tag("tr", *head)), tag("tbody", *rows), id="trials", class_="sortable"
    )
    text = "A click on a heading sorts by it, a second one the other way round."
    return figure("Trials", note(text), tag("div", whole, class_="scroll tall"))


def _heading(name: str) -> str:
    return shortened(name, 40)


def _row(
    trial: TrialRow, metrics: list[str], dimensions: list[str], results: SearchResults
) -> Markup:
    values = [*(trial.metrics.get(name, "") for name in metrics)]
    values += [trial.values.get(name, "") for name in dimensions]
    cells = [shortened(plain(value), LONGEST_CELL) for value in values]
    cells += [str(trial.epochs), f"{trial.seconds:.1f}", f"{trial.fit_seconds:.1f}"]
    cells += [
        f"{trial.peak_memory_mb:.0f}",
        "" if trial.parameters is None else str(trial.parameters),
    ]
    status = tag("td", shortened(trial.status, 40), class_=f"status {status_class(trial)}")
    reason = tag("td", shortened(trial.reason, LONGEST_REASON), class_="reason")
    best = "best" if trial.number == results.best else None
    first = tag("td", trial.number)
    rest = (tag("td", cell) for cell in cells)
    return tag("tr", first, status, *rest, reason, data_t=trial.number, class_=best)


def settings_figure(results: SearchResults) -> Markup:
    """Return the settings of the search."""
    rows: list[list[object]] = [
        [str(name), shortened(plain(value), 1000)] for name, value in results.settings.items()
    ]
    started = min((trial.started for trial in results.trials if trial.started), default="")
    if started:
        rows.append(["first trial started", started])
    if not rows:
        return figure("Settings", note("None are known."))
    return figure("Settings", table(["setting", "value"], rows))
