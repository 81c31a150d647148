"""LiteRT files as objects: changed after the converter has written them, and made small.

The format is ``tensorflow/compiler/mlir/lite/schema/schema.fbs``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lstmgraph.export.states import set_states

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

IDENTIFIER = b"TFL3"
NO_DATA = 0
"""The buffer of all tensors that are no constants."""


def finished(content: bytes, *, names: bool = False) -> bytes:
    """Return a file of the converter with the model's states, and without what nothing reads.

    Tensors inside the file lose their names, which can take more than half of it.
    """

    def finish(model: Any, schema: Any) -> None:
        set_states(model, schema)
        drop_unused_codes(model)
        for graph in model.subgraphs:
            if not names:
                _drop_names(graph)
        _drop_unused_buffers(model)

    return changed(content, finish)


def changed(content: bytes, change: Callable[[Any, Any], None]) -> bytes:
    """Return a file after `change` of its objects, which takes the model and LiteRT's schema."""
    import flatbuffers  # noqa: PLC0415 - in an extra
    from ai_edge_litert import schema_py_generated as schema  # noqa: PLC0415 - in an extra

    model = _objects(content, schema)
    change(model, schema)
    builder = flatbuffers.Builder(len(content))
    builder.Finish(model.Pack(builder), IDENTIFIER)
    return bytes(builder.Output())


def add_buffer(model: Any, schema: Any, data: np.ndarray) -> int:
    """Add the bytes of an array to a file's objects, and return the number of their buffer."""
    buffer = schema.BufferT()
    buffer.data = data.view(np.uint8)
    model.buffers.append(buffer)
    return len(model.buffers) - 1


def add_constant(model: Any, graph: Any, schema: Any, values: np.ndarray) -> int:
    """Add a constant in float32 to a graph, and return the number of its tensor."""
    tensor = schema.TensorT()
    tensor.shape, tensor.type = list(values.shape), schema.TensorType.FLOAT32
    tensor.buffer = add_buffer(model, schema, values.astype(np.float32))
    tensor.name = f"constant/{tensor.buffer}".encode()
    graph.tensors.append(tensor)
    return len(graph.tensors) - 1


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
    _drop_unused_buffers(model)


def drop_unused_codes(model: Any) -> None:
    """Drop the kinds of operators that the file does not have."""
    operators = [operator for graph in model.subgraphs for operator in graph.operators]
    used = sorted({operator.opcodeIndex for operator in operators})
    for operator in operators:
        operator.opcodeIndex = used.index(operator.opcodeIndex)
    model.operatorCodes = [model.operatorCodes[index] for index in used]


def _drop_names(graph: Any) -> None:
    """Drop the names of all tensors but inputs and outputs, and quantization without a scale."""
    named = {*graph.inputs.tolist(), *graph.outputs.tolist()}
    for index, tensor in enumerate(graph.tensors):
        if index not in named:
            tensor.name = None
        if tensor.quantization is not None and not _size(tensor.quantization.scale):
            tensor.quantization = None


def _drop_unused_buffers(model: Any) -> None:
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


def _size(array: Any) -> int:
    return 0 if array is None else len(array)
