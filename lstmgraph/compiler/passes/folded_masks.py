"""Masks of steps that are folded into the batch, and of the segments that they are unfolded to.

A layer inside ``time_distributed`` that runs on folded steps takes a mask of shape (batch,
segments, steps) as its own, folded as its input is. A segment counts for the readers of the result
if one of its steps counts. A mask of shape (batch, segments) says itself which segments count, and
the layer inside reads them all.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from lstmgraph.compiler.graph import OUTPUT, MaskSpec, Node, Port
from lstmgraph.keras_facts.tensors import multiply_dims

if TYPE_CHECKING:
    from collections.abc import Mapping

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
        output = {OUTPUT: folded_mask(mask, node.inputs[0], axes)}
    return replace(node, mask=mask, output_masks=output)


def folded_mask(mask: MaskSpec, port: Port, axes: int) -> MaskSpec:
    """Return the mask of `port` with its first `axes` axes folded to one."""
    shape = (multiply_dims(mask.shape[:axes]), *mask.shape[axes:])
    parts = ((port, mask),)
    return MaskSpec("folded", mask.port, shape, mask.padding, parts=parts, path=mask.path)


def unfolded(node: Node, masks: Masks, specs: Mapping[Port, TensorSpec], fold: Node) -> Node:
    """Return an undone fold with the mask of its result.

    Args:
        node: the node that undoes `fold`.
        masks: the masks of all ports before it.
        specs: the shapes of all ports before it.
        fold: the fold, with its masks.
    """
    axes, (result, like) = node.arguments["axes"], node.inputs
    own, before = masks.get(result), fold.mask
    if own is not None and own == fold.output_masks.get(OUTPUT):
        mask = before
    elif own is not None:  # of other steps than those that were folded
        shape = (*specs[like].shape[: axes + 1], *own.shape[1:])
        mask = MaskSpec("unfolded", own.port, shape, own.padding, like=like, parts=((result, own),))
    else:
        mask = before and of_segments(before, like, axes + 1)
    return replace(node, output_masks={OUTPUT: mask} if mask else {})


def of_segments(mask: MaskSpec, port: Port, axes: int) -> MaskSpec:
    """Return a mask of `axes` axes that counts what has a step that `mask` counts."""
    while len(mask.shape) > axes:
        part = ((port, mask),)
        mask = MaskSpec("some", mask.port, mask.shape[:-1], parts=part, path=mask.path)
    return mask
