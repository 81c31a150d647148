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


def scales(call: Call, matrix: Tensor) -> Tensor:
    """Return the factors of the columns of kernel, bias and matrix that ``run`` expects.

    As tanh(x) = 2 sigmoid(2x) - 1, the candidate can be a sigmoid too: one operation of the
    product's whole width is faster than four of its parts.
    """
    doubled = 2 if _is_usual(call) else 1
    return tf.repeat(tf.constant([1, 1, doubled, 1], matrix.dtype), matrix.shape[0])


def _is_usual(call: Call) -> bool:
    return [activation.__name__ for activation in call.activations] == ["tanh", "sigmoid"]


def run(call: Call, projected: Tensor, h0: Tensor, c0: Tensor, matrix: Tensor) -> list[Tensor]:
    """Return the states after the last step, [h, c], after the sequence of h if `call` reads it.

    Args:
        call: what else the loop needs.
        projected: the inputs times the kernel, plus bias, (time, batch, 4 * units), by gate: input,
            forget, candidate, output; like the matrix, with the factors of ``scales``.
        h0: the initial output, (batch, units).
        c0: the initial cell state, (batch, units).
        matrix: the recurrent kernel, (units, 4 * units).
    """
    activation, gate = call.activations
    slope, gate_slope = SLOPES[activation.__name__], SLOPES[gate.__name__]
    units, is_usual = matrix.shape[0], _is_usual(call)

    def gates_of(products: Tensor) -> Tensor:
        if is_usual:
            return gate(products)
        i, f, g, o = tf.split(products, 4, axis=1)
        return tf.concat([gate(i), gate(f), activation(g), gate(o)], axis=1)

    def parts(gates: Tensor) -> list[Tensor]:
        """Return i, f, g, o."""
        i, f, g, o = tf.split(gates, 4, axis=-1)
        return [i, f, 2 * g - 1 if is_usual else g, o]

    @tf.custom_gradient  # type: ignore[untyped-decorator]  # TensorFlow has no types
    def loop(projected: Tensor, h0: Tensor, c0: Tensor, matrix: Tensor) -> Any:
        product = Product(matrix, call.dropped)

        def forwards(states: list[Tensor], read: list[Tensor]) -> Any:
            gates = gates_of(read[0] + product.of(states[0]))
            i, f, g, o = parts(gates)
            c = f * states[1] + i * g
            h, c = call.counted([o * activation(c), c], states, read[1:])
            return [h, c], [gates, c, h][: 3 if call.counts else 2]

        kept = [units, units] if call.counts else [units]
        last, (gates, cs, *kept_hs) = scan(forwards, [h0, c0], [projected, *call.counts], kept)

        def all_hs() -> Tensor:
            # Computed again: a step of the loop is faster if it keeps less.
            return kept_hs[0] if kept_hs else parts(gates)[3] * activation(cs)

        def gradient(*upstream: Tensor) -> list[Tensor]:
            i, f, g, o = parts(gates)
            squashed = activation(cs)
            factors = [
                g * gate_slope(i),
                before(c0, cs) * gate_slope(f),
                i * slope(g),
                squashed * gate_slope(o),
            ]
            if is_usual:
                factors[2] /= 2  # the candidate is one of doubled numbers
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
            (dh, dc), (dz,) = scan(backwards, upstream[-2:], read, [], backwards=True)
            return [dz, dh, dc, product.of_matrix(before(h0, all_hs()), dz)]

        return (all_hs(), *last) if call.sequence else tuple(last), gradient

    return list(loop(projected, h0, c0, matrix))
