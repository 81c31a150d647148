"""What LiteRT for Microcontrollers can run, of the files that LiteRT can."""

from __future__ import annotations

import json
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lstmgraph.compiler.named_nodes import named_node
from lstmgraph.export.check import LoadedFile
from lstmgraph.export.flatbuffer import GraphEditor
from lstmgraph.export.formats import MICROCONTROLLER
from lstmgraph.export.litert_tensors import operator_kinds, read_subgraphs, signature_places
from lstmgraph.export.mistakes import ExportMistake, export_error

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from lstmgraph.export.job import ExportJob
    from lstmgraph.export.litert_tensors import Operator, Subgraph
    from lstmgraph.export.samples import Arrays

TABLE = Path(__file__).with_name("micro_operators.json")
RUNTIME = "tflite_micro"
"""The package that runs files as a microcontroller does, in the extra ``micro``."""
VARIABLE = "VAR_HANDLE"
MOST_JOINED = 10
"""How many tensors its CONCATENATION takes (``kMaxInputNum`` in ``kernels/concatenation.cc``)."""
ARENA = 16 << 20
"""Bytes that it gets here, so that no model lacks some; `arena_size` says what a model takes."""


@cache
def micro_operators() -> Mapping[str, list[str] | None]:
    """Return the operators that there are, with the dtypes of outputs that they compute.

    None stands for dtypes that were not looked up.
    """
    operators: dict[str, list[str] | None] = json.loads(TABLE.read_text("utf-8"))["operators"]
    return operators


def check_device(job: ExportJob, content: bytes) -> None:
    """Check that the job's device can run the LiteRT file.

    Raises:
        RecipeError: it cannot; the error lists each operator that it lacks (L806).
    """
    if job.options.device != MICROCONTROLLER:
        return
    found: dict[tuple[Any, ...], ExportMistake] = {}
    for graph in read_subgraphs(content):
        for operator in graph.operators:
            for reason, hint in _reasons(graph, operator):
                mistake = _mistake(job, graph, operator, reason, hint)
                found.setdefault((mistake.path, reason), mistake)
    if found:
        raise export_error(job.compiled, found.values())


def _reasons(graph: Subgraph, operator: Operator) -> Iterator[tuple[str, str]]:
    kinds = micro_operators()
    output = graph.tensors[operator.outputs[0]] if operator.outputs else None
    if operator.kind not in kinds:
        yield f"has no operator {operator.kind}", "use another layer"
        return
    if output is None:
        return
    dtypes = kinds[operator.kind]
    if dtypes is not None and output.dtype not in dtypes:
        able = " and ".join(each.lower() for each in dtypes)
        yield (
            f"computes {operator.kind} in {able}, not in {output.dtype.lower()}",
            _other_numbers(output.dtype),
        )
    if output.is_open:
        yield "needs fixed sizes", "give the inputs fixed sizes, such as `shape: [29, 12]`"


def _other_numbers(dtype: str) -> str:
    """Return what else would make a layer do without an operator in `dtype`."""
    if dtype == "BOOL":
        return "leave out the mask that it is of, or use another layer"
    is_of_values = dtype in {"FLOAT32", "FLOAT16", "INT8", "INT16"}
    return "choose another --quantize, or another layer" if is_of_values else "use another layer"


def _mistake(
    job: ExportJob, graph: Subgraph, operator: Operator, reason: str, hint: str
) -> ExportMistake:
    names = [graph.tensors[number].name for number in operator.outputs]
    node = named_node(job.graph, "/".join([*names, ""]))
    what = f"'{node.layer}'" if node else "the model"
    message = f"LiteRT for Microcontrollers {reason}, which {what} needs"
    return ExportMistake("L806", node.path if node else (), message, hint)


def split_concatenations(model: Any, schema: Any) -> None:
    """Have the concatenations of a file join no more tensors at once than LiteRT for
    Microcontrollers takes; `schema` is LiteRT's module of that name.
    """
    kind = schema.BuiltinOperator.CONCATENATION
    for graph in model.subgraphs:
        editor = GraphEditor(model, graph, schema)
        operators: list[Any] = []
        for operator in graph.operators:
            if model.operatorCodes[operator.opcodeIndex].builtinCode == kind:
                operators += _joined_in_parts(editor, operator)
            operators.append(operator)
        graph.operators = operators


def _joined_in_parts(editor: GraphEditor, whole: Any) -> Iterator[Any]:
    """Yield concatenations of parts, which `whole` then joins."""
    tensors, options = editor.graph.tensors, whole.builtinOptions
    while len(whole.inputs) > MOST_JOINED:
        joined = []
        for start in range(0, len(whole.inputs), MOST_JOINED):
            inputs = whole.inputs[start : start + MOST_JOINED]
            part = editor.like(whole.outputs[0])
            shape = np.array(tensors[part].shape)
            shape[options.axis] = sum(tensors[each].shape[options.axis] for each in inputs)
            tensors[part].shape = shape
            yield editor.operator("CONCATENATION", inputs, part, options)
            joined.append(part)
        whole.inputs = np.array(joined, np.int32)


def can_run(content: bytes) -> bool:
    """Return whether the file can be run here as a microcontroller runs it.

    The package that does so has no room for the variables of carried states.
    """
    return find_spec(RUNTIME) is not None and VARIABLE not in operator_kinds(content)


def opened(content: bytes) -> LoadedFile:
    """Load a LiteRT file in the interpreter of microcontrollers."""
    from tflite_micro import runtime  # noqa: PLC0415 - in an extra

    interpreter = runtime.Interpreter.from_bytes(content, arena_size=ARENA)
    inputs, outputs = signature_places(content)

    def run(batch: Arrays) -> dict[str, Any]:
        for name, place in inputs.items():
            interpreter.set_input(batch[name], place)
        interpreter.invoke()
        return {name: interpreter.get_output(place) for name, place in outputs.items()}

    return LoadedFile(frozenset(inputs), run, operator_kinds(content))
