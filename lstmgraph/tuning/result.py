"""The result of a search, and the files that show it in the search's folder."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from dataclasses import dataclass, field, replace
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from lstmgraph.files import atomic_path, write_text
from lstmgraph.messages.notebook import notebook_html
from lstmgraph.messages.tables import Section
from lstmgraph.messages.wording import counted, metrics_text
from lstmgraph.tuning.best_recipe import BEST_RECIPE, best_recipe
from lstmgraph.tuning.report import write_report
from lstmgraph.tuning.search.checked import mapping_of, number, parsed
from lstmgraph.tuning.search.display import describe, shown
from lstmgraph.tuning.search.errors import SearchError, cannot_use, faults_end_search
from lstmgraph.tuning.search.own_files import open_of_trial, read_own, trial_folder
from lstmgraph.tuning.search.ranking import best_trials
from lstmgraph.tuning.search.reading import read_results
from lstmgraph.tuning.search.results import RANKED
from lstmgraph.tuning.search.tables import frame_columns, write_tables
from lstmgraph.tuning.search.trial import BEST_WEIGHTS, CONCRETE_RECIPE, write_json

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from lstmgraph.tuning.search.results import SearchResults, TrialRow

RESOLVED_RECIPE = "best.resolved.yaml"
BEST_MODEL = "best.keras"
TEST_SCORE = "test.json"
REPORT = "report.html"
MOST_SHOWN = 10
"""Trials that a notebook shows."""


@dataclass(frozen=True)
class TuneResult:
    """A search that has ended. Its files are in `folder`."""

    results: SearchResults
    """Every trial."""
    folder: Path
    files: Mapping[str, Path]
    """By what they are: ``recipe``, ``resolved``, ``model``, ``report``, ``trials``, ..."""
    test: Mapping[str, float] = field(default_factory=dict)
    """The best trial's metrics on the test data, which no trial saw; empty without any."""

    @property
    def best(self) -> TrialRow | None:
        """With several objectives the first of the front; None where no trial has a result."""
        return next((t for t in self.results.trials if t.number == self.results.best), None)

    def trials(self) -> Any:
        """Return a data frame with a row for each trial: of pandas, or of polars without pandas.

        Its columns are ``number``, ``status``, ``score`` (the first objective's metric, at the
        trial's best epoch), every dimension and every other metric by its name, then ``epochs``,
        ``seconds``, ``fit_seconds``, ``parameters``, ``peak_memory_mb``, ``started`` (UTC) and
        ``reason``. What a trial does not have is missing. A dimension whose name a column has
        already gets ``value:`` before it, a metric ``metric:``.

        Raises:
            ImportError: neither pandas nor polars is installed.
        """
        columns = frame_columns(self.results)
        for package in ("pandas", "polars"):
            if find_spec(package):
                return import_module(package).DataFrame(columns)
        raise ImportError("a data frame needs pandas or polars: pip install pandas")

    def __repr__(self) -> str:
        trials = counted(len(self.results.trials), "trial")
        objectives = self.results.objectives
        best = f"best {describe(self.best, objectives)}" if self.best else "none has a result"
        return f"<TuneResult of {self.results.recipe}: {trials}; {best}>"

    def _repr_html_(self) -> str:
        results = self.results
        sections = [Section(f"search of {results.recipe}", lines=str(self).splitlines())]
        ranked = {trial.number: trial.metrics for trial in results.trials if trial.status in RANKED}
        best = best_trials(ranked, results.objectives)[:MOST_SHOWN]
        if best:
            sections.append(_trials_section(results, best))
        files = [(name, str(path)) for name, path in self.files.items()]
        sections.append(Section(headings=("file", "path"), rows=files))
        if self.best is None:
            return notebook_html(sections)
        from lstmgraph.training.results import curves_html  # noqa: PLC0415 - imports TensorFlow

        return notebook_html(sections, *curves_html(self.best.history, f"trial {self.best.number}"))

    def as_dict(self) -> dict[str, Any]:
        """Return the stable form that ``--format json`` prints."""
        best = self.best
        return {
            "recipe": self.results.recipe,
            "folder": str(self.folder),
            "state": self.results.state,
            "ended_because": self.results.settings.get("ended_because"),
            "trials": dict(Counter(trial.status for trial in self.results.trials)),
            "best": best
            and {
                "number": best.number,
                "values": dict(best.values),
                "metrics": dict(best.metrics),
                "parameters": best.parameters,
            },
            "front": list(self.results.front),
            "test": dict(self.test),
            "files": {name: str(path) for name, path in self.files.items()},
        }

    def __str__(self) -> str:
        """Return what a terminal shows at the end."""
        counts = Counter(trial.status for trial in self.results.trials)
        said = ", ".join(f"{number} {status}" for status, number in counts.items())
        seconds = self.results.settings.get("search_seconds", 0.0)
        lines = [f"{len(self.results.trials)} trials in {seconds:.0f} s: {said or 'none'}"]
        if self.best is None:
            return "\n".join([*lines, "no trial has a result; log.txt in its folder says why"])
        lines.append(f"best {describe(self.best, self.results.objectives)}")
        lines += [f"  {name}: {shown(value)}" for name, value in self.best.values.items()]
        if len(self.results.front) > 1:
            front = ", ".join(map(str, self.results.front))
            lines.append(f"none beats these in all objectives: trials {front}")
        if self.test:
            lines.append(f"on the test data, which no trial saw: {metrics_text(self.test)}")
        return "\n".join(lines)


def _trials_section(results: SearchResults, numbers: Sequence[int]) -> Section:
    trials = {trial.number: trial for trial in results.trials}
    metrics = [objective.metric for objective in results.objectives]
    dimensions = [dimension.name for dimension in results.dimensions]
    rows = []
    for trial in map(trials.__getitem__, numbers):
        values = [shown(trial.values[n]) if n in trial.values else "" for n in dimensions]
        found = [f"{trial.metrics[name]:.6g}" for name in metrics]
        counts = (str(trial.epochs), f"{trial.seconds:.1f}")
        rows.append((str(trial.number), trial.status, *found, *counts, *values))
    headings = ("trial", "status", *metrics, "epochs", "seconds", *dimensions)
    left = len(results.trials) - len(rows)
    more = [f"and {counted(left, 'more trial')}; .trials() has them all"] if left else []
    numeric = frozenset({"trial", "epochs", "seconds", *metrics})
    return Section("best trials", headings=headings, rows=rows, numbers=numeric, lines_below=more)


def write_results(folder: Path) -> dict[str, Path]:
    """Write what a search has found so far into its folder; it may still be running.

    What of the folder cannot be read is left out, and is named in the report.

    Returns:
        The files, by what they are.

    Raises:
        SearchError: there is no search in `folder`, or a file cannot be written.
    """
    return written_results(folder)[0]


def written_results(folder: Path) -> tuple[dict[str, Path], SearchResults]:
    """Do what ``write_results`` does; return what was read, too."""
    with faults_end_search(folder):
        results = read_results(folder)
        files = {path.name.replace(".csv", ""): path for path in write_tables(results, folder)}
        unread = dict.fromkeys(results.unread)
        try:
            recipe = ""
            if results.best is not None:
                place = trial_folder(folder, results.best)
                files |= _copy_best(place, folder, unread)
                if results.best_recipe:
                    recipe = best_recipe(folder, place, results.best_recipe)
                    files["recipe"] = folder / BEST_RECIPE
                    write_text(files["recipe"], recipe)
            test = _read_test_score(folder, results.best, unread)
            results = replace(results, unread=tuple(unread))
            write_report(results, folder / REPORT, recipe=recipe, test=test)
        except OSError as error:
            raise cannot_use(folder, error) from None
    return {**files, "report": folder / REPORT}, results


def write_test_score(folder: Path, trial: int, score: Mapping[str, float]) -> None:
    """Keep the best trial's score on the test data, for the report."""
    write_json(folder / TEST_SCORE, {"trial": trial, "score": dict(score)})


def _read_test_score(
    folder: Path, best: int | None, unread: dict[str, None]
) -> Mapping[str, float]:
    """Return the score on the test data; empty where it is missing or that of another trial."""
    path = folder / TEST_SCORE
    try:
        found = parsed(read_own(path), str(path))
    except FileNotFoundError:
        return {}
    except SearchError as error:
        unread[str(error)] = None
        return {}
    if not isinstance(found, dict) or found.get("trial") != best:
        return {}
    score = found.get("score", {})
    if wrong := mapping_of(number)(score):
        unread[f"{path}: score: {wrong}"] = None
        return {}
    return dict(score)


def _copy_best(place: Path, folder: Path, unread: dict[str, None]) -> dict[str, Path]:
    """Copy what is left of the best trial: with ``--keep 0`` there are no weights."""
    copied = {}
    for what, source, name in (
        ("resolved", CONCRETE_RECIPE, RESOLVED_RECIPE),
        ("model", BEST_WEIGHTS, BEST_MODEL),
    ):
        try:
            descriptor = open_of_trial(place, source)
        except FileNotFoundError:  # a running search may delete weights at any time
            continue
        except SearchError as error:
            unread[str(error)] = None
            continue
        with (
            os.fdopen(descriptor, "rb") as content,
            atomic_path(folder / name) as temporary,
            temporary.open("wb") as copy,
        ):
            shutil.copyfileobj(content, copy)
        copied[what] = folder / name
    return copied
