"""What a call of a recurrent layer adds to its loop: steps that do not count, dropout, outputs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import tensorflow as tf

from lstmgraph.models.kernels.scanning import before

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Tensor = Any


@dataclass(frozen=True)
class Call:
    """A call of a recurrent layer. Steps that do not count repeat the states before them."""

    activations: tuple[Callable[[Tensor], Tensor], ...]
    """That of the candidate or output, then that of the gates."""
    sequence: bool
    """Whether the outputs of all steps are read."""
    counts: list[Tensor] = field(default_factory=list)
    """Whether a step counts, (time, batch, 1); empty if all do."""
    dropped: Sequence[Tensor] = ()
    """A mask of the recurrent dropout for each gate, (batch, units); empty without dropout."""

    def counted(
        self, new: list[Tensor], old: list[Tensor], counts: Sequence[Tensor]
    ) -> list[Tensor]:
        """Return the new states of the rows whose step counts, and the old ones of the others."""
        if not self.counts:
            return new
        return [tf.where(counts[0], *pair) for pair in zip(new, old, strict=True)]

    def begun(self) -> list[Tensor]:
        """Return whether a step that counts has been, (time, batch, 1); empty if all count."""
        if not self.counts:
            return []
        counts = self.counts[0]
        first = tf.argmax(tf.cast(counts, tf.int32), axis=0, output_type=tf.int32)
        steps = tf.range(tf.shape(counts)[0])[:, None, None]
        return [(steps >= first) & tf.reduce_any(counts, axis=0)]

    def zeroed(self, factors: Tensor) -> Tensor:
        """Return the factors of all steps, zero at those that do not count."""
        return tf.where(self.counts[0], factors, 0) if self.counts else factors

    def ones(self, factors: Tensor) -> Tensor:
        """Return the factors of all steps, one at those that do not count."""
        return tf.where(self.counts[0], factors, 1) if self.counts else factors

    def last(self, gradient: Tensor, of_sequence: Sequence[Tensor]) -> Tensor:
        """Return the gradient of the last state with that of the last output."""
        return gradient + of_sequence[0][-1] if self.sequence else gradient

    def read_backwards(self, of_sequence: Sequence[Tensor]) -> list[Tensor]:
        """Return what ``earlier`` and ``skipping`` read, from the gradient of the sequence."""
        outputs = [before(tf.zeros_like(each[0]), each) for each in of_sequence]
        return [*outputs, *(tf.logical_not(counts) for counts in self.counts)]

    def earlier(self, gradient: Tensor, read: Sequence[Tensor]) -> Tensor:
        """Return the gradient of the state before a step with that of the output before it."""
        return gradient + read[0] if self.sequence else gradient

    def skipping(self, gradient: Tensor, after: Tensor, read: Sequence[Tensor]) -> Tensor:
        """Return the gradient of a state, with that of the state `after` a step that is skipped."""
        return gradient + tf.where(read[-1], after, 0) if self.counts else gradient
