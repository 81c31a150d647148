"""The states of fused LSTMs in a LiteRT file: set before each call, and read after it.

``UNIDIRECTIONAL_SEQUENCE_LSTM`` keeps its states in two variable tensors, from one call of the file
to the next: as the converter writes it, a second call goes on where the first ended. Here each call
sets them first. They are ordinary tensors to the other operators, which write and read them: so
initial states may be inputs of the model, and final states are there too.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from lstmgraph.compiler.machine.litert import OPERATOR
from lstmgraph.export.flatbuffer import GraphEditor, add_buffer

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

BEGIN = "lstmgraph_begin"
"""Takes the steps, h and c; gives the steps to an LSTM that begins with these states."""
FINAL_CELL = "lstmgraph_final_cell"
"""Takes the sequence of an LSTM and its last step; gives the cell state after it."""
H, C = 18, 19
"""The places of the states among the operator's inputs, as in LiteRT's
``kernels/lstm_shared.h``."""


def set_states(model: Any, schema: Any) -> None:
    """Have the fused LSTMs of a LiteRT file begin each call with the model's initial states.

    Args:
        model: the file as objects; its `BEGIN` and `FINAL_CELL` are replaced.
        schema: LiteRT's module of that name.
    """
    for graph in model.subgraphs:
        _States(model, graph, schema).set_and_read()


@dataclass
class _States:
    """Changes one graph of a file; `schema` is LiteRT's module of that name."""

    model: Any
    graph: Any
    schema: Any
    cleared: dict[tuple[Any, ...], int] = field(default_factory=dict)
    """The variables of zeros, by shape, dtype and zero point."""

    def __post_init__(self) -> None:
        self.editor = GraphEditor(self.model, self.graph, self.schema)

    def set_and_read(self) -> None:
        named = [(self._name(each), each) for each in self.graph.operators]
        makers = {int(tensor): each for _, each in named for tensor in each.outputs}
        first: list[Any] = []
        operators: list[Any] = []
        for name, operator in named:
            if name == OPERATOR:
                operator.builtinOptions.cellClip = 0.0  # the converter's 10: Keras clips nothing
                begin = makers.get(int(operator.inputs[0]))
                given = begin if begin in _of(BEGIN, named) else None
                for source, writing in self._set(operator, given):
                    (operators if source in makers else first).append(writing)
                operators.append(operator)
            elif name == FINAL_CELL:
                operators += self._read(makers[int(operator.inputs[0])], operator)
            elif name != BEGIN:
                operators.append(operator)
        # Behind an operator whose size is not known before it runs, LiteRT would not allocate a
        # variable again that another operator writes.
        self.graph.operators = first + operators

    def _name(self, operator: Any) -> str:
        """Return the name of a kind of operator, or of a custom one."""
        code = self.model.operatorCodes[operator.opcodeIndex]
        kinds = self.schema.BuiltinOperator
        kind = max(code.builtinCode, code.deprecatedBuiltinCode)
        if kind == kinds.CUSTOM:
            return str(code.customCode.decode())
        return OPERATOR if kind == kinds.UNIDIRECTIONAL_SEQUENCE_LSTM else ""

    def _set(self, lstm: Any, begin: Any) -> Iterator[tuple[int, Any]]:
        """Yield each initial state, zeros without `begin`, and the operator that writes it."""
        initial = [self._cleared(int(lstm.inputs[place])) for place in (H, C)]
        if begin is not None:
            steps, *initial = (int(tensor) for tensor in begin.inputs)
            lstm.inputs = np.array([steps, *lstm.inputs[1:]], np.int32)
        for place, source in zip((H, C), initial, strict=True):
            state = self._own(lstm, place)
            yield source, self._copied(source, state)

    def _copied(self, source: int, state: int) -> Any:
        """Return an operator that writes one tensor to another.

        LiteRT's RESHAPE of a constant would make its result read-only.
        """
        if self.model.buffers[self.graph.tensors[source].buffer].data is not None:
            inputs = [source, self._cleared(state)]
            return self.editor.operator("ADD", inputs, state, self.schema.AddOptionsT())
        shape = np.array(self.graph.tensors[state].shape, np.int32)
        options = self.schema.ReshapeOptionsT()
        options.newShape = shape
        inputs = [source, self.editor.constant(shape)]
        return self.editor.operator("RESHAPE", inputs, state, options)

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
        lstm.inputs[place] = own = self._variable(state)
        if tensor.isVariable:
            tensor.isVariable = False
            tensor.buffer = self._zero_buffer(tensor)
        return own

    def _read(self, lstm: Any, final: Any) -> Iterator[Any]:
        """Yield operators that read the cell state after the last step.

        Zero times the last output is added to it: delegates order operators by what they read, and
        would not know that the LSTM changes the state.
        """
        of_last, read = self.schema.MulOptionsT(), self.schema.AddOptionsT()
        result, last = int(final.outputs[0]), int(final.inputs[1])
        nothing = self.editor.like(result)
        yield self.editor.operator("MUL", [last, self._zeros(result)], nothing, of_last)
        yield self.editor.operator("ADD", [int(lstm.inputs[C]), nothing], result, read)

    def _cleared(self, like: int) -> int:
        """Return a variable of zeros that nothing writes, as LiteRT allocates it."""
        tensor = self.graph.tensors[like]
        key = (tuple(tensor.shape), tensor.type, _zero_point(tensor))
        if key not in self.cleared:
            self.cleared[key] = self._variable(like)
        return self.cleared[key]

    def _variable(self, like: int) -> int:
        variable = self.editor.like(like)
        self.graph.tensors[variable].isVariable = True
        return variable

    def _zeros(self, like: int) -> int:
        """Return a constant of zeros, with the shape and the dtype of another tensor."""
        zeros = self.editor.like(like)
        self.graph.tensors[zeros].buffer = self._zero_buffer(self.graph.tensors[like])
        return zeros

    def _zero_buffer(self, tensor: Any) -> int:
        kind = self.schema.TensorType
        dtype = {kind.FLOAT32: "float32", kind.INT8: "int8", kind.INT16: "int16"}[tensor.type]
        zeros = np.full(tensor.shape, _zero_point(tensor), dtype)
        return add_buffer(self.model, self.schema, zeros)


def _zero_point(tensor: Any) -> int:
    """Return the integer that stands for zero in a quantized tensor; 0 in others."""
    points = tensor.quantization.zeroPoint if tensor.quantization is not None else None
    return 0 if points is None or len(points) == 0 else int(points[0])


def _of(wanted: str, named: Sequence[tuple[str, Any]]) -> list[Any]:
    return [operator for name, operator in named if name == wanted]
