"""Examples: named tensors, and the example numbers of each part of the data."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lstmgraph.compiler.checks.data_needs import Needs
    from lstmgraph.data.feeding import Feed
    from lstmgraph.data.fields import Field
    from lstmgraph.data.timeline import Timeline
    from lstmgraph.data.values import Array

Batch = tuple[dict[str, Any], dict[str, Any], dict[str, Any] | None]
"""Inputs, targets and sample weights by name, as ``fit`` takes them; None without weights."""

IN_MEMORY = 256 << 20
"""Bytes up to which the examples of a part are handed to TensorFlow as a whole."""


@dataclass(frozen=True)
class ExampleSource:
    """All examples of one source: nothing is copied, and nothing is read before it is used."""

    inputs: Mapping[str, Field]
    targets: Mapping[str, Field]
    sample_weight: Field | None = None
    weighed: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    """Of each target with a loss, the shape that its weights must have."""
    unused: tuple[str, ...] = ()
    """Outputs for which Keras wants a target and none is used."""
    time_major: frozenset[str] = frozenset()
    """Inputs that the model takes as (time, batch, ...)."""
    keeps: object = None
    """What must stay as long as the examples: the folder that their files are in."""

    def batch(self, examples: Array) -> Batch:
        """Return the examples with these numbers."""
        x = {name: tensor.take(examples) for name, tensor in self.inputs.items()}
        for name in self.time_major:
            x[name] = np.swapaxes(x[name], 0, 1)
        y = {name: tensor.take(examples) for name, tensor in self.targets.items()}
        y |= {name: np.zeros((len(examples), 1), "float32") for name in self.unused}
        return x, y, self._weights(examples)

    def _weights(self, examples: Array) -> dict[str, Array] | None:
        """Return a weight for every target, in the shape of its loss, as Keras takes them."""
        if self.sample_weight is None:
            return None
        weight = self.sample_weight.take(examples)
        weights = {}
        for name, shape in self.weighed.items():
            axes = (1,) * (len(shape) + 1 - weight.ndim)
            spread = weight.reshape(*weight.shape, *axes)
            weights[name] = np.ascontiguousarray(np.broadcast_to(spread, (len(examples), *shape)))
        others = [name for name in (*self.targets, *self.unused) if name not in weights]
        return weights | {name: np.ones(len(examples), "float32") for name in others}

    @property
    def bytes_of_one(self) -> int:
        """Return the bytes of one example in memory."""
        weights = [self.sample_weight] if self.sample_weight else []
        tensors = [*self.inputs.values(), *self.targets.values(), *weights]
        return sum(int(np.prod(each.shape)) * each.dtype.itemsize for each in tensors)


def example_source(
    needs: Needs,
    inputs: Mapping[str, Field],
    targets: Mapping[str, Field],
    sample_weight: Field | None,
) -> ExampleSource:
    """The tensors of all examples, and what of a model's needs shapes its batches."""
    return ExampleSource(
        inputs,
        targets,
        sample_weight,
        # A loss takes the mean over the last axis, or over classes: what is left has a weight.
        weighed={
            name: targets[name].shape[: len(dims or ())]
            for name, dims in needs.weighed.items()
            if name in targets
        },
        unused=needs.unused if targets else (),
        time_major=frozenset(name for name, need in needs.inputs.items() if need.time_major),
    )


@dataclass(frozen=True)
class Examples:
    """One part of the data: the training, validation or test examples, or those of a fold.

    Cheap to make and to hand to a forked process: files stay mapped, arrays are shared.
    """

    source: ExampleSource
    timeline: Timeline
    """Of all examples of the source."""
    numbers: Array
    """(count,) int64: which examples of the source."""

    def __len__(self) -> int:
        return len(self.numbers)

    def __repr__(self) -> str:
        return f"<Examples: {len(self):,} of {len(self.timeline):,}>"

    def batch(self, positions: Array | slice) -> Batch:
        """Return the examples at these positions of this part: (inputs, targets, weights)."""
        return self.source.batch(self.numbers[positions])

    def arrays(self) -> Batch:
        """Return all examples of the part, in memory."""
        return self.batch(slice(None))

    @property
    def time_major(self) -> frozenset[str]:
        """Return the inputs whose arrays have the examples along their second axis."""
        return self.source.time_major

    @property
    def span(self) -> tuple[str, str] | None:
        """Return the first and the last time of the targets; None without a column of times."""
        return self.timeline.span(self.numbers)

    @property
    def series_count(self) -> int | None:
        """Return the number of series; None where there are no named series."""
        if not self.timeline.has_series:
            return None
        return len(np.unique(self.timeline.series[self.numbers]))

    @property
    def nbytes(self) -> int:
        """Return the bytes that ``arrays()`` takes in memory."""
        return len(self) * self.source.bytes_of_one

    def as_keras(
        self,
        batch_size: int,
        *,
        seed: int | None = None,
        drop_last: bool = False,
        in_memory: int = IN_MEMORY,
    ) -> Feed:
        """Return the part as ``model.fit`` takes it. Imports TensorFlow.

        Args:
            batch_size: examples in a batch.
            seed: shuffles, in each epoch in the order that ``epoch_order`` gives. None keeps the
                order.
            drop_last: leaves a last batch of fewer examples out, as models with a fixed batch size
                need.
            in_memory: bytes up to which all examples are gathered once and kept in memory; with
                more, each batch is read when it is needed.
        """
        from lstmgraph.data.feeding import Feed  # noqa: PLC0415 - imports TensorFlow

        return Feed(
            self,
            batch_size,
            order=None if seed is None else lambda epoch: epoch_order(len(self), seed, epoch),
            drop_last=drop_last,
            whole=self.nbytes <= in_memory,
        )


def epoch_order(count: int, seed: int, epoch: int) -> Array:
    """Return the order of `count` examples in an epoch: a permutation of 0 to count - 1.

    It follows from the arguments alone, so a resumed run sees the batches that it would have seen.
    """
    sequence = np.random.SeedSequence([seed, epoch])
    return np.random.Generator(np.random.PCG64(sequence)).permutation(count)
