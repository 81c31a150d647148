"""Check the windows of `data:` against the shapes of inputs, losses and weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lstmgraph.compiler.checks.data_needs import Need, Needs, fitted
from lstmgraph.language.declaration.data import (
    HISTORY,
    HORIZON,
    ROW,
    STATIC,
    Columns,
    DataDeclaration,
    LengthOf,
)
from lstmgraph.messages.wording import did_you_mean, few

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lstmgraph.keras_facts.tensors import Dim
    from lstmgraph.language.text.document import Document
    from lstmgraph.messages.diagnostics import Note


def check_shapes(data: DataDeclaration, needs: Needs, document: Document) -> None:
    """Report tensors that windows give another shape than the recipe declares."""
    for entry in data.inputs.values():
        if isinstance(entry, LengthOf):
            _check_lengths(entry, data, needs.inputs.get(entry.name), document)
    sizes: dict[str, tuple[int, str]] = {}
    for entry in data.all_columns:
        needed = {"inputs": needs.inputs, "targets": needs.targets}.get(str(entry.path[1]), {})
        need = needed.get(entry.name)
        if need is None or need.shape is None or list(entry_mistakes(entry, data)):
            continue
        shape = fitted(data.shape_of(entry), need.shape)
        if shape is None:
            _report_shape(entry, data, need, document)
        elif entry.path[1] == "inputs":
            _bind(entry, need.shape, shape, sizes, document)
    for name, entry in data.sample_weights.items():
        if not list(entry_mistakes(entry, data)):
            _check_weight(name, entry, data, needs, document)


def entry_mistakes(entry: Columns, data: DataDeclaration) -> Iterator[tuple[str, str, str]]:
    """Yield key, message and hint for each way in which an entry does not fit the window."""
    window = data.window
    if window is None:
        if entry.steps != ROW:
            key = "static" if entry.steps == STATIC else "steps"
            yield key, "there is no window; each row is an example", "add `window:`, or remove it"
        elif entry.lag:
            yield "lag", "there is no window; each row is an example", "remove it"
        return
    if entry.steps == HORIZON and not window.horizon:
        others = "`steps: history`, `steps: last` or `static: true`"
        fix = others if window.history is None else f"`horizon:` under `window:`, or here {others}"
        yield "steps", f"'{entry.name}' reads the horizon, but there is none", f"write {fix}"
    if entry.lag and entry.steps != HORIZON:
        yield "lag", "only the horizon can be read with a lag", "write `steps: horizon`"
    elif entry.lag > window.min_history:
        message = (
            f"a lag of {entry.lag} reaches back before the history of {window.min_history} steps"
        )
        yield "lag", message, f"write at most {window.min_history}"


def _check_lengths(
    entry: LengthOf, data: DataDeclaration, need: Need | None, document: Document
) -> None:
    source = data.inputs.get(entry.source)
    counted = [e.name for e in data.all_columns if e.steps == HISTORY and e.name in data.inputs]
    path = (*entry.path, "length_of")
    if not isinstance(source, Columns) or source.steps != HISTORY:
        message = f"'{entry.source}' has no history{did_you_mean(entry.source, counted)}"
        hint = f"write one of: {few(counted)}" if counted else "add `window:`"
        source_path = ("data", "inputs", entry.source)
        is_written = source_path in document.values
        notes = (document.note(source_path, "it is defined here"),) if is_written else ()
        document.report("L853", path, message, hint=hint, notes=notes)
    if need and (need.shape != () or "int" not in need.dtype):
        document.report(
            "L854",
            path,
            f"a length must be one whole number per example, but '{entry.name}' has shape "
            f"{_text(need.shape or ())} and dtype {need.dtype}",
            hint=f"declare the input as `{entry.name}: {{shape: [], dtype: int32}}`",
            notes=(document.note(("inputs", entry.name), "the input is declared here"),),
        )


def _bind(
    entry: Columns,
    wanted: tuple[Dim, ...],
    shape: tuple[int | None, ...],
    sizes: dict[str, tuple[int, str]],
    document: Document,
) -> None:
    """Report a named dimension that has two sizes."""
    for dim, size in zip(wanted, shape, strict=True):
        if not isinstance(dim, str) or size is None:
            continue
        known, other = sizes.setdefault(dim, (size, entry.name))
        if known != size:
            document.report(
                "L854",
                entry.path,
                f"'{dim}' is {size} for '{entry.name}' but {known} for '{other}'",
                hint="equal names mean equal sizes: name the dimension of one input differently",
                at_key=True,
                notes=tuple(
                    document.note(("inputs", name, "shape"), f"'{name}' is declared here")
                    for name in (entry.name, other)
                ),
            )


def _check_weight(
    of: str, entry: Columns, data: DataDeclaration, needs: Needs, document: Document
) -> None:
    """Report weights that fit no loss: one per example, or one per step of the loss."""
    actual = data.shape_of(entry)
    if fitted(actual, ()) is not None:
        return
    for name, dims in needs.weighed.items():
        if of not in ("", name):
            continue
        if len(entry.columns) != 1 or fitted(actual[:-1], dims or ()) is None:
            document.report(
                "L854",
                entry.path,
                f"the weight has {_size_text(entry, actual)}, but the loss of '{name}' takes "
                f"{_text(dims or ())}",
                hint="read one column, with the steps of the targets, or with `static: true`",
                at_key=True,
            )
            return


def _size_text(entry: Columns, actual: tuple[int | None, ...]) -> str:
    count = len(entry.columns)
    columns = "1 column" if count == 1 else f"{count} columns"
    if len(actual) == 1:
        return columns
    steps = "1 step" if actual[0] == 1 else f"{actual[0] or 'all'} steps"
    return f"{steps} of {columns}"


def _report_shape(entry: Columns, data: DataDeclaration, need: Need, document: Document) -> None:
    actual, shape = data.shape_of(entry), need.shape or ()
    kind = "input" if entry.path[1] == "inputs" else "loss"
    document.report(
        "L854",
        entry.path,
        f"'{entry.name}' has {_size_text(entry, actual)}, but the {kind} takes {_text(shape)}",
        hint=_sequence_hint(entry, actual, shape, document) or _shape_hint(actual, shape, kind),
        at_key=True,
        notes=(_shape_note(entry, kind, document),),
    )


def _shape_note(entry: Columns, kind: str, document: Document) -> Note:
    if kind == "input":
        return document.note(("inputs", entry.name, "shape"), "the input is declared here")
    return document.note(("outputs", entry.name), "the output is declared here")


def _sequence_hint(
    entry: Columns, actual: tuple[int | None, ...], shape: tuple[Dim, ...], document: Document
) -> str | None:
    """Return the hint to read every step of a recurrent layer, where a target has steps.

    The way from the output is followed as it is written, through layers with one input.
    """
    if entry.path[1] != "targets" or (len(actual), len(shape)) != (2, 1):
        return None
    name, reader = document.at(("outputs", entry.name)), None
    seen: set[str] = set()
    while isinstance(name, str) and name not in seen:
        seen.add(name)
        layer = document.at(("layers", name))
        kind = layer.get("type") if isinstance(layer, dict) else None
        if reader and isinstance(kind, str) and kind.lower() in _RECURRENT:
            return f"write `input: {name}.sequence` in '{reader}', which then has every step"
        name, reader = document.at(("layers", name, "input")), name
    return None


_RECURRENT = frozenset({"lstm", "gru", "simple_rnn", "simplernn", "rnn"})


def _shape_hint(actual: tuple[int | None, ...], shape: tuple[Dim, ...], kind: str) -> str:
    if len(actual) == len(shape) == 2 and fitted(actual[:1], shape[:1]) is None:
        if kind == "loss":
            return f"read {shape[0]} steps, or let the output have {actual[0]} steps"
        any_length = f"`shape: [time, {shape[1]}]`, which takes any number of steps"
        return f"read {shape[0]} steps, or write {any_length}"
    if shape and isinstance(shape[-1], int) and len(actual) == len(shape):
        return f"list {shape[-1]} columns, or make the last dimension {actual[-1]}"
    return "change the columns or their `steps:`, or the shape"


def _text(shape: tuple[Dim, ...]) -> str:
    return f"({', '.join(str(dim) for dim in ('batch', *shape))})"
