"""The memory that the values between a LiteRT file's operators take, planned as for a device."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lstmgraph.export.litert_tensors import read_subgraphs

if TYPE_CHECKING:
    from lstmgraph.export.litert_tensors import Subgraph

ALIGNMENT = 16


@dataclass(frozen=True)
class _Buffer:
    """The values of a tensor, and from which operator to which they are needed."""

    size: int
    first: int
    last: int


def arena_size(content: bytes) -> int | None:
    """Return the bytes of all values between operators, or None where a size is open.

    Values that are needed at different times share memory. Each goes, the largest first, to the
    lowest place that is free while it is needed: what the GreedyMemoryPlanner of LiteRT for
    Microcontrollers does. States that are kept from call to call have places of their own. What
    the operators themselves need while they run, and the runtime's own records, come on top.
    """
    graphs = read_subgraphs(content)
    if any(tensor.is_open for graph in graphs for tensor in graph.tensors):
        return None
    return sum(_planned(_buffers(graph)) + _kept(graph) for graph in graphs)


def _aligned(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT


def _kept(graph: Subgraph) -> int:
    return sum(_aligned(tensor.size) for tensor in graph.tensors if tensor.is_variable)


def _buffers(graph: Subgraph) -> list[_Buffer]:
    end = len(graph.operators)
    first = dict.fromkeys(graph.inputs, 0)
    last: dict[int, int] = {}
    for place, operator in enumerate(graph.operators):
        first |= {tensor: place for tensor in operator.outputs if tensor not in first}
        last |= dict.fromkeys((*operator.inputs, *operator.outputs), place)
    last |= dict.fromkeys(graph.outputs, end)
    return [
        _Buffer(_aligned(tensor.size), first[number], last.get(number, first[number]))
        for number, tensor in enumerate(graph.tensors)
        if number in first and not tensor.is_constant and not tensor.is_variable
    ]


def _planned(buffers: list[_Buffer]) -> int:
    """Return the bytes that the buffers take together."""
    placed: list[tuple[int, _Buffer]] = []
    for buffer in sorted(buffers, key=lambda each: -each.size):
        others = sorted(
            (start, other.size)
            for start, other in placed
            if other.first <= buffer.last and buffer.first <= other.last
        )
        place = 0
        for start, size in others:
            if place + buffer.size <= start:
                break
            place = max(place, start + size)
        placed.append((place, buffer))
    return max((start + buffer.size for start, buffer in placed), default=0)
