"""Named arrays from `.npz` archives, folders of `.npy` files, dictionaries and (x, y) pairs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import psutil

from lstmgraph.archives import ArchiveError, TooLargeError, opened_archive
from lstmgraph.compiler.checks.data_needs import target_name
from lstmgraph.data.named import NamedArrays, weights_of
from lstmgraph.data.ragged import as_rows, filled_lengths
from lstmgraph.data.store import mapped
from lstmgraph.messages.wording import few, suggested
from lstmgraph.npz import SUFFIX, array_names, read_array

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from contextlib import ExitStack
    from pathlib import Path

    from lstmgraph.archives import Archive
    from lstmgraph.compiler.checks.data_needs import Needs
    from lstmgraph.data.problems import Problems
    from lstmgraph.data.ragged import Ragged
    from lstmgraph.data.values import Array

PARTS: Mapping[str, tuple[str, ...]] = {
    "train": ("train_",),
    "validation": ("validation_", "val_"),
    "test": ("test_",),
}
"""The prefixes of array names where one archive holds several parts of a split."""
PREFIXES = ("", *(prefix for prefixes in PARTS.values() for prefix in prefixes))
"""All that can stand before a name of the recipe."""


@dataclass(frozen=True)
class Stored:
    """Arrays by name, each read only when it is asked for."""

    names: tuple[str, ...]
    read: Callable[[str], Any]
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


def stored_values(values: Mapping[Any, Any]) -> Stored:
    """Return arrays given by name, with those of a dictionary of weights by their own names."""
    given: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, Mapping) and str(name).endswith(weights_of("")):
            prefix = str(name).removesuffix(weights_of(""))
            given |= {f"{prefix}{weights_of(str(key))}": each for key, each in value.items()}
        else:
            given[str(name)] = value
    return Stored(tuple(given), given.get)


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
        hint = (
            "save plain numbers: rows of different lengths padded, with their lengths; pickled "
            "objects are never loaded"
        )
    problems.add("D102", f"cannot be read: {message.splitlines()[0][:300]}", hint)


def named_parts(stored: Stored, needs: Needs, problems: Problems) -> dict[str, NamedArrays]:
    """Return the arrays that the recipe names, by the part that their prefix stands for.

    Names without a prefix such as ``train_`` make one part called ``all``. Other arrays are not
    read: those that are probably misspelled are errors, the others a warning.
    """
    wanted = [*needs.inputs, *needs.targets]
    prefixes = {
        part: prefix
        for part, prefixes in PARTS.items()
        for prefix in prefixes
        if any(f"{prefix}{name}" in stored.names for name in wanted)
    }
    if not prefixes or any(name in stored.names for name in wanted):
        prefixes = {"all": ""}
    names = {part: _Names.of(needs, prefix) for part, prefix in prefixes.items()}
    parts = {part: _named(stored, each, needs, problems) for part, each in names.items()}
    _report_unread(stored.names, names, needs, problems)
    return parts


@dataclass(frozen=True)
class _Names:
    """The names of one part's arrays, by the recipe's names of inputs and targets."""

    inputs: Mapping[str, str]
    targets: Mapping[str, str]
    weights: Mapping[str, str]

    @classmethod
    def of(cls, needs: Needs, prefix: str) -> _Names:
        targets = {name: f"{prefix}{target_name(name, needs.inputs)}" for name in needs.targets}
        inputs = {name: f"{prefix}{name}" for name in needs.inputs}
        taken = {*inputs.values(), *targets.values()}
        weights = {name: f"{prefix}{weights_of(name)}" for name in ("", *needs.weighed)}
        return cls(inputs, targets, {n: key for n, key in weights.items() if key not in taken})

    @property
    def all(self) -> list[str]:
        return [*self.inputs.values(), *self.targets.values(), *self.weights.values()]


def _named(stored: Stored, names: _Names, needs: Needs, problems: Problems) -> NamedArrays:
    inputs, targets, weights = (
        _read_all(keys, stored, problems) for keys in (names.inputs, names.targets, names.weights)
    )
    found = {**names.inputs, **names.targets}
    filled = {names.inputs[name] for name in filled_lengths(inputs, needs)}
    for role, keys in (("input", names.inputs), ("target", names.targets)):
        for name, key in keys.items():
            needed = role == "input" or not needs.targets[name].optional
            if needed and key not in stored.names and key not in filled:
                near = problems.guesses.did_you_mean(key, set(stored.names) - set(found.values()))
                message = f"there is no array '{key}' for the {role} '{name}'{near}"
                problems.add("D201", message, f"the arrays are: {few(stored.names)}")
    _check_weights(weights, names.weights, problems)
    return NamedArrays(_sound(inputs), _sound(targets), _sound(weights))


def _read_all(
    keys: Mapping[str, str], stored: Stored, problems: Problems
) -> dict[str, Array | Ragged | None]:
    """Return the arrays that are there; None for those that cannot be read."""
    arrays = {name: stored.read(key) for name, key in keys.items() if key in stored.names}
    return {
        name: None if array is None else as_rows(array, keys[name], problems)
        for name, array in arrays.items()
    }


def _sound(rows: Mapping[str, Array | Ragged | None]) -> dict[str, Array | Ragged]:
    return {name: array for name, array in rows.items() if array is not None}


def _check_weights(
    weights: Mapping[str, Any], names: Mapping[str, str], problems: Problems
) -> None:
    own = [names[name] for name in weights if name]
    if own and "" in weights:
        message = f"there are weights of all targets, '{names['']}', and of one, '{own[0]}'"
        problems.add("D205", message, "give each target its own, or one array for all")


def _report_unread(
    given: tuple[str, ...], names: Mapping[str, _Names], needs: Needs, problems: Problems
) -> None:
    """Report arrays that nothing reads: an error if the name is nearly one that is expected."""
    known = [key for each in names.values() for key in each.all]
    weights = [key for each in names.values() for key in each.weights.values()]
    absent = [key for key in known if key not in given]
    unread = []
    for name in given:
        if name in known or name in needs.unused:
            continue
        fault = _fault(name, names, needs)
        if fault is not None:
            problems.add("D205", *fault)
        elif near := problems.guesses.nearest(name, absent):
            if near in weights:  # a missing input or target is reported already, with its near name
                message = f"nothing reads the array '{name}'{suggested(near)}"
                hint = f"rename it, or remove it; the recipe reads: {few(known)}"
                problems.add("D205", message, hint)
        else:
            unread.append(name)
    _warn_unread("", unread, known, problems)


def _fault(name: str, names: Mapping[str, _Names], needs: Needs) -> tuple[str, str] | None:
    """Return why an array cannot be read that surely should be, and the fix."""
    for prefix in PREFIXES:
        own = name.removeprefix(prefix) if name.startswith(prefix) else ""
        for output in needs.outputs:
            if output not in needs.weighed and own == weights_of(output):
                return _without_weights(f"'{name}'", output, needs)
        if prefix and "all" in names and own in names["all"].all:
            return (
                f"nothing reads the array '{name}', as there are arrays without the prefix of a "
                "part",
                f"name all arrays by their part, such as 'train_{own}', or none",
            )
    return None


def _without_weights(shown: str, output: str, needs: Needs) -> tuple[str, str]:
    """Return why an output has no weights, and the fix."""
    if output in needs.of_batches:
        message = f"{shown} weighs rows, but the loss of '{output}' is one number for a batch"
        return message, "use a loss of rows or steps, such as categorical_crossentropy"
    message = f"{shown} is for an output without a loss or a weighted metric"
    return message, f"remove it, or give '{output}' a loss under `training:`"


def _warn_unread(of: str, names: list[str], known: Iterable[str], problems: Problems) -> None:
    if names and not problems.errors:  # which list the names that there are
        several = "s" if len(names) > 1 else ""
        quoted = [f"'{name}'" for name in names]
        message = f"nothing reads the array{several} {few(quoted)}{of}"
        problems.warn("D206", message, f"the recipe reads: {few(list(known))}")


def from_pair(pair: tuple[Any, ...], needs: Needs, problems: Problems) -> NamedArrays | None:
    """Return the arrays of (x, y) or (x, y, sample_weight), as ``fit`` takes them.

    Each of x and y is one array or a dictionary of arrays by name, weights by the names of targets.
    Return None and report it if there are more or fewer than one to three of them.
    """
    if not 1 <= len(pair) <= 3:
        problems.add(
            "D203",
            f"expected (x, y) or (x, y, weights), not {len(pair)} values",
            "give one of these",
        )
        return None
    x, y, weights = (*pair, None, None)[:3]
    inputs = _by_name(x, "x", "inputs", needs, problems)
    targets = _by_name(y, "y", "targets", needs, problems)
    return NamedArrays(inputs, targets, _weights_by_name(weights, needs, problems))


def _by_name(
    value: Any, what: str, role: str, needs: Needs, problems: Problems
) -> dict[str, Array | Ragged]:
    names = list(needs.inputs if role == "inputs" else needs.targets)
    if value is None or (not names and not isinstance(value, Mapping)):
        value = {}
    if not isinstance(value, Mapping):
        if len(names) != 1:
            message = f"{what} has no names, but the recipe has {len(names)} {role}"
            problems.add("D201", message, f"give a dictionary with the names {few(names)}")
            return {}
        value = {names[0]: value}
    rows = {name: as_rows(value[name], name, problems) for name in names if name in value}
    filled = filled_lengths(rows, needs) if role == "inputs" else frozenset()
    given = [str(key) for key in value]
    for name in names:
        needed = role == "inputs" or not needs.targets[name].optional
        if needed and name not in value and name not in filled:
            near = problems.guesses.did_you_mean(name, given)
            hint = f"its names are: {few(given) or 'none'}"
            problems.add("D201", f"{what} has no '{name}'{near}", hint)
    others = set(needs.outputs) if role == "targets" else set()
    unread = [name for name in given if name not in {*names, *others}]
    _warn_unread(f" of {what}", unread, names, problems)
    return _sound(rows)


def _weights_by_name(value: Any, needs: Needs, problems: Problems) -> dict[str, Array | Ragged]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        several = isinstance(value, list | tuple) and len(value) == len(needs.weighed) > 1
        if several and all(np.ndim(each) for each in value):  # as Keras's `fit` takes them
            names = ", ".join(f"'{name}': ..." for name in needs.weighed)
            message = "the weights of several outputs stand in a list, without names"
            problems.add("D201", message, f"give a dictionary: {{{names}}}")
            return {}
        value = {"": value}
    elif value and all(isinstance(key, int) for key in value):
        message = "the weights are by class, where those of examples stand"
        problems.add("D205", message, "write them in the recipe: `class_weight:` under `training:`")
        return {}
    for name in map(str, value):
        if name and name not in needs.weighed:
            if name in needs.outputs:
                problems.add("D205", *_without_weights(f"the weight of '{name}'", name, needs))
                continue
            near = problems.guesses.did_you_mean(name, needs.weighed)
            hint = f"the outputs with a loss are: {few(list(needs.weighed))}"
            problems.add("D201", f"there is no output '{name}' for the weights{near}", hint)
    rows = {
        name: as_rows(each, weights_of(name), problems)
        for name, each in value.items()
        if not name or name in needs.weighed
    }
    return _sound(rows)
