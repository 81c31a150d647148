"""Layers that run on each step of a sequence, with the steps folded into the batch.

``time_distributed`` of a recurrent layer, or of another call of a layer, is no Keras layer of its
own: (batch, segments, steps, features) is folded to (batch * segments, steps, features), the layer
inside is called on that, and its result is unfolded to (batch, segments, ...).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lstmgraph.keras_facts.catalogue import is_recurrent, layer_class

if TYPE_CHECKING:
    from collections.abc import Mapping

    Data = dict[str, Any]

WRAPPERS = ("time_distributed", "TimeDistributed")
OF_THE_WRAPPER = ("input", "mask", "dtype_policy")
"""The keys that a wrapper has for the layer inside."""


def wrapped(layer: Mapping[str, Any]) -> tuple[Mapping[str, Any], int]:
    """Return the layer inside of all ``time_distributed``, and how many there are around it."""
    depth = 0
    while layer.get("type") in WRAPPERS and isinstance(layer.get("layer"), dict):
        layer = layer["layer"]
        depth += 1
    return layer, depth


def is_folded(layer: Mapping[str, Any]) -> bool:
    """Return whether a layer runs on steps that are folded into the batch."""
    inner, depth = wrapped(layer)
    return depth > 0 and ("call" in inner or is_recurrent(layer_class(inner["type"])))


def is_block(entry: Mapping[str, Any]) -> bool:
    """Return whether what a call names is a block rather than a layer."""
    return "layers" in entry


def has_states(layer: Mapping[str, Any], layers: Mapping[str, Any]) -> bool:
    """Return whether a layer, or the one inside of it or called by it, is recurrent.

    Args:
        layer: the layer, as written or completed.
        layers: all layers of the recipe, by name.
    """
    for _ in range(3):  # a call, of a wrapper, of a call
        layer = wrapped(layer)[0]
        if is_block(layer):
            return False
        if "call" not in layer:
            return is_recurrent(layer_class(layer["type"]))
        layer = layers[layer["call"]]
    return False


def unwrapped(layer: Data, layers: Mapping[str, Data]) -> tuple[Data, int]:
    """Return a completed layer with the keys of the one that is called in the end.

    Args:
        layer: the layer: of a type, a wrapper, or a call.
        layers: all completed layers of the recipe, by name.

    Returns:
        The arguments of the layer that is called, beside the input and the mask of `layer`; under
        ``call`` the layer of the recipe whose weights it has, if these are not its own. And how
        many leading axes are folded into the batch.
    """
    if "call" in layer:
        called, folds = unwrapped(layers[layer["call"]], layers)
        return {**called, **layer}, folds
    if not is_folded(layer):
        return layer, 0
    inner, depth = wrapped(layer)
    own = {key: layer[key] for key in OF_THE_WRAPPER if key in layer}
    if "call" in inner:  # which decides the policy
        called, folds = unwrapped(layers[inner["call"]], layers)
        return {**called, **inner, **own}, folds + depth
    trainable = inner["trainable"] and _is_trainable(layer)
    return {**inner, **own, "trainable": trainable}, depth


def _is_trainable(wrapper: Mapping[str, Any]) -> bool:
    inner = wrapper.get("layer")
    return bool(wrapper["trainable"]) and (not isinstance(inner, dict) or _is_trainable(inner))
