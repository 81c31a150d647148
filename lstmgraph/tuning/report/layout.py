"""A layered layout of a graph: every edge goes down, long edges through lanes of their own."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from itertools import pairwise

GAP = 18.0
LANE = 14.0
"""Width of a place that a long edge passes through."""
SWEEPS = 4


@dataclass(frozen=True)
class Edge:
    """From a box to a box below it."""

    source: str
    target: str
    is_state: bool = False
    text: str = ""


@dataclass
class Layout:
    """Where each box and each lane has its middle, by layer from the top; `width` of all."""

    layers: list[list[str]]
    x: dict[str, float]
    width: float
    lanes: dict[Edge, list[str]] = field(default_factory=dict)
    depth: dict[str, int] = field(default_factory=dict)


def lay_out(boxes: dict[str, float], edges: list[Edge]) -> Layout:
    """Place boxes, given with their widths in an order that all edges follow."""
    depth = _depths(boxes, edges)
    widths, lanes = dict(boxes), {}
    steps: list[tuple[str, str]] = []
    for index, edge in enumerate(edges):
        between = range(depth[edge.source] + 1, depth[edge.target])
        lanes[edge] = [f"\0{index}.{level}" for level in between]
        depth |= dict(zip(lanes[edge], between, strict=True))
        widths |= dict.fromkeys(lanes[edge], LANE)
        steps += pairwise([edge.source, *lanes[edge], edge.target])
    layers: list[list[str]] = [[] for _ in range(max(depth.values(), default=-1) + 1)]
    for name in widths:
        layers[depth[name]].append(name)
    _uncross(layers, steps)
    x, width = _across(layers, widths)
    return Layout(layers, x, width, lanes, depth)


def _depths(boxes: dict[str, float], edges: list[Edge]) -> dict[str, int]:
    sources = defaultdict(list)
    for edge in edges:
        sources[edge.target].append(edge.source)
    depth: dict[str, int] = {}
    for name in boxes:
        depth[name] = max((depth[source] + 1 for source in sources[name]), default=0)
    return depth


def _uncross(layers: list[list[str]], steps: list[tuple[str, str]]) -> None:
    """Order each layer by the mean place of its neighbours, downwards and upwards in turn."""
    above, below = defaultdict(list), defaultdict(list)
    for source, target in steps:
        above[target].append(source)
        below[source].append(target)
    for sweep in range(SWEEPS):
        down = sweep % 2 == 0
        for fixed, moved in pairwise(layers if down else layers[::-1]):
            _order(moved, fixed, above if down else below)


def _order(layer: list[str], fixed: list[str], neighbours: dict[str, list[str]]) -> None:
    place = {name: (index + 0.5) / len(fixed) for index, name in enumerate(fixed)}
    own = {name: (index + 0.5) / len(layer) for index, name in enumerate(layer)}

    def mean(name: str) -> float:
        near = [place[other] for other in neighbours.get(name, ()) if other in place]
        return sum(near) / len(near) if near else own[name]

    layer.sort(key=mean)


def _across(layers: list[list[str]], widths: dict[str, float]) -> tuple[dict[str, float], float]:
    """Layers are centred, one below the other."""
    totals = [sum(widths[name] + GAP for name in layer) for layer in layers]
    width = max(totals, default=0.0) + GAP
    x = {}
    for layer, total in zip(layers, totals, strict=True):
        at = (width - total + GAP) / 2
        for name in layer:
            x[name] = at + widths[name] / 2
            at += widths[name] + GAP
    return x, width
