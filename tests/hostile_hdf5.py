"""Weights files made hostile: links, storage elsewhere, shapes, dtypes, names."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
from hostile_bytes import TEXTS, changed_bytes

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Sequence

    from hostile_bytes import Outside

ERRORS = (ValueError, OSError, LookupError, TypeError, RuntimeError)
"""What h5py raises for an edit that a file does not allow."""
NAMES = (*TEXTS, 5, np.zeros(3), b"bytes", np.nan, ["a", "b"], "x" * 60_000)


def changed_hdf5(raw: bytes, chance: random.Random, outside: Outside) -> bytes:
    """Change a weights file in one way, drawn by chance."""
    if chance.random() < 0.2:
        return changed_bytes(raw, chance)
    edits = [name for name in vars(Hdf5Edits) if not name.startswith("_")]
    try:
        return edited_hdf5(raw, chance.choice(edits), chance, outside)
    except ERRORS:
        return changed_bytes(raw, chance)


def edited_hdf5(
    raw: bytes, edit: str, chance: random.Random, outside: Outside, within: str = ""
) -> bytes:
    """Make the edit of that name of `Hdf5Edits`, of what begins with `within`."""
    buffer = io.BytesIO(raw)
    with h5py.File(buffer, "r+") as file:
        getattr(Hdf5Edits(file, chance, outside, within), edit)()
    return buffer.getvalue()


@dataclass
class Hdf5Edits:
    """Edits of an open file, each of one of its groups or datasets."""

    _file: h5py.File
    _chance: random.Random
    _outside: Outside
    _within: str = ""

    def _dataset(self) -> str:
        return self._chance.choice(self._places(h5py.Dataset))

    def _places(self, kind: type = object) -> Sequence[str]:
        found: list[str] = []
        self._file.visit(found.append)
        inside = [place for place in found if place.startswith(self._within)]
        return [place for place in inside if isinstance(self._file[place], kind)]

    def _replace(self, make: Callable[[str, tuple[int, ...], Any], Any]) -> None:
        place = self._dataset()
        shape, dtype = self._file[place].shape, self._file[place].dtype
        del self._file[place]
        make(place, shape, dtype)

    def external_storage(self) -> None:
        there = [(str(self._outside.numbers), 0, h5py.h5f.UNLIMITED)]
        make = self._file.create_dataset
        self._replace(lambda place, shape, dtype: make(place, shape, dtype, external=there))

    def virtual(self) -> None:
        def make(place: str, shape: tuple[int, ...], dtype: Any) -> None:
            layout = h5py.VirtualLayout(shape, "f4")
            source = h5py.VirtualSource(self._outside.hdf5, "d", shape=(4096,))
            for row in np.ndindex(shape[:-1]):
                layout[(*row, slice(None))] = source[: shape[-1]]
            self._file.create_virtual_dataset(place, layout)

        self._replace(make)

    def external_dataset(self) -> None:
        link = h5py.ExternalLink(str(self._outside.hdf5), "d")
        self._replace(lambda place, *_: self._file.__setitem__(place, link))

    def external_group(self) -> None:
        place = self._chance.choice(self._places(h5py.Group))
        del self._file[place]
        target = self._chance.choice(("g", "/", "none"))
        self._file[place] = h5py.ExternalLink(str(self._outside.hdf5), target)

    def soft_link(self) -> None:
        places = self._places()
        place = self._chance.choice(places)
        del self._file[place]
        target = self._chance.choice(("/", f"/{place}", "/none", f"/{self._chance.choice(places)}"))
        self._file[place] = h5py.SoftLink(target)

    def circle(self) -> None:
        group = self._file[self._chance.choice(self._places(h5py.Group))]
        group[self._chance.choice(("loop", "vars2"))] = self._file["/"]

    def missing(self) -> None:
        del self._file[self._chance.choice(self._places())]

    def name(self) -> None:
        group = self._file[self._chance.choice(self._places(h5py.Group))]
        group.attrs["name"] = self._chance.choice(NAMES)

    def dtype(self) -> None:
        compound = np.dtype([("a", "f4"), ("b", "i4")])
        texts, references = h5py.string_dtype(), h5py.ref_dtype
        others = ("f8", "i4", "S5", "c8", "?", texts, references, compound, h5py.vlen_dtype("f4"))
        other = self._chance.choice(others)
        self._replace(lambda place, shape, _: self._file.create_dataset(place, shape, other))

    def shape(self) -> None:
        huge = self._chance.choice(((10**6, 10**6), (2**40,), (2**20, 2**10)))

        def make(place: str, shape: tuple[int, ...], dtype: Any) -> None:
            wanted = self._chance.choice(((), (0,), huge, huge, (*shape, 1), shape[::-1]))
            chunks = (16,) * len(wanted) if wanted == huge else None
            self._file.create_dataset(place, wanted, dtype, chunks=chunks)

        self._replace(make)

    def empty(self) -> None:
        self._replace(lambda place, *_: self._file.__setitem__(place, h5py.Empty("f4")))

    def values(self) -> None:
        value = self._chance.choice((np.nan, np.inf, 1e38, 0))
        make = self._file.create_dataset
        self._replace(lambda place, shape, _: make(place, data=np.full(shape, value, "f4")))
