"""The states of fused LSTMs in a LiteRT file: set before each call, and read after it.

``UNIDIRECTIONAL_SEQUENCE_LSTM`` keeps its states in two variable tensors, from one call of the file
to the next: as the converter writes it, a second call goes on where the first ended. Here each call
sets them first. They are ordinary tensors to the other operators, which write and read them: so
initial states may be any tensors, and final states are there too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lstmgraph.compiler.machine.litert import OPERATOR

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

BEGIN = "lstmgraph_begin"
"""Takes the steps, h and c; gives the steps to an LSTM that begins with these states."""
FINAL_CELL = "lstmgraph_final_cell"
"""Takes the sequence of an LSTM and its last step; gives the cell state after it."""
H, C = 18, 19
"""The places of the states among the operator's inputs, as in LiteRT's
``kernels/lstm_shared.h``."""
IDENTIFIER = b"TFL3"


def with_states(content: bytes) -> bytes:
    """Return a LiteRT file whose fused LSTMs begin each call with the model's initial states.

    Args:
        content: the file as the converter writes it; `BEGIN` and `FINAL_CELL` in it are replaced.
    """
    import flatbuffers  # noqa: PLC0415 - in an extra
    from ai_edge_litert import schema_py_generated as schema  # noqa: PLC0415 - in an extra

    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content))
    for graph in model.subgraphs:
        _States(model, graph, schema).set_and_read()
    _drop_unused_codes(model)
    builder = flatbuffers.Builder(len(content))
    builder.Finish(model.Pack(builder), IDENTIFIER)
    return bytes(builder.Output())


def _drop_unused_codes(model: Any) -> None:
    """Drop the kinds of operators that the file no longer has."""
    operators = [operator for graph in model.subgraphs for operator in graph.operators]
    used = sorted({operator.opcodeIndex for operator in operators})
    for operator in operators:
        operator.opcodeIndex = used.index(operator.opcodeIndex)
    model.operatorCodes = [model.operatorCodes[index] for index in used]


@dataclass
class _States:
    """Changes one graph of a file; `schema` is LiteRT's module of that name."""

    model: Any
    graph: Any
    schema: Any

    def set_and_read(self) -> None:
        named = [(self._name(each), each) for each in self.graph.operators]
        makers = {int(tensor): each for _, each in named for tensor in each.outputs}
        operators: list[Any] = []
        for name, operator in named:
            if name == OPERATOR:
                begin = makers.get(int(operator.inputs[0]))
                operators += self._set(operator, begin if begin in _of(BEGIN, named) else None)
                operators.append(operator)
            elif name == FINAL_CELL:
                operators += self._read(makers[int(operator.inputs[0])], operator)
            elif name != BEGIN:
                operators.append(operator)
        self.graph.operators = operators

    def _name(self, operator: Any) -> str:
        """Return the name of a kind of operator, or of a custom one."""
        code = self.model.operatorCodes[operator.opcodeIndex]
        kinds = self.schema.BuiltinOperator
        kind = max(code.builtinCode, code.deprecatedBuiltinCode)
        if kind == kinds.CUSTOM:
            return str(code.customCode.decode())
        return OPERATOR if kind == kinds.UNIDIRECTIONAL_SEQUENCE_LSTM else ""

    def _set(self, lstm: Any, begin: Any) -> Iterator[Any]:
        """Yield operators that write the initial states, zeros without `begin`."""
        initial = [self._zeros(int(lstm.inputs[place])) for place in (H, C)]
        if begin is not None:
            steps, *initial = (int(tensor) for tensor in begin.inputs)
            lstm.inputs = np.array([steps, *lstm.inputs[1:]], np.int32)
        for place, source in zip((H, C), initial, strict=True):
            state = self._own(lstm, place)
            shape = np.array(self.graph.tensors[state].shape, np.int32)
            options = self.schema.ReshapeOptionsT()
            options.newShape = shape
            yield self._operator("RESHAPE", [source, self._integers(shape)], state, options)

    def _own(self, lstm: Any, place: int) -> int:
        """Return a variable that only `lstm` has.

        The converter may let other operators read the zeros that it makes a variable of: they would
        read a state.
        """
        state = int(lstm.inputs[place])
        readers = [each for each in self.graph.operators if state in each.inputs]
        if readers == [lstm] and list(lstm.inputs).count(state) == 1:
            return state
        tensor = self.graph.tensors[state]
        lstm.inputs = np.array([*lstm.inputs], np.int32)
        lstm.inputs[place] = own = self._like(state)
        self.graph.tensors[own].isVariable = True
        if tensor.isVariable:
            tensor.isVariable, tensor.buffer = False, self._zero_buffer(tensor)
        return own

    def _read(self, lstm: Any, final: Any) -> Iterator[Any]:
        """Yield operators that read the cell state after the last step.

        Zero times the last output is added to it: delegates order operators by what they read, and
        would not know that the LSTM changes the state.
        """
        of_last, read = self.schema.MulOptionsT(), self.schema.AddOptionsT()
        result, last = int(final.outputs[0]), int(final.inputs[1])
        nothing = self._like(result)
        yield self._operator("MUL", [last, self._zeros(result)], nothing, of_last)
        yield self._operator("ADD", [int(lstm.inputs[C]), nothing], result, read)

    def _zeros(self, like: int) -> int:
        """Return a constant of zeros, with the shape and the dtype of another tensor."""
        zeros = self._like(like)
        self.graph.tensors[zeros].buffer = self._zero_buffer(self.graph.tensors[like])
        return zeros

    def _zero_buffer(self, tensor: Any) -> int:
        kind = self.schema.TensorType
        dtype = {kind.FLOAT32: "float32", kind.INT8: "int8", kind.INT16: "int16"}[tensor.type]
        scale = tensor.quantization
        points = scale.zeroPoint if scale is not None and scale.zeroPoint is not None else [0]
        return self._buffer(np.full(tensor.shape, points[0], dtype))

    def _buffer(self, array: np.ndarray) -> int:
        buffer = self.schema.BufferT()
        buffer.data = np.frombuffer(array.tobytes(), np.uint8)
        self.model.buffers.append(buffer)
        return len(self.model.buffers) - 1

    def _integers(self, array: np.ndarray) -> int:
        """Return a constant of int32."""
        tensor = self.schema.TensorT()
        tensor.shape, tensor.type = np.array(array.shape, np.int32), self.schema.TensorType.INT32
        tensor.buffer = self._buffer(array)
        return self._add(tensor)

    def _like(self, place: int) -> int:
        """Return a new tensor that is no constant, with the shape and dtype of another."""
        tensor, other = self.schema.TensorT(), self.graph.tensors[place]
        tensor.shape, tensor.type, tensor.buffer = other.shape, other.type, 0
        tensor.quantization = other.quantization
        return self._add(tensor)

    def _add(self, tensor: Any) -> int:
        tensor.name = f"state/{len(self.graph.tensors)}"
        tensor.hasRank = True
        self.graph.tensors.append(tensor)
        return len(self.graph.tensors) - 1

    def _operator(self, kind: str, inputs: Sequence[int], output: int, options: Any) -> Any:
        operator = self.schema.OperatorT()
        operator.opcodeIndex = self._code(getattr(self.schema.BuiltinOperator, kind))
        operator.inputs = np.array(inputs, np.int32)
        operator.outputs = np.array([output], np.int32)
        name = type(options).__name__.removesuffix("T")
        operator.builtinOptionsType = getattr(self.schema.BuiltinOptions, name)
        operator.builtinOptions = options
        return operator

    def _code(self, kind: int) -> int:
        codes = self.model.operatorCodes
        for index, code in enumerate(codes):
            if code.builtinCode == kind:
                return index
        code = self.schema.OperatorCodeT()
        code.builtinCode = code.deprecatedBuiltinCode = kind
        code.version = 1
        codes.append(code)
        return len(codes) - 1


def _of(wanted: str, named: Sequence[tuple[str, Any]]) -> list[Any]:
    return [operator for name, operator in named if name == wanted]
