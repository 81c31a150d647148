"""What `data:` says, against the inputs and outputs of the recipe: before any data is read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lstmgraph.data_needs import Need, Needs, data_needs, fitted
from lstmgraph.data_recipe import (
    CHRONOLOGICAL,
    HISTORY,
    HORIZON,
    LAST,
    ROW,
    STATIC,
    WINDOW,
    Columns,
    DataDeclaration,
    LengthOf,
)
from lstmgraph.wording import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lstmgraph.diagnostics import Path
    from lstmgraph.document import Document
    from lstmgraph.graph import Graph
    from lstmgraph.recipe import RecipeDeclaration

ABOUT_COLUMNS = ("series", "time", "window", "targets", "sample_weight")
"""Keys that say nothing where no input is made of columns."""


def check_data(recipe: RecipeDeclaration, graph: Graph, document: Document) -> None:
    """Report what of `data:` does not fit the recipe, or contradicts itself."""
    data = recipe.data
    if data is None:
        return
    if not data.is_table:
        _check_nothing_about_columns(document)
    else:
        needs = data_needs(recipe, graph)
        _check_inputs(data, needs, recipe, document)
        _check_targets(data, needs, graph, document)
        _check_windows(data, document)
        _check_lengths(data, needs, document)
        _check_shapes(data, needs, document)
        _check_answers(data, document)
    _check_split(data, document)


def _check_nothing_about_columns(document: Document) -> None:
    for key in ABOUT_COLUMNS:
        if key in document.data["data"]:
            document.report(
                "L852",
                ("data", key),
                f"'{key}' is about columns, and `inputs:` does not say which column goes where",
                hint="add `inputs:`, such as {history: {columns: [sales, price]}}",
                at_key=True,
            )
            return


def _check_inputs(
    data: DataDeclaration, needs: Needs, recipe: RecipeDeclaration, document: Document
) -> None:
    known = {**needs.inputs, **dict.fromkeys(recipe.broken)}
    _unknown_names("input", list(data.inputs), list(known), list(needs.inputs), document)
    missing = [name for name in needs.inputs if name not in data.inputs]
    for name in missing:
        document.report(
            "L852",
            ("data", "inputs"),
            f"the input '{name}' is made of no columns",
            hint=f"add `{name}:`, such as {{columns: [NAME]}}",
            at_key=True,
        )


def _check_targets(data: DataDeclaration, needs: Needs, graph: Graph, document: Document) -> None:
    outputs = document.data.get("outputs")
    written = [name for name in outputs or () if name not in graph.outputs]
    known = [*graph.outputs, *written]
    _unknown_names("target", list(data.targets), known, known, document)
    for name in data.targets:
        if name in graph.outputs and name not in needs.targets and name not in written:
            document.report(
                "L851",
                ("data", "targets", name),
                f"the output '{name}' has no loss that a target could be for",
                hint="remove it, or give the output a loss under `training:`",
                at_key=True,
            )
    path: Path = ("data", "targets") if data.targets else ("data",)
    for name in needs.targets:
        if name not in data.targets:
            document.report(
                "L852",
                path,
                f"the output '{name}' has a loss and no target",
                hint=f"add `targets:` with `{name}:`, such as {{columns: [NAME]}}",
                at_key=True,
            )


def _unknown_names(
    role: str, names: list[str], known: list[str], listed: list[str], document: Document
) -> None:
    what = "output" if role == "target" else "input"
    for name in names:
        if name not in known:
            document.report(
                "L851",
                ("data", f"{role}s", name),
                f"the recipe has no {what} '{name}'{did_you_mean(name, known)}",
                hint=f"the {what}s are: {', '.join(listed)}",
                at_key=True,
            )


def _check_windows(data: DataDeclaration, document: Document) -> None:
    window = data.window
    if window and window.history is None and not data.series:
        _report_window(
            document, ("window", "history"), "'series' makes each series one example, and there "
            "are no series", "name the column that tells them apart: `series: NAME`"
        )  # fmt: skip
    if window and window.history is not None and window.min_history > window.history:
        _report_window(
            document, ("window", "min_history"), f"the shortest history, {window.min_history}, "
            f"is longer than the history, {window.history}", "write a smaller `min_history:`"
        )  # fmt: skip
    for entry in data.all_columns:
        for key, message, hint in _entry_mistakes(entry, data):
            _report_window(document, (*entry.path[1:], key), message, hint)


def _entry_mistakes(entry: Columns, data: DataDeclaration) -> Iterator[tuple[str, str, str]]:
    """Key, message and hint of what an entry asks of a window that is not there."""
    window = data.window
    if window is None:
        if entry.steps != ROW:
            key = "static" if entry.steps == STATIC else "steps"
            yield key, "there is no window: each row is an example", "add `window:`, or remove it"
        elif entry.lag:
            yield "lag", "there is no window: each row is an example", "remove it"
        return
    if entry.steps == HORIZON and not window.horizon:
        ways = "`steps: history`, `steps: last` or `static: true`"
        mend = ways if window.history is None else f"`horizon:` under `window:`, or here {ways}"
        yield "steps", f"'{entry.name}' reads the steps ahead, and there are none", f"write {mend}"
    if entry.lag and entry.steps != HORIZON:
        yield "lag", "only steps ahead can be read with a lag", "write `steps: horizon`"
    elif entry.lag > window.min_history:
        message = f"a lag of {entry.lag} reaches before the history, of {window.min_history} steps"
        yield "lag", message, f"write at most {window.min_history}"


def _report_window(document: Document, path: Path, message: str, hint: str) -> None:
    document.report("L853", ("data", *path), message, hint=hint)


def _check_lengths(data: DataDeclaration, needs: Needs, document: Document) -> None:
    for entry in data.inputs.values():
        if not isinstance(entry, LengthOf):
            continue
        source = data.inputs.get(entry.source)
        counted = [e.name for e in data.all_columns if e.steps == HISTORY and e.name in data.inputs]
        if not isinstance(source, Columns) or source.steps != HISTORY:
            hint = f"name one of: {', '.join(counted)}" if counted else "add `window:`"
            message = f"'{entry.source}' has no history{did_you_mean(entry.source, counted)}"
            _report_window(document, ("inputs", entry.name, "length_of"), message, hint)
        need = needs.inputs.get(entry.name)
        if need and (need.shape != () or "int" not in need.dtype):
            shape = _text(need.shape or ())
            document.report(
                "L854",
                (*entry.path, "length_of"),
                f"lengths are one whole number an example, and '{entry.name}' has shape {shape} "
                f"and dtype {need.dtype}",
                hint=f"declare the input as `{entry.name}: {{shape: [], dtype: int32}}`",
            )


def _check_shapes(data: DataDeclaration, needs: Needs, document: Document) -> None:
    sizes: dict[str, tuple[int, str]] = {}
    for entry in data.all_columns:
        need = needs.targets.get(entry.name) if entry.path[1] == "targets" else None
        need = needs.inputs.get(entry.name) if entry.path[1] == "inputs" else need
        if need is None or need.shape is None or not _has_right_steps(entry, data):
            continue
        found = made_shape(entry, data)
        shape = fitted(found, need.shape)
        if shape is None:
            _report_shape(entry, found, need, document)
            continue
        for dim, size in zip(need.shape, shape, strict=True):
            if not isinstance(dim, str) or size is None or entry.path[1] != "inputs":
                continue
            known, other = sizes.setdefault(dim, (size, entry.name))
            if known != size:
                document.report(
                    "L854",
                    entry.path,
                    f"'{dim}' is {size} for '{entry.name}' and {known} for '{other}'",
                    hint="equal names mean equal sizes: give one of the inputs another name for it",
                    at_key=True,
                )


def _has_right_steps(entry: Columns, data: DataDeclaration) -> bool:
    return not list(_entry_mistakes(entry, data))


def made_shape(entry: Columns, data: DataDeclaration) -> tuple[int | None, ...]:
    """The shape without the batch, before axes of size 1 are left out: (steps, columns)."""
    if entry.steps in (ROW, STATIC, LAST):
        return (len(entry.columns),)
    return (data.steps_of(entry), len(entry.columns))


def _report_shape(
    entry: Columns, found: tuple[int | None, ...], need: Need, document: Document
) -> None:
    count = len(entry.columns)
    parts = "1 column" if count == 1 else f"{count} columns"
    if len(found) > 1:
        steps = "1 step" if found[0] == 1 else f"{found[0] or 'all'} steps"
        parts = f"{steps} of {parts}"
    shape = need.shape or ()
    kind = "input" if entry.path[1] == "inputs" else "loss"
    document.report(
        "L854",
        entry.path,
        f"'{entry.name}' is made of {parts}, and the {kind} takes {_text(shape)}",
        hint=_shape_hint(found, shape),
        at_key=True,
    )


def _shape_hint(found: tuple[int | None, ...], shape: tuple[int | str, ...]) -> str:
    if len(found) == 2 and len(shape) == 2 and fitted(found[:1], shape[:1]) is None:
        return f"read {shape[0]} steps, or make the shape [{found[0]}, ...]"
    if shape and isinstance(shape[-1], int) and len(found) == len(shape):
        return f"name {shape[-1]} columns, or make the last size {found[-1]}"
    return "change the columns or their `steps:`, or the shape"


def _text(shape: tuple[int | str, ...]) -> str:
    return f"({', '.join(str(dim) for dim in ('batch', *shape))})"


def _check_answers(data: DataDeclaration, document: Document) -> None:
    """An input that reads a target's column at the target's steps knows the answer."""
    answers = {c for t in data.targets.values() if t.steps in (HORIZON, WINDOW) for c in t.columns}
    for entry in data.inputs.values():
        if not isinstance(entry, Columns) or entry.steps not in (HORIZON, WINDOW) or entry.lag:
            continue
        for index, column in enumerate(entry.columns):
            if column in answers:
                document.report(
                    "L855",
                    (*entry.path, "columns", index),
                    f"'{entry.name}' reads '{column}' ahead, which is what is to be forecast",
                    hint="read it with `steps: history`, or with `lag: 1`, one step late",
                )


def _check_split(data: DataDeclaration, document: Document) -> None:
    split, window = data.split, data.window
    written = document.data["data"].get("split", {})
    mistakes: list[tuple[str, str, str]] = []
    if split.validation + split.test >= 1:
        key = "validation" if "validation" in written else "test"
        mistakes.append((key, "nothing is left to train on", "write smaller parts"))
    if split.kind == CHRONOLOGICAL:
        if "seed" in written:
            mistakes.append(("seed", "a chronological split is not random", "remove it"))
        if window and window.history is None:
            message = "whole series have no order in time"
            mistakes.append(("kind", message, "write `kind: random`"))
    else:
        if "gap" in written:
            mistakes.append(("gap", "a random split has no order in time", "remove it"))
        if window and window.overlaps and not data.series:
            message = "windows that share steps cannot be split at random: training would see "
            mend = "`kind: chronological`, or a stride as long as the window"
            mistakes.append(("kind", f"{message}what validates", f"write {mend}"))
    for key, message, hint in mistakes:
        document.report("L856", ("data", "split", key), message, hint=hint)
