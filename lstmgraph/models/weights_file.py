"""Reading of untrusted weights files: Keras's HDF5, by itself or in a ``.keras`` file.

An HDF5 file can refer to numbers in other files (links, external storage, virtual datasets), and
can declare gigabytes in a few bytes. Keras writes none of that, so none of it is accepted: every
link must lead to an object of the same file, which holds every dataset whole, as plain numbers.
"""

from __future__ import annotations

import io
import math
import os
import shutil
import tempfile
import zipfile
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py

from lstmgraph.archives import HDF5, ZIP, ArchiveError, opened_archive
from lstmgraph.files import open_file
from lstmgraph.messages.errors import WeightsFileError
from lstmgraph.models.old_weights import attribute, is_old, old_layers

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import keras

MEMBER = "model.weights.h5"
"""The member of a ``.keras`` file that holds the weights."""
MOST_EXPANSION = 16
"""How many times larger than its file a member may be. Keras does not compress it."""
DEEPEST = 64
"""The deepest nesting of groups that is read; Keras nests a few."""

SAID = ("model_config", "training_config", "keras_version")
"""Attributes of a whole model in Keras 2's format, as text; None where a file lacks them."""

Datasets = dict[str, Any]
"""One layer's datasets, by their path below the layer's group, such as ``cell/vars/0``.

Of CuDNNLSTM and CuDNNGRU in a file of Keras 2 they are arrays, in the layout of LSTM and GRU.
"""


@dataclass(frozen=True)
class Weights:
    """An open weights file, checked to hold plain numbers only."""

    layers: Mapping[str, Datasets]
    """The datasets of each layer that has weights, by the layer's name."""
    path: Path
    """The path of the HDF5 file while it is open."""
    about: Mapping[str, Any] = field(default_factory=dict)
    """What a file of Keras 2 says of itself: `SAID`."""

    @property
    def is_old(self) -> bool:
        """Whether it is a file in the format of Keras 2."""
        return bool(self.about)


@contextmanager
def opened_weights(path: Path, most: int | None = None) -> Iterator[Weights]:
    """Open a ``.keras`` or ``.weights.h5`` file, or one of Keras 2, and yield its weights.

    What a file is, its first bytes say: Keras 2 also wrote HDF5 under the name ``.keras``.

    Args:
        path: the file.
        most: the most bytes that the weights of a ``.keras`` file may unpack to; None for a limit
            from the file's size.

    Raises:
        WeightsFileError: the file is of another kind, is damaged, or holds what Keras never writes.
        OSError: the temporary folder cannot be written to.
    """
    if not _is_archive(path):
        with _checked(path, path) as weights:
            yield weights
        return
    with tempfile.TemporaryDirectory() as folder:
        unpacked = Path(folder) / MEMBER
        _unpack(path, unpacked, most)
        with _checked(unpacked, path) as weights:
            yield weights


def _is_archive(path: Path) -> bool:
    """Return whether a file is a zip archive; of one that is neither, whether its name says so."""
    with os.fdopen(_descriptor(path), "rb") as file:
        start = file.read(len(HDF5))
    return start != HDF5 and (start.startswith(ZIP) or path.suffix == ".keras")


@contextmanager
def own_weights(model: keras.Model) -> Iterator[Mapping[str, Datasets]]:
    """Yield the weights of `model` by layer; what the block writes to them, `model` has afterwards.

    The HDF5 library never writes to the disk itself: it ends the process if the disk is full.
    Python's own files raise ``OSError`` instead.

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
        from lstmgraph.models.building.lora import lora_kept  # noqa: PLC0415 - imports Keras

        with lora_kept(model):
            model.load_weights(path)


def require_layers(weights: Weights, path: Path) -> None:
    """Check that the file at `path` holds weights.

    Raises:
        WeightsFileError: it holds no weights of any layer.
    """
    if not weights.layers:
        raise WeightsFileError(f"{path} holds no layer weights")


def _unpack(path: Path, target: Path, most: int | None) -> None:
    os.close(_descriptor(path))  # an unreadable file must not be blamed on the temporary folder
    try:
        with opened_archive(path) as archive:
            bound = path.stat().st_size * MOST_EXPANSION if most is None else most
            # Python's zipfile never unpacks more of a member than the archive declares.
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
def _checked(path: Path, shown: Path) -> Iterator[Weights]:
    """Open the HDF5 file at `path` for a block; messages call it `shown`."""
    with os.fdopen(_descriptor(path), "rb") as content:
        with _translated_errors(shown):
            file = h5py.File(content, "r")
        with file:
            with _translated_errors(shown):
                datasets = dict(_datasets(file))
                old = is_old(file)
                layers = old_layers(file, datasets) if old else _by_layer(file, datasets)
                about = {name: attribute(file, name) for name in SAID} if old else {}
            yield Weights(layers, path, about)


@contextmanager
def _translated_errors(shown: Path) -> Iterator[None]:
    """Turn whatever h5py raises for a damaged or foreign file into WeightsFileError."""
    try:
        yield
    except WeightsFileError as error:
        raise WeightsFileError(f"cannot read {shown}: {error}") from None
    except (OSError, RuntimeError, LookupError, TypeError, ValueError, ArithmeticError):
        raise WeightsFileError(
            f"cannot read {shown}: it is not a weights file, or is damaged"
        ) from None


def _datasets(file: h5py.File) -> Iterator[tuple[tuple[str, ...], h5py.Dataset]]:
    """Yield every dataset of the file with its path, after checking it and before reading it."""
    visited: set[tuple[int, int]] = set()
    waiting: list[tuple[tuple[str, ...], h5py.Group]] = [((), file)]
    while waiting:
        path, group = waiting.pop()
        if len(path) > DEEPEST:
            raise WeightsFileError(f"its groups are nested more than {DEEPEST} deep")
        for name in group:
            if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                raise WeightsFileError(f"{_joined(path, name)} is a link, which Keras never writes")
            item = group[name]
            info = h5py.h5o.get_info(item.id)
            if (info.fileno, info.addr) in visited:
                raise WeightsFileError(
                    f"{_joined(path, name)} is in the file under another name too"
                )
            visited.add((info.fileno, info.addr))
            if isinstance(item, h5py.Group):
                waiting.append(((*path, name), item))
                continue
            problem = _problem(item)
            if problem:
                raise WeightsFileError(
                    f"{_joined(path, name)} {problem}; Keras writes plain numbers"
                )
            yield (*path, name), item


def _problem(item: h5py.Dataset | h5py.Datatype) -> str | None:
    if not isinstance(item, h5py.Dataset):
        return "is a data type, not a dataset"
    properties = item.id.get_create_plist()
    # In this order: asking a virtual dataset for its shape can open the files that it names.
    if properties.get_layout() == h5py.h5d.VIRTUAL:
        return "is virtual: its numbers are elsewhere"
    if properties.get_external_count():
        return "has its numbers in another file"
    if properties.get_layout() not in (h5py.h5d.CONTIGUOUS, h5py.h5d.COMPACT):
        return "is stored in chunks"
    if item.dtype.kind not in "fiub" or item.shape is None:
        return "does not hold numbers"
    if item.id.get_storage_size() != math.prod(item.shape) * item.dtype.itemsize:
        return "does not hold the numbers that it declares"
    return None


def _joined(path: tuple[str, ...], name: str) -> str:
    return "/".join((*path, name))


def _by_layer(
    file: h5py.File, datasets: Mapping[tuple[str, ...], h5py.Dataset]
) -> dict[str, Datasets]:
    """Return the datasets of each layer that has weights, by the layer's name, in order of path."""
    groups: dict[str, Datasets] = {}
    for (first, *rest), data in datasets.items():
        # The state of a random generator is not a weight; only layers with dropout have one.
        if first == "layers" and len(rest) > 1 and not rest[1].startswith("seed_generator"):
            groups.setdefault(rest[0], {})["/".join(rest[1:])] = data
    layers: dict[str, Datasets] = {}
    for group in sorted(groups):
        own = file["layers"][group].get("vars")
        name = own.attrs.get("name") if isinstance(own, h5py.Group) else None
        if not isinstance(name, str):
            raise WeightsFileError(
                "it does not say which layers its weights belong to; save it with Keras 3.15, or "
                "in Keras 2 as an .h5 file: `model.save_weights('weights.h5')`"
            )
        if name in layers:
            raise WeightsFileError(f"two of its layers are named '{name}'")
        layers[name] = dict(sorted(groups[group].items()))
    return layers
