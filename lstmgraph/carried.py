"""States that a model carries from batch to batch: read, reset, save and restore them.

For models built with ``initial_state: carried``, and for any Keras model with stateful layers,
loaded from a file too: a ``.keras`` file holds the weights, but not the carried states.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lstmgraph.writing import atomic_path

if TYPE_CHECKING:
    from collections.abc import Mapping

    import keras

States = dict[str, np.ndarray]

_SLOTS = ("h", "c")


def read_states(model: keras.Model) -> States:
    """The carried states by name, such as ``reader.h``; each of shape (batch, units)."""
    return {name: np.array(variable) for name, variable in _variables(model).items()}


def write_states(model: keras.Model, states: Mapping[str, np.ndarray]) -> None:
    """Put `states` in place of those that `model` carries.

    Raises:
        ValueError: a state is missing, unknown, or of another shape; nothing is changed then.
    """
    variables = _variables(model)
    if set(states) != set(variables):
        wanted = ", ".join(variables) or "none"
        raise ValueError(f"the model carries the states {wanted}; given: {', '.join(states)}")
    for name, variable in variables.items():
        if tuple(states[name].shape) != tuple(variable.shape):
            raise ValueError(
                f"the state {name} has shape {tuple(variable.shape)}, given: {states[name].shape}"
            )
    for name, variable in variables.items():
        variable.assign(states[name])


def reset_states(model: keras.Model, rows: Any = None) -> None:
    """Begin again from zeros: all rows of the batch, or only `rows`, such as ``[0, 3]``."""
    states = read_states(model)
    for state in states.values():
        state[slice(None) if rows is None else rows] = 0
    write_states(model, states)


def save_states(model: keras.Model, path: str | Path) -> None:
    """Write the carried states to an ``.npz`` file, whole or not at all."""
    with atomic_path(Path(path)) as temporary, temporary.open("wb") as file:
        states: dict[str, Any] = {**read_states(model)}
        np.savez(file, **states)


def restore_states(model: keras.Model, path: str | Path) -> None:
    """Read the carried states back from a file of ``save_states``.

    Raises:
        ValueError: the file is not one, or its states are not those of `model`.
    """
    try:
        with np.load(Path(path), allow_pickle=False) as archive:
            states = {name: archive[name] for name in archive.files}
    except (ValueError, EOFError, AttributeError) as error:
        raise ValueError(f"{path} does not hold states: {error}") from None
    write_states(model, states)


def _variables(model: keras.Model) -> dict[str, Any]:
    return {
        f"{layer.name}.{slot}": variable
        for layer in model.layers
        if getattr(layer, "stateful", False) and getattr(layer, "states", None)
        for slot, variable in zip(_SLOTS, layer.states, strict=False)
    }
