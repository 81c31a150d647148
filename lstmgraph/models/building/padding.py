"""Zeroing of padded steps before the layers that mask them, so that gradients stay finite.

Keras computes padded steps like all others, and the mask drops the results. The gradients still
pass through them: 0 times NaN, infinity or an overflow is NaN.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING, TypeGuard

from lstmgraph.compiler.derive.axes import ROWS_ONLY, made_from
from lstmgraph.compiler.derive.steppable import EACH_STEP, MERGES, OVER_FEATURES
from lstmgraph.compiler.graph import (
    FOLD,
    JOIN,
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
from lstmgraph.compiler.passes.folded_masks import folded_mask
from lstmgraph.compiler.passes.masks import (
    CONV_LSTM,
    fills,
)
from lstmgraph.keras_facts.dtypes import is_float
from lstmgraph.keras_facts.layers.attention import ATTENTION
from lstmgraph.keras_facts.layers.dense import EMBEDDINGS, REVERSE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from lstmgraph.keras_facts.tensors import TensorSpec

NORMALIZES_ROWS = "BatchNormalization"
CONVOLUTIONS = frozenset({"Conv1D", "SeparableConv1D"})
COUNTS_ALL = frozenset({"ActivityRegularization", "Masking", *EMBEDDINGS})
"""Layers that compute each step from itself, but read every step for a loss or a mask."""
FRESH = frozenset({"RepeatVector", *EMBEDDINGS})
"""Layers whose output contains no numbers from padded steps."""

Needs = dict["Port", set["MaskSpec | None"]]


def padded_inputs(graph: Graph) -> Mapping[tuple[str, Port], MaskSpec]:
    """Return the mask for each node and port whose padded steps must be zeroed.

    Steps are zeroed as early as the mask allows. That is right after an input of the model if each
    layer up to the masked one computes a step from that step alone (or from earlier ones, if
    lengths mask it), and nothing else reads its result. So no output changes.
    """
    carried = {Port(node.name, output) for node in graph.nodes for output in node.output_masks}
    if not carried and not any(node.mask or any(node.input_masks) for node in graph.nodes):
        return {}
    needs = _needs(graph)
    specs = {Port(tensor.name): tensor.spec for tensor in graph.inputs.values()}
    # The ports whose padding may hold anything, with the masks under which it holds zeros.
    open_: dict[Port, frozenset[MaskSpec]] = {
        port: frozenset(node.mask for node in graph.nodes if _is_zero(node.mask, port))
        for port, spec in specs.items()
        if is_float(spec.dtype) and spec.rank > 1
    }
    zeroed: dict[tuple[str, Port], MaskSpec] = {}
    for node in graph.nodes:
        left = []
        for port, masks in _read_by(node, needs).items():
            if port not in open_:
                continue
            mask = _common(masks)
            if mask is not None and mask in open_[port]:
                left.append(open_[port])
            elif (
                mask is not None
                and (
                    node.mask or node.op == FOLD or port not in carried
                )  # an operation passes no mask on
                and (own := _of_steps(mask, port, specs))
            ):
                zeroed[node.name, port] = own
            elif node.op != JOIN or specs[port].rank > 2:
                left.append(open_[port])
        specs |= {Port(node.name, output): spec for output, spec in node.outputs.items()}
        if (
            left
            and (node.op not in FRESH or node.arguments.get(REVERSE))
            and not _drops_padding(node)
        ):
            known = frozenset.intersection(*left)
            if node.op == "Masking":
                known |= frozenset(node.output_masks.values())
            for output, spec in node.outputs.items():
                if spec.rank > 2 and is_float(spec.dtype):
                    open_[Port(node.name, output)] = known
    return zeroed


def _is_zero(mask: MaskSpec | None, port: Port) -> TypeGuard[MaskSpec]:
    """Return whether `port` is zero where the mask is false; others may overflow in float16."""
    return mask is not None and mask.kind == "value" and mask.port == port and not mask.value


def _of_steps(mask: MaskSpec, port: Port, known: Mapping[Port, TensorSpec]) -> MaskSpec | None:
    """Return `mask` for the steps of `port`; None if the steps differ or it is not known yet."""
    spec = known[port]
    axes = len(mask.shape)
    if spec.rank <= axes or spec.shape[:axes] != mask.shape:
        return None
    if mask.kind == "lengths":
        mask = replace(mask, like=port)
    return mask if all(source in known for source in mask.ports) else None


def _needs(graph: Graph) -> Needs:
    """Return, for each port, the masks of its readers; None stands for a reader of all steps."""
    needs: Needs = defaultdict(set)
    for port in graph.outputs.values():
        needs[port].add(None)
    for node in reversed(graph.nodes):
        for port, masks in _read_by(node, needs).items():
            needs[port] |= masks
        for port in _read_whole(node):
            needs[port].add(None)
    return needs


def _read_whole(node: Node) -> Iterator[Port]:
    """Yield the ports of which `node` reads all steps, for masks and initial states."""
    for mask in (node.mask, *node.input_masks):
        yield from made_from(mask)
    if node.recurrence:
        yield from (state.source for state in node.recurrence.states if state.source)


def _read_by(node: Node, needs: Needs) -> Needs:
    """Return, for each input of `node`, the masks of the steps that it reads."""
    needed: Needs = defaultdict(set)
    if node.op in ROWS_ONLY:
        return needed
    if node.op == UNFOLD:  # the other input gives only sizes
        needed[node.inputs[0]].add(_of_rows(node, needs))
        return needed
    own = _own_mask(node, needs)
    for place, port in enumerate(node.inputs[:1] if node.op == REPEAT else node.inputs):
        if node.op == STACK:
            needed[port].add(_of_result(node, own, place))
        elif place and node.op in ATTENTION:
            needed[port].add(node.input_masks[place] if node.input_masks else None)
        else:
            needed[port].add(own)
    return needed


def _of_rows(node: Node, needs: Needs) -> MaskSpec | None:
    """Return the mask of the folded rows whose unfolded results are read, (batch * segments,)."""
    masks = needs[Port(node.name)]
    mask = next(iter(masks)) if len(masks) == 1 else None
    axes = node.arguments["axes"] + 1
    return folded_mask(mask, axes) if mask and len(mask.shape) == axes else None


def _own_mask(node: Node, needs: Needs) -> MaskSpec | None:
    """Return the mask of the steps that `node` has to read; None if it has to read all."""
    if node.mask and _drops_padding(node):
        return node.mask
    outputs = {output: needs[Port(node.name, output)] for output in node.outputs}
    if outputs.get(SCORES):  # zeros where the query's step is padded
        outputs[SCORES] = {next(iter(node.input_masks), None)}
    read = {output: masks for output, masks in outputs.items() if masks}
    mask = _common(set[MaskSpec | None]().union(*read.values()))
    if node.op == STEP:
        return _whole(mask) if mask and mask.index == node.arguments["index"] else None
    if mask is None or node.arguments.get("activity_regularizer"):
        return None
    if len(mask.shape) == 1:  # of rows, which all but one layer compute by themselves
        own = mask.parts[0][1] if node.op == FOLD else mask
        return None if node.op == NORMALIZES_ROWS else own
    if node.recurrence:
        forwards = not node.recurrence.bidirectional and not node.arguments.get("go_backwards")
        only = set(read) == {SEQUENCE} and not node.recurrence.carried and node.mask is None
        return mask if forwards and only and mask.kind == "lengths" else None
    if node.op in CONVOLUTIONS:
        return mask if _looks_back(node, mask) else None
    return mask if _computes_each_step(node, mask) else None


def _common(masks: set[MaskSpec | None]) -> MaskSpec | None:
    """Return the mask of all readers; None if they read different steps.

    If lengths mask the steps of a loop, what counts in a later step counts in the first one too.
    """
    if len(masks) < 2:
        return next(iter(masks), None)
    steps = [mask for mask in masks if mask and (whole := _whole(mask)) and whole.kind == "lengths"]
    if len(steps) < len(masks) or len({_whole(mask) for mask in steps}) > 1:
        return None
    return min(steps, key=lambda mask: mask.index or 0)


def _whole(mask: MaskSpec | None) -> MaskSpec | None:
    """Return the mask of all steps that `mask` is a step of; None if it is no such mask."""
    return mask.parts[0][1] if mask and mask.kind == "step" else None


def _of_result(node: Node, mask: MaskSpec | None, place: int) -> MaskSpec | None:
    """Return the mask of one of the results that `node` puts after each other, from that of all."""
    if mask is None or mask.shape[:2] != node.outputs[OUTPUT].shape[:2]:
        return None
    return mask.parts[place][1] if mask.kind == "joined" else mask.step(place)


def _drops_padding(node: Node) -> bool:
    """Return whether the output of a masked node is free of the padded steps that it reads."""
    if node.mask is None:
        return False
    return node.recurrence is not None or node.op in {*CONV_LSTM, FOLD} or fills(node)


def _looks_back(node: Node, mask: MaskSpec) -> bool:
    """Return whether a convolution computes steps that count without padded ones."""
    sizes, strides = (node.arguments[key] for key in ("kernel_size", "strides"))
    if _number(strides) != 1 or node.arguments["data_format"] == "channels_first":
        return False
    causal = node.arguments["padding"] == "causal" and mask.kind == "lengths"
    return _number(sizes) == 1 or causal


def _number(size: int | list[int] | tuple[int, ...]) -> int:
    return size if isinstance(size, int) else size[0]


def _computes_each_step(node: Node, mask: MaskSpec) -> bool:
    """Return whether `node` computes each step of its output from the same step of its input."""
    if node.op in ATTENTION:
        return True  # only the query matters here
    if node.op in OVER_FEATURES:
        rank = len(node.outputs[OUTPUT].shape)
        axis = node.arguments.get("axis", -1)
        axes = axis if isinstance(axis, list | tuple) else [-1 if axis is None else axis]
        if any(axis % rank != rank - 1 for axis in axes):
            return False
        return node.op != NORMALIZES_ROWS or node.mask == mask
    inner = node.arguments.get("layer")
    if isinstance(inner, dict) and (
        inner["type"] == NORMALIZES_ROWS or inner.get("activity_regularizer")
    ):
        return False
    if node.arguments.get(REVERSE):
        return True
    return node.op in (STACK, *MERGES) or (node.op in EACH_STEP and node.op not in COUNTS_ALL)
