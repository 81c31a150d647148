"""What a model computes on a GPU instead, and what of it is not saved."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lstmgraph.interop.auditing.finding import Finding
from lstmgraph.interop.auditing.flow import readers_of_padding
from lstmgraph.interop.auditing.subject import place, titled
from lstmgraph.interop.auditing.suggestions import recipe_layer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lstmgraph.interop.auditing.subject import Subject

DEFAULTS = {"use_cudnn": "auto", "implementation": 2}
"""Arguments that no configuration holds, with what they are after loading."""


def forgotten(subject: Subject) -> Iterator[Finding]:
    """Find settings of a live model that a file forgets (A171)."""
    if subject.live is None:
        return
    layers = {layer.name: layer for layer in subject.live.layers}
    for each, _ in subject.recurrent():
        if each.call.index:
            continue
        layer = layers.get(each.layer.name) if not each.scope else None
        layer = getattr(layer, "forward_layer", layer)
        for name, default in DEFAULTS.items():
            holder = layer if name == "use_cudnn" else getattr(layer, "cell", None)
            value: Any = getattr(holder, name, default)
            slow = name == "implementation" and bool(getattr(holder, "recurrent_dropout", 0))
            if value == default or slow:  # it decides the implementation, when loaded too
                continue
            yield Finding(
                "A171",
                place(each),
                "possible",
                f"`{name}={value!r}` of {titled(each)} is not saved: the model has {default!r} "
                "after loading, which a GPU runs otherwise",
                "a loaded model runs as this one does",
                f"for layer in model.layers:\n    if layer.name == {each.layer.name!r}:\n"
                f"        layer.{name} = {value!r}  # after loading",
                "runtime: {kernel: standard}",
            )


def padded_outputs(subject: Subject) -> Iterator[Finding]:
    """Find outputs at padded steps that differ between a CPU and cuDNN (A172)."""
    ends = set(subject.ends)
    for each, found in subject.recurrent():
        config = found.config
        if not (each.used and found.on_cudnn and config.get("return_sequences")):
            continue
        if found.bidirectional or config.get("zero_output_for_mask"):
            continue
        key = subject.makes(each)
        lost = [
            reader
            for reader in subject.readers.get(key, ())
            for change in reader.changes
            if change.kind in {"operation", "unsupported", "unmasked"}
            and reader.layer.type != "GetItem"
            and (
                len(subject.shape(subject.makes(reader)) or ()) == 2
                if not reader.layer.is_operation
                else any(readers_of_padding(subject, subject.outputs(reader)))
            )
        ]
        if key not in ends and not lost:
            continue
        reader_text = f"{titled(lost[0])} reads" if lost else "the model returns"
        yield Finding(
            "A172",
            place(each),
            "possible",
            f"{reader_text} the padded steps of {titled(each)}, which repeat the last output on a "
            "CPU and are zeros with cuDNN",
            "a GPU computes the same numbers",
            f"keras.layers.{found.type}(..., zero_output_for_mask=True)",
            recipe_layer(subject, each, padded_output="zero"),
        )


def masks_of_cudnn(subject: Subject) -> Iterator[Finding]:
    """Find layers that fail with cuDNN on padding at the left, or on a row of padding (A173)."""
    found = [each for each, recurrence in subject.recurrent() if each.used and recurrence.on_cudnn]
    if found:
        names = ", ".join(dict.fromkeys(f"'{each.layer.name}'" for each in found))
        yield Finding(
            "A173",
            place(found[0]),
            "possible",
            f"on a GPU, {names} {'run' if len(found) > 1 else 'runs'} with cuDNN and "
            f"{'fail' if len(found) > 1 else 'fails'} on a row that is all padding, and on padding "
            "that is not at the end, as `pad_sequences` makes it by default",
            "a GPU takes what a CPU takes",
            'keras.utils.pad_sequences(rows, padding="post")  # or use_cudnn=False',
            "runtime: {kernel: standard}",
        )


RULES = (forgotten, padded_outputs, masks_of_cudnn)
