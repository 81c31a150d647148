"""Embeddings that show under XLA, too, that an id is not in their table."""

from __future__ import annotations

import math
from typing import Any

import keras
import tensorflow as tf

from lstmgraph.models.kernels.tracing import is_compiled_by_xla

Tensor = Any


def mark_wrong_ids(layer: keras.Layer) -> None:
    """Have an embedding give NaN under XLA for an id outside of its table.

    TensorFlow refuses such an id on a CPU; XLA takes the nearest row without a word. NaN is what
    Keras gives on JAX. Other layers are left alone.
    """
    if not isinstance(layer, keras.layers.Embedding) or "call" in vars(layer):
        return
    keras_call = layer.call

    def call(inputs: Tensor, **keywords: Any) -> Tensor:
        found = keras_call(inputs, **keywords)
        if keywords.get("reverse") or not is_compiled_by_xla():
            return found
        ids = tf.cast(inputs, tf.int64)  # negative ones count from the end
        known = (ids >= -layer.input_dim) & (ids < layer.input_dim)
        marked = tf.where(known[..., None], found, math.nan)
        mask = getattr(found, "_keras_mask", None)  # a ReversibleEmbedding makes it in its call
        if mask is not None:
            marked._keras_mask = mask
        return marked

    layer.call = call
