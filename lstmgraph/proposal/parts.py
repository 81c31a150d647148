"""Parts of the text of proposed recipes."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lstmgraph.messages.rendering.printable import printable
from lstmgraph.messages.wording import counted, shortened
from lstmgraph.proposal.roles import LOG, scale_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from lstmgraph.proposal.order import Order
    from lstmgraph.proposal.roles import Roles
    from lstmgraph.proposal.survey import ColumnFacts, Survey

_COMMENTS = 56
"""The column of the comments at the ends of lines."""
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_WORDS = {"y", "n", "yes", "no", "on", "off", "true", "false", "null"}
TRAINING = ("  batch_size: 64", "  epochs: 50")
STOPPING = "  callbacks: {early_stopping: {patience: 5, restore_best_weights: true}}"


@dataclass(frozen=True)
class Seen:
    """What is known of the table that a recipe is for."""

    name: str
    """The name of the recipe."""
    table: str
    """The name of the table's file."""
    survey: Survey
    order: Order | None
    roles: Roles
    horizon: int | None = None
    """How many steps ahead the user wants to forecast."""


def inputs_of(names: Sequence[str]) -> str:
    """Return what a layer reads: one name, or a list."""
    return names[0] if len(names) == 1 else f"[{', '.join(names)}]"


def calendar_of(order: Order) -> list[str]:
    """Return the columns of the calendar that suit the step and the length of the table."""
    if not order.time.unit or order.step is None:
        return []
    found = list(order.step.calendar)
    if order.step.yearly and order.years >= 2:
        found += [f"{order.step.yearly}_sin", f"{order.step.yearly}_cos"]
    return found


def calendar_line(order: Order) -> list[str]:
    """Return the line of ``calendar:``; none where no part of the calendar matters."""
    names = ", ".join(calendar_of(order))
    return [noted(f"  calendar: [{names}]", _why_calendar(order))] if names else []


def _why_calendar(order: Order) -> str:
    why = order.step.calendar_reason if order.step else ""
    if order.step and order.step.yearly and order.years >= 2:
        return f"{why} and the time of year" if why else "the time of year"
    return why


def noted(code: str, comment: str) -> str:
    """Return a line with a comment at its end."""
    return f"{code.ljust(_COMMENTS)} # {comment}" if comment else code


def text_of(name: str) -> str:
    """Return the name of a column for a comment."""
    return printable(shortened(name, 40))


def word(name: str) -> str:
    """Return the name of a column in YAML."""
    if _PLAIN.fullmatch(name) and name.lower() not in _WORDS:
        return name
    return json.dumps(name, ensure_ascii=False)


def looked_at(seen: Seen) -> list[str]:
    """Return the comment that names the table."""
    rows = counted(seen.survey.rows, "row")
    what = rows if seen.survey.is_whole else f"the first {rows}"
    return ["", f"# From {what} of {text_of(seen.table)}."]


def input_line(name: str, steps: int, columns: Sequence[object], comment: str) -> list[str]:
    """Return the line of an input, (steps, columns) or (columns,); none without columns."""
    if not columns:
        return []
    shape = f"{steps}, {len(columns)}" if steps else f"{len(columns)}"
    return [noted(f"  {name}: {{shape: [{shape}]}}", comment)]


def static_columns(static: Sequence[ColumnFacts]) -> list[str]:
    """Return the line of the input of static columns under ``data:``."""
    columns = ", ".join(word(facts.name) for facts in static)
    return [f"    static: {{columns: [{columns}], static: true}}"] if static else []


def series_and_time(order: Order, *, is_whole: bool) -> list[str]:
    """Return the lines of ``series:``, ``time:`` and ``every:``."""
    names = ", ".join(map(word, order.series))
    series = names if len(order.series) == 1 else f"[{names}]"
    lines = []
    if order.series:
        count = counted(len(order.lengths), "series", "series") + ("" if is_whole else " or more")
        lines = [noted(f"  series: {series}", f"{count}; each time once in each")]
    lines += [f"  time: {word(order.time.name)}"]
    every = order.step.every if order.step else None
    if every is not None:
        why = "times are missing: their rows are put in" if order.has_gaps else "between two rows"
        lines += [noted(f"  every: {every}", why)]
    return lines


def column_lines(seen: Seen, read: Iterable[ColumnFacts], order: Order | None) -> list[str]:
    """Return how each column is prepared: what stands for missing values, and its scale."""
    fills = order is not None and bool(order.step and order.step.every) and order.has_gaps
    lines = []
    for facts in read:
        is_target = facts.name == seen.roles.target.name
        scale = scale_of(facts)
        missing = fills or facts.missing or not seen.survey.is_whole
        own, why = [], []
        if missing:
            own.append(f"missing: {_filling(facts, seen)}")
            why.append(counted(facts.missing, "empty cell") if facts.missing else "")
            if not seen.survey.is_whole:
                why.append("for cells that may be empty")
        if scale:
            own.append(f"scale: {scale}")
            why.append(_why_scale(scale, is_target=is_target))
        if own:
            text = f"    {word(facts.name)}: {{{', '.join(own)}}}"
            lines.append(noted(text, "; ".join(filter(None, why))))
    return ["  columns:", *lines] if lines else []


def _filling(facts: ColumnFacts, seen: Seen) -> str:
    """Return what stands for missing values: the ones before; the median, if none may be before."""
    if seen.order is not None and seen.survey.is_whole and not _begins_empty(facts, seen.order):
        return "forward"
    return f"{float(np.median(facts.present)):.6g}"


def _begins_empty(facts: ColumnFacts, order: Order) -> bool:
    """Return whether the first row of some series has no value."""
    rows = np.lexsort((order.time.values, order.numbers))
    first = rows[np.unique(order.numbers[rows], return_index=True)[1]]
    return bool(np.isnan(facts.values[first]).any())


def _why_scale(scale: str, *, is_target: bool) -> str:
    if scale == LOG:
        return "many small values, few large ones"
    return "forecasts keep the column's units" if is_target else ""


def why_target(roles: Roles) -> list[str]:
    """Return the comment on a guessed target."""
    if not roles.guess:
        return []
    return [f"    # {roles.guess}: --target NAME of `lstmgraph init` takes another column"]


def left_out_lines(roles: Roles) -> list[str]:
    """Return the comments on columns that are not read."""
    if not roles.left_out:
        return []
    lines = [f"#   {text_of(name)}: {printable(why)}" for name, why in roles.left_out.items()]
    return ["", "# Not read:", *lines]
