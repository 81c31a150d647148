"""The facts of every layer, held against what Keras builds and computes.

Each case is built twice: symbolically, with None for dimensions that have a name, and eagerly, on
arrays where every name has a size. Shapes, parameters and dtypes must agree with both. For integer
inputs Keras declares its compute dtype but passes the integers on: there the eager dtype counts.
"""

import inspect
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lstmgraph.layer_facts import RULES, LayerFacts, LayerMistake, layer_facts
from lstmgraph.tensors import (
    TensorSpec,
    add_dims,
    ceil_divide_dim,
    divide_dim,
    multiply_dims,
)

CATALOGUE = Path(__file__).parent.parent / "schemas" / "keras-3.schema.json"

SIZES = {"batch": 2, "time": 11, "frames": 9, "height": 12, "width": 10}
EQUAL_SIZES = dict.fromkeys(SIZES, 6) | {"batch": 2}
COMPUTE_DTYPES = {"mixed_float16": "float16", "mixed_bfloat16": "bfloat16"}
SEPARATE_ARGUMENTS = {"MultiHeadAttention", "GroupQueryAttention"}
NOT_CALLED_BY_ITS_NAME = {"GroupedQueryAttention"}


def f(*shape: int | str) -> TensorSpec:
    return TensorSpec(("batch", *shape), "float32")


def i(*shape: int | str) -> TensorSpec:
    return TensorSpec(("batch", *shape), "int32")


def b(*shape: int | str) -> TensorSpec:
    return TensorSpec(("batch", *shape), "bool")


@dataclass(frozen=True)
class Case:
    layer: str
    inputs: tuple[TensorSpec, ...]
    arguments: Mapping[str, Any]
    policy: str = "float32"
    eager: bool = True
    """Whether this machine's TensorFlow can compute it."""
    vague: bool = False
    """Whether Keras forgets a size that it could know."""

    def facts(self) -> LayerFacts:
        dtype = COMPUTE_DTYPES.get(self.policy, self.policy)
        return layer_facts(self.layer, complete(self.layer, self.arguments), self.inputs, dtype)

    def __str__(self) -> str:
        arguments = ",".join(f"{name}={value}" for name, value in self.arguments.items())
        inputs = "".join(f"{spec}{spec.dtype[0]}" for spec in self.inputs)
        return f"{self.layer}[{arguments}]{inputs}{self.policy}".replace(" ", "")


def case(layer: str, /, *inputs: TensorSpec, **arguments: Any) -> Case:
    options = {name: arguments.pop(name) for name in ("eager", "vague") if name in arguments}
    policy = arguments.pop("policy", "float32")
    return Case(layer, inputs, arguments, policy, **options)


def complete(layer: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """All arguments, as the compiler hands them over: Keras's defaults, wrapped layers too."""
    signature = inspect.signature(getattr(keras.layers, layer).__init__).parameters.values()
    defaults = {
        parameter.name: parameter.default
        for parameter in signature
        if parameter.kind is parameter.POSITIONAL_OR_KEYWORD and parameter.name != "self"
    }
    whole = {**defaults, **arguments}
    if isinstance(whole.get("layer"), dict):
        inner = dict(whole["layer"])
        kind = inner.pop("type")
        whole["layer"] = {"type": kind, **complete(kind, inner)}
    return whole


def keras_layer(layer: str, arguments: Mapping[str, Any], policy: str) -> keras.Layer:
    arguments = dict(arguments)
    if "layer" in arguments:
        inner = dict(arguments["layer"])
        arguments["layer"] = keras_layer(inner.pop("type"), inner, policy)
    return getattr(keras.layers, layer)(**arguments, dtype=policy)


def call(layer: keras.Layer, case: Case, tensors: list[Any], **options: Any) -> Any:
    if case.layer in SEPARATE_ARGUMENTS:
        return layer(*tensors, **options)
    merges = len(tensors) > 1 or isinstance(layer, keras.layers.Add | keras.layers.Concatenate)
    return layer(tensors if merges else tensors[0], **options)


def symbolic_call(case: Case) -> tuple[keras.Layer, Any]:
    layer = keras_layer(case.layer, case.arguments, case.policy)
    inputs = [
        keras.Input(
            batch_shape=[None if isinstance(dim, str) else dim for dim in spec.shape],
            dtype=spec.dtype,
        )
        for spec in case.inputs
    ]
    return layer, call(layer, case, inputs)


def eager_call(case: Case, sizes: Mapping[str, int], **options: Any) -> Any:
    layer = keras_layer(case.layer, case.arguments, case.policy)
    arrays = [keras.ops.ones(concrete(spec.shape, sizes), dtype=spec.dtype) for spec in case.inputs]
    return call(layer, case, arrays, **options)


def concrete(shape: tuple[int | str, ...], sizes: Mapping[str, int]) -> tuple[int, ...]:
    """The shape with numbers for names: ``ceil((time-1)/2)`` is a Python expression too."""
    names = {"ceil": math.ceil, **sizes}
    return tuple(int(eval(dim, names)) if isinstance(dim, str) else dim for dim in shape)


def count(weights: list[Any]) -> int:
    return sum(math.prod(weight.shape) for weight in weights)


DENSE = [
    case("Dense", f(8), units=4),
    case("Dense", f("time", 8), units=4, use_bias=False),
    case("Dense", f("time", 5, 8), units=1, policy="mixed_float16"),
    case("Dense", i(8), units=4),
    case("Dense", f(8), units=4, lora_rank=2),
    case("Dense", f(8), units=4, policy="float64"),
    case("EinsumDense", f(8), equation="ab,bc->ac", output_shape=4),
    case("EinsumDense", f("time", 8), equation="abc,cd->abd", output_shape=[None, 4]),
    case(
        "EinsumDense",
        f("time", 8),
        equation="abc,cd->abd",
        output_shape=[None, 4],
        bias_axes="d",
        lora_rank=2,
    ),
    case("EinsumDense", f(6, 8), equation="abc,cd->abd", output_shape=[None, 4], vague=True),
    case("EinsumDense", f(6, 8), equation="abc,cd->abd", output_shape=[6, 4], bias_axes="bd"),
    case("EinsumDense", f("time", 8), equation="...x,xy->...y", output_shape=4, bias_axes="y"),
    case("EinsumDense", f(5, 5, 8), equation="...x,xy->...y", output_shape=4),
    case("EinsumDense", f(8, 5, "time"), equation="ab...,bc->ac...", output_shape=3, bias_axes="c"),
    case("EinsumDense", i(8), equation="ab,bcd->acd", output_shape=[2, 3], bias_axes="cd"),
    case("EinsumDense", f(8), equation="...x,xy->...y", output_shape=4, policy="mixed_float16"),
    case("Embedding", i("time"), input_dim=10, output_dim=4),
    case("Embedding", i(), input_dim=10, output_dim=4, policy="mixed_float16"),
    case("Embedding", i(5, "time"), input_dim=10, output_dim=4, mask_zero=True),
    case("Embedding", i("time"), input_dim=10, output_dim=4, lora_rank=3),
    case("ReversibleEmbedding", i("time"), input_dim=10, output_dim=4),
    case("ReversibleEmbedding", i("time"), input_dim=10, output_dim=4, tie_weights=False),
]

CONVOLUTION = [
    case("Conv1D", f("time", 6), filters=4, kernel_size=3),
    case("Conv1D", f("time", 6), filters=4, kernel_size=3, padding="same", strides=2),
    case("Conv1D", f("time", 6), filters=4, kernel_size=3, strides=2),
    case("Conv1D", f("time", 6), filters=4, kernel_size=3, padding="causal", dilation_rate=2),
    case("Conv1D", f(11, 6), filters=4, kernel_size=3, padding="CAUSAL", strides=2),
    case("Conv1D", f(11, 6), filters=4, kernel_size=[3], dilation_rate=3, use_bias=False),
    case("Conv1D", f(11, 6), filters=4, kernel_size=2, groups=2, lora_rank=None),
    case("Conv1D", f(6, "time"), filters=4, kernel_size=2, data_format="channels_first"),
    case("Conv1D", f(3, 6), filters=4, kernel_size=3, policy="mixed_float16"),
    case("Conv1D", f(3, 6), filters=4, kernel_size=3, policy="float64"),
    case("Conv2D", f("height", 9, 3), filters=4, kernel_size=[3, 2], strides=[2, 3]),
    case("Conv2D", f(8, 9, 4), filters=6, kernel_size=3, padding="same", groups=2),
    case("Conv2D", f(3, 8, "width"), filters=4, kernel_size=3, data_format="channels_first"),
    case("Conv2D", f(8, 9, 4), filters=6, kernel_size=3, dilation_rate=[1, 2], use_bias=False),
    case("Conv3D", f(5, "height", 6, 2), filters=3, kernel_size=2, strides=2),
    case("Conv3D", f(5, 5, 6, 2), filters=3, kernel_size=[1, 2, 3], padding="same"),
    case("Conv3D", f(4, 5, 5, 6), filters=4, kernel_size=2, data_format="channels_first"),
    case("Conv1DTranspose", f("time", 6), filters=4, kernel_size=3),
    case("Conv1DTranspose", f("time", 6), filters=4, kernel_size=3, strides=2),
    case("Conv1DTranspose", f("time", 6), filters=4, kernel_size=3, strides=2, padding="same"),
    case("Conv1DTranspose", f("time", 6), filters=4, kernel_size=2, strides=4),
    case("Conv1DTranspose", f(9, 6), filters=4, kernel_size=2, strides=4, output_padding=1),
    case("Conv1DTranspose", f(9, 6), filters=4, kernel_size=3, dilation_rate=2, use_bias=False),
    case(
        "Conv1DTranspose",
        f("time", 6),
        filters=4,
        kernel_size=3,
        strides=2,
        padding="same",
        output_padding=1,
    ),
    case("Conv2DTranspose", f("height", 9, 3), filters=4, kernel_size=[3, 2], strides=[2, 3]),
    case("Conv2DTranspose", f(8, 9, 3), filters=4, kernel_size=3, strides=2, output_padding=[0, 1]),
    case("Conv2DTranspose", f(3, 8, 9), filters=4, kernel_size=3, data_format="channels_first"),
    case("Conv3DTranspose", f(4, 5, 6, 2), filters=3, kernel_size=2, strides=2, padding="same"),
    case("DepthwiseConv1D", f("time", 6), kernel_size=3, depth_multiplier=2),
    case("DepthwiseConv1D", f(11, 6), kernel_size=3, strides=2, padding="same", use_bias=False),
    case("DepthwiseConv1D", f(11, 6), kernel_size=2, strides=2, dilation_rate=2),
    case("DepthwiseConv2D", f("height", 9, 3), kernel_size=[2, 3], depth_multiplier=2),
    case("DepthwiseConv2D", f(8, 9, 3), kernel_size=2, strides=[1, 2]),
    case("DepthwiseConv2D", f(3, 8, 9), kernel_size=2, data_format="channels_first"),
    case("SeparableConv1D", f("time", 6), filters=4, kernel_size=3, depth_multiplier=2),
    case("SeparableConv1D", f(11, 6), filters=4, kernel_size=3, strides=2, padding="same"),
    case("SeparableConv2D", f("height", 9, 3), filters=4, kernel_size=[2, 3], use_bias=False),
    case("SeparableConv2D", f(8, 9, 3), filters=4, kernel_size=2, policy="mixed_float16"),
    case("ConvLSTM1D", f("time", 8, 3), filters=4, kernel_size=3),
    case("ConvLSTM1D", f("time", 8, 3), filters=4, kernel_size=3, return_sequences=True, strides=2),
    case("ConvLSTM1D", f(3, 3, 8), filters=4, kernel_size=2, data_format="channels_first"),
    case("ConvLSTM2D", f("time", 6, 7, 2), filters=3, kernel_size=2, padding="same"),
    case("ConvLSTM2D", f(2, 6, 7, 2), filters=3, kernel_size=[2, 3], use_bias=False),
    case("ConvLSTM3D", f(2, 3, 4, 5, 2), filters=2, kernel_size=2, return_sequences=True),
]

POOLING = [
    case("MaxPooling1D", f("time", 3)),
    case("MaxPooling1D", f("time", 3), pool_size=3, strides=2, padding="same"),
    case("MaxPooling1D", i(9, 3), pool_size=2),
    case("MaxPooling1D", f(3, "time"), pool_size=3, data_format="channels_first"),
    case("AveragePooling1D", f(9, 3), pool_size=4, strides=3, policy="mixed_float16"),
    case("AveragePooling1D", f("time", 3), pool_size=4, strides=1),
    case("MaxPooling2D", f("height", 9, 3), pool_size=[2, 3]),
    case("MaxPooling2D", i(8, 9, 3), pool_size=2, strides=[1, 2], padding="same"),
    case("AveragePooling2D", f(3, 8, "width"), pool_size=2, data_format="channels_first"),
    case("MaxPooling3D", f(6, 7, 8, 2), pool_size=2, strides=3),
    case("AveragePooling3D", f(6, 7, 8, 2), pool_size=[1, 2, 3], padding="same"),
    case("GlobalMaxPooling1D", f("time", 3)),
    case("GlobalMaxPooling1D", i("time", 3), keepdims=True),
    case("GlobalMaxPooling1D", b("time", 3)),
    case("GlobalAveragePooling1D", f(3, "time"), data_format="channels_first", keepdims=True),
    case("GlobalAveragePooling1D", i("time", 3), policy="mixed_float16"),
    case("GlobalMaxPooling2D", f("height", "width", 3), policy="mixed_float16"),
    case("GlobalAveragePooling2D", f(3, 8, 9), data_format="channels_first"),
    case("GlobalMaxPooling3D", f(4, 5, 6, 2), keepdims=True),
    case("GlobalAveragePooling3D", f(4, 5, 6, 2)),
    case("AdaptiveMaxPooling1D", f("time", 3), output_size=4),
    case("AdaptiveMaxPooling1D", i(9, 3), output_size=[4]),
    case("AdaptiveAveragePooling1D", f(3, 9), output_size=20, data_format="channels_first"),
    case("AdaptiveMaxPooling2D", f("height", 9, 3), output_size=[2, 3]),
    case("AdaptiveAveragePooling2D", f(8, 9, 3), output_size=2, policy="mixed_float16"),
    case("AdaptiveMaxPooling3D", f(4, 5, 6, 2), output_size=2),
    case("AdaptiveAveragePooling3D", f(4, 5, 6, 2), output_size=[1, 2, 3]),
    case("AdaptiveAveragePooling3D", f(4, 5, 6, 2), output_size=2, policy="float16", eager=False),
]

MERGING = [
    case("Add", f("time", 8), f("time", 8)),
    case("Add", f("time", 8), f(8)),
    case("Add", f(8), f("time", 1), f(1, 1)),
    case("Add", i(8), i(8)),
    case("Add", f(8)),
    case("Add", i(8), f(8), policy="mixed_float16"),
    case("Add", i(8), b(8)),
    case("Add", f(8), TensorSpec((2, 8), "float32")),
    case("Subtract", f("time", 8), f("time", 1)),
    case("Subtract", i(3), TensorSpec(("batch", 3), "int64")),
    case("Multiply", f("time", 5, 8), f(5, 8), policy="mixed_float16"),
    case("Multiply", f("time", 1), f(1, 8)),
    case("Average", f("time", 8), f(1)),
    case("Average", i(8), i(8)),
    case("Average", i(8), f(8)),
    case("Maximum", i("time", 8), i("time", 8)),
    case("Maximum", TensorSpec(("batch", 3), "uint8"), TensorSpec(("batch", 3), "int8")),
    case("Minimum", f("time", 8), f("time", 8), f(8)),
    case("Concatenate", f("time", 8), f("time", 3)),
    case("Concatenate", f("time", 8), f("frames", 8), axis=1),
    case("Concatenate", f("time", 8), f(3, 8), axis=1),
    case("Concatenate", f("time", 8), f("time", 8), axis=1),
    case("Concatenate", i(8), i(3), i(2)),
    case("Concatenate", i("time"), b("time")),
    case("Concatenate", i(8), f(3), policy="mixed_float16"),
    case("Concatenate", f(8)),
    case("Dot", f(8), f(8), axes=1),
    case("Dot", f("time", 8), f(8, 5), axes=[2, 1]),
    case("Dot", f("time", 8), f("time", 5), axes=1),
    case("Dot", f("time", 8), f("frames", 8), axes=-1, policy="mixed_float16"),
    case("Dot", f("time", 8), f(8), axes=[2, 1], normalize=True),
    case("Dot", f(8), f(8, 5), axes=[1, 1]),
    case("Dot", i(3, 8), i(5, 8), axes=[-1, -1]),
    case("Dot", f(3, 4, 8), f(5, 8), axes=[3, 2]),
]

ATTENTION = [
    case("Attention", f("time", 8), f("frames", 8)),
    case("Attention", f("time", 8), f("frames", 5), f("frames", 8), use_scale=True),
    case("Attention", f(4, 8), f(6, 8), score_mode="concat", policy="mixed_float16"),
    case("Attention", f(3, "time", 8), f(3, "frames", 8), use_scale=True, score_mode="concat"),
    case("AdditiveAttention", f("time", 8), f("frames", 8)),
    case("AdditiveAttention", f("time", 8), f(6, 5), f(6, 8), use_scale=False),
    case("AdditiveAttention", i("time", 8), i(6, 8), policy="mixed_float16"),
    case("MultiHeadAttention", f("time", 8), f("frames", 5), num_heads=2, key_dim=3),
    case("MultiHeadAttention", f("time", 8), f("time", 8), num_heads=2, key_dim=3, use_bias=False),
    case("MultiHeadAttention", f(4, 8), f(6, 5), f(6, 7), num_heads=2, key_dim=3, value_dim=4),
    case("MultiHeadAttention", f(4, 8), f(6, 5), num_heads=2, key_dim=3, output_shape=9),
    case("MultiHeadAttention", f(4, 8), f(6, 5), num_heads=2, key_dim=3, output_shape=[2, 9]),
    case(
        "MultiHeadAttention", f(4, 8), f(6, 5), num_heads=2, key_dim=3, use_gate=True, value_dim=5
    ),
    case("MultiHeadAttention", f(5, 4, 8), f(5, 6, 8), num_heads=2, key_dim=3, attention_axes=2),
    case("MultiHeadAttention", f(5, 4, 8), f(3, 6, 8), num_heads=1, key_dim=3),
    case("MultiHeadAttention", i(4, 8), i(6, 8), num_heads=2, key_dim=3, policy="mixed_float16"),
    case(
        "GroupQueryAttention",
        f("time", 8),
        f("frames", 8),
        head_dim=3,
        num_query_heads=4,
        num_key_value_heads=2,
    ),
    case(
        "GroupQueryAttention",
        f(4, 8),
        f(6, 8),
        f(6, 5),
        head_dim=3,
        num_query_heads=4,
        num_key_value_heads=1,
        use_bias=False,
    ),
    case(
        "GroupQueryAttention",
        f(4, 8),
        f(6, 8),
        head_dim=3,
        num_query_heads=2,
        num_key_value_heads=2,
        use_gate=True,
        policy="mixed_float16",
    ),
]

NORMALIZATION = [
    case("BatchNormalization", f("time", 8)),
    case("BatchNormalization", f("time", 8), scale=False, policy="mixed_float16"),
    case("BatchNormalization", f(8, "time"), axis=1, center=False, renorm=True),
    case("BatchNormalization", i(8)),
    case("LayerNormalization", f("time", 8)),
    case("LayerNormalization", f(5, 8), axis=[1, 2], policy="mixed_float16"),
    case("LayerNormalization", i(8), center=False),
    case("GroupNormalization", f("time", 8), groups=4),
    case("GroupNormalization", f(8, "time"), groups=-1, axis=1, scale=False),
    case("GroupNormalization", f(5, 6, 8), groups=2, policy="mixed_float16"),
    case("RMSNormalization", f("time", 8)),
    case("RMSNormalization", f(5, 8), axis=[1, 2]),
    case("RMSNormalization", f(5, 8), axis=[2, 1], policy="mixed_float16"),
    case("UnitNormalization", f("time", 8)),
    case("UnitNormalization", f("time", 8), axis=[1, 2]),
    case("UnitNormalization", f(8), policy="mixed_float16"),
    case("Normalization", f("time", 3), mean=1.0, variance=2.0),
    case("Normalization", f("time", 3), mean=[1.0, 2.0, 3.0], variance=[1.0, 1.0, 2.0]),
    case("Normalization", i(5, 3), axis=[1, 2], mean=[1.0, 2.0, 3.0], variance=[1.0, 1.0, 2.0]),
    case("Normalization", f("time", 3), axis=None, mean=1.0, variance=2.0),
    case("Normalization", f("time", 3), policy="mixed_float16"),
]

RESHAPING = [
    case("Flatten", f(4, 3)),
    case("Flatten", f("time", 3)),
    case("Flatten", f("time", 3, "width")),
    case("Flatten", f()),
    case("Flatten", i(4, 3)),
    case("Flatten", b(4, 3), data_format="channels_first"),
    case("Reshape", f(4, 3), target_shape=[2, 6]),
    case("Reshape", f(4, 3), target_shape=[-1, 2, 2]),
    case("Reshape", f("time", 8), target_shape=[-1, 4]),
    case("Reshape", f("time", 8), target_shape=[-1, 2, 4]),
    case("Reshape", f("time", 8), target_shape=[-1]),
    case("Reshape", f("height", 6, "width"), target_shape=[-1, 3]),
    case("Reshape", i(4, 3), target_shape=[12]),
    case("Reshape", f(4, 3), target_shape=[None, 3], vague=True),
    case("Reshape", f("time", 8), target_shape=[None, 4]),
    case("Permute", f("time", 8), dims=[2, 1]),
    case("Permute", i(3, "time", 8), dims=[3, 1, 2]),
    case("Permute", f(3, 8), dims=[1, 2], policy="mixed_float16"),
    case("RepeatVector", f(8), n=3),
    case("RepeatVector", i(8), n=3),
    case("RepeatVector", f("width"), n=2, policy="mixed_float16"),
    case("Cropping1D", f("time", 8)),
    case("Cropping1D", f(9, 8), cropping=[2, 0]),
    case("Cropping1D", i(9, 8), cropping=3),
    case("Cropping2D", f("height", 9, 3), cropping=2),
    case("Cropping2D", f(3, 8, 9), cropping=[[1, 2], [0, 3]], data_format="channels_first"),
    case("Cropping3D", f(5, 6, 7, 2), cropping=[1, 2, [3, 0]]),
    case("ZeroPadding1D", f("time", 8)),
    case("ZeroPadding1D", f(8, "time"), padding=[2, 0], data_format="channels_first"),
    case("ZeroPadding1D", i(5, 8), padding=2),
    case("ZeroPadding2D", f("height", 9, 3), padding=[[1, 2], [0, 3]]),
    case("ZeroPadding2D", f(8, 9, 3), padding=[1, 2]),
    case("ZeroPadding3D", f(2, 5, 6, 7), data_format="channels_first"),
    case("UpSampling1D", f("time", 8), size=3),
    case("UpSampling1D", i(5, 8)),
    case("UpSampling2D", f("height", 9, 3), size=[2, 3], interpolation="bilinear"),
    case("UpSampling2D", i(3, 8, 9), data_format="channels_first"),
    case("UpSampling3D", f(3, 4, 5, 2), size=[1, 2, 3]),
    case("Resizing", f("height", "width", 3), height=4, width=5),
    case("Resizing", i(8, 9, 3), height=4, width=5),
    case("Resizing", f(3, 8, 9), height=4, width=5, data_format="channels_first"),
    case("CenterCrop", f("height", "width", 3), height=4, width=5),
    case("CenterCrop", i(8, 9, 3), height=4, width=5, policy="mixed_float16"),
    case("CenterCrop", f(3, 8, 9), height=12, width=5, data_format="channels_first"),
]

RECURRENT = [
    case("LSTM", f("time", 8), units=5),
    case("LSTM", f("time", 8), units=5, return_sequences=True, use_bias=False),
    case("LSTM", f(4, 8), units=5, policy="mixed_float16"),
    case("LSTM", i(4, 8), units=5),
    case("LSTM", f("time", 8), units=5, dropout=0.1, recurrent_dropout=0.1),
    case("GRU", f("time", 8), units=5),
    case("GRU", f("time", 8), units=5, reset_after=False, return_sequences=True),
    case("GRU", f(4, 8), units=5, use_bias=False, policy="mixed_float16"),
    case("SimpleRNN", f("time", 8), units=5),
    case("SimpleRNN", f("time", 8), units=5, return_sequences=True),
    case("SimpleRNN", f(4, 8), units=5, use_bias=False, policy="mixed_float16"),
]

ELEMENTWISE = [
    *(case("Activation", i(4), activation=name) for name in ("relu", "relu6", "leaky_relu")),
    *(case("Activation", b(4), activation=name) for name in ("linear", "tanh", "exponential")),
    case("Activation", f("time", 4), activation="softmax", policy="mixed_float16"),
    case("Activation", f("time", 4), activation="swish"),
    case("ActivityRegularization", f("time", 4), l1=0.1),
    case("ActivityRegularization", i(4)),
    case("Identity", f("time", 4), policy="mixed_float16"),
    case("Identity", b(4)),
    case("ReLU", f("time", 4), max_value=6.0),
    case("ReLU", i(4)),
    case("LeakyReLU", f(4), policy="mixed_float16"),
    case("LeakyReLU", i(4)),
    case("ELU", f("time", 4)),
    case("PReLU", f(5, 4)),
    case("PReLU", f("time", 4), shared_axes=[1]),
    case("PReLU", f("height", "width", 3), shared_axes=[1, 2], policy="mixed_float16"),
    case("PReLU", f("time", 4), shared_axes=1),
    case("Softmax", f("time", 4)),
    case("Softmax", f(5, 4), axis=[1, 2]),
    case("Softmax", f(5, 4), axis=1, policy="mixed_float16"),
    case("Masking", f("time", 4)),
    case("Masking", i("time", 4), mask_value=0),
    case("Masking", b("time", 4)),
    case("Masking", f(4), policy="mixed_float16"),
    case("Dropout", f("time", 4), rate=0.5),
    case("Dropout", f("time", 4), rate=0.5, noise_shape=[None, 1, 4], policy="mixed_float16"),
    case("AlphaDropout", f("time", 4), rate=0.5),
    case("GaussianDropout", f("time", 4), rate=0.5),
    case("GaussianNoise", f("time", 4), stddev=0.5),
    case("SpatialDropout1D", f("time", 4), rate=0.5),
    case("SpatialDropout2D", f("height", 5, 4), rate=0.5, data_format="channels_first"),
    case("SpatialDropout3D", f(3, 4, 5, 4), rate=0.5, policy="mixed_float16"),
]

PREPROCESSING = [
    case("Rescaling", f("time", 3), scale=0.5),
    case("Rescaling", i("time", 3), scale=[0.5, 1.0, 2.0], offset=1.0, policy="mixed_float16"),
    case("Rescaling", f("time", 3), scale=[0.5]),
    case("CategoryEncoding", i(5), num_tokens=4),
    case("CategoryEncoding", i("time"), num_tokens=4, output_mode="count"),
    case("CategoryEncoding", i("time"), num_tokens=4, output_mode="one_hot"),
    case("CategoryEncoding", i(1), num_tokens=4, output_mode="one_hot"),
    case("CategoryEncoding", i(), num_tokens=4, output_mode="one_hot"),
    case("MelSpectrogram", f(40), fft_length=16, sequence_stride=8, num_mel_bins=3),
    case("MelSpectrogram", f("time"), fft_length=16, sequence_stride=8, num_mel_bins=3),
    case("MelSpectrogram", f("time"), fft_length=16, sequence_stride=6, num_mel_bins=3),
    case(
        "MelSpectrogram", i(41), fft_length=16, sequence_length=8, num_mel_bins=3, sequence_stride=5
    ),
    case("STFTSpectrogram", f(40, 2), frame_length=16, window=None),
    case("STFTSpectrogram", f("time", 2), frame_length=8, window=None, mode="stft"),
    case("STFTSpectrogram", f("time", 2), frame_length=5, window=None, mode="real", padding="same"),
    case(
        "STFTSpectrogram",
        f(2, 40),
        frame_length=16,
        window=None,
        expand_dims=True,
        frame_step=4,
        fft_length=32,
        data_format="channels_first",
        mode="imag",
    ),
    case("STFTSpectrogram", f(40, 2), frame_length=16, window=None, expand_dims=True),
]

WRAPPERS = [
    case("TimeDistributed", f("time", 8), layer={"type": "Dense", "units": 3}),
    case("TimeDistributed", f("time", 4, 8), layer={"type": "Flatten"}, policy="mixed_float16"),
    case("TimeDistributed", i("time", 4, 8), layer={"type": "Flatten"}),
    case("TimeDistributed", f(3, 9, 2), layer={"type": "Conv1D", "filters": 4, "kernel_size": 3}),
    case("TimeDistributed", f("time", 8), layer={"type": "BatchNormalization"}),
    case(
        "TimeDistributed",
        i("time", 4),
        layer={"type": "Embedding", "input_dim": 9, "output_dim": 2},
    ),
    case("TimeDistributed", f("time", 6, 8), layer={"type": "LSTM", "units": 3}),
    case("SpectralNormalization", f("time", 8), layer={"type": "Dense", "units": 3}),
    case(
        "SpectralNormalization",
        f("time", 8),
        layer={"type": "Conv1D", "filters": 3, "kernel_size": 2},
        policy="mixed_float16",
    ),
    case(
        "SpectralNormalization",
        f("time", 8),
        layer={"type": "Conv1DTranspose", "filters": 3, "kernel_size": 2},
    ),
    case(
        "SpectralNormalization",
        f(8, 9, 3),
        layer={"type": "DepthwiseConv2D", "kernel_size": 2, "depth_multiplier": 2},
    ),
    case(
        "SpectralNormalization",
        f("time", 8),
        layer={"type": "EinsumDense", "equation": "abc,cd->abd", "output_shape": [None, 4]},
    ),
    case(
        "SpectralNormalization",
        f("time", 8),
        layer={"type": "EinsumDense", "equation": "...c,dc->...d", "output_shape": 4},
    ),
]

CASES = [
    *DENSE,
    *CONVOLUTION,
    *POOLING,
    *MERGING,
    *ATTENTION,
    *NORMALIZATION,
    *RESHAPING,
    *RECURRENT,
    *ELEMENTWISE,
    *PREPROCESSING,
    *WRAPPERS,
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_facts_are_what_keras_declares(case: Case) -> None:
    facts = case.facts()
    layer, output = symbolic_call(case)
    shape = [None if isinstance(dim, str) else dim for dim in facts.output.shape]
    if case.vague:
        pairs = zip(shape, output.shape, strict=True)
        shape = [None if theirs is None else ours for ours, theirs in pairs]
    assert list(output.shape) == shape
    assert count(layer.trainable_weights) == facts.trainable
    assert count(layer.non_trainable_weights) == facts.non_trainable
    if all(spec.dtype.startswith("float") for spec in case.inputs):
        assert output.dtype == facts.output.dtype


@pytest.mark.parametrize("case", [case for case in CASES if case.eager], ids=str)
def test_facts_are_what_keras_computes(case: Case) -> None:
    facts = case.facts()
    output = eager_call(case, SIZES)
    assert tuple(output.shape) == concrete(facts.output.shape, SIZES)
    assert keras.backend.standardize_dtype(output.dtype) == facts.output.dtype


def test_every_rule_has_cases() -> None:
    assert set(RULES) - NOT_CALLED_BY_ITS_NAME == {case.layer for case in CASES}


def test_every_layer_of_the_catalogue_has_a_rule() -> None:
    if not CATALOGUE.exists():
        pytest.skip("the catalogue is not generated yet")
    definitions = json.loads(CATALOGUE.read_text(encoding="utf-8"))["$defs"]
    layers = {name for name, entry in definitions.items() if "call" in entry.get("x-keras", {})}
    assert layers - set(RULES) == set()
    for case in CASES:
        if case.layer in layers:
            known = set(definitions[case.layer]["properties"])
            arguments = complete(case.layer, case.arguments)
            kept = {name: value for name, value in arguments.items() if name in known}
            if kept.keys() >= case.arguments.keys():
                layer_facts(case.layer, kept, case.inputs, "float32")


@dataclass(frozen=True)
class Refusal:
    case: Case
    fragment: str
    argument: str | None = None
    input: int | None = None
    stricter: bool = False
    """Whether Keras computes something all the same: not what was meant, or only by luck."""
    options: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return str(self.case)


def refusal(layer: str, /, *inputs: TensorSpec, says: str, **arguments: Any) -> Refusal:
    keys = ("argument", "input", "stricter")
    expected = {name: arguments.pop(name) for name in keys if name in arguments}
    training = arguments.pop("training", False)
    options = {"training": True} if training else {}
    return Refusal(case(layer, *inputs, **arguments), says, **expected, options=options)


def mha(*inputs: TensorSpec, **arguments: Any) -> Refusal:
    return refusal("MultiHeadAttention", *inputs, **{"num_heads": 2, "key_dim": 3, **arguments})


def gqa(*inputs: TensorSpec, **arguments: Any) -> Refusal:
    heads = {"head_dim": 3, "num_query_heads": 4, "num_key_value_heads": 2}
    return refusal("GroupQueryAttention", *inputs, **{**heads, **arguments})


def conv1d(*inputs: TensorSpec, **arguments: Any) -> Refusal:
    return refusal("Conv1D", *inputs, **{"filters": 4, "kernel_size": 3, **arguments})


EINSUM = {"equation": "abc,cd->abd", "output_shape": [None, 4]}
MEL = {"fft_length": 16, "sequence_stride": 8, "num_mel_bins": 3}

REFUSALS = [
    refusal("Dense", f(), says="(batch, ..., features)", input=0, units=4),
    refusal("Dense", f(8), says="`units` must be positive", argument="units", units=0),
    refusal("Dense", f("time"), says="`time` is known only when", input=0, units=4),
    refusal("Dense", f(8), f(8), says="takes one input, got 2", units=4),
    refusal(
        "Dense",
        f(8),
        says="halves",
        argument="activation",
        stricter=True,
        units=4,
        activation="glu",
    ),
    refusal(
        "Embedding", f(4), says="integer ids", input=0, stricter=True, input_dim=9, output_dim=2
    ),
    refusal("Embedding", i(4), says="positive", argument="input_dim", input_dim=0, output_dim=2),
    refusal("EinsumDense", f("time", 8, 2), says="names 3 input", argument="equation", **EINSUM),
    refusal(
        "EinsumDense",
        f(5, "time"),
        says="`time` is known only",
        argument="equation",
        input=0,
        **EINSUM,
    ),
    refusal(
        "EinsumDense",
        f(5, 8),
        says="says 6 for `b`",
        argument="output_shape",
        equation="abc,cd->abd",
        output_shape=[6, 4],
    ),
    refusal(
        "EinsumDense",
        f(8),
        says="not of the form",
        argument="equation",
        equation="ab",
        output_shape=4,
    ),
    refusal(
        "EinsumDense",
        f(4, 5, 8),
        says="reverse order",
        argument="equation",
        stricter=True,
        equation="...x,xy->...y",
        output_shape=4,
    ),
    refusal(
        "EinsumDense",
        f(8),
        says="neither in the input",
        argument="equation",
        equation="ab,bcz->ac",
        output_shape=4,
    ),
    refusal(
        "EinsumDense", f(5, 8), says="bias axis `z`", argument="bias_axes", bias_axes="z", **EINSUM
    ),
    conv1d(f(16), says="needs a (batch, steps, channels) input, got (batch, 16)", input=0),
    conv1d(f(9, 9, 3), says="needs a (batch, steps, channels)", input=0),
    conv1d(f(2, 3), says="window of 3 is larger than the 2", argument="kernel_size"),
    conv1d(f(4, 3), says="window of 5", argument="kernel_size", dilation_rate=2),
    conv1d(f("time", "width"), says="`width` is known only when", input=0),
    conv1d(f(9, 6), says="6 input channels", argument="groups", groups=4),
    conv1d(f(9, 6), says="4 filters", argument="groups", groups=3),
    conv1d(f(9, 6), says="both strides", argument="dilation_rate", strides=2, dilation_rate=2),
    conv1d(i(9, 6), says="computes with floats, got int32", input=0),
    conv1d(f(9, 6), says="positive", argument="kernel_size", kernel_size=0),
    conv1d(f(9, 6), says="needs 1 integers", argument="kernel_size", kernel_size=[3, 3]),
    refusal(
        "Conv2D", f("time", 8), says="(batch, height, width", input=0, filters=4, kernel_size=3
    ),
    refusal(
        "Conv2D",
        f(8, 9, 3),
        says="no causal padding",
        argument="padding",
        filters=4,
        kernel_size=3,
        padding="causal",
    ),
    refusal("Conv3D", i(4, 4, 4, 2), says="floats", input=0, filters=4, kernel_size=3),
    refusal(
        "Conv1DTranspose",
        f(9, 6),
        says="output padding of 2",
        argument="output_padding",
        filters=4,
        kernel_size=3,
        strides=2,
        output_padding=2,
    ),
    refusal("DepthwiseConv1D", f(2, 3), says="larger", argument="kernel_size", kernel_size=3),
    refusal("SeparableConv1D", b(9, 3), says="floats", input=0, filters=2, kernel_size=3),
    refusal("ConvLSTM1D", f(4, "width", 3), says="`width` of", input=0, filters=2, kernel_size=2),
    refusal("ConvLSTM1D", f(8, 3), says="(batch, time", input=0, filters=2, kernel_size=2),
    refusal(
        "ConvLSTM1D",
        f(4, 8, 3),
        says="not supported",
        argument="return_state",
        stricter=True,
        filters=2,
        kernel_size=2,
        return_state=True,
    ),
    refusal("MaxPooling1D", f(4, 4, 3), says="(batch, steps, channels)", input=0),
    refusal("MaxPooling1D", f(2, 3), says="larger than the 2", argument="pool_size", pool_size=3),
    refusal("MaxPooling1D", f(9, 3), says="positive", argument="strides", strides=0),
    refusal("AveragePooling1D", i(9, 3), says="floats", input=0),
    refusal("MaxPooling3D", i(4, 4, 4, 3), says="floats", input=0),
    refusal("GlobalMaxPooling1D", f(3), says="(batch, steps, channels)", input=0),
    refusal("AdaptiveMaxPooling1D", f(3), says="(batch, steps", input=0, output_size=2),
    refusal("AdaptiveAveragePooling2D", i(8, 8, 3), says="floats", input=0, output_size=2),
    refusal("Add", f("time", 8), f("frames", 8), says="may differ", input=1, stricter=True),
    refusal("Add", f("time", 8), f("time-2", 8), says="`time` and `time-2`", input=1),
    refusal("Add", f("time", 8), f(6, 8), says="`time` and 6 may differ", input=1, stricter=True),
    refusal("Add", f(4, 8), f(4, 5), says="8 is not 5", input=1),
    refusal("Multiply", f(4, 8), f(4), says="8 is not 4", input=1),
    refusal("Add", b(4), b(4), says="numbers, got bool", input=0),
    refusal("Subtract", f(4), f(4), f(4), says="exactly two inputs, got 3"),
    refusal(
        "Add", TensorSpec((2, 4), "float32"), TensorSpec((3, 4), "float32"), says="batch sizes"
    ),
    refusal("Concatenate", f("time", 8), f(8), says="one rank", input=1),
    refusal("Concatenate", f("time", 8), f(8), says="one rank", input=1, axis=1),
    refusal("Concatenate", f(4, 8), f(5, 8), says="4 is not 5", input=1),
    refusal("Concatenate", f("time", 8), f("frames", 8), says="differ", input=1, stricter=True),
    refusal("Concatenate", f(8), f(8), says="out of range", argument="axis", axis=2),
    refusal("Concatenate", f(8), f(8), says="batch", argument="axis", stricter=True, axis=0),
    refusal("Dot", f(4, 8), f(4, 5), says="8 is not 5", input=1, axes=2),
    refusal("Dot", f("time"), f(6), says="may differ", input=1, axes=1),
    refusal("Dot", f(8), f(8), says="axis 0 of", argument="axes", input=0, axes=0),
    refusal("Dot", f(8), f(8), says="axis 2 of", argument="axes", input=0, axes=2),
    refusal("Dot", i(8), i(8), says="floats", input=0, axes=1, normalize=True),
    refusal("Attention", f(4, 8), f(6, 5), says="equal features", input=1),
    refusal("Attention", f(4, 8), f(6, 8), f(5, 8), says="value for every key", input=2),
    refusal("Attention", f(8), f(8), says="(batch, time, features)", input=0, stricter=True),
    refusal("Attention", i(4, 8), i(6, 8), says="floats", input=0),
    refusal("Attention", f(4, 8), says="takes query, value"),
    refusal("AdditiveAttention", f(4, "width"), f(6, "width"), says="only when data", input=0),
    mha(f(8), f(8), says="(batch, time, features)", input=0),
    mha(f(4, 8), f(6, 8), f(5, 8), says="value for every key", input=2),
    mha(f(4, 8), f(4, 6, 8), says="one rank", input=1),
    mha(f(4, "width"), f(4, 8), says="`width` is known only when", input=0),
    mha(
        f(5, 4, 8), f(6, 4, 8), says="axis 1", argument="attention_axes", input=1, attention_axes=2
    ),
    mha(f(4, 8), f(4, 8), says="positive", argument="num_heads", num_heads=0),
    mha(f(4, 8), f(4, 8), says="flash", argument="dropout", dropout=0.1, flash_attention=True),
    gqa(f(4, 8), f(6, 5), says="equal features", input=1),
    gqa(f(4, 8), f(6, 8), says="divide", argument="num_key_value_heads", num_key_value_heads=3),
    gqa(f(3, 4, 8), f(3, 4, 8), says="(batch, time, features)", input=0),
    refusal("BatchNormalization", f(8, "time"), says="`time` is known", argument="axis", input=0),
    refusal("BatchNormalization", f(8), says="out of range", argument="axis", axis=2),
    refusal("LayerNormalization", f("time", 8), says="`time`", argument="axis", input=0, axis=1),
    refusal("GroupNormalization", f(8), says="3 groups", argument="groups", groups=3),
    refusal("GroupNormalization", f(8), says="32 groups", argument="groups"),
    refusal("RMSNormalization", f(5, 8), says="only the last axes", argument="axis", axis=1),
    refusal("RMSNormalization", f(8, 8), says="last", argument="axis", stricter=True, axis=1),
    refusal("LayerNormalization", f(5, 8), says="twice", argument="axis", axis=[1, 1]),
    refusal("RMSNormalization", i(8), says="floats, got int32", input=0, stricter=True),
    refusal("UnitNormalization", i(8), says="floats", input=0),
    refusal("UnitNormalization", f(8), says="out of range", argument="axis", axis=3),
    refusal("Normalization", f(8), says="both", argument="mean", mean=1.0),
    refusal(
        "Normalization",
        f(3),
        says="does not fit",
        argument="mean",
        mean=[1.0, 1.0],
        variance=[1.0, 1.0],
    ),
    refusal(
        "Normalization",
        f(3),
        says="variance",
        argument="variance",
        mean=1.0,
        variance=[1.0, 1.0, 1.0],
    ),
    refusal("Reshape", f(4, 3), says="holds 10", argument="target_shape", target_shape=[2, 5]),
    refusal("Reshape", f(4, 3), says="divide", argument="target_shape", target_shape=[-1, 5]),
    refusal("Reshape", f(4, 3), says="one -1", argument="target_shape", target_shape=[-1, -1]),
    refusal(
        "Reshape",
        f("time", 4),
        says="is fixed",
        argument="target_shape",
        stricter=True,
        target_shape=[6, 4],
    ),
    refusal("Permute", f(4), says="orders 2", argument="dims", input=0, dims=[2, 1]),
    refusal("Permute", f(4, 3), says="permutation", argument="dims", dims=[0, 1]),
    refusal("RepeatVector", f(4, 8), says="(batch, features)", input=0, n=3),
    refusal("RepeatVector", f(8), says="positive integer", argument="n", n=0),
    refusal("RepeatVector", f(8), says="positive integer", argument="n", n=None),
    refusal("Cropping1D", f(3, 8), says="cuts 3 off the 3", argument="cropping", cropping=[1, 2]),
    refusal("Cropping2D", f(8, 8, 3), says="negative", argument="cropping", cropping=-1),
    refusal("ZeroPadding2D", f(8, 8, 3), says="negative", argument="padding", padding=-1),
    refusal("ZeroPadding1D", f(8), says="(batch, steps, channels)", input=0),
    refusal("UpSampling1D", f(8, 3), says="positive", argument="size", size=0),
    refusal("UpSampling2D", b(4, 4, 3), says="bool", input=0, interpolation="bilinear"),
    refusal("Resizing", b(8, 8, 3), says="bool", input=0, height=2, width=2),
    refusal(
        "Resizing",
        f(8, 8, 3),
        says="both crop and pad",
        argument="pad_to_aspect_ratio",
        height=2,
        width=2,
        crop_to_aspect_ratio=True,
        pad_to_aspect_ratio=True,
    ),
    refusal(
        "CenterCrop", f(8, 3), says="(batch, height", input=0, stricter=True, height=2, width=2
    ),
    refusal("LSTM", f(8), says="(batch, time, features)", input=0, units=4),
    refusal("GRU", f(4, 4, 8), says="(batch, time, features)", input=0, units=4),
    refusal("SimpleRNN", f("time", "width"), says="`width` is known", input=0, units=4),
    refusal("LSTM", i(4, 8), says="floats", input=0, units=4, dropout=0.5, training=True),
    refusal("LSTM", f("time", 8), says="positive", argument="units", units=0),
    refusal("Activation", i(4), says="floats", input=0, activation="sigmoid"),
    refusal("Activation", b(4), says="numbers", input=0, activation="relu"),
    refusal("ELU", i(4), says="floats", input=0),
    refusal("ReLU", f(4), says="negative", argument="max_value", max_value=-1.0),
    refusal("PReLU", f("time", 4), says="`time` is known", argument="shared_axes", input=0),
    refusal("PReLU", f(5, 4), says="out of range", argument="shared_axes", shared_axes=[3]),
    refusal(
        "PReLU",
        f(5, 4),
        says="out of range",
        argument="shared_axes",
        stricter=True,
        shared_axes=[0],
    ),
    refusal("Softmax", f(4), says="out of range", argument="axis", axis=2),
    refusal("Softmax", i(4), says="floats", input=0),
    refusal("Masking", f(), says="(batch, ..., features)", input=0, stricter=True),
    refusal("Dropout", i(4), says="floats", input=0, rate=0.5, training=True),
    refusal("Dropout", f(4), says="between 0 and 1", argument="rate", rate=1.5),
    refusal(
        "Dropout",
        f(4, 3),
        says="broadcast",
        argument="noise_shape",
        rate=0.5,
        noise_shape=[2, 4],
        training=True,
    ),
    refusal("GaussianNoise", i(4), says="floats", input=0, stddev=0.5, training=True),
    refusal("SpatialDropout1D", f(4), says="(batch, steps", input=0, rate=0.5),
    refusal(
        "Rescaling", f(1), says="do not fit", argument="scale", stricter=True, scale=[1.0, 2.0]
    ),
    refusal("Rescaling", f(3), says="2 entries", argument="scale", scale=[1.0, 2.0]),
    refusal("CategoryEncoding", f(4), says="ids", input=0, stricter=True, num_tokens=4),
    refusal("CategoryEncoding", i(), says="(batch, categ", input=0, stricter=True, num_tokens=4),
    refusal(
        "CategoryEncoding", i(3, 5), says="(batch, categ", input=0, stricter=True, num_tokens=4
    ),
    refusal("CategoryEncoding", i(4), says="num_tokens", argument="num_tokens"),
    refusal("MelSpectrogram", f(5), says="mirrors 8", argument="fft_length", **MEL),
    refusal(
        "MelSpectrogram", f(15), says="one more", argument="sequence_stride", stricter=True, **MEL
    ),
    refusal("STFTSpectrogram", i(40, 2), says="floats", input=0, frame_length=16, window=None),
    refusal(
        "STFTSpectrogram",
        f(40, 2),
        says="longer than its frames",
        argument="frame_step",
        frame_length=16,
        frame_step=20,
        window=None,
    ),
    refusal(
        "STFTSpectrogram",
        f(9, 2),
        says="window of 16",
        argument="frame_length",
        frame_length=16,
        window=None,
    ),
    refusal("TimeDistributed", f(8), says="(batch, time, ...)", input=0, layer={"type": "Flatten"}),
    refusal(
        "TimeDistributed",
        f(4, 8),
        says="inside TimeDistributed: Conv1D needs",
        input=0,
        layer={"type": "Conv1D", "filters": 3, "kernel_size": 2},
    ),
    refusal(
        "TimeDistributed",
        f(4, 8),
        says="positive",
        argument="layer.units",
        layer={"type": "Dense", "units": 0},
    ),
    refusal(
        "SpectralNormalization",
        f("time", 8),
        says="LSTM has none",
        argument="layer",
        layer={"type": "LSTM", "units": 3},
    ),
    refusal(
        "SpectralNormalization",
        i(4),
        says="round its output to the input's int32",
        input=0,
        stricter=True,
        layer={"type": "Embedding", "input_dim": 9, "output_dim": 2},
    ),
]


@pytest.mark.parametrize("refusal", REFUSALS, ids=str)
def test_mistakes(refusal: Refusal) -> None:
    with pytest.raises(LayerMistake) as caught:
        refusal.case.facts()
    assert refusal.fragment in caught.value.message
    assert caught.value.argument == refusal.argument
    assert caught.value.input == refusal.input
    assert caught.value.hint
    failure = keras_failure(refusal.case, EQUAL_SIZES, refusal.options)
    assert (failure is None) == refusal.stricter, failure


def keras_failure(
    case: Case, sizes: Mapping[str, int], options: Mapping[str, Any]
) -> Exception | None:
    try:
        symbolic_call(case)
        eager_call(case, sizes, **options)
    except Exception as error:
        return error
    return None


def test_layers_without_a_rule_are_refused() -> None:
    with pytest.raises(LayerMistake, match="Lambda"):
        layer_facts("Lambda", {}, [f(4)], "float32")
    with pytest.raises(LayerMistake, match="got none"):
        layer_facts("Add", {}, [], "float32")


def agree(case: Case) -> None:
    """Either both refuse, or both give one shape."""
    if keras_failure(case, SIZES, {}) is not None:
        with pytest.raises(LayerMistake):
            case.facts()
        return
    facts = case.facts()
    _, output = symbolic_call(case)
    assert [None if isinstance(dim, str) else dim for dim in facts.output.shape] == list(
        output.shape
    )
    assert concrete(facts.output.shape, SIZES) == tuple(eager_call(case, SIZES).shape)


STEPS = st.one_of(st.just("time"), st.integers(1, 12))
SLOW = settings(max_examples=60, deadline=None, derandomize=True)


@SLOW
@given(
    steps=STEPS,
    channels=st.sampled_from([1, 2, 3, 4, 6]),
    arguments=st.fixed_dictionaries(
        {
            "filters": st.sampled_from([2, 3, 4, 6]),
            "kernel_size": st.integers(1, 5),
            "strides": st.integers(1, 3),
            "dilation_rate": st.integers(1, 3),
            "padding": st.sampled_from(["valid", "same", "causal"]),
            "groups": st.sampled_from([1, 1, 2, 3]),
            "use_bias": st.booleans(),
        }
    ),
)
def test_any_conv1d(steps: int | str, channels: int, arguments: dict[str, Any]) -> None:
    agree(case("Conv1D", f(steps, channels), **arguments))


@SLOW
@given(
    steps=STEPS,
    arguments=st.fixed_dictionaries(
        {
            "filters": st.integers(1, 4),
            "kernel_size": st.integers(1, 5),
            "strides": st.integers(1, 4),
            "dilation_rate": st.sampled_from([1, 1, 2]),
            "padding": st.sampled_from(["valid", "same"]),
            "output_padding": st.sampled_from([None, 0, 1, 2]),
        }
    ),
)
def test_any_conv1d_transpose(steps: int | str, arguments: dict[str, Any]) -> None:
    agree(case("Conv1DTranspose", f(steps, 3), **arguments))


@SLOW
@given(
    layer=st.sampled_from(["MaxPooling2D", "AveragePooling2D"]),
    sizes=st.tuples(STEPS, STEPS),
    arguments=st.fixed_dictionaries(
        {
            "pool_size": st.lists(st.integers(1, 4), min_size=2, max_size=2),
            "strides": st.one_of(st.none(), st.integers(1, 3)),
            "padding": st.sampled_from(["valid", "same"]),
        }
    ),
)
def test_any_pooling(layer: str, sizes: tuple[Any, Any], arguments: dict[str, Any]) -> None:
    agree(case(layer, f(*sizes, 2), **arguments))


@SLOW
@given(
    layer=st.sampled_from(["Add", "Maximum", "Average", "Concatenate", "Concatenate"]),
    axis=st.sampled_from([-1, 1, 2]),
    shapes=st.lists(
        st.lists(st.sampled_from([1, 2, 3, "time"]), min_size=1, max_size=3),
        min_size=2,
        max_size=3,
    ),
    dtypes=st.lists(st.sampled_from(["float32", "int32", "int64"]), min_size=3, max_size=3),
)
def test_any_merge(layer: str, axis: int, shapes: list[list[Any]], dtypes: list[str]) -> None:
    inputs = [
        TensorSpec(("batch", *shape), dtype) for shape, dtype in zip(shapes, dtypes, strict=False)
    ]
    agree(case(layer, *inputs, **({"axis": axis} if layer == "Concatenate" else {})))


@pytest.mark.parametrize(
    ("dim", "text"),
    [
        (add_dims("time", 3), "time+3"),
        (add_dims(3, "time-3"), "time"),
        (add_dims("time-2", "ahead+1"), "ahead+time-1"),
        (add_dims("ahead+1", "time-2"), "ahead+time-1"),
        (multiply_dims([3, "time", 2]), "6*time"),
        (multiply_dims(["width", 2, "height"]), "2*height*width"),
        (multiply_dims(["time-1", 8]), "8*(time-1)"),
        (multiply_dims([]), 1),
        (divide_dim("8*time", 4), "2*time"),
        (divide_dim("8*(time-1)", 8), "time-1"),
        (divide_dim("6*time", 4), "(3*time)/2"),
        (divide_dim("time", 3), "time/3"),
        (divide_dim(12, 3), 4),
        (ceil_divide_dim("time-1", 2), "ceil((time-1)/2)"),
    ],
)
def test_dimensions_have_one_text_for_one_size(dim: int | str, text: int | str) -> None:
    assert dim == text


def test_eager_arrays_are_what_a_model_returns() -> None:
    """A functional model passes integers on, although Keras declares them float."""
    ids = keras.Input((3,), dtype="int32")
    doubled = keras.layers.Concatenate()([ids, ids])
    assert doubled.dtype == "float32"
    model = keras.Model(ids, doubled)
    assert model(np.ones((2, 3), "int32")).dtype == "int32"
