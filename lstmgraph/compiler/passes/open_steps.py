"""Results over an open number of steps whose mask Keras cannot hand on together with their padding.

``TimeDistributed`` hands its mask on, but where the number of steps is open, Keras 3.15 computes as
many steps as there are rows. Only ``Masking`` hands a mask on from there, with zeros in the padded
steps and a mask of all axes but the last, which sums cannot join with one of the steps alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lstmgraph.compiler.graph import OUTPUT
from lstmgraph.compiler.passes.folded_masks import hands_mask_on
from lstmgraph.compiler.passes.masks import MERGES
from lstmgraph.language.declaration.folds import wrapped

if TYPE_CHECKING:
    from lstmgraph.compiler.graph import Graph, Node


def zeroes_open_steps(graph: Graph, node: Node) -> bool:
    """Return whether a layer gives zeros where its mask is false, as its steps are open."""
    if node.op == "TimeDistributed":
        depth = wrapped({"type": node.op, **node.arguments})[1]
        steps = graph.specs[node.inputs[0]].shape[1 : depth + 1]
        return any(isinstance(size, str) for size in steps) and hands_mask_on(graph, node)
    return joins_masks_of_images(node) and hands_mask_on(graph, node)


def joins_masks_of_images(node: Node) -> bool:
    """Return whether a sum of tensors (batch, steps, width, ...) with masks has open steps."""
    if node.op not in MERGES or not node.output_masks:
        return False
    shape = node.outputs[OUTPUT].shape
    return len(shape) > 3 and isinstance(shape[1], str)
