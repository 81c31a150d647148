"""Masks that are not what they seem: reversed, never made, of a wrong rank, or of no step."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from lstmgraph.interop.auditing.finding import Finding
from lstmgraph.interop.auditing.subject import origins, place, titled
from lstmgraph.interop.auditing.suggestions import SIZES, input_names, recipe_layer, recipe_type
from lstmgraph.interop.keras_masks import CONV_LSTM, layer_dtype, wrapped
from lstmgraph.keras_facts.dtypes import is_half

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lstmgraph.interop.auditing.subject import Subject
    from lstmgraph.interop.keras_masks import CallMasks


def backwards(subject: Subject) -> Iterator[Finding]:
    """Find reversed outputs with a mask that is not reversed, which is used (A104)."""
    for each, found in subject.recurrent():
        reversed_ = found.config.get("go_backwards") and not found.bidirectional
        mask = each.outputs[0] if each.outputs else None
        if not (reversed_ and each.used and mask and _is_used_behind(subject, each)):
            continue
        yield Finding(
            "A104",
            place(each),
            "certain",
            f"{titled(each)} returns its outputs in reverse order, but {origins([mask])} "
            "that they carry is not reversed: layers and losses behind it skip the wrong steps",
            "the mask fits the reversed outputs",
            f"y = keras.ops.flip({each.layer.name}({input_names(subject, each)}, mask=mask), "
            "axis=1)  # in order again\nz = next_layer(y, mask=mask)",
            recipe_layer(subject, each, bidirectional="true"),
        )


def _is_used_behind(subject: Subject, each: CallMasks) -> bool:
    """Return whether something uses the mask on the outputs of a call."""
    way, seen = [subject.makes(each)], set()
    mask = each.outputs[0]
    while way:
        key = way.pop()
        if key in seen:
            continue
        seen.add(key)
        if key in subject.ends:
            return True
        for reader in subject.readers.get(key, ()):
            if mask in reader.used:
                return True
            way += [k for k, m in zip(subject.outputs(reader), reader.outputs, strict=True) if m]
    return False


def inside_wrapper(subject: Subject) -> Iterator[Finding]:
    """Find masks that are made inside TimeDistributed, and lost (A105)."""
    for each in subject.calls:
        for change in each.changes:
            if change.kind == "inside":
                inner, config = wrapped(each.layer)
                sizes = [str(config[key]) for key in SIZES if config.get(key) is not None]
                own = {key: config[key] for key in SIZES if config.get(key) is not None}
                own |= {"mask_zero": "true"} if inner == "Embedding" else {}
                made = ", ".join([*sizes, *(["mask_zero=True"] if inner == "Embedding" else [])])
                yield Finding(
                    "A105",
                    place(each),
                    "certain",
                    f"the mask of {titled(each)} is lost: {inner} makes none inside "
                    "TimeDistributed, so every step counts",
                    f"{inner} masks padded steps",
                    f"x = keras.layers.{inner}({made})({input_names(subject, each)})"
                    "  # of any rank",
                    recipe_layer(subject, each, type=recipe_type(inner), **own),
                )


def wrong_rank(subject: Subject) -> Iterator[Finding]:
    """Find masks of more axes than steps, on which ConvLSTM fails (A106)."""
    for each in subject.calls:
        if each.layer.type not in CONV_LSTM or not each.used:
            continue
        for mask in each.used:
            for origin in mask.origins():
                shape = origin.tensor and subject.shape(subject.key(origin.scope, origin.tensor))
                axes = len(shape or ()) - 1
                names = input_names(subject, each)
                if origin.kind == "masking" and axes > 2:
                    yield Finding(
                        "A106",
                        place(each),
                        "certain",
                        f"{titled(each)} gets {origins([mask])} of {axes} axes and fails "
                        "when it runs: Masking reduces only the last axis",
                        "a whole frame that is padding is skipped",
                        f"mask = keras.ops.any(keras.ops.not_equal({names}, 0), "
                        f"axis={tuple(range(2, axes + 1))})\n"
                        f"y = {each.layer.name}({names}, mask=mask)",
                        recipe_layer(subject, each, mask="{lengths: n}"),
                    )


def masking(subject: Subject) -> Iterator[Finding]:
    """Find Masking layers that mask nothing, or too much (A107)."""
    for each in subject.calls:
        if each.layer.type != "Masking" or each.layer.is_operation:
            continue
        value = each.layer.config.get("mask_value", 0.0)
        names = input_names(subject, each)
        if (isinstance(value, (int, float)) and math.isnan(value)) or str(value).lower() == "nan":
            yield Finding(
                "A107",
                place(each),
                "certain",
                f"{titled(each)} masks no step: NaN does not equal itself",
                "steps of NaN are padding",
                f"mask = ~keras.ops.all(keras.ops.isnan({names}), axis=-1)\n"
                f"y = layer(keras.ops.nan_to_num({names}), mask=mask)",
                f"mask: {{lengths: n}}  # on the layers that read '{each.layer.name}'",
            )
        elif is_half(layer_dtype(each.layer) or "") and value == 0:
            yield Finding(
                "A107",
                place(each),
                "possible",
                f"{titled(each)} works on 16-bit numbers: a step of numbers below 3e-8 is rounded "
                "to zero and masked",
                "only steps of zeros are masked",
                f'x = keras.layers.Masking(dtype="float32")({names})',
                recipe_layer(subject, each, dtype_policy="float32"),
            )


def no_steps(subject: Subject) -> Iterator[Finding]:
    """Find masked means, which are 0/0 for a row without a step (A108)."""
    for each in subject.calls:
        if each.layer.type == "GlobalAveragePooling1D" and each.used:
            yield Finding(
                "A108",
                place(each),
                "possible",
                f"{titled(each)} gives NaN for a row without a step that counts: it divides by "
                "their number, 0; the gradients are NaN too, and training is lost",
                "such a row gives zeros",
                "x = x[keras.ops.any(mask, axis=1)]  # leave such rows out of the data",
                recipe_layer(subject, each),
            )


def zero_output(subject: Subject) -> Iterator[Finding]:
    """Find last outputs that are zeros in padded rows (A109)."""
    for each, found in subject.recurrent():
        config = found.config
        if not config.get("zero_output_for_mask") or config.get("return_sequences"):
            continue
        if each.used and not found.bidirectional:
            yield Finding(
                "A109",
                place(each),
                "certain",
                f"{titled(each)} returns zeros for every row that ends in padding on a CPU, and "
                "the last state that counts with cuDNN: `zero_output_for_mask` is meant for "
                "`return_sequences`",
                "the output of the last step that counts",
                f"y = keras.layers.{found.type}({config.get('units')})"
                f"({input_names(subject, each)})  # without zero_output_for_mask",
                f"{recipe_layer(subject, each)}  # read {each.layer.name}.last",
            )


RULES = (backwards, inside_wrapper, wrong_rank, masking, no_steps, zero_output)
