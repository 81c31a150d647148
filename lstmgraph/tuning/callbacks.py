"""The user's callbacks on their way into the processes of trials."""

from __future__ import annotations

import pickle
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import cloudpickle
import keras

from lstmgraph.training.callbacks import own_callbacks

if TYPE_CHECKING:
    from pathlib import Path

MOST_BYTES = 16 * 1024 * 1024
"""They are written anew for every trial."""


@dataclass(frozen=True)
class TrialInfo:
    """The training that callbacks are made for."""

    number: int
    """Of the trial, from 0."""
    values: Mapping[str, Any]
    """A value for each active dimension, by its name."""
    folder: Path
    """The trial's, where callbacks can write files of their own."""
    execution: int = 0
    """Of the trainings at one point of the space, from 0."""
    fold: int = 0
    """Of cross-validation, from 0."""


TrialCallbacks: TypeAlias = (
    keras.callbacks.Callback
    | Sequence[keras.callbacks.Callback]
    | Callable[[TrialInfo], Sequence[keras.callbacks.Callback]]
)


def pickled(callbacks: TrialCallbacks) -> str:
    """Return callbacks, or a function that makes some, as text.

    Raises:
        TypeError: they are neither.
        ValueError: they cannot be pickled, or are too large.
    """
    given = callbacks if _makes_callbacks(callbacks) else own_callbacks(callbacks)
    try:
        # Not read back here: that would put new methods into the classes of this very program.
        data = cloudpickle.dumps(given)
    except Exception as error:  # whatever an object's own methods raise
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ValueError(
            f"the callbacks cannot be pickled for the processes of trials: {reason}; give a "
            "function that makes them there"
        ) from None
    if len(data) > MOST_BYTES:
        raise ValueError(
            f"the callbacks take {len(data):,} bytes, and {MOST_BYTES:,} at most go with a trial; "
            "give a function that reads what they need"
        )
    return b64encode(data).decode("ascii")


def unpickled(text: str, trial: TrialInfo) -> tuple[keras.callbacks.Callback, ...]:
    """Return the callbacks of one training, made of what ``pickled`` returned.

    Raises:
        TypeError: a function made something else.
    """
    if not text:
        return ()
    given = pickle.loads(b64decode(text))
    return tuple(own_callbacks(given(trial) if _makes_callbacks(given) else given))


def _makes_callbacks(given: object) -> bool:
    return callable(given) and not isinstance(given, keras.callbacks.Callback)
