"""Check that no input of `data:` reads the answer of a target."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from lstmgraph.compiler.checks.data_misfits import entry_mistakes, misfits, misfits_with
from lstmgraph.language.declaration.data import (
    HISTORY,
    HORIZON,
    LAST,
    ROW,
    STATIC,
    WINDOW,
    Columns,
    DataDeclaration,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lstmgraph.compiler.checks.data_needs import Needs
    from lstmgraph.language.text.document import Document
    from lstmgraph.messages.diagnostics import Path

READERS: Mapping[str, tuple[str, ...]] = {
    HORIZON: (HORIZON, WINDOW, STATIC),
    WINDOW: (HORIZON, WINDOW, STATIC),
    HISTORY: (HISTORY, LAST, WINDOW, STATIC),
    LAST: (HISTORY, LAST, WINDOW, STATIC),
    STATIC: (HISTORY, HORIZON, LAST, WINDOW, STATIC),
    ROW: (ROW,),
}
"""By the steps of a target: the steps at which an input reads values of that target."""


def check_answers(data: DataDeclaration, needs: Needs, document: Document) -> None:
    """Report inputs that read a target's column at the target's own steps."""
    if any(any(entry_mistakes(entry, data)) for entry in data.all_columns):
        return  # which steps are meant is unclear, and is reported
    for entry in data.inputs.values():
        if not isinstance(entry, Columns):
            continue
        for index, name in enumerate(entry.columns):
            column, target = _answered(entry, name, data)
            if column is None or target is None:
                continue
            message, hint = _answer(entry, target, name, data, needs)
            answer = (*target.path, "columns", target.columns.index(column))
            document.report(
                "L855",
                (*entry.path, "columns", index),
                message,
                hint=hint,
                notes=(document.note(answer, "it is a target here"),),
            )


def gives_away(entry: Columns, data: DataDeclaration) -> bool:
    """Return whether an input reads the answer of a target."""
    return any(_answered(entry, name, data)[1] for name in entry.columns)


def _answered(
    entry: Columns, name: str, data: DataDeclaration
) -> tuple[str | None, Columns | None]:
    """Return the table's column behind one of an input's, and the target that it gives away."""
    read = {data.source_of(each) for each in entry.columns}
    column = data.source_of(name)  # that a value is missing is known no earlier than it
    given = (t for t in data.targets.values() if _gives_away(read, entry, t, column))
    return column, next(given, None)


def _gives_away(read: set[str | None], entry: Columns, target: Columns, column: str | None) -> bool:
    """Return whether an input, made of the table's columns `read`, reads `column` at its steps.

    An autoencoder does so by intent: its target has every column of the input.
    """
    if target.steps in (HISTORY, ROW) and read <= set(target.columns):
        return False
    read_at = HISTORY if entry.lag else entry.steps  # steps ahead read late are those before
    return column in target.columns and read_at in READERS[target.steps]


def read_otherwise(entry: Columns, data: DataDeclaration, needs: Needs, path: Path) -> list[str]:
    """Return the ways to read an input after which the entry at `path` fits, as all others do."""
    others = misfits(data, needs).keys() - {path}
    ways = []
    for steps, lag in ((HISTORY, 0), (HORIZON, 0), (HORIZON, 1), (WINDOW, 0)):
        other = replace(entry, steps=steps, lag=lag)
        needless = lag and not gives_away(replace(other, lag=0), data)
        if other == entry or needless or any(entry_mistakes(other, data)):
            continue
        if not gives_away(other, data) and misfits_with(other, data, needs) <= others:
            written = [f"`steps: {steps}`"] if steps != entry.steps else []
            written += [f"`lag: {lag}`, one step late"] if lag else []
            ways.append(" and ".join(written))
    return ways


def _answer(
    entry: Columns, target: Columns, column: str, data: DataDeclaration, needs: Needs
) -> tuple[str, str]:
    """Return the message and the hint for an input that gives a target away."""
    if target.steps in (HORIZON, WINDOW) and entry.steps != STATIC:
        message = f"'{entry.name}' reads '{column}' at the steps that are to be forecast"
        ways = read_otherwise(entry, data, needs, entry.path)
        if ways:
            return message, f"read it with {', or with '.join(ways)}"
        return message, f"leave '{column}' out of '{entry.name}'"
    remedy = f"leave '{column}' out of '{entry.name}'"
    if target.steps == LAST:
        remedy += ", or forecast it: the target with `steps: horizon`"
    elif target.steps in (HISTORY, ROW):
        remedy += "; the input of an autoencoder has only columns of its target"
    return f"'{entry.name}' reads '{column}', the answer of '{target.name}' itself", remedy
