"""Masks that a call does not get, that end at a layer, or that are merged with others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lstmgraph.interop.auditing.finding import Finding
from lstmgraph.interop.auditing.flow import MIXES, Reader, readers_of_padding
from lstmgraph.interop.auditing.subject import origins, place, recurrence, titled
from lstmgraph.interop.auditing.suggestions import (
    initial_states,
    input_names,
    listed_names,
    name_of,
    recipe_layer,
    state_form,
)
from lstmgraph.interop.keras_masks import ATTENTION, RECURRENT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lstmgraph.interop.auditing.finding import Sure
    from lstmgraph.interop.auditing.subject import Subject
    from lstmgraph.interop.keras_masks import CallMasks, MaskChange

SKIPS = "padded steps are skipped"
POOLS = frozenset(
    {"GlobalMaxPooling1D", "GlobalAveragePooling2D", "GlobalMaxPooling2D", "AdaptiveMaxPooling1D"}
)
REDUCES = frozenset({"Mean", "Max", "Min", "Var", "Std", "Amax", "Amin", "Median", "Logsumexp"})


def not_received(subject: Subject) -> Iterator[Finding]:
    """Find recurrent calls that ignore the mask of their input (A101)."""
    for each in subject.calls:
        for change in _changes(each, "not_received"):
            exact = _reads_only_steps(subject, each)
            yield Finding(
                "A101",
                place(each),
                "likely" if exact else "certain",
                f"{titled(each)} ignores {origins(change.masks)}: Keras passes a mask on by "
                "itself only when a call has a single tensor argument; `initial_state` is a second "
                "one"
                + (
                    "; steps before the padding are right, steps after padding on the left are not"
                    if exact
                    else ", so padded steps change its last output and its states"
                ),
                f"{SKIPS}; the outputs still carry the mask",
                f"y = {each.layer.name}({input_names(subject, each)}, "
                f"initial_state={_states_in_keras(subject, each)}, mask=mask)",
                f"{_with_states(subject, each)}  # its mask is kept",
            )


def _with_states(subject: Subject, each: CallMasks) -> str:
    if each.layer.type not in RECURRENT:
        return recipe_layer(subject, each)
    states = recurrence(each).states or ()
    form = state_form(subject, each, states, initial_states(each))
    return recipe_layer(subject, each, initial_state=form)


def _states_in_keras(subject: Subject, each: CallMasks) -> str:
    names = [name_of(subject, each, value) for value in initial_states(each)]
    return names[0] if len(names) == 1 else f"[{', '.join(names)}]"


def _reads_only_steps(subject: Subject, each: CallMasks) -> bool:
    """Return whether only the sequence of a forward layer is read: right padding does no harm."""
    if each.layer.type not in RECURRENT:
        return False
    found = recurrence(each)
    if found.bidirectional or found.config.get("go_backwards"):
        return False
    if not found.config.get("return_sequences"):
        return False
    states = subject.outputs(each)[1:]
    return not any(key in subject.readers or key in subject.ends for key in states)


def lost(subject: Subject) -> Iterator[Finding]:
    """Find places where a mask ends although something behind them needs it (A102, A111)."""
    for each in subject.calls:
        cleared = list(_changes(each, "cleared"))
        for change in cleared:
            yield from _cleared(subject, each, change)
        for change in each.changes:
            if not cleared and change.kind in {"operation", "unsupported", "unmasked", "dot"}:
                yield from _lost(subject, each, change)


def _lost(subject: Subject, each: CallMasks, change: MaskChange) -> Iterator[Finding]:
    reader = _needs_it(subject, each, change)
    if reader is None:
        return
    sure: Sure = "certain" if reader.kind == "layer" else "likely"
    how = {
        "operation": "operations of keras.ops return tensors without a mask, without a warning",
        "unsupported": "this layer passes no mask on; Keras warns of it once",
        "unmasked": "it merges masked inputs with one that has no mask, without a warning",
        "dot": "Dot returns no mask, without a warning",
    }[change.kind]
    counts = "count" if reader.kind == "output" else "counts"
    reads = f"{reader.text} {counts} padded steps"
    yield Finding(
        "A102",
        place(each),
        sure,
        f"{origins(change.masks)} ends at {titled(each)}: {how}, so {reads}",
        f"padded steps do not count behind '{each.layer.name}'",
        _fix(reader, change, each),
        f"mask: {{from: {_maker(change)}}}  # on the layer that needs it; a mask that would be "
        "lost is an error",
    )


def _fix(reader: Reader, change: MaskChange, each: CallMasks) -> str:
    name = each.layer.name
    if reader.kind == "layer":
        return (
            f"mask = {_maker(change)}.compute_mask(inputs)  # where it is made\n"
            f"y = layer({name}, mask=mask)"
        )
    if reader.kind == "vector":
        return "y = keras.layers.GlobalAveragePooling1D()(x)  # it takes the mask"
    return f"y = keras.layers.Dense(units)(x)  # or another layer that passes it on, for '{name}'"


def _maker(change: MaskChange) -> str:
    """Return the name of the layer or input that a mask comes from."""
    for mask in change.masks:
        for origin in mask.origins():
            if origin.place:
                return origin.place[0]
            if origin.tensor:
                return origin.tensor.layer
    return "x"


def _needs_it(subject: Subject, each: CallMasks, change: MaskChange) -> Reader | None:
    kind = each.layer.type
    if not each.layer.is_operation and (kind in MIXES or kind in POOLS):
        after = subject.shape(subject.makes(each))
        if after is None or len(after) == 2:
            return Reader("vector", titled(each))
    if each.layer.is_operation and kind in REDUCES and _over_steps(subject, each, change):
        return Reader("vector", titled(each))
    if change.kind == "dot":
        return _softmax_behind(subject, each)
    return next(readers_of_padding(subject, subject.outputs(each)), None)


def _over_steps(subject: Subject, each: CallMasks, change: MaskChange) -> bool:
    """Return whether an operation reduces the steps of a masked sequence."""
    axis = each.call.keywords.get("axis", each.layer.config.get("axis"))
    if axis is None and len(each.call.arguments) > 1:
        axis = each.call.arguments[1]
    axes = axis if isinstance(axis, (list, tuple)) else [axis]
    shape = subject.shape(subject.key(each.scope, change.tensor)) if change.tensor else None
    rank = len(shape) if shape else 3
    return any(a is None or (isinstance(a, int) and a % rank == 1) for a in axes)


def _softmax_behind(subject: Subject, each: CallMasks) -> Reader | None:
    """Return a softmax of scores that nothing was added to in between."""
    way = subject.outputs(each)
    for _ in range(4):
        readers = [r for key in way for r in subject.readers.get(key, ())]
        way = []
        for reader in readers:
            softmax = reader.layer.type == "Softmax" or (
                reader.layer.type == "Activation"
                and reader.layer.config.get("activation") == "softmax"
            )
            if softmax and not reader.used:
                return Reader("vector", titled(reader))
            if len(set(reader.call.tensors())) == 1:
                way += subject.outputs(reader)
    return None


def _cleared(subject: Subject, each: CallMasks, change: MaskChange) -> Iterator[Finding]:
    key = subject.key(each.scope, change.tensor) if change.tensor else None
    if key is None:
        return
    clearing = next(
        (r for r in subject.readers.get(key, ()) if r.layer.type in ATTENTION and r is not each),
        None,
    )
    starts = subject.outputs(each)
    reader = next(readers_of_padding(subject, [*starts, key]), None)
    if reader is None or (each.outputs[:1] and each.outputs[0] is not None):
        return
    attention = titled(clearing) if clearing else "MultiHeadAttention"
    yield Finding(
        "A111",
        place(each),
        "certain" if reader.kind == "layer" else "likely",
        f"{titled(each)} reads '{key[1].layer}' without its mask, which {attention} took off it: "
        f"MultiHeadAttention deletes the masks of the tensors that it reads, so {reader.text} "
        "would count padded steps",
        f"the mask of '{key[1].layer}' passes through the residual connection",
        f"mask = {_maker(change)}.compute_mask(inputs)\n"
        f"y = layer({each.layer.name}, mask=mask)  # behind the connection",
        f"mask: {{from: {_maker(change)}}}  # a recipe's masks are passed explicitly",
    )


def merged(subject: Subject) -> Iterator[Finding]:
    """Find merged masks, in which a step counts where any input says so (A103)."""
    used = {mask for each in subject.calls for mask in each.used} | set(subject.masks.outputs)
    for each in subject.calls:
        for change in _changes(each, "or"):
            after = each.outputs[0] if each.outputs else None
            if after is None or after not in used:
                continue
            whole = None in after.parts
            yield Finding(
                "A103",
                place(each),
                "certain" if whole else "possible",
                f"{titled(each)} merges "
                + (
                    f"{origins(change.masks)} with an input that has no mask, by OR: every "
                    "step counts behind it, padded ones too"
                    if whole
                    else f"{origins(change.masks)} by OR: a step counts where any of them says so"
                ),
                "the mask of the sequence passes through"
                if whole
                else "a step counts where all inputs have one",
                f"mask = {_maker(change)}.compute_mask(inputs)  # before it is joined\n"
                f"y = layer({each.layer.name}, mask=mask)",
                f"input: {input_names(subject, each)}  # on the layer that reads "
                f"'{each.layer.name}'; the mask of the sequence is kept",
            )


def overwritten(subject: Subject) -> Iterator[Finding]:
    """Find explicit query masks, which MultiHeadAttention overwrites (A110)."""
    for each in subject.calls:
        for _ in _changes(each, "ignored"):
            yield Finding(
                "A110",
                place(each),
                "certain",
                f"{titled(each)} ignores its `query_mask`: it reads the one on the query instead",
                "the explicit mask of the query is used",
                f"y = {each.layer.name}(query, value, attention_mask=mask[:, :, None])",
                recipe_layer(
                    subject, each, input=listed_names(list(dict.fromkeys(subject.reads(each)[:2])))
                ),
            )


def _changes(each: CallMasks, kind: str) -> Iterator[MaskChange]:
    return (change for change in each.changes if change.kind == kind)


RULES = (not_received, lost, merged, overwritten)
