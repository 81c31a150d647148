"""Check `split:` of `data:` against itself, the windows and carried states."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lstmgraph.language.declaration.data import CHRONOLOGICAL, DataDeclaration

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from lstmgraph.compiler.graph import Graph
    from lstmgraph.language.text.document import Document
    from lstmgraph.messages.diagnostics import Path


@dataclass(frozen=True)
class _Mistake:
    key: str
    message: str
    hint: str
    other: tuple[Path, str]
    """The path of what it contradicts, and the note there."""


def check_split(data: DataDeclaration, graph: Graph, document: Document) -> None:
    """Report a split that contradicts itself, or the windows or rows that it splits."""
    written = document.data["data"].get("split", {})
    kind = _chronological if data.split.kind == CHRONOLOGICAL else _random
    for mistake in (*_parts(data, written), *kind(data, written, graph)):
        path, message = mistake.other
        notes = (document.note(path, message),) if path in document.values else ()
        document.report(
            "L856",
            ("data", "split", mistake.key),
            mistake.message,
            hint=mistake.hint,
            notes=notes,
        )


def _parts(data: DataDeclaration, written: Mapping[str, object]) -> Iterator[_Mistake]:
    held_out = data.split.validation + data.split.test
    if held_out >= 1:
        key = "validation" if "validation" in written else "test"
        message = f"nothing is left to train on: validation and test take {held_out:.0%}"
        other: tuple[Path, str] = (("data", "split", "test"), "the test part is set here")
        yield _Mistake(key, message, "write smaller parts", other)


def _chronological(
    data: DataDeclaration, written: Mapping[str, object], _graph: Graph
) -> Iterator[_Mistake]:
    if "seed" in written:
        message = "'seed' has no effect: nothing in a chronological split is random"
        yield _Mistake("seed", message, "remove it, or write `kind: random`", _kind(data))
    if data.window and data.window.history is None:
        message = "whole series have no order in time, so they cannot be split chronologically"
        yield _Mistake("kind", message, "write `kind: random`", _WINDOW)


def _random(
    data: DataDeclaration, written: Mapping[str, object], graph: Graph
) -> Iterator[_Mistake]:
    split, by_time = data.split, "`kind: chronological`"
    if "gap" in written:
        message = "'gap' has no effect: a random split has no order in time"
        yield _Mistake("gap", message, f"remove it, or write {by_time}", _kind(data))
    if data.window and data.window.overlaps and not data.series:
        message = "windows that share steps cannot be split at random: training would see what "
        hint = f"write {by_time}, or a stride as long as the window"
        yield _Mistake("kind", f"{message}validates", hint, _WINDOW)
    if graph.carrying and not data.series and (split.validation or split.test or split.folds):
        message = f"'{graph.carrying[0]}' carries its state from row to row, but rows that are "
        layer = graph.by_name[graph.carrying[0]].layer
        other = (("layers", layer, "initial_state"), "the state is carried here")
        message += "split at random do not continue each other"
        yield _Mistake("kind", message, f"write {by_time}", other)


_WINDOW: tuple[Path, str] = (("data", "window"), "the windows are set here")


def _kind(data: DataDeclaration) -> tuple[Path, str]:
    return ("data", "split", "kind"), f"the split is {data.split.kind} here"
