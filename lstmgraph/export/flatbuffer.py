"""LiteRT files as objects: changed after the converter has written them, and made small.

The format is ``tensorflow/compiler/mlir/lite/schema/schema.fbs``.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

IDENTIFIER = b"TFL3"
NO_DATA = 0
"""The buffer of all tensors that are no constants."""


def objects(content: bytes) -> tuple[Any, Any]:
    """Return the model of a file as objects, and LiteRT's schema."""
    from ai_edge_litert import schema_py_generated as schema  # noqa: PLC0415 - in an extra

    return _objects(content, schema), schema


def changed(content: bytes, change: Callable[[Any, Any], None]) -> bytes:
    """Return a file after `change` of its objects, which takes the model and LiteRT's schema."""
    import flatbuffers  # noqa: PLC0415 - in an extra

    model, schema = objects(content)
    change(model, schema)
    builder = flatbuffers.Builder(len(content))
    builder.Finish(model.Pack(builder), IDENTIFIER)
    return bytes(builder.Output())


def add_buffer(model: Any, schema: Any, data: np.ndarray) -> int:
    """Add the bytes of an array to a file's objects, and return the number of their buffer."""
    buffer = schema.BufferT()
    buffer.data = np.frombuffer(data.tobytes(), np.uint8)
    model.buffers.append(buffer)
    return len(model.buffers) - 1


class GraphEditor:
    """Adds tensors and operators to a graph of a file; `schema` is LiteRT's module of that name."""

    def __init__(self, model: Any, graph: Any, schema: Any) -> None:
        self.model, self.graph, self.schema = model, graph, schema
        self.kinds = schema.BuiltinOperator

    def constant(self, values: np.ndarray) -> int:
        """Add a constant in float32, float16 or int32, and return the number of its tensor."""
        tensor = self.schema.TensorT()
        tensor.shape, tensor.hasRank = list(values.shape), True
        tensor.type = getattr(self.schema.TensorType, values.dtype.name.upper())
        tensor.buffer = add_buffer(self.model, self.schema, values)
        tensor.name = f"constant/{tensor.buffer}".encode()
        return self._add(tensor)

    def like(self, number: int) -> int:
        """Add a tensor of the shape and dtype of another, without data, and return its number."""
        tensor = copy.deepcopy(self.graph.tensors[number])
        tensor.buffer, tensor.isVariable = NO_DATA, False
        tensor.name = (tensor.name or b"") + b"/part"
        return self._add(tensor)

    def _add(self, tensor: Any) -> int:
        self.graph.tensors.append(tensor)
        return len(self.graph.tensors) - 1

    def operator(
        self, kind: str, inputs: Sequence[int], output: int, options: Any = None, version: int = 1
    ) -> Any:
        """Return a new operator, such as "ADD", with the schema's object of its options."""
        operator = self.schema.OperatorT()
        operator.opcodeIndex = self._code(getattr(self.kinds, kind), version)
        operator.inputs = np.array(inputs, np.int32)
        operator.outputs = np.array([output], np.int32)
        if options is not None:
            name = type(options).__name__.removesuffix("T")
            operator.builtinOptionsType = getattr(self.schema.BuiltinOptions, name)
            operator.builtinOptions = options
        return operator

    def _code(self, kind: int, version: int) -> int:
        """Return the place of a kind of operators, which is added if it is not there."""
        codes = self.model.operatorCodes
        for index, code in enumerate(codes):
            if code.builtinCode == kind and code.version == version:
                return index
        code = self.schema.OperatorCodeT()
        code.builtinCode = kind
        # The older field is a byte, which stays at 127 for all newer operators.
        code.deprecatedBuiltinCode = min(kind, 127)
        code.version = version
        codes.append(code)
        return len(codes) - 1


def data_of(model: Any, tensor: Any, dtype: type[np.generic]) -> np.ndarray | None:
    """Return what a tensor holds if it is a constant, in its shape; else None."""
    data = model.buffers[tensor.buffer].data
    if data is None:
        return None
    shape = [] if tensor.shape is None else tensor.shape
    return np.asarray(data, np.uint8).view(dtype).reshape(shape)


def _objects(content: bytes, schema: Any) -> Any:
    """Return the objects of a file, with empty arrays where it leaves some out."""
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content))
    for graph in model.subgraphs:
        graph.operators = graph.operators or []
        for each in (graph, *graph.operators):
            each.inputs, each.outputs = (
                np.zeros(0, np.int32) if numbers is None else numbers
                for numbers in (each.inputs, each.outputs)
            )
    return model


def merged(contents: Mapping[str, bytes]) -> bytes:
    """Return one file of several, each of one model: a signature with its name in `contents`.

    Data that several of them have is stored once.
    """
    import flatbuffers  # noqa: PLC0415 - in an extra
    from ai_edge_litert import schema_py_generated as schema  # noqa: PLC0415 - in an extra

    models = [_objects(each, schema) for each in contents.values()]
    whole = models[0]
    whole.signatureDefs[0].signatureKey = next(iter(contents))
    for name, model in list(zip(contents, models, strict=True))[1:]:
        _move_graphs(model, len(whole.subgraphs), len(whole.operatorCodes), len(whole.buffers))
        model.signatureDefs[0].signatureKey = name
        whole.subgraphs += model.subgraphs
        whole.signatureDefs += model.signatureDefs
        whole.operatorCodes += model.operatorCodes
        whole.buffers += model.buffers
    _share_codes(whole)
    share_buffers(whole)
    builder = flatbuffers.Builder(sum(map(len, contents.values())))
    builder.Finish(whole.Pack(builder), IDENTIFIER)
    return bytes(builder.Output())


GRAPH_OPTIONS = (
    *("condSubgraphIndex", "bodySubgraphIndex", "thenSubgraphIndex", "elseSubgraphIndex"),
    *("initSubgraphIndex", "subgraph"),
)
"""Options of operators, such as WHILE, that are numbers of graphs."""


def _move_graphs(model: Any, graphs: int, codes: int, buffers: int) -> None:
    """Count the graphs, kinds of operators and buffers of a file from other numbers on."""
    for signature in model.signatureDefs:
        signature.subgraphIndex += graphs
    for graph in model.subgraphs:
        for tensor in graph.tensors:
            tensor.buffer += buffers
        for operator in graph.operators:
            operator.opcodeIndex += codes
            for option in GRAPH_OPTIONS:
                if hasattr(operator.builtinOptions, option):
                    number = getattr(operator.builtinOptions, option)
                    setattr(operator.builtinOptions, option, number + graphs)


def _share_codes(model: Any) -> None:
    """Have one code of each kind and version of operators."""
    places: dict[Any, int] = {}
    kinds = [
        (each.builtinCode, each.deprecatedBuiltinCode, each.customCode, each.version)
        for each in model.operatorCodes
    ]
    for kind in kinds:
        places.setdefault(kind, kinds.index(kind))
    for graph in model.subgraphs:
        for operator in graph.operators:
            operator.opcodeIndex = places[kinds[operator.opcodeIndex]]
    drop_unused_codes(model)


def share_buffers(model: Any) -> None:
    """Have one buffer for the same data, and none without."""
    first: dict[bytes, int] = {}
    same = {
        number: first.setdefault(bytes(buffer.data), number)
        for number, buffer in enumerate(model.buffers)
        if buffer.data is not None
    }
    for graph in model.subgraphs:
        for tensor in graph.tensors:
            tensor.buffer = same.get(tensor.buffer, tensor.buffer)
    drop_unused_buffers(model)


def separate_buffers(model: Any) -> None:
    """Have one buffer for each constant, for what changes their data in place."""
    taken = set()
    for graph in model.subgraphs:
        for tensor in graph.tensors:
            if tensor.buffer in taken:
                model.buffers.append(copy.copy(model.buffers[tensor.buffer]))
                tensor.buffer = len(model.buffers) - 1
            if model.buffers[tensor.buffer].data is not None:
                taken.add(tensor.buffer)


def drop_unused_codes(model: Any) -> None:
    """Drop the kinds of operators that the file does not have."""
    operators = [operator for graph in model.subgraphs for operator in graph.operators]
    used = sorted({operator.opcodeIndex for operator in operators})
    for operator in operators:
        operator.opcodeIndex = used.index(operator.opcodeIndex)
    model.operatorCodes = [model.operatorCodes[index] for index in used]


def drop_unused_buffers(model: Any) -> None:
    """Drop buffers without data, one of which the converter writes for each tensor."""
    holders = [*(t for graph in model.subgraphs for t in graph.tensors), *(model.metadata or ())]
    kept = [NO_DATA]
    kept += sorted({each.buffer for each in holders if _has_data(model.buffers[each.buffer])})
    places = {old: new for new, old in enumerate(kept)}
    for each in holders:
        each.buffer = places.get(each.buffer, NO_DATA)
    model.buffers = [model.buffers[index] for index in kept]


def _has_data(buffer: Any) -> bool:
    return buffer.data is not None or bool(buffer.size)
