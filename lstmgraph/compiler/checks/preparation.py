"""Check how columns of a table are cleaned: times, missing values and limits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lstmgraph.compiler.checks.data_needs import fitted
from lstmgraph.compiler.checks.metric_names import metrics_by_output
from lstmgraph.keras_facts.layers.lookups import STRING
from lstmgraph.language.declaration.cadence import UNITS, parse_cadence
from lstmgraph.language.declaration.data import (
    CHRONOLOGICAL,
    FORWARD,
    INTERPOLATE,
    MASK,
    STATIC,
    Columns,
)
from lstmgraph.messages.wording import did_you_mean, few

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lstmgraph.compiler.checks.data_needs import Needs
    from lstmgraph.language.declaration.data import Column, DataDeclaration
    from lstmgraph.language.declaration.recipe import RecipeDeclaration
    from lstmgraph.language.text.document import Document


def check_preparation(
    data: DataDeclaration, needs: Needs, recipe: RecipeDeclaration, document: Document
) -> None:
    """Report columns that nothing reads, and cleaning that is not possible."""
    _check_times(data, document)
    _check_read(data, document)
    for column in data.columns.values():
        entries = [entry for entry in data.all_columns if column.name in entry.columns]
        if not entries and f"{column.name}_missing" not in _read(data):
            continue  # reported
        _check_missing(column, entries, data, needs, document)
        _check_clip(column, entries, needs, document)
    _check_masked(data, needs, recipe, document)


def _read(data: DataDeclaration) -> list[str]:
    """Return the columns that inputs, targets and weights read."""
    return [name for entry in data.all_columns for name in entry.columns]


def _check_times(data: DataDeclaration, document: Document) -> None:
    """Report (L867) what needs a time column, and an ``every:`` that is no time."""
    for key in ("every", "calendar"):
        if key in document.data["data"] and data.time is None:
            document.report(
                "L867",
                ("data", key),
                f"'{key}' needs the times of the rows, and no column holds them",
                hint="name the column: `time: NAME`",
                at_key=True,
            )
    if data.every is not None and parse_cadence(data.every) is None:
        words = str(data.every).split()
        near = did_you_mean(words[-1], [*UNITS, *(f"{unit}s" for unit in UNITS)]) if words else ""
        document.report(
            "L867",
            ("data", "every"),
            f"'{data.every}' is no step in time{near}",
            hint="write a unit, such as `hour`, or a whole number of them, such as `15 minutes`; "
            f"the units are: {few(UNITS)}",
        )


def _check_read(data: DataDeclaration, document: Document) -> None:
    """Report (L866) columns under ``columns:`` and ``calendar:`` that nothing reads."""
    read = _read(data)
    sources = {data.source_of(name) for name in read}
    for index, name in enumerate(data.calendar):
        if name not in read and data.time is not None:
            document.report(
                "L866",
                ("data", "calendar", index),
                f"nothing reads the column '{name}'",
                hint="list it under the `columns:` of an input, or leave it out",
            )
    for name, column in data.columns.items():
        if name in {*read, *sources}:
            continue
        message = f"nothing reads the column '{name}'{did_you_mean(name, read)}"
        hint = "list it under the `columns:` of an input or a target, or remove it"
        if name in (data.time, *data.series):
            key = "time" if name == data.time else "series"
            message, hint = f"'{name}' is the `{key}:`, which is not prepared", "remove it"
        document.report("L866", column.path, message, hint=hint, at_key=True)


def _check_missing(
    column: Column,
    entries: list[Columns],
    data: DataDeclaration,
    needs: Needs,
    document: Document,
) -> None:
    """Report (L868) values that cannot stand for missing ones."""
    if column.missing is None:
        return
    for message, hint in _mistakes(column, entries, data, needs):
        document.report("L868", (*column.path, "missing"), message, hint=hint)
        return


def _mistakes(
    column: Column, entries: list[Columns], data: DataDeclaration, needs: Needs
) -> Iterator[tuple[str, str]]:
    if column.name in data.made_columns:
        yield f"'{column.name}' is made for every row, so no value is missing", "remove `missing:`"
    texts = (e for e in entries if e.path[1] == "inputs" and e.name in needs.inputs)
    if any(needs.inputs[entry.name].dtype == STRING for entry in texts):
        yield (
            f"'{column.name}' is text, in which a missing cell is the empty text",
            "remove `missing:`",
        )
    if column.missing in (FORWARD, INTERPOLATE) and _is_shuffled(data):
        where = "the row before" if column.missing == FORWARD else "rows beside it"
        yield (
            f"a value would come from {where}, which a random split may put into another part",
            "write a number or `mask`, or `split: {kind: chronological}`",
        )
    for entry in entries if column.missing == INTERPOLATE else ():
        need = needs.inputs.get(entry.name) if entry.path[1] == "inputs" else None
        need = needs.targets.get(entry.name) if entry.path[1] == "targets" else need
        if need is not None and "int" in need.dtype:
            yield (
                f"'{entry.name}' takes whole numbers, between which there are fractions",
                "write `missing: forward`, `mask` or a whole number",
            )


def _is_shuffled(data: DataDeclaration) -> bool:
    """Return whether neighbouring rows may belong to different parts, in no order of time."""
    return data.split.kind != CHRONOLOGICAL and not data.series


def _outside(column: Column, low: float | None, high: float | None) -> float | None:
    """Return the number that stands for missing values if it lies beyond the limits."""
    number = column.missing
    if not isinstance(number, int | float) or column.quantiles:
        return None
    is_within = (low is None or number >= low) and (high is None or number <= high)
    return None if is_within else number


def _check_clip(column: Column, entries: list[Columns], needs: Needs, document: Document) -> None:
    """Report (L869) limits that leave nothing, or that change nothing."""
    if "clip" not in document.data["data"]["columns"][column.name]:
        return
    low, high = column.quantiles or column.clip
    outside = _outside(column, low, high)
    inputs = [entry.name for entry in entries if entry.path[1] == "inputs"]
    whole = next((n for n in inputs if n in needs.inputs and "int" in needs.inputs[n].dtype), None)
    if low is None and high is None:
        message, hint = "without a limit, nothing is clipped", "write a number, or remove `clip:`"
    elif low is not None and high is not None and low >= high:
        message = f"the lowest value, {low:g}, is not less than the highest, {high:g}"
        written = f"[{high:g}, {low:g}]"
        written = f"{{quantiles: {written}}}" if column.quantiles else written
        hint = f"write `clip: {written}`" if low > high else "write two different numbers"
    elif column.quantiles and whole is not None:
        message = f"'{whole}' takes whole numbers, which have no quantiles"
        hint = "write the limits, such as `clip: [0, 500]`, or give the input `dtype: float32`"
    elif outside is not None:
        message = f"`missing: {outside:g}` lies beyond the limits, onto which the model moves it"
        hint = "write a number between them, or `missing: mask`"
    elif not any(entry.path[1] == "inputs" for entry in entries):
        message = f"'{column.name}' is a target only, and targets are not clipped"
        hint = "remove `clip:`; a loss such as `huber` gives outliers less weight"
    else:
        return
    document.report("L869", (*column.path, "clip"), message, hint=hint)


def _check_masked(
    data: DataDeclaration, needs: Needs, recipe: RecipeDeclaration, document: Document
) -> None:
    """Report (L868) targets whose loss or metrics cannot leave out missing steps."""
    for name, entry in data.targets.items():
        masked = [
            column
            for column in entry.columns
            if column in data.columns and data.columns[column].missing == MASK
        ]
        found = next(_uncounted(entry, data, needs, recipe), None) if masked else None
        if found:
            document.report(
                "L868",
                (*data.columns[masked[0]].path, "missing"),
                f"'{name}' cannot leave out missing steps: {found[0]}",
                hint=found[1],
                notes=(document.note(entry.path, "it is a target here"),),
            )


def _uncounted(
    entry: Columns, data: DataDeclaration, needs: Needs, recipe: RecipeDeclaration
) -> Iterator[tuple[str, str]]:
    """Yield message and hint where a loss or a metric counts all steps."""
    name = entry.name
    other = "write `missing: forward` or a number, or remove the rows"
    if entry.difference:
        yield f"with `difference: {entry.difference}` a later step needs its value", other
    if name in needs.of_batches:
        yield "its loss is one number for all rows of a batch", other
    dims = needs.weighed.get(name)
    steps = data.shape_of(entry)[:-1]
    if name in needs.weighed and entry.steps != STATIC and fitted(steps, dims or ()) is None:
        count = steps[0]
        yield (
            "its loss takes the mean over all steps of an example",
            f"let the output have an axis of steps, `{{type: reshape, target_shape: [{count}, "
            f"{len(entry.columns)}]}}`; or {other}",
        )
    training = recipe.training
    unweighted = metrics_by_output(training, list(needs.outputs)) if training else {}
    if unweighted.get(name):
        yield "`metrics` count every step", "list them under `weighted_metrics`"
