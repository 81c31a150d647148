"""States that layers carry from batch to batch, as variables of the model on any backend."""

from __future__ import annotations

from typing import Any

import keras

_SLOTS = ("h", "c")


def kept_states(model: keras.Model) -> dict[str, Any]:
    """Return the variables of carried states by name, and make `fit` and `predict` keep them.

    On JAX these hand a model's variables to a compiled function, and take them back from it. Keras
    leaves the states of ``stateful`` layers out, so that they would not move on, without a word.
    """
    states = _by_name(model)
    if states and keras.backend.backend() == "jax" and not hasattr(model, "carried_states"):
        model.carried_states = [_CarriedState(state) for state in states.values()]
    return states


class _CarriedState(keras.random.SeedGenerator):  # type: ignore[misc]  # Keras has no types
    """Holds a variable as a seed generator does its own: one of the model's, and not in its file.

    Kept as a weight it would be in the file, and Keras on another backend would refuse to load it.
    """

    def __init__(self, state: Any) -> None:
        self.state = state


def _by_name(model: keras.Model, prefix: str = "") -> dict[str, Any]:
    """Return the variables by name; those of a nested model are named ``inner.reader.h``."""
    found: dict[str, Any] = {}
    for layer in model.layers:
        name = f"{prefix}{layer.name}"
        if hasattr(layer, "layers"):
            found |= _by_name(layer, f"{name}.")
        elif getattr(layer, "stateful", False) and getattr(layer, "states", None):
            found |= {f"{name}.{slot}": state for slot, state in _slots(layer.states).items()}
    return found


def _slots(states: Any) -> dict[str, Any]:
    """``h`` and ``c``; where a layer has more states than these, ``1``, ``2``, ..."""
    if len(states) <= len(_SLOTS):
        return dict(zip(_SLOTS, states, strict=False))
    return {str(number): state for number, state in enumerate(states, start=1)}


def saved_weights(layer: keras.Layer) -> list[Any]:
    """Return the weights of a layer that a file holds, without the states that it carries."""
    carried = {id(state) for state in keras.tree.flatten(getattr(layer, "states", None))}
    return [weight for weight in layer.weights if id(weight) not in carried]
