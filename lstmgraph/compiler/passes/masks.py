"""Find the mask that every call gets and every port has, and report masks that would be lost.

Keras passes masks on implicitly, and loses them silently in many places. This pass knows the mask
of every port, and refuses a layer that would lose one unless it has ``mask: none``.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from lstmgraph.compiler.graph import (
    FOLD,
    JOIN,
    KEEPS_STEPS,
    OUTPUT,
    REPEAT,
    SCORES,
    SEQUENCE,
    STACK,
    STEP,
    UNFOLD,
    Graph,
    MaskSpec,
    Node,
    Port,
)
from lstmgraph.compiler.passes.folded_masks import folded, unfolded
from lstmgraph.compiler.passes.loops import fed_ports, is_fed, is_sequence, of_whole
from lstmgraph.compiler.passes.made_masks import made_mask, show_shape
from lstmgraph.compiler.passes.mistakes import GraphMistake, Reported
from lstmgraph.compiler.passes.remarks import of_directions, of_mask, of_tensor
from lstmgraph.keras_facts.catalogue import layer_of_steps, layer_traits
from lstmgraph.keras_facts.layers import RESIZES, LayerMistake, resized_steps
from lstmgraph.keras_facts.layers.attention import ATTENTION, CAUSAL
from lstmgraph.keras_facts.layers.dense import EMBEDDINGS, REVERSE
from lstmgraph.keras_facts.tensors import SAME_STEPS
from lstmgraph.language.declaration.recipe import (
    Inherited,
    MaskByInput,
    MaskByLengths,
    MaskFrom,
    NoMask,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lstmgraph.compiler.passes.mistakes import Remark
    from lstmgraph.keras_facts.tensors import TensorSpec
    from lstmgraph.language.text.document import Document

MERGES = frozenset({"Add", "Average", "Maximum", "Minimum", "Multiply", "Subtract", "Concatenate"})
ENDS_MASK = frozenset({"GlobalAveragePooling1D", "GlobalMaxPooling1D"})
"""Layers that use the mask, and whose output has no time steps."""
FILLED = frozenset({"ActivityRegularization", "GlobalMaxPooling1D", "Softmax", *RESIZES})
"""Layers that read other numbers in the place of padded steps; Keras gives most of them no mask."""
CONV_LSTM = frozenset({"ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D"})
NORMS = frozenset({"GroupNormalization", "LayerNormalization", "UnitNormalization"})
"""Layers that take a mean or a norm along axes, all steps of one of them included."""

_POOL_STEPS = "use `global_average_pooling1d` or `global_max_pooling1d`, which take the mask, or "
_POOL_EACH = "pool inside `time_distributed`, then the steps by `global_average_pooling1d`, or "
INSTEAD = {
    "AdaptiveAveragePooling1D": _POOL_STEPS,
    "AdaptiveMaxPooling1D": _POOL_STEPS,
    "EinsumDense": "use `dense`, which passes it on, or ",
    "Flatten": _POOL_STEPS,
    "GlobalAveragePooling2D": _POOL_EACH,
    "GlobalAveragePooling3D": _POOL_EACH,
    "GlobalMaxPooling2D": _POOL_EACH,
    "GlobalMaxPooling3D": _POOL_EACH,
    "RMSNormalization": "use `layer_normalization`, which passes it on, or ",
}
"""What to use in the place of a layer that does not pass masks on, by its class."""

MOST_JOINED = 100
"""The most masks joined in time: a layer that joins another with itself doubles their number."""

NO_MASK = frozenset({"L501", "L504", "L508"})
"""Mistakes of a tensor without the mask that another has, which may be a layer with a mistake."""

Masks = dict["Port", "MaskSpec"]
Specs = dict["Port", "TensorSpec"]


def place_masks(graph: Graph, document: Document) -> Graph:
    """Return the graph with the mask of every call and of every output."""
    masks: Masks = {}
    specs: Specs = {Port(tensor.name): tensor.spec for tensor in graph.inputs.values()}
    used = graph.used_ports(by_unread=True)
    nodes: list[Node] = []
    folds: defaultdict[str, list[Node]] = defaultdict(list)  # by layer
    reported = Reported()
    unclear: set[str] = set()
    for node in graph.nodes:
        if node.outputs:
            try:
                if node.op in (FOLD, UNFOLD):
                    others = folds[node.layer]
                    node = _folded(graph, node, masks, specs, others)  # noqa: PLW2901
                else:
                    node = _masked(graph, node, masks, specs, used)  # noqa: PLW2901
            except GraphMistake as mistake:
                follows = mistake.code in NO_MASK and not unclear.isdisjoint(_read(graph, node))
                if reported.is_new(mistake, node) and not follows:
                    mistake.report(document)
                unclear.add(node.name)
            else:
                if not node.output_masks and not unclear.isdisjoint(_read(graph, node)):
                    unclear.add(node.name)
        specs |= {Port(node.name, output): spec for output, spec in node.outputs.items()}
        masks |= {Port(node.name, output): mask for output, mask in node.output_masks.items()}
        nodes.append(node)
        if node.op == FOLD:
            folds[node.layer].append(node)
    return graph.with_nodes(nodes)


def _read(graph: Graph, node: Node) -> set[str]:
    """Return the nodes whose masks a node takes: those of its inputs, and of ``mask: {from: }``."""
    read = {port.node for port in node.inputs}
    if isinstance(node.mask_form, MaskFrom):
        read.update(graph.stacks.get(node.mask_form.source.layer, ()))
    return read


def _masked(graph: Graph, node: Node, masks: Masks, specs: Specs, used: frozenset[Port]) -> Node:
    incoming = _incoming(graph, node, masks)
    if node.loop and node.loop.prepares:  # the truth of another step, or zeros
        return node
    if not node.is_layer:
        return _operation(node, incoming, specs)
    if isinstance(node.mask_form, NoMask):
        made = None if node.recurrence else _made_by_layer(graph, node, specs)
        output_masks = {OUTPUT: made} if made else {}
        return replace(node, drops_mask=any(incoming), output_masks=output_masks)
    if isinstance(node.mask_form, Inherited):
        mask = incoming[0]
    else:
        _check_takes_mask(node)
        try:
            mask = made_mask(graph, node, masks, specs)
        except GraphMistake as mistake:
            if mistake.code == "L503":  # or the better known reason
                _check_way(graph, node, masks, specs)
            raise
        if not isinstance(node.mask_form, MaskFrom):
            _check_way(graph, node, masks, specs)
    op, arguments = layer_of_steps(node.op, node.arguments)
    if op != node.op:
        _check_inner(node, op, arguments)
    if node.recurrence or node.op in ENDS_MASK or node.op in CONV_LSTM or node.op in RESIZES:
        _check_steps(node, mask, specs)
    if op in ENDS_MASK and works_on_steps(node, mask):
        _check_axis(node, mask, op, arguments)
    _check_norm(node, mask, specs)
    if node.recurrence:
        _check_regularizer(node, mask if Port(node.name, SEQUENCE) in used else None)
        return _recurrent(node, mask, used)
    found = _layer(graph, node, mask, incoming, specs)
    _check_regularizer(node, found.output_masks.get(OUTPUT))
    return found


def _incoming(graph: Graph, node: Node, masks: Masks) -> list[MaskSpec | None]:
    """Return the mask of each input of `node`.

    What a loop feeds back has none: the mask of another step says nothing about this one. Merged
    with a masked input, it has that mask.
    """
    fed = fed_ports(graph, node)
    incoming = [None if port in fed else masks.get(port) for port in node.inputs]
    distinct = {mask for mask in incoming if mask}
    if node.op not in MERGES or not fed or len(distinct) != 1:
        return incoming
    (common,) = distinct
    return [common if p in fed else mask for p, mask in zip(node.inputs, incoming, strict=True)]


def _operation(node: Node, incoming: list[MaskSpec | None], specs: Specs) -> Node:
    """Return an operation of the graph with its mask; most have none."""
    if node.op == REPEAT and not isinstance(node.mask_form, Inherited | NoMask):
        _check_takes_mask(replace(node, op="RepeatVector"))
    if node.op == JOIN:  # static features have no time steps, even if their ids had a mask
        return _joined(node, [m if m and len(m.shape) == 2 else None for m in incoming])
    if node.op == STEP and incoming[0]:
        return replace(node, output_masks={OUTPUT: incoming[0].step(node.arguments["index"])})
    if node.op in KEEPS_STEPS and incoming[0]:
        return replace(node, output_masks={OUTPUT: incoming[0]})
    if node.op == STACK and any(incoming):
        return replace(node, output_masks={OUTPUT: _stacked(node, incoming, specs)})
    return node


def _folded(graph: Graph, node: Node, masks: Masks, specs: Specs, others: list[Node]) -> Node:
    """Return a fold, whose mask is one of segments or of their steps; or a fold that is undone.

    `others` are the folds of the same layer before it.
    """
    if node.op == UNFOLD:
        return unfolded(node, masks, specs, others)
    (port,) = node.inputs
    mask = None if is_fed(graph, node, port) else masks.get(port)
    if isinstance(node.mask_form, NoMask):
        mask = None
    elif not isinstance(node.mask_form, Inherited):
        # Of inputs that are joined, the sequences have the mask of the first.
        is_static = not node.arguments["sequence_of"] and _is_static(node, specs)
        mask = None if is_static else next((o.mask for o in others if o.mask), None)
        mask = mask or (None if is_static else made_mask(graph, node, masks, specs))
    return folded(node, mask)


def _is_static(node: Node, specs: Specs) -> bool:
    """Return whether a recurrent layer repeats what is folded along its steps."""
    return (
        bool(node.arguments["joined"]) and specs[node.inputs[0]].rank < node.arguments["axes"] + 3
    )


_OTHER_NORM = (
    "use `layer_normalization` along the features, put this one inside `time_distributed`, or use "
    "`batch_normalization`, which takes the mask"
)


def _norms_steps(node: Node, specs: Specs, axes: int = 2) -> bool:
    """Return whether the layer takes one mean or norm over several steps, of a mask of `axes`."""
    op, arguments = layer_of_steps(node.op, node.arguments)
    rank = specs[node.inputs[0]].rank
    if op != node.op:
        axes, rank = axes - 1, rank - 1
    if op not in NORMS or rank <= axes:
        return False
    axis = arguments["axis"]
    along = axis if isinstance(axis, list | tuple) else [axis]
    return op == "GroupNormalization" or any(each % rank < axes for each in along)


def _check_norm(node: Node, mask: MaskSpec | None, specs: Specs) -> None:
    """Report a mean or a norm of masked steps, in which padded ones would count."""
    if mask and works_on_steps(node, mask) and _norms_steps(node, specs, len(mask.shape)):
        raise GraphMistake(
            "L512",
            node.path,
            f"the mask of '{node.inputs[0]}' cannot pass through: {inner_op(node)} takes its mean "
            "over all steps, padded ones too",
            f"{_OTHER_NORM}; or write `mask: none` if padded steps may count from here on",
            notes=of_mask(mask, node.inputs[0]),
        )


def _check_regularizer(node: Node, mask: MaskSpec | None) -> None:
    """Report an activity regularizer of a layer whose padded steps are not zeros."""
    zeros = node.recurrence and node.recurrence.padded_output == "zero"
    if mask and not zeros and node.arguments.get("activity_regularizer"):
        raise GraphMistake(
            "L514",
            (*node.path, "activity_regularizer"),
            "Keras's activity regularizer counts padded steps too",
            f"put an `activity_regularization` layer behind '{node.layer}', which leaves them out",
            notes=of_mask(mask, node.inputs[0]),
        )


def _joined(node: Node, incoming: list[MaskSpec | None]) -> Node:
    distinct = {mask for mask in incoming if mask}
    if len(distinct) > 1 and isinstance(node.mask_form, Inherited):
        raise GraphMistake(
            "L504",
            node.path,
            "the joined sequences have different masks",
            "choose one of them with `mask: {from: NAME}` on this layer, or write `mask: none`",
            notes=_made_where(node, incoming),
        )
    mask = next((mask for mask in incoming if mask), None)
    # The join is an operation, which has no implicit mask: the call gets the mask explicitly.
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
            "the outputs are in reverse order, but the mask that Keras passes on with them is not",
            "use `bidirectional: true`, or read only `.last` and `.state`",
            notes=of_mask(mask, node.inputs[0]),
        )
    if recurrence.padded_output == "hold" and recurrence.bidirectional:
        raise GraphMistake(
            "L506",
            (*node.path, "padded_output"),
            "a bidirectional layer outputs zeros at padded steps on every kernel",
            "write `padded_output: zero`",
            notes=(of_directions(node), *of_mask(mask, node.inputs[0])),
        )
    return replace(node, mask=mask, output_masks={SEQUENCE: mask})


def _layer(
    graph: Graph,
    node: Node,
    mask: MaskSpec | None,
    incoming: list[MaskSpec | None],
    specs: Specs,
) -> Node:
    made = _made_by_layer(graph, node, specs)
    if made:
        return replace(node, output_masks={OUTPUT: made})
    if mask is None and not any(incoming):
        return node
    if node.arguments.get(CAUSAL):
        _check_causal(node, incoming)
    traits = layer_traits(node.op)
    takes_one = traits["masks"] == ["mask"] and len(node.inputs) == 1
    if mask and inner_op(node) in RESIZES and works_on_steps(node, mask):
        output_mask: MaskSpec | None = _resized(node, mask, specs)
    elif node.op == "Concatenate" and node.arguments["axis"] % specs[node.inputs[0]].rank == 1:
        output_mask = _joined_in_time(node, incoming)
    else:
        output_mask = _output_mask(node, mask, incoming)
    output_masks = {OUTPUT: output_mask} if output_mask else {}
    if output_mask and SCORES in node.outputs and node.outputs[SCORES].rank == 3:
        output_masks[SCORES] = output_mask  # with heads, the query's steps are not the second axis
    return replace(
        node,
        mask=mask if takes_one or node.op in FILLED else None,
        input_masks=tuple(incoming) if node.op in ATTENTION else (),
        output_masks=output_masks,
    )


def _check_causal(node: Node, incoming: list[MaskSpec | None]) -> None:
    """Check that each step of the query that counts may read a key that counts, such as its own."""
    query, *keys = incoming
    source = next(
        (
            (port, mask)
            for port, mask in zip(node.inputs[1:], keys, strict=True)
            if mask and mask.padding != "right" and (mask != query or port != node.inputs[0])
        ),
        None,
    )
    if source is None:
        return
    port, mask = source
    raise GraphMistake(
        "L515",
        (*node.path, CAUSAL),
        f"padding of '{port}' may stand before its first step, so that early steps of "
        f"'{node.inputs[0]}' would read padding alone",
        f"if the padding is at the end, mask '{port}' by `{{lengths: ...}}`, or write "
        "`padding: right` where its mask is made; else leave the causal mask out",
        notes=of_mask(mask, port),
    )


def _made_by_layer(graph: Graph, node: Node, specs: Specs) -> MaskSpec | None:
    """Return the mask that Masking, or Embedding with ``mask_zero``, makes; None for others."""
    source = node.inputs[0]
    if node.op == "Masking":
        value, spec, output = node.arguments["mask_value"], specs[source], node.outputs[OUTPUT]
        dtype = output.dtype if output.dtype != spec.dtype else None
        shape, path = spec.shape[:-1], node.path
        made = MaskSpec("value", source, shape, value=value, dtype=dtype, path=path)
        return of_whole(graph, made)
    if looks_up(node) and node.arguments["mask_zero"]:
        path = (*node.path, "mask_zero")
        return of_whole(graph, MaskSpec("ids", source, specs[source].shape, path=path))
    return None


def looks_up(node: Node) -> bool:
    """Return whether a call reads ids and gives their vectors."""
    return node.op in EMBEDDINGS and not node.arguments.get(REVERSE)


def works_on_steps(node: Node, mask: MaskSpec | None) -> bool:
    """Return whether the steps of `mask` are those of the layer, or of the one inside a wrapper.

    TimeDistributed gives each step to the layer inside, so that a mask of its own steps says
    nothing about those that are inside a step.
    """
    return mask is not None and (node.op != "TimeDistributed" or len(mask.shape) > 2)


def inner_op(node: Node) -> str:
    """Return the class of the layer, or of the one that TimeDistributed applies to each step."""
    return layer_of_steps(node.op, node.arguments)[0]


def fills(node: Node) -> bool:
    """Return whether the call reads other numbers in the place of the steps that its mask hides.

    So does a layer that makes its mask, as those that inherit it may read each step.
    """
    if node.mask is None or node.recurrence or node.op in CONV_LSTM:
        return False
    if not isinstance(node.mask_form, Inherited):
        return True
    return works_on_steps(node, node.mask) and inner_op(node) in FILLED | ENDS_MASK


def hides_mask(node: Node) -> bool:
    """Return whether the layer inside TimeDistributed must not get the mask of the outer steps."""
    if node.mask is None or works_on_steps(node, node.mask):
        return False
    return bool(layer_traits(inner_op(node))["masks"])


def lost_masks(graph: Graph) -> frozenset[Port]:
    """Return the masked ports whose tensors do not carry the mask in Keras.

    A step of a sequence has none in Keras, nor has what layers make of it that get no mask
    explicitly. Inside a loop nothing needs it; a loss would.
    """
    masked = {Port(n.name, output) for n in graph.nodes for output in n.output_masks}
    lost: set[Port] = set()
    for node in graph.nodes:
        if node.op == STEP:
            lost |= {Port(node.name)} & masked
        elif node.is_layer and node.output_masks and not _gives_mask(node):
            fed = fed_ports(graph, node) if node.op in MERGES else frozenset()
            if fed or not lost.isdisjoint(node.inputs):
                lost |= {Port(node.name, output) for output in node.output_masks}
    return frozenset(lost)


def _gives_mask(node: Node) -> bool:
    """Return whether Keras's output has the mask whether or not the inputs carry theirs."""
    if node.op in ("Embedding", "Masking"):
        return True
    if node.mask is None:
        return False
    filled = works_on_steps(node, node.mask) and inner_op(node) in FILLED
    return node.recurrence is not None or filled or bool(layer_traits(node.op)["masks"])


def _output_mask(
    node: Node, mask: MaskSpec | None, incoming: list[MaskSpec | None]
) -> MaskSpec | None:
    """Return the mask of the output; None if the output has no time steps."""
    if node.op in ENDS_MASK or (node.op in CONV_LSTM and not node.arguments["return_sequences"]):
        return None
    if node.op in ATTENTION:
        return incoming[0]
    if node.op in MERGES:
        return _merged(node, incoming)
    op = inner_op(node) if works_on_steps(node, mask) else node.op
    if node.arguments.get(REVERSE):
        return mask
    if op not in ENDS_MASK and (not layer_traits(op)["supports_masking"] or op == "Dot"):
        masked = next(i for i, own in enumerate(incoming) if own or mask)
        raise GraphMistake(
            "L501",
            node.path,
            f"{op} does not pass masks on: that of '{node.inputs[masked]}' ends here",
            INSTEAD.get(op, "")
            + "write `mask: none` on this layer if padded steps may count from here on",
            notes=of_mask(incoming[masked] or mask, node.inputs[masked]),
        )
    return mask


def _resized(node: Node, mask: MaskSpec, specs: Specs) -> MaskSpec:
    """Return the mask of the steps that a convolution, pooling or the like makes of counted ones.

    Raises:
        GraphMistake: if a row would get other steps than it has without padding.
    """
    source, rank = node.inputs[0], len(mask.shape)
    op, arguments = layer_of_steps(node.op, node.arguments)
    batch, *sizes = specs[source].shape
    step = replace(specs[source], shape=(batch, *sizes[rank - 2 :]))
    try:
        resize = resized_steps(op, arguments, step)
    except LayerMistake as mistake:
        inside = ("layer",) if op != node.op else ()
        raise GraphMistake(
            "L512",
            (*node.path, *inside, mistake.argument) if mistake.argument else node.path,
            f"the mask of '{source}' cannot pass through: {mistake.message}",
            f"{mistake.hint}; or write `mask: none` if padded steps may count from here on",
            notes=of_mask(mask, source),
        ) from None
    if mask.padding == "right":
        if resize == SAME_STEPS:
            return mask
        shape, like = node.outputs[OUTPUT].shape[:rank], Port(node.name)
        return MaskSpec(
            "resized", mask.port, shape, "right", like=like, parts=((source, mask),), resize=resize
        )
    raise GraphMistake(
        "L501",
        node.path,
        f"{node.op} passes a mask on only if its padding is at the end of each row, and that of "
        f"'{source}' may be anywhere",
        f"if it is at the end, write `mask: {{from: {source}, padding: right}}` on this layer; if "
        "padded steps may count from here on, write `mask: none`",
        notes=of_mask(mask, source),
    )


def _joined_in_time(node: Node, incoming: list[MaskSpec | None]) -> MaskSpec:
    """Return the masks joined along time as Keras does; all steps count where there is none."""
    parts = tuple(zip(node.inputs, incoming, strict=True))
    if sum(_count(mask) for mask in incoming) > max(MOST_JOINED, len(incoming)):
        raise GraphMistake(
            "L504",
            node.path,
            f"more than {MOST_JOINED} masks would be joined along time",
            "join fewer sequences, or write `mask: none` on this layer",
        )
    *before, last = incoming
    right = last is not None and last.padding == "right" and not any(before)
    steps = node.outputs[OUTPUT].shape[:2]
    padding = "right" if right else "any"
    return MaskSpec("joined", node.inputs[0], steps, padding, parts=parts)


def _stacked(node: Node, incoming: list[MaskSpec | None], specs: Specs) -> MaskSpec:
    """Return the mask of the results of all steps: that of the sequence that the loop read."""
    masked = next(index for index, mask in enumerate(incoming) if mask)
    if not is_sequence(specs[node.inputs[0]]):
        raise GraphMistake(
            "L523",
            node.path,
            f"'{node.inputs[masked]}' has a mask of its own steps in every step of the loop, which "
            "the results of all steps together cannot have",
            "write `mask: none` on the layer of the block that gives it, or give what a layer "
            "makes of it, such as a recurrent layer's `.last`",
            notes=of_mask(incoming[masked], node.inputs[masked]),
        )
    first = incoming[0]
    whole = first.parts[0][1] if first and first.kind == "step" else None
    if whole and incoming == [whole.step(index) for index in range(len(incoming))]:
        return whole
    return _joined_in_time(node, incoming)


def _count(mask: MaskSpec | None) -> int:
    return sum(_count(part) for _, part in mask.parts) if mask and mask.parts else 1


def _merged(node: Node, incoming: list[MaskSpec | None]) -> MaskSpec | None:
    if len(set(incoming)) == 1:
        return incoming[0]
    unmasked = next((i for i, mask in enumerate(incoming) if mask is None), None)
    inputs = "inputs with different masks"
    if unmasked is not None:
        inputs = f"a masked input with '{node.inputs[unmasked]}', which has no mask"
    hint = "write `mask: none` on this layer if padded steps may count from here on"
    if node.op == "Concatenate" and unmasked is not None:
        hint += "; to join features to a recurrent layer's input, list them in its `input:`"
    message = f"{node.op} merges {inputs}: the mask would be lost or wrong"
    raise GraphMistake("L501", node.path, message, hint, notes=_made_where(node, incoming))


def _made_where(node: Node, incoming: list[MaskSpec | None]) -> tuple[Remark, ...]:
    """Return notes on where the masks of the inputs of `node` are made, each once."""
    ports = {mask: port for port, mask in zip(node.inputs, incoming, strict=True) if mask}
    return tuple(remark for mask, port in ports.items() for remark in of_mask(mask, port))


def _check_steps(node: Node, mask: MaskSpec | None, specs: Specs) -> None:
    """Check that a mask has the steps of the input: a mask of tokens is not one of sentences."""
    source = node.inputs[0]
    steps = specs[source].shape[:2]
    if mask is None or mask.shape == steps:
        return
    raise GraphMistake(
        "L503",
        (*node.path, "input"),
        f"the mask of '{source}' is {show_shape(mask.shape)}, but the steps here are "
        f"{show_shape(steps)}",
        "write `mask: none` on this layer, or give it a mask of its own steps",
        notes=of_mask(mask, source),
    )


def _check_way(graph: Graph, node: Node, masks: Masks, specs: Specs) -> None:
    """Report a mask of a model's steps behind a layer that makes others of them, or reads padding.

    A layer that reads padded steps is left alone if it has a mask, or ``mask: none``.
    """
    if not isinstance(node.mask_form, MaskByLengths | MaskByInput | MaskFrom):
        return
    found: tuple[Port, Node, str] | None = None
    way, seen = [node.inputs[0]], set[Port]()
    while way:
        port = way.pop()
        maker = graph.by_name.get(port.node)
        if port in seen or maker is None:
            continue
        seen.add(port)
        if maker.op not in RESIZES:
            none = isinstance(maker.mask_form, NoMask)
            if port not in masks and not none and _norms_steps(maker, specs):
                raise GraphMistake(
                    "L512",
                    (*node.path, "mask"),
                    f"this mask stands behind '{maker.layer}', which takes its mean over all "
                    "steps, padded ones too",
                    f"{_OTHER_NORM}; or write `mask: none` on '{maker.layer}' if padded steps may "
                    "count there",
                )
            if isinstance(maker.mask_form, MaskByLengths | MaskByInput):
                continue  # what stands before it was checked for its own mask
            steps = specs[port].shape[:2]
            way += [each for each in maker.inputs if specs[each].shape[:2] == steps]
            continue
        if reason := _moves_steps(maker, specs, masks):
            found = port, maker, reason
        way += maker.inputs if port not in masks else ()
    if found is None:
        return
    port, maker, reason = found
    if isinstance(node.mask_form, MaskByLengths):
        form = f"{{lengths: {node.mask_form.lengths}}}"
    else:
        key = "from" if isinstance(node.mask_form, MaskFrom) else "input"
        form = f"{{{key}: {node.mask_form.source}, padding: right}}"
    hint = f"write `mask: {form}` on '{maker.layer}' instead, which passes it on"
    if port in masks:
        hint = f"leave `mask:` out here: that of '{maker.layer}' is inherited"
    raise GraphMistake(
        "L511",
        (*node.path, "mask"),
        f"this mask is for the steps before '{maker.layer}', which {reason}",
        hint,
        notes=(of_tensor(graph, port, specs[port]),),
    )


def _moves_steps(node: Node, specs: Specs, masks: Masks) -> str | None:
    """Return why a mask of the steps before a layer of ``RESIZES`` is wrong behind it, or None."""
    try:
        resize = resized_steps(node.op, node.arguments, specs[node.inputs[0]])
    except LayerMistake:
        resize = None
    if resize != SAME_STEPS:
        return "changes the number of steps"
    if Port(node.name) in masks or isinstance(node.mask_form, NoMask):
        return None
    size = node.arguments.get("kernel_size", 1)
    first = size if isinstance(size, int) else size[0]
    looks_ahead = first > 1 and node.arguments["padding"] == "same" and "Conv" in node.op
    return "reads padded steps" if looks_ahead else None


def _check_inner(node: Node, op: str, arguments: Mapping[str, Any]) -> None:
    """Report a layer inside TimeDistributed that would make a mask or a loss, or mix the steps.

    Keras calls it without what goes with a call: no mask and no activity loss leaves it, and a
    normalization of the batch sees one step at a time.
    """
    path = (*node.path, "layer")
    is_masking = op == "Masking"
    if is_masking or arguments.get("mask_zero"):
        hint = "an `embedding` by itself takes ids of any shape, and its mask is kept"
        raise GraphMistake(
            "L510",
            (*path, "type" if is_masking else "mask_zero"),
            "a mask that is made inside `time_distributed` is lost, so every step would count",
            "put the `masking` layer before this one" if is_masking else hint,
        )
    if op == "ActivityRegularization" or arguments.get("activity_regularizer"):
        raise GraphMistake(
            "L513",
            (*path, "type" if op == "ActivityRegularization" else "activity_regularizer"),
            "an activity regularizer inside `time_distributed` adds nothing to the loss",
            f"put an `activity_regularization` layer behind '{node.layer}'",
        )
    frozen = False in (node.arguments.get("trainable"), arguments.get("trainable"))
    if op == "BatchNormalization" and not frozen:
        raise GraphMistake(
            "L513",
            (*path, "type"),
            "BatchNormalization inside `time_distributed` normalizes each step by itself in "
            "training, but all with the same numbers later",
            "write `type: batch_normalization` without the wrapper, for all steps together",
        )


def _check_axis(node: Node, mask: MaskSpec | None, op: str, arguments: Mapping[str, Any]) -> None:
    """Report masked pooling along the last axis: the mask is one of the axis before."""
    if mask and arguments.get("data_format") == "channels_first":
        inside = ("layer",) if op != node.op else ()
        raise GraphMistake(
            "L509",
            (*node.path, *inside, "data_format"),
            f"{op} would pool the last axis of '{node.inputs[0]}', but its mask is one of "
            "the axis before",
            "put a `permute` layer with `dims: [2, 1]` before the mask is made, and leave "
            "`data_format` out",
            notes=of_mask(mask, node.inputs[0]),
        )


def _check_takes_mask(node: Node) -> None:
    if (
        node.recurrence
        or node.op in FILLED
        or (
            layer_traits(node.op)["masks"] == ["mask"]
            and not layer_traits(node.op)["multiple_inputs"]
        )
    ):
        return
    by_lengths = isinstance(node.mask_form, MaskByLengths)
    raise GraphMistake(
        "L507",
        (*node.path, "mask"),
        f"{node.op} takes no mask",
        f"write the {'lengths' if by_lengths else 'mask'} on the layers that use masks, or write "
        "`mask: none` to drop the mask of the input",
    )
