"""Layers that draw random numbers in training, with the same numbers under XLA as without it.

Their classes and configurations stay Keras's: what is replaced is a method of the object, and only
what XLA compiles uses the replacement. The formulas are those of Keras
(``keras/src/layers/regularization``, ``keras/src/layers/attention/attention.py``).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import keras
import tensorflow as tf

from lstmgraph.models.kernels.dropout import dropout_mask, dropped
from lstmgraph.models.kernels.random_numbers import normal, of_generator, uniform
from lstmgraph.models.kernels.tracing import is_compiled_by_xla

if TYPE_CHECKING:
    from collections.abc import Callable

Tensor = Any

ALPHA = 1.6732632423543772848170429916717
SCALE = 1.0507009873554804934193349852946
"""The constants of SELU, which alpha dropout keeps the mean and variance of."""


def keep_numbers(layer: keras.Layer) -> None:
    """Have a layer draw under XLA what it draws without it; a layer that draws nothing is left."""
    replaced = vars(layer)
    if hasattr(layer, "_create_dropout_mask"):  # a cell, unless the fused loop has replaced it
        if "_create_dropout_mask" not in replaced:
            layer._create_dropout_mask = _masks(layer)
    elif not hasattr(layer, "seed_generator"):
        return
    elif isinstance(layer, keras.layers.Attention):
        if "_apply_scores" not in replaced:
            layer._apply_scores = _scores(layer)
    elif "call" not in replaced:
        for kind, own in CALLS.items():
            if isinstance(layer, kind) and getattr(layer, "rate", 0) < 1:
                layer.call = _call(layer, own)


def masks_of_cell(cell: Any, of: Tensor, rate: float) -> Tensor | list[Tensor]:
    """Return what the method ``_create_dropout_mask`` of a cell returns, for XLA."""
    count = getattr(cell, "dropout_mask_count", None)
    masks = [dropout_mask(of, rate, cell.seed_generator.next()) for _ in range(count or 1)]
    return masks if count else masks[0]


def _masks(cell: Any) -> Callable[..., Any]:
    keras_masks = cell._create_dropout_mask

    def masks(of: Tensor, rate: float) -> Any:
        is_own = is_compiled_by_xla() and 0 < rate < 1
        return masks_of_cell(cell, of, rate) if is_own else keras_masks(of, rate)

    return masks


def _call(layer: Any, own: Callable[[Any, Tensor], Tensor]) -> Callable[..., Tensor]:
    keras_call = layer.call

    def call(inputs: Tensor, training: bool | None = False) -> Tensor:
        if training and is_compiled_by_xla():
            return own(layer, inputs)
        return keras_call(inputs, training=training)

    return call


def _scores(layer: Any) -> Callable[..., tuple[Tensor, Tensor]]:
    keras_scores = layer._apply_scores

    def apply(
        scores: Tensor, value: Tensor, scores_mask: Tensor = None, training: bool | None = False
    ) -> tuple[Tensor, Tensor]:
        drops = training and layer.dropout > 0 and is_compiled_by_xla()
        found, weights = keras_scores(
            scores, value, scores_mask=scores_mask, training=training and not drops
        )
        if drops:
            weights = dropped(weights, layer.dropout, layer.seed_generator.next())
            found = tf.matmul(weights, value)
        return found, weights

    return apply


def _dropout(layer: Any, inputs: Tensor) -> Tensor:
    own = getattr(layer, "_get_noise_shape", None)  # of SpatialDropout
    shape = own(inputs) if own else layer.noise_shape
    return dropped(inputs, layer.rate, layer.seed_generator.next(), _with_sizes(shape, inputs))


def _alpha_dropout(layer: Any, inputs: Tensor) -> Tensor:
    rate, lowest = layer.rate, -ALPHA * SCALE
    shape = _with_sizes(layer.noise_shape, inputs)
    drawn = uniform(shape, of_generator(layer.seed_generator.next()), keras.config.floatx())
    keeps = tf.cast(drawn >= rate, inputs.dtype)
    a = ((1 - rate) * (1 + rate * lowest**2)) ** -0.5
    return a * (inputs * keeps + lowest * (1 - keeps)) - a * lowest * rate


def _gaussian_noise(layer: Any, inputs: Tensor) -> Tensor:
    return inputs + _normal(layer, inputs) * tf.constant(layer.stddev, inputs.dtype)


def _gaussian_dropout(layer: Any, inputs: Tensor) -> Tensor:
    deviation = math.sqrt(layer.rate / (1 - layer.rate))
    return inputs * (_normal(layer, inputs) * tf.constant(deviation, inputs.dtype) + 1)


def _normal(layer: Any, inputs: Tensor) -> Tensor:
    seed = of_generator(layer.seed_generator.next())
    return normal(tf.shape(inputs), seed, layer.compute_dtype)


def _with_sizes(shape: Any, inputs: Tensor) -> Tensor:
    """Return `shape` with the sizes of `inputs` in the place of None."""
    sizes = tf.shape(inputs)
    if shape is None:
        return sizes
    return tf.stack([sizes[k] if size is None else size for k, size in enumerate(shape)])


CALLS: dict[type[keras.Layer], Callable[[Any, Tensor], Tensor]] = {
    keras.layers.Dropout: _dropout,
    keras.layers.AlphaDropout: _alpha_dropout,
    keras.layers.GaussianNoise: _gaussian_noise,
    keras.layers.GaussianDropout: _gaussian_dropout,
}
"""What each layer gives in training. Spatial dropouts are kinds of ``Dropout``."""
