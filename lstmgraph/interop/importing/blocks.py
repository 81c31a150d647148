"""Models inside TimeDistributed, which a recipe writes as blocks and calls on each step."""

from __future__ import annotations

from dataclasses import dataclass, fields, is_dataclass, replace
from typing import TYPE_CHECKING, Any

from lstmgraph.interop.importing.expressions import Mask, Port, Value
from lstmgraph.interop.keras_model import KerasModel, Layer, inner_model

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lstmgraph.interop.importing.expressions import Expression
    from lstmgraph.interop.importing.lifted import Block, Lifted, Node

GIVEN = "given"
"""The kind of the mask that a call gives the input of a block."""


def block_model(layer: Layer) -> KerasModel | None:
    """Return the model that a recipe calls as a block in the place of a layer."""
    return layer.model or inner_model(layer)


def kept_models(model: KerasModel) -> frozenset[int]:
    """Return which nested models are blocks, as a TimeDistributed calls them too."""
    return frozenset(_shared_inside(model))


def _shared_inside(model: KerasModel) -> Iterator[int]:
    for layer in model.layers.values():
        inner = inner_model(layer)
        if inner is not None and inner.shared is not None:
            yield inner.shared
        if layer.model is not None or inner is not None:
            yield from _shared_inside(layer.model or inner)  # type: ignore[arg-type]


@dataclass(frozen=True)
class BoundNode:
    """A node of a block in one call of it, with the names that the graph of the recipe has."""

    node: Node
    """What its layer reads and uses, in terms of what is outside of the block."""
    graph_name: str
    block: str
    own_name: str
    """The name of the layer in the block."""


def bound_nodes(lifted: Lifted) -> dict[str, BoundNode]:
    """Return the nodes of all calls of blocks, by names that no node outside has."""
    found: dict[str, BoundNode] = {}
    for node in lifted.nodes:
        if node.block is not None:
            _bind(node, node.block, node.name, node.inputs[0], found)
    return found


def _bind(call: Node, block: Block, prefix: str, given: Value, found: dict[str, BoundNode]) -> None:
    """Add the nodes of one call, those of blocks that it calls too, to `found`."""
    (own_input,) = block.lifted.inputs
    binding = _Binding(own_input, given.expression, call.mask, f"{prefix}_")
    for node in block.lifted.nodes:
        here = binding.node(node)
        if node.block is not None:
            _bind(here, node.block, f"{prefix}_{node.name}", here.inputs[0], found)
            continue
        name = f"{prefix}_{node.name}"
        found[f"{prefix}/{node.name}"] = BoundNode(here, name, block.name, node.name)


@dataclass(frozen=True)
class _Binding:
    """What the names in a block are in one call of it."""

    own_input: str
    given: Expression
    mask: Mask | None
    prefix: str

    def node(self, node: Node) -> Node:
        return replace(
            node,
            inputs=[self.of(value) for value in node.inputs],
            mask=self.of(node.mask),
            lost=self.of(node.lost),
            input_masks=self.of(node.input_masks),
            filled=self.of(node.filled),
            states=self.of(node.states),
        )

    def of(self, value: Any) -> Any:
        """Return an expression, or what holds expressions, in terms of what is outside."""
        if isinstance(value, Port):
            if value.layer == self.own_input:
                return self.given
            return Port(f"{self.prefix}{value.layer}", value.output) if value.layer else value
        if isinstance(value, Mask) and value.kind == GIVEN:
            return self.mask
        if isinstance(value, list | tuple):
            return type(value)(self.of(each) for each in value)
        if is_dataclass(value) and not isinstance(value, type):
            own = {each.name: self.of(getattr(value, each.name)) for each in fields(value)}
            return replace(value, **own)
        return value


def output_mask(block: Block, call: Node) -> Mask | None:
    """Return the mask that the output of a block has in one call outside of TimeDistributed."""
    (own_input,) = block.lifted.inputs
    (output,) = block.lifted.outputs.values()
    binding = _Binding(own_input, call.inputs[0].expression, call.mask, f"{call.name}_")
    mask: Mask | None = binding.of(output.mask)
    return mask


def given_mask(name: str) -> Mask:
    """Return the mask of a block's input, which each call gives."""
    return Mask(GIVEN, Port(name))


__all__ = [
    "BoundNode",
    "block_model",
    "bound_nodes",
    "given_mask",
    "kept_models",
    "output_mask",
]
