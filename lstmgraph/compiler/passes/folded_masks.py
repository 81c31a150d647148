"""Masks of steps that are folded into the batch, and of the segments that they are unfolded to.

A layer inside ``time_distributed`` that runs on folded steps takes a mask of shape (batch,
segments, steps) as its own, folded as its input is. A segment counts for the readers of the result
if one of its steps counts. A mask of shape (batch, segments) says itself which segments count, and
the layer inside reads them all.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from lstmgraph.compiler.graph import FOLD, OUTPUT, UNFOLD, Graph, MaskSpec, Node, Port
from lstmgraph.keras_facts.tensors import multiply_dims

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lstmgraph.keras_facts.tensors import TensorSpec

    Masks = Mapping[Port, MaskSpec]


def folded(node: Node, mask: MaskSpec | None) -> Node:
    """Return a fold of a tensor that has `mask`, with the mask of the folded steps.

    The call has the mask of its input as its own, and reads zeros where it is false.
    """
    if mask is None:
        return node
    axes = node.arguments["axes"] + 1
    output = {}
    if len(mask.shape) > axes:
        output = {OUTPUT: folded_mask(mask, axes)}
    return replace(node, mask=mask, output_masks=output)


def folded_mask(mask: MaskSpec, axes: int) -> MaskSpec:
    """Return `mask` with its first `axes` axes folded to one."""
    own = mask.parts[0][1] if mask.kind == "unfolded" else None
    if own is not None and len(own.shape) == len(mask.shape) - axes + 1:
        return own
    shape = (multiply_dims(mask.shape[:axes]), *mask.shape[axes:])
    parts = ((mask.port, mask),)
    return MaskSpec("folded", mask.port, shape, mask.padding, parts=parts, path=mask.path)


def unfolded(
    node: Node, masks: Masks, specs: Mapping[Port, TensorSpec], folds: Sequence[Node]
) -> Node:
    """Return an undone fold with the mask of its result.

    Args:
        node: the node.
        masks: the masks of all ports before it.
        specs: the shapes of all ports before it.
        folds: the folds that it undoes, with their masks; several if the layer has several inputs.
    """
    axes, (result, like) = node.arguments["axes"], node.inputs
    before = max((f.mask for f in folds if f.mask), key=lambda mask: len(mask.shape), default=None)
    own = masks.get(result)
    if own is not None and own in [fold.output_masks.get(OUTPUT) for fold in folds]:
        mask = before
    elif own is not None:  # of other steps than those that were folded
        shape = (*specs[like].shape[: axes + 1], *own.shape[1:])
        whole = own.parts[0][1] if own.kind == "folded" else None
        if whole is not None and whole.shape == shape:  # as a loop puts its steps together
            return replace(node, output_masks={OUTPUT: whole})
        mask = MaskSpec("unfolded", own.port, shape, own.padding, like=like, parts=((result, own),))
    else:
        mask = before and of_segments(before, axes + 1)
    return replace(node, output_masks={OUTPUT: mask} if mask else {})


def zeroes_padding(graph: Graph, node: Node) -> bool:
    """Return whether an undone fold gives zeros where its mask is false.

    It does for the segments that a mask of segments hides, which the layer inside computed like all
    others. With a mask of its steps, the results of a segment without any step are what the layer
    makes of it: of a recurrent one the initial state. But where Keras has to hand the mask on, it
    can keep them only for a fixed number of segments.
    """
    if node.op != UNFOLD or not node.output_masks:
        return False
    folds = [fold for fold in graph.nodes if fold.op == FOLD and fold.layer == node.layer]
    if any(fold.mask for fold in folds) and not any(fold.output_masks for fold in folds):
        return True
    is_open = isinstance(node.outputs[OUTPUT].shape[1], str)
    return is_open and hands_mask_on(graph, node) and not is_zero_at_padding(graph, node)


def hands_mask_on(graph: Graph, node: Node) -> bool:
    """Return whether Keras has to hand the mask of a result on, to a loss or through a layer.

    Recurrent layers and operations get their masks explicitly.
    """
    port = Port(node.name)
    readers = (each for each in graph.nodes if each.is_layer and not each.recurrence)
    is_read = port in graph.outputs.values() or any(port in each.inputs for each in readers)
    return bool(node.output_masks) and is_read


def is_zero_at_padding(graph: Graph, node: Node) -> bool:
    """Return whether what is unfolded is surely 0 where its mask is false."""
    source = graph.by_name[node.inputs[0].node]
    made_by = [source] if source.recurrence else [graph.by_name.get(p.node) for p in source.inputs]
    if not source.recurrence and len(source.outputs[OUTPUT].shape) > 2:
        return False
    found = [maker.recurrence if maker else None for maker in made_by]
    return all(r and not r.states and r.padded_output == "zero" for r in found)


def of_segments(mask: MaskSpec, axes: int) -> MaskSpec:
    """Return a mask of `axes` axes that counts what has a step that `mask` counts."""
    while len(mask.shape) > axes:
        part = ((mask.port, mask),)
        mask = MaskSpec("some", mask.port, mask.shape[:-1], parts=part, path=mask.path)
    return mask
