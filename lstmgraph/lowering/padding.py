"""Where padded steps are made zero before a layer reads them.

A masked call computes nothing from padded steps, and its gradient for them is 0. What stands there
reaches the weights all the same where it is not finite, as 0 times NaN is NaN: in the gradient of
the call's own kernel, and of every layer before it that reads each step. So a step that is padding
is made zero where the model's inputs come in, if whatever reads them masks it alike; elsewhere at
the masked call, and then layers before it that have no mask still read what stands in the padding.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING

from lstmgraph.derive.steppable import EACH_STEP, MERGES
from lstmgraph.dtypes import is_float
from lstmgraph.graph import OUTPUT, Port

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lstmgraph.graph import Graph, MaskSpec, Node

OF_STEPS = frozenset({"lengths", "input", "joined"})
"""Masks that say nothing of what stands in padded steps: the others are made from it."""


class Padding:
    """What is made zero of a graph's tensors, and by which mask."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._readers: defaultdict[Port, list[tuple[Node, int]]] = defaultdict(list)
        self._read_whole = {*graph.outputs.values(), *graph.further_ports.values()}
        for node in graph.nodes:
            for index, port in enumerate(node.inputs):
                self._readers[port].append((node, index))
            self._read_whole.update(_read_beside(node))
        self._common: dict[Port, MaskSpec | None] = {}
        self.inputs = dict(self._masked_inputs())
        """By name, the inputs of the model whose padded steps nothing reads, and their mask."""
        self.calls = dict(self._masked_calls())
        """By the names of nodes and the numbers of their inputs, the masks of those that may hold
        anything in padded steps."""

    def _masked_inputs(self) -> Iterator[tuple[str, MaskSpec]]:
        for name, tensor in self._graph.inputs.items():
            if tensor.spec.rank < 3 or not is_float(tensor.spec.dtype):
                continue
            mask = self._common_mask(Port(name))
            # It must be known before anything is computed.
            if mask and not mask.parts and mask.port.node in self._graph.inputs:
                yield name, replace(mask, like=Port(name))

    def _common_mask(self, port: Port) -> MaskSpec | None:
        """Return the mask of every call that reads `port`, directly or step by step; or None."""
        if port not in self._common:
            self._common[port] = None if port in self._read_whole else self._mask_of_readers(port)
        return self._common[port]

    def _mask_of_readers(self, port: Port) -> MaskSpec | None:
        found: MaskSpec | None = None
        for node, index in self._readers[port]:
            mask = _mask_of_input(node, index)
            if mask is None and _keeps_steps_apart(node):
                mask = self._common_mask(Port(node.name))
            if mask is None or (found is not None and mask != found):
                return None
            found = mask
        return found

    def _masked_calls(self) -> Iterator[tuple[tuple[str, int], MaskSpec]]:
        unclean = {
            Port(name)
            for name, tensor in self._graph.inputs.items()
            if name not in self.inputs and tensor.spec.rank > 2 and is_float(tensor.spec.dtype)
        }
        for node in self._graph.nodes:
            masks = {i: _mask_of_input(node, i) for i, p in enumerate(node.inputs) if p in unclean}
            yield from (((node.name, index), mask) for index, mask in masks.items() if mask)
            if not all(masks.values()):
                unclean.update(Port(node.name, output) for output in node.outputs)


def _read_beside(node: Node) -> Iterator[Port]:
    """What a call reads beside its inputs; of a sequence that only counts steps, nothing."""
    for state in node.recurrence.states if node.recurrence else ():
        if state.source:
            yield state.source
    for mask in (node.mask, *node.input_masks):
        if mask:
            yield mask.port
            yield from (port for sequence, part in mask.parts for port in _ports(sequence, part))


def _ports(sequence: Port, mask: MaskSpec | None) -> Iterator[Port]:
    yield sequence
    if mask:
        yield mask.port


def _mask_of_input(node: Node, index: int) -> MaskSpec | None:
    """The mask by which a call reads an input, where padded steps may hold anything."""
    if any(node.input_masks):
        mask = node.input_masks[index] if index < len(node.input_masks) else None
    else:
        mask = node.mask if index == 0 else None
    return mask if mask and mask.kind in OF_STEPS else None


def _keeps_steps_apart(node: Node) -> bool:
    """Whether the call computes each step from that step alone."""
    if node.mask or any(node.input_masks) or OUTPUT not in node.outputs:
        return False
    if node.op == "Concatenate":
        return bool(node.arguments["axis"] in {-1, node.outputs[OUTPUT].rank - 1})
    return node.op in EACH_STEP or node.op in MERGES
