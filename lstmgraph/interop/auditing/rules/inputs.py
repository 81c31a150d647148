"""What depends on an order: inputs of a mapping, and weights of a file."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from lstmgraph.interop.auditing.finding import Finding
from lstmgraph.interop.auditing.subject import place
from lstmgraph.interop.auditing.suggestions import recipe_shape
from lstmgraph.interop.execution import flat_tensors

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lstmgraph.interop.auditing.subject import Subject
    from lstmgraph.interop.keras_masks import CallMasks


def extra_keys(subject: Subject) -> Iterator[Finding]:
    """Find inputs that an extra key in a mapping would shift (A181)."""
    names = sorted(subject.model.inputs) if isinstance(subject.model.inputs, dict) else []
    shapes = {subject.shape(((), t)) for t in flat_tensors(subject.model.inputs)}
    if len(names) > 1:
        shown = [
            f"{name}: {{shape: {recipe_shape((subject.shape(subject.key((), tensor)) or ())[1:])}}}"
            for name, tensor in subject.model.inputs.items()
        ]
        same = " and the shapes do not tell them apart" if len(shapes) < len(names) else ""
        yield Finding(
            "A181",
            "",
            "possible",
            f"the inputs {', '.join(map(repr, names))} are a mapping, which Keras reads in the "
            f"order of its keys: one key too many shifts the inputs, with only a warning{same}",
            "inputs are found by name",
            "data = {name: data[name] for name in model.input}",
            f"inputs: {{{', '.join(shown)}}}  # predict and train check the names",
        )


def weights_by_order(subject: Subject) -> Iterator[Finding]:
    """Find layers of one shape whose weights a file tells apart by order alone (A182).

    Keras orders layers by their depth: only those of which none reads another can change places.
    """
    groups: defaultdict[Any, list[CallMasks]] = defaultdict(list)
    for each, found in subject.recurrent():
        first = next(iter(subject.reads(each)), None)
        shape = subject.shape(first) if first else None
        key = (each.scope, each.layer.type, found.type, found.config.get("units"))
        if shape and each.call.index == 0:
            groups[(*key, shape[-1])].append(each)
    side_by_side = [_side_by_side(group, subject) for group in groups.values()]
    found_groups = [group for group in side_by_side if group]
    if not found_groups:
        return
    names = "; ".join(", ".join(f"'{e.layer.name}'" for e in group) for group in found_groups)
    yield Finding(
        "A182",
        place(found_groups[0][0]),
        "possible",
        f"`load_weights` of a .weights.h5 file tells {names} apart by their order alone: "
        "in another order it swaps their weights",
        "weights are matched by the layers' names",
        'model = keras.models.load_model("model.keras")  # the whole model',
        "lstmgraph transfer old.keras recipe.yaml -o new.keras  # matches by name",
    )


def _side_by_side(group: list[CallMasks], subject: Subject) -> list[CallMasks]:
    """Return the layers of a group of which another one neither reads them nor is read by them."""
    if len(group) < 2:
        return []
    before = {each.layer.name: _before(each, subject) for each in group}
    return [
        each
        for each in group
        if any(
            other.layer.name not in before[each.layer.name] | {each.layer.name}
            and each.layer.name not in before[other.layer.name]
            for other in group
        )
    ]


def _before(each: CallMasks, subject: Subject) -> set[str]:
    """Return the names of the layers of the same model that a call depends on."""
    calls = {own.place: own for own in subject.calls if own.scope == each.scope}
    found: set[tuple[str, int]] = set()
    waiting = [each.place]
    while waiting:
        own = calls.get(waiting.pop())
        if own is None:
            continue
        new = {(tensor.layer, tensor.call) for tensor in own.call.tensors()} - found
        found |= new
        waiting += new
    return {name for name, _ in found}


RULES = (extra_keys, weights_by_order)
