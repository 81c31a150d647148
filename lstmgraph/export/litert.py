"""Format ``litert``: a ``.tflite`` file with LiteRT's own operators only."""

from __future__ import annotations

from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import tensorflow as tf

from lstmgraph.compiler.resolved import resolved_recipe
from lstmgraph.export.check import LoadedFile
from lstmgraph.export.flatbuffer import finished
from lstmgraph.export.fused_lstm import for_litert
from lstmgraph.export.saved_model import SIGNATURE, traced
from lstmgraph.language.text.embedded import embed_recipe

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lstmgraph.export.job import ExportJob

ROWS = 1
"""The rows of every batch unless recipe or options say otherwise, as usual on a phone."""


def write(job: ExportJob, path: Path) -> None:
    """Write the model with a fixed number of rows; other sizes stay open.

    The rows are fixed because Keras's loop becomes LiteRT's WHILE only if the shape of its states
    is known. TensorFlow's operators are not allowed: Keras's own export falls back on them, but a
    plain LiteRT runtime cannot run them.
    """
    with for_litert(job.inference, job.graph):
        archive, _ = traced(job, job.fixed_batch(ROWS))
    with TemporaryDirectory() as folder:
        archive.write_out(folder, verbose=False)
        converter = tf.lite.TFLiteConverter.from_saved_model(folder)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
        converter.experimental_enable_resource_variables = True  # carried states
        path.write_bytes(finished(converter.convert()))
    # As LiteRT's own tools attach files: a zip archive behind the model, which runtimes ignore.
    embed_recipe(path, resolved_recipe(job.compiled))


def open_file(_job: ExportJob, path: Path) -> LoadedFile:
    """Load the file in the interpreter that applications use; TensorFlow's own is deprecated."""
    from ai_edge_litert.interpreter import Interpreter  # noqa: PLC0415 - in an extra

    runner = Interpreter(model_path=str(path)).get_signature_runner(SIGNATURE)
    return LoadedFile(
        frozenset(runner.get_input_details()),
        lambda batch: runner(**batch),
        tuple(sorted(set(_operators(path.read_bytes())))),
    )


def _operators(content: bytes) -> Iterator[str]:
    """Yield the kinds of operators in the file, by their names in LiteRT's schema."""
    from ai_edge_litert import schema_py_generated as schema  # noqa: PLC0415 - in an extra

    names = {
        number: name
        for name, number in vars(schema.BuiltinOperator).items()
        if isinstance(number, int)
    }
    model = schema.Model.GetRootAs(content)
    for index in range(model.OperatorCodesLength()):
        code = model.OperatorCodes(index)
        # The older field is a byte, which stays at 127 for all newer operators.
        yield names[max(code.BuiltinCode(), code.DeprecatedBuiltinCode())]
