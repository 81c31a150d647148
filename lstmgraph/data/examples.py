"""The examples of a data source, and which of them belong to each part of the data."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from lstmgraph.compiler.checks.class_weights import YES_OR_NO
from lstmgraph.data.fields import item_bytes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lstmgraph.compiler.checks.class_weights import ClassWeights
    from lstmgraph.compiler.checks.data_needs import Needs
    from lstmgraph.data.buckets import Buckets
    from lstmgraph.data.feeding import Feed
    from lstmgraph.data.fields import Field
    from lstmgraph.data.texts import Labels
    from lstmgraph.data.timeline import Timeline
    from lstmgraph.data.values import Array

Batch = tuple[dict[str, Any], dict[str, Any], dict[str, Any] | None]
"""Inputs, targets and sample weights by name, as ``fit`` takes them; None without weights."""

IN_MEMORY = 256 << 20
"""Bytes up to which all examples of a part are given to TensorFlow at once."""


@dataclass(frozen=True)
class ExampleSource:
    """All examples of one source; nothing is copied, and values are read only when asked for."""

    inputs: Mapping[str, Field]
    targets: Mapping[str, Field]
    sample_weights: Mapping[str, Field] = field(default_factory=dict)
    """By target; those of all targets have the name ``""``."""
    weighed: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    """For each target with a loss, the shape of one example's weights."""
    unused: tuple[str, ...] = ()
    """Outputs without a loss, for which Keras needs a target all the same."""
    time_major: frozenset[str] = frozenset()
    """Inputs that the model takes as ``(time, batch, ...)``."""
    labels: Mapping[str, Labels] = field(default_factory=dict)
    """For targets whose numbers stand for texts that have no ids yet, the texts."""
    classes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The names of the classes of targets, in the order of their ids."""
    keeps: object = None
    """What must live as long as the examples: the temporary folder of their files."""

    def batch(self, examples: Array, of_classes: Mapping[str, ClassWeights]) -> Batch:
        """Return the examples with these numbers, as (inputs, targets, weights)."""
        x = {name: tensor.take(examples) for name, tensor in self.inputs.items()}
        for name in self.time_major:
            x[name] = np.swapaxes(x[name], 0, 1)
        y = {name: tensor.take(examples) for name, tensor in self.targets.items()}
        y |= {name: np.zeros((len(examples), 1), "float32") for name in self.unused}
        return x, y, self._weights(examples, y, of_classes)

    def _weights(
        self,
        examples: Array,
        targets: Mapping[str, Array],
        of_classes: Mapping[str, ClassWeights],
    ) -> dict[str, Array] | None:
        """Return weights for every target, as Keras needs them, each in the shape of its loss."""
        if not self.sample_weights and not of_classes:
            return None
        taken = {name: own.take(examples) for name, own in self.sample_weights.items()}
        of_all = taken.get("", np.ones(len(examples), "float32"))
        weights = {}
        for name, shape in self.weighed.items():
            weight = taken.get(name, of_all)
            axes = (1,) * (len(shape) + 1 - weight.ndim)
            spread = weight.reshape(*weight.shape, *axes)
            if name in of_classes:
                spread = spread * _of_targets(of_classes[name], targets[name], len(shape) + 1)
            weights[name] = np.ascontiguousarray(np.broadcast_to(spread, (len(examples), *shape)))
        others = [name for name in (*self.targets, *self.unused) if name not in weights]
        return weights | {name: np.ones(len(examples), "float32") for name in others}

    @property
    def bytes_of_one(self) -> int:
        """The bytes that one example takes in memory."""
        weights = self.sample_weights.values()
        tensors = [*self.inputs.values(), *self.targets.values(), *weights]
        return sum(int(np.prod(tensor.shape)) * item_bytes(tensor) for tensor in tensors)


def example_source(
    needs: Needs,
    inputs: Mapping[str, Field],
    targets: Mapping[str, Field],
    sample_weights: Mapping[str, Field],
    labels: Mapping[str, Labels] | None = None,
) -> ExampleSource:
    """Return a source of these tensors, with what the model needs to form batches."""
    return ExampleSource(
        inputs,
        targets,
        sample_weights,
        # A loss takes the mean over the last axis or over classes; weights have the axes before it.
        weighed={
            name: targets[name].shape[: len(dims or ())]
            for name, dims in needs.weighed.items()
            if name in targets
        },
        unused=needs.unused if targets else (),
        time_major=frozenset(name for name, need in needs.inputs.items() if need.time_major),
        labels=labels or {},
    )


@dataclass(frozen=True)
class Examples:
    """One part of the data: the training, validation or test examples, or those of a fold.

    ``len()`` is the number of examples. Making one, or passing it to a forked process, copies
    nothing: files stay mapped and arrays are shared.
    """

    source: ExampleSource
    timeline: Timeline
    """Where all examples of the source stand in time."""
    numbers: Array
    """The numbers of the part's examples in the source, (count,) int64."""
    class_weights: Mapping[str, ClassWeights] = field(default_factory=dict)
    """The weights of the targets' classes; the parts for training alone have them."""
    buckets: Buckets | None = None
    """The lengths that batches are padded to; None for that of the longest example."""

    def __len__(self) -> int:
        return len(self.numbers)

    def __repr__(self) -> str:
        return f"<Examples: {len(self):,} of {len(self.timeline):,}>"

    def batch(self, positions: Array | slice) -> Batch:
        """Return the examples at these positions of the part, as (inputs, targets, weights).

        Inputs and targets are dictionaries of arrays ``(batch, ...)`` by name, sequences
        ``(batch, time, units)``; ``time_major`` inputs are ``(time, batch, units)``. Weights are
        None if the data has none; where the recipe has a ``class_weight``, the parts for training
        have weights.
        """
        return self.source.batch(self.numbers[positions], self.class_weights)

    def arrays(self) -> Batch:
        """Return all examples of the part in memory, as ``batch`` does."""
        return self.batch(slice(None))

    @property
    def time_major(self) -> frozenset[str]:
        """The inputs whose arrays are ``(time, batch, ...)``."""
        return self.source.time_major

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of one example of each input."""
        return {name: tensor.shape for name, tensor in self.source.inputs.items()}

    @property
    def span(self) -> tuple[str, str] | None:
        """The first and the last time of the targets, as text; None without a time column."""
        return self.timeline.span(self.numbers)

    @property
    def series_count(self) -> int | None:
        """The number of series that the examples come from; None without named series."""
        if not self.timeline.has_series:
            return None
        return len(np.unique(self.timeline.series[self.numbers]))

    @property
    def nbytes(self) -> int:
        """The bytes that ``arrays()`` takes in memory."""
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
            batch_size: The number of examples in a batch.
            seed: Shuffles every epoch, in the order that ``epoch_order`` gives; None keeps the
                order of the examples.
            drop_last: Leaves out a last batch that is not full, as models with a fixed batch size
                need it.
            in_memory: The bytes up to which all examples are read once and kept in memory; of a
                larger part, each batch is read when it is needed.
        """
        from lstmgraph.data.feeding import Feed  # noqa: PLC0415 - imports TensorFlow

        inputs = self.source.inputs
        return Feed(
            self,
            batch_size,
            order=None if seed is None else lambda epoch: epoch_order(len(self), seed, epoch),
            drop_last=drop_last,
            whole=self.nbytes <= in_memory,
            buckets=None if self.buckets is None else self.buckets.of_part(inputs, self.numbers),
        )


def _of_targets(classes: ClassWeights, targets: Array, rank: int) -> Array:
    """Return the weight of each target's class, float32 of as many axes as `rank` says."""
    if targets.ndim > rank:
        targets = targets[..., 0] if targets.shape[-1] == 1 else targets.argmax(axis=-1)
    ids = np.round(targets).astype(np.int64)
    if classes.targets == YES_OR_NO:  # hinge losses take -1 for 0
        ids = np.maximum(ids, 0)
    others = max(classes.weights) + 1
    table = np.ones(others + 1, "float32")
    for number, weight in classes.weights.items():
        table[number] = weight
    return table[np.where((ids < 0) | (ids > others), others, ids)]


def epoch_order(count: int, seed: int, epoch: int) -> Array:
    """Return the order of `count` examples in an epoch (from 0), a permutation of their positions.

    It depends on the arguments alone, so a resumed run sees the batches of an unbroken one.
    """
    sequence = np.random.SeedSequence([seed, epoch])
    return np.random.Generator(np.random.PCG64(sequence)).permutation(count)
