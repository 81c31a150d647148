"""Checks of values: finite, in range, and whole numbers where the model takes ids."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from lstmgraph.compiler.checks.data_needs import ADD_UP, WHOLE
from lstmgraph.data.lengths import fits_dtype, outside
from lstmgraph.keras_facts.layers.lookups import STRING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lstmgraph.compiler.checks.data_needs import Limit
    from lstmgraph.data.problems import Problems

Array = np.ndarray[Any, np.dtype[Any]]

CHUNK_BYTES = 16 << 20
"""The bytes of a large array that are checked at a time."""


ADDED = 1e-3
"""How far numbers that add up to 1 may be from it, after rounding."""


def storage_dtype(dtype: str) -> np.dtype[Any]:
    """Return the NumPy dtype for an input: float32 for bfloat16, objects for texts."""
    if dtype == STRING:
        return np.dtype(object)
    return np.dtype("float32" if dtype == "bfloat16" else dtype)


@dataclass
class _Tally:
    """Counts the values that are wrong in one way, and keeps the first of them."""

    count: int = 0
    place: tuple[int, ...] = ()
    value: Any = None

    def add(self, wrong: Array, values: Array, offset: int) -> None:
        count = int(np.count_nonzero(wrong))
        if count and not self.count:
            first = np.unravel_index(int(np.argmax(wrong)), wrong.shape)
            place = tuple(int(index) for index in first)
            self.value = values[place].item()
            self.place = (place[0] + offset, *place[1:]) if place else ()
        self.count += count


@dataclass
class Scan:
    """Checks numbers chunk by chunk; `report` then adds the problems of all of them."""

    dtype: np.dtype[Any]
    limits: Sequence[tuple[Limit, float | None]] = ()
    """Each limit with its upper end, None if that is not known."""
    optional: bool = False
    """Whether values may be missing (NaN)."""
    nan: _Tally = field(default_factory=_Tally)
    infinite: _Tally = field(default_factory=_Tally)
    unfit: _Tally = field(default_factory=_Tally)
    outside: list[_Tally] = field(default_factory=list)

    def add(self, values: Array, offset: int) -> None:
        """Check a chunk of values; `offset` is the number of its first row among all rows."""
        finite = np.isfinite(values)
        if not finite.all():
            missing = np.isnan(values)
            if not self.optional:
                self.nan.add(missing, values, offset)
            self.infinite.add(~finite & ~missing, values, offset)
        fits = fits_dtype(values, self.dtype)
        self.unfit.add(finite & ~fits, values, offset)
        self.outside = self.outside or [_Tally() for _ in self.limits]
        for tally, (limit, high) in zip(self.outside, self.limits, strict=True):
            tally.add(fits & outside(values, limit.low, high, limit.exception), values, offset)
            if not tally.count and limit.rule is not None:
                broken, by = _broken(limit.rule, values)
                if self.optional and broken.shape == finite.shape:
                    broken = broken & finite
                tally.add(broken, by, offset)

    def report(
        self,
        problems: Problems,
        what: str,
        place: Callable[[tuple[int, ...]], str],
        *,
        missing: str | None = None,
    ) -> None:
        """Add the problems that were found.

        `place` names a value's place, such as ``row 17``; `missing` is what to do about NaN.
        """
        usual = "a single one makes every result NaN: fill them in, or remove these rows"
        hints = (self.nan, "missing (NaN)", missing or usual), (self.infinite, "infinite", usual)
        for tally, word, hint in hints:
            if tally.count:
                problems.add(
                    "D301",
                    f"{what}: {counted(tally.count)} {word}, the first in {place(tally.place)}",
                    hint,
                )
        if self.unfit.count:
            problems.add(
                "D202",
                f"{what}: {counted(self.unfit.count)} not {self.dtype}, the first in "
                f"{place(self.unfit.place)}: {self.unfit.value}",
                _UNFIT_HINTS.get(self.dtype.kind, "declare the input in a larger dtype"),
            )
        reported: set[tuple[int, tuple[int, ...]]] = set()
        for tally, (limit, _) in zip(self.outside, self.limits, strict=False):
            if tally.count and (tally.count, tally.place) not in reported:
                reported.add((tally.count, tally.place))
                problems.add(
                    "D302",
                    f"{what}: {counted(tally.count)} out of range, the first in "
                    f"{place(tally.place)}: {tally.value:g}",
                    limit.reason,
                )


def _broken(rule: str, values: Array) -> tuple[Array, Array]:
    """Return where `rule` is broken, and by which values; a column alone adds up to anything."""
    if rule == WHOLE:
        return values != np.round(values), values
    if values.ndim < 2:
        return np.zeros(values.shape, bool), values
    if rule == ADD_UP:
        total = values.sum(-1, dtype="float64")
        return (np.abs(total - 1) > ADDED) & (total != 0), total
    return (values[..., :-1] == 0) & (values[..., 1:] != 0), values[..., :-1]


_UNFIT_HINTS = {
    "i": "the input takes whole numbers: round them, or declare the input as float32",
    "u": "the input takes whole numbers from 0: round them, or declare the input as float32",
    "b": "the input takes 0 and 1, or false and true",
}


def counted(count: int) -> str:
    """Return ``1 value is`` or ``2,000 values are``."""
    return "1 value is" if count == 1 else f"{count:,} values are"


def scanned(array: Array, scan: Scan) -> Scan:
    """Check all of `array`, a part at a time, and return `scan`."""
    row_bytes = max(1, array[:1].nbytes)
    rows = max(1, CHUNK_BYTES // row_bytes)
    for start in range(0, len(array), rows):
        scan.add(np.asarray(array[start : start + rows]), start)
    return scan


def as_dtype(values: Array, dtype: np.dtype[Any]) -> Array:
    """Return `values` in `dtype`; values that do not fit change, as ``Scan`` has reported them."""
    if values.dtype == dtype:
        return values
    if values.dtype.kind == "f" and dtype.kind in "iub":
        values = np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0)
    with np.errstate(over="ignore", invalid="ignore"):
        return values.astype(dtype)
