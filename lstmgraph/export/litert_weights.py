"""LiteRT files with weights of fewer bits, which DEQUANTIZE restores to float32 before use.

TensorFlow's quantizer converts the data of several tensors once for each of them, in place
(``QuantizeTensorFloat16`` and ``SymmetricQuantizeTensor`` in ``toco_legacy/quantization_utils.cc``,
TensorFlow 2.21): the second time it takes what it wrote for float32. Two loops of a GRU share the
constant 1, and computed with 0 in its place; two calls of a layer share its weights.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from lstmgraph.export.flatbuffer import GraphEditor, add_buffer, changed, data_of, objects

if TYPE_CHECKING:
    from collections.abc import Iterator

LEAST_HALF, LEAST_INT8 = 64, 1024
"""The fewest numbers that are stored so. Of fewer, what restores them takes more than they save;
the latter is that of TensorFlow's quantizer."""
LARGEST = float(np.finfo(np.float16).max)
MOST = 127
"""The largest weight in int8, which is as large below zero."""
RESTORING = {"FLOAT16": 3, "INT8": 5}
"""The versions of DEQUANTIZE from which on it restores them, int8 row by row."""


def in_float16(content: bytes) -> bytes:
    """Return a file of the converter with constants in float16 that were in float32.

    Those that float16 cannot hold stay, such as -1e9 before a softmax; so do small ones.
    """
    return changed(content, lambda model, schema: _Weights(model, schema, "FLOAT16").store())


def in_int8(content: bytes) -> bytes:
    """Return a file of the converter with weights in int8, the values between them in float32."""
    return changed(content, lambda model, schema: _Weights(model, schema, "INT8").store())


def have_shared_data(content: bytes) -> bool:
    """Return whether several tensors of a file have the same weights."""
    model, schema = objects(content)
    weights = _Weights(model, schema, "INT8")
    tensors = [each for graph in model.subgraphs for each in graph.tensors]
    holders = Counter(each.buffer for each in tensors if weights.are_in(each))
    return any(count > 1 for count in holders.values())


def rounded(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return weights (out, ...) as int8 holds them, in multiples of a unit of each row; and these.

    The units have one number a row, in the rank of the weights.
    """
    unit = np.abs(rows).max(axis=tuple(range(1, rows.ndim)), keepdims=True) / MOST
    unit[unit == 0] = 1.0
    return np.round(rows / unit), unit


@dataclass
class _Weights:
    """Stores weights of a file, given as objects, in a dtype; `schema` is LiteRT's of that name."""

    model: Any
    schema: Any
    dtype: str
    stored: dict[int, tuple[int, Any]] = field(default_factory=dict)
    """The buffers and units of stored weights, by their buffers in float32."""

    def store(self) -> None:
        """Store the weights of every graph, those of loops too."""
        for graph in self.model.subgraphs:
            editor = GraphEditor(self.model, graph, self.schema)
            restored = {
                number: self._restored(editor, number)
                for number in _read(graph)
                if self.are_in(graph.tensors[number])
            }
            for operator in graph.operators:
                own = [restored.get(int(each), int(each)) for each in operator.inputs]
                operator.inputs = np.array(own, np.int32)
            graph.operators = [*self._restoring(editor, restored), *graph.operators]

    def are_in(self, tensor: Any) -> bool:
        """Return whether a tensor is a constant in float32 that is stored in the dtype."""
        if tensor.type != self.schema.TensorType.FLOAT32 or tensor.isVariable:
            return False
        values = data_of(self.model, tensor, np.float32)
        if values is None:
            return False
        if self.dtype == "INT8":
            return values.ndim > 1 and values.size >= LEAST_INT8
        return values.size >= LEAST_HALF and bool(np.abs(values).max() <= LARGEST)

    def _restored(self, editor: GraphEditor, number: int) -> int:
        """Store a constant, and return the number of the same one in float32."""
        restored = editor.like(number)
        tensor = editor.graph.tensors[number]
        if tensor.buffer not in self.stored:
            self.stored[tensor.buffer] = self._stored(tensor)
        tensor.buffer, tensor.quantization = self.stored[tensor.buffer]
        tensor.type = getattr(self.schema.TensorType, self.dtype)
        return restored

    def _stored(self, tensor: Any) -> tuple[int, Any]:
        values = data_of(self.model, tensor, np.float32)
        assert values is not None, "a constant"
        if self.dtype == "FLOAT16":
            return add_buffer(self.model, self.schema, values.astype(np.float16)), None
        integers, units = rounded(values)
        quantization = self.schema.QuantizationParametersT()
        quantization.scale = units.ravel().astype(np.float32)
        quantization.zeroPoint = np.zeros(units.size, np.int64)
        return add_buffer(self.model, self.schema, integers.astype(np.int8)), quantization

    def _restoring(self, editor: GraphEditor, restored: dict[int, int]) -> Iterator[Any]:
        for stored, number in restored.items():
            yield editor.operator("DEQUANTIZE", [stored], number, version=RESTORING[self.dtype])


def _read(graph: Any) -> list[int]:
    """Return the tensors that operators read; those that the graph gives stay as they are."""
    read = {int(number) for operator in graph.operators for number in operator.inputs}
    return sorted(number for number in read - {*graph.outputs.tolist()} if number >= 0)
