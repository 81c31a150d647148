"""A builder of ONNX nodes; equal calls become one node."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from onnx import GraphProto, NodeProto, TensorProto, helper, numpy_helper

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import ArrayLike

ELEMENT_TYPES = {
    "bool": TensorProto.BOOL,
    "uint8": TensorProto.UINT8,
    "uint16": TensorProto.UINT16,
    "uint32": TensorProto.UINT32,
    "uint64": TensorProto.UINT64,
    "int8": TensorProto.INT8,
    "int16": TensorProto.INT16,
    "int32": TensorProto.INT32,
    "int64": TensorProto.INT64,
    "float16": TensorProto.FLOAT16,
    "bfloat16": TensorProto.BFLOAT16,
    "float32": TensorProto.FLOAT,
    "float64": TensorProto.DOUBLE,
}
"""The ONNX element type of each dtype."""

OPTIONAL_OUTPUTS = frozenset({"LSTM", "GRU", "RNN"})
"""Operators whose unread outputs are left out."""

Name = str
"""The name of a tensor. Names made here contain a slash; no name in a recipe does."""


class Builder:
    """Collects nodes and constants; `scope` is the prefix of new names."""

    def __init__(self) -> None:
        self.scope = "graph"
        self.nodes: list[NodeProto] = []
        self.constants: dict[Name, TensorProto] = {}
        self._made: dict[Any, tuple[Name, ...]] = {}
        self._taken: set[str] = set()

    def op(self, kind: str, *inputs: Name, **attributes: Any) -> Name:
        """Add an operator and return its only output; pass ``""`` to leave out an input."""
        return self.ops(kind, inputs, 1, **attributes)[0]

    def ops(
        self, kind: str, inputs: Sequence[Name], outputs: int, **attributes: Any
    ) -> tuple[Name, ...]:
        """Add an operator and return all its outputs; an equal call is added only once."""
        key = (kind, tuple(inputs), outputs, _frozen(attributes))
        if key not in self._made:
            name = self._new_name(kind.lower())
            names = (name, *(f"{name}.{index}" for index in range(1, outputs)))
            node = helper.make_node(kind, inputs, names, name=name, **attributes)
            node.attribute.sort(key=lambda attribute: attribute.name)
            self.nodes.append(node)
            self._made[key] = names
        return self._made[key]

    def steps(self, sequence: Name, steps: int) -> tuple[Name, ...]:
        """Return each step (batch, 1, ...) of a tensor (batch, steps, ...)."""
        if steps == 1:
            return (sequence,)
        return self.ops("Split", [sequence], steps, axis=1, num_outputs=steps)

    def constant(self, value: ArrayLike, dtype: str) -> Name:
        """Return a constant tensor, stored in the model."""
        array = np.asarray(value).astype(dtype, order="C")
        key = (dtype, array.shape, array.tobytes())
        if key not in self._made:
            name = self._new_name("constant")
            self.constants[name] = numpy_helper.from_array(array, name)
            self._made[key] = (name,)
        return self._made[key][0]

    def ints(self, *values: int) -> Name:
        """Return a constant list of int64, such as axes, sizes or positions."""
        return self.constant(values, "int64")

    def cast(self, tensor: Name, from_dtype: str, to_dtype: str) -> Name:
        """Return the tensor as `to_dtype`, or the tensor itself if it is that already."""
        if from_dtype == to_dtype:
            return tensor
        return self.op("Cast", tensor, to=ELEMENT_TYPES[to_dtype])

    def body(self, scope: str) -> Builder:
        """Return a builder for the body of a Scan, which can read all outer tensors."""
        inner = Builder()
        inner.scope = f"{self.scope}/{scope}"
        return inner

    def adopt_constants(self, inner: Builder) -> None:
        """Add the constants of a body to this builder."""
        self.constants |= inner.constants

    def finish(self, graph: GraphProto, outputs: Mapping[str, Name]) -> None:
        """Fill `graph` with the nodes that `outputs` need, and name its outputs by their keys."""
        self.scope = "outputs"
        made = {name for node in self.nodes for name in node.output}
        renamed: dict[Name, str] = {}
        for name, tensor in outputs.items():
            if tensor not in made or tensor in renamed:  # an input, or one tensor for two outputs
                tensor = self._copied(tensor, name)  # noqa: PLW2901
            renamed[tensor] = name
        needed, kept = set(renamed), []
        for node in reversed(self.nodes):
            if needed.intersection(node.output):
                kept.append(_with_names(node, renamed, needed))
                needed.update(node.input, _read_inside(node))
        graph.node.extend(reversed(kept))
        graph.initializer.extend(t for name, t in self.constants.items() if name in needed)

    def _copied(self, tensor: Name, key: str) -> Name:
        """Return a copy of the tensor, one for each `key`."""
        name = self._new_name(key)
        self.nodes.append(helper.make_node("Identity", [tensor], [name], name=name))
        return name

    def _new_name(self, kind: str) -> str:
        base = name = f"{self.scope}/{kind}"
        count = 1
        while name in self._taken:
            count += 1
            name = f"{base}_{count}"
        self._taken.add(name)
        return name


def _with_names(node: NodeProto, names: Mapping[Name, str], needed: set[Name]) -> NodeProto:
    """Return a copy of the node with renamed tensors, without unread outputs at the end."""
    inputs = [names.get(name, name) for name in node.input]
    outputs = [names.get(name, name) for name in node.output]
    if node.op_type in OPTIONAL_OUTPUTS:
        outputs = [names.get(name, name) if name in needed else "" for name in node.output]
    for tensors in (inputs, outputs):
        while not tensors[-1]:
            tensors.pop()
    copy = NodeProto()
    copy.CopyFrom(node)
    copy.input[:], copy.output[:] = inputs, outputs
    return copy


def _read_inside(node: NodeProto) -> set[str]:
    """Return the names that the bodies of a node read, including their own tensors."""
    return {
        name
        for attribute in node.attribute
        for inner in attribute.g.node
        for name in (*inner.input, *_read_inside(inner))
    }


def _frozen(attributes: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(
        (name, tuple(value) if isinstance(value, list | tuple) else str(value))
        for name, value in sorted(attributes.items())
    )
