"""LiteRT files with values in int16 and weights in int8.

TensorFlow 2.21 makes them with the quantizer that it had before the one of int8, which takes some
operators for others: files are changed before it sees them.
"""

from __future__ import annotations

import copy
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf
from tensorflow.lite.python.optimize import calibrator

from lstmgraph.export.flatbuffer import (
    add_buffer,
    add_constant,
    changed,
    drop_unused_codes,
    share_buffers,
)
from lstmgraph.export.litert_biases import with_corrected_biases

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from lstmgraph.export.samples import Arrays

COMPARISONS = ("EQUAL", "NOT_EQUAL", "GREATER", "GREATER_EQUAL", "LESS", "LESS_EQUAL")

LIMITING = ("MINIMUM", "MAXIMUM")
LARGEST = 2**15 - 1
"""The largest number of values in int16, which are as wide below zero."""


def in_int16(content: bytes, calibration: Callable[[], Iterable[Arrays]]) -> bytes:
    """Return a float file of the converter with values in int16 and weights in int8.

    What has no operator in integers stays in float32. ``TFLiteConverter._quantize`` does the same
    after it has made `content`, with no place for a change.

    Args:
        content: the file.
        calibration: yields batches of the file's inputs, by name, which show ranges.
    """
    own = with_corrected_biases(content, calibration())
    own = changed(changed(own, _give_integers_ranges), _replace_operators)
    limits: dict[bytes, np.ndarray] = {}
    changed(own, lambda model, schema: limits.update(_limits(model, schema)))
    with warnings.catch_warnings():  # of TensorFlow about its own calls
        warnings.simplefilter("ignore", UserWarning)
        own = calibrator.add_intermediate_tensors(own)
        made = calibrator.Calibrator(own).calibrate_and_quantize(
            calibration,
            input_type=tf.float32,
            output_type=tf.float32,
            allow_float=True,
            activations_type=tf.int16,
            bias_type=tf.int64,
        )
    made = changed(made, lambda model, schema: _keep_limits(model, schema, limits))
    return changed(made, lambda model, _: share_buffers(model))


def _give_integers_ranges(model: Any, schema: Any) -> None:
    """Give the integers that are compared, such as ids and lengths, some range.

    The quantizer leaves them as they are, but asks for one: ``FillQuantizationParams`` in
    ``toco_legacy/quantize_model.cc`` forgets that comparisons are not quantized to int16.
    """
    for graph in model.subgraphs:
        for tensor in _inputs_of(model, graph, schema, COMPARISONS):
            if tensor.type != schema.TensorType.FLOAT32:
                tensor.quantization = tensor.quantization or schema.QuantizationParametersT()
                tensor.quantization.min = np.zeros(1, np.float32)
                tensor.quantization.max = np.ones(1, np.float32)


def _limits(model: Any, schema: Any) -> Iterator[tuple[bytes, np.ndarray]]:
    """Yield the constants of MINIMUM and MAXIMUM in float32, by the names of their tensors."""
    for graph in model.subgraphs:
        for tensor in _inputs_of(model, graph, schema, LIMITING):
            data = model.buffers[tensor.buffer].data
            if data is not None and tensor.type == schema.TensorType.FLOAT32:
                yield tensor.name, np.asarray(data, np.uint8).view(np.float32)


def _keep_limits(model: Any, schema: Any, limits: Mapping[bytes, np.ndarray]) -> None:
    """Store limits beyond the range of values as its ends.

    The quantizer's own rounding overflows where one is 2^31 units away (``SymmetricQuantizeTensor``
    in ``quantization_utils.cc``): a minimum with 1e6 became one with the lowest number.
    """
    for graph in model.subgraphs:
        for tensor in _inputs_of(model, graph, schema, LIMITING):
            if tensor.type != schema.TensorType.INT16 or tensor.name not in limits:
                continue
            units = np.round(limits[tensor.name].astype(np.float64) / tensor.quantization.scale)
            kept = np.clip(units, -LARGEST, LARGEST).astype(np.int16)
            tensor.buffer = add_buffer(model, schema, kept)


def _inputs_of(model: Any, graph: Any, schema: Any, kinds: Iterable[str]) -> Iterator[Any]:
    """Yield the tensors that operators of some kinds read."""
    wanted = {getattr(schema.BuiltinOperator, kind) for kind in kinds}
    for operator in graph.operators:
        if model.operatorCodes[operator.opcodeIndex].builtinCode in wanted:
            yield from (graph.tensors[number] for number in operator.inputs)


def _replace_operators(model: Any, schema: Any) -> None:
    """Compute squares and sums by operators that are right in int16.

    LiteRT has no kernels of SQUARE and SQUARED_DIFFERENCE for it (``elementwise.cc`` and
    ``squared_difference.cc``), and the quantizer stores a SUM in the range of what is summed.
    """
    for graph in model.subgraphs:
        parts = _Parts(model, graph, schema)
        graph.operators = [new for old in graph.operators for new in parts.of(old)]
    drop_unused_codes(model)  # the calibrator looks for kernels of all


class _Parts:
    """The operators that a graph has in place of others."""

    def __init__(self, model: Any, graph: Any, schema: Any) -> None:
        self.model = model
        self.graph = graph
        self.schema = schema
        self.kinds = schema.BuiltinOperator

    def of(self, operator: Any) -> Iterator[Any]:
        """Yield what computes the same as `operator`."""
        kind = self.model.operatorCodes[operator.opcodeIndex].builtinCode
        inputs, outputs = operator.inputs, operator.outputs
        is_float = len(outputs) and self._tensor(outputs[0]).type == self.schema.TensorType.FLOAT32
        if is_float and kind == self.kinds.SQUARE:
            yield self._multiply(inputs[0], inputs[0], outputs[0])
        elif is_float and kind == self.kinds.SQUARED_DIFFERENCE:
            part = self._like(outputs[0])
            yield self._subtract(inputs[0], inputs[1], part)
            yield self._multiply(part, part, outputs[0])
        elif is_float and kind == self.kinds.SUM and (count := self._count(*inputs)):
            operator.opcodeIndex = self._code(self.kinds.MEAN)
            operator.outputs = [self._like(outputs[0])]
            yield operator
            yield self._multiply(operator.outputs[0], self._constant(count), outputs[0])
        else:
            yield operator

    def _tensor(self, number: int) -> Any:
        return self.graph.tensors[number]

    def _count(self, values: int, axes: int) -> int:
        """Return how many numbers each sum is of; 0 where that is open."""
        data = self.model.buffers[self._tensor(axes).buffer].data
        signature = self._tensor(values).shapeSignature
        if data is None or (signature is not None and min(signature) < 0):
            return 0
        shape = np.asarray(self._tensor(values).shape)
        return int(shape[np.asarray(data, np.uint8).view(np.int32)].prod())

    def _multiply(self, one: int, other: int, product: int) -> Any:
        options = (self.schema.BuiltinOptions.MulOptions, self.schema.MulOptionsT())
        return self._operator(self.kinds.MUL, options, [one, other], product)

    def _subtract(self, one: int, other: int, difference: int) -> Any:
        options = (self.schema.BuiltinOptions.SubOptions, self.schema.SubOptionsT())
        return self._operator(self.kinds.SUB, options, [one, other], difference)

    def _operator(self, kind: int, options: tuple[int, Any], inputs: list[int], output: int) -> Any:
        operator = self.schema.OperatorT()
        operator.opcodeIndex = self._code(kind)
        operator.builtinOptionsType, operator.builtinOptions = options
        operator.inputs, operator.outputs = inputs, [output]
        return operator

    def _code(self, kind: int) -> int:
        """Return the place of a kind of operators, which is added."""
        code = self.schema.OperatorCodeT()
        code.builtinCode = code.deprecatedBuiltinCode = kind
        code.version = 1
        self.model.operatorCodes.append(code)
        return len(self.model.operatorCodes) - 1

    def _like(self, number: int) -> int:
        """Return the number of a new tensor like another one."""
        tensor = copy.deepcopy(self._tensor(number))
        tensor.name += b"/part"
        self.graph.tensors.append(tensor)
        return len(self.graph.tensors) - 1

    def _constant(self, value: float) -> int:
        return add_constant(self.model, self.graph, self.schema, np.array([value]))
