"""Decide what each column of a table is for: target, known ahead, static, or left out."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from lstmgraph.messages.wording import few
from lstmgraph.proposal.order import CALENDAR, Order
from lstmgraph.proposal.sentences import unread_text
from lstmgraph.proposal.survey import EMPTY, NUMBER, OTHER, TEXT, TIME, ColumnFacts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lstmgraph.data.problems import Problems
    from lstmgraph.data.values import Array
    from lstmgraph.proposal.survey import Survey

_TARGETS = (
    *("target", "y", "label", "value", "sales", "demand", "count", "cnt", "quantity", "qty"),
    *("load", "consumption", "power", "price", "close", "temperature", "temp"),
)
"""Names of columns that are forecast most often, the likeliest first."""
_IDS = re.compile(r"(?i)(.*[ _-])?(id|index|instant|uuid|key|no|nr)")
MOST_COLUMNS = 50
"""The most columns beside the target that a recipe reads."""
MOSTLY_EMPTY = 0.3
MOST_CLASSES = 20
MOST_NAMES = 1_000
"""The most classes of texts; a recipe lists them."""
LONG_NAME = 500
SKEWED = 1.0
"""The skewness from which a logarithm helps."""
STANDARD, LOG = "standard", "log"


@dataclass(frozen=True)
class Wishes:
    """What the user has said about the recipe."""

    target: str | None = None
    known: tuple[str, ...] = ()
    horizon: int | None = None


@dataclass(frozen=True)
class Roles:
    """What each column is for."""

    target: ColumnFacts
    guess: str
    """Why this is the target; empty if the user has said so."""
    known: tuple[ColumnFacts, ...] = ()
    """Columns whose values are known ahead, beside those of the calendar."""
    past: tuple[ColumnFacts, ...] = ()
    """Columns that are known up to now; in a table without time, the features."""
    static: tuple[ColumnFacts, ...] = ()
    """Columns with one value for each series."""
    texts: tuple[ColumnFacts, ...] = ()
    """Columns of texts, which are features in a table without time."""
    left_out: dict[str, str] = field(default_factory=dict)
    """Why other columns are not read, by name."""

    @property
    def read(self) -> tuple[ColumnFacts, ...]:
        """All columns of numbers that the recipe reads, the target first."""
        return (self.target, *self.known, *self.past, *self.static)


def roles_of(
    survey: Survey, order: Order | None, wishes: Wishes, problems: Problems
) -> Roles | None:
    """Return what each column is for; None if a problem was reported."""
    taken = {order.time.name, *order.series} if order else set()
    left_out: dict[str, str] = {}
    usable = []
    for facts in survey.columns.values():
        if facts.name in taken or facts.name == wishes.target:
            continue
        reason = _unusable(facts, order, wishes)
        if reason:
            left_out[facts.name] = reason
        else:
            usable.append(facts)
    found = _target(survey, usable, order, wishes, problems)
    if found is None:
        return None
    target, guess = found
    rest = [facts for facts in usable if facts.name != target.name]
    for facts in rest[MOST_COLUMNS:]:
        left_out[facts.name] = f"one of more than {MOST_COLUMNS} columns"
    rest = rest[:MOST_COLUMNS]
    texts = tuple(f for f in rest if f.kind == TEXT)
    rest = [facts for facts in rest if facts.kind != TEXT]
    static = [f for f in rest if f.name not in wishes.known and order and is_static(f, order)]
    return Roles(
        target,
        guess,
        tuple(f for f in rest if f.name in wishes.known),
        tuple(f for f in rest if f.name not in wishes.known and f not in static),
        tuple(static),
        texts,
        left_out,
    )


def check_names(survey: Survey, wishes: Wishes, problems: Problems) -> None:
    """Report columns that the user names and the table does not have, or not as numbers."""
    known = list(survey.columns)
    for name in (*([wishes.target] if wishes.target else []), *wishes.known):
        if name not in survey.columns:
            near = problems.guesses.did_you_mean(name, known)
            message, hint = f"there is no column '{name}'{near}", f"the columns are: {few(known)}"
            if len(known) == 1:
                hint += "; separate columns by a comma, a semicolon, | or a tab"
            problems.add("D201", message, hint)
    for name in wishes.known:
        facts = survey.columns.get(name)
        if name == wishes.target:
            problems.add(
                "D201",
                f"the target '{name}' is not known ahead",
                "leave it out of --known",
            )
        elif facts and facts.kind != NUMBER:
            problems.add(
                "D202",
                f"column '{name}' holds {_WHAT[facts.kind]}, not numbers",
                "convert it to numbers, or leave it out of --known",
            )


_WHAT = {TEXT: "text", TIME: "times", EMPTY: "nothing", OTHER: "neither numbers nor text"}


def _unusable(facts: ColumnFacts, order: Order | None, wishes: Wishes) -> str:
    """Return why a column is not read, or an empty text."""
    if facts.kind != NUMBER:
        if facts.kind == TEXT and _has_comma_numbers(facts):
            return f"'{facts.words[0]}' is no number: write a decimal point"
        if facts.kind == TEXT and order is None:
            return unread_text(facts)
        return {TEXT: "text", TIME: "another time", EMPTY: "empty"}.get(facts.kind, "no numbers")
    if facts.name in wishes.known:
        return ""
    if facts.is_constant:
        return "always the same"
    if facts.missing > MOSTLY_EMPTY * len(facts.values):
        return f"{facts.missing / len(facts.values):.0%} of its cells are empty"
    if order and order.time.unit and CALENDAR.fullmatch(facts.name):
        return "a part of the time, which `calendar:` gives"
    if _IDS.fullmatch(facts.name) and facts.is_whole:
        return "an id"
    if len(facts.name) > LONG_NAME:
        return f"its name has more than {LONG_NAME} characters"
    return ""


def _has_comma_numbers(facts: ColumnFacts) -> bool:
    words = [word for word in facts.words[:20] if word]
    return bool(words) and all(re.fullmatch(r"[+-]?[\d.]*,\d+", word.strip()) for word in words)


def _target(
    survey: Survey,
    usable: Sequence[ColumnFacts],
    order: Order | None,
    wishes: Wishes,
    problems: Problems,
) -> tuple[ColumnFacts, str] | None:
    """Return the target, and why; None if a problem was reported."""
    if wishes.target is not None:
        target = survey.columns[wishes.target]
        if target.kind == NUMBER:
            return target, ""
        if target.kind == TEXT:
            return (target, "") if _has_classes(target, problems) else None
        problems.add(
            "D202",
            f"column '{target.name}' holds {_WHAT[target.kind]}, not numbers",
            "convert it to numbers, or write classes as ids from 0",
        )
        return None
    if order is None:
        problems.add(
            "D201",
            "no column holds times, and without them the target must be named",
            f"add --target NAME; the columns are: {few(list(survey.columns))}",
        )
        return None
    options = [f for f in usable if f.name not in wishes.known and not is_static(f, order)]
    moving = [facts for facts in options if not facts.is_flag] or options
    if not moving:
        columns = [f"{name} ({why})" for name, why in _others(survey, usable, order, wishes)]
        problems.add(
            "D201",
            "no column holds numbers that change from row to row"
            + (f": {few(columns)}" if columns else ""),
            "name the column to predict: --target NAME",
        )
        return None
    by_name = {facts.name.lower(): facts for facts in reversed(moving)}
    for name in _TARGETS:
        if name in by_name:
            return by_name[name], "a guess by its name"
    return moving[-1], "a guess, as the last column of numbers"


def _has_classes(target: ColumnFacts, problems: Problems) -> bool:
    """Return whether texts are classes; report it if not."""
    count, rows = len(target.words), len(target.values) - target.missing
    name = target.name
    if count < 2:
        message, hint = f"'{name}' has one class", "give rows of at least two classes"
        problems.add("D441", f"{message}, so there is nothing to tell apart", hint)
    elif 2 * count > rows or count > MOST_NAMES:
        problems.add(
            "D442",
            f"'{name}' has {count:,} different texts in {rows:,} rows: too many for classes",
            "name another --target, or replace rare texts by one, such as 'other'",
        )
    return not problems.errors


def _others(
    survey: Survey, usable: Sequence[ColumnFacts], order: Order, wishes: Wishes
) -> list[tuple[str, str]]:
    """Return the columns that are no targets, and why."""
    found = []
    for facts in survey.columns.values():
        if facts.name not in (order.time.name, *order.series):
            why = "the same in each series" if facts in usable else _unusable(facts, order, wishes)
            found.append((facts.name, "known ahead" if facts.name in wishes.known else why))
    return found


def is_static(facts: ColumnFacts, order: Order) -> bool:
    """Return whether a column has one value for each of several series."""
    if not order.series:
        return False
    by_series = np.lexsort((facts.values, order.numbers))
    values, series = facts.values[by_series], order.numbers[by_series]
    same = np.diff(series) == 0
    return bool((np.diff(values)[same] == 0).all())


def scale_of(facts: ColumnFacts) -> str | None:
    """Return the scale that suits a column; None for 0 and 1, ``log`` for skewed ones from 0 on."""
    if facts.is_flag:
        return None
    present = facts.present
    if present.min() < 0 or _skew(present) <= SKEWED:
        return STANDARD
    return LOG if abs(_skew(np.log1p(present))) < _skew(present) else STANDARD


def _skew(values: Array) -> float:
    """Return the skewness, the third standardized moment."""
    spread = values.std()
    return float((((values - values.mean()) / spread) ** 3).mean()) if spread > 0 else 0.0


def is_class(facts: ColumnFacts) -> bool:
    """Return whether a column holds classes: texts, or a few ids from 0."""
    if facts.kind == TEXT:
        return True
    if not facts.is_whole or not len(facts.present):
        return False
    distinct = np.unique(facts.present)
    return bool(distinct[0] >= 0 and len(distinct) <= MOST_CLASSES and distinct[-1] < 100)
