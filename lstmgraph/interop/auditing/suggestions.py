"""Layers of the audited model as a recipe says them, with the model's own names and sizes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from lstmgraph.interop.auditing.subject import recurrence
from lstmgraph.interop.keras_masks import RECURRENT, bound_arguments, is_tensor
from lstmgraph.interop.keras_model import Constant, Tensor

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from lstmgraph.interop.auditing.subject import Key, Subject
    from lstmgraph.interop.keras_masks import CallMasks

SIZES = ("units", "filters", "kernel_size", "num_heads", "key_dim", "input_dim", "output_dim")
"""Arguments without which a layer cannot be built."""


def recipe_layer(subject: Subject, each: CallMasks, **own: Any) -> str:
    """Return a call as a layer of a recipe: ``dec: {type: gru, input: words, units: 8}``.

    Args:
        subject: the model.
        each: the call.
        own: keys to say beside type, input and sizes, in this order; ``type`` and ``input``
            replace those of the call.
    """
    kind, config = each.layer.type, each.layer.config
    if kind in RECURRENT:
        found = recurrence(each)
        kind, config = found.type, found.config
        if found.bidirectional:
            own = {**own, "bidirectional": "true"}
    sizes = {name: _flow(config[name]) for name in SIZES if config.get(name) is not None}
    first = {"type": recipe_type(kind), "input": input_names(subject, each)}
    keys = {**first, **sizes, **own}
    return f"{each.layer.name}: {{{', '.join(f'{k}: {v}' for k, v in keys.items())}}}"


def recipe_type(kind: str) -> str:
    """Return a Keras class as recipes spell it: ``simple_rnn``, ``conv_lstm2d``."""
    parted = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", kind)
    return re.sub(r"_?(\dD)$", r"\1", parted).lower()


def input_names(subject: Subject, each: CallMasks) -> str:
    """Return the names of what the first argument of a call reads, as a recipe lists them."""
    first = next(iter(bound_arguments(each.call, each.layer).values()), None)
    return listed_names(subject.reads(each, first) if first is not None else ())


def listed_names(keys: Sequence[Key]) -> str:
    """Return the names of the layers or inputs that make tensors: ``a``, or ``[a, b]``."""
    names = list(dict.fromkeys(key[1].layer for key in keys))
    return names[0] if len(names) == 1 else f"[{', '.join(names)}]"


def name_of(subject: Subject, each: CallMasks, value: Any) -> str:
    """Return the name of the layer or input that makes an argument; a constant's text."""
    if isinstance(value, Tensor):
        return subject.key(each.scope, value)[1].layer
    return "constant"


def initial_states(each: CallMasks) -> list[Any]:
    """Return the initial states of a call: tensors, or constants as plain data."""
    value = bound_arguments(each.call, each.layer).get("initial_state")
    if value is None:
        return []
    return [value] if is_tensor(value) else [v for v in _leaves(value) if v is not None]


def _leaves(value: Any) -> Iterator[Any]:
    if is_tensor(value) or not isinstance(value, (list, tuple, dict)):
        yield value
    else:
        for item in value.values() if isinstance(value, dict) else value:
            yield from _leaves(item)


def state_form(
    subject: Subject, each: CallMasks, states: Sequence[str], given: Sequence[Any], bridge: str = ""
) -> str:
    """Return initial states as a recipe says them.

    Args:
        subject: the model.
        each: the call of the recurrent layer.
        states: the layer's states in one direction, such as ``h`` and ``c``.
        given: what it is given for them, in this order.
        bridge: how to convert the states of another layer, where they have other sizes.
    """
    makers = [
        subject.maker(subject.key(each.scope, value)) if isinstance(value, Tensor) else None
        for value in given
    ]
    first = makers[0] if makers else None
    same = all(maker is first for maker in makers)
    if first is not None and same and first.layer.type in RECURRENT:
        name = first.layer.name
        return f"{{from: {name}, bridge: {bridge}}}" if bridge else name
    if bridge == "dense" and all(is_tensor(value) for value in given):
        names = dict.fromkeys(name_of(subject, each, value) for value in given)
        return f"{{static: [{', '.join(names)}]}}"
    by_state = dict(zip(states, given, strict=False))
    return f"{{{', '.join(f'{s}: {_state(subject, each, v)}' for s, v in by_state.items())}}}"


def _state(subject: Subject, each: CallMasks, value: Any) -> str:
    if isinstance(value, Tensor):
        return name_of(subject, each, value)
    level = value.value if isinstance(value, Constant) else value
    while isinstance(level, (list, tuple)) and level:
        level = level[0]
    return f"{{constant: {level}}}" if isinstance(level, (int, float)) and level else "zeros"


def _flow(value: Any) -> str:
    """Return an argument as YAML in one line; equal sizes of all axes as one number."""
    if isinstance(value, (list, tuple)) and value:
        same = all(each == value[0] for each in value)
        return str(value[0]) if same else str(list(value))
    return str(value)


def recipe_shape(shape: Sequence[int | None]) -> str:
    """Return a shape without the batch as a recipe says it: ``[time, 3]``."""
    names = iter(("time", "steps", "rows", "columns"))
    return f"[{', '.join(str(each or next(names, 'size')) for each in shape)}]"
