"""Sort names so that each comes after those that it reads."""

from __future__ import annotations

from contextlib import suppress
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


def sortable(reads: Mapping[str, list[str]]) -> list[str]:
    """Return the layers that depend on no cycle, each after those that it reads."""
    sorter = TopologicalSorter(reads)
    with suppress(CycleError):  # it still returns what depends on no cycle
        sorter.prepare()
    order: list[str] = []
    while ready := sorter.get_ready():
        order += ready
        sorter.done(*ready)
    return order
