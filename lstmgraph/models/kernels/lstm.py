"""The loop of an LSTM and its gradient.

The formulas are those of ``keras.layers.LSTMCell``: Hochreiter and Schmidhuber, Long Short-Term
Memory, Neural Computation 9 (1997), with the forget gate of Gers et al. (2000).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import tensorflow as tf

from lstmgraph.models.kernels.activations import SLOPES
from lstmgraph.models.kernels.products import Product
from lstmgraph.models.kernels.scanning import before, scan

if TYPE_CHECKING:
    from lstmgraph.models.kernels.call import Call

Tensor = Any


def run(call: Call, projected: Tensor, h0: Tensor, c0: Tensor, matrix: Tensor) -> list[Tensor]:
    """Return the states after the last step, [h, c], after the sequence of h if `call` reads it.

    Args:
        call: what else the loop needs.
        projected: the inputs times the kernel, plus bias, (time, batch, 4 * units), by gate: input,
            forget, candidate, output.
        h0: the initial output, (batch, units).
        c0: the initial cell state, (batch, units).
        matrix: the recurrent kernel, (units, 4 * units).
    """
    activation, gate = call.activations
    slope, gate_slope = SLOPES[activation.__name__], SLOPES[gate.__name__]
    units = matrix.shape[0]

    @tf.custom_gradient  # type: ignore[untyped-decorator]  # TensorFlow has no types
    def loop(projected: Tensor, h0: Tensor, c0: Tensor, matrix: Tensor) -> Any:
        product = Product(matrix, call.dropped)

        def forwards(states: list[Tensor], read: list[Tensor]) -> Any:
            i, f, g, o = tf.split(read[0] + product.of(states[0]), 4, axis=1)
            i, f, g, o = gate(i), gate(f), activation(g), gate(o)
            c = f * states[1] + i * g
            h, c = call.counted([o * activation(c), c], states, read[1:])
            return [h, c], [tf.concat([i, f, g, o], axis=1), h, c]

        read = [projected, *call.counts]
        last, (gates, hs, cs) = scan(forwards, [h0, c0], read, [4 * units, units, units])

        def gradient(*upstream: Tensor) -> list[Tensor]:
            i, f, g, o = tf.split(gates, 4, axis=2)
            squashed = activation(cs)
            factors = [
                g * gate_slope(i),
                before(c0, cs) * gate_slope(f),
                i * slope(g),
                squashed * gate_slope(o),
            ]
            of_c = call.zeroed(o * slope(squashed))
            read = [call.zeroed(tf.concat(factors, axis=2)), of_c, call.ones(f)]

            def backwards(gradients: list[Tensor], read: list[Tensor]) -> Any:
                dh, dc = gradients
                factors, of_c, f, *rest = read
                dh = call.with_output(dh, rest)
                dc += dh * of_c
                dz = tf.concat([dc, dc, dc, dh], axis=1) * factors
                return [call.skipping(product.back(dz), dh, rest), dc * f], [dz]

            read += call.read_backwards(upstream[:-2])
            (dh, dc), (dz,) = scan(backwards, upstream[-2:], read, [4 * units], backwards=True)
            return [dz, dh, dc, product.of_matrix(before(h0, hs), dz)]

        return (hs, *last) if call.sequence else tuple(last), gradient

    return list(loop(projected, h0, c0, matrix))
