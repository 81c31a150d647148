"""Where the steps of a sequence go after its mask is lost, and who would have needed the mask."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from lstmgraph.interop.auditing.subject import titled
from lstmgraph.interop.execution import flat_tensors
from lstmgraph.interop.keras_masks import ATTENTION, CONV_LSTM, RECURRENT, bound_arguments

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from lstmgraph.interop.auditing.subject import Key, Subject
    from lstmgraph.interop.keras_masks import CallMasks

MIXES = frozenset({"Flatten", "GlobalMaxPooling1D", "AdaptiveMaxPooling1D", "Reshape"})
"""Layers that make one vector of all steps, padded ones too."""
WINDOWS = ("Conv1D", "Pooling1D", "Cropping1D", "ZeroPadding1D", "UpSampling1D", "Conv1DTranspose")
"""Ends of the names of layers that change the number of steps."""


@dataclass(frozen=True)
class Reader:
    """What reads padded steps as if they counted."""

    kind: Literal["layer", "vector", "output"]
    text: str


def readers_of_padding(subject: Subject, starts: Iterable[Key]) -> Iterator[Reader]:
    """Yield what reads the steps of sequences that have lost their mask, nearest first."""
    way, seen = list(starts), set[object]()
    while way:
        key = way.pop(0)
        if key in seen:
            continue
        seen.add(key)
        shape = subject.shape(key)
        if key in subject.ends and has_steps(subject, key):
            name = output_name(subject, key)
            yield Reader("output", f"losses and metrics of output '{name}'")
        for each in subject.readers.get(key, ()):
            if reader := _reads_padding(subject, each, key):
                yield reader
                continue
            for made in subject.outputs(each):
                after = subject.shape(made)
                if _keeps_steps(each, shape, after) and not _is_masked(each, made):
                    way.append(made)


def has_steps(subject: Subject, key: Key) -> bool:
    """Return whether a tensor has one value or vector for each of several steps."""
    shape = subject.shape(key)
    return shape is not None and len(shape) > 2


def output_name(subject: Subject, key: Key) -> str:
    """Return the name of the layer that makes an output, or its key in a dict of outputs."""
    outputs = subject.model.outputs
    if isinstance(outputs, dict):
        for name in outputs:
            if key in [subject.key((), t) for t in flat_tensors(outputs[name])]:
                return str(name)
    return key[1].layer


def _is_masked(each: CallMasks, made: Key) -> bool:
    output = made[1].output
    return output < len(each.outputs) and each.outputs[output] is not None


def _reads_padding(subject: Subject, each: CallMasks, key: Key) -> Reader | None:
    kind = each.layer.type
    if each.layer.is_operation:
        return None
    arguments = bound_arguments(each.call, each.layer)
    first = subject.reads(each, next(iter(arguments.values()), ()))
    if kind in RECURRENT or kind in CONV_LSTM or kind == "GlobalAveragePooling1D":
        if each.used or key not in first[:1]:
            return None
        return Reader("layer", titled(each))
    if kind in {"Attention", "AdditiveAttention"}:
        values = first[1:]
        masked = each.received.get("mask") or []
        if key in values and not any(list(masked)[1:2]):
            return Reader("layer", titled(each))
    if kind in ATTENTION and arguments.get("attention_mask") is None:
        values = subject.reads(each, (arguments.get("value"), arguments.get("key")))
        if key in values and not (each.received.get("value_mask") or each.received.get("key_mask")):
            return Reader("layer", titled(each))
    if kind in MIXES and len(subject.shape(subject.makes(each)) or ()) == 2:
        return Reader("vector", titled(each))
    return None


def _keeps_steps(
    each: CallMasks, before: tuple[int | None, ...] | None, after: tuple[int | None, ...] | None
) -> bool:
    if before is None or after is None or len(after) < 2 or len(before) < 2:
        return False
    if not each.layer.is_operation and each.layer.type.endswith(WINDOWS) and len(after) == 3:
        return not each.layer.type.startswith("Global")
    return before[1] == after[1] and (len(after) > 2 or after[1] is None)
