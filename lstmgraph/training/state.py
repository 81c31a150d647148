"""The state of a training, in one file with the model, so that a kill never splits them."""

from __future__ import annotations

import io
import json
import warnings
import zipfile
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from lstmgraph.archives import archive_in, opened_archive
from lstmgraph.files import LinkError, NotAFileError, atomic_path
from lstmgraph.messages.errors import FolderError, RecipeError
from lstmgraph.models.building import build_model
from lstmgraph.models.building.lora import adapted_weights
from lstmgraph.models.files import load_numbers, save_model
from lstmgraph.models.runtime import build_optimizer
from lstmgraph.npz import array_names, read_arrays
from lstmgraph.training.callbacks import STATES, WEIGHT
from lstmgraph.training.files import CHECKPOINT
from lstmgraph.training.state_checks import OtherVersionError, checked_values, refuse_other_arrays

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from lstmgraph.archives import Archive
    from lstmgraph.compiler.compile import CompiledRecipe

VALUES = "lstmgraph.training.json"
ARRAYS = "lstmgraph.training.npz"
"""Additional members of the ``.keras`` file, which Keras ignores."""
VERSION = 1
FRESH = "fresh"
"""The fingerprint of weights that come from no file."""

Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class Identity:
    """All that determines the results of a training."""

    recipe: str
    """The resolved recipe without the number of epochs."""
    data: str
    validation: str
    seed: int
    """The seed of the order of the examples."""
    weights: str = FRESH
    """The fingerprint of the file whose weights the training begins with."""


@dataclass
class TrainingState:
    """The state of a training at the end of an epoch."""

    identity: Identity
    rows: list[dict[str, float]] = field(default_factory=list)
    """The number, metrics and seconds of each epoch so far."""
    callbacks: dict[str, dict[str, Any]] = field(default_factory=dict)
    """The changing attributes of each callback, by its name in the recipe."""
    stopped: bool = False
    """Whether a callback has ended the training."""
    version: int = VERSION


def write_checkpoint(
    path: Path, model: keras.Model, recipe_text: str, state: TrainingState, arrays: Arrays
) -> None:
    """Write model, optimizer, recipe and state to `path` atomically.

    Args:
        path: The checkpoint.
        model: The model, with its optimizer.
        recipe_text: The recipe that the file holds.
        state: The state of the training.
        arrays: The arrays of the callbacks, such as the best weights.
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
    """Return the state in a file of ``write_checkpoint``, and its arrays.

    Raises:
        FolderError: The file holds no state, or one of another version.
        OSError: It cannot be read.
    """
    with _opened(path) as (archive, most):
        state = _read_state(archive, most)
        with archive_in(io.BytesIO(archive.read(ARRAYS, most))) as kept:
            return state, read_arrays(kept, array_names(kept), most)


def epochs_done(folder: Path) -> int:
    """Return the epoch after which the training in `folder` can be resumed; 0 if there is none."""
    with suppress(FolderError, OSError), _opened(folder / CHECKPOINT) as (archive, most):
        return len(_read_state(archive, most).rows)
    return 0


def resumed_model(recipe: CompiledRecipe, path: Path, arrays: Arrays) -> keras.Model:
    """Return the model of `recipe`, its values and its optimizer's read from a checkpoint.

    Only numbers are read from the file; the structure of the model comes from the recipe.

    Args:
        recipe: The recipe of the training.
        path: The checkpoint.
        arrays: The arrays that ``read_checkpoint`` returned for it.

    Raises:
        FolderError: The numbers belong to another model.
        RecipeError: This machine or process cannot run the model.
    """
    model = build_model(recipe)
    build_optimizer(model)
    with _opened(path), warnings.catch_warnings():
        # Keras only warns if the optimizer's variables differ, and would use a fresh optimizer.
        warnings.filterwarnings("error", message="Skipping variable loading")
        load_numbers(model, path)
        refuse_other_arrays(arrays, _unsaved_values(model), model.get_weights())
    for name, variable in _unsaved(model):
        variable.assign(arrays[name])
    return model


def refuse_other_callbacks(
    path: Path, state: TrainingState, arrays: Arrays, callbacks: Mapping[str, Any]
) -> None:
    """Check that the callback states of a checkpoint are those of `callbacks`.

    Args:
        path: The checkpoint.
        state: The state that ``read_checkpoint`` returned for it.
        arrays: The arrays that it returned.
        callbacks: The Keras callbacks, by the recipe's names.

    Raises:
        FolderError: The state of a callback is missing, or is one of another callback.
    """
    has_weights = any(name.startswith(WEIGHT) for name in arrays)
    odd = state.callbacks.keys() ^ (STATES.keys() & callbacks.keys())
    if odd or (has_weights and "early_stopping" not in callbacks):
        raise FolderError(
            f"{path} keeps other callbacks than the recipe's; begin anew with --restart"
        )


@contextmanager
def _opened(path: Path) -> Iterator[tuple[Archive, int]]:
    """Open a checkpoint, and return it with its size, which no uncompressed member can exceed."""
    try:
        with opened_archive(path, follow_links=False) as archive:
            yield archive, path.stat().st_size
    except (FolderError, RecipeError):
        raise
    except OtherVersionError:
        raise FolderError(f"{path} is of another version of lstmgraph; begin anew") from None
    except (LinkError, NotAFileError) as error:
        raise FolderError(f"{path}: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise FolderError(
            f"{path} is no checkpoint of a training ({error}); begin anew with --restart"
        ) from None


def _read_state(archive: Archive, most: int) -> TrainingState:
    values = checked_values(json.loads(archive.read(VALUES, most)), VERSION)
    return TrainingState(**{**values, "identity": Identity(**values["identity"])})


def _unsaved(model: keras.Model) -> Sequence[tuple[str, Any]]:
    """Return the random states of dropout, and the states carried between batches, by name.

    Keras saves only ``model.weights``; these are only in ``model.variables``. Of layers with LoRA
    it saves the sum.
    """
    saved = {id(variable) for variable in model.weights}
    left = [variable for variable in model.variables if id(variable) not in saved]
    left += adapted_weights(model)
    return [(f"variable_{number}", variable) for number, variable in enumerate(left)]


def _unsaved_values(model: keras.Model) -> Arrays:
    return {name: keras.ops.convert_to_numpy(v) for name, v in _unsaved(model)}
