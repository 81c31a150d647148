"""Rules of layers that keep the shape: activations, dropout, noise, masking."""

from lstmgraph.keras_facts.layers.core import (
    FLOAT_OF_INTEGERS,
    Call,
    LayerFacts,
    LayerMistake,
    Weight,
    is_float,
    kept_dtype,
    positive_axis,
    require_float,
    require_fraction,
    require_min_rank,
    require_number,
    static_dim,
)
from lstmgraph.keras_facts.layers.spatial import spatial_input

# Whether TensorFlow's functions keep integers or turn them into floats; all others fail.
_KEEP_INTEGERS = frozenset({"relu", "relu6"})
_KEEP_ANYTHING = frozenset({"linear", None})
_FLOATS_OF_ANYTHING = frozenset({"tanh", "exponential"})
_FLOATS_OF_INTEGERS = frozenset({"leaky_relu"})


ALONG_LAST_AXIS = frozenset(
    {
        "Activation",
        "ActivityRegularization",
        "AlphaDropout",
        "Dense",
        "Dropout",
        "ELU",
        "Embedding",
        "GaussianDropout",
        "GaussianNoise",
        "Identity",
        "LeakyReLU",
        "Masking",
        "ReLU",
        "Rescaling",
        "ReversibleEmbedding",
    }
)
"""Layers that compute each value, or each vector of the last axis, from itself alone, whatever axes
come before; noise and dropout act only in training."""


def unchanged(call: Call) -> LayerFacts:
    """Identity, ActivityRegularization: any shape, any dtype."""
    return call.facts(call.input.shape, dtype=kept_dtype(call, call.input))


def masking(call: Call) -> LayerFacts:
    """Masking: (batch, ..., features), masked where every feature equals ``mask_value``."""
    require_min_rank(call, 2, "(batch, ..., features)")
    dtype = kept_dtype(call, call.input)
    return call.facts(call.input.shape, dtype="int32" if dtype == "bool" else dtype)


def activation(call: Call) -> LayerFacts:
    """Activation: any shape; some functions keep integers, and many fail on them."""
    dtype = _activated_dtype(call, call.arguments["activation"])
    return call.facts(call.input.shape, dtype=dtype)


def relu(call: Call) -> LayerFacts:
    """ReLU: any shape; its three parameters must not be negative."""
    for name in ("max_value", "negative_slope", "threshold"):
        value = call.arguments[name]
        if value is None and name == "max_value":
            continue
        if value is None or value < 0:
            raise LayerMistake(
                f"ReLU's `{name}` must be at least 0, not {value}",
                argument=name,
                hint=f"write `{name}: 0` or more",
            )
    return call.facts(call.input.shape, dtype=_activated_dtype(call, "relu"))


def leaky_relu(call: Call) -> LayerFacts:
    """LeakyReLU: any shape."""
    return call.facts(call.input.shape, dtype=_activated_dtype(call, "leaky_relu"))


def elu(call: Call) -> LayerFacts:
    """ELU: any shape of floats."""
    return call.facts(call.input.shape, dtype=_activated_dtype(call, "elu"))


def _activated_dtype(call: Call, function: object) -> str:
    dtype = kept_dtype(call, call.input)
    if is_float(dtype):
        return dtype
    if not isinstance(function, str | None):
        require_float(call)
    if function in _KEEP_ANYTHING:
        return dtype
    if function in _FLOATS_OF_ANYTHING:
        return FLOAT_OF_INTEGERS
    require_number(call)
    if function in _FLOATS_OF_INTEGERS:
        return FLOAT_OF_INTEGERS
    if function not in _KEEP_INTEGERS:
        require_float(call)
    return dtype


def softmax(call: Call) -> LayerFacts:
    """Softmax: any shape; sums to one along ``axis``, an int or a list."""
    axis = call.arguments["axis"]
    for one in axis if isinstance(axis, list | tuple) else [axis]:
        positive_axis(call, one, call.input.rank)
    require_float(call)
    return call.facts(call.input.shape)


def prelu(call: Call) -> LayerFacts:
    """PReLU: one parameter per element of a row, shared along ``shared_axes`` (from 1)."""
    require_float(call)
    rank = call.input.rank
    shared = call.arguments["shared_axes"]
    if shared is None or isinstance(shared, int):
        shared = [] if shared is None else [shared]
    for axis in shared:
        if not 1 <= axis < rank:
            raise LayerMistake(
                f"`shared_axes: {axis}` is out of range for PReLU's input {call.input}",
                argument="shared_axes",
                hint=f"write axes from 1 to {rank - 1}: axis 0, the batch, has no parameters",
            )
    own = [axis for axis in range(1, rank) if axis not in shared]
    sizes = tuple(
        static_dim(call, axis, argument="shared_axes") if axis in own else 1
        for axis in range(1, rank)
    )
    return call.facts(call.input.shape, weights=[Weight(sizes)])


def dropout(call: Call) -> LayerFacts:
    """Dropout, AlphaDropout, GaussianDropout: any shape of floats."""
    require_fraction(call, "rate")
    require_float(call)
    _check_noise_shape(call)
    return call.facts(call.input.shape)


def gaussian_noise(call: Call) -> LayerFacts:
    """GaussianNoise: any shape of floats."""
    require_fraction(call, "stddev")
    require_float(call)
    return call.facts(call.input.shape)


def spatial_dropout(call: Call) -> LayerFacts:
    """SpatialDropout1D..3D: drops whole channels."""
    spatial_input(call, int(call.layer[-2]))
    return dropout(call)


def _check_noise_shape(call: Call) -> None:
    noise = call.arguments.get("noise_shape")
    if noise is None:
        return
    shape = call.input.shape
    fits = len(noise) == len(shape) and all(
        one in (None, 1, dim) or isinstance(dim, str) for one, dim in zip(noise, shape, strict=True)
    )
    if not fits:
        raise LayerMistake(
            f"{call.layer}'s `noise_shape` {list(noise)} does not broadcast to the input "
            f"{call.input}",
            argument="noise_shape",
            hint="write one entry per dimension, including the batch: 1 to share, null to keep",
        )
