"""Find the tensors that windows give another shape than the recipe has for them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from lstmgraph.compiler.checks.data_needs import fitted
from lstmgraph.keras_facts.tensors import names_in, with_sizes
from lstmgraph.language.declaration.data import (
    HORIZON,
    ROW,
    STATIC,
    Columns,
    DataDeclaration,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from lstmgraph.compiler.checks.data_needs import Need, Needs
    from lstmgraph.keras_facts.tensors import Dim
    from lstmgraph.messages.diagnostics import Path


@dataclass(frozen=True)
class Misfit:
    """Columns whose tensor has another shape than the recipe has for it."""

    entry: Columns
    actual: tuple[int | None, ...]
    wanted: tuple[Dim, ...]
    """With numbers for the names whose sizes inputs give."""
    source: Columns | None = None
    """The input that gives a name in the shape its size."""
    name: str = ""
    """That name; for an input, the one that has another size already."""
    given: int | None = None
    """That size."""
    output: str = ""
    """Of sample weights: the output whose loss takes others."""


def misfits(data: DataDeclaration, needs: Needs) -> dict[Path, Misfit]:
    """Return the entries that do not fit, by path, without those that follow from others.

    Entries that do not fit the window are left out: their shapes are unknown.
    """
    found: dict[Path, Misfit] = {}
    sizes = _sizes(data, needs, found)
    known = {name: size for name, (size, _) in sizes.items()}
    of_inputs = list(found.values())
    for entry, need in _sound(data.targets, data, needs.targets):
        shape = need.shape or ()
        actual, wanted = data.shape_of(entry), with_sizes(shape, known)
        if fitted(actual, wanted) is not None:
            continue
        if not any(m.actual[:1] == actual[:1] and m.wanted[:1] == wanted[:1] for m in of_inputs):
            names = [name for dim in shape for name in names_in(dim) if name in sizes]
            given, source = sizes[names[0]] if names else (None, None)
            name = names[0] if names else ""
            found[entry.path] = Misfit(entry, actual, wanted, source, name, given)
    unfit = {misfit.entry.name for misfit in found.values()}
    for name, entry in data.sample_weights.items():
        actual = data.shape_of(entry)
        if any(entry_mistakes(entry, data)) or fitted(actual, ()) is not None:
            continue
        for output, dims in needs.weighed.items():
            wanted = with_sizes(dims or (), known)
            fits = len(entry.columns) == 1 and fitted(actual[:-1], wanted) is not None
            if name in ("", output) and output not in unfit and not fits:
                found[entry.path] = Misfit(entry, actual, wanted, output=output)
                break
    return found


def misfits_with(entry: Columns, data: DataDeclaration, needs: Needs) -> frozenset[Path]:
    """Return the paths of ``misfits`` if `entry` stands in the place of the input of its name."""
    return frozenset(misfits(replace(data, inputs={**data.inputs, entry.name: entry}), needs))


def known_sizes(data: DataDeclaration, needs: Needs) -> dict[str, int]:
    """Return the sizes of named axes that follow from the window, before any row is read."""
    return {name: size for name, (size, _) in _sizes(data, needs, {}).items()}


def _sizes(
    data: DataDeclaration, needs: Needs, found: dict[Path, Misfit]
) -> dict[str, tuple[int, Columns]]:
    """Return the sizes of the names in inputs' shapes that are clear, and the inputs of each.

    Inputs that do not fit are added to `found`.
    """
    sizes: dict[str, tuple[int, Columns]] = {}
    unclear = set()
    for entry, need in _sound(data.inputs, data, needs.inputs):
        actual, wanted = data.shape_of(entry), need.shape or ()
        shape = fitted(actual, wanted)
        if shape is None:
            found[entry.path] = Misfit(entry, actual, wanted)
            continue
        for dim, size in zip(wanted, shape, strict=True):
            if not isinstance(dim, str) or size is None:
                continue
            known, other = sizes.setdefault(dim, (size, entry))
            if known != size:
                found[entry.path] = Misfit(entry, shape, wanted, other, dim, known)
                unclear.add(dim)
    return {name: given for name, given in sizes.items() if name not in unclear}


def _sound(
    entries: Mapping[str, object], data: DataDeclaration, needs: Mapping[str, Need]
) -> Iterator[tuple[Columns, Need]]:
    """Yield the entries whose shapes are known, with what the recipe needs of them."""
    for entry in entries.values():
        need = needs.get(entry.name) if isinstance(entry, Columns) else None
        if not isinstance(entry, Columns) or need is None or need.shape is None:
            continue
        if not any(entry_mistakes(entry, data)):
            yield entry, need


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
