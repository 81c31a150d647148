"""What Keras 3 has: its layers with their arguments, and the values that these can be."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from lstmgraph.keras_facts.catalogue import CELLS, NODE_KEYS
from lstmgraph.resources import KERAS_SCHEMA, read_schema

if TYPE_CHECKING:
    from collections.abc import Mapping

MODELS = ("Functional", "Model", "Sequential")
"""The classes of models that are made of layers."""
ALIASES: Mapping[str, str] = {
    "Convolution1D": "Conv1D",
    "Convolution1DTranspose": "Conv1DTranspose",
    "Convolution2D": "Conv2D",
    "Convolution2DTranspose": "Conv2DTranspose",
    "Convolution3D": "Conv3D",
    "Convolution3DTranspose": "Conv3DTranspose",
    "SeparableConvolution1D": "SeparableConv1D",
    "SeparableConvolution2D": "SeparableConv2D",
    **{
        f"{old}{dimensions}D": f"{new}{dimensions}D"
        for dimensions in (1, 2, 3)
        for old, new in (
            ("AvgPool", "AveragePooling"),
            ("MaxPool", "MaxPooling"),
            ("GlobalAvgPool", "GlobalAveragePooling"),
            ("GlobalMaxPool", "GlobalMaxPooling"),
        )
    },
}
"""Further names of Keras's classes."""

EVERY_LAYER = frozenset({"trainable", "dtype", "name", "activity_regularizer"})
FURTHER: Mapping[str, frozenset[str]] = {
    "InputLayer": frozenset({"batch_shape", "sparse", "ragged", "optional"}),
    "Bidirectional": frozenset({"layer", "backward_layer", "merge_mode"}),
    "RNN": frozenset(
        {
            "cell",
            "return_sequences",
            "return_state",
            "go_backwards",
            "stateful",
            "unroll",
            "zero_output_for_mask",
        }
    ),
    "StackedRNNCells": frozenset({"cells"}),
    "Wrapper": frozenset({"layer"}),
    **{
        layer: frozenset({"quantization_config", "quantization_mode", "lora_rank", "lora_alpha"})
        for layer in ("Dense", "EinsumDense", "Embedding", "ReversibleEmbedding")
    },
    **{
        f"ConvLSTM{dimensions}D": frozenset({"return_state", "stateful", "unroll"})
        for dimensions in (1, 2, 3)
    },
    "AdditiveAttention": frozenset({"seed"}),
    "LayerNormalization": frozenset({"rms_scaling"}),
    **{
        layer: frozenset(
            {
                "encoding",
                "invert",
                "oov_method",
                "ragged",
                "salt",
                "sparse",
                "vocabulary",
                "vocabulary_dtype",
                "vocabulary_size",
                "has_input_vocabulary",
            }
        )
        for layer in (
            "Discretization",
            "Hashing",
            "IntegerLookup",
            "StringLookup",
            "TextVectorization",
        )
    },
}
"""Arguments in configurations that recipes have no use for."""

OTHER_LAYERS = frozenset(
    {
        "STFTSpectrogram",
        "InputLayer",
        "Bidirectional",
        "RNN",
        "StackedRNNCells",
        "HashedCrossing",
        *CELLS,
    }
)
OBJECTS = ("initializer", "regularizer", "constraint", "activation")
"""The words that arguments which hold objects end with."""


@cache
def layer_classes() -> frozenset[str]:
    """Return the classes of Keras's layers that can be read."""
    schema = read_schema(KERAS_SCHEMA)
    augmentations = {
        name
        for name, reason in schema["x-refused-layers"].items()
        if reason.startswith("image augmentation")
    }
    return frozenset({*schema["x-layer-names"].values(), *OTHER_LAYERS, *augmentations})


@cache
def argument_kinds(layer: str) -> Mapping[str, frozenset[str] | None] | None:
    """Return the kinds of JSON values that each argument of a layer can be.

    None stands for any; for the whole layer, if its arguments are unknown.
    """
    definitions = read_schema(KERAS_SCHEMA)["$defs"]
    further = dict.fromkeys(EVERY_LAYER | FURTHER.get(layer, frozenset()))
    if layer in CELLS:
        own = argument_kinds(CELLS[layer]) or {}
        return {**own, **further}
    if layer not in definitions:
        return {**further} if layer in FURTHER else None
    return {
        **{
            name: _kinds(name, schema)
            for name, schema in definitions[layer]["properties"].items()
            if name not in NODE_KEYS
        },
        **further,
    }


def _kinds(name: str, schema: Any) -> frozenset[str] | None:
    if name.endswith(OBJECTS) or name in ("layer", "vocabulary", "embeddings"):
        return None
    return _kinds_of(schema)


def _kinds_of(schema: Mapping[str, Any]) -> frozenset[str] | None:
    if "$ref" in schema:
        file, _, place = schema["$ref"].partition("#/$defs/")
        definitions = read_schema(KERAS_SCHEMA)["$defs"]
        return _kinds_of(definitions[place]) if file.startswith("keras") else None
    if "enum" in schema:
        return frozenset(json_kind(value) for value in schema["enum"])
    if "type" in schema:
        names = schema["type"]
        return frozenset([names] if isinstance(names, str) else names)
    if "if" in schema:
        parts = [_kinds_of(schema[key]) for key in ("if", "then", "else") if key in schema]
        return frozenset(kind for part in parts for kind in part or ())
    return None


def json_kind(value: Any) -> str:
    """Return the name that JSON Schema has for the kind of a value."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    for kind, name in ((int, "integer"), (float, "number"), (str, "string")):
        if isinstance(value, kind):
            return name
    return "object" if isinstance(value, dict) else "array"


def fits(value: Any, kinds: frozenset[str] | None) -> bool:
    """Return whether a value is of one of the kinds; lists hold plain values."""
    kind = json_kind(value)
    if kinds is None:
        return True
    if kind == "array":
        return "array" in kinds and _is_plain_list(value)
    return kind in kinds or (kind == "integer" and "number" in kinds)


def _is_plain_list(value: Any) -> bool:
    return all(
        _is_plain_list(item) if isinstance(item, (list, tuple)) else not isinstance(item, dict)
        for item in value
    )


@cache
def activations() -> frozenset[str]:
    """Return the names of Keras's activations."""
    schema = read_schema(KERAS_SCHEMA)
    return frozenset({*schema["$defs"]["activation"]["enum"], *schema["x-refused-activations"]})
