"""Initial states that are ignored, crossed, broadcast or do not fit; states that are carried."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lstmgraph.interop.auditing.finding import Finding
from lstmgraph.interop.auditing.subject import place, recurrence, shape_of, titled
from lstmgraph.interop.auditing.suggestions import (
    initial_states,
    input_names,
    recipe_layer,
    state_form,
)
from lstmgraph.interop.keras_masks import RECURRENT, bound_arguments
from lstmgraph.interop.keras_model import Tensor

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lstmgraph.interop.auditing.subject import Key, Recurrence, Subject
    from lstmgraph.interop.keras_masks import CallMasks

CELL = re.compile(r"(^|[_\W\d])(c|cell|state_c|c_state|c0)([_\W\d]|$)", re.IGNORECASE)
HIDDEN = re.compile(r"(^|[_\W\d])(h|hidden|state_h|h_state|h0)([_\W\d]|$)", re.IGNORECASE)
KEEPS_KIND = frozenset(
    {"Add", "Average", "Concatenate", "Dropout", "Identity", "LayerNormalization", "Multiply"}
)


@dataclass(frozen=True)
class Kind:
    """What a state is: h or c, of which direction; None where unknown or mixed."""

    state: str | None
    backward: bool | None = None


_JOINED = (
    "h = Concatenate()([forward_h, backward_h])  # as wide as both directions\n"
    "c = Concatenate()([forward_c, backward_c])\n"
)


def number_of_states(subject: Subject) -> Iterator[Finding]:
    """Find initial states that a layer does not read, or too few of them (A121, A126)."""
    for each, found in subject.recurrent():
        given, wanted = initial_states(each), found.states
        if not given or wanted is None or len(given) == len(wanted):
            continue
        if len(given) > len(wanted) and not found.bidirectional:
            unused = " and ".join(
                f"'{v.layer}'" for v in given[len(wanted) :] if isinstance(v, Tensor)
            )
            yield Finding(
                "A121",
                place(each),
                "certain",
                f"{titled(each)} reads the first {len(wanted)} of {len(given)} initial states and "
                f"ignores the rest{', of ' + unused if unused else ''}",
                "all of them start the layer",
                (_JOINED if len(given) == 2 * len(wanted) > 2 else "")
                + f"y = {each.layer.name}({input_names(subject, each)}, "
                f"initial_state=[{', '.join(wanted)}], mask=mask)",
                recipe_layer(
                    subject,
                    each,
                    initial_state=state_form(subject, each, wanted, given, "dense"),
                ),
            )
        else:
            what = f"gets {len(given)} initial states and needs {len(wanted)}"
            yield _misfit(subject, each, what, found)


def width(subject: Subject) -> Iterator[Finding]:
    """Find states of another width than the layer, which fail when they run (A126)."""
    for each, found in subject.recurrent():
        units = found.config.get("units")
        if found.states is None or not isinstance(units, int):
            continue
        for value in initial_states(each)[: len(found.states)]:
            shape = shape_of(subject, each, value)
            if shape and shape[-1] not in (None, units):
                what = f"has {units} units, and an initial state of {shape[-1]}"
                yield _misfit(subject, each, what, found)
                break


def _misfit(subject: Subject, each: CallMasks, what: str, found: Recurrence) -> Finding:
    order = ", ".join(found.states or ())
    form = state_form(subject, each, found.states or (), initial_states(each), "dense")
    return Finding(
        "A126",
        place(each),
        "certain",
        f"{titled(each)} {what}: it builds, and fails when it runs",
        "the model runs",
        f"y = {each.layer.name}({input_names(subject, each)}, initial_state=[{order}])"
        f"  # each (batch, {found.config.get('units')})",
        recipe_layer(subject, each, initial_state=form),
    )


def crossed(subject: Subject) -> Iterator[Finding]:
    """Find an h in the place of a c, or the states of the other direction (A122)."""
    for each, found in subject.recurrent():
        wanted = found.states
        given = initial_states(each)
        if wanted is None or len(given) != len(wanted):
            continue
        kinds = [
            _kind(subject, subject.key(each.scope, v)) if isinstance(v, Tensor) else Kind(None)
            for v in given
        ]
        half = len(wanted) // 2
        by_state = [k.state for k in kinds]
        swapped = any(k and k != w for k, w in zip(by_state, wanted, strict=True)) and (
            len(set(by_state)) > 1 or wanted == ("h",)
        )
        directions = found.bidirectional and all(k.backward is not None for k in kinds)
        turned = directions and all(k.backward is (i < half) for i, k in enumerate(kinds))
        if not swapped and not turned:
            continue
        got = ", ".join(k.state or "?" for k in kinds)
        by_kind = {kind.state: value for kind, value in zip(kinds, given, strict=True)}
        own = [by_kind.get(state, value) for state, value in zip(wanted, given, strict=True)]
        form = state_form(subject, each, wanted, own)
        yield Finding(
            "A122",
            place(each),
            "likely",
            f"{titled(each)} takes [{', '.join(wanted)}] as initial states, and gets "
            + (f"[{got}]" if swapped else "those of the backward direction first")
            + ": the shapes are equal, so nothing complains",
            "each state is continued",
            f"y = {each.layer.name}({input_names(subject, each)}, "
            f"initial_state=[{', '.join(_ordered(found))}], mask=mask)",
            recipe_layer(subject, each, initial_state=form),
        )


def _ordered(found: Recurrence) -> list[str]:
    if not found.bidirectional:
        return list(found.states or ())
    half = (found.states or ())[: len(found.states or ()) // 2]
    return [f"{side}_{state}" for side in ("forward", "backward") for state in half]


def _kind(subject: Subject, key: Key, depth: int = 0) -> Kind:
    """Return what a state is, by the recurrent layer that made it, or by its name."""
    maker = subject.maker(key)
    if maker is None:
        return _by_name(key[1].layer)
    if maker.layer.type in RECURRENT and not maker.layer.is_operation:
        source = recurrence(maker)
        apart = source.bidirectional and maker.layer.config.get("merge_mode") is None
        index = key[1].output - (2 if apart else 1)
        states = source.states or ()
        if 0 <= index < len(states) and source.config.get("return_state"):
            backward = index >= len(states) // 2 if source.bidirectional else None
            return Kind(states[index] if "c" in states else None, backward)
        return Kind(None)
    if maker.layer.type in KEEPS_KIND and depth < 5:
        kinds = [_kind(subject, k, depth + 1) for k in subject.reads(maker)]
        first = kinds[0] if kinds else Kind(None)
        return Kind(
            first.state if len({k.state for k in kinds}) == 1 else None,
            first.backward if len({k.backward for k in kinds}) == 1 else None,
        )
    return _by_name(maker.layer.name) if maker.layer.type == "Dense" else Kind(None)


def _by_name(name: str) -> Kind:
    cell, hidden = CELL.search(name), HIDDEN.search(name)
    return Kind(None if bool(cell) == bool(hidden) else "c" if cell else "h")


def broadcast(subject: Subject) -> Iterator[Finding]:
    """Find states of a batch of 1 (A123)."""
    for each, found in subject.recurrent():
        arguments = bound_arguments(each.call, each.layer)
        first = next(iter(subject.reads(each, next(iter(arguments.values()), ()))), None)
        rows = (subject.shape(first) or (None,))[0] if first else None
        for value in initial_states(each):
            shape = shape_of(subject, each, value)
            if shape and len(shape) > 1 and shape[0] == 1 and rows != 1:
                names = input_names(subject, each)
                form = state_form(subject, each, found.states or (), initial_states(each))
                yield Finding(
                    "A123",
                    place(each),
                    "certain",
                    f"{titled(each)} starts every row from the same state: an initial state has a "
                    "batch of 1 and is broadcast",
                    "each row has a state of its own",
                    f"h = keras.ops.zeros_like({names}[:, 0, :1]) + constant  # one row for each",
                    recipe_layer(subject, each, initial_state=form),
                )
                break


def carried(subject: Subject) -> Iterator[Finding]:
    """Find states that are carried and never used, or that surprise (A124, A125)."""
    for each, found in subject.recurrent():
        if not found.config.get("stateful"):
            continue
        stacked = (found.config.get("cell") or {}).get("class_name") == "StackedRNNCells"
        if initial_states(each):
            yield Finding(
                "A124",
                place(each),
                "certain",
                f"{titled(each)} never uses the state that it carries: `initial_state` replaces it "
                "in every batch",
                "the state goes on from batch to batch",
                f"y, *states = {each.layer.name}({input_names(subject, each)}, "
                "initial_state=states)  # states as inputs and outputs",
                "models: {live: {derive: step}}  # takes states and returns them",
            )
        else:
            yield Finding(
                "A125",
                place(each),
                "possible",
                f"{titled(each)} carries a state that is not saved with the model, and that "
                "`evaluate` and `predict` change"
                + ("; `reset_state` fails for stacked cells" if stacked else ""),
                "a saved model goes on where it stopped",
                "for layer in model.layers:\n    if hasattr(layer, 'reset_state'):\n"
                "        layer.reset_state()  # before and after evaluate",
                "models: {live: {derive: step}}  # states as inputs and outputs",
            )


RULES = (number_of_states, width, crossed, broadcast, carried)
