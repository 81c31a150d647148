"""What a LiteRT file holds: its operators and tensors, read from the flatbuffer."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

ITEM_BYTES = {
    "BOOL": 1,
    "INT8": 1,
    "UINT8": 1,
    "INT16": 2,
    "FLOAT16": 2,
    "INT32": 4,
    "UINT32": 4,
    "FLOAT32": 4,
    "INT64": 8,
    "FLOAT64": 8,
    "RESOURCE": 4,
}
"""Of a resource, the number that stands for it."""


@dataclass(frozen=True)
class Tensor:
    """A tensor of a file."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    """The name in LiteRT's schema, such as FLOAT32."""
    is_open: bool
    """Whether a size is decided by the data."""
    is_constant: bool
    is_variable: bool
    """Whether it keeps its values from step to step, such as the states of an LSTM."""
    scale: float | None
    """The step of its integers, if it has one for all."""
    zero_point: int

    @property
    def size(self) -> int:
        """The bytes of its values."""
        return int(prod(self.shape)) * ITEM_BYTES.get(self.dtype, 4)


@dataclass(frozen=True)
class Operator:
    """A call of an operator; the numbers are those of tensors, without the ones left out."""

    kind: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


@dataclass(frozen=True)
class Subgraph:
    """A graph of operators in the order they run in."""

    tensors: tuple[Tensor, ...]
    operators: tuple[Operator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


def read_subgraphs(content: bytes) -> list[Subgraph]:
    """Return the graphs in the file, the main one first; the others are bodies of loops."""
    from ai_edge_litert import schema_py_generated as schema  # noqa: PLC0415 - in an extra

    model = schema.Model.GetRootAs(content)
    operators, dtypes = _names(schema.BuiltinOperator), _names(schema.TensorType)
    codes = [model.OperatorCodes(index) for index in range(model.OperatorCodesLength())]
    # The older field is a byte, which stays at 127 for all newer operators.
    kinds = [operators[max(code.BuiltinCode(), code.DeprecatedBuiltinCode())] for code in codes]
    return [
        _subgraph(model, model.Subgraphs(index), kinds, dtypes)
        for index in range(model.SubgraphsLength())
    ]


def signature_places(content: bytes) -> tuple[dict[str, int], dict[str, int]]:
    """Return the places of inputs and outputs by name, in the order of the main graph's."""
    from ai_edge_litert import schema_py_generated as schema  # noqa: PLC0415 - in an extra

    model = schema.Model.GetRootAs(content)
    graph, signature = model.Subgraphs(0), model.SignatureDefs(0)

    def places(each: Callable[[int], Any], count: int, tensors: tuple[int, ...]) -> dict[str, int]:
        named = [each(index) for index in range(count)]
        return {one.Name().decode(): tensors.index(one.TensorIndex()) for one in named}

    inputs = _numbers(graph.Inputs, graph.InputsLength())
    outputs = _numbers(graph.Outputs, graph.OutputsLength())
    return (
        places(signature.Inputs, signature.InputsLength(), inputs),
        places(signature.Outputs, signature.OutputsLength(), outputs),
    )


def operator_kinds(content: bytes) -> tuple[str, ...]:
    """Return the kinds of operators in the file, by their names in LiteRT's schema."""
    found = {each.kind for graph in read_subgraphs(content) for each in graph.operators}
    return tuple(sorted(found))


def _names(enumeration: Any) -> dict[int, str]:
    return {number: name for name, number in vars(enumeration).items() if isinstance(number, int)}


def _subgraph(model: Any, graph: Any, kinds: list[str], dtypes: dict[int, str]) -> Subgraph:
    tensors = tuple(
        _tensor(model, graph.Tensors(index), dtypes) for index in range(graph.TensorsLength())
    )
    calls = [graph.Operators(index) for index in range(graph.OperatorsLength())]
    operators = tuple(
        Operator(
            kinds[call.OpcodeIndex()],
            _numbers(call.Inputs, call.InputsLength()),
            _numbers(call.Outputs, call.OutputsLength()),
        )
        for call in calls
    )
    return Subgraph(
        tensors,
        operators,
        _numbers(graph.Inputs, graph.InputsLength()),
        _numbers(graph.Outputs, graph.OutputsLength()),
    )


def _numbers(at: Callable[[int], int], count: int) -> tuple[int, ...]:
    """Return numbers of tensors; -1 stands for one that is left out."""
    return tuple(number for number in map(at, range(count)) if number >= 0)


def _tensor(model: Any, tensor: Any, dtypes: dict[int, str]) -> Tensor:
    shape = () if tensor.ShapeIsNone() else tuple(int(size) for size in tensor.ShapeAsNumpy())
    is_open = not tensor.ShapeSignatureIsNone() and bool((tensor.ShapeSignatureAsNumpy() < 0).any())
    buffer = model.Buffers(tensor.Buffer())
    steps = tensor.Quantization()
    has_one = steps is not None and steps.ScaleLength() == 1
    return Tensor(
        name=(tensor.Name() or b"").decode(),
        shape=shape,
        dtype=dtypes[tensor.Type()],
        is_open=is_open,
        is_constant=buffer.DataLength() > 0 or buffer.Size() > 0,
        is_variable=tensor.IsVariable(),
        scale=float(steps.Scale(0)) if has_one else None,
        zero_point=int(steps.ZeroPoint(0)) if has_one and steps.ZeroPointLength() else 0,
    )
