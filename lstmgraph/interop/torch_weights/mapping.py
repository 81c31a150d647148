"""Which layer of a recipe gets the weights of which layer of a state dict: guessed, and told."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lstmgraph.interop.torch_weights.errors import torch_file_error
from lstmgraph.interop.torch_weights.layers import TorchLayer, converted
from lstmgraph.keras_facts.catalogue import layer_of_steps
from lstmgraph.messages.wording import nearest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from lstmgraph.compiler.graph import Graph, Node
    from lstmgraph.messages.errors import WeightsFileError

NAME, SHAPE, ORDER, GIVEN, KIND = "name", "shape", "order", "given", "kind"


@dataclass(frozen=True)
class Pair:
    """A layer of the state dict and the layer of the recipe that gets its weights."""

    source: str
    target: str
    by: str
    """What the pair was found by: ``given``, ``name``, ``shape`` or ``order``; ``kind`` where the
    shapes differ."""

    def as_dict(self) -> dict[str, Any]:
        """Return the stable form that ``--format json`` prints."""
        return {"from": self.source, "to": self.target, "by": self.by}

    def __str__(self) -> str:
        said = {GIVEN: "as --map says", NAME: "by its name", SHAPE: "the only one that fits"}
        said[KIND] = "by kind and order; the shapes differ"
        by = said.get(self.by, "by order among those that fit")
        return f"{self.source or 'the module'} -> {self.target} ({by})"


def targets_of(graph: Graph) -> dict[str, Node]:
    """Return the nodes whose layers have weights, by the layer's name, in the graph's order."""
    return {node.keras_name: node for node in graph.nodes if node.weights and node.is_layer}


def kind_of(node: Node) -> str:
    """Return Keras's class of a node's layer, or of the one inside a TimeDistributed."""
    return layer_of_steps(node.op, node.arguments)[0]


def fits(layer: TorchLayer, node: Node) -> bool:
    """Return whether the weights of a layer have the shapes of a node's."""
    found = converted(layer, node, kind_of(node))
    return found is not None and {k: v.shape for k, v in found.items()} == dict(node.weights)


def _is_alike(layer: TorchLayer, node: Node) -> bool:
    """Return whether a layer is of a node's kind and has the same weights, of any shapes."""
    found = converted(layer, node, kind_of(node))
    return found is not None and found.keys() == node.weights.keys()


def guessed(
    layers: Sequence[TorchLayer],
    graph: Graph,
    given: Mapping[str, str],
    *,
    in_order: bool = True,
) -> tuple[Pair, ...]:
    """Return the pairs: those that are given, then by names, then by shapes and order.

    What is left is paired by names, and by kind and order, although its shapes differ.

    Args:
        layers: those of the state dict, in its order.
        graph: that of the recipe.
        given: layers of the recipe by names of modules.
        in_order: whether the order of `layers` is that of the modules; where it is not, only
            modules whose names differ in numbers alone have an order.

    Raises:
        WeightsFileError: `given` names what is not there (M404), or does not fit (M408).
    """
    targets = targets_of(graph)
    pairs = _given(layers, graph, targets, given)
    _by_names(layers, graph, targets, pairs, fits)
    _by_groups(layers, targets, pairs, fits, in_order=in_order)
    _by_names(layers, graph, targets, pairs, _is_alike)
    _by_groups(layers, targets, pairs, _is_alike, in_order=in_order)
    return tuple(pairs[name] for name in targets if name in pairs)


def _left(
    layers: Sequence[TorchLayer], targets: Mapping[str, Node], pairs: Mapping[str, Pair]
) -> tuple[list[TorchLayer], dict[str, Node]]:
    """Return what no pair has yet: layers of the state dict, and of the recipe."""
    used = {pair.source for pair in pairs.values()}
    free = {name: node for name, node in targets.items() if name not in pairs}
    return [layer for layer in layers if layer.name not in used], free


def _by_names(
    layers: Sequence[TorchLayer],
    graph: Graph,
    targets: Mapping[str, Node],
    pairs: dict[str, Pair],
    suits: Callable[[TorchLayer, Node], bool],
) -> None:
    left, free = _left(layers, targets, pairs)
    for layer in left:
        wishes = (name for name in _wishes(layer, graph) if name in free)
        name = next((name for name in wishes if suits(layer, free[name])), None)
        if name is not None:
            pairs[name] = Pair(layer.name, name, NAME)
            del free[name]


def _by_groups(
    layers: Sequence[TorchLayer],
    targets: Mapping[str, Node],
    pairs: dict[str, Pair],
    suits: Callable[[TorchLayer, Node], bool],
    *,
    in_order: bool,
) -> None:
    """Add the pairs of as many layers on one side as on the other that suit each other."""
    left, free = _left(layers, targets, pairs)
    groups: defaultdict[tuple[str, ...], list[TorchLayer]] = defaultdict(list)
    for layer in left:
        groups[tuple(name for name, node in free.items() if suits(layer, node))].append(layer)
    for names, alike in groups.items():
        if len(names) == len(alike) and (in_order or _are_numbered(alike)):
            alike = alike if in_order else sorted(alike, key=_numbers)  # noqa: PLW2901
            by = KIND if suits is _is_alike else SHAPE if len(names) == 1 else ORDER
            for name, layer in zip(names, alike, strict=True):
                if name not in pairs:
                    pairs[name] = Pair(layer.name, name, by)


def _are_numbered(layers: Sequence[TorchLayer]) -> bool:
    return len({re.sub(r"\d+", "", layer.module) for layer in layers}) == 1


def _numbers(layer: TorchLayer) -> list[int]:
    return [*map(int, re.findall(r"\d+", layer.module)), layer.number]


def _given(
    layers: Sequence[TorchLayer],
    graph: Graph,
    targets: Mapping[str, Node],
    given: Mapping[str, str],
) -> dict[str, Pair]:
    pairs: dict[str, Pair] = {}
    for source, target in given.items():
        own = [layer for layer in layers if source in (layer.name, layer.module)]
        exact = [layer for layer in own if layer.name == source]
        if target in targets:
            own = exact or own
            names = [target]
        else:
            names = [n for n in graph.stacks.get(target, ()) if n in targets]
        if not own:
            raise _unknown("module", source, {layer.name for layer in layers})
        if not names:
            raise _unknown("layer of the recipe", target, [*targets, *graph.stacks])
        if len(own) != len(names) or not all(
            fits(layer, targets[name]) for layer, name in zip(own, names, strict=True)
        ):
            raise torch_file_error(
                "M408",
                f"--map: the weights of '{source}' do not fit '{target}'",
                "both need the same kind, sizes and number of layers",
            )
        pairs |= {
            name: Pair(layer.name, name, GIVEN) for layer, name in zip(own, names, strict=True)
        }
    return pairs


def _unknown(what: str, name: str, known: Iterable[str]) -> WeightsFileError:
    names = sorted(known)
    meant = nearest(name, names)
    hint = f"did you mean '{meant}'?" if meant else f"there are: {', '.join(names[:20])}"
    return torch_file_error("M404", f"--map: there is no {what} '{name}'", hint)


def _wishes(layer: TorchLayer, graph: Graph) -> list[str]:
    """Return the names of layers that a module's name speaks of, the most exact first."""
    parts = layer.module.split(".")
    names = [layer.module, layer.module.replace(".", "_"), *reversed(parts)]
    wishes = []
    for name in dict.fromkeys(names):
        stack = graph.stacks.get(name, ())
        if len(stack) > layer.number:
            wishes.append(stack[layer.number])
        wishes.append(name)
    return wishes
