"""Export to files: each is written under another name, run and compared before it gets its own."""

from __future__ import annotations

import errno
import os
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

from lstmgraph.compiler.machine.litert import litert_calls
from lstmgraph.data.vocabularies import prepared, vocabularies_json
from lstmgraph.export import c_file, keras_file, litert, micro, onnx_file, saved_model
from lstmgraph.export.check import (
    compare,
    from_zero_states,
    model_outputs,
    predicted,
    tolerance_for,
)
from lstmgraph.export.formats import (
    FORMATS,
    KERAS,
    LITERT,
    OF_LITERT,
    ONNX,
    SAVED_MODEL,
    TOGETHER,
    C,
    kept_from,
    paths_of,
)
from lstmgraph.export.inference import inference_models
from lstmgraph.export.job import ExportData, ExportJob
from lstmgraph.export.lookups import without_lookups
from lstmgraph.export.mistakes import ExportMistake, export_error
from lstmgraph.export.obstacles import check_known, check_obstacles
from lstmgraph.export.quantization import (
    FINER,
    INT8,
    coarse_probabilities,
    quantization_of,
)
from lstmgraph.export.refusals import as_refusal, is_own
from lstmgraph.export.report import ExportReport, MeasureCheck, Quantized, TensorSignature
from lstmgraph.export.samples import sample_batches
from lstmgraph.export.streaming import Streams, stream_check
from lstmgraph.files import atomic_folder, atomic_path, made_folder
from lstmgraph.keras_facts.tensors import BATCH
from lstmgraph.messages.errors import RecipeError
from lstmgraph.models.building import build_models
from lstmgraph.models.derived import copy_weights

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import keras

    from lstmgraph.compiler.compile import CompiledRecipe
    from lstmgraph.export.check import LoadedFile
    from lstmgraph.export.formats import ExportOptions
    from lstmgraph.export.job import Measure
    from lstmgraph.export.report import LayerError, OutputCheck
    from lstmgraph.export.samples import Arrays

MODULES: Mapping[str, Any] = {
    KERAS: keras_file,
    SAVED_MODEL: saved_model,
    ONNX: onnx_file,
    LITERT: litert,
    C: c_file,
}
"""The module that writes and opens the files of each format."""
FIXED_BATCH: Mapping[str, int] = {LITERT: litert.ROWS, C: litert.ROWS}
"""The rows of formats whose files take a fixed number of rows."""
VOCABULARIES = ".vocabularies.json"
"""What the name of a file beside another ends with that holds what this cannot."""
FAR = 0.01
"""From which part of the values on a difference is far."""
MOST_LAYERS, MOST_COMPARED = 5, 20
"""How many layers that are far off are named, and batches that they are measured on."""
LESS_LOSS = (
    "nothing was written; choose a --quantize with more bits, or allow the loss with --max-loss"
)
SMALLEST_SIZES = (5, 40, 300)
"""Smallest sizes for named dimensions, tried in turn: some layers need many steps."""


def export_files(  # noqa: PLR0913 - each says one thing
    compiled: CompiledRecipe,
    model: keras.Model,
    targets: Mapping[str, Path],
    options: ExportOptions,
    data: ExportData | None = None,
    *,
    names: Sequence[str] = (),
) -> list[ExportReport]:
    """Write `model` to a file for each format, all of them or none, replacing existing files.

    Of several models, formats that can hold them get one file with all, and others a file for each.

    Args:
        compiled: the recipe.
        model: a model of the recipe, with trained weights or new ones.
        targets: the path to write, by format.
        options: what the caller chose.
        data: what quantized files are made from and measured on.
        names: the recipe's models to write, by name; the recipe's own if there are none.

    Returns:
        A report of each file.

    Raises:
        RecipeError: a format cannot hold the recipe (L801, L802) or needs another backend (L805), a
            written file does not compute what `model` does (L803), `model` is not a model of the
            recipe (L804), the device cannot run a file (L806), or a measure gets worse than is
            allowed (L807).
        ValueError: an option does not fit the formats, or the recipe's batch size.
        ImportError: a package that a format needs is not installed.
        OSError: a file cannot be written.
    """
    for name in targets:
        FORMATS[name].check_packages()
    options.check(targets, compiled.graph.batch_size, has_data=data is not None)
    options.check_models(targets, names, compiled.graph.name)
    options.check_unseen(data.part if data else None)
    check_known(compiled, names, has_data=data is not None)
    names = tuple(names) or (compiled.graph.name,)
    further = [name for name in names if name in compiled.models]
    parts = {
        (name, own): without_lookups(compiled.part(own) if own in further else compiled, name)
        for name in targets
        for own in names
    }
    for (name, _), (part, _) in parts.items():
        check_obstacles(part, [name], options.device)
    jobs: dict[str, list[ExportJob]] = {}
    made: dict[tuple[str, bool], dict[str, keras.Model]] = {}
    for name in targets:
        kernel = options.kernel if name == SAVED_MODEL else "standard"
        own_parts = {own: parts[name, own] for own in names}
        key = (kernel, any(makers for _, makers in own_parts.values()))
        if key not in made:
            made[key] = _inference(
                compiled, {o: p for o, (p, _) in own_parts.items()}, model, kernel
            )
        jobs[name] = [
            ExportJob(
                part,
                model,
                made[key][own],
                options,
                makers=makers,
                data=data,
                further=own if own in further else "",
            )
            for own, (part, makers) in own_parts.items()
        ]
    sources = _Sources(compiled, model, further, data if options.quantize else None)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory()))
        return [
            _export(own, name, sources, stack)
            for name, path in targets.items()
            for own in _files(name, path, jobs[name], folder, sources)
        ]


def _inference(
    compiled: CompiledRecipe, parts: Mapping[str, CompiledRecipe], model: keras.Model, kernel: str
) -> dict[str, keras.Model]:
    """Return models for inference by name, of one set of layers with the weights of `model`."""
    main = parts.get(compiled.graph.name, compiled)
    graphs = {own: part.graph for own, part in parts.items() if own in compiled.models}
    whole, further = inference_models(main, graphs, model, kernel)
    return {compiled.graph.name: whole, **further}


def _files(
    name: str, path: Path, jobs: Sequence[ExportJob], folder: Path, sources: _Sources
) -> Iterator[list[ExportJob]]:
    """Yield the models of each file of a format."""
    full = [
        replace(
            job,
            model=sources.models[job.further],
            data=sources.data_of(job.further),
            plain=folder / f"{name}.{place}{path.suffix}",
        )
        for place, job in enumerate(jobs)
    ]
    if name in TOGETHER and len(full) > 1:
        yield [
            replace(job, target=path, signature=job.further or job.graph.name, shared=True)
            for job in full
        ]
        return
    paths = paths_of(name, path, [job.further for job in full])
    for job, own in zip(full, paths, strict=True):
        yield [replace(job, target=own)]


class _Sources:
    """What the files of a recipe's models are compared with."""

    def __init__(
        self,
        compiled: CompiledRecipe,
        model: keras.Model,
        names: Sequence[str],
        data: ExportData | None,
    ) -> None:
        self.compiled = compiled
        self.data = data
        self.models = {"": model}
        """By name of a further model; the main one by ""."""
        self.streams: dict[str, Streams] = {}
        graphs = {name: compiled.models[name].graph for name in names}
        plans = {name: compiled.models[name].plan for name in names}
        for name, plan in plans.items():
            parts = {"start": plan.start, "chunk": plan.chunk} if plan else {}
            graphs |= {f"{name}/{part}": graph for part, graph in parts.items() if graph}
        if graphs:
            _, built = build_models(compiled, graphs)
            copy_weights(model, *built.values())
            self.models |= {name: built[name] for name in names}
        for name, plan in plans.items():
            if plan:
                parts = {part: built.get(f"{name}/{part}") for part in ("start", "chunk")}
                own = {"main": model, "step": built[name]}
                own |= {part: found for part, found in parts.items() if found}
                self.streams[name] = Streams(compiled, compiled.models[name], own, data)
        self._references: dict[str, _References] = {}

    def data_of(self, name: str) -> ExportData | None:
        """Return the data of a further model, or of the main one; None where there is none."""
        if self.data is None or not name:
            return self.data
        if name in self.streams:
            return self.streams[name].step_data()
        inputs = self.compiled.models[name].graph.inputs
        ranges, unseen = self.data.ranges, self.data.unseen

        def of_inputs(batches: Iterator[Arrays]) -> Iterator[Arrays]:
            for batch in batches:
                rows = np.zeros(len(next(iter(batch.values()))), "int32")
                yield {each: batch.get(each, rows) for each in inputs}

        return ExportData(
            lambda rows: of_inputs(ranges(rows)),
            lambda rows: of_inputs(unseen(rows)),
            part=None,
            measure=lambda _run, _rows: [],
        )

    def references(self, name: str) -> _References:
        """Return batches for a model, and what it gives for them."""
        if name not in self._references:
            part = self.compiled.part(name) if name else self.compiled
            self._references[name] = _References(part, self.models[name], self.data_of(name))
        return self._references[name]


class _References:
    """Batches and the model's outputs for them, computed once for each number of rows.

    They are random, or those of the data that is given.
    """

    def __init__(
        self, compiled: CompiledRecipe, model: keras.Model, data: ExportData | None
    ) -> None:
        self.compiled = compiled
        self.model = model
        self.data = data
        self.results: dict[int | None, tuple[list[Arrays], list[Arrays]]] = {}

    def batches_and_outputs(self, rows: int | None) -> tuple[list[Arrays], list[Arrays]]:
        if rows not in self.results:
            self.results[rows] = self._compute(rows)
        return self.results[rows]

    def _compute(self, rows: int | None) -> tuple[list[Arrays], list[Arrays]]:
        graph = self.compiled.graph
        if self.data is not None:
            batches = list(self.data.unseen(rows))
            return batches, model_outputs(self.model, batches)
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
    jobs: Sequence[ExportJob], name: str, sources: _Sources, stack: ExitStack
) -> ExportReport:
    """Write a file of one model or several, and check each of them."""
    first = jobs[0]
    rows = first.fixed_batch(FIXED_BATCH[name]) if name in FIXED_BATCH else None
    jobs = [replace(job, rows=rows) for job in jobs]
    stack.enter_context(made_folder(first.target.parent))
    atomic = atomic_folder if name == SAVED_MODEL else atomic_path
    path = stack.enter_context(atomic(first.target))
    with _refusals(first, name):
        MODULES[name].write(jobs, path)
    report, *others = [_checked(job, name, path, sources, stack) for job in jobs]
    # What is of the file, and not of a model in it, is said once.
    others = [replace(each, size=0, arena=None, operators=[], device=None) for each in others]
    return replace(report, others=others)


def _checked(
    job: ExportJob, name: str, path: Path, sources: _Sources, stack: ExitStack
) -> ExportReport:
    """Check a model of a file that is written, and return its report."""
    rows = job.rows
    batches, wanted = sources.references(job.further).batches_and_outputs(rows)
    title, quantize = FORMATS[name].title, job.options.quantize
    with _refusals(job, name):
        on_device = _on_device(job, name, path)
        file = MODULES[name].open_file(job, path)
        _check_inputs(job, title, file)
        given = [prepared(batch, job.makers) for batch in batches]
        found = [file.run(batch) for batch in given]
        there = [on_device.run(batch) for batch in given] if on_device else None
    tolerance = _tolerance(job)
    outputs, mistakes = compare(
        job.graph, wanted, found, title, tolerance, on_average=quantize is not None
    )
    if there is not None:
        of_target = f"{title} on a {job.options.device}"
        mistakes += compare(
            job.graph, wanted, there, of_target, tolerance, on_average=quantize is not None
        )[1]
    if mistakes:
        raise export_error(job.compiled, _explained(job, name, given, outputs, mistakes))
    stream, unchecked = None, ""
    if job.further in sources.streams:
        own = sources.streams[job.further]
        with _refusals(job, name):
            stream, unchecked, mistakes = stream_check(job, file.run, title, own, tolerance)
    if mistakes:
        raise export_error(job.compiled, mistakes)
    quantized = None
    if quantize is not None:
        quantized = _quantized(job, name, path, given, outputs)
    further = sources.compiled.models.get(job.further)
    plan = further.plan if further else None
    return ExportReport(
        format=name,
        path=job.target,
        inputs=_signatures(job, rows),
        outputs=outputs,
        tolerance=tolerance,
        batches=len(batches),
        operators=list(file.operators),
        opset=file.opset,
        size=len(c_file.content_of(path)) if name == C else _size(path),
        arena=file.arena,
        header=_header(job, path, stack) if name == C else None,
        quantized=quantized,
        device=job.options.device,
        ran_on_device=on_device is not None,
        vocabularies=_vocabularies(job, stack) if job.makers else None,
        recurrent=litert_calls(job.graph, kept_from(job.options, shared=job.shared))
        if name in OF_LITERT
        else [],
        model=job.further,
        states=dict(further.states) if further else {},
        begins={state.name: state.begins for state in plan.states} if plan else {},
        stream=stream,
        unchecked=unchecked,
    )


def _explained(
    job: ExportJob,
    name: str,
    batches: list[Arrays],
    outputs: Sequence[OutputCheck],
    mistakes: Sequence[ExportMistake],
) -> list[ExportMistake]:
    """Return the mistakes in outputs, with the reason where it is known."""
    if name not in OF_LITERT or job.options.quantize is None:
        return list(mistakes)
    tolerance, in_int8 = _tolerance(job), job.options.quantize == INT8
    coarse = {
        job.graph.output_paths[each.name]: coarse_probabilities(job.graph, each, tolerance)
        for each in outputs
        if in_int8
    }
    lost = ", ".join(f"'{each.layer}' by {each.error:.0%}" for each in _far_layers(job, batches))
    off = f"; the values of layers are off: {lost}" if lost else ""
    return [
        replace(each, message=f"{each.message}; {reason}", hint=FINER)
        if (reason := coarse.get(each.path))
        else replace(each, message=f"{each.message}{off}")
        for each in mistakes
    ]


def _far_layers(job: ExportJob, batches: list[Arrays]) -> list[LayerError]:
    """Return the layers of a quantized LiteRT file whose values are far off, the worst first."""
    from lstmgraph.export.litert_quantized import layer_errors  # noqa: PLC0415 - TensorFlow

    found = layer_errors(job, batches[:MOST_COMPARED])
    return [each for each in found if each.error > FAR][:MOST_LAYERS]


def _on_device(job: ExportJob, name: str, path: Path) -> LoadedFile | None:
    """Load the file as the job's device does, if that can be done here."""
    if job.options.device is None:
        return None
    content = MODULES[name].content_of(path)
    return micro.opened(content) if micro.can_run(content) else None


def _tolerance(job: ExportJob) -> float:
    if job.options.tolerance is not None:
        return job.options.tolerance
    kind = job.options.quantize
    return tolerance_for(job.graph) if kind is None else quantization_of(kind).tolerance


def _quantized(
    job: ExportJob, name: str, path: Path, batches: list[Arrays], outputs: list[OutputCheck]
) -> Quantized:
    """Measure what quantizing changed.

    Raises:
        RecipeError: a measure gets worse by more than the options allow (L807).
    """
    layers: list[LayerError] = []
    if name in OF_LITERT and any(_is_far(check) for check in outputs):
        layers = _far_layers(job, batches)
    measures = _measures(job, name, path)
    part = job.data.part if job.data else None
    plain, kind = _size(job.plain), str(job.options.quantize)
    return Quantized(kind, plain, job.data is not None, part, measures, layers)


def _is_far(check: OutputCheck) -> bool:
    return check.mean_difference > FAR * check.greatest_value


def _measures(job: ExportJob, name: str, path: Path) -> list[MeasureCheck]:
    if job.data is None or job.data.part is None:
        return []
    file = MODULES[name].open_file(job, path)  # anew, as states may have been carried
    with from_zero_states(job.model):
        before = job.data.measure(lambda batch: predicted(job.model, batch), job.graph.batch_size)
    after = job.data.measure(lambda batch: file.run(prepared(batch, job.makers)), job.rows)
    checks = [_compared(*pair) for pair in zip(before, after, strict=True)]
    allowed = job.options.max_loss
    mistakes = [
        ExportMistake("L807", job.graph.output_paths[each.output], _loss(each, job), LESS_LOSS)
        for each in checks
        if allowed is not None and not each.loss <= allowed
    ]
    if mistakes:
        raise export_error(job.compiled, mistakes)
    return checks


def _compared(before: Measure, after: Measure) -> MeasureCheck:
    worse = before.value - after.value if before.grows else after.value - before.value
    scale = abs(before.value)
    loss = worse / scale if scale else float("inf") if worse > 0 else 0.0
    return MeasureCheck(before.output, before.name, before.value, after.value, loss)


def _loss(check: MeasureCheck, job: ExportJob) -> str:
    return (
        f"{check.name} of '{check.output}' gets worse by {check.loss:.2%} in "
        f"{job.options.quantize}, from {check.before:.4g} to {check.after:.4g}; allowed is "
        f"{job.options.max_loss:.2%}"
    )


def _header(job: ExportJob, path: Path, stack: ExitStack) -> Path:
    beside = job.target.with_suffix(c_file.HEADER_SUFFIX)
    stack.enter_context(atomic_path(beside)).write_text(c_file.header(job, path), "utf-8")
    return beside


def _vocabularies(job: ExportJob, stack: ExitStack) -> Path:
    beside = job.target.with_name(f"{job.target.name}{VOCABULARIES}")
    text = vocabularies_json(job.makers)
    stack.enter_context(atomic_path(beside)).write_text(text, "utf-8")
    return beside


def _size(path: Path) -> int:
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())


@contextmanager
def _refusals(job: ExportJob, name: str) -> Iterator[None]:
    """Turn an exporter's exception in the block into a diagnostic at the recipe's line.

    Mistakes of this package stay what they are.
    """
    try:
        yield
    except (RecipeError, OSError, ImportError):
        raise
    except Exception as error:
        if (
            type(error).__name__ == "ResourceExhaustedError"
        ):  # what TensorFlow raises, also if the disk is full
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)) from error
        if is_own(error):
            raise
        mistake = as_refusal(job.graph, FORMATS[name].title, error, job.options.quantize)
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
