"""LiteRT files with fewer bits, by TensorFlow's converter."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from lstmgraph.compiler.machine.litert import RECURRENT, litert_calls
from lstmgraph.compiler.named_nodes import named_node
from lstmgraph.compiler.passes.kernels import zeroes_wrong_steps
from lstmgraph.export.flatbuffer import add_buffer, changed
from lstmgraph.export.formats import MICROCONTROLLER, kept_from
from lstmgraph.export.litert_biases import BIAS
from lstmgraph.export.litert_finished import finished
from lstmgraph.export.litert_int16 import in_int16
from lstmgraph.export.litert_tensors import read_subgraphs
from lstmgraph.export.litert_values import Recorder
from lstmgraph.export.litert_weights import have_shared_data, in_float16, in_int8
from lstmgraph.export.micro import check_device, split_concatenations
from lstmgraph.export.mistakes import ExportMistake, export_error
from lstmgraph.export.quantization import DYNAMIC, FLOAT16, INT8, INT16X8, quantization_of
from lstmgraph.export.report import LayerError
from lstmgraph.export.states import C, H

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from lstmgraph.compiler.graph import Node
    from lstmgraph.export.job import ExportJob
    from lstmgraph.export.samples import Arrays

EMPTY = 1e-7
"""The unit of values up to which nothing but zeros was seen."""
CELL = 2.0**-15
"""The unit of cell states in int16 whose largest is 1."""
CLIPPED, WIDEST = 16 * CELL, 64 * CELL
"""The unit where the converter clipped cell states, and that of the most that LiteRT takes."""


def converted(converter: Any, job: ExportJob) -> bytes:
    """Return the model that `converter` makes, in the kind of numbers that the job asks for.

    Of a quantized one, the same model in float32 is written to ``job.plain``.

    Raises:
        RecipeError: the model has loops, whose values cannot be integers (L802).
    """
    content: bytes = converter.convert()
    kind = job.options.quantize
    if kind is None:
        content = _for_device(content, job)
        check_device(job, finished(content, names=True))
        return finished(content)
    job.plain.write_bytes(finished(content))
    _named(job.plain).write_bytes(finished(content, names=True))
    if quantization_of(kind).is_integer:
        _refuse_loops(job, content)
    quantized = _quantized(converter, content, job)
    quantized = _for_device(changed(quantized, _fit_ranges), job)
    named = finished(quantized, names=True)
    check_device(job, named)
    _named(job.plain, "quantized").write_bytes(named)
    return finished(quantized)


def _for_device(content: bytes, job: ExportJob) -> bytes:
    """Return a file in the form that the job's device can run."""
    is_for_micro = job.options.device == MICROCONTROLLER
    return changed(content, split_concatenations) if is_for_micro else content


def _quantized(converter: Any, content: bytes, job: ExportJob) -> bytes:
    """Return `content`, which `converter` made in float32, in the kind of numbers of the job."""
    kind = job.options.quantize
    if kind == FLOAT16:
        return in_float16(content)
    if kind == INT16X8:
        return in_int16(content, job.calibration)
    if kind == DYNAMIC and have_shared_data(content):
        return in_int8(content)
    if kind == INT8:
        converter.representative_dataset = job.calibration
        # What has no operator in integers stays in float32.
        own = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8, tf.lite.OpsSet.TFLITE_BUILTINS]
        converter.target_spec.supported_ops = own
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    # The newer quantizer leaves the weights of LiteRT's LSTM in float32 (TensorFlow 2.21).
    converter.experimental_new_dynamic_range_quantizer = False
    with warnings.catch_warnings():  # of TensorFlow about its own calls
        warnings.simplefilter("ignore", UserWarning)
        quantized: bytes = converter.convert()
    return quantized


def _named(plain: Path, kind: str = "plain") -> Path:
    """Return the path of a file whose tensors keep their names, which a written file has not."""
    return plain.with_suffix(f".{kind}.named")


def _fit_ranges(model: Any, schema: Any) -> None:
    """Change the ranges of a quantized file that LiteRT's kernels cannot take."""
    _give_one_range(model, schema)
    _widen_cells(model, schema)
    _widen_empty_ranges(model, schema)


def _give_one_range(model: Any, schema: Any) -> None:
    """Have the LSTMs of a file store outputs and the state h, the same numbers, in one range.

    LiteRT's kernel copies their bytes (``EvalInteger8x8_16`` in ``kernels/lstm_eval.cc``), but the
    converter's ranges differ where the first steps and the last ones do.
    """
    for graph, operator in _lstms(model, schema):
        output = graph.tensors[operator.outputs[0]]
        state = graph.tensors[operator.inputs[H]]
        if output.type == state.type == schema.TensorType.INT8:
            state.quantization = output.quantization
            graph.tensors[operator.intermediates[-1]].quantization = output.quantization


def _widen_cells(model: Any, schema: Any) -> None:
    """Have the LSTMs of a file store cell states in a range of at least 1.

    The range is a power of two, and LiteRT's kernel leaves out the tanh of numbers in a smaller
    one (``PortableApplyTanh`` in ``kernels/internal/reference/portable_tensor_utils.cc``;
    ai-edge-litert 2.3). The converter writes those where all cell states are small.

    It also clips states at 10 while it looks for ranges, so that one of 16 can mean more: then it
    becomes 64, the widest that the same function knows.
    """
    for graph, operator in _lstms(model, schema):
        cell = graph.tensors[operator.inputs[C]]
        if cell.type == schema.TensorType.INT16:
            unit = np.maximum(cell.quantization.scale, np.float32(CELL))
            cell.quantization.scale = np.where(unit < CLIPPED, unit, np.float32(WIDEST))


def _lstms(model: Any, schema: Any) -> Iterator[tuple[Any, Any]]:
    """Yield each graph and operator of an LSTM."""
    kind = schema.BuiltinOperator.UNIDIRECTIONAL_SEQUENCE_LSTM
    for graph in model.subgraphs:
        for operator in graph.operators:
            if model.operatorCodes[operator.opcodeIndex].builtinCode == kind:
                yield graph, operator


def _widen_empty_ranges(model: Any, schema: Any) -> None:
    """Have values that are zero in all of the data stored in the widest range of the file.

    Those of steps that no sequence of the data reaches are. The converter stores them in units of
    1e-8, with which XNNPACK ends the process (ai-edge-litert 2.3).
    """
    for graph in model.subgraphs:
        units = {
            int(output): graph.tensors[output].quantization
            for operator in graph.operators
            for output in operator.outputs
            if _has_unit(graph.tensors[output])
        }
        widest = max((float(each.scale[0]) for each in units.values()), default=0.0)
        grown = {
            number: widest / float(each.scale[0])
            for number, each in units.items()
            if each.scale[0] < EMPTY < widest
        }
        for operator in graph.operators:
            for number in operator.inputs[:1]:  # variables have none
                _fit_bias(model, graph, operator, grown.get(int(number), 1.0), schema)
        for number in grown:
            units[number].scale = np.array([widest], np.float32)


def _has_unit(tensor: Any) -> bool:
    """Return whether a tensor is stored in multiples of one number."""
    scale = None if tensor.quantization is None else tensor.quantization.scale
    return scale is not None and len(scale) == 1


def _fit_bias(model: Any, graph: Any, operator: Any, grown: float, schema: Any) -> None:
    """Store the bias of an operator in the unit of its products, where that of its input grew."""
    if grown == 1.0 or len(operator.inputs) <= BIAS or operator.inputs[BIAS] < 0:
        return
    bias = graph.tensors[operator.inputs[BIAS]]
    if bias.type != schema.TensorType.INT32 or bias.quantization is None:
        return
    old = np.asarray(model.buffers[bias.buffer].data, np.uint8).view(np.int32)
    bias.buffer = add_buffer(model, schema, np.round(old / grown).astype(np.int32))
    bias.quantization.scale = (np.asarray(bias.quantization.scale) * grown).astype(np.float32)


def _refuse_loops(job: ExportJob, content: bytes) -> None:
    """Refuse loops: TensorFlow's calibrator ends the process (2.21) where values leave one."""
    graphs = read_subgraphs(content)
    names = [
        graph.tensors[output].name
        for graph in graphs
        for operator in graph.operators
        if operator.kind == "WHILE"
        for output in operator.outputs[:1]
    ]
    reasons = {call.name: call.reason for call in litert_calls(job.graph, kept_from(job.options))}
    mistakes = []
    for name in names:
        node = named_node(job.graph, name)
        what = f"'{node.name}' ({node.op})" if node else f"'{name}'"
        reason = reasons.get(node.name, f"LiteRT has no operator of {node.op}") if node else None
        why = f": {reason}" if reason else ""
        message = (
            f"{what} is a loop in LiteRT, whose values cannot be stored in "
            f"{job.options.quantize}{why}"
        )
        hint = f"choose dynamic or float16{_way_out(job, node)}"
        mistakes.append(ExportMistake("L802", node.path if node else (), message, hint))
    if mistakes:
        raise export_error(job.compiled, mistakes)


def _way_out(job: ExportJob, node: Node | None) -> str:
    """Return what else would make a recurrent call do without a loop, as the end of a hint."""
    if node is None or node.op not in RECURRENT:
        return ""
    steps = job.graph.specs[node.inputs[0]].shape[1]
    if not isinstance(steps, int):
        return ", or give its input a fixed number of steps"
    if zeroes_wrong_steps(node, job.graph.used_ports()):  # with `unroll: true`
        return ", or leave out its mask"
    return ", or write its steps one after another with `unroll: true`"


def layer_errors(job: ExportJob, batches: Sequence[Arrays]) -> list[LayerError]:
    """Return how far the values of each layer are off, of the quantized file, the worst first.

    It is the root mean square of the difference from the same tensor in float32, in parts of that
    of its values, of the last tensor of the layer that both files have.
    """
    files = (_named(job.plain, kind) for kind in ("quantized", "plain"))
    found, plain = (Recorder(each.read_bytes()) for each in files)
    names = [name for name in plain.tensors if name in found.tensors]
    off, size = dict.fromkeys(names, 0.0), dict.fromkeys(names, 0.0)
    for batch in batches:
        ours, theirs = plain.values(batch, names), found.values(batch, names)
        for name in ours.keys() & theirs.keys():
            if ours[name].shape == theirs[name].shape:
                off[name] += float(((ours[name] - theirs[name]) ** 2).sum())
                size[name] += float((ours[name] ** 2).sum())
    layers: dict[str, LayerError] = {}
    for name in names:  # in the order they are computed in
        node = named_node(job.graph, f"{name}/")
        if node is not None and size[name] > 0:
            error = float(np.sqrt(off[name] / size[name]))
            layers[node.layer] = LayerError(node.layer, error)
    return sorted(layers.values(), key=lambda each: -each.error)
