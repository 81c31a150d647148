"""Masks that `mask:` of a layer defines: by value, lengths, an input or another layer."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from lstmgraph.compiler.graph import FOLD, JOIN, Graph, MaskSpec, Node, Port
from lstmgraph.compiler.passes.loops import is_fed, of_lengths, of_whole
from lstmgraph.compiler.passes.mistakes import GraphMistake
from lstmgraph.compiler.passes.remarks import of_dtype, of_mask, of_tensor
from lstmgraph.language.declaration.recipe import MaskByInput, MaskByLengths, MaskByValue, MaskFrom

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lstmgraph.compiler.passes.mistakes import Remark
    from lstmgraph.keras_facts.tensors import Dim, TensorSpec
    from lstmgraph.messages.diagnostics import Path


def made_mask(
    graph: Graph,
    node: Node,
    masks: Mapping[Port, MaskSpec],
    specs: Mapping[Port, TensorSpec],
) -> MaskSpec | None:
    """Return the mask of shape (batch, time) that the recipe defines for `node`, or None.

    Raises:
        GraphMistake: if it does not fit the steps of the node's input.
    """
    form = node.mask_form
    sequence = _sequence(graph, node, specs)
    steps = specs[node.inputs[0]].shape[:2]
    path = (*node.path[:2], "mask")
    if node.op == FOLD:
        steps = _of_segments(node, specs)
    if isinstance(form, MaskByValue):
        made = MaskSpec("value", sequence, steps, form.padding, form.value, path=path)
        return of_whole(graph, made)
    if isinstance(form, MaskByLengths):
        port = Port(form.lengths.layer)
        _check_lengths(graph, port, specs[port], form.lengths.path, steps)
        made = MaskSpec("lengths", port, steps, "right", like=sequence, path=path)
        return of_lengths(graph, node, made)
    if isinstance(form, MaskByInput):
        port = Port(form.source.layer)
        if specs[port].dtype != "bool":
            raise GraphMistake(
                "L502",
                form.source.path,
                f"a mask must be bool, but '{port}' is {specs[port].dtype}",
                "declare the input with `dtype: bool`",
                notes=(of_dtype(graph, port, specs[port]),),
            )
        notes = (of_tensor(graph, port, specs[port]), of_tensor(graph, sequence, specs[sequence]))
        _check_steps(str(port), specs[port].shape, steps, form.source.path, notes)
        return of_whole(graph, MaskSpec("input", port, steps, form.padding, path=path))
    if isinstance(form, MaskFrom):
        shape = specs[node.inputs[0]].shape
        declared = of_tensor(graph, sequence, specs[sequence])
        return _mask_from(graph, node, form, masks, shape, declared)
    return None


def _sequence(graph: Graph, node: Node, specs: Mapping[Port, TensorSpec]) -> Port:
    """Return the sequence that `node` reads, without the features that are joined to it."""
    source = graph.by_name.get(node.inputs[0].node)
    if source is None or source.op != JOIN:
        return node.inputs[0]
    return next(port for port in source.inputs if specs[port].rank == 3)


def _of_segments(node: Node, specs: Mapping[Port, TensorSpec]) -> tuple[Dim, ...]:
    """Return the shape of a mask of a fold: of its steps, or of the segments if it is one of them.

    The mask is one of the segments if the input, or that of another port, has as many axes.
    """
    form, shape = node.mask_form, specs[node.inputs[0]].shape
    segments = node.arguments["axes"] + 1
    if isinstance(form, MaskByInput) and specs[Port(form.source.layer)].rank <= segments:
        return shape[:segments]
    if isinstance(form, MaskByLengths) and specs[Port(form.lengths.layer)].rank < segments:
        return shape[:segments]
    return shape[: segments + 1]


def _check_lengths(
    graph: Graph, port: Port, spec: TensorSpec, path: Path, steps: tuple[Dim, ...]
) -> None:
    if spec.shape == steps[:-1] and spec.dtype.startswith(("int", "uint")):
        return
    if len(steps) > 2 and spec.rank > 1:
        raise GraphMistake(
            "L516",
            path,
            f"lengths of the steps here must be integers {show_shape(steps[:-1])}, but '{port}' "
            f"is {spec} {spec.dtype}",
            "declare the input with the same dimensions, and `dtype: int32`",
            notes=(of_tensor(graph, port, spec),),
        )
    declared = of_tensor(graph, port, spec) if spec.rank != 1 else of_dtype(graph, port, spec)
    raise GraphMistake(
        "L502",
        path,
        f"lengths must be one integer per row, but '{port}' is {spec} {spec.dtype}",
        "declare the input as {shape: [], dtype: int32}",
        notes=(declared,),
    )


def _check_steps(
    name: str,
    shape: tuple[Dim, ...],
    steps: tuple[Dim, ...],
    path: Path,
    notes: tuple[Remark, ...],
) -> None:
    if shape == steps:
        return
    raise GraphMistake(
        "L503",
        path,
        f"the mask '{name}' is {show_shape(shape)}, but the steps here are {show_shape(steps)}",
        "use a mask with the same time dimension; equal names mean equal lengths",
        notes=notes,
    )


def _mask_from(  # noqa: PLR0913, PLR0917 - the parts of a mask
    graph: Graph,
    node: Node,
    form: MaskFrom,
    masks: Mapping[Port, MaskSpec],
    shape: tuple[Dim, ...],
    sequence: Remark,
) -> MaskSpec | None:
    port = graph.primary_or_port(form.source)
    fed = is_fed(graph, node, port)
    mask = None if fed else masks.get(port)
    if mask is None and not fed and not form.source.port and form.source.layer in graph.stacks:
        # A layer whose primary output is `last` still has the mask of its sequence.
        mask = graph.by_name[graph.stacks[form.source.layer][-1]].mask
        mask = mask or masks.get(Port(port.node, "sequence"))
    if mask is None:
        raise GraphMistake(
            "L508",
            form.source.path,
            f"'{form.source}' has no mask",
            "use a layer whose output has a mask, or write `mask: none`",
            notes=(_declared(graph, form),),
        )
    notes = (*of_mask(mask, port), sequence)
    steps = shape[: len(mask.shape)]
    _check_steps(str(form.source), mask.shape, steps, form.source.path, notes)
    return replace(mask, padding=form.padding) if form.padding != "any" else mask


def _declared(graph: Graph, form: MaskFrom) -> Remark:
    name = form.source.layer
    section = "inputs" if name in graph.inputs else "layers"
    return (section, name), f"nothing masks '{name}' here"


def show_shape(shape: tuple[Dim, ...]) -> str:
    """Return a shape as text: ``(batch, time)``."""
    return f"({', '.join(str(dim) for dim in shape)})"
