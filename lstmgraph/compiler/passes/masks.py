"""Masks: which one every call gets, and where one stands, ends or would be lost.

Keras hands masks on implicitly, and loses them silently in many places. Here the mask of every
port is known; a layer that would lose one is refused unless the recipe says ``mask: none`` there.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from lstmgraph.compiler.graph import JOIN, OUTPUT, SEQUENCE, Graph, MaskSpec, Node, Port
from lstmgraph.compiler.passes.made_masks import made_mask, show_shape
from lstmgraph.compiler.passes.mistakes import GraphMistake
from lstmgraph.compiler.passes.remarks import of_directions, of_mask
from lstmgraph.keras_facts.catalogue import layer_traits
from lstmgraph.language.declaration.recipe import Inherited, MaskByLengths, NoMask

if TYPE_CHECKING:
    from lstmgraph.compiler.passes.mistakes import Remark
    from lstmgraph.keras_facts.tensors import TensorSpec
    from lstmgraph.language.text.document import Document

MERGES = frozenset({"Add", "Average", "Maximum", "Minimum", "Multiply", "Subtract", "Concatenate"})
READ_BY_FIRST_INPUT = frozenset(
    {"Attention", "AdditiveAttention", "MultiHeadAttention", "GroupQueryAttention"}
)
"""Layers that use the masks of all inputs and hand on the first one's."""
ENDS_MASK = frozenset({"GlobalAveragePooling1D"})
"""Layers that use the mask and give an output without time steps."""
CONV_LSTM = frozenset({"ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D"})

MOST_JOINED = 100
"""Masks that may follow each other: a layer that joins another with itself doubles them."""

Masks = dict["Port", "MaskSpec"]
Specs = dict["Port", "TensorSpec"]


def place_masks(graph: Graph, document: Document) -> Graph:
    """Give every call its mask, and every port the mask that it carries."""
    masks: Masks = {}
    specs: Specs = {Port(tensor.name): tensor.spec for tensor in graph.inputs.values()}
    used = graph.used_ports(by_unread=True)
    nodes = []
    for node in graph.nodes:
        if node.outputs:
            try:
                node = _masked(graph, node, masks, specs, used)  # noqa: PLW2901
            except GraphMistake as mistake:
                mistake.report(document)
        specs |= {Port(node.name, output): spec for output, spec in node.outputs.items()}
        masks |= {Port(node.name, output): mask for output, mask in node.output_masks.items()}
        nodes.append(node)
    return graph.with_nodes(nodes)


def _masked(graph: Graph, node: Node, masks: Masks, specs: Specs, used: frozenset[Port]) -> Node:
    incoming = [masks.get(port) for port in node.inputs]
    if node.op == JOIN:  # static features have no steps to mask, even where their ids were masked
        return _joined(node, [m if m and len(m.shape) == 2 else None for m in incoming])
    if not node.is_layer:  # a state's source: an operation carries no mask
        return node
    if isinstance(node.mask_form, NoMask):
        made = None if node.recurrence else _made_by_layer(node, specs)
        output_masks = {OUTPUT: made} if made else {}
        return replace(node, drops_mask=any(incoming), output_masks=output_masks)
    if isinstance(node.mask_form, Inherited):
        mask = incoming[0]
    else:
        _check_takes_mask(node)
        mask = made_mask(graph, node, masks, specs)
    if node.recurrence or node.op in ENDS_MASK:
        _check_steps(node, mask, specs)
    if node.recurrence:
        return _recurrent(node, mask, used)
    return _layer(node, mask, incoming, specs)


def _joined(node: Node, incoming: list[MaskSpec | None]) -> Node:
    distinct = {mask for mask in incoming if mask}
    if len(distinct) > 1 and isinstance(node.mask_form, Inherited):
        raise GraphMistake(
            "L504",
            node.path,
            "the joined sequences carry different masks",
            "say which one counts: `mask: {from: NAME}` on this layer, or `mask: none`",
            notes=_made_where(node, incoming),
        )
    mask = next((mask for mask in incoming if mask), None)
    # The join is an operation without an implicit mask: a mask reaches the call explicitly only.
    return replace(node, output_masks={OUTPUT: mask} if mask else {})


def _recurrent(node: Node, mask: MaskSpec | None, used: frozenset[Port]) -> Node:
    recurrence = node.recurrence
    if mask is None or recurrence is None:
        return node
    reads_sequence = Port(node.name, SEQUENCE) in used
    if reads_sequence and node.arguments.get("go_backwards"):
        raise GraphMistake(
            "L505",
            (*node.path, "go_backwards"),
            "the outputs run backwards, and the mask that Keras hands on with them does not",
            "use `bidirectional: true`, or read only `.last` and `.state`",
            notes=of_mask(mask, node.inputs[0]),
        )
    if recurrence.padded_output == "hold" and recurrence.bidirectional:
        raise GraphMistake(
            "L506",
            (*node.path, "padded_output"),
            "a bidirectional layer gives zeros at padded steps on every kernel",
            "write `padded_output: zero`",
            notes=(of_directions(node), *of_mask(mask, node.inputs[0])),
        )
    return replace(node, mask=mask, output_masks={SEQUENCE: mask})


def _layer(
    node: Node, mask: MaskSpec | None, incoming: list[MaskSpec | None], specs: Specs
) -> Node:
    made = _made_by_layer(node, specs)
    if made:
        return replace(node, output_masks={OUTPUT: made})
    if mask is None and not any(incoming):
        return node
    traits = layer_traits(node.op)
    _check_softmax(node, mask, specs)
    takes_one = traits["masks"] == ["mask"] and len(node.inputs) == 1
    if node.op == "Concatenate" and node.arguments["axis"] % specs[node.inputs[0]].rank == 1:
        handed_on: MaskSpec | None = _joined_in_time(node, incoming)
    else:
        handed_on = _handed_on(node, mask, incoming)
    return replace(
        node,
        mask=mask if takes_one else None,
        input_masks=tuple(incoming) if node.op in READ_BY_FIRST_INPUT else (),
        output_masks={OUTPUT: handed_on} if handed_on else {},
    )


def _made_by_layer(node: Node, specs: Specs) -> MaskSpec | None:
    """The mask that Masking makes, or Embedding with ``mask_zero``."""
    source = node.inputs[0]
    if node.op == "Masking":
        value, spec, output = node.arguments["mask_value"], specs[source], node.outputs[OUTPUT]
        dtype = output.dtype if output.dtype != spec.dtype else None
        shape, path = spec.shape[:-1], node.path
        return MaskSpec("value", source, shape, value=value, dtype=dtype, path=path)
    if node.op == "Embedding" and node.arguments["mask_zero"]:
        path = (*node.path, "mask_zero")
        return MaskSpec("ids", source, specs[source].shape, path=path)
    return None


def _handed_on(
    node: Node, mask: MaskSpec | None, incoming: list[MaskSpec | None]
) -> MaskSpec | None:
    """The mask of the output, or None where the output has no time steps to mask."""
    if node.op in ENDS_MASK or (node.op in CONV_LSTM and not node.arguments["return_sequences"]):
        return None
    if node.op in READ_BY_FIRST_INPUT:
        return incoming[0]
    if node.op in MERGES:
        return _merged(node, incoming)
    if not layer_traits(node.op)["supports_masking"] or node.op == "Dot":
        carrier = next(i for i, found in enumerate(incoming) if found or mask)
        raise GraphMistake(
            "L501",
            node.path,
            f"{node.op} does not hand masks on: that of '{node.inputs[carrier]}' ends here",
            "if padded steps may count from here on, write `mask: none` on this layer",
            notes=of_mask(incoming[carrier] or mask, node.inputs[carrier]),
        )
    return mask


def _joined_in_time(node: Node, incoming: list[MaskSpec | None]) -> MaskSpec:
    """The masks one after the other, as Keras joins them; where there is none, all steps count."""
    parts = tuple(zip(node.inputs, incoming, strict=True))
    if sum(_count(mask) for mask in incoming) > MOST_JOINED:
        raise GraphMistake(
            "L504",
            node.path,
            f"more than {MOST_JOINED} masks would follow each other along time",
            "join fewer sequences, or write `mask: none` on this layer",
        )
    *before, last = incoming
    right = last is not None and last.padding == "right" and not any(before)
    steps = node.outputs[OUTPUT].shape[:2]
    padding = "right" if right else "any"
    return MaskSpec("joined", node.inputs[0], steps, padding, parts=parts)


def _count(mask: MaskSpec | None) -> int:
    return sum(_count(part) for _, part in mask.parts) if mask and mask.parts else 1


def _merged(node: Node, incoming: list[MaskSpec | None]) -> MaskSpec | None:
    if len(set(incoming)) == 1:
        return incoming[0]
    unmasked = next((i for i, mask in enumerate(incoming) if mask is None), None)
    what = "inputs of different masks"
    if unmasked is not None:
        what = f"a masked input with '{node.inputs[unmasked]}', which has no mask"
    hint = "if padded steps may count from here on, write `mask: none` on this layer"
    if node.op == "Concatenate" and unmasked is not None:
        hint += "; to join features to a recurrent layer's input, list them in its `input:`"
    message = f"{node.op} merges {what}: the mask would be lost or wrong"
    raise GraphMistake("L501", node.path, message, hint, notes=_made_where(node, incoming))


def _made_where(node: Node, incoming: list[MaskSpec | None]) -> tuple[Remark, ...]:
    """Where the masks of the inputs of `node` are made, each once."""
    ports = {mask: port for port, mask in zip(node.inputs, incoming, strict=True) if mask}
    return tuple(remark for mask, port in ports.items() for remark in of_mask(mask, port))


def _check_steps(node: Node, mask: MaskSpec | None, specs: Specs) -> None:
    """The mask of tokens in sentences, say, is not one of sentences."""
    source = node.inputs[0]
    steps = specs[source].shape[:2]
    if mask is None or mask.shape == steps:
        return
    raise GraphMistake(
        "L503",
        (*node.path, "input"),
        f"the mask of '{source}' is {show_shape(mask.shape)}, and the steps here are "
        f"{show_shape(steps)}",
        "write `mask: none` on this layer, or give it a mask of its own steps",
        notes=of_mask(mask, source),
    )


def _check_takes_mask(node: Node) -> None:
    if node.recurrence or (
        layer_traits(node.op)["masks"] == ["mask"] and not layer_traits(node.op)["multiple_inputs"]
    ):
        return
    by_lengths = isinstance(node.mask_form, MaskByLengths)
    raise GraphMistake(
        "L507",
        (*node.path, "mask"),
        f"{node.op} takes no mask",
        f"give the {'lengths' if by_lengths else 'mask'} to the layers that use it, or write "
        "`mask: none` to drop the one that comes in",
    )


def _check_softmax(node: Node, mask: MaskSpec | None, specs: Specs) -> None:
    """Keras lines a Softmax layer's mask up with the last axes, not with time."""
    if node.op == "Softmax" and mask and specs[node.inputs[0]].rank != len(mask.shape):
        raise GraphMistake(
            "L509",
            node.path,
            f"Keras's Softmax would apply the (batch, time) mask of '{node.inputs[0]}' to the "
            "last axes of its input",
            "write `type: activation` with `activation: softmax`",
            notes=of_mask(mask, node.inputs[0]),
        )
