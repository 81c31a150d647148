"""Batches of rows of about the same number of steps, each padded to the longest of its bucket."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from lstmgraph.compiler.checks.buckets import LENGTHS, Axis, bucketed_axes
from lstmgraph.data.fields import ROWS_AT_ONCE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lstmgraph.compiler.checks.buckets import Counter
    from lstmgraph.compiler.checks.data_needs import Needs
    from lstmgraph.compiler.graph import Graph
    from lstmgraph.data.fields import Field
    from lstmgraph.data.values import Array

MOST_CANDIDATES = 256
"""From how many lengths those of the buckets are chosen."""


@dataclass(frozen=True)
class Buckets:
    """The sizes that batches are padded to, from the training examples alone."""

    axes: tuple[Axis, ...]
    sizes: Array
    """The steps of each axis in each bucket, (buckets, axes) int64, from bucket to bucket more."""

    def of_part(self, inputs: Mapping[str, Field], numbers: Array) -> PartBuckets:
        """Return the buckets of the examples `numbers` of all, which are read once."""
        steps = counted_steps(self.axes, inputs, numbers)
        most = _whole(self.axes, inputs)
        sizes = np.minimum(self.sizes, most)
        if (steps > sizes[-1]).any():
            sizes = np.vstack([sizes, most])
        fits = (steps[:, None] <= sizes).all(axis=2)
        return PartBuckets(self.axes, sizes, fits.argmax(axis=1))


@dataclass(frozen=True)
class PartBuckets:
    """The bucket of each example of a part, and what its batches are cut to."""

    axes: tuple[Axis, ...]
    sizes: Array
    """(buckets, axes) int64."""
    of_rows: Array
    """The bucket of each example, (examples,) int64."""

    @cached_property
    def last(self) -> int:
        """The bucket of the longest example, which a last batch that is not full has too."""
        return int(self.of_rows.max(initial=0))

    @cached_property
    def inputs(self) -> dict[str, int]:
        """By input that is cut, the number of its axis in `sizes`."""
        return {name: place for place, axis in enumerate(self.axes) for name in axis.inputs}

    @cached_property
    def targets(self) -> dict[str, int]:
        """By target that is cut, the number of its axis in `sizes`."""
        return {name: place for place, axis in enumerate(self.axes) for name in axis.targets}

    def ordered(self, order: Array, batch_size: int) -> Array:
        """Return the positions of an epoch so that rows of one bucket are in the same batches.

        The rows of a bucket that fill no batch go into batches of the next one. So at most one
        batch is not full, the last, and there are as many as without buckets. Full batches come
        in the order in which their last rows come in `order`.
        """
        of_rows = self.of_rows[order]
        left, full = np.empty(0, np.int64), []
        for bucket in range(len(self.sizes)):
            # Places in the order: of rows that were left, then of the bucket's own.
            places = np.concatenate([left, np.flatnonzero(of_rows == bucket)])
            count = len(places) // batch_size * batch_size
            full.append(places[:count].reshape(-1, batch_size))
            left = places[count:]
        batches = np.concatenate(full)
        batches = batches[np.argsort(batches.max(axis=1, initial=0), kind="stable")]
        ordered: Array = order[np.concatenate([batches.reshape(-1), left])]
        return ordered

    def buckets(self, positions: Array, batch_size: int) -> list[int]:
        """Return the bucket of each batch of `positions`, that of its longest row."""
        full = len(positions) // batch_size * batch_size
        found = self.of_rows[positions[:full]].reshape(-1, batch_size).max(axis=1, initial=0)
        return [*map(int, found), *([self.last] if full < len(positions) else [])]


def fitted_buckets(
    count: int, needs: Needs, graph: Graph, inputs: Mapping[str, Field], numbers: Array
) -> Buckets:
    """Return at most `count` buckets of which the training examples need the least padding."""
    found = bucketed_axes(needs, graph).values()
    axes = tuple(axis for axis in found if isinstance(axis, Axis))
    steps = np.maximum(counted_steps(axes, inputs, numbers), 1)
    return Buckets(axes, least_padding(steps, count))


def least_padding(steps: Array, count: int) -> Array:
    """Return the sizes of at most `count` buckets for rows of (rows, axes) steps, (buckets, axes).

    Rows are taken in the order of their steps on all axes together, and cut where the padded
    steps are fewest, by dynamic programming over at most `MOST_CANDIDATES` places.
    """
    total = steps.sum(axis=1)
    order = np.argsort(total, kind="stable")
    largest = np.maximum.accumulate(steps[order], axis=0)
    ends = np.flatnonzero(np.diff(total[order], append=-1)) + 1
    if len(ends) > MOST_CANDIDATES:
        ends = np.unique(ends[np.linspace(0, len(ends) - 1, MOST_CANDIDATES).astype(np.int64)])
    rows = np.concatenate([[0], ends]).astype(np.float64)
    widths = largest[ends - 1].sum(axis=1)
    # cost[i, j]: the steps of a bucket that begins after end i and stops at end j + 1.
    cost = (rows[None, 1:] - rows[:-1, None]) * widths[None]
    cost[np.tril_indices(len(ends), -1)] = np.inf
    best, cuts = cost[0], []
    for _ in range(min(count, len(ends)) - 1):
        through = best[:-1, None] + cost[1:]
        before = through.argmin(axis=0)
        better = through[before, np.arange(len(ends))] < best
        cuts.append(np.where(better, before, -1))
        best = np.where(better, through[before, np.arange(len(ends))], best)
    chosen, end = [len(ends) - 1], len(ends) - 1
    for cut in reversed(cuts):
        if cut[end] >= 0:
            end = int(cut[end])
            chosen.append(end)
    return np.asarray(largest[ends[sorted(chosen)] - 1], np.int64)


def counted_steps(axes: tuple[Axis, ...], inputs: Mapping[str, Field], numbers: Array) -> Array:
    """Return the steps of each axis up to the last one that counts, (examples, axes) int64."""
    steps = np.zeros((len(numbers), len(axes)), np.int64)
    for place, axis in enumerate(axes):
        for counter in axis.counters:
            for start in range(0, len(numbers), ROWS_AT_ONCE):
                rows = slice(start, start + ROWS_AT_ONCE)
                values = np.asarray(inputs[counter.name].take(numbers[rows]))
                np.maximum(steps[rows, place], _last(counter, values), out=steps[rows, place])
    return steps


def _last(counter: Counter, values: Array) -> Array:
    """Return the number of steps up to the last one that `values`, (rows, ...), count, (rows,)."""
    if counter.kind == LENGTHS:
        return values.reshape(len(values)).astype(np.int64)
    counts = values != counter.value
    counts = counts.reshape(*counts.shape[:2], -1).any(axis=2)
    found = counts.shape[1] - counts[:, ::-1].argmax(axis=1)
    return np.asarray(np.where(counts.any(axis=1), found, 0), np.int64)


def _whole(axes: tuple[Axis, ...], inputs: Mapping[str, Field]) -> Array:
    """Return the steps of each axis in the arrays of the inputs, (axes,)."""
    return np.array([min(inputs[name].shape[0] for name in axis.inputs) for axis in axes])


def cut(tensor: Any, axis: int, steps: Any) -> Any:
    """Return the first `steps` steps of a batch, an array or a tensor, along `axis`, 0 or 1."""
    return tensor[:steps] if axis == 0 else tensor[:, :steps]
