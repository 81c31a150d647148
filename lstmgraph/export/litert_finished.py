"""The last changes of a LiteRT file: the model's states are set, and it is made small."""

from __future__ import annotations

from typing import Any

from lstmgraph.export.flatbuffer import changed, drop_unused_buffers, drop_unused_codes
from lstmgraph.export.states import set_states


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
        drop_unused_buffers(model)

    return changed(content, finish)


def _drop_names(graph: Any) -> None:
    """Drop the names of all tensors but inputs and outputs, and quantization without a scale."""
    named = {*graph.inputs.tolist(), *graph.outputs.tolist()}
    for index, tensor in enumerate(graph.tensors):
        if index not in named:
            tensor.name = None
        if tensor.quantization is not None and not _size(tensor.quantization.scale):
            tensor.quantization = None


def _size(array: Any) -> int:
    return 0 if array is None else len(array)
