"""Texts on disk or in memory: a number for each value, and the texts that the numbers stand for.

A table's column of texts is a matrix of numbers like any other column, so windows, series and
batches treat it as such. Number 0 is the empty text: that of missing cells and of padded steps.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from lstmgraph.data.store import GrowingArray, mapped

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from lstmgraph.data.values import Array

CODE = np.dtype("int32")
"""The numbers that stand for texts."""
MOST_KNOWN = 1 << 17
MOST_KNOWN_BYTES = 32 << 20
"""How many different texts, and bytes of them, are looked for again while a table is read. Further
ones are stored as often as they occur, so that the memory stays bounded."""
OBJECT_BYTES = 64
"""About what a text takes as an object of Python, beside its own bytes."""
TEXTS, ENDS = "texts", "ends"


@dataclass(frozen=True)
class Texts:
    """All texts, one after the other, and where each ends."""

    letters: Array
    """UTF-8, (bytes,) uint8."""
    ends: Array
    """The end of each text in `letters`, (texts,) int64; the first is empty, and ends at 0."""

    def of(self, codes: Array) -> Array:
        """Return the texts that `codes` stand for, in their shape, as objects."""
        distinct, inverse = np.unique(codes, return_inverse=True)
        texts = np.empty(len(distinct), object)
        for index, code in enumerate(distinct.tolist()):
            start = int(self.ends[code - 1]) if code else 0
            texts[index] = bytes(self.letters[start : int(self.ends[code])]).decode()
        found: Array = texts[inverse.reshape(codes.shape)]
        return found

    @property
    def mean_bytes(self) -> int:
        """About what a text takes in memory."""
        return OBJECT_BYTES + len(self.letters) // max(1, len(self.ends))


@dataclass
class Numbering:
    """Gives texts their numbers, and hands what is to be stored to `store`."""

    known: dict[str, int] = field(default_factory=lambda: {"": 0})
    count: int = 1
    size: int = 0
    """The bytes of all texts."""
    _known_bytes: int = 0

    def codes(self, texts: Sequence[str], indices: Array) -> tuple[Array, bytes, Array]:
        """Return the numbers of ``texts[indices]``, the new letters, and where new texts end.

        Raises:
            UnicodeEncodeError: a text is not made of characters (a lone surrogate).
        """
        numbers = np.full(len(texts), -1, np.int64)
        letters, ends = bytearray(), []
        start = self.size

        def added(encoded: bytes) -> int:
            letters.extend(encoded)
            ends.append(start + len(letters))
            self.count += 1
            return self.count - 1

        for index, text in enumerate(texts):
            number = self.known.get(text)
            if number is None and len(self.known) < MOST_KNOWN:
                encoded = text.encode()
                if self._known_bytes + len(encoded) <= MOST_KNOWN_BYTES:
                    self._known_bytes += len(encoded)
                    self.known[text] = number = added(encoded)
            numbers[index] = -1 if number is None else number
        found = numbers[indices] if len(texts) else np.zeros(len(indices), np.int64)
        for row in np.flatnonzero(found < 0).tolist():
            text = texts[int(indices[row])]
            found[row] = added(text.encode())
        self.size += len(letters)
        return found.astype(CODE), bytes(letters), np.array(ends, np.int64)


class TextWriter:
    """Writes texts into two `.npy` files beside the matrix of their numbers."""

    def __init__(self, folder: Path, key: str) -> None:
        self._numbering = Numbering()
        self._stack = ExitStack()
        files: dict[str, np.dtype[Any]] = {TEXTS: np.dtype("uint8"), ENDS: np.dtype("int64")}
        self._letters, self._ends = (
            self._stack.enter_context(GrowingArray(folder / f"{key}.{name}.npy", dtype, 1))
            for name, dtype in files.items()
        )
        self._ends.append(np.zeros((1, 1), np.int64))

    def codes(self, texts: Sequence[str], indices: Array) -> Array:
        """Return the numbers of ``texts[indices]``, (len(indices),) int32, and keep the texts."""
        codes, letters, ends = self._numbering.codes(texts, indices)
        if letters:
            self._letters.append(np.frombuffer(letters, np.uint8)[:, None])
        self._ends.append(ends[:, None])
        return codes

    def __enter__(self) -> TextWriter:
        return self

    def __exit__(self, *error: Any) -> None:
        self._stack.__exit__(*error)


def mapped_texts(folder: Path, key: str) -> Texts:
    """Return the texts that a ``TextWriter`` wrote, mapped."""
    letters, ends = (mapped(folder / f"{key}.{name}.npy")[:, 0] for name in (TEXTS, ENDS))
    return Texts(letters, ends)


def numbered(values: Iterable[str], count: int) -> tuple[Array, Texts]:
    """Return the numbers of `count` texts in memory, (count,) int32, and the texts."""
    numbering, codes, letters = Numbering(), np.zeros(count, CODE), bytearray()
    ends = [np.zeros(1, np.int64)]
    row = 0
    for part in _parts(values):
        indices = np.arange(len(part))
        codes[row : row + len(part)], own, own_ends = numbering.codes(part, indices)
        letters.extend(own)
        ends.append(own_ends)
        row += len(part)
    return codes, Texts(np.frombuffer(bytes(letters), np.uint8), np.concatenate(ends))


def _parts(values: Iterable[str]) -> Iterator[list[str]]:
    part: list[str] = []
    for value in values:
        part.append(value)
        if len(part) == 1 << 16:
            yield part
            part = []
    yield part


@dataclass(frozen=True)
class TextArray:
    """An array of texts: their numbers, and the texts that the numbers stand for."""

    codes: Array
    texts: Texts

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the array."""
        shape: tuple[int, ...] = self.codes.shape
        return shape

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return self.codes.ndim

    @property
    def size(self) -> int:
        """The number of texts."""
        return self.codes.size

    @property
    def dtype(self) -> np.dtype[Any]:
        """Objects, which are texts."""
        return np.dtype(object)

    def __len__(self) -> int:
        return len(self.codes)

    def __getitem__(self, index: Any) -> Array:
        return self.texts.of(np.asarray(self.codes[index]))


def holds_texts(array: Any) -> bool:
    """Return whether an array holds texts: as NumPy stores them, as bytes, or as objects."""
    kind = array.dtype.kind
    return kind in "UST" or (kind == "O" and array.size and isinstance(_first(array), str | bytes))


def _first(array: Any) -> Any:
    return array[(0,) * array.ndim]


def each_text(array: Any) -> Iterator[str]:
    """Yield the texts of an array in order; a missing one (None, NaN) is empty.

    Raises:
        TypeError: a value is no text.
        UnicodeError: bytes are not UTF-8.
    """
    flat = array.reshape(-1)
    for start in range(0, len(flat), 1 << 14):
        for value in flat[start : start + (1 << 14)].tolist():
            if isinstance(value, str):
                yield value
            elif isinstance(value, bytes):
                yield value.decode()
            elif value is None or value != value:  # noqa: PLR0124 - NaN alone differs from itself
                yield ""
            else:
                raise TypeError(f"holds {type(value).__name__} values, not texts")


@dataclass(frozen=True)
class Labels:
    """The texts of a target in the order of their first appearance, and the row of each."""

    names: tuple[str, ...]
    rows: tuple[int, ...]
    """The first row of each, counted from 1."""

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Labels:
        """Return the labels that a cached table has.

        Raises:
            ValueError, TypeError: they are damaged.
        """
        names, rows = (tuple(given[key]) for key in ("names", "rows"))
        kinds = all(isinstance(n, str) for n in names) and all(isinstance(r, int) for r in rows)
        if not kinds or len(names) != len(rows):
            raise ValueError("its labels do not belong together")
        return cls(names, rows)
