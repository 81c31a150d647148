"""Reasons why a recipe cannot be exported, found in its graph without TensorFlow."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from lstmgraph.compiler.machine.machine import keras_backend
from lstmgraph.export.formats import (
    FORMATS,
    MICROCONTROLLER,
    OF_LITERT,
    ONNX,
    SAVED_MODEL,
)
from lstmgraph.export.mistakes import ExportMistake, export_error
from lstmgraph.keras_facts.dtypes import is_float

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from lstmgraph.compiler.compile import CompiledRecipe
    from lstmgraph.compiler.graph import Graph, Node

FLOATS_LITERT_LACKS = frozenset({"float16", "bfloat16", "float64"})
"""Measured with ai-edge-litert 2.3: FULLY_CONNECTED and others do not exist in these."""
ADAPTIVE = re.compile(r"Adaptive(Average|Max)Pooling(\dD)")
POOLING = re.compile(r"(?:Adaptive)?(?P<kind>Average|Max)Pooling(?P<dims>\dD)")
POLICIES_LITERT_LACKS = frozenset({"mixed_float16", "mixed_bfloat16", "float64"})


def check_obstacles(
    compiled: CompiledRecipe, formats: Iterable[str], device: str | None = None
) -> None:
    """Check that the recipe can be exported to `formats`, for a device.

    Raises:
        RecipeError: it cannot; the error lists every reason (L801, L805, L806).
        ImportError: a package for ONNX is not installed.
    """
    mistakes = [mistake for name in formats for mistake in _obstacles(compiled, name)]
    if device == MICROCONTROLLER:
        mistakes += _open_sizes(compiled.graph)
    if mistakes:
        raise export_error(compiled, mistakes)


def check_known(compiled: CompiledRecipe, names: Iterable[str], *, has_data: bool) -> None:
    """Check that the data of a recipe shows the inputs of its models, where some is given.

    The states of a step model are those that the sequences of the data lead to.

    Raises:
        ValueError: layers that a model leaves out compute an input of it.
    """
    further = [compiled.models[name] for name in names if name in compiled.models and has_data]
    for model in further:
        plan_rows = next((m.plan.rows for m in compiled.models.values() if m.plan), None)
        known = {*compiled.graph.inputs, plan_rows}
        unknown = [name for name in model.graph.inputs if name not in known]
        if unknown and model.plan is None:
            raise ValueError(
                f"the data does not show {', '.join(unknown)}, an input of the model {model.name}: "
                "leave the data out, and quantize to dynamic or float16"
            )


def _obstacles(compiled: CompiledRecipe, name: str) -> Iterator[ExportMistake]:
    if name in (*OF_LITERT, SAVED_MODEL) and keras_backend() != "tensorflow":
        yield _tensorflows_own(FORMATS[name].title, keras_backend())
        return
    if name in (*OF_LITERT, SAVED_MODEL):
        yield from _whole_windows(FORMATS[name].title, compiled.graph)
    if name in OF_LITERT:
        yield from _litert_dtypes(compiled)
        yield from _litert_folds(compiled.graph)
        yield from _litert_pooling(compiled.graph)
    if name == ONNX:
        FORMATS[ONNX].check_packages()  # the check below imports them
        from lstmgraph.export.onnx import onnx_obstacles  # noqa: PLC0415 - in an extra

        for path, message in onnx_obstacles(compiled):
            yield ExportMistake("L801", path, message, "change this, or choose another format")


def _open_sizes(graph: Graph) -> Iterator[ExportMistake]:
    """Yield inputs with sizes that only the data decides: a microcontroller plans its memory."""
    for tensor in graph.inputs.values():
        sizes = [size for size in tensor.spec.shape[1:] if isinstance(size, str)]
        if sizes:
            listed = " and ".join(f"`{size}`" for size in sizes)
            fixed = ", ".join(
                "16" if isinstance(size, str) else str(size) for size in tensor.spec.shape[1:]
            )
            yield ExportMistake(
                "L806",
                (*tensor.path, "shape"),
                "LiteRT for Microcontrollers plans its memory before it runs, but the size of "
                f"{listed} of '{tensor.name}' is open",
                f"give it, such as `--set 'inputs.{tensor.name}.shape=[{fixed}]'`",
            )


def _tensorflows_own(title: str, backend: str) -> ExportMistake:
    message = (
        f"{title} needs Keras on TensorFlow to trace the model, but Keras runs on {backend} here"
    )
    hint = "save the model as .keras, and export that file with KERAS_BACKEND=tensorflow"
    return ExportMistake("L805", (), message, hint)


def _litert_dtypes(compiled: CompiledRecipe) -> Iterator[ExportMistake]:
    common = compiled.declaration.runtime.dtype_policy
    for tensor in compiled.graph.inputs.values():
        follows_policy = common == "float64" == tensor.spec.dtype  # reported below
        if tensor.spec.dtype in FLOATS_LITERT_LACKS and not follows_policy:
            message = f"LiteRT computes in float32, but '{tensor.name}' is {tensor.spec.dtype}"
            yield ExportMistake("L801", (*tensor.path, "dtype"), message, "declare it as float32")
    if common in POLICIES_LITERT_LACKS:
        yield _dtype_policy(("runtime", "dtype_policy"), "the recipe", common, "runtime")
    for node in compiled.graph.nodes:
        policy = node.dtype_policy
        if policy in POLICIES_LITERT_LACKS and policy != common:
            path = (*node.path, "dtype_policy")
            yield _dtype_policy(path, f"'{node.layer}'", policy, f"layers.{node.layer}")


def _dtype_policy(
    path: tuple[str | int, ...], what: str, policy: str, section: str
) -> ExportMistake:
    hint = f"add `--set {section}.dtype_policy=float32`"
    if policy.startswith("mixed"):
        hint += "; the weights are float32 already"
    message = f"LiteRT computes in float32, but {what} asks for {policy}"
    return ExportMistake("L801", path, message, hint)


def _whole_windows(title: str, graph: Graph) -> Iterator[ExportMistake]:
    """Yield adaptive pooling to one value along an axis.

    Keras 3.15 also pools by windows of one step more than it needs, which TensorFlow computes at
    once but does not trace where they are longer than the axis (``compute_adaptive_pooling_window_
    sizes`` in ``keras/src/backend/common/backend_utils.py``).
    """
    for node in graph.nodes:
        pooled = ADAPTIVE.match(node.op)
        if pooled and _is_whole_window(node):
            kind, dims = pooled[1].lower(), pooled[2].lower()
            hint = f"use `{kind}_pooling{dims}` with a `pool_size` of the whole axis"
            if {*_output_sizes(node)} == {1}:
                hint = f"use `global_{kind}_pooling{dims}` with `keepdims: true`"
            yield ExportMistake(
                "L801",
                (*node.path, "output_size"),
                f"{title} holds what Keras traces, but not adaptive pooling to a size of 1, as "
                f"'{node.name}' ({node.op}) does: its windows would be longer than the input",
                hint,
            )


def _is_whole_window(node: Node) -> bool:
    """Return whether adaptive pooling gives one value along an axis."""
    return 1 in _output_sizes(node)


def _output_sizes(node: Node) -> list[Any]:
    asked = node.arguments.get("output_size")
    return list(asked) if isinstance(asked, list | tuple) else [asked]


def _litert_pooling(graph: Graph) -> Iterator[ExportMistake]:
    """Yield pooling that LiteRT has no operator for, as measured with ai-edge-litert 2.3."""
    for node in graph.nodes:
        pooled = POOLING.fullmatch(node.op)
        if pooled is None or _is_whole_window(node):
            continue
        dtype = graph.specs[node.inputs[0]].dtype
        if pooled["dims"] == "3D":
            message = (
                f"LiteRT pools in one or two dimensions, but '{node.name}' ({node.op}) in three"
            )
            hint = f"use `conv3d` with `strides`, or `global_{pooled['kind'].lower()}_pooling3d`"
        elif not is_float(dtype):
            message = f"LiteRT pools floats, but '{node.name}' ({node.op}) pools {dtype}"
            hint = "put a `rescaling` with `scale: 1.0` before it, which gives floats"
        else:
            continue
        yield ExportMistake("L801", node.path, message, f"{hint}, or choose another format")


def _litert_folds(graph: Graph) -> Iterator[ExportMistake]:
    """Yield loops over folded steps whose number of rows only the data determines."""
    recurrent = {node.layer for node in graph.nodes if node.recurrence}
    for layer, fold in graph.folds.items():
        segments = graph.specs[fold.inputs[0]].shape[1 : fold.arguments["axes"] + 1]
        unknown = [f"`{size}`" for size in segments if isinstance(size, str)]
        if unknown and layer in recurrent:
            yield ExportMistake(
                "L801",
                fold.path,
                "LiteRT can hold a recurrent layer inside `time_distributed` only for a fixed "
                f"number of segments, but '{layer}' has {' and '.join(unknown)}",
                "give the input a fixed number of segments; its steps may stay open",
            )
