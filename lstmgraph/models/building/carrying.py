"""The states that layers carry between batches, as variables of the model on any backend."""

from __future__ import annotations

from typing import Any

import keras

_SLOTS = ("h", "c")


def kept_states(model: keras.Model) -> dict[str, Any]:
    """Return the variables of the carried states by name, and have `fit` and `predict` keep them.

    On JAX, these methods pass a model's variables to a compiled function and take them back from
    it. Keras leaves out the states of ``stateful`` layers, which would silently never change.
    """
    states = _by_name(model)
    if states and keras.backend.backend() == "jax" and not hasattr(model, "carried_states"):
        model.carried_states = [_CarriedState(state) for state in states.values()]
    return states


class _CarriedState(keras.random.SeedGenerator):  # type: ignore[misc]  # Keras has no types
    """Holds a state as a seed generator does: a variable of the model, but not one of its weights.

    A weight would be saved in the file, which Keras on another backend would then refuse to load.
    """

    def __init__(self, state: Any) -> None:
        self.state = state


def _by_name(model: keras.Model, prefix: str = "") -> dict[str, Any]:
    """Return the states by name; those of a model that is a layer here are ``inner.reader.h``."""
    variables: dict[str, Any] = {}
    for layer in model.layers:
        name = f"{prefix}{layer.name}"
        if hasattr(layer, "layers"):
            variables |= _by_name(layer, f"{name}.")
        elif getattr(layer, "stateful", False) and getattr(layer, "states", None):
            variables |= {f"{name}.{slot}": state for slot, state in _slots(layer.states).items()}
    return variables


def _slots(states: Any) -> dict[str, Any]:
    """Return the states by slot: ``h`` and ``c``, or ``1``, ``2``, ... if more than two."""
    if len(states) <= len(_SLOTS):
        return dict(zip(_SLOTS, states, strict=False))
    return {str(number): state for number, state in enumerate(states, start=1)}


def saved_weights(layer: keras.Layer) -> list[Any]:
    """Return the weights that training changes and a file holds, without the carried states."""
    carried = {id(state) for state in keras.tree.flatten(getattr(layer, "states", None))}
    return [weight for weight in layer.weights if id(weight) not in carried]
