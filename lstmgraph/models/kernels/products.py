"""The product of a state with a recurrent matrix, its dropout, and its gradients."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import tensorflow as tf

if TYPE_CHECKING:
    from collections.abc import Sequence

Tensor = Any


class Product:
    """Multiplies states by ``matrix``, (units, gates * units).

    With ``dropped``, one mask (batch, units) for each gate, a gate reads the state times its mask.
    """

    def __init__(self, matrix: Tensor, dropped: Sequence[Tensor] = ()) -> None:
        self.matrix = matrix
        self.dropped = dropped
        self.parts = tf.split(matrix, len(dropped), axis=1) if dropped else [matrix]
        self.transposed = [tf.transpose(part) for part in self.parts]
        """Once for all steps, outside of their loop."""

    def of(self, state: Tensor) -> Tensor:
        """Return the product with a state, (batch, gates * units)."""
        if not self.dropped:
            return tf.matmul(state, self.matrix)
        pairs = zip(self.dropped, self.parts, strict=True)
        return tf.concat([tf.matmul(state * drop, part) for drop, part in pairs], axis=1)

    def back(self, gradient: Tensor) -> Tensor:
        """Return the gradient of the state from that of the product."""
        if not self.dropped:
            return tf.matmul(gradient, self.transposed[0])
        parts = tf.split(gradient, len(self.dropped), axis=1)
        return sum(
            drop * tf.matmul(own, part)
            for drop, own, part in zip(self.dropped, parts, self.transposed, strict=True)
        )

    def of_matrix(self, states: Tensor, gradients: Tensor) -> Tensor:
        """Return the gradient of the matrix, from the states and gradients of all steps."""
        if not self.dropped:
            return _summed(states, gradients)
        parts = tf.split(gradients, len(self.dropped), axis=2)
        pairs = zip(self.dropped, parts, strict=True)
        return tf.concat([_summed(states * drop, own) for drop, own in pairs], axis=1)


def _summed(states: Tensor, gradients: Tensor) -> Tensor:
    flat = [tf.reshape(each, (-1, each.shape[-1])) for each in (states, gradients)]
    return tf.matmul(*flat, transpose_a=True)
