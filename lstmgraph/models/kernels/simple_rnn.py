"""The loop of a SimpleRNN and its gradient, with the formula of ``keras.layers.SimpleRNNCell``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import tensorflow as tf

from lstmgraph.models.kernels.activations import SLOPES
from lstmgraph.models.kernels.products import Product
from lstmgraph.models.kernels.scanning import before, scan

if TYPE_CHECKING:
    from lstmgraph.models.kernels.call import Call

Tensor = Any


def run(call: Call, projected: Tensor, h0: Tensor, matrix: Tensor) -> list[Tensor]:
    """Return [h] after the last step, after the sequence of h if `call` reads it.

    Args:
        call: what else the loop needs.
        projected: the inputs times the kernel, plus bias, (time, batch, units).
        h0: the initial output, (batch, units).
        matrix: the recurrent kernel, (units, units).
    """
    (activation,) = call.activations

    @tf.custom_gradient  # type: ignore[untyped-decorator]  # TensorFlow has no types
    def loop(projected: Tensor, h0: Tensor, matrix: Tensor) -> Any:
        product = Product(matrix, call.dropped)

        def forwards(states: list[Tensor], read: list[Tensor]) -> Any:
            h = activation(read[0] + product.of(states[0]))
            new = call.counted([h], states, read[1:])
            return new, new

        last, (hs,) = scan(forwards, [h0], [projected, *call.counts], [])

        def gradient(*upstream: Tensor) -> list[Tensor]:
            factors = call.zeroed(SLOPES[activation.__name__](hs))

            def backwards(gradients: list[Tensor], read: list[Tensor]) -> Any:
                dz = gradients[0] * read[0]
                dh = call.skipping(product.back(dz), gradients[0], read[1:])
                return [call.earlier(dh, read[1:])], [dz]

            *of_sequence, dh = upstream
            read = [factors, *call.read_backwards(of_sequence)]
            begin = [call.last(dh, of_sequence)]
            (dh,), (dz,) = scan(backwards, begin, read, [], backwards=True)
            return [dz, dh, product.of_matrix(before(h0, hs), dz)]

        return (hs, *last) if call.sequence else tuple(last), gradient

    return list(loop(projected, h0, matrix))
