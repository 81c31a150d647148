"""Named arrays: `.npz` archives, folders of `.npy` files, dictionaries, and (x, y) pairs."""

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
"""What names begin with where one archive holds the parts of a split."""


@dataclass(frozen=True)
class NamedArrays:
    """Arrays of one part, by the recipe's names; one row is one example."""

    inputs: Mapping[str, Array]
    targets: Mapping[str, Array]
    sample_weight: Array | None = None


@dataclass(frozen=True)
class Stored:
    """Named arrays, each of which is read only when it is used."""

    names: tuple[str, ...]
    read: Callable[[str], Array | None]
    """Returns None where an array cannot be read, which is then reported."""


def stored_npz(path: Path, stack: ExitStack, problems: Problems) -> Stored | None:
    """Open an archive; return None where it is none, which is reported.

    Its arrays are read into memory, and refused where they do not fit.
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
        problems.add("D102", message, "save it as .npy, in a folder")
    except ArchiveError as error:
        _report_damaged(f"{name}: {error}", problems)
    return None


def stored_npy(path: Path, problems: Problems) -> Stored:
    """Return a folder's `.npy` files by their names without the ending, mapped when read."""
    files = {file.stem: file for file in sorted(path.glob(f"*{SUFFIX}"))}
    return Stored(tuple(files), lambda name: _read_file(files[name], problems))


def _read_file(file: Path, problems: Problems) -> Array | None:
    try:
        return np.asarray(mapped(file))
    except OSError as error:
        message = f"{file.name} cannot be read: {error.strerror or error}"
        problems.add("D101", message, "check the file")
    except ValueError as error:
        _report_damaged(f"{file.name}: {error}", problems)
    return None


def _report_damaged(message: str, problems: Problems) -> None:
    hint = "the file is damaged, or of another kind"
    if "Python objects" in message:
        message, hint = "it holds Python objects", "save numbers: objects are never loaded"
    problems.add("D102", f"cannot be read: {message.splitlines()[0][:300]}", hint)


def named_parts(stored: Stored, needs: Needs, problems: Problems) -> dict[str, NamedArrays]:
    """Return for each part the arrays that the recipe names; no others are read.

    Without a prefix such as ``train_`` all of them are one part, called ``all``.
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
    found = {name: stored.read(key) for name, key in keys.items() if key in stored.names}
    return {name: array for name, array in found.items() if array is not None}


def from_pair(pair: tuple[Any, ...], needs: Needs, problems: Problems) -> NamedArrays | None:
    """Return named arrays of (x, y) or (x, y, sample_weight), as ``fit`` takes them."""
    if not 1 <= len(pair) <= 3:
        problems.add("D203", f"{len(pair)} values are given", "give (x, y) or (x, y, weights)")
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
            message = f"{what} is one array, and the recipe has {len(names)} {role}"
            problems.add("D201", message, f"give a dictionary of: {few(names)}")
            return {}
        value = {names[0]: value}
    for name in names:
        if name not in value:
            given = [str(each) for each in value]
            near = problems.guesses.did_you_mean(name, given)
            hint = f"its names are: {few(given) or 'none'}"
            problems.add("D201", f"{what} has no '{name}'{near}", hint)
    return {name: np.asarray(value[name]) for name in names if name in value}
