"""Export to files: each is written under another name, run and compared before it gets its own."""

from __future__ import annotations

import errno
import os
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from lstmgraph.compiler.machine.litert import litert_calls
from lstmgraph.data.vocabularies import prepared, vocabularies_json
from lstmgraph.export import keras_file, litert, onnx_file, saved_model
from lstmgraph.export.check import compare, model_outputs, tolerance_for
from lstmgraph.export.formats import FORMATS, KERAS, LITERT, ONNX, SAVED_MODEL
from lstmgraph.export.inference import inference_model
from lstmgraph.export.job import ExportJob
from lstmgraph.export.lookups import without_lookups
from lstmgraph.export.mistakes import ExportMistake, export_error
from lstmgraph.export.obstacles import check_obstacles
from lstmgraph.export.refusals import as_refusal
from lstmgraph.export.report import ExportReport, TensorSignature
from lstmgraph.export.samples import sample_batches
from lstmgraph.files import atomic_folder, atomic_path, made_folder
from lstmgraph.keras_facts.tensors import BATCH
from lstmgraph.messages.errors import RecipeError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    import keras

    from lstmgraph.compiler.compile import CompiledRecipe
    from lstmgraph.data.vocabularies import Prepared
    from lstmgraph.export.check import LoadedFile
    from lstmgraph.export.formats import ExportOptions
    from lstmgraph.export.samples import Arrays

MODULES: Mapping[str, Any] = {
    KERAS: keras_file,
    SAVED_MODEL: saved_model,
    ONNX: onnx_file,
    LITERT: litert,
}
"""The module that writes and opens the files of each format."""
FIXED_BATCH: Mapping[str, int] = {LITERT: litert.ROWS}
"""The rows of formats whose files take a fixed number of rows."""
VOCABULARIES = ".vocabularies.json"
"""What the name of a file beside another ends with that holds what this cannot."""
SMALLEST_SIZES = (5, 40, 300)
"""Smallest sizes for named dimensions, tried in turn: some layers need many steps."""


def export_files(
    compiled: CompiledRecipe,
    model: keras.Model,
    targets: Mapping[str, Path],
    options: ExportOptions,
) -> list[ExportReport]:
    """Write `model` to a file for each format, all of them or none, replacing existing files.

    Args:
        compiled: the recipe.
        model: a model of the recipe, with trained weights or new ones.
        targets: the path to write, by format.
        options: what the caller chose.

    Returns:
        A report of each file.

    Raises:
        RecipeError: a format cannot hold the recipe (L801, L802) or needs another backend (L805), a
            written file does not compute what `model` does (L803), or `model` is not a model of
            the recipe (L804).
        ValueError: an option does not fit the formats, or the recipe's batch size.
        ImportError: a package that a format needs is not installed.
        OSError: a file cannot be written.
    """
    for name in targets:
        FORMATS[name].check_packages()
    options.check(targets, compiled.graph.batch_size)
    parts = {name: without_lookups(compiled, name) for name in targets}
    for name, (part, _) in parts.items():
        check_obstacles(part, [name])
    kernels = {
        name: (options.kernel if name == SAVED_MODEL else "standard", bool(makers))
        for name, (_, makers) in parts.items()
    }
    jobs = {
        kernels[name]: ExportJob(
            part, model, inference_model(part, model, kernels[name][0]), options
        )
        for name, (part, _) in parts.items()
    }
    references = _References(compiled, model)
    with ExitStack() as stack:
        return [
            _export(jobs[kernels[name]], name, path, references, parts[name][1], stack)
            for name, path in targets.items()
        ]


class _References:
    """Random batches and the model's outputs for them, computed once for each number of rows."""

    def __init__(self, compiled: CompiledRecipe, model: keras.Model) -> None:
        self.compiled = compiled
        self.model = model
        self.results: dict[int | None, tuple[list[Arrays], list[Arrays]]] = {}

    def batches_and_outputs(self, rows: int | None) -> tuple[list[Arrays], list[Arrays]]:
        if rows not in self.results:
            self.results[rows] = self._compute(rows)
        return self.results[rows]

    def _compute(self, rows: int | None) -> tuple[list[Arrays], list[Arrays]]:
        graph = self.compiled.graph
        errors: list[Exception] = []
        for smallest in SMALLEST_SIZES:
            try:
                batches = list(sample_batches(graph, batch_size=rows, smallest=smallest))
                return batches, model_outputs(self.model, batches)
            except Exception as error:
                errors.append(error)
        mistake = as_refusal(graph, "the model itself", errors[-1])
        raise export_error(self.compiled, [mistake]) from errors[-1]


def _export(  # noqa: PLR0913, PLR0917 - each says one thing
    job: ExportJob,
    name: str,
    target: Path,
    references: _References,
    makers: Mapping[str, Prepared],
    stack: ExitStack,
) -> ExportReport:
    rows = job.fixed_batch(FIXED_BATCH[name]) if name in FIXED_BATCH else None
    batches, wanted = references.batches_and_outputs(rows)
    stack.enter_context(made_folder(target.parent))
    atomic = atomic_folder if name == SAVED_MODEL else atomic_path
    path = stack.enter_context(atomic(target))
    with _refusals(job, name):
        MODULES[name].write(job, path)
        file = MODULES[name].open_file(job, path)
        _check_inputs(job, FORMATS[name].title, file)
        found = [file.run(prepared(batch, makers)) for batch in batches]
    chosen = job.options.tolerance
    tolerance = tolerance_for(job.graph) if chosen is None else chosen
    outputs, mistakes = compare(job.graph, wanted, found, FORMATS[name].title, tolerance)
    if mistakes:
        raise export_error(job.compiled, mistakes)
    beside = target.with_name(f"{target.name}{VOCABULARIES}") if makers else None
    if beside is not None:
        stack.enter_context(atomic_path(beside)).write_text(vocabularies_json(makers), "utf-8")
    return ExportReport(
        format=name,
        path=target,
        inputs=_signatures(job, rows),
        outputs=outputs,
        tolerance=tolerance,
        batches=len(batches),
        operators=list(file.operators),
        opset=file.opset,
        vocabularies=beside,
        recurrent=litert_calls(job.graph) if name == LITERT else [],
    )


@contextmanager
def _refusals(job: ExportJob, name: str) -> Iterator[None]:
    """Turn an exporter's exception in the block into a diagnostic at the recipe's line."""
    try:
        yield
    except (RecipeError, OSError, ImportError):
        raise
    except Exception as error:
        if (
            type(error).__name__ == "ResourceExhaustedError"
        ):  # what TensorFlow raises, also if the disk is full
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)) from error
        mistake = as_refusal(job.graph, FORMATS[name].title, error)
        raise export_error(job.compiled, [mistake]) from error


def _check_inputs(job: ExportJob, title: str, file: LoadedFile) -> None:
    if file.inputs != frozenset(job.graph.inputs):
        message = (
            f"the {title} file has other inputs than the model: {', '.join(sorted(file.inputs))}"
        )
        raise export_error(job.compiled, [ExportMistake("L803", ("inputs",), message)])


def _signatures(job: ExportJob, rows: int | None) -> list[TensorSignature]:
    signatures = []
    for name, tensor in job.graph.inputs.items():
        shape: list[Any] = [rows or job.graph.batch_size or BATCH, *tensor.spec.shape[1:]]
        if tensor.time_major:
            shape[:2] = shape[1::-1]
        signatures.append(TensorSignature(name, shape, tensor.spec.dtype))
    return signatures
