"""ONNX files with fewer bits, by onnxruntime's own tools."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from lstmgraph.export.quantization import DYNAMIC, FLOAT16

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from lstmgraph.export.job import ExportJob
    from lstmgraph.export.samples import Arrays

RANGES_OF_CALLS = ["LSTM", "Gather"]
"""Operators whose values get the ranges of each call: of an LSTM onnxruntime has no other integers,
and of a lookup only the table has fewer bits."""
RANGES_OF_DATA = ["MatMul", "Gemm", "Conv"]
"""Operators that integers make smaller and faster. Their results stay float32, as others between
integers would cost exactness and time, and save nothing."""
ONLY_STORED = ("GRU", "RNN")
"""Operators that onnxruntime computes in float32 alone."""
ZERO = 128
"""The uint8 that stands for zero in weights."""
WEIGHTS = (1, 2)
"""The places of kernel and recurrent kernel among the inputs of a recurrent operator."""


def quantize(job: ExportJob, path: Path) -> None:
    """Write the model of ``job.plain`` to `path`, in the kind of numbers that the job asks for.

    Weights are unsigned: without VNNI, x86 processors add two products of a signed and an unsigned
    number in 16 bits, where they saturate (onnxruntime's page on quantization, "U8S8").
    """
    if job.options.quantize == FLOAT16:
        _write_float16(job.plain, path)
        return
    from onnxruntime.quantization import (  # noqa: PLC0415 - in an extra
        CalibrationDataReader,
        QuantType,
        quantize_dynamic,
        quantize_static,
    )

    class Reader(CalibrationDataReader):  # type: ignore[misc]  # onnxruntime has no types
        def __init__(self) -> None:
            self.batches = job.calibration()

        def get_next(self) -> Arrays | None:
            return next(self.batches, None)

    unsigned = QuantType.QUInt8
    part = job.plain.with_suffix(".part.onnx")
    with _advice_held_back():
        if job.options.quantize == DYNAMIC:
            quantize_dynamic(job.plain, part, weight_type=unsigned)
        else:
            first = job.plain.with_suffix(".first.onnx")
            quantize_dynamic(
                job.plain, part, op_types_to_quantize=RANGES_OF_CALLS, weight_type=unsigned
            )
            if _has_any(part, RANGES_OF_DATA):
                quantize_static(
                    part.replace(first),
                    part,
                    Reader(),
                    op_types_to_quantize=RANGES_OF_DATA,
                    activation_type=unsigned,
                    weight_type=unsigned,
                    extra_options={"OpTypesToExcludeOutputQuantization": RANGES_OF_DATA},
                )
    _write_recurrent(part, path)


def _has_any(path: Path, kinds: Sequence[str]) -> bool:
    import onnx  # noqa: PLC0415 - in an extra

    return any(node.op_type in kinds for node in onnx.load(path).graph.node)


def _write_recurrent(part: Path, path: Path) -> None:
    """Write the file that onnxruntime's tools made with its recurrent weights in uint8."""
    import onnx  # noqa: PLC0415 - in an extra

    model = onnx.load(part)
    arrays = {each.name: each for each in model.graph.initializer}
    restored: dict[str, Any] = {}
    for node in model.graph.node:
        for place, name in enumerate(node.input):
            array = arrays.get(name)
            if array is None:
                continue
            if node.op_type == "DynamicQuantizeLSTM" and array.data_type == onnx.TensorProto.INT8:
                signed = onnx.numpy_helper.to_array(array).astype(np.int16)
                _put(array, signed + ZERO)
            elif node.op_type in ONLY_STORED and place in WEIGHTS:
                if name not in restored:
                    restored[name] = _stored(model, array)
                node.input[place] = restored[name].output[0]
    nodes = [*restored.values(), *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    onnx.save(model, path)


def _stored(model: Any, array: Any) -> Any:
    """Store an array of float32 in uint8, and return the node that restores it."""
    import onnx  # noqa: PLC0415 - in an extra

    values = onnx.numpy_helper.to_array(array)
    step = np.float32(np.abs(values).max() / (ZERO - 1) or 1.0)
    _put(array, np.round(values / step) + ZERO)
    inputs = [array.name, f"{array.name}/step", f"{array.name}/zero"]
    for name, value in zip(inputs[1:], (step, np.uint8(ZERO)), strict=True):
        model.graph.initializer.append(onnx.numpy_helper.from_array(np.array(value), name))
    output = f"{array.name}/restored"
    return onnx.helper.make_node("DequantizeLinear", inputs, [output], name=output)


def _put(array: Any, values: np.ndarray) -> None:
    """Put values in place of an array's, as uint8."""
    import onnx  # noqa: PLC0415 - in an extra

    array.CopyFrom(onnx.numpy_helper.from_array(values.astype(np.uint8), array.name))


def _write_float16(plain: Path, path: Path) -> None:
    import onnx  # noqa: PLC0415 - in an extra
    from onnxruntime.transformers.float16 import (  # noqa: PLC0415 - in an extra
        convert_float_to_float16,
    )

    onnx.save(convert_float_to_float16(onnx.load(plain), keep_io_types=True), path)


@contextmanager
def _advice_held_back() -> Iterator[None]:
    """Hold back onnxruntime's advice to infer shapes first, which a model of a recipe has."""
    logger = logging.getLogger()
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
