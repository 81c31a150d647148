"""The tensors of the ports: with the batch first, as the graph has them, or with time first.

ONNX's recurrent operators read and write (time, batch, features). What lies between two of them
and works on each step by itself can stay in that layout, and nothing is turned around.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lstmgraph.compiler.graph import Port

if TYPE_CHECKING:
    from lstmgraph.compiler.graph import Graph, MaskSpec
    from lstmgraph.export.onnx.builder import Builder, Name
    from lstmgraph.keras_facts.tensors import TensorSpec


@dataclass(frozen=True)
class Value:
    """One tensor. `spec` is its shape with the batch first, and its dtype."""

    name: Name
    spec: TensorSpec
    time_major: bool = False


class Values:
    """Finds tensors by port, in either layout."""

    def __init__(self, builder: Builder, graph: Graph) -> None:
        self.builder = builder
        self._graph = graph
        self._values: dict[Port, Value] = {}
        self._compact: dict[tuple[Port, MaskSpec], Name] = {}
        for name, tensor in graph.inputs.items():
            self.put(Port(name), Value(name, tensor.spec, tensor.time_major))

    def put(self, port: Port, value: Value) -> None:
        """The tensor of a port."""
        self._values[port] = value

    def put_compact(self, port: Port, mask: MaskSpec, name: Name) -> None:
        """A sequence as the layers of a stack hand it on: time first, only the steps that count."""
        self._compact[port, mask] = name

    def compact(self, port: Port, mask: MaskSpec) -> Name | None:
        """What ``put_compact`` kept, or None."""
        return self._compact.get((port, mask))

    def spec(self, port: Port) -> TensorSpec:
        """Shape, batch first, and dtype."""
        return self._values[port].spec

    def is_time_major(self, port: Port) -> bool:
        """Whether the tensor was made with time first."""
        return self._values[port].time_major

    def get(self, port: Port, *, time_major: bool = False) -> Name:
        """The tensor in one layout; where it was made in the other, turned around."""
        value = self._values[port]
        if value.time_major == time_major:
            return value.name
        perm = [1, 0, *range(2, value.spec.rank)]
        return self.builder.op("Transpose", value.name, perm=perm)

    def batch(self) -> Name:
        """[rows of the batch], as int64."""
        if self._graph.batch_size is not None:
            return self.builder.ints(self._graph.batch_size)
        return self._size(Port(next(iter(self._graph.inputs))), 0)

    def steps(self, port: Port) -> Name:
        """[time steps of a sequence], as int64."""
        size = self.spec(port).shape[1]
        return self.builder.ints(size) if isinstance(size, int) else self._size(port, 1)

    def _size(self, port: Port, axis: int) -> Name:
        value = self._values[port]
        place = 1 - axis if value.time_major else axis
        return self.builder.op("Shape", value.name, start=place, end=place + 1)
