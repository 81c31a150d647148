"""Names of the open sizes of inputs: equal names where the model joins what they are sizes of."""

from __future__ import annotations

from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from lstmgraph.interop.importing.expressions import (
    Filled,
    Fold,
    Join,
    Mask,
    Port,
    Repeat,
    Step,
)

if TYPE_CHECKING:
    from lstmgraph.interop.importing.expressions import Expression
    from lstmgraph.interop.importing.lifting import Lifted, Node

Axis = tuple["Port", int]
MERGES = frozenset({"Add", "Average", "Maximum", "Minimum", "Multiply", "Subtract", "Concatenate"})
MOVES = frozenset(
    {"Permute", "Reshape", "Flatten", "RepeatVector", "Dot", "Attention", "Embedding"}
)


class Sizes:
    """Which open sizes are one."""

    def __init__(self, lifted: Lifted) -> None:
        self.lifted = lifted
        self.parent: dict[Axis, Axis] = {}
        for node in lifted.nodes:
            self.join_node(node)
            if node.name in lifted.given_masks and node.inputs:
                for port in _ports(node.inputs[0].expression)[:1]:
                    self.join_mask(lifted.given_masks[node.name], port)
        self.names: dict[Axis, str] = self._named()

    def of_input(self, name: str) -> list[int | str]:
        """Return the shape of an input as a recipe declares it, without the batch."""
        port, shape = Port(name), self.lifted.shapes.get(Port(name), ())
        return [self.size(port, axis, size) for axis, size in enumerate(shape) if axis]

    def size(self, port: Port, axis: int, size: int | None) -> int | str:
        """Return a size, or the name of an open one."""
        return size if size is not None else self.names[self.find((port, axis))]

    def steps_of(self, expression: Expression, axis: int = 1) -> int | str | None:
        """Return how many steps a tensor has: a number, or the name of an input's size."""
        own = _plain(expression)
        if isinstance(own, Join):
            return self.steps_of(own.parts[0], axis)
        if not isinstance(own, Port):
            return None
        shape = self.lifted.shapes.get(own)
        if shape is None or len(shape) <= axis:
            return None
        if shape[axis] is not None:
            return shape[axis]
        return self.names.get(self.find((own, axis)))

    def find(self, axis: Axis) -> Axis:
        """Return the axis that stands for all that are one with `axis`."""
        while self.parent.get(axis, axis) != axis:
            axis = self.parent[axis]
        return axis

    def join(self, one: Axis, other: Axis) -> None:
        """Have two open sizes be one."""
        shapes = self.lifted.shapes
        for port, axis in (one, other):
            shape = shapes.get(port)
            if shape is None or axis >= len(shape) or shape[axis] is not None:
                return
        first, second = self.find(one), self.find(other)
        if first != second:
            inputs = list(self.lifted.inputs)
            keep = sorted(
                (first, second),
                key=lambda a: inputs.index(a[0].layer) if a[0].layer in inputs else len(inputs),
            )
            self.parent[keep[1]] = keep[0]

    def join_node(self, node: Node) -> None:
        """Have the sizes be one that a call joins, or passes on."""
        ports = [port for value in node.inputs for port in _ports(value.expression)]
        if not ports:
            return
        first = ports[0]
        outs = [port for port in self.lifted.shapes if port.layer == node.name]
        type_ = node.layer.type
        rank = len(self.lifted.shapes.get(first, ()))
        self.join_masks(node, first)
        if node.recurrent is not None or type_ in MERGES:
            for other in ports[1:]:
                other_rank = len(self.lifted.shapes.get(other, ()))
                for axis in range(1, min(rank, other_rank)):
                    self.join((first, axis), (other, axis))
        if type_ in ("Attention", "AdditiveAttention", "MultiHeadAttention", "GroupQueryAttention"):
            for other in ports[2:]:
                self.join((ports[1], 1), (other, 1))
        if type_ in MOVES and type_ not in ("Attention", "Embedding"):
            return
        for out in outs:
            if out.output.startswith("state") or out.output == "scores":
                continue
            for axis in range(1, min(rank, len(self.lifted.shapes[out]))):
                self.join((first, axis), (out, axis))

    def join_masks(self, node: Node, first: Port) -> None:
        """Have the steps of a call's masks be those of what they mask."""
        for mask in (node.mask, node.filled):
            self.join_mask(mask, first)
        for value, used in zip_longest(node.inputs, node.input_masks[: len(node.inputs)]):
            for port in _ports(value.expression)[:1]:
                self.join_mask(value.mask, port)
                self.join_mask(used, port)

    def join_mask(self, mask: Mask | None, sequence: Port) -> None:
        """Have the steps of a mask be those of the sequence that it masks."""
        for part in mask.parts if mask else ():
            self.join_mask(part, sequence)
        own = _plain(mask.source) if mask else None
        if mask is None or not isinstance(own, Port) or mask.kind in ("or", "other"):
            return
        rank = len(self.lifted.shapes.get(own, ()))
        for axis in range(1, rank - 1 if mask.kind == "value" else rank):
            self.join((sequence, axis), (own, axis))
        counted = _plain(mask.like)
        if isinstance(counted, Port):
            for axis in range(1, rank + 1):
                self.join((sequence, axis), (counted, axis))

    def _named(self) -> dict[Axis, str]:
        groups: dict[Axis, list[Axis]] = {}
        for name in self.lifted.inputs:
            shape = self.lifted.shapes.get(Port(name), ())
            for axis in range(1, len(shape)):
                if shape[axis] is None:
                    own = (Port(name), axis)
                    groups.setdefault(self.find(own), []).append(own)
        ports = [port for axes in groups.values() for port, _ in axes]
        deepest = max((len(self._open(port)) for port in ports), default=0)
        found: dict[Axis, str] = {}
        taken: set[str] = set()
        for root, axes in groups.items():
            port, axis = axes[0]
            places = self._open(port)
            kind = "time"
            if len(places) > 1:
                kind = ("segments", "steps")[min(places.index(axis), 1)]
            name = kind
            if name in taken or (len(groups) > 1 and deepest == 1):
                name = f"{port.layer}_{kind}"
            number = 1
            while name in taken:
                number += 1
                name = f"{port.layer}_{kind}_{number}"
            taken.add(name)
            found[root] = name
        return found

    def _open(self, port: Port) -> list[int]:
        shape = self.lifted.shapes.get(port, ())
        return [axis for axis in range(1, len(shape)) if shape[axis] is None]


def _plain(expression: Any) -> Any:
    while isinstance(expression, Filled | Fold | Step):
        expression = expression.source
    return expression


def _ports(expression: Any) -> list[Port]:
    own = _plain(expression)
    if isinstance(own, Port):
        return [own]
    if isinstance(own, Join):
        return [port for part in own.parts for port in _ports(part)]
    if isinstance(own, Repeat):
        return []
    return []
