"""What Keras draws from its global generator, whatever the seed of the layer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras

from lstmgraph.models.building.lora import is_first_matrix
from lstmgraph.models.seeds import derived_seed

if TYPE_CHECKING:
    from collections.abc import Iterator


def draw_unseeded(model: keras.Model, seed: int | None) -> None:
    """Draw again, from `seed`, the weights whose initializer no argument of Keras's layers names.

    Keras 3.15.1: the first matrix of ``lora_rank`` (``he_uniform``) and the scale of
    ``AdditiveAttention`` (``glorot_uniform``), whose dropout has no argument for its seed either.
    """
    for layer, name, kind, own in unseeded_weights(model, seed):
        weight = getattr(model.get_layer(layer), name)
        initializer = getattr(keras.initializers, kind)(own)
        weight.assign(initializer(weight.shape, weight.dtype))


def unseeded_weights(model: keras.Model, seed: int | None) -> Iterator[tuple[str, str, str, int]]:
    """Yield those weights: layer, attribute, class of the initializer, and seed."""
    if seed is None:
        return
    for layer in model.layers:
        if isinstance(layer, keras.layers.AdditiveAttention) and layer.dropout:
            layer.seed_generator.state.assign([derived_seed(seed, layer.name, "seed"), 0])
        for weight in layer.weights:
            initializer = _initializer(layer, weight)
            if initializer is not None:
                own = derived_seed(seed, layer.name, weight.name)
                yield layer.name, weight.name, initializer.__name__, own


def _initializer(layer: keras.Layer, weight: Any) -> type[Any] | None:
    found: type[Any] | None = None
    if is_first_matrix(weight):
        found = keras.initializers.HeUniform
    elif isinstance(layer, keras.layers.AdditiveAttention) and weight.name == "scale":
        found = keras.initializers.GlorotUniform
    return found
