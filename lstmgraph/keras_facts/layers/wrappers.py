"""Rules of layers that wrap another layer."""

from dataclasses import replace

from lstmgraph.keras_facts.layers.core import (
    Call,
    LayerFacts,
    LayerMistake,
    Weight,
    is_float,
    require_min_rank,
    require_positive,
)
from lstmgraph.keras_facts.layers.dense import einsum_kernel
from lstmgraph.keras_facts.tensors import TensorSpec

# The argument with the size of the last axis of each layer's kernel or embeddings.
_KERNEL_COLUMNS = {
    "Dense": "units",
    "Embedding": "output_dim",
    "ReversibleEmbedding": "output_dim",
    "Conv1D": "filters",
    "Conv2D": "filters",
    "Conv3D": "filters",
    "DepthwiseConv1D": "depth_multiplier",
    "DepthwiseConv2D": "depth_multiplier",
}


def time_distributed(call: Call) -> LayerFacts:
    """TimeDistributed: (batch, time, ...) -> (batch, time, ...), the layer applied to each step."""
    spec = call.input
    require_min_rank(call, 3, "(batch, time, ...)")
    step = TensorSpec((spec.shape[0], *spec.shape[2:]), spec.dtype)
    inner = _inner(call, step)
    batch, *rest = inner.output.shape
    return call.facts(
        (batch, spec.shape[1], *rest),
        dtype=inner.output.dtype,
        weights=[weight.within("layer") for weight in inner.weights],
    )


def spectral_normalization(call: Call) -> LayerFacts:
    """SpectralNormalization: the inner layer's output, in the dtype of its input.

    It has one vector, with the size of the last axis of the inner kernel. Keras casts the output
    to the input's dtype, so integer inputs would round it.
    """
    require_positive(call, "power_iterations")
    inner = _inner(call, call.input)
    for argument, arguments in (("", call.arguments), ("layer.", call.arguments["layer"])):
        if arguments.get("trainable") is False:
            raise LayerMistake(
                "SpectralNormalization changes its kernel in training, also where it is frozen",
                argument=f"{argument}trainable",
                hint="leave the wrapper out: a frozen kernel does not need it",
            )
    if not is_float(call.input.dtype):
        raise LayerMistake(
            f"SpectralNormalization would round its output to the input's {call.input.dtype}",
            input=0,
            hint="declare the input with `dtype: float32`; instead of wrapping an Embedding, give "
            "it an `embeddings_constraint`",
        )
    weights = [weight.within("layer") for weight in inner.weights]
    if inner.weights[0].trainable:  # with LoRA it is a sum rather than a variable
        weights.append(replace(inner.weights[0], shared=True))
    weights.append(Weight((1, _kernel_columns(call)), trainable=False))
    return call.facts(inner.output.shape, weights=weights)


def _inner(call: Call, spec: TensorSpec) -> LayerFacts:
    layer = call.arguments["layer"]
    try:
        return call.facts_of(layer["type"], layer, [spec], call.compute_dtype)
    except LayerMistake as mistake:
        argument = None if mistake.argument is None else f"layer.{mistake.argument}"
        raise LayerMistake(
            f"inside {call.layer}: {mistake.message}",
            argument=argument,
            input=mistake.input,
            hint=mistake.hint,
        ) from mistake


def _kernel_columns(call: Call) -> int:
    layer = call.arguments["layer"]
    kind = layer["type"]
    if kind in _KERNEL_COLUMNS:
        return int(layer[_KERNEL_COLUMNS[kind]])
    if kind.startswith("Conv") and kind.endswith("Transpose"):
        channels = call.input.shape[1 if layer["data_format"] == "channels_first" else -1]
        return int(channels)
    if kind == "EinsumDense":
        inner = Call(kind, layer, call.inputs, call.compute_dtype, call.facts_of)
        return einsum_kernel(inner)[-1]
    raise LayerMistake(
        f"SpectralNormalization needs a layer with a kernel, but {kind} has none",
        argument="layer",
        hint="wrap a Dense, a convolution or an Embedding",
    )
