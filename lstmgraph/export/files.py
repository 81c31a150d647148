"""Export of files: each is written to a temporary name, run, compared, then renamed."""

from __future__ import annotations

import errno
import os
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from lstmgraph.export import keras_file, litert, onnx_file, saved_model
from lstmgraph.export.check import compare, model_outputs, tolerance_for
from lstmgraph.export.formats import FORMATS, KERAS, LITERT, ONNX, SAVED_MODEL
from lstmgraph.export.inference import inference_model
from lstmgraph.export.job import ExportJob
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
    from lstmgraph.export.check import LoadedFile
    from lstmgraph.export.formats import ExportOptions
    from lstmgraph.export.samples import Arrays

MODULES: Mapping[str, Any] = {
    KERAS: keras_file,
    SAVED_MODEL: saved_model,
    ONNX: onnx_file,
    LITERT: litert,
}
"""Where each format is written and opened."""
FIXED_BATCH: Mapping[str, int] = {LITERT: litert.ROWS}
"""Formats whose files are for one number of rows only."""
SMALLEST_SIZES = (5, 40, 300)
"""Of dimensions that the data decides, tried until the model runs: some layers want many steps."""


def export_files(
    compiled: CompiledRecipe,
    model: keras.Model,
    targets: Mapping[str, Path],
    options: ExportOptions,
) -> list[ExportReport]:
    """Write `model`, which is one of the recipe, to a path for each format: all of them or none.

    What is there already is replaced.

    Raises:
        RecipeError: a format cannot hold the recipe (L801, L802) or is another backend's (L805), a
            written file computes something else than `model` (L803), or `model` is not one of the
            recipe (L804).
        ValueError: the recipe's batches have another size than the option's.
        ImportError: a package that a format needs is not installed.
        OSError: a file cannot be written.
    """
    for name in targets:
        FORMATS[name].check_packages()
    options.check(targets, compiled.graph.batch_size)
    check_obstacles(compiled, targets)
    kernels = {name: options.kernel if name == SAVED_MODEL else "standard" for name in targets}
    jobs = {
        kernel: ExportJob(compiled, model, inference_model(compiled, model, kernel), options)
        for kernel in dict.fromkeys(kernels.values())
    }
    references = _References(compiled, model)
    with ExitStack() as stack:
        return [
            _export(jobs[kernels[name]], name, path, references, stack)
            for name, path in targets.items()
        ]


class _References:
    """Random batches and the model's outputs for them, made once for each number of rows."""

    def __init__(self, compiled: CompiledRecipe, model: keras.Model) -> None:
        self.compiled = compiled
        self.model = model
        self.made: dict[int | None, tuple[list[Arrays], list[Arrays]]] = {}

    def batches_and_outputs(self, rows: int | None) -> tuple[list[Arrays], list[Arrays]]:
        if rows not in self.made:
            self.made[rows] = self._make(rows)
        return self.made[rows]

    def _make(self, rows: int | None) -> tuple[list[Arrays], list[Arrays]]:
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


def _export(
    job: ExportJob, name: str, target: Path, references: _References, stack: ExitStack
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
        found = [file.run(batch) for batch in batches]
    given = job.options.tolerance
    tolerance = tolerance_for(job.graph) if given is None else given
    outputs, mistakes = compare(job.graph, wanted, found, FORMATS[name].title, tolerance)
    if mistakes:
        raise export_error(job.compiled, mistakes)
    return ExportReport(
        format=name,
        path=target,
        inputs=_signatures(job, rows),
        outputs=outputs,
        tolerance=tolerance,
        batches=len(batches),
        operators=list(file.operators),
        opset=file.opset,
    )


@contextmanager
def _refusals(job: ExportJob, name: str) -> Iterator[None]:
    """Turn what the exporter of a format cannot do into a message at the recipe's line."""
    try:
        yield
    except (RecipeError, OSError, ImportError):
        raise
    except Exception as error:
        if type(error).__name__ == "ResourceExhaustedError":  # TensorFlow's, of a full disk too
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)) from error
        mistake = as_refusal(job.graph, FORMATS[name].title, error)
        raise export_error(job.compiled, [mistake]) from error


def _check_inputs(job: ExportJob, title: str, file: LoadedFile) -> None:
    if file.inputs != frozenset(job.graph.inputs):
        message = f"the inputs of the {title} file are {', '.join(sorted(file.inputs))}"
        raise export_error(job.compiled, [ExportMistake("L803", ("inputs",), message)])


def _signatures(job: ExportJob, rows: int | None) -> list[TensorSignature]:
    found = []
    for name, tensor in job.graph.inputs.items():
        shape: list[Any] = [rows or job.graph.batch_size or BATCH, *tensor.spec.shape[1:]]
        if tensor.time_major:
            shape[:2] = shape[1::-1]
        found.append(TensorSignature(name, shape, tensor.spec.dtype))
    return found
