"""LiteRT files with values in int16 and weights in int8.

TensorFlow 2.21 makes them with the quantizer that it had before the one of int8, which takes some
operators for others: files are changed before it sees them.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf
from tensorflow.lite.python.optimize import calibrator

from lstmgraph.export.flatbuffer import (
    GraphEditor,
    add_buffer,
    changed,
    data_of,
    drop_unused_codes,
    separate_buffers,
    share_buffers,
)
from lstmgraph.export.litert_biases import correct_biases

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
    limits: dict[bytes, np.ndarray] = {}

    def prepare(model: Any, schema: Any) -> None:
        correct_biases(model, schema, content, calibration())
        _give_integers_ranges(model, schema)
        _replace_operators(model, schema)
        limits.update(_limits(model, schema))
        separate_buffers(model)

    def finish(model: Any, schema: Any) -> None:
        _keep_limits(model, schema, limits)
        share_buffers(model)

    with warnings.catch_warnings():  # of TensorFlow about its own calls
        warnings.simplefilter("ignore", UserWarning)
        own = calibrator.add_intermediate_tensors(changed(content, prepare))
        made = calibrator.Calibrator(own).calibrate_and_quantize(
            calibration,
            input_type=tf.float32,
            output_type=tf.float32,
            allow_float=True,
            activations_type=tf.int16,
            bias_type=tf.int64,
        )
    return changed(made, finish)


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
            limit = data_of(model, tensor, np.float32)
            if limit is not None and tensor.type == schema.TensorType.FLOAT32:
                yield tensor.name, limit


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
        self.model, self.graph, self.schema = model, graph, schema
        self.kinds = schema.BuiltinOperator
        self.editor = GraphEditor(model, graph, schema)

    def of(self, operator: Any) -> Iterator[Any]:
        """Yield what computes the same as `operator`."""
        kind = self.model.operatorCodes[operator.opcodeIndex].builtinCode
        inputs, outputs = operator.inputs, operator.outputs
        is_float = len(outputs) and self._tensor(outputs[0]).type == self.schema.TensorType.FLOAT32
        if is_float and kind == self.kinds.SQUARE:
            yield self._multiply(inputs[0], inputs[0], outputs[0])
        elif is_float and kind == self.kinds.SQUARED_DIFFERENCE:
            part = self.editor.like(outputs[0])
            yield self._subtract(inputs[0], inputs[1], part)
            yield self._multiply(part, part, outputs[0])
        elif is_float and kind == self.kinds.SUM and (count := self._count(*inputs)):
            mean, options = self.editor.like(outputs[0]), operator.builtinOptions
            yield self.editor.operator("MEAN", inputs, mean, options)
            number = self.editor.constant(np.array([count], np.float32))
            yield self._multiply(mean, number, outputs[0])
        else:
            yield operator

    def _tensor(self, number: int) -> Any:
        return self.graph.tensors[number]

    def _count(self, values: int, axes: int) -> int:
        """Return how many numbers each sum is of; 0 where that is open."""
        summed = data_of(self.model, self._tensor(axes), np.int32)
        signature = self._tensor(values).shapeSignature
        if summed is None or (signature is not None and min(signature) < 0):
            return 0
        return int(np.asarray(self._tensor(values).shape)[summed].prod())

    def _multiply(self, one: int, other: int, product: int) -> Any:
        return self.editor.operator("MUL", [one, other], product, self.schema.MulOptionsT())

    def _subtract(self, one: int, other: int, difference: int) -> Any:
        return self.editor.operator("SUB", [one, other], difference, self.schema.SubOptionsT())
