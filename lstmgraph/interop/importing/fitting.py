"""Fitting of a drafted recipe: its masks and dtype policies become those of the Keras model.

The draft is compiled, and what the compiler says about each call is held against what the Keras
model does there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lstmgraph.compiler.compile import compile_document
from lstmgraph.interop.importing.blocks import bound_nodes
from lstmgraph.interop.importing.expressions import Filled, Join, Mask, Operation, Port, Repeat
from lstmgraph.interop.importing.lifting import CONV_LSTM, ENDS_MASK, Problem
from lstmgraph.interop.importing.writing import plain_text
from lstmgraph.keras_facts.layers import RESIZES
from lstmgraph.language.text.document import parse_document
from lstmgraph.messages.errors import RecipeError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lstmgraph.compiler.compile import CompiledRecipe
    from lstmgraph.compiler.graph import Graph, MaskSpec
    from lstmgraph.compiler.graph import Node as GraphNode
    from lstmgraph.interop.importing.drafting import Draft
    from lstmgraph.interop.importing.lifting import Lifted, Node

MOST_ROUNDS = 60
ENDED = frozenset({"L501", "L504", "L505", "L507", "L509", "L510", "L511", "L512", "L514", "L515"})
"""What the compiler says where a mask that Keras loses would be lost."""
USES_MASK = ENDS_MASK | CONV_LSTM | {"Softmax", "BatchNormalization"}
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
        bound = bound_nodes(lifted)
        self.nodes = {node.name: node for node in lifted.nodes if node.block is None}
        self.nodes |= {name: own.node for name, own in bound.items()}
        self.in_blocks = {(own.block, own.own_name): name for name, own in bound.items()}
        """The nodes of the layers of blocks, of the last call of each."""
        self.tried: dict[str, list[Any]] = {}

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
        return any(self.set_mask(each, "none") for each in (*unmasked, name))

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
        self.left: list[Problem] = []
        for name, node in self.nodes.items():
            own = by_name.get(self.draft.looped.get(name, (name,))[0])
            if own is None or not self.draft.has(name):
                continue
            found |= self.changed_policy(name, node, own)
            if self.uses_mask(node):
                found |= self.changed_mask(name, node, own.mask, graph)
            elif self.reads_copy(name, node) and _carried(own, graph):
                found |= self.set_mask(name, "none")
            elif not (found or own.output_masks) and node.layer.type in TAKES_MASK:
                # One at a time: the next may inherit it.
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
        is_given = node.layer.type == "TimeDistributed"  # others have no mask of their own
        mask = self.lifted.given_masks.get(name) or (node.mask if is_given else node.filled)
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
        wanted = self.wanted(node)
        if wanted is None and own is None:
            return False
        if wanted is None:
            reason = _why_lost(node)
            if own is not None and own.kind == "some" and not reason:
                reason = "it is made inside TimeDistributed"
            place = self.draft.place(name)
            if reason and self.fix:
                self.draft.comments[place] = [
                    f"Keras drops this mask, as {reason}; here it is kept."
                ]
                return False
            changed = self.set_mask(name, "none")
            if changed and reason:
                self.draft.comments[place] = [
                    f"Keras drops this mask, as {reason}: padded steps count."
                ]
            return changed
        if own is not None and (_same(wanted, own, graph) or wanted.kind == "other"):
            return False
        for form in self.forms(name, node, wanted, graph):
            if self.set_mask(name, form):
                return True
        what = f"it uses the mask {_text(wanted)}, which a recipe cannot give it here"
        if wanted.kind == "other":
            what = "its mask is computed in a way that the language has no form for"
        hint = "mask by lengths, by a value, by a bool input or by an embedding's ids"
        self.left.append(Problem(node.layer.name, "M206", what, hint))
        return False

    def wanted(self, node: Node) -> Mask | None:
        """Return the mask that the call uses in Keras."""
        mask = node.filled if node.layer.type in RESIZES else node.mask
        return None if _counts_all(mask) else mask

    def forms(self, name: str, node: Node, mask: Mask, graph: Graph | None) -> list[Any]:
        """Return the forms that may give the layer this mask, the plainest first."""
        source = mask.source.source if isinstance(mask.source, Filled) else mask.source
        if not isinstance(source, Port):
            return []
        reference = str(source)
        if mask.kind == "lengths":
            return [{"lengths": reference}]
        if mask.kind == "input":
            return [{"input": reference}] if source.layer in self.lifted.inputs else []
        first = node.inputs[0].expression
        if isinstance(first, Join):
            sequences = [part for part in first.parts if not isinstance(part, Repeat)]
            first = (sequences or first.parts)[0]
        if mask.kind == "value" and first == source:
            return [{"value": mask.value}]
        if graph is None:  # not compiled yet: what it reads has its mask in Keras
            is_carried = node.inputs[0].mask == mask and isinstance(first, Port)
            return [{"from": str(first)}] if is_carried else []
        found: list[Any] = []
        for other, entry in self.draft.data["layers"].items():
            own = graph.by_name.get(other)
            masks = own.output_masks.values() if own is not None else ()
            if other != name and any(_same(mask, each, graph) for each in masks):
                recurrent = self.nodes[other].recurrent if other in self.nodes else None
                found.append({"from": f"{other}.sequence" if recurrent else other})
            del entry
        return found[:1]


def _carried(node: GraphNode, graph: Graph) -> bool:
    """Return whether something that a node reads has a mask."""
    masks = {name: each.output_masks for name, each in graph.by_name.items()}
    return any(port.output in masks.get(port.node, ()) for port in node.inputs)


def _counts_all(mask: Mask | None) -> bool:
    """Return whether a mask is the OR of those of several inputs, of which one has none."""
    made = mask.expression if mask is not None and mask.kind == "other" else None
    return isinstance(made, Operation) and made.type == "or" and None in made.arguments


def _why_lost(node: Node) -> str:
    """Return why Keras drops the mask of a call's input; "" if it does not."""
    if node.states is not None and node.inputs and node.inputs[0].mask is not None:
        return "the call has an initial_state"
    if _counts_all(node.mask):
        return "it joins masks by OR, and not all inputs have one"
    return ""


def _same(mask: Mask, spec: MaskSpec, graph: Graph) -> bool:
    """Return whether a mask of the model is that of the compiled recipe, of folded steps or not."""
    while spec.kind in ("folded", "unfolded") and spec.parts and spec.parts[0][1]:
        spec = spec.parts[0][1]
    source = mask.source.source if isinstance(mask.source, Filled) else mask.source
    if spec.kind != mask.kind or not isinstance(source, Port):
        return False
    same_port = graph.whole(spec.port).node == source.layer
    return same_port and (mask.kind != "value" or spec.value == mask.value)


def _text(mask: Mask) -> str:
    if mask.kind == "value":
        return f"of steps that differ from {mask.value} in {mask.source}"
    if mask.kind == "ids":
        return f"of ids other than 0 in {mask.source}"
    return f"by {mask.kind} of {mask.source}" if mask.kind != "other" else str(mask.source)
