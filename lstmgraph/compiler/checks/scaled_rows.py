"""Check columns that are scaled per series or window, or of which differences are read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lstmgraph.keras_facts.layers.lookups import STRING
from lstmgraph.language.declaration.data import (
    HORIZON,
    LAST,
    PER_SERIES,
    PER_WINDOW,
    ROW,
    STATIC,
)
from lstmgraph.language.declaration.row_numbers import history_of, series_input

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lstmgraph.compiler.graph import Graph
    from lstmgraph.language.declaration.data import Column, Columns, DataDeclaration
    from lstmgraph.language.text.document import Document

Mistake = tuple[str, str]
"""Message and hint."""


def check_rows(data: DataDeclaration, graph: Graph, document: Document) -> None:
    """Report (L870) what ``per:`` lacks, and (L871) differences that inputs cannot read."""
    for column in data.columns.values():
        entries = [entry for entry in data.all_columns if column.name in entry.columns]
        found = next(_per_mistakes(column, entries, data, graph), None) if column.per else None
        if found is not None:
            message, hint = found
            document.report("L870", (*column.path, "per"), message, hint=hint, at_key=True)
        found = next(_change_mistakes(column, entries, data, graph), None)
        if column.difference and found is not None:
            message, hint = found
            document.report("L871", (*column.path, "difference"), message, hint=hint, at_key=True)


def _per_mistakes(
    column: Column, entries: list[Columns], data: DataDeclaration, graph: Graph
) -> Iterator[Mistake]:
    if not column.scale:
        yield f"'{column.name}' is not scaled", "add `scale: standard`, or remove `per:`"
    elif column.per == PER_SERIES:
        yield from _series_mistakes(data, graph)
    else:
        yield from _window_mistakes(column, entries, data, graph)


def _series_mistakes(data: DataDeclaration, graph: Graph) -> Iterator[Mistake]:
    """Yield why the model does not know the series of a row."""
    if len(data.series) != 1:
        message = "no column has it" if not data.series else "several columns have parts of it"
        hint = "add `series: NAME`" if not data.series else "put the names into one column"
        yield (
            f"the numbers of each series need its name, and {message}",
            (f"{hint}, or write `per: window`"),
        )
        return
    (name,) = data.series
    found = series_input(data)
    if found is None:
        yield (
            "no input has the name of the series, by which the model finds its numbers",
            f"add `{name}: {{shape: [], dtype: string}}` to `inputs:`, and `{name}: {{columns: "
            f"[{name}], static: true}}` under `data:`; or write `per: window`",
        )
        return
    tensor = graph.inputs.get(found)
    if tensor is not None and (tensor.spec.dtype != STRING or tensor.spec.rank > 2):
        yield (
            f"the input '{found}' is {tensor.spec}, and names of series are one text a row",
            f"declare it as `{found}: {{shape: [], dtype: string}}`",
        )


def _window_mistakes(
    column: Column, entries: list[Columns], data: DataDeclaration, graph: Graph
) -> Iterator[Mistake]:
    """Yield why a window has no numbers of its own."""
    others = "write `per: series`, or remove `per:`"
    if column.fitted:
        yield "each window has its own numbers, so that none are fitted", "remove `fitted:`"
    if column.scale == "robust":
        yield "a window has no `robust` numbers", "write `scale: standard` or `min_max`"
    if column.difference:
        yield "a window has no numbers of differences", f"remove `difference:`, or {others}"
    for entry in entries:
        if entry.path[1] == "sample_weight":
            continue
        together = [
            name
            for name in entry.columns
            if name in data.columns and data.columns[name].per == PER_WINDOW
        ]
        history = history_of(together, data)
        window = data.window
        if window is None or history is None:
            yield (
                f"'{entry.name}' needs the history of {', '.join(together)}, and no input has it",
                f"add it to the columns of an input with `steps: history`; or {others}",
            )
            return
        lengths = data.lengths_of(history.name)
        is_padded = window.history is None or window.min_history < window.history
        if lengths is None and is_padded:
            yield (
                f"how many steps of '{history.name}' count is not known",
                f"add an input `lengths: {{length_of: {history.name}}}`, or remove `min_history:`",
            )
            return
        yield from _time_major(history.name, graph)


def _change_mistakes(
    column: Column, entries: list[Columns], data: DataDeclaration, graph: Graph
) -> Iterator[Mistake]:
    """Yield why differences of a column cannot be read."""
    if not any(entry.path[1] == "inputs" for entry in entries):
        hint = "remove it; a target has a `difference:` of its own"
        yield f"no input reads '{column.name}'", hint
    for entry in entries:
        if entry.path[1] == "inputs":
            yield from _input_mistakes(column, entry, data, graph)
        elif entry.path[1] == "targets":
            yield from _target_mistakes(column, entry, data)


def _input_mistakes(
    column: Column, entry: Columns, data: DataDeclaration, graph: Graph
) -> Iterator[Mistake]:
    if data.window is None or entry.steps in (STATIC, ROW, LAST):
        hint = "read the steps of a window, or remove `difference:`"
        yield f"'{entry.name}' has no steps to subtract", hint
        return
    tensor = graph.inputs.get(entry.name)
    if tensor is None:
        return
    yield from _time_major(entry.name, graph)
    if tensor.spec.rank != 3:
        hint = f"declare it as `shape: [time, {len(entry.columns)}]`"
        yield f"'{entry.name}' is {tensor.spec}, and not (batch, steps, columns)", hint
    steps = data.shape_of(entry)[0]
    if steps is not None and column.difference >= steps:
        yield (
            f"'{entry.name}' has {steps} steps, and none has a value {column.difference} before it",
            "write a smaller difference, or a longer window",
        )


def _target_mistakes(column: Column, entry: Columns, data: DataDeclaration) -> Iterator[Mistake]:
    prepared = [data.columns[name] for name in entry.columns if name in data.columns]
    if column.scale and (not entry.difference or entry.steps != HORIZON):
        yield (
            f"'{column.name}' is scaled by its differences, which '{entry.name}' does not forecast",
            f"write `difference: {column.difference}` for the target too, or read the values from "
            "another column",
        )
    elif entry.difference and not all(
        any(own.name == name and own.difference for own in prepared) for name in entry.columns
    ):
        yield (
            f"'{entry.name}' forecasts '{column.name}' and columns without a difference",
            "write `difference:` for all of its columns, or make two targets",
        )


def _time_major(name: str, graph: Graph) -> Iterator[Mistake]:
    tensor = graph.inputs.get(name)
    if tensor is not None and tensor.time_major:
        yield f"'{name}' has its steps on the first axis", f"remove `time_major:` of '{name}'"
