"""Weights in untrusted files: HDF5 as Keras writes it, alone or in a ``.keras`` file.

HDF5 can take its numbers out of other files, by links, external storage and virtual datasets, and
can declare gigabytes in a few bytes. Keras writes none of that, so none of it is read: every link
leads to an object of the file itself, every dataset lies in it whole, as plain numbers.
"""

from __future__ import annotations

import io
import math
import os
import shutil
import tempfile
import zipfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import h5py

from lstmgraph.archives import ArchiveError, opened_archive
from lstmgraph.files import open_file
from lstmgraph.messages.errors import WeightsFileError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import keras

MEMBER = "model.weights.h5"
"""Of a ``.keras`` file."""
MOST_EXPANSION = 16
"""How many times the size of its file a member may have. Keras does not compress it."""
DEEPEST = 64
"""Groups in groups; Keras nests a few."""

Datasets = dict[str, h5py.Dataset]
"""Of one layer, by where they stand in its part of the file: ``cell/vars/0``."""


@dataclass(frozen=True)
class Weights:
    """An open file of weights, from which nothing but numbers is read."""

    layers: Mapping[str, Datasets]
    """By the name of each layer that has some, in the order of the file."""
    path: Path
    """Where the HDF5 file lies while it is open."""


@contextmanager
def opened_weights(path: Path, most: int | None = None) -> Iterator[Weights]:
    """Open a ``.keras`` or ``.weights.h5`` file.

    Args:
        path: the file.
        most: bytes that the weights of a ``.keras`` file may unpack to; None: by the file's size.

    Raises:
        WeightsFileError: it is another kind of file, is damaged, or holds what Keras never writes.
        OSError: the temporary folder cannot be written to.
    """
    if path.suffix != ".keras":
        with _checked(path, path) as weights:
            yield weights
        return
    with tempfile.TemporaryDirectory() as folder:
        unpacked = Path(folder) / MEMBER
        _unpack(path, unpacked, most)
        with _checked(unpacked, path) as weights:
            yield weights


@contextmanager
def own_weights(model: keras.Model) -> Iterator[Mapping[str, Datasets]]:
    """Yield the weights of `model` by layer; `model` takes what the block writes there.

    HDF5 itself writes no file: on a full disk its library ends the process. What goes through
    Python's files raises ``OSError``.

    Raises:
        OSError: the temporary folder cannot be written to.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "own.keras"
        model.save(path)
        with zipfile.ZipFile(path) as archive:
            content = io.BytesIO(archive.read(MEMBER))
        with h5py.File(content, "r+") as file:
            yield _by_layer(file, dict(_datasets(file)))
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(MEMBER, content.getbuffer())
        model.load_weights(path)


def require_layers(weights: Weights, path: Path) -> None:
    """Check that a file has layers with weights.

    Raises:
        WeightsFileError: `path` has no weights of layers.
    """
    if not weights.layers:
        raise WeightsFileError(f"{path} holds no weights of layers")


def _unpack(path: Path, target: Path, most: int | None) -> None:
    os.close(_descriptor(path))  # what cannot be read is no fault of the temporary folder
    try:
        with opened_archive(path) as archive:
            bound = path.stat().st_size * MOST_EXPANSION if most is None else most
            # No more comes out of a member than the archive says: Python's zipfile sees to it.
            with archive.opened(MEMBER, bound) as member, target.open("wb") as file:
                shutil.copyfileobj(member, file)
    except ArchiveError as error:
        message = f"{path} is not a .keras file with weights in it: {error}"
        raise WeightsFileError(message) from None


def _descriptor(path: Path) -> int:
    try:
        return open_file(path)
    except FileNotFoundError:
        raise WeightsFileError(f"there is no file {path}") from None
    except (OSError, ValueError) as error:  # ValueError: a null byte in the path
        reason = getattr(error, "strerror", None) or error
        raise WeightsFileError(f"cannot read {path}: {reason}") from None


@contextmanager
def _checked(path: Path, named: Path) -> Iterator[Weights]:
    """Open the HDF5 file at `path`, which messages call `named`."""
    with os.fdopen(_descriptor(path), "rb") as content:
        with _told(named):
            file = h5py.File(content, "r")
        with file:
            with _told(named):
                layers = _by_layer(file, dict(_datasets(file)))
            yield Weights(layers, path)


@contextmanager
def _told(named: Path) -> Iterator[None]:
    """Raise WeightsFileError for whatever h5py raises for what is none of its files, or damaged."""
    try:
        yield
    except WeightsFileError as error:
        raise WeightsFileError(f"cannot read {named}: {error}") from None
    except (OSError, RuntimeError, LookupError, TypeError, ValueError, ArithmeticError):
        raise WeightsFileError(
            f"cannot read {named}: it is not a weights file, or damaged"
        ) from None


def _datasets(file: h5py.File) -> Iterator[tuple[tuple[str, ...], h5py.Dataset]]:
    """Return every dataset of the file by its path, each checked before it is read."""
    met: set[tuple[int, int]] = set()
    waiting: list[tuple[tuple[str, ...], h5py.Group]] = [((), file)]
    while waiting:
        path, group = waiting.pop()
        if len(path) > DEEPEST:
            raise WeightsFileError(f"its groups lie more than {DEEPEST} deep")
        for name in group:
            if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                raise WeightsFileError(f"{_said(path, name)} is a link; Keras writes none")
            item = group[name]
            info = h5py.h5o.get_info(item.id)
            if (info.fileno, info.addr) in met:
                raise WeightsFileError(f"{_said(path, name)} is there by another name too")
            met.add((info.fileno, info.addr))
            if isinstance(item, h5py.Group):
                waiting.append(((*path, name), item))
                continue
            problem = _problem(item)
            if problem:
                raise WeightsFileError(f"{_said(path, name)} {problem}; Keras writes plain numbers")
            yield (*path, name), item


def _problem(item: h5py.Dataset | h5py.Datatype) -> str | None:
    if not isinstance(item, h5py.Dataset):
        return "is a type of data"
    made = item.id.get_create_plist()
    # In this order: asking a virtual dataset for its shape can open the files that it names.
    if made.get_layout() == h5py.h5d.VIRTUAL:
        return "is virtual: its numbers lie elsewhere"
    if made.get_external_count():
        return "has its numbers in another file"
    if made.get_layout() not in (h5py.h5d.CONTIGUOUS, h5py.h5d.COMPACT):
        return "is stored in chunks"
    if item.dtype.kind not in "fiub" or item.shape is None:
        return "holds other things than numbers"
    if item.id.get_storage_size() != math.prod(item.shape) * item.dtype.itemsize:
        return "does not hold the numbers that it declares"
    return None


def _said(path: tuple[str, ...], name: str) -> str:
    return "/".join((*path, name))


def _by_layer(
    file: h5py.File, datasets: Mapping[tuple[str, ...], h5py.Dataset]
) -> dict[str, Datasets]:
    """Return the datasets of each layer with weights, in the layer's order."""
    groups: dict[str, Datasets] = {}
    for (first, *rest), data in datasets.items():
        # The state of a layer's random numbers is no weight, and is there only with dropout.
        if first == "layers" and len(rest) > 1 and not rest[1].startswith("seed_generator"):
            groups.setdefault(rest[0], {})["/".join(rest[1:])] = data
    found: dict[str, Datasets] = {}
    for group in sorted(groups):
        own = file["layers"][group].get("vars")
        name = own.attrs.get("name") if isinstance(own, h5py.Group) else None
        if not isinstance(name, str):
            raise WeightsFileError(
                "it does not say which layers its weights are of; save it with Keras 3.15"
            )
        if name in found:
            raise WeightsFileError(f"two of its layers are called '{name}'")
        found[name] = dict(sorted(groups[group].items()))
    return found
