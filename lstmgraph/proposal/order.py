"""Find what orders the rows of a table: its time column, and the columns that tell series apart."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from lstmgraph.data.table import time_texts
from lstmgraph.messages.wording import few
from lstmgraph.proposal.steps import Step, step_of, steps_between, usual_share
from lstmgraph.proposal.survey import NUMBER, TEXT, TIME, ColumnFacts

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from lstmgraph.data.problems import Problems
    from lstmgraph.data.values import Array
    from lstmgraph.proposal.survey import Survey

_TIMES = re.compile(r"(?i)(time|date|ds|ts|t|step|tick|frame|period|epoch)([ _-]?(index|id|no))?")
"""Names of columns of numbers that count time."""
_SINGLE = re.compile(r"(?i)(year|quarter|month|week|day|hour|minute)")
"""Names of columns that count time, where no other column of the calendar is beside them."""
CALENDAR = re.compile(
    r"(?i)(yr|mnth|hr|year|quarter|month|week|day|hour|minute|second|date|weekday"
    r"|(day|week)[ _-]?of[ _-]?(the[ _-]?)?(week|month|year)|dow|yearday)"
)
"""Names of columns that repeat a part of the time."""
_NAMES_SERIES = re.compile(
    r"(?i).*(id|name|code|key|series|item|store|shop|sensor|station|site)\d*"
)

CLEAR = 0.98
"""The share of rows with a time of their own in their series; the others are faults."""
MOST_CANDIDATES = 8
MOST_COLUMNS = 3


@dataclass(frozen=True)
class Order:
    """The order of a table's rows."""

    time: ColumnFacts
    series: tuple[str, ...]
    numbers: Array
    """The series of each row, (rows,)."""
    step: Step | None

    @property
    def has_gaps(self) -> bool:
        """Whether times are missing in a series."""
        steps = steps_between(self.time.values, self.numbers)
        return len(steps) > 0 and bool(steps.max() > 1.5 * np.median(steps))

    @property
    def lengths(self) -> Array:
        """The rows of each series, (series,)."""
        return np.bincount(self.numbers)

    @property
    def years(self) -> float:
        """How many years pass from the first row to the last."""
        if not self.time.unit:
            return 0.0
        times = np.array([self.time.values.min(), self.time.values.max()])
        spans = times.astype(np.int64).astype(f"datetime64[{self.time.unit}]")
        return float((spans[1] - spans[0]) / np.timedelta64(1, "D")) / 365.25


def order_of(survey: Survey, problems: Problems, target: str | None) -> Order | None:
    """Return the order of the rows; None if no column holds times, or a problem was reported."""
    for time in _times(survey, target):
        series = _series(survey, time, target)
        if series is not None:
            numbers = _combined([survey.columns[name] for name in series], survey.rows)
            return Order(time, series, numbers, step_of(time.values, numbers, time.unit))
    for facts in survey.columns.values():
        if facts.fault is not None and facts.name != target:
            place = "" if facts.fault.row is None else f", row {facts.fault.row + 1}"
            problems.add("D401", f"column '{facts.name}'{place} {facts.fault}", facts.fault.hint)
            return None
    for time in survey.of_kind(TIME):
        if time.unit:
            _report_repeats(time, survey, problems)
            return None
    return None


def _times(survey: Survey, target: str | None) -> Iterable[ColumnFacts]:
    """Yield the columns that may hold times: dates first, then numbers with a name of time."""
    yield from (facts for facts in survey.of_kind(TIME) if facts.name != target)
    numbers = [facts for facts in survey.of_kind(NUMBER) if facts.name != target]
    numbers = [facts for facts in numbers if not facts.missing and not facts.is_constant]
    yield from (facts for facts in numbers if _TIMES.fullmatch(facts.name))
    parts = [facts for facts in numbers if CALENDAR.fullmatch(facts.name)]
    if len(parts) == 1 and _SINGLE.fullmatch(parts[0].name):
        yield parts[0]


def _series(survey: Survey, time: ColumnFacts, target: str | None) -> tuple[str, ...] | None:
    """Return the fewest columns in whose series each time occurs once; None if there are none."""
    rows = survey.rows
    distinct, times = np.unique(time.values, return_inverse=True)
    if len(distinct) == rows:
        return ()
    found = [
        facts
        for facts in survey.columns.values()
        if facts.name not in (time.name, target) and _may_name_series(facts, rows)
    ]
    found.sort(key=lambda facts: (facts.kind != TEXT, not _NAMES_SERIES.fullmatch(facts.name)))
    found = found[:MOST_CANDIDATES]
    best, best_share = None, CLEAR
    for option in (c for count in range(MOST_COLUMNS + 1) for c in combinations(found, count)):
        numbers = _combined(option, rows)
        if option and not _is_even(time, numbers, is_text=option[0].kind == TEXT):
            continue
        share = len(np.unique(numbers * len(distinct) + times)) / rows
        if share == 1:
            return tuple(facts.name for facts in option)
        if share > best_share:
            best, best_share = tuple(facts.name for facts in option), share
    return best


def _may_name_series(facts: ColumnFacts, rows: int) -> bool:
    if facts.missing or facts.is_constant:
        return False
    if facts.kind == NUMBER and (not facts.is_whole or CALENDAR.fullmatch(facts.name)):
        return False
    return facts.kind in (TEXT, NUMBER) and 2 * len(np.unique(facts.values)) <= rows


def _is_even(time: ColumnFacts, numbers: Array, *, is_text: bool) -> bool:
    """Return whether the times of the series are mostly as far apart as usual.

    Those of numbers that were measured, and repeat by chance, are not.
    """
    return is_text or usual_share(time.values, numbers) >= 0.5


def _combined(columns: Sequence[ColumnFacts], rows: int) -> Array:
    """Return the number of each row's series, (rows,) int64."""
    numbers = np.zeros(rows, np.int64)
    for facts in columns:
        own = np.unique(facts.values, return_inverse=True)[1]
        numbers = numbers * (int(own.max()) + 1) + own
        numbers = np.unique(numbers, return_inverse=True)[1]
    return numbers


def _report_repeats(time: ColumnFacts, survey: Survey, problems: Problems) -> None:
    order = np.argsort(time.values, kind="stable")
    at = int(np.argmax(np.diff(time.values[order]) == 0))
    first, second = sorted((int(order[at]) + 1, int(order[at + 1]) + 1))
    (text,) = time_texts([time.values[order[at]].item()], time.unit, time.values)
    names = [facts.name for facts in survey.columns.values() if facts.kind == TEXT]
    problems.add(
        "D401",
        f"column '{time.name}' has {text} in row {first} and in row {second}, and no column tells "
        "series apart" + (f" ({few(names)} do not)" if names else ""),
        "give one row for each time, such as the sum or the mean of its rows, or a column that "
        "names the series of each row",
    )
