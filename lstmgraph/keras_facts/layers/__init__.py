"""Infer the output shape, dtype and weights of Keras layers, without importing Keras.

A rule takes a ``Call`` and returns ``LayerFacts``; its docstring gives the shapes of the layer.
The formulas are those of keras.layers of Keras 3.15, and a differential test compares them.
Where Keras declares one dtype for integers but computes another, the rule returns the computed
one: Keras casts only floats to a layer's compute dtype, so the ids that a Concatenate or
RepeatVector passes on stay integers, whatever its symbolic output says.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from lstmgraph.keras_facts.layers import (
    attention,
    convolution,
    dense,
    elementwise,
    lookups,
    merging,
    normalization,
    pooling,
    preprocessing,
    recurrent,
    reshaping,
    wrappers,
)
from lstmgraph.keras_facts.layers.core import (
    Call,
    LayerFacts,
    LayerMistake,
    Rule,
    Shape,
    Weight,
    places,
)
from lstmgraph.keras_facts.layers.spatial import is_channels_first
from lstmgraph.keras_facts.tensors import Resize, TensorSpec

__all__ = [
    "RESIZES",
    "RULES",
    "LayerFacts",
    "LayerMistake",
    "Shape",
    "Weight",
    "layer_facts",
    "places",
    "resized_steps",
]

RULES: Mapping[str, Rule] = {
    "Activation": elementwise.activation,
    "ActivityRegularization": elementwise.unchanged,
    "AdaptiveAveragePooling1D": pooling.adaptive_pooling,
    "AdaptiveAveragePooling2D": pooling.adaptive_pooling,
    "AdaptiveAveragePooling3D": pooling.adaptive_pooling,
    "AdaptiveMaxPooling1D": pooling.adaptive_pooling,
    "AdaptiveMaxPooling2D": pooling.adaptive_pooling,
    "AdaptiveMaxPooling3D": pooling.adaptive_pooling,
    "Add": merging.elementwise_merge,
    "AdditiveAttention": attention.additive_attention,
    "AlphaDropout": elementwise.dropout,
    "Attention": attention.attention,
    "Average": merging.elementwise_merge,
    "AveragePooling1D": pooling.pooling,
    "AveragePooling2D": pooling.pooling,
    "AveragePooling3D": pooling.pooling,
    "BatchNormalization": normalization.batch_normalization,
    "CategoryEncoding": preprocessing.category_encoding,
    "CenterCrop": reshaping.center_crop,
    "Concatenate": merging.concatenate,
    "Conv1D": convolution.conv,
    "Conv1DTranspose": convolution.conv_transpose,
    "Conv2D": convolution.conv,
    "Conv2DTranspose": convolution.conv_transpose,
    "Conv3D": convolution.conv,
    "Conv3DTranspose": convolution.conv_transpose,
    "ConvLSTM1D": convolution.conv_lstm,
    "ConvLSTM2D": convolution.conv_lstm,
    "ConvLSTM3D": convolution.conv_lstm,
    "Cropping1D": reshaping.cropping,
    "Cropping2D": reshaping.cropping,
    "Cropping3D": reshaping.cropping,
    "Dense": dense.dense,
    "DepthwiseConv1D": convolution.depthwise_conv,
    "DepthwiseConv2D": convolution.depthwise_conv,
    "Discretization": lookups.discretization,
    "Dot": merging.dot,
    "Dropout": elementwise.dropout,
    "ELU": elementwise.elu,
    "EinsumDense": dense.einsum_dense,
    "Embedding": dense.embedding,
    "Flatten": reshaping.flatten,
    "GRU": recurrent.gru,
    "GaussianDropout": elementwise.dropout,
    "GaussianNoise": elementwise.gaussian_noise,
    "GlobalAveragePooling1D": pooling.global_pooling,
    "GlobalAveragePooling2D": pooling.global_pooling,
    "GlobalAveragePooling3D": pooling.global_pooling,
    "GlobalMaxPooling1D": pooling.global_pooling,
    "GlobalMaxPooling2D": pooling.global_pooling,
    "GlobalMaxPooling3D": pooling.global_pooling,
    "GroupNormalization": normalization.group_normalization,
    "GroupQueryAttention": attention.grouped_query_attention,
    "GroupedQueryAttention": attention.grouped_query_attention,  # the class behind that name
    "Hashing": lookups.hashing,
    "Identity": elementwise.unchanged,
    "IntegerLookup": lookups.lookup,
    "LSTM": recurrent.lstm,
    "LayerNormalization": normalization.layer_normalization,
    "LeakyReLU": elementwise.leaky_relu,
    "Masking": elementwise.masking,
    "MaxPooling1D": pooling.pooling,
    "MaxPooling2D": pooling.pooling,
    "MaxPooling3D": pooling.pooling,
    "Maximum": merging.elementwise_merge,
    "MelSpectrogram": preprocessing.mel_spectrogram,
    "Minimum": merging.elementwise_merge,
    "MultiHeadAttention": attention.multi_head_attention,
    "Multiply": merging.elementwise_merge,
    "Normalization": normalization.normalization,
    "PReLU": elementwise.prelu,
    "Permute": reshaping.permute,
    "RMSNormalization": normalization.rms_normalization,
    "ReLU": elementwise.relu,
    "RepeatVector": reshaping.repeat_vector,
    "Rescaling": preprocessing.rescaling,
    "Reshape": reshaping.reshape,
    "Resizing": reshaping.resizing,
    "ReversibleEmbedding": dense.reversible_embedding,
    "STFTSpectrogram": preprocessing.stft_spectrogram,
    "SeparableConv1D": convolution.separable_conv,
    "SeparableConv2D": convolution.separable_conv,
    "SimpleRNN": recurrent.simple_rnn,
    "Softmax": elementwise.softmax,
    "SpatialDropout1D": elementwise.spatial_dropout,
    "SpatialDropout2D": elementwise.spatial_dropout,
    "SpatialDropout3D": elementwise.spatial_dropout,
    "SpectralNormalization": wrappers.spectral_normalization,
    "StringLookup": lookups.lookup,
    "Subtract": merging.subtract,
    "TextVectorization": lookups.text_vectorization,
    "TimeDistributed": wrappers.time_distributed,
    "UnitNormalization": normalization.unit_normalization,
    "UpSampling1D": reshaping.up_sampling,
    "UpSampling2D": reshaping.up_sampling,
    "UpSampling3D": reshaping.up_sampling,
    "ZeroPadding1D": reshaping.zero_padding,
    "ZeroPadding2D": reshaping.zero_padding,
    "ZeroPadding3D": reshaping.zero_padding,
}
"""The rule of every layer, by its Keras class name."""

RESIZES: Mapping[str, Callable[[Call], Resize]] = {
    **{
        layer: convolution.conv_steps
        for layer, rule in RULES.items()
        if rule in (convolution.conv, convolution.depthwise_conv, convolution.separable_conv)
    },
    **dict.fromkeys(
        ("Conv1DTranspose", "Conv2DTranspose", "Conv3DTranspose"), convolution.transposed_steps
    ),
    "Reshape": reshaping.reshaped_steps,
    **{
        f"{layer}{dimensions}D": rule
        for dimensions in (1, 2, 3)
        for layer, rule in (
            ("AveragePooling", pooling.pooled_steps),
            ("Cropping", reshaping.cropped_steps),
            ("MaxPooling", pooling.pooled_steps),
            ("UpSampling", reshaping.repeated_steps),
            ("ZeroPadding", reshaping.padded_steps),
        )
    },
}
"""How each layer that works along the steps changes their number, by its Keras class name."""


def layer_facts(
    layer: str,
    arguments: Mapping[str, Any],
    inputs: Sequence[TensorSpec],
    compute_dtype: str,
) -> LayerFacts:
    """Return the output and weights of ``keras.layers.<layer>(**arguments)`` called on ``inputs``.

    Args:
        layer: Keras's class name.
        arguments: every argument of the constructor.
        inputs: the tensors of the call in order: a merge layer's list, or query, value and key.
        compute_dtype: the dtype that the layer computes in.

    Raises:
        LayerMistake: if the layer cannot have these arguments or inputs.
    """
    if layer not in RULES:
        raise LayerMistake(
            f"the shapes of {layer} are unknown until Keras runs it",
            hint="use another layer",
        )
    _refuse_glu(layer, arguments)
    if not inputs:
        raise LayerMistake(f"{layer} needs an input, but got none", hint="write `input:`")
    facts = RULES[layer](Call(layer, arguments, tuple(inputs), compute_dtype, layer_facts))
    _refuse_sizes_beyond_bounds(layer, facts)
    if arguments.get("trainable") is False:
        frozen = tuple(replace(weight, trainable=False) for weight in facts.weights)
        facts = replace(facts, weights=frozen)
    return facts


def resized_steps(layer: str, arguments: Mapping[str, Any], spec: TensorSpec) -> Resize:
    """Return how a layer of ``RESIZES`` changes the number of steps, axis 1, of each row.

    The steps so counted are those that the layer computes of the row alone, without padding, if
    zeros follow it.

    Raises:
        LayerMistake: if they differ, or the layer does not keep the steps in order.
    """
    call = Call(layer, arguments, (spec,), spec.dtype, layer_facts)
    if is_channels_first(call):
        raise LayerMistake(
            f"the second axis of {layer} with channels first is not that of the steps",
            argument="data_format",
            hint="leave `data_format` out, with a `permute` layer before it",
        )
    return RESIZES[layer](call)


LARGEST_AXIS = 2**31 - 1
MOST_PARAMETERS = 2**40
LONGEST_NAME = 500
"""The most characters of a size such as ``2*(time+1)``, which can double with every layer."""


def _refuse_sizes_beyond_bounds(layer: str, facts: LayerFacts) -> None:
    sizes = facts.output.shape
    if any(isinstance(size, int) and size > LARGEST_AXIS for size in sizes):
        raise LayerMistake(
            f"{layer}'s output would have an axis of more than {LARGEST_AXIS:,}",
            hint="make the input or the output smaller",
        )
    if any(isinstance(size, str) and len(size) > LONGEST_NAME for size in sizes):
        raise LayerMistake(
            f"{layer}'s output has a size that depends on the data in too many ways",
            hint="give the input's named dimensions a fixed size, or join fewer sequences",
        )
    if facts.trainable + facts.non_trainable > MOST_PARAMETERS:
        raise LayerMistake(
            f"{layer} would hold more than {MOST_PARAMETERS:,} parameters",
            hint="choose smaller sizes: no machine has that much memory",
        )


def _refuse_glu(layer: str, arguments: Mapping[str, Any]) -> None:
    """Refuse ``glu``, the only activation that changes the shape, which no layer declares."""
    for name in ("activation", "recurrent_activation"):
        if arguments.get(name) == "glu":
            raise LayerMistake(
                f"{layer}'s activation `glu` halves the last axis, which Keras does not declare",
                argument=name,
                hint="multiply two layers instead, one of them with `activation: sigmoid`",
            )
