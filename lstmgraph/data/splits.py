"""Splits of examples into training, validation and test parts, in order of time or at random."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lstmgraph.language.declaration.data import CHRONOLOGICAL, DataSplit

if TYPE_CHECKING:
    from lstmgraph.data.timeline import Timeline
    from lstmgraph.data.values import Array


@dataclass(frozen=True)
class Parts:
    """The sorted example numbers of each part; with folds, `train` is all but the test part."""

    train: Array
    validation: Array
    test: Array
    folds: tuple[tuple[Array, Array], ...] = ()
    """The training and validation examples of each fold."""


def split_examples(timeline: Timeline, split: DataSplit) -> Parts:
    """Return the examples of each part.

    A chronological split cuts every series at the same moments or, without times, after the same
    share of its rows. An example belongs to a part if all its targets do; its history may reach
    into an earlier part, as it is known by then. An example with targets on both sides of a cut, or
    in the gap, belongs to no part.
    """
    if split.kind == CHRONOLOGICAL:
        return _chronological(timeline, split)
    return _random(timeline, split)


def _chronological(timeline: Timeline, split: DataSplit) -> Parts:
    starts, ends = timeline.series_starts[:-1], timeline.series_starts[1:]
    *cuts, cut, test_cut = cuts_of(timeline.series_starts, timeline.times, split)

    def between(first: Array, end: Array) -> Array:
        inside = timeline.first >= first[timeline.series]
        inside &= timeline.end <= end[timeline.series]
        return np.flatnonzero(inside)

    folds = tuple(
        (between(starts, here), between(here + split.gap, after))
        for here, after in zip(cuts, [*cuts[1:], test_cut], strict=False)
    )
    return Parts(
        between(starts, cut),
        between(cut + split.gap, test_cut),
        between(test_cut + split.gap, ends),
        folds,
    )


def cuts_of(series_starts: Array, times: Array | None, split: DataSplit) -> list[Array]:
    """Return the first row of each series after each cut of a chronological split.

    The cuts are those of the folds, then the ends of the training and of the validation part.

    Args:
        series_starts: the first row of each series, then the number of rows, (series + 1,).
        times: the time of each row, (rows,); None without a time column.
        split: how to split.
    """
    kept, count = 1 - split.test, split.folds or 0
    parts = [kept * number / (count + 1) for number in range(1, count + 1)]
    parts += [kept if split.folds else kept - split.validation, kept]
    return [_cuts(series_starts, times, part) for part in parts]


def _cuts(starts: Array, times: Array | None, part: float) -> Array:
    """Return the first row of each series that comes after this share of the time (or rows)."""
    if part >= 1:
        return starts[1:]
    if times is None:
        rows = np.diff(starts)
        reached = np.floor((rows - 1) * part + _EPSILON).astype(np.int64) + 1
        cuts: Array = starts[:-1] + np.minimum(rows, reached)
        return cuts
    first, last = times.min().item(), times.max().item()
    passed = (last - first) * part + _EPSILON
    moment = first + (math.floor(passed) if isinstance(first, int) else passed)
    return np.array(
        [
            start + int(np.searchsorted(times[start:end], moment, "right"))
            for start, end in zip(starts[:-1].tolist(), starts[1:].tolist(), strict=True)
        ]
    )


_EPSILON = 1e-9
"""Makes 0.7 of 10 steps 7 steps, though 1 - 0.2 - 0.1 is a little less than 0.7."""


def _random(timeline: Timeline, split: DataSplit) -> Parts:
    """Split at random: whole series if there are named series, single examples otherwise."""
    units = timeline.series if timeline.has_series else np.arange(len(timeline))
    distinct = np.unique(units)
    generator = np.random.Generator(np.random.PCG64(split.seed))
    shuffled = generator.permutation(distinct)
    tested = round(len(distinct) * split.test)
    validated = round(len(distinct) * split.validation)
    test, rest = shuffled[:tested], shuffled[tested:]

    def of(chosen: Array) -> Array:
        return np.flatnonzero(np.isin(units, chosen))

    if split.folds:
        parts = np.array_split(rest, split.folds)
        folds = tuple((of(np.setdiff1d(rest, part)), of(part)) for part in parts)
        return Parts(of(rest), np.array([], np.int64), of(test), folds)
    return Parts(of(rest[validated:]), of(rest[:validated]), of(test))
