"""The tensors of ports, batch-major as in the graph, or time-major.

ONNX's recurrent operators read and write (time, batch, features). Layers between two of them that
compute each step separately keep that layout, so that nothing is transposed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lstmgraph.compiler.graph import Port
from lstmgraph.keras_facts.tensors import BATCH

if TYPE_CHECKING:
    from lstmgraph.compiler.graph import Graph, MaskSpec
    from lstmgraph.export.onnx.builder import Builder, Name
    from lstmgraph.keras_facts.tensors import TensorSpec


@dataclass(frozen=True)
class Value:
    """A tensor; `spec` is its dtype and its batch-major shape."""

    name: Name
    spec: TensorSpec
    time_major: bool = False


class Values:
    """The tensors by port, in either layout."""

    def __init__(self, builder: Builder, graph: Graph) -> None:
        self.builder = builder
        self._graph = graph
        self._values: dict[Port, Value] = {}
        self._compact: dict[tuple[Port, MaskSpec], Name] = {}
        for name, tensor in graph.inputs.items():
            self.put(Port(name), Value(name, tensor.spec, tensor.time_major))

    def put(self, port: Port, value: Value) -> None:
        """Set the tensor of a port."""
        self._values[port] = value

    def put_compact(self, port: Port, mask: MaskSpec, name: Name) -> None:
        """Keep a sequence for the next layer of a stack: time-major, counting steps in front."""
        self._compact[port, mask] = name

    def compact(self, port: Port, mask: MaskSpec) -> Name | None:
        """Return what ``put_compact`` kept, or None."""
        return self._compact.get((port, mask))

    def spec(self, port: Port) -> TensorSpec:
        """Return the batch-major shape, and the dtype."""
        return self._values[port].spec

    def is_time_major(self, port: Port) -> bool:
        """Return whether the tensor was made time-major."""
        return self._values[port].time_major

    def get(self, port: Port, *, time_major: bool = False) -> Name:
        """Return the tensor in the asked layout, transposed if necessary."""
        value = self._values[port]
        if value.time_major == time_major:
            return value.name
        perm = [1, 0, *range(2, value.spec.rank)]
        return self.builder.op("Transpose", value.name, perm=perm)

    def batch(self) -> Name:
        """Return the number of rows in the batch, (1,) of int64."""
        if self._graph.batch_size is not None:
            return self.builder.ints(self._graph.batch_size)
        return self._size(Port(next(iter(self._graph.inputs))), 0)

    def rows(self, port: Port) -> Name:
        """Return the size of the first axis, the batch or a folded one, (1,) of int64."""
        return self.batch() if self.spec(port).shape[0] == BATCH else self._size(port, 0)

    def steps(self, port: Port, axis: int = 1) -> Name:
        """Return the number of steps in a sequence, (1,) of int64."""
        size = self.spec(port).shape[axis]
        return self.builder.ints(size) if isinstance(size, int) else self._size(port, axis)

    def _size(self, port: Port, axis: int) -> Name:
        value = self._values[port]
        place = 1 - axis if value.time_major and axis < 2 else axis
        return self.builder.op("Shape", value.name, start=place, end=place + 1)
