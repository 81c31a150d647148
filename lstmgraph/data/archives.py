"""Arrays by name: `.npz` archives, folders of `.npy` files, dictionaries, and (x, y) pairs."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lstmgraph.data.store import mapped
from lstmgraph.wording import few

if TYPE_CHECKING:
    from pathlib import Path

    from lstmgraph.data.problems import Problems
    from lstmgraph.data.values import Array
    from lstmgraph.data_needs import Needs

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


def read_npz(path: Path, problems: Problems) -> dict[str, Array] | None:
    """All arrays of an archive, in memory; None where it cannot be read, which is reported."""
    try:
        if path.stat().st_size == 0 or not zipfile.is_zipfile(path):
            problems.add("D102", "is no .npz archive", "numpy.savez writes one")
            return None
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except OSError as error:
        problems.add("D101", f"cannot be read: {error.strerror or error}", "check the path")
    except MemoryError:
        problems.add("D102", "an array does not fit into memory", "save it as .npy, in a folder")
    except (ValueError, EOFError, AttributeError, zipfile.BadZipFile, zlib.error) as error:
        _report_damaged(str(error), problems)
    return None


def read_npy_folder(path: Path, problems: Problems) -> dict[str, Array]:
    """The `.npy` files of a folder, mapped, by their names without the ending."""
    arrays = {}
    for file in sorted(path.glob("*.npy")):
        try:
            arrays[file.stem] = mapped(file)
        except OSError as error:
            message = f"{file.name} cannot be read: {error.strerror or error}"
            problems.add("D101", message, "check the file")
        except (ValueError, EOFError) as error:
            _report_damaged(f"{file.name}: {error}", problems)
    return arrays


def _report_damaged(message: str, problems: Problems) -> None:
    hint = "the file is damaged, or of another kind"
    if "Object arrays" in message or "Python objects" in message:
        message, hint = "it holds Python objects", "save numbers: objects are never loaded"
    problems.add("D102", f"cannot be read: {message.splitlines()[0][:300]}", hint)


def named_parts(
    arrays: Mapping[str, Array], needs: Needs, problems: Problems
) -> dict[str, NamedArrays]:
    """The arrays that the recipe names, for each part that they are given for.

    Without a prefix such as ``train_`` all of them are one part, called ``all``.
    """
    wanted = [*needs.inputs, *needs.targets]
    prefixed = {
        part: prefix
        for part, prefixes in PARTS.items()
        for prefix in prefixes
        if any(f"{prefix}{name}" in arrays for name in wanted)
    }
    if not prefixed or any(name in arrays for name in wanted):
        return {"all": _named(arrays, needs, "", problems)}
    return {part: _named(arrays, needs, prefix, problems) for part, prefix in prefixed.items()}


def _named(
    arrays: Mapping[str, Array], needs: Needs, prefix: str, problems: Problems
) -> NamedArrays:
    targets = {
        name: f"{prefix}{name}_target" if name in needs.inputs else f"{prefix}{name}"
        for name in needs.targets
    }
    inputs = {name: f"{prefix}{name}" for name in needs.inputs}
    for role, names in (("input", inputs), ("target", targets)):
        for name, key in names.items():
            if key not in arrays:
                near = problems.guesses.did_you_mean(key, arrays)
                message = f"there is no array '{key}' for the {role} '{name}'{near}"
                problems.add("D201", message, f"the arrays are: {few(arrays)}")
    return NamedArrays(
        {name: arrays[key] for name, key in inputs.items() if key in arrays},
        {name: arrays[key] for name, key in targets.items() if key in arrays},
        arrays.get(f"{prefix}{SAMPLE_WEIGHT}"),
    )


def from_pair(pair: tuple[Any, ...], needs: Needs, problems: Problems) -> NamedArrays | None:
    """(x, y) or (x, y, sample_weight), as ``fit`` takes them: arrays, or dictionaries by name."""
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
