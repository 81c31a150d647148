"""ONNX files with fewer bits, by onnxruntime's own tools."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING

from lstmgraph.export.quantization import DYNAMIC, FLOAT16

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lstmgraph.export.job import ExportJob
    from lstmgraph.export.samples import Arrays

ONLY_DYNAMIC = ["LSTM"]
"""Operators that onnxruntime computes in integers with the ranges of each call alone."""


def quantize(job: ExportJob, path: Path) -> None:
    """Write the model of ``job.plain`` to `path`, in the kind of numbers that the job asks for.

    For ``int8``, an LSTM gets weights in int8 and the ranges of each call, which is all that
    onnxruntime has for it; other operators get the ranges that the data shows.
    """
    if job.options.quantize == FLOAT16:
        _write_float16(job.plain, path)
        return
    from onnxruntime.quantization import (  # noqa: PLC0415 - in an extra
        CalibrationDataReader,
        QuantFormat,
        QuantType,
        quantize_dynamic,
        quantize_static,
    )

    class Reader(CalibrationDataReader):  # type: ignore[misc]  # onnxruntime has no types
        def __init__(self) -> None:
            self.batches = job.calibration()

        def get_next(self) -> Arrays | None:
            return next(self.batches, None)

    with _advice_held_back():
        if job.options.quantize == DYNAMIC:
            quantize_dynamic(job.plain, path, weight_type=QuantType.QInt8)
            return
        part = job.plain.with_suffix(".part.onnx")
        quantize_dynamic(
            job.plain, part, op_types_to_quantize=ONLY_DYNAMIC, weight_type=QuantType.QInt8
        )
        quantize_static(part, path, Reader(), quant_format=QuantFormat.QDQ)


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
