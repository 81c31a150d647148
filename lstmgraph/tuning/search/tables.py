"""The trials of a search as tables: trials.csv, epochs.csv, and Parquet where pyarrow is there."""

from __future__ import annotations

import json
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from lstmgraph.csv_files import write_csv
from lstmgraph.files import atomic_path
from lstmgraph.tuning.search.errors import cannot_use

if TYPE_CHECKING:
    from pathlib import Path

    from lstmgraph.tuning.search.results import SearchResults, TrialRow

Table = dict[str, list[Any]]
"""Columns of equal length, by name."""


def write_tables(results: SearchResults, folder: Path) -> tuple[Path, ...]:
    """Write ``trials.csv``, a row for each trial, and ``epochs.csv``, a row for each epoch of each.

    A text that a spreadsheet could take for a formula has a ``'`` before it there, and nowhere
    else. With pyarrow, ``trials.parquet`` too, its numbers as numbers. Columns are named
    ``value:NAME`` for dimensions and ``metric:NAME`` for metrics; where a trial has none, the cell
    is empty.

    Returns:
        The files, in the order of writing.

    Raises:
        SearchError: a file cannot be written.
    """
    trials = trials_table(results)
    written = [
        _write_csv(trials, folder / "trials.csv"),
        _write_csv(epochs_table(results), folder / "epochs.csv"),
    ]
    if find_spec("pyarrow"):
        written.append(_write_parquet(trials, folder / "trials.parquet"))
    return tuple(written)


def trials_table(results: SearchResults) -> Table:
    """Return a table with a row for each trial."""
    plain = (
        "number", "status", "reason", "epochs", "seconds", "fit_seconds",
        "peak_memory_mb", "parameters", "started",
    )  # fmt: skip
    trials = results.trials
    table: Table = {name: [getattr(trial, name) for trial in trials] for name in plain}
    for dimension in results.dimensions:
        column = [trial.values.get(dimension.name) for trial in trials]
        table[f"value:{dimension.name}"] = [_cell(value) for value in column]
    for metric in sorted({name for trial in trials for name in trial.metrics}):
        table[f"metric:{metric}"] = [trial.metrics.get(metric) for trial in trials]
    return table


def frame_columns(results: SearchResults) -> Table:
    """Return a row for each trial, as ``TuneResult.trials`` describes; each column of one type."""
    table = trials_table(results)
    first = results.objectives[0].metric if results.objectives else ""
    table["score"] = [trial.metrics.get(first) for trial in results.trials]
    leading, last = ("number", "status", "score"), ("started", "reason")
    middle = ("epochs", "seconds", "fit_seconds", "parameters", "peak_memory_mb")
    taken = {*leading, *middle, *last}
    found = {name: table[name] for name in leading}
    for name, column in table.items():
        kind, _, own = name.partition(":")
        if kind in ("value", "metric") and name != f"metric:{first}":
            found[name if own in taken else own] = column
            taken.add(own)
    found |= {name: table[name] for name in (*middle, *last)}
    return {name: _one_type(column) for name, column in found.items()}


def epochs_table(results: SearchResults) -> Table:
    """Return a table with a row for each epoch of each trial, counted from 1 in each."""
    rows = [(trial, epoch) for trial in results.trials for epoch in range(_epochs(trial))]
    table: Table = {
        "number": [trial.number for trial, _ in rows],
        "epoch": [epoch + 1 for _, epoch in rows],
    }
    for metric in sorted({name for trial in results.trials for name in trial.history}):
        columns = [(trial.history.get(metric, ()), epoch) for trial, epoch in rows]
        table[metric] = [line[epoch] if epoch < len(line) else None for line, epoch in columns]
    return table


def _epochs(trial: TrialRow) -> int:
    return max(map(len, trial.history.values()), default=0)


def _cell(value: Any) -> Any:
    """Return `value`; lists and mappings as JSON."""
    return json.dumps(value) if isinstance(value, list | dict) else value


def _write_csv(table: Table, path: Path) -> Path:
    try:
        write_csv(path, [table, *zip(*table.values(), strict=True)])
    except OSError as error:
        raise cannot_use(path, error) from None
    return path


def _write_parquet(table: Table, path: Path) -> Path:
    import pyarrow  # noqa: PLC0415 - where it is installed
    import pyarrow.parquet  # noqa: PLC0415

    columns = {name: _one_type(column) for name, column in table.items()}
    try:
        with atomic_path(path) as temporary:
            pyarrow.parquet.write_table(pyarrow.table(columns), temporary)
    except OSError as error:
        raise cannot_use(path, error) from None
    return path


def _one_type(column: list[Any]) -> list[Any]:
    """Return a column of one type; mixed choices, such as ``none`` and 0.1, become JSON texts."""
    kinds = {type(value) for value in column if value is not None}
    if len(kinds) <= 1 or kinds == {int, float}:
        return column
    return [None if value is None else json.dumps(value) for value in column]
