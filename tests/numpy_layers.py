"""Plain Keras layers in NumPy float64, each from the layer's data, its weights and its inputs.

Every function gives the output and the mask that it hands on. Inputs have ``array`` and ``mask``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import reference as ref

if TYPE_CHECKING:
    from collections.abc import Callable

    from reference import Array

Data = dict[str, Any]
Result = tuple["Array", "Array | None"]


class NotEvaluatedError(NotImplementedError):
    """A layer that has no formula here."""


ACTIVATIONS: dict[str | None, Callable[[Array], Array]] = {
    None: lambda x: x,
    "linear": lambda x: x,
    "tanh": np.tanh,
    "sigmoid": ref.sigmoid,
    "relu": ref.relu,
}


def activation(name: str | None) -> Callable[[Array], Array]:
    if name not in ACTIVATIONS:
        raise NotEvaluatedError(name)
    return ACTIVATIONS[name]


def dense(x: Array, weights: list[Array]) -> Array:
    kernel, *bias = weights
    return x @ kernel + sum(bias)


def _dense(layer: Data, weights: list[Array], inputs: list[Any]) -> Result:
    found = activation(layer.get("activation"))(dense(inputs[0].array, weights))
    return found, inputs[0].mask


def _embedding(layer: Data, weights: list[Array], inputs: list[Any]) -> Result:
    ids = inputs[0].array
    return weights[0][ids], ids != 0 if layer.get("mask_zero") else None


def _conv1d(layer: Data, weights: list[Array], inputs: list[Any]) -> Result:
    kernel, bias = weights
    more = len(kernel) - 1
    before, after = {"valid": (0, 0), "causal": (more, 0), "same": (more // 2, more - more // 2)}[
        layer["padding"]
    ]
    x = np.pad(inputs[0].array, [(0, 0), (before, after), (0, 0)])
    steps = x.shape[1] - more
    found = sum(x[:, place : place + steps] @ part for place, part in enumerate(kernel))
    return found + bias, None


def _same(_layer: Data, _weights: list[Array], inputs: list[Any]) -> Result:
    return inputs[0].array, inputs[0].mask


def _activation(layer: Data, _weights: list[Array], inputs: list[Any]) -> Result:
    return activation(layer["activation"])(inputs[0].array), inputs[0].mask


def _relu(_layer: Data, _weights: list[Array], inputs: list[Any]) -> Result:
    return ref.relu(inputs[0].array), inputs[0].mask


def _layer_normalization(_layer: Data, weights: list[Array], inputs: list[Any]) -> Result:
    return ref.layer_norm(inputs[0].array, weights), inputs[0].mask


def _unit_normalization(_layer: Data, _weights: list[Array], inputs: list[Any]) -> Result:
    x = inputs[0].array
    length = np.sqrt(np.square(x).sum(axis=-1, keepdims=True))
    return x / np.maximum(length, 1e-12), inputs[0].mask


def _batch_normalization(_layer: Data, weights: list[Array], inputs: list[Any]) -> Result:
    scale, shift, mean, variance = weights
    x = inputs[0].array
    return (x - mean) / np.sqrt(variance + 1e-3) * scale + shift, inputs[0].mask


def _time_distributed(layer: Data, weights: list[Array], inputs: list[Any]) -> Result:
    inner = layer["layer"]
    if inner["type"] != "dense":
        raise NotEvaluatedError(inner["type"])
    return _dense(inner, weights, inputs)


def _global_average(_layer: Data, _weights: list[Array], inputs: list[Any]) -> Result:
    x, mask = inputs[0].array, inputs[0].mask
    if mask is None:
        return x.mean(axis=1), None
    count = np.maximum(mask.sum(axis=1), 1)  # the average of no steps is 0
    return (x * mask[:, :, None]).sum(axis=1) / count[:, None], None


def _global_max(_layer: Data, _weights: list[Array], inputs: list[Any]) -> Result:
    return inputs[0].array.max(axis=1), None


def _masking(layer: Data, _weights: list[Array], inputs: list[Any]) -> Result:
    x = inputs[0].array
    mask = np.any(x != layer["mask_value"], axis=-1)
    return x * mask[:, :, None], mask


def _concatenate(layer: Data, _weights: list[Array], inputs: list[Any]) -> Result:
    axis = layer.get("axis", -1)
    found = np.concatenate([each.array for each in inputs], axis=axis)
    if axis != 1 or all(each.mask is None for each in inputs):
        return found, inputs[0].mask
    masks = [
        np.ones(each.array.shape[:2], bool) if each.mask is None else each.mask for each in inputs
    ]
    return found, np.concatenate(masks, axis=1)


def _merging(merge: Callable[[list[Array]], Array]) -> Callable[..., Result]:
    def merged(_layer: Data, _weights: list[Array], inputs: list[Any]) -> Result:
        return merge([each.array for each in inputs]), inputs[0].mask

    return merged


def _attention(_layer: Data, _weights: list[Array], inputs: list[Any]) -> Result:
    query, value = inputs
    weights = _softmax(np.einsum("btf,bsf->bts", query.array, value.array), value.mask)
    found = weights @ value.array
    return found if query.mask is None else found * query.mask[:, :, None], query.mask


def _multi_head_attention(_layer: Data, weights: list[Array], inputs: list[Any]) -> Result:
    query, value = inputs
    kernels, biases = weights[0::2], weights[1::2]
    heads = [
        np.einsum("btf,fhk->bhtk", each.array, kernel) + bias[:, None]
        for each, kernel, bias in zip((query, value, value), kernels, biases, strict=False)
    ]
    scores = np.einsum("bhtk,bhsk->bhts", heads[0], heads[1]) / np.sqrt(heads[0].shape[-1])
    mask = np.ones(scores.shape, bool)
    if value.mask is not None:
        mask &= value.mask[:, None, None, :]
    if query.mask is not None:
        mask &= query.mask[:, None, :, None]
    found = np.einsum("bhts,bhsk->bhtk", _softmax(scores, mask), heads[2])
    return np.einsum("bhtk,hkf->btf", found, kernels[3]) + biases[3], query.mask


def _softmax(scores: Array, mask: Array | None) -> Array:
    """Over the last axis; where nothing counts, everything counts the same."""
    if mask is not None:
        mask = mask[:, None, :] if mask.ndim < scores.ndim else mask
        none = ~mask.any(axis=-1, keepdims=True)
        scores = np.where(none, 0.0, np.where(mask, scores, -np.inf))
    weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return weights / weights.sum(axis=-1, keepdims=True)


def _repeat_vector(layer: Data, _weights: list[Array], inputs: list[Any]) -> Result:
    return np.repeat(inputs[0].array[:, None], layer["n"], axis=1), None


def _reshape(layer: Data, _weights: list[Array], inputs: list[Any]) -> Result:
    x = inputs[0].array
    return x.reshape((len(x), *layer["target_shape"])), None


LAYERS: dict[str, Callable[[Data, list[Array], list[Any]], Result]] = {
    "dense": _dense,
    "embedding": _embedding,
    "conv1d": _conv1d,
    "dropout": _same,
    "gaussian_noise": _same,
    "Identity": _same,
    "activation": _activation,
    "ReLU": _relu,
    "layer_normalization": _layer_normalization,
    "unit_normalization": _unit_normalization,
    "batch_normalization": _batch_normalization,
    "time_distributed": _time_distributed,
    "global_average_pooling1d": _global_average,
    "global_max_pooling1d": _global_max,
    "masking": _masking,
    "concatenate": _concatenate,
    "add": _merging(sum),
    "average": _merging(lambda arrays: sum(arrays) / len(arrays)),
    "multiply": _merging(lambda arrays: np.prod(arrays, axis=0)),
    "maximum": _merging(lambda arrays: np.max(arrays, axis=0)),
    "attention": _attention,
    "multi_head_attention": _multi_head_attention,
    "repeat_vector": _repeat_vector,
    "reshape": _reshape,
}
