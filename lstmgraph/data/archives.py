"""Named arrays from `.npz` archives, folders of `.npy` files, dictionaries and (x, y) pairs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import psutil

from lstmgraph.archives import ArchiveError, TooLargeError, opened_archive
from lstmgraph.data.store import mapped
from lstmgraph.messages.wording import few
from lstmgraph.npz import SUFFIX, array_names, read_array

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import ExitStack
    from pathlib import Path

    from lstmgraph.archives import Archive
    from lstmgraph.compiler.checks.data_needs import Needs
    from lstmgraph.data.problems import Problems
    from lstmgraph.data.values import Array

SAMPLE_WEIGHT = "sample_weight"
PARTS: Mapping[str, tuple[str, ...]] = {
    "train": ("train_",),
    "validation": ("validation_", "val_"),
    "test": ("test_",),
}
"""The prefixes of array names where one archive holds several parts of a split."""


@dataclass(frozen=True)
class NamedArrays:
    """The arrays of one part, by the recipe's names: (examples, ...) each."""

    inputs: Mapping[str, Array]
    targets: Mapping[str, Array]
    sample_weight: Array | None = None


@dataclass(frozen=True)
class Stored:
    """Arrays by name, each read only when it is asked for."""

    names: tuple[str, ...]
    read: Callable[[str], Array | None]
    """Returns None and reports the problem if the array cannot be read."""


def stored_npz(path: Path, stack: ExitStack, problems: Problems) -> Stored | None:
    """Open an `.npz` archive; return None and report it if the file is not one.

    Arrays are read into memory; one that is larger than the free memory is reported instead.
    """
    try:
        archive = stack.enter_context(opened_archive(path))
    except ArchiveError:
        problems.add("D102", "is not an .npz archive", "write one with numpy.savez")
        return None
    return Stored(array_names(archive), partial(_read_member, archive, problems))


def _read_member(archive: Archive, problems: Problems, name: str) -> Array | None:
    try:
        return read_array(archive, name, psutil.virtual_memory().available)
    except (TooLargeError, MemoryError):
        message = f"the array {name} does not fit into memory"
        problems.add(
            "D102", message, "save the arrays as .npy files in a folder: those are read bit by bit"
        )
    except ArchiveError as error:
        _report_damaged(f"{name}: {error}", problems)
    return None


def stored_npy(path: Path, problems: Problems) -> Stored:
    """Return the arrays of a folder by their file names without `.npy`; reading one maps it."""
    files = {file.stem: file for file in sorted(path.glob(f"*{SUFFIX}"))}
    return Stored(tuple(files), lambda name: _read_file(files[name], problems))


def _read_file(file: Path, problems: Problems) -> Array | None:
    try:
        return np.asarray(mapped(file))
    except OSError as error:
        message = f"{file.name} cannot be read: {error.strerror or error}"
        problems.add("D101", message, "check the file and its permissions")
    except ValueError as error:
        _report_damaged(f"{file.name}: {error}", problems)
    return None


def _report_damaged(message: str, problems: Problems) -> None:
    hint = "the file is damaged, or is not what its ending says"
    if "Python objects" in message:
        message = "it holds Python objects"
        hint = "save plain numbers; pickled objects are never loaded"
    problems.add("D102", f"cannot be read: {message.splitlines()[0][:300]}", hint)


def named_parts(stored: Stored, needs: Needs, problems: Problems) -> dict[str, NamedArrays]:
    """Return the arrays that the recipe names, by the part that their prefix stands for.

    Names without a prefix such as ``train_`` make one part called ``all``. Other arrays are not
    read.
    """
    wanted = [*needs.inputs, *needs.targets]
    prefixed = {
        part: prefix
        for part, prefixes in PARTS.items()
        for prefix in prefixes
        if any(f"{prefix}{name}" in stored.names for name in wanted)
    }
    if not prefixed or any(name in stored.names for name in wanted):
        return {"all": _named(stored, needs, "", problems)}
    return {part: _named(stored, needs, prefix, problems) for part, prefix in prefixed.items()}


def _named(stored: Stored, needs: Needs, prefix: str, problems: Problems) -> NamedArrays:
    targets = {
        name: f"{prefix}{name}_target" if name in needs.inputs else f"{prefix}{name}"
        for name in needs.targets
    }
    inputs = {name: f"{prefix}{name}" for name in needs.inputs}
    for role, names in (("input", inputs), ("target", targets)):
        for name, key in names.items():
            if key not in stored.names:
                near = problems.guesses.did_you_mean(key, stored.names)
                message = f"there is no array '{key}' for the {role} '{name}'{near}"
                problems.add("D201", message, f"the arrays are: {few(stored.names)}")
    weight = {SAMPLE_WEIGHT: f"{prefix}{SAMPLE_WEIGHT}"}
    return NamedArrays(
        _read_all(inputs, stored), _read_all(targets, stored), *_read_all(weight, stored).values()
    )


def _read_all(keys: Mapping[str, str], stored: Stored) -> dict[str, Array]:
    arrays = {name: stored.read(key) for name, key in keys.items() if key in stored.names}
    return {name: array for name, array in arrays.items() if array is not None}


def from_pair(pair: tuple[Any, ...], needs: Needs, problems: Problems) -> NamedArrays | None:
    """Return the arrays of (x, y) or (x, y, sample_weight), as ``fit`` takes them.

    Each of x and y is one array or a dictionary of arrays by name. Return None and report it if
    there are more or fewer than one to three of them.
    """
    if not 1 <= len(pair) <= 3:
        problems.add(
            "D203",
            f"expected (x, y) or (x, y, weights), not {len(pair)} values",
            "give one of these",
        )
        return None
    x, y, weights = (*pair, None, None)[:3]
    inputs = _by_name(x, list(needs.inputs), "x", "inputs", problems)
    targets = _by_name(y, list(needs.targets), "y", "targets", problems)
    weight = None if weights is None else np.asarray(weights)
    return NamedArrays(inputs, targets, weight)


def _by_name(
    value: Any, names: list[str], what: str, role: str, problems: Problems
) -> dict[str, Array]:
    if value is None or (not names and not isinstance(value, Mapping)):
        value = {}
    if not isinstance(value, Mapping):
        if len(names) != 1:
            message = f"{what} is one array, but the recipe has {len(names)} {role}"
            problems.add("D201", message, f"give a dictionary with the names {few(names)}")
            return {}
        value = {names[0]: value}
    for name in names:
        if name not in value:
            given = [str(key) for key in value]
            near = problems.guesses.did_you_mean(name, given)
            hint = f"its names are: {few(given) or 'none'}"
            problems.add("D201", f"{what} has no '{name}'{near}", hint)
    return {name: np.asarray(value[name]) for name in names if name in value}
