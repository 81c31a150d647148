"""Fitting of a drafted recipe: its masks and dtype policies become those of the Keras model.

The draft is compiled, and what the compiler says about each call is held against what the Keras
model does there.
"""

from __future__ import annotations

from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from lstmgraph.compiler.compile import compile_document
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
    from lstmgraph.compiler.compile import CompiledRecipe
    from lstmgraph.compiler.graph import Graph, MaskSpec
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
        self.nodes = {node.name: node for node in lifted.nodes}
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

    def problem(self, diagnostic: Any) -> Problem:
        path = diagnostic.path
        layer = str(path[1]) if len(path) > 1 and path[0] == "layers" else ""
        node = self.nodes.get(layer)
        return Problem(
            node.layer.name if node else layer,
            "M208",
            f"the language refuses it ({diagnostic.code}): {diagnostic.message}",
            diagnostic.hint or "",
        )

    def answered(self, diagnostic: Any) -> bool:
        """Change the draft as a mistake asks for; return whether there was a change."""
        path = diagnostic.path
        if diagnostic.code == "L307" and "mask" in diagnostic.message and path[1] in self.nodes:
            call = self.nodes[str(path[1])]
            mask = self.wanted(call)
            forms = ["none"] if mask is None else self.forms(call.name, call, mask, None)
            return any(self.set_mask(call.name, form) for form in forms)
        if len(path) > 2 and path[2] == "mask" and str(path[1]) in self.plainer:
            self.draft.layer(str(path[1]))["mask"] = self.plainer.pop(str(path[1]))
            return True
        if diagnostic.code not in ENDED or len(path) < 2 or path[0] != "layers":
            return False
        name = str(path[1])
        node = self.nodes.get(name)
        if node is not None and node.filled is not None and node.layer.type in RESIZES:
            entry = self.draft.layer(name)
            source = entry.get("input")
            if isinstance(source, str) and self.set_mask(
                name, {"from": source, "padding": "right"}
            ):
                return True
        self.refused.add(name)
        return self.set_mask(name, "none")

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
        self.left: list[Problem] = []
        for name, node in self.nodes.items():
            own = by_name.get(self.draft.looped.get(name, (name,))[0])
            if own is None or not self.draft.has(name):
                continue
            found |= self.changed_policy(name, node, own)
            if self.uses_mask(node):
                found |= self.changed_mask(name, node, own.mask, graph)
            elif node.input_masks or own.input_masks:
                found |= self.changed_attention(name, node, own.input_masks)
            elif (
                (name in self.lifted.given_masks or node.filled)
                and not own.output_masks
                and node.layer.type in TAKES_MASK
            ):
                found |= self.given_mask(name, node, graph)
        if self.left and not found:
            raise Unfitting(self.left)
        return found

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

    def given_mask(self, name: str, node: Node, graph: Graph) -> bool:
        """Give a layer the mask that its output has in Keras by another layer."""
        mask = self.lifted.given_masks.get(name) or node.filled
        forms = self.forms(name, node, mask, graph) if mask else []
        return any(self.set_mask(name, form) for form in forms)

    def uses_mask(self, node: Node) -> bool:
        return (
            node.recurrent is not None
            or node.layer.type in USES_MASK
            or (node.filled is not None and node.layer.type in RESIZES)
        )

    def changed_mask(self, name: str, node: Node, own: MaskSpec | None, graph: Graph) -> bool:
        wanted, lost = self.wanted(node), node.lost
        if self.fix and lost and (wanted is None or wanted.kind == "or"):
            kept = self.kept(name, node, lost, own, graph)
            if kept is not None:
                self.draft.comments[name] = [_kept(lost)]
                return kept
        if wanted is None:
            if lost and lost.reason:
                self.draft.comments[name] = [_dropped(lost)]
            return own is not None and self.set_mask(name, "none")
        if own is not None and _is(wanted, own):
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

    def changed_attention(self, name: str, node: Node, masks: tuple[MaskSpec | None, ...]) -> bool:
        """Have attention use no masks if it uses none in Keras; refuse other ones than it has."""
        wanted = node.input_masks
        own = [mask if use else None for mask, use in zip(masks, _compared(node), strict=False)]
        pairs = list(zip_longest(wanted[: len(node.inputs)], own))
        if all(_are(one, other) for one, other in pairs):
            return False
        if not any(wanted):
            if node.lost and self.fix:
                self.draft.comments[name] = [_kept(node.lost)]
                return False
            if node.lost:
                self.draft.comments[name] = [_dropped(node.lost)]
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
        if own is not None and _same(lost.mask, own):
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
        if mask.kind == "value" and _sequence(node) == source:
            return [{"value": mask.value}]
        return self.shared(name, mask, graph)[:1] if graph else []

    def shared(self, name: str, mask: Mask, graph: Graph) -> list[Any]:
        """Return the forms that take a mask from a layer that has it and does not read this one."""
        later = _readers(graph, name)
        found: list[Any] = []
        for other in self.draft.data["layers"]:
            own = graph.by_name.get(other)
            masks = own.output_masks.values() if own is not None and other not in later else ()
            if any(_same(mask, each) and _same_steps(mask, each) for each in masks):
                recurrent = self.nodes[other].recurrent if other in self.nodes else None
                found.append({"from": f"{other}.sequence" if recurrent else other})
        return found


def _dropped(lost: Lost) -> str:
    return f"Keras drops this mask, as {lost.reason}: padded steps count."


def _kept(lost: Lost) -> str:
    if not lost.reason:
        return "Keras joins this mask with others by OR; here it counts alone."
    return f"Keras drops this mask, as {lost.reason}; here it is kept."


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


def _same(mask: Mask, spec: MaskSpec) -> bool:
    """Return whether a mask of the model is that of the compiled recipe."""
    while spec.kind in ("folded", "unfolded") and spec.parts and spec.parts[0][1]:
        spec = spec.parts[0][1]
    source = unfilled(mask.source)
    if spec.kind != mask.kind or not isinstance(source, Port):
        return False
    same_port = spec.port.node == source.layer
    return same_port and (mask.kind != "value" or spec.value == mask.value)


def _is(mask: Mask, spec: MaskSpec) -> bool:
    """Return whether a mask of the model is that of the compiled recipe, as far as it is known."""
    if mask.parts and mask.kind == "other" and spec.kind == "joined":
        pairs = zip_longest(mask.parts, [part for _, part in spec.parts])
        return all(_are(one, other) for one, other in pairs)
    return _same(mask, spec) or _may_be(mask)


def _are(mask: Mask | None, spec: MaskSpec | None) -> bool:
    if mask is None or spec is None:
        return mask is None and spec is None
    return _is(mask, spec)


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
