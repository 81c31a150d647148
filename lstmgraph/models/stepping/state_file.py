"""State files: written whole or not at all, and read back only by the model they belong to."""

from __future__ import annotations

import hashlib
import json
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from lstmgraph.archives import opened_archive
from lstmgraph.files import atomic_path
from lstmgraph.messages.errors import StateFileError
from lstmgraph.messages.rendering.printable import printable
from lstmgraph.messages.wording import listed
from lstmgraph.models.stepping.source import plan_of
from lstmgraph.models.stepping.streams import POSITION
from lstmgraph.npz import SUFFIX, read_array

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from lstmgraph.keras_facts.tensors import TensorSpec
    from lstmgraph.models.derived import Derived
    from lstmgraph.models.stepping.arrays import Arrays

FORMAT = 1
ABOUT = "about"
"""The array that says, as JSON, which model the other arrays belong to."""


def describe(derived: Derived) -> dict[str, Any]:
    """Return what a state file says of its model: its plan and weights, whatever its path."""
    return {
        "format": FORMAT,
        "plan": plan_of(derived).as_dict(),
        "weights": _fingerprint(derived),
    }


def _fingerprint(derived: Derived) -> str:
    """Return a hash of the step model's weights, in order of the names of their layers."""
    digest = hashlib.sha256()
    for layer in sorted(derived.model.layers, key=lambda layer: layer.name):
        for weight in layer.get_weights():
            digest.update(f"{layer.name} {weight.shape} {weight.dtype}".encode())
            digest.update(np.ascontiguousarray(weight).tobytes())
    return digest.hexdigest()


def write_streams(path: Path, arrays: Arrays, about: Mapping[str, Any]) -> None:
    """Write `arrays` and the description `about` to an ``.npz`` file, whole or not at all."""
    text: dict[str, Any] = {ABOUT: np.array(json.dumps(about)), **arrays}
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        np.savez(file, **text)


def read_streams(path: Path, specs: Mapping[str, TensorSpec], about: Mapping[str, Any]) -> Arrays:
    """Return the arrays of a file that `write_streams` wrote.

    Args:
        path: the file.
        specs: the arrays that the file must hold, by name; axes of one name must have one size.
        about: what the file must say of its model.

    Raises:
        StateFileError: the file is not a state file, or belongs to another model.
        OSError: the file cannot be read, or is not a regular file.
    """
    try:
        with opened_archive(path) as archive:
            # Arrays are stored as they are: none has more bytes than its file.
            size = path.stat().st_size
            if ABOUT + SUFFIX not in archive:
                raise StateFileError(
                    f"{path} is not a state file: it does not say which model it belongs to"
                )
            text = read_array(archive, ABOUT, size)
            _check_model(path, _parsed(text), about)
            _check_names(path, archive.names, specs)
            arrays = {
                name: read_array(archive, name, min(size, _most_bytes(spec, size)))
                for name, spec in specs.items()
            }
    except StateFileError:
        raise
    except ValueError as error:
        raise StateFileError(
            f"{path} is not a state file, or is damaged: {_short(error)}"
        ) from None
    _check_arrays(path, arrays, specs)
    return arrays


def _parsed(text: np.ndarray) -> Any:
    if text.shape or text.dtype.kind != "U":
        raise ValueError(f"{ABOUT} is not text")
    try:
        # Decoded here, because `item` fails on invalid characters.
        encoded = text.astype(text.dtype.newbyteorder("<")).tobytes()
        return json.loads(encoded.decode("utf-32-le").rstrip("\0"))
    except RecursionError:
        raise ValueError(f"{ABOUT} is nested too deeply") from None


def _most_bytes(spec: TensorSpec, otherwise: int) -> int:
    """Return the bytes of an array of `spec`; `otherwise` where one of its sizes is open."""
    sizes = [size for size in spec.shape if isinstance(size, int)]
    if len(sizes) < len(spec.shape):
        return otherwise
    return math.prod(sizes) * np.dtype(spec.dtype).itemsize


def _short(value: object, most: int = 200) -> str:
    """Return text from a file on one line, at most `most` characters of it."""
    text = printable(str(value))
    return text if len(text) <= most else f"{text[:most]}..."


def _check_model(path: Path, written: Any, about: Mapping[str, Any]) -> None:
    if not isinstance(written, dict) or written.get("format") != FORMAT:
        raise StateFileError(f"{path} was written by another version of lstmgraph")
    if written.get("plan") != about["plan"]:
        theirs, ours = (_state_names(side.get("plan")) for side in (written, about))
        difference = (
            f"its states are {theirs}, not {ours}"
            if theirs != ours
            else "its inputs or shapes differ"
        )
        raise StateFileError(f"{path} belongs to another model: {difference}")
    if written.get("weights") != about["weights"]:
        raise StateFileError(
            f"{path} belongs to a model with other weights: begin again, with reset()"
        )


def _state_names(plan: Any) -> str:
    try:
        return _short(listed([state["input"] for state in plan["states"]])) or "none"
    except (TypeError, KeyError):
        return "unknown"


def _check_names(path: Path, members: Sequence[str], specs: Mapping[str, TensorSpec]) -> None:
    wanted = {name + SUFFIX for name in (ABOUT, *specs)}
    if set(members) != wanted:
        names = sorted(name.removesuffix(SUFFIX) for name in set(members) ^ wanted)
        raise StateFileError(f"{path} has missing or unknown arrays: {_short(listed(names))}")


def _check_arrays(path: Path, arrays: Arrays, specs: Mapping[str, TensorSpec]) -> None:
    sizes: dict[str, int] = {}
    for name, spec in specs.items():
        own, wanted = arrays[name], spec.shape
        if own.dtype != spec.dtype or own.ndim != spec.rank:
            raise StateFileError(
                f"{path}: {name} is {own.dtype} of shape {own.shape}, not {spec.dtype} of "
                f"shape {spec}"
            )
        if own.shape[0] != wanted[0]:
            raise StateFileError(
                f"{path} holds {own.shape[0]} rows, but the Stepper has {wanted[0]}"
            )
        for size, dim in zip(own.shape, wanted, strict=True):
            known = sizes.setdefault(dim, size) if isinstance(dim, str) else dim
            if size != known:
                named = f", and '{dim}' is {known} in other arrays" if isinstance(dim, str) else ""
                raise StateFileError(f"{path}: {name} has shape {own.shape}, not {spec}{named}")
    if (arrays[POSITION] < 0).any():
        raise StateFileError(f"{path}: {POSITION} holds a negative number of steps")
