"""Reading, resetting, saving and restoring the states that a model carries between batches.

They work on models built with ``initial_state: carried``, and on any Keras model with stateful
layers. A ``.keras`` file holds the weights, but not the carried states.

On JAX, Keras alone keeps no states in ``fit``, ``evaluate`` and ``predict``. It does so in models
that lstmgraph built or loaded, and in those that were once passed to one of these functions.
"""

from __future__ import annotations

import math
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lstmgraph.archives import ArchiveError, opened_archive
from lstmgraph.files import atomic_path
from lstmgraph.npz import array_names, read_array

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    import keras

States = dict[str, np.ndarray]

LARGEST_NUMBER = 16
"""The most bytes that one number takes."""
MOST_NAMES = 20
"""The most names that a message lists."""


def read_states(model: keras.Model) -> States:
    """Return the carried states by name, such as ``reader.h``, each (batch, units)."""
    states = state_variables(model).items()
    return {name: np.array(variable.numpy()) for name, variable in states}


def write_states(model: keras.Model, states: Mapping[str, np.ndarray]) -> None:
    """Replace the states that `model` carries.

    Args:
        model: a Keras model with stateful layers.
        states: all of its states by name, each (batch, units).

    Raises:
        ValueError: a state is missing, unknown, of another shape, or does not hold numbers; no
            state is changed.
    """
    variables = state_variables(model)
    _refuse_other_names(states, variables)
    arrays = {name: np.asarray(state) for name, state in states.items()}
    for name, variable in variables.items():
        array = arrays[name]
        if array.shape != tuple(variable.shape):
            raise ValueError(
                f"the state {name} must have shape {tuple(variable.shape)}, not {array.shape}"
            )
        if array.dtype.kind not in "fiu":
            raise ValueError(f"the state {name} must hold numbers, not {array.dtype}")
    for name, variable in variables.items():
        variable.assign(arrays[name])


def _refuse_other_names(names: Collection[str], variables: Mapping[str, Any]) -> None:
    if set(names) != set(variables):
        wanted, given = ", ".join(variables) or "none", ", ".join(islice(names, MOST_NAMES))
        raise ValueError(f"the model carries the states {wanted}; given: {given}")


def reset_states(model: keras.Model, rows: Any = None) -> None:
    """Set the carried states to zeros, in all rows or only in `rows`, such as ``[0, 3]``."""
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
    """Restore the carried states from a file that ``save_states`` wrote.

    Raises:
        ValueError: the file is not such a file, or its states are not those of `model`; no state is
            changed.
        OSError: the file cannot be read.
    """
    variables = state_variables(model)
    try:
        with opened_archive(Path(path)) as archive:
            names = array_names(archive)
            _refuse_other_names(names, variables)
            most = {name: LARGEST_NUMBER * math.prod(variables[name].shape) for name in names}
            states = {name: read_array(archive, name, most[name]) for name in names}
        write_states(model, states)
    except ArchiveError as error:
        raise ValueError(f"{path} is not a file of states: {error}") from None
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def state_variables(model: keras.Model) -> dict[str, Any]:
    """Return the variables of the carried states by name, including those of inner models."""
    from lstmgraph.models.building.carrying import kept_states  # noqa: PLC0415 - imports Keras

    return kept_states(model)
