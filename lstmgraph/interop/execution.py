"""The order in which Keras runs the calls of a model, and its order of nested values."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from lstmgraph.interop.keras_model import Tensor

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from lstmgraph.interop.keras_model import Call, KerasModel

Place = tuple[str, int]
"""A call: the name of its layer, and which call of that layer."""


def flat(value: Any) -> Iterator[Any]:
    """Yield the leaves of nested values in Keras's order: mappings sorted by key."""
    if isinstance(value, dict):
        for key in sorted(value, key=str):
            yield from flat(value[key])
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from flat(item)
    else:
        yield value


def flat_tensors(value: Any) -> list[Tensor]:
    """Return the tensors among the leaves of `value`, in Keras's order."""
    return [leaf for leaf in flat(value) if isinstance(leaf, Tensor)]


def in_running_order(model: KerasModel) -> list[Call]:
    """Return the calls in the order in which Keras runs them: the deepest first.

    The depth of a call is its longest way to an output, as in ``keras.src.ops.function.map_graph``.
    """
    calls = {(call.layer, call.index): call for call in model.calls}
    parents = {place: _parents(call, calls) for place, call in calls.items()}
    found = _depth_first(flat_tensors(model.outputs), parents)
    depths: dict[Place, int] = {}
    of_layers: dict[str, int] = {}
    for place in reversed(found):
        depth = max(depths.setdefault(place, 0), of_layers.get(place[0], 0))
        of_layers[place[0]] = depths[place] = depth
        for parent in parents[place]:
            depths[parent] = max(depth + 1, depths.get(parent, 0))
    by_depth: defaultdict[int, list[Place]] = defaultdict(list)
    for place, depth in depths.items():
        by_depth[depth].append(place)
    return [calls[place] for depth in sorted(by_depth, reverse=True) for place in by_depth[depth]]


def _parents(call: Call, calls: dict[Place, Call]) -> list[Place]:
    read = flat_tensors((call.arguments, dict(call.keywords)))
    return [(t.layer, t.call) for t in read if (t.layer, t.call) in calls]


def _depth_first(outputs: Iterable[Tensor], parents: dict[Place, list[Place]]) -> list[Place]:
    """Return the calls that outputs need, each after those that it reads, as Keras finds them."""
    done: set[Place] = set()
    found: list[Place] = []
    for output in outputs:
        start = (output.layer, output.call)
        if start in done or start not in parents:
            continue
        way = [(start, iter(parents[start]))]
        started = {start}
        while way:
            place, rest = way[-1]
            following = next((p for p in rest if p not in done and p not in started), None)
            if following is None:
                way.pop()
                done.add(place)
                found.append(place)
            else:
                started.add(following)
                way.append((following, iter(parents[following])))
    return found
