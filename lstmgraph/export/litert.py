"""Format ``litert``: a ``.tflite`` file of LiteRT's own operators alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import tensorflow as tf

from lstmgraph.export.check import LoadedFile
from lstmgraph.export.saved_model import SIGNATURE, signature

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lstmgraph.export.job import ExportJob

ROWS = 1
"""Of every batch, where neither recipe nor options say: the usual on a phone."""


def write(job: ExportJob, path: Path) -> None:
    """Convert the model; the number of rows is fixed, other sizes stay open.

    Keras's loop becomes LiteRT's WHILE only where the shape of its states is known. TensorFlow's
    operators are not allowed: Keras's own export falls back on them, and a plain LiteRT runtime
    then cannot run the file.
    """
    job.inference.export(
        str(path),
        format="litert",
        verbose=False,
        input_signature=[signature(job, job.fixed_batch(ROWS))],
        target_spec={"supported_ops": [tf.lite.OpsSet.TFLITE_BUILTINS]},
    )


def open_file(_job: ExportJob, path: Path) -> LoadedFile:
    """Load the file in the interpreter that applications have; TensorFlow's own is deprecated."""
    from ai_edge_litert.interpreter import Interpreter  # noqa: PLC0415 - in an extra

    runner = Interpreter(model_path=str(path)).get_signature_runner(SIGNATURE)
    return LoadedFile(
        frozenset(runner.get_input_details()),
        lambda batch: runner(**batch),
        tuple(sorted(set(_operators(path.read_bytes())))),
    )


def _operators(content: bytes) -> Iterator[str]:
    """Return the kinds of operators in the file, by their names in LiteRT's schema."""
    from ai_edge_litert import schema_py_generated as schema  # noqa: PLC0415 - in an extra

    names = {
        number: name
        for name, number in vars(schema.BuiltinOperator).items()
        if isinstance(number, int)
    }
    model = schema.Model.GetRootAs(content)
    for index in range(model.OperatorCodesLength()):
        code = model.OperatorCodes(index)
        # The older of the two fields is a byte, and stays at 127 for the operators after that.
        yield names[max(code.BuiltinCode(), code.DeprecatedBuiltinCode())]
