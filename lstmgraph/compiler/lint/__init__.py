"""Warnings: rules that find what is legal but probably unintended in a correct recipe."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lstmgraph.compiler.lint.checked import Checked
from lstmgraph.compiler.lint.codes import CODES
from lstmgraph.compiler.lint.kernels import check_cudnn, check_left_padding, check_unrolled
from lstmgraph.compiler.lint.losses import check_classes, check_logits, check_single_softmax
from lstmgraph.compiler.lint.masks import (
    check_dropped,
    check_ended,
    check_forgotten,
    check_reversed,
    check_steps,
    check_values,
)
from lstmgraph.compiler.lint.metrics import check_metrics
from lstmgraph.compiler.lint.numbers import (
    check_batch_of_one,
    check_dropout,
    check_half_heads,
    check_ids,
)
from lstmgraph.compiler.lint.recurrence import check_activations
from lstmgraph.compiler.lint.silencing import (
    Silence,
    Silenced,
    read_silences,
    split_silenced,
    unused_silences,
)
from lstmgraph.compiler.lint.training import check_directions, check_patience
from lstmgraph.compiler.lint.unused import check_unused
from lstmgraph.messages.diagnostics import position

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from lstmgraph.messages.diagnostics import Diagnostic

    Rule = Callable[[Checked], None]

__all__ = [
    "CODES",
    "RULES",
    "Checked",
    "Silence",
    "Silenced",
    "apply_silences",
    "find_warnings",
    "names_in_searches",
    "read_silences",
]

RULES: tuple[Rule, ...] = (
    check_unused,
    check_half_heads,
    check_ids,
    check_dropout,
    check_single_softmax,
    check_activations,
    check_batch_of_one,
    check_dropped,
    check_ended,
    check_steps,
    check_values,
    check_forgotten,
    check_left_padding,
    check_reversed,
    check_cudnn,
    check_unrolled,
    check_logits,
    check_classes,
    check_metrics,
    check_patience,
    check_directions,
)
"""The rules; each adds its warnings to the document."""


def find_warnings(checked: Checked) -> tuple[Diagnostic, ...]:
    """Return the warnings of the rules, and those of reading the text, in the order of the text."""
    for rule in RULES:
        rule(checked)
    warnings = checked.document.diagnostics.ordered_warnings()
    if not any(node.loop for node in checked.graph.nodes):
        return warnings
    # The steps of a loop are of one block, whose layers are written once.
    return tuple({(each.code, each.path): each for each in reversed(warnings)}.values())[::-1]


def apply_silences(
    warnings: Iterable[Diagnostic], silences: list[Silence], own_source: str | None
) -> tuple[tuple[Diagnostic, ...], tuple[Silenced, ...]]:
    """Return the warnings to show, in the order of the text, and those that comments silence.

    Args:
        warnings: all warnings.
        silences: the silencing comments.
        own_source: the source whose unused comments are reported (W101). None if a comment may
            be for another value of a search, or for a value that a ``--set`` replaced. Comments
            in a base are never reported, as they may be for other recipes that extend it.
    """
    shown, quiet = split_silenced(warnings, silences)
    shown += unused_silences([s for s in silences if s.place.source == own_source], quiet)
    return tuple(sorted(shown, key=position)), tuple(quiet)


def names_in_searches(data: Any) -> frozenset[str]:
    """Return every name below a ``$search`` or a ``$choose``, which another point may read.

    Args:
        data: a recipe's plain data, as written.
    """
    return frozenset(text.partition(".")[0] for text in _texts(data, inside=False))


def _texts(data: Any, *, inside: bool) -> Iterator[str]:
    if isinstance(data, dict):
        for key, value in data.items():
            yield from _texts(value, inside=inside or key in ("$search", "$choose"))
    elif isinstance(data, list):
        for value in data:
            yield from _texts(value, inside=inside)
    elif inside and isinstance(data, str):
        yield data
