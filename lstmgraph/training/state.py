"""Where a training stands, in one file with the model: so a kill leaves the old or the new."""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from lstmgraph.files import atomic_path
from lstmgraph.model_files import save_model
from lstmgraph.training.files import CHECKPOINT, FolderError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

VALUES = "lstmgraph.training.json"
ARRAYS = "lstmgraph.training.npz"
"""Further members of the ``.keras`` file, which Keras passes over."""
VERSION = 1

Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class Identity:
    """What the numbers of a training follow from."""

    recipe: str
    """The resolved recipe, less the number of epochs."""
    data: str
    validation: str
    seed: int
    """Of the order of the rows."""


@dataclass
class TrainingState:
    """Where a training stands at the end of an epoch."""

    identity: Identity
    rows: list[dict[str, float]] = field(default_factory=list)
    """Of each epoch so far, its number, metrics and seconds."""
    callbacks: dict[str, dict[str, Any]] = field(default_factory=dict)
    """By the recipe's name of each, the attributes that change while it runs."""
    stopped: bool = False
    """Whether a callback has ended the training."""
    version: int = VERSION


def write_checkpoint(
    path: Path, model: keras.Model, recipe_text: str, state: TrainingState, arrays: Arrays
) -> None:
    """Write model, optimizer, recipe and state to `path`, whole or not at all.

    Args:
        arrays: what callbacks keep, such as the best weights.
    """
    with atomic_path(path) as temporary:
        save_model(model, recipe_text, temporary)
        buffer = io.BytesIO()
        kept: dict[str, Any] = {**arrays, **_unsaved_values(model)}
        np.savez(buffer, **kept)
        with zipfile.ZipFile(temporary, "a") as archive:
            archive.writestr(VALUES, json.dumps(asdict(state)))
            archive.writestr(ARRAYS, buffer.getvalue())


def read_checkpoint(path: Path) -> tuple[TrainingState, Arrays]:
    """The state in a file of ``write_checkpoint``, and its arrays.

    Raises:
        FolderError: the file holds no state, or one of another version.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            values = json.loads(archive.read(VALUES))
            with np.load(io.BytesIO(archive.read(ARRAYS)), allow_pickle=False) as found:
                arrays = dict(found)
        if values["version"] != VERSION:
            raise FolderError(f"{path} is of another version of lstmgraph; begin anew")
        identity = Identity(**values.pop("identity"))
        return TrainingState(identity=identity, **values), arrays
    except (KeyError, TypeError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise FolderError(f"{path} is no checkpoint of a training ({error})") from None


def epochs_done(folder: Path) -> int:
    """The epoch that the training in `folder` can go on after; 0 where there is none."""
    try:
        return len(read_checkpoint(folder / CHECKPOINT)[0].rows)
    except (FolderError, OSError):
        return 0


def restore_unsaved(model: keras.Model, arrays: Arrays) -> None:
    """Put back the variables of `model` that a ``.keras`` file does not hold."""
    for name, variable in _unsaved(model):
        variable.assign(arrays[name])


def _unsaved(model: keras.Model) -> Sequence[tuple[str, Any]]:
    """The random states of dropout, and states carried between batches.

    Keras saves ``model.weights``; these are in ``model.variables`` alone.
    """
    saved = {id(variable) for variable in model.weights}
    left = [variable for variable in model.variables if id(variable) not in saved]
    return [(f"variable_{number}", variable) for number, variable in enumerate(left)]


def _unsaved_values(model: keras.Model) -> Arrays:
    return {name: keras.ops.convert_to_numpy(v) for name, v in _unsaved(model)}
