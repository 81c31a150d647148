"""Fitting of a drafted recipe: its masks and dtype policies become those of the Keras model.

The draft is compiled, and what the compiler says about each call is held against what the Keras
model does there.
"""

from __future__ import annotations

from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from lstmgraph.compiler.compile import compile_document
from lstmgraph.compiler.graph import FOLD, OUTPUT
from lstmgraph.interop.importing.blocks import bound_nodes
from lstmgraph.interop.importing.expressions import Join, Mask, Port, Repeat
from lstmgraph.interop.importing.lifted import Problem
from lstmgraph.interop.importing.masks import unfilled
from lstmgraph.interop.importing.writing import plain_text
from lstmgraph.interop.keras_masks import ATTENTION as HEADS
from lstmgraph.interop.keras_masks import CONV_LSTM
from lstmgraph.keras_facts.layers import RESIZES
from lstmgraph.language.text.document import parse_document
from lstmgraph.messages.errors import RecipeError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lstmgraph.compiler.compile import CompiledRecipe
    from lstmgraph.compiler.graph import Graph, MaskSpec
    from lstmgraph.compiler.graph import Node as GraphNode
    from lstmgraph.interop.importing.drafting import Draft
    from lstmgraph.interop.importing.lifted import Lifted, Lost, Node

MOST_ROUNDS = 60
ENDED = frozenset({"L501", "L504", "L505", "L507", "L509", "L510", "L511", "L512", "L514", "L515"})
"""What the compiler says where a mask that Keras loses would be lost."""
USES_MASK = CONV_LSTM | {
    *("GlobalAveragePooling1D", "GlobalMaxPooling1D", "Softmax", "BatchNormalization")
}
TAKES_MASK = frozenset({"TimeDistributed", "ActivityRegularization", *RESIZES})
"""Layers whose `mask:` is that of their output."""
INSIDE = "it ends inside TimeDistributed"
"""Why the mask of steps is lost for what reads segments of them."""


class Unfitting(Exception):  # noqa: N818 - it is no error
    """The draft cannot be fitted."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = problems
        super().__init__(problems)


def fit(lifted: Lifted, draft: Draft, *, fix: bool = False) -> CompiledRecipe:
    """Compile `draft`, after changing its masks and policies to those of the Keras model.

    Args:
        lifted: the model.
        draft: its recipe, which is changed.
        fix: whether a mask that the model loses silently is kept.

    Raises:
        Unfitting: the language refuses what the model does; with each problem.
    """
    fitting = _Fitting(lifted, draft, fix=fix)
    for _ in range(MOST_ROUNDS):
        compiled = fitting.compiled()
        if compiled is not None and not fitting.changed(compiled):
            return compiled
    raise Unfitting([Problem("", "M206", "its masks cannot be said in a recipe")])


class _Fitting:
    def __init__(self, lifted: Lifted, draft: Draft, *, fix: bool) -> None:
        self.lifted = lifted
        self.draft = draft
        self.fix = fix
        bound = bound_nodes(lifted)
        self.nodes = {node.name: node for node in lifted.nodes if node.block is None}
        self.nodes |= {name: own.node for name, own in bound.items()}
        self.in_blocks = {(own.block, own.own_name): name for name, own in bound.items()}
        """The nodes of the layers of blocks, of the last call of each."""
        self.tried: dict[str, list[Any]] = {}
        self.refused: set[str] = set()
        """The calls at which the language refuses the mask."""
        self.plainer: dict[str, Any] = {}
        """By call, a form of the same mask for where the one that was set is refused."""

    def compiled(self) -> CompiledRecipe | None:
        """Return the compiled draft; None after a change of it that answers its mistakes."""
        document = parse_document(plain_text(self.draft.data, {}), "<recipe>")
        try:
            return compile_document(document)
        except RecipeError as error:
            changed = [self.answered(each) for each in error.diagnostics]
            if any(changed):
                return None
            raise Unfitting([self.problem(each) for each in error.diagnostics]) from None

    def name_of(self, path: Sequence[Any]) -> str:
        """Return the name of the node that a path of the recipe leads to; "" if none does."""
        if len(path) > 1 and path[0] == "layers":
            return str(path[1])
        if len(path) > 3 and path[0] == "blocks":
            return self.in_blocks.get((str(path[1]), str(path[3])), "")
        return ""

    def problem(self, diagnostic: Any) -> Problem:
        layer = self.name_of(diagnostic.path)
        node = self.nodes.get(layer)
        return Problem(
            node.layer.name if node else layer,
            "M208",
            f"the language refuses it ({diagnostic.code}): {diagnostic.message}",
            diagnostic.hint or "",
        )

    def answered(self, diagnostic: Any) -> bool:
        """Change the draft as a mistake asks for; return whether there was a change."""
        name = self.name_of(diagnostic.path)
        if diagnostic.code == "L307" and "mask" in diagnostic.message and name in self.nodes:
            call = self.nodes[name]
            mask = self.wanted(call)
            forms = ["none"] if mask is None else self.forms(call.name, call, mask, None)
            return any(self.set_mask(call.name, form) for form in forms)
        if name in self.plainer and "mask" in diagnostic.path[2:]:
            self.draft.layer(name)["mask"] = self.plainer.pop(name)
            return True
        if diagnostic.code not in ENDED or not name:
            return False
        node = self.nodes.get(name)
        if node is not None and node.filled is not None and node.layer.type in RESIZES:
            entry = self.draft.layer(name)
            source = entry.get("input")
            if isinstance(source, str) and self.set_mask(
                name, {"from": source, "padding": "right"}
            ):
                return True
        calls = [each for each, own in self.nodes.items() if own.holder == name]
        unmasked = [each for each in (name, *calls) if self.counts_all(each)]
        changed = next((e for e in (*unmasked, name) if self.set_mask(e, "none")), None)
        self.refused.add(changed or name)
        return changed is not None

    def counts_all(self, name: str) -> bool:
        """Return whether a call of a recurrent layer uses no mask in Keras."""
        node = self.nodes.get(name)
        return node is not None and node.recurrent is not None and self.wanted(node) is None

    def set_mask(self, name: str, mask: Any) -> bool:
        """Set a layer's mask unless that was tried before."""
        tried = self.tried.setdefault(name, [])
        if mask in tried:
            return False
        tried.append(mask)
        entry = self.draft.layer(name)
        if mask is None:
            entry.pop("mask", None)
        else:
            entry["mask"] = mask
        return True

    def changed(self, compiled: CompiledRecipe) -> bool:
        """Change what differs between the compiled draft and the model; return whether any did."""
        graph = compiled.graph
        by_name = graph.by_name
        found = False
        later: set[str] = set()
        """The calls behind one that hides a mask now, which may then need no change."""
        behind: set[str] = set()
        """The calls behind one that is given a mask now, which they may then inherit."""
        self.left: list[Problem] = []
        for name, node in self.in_order(graph):
            own = by_name[self.graph_name(name)]
            found |= self.changed_policy(name, node, own)
            if own.name in later:
                continue
            if self.uses_mask(node):
                if own.name in behind and node.inputs[0].mask == self.wanted(node):
                    continue
                if self.changed_mask(name, node, own.mask, graph):
                    found = True
                    behind |= _readers(graph, own.name)
            elif node.input_masks or own.input_masks:
                found |= self.changed_attention(name, node, own.input_masks, graph)
            elif self.reads_copy(name, node) and _carried(own, graph):
                if self.hidden(name, node, own, graph):
                    found = True
                    later |= _readers(graph, own.name)
            elif not found and node.layer.type in TAKES_MASK:
                # One at a time: the next may inherit it.
                found |= self.given_mask(name, node, own.output_masks.get(OUTPUT), graph)
        if self.left and not found:
            raise Unfitting(self.left)
        return found

    def graph_name(self, name: str) -> str:
        """Return the name of a call in the graph; of one that a loop repeats, of the first."""
        return self.draft.looped.get(name, (name,))[0]

    def in_order(self, graph: Graph) -> list[tuple[str, Node]]:
        """Return the calls that the recipe has, in the order in which they run."""
        places = {node.name: place for place, node in enumerate(graph.nodes)}
        found = [
            (places[self.graph_name(name)], name, node)
            for name, node in self.nodes.items()
            if self.graph_name(name) in places and self.draft.has(name)
        ]
        return [(name, node) for _, name, node in sorted(found, key=lambda each: each[0])]

    def hidden(self, name: str, node: Node, own: GraphNode, graph: Graph) -> bool:
        """Hide a mask that Keras does not hand on to a call; return whether that is new."""
        if _is_folded_away(own, graph):
            place = self.draft.place(name)
            if self.fix:
                self.draft.comments[place] = [_kept(INSIDE)]
                return False
            self.draft.comments[place] = [_dropped(INSIDE)]
        elif self.fix and node.lost:
            return False
        return self.set_mask(name, "none")

    def changed_policy(self, name: str, node: Node, own: Any) -> bool:
        entry = self.draft.layer(name)
        if node.is_made or node.holder or own.dtype_policy == node.policy:
            return False
        if entry.get("dtype_policy") == node.policy:
            return False
        if node.layer.type in ("Hashing", "StringLookup", "TextVectorization", "IntegerLookup"):
            return False
        entry["dtype_policy"] = node.policy
        return True

    def given_mask(self, name: str, node: Node, own: MaskSpec | None, graph: Graph) -> bool:
        """Give a layer the mask that its output has in Keras by another layer."""
        is_given = node.layer.type == "TimeDistributed"  # others have no mask of their own
        mask = self.lifted.given_masks.get(name) or (node.mask if is_given else node.filled)
        if mask and own and _is(mask, own, graph):
            return False
        forms = self.forms(name, node, mask, graph) if mask else []
        return any(self.set_mask(name, form) for form in forms)

    def reads_copy(self, name: str, node: Node) -> bool:
        """Return whether a call gets no mask in Keras, nor does its output by another layer."""
        masks = [node.mask, node.filled, *(value.mask for value in node.inputs)]
        return name not in self.lifted.given_masks and not any(masks)

    def uses_mask(self, node: Node) -> bool:
        return (
            node.recurrent is not None
            or node.layer.type in USES_MASK
            or (node.filled is not None and node.layer.type in RESIZES)
        )

    def changed_mask(self, name: str, node: Node, own: MaskSpec | None, graph: Graph) -> bool:
        wanted, lost, place = self.wanted(node), node.lost, self.draft.place(name)
        if self.fix and lost and (wanted is None or wanted.kind == "or"):
            kept = self.kept(name, node, lost, own, graph)
            if kept is not None:
                self.draft.comments[place] = [_kept(lost.reason)]
                return kept
        if wanted is None:
            reason = lost.reason if lost else ""
            if own is not None and own.kind == "some" and not reason:
                reason = INSIDE
                if self.fix:
                    self.draft.comments[place] = [_kept(reason)]
                    return False
            if reason:
                self.draft.comments[place] = [_dropped(reason)]
            return own is not None and self.set_mask(name, "none")
        if own is not None and _is(wanted, own, graph):
            return self.counted_alike(name, node, wanted, own, graph)
        for form in self.forms(name, node, wanted, graph):
            if self.set_mask(name, form):
                return True
        what = f"it uses the mask {_text(wanted)}, which a recipe cannot give it here"
        hint = "mask by lengths, by a value, by a bool input or by an embedding's ids"
        if wanted.kind == "or":
            what = "it counts the steps that any of several masks counts, which a recipe cannot say"
            hint = "give the call one mask"
            if lost:
                hint = "pass the mask that you mean to the call; `--fix` takes the first one"
        elif wanted.kind == "other":
            what = "its mask is computed in a way that the language has no form for"
        self.left.append(Problem(node.layer.name, "M206", what, hint))
        return False

    def changed_attention(
        self, name: str, node: Node, masks: tuple[MaskSpec | None, ...], graph: Graph
    ) -> bool:
        """Have attention use no masks if it uses none in Keras; refuse other ones than it has."""
        wanted = node.input_masks
        own = [mask if use else None for mask, use in zip(masks, _compared(node), strict=False)]
        pairs = list(zip_longest(wanted[: len(node.inputs)], own))
        if all(_are(one, other, graph) for one, other in pairs):
            return False
        if not any(wanted):
            place = self.draft.place(name)
            if node.lost and self.fix:
                self.draft.comments[place] = [_kept(node.lost.reason)]
                return False
            if node.lost:
                self.draft.comments[place] = [_dropped(node.lost.reason)]
            return self.set_mask(name, "none")
        self.left.append(
            Problem(
                node.layer.name,
                "M206",
                "it is given masks of its own, but a recipe's attention uses those of its inputs",
                "mask the inputs, by a Masking layer or an Embedding with `mask_zero=True`",
            )
        )
        return False

    def kept(
        self, name: str, node: Node, lost: Lost, own: MaskSpec | None, graph: Graph
    ) -> bool | None:
        """Give a call the mask that Keras loses; None if it cannot be had, else whether it is new.

        A mask that the language refuses here, as behind ``go_backwards``, cannot be had.
        """
        if name in self.refused:
            return None
        if own is not None and _same(lost.mask, own, graph):
            return False
        forms = self.forms(name, node, lost.mask, graph)
        return True if any(self.set_mask(name, form) for form in forms) else None

    def counted_alike(
        self, name: str, node: Node, wanted: Mask, own: MaskSpec, graph: Graph
    ) -> bool:
        """Have lengths be those of the steps of the same sequence; return whether they were not."""
        if _same_steps(wanted, _first_made(graph, own)):
            return False
        if wanted.like == _sequence(node):
            return self.set_mask(name, {"lengths": str(wanted.source)})
        for form in self.shared(name, wanted, graph):
            if self.set_mask(name, form):
                self.plainer[name] = {"lengths": str(wanted.source)}
                return True
        return False

    def wanted(self, node: Node) -> Mask | None:
        """Return the mask that the call uses in Keras."""
        return node.filled if node.layer.type in RESIZES else node.mask

    def forms(self, name: str, node: Node, mask: Mask, graph: Graph | None) -> list[Any]:
        """Return the forms that may give the layer this mask, the plainest first."""
        source = unfilled(mask.source)
        if not isinstance(source, Port):
            return []
        reference = str(source)
        if mask.kind == "lengths":
            return [{"lengths": reference}]
        if mask.kind == "input":
            return [{"input": reference}] if source.layer in self.lifted.inputs else []
        first = _sequence(node)
        if mask.kind == "value" and first == source:
            return [{"value": mask.value}]
        if graph is None:  # not compiled yet: what it reads has its mask in Keras
            is_carried = node.inputs[0].mask == mask and isinstance(first, Port)
            return [{"from": str(first)}] if is_carried else []
        return self.shared(name, mask, graph)[:1]

    def shared(self, name: str, mask: Mask, graph: Graph) -> list[Any]:
        """Return the forms that take a mask from a layer that has it and does not read this one."""
        later = _readers(graph, self.graph_name(name))
        found: list[Any] = []
        for other in self.draft.data["layers"]:
            own = graph.by_name.get(other)
            masks = own.output_masks.values() if own is not None and other not in later else ()
            if any(_same(mask, each, graph) and _same_steps(mask, each) for each in masks):
                recurrent = self.nodes[other].recurrent if other in self.nodes else None
                found.append({"from": f"{other}.sequence" if recurrent else other})
        return found


def _carried(node: GraphNode, graph: Graph) -> bool:
    """Return whether something that a node reads has a mask."""
    masks = {name: each.output_masks for name, each in graph.by_name.items()}
    has_mask = any(port.output in masks.get(port.node, ()) for port in node.inputs)
    return has_mask or _is_folded_away(node, graph)


def _is_folded_away(node: GraphNode, graph: Graph) -> bool:
    """Return whether a node reads zeros for segments without a step that counts."""
    read = [graph.by_name.get(port.node) for port in node.inputs]
    return any(each.op == FOLD and each.mask and each.mask.kind == "some" for each in read if each)


def _dropped(reason: str) -> str:
    return f"Keras drops this mask, as {reason}: padded steps count."


def _kept(reason: str) -> str:
    if not reason:
        return "Keras joins this mask with others by OR; here it counts alone."
    return f"Keras drops this mask, as {reason}; here it is kept."


def _sequence(node: Node) -> Any:
    """Return the sequence that a call reads, without the features that are joined to it."""
    first = node.inputs[0].expression
    if isinstance(first, Join):
        sequences = [part for part in first.parts if not isinstance(part, Repeat)]
        return (sequences or first.parts)[0]
    return first


def _readers(graph: Graph, name: str) -> set[str]:
    """Return a layer, and those that read its outputs, at any distance."""
    found = {name}
    for node in graph.nodes:
        read = {port.node for port in node.inputs}
        masks = [mask for mask in (node.mask, *node.input_masks) if mask]
        read |= {port.node for mask in masks for port in mask.ports}
        if not found.isdisjoint(read):
            found.add(node.name)
    return found


def _may_be(mask: Mask) -> bool:
    """Return whether a mask without a form may be one that the compiler makes by itself."""
    return mask.kind == "other" and mask.source != Port("and")


def _same(mask: Mask, spec: MaskSpec, graph: Graph) -> bool:
    """Return whether a mask of the model is that of the compiled recipe, of folded steps or not."""
    while spec.kind in ("folded", "unfolded") and spec.parts and spec.parts[0][1]:
        spec = spec.parts[0][1]
    source = unfilled(mask.source)
    if spec.kind != mask.kind or not isinstance(source, Port):
        return False
    same_port = graph.whole(spec.port).node == source.layer
    return same_port and (mask.kind != "value" or spec.value == mask.value)


def _is(mask: Mask, spec: MaskSpec, graph: Graph) -> bool:
    """Return whether a mask of the model is that of the compiled recipe, as far as it is known."""
    if mask.parts and mask.kind == "other" and spec.kind == "joined":
        pairs = zip_longest(mask.parts, [part for _, part in spec.parts])
        return all(_are(one, other, graph) for one, other in pairs)
    return _same(mask, spec, graph) or _may_be(mask)


def _are(mask: Mask | None, spec: MaskSpec | None, graph: Graph) -> bool:
    if mask is None or spec is None:
        return mask is None and spec is None
    return _is(mask, spec, graph)


def _compared(node: Node) -> tuple[bool, ...]:
    """Return of which inputs of attention the masks are compared: with heads, not the query's."""
    return (node.layer.type not in HEADS, True, True)


def _first_made(graph: Graph, spec: MaskSpec) -> MaskSpec:
    """Return the first mask in a graph that equals `spec`: all that are equal are one tensor."""
    masks = (m for n in graph.nodes for m in (n.mask, *n.input_masks, *n.output_masks.values()))
    return next((mask for mask in masks if mask == spec), spec)


def _same_steps(mask: Mask, spec: MaskSpec) -> bool:
    """Return whether lengths are compared with the steps of the same sequence, if that is known."""
    like = mask.like
    return spec.like is None or not isinstance(like, Port) or spec.like.node == like.layer


def _text(mask: Mask) -> str:
    if mask.kind == "value":
        return f"of steps that differ from {mask.value} in {mask.source}"
    if mask.kind == "ids":
        return f"of ids other than 0 in {mask.source}"
    return f"by {mask.kind} of {mask.source}" if mask.kind != "other" else str(mask.source)
