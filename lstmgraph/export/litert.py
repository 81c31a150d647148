"""Format ``litert``: a ``.tflite`` file with LiteRT's own operators only."""

from __future__ import annotations

from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import tensorflow as tf

from lstmgraph.compiler.resolved import resolved_recipe
from lstmgraph.export.arena import arena_size
from lstmgraph.export.check import LoadedFile
from lstmgraph.export.formats import MICROCONTROLLER, kept_from
from lstmgraph.export.fused_lstm import for_litert
from lstmgraph.export.litert_quantized import converted
from lstmgraph.export.litert_tensors import operator_kinds
from lstmgraph.export.saved_model import SIGNATURE, traced
from lstmgraph.language.text.embedded import embed_recipe

if TYPE_CHECKING:
    from pathlib import Path

    from lstmgraph.export.job import ExportJob

ROWS = 1
"""The rows of every batch unless recipe or options say otherwise, as usual on a phone."""


def write(job: ExportJob, path: Path) -> None:
    """Write the model, with its recipe behind it."""
    path.write_bytes(content(job))
    # As LiteRT's own tools attach files: a zip archive behind the model, which runtimes ignore.
    embed_recipe(path, resolved_recipe(job.compiled))


def content(job: ExportJob) -> bytes:
    """Return the model with a fixed number of rows; other sizes stay open.

    The rows are fixed because Keras's loop becomes LiteRT's WHILE only if the shape of its states
    is known. TensorFlow's operators are not allowed: Keras's own export falls back on them, but a
    plain LiteRT runtime cannot run them.
    """
    # LiteRT for Microcontrollers has no sum of integers along an axis.
    by_adding = job.options.device == MICROCONTROLLER
    with for_litert(job.inference, job.graph, kept_from(job.options), by_adding=by_adding):
        archive, _ = traced(job, job.fixed_batch(ROWS))
    with TemporaryDirectory() as folder:
        archive.write_out(folder, verbose=False)
        converter = tf.lite.TFLiteConverter.from_saved_model(folder)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
        converter.experimental_enable_resource_variables = True  # carried states
        return converted(converter, job)


def open_file(job: ExportJob, path: Path) -> LoadedFile:
    """Load the file in the interpreter that applications use; TensorFlow's own is deprecated."""
    return opened(job, path.read_bytes())


def content_of(path: Path) -> bytes:
    """Return the model in the file, with what is behind it."""
    return path.read_bytes()


def opened(_job: ExportJob, content: bytes) -> LoadedFile:
    """Load the content of a file."""
    from ai_edge_litert.interpreter import Interpreter  # noqa: PLC0415 - in an extra

    runner = Interpreter(model_content=content).get_signature_runner(SIGNATURE)
    return LoadedFile(
        frozenset(runner.get_input_details()),
        lambda batch: runner(**batch),
        operator_kinds(content),
        arena=arena_size(content),
    )
