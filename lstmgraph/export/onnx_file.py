"""Format ``onnx``: a file made from the recipe's graph, without tracing by TensorFlow."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lstmgraph.compiler.resolved import resolved_recipe
from lstmgraph.export.check import LoadedFile
from lstmgraph.export.inference import weights_by_layer
from lstmgraph.language.text.embedded import FURTHER_MEMBER, MEMBER

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import onnx

    from lstmgraph.export.job import ExportJob


def write(jobs: Sequence[ExportJob], path: Path) -> None:
    """Write the graph as ONNX operators."""
    import onnx  # noqa: PLC0415 - in an extra

    from lstmgraph.export.onnx import onnx_model  # noqa: PLC0415 - imports the above

    (job,) = jobs
    model = onnx_model(job.compiled, weights_by_layer(job.inference))
    model.metadata_props.add(key=MEMBER, value=resolved_recipe(job.compiled))
    if job.further:
        model.metadata_props.add(key=FURTHER_MEMBER, value=job.further)
    if job.options.quantize is None:
        onnx.save(model, path)
        return
    onnx.save(model, job.plain)
    from lstmgraph.export.onnx_quantized import quantize  # noqa: PLC0415 - imports onnxruntime

    quantize(job, path)


def open_file(_job: ExportJob, path: Path) -> LoadedFile:
    """Load the file in onnxruntime, on the CPU."""
    import onnx  # noqa: PLC0415 - in an extra
    import onnxruntime  # noqa: PLC0415 - in an extra

    model = onnx.load(path)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    opset = next(entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx"))
    return LoadedFile(
        frozenset(tensor.name for tensor in session.get_inputs()),
        lambda batch: dict(zip(names, session.run(names, batch), strict=True)),
        tuple(sorted(set(kinds_of_operators(model)))),
        opset,
    )


def kinds_of_operators(part: onnx.ModelProto | onnx.GraphProto) -> Iterator[str]:
    """Yield the kinds of operators in a model, including its loop bodies and functions."""
    if hasattr(part, "graph"):
        yield from kinds_of_operators(part.graph)
        nodes = [node for function in part.functions for node in function.node]
    else:
        nodes = list(part.node)
    for node in nodes:
        yield node.op_type
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from kinds_of_operators(attribute.g)
