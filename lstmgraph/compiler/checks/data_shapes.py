"""Check the windows of `data:` against the shapes of inputs, losses and weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lstmgraph.compiler.checks.data_answers import read_otherwise
from lstmgraph.compiler.checks.data_misfits import Misfit, known_sizes, misfits
from lstmgraph.compiler.checks.data_needs import Needs, fitted
from lstmgraph.language.declaration.data import (
    HISTORY,
    Columns,
    DataDeclaration,
    LengthOf,
)
from lstmgraph.messages.wording import did_you_mean, few

if TYPE_CHECKING:
    from lstmgraph.keras_facts.tensors import Dim
    from lstmgraph.language.text.document import Document
    from lstmgraph.messages.diagnostics import Note


def check_shapes(data: DataDeclaration, needs: Needs, document: Document) -> None:
    """Report tensors that windows give another shape than the recipe declares."""
    for entry in data.inputs.values():
        if isinstance(entry, LengthOf):
            _check_lengths(entry, data, needs, document)
    for misfit in misfits(data, needs).values():
        _report(misfit, data, needs, document)


def _check_lengths(
    entry: LengthOf, data: DataDeclaration, needs: Needs, document: Document
) -> None:
    need = needs.inputs.get(entry.name)
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
    elif need is not None:
        _check_counted_steps(entry, source, data, needs, document)
    if need and (need.shape != () or "int" not in need.dtype):
        document.report(
            "L854",
            path,
            f"a length must be one whole number per example, but '{entry.name}' has shape "
            f"{_text(need.shape or ())} and dtype {need.dtype}",
            hint=f"declare the input as `{entry.name}: {{shape: [], dtype: int32}}`",
            notes=(document.note(("inputs", entry.name), "the input is declared here"),),
        )


def _check_counted_steps(
    entry: LengthOf, source: Columns, data: DataDeclaration, needs: Needs, document: Document
) -> None:
    """Report lengths of the history that would mask fewer steps: they are lengths of others."""
    steps = data.window.history if data.window else None
    limits = needs.inputs[entry.name].limits_with(known_sizes(data, needs))
    fewest = min((high for limit, high in limits if high is not None), default=None)
    if steps is None or fewest is None or fewest >= steps:
        return
    document.report(
        "L854",
        (*entry.path, "length_of"),
        f"'{entry.name}' counts up to {steps} steps of '{source.name}', but masks a sequence of "
        f"{fewest}",
        hint="mask only what has the steps of the history; the horizon has no padding",
        notes=(document.note(source.path, f"'{source.name}' is read here", at_key=True),),
    )


def _report(misfit: Misfit, data: DataDeclaration, needs: Needs, document: Document) -> None:
    entry, other = misfit.entry, misfit.source
    section = str(entry.path[1])
    size = _size_text(entry, misfit.actual)
    shape = _text(misfit.wanted)
    notes: tuple[Note, ...] = ()
    if section == "sample_weight":
        message = f"the weight has {size}, but the loss of '{misfit.output}' takes {shape}"
        hint = "read one column, with the steps of the targets, or with `static: true`"
    elif section == "inputs" and other is not None:
        message = (
            f"'{misfit.name}' is {misfit.actual[misfit.wanted.index(misfit.name)]} for "
            f"'{entry.name}' but {misfit.given} for '{other.name}'"
        )
        hint = "equal names mean equal sizes: name the dimension of one input differently"
        notes = tuple(
            document.note(("inputs", name, "shape"), f"'{name}' is declared here")
            for name in (entry.name, other.name)
        )
    else:
        kind = "input" if section == "inputs" else "loss"
        message = f"'{entry.name}' has {size}, but the {kind} takes {shape}"
        hint = _sequence_hint(misfit, document) or _shape_hint(misfit, data, needs, kind)
        notes = (_shape_note(entry, kind, document), *_size_notes(misfit, document))
    document.report("L854", entry.path, message, hint=hint, at_key=True, notes=notes)


def _size_notes(misfit: Misfit, document: Document) -> tuple[Note, ...]:
    """Return a note on the input that gives a name in the output's shape its size."""
    other = misfit.source
    if other is None:
        return ()
    size = f"'{misfit.name}' is {misfit.given}, as '{other.name}' is read here"
    return (document.note(other.path, size, at_key=True),)


def _size_text(entry: Columns, actual: tuple[int | None, ...]) -> str:
    count = len(entry.columns)
    columns = "1 column" if count == 1 else f"{count} columns"
    if len(actual) == 1:
        return columns
    steps = "1 step" if actual[0] == 1 else f"{actual[0] or 'all'} steps"
    return f"{steps} of {columns}"


def _shape_note(entry: Columns, kind: str, document: Document) -> Note:
    if kind == "input":
        return document.note(("inputs", entry.name, "shape"), "the input is declared here")
    return document.note(("outputs", entry.name), "the output is declared here")


def _sequence_hint(misfit: Misfit, document: Document) -> str | None:
    """Return the hint to read every step of a recurrent layer, where a target has steps.

    The way from the output is followed as it is written, through layers with one input.
    """
    entry = misfit.entry
    if entry.path[1] != "targets" or (len(misfit.actual), len(misfit.wanted)) != (2, 1):
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


def _shape_hint(misfit: Misfit, data: DataDeclaration, needs: Needs, kind: str) -> str:
    entry, actual, shape = misfit.entry, misfit.actual, misfit.wanted
    read = entry if kind == "input" else misfit.source
    if read is not None and (ways := read_otherwise(read, data, needs, entry.path)):
        whose = "" if read is entry else f" for the input '{read.name}'"
        return f"write {ways[0]}{whose}"
    if len(actual) == len(shape) == 2 and fitted(actual[:1], shape[:1]) is None:
        if kind == "loss":
            return f"read {shape[0]} steps, or let the output have {actual[0]} steps"
        follows = [
            data.targets[name]
            for name, need in needs.targets.items()
            if name in data.targets and need.shape and need.shape[:1] == shape[:1]
        ]
        if any(data.shape_of(target)[:1] == actual[:1] for target in follows):
            return f"write `shape: [{actual[0]}, {shape[1]}]`: the target has {actual[0]} steps too"
        if follows:
            return f"read {shape[0]} steps, as the output has"
        any_length = f"`shape: [{_new_name(needs)}, {shape[1]}]`, which takes any number of steps"
        return f"read {shape[0]} steps, or write {any_length}"
    if shape and isinstance(shape[-1], int) and len(actual) == len(shape):
        return f"list {shape[-1]} columns, or make the last dimension {actual[-1]}"
    return "change the columns or their `steps:`, or the shape"


def _new_name(needs: Needs) -> str:
    """Return a name for a size that no input has, as equal names mean equal sizes."""
    used = {dim for need in needs.inputs.values() for dim in need.shape or ()}
    return next(name for name in ("time", "steps", "other_steps") if name not in used)


def _text(shape: tuple[Dim, ...]) -> str:
    return f"({', '.join(str(dim) for dim in ('batch', *shape))})"
