"""Names in an order in which each stands after those that it reads."""

from __future__ import annotations

from contextlib import suppress
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


def sortable(reads: Mapping[str, list[str]]) -> list[str]:
    """The layers that stand in no circle and on none, each after what it reads."""
    sorter = TopologicalSorter(reads)
    with suppress(CycleError):  # it goes on all the same, as far as it can
        sorter.prepare()
    order: list[str] = []
    while ready := sorter.get_ready():
        order += ready
        sorter.done(*ready)
    return order
