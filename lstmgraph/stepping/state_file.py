"""Streams in a file: written whole or not at all, read back only by the model that they are of."""

from __future__ import annotations

import hashlib
import json
import struct
import tokenize
import zlib
from typing import IO, TYPE_CHECKING, Any
from zipfile import BadZipFile

import numpy as np

from lstmgraph.files import atomic_path
from lstmgraph.stepping.source import plan_of
from lstmgraph.wording import listed

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from lstmgraph.derived_models import Derived
    from lstmgraph.stepping.arrays import Arrays

FORMAT = 1
ABOUT = "about"
"""The array that says, as JSON, which model the others are of."""


BROKEN = (
    ValueError,
    TypeError,
    AttributeError,  # a lone array
    EOFError,
    OSError,
    OverflowError,
    MemoryError,  # of a shape that no file has
    RuntimeError,  # a member that says it is encrypted, or compressed in an unknown way
    struct.error,
    tokenize.TokenError,
    zlib.error,
    BadZipFile,
)
"""What reading damaged bytes raises, in NumPy and under it."""


class StateFileError(ValueError):
    """A file that holds no streams, or those of another model."""


def describe(derived: Derived) -> dict[str, Any]:
    """What a file says of its model: it may hold the same weights under another path."""
    return {
        "format": FORMAT,
        "plan": plan_of(derived).as_dict(),
        "weights": _fingerprint(derived),
    }


def _fingerprint(derived: Derived) -> str:
    """A hash of the step model's weights, by the names of their layers."""
    found = hashlib.sha256()
    for layer in sorted(derived.model.layers, key=lambda layer: layer.name):
        for weight in layer.get_weights():
            found.update(f"{layer.name} {weight.shape} {weight.dtype}".encode())
            found.update(np.ascontiguousarray(weight).tobytes())
    return found.hexdigest()


def write_streams(path: Path, arrays: Arrays, about: Mapping[str, Any]) -> None:
    """Write an ``.npz`` file, whole or not at all."""
    text: dict[str, Any] = {ABOUT: np.array(json.dumps(about)), **arrays}
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        np.savez(file, **text)


def read_streams(path: Path, like: Arrays, about: Mapping[str, Any]) -> Arrays:
    """The arrays of a file of `write_streams`.

    Args:
        path: the file.
        like: arrays of the names and dtypes that it must hold, and of as many rows.
        about: what it must say of its model.

    Raises:
        StateFileError: it is another one, with the reason.
        OSError: it cannot be read.
    """
    # Of a file that is not whole, NumPy leaves open what it has opened itself.
    with path.open("rb") as stream:
        try:
            found = _arrays(stream)
            written = json.loads(str(found.pop(ABOUT)))
        except KeyError:
            raise StateFileError(f"{path} does not say which model it is of") from None
        except BROKEN as error:
            message = f"{path} is not a whole file of streams: {error or type(error).__name__}"
            raise StateFileError(message) from None
    _check_model(path, written, about)
    _check_arrays(path, found, like)
    return found


def _arrays(stream: IO[bytes]) -> Arrays:
    with np.load(stream, allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


def _check_model(path: Path, written: Any, about: Mapping[str, Any]) -> None:
    if not isinstance(written, dict) or written.get("format") != FORMAT:
        raise StateFileError(f"{path} is of another version of lstmgraph")
    if written.get("plan") != about["plan"]:
        theirs, ours = (_state_names(each.get("plan")) for each in (written, about))
        difference = (
            f"its states are {theirs}, not {ours}"
            if theirs != ours
            else "its inputs or shapes are not the same"
        )
        raise StateFileError(f"{path} is of another model: {difference}")
    if written.get("weights") != about["weights"]:
        raise StateFileError(f"{path} is of a model with other weights: begin anew, with reset()")


def _state_names(plan: Any) -> str:
    try:
        return listed([state["input"] for state in plan["states"]]) or "none"
    except (TypeError, KeyError):
        return "unknown"


def _check_arrays(path: Path, found: Arrays, like: Arrays) -> None:
    if set(found) != set(like):
        names = listed(sorted(set(found) ^ set(like)))
        raise StateFileError(f"{path} does not hold the arrays of a stream: {names}")
    for name, wanted in like.items():
        own = found[name]
        if own.dtype != wanted.dtype or own.ndim != wanted.ndim:
            raise StateFileError(f"{path}: {name} is {own.dtype} {own.shape}")
        if own.shape[:1] != wanted.shape[:1]:
            rows = (own.shape or (0,))[0]
            raise StateFileError(f"{path} holds {rows} rows, the Stepper {wanted.shape[0]}")
