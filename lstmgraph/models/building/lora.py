"""The two thin matrices of layers with ``lora_rank``, which Keras saves as part of the kernel."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import keras

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

PREFIX, FIRST = "lora_", "_a"


def without_lora(weights: Iterable[Any]) -> list[Any]:
    """Return the weights that a file holds by themselves."""
    return [weight for weight in weights if not weight.name.startswith(PREFIX)]


def adapted_weights(model: keras.Model) -> list[Any]:
    """Return all weights of the layers that have such matrices; a file holds only their sum."""
    return [
        weight
        for layer in model.layers
        if len(without_lora(layer.weights)) < len(layer.weights)
        for weight in layer.weights
    ]


def is_first_matrix(weight: Any) -> bool:
    """Return whether a weight is the matrix of the two that is drawn; the other begins as zeros."""
    return bool(weight.name.startswith(PREFIX) and weight.name.endswith(FIRST))


@contextmanager
def lora_kept(model: keras.Model) -> Iterator[None]:
    """Keep the first matrices through a block that loads a file.

    Keras 3.15.1 (``load_own_variables`` of its layers) sets both to zero. The gradient of either is
    a product with the other, so training would never change them again.
    """
    first = [
        (weight, keras.ops.convert_to_numpy(weight))
        for weight in model.weights
        if is_first_matrix(weight)
    ]
    yield
    for weight, value in first:
        weight.assign(value)
