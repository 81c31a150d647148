"""Format ``litert``: a ``.tflite`` file with LiteRT's own operators only."""

from __future__ import annotations

from dataclasses import replace
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import keras
import tensorflow as tf

from lstmgraph.compiler.resolved import resolved_recipe
from lstmgraph.export.arena import arena_size
from lstmgraph.export.check import LoadedFile
from lstmgraph.export.flatbuffer import merged
from lstmgraph.export.formats import MICROCONTROLLER, kept_from
from lstmgraph.export.fused_lstm import for_litert
from lstmgraph.export.job import SIGNATURE
from lstmgraph.export.litert_quantized import converted
from lstmgraph.export.litert_tensors import operator_kinds
from lstmgraph.export.saved_model import add_traced
from lstmgraph.language.text.embedded import embed_recipe

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from lstmgraph.export.job import ExportJob

ROWS = 1
"""The rows of every batch unless recipe or options say otherwise, as usual on a phone."""


def write(jobs: Sequence[ExportJob], path: Path) -> None:
    """Write the models, with their recipe behind them."""
    contents = [content(job) for job in jobs]
    path.write_bytes(_together(jobs, contents))
    if len(jobs) > 1 and jobs[0].options.quantize is not None:
        jobs[0].plain.write_bytes(_together(jobs, [job.plain.read_bytes() for job in jobs]))
    # As LiteRT's own tools attach files: a zip archive behind the model, which runtimes ignore.
    further = "" if len(jobs) > 1 else jobs[0].further
    embed_recipe(path, resolved_recipe(jobs[0].compiled), further)


def _together(jobs: Sequence[ExportJob], contents: Sequence[bytes]) -> bytes:
    """Return one file of the contents of several, each a signature with the name of its model."""
    if len(contents) == 1:
        return contents[0]
    return merged(dict(zip((job.signature for job in jobs), contents, strict=True)))


def content(job: ExportJob) -> bytes:
    """Return the model with a fixed number of rows; other sizes stay open.

    The rows are fixed because Keras's loop becomes LiteRT's WHILE only if the shape of its states
    is known. TensorFlow's operators are not allowed: Keras's own export falls back on them, but a
    plain LiteRT runtime cannot run them.
    """
    archive = keras.export.ExportArchive()
    alone = replace(job, signature=SIGNATURE)
    kept = kept_from(job.options, shared=job.shared)
    # LiteRT for Microcontrollers has no sum of integers along an axis.
    by_adding = job.options.device == MICROCONTROLLER
    with for_litert(job.inference, job.graph, kept, by_adding=by_adding):
        add_traced(archive, alone, job.fixed_batch(ROWS))
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


def opened(job: ExportJob, content: bytes) -> LoadedFile:
    """Load the content of a file."""
    from ai_edge_litert.interpreter import Interpreter  # noqa: PLC0415 - in an extra

    runner = Interpreter(model_content=content).get_signature_runner(job.signature)
    return LoadedFile(
        frozenset(runner.get_input_details()),
        lambda batch: runner(**batch),
        operator_kinds(content),
        arena=arena_size(content),
    )
