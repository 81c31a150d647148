"""The loop of an LSTM and its gradient.

The formulas are those of ``keras.layers.LSTMCell``: Hochreiter and Schmidhuber, Long Short-Term
Memory, Neural Computation 9 (1997), with the forget gate of Gers et al. (2000).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import tensorflow as tf

from lstmgraph.models.kernels.activations import SLOPES
from lstmgraph.models.kernels.products import Product
from lstmgraph.models.kernels.scanning import after, before, late, scan

if TYPE_CHECKING:
    from collections.abc import Sequence

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
        is_output = tf.range(4 * units) >= 3 * units
        unchanged = tf.repeat(tf.constant([0, 1, 0, 0], matrix.dtype), units)

        def held(new: Tensor, old: Sequence[Tensor], counts: Sequence[Tensor]) -> Tensor:
            """Return gates that leave both states as they are where a step does not count."""
            if not counts:
                return new
            return tf.where(counts[0], new, tf.where(is_output, old[0], unchanged))

        def output(gates: Tensor, c: Tensor, begun: Sequence[Tensor]) -> Tensor:
            h = parts(gates)[3] * activation(c)
            return tf.where(begun[0], h, h0) if begun else h

        def forwards(states: list[Tensor], read: list[Tensor]) -> Any:
            h, c, *old = states
            gates = held(gates_of(read[0] + product.of(h)), old, read[1:2])
            i, f, g, _ = parts(gates)
            c = f * c + i * g
            return [output(gates, c, read[2:]), c, *[gates for _ in old]], [gates, c]

        begun = call.begun()
        read = [projected, *call.counts, *begun]
        carried = [h0, c0, *(tf.zeros_like(projected[0]) for _ in begun)]
        last, kept = scan(forwards, carried, read, [units])

        def gradient(*upstream: Tensor) -> list[Tensor]:
            *of_sequence, dh, dc = upstream
            dh = call.last(dh, of_sequence)
            gates, cs = late(kept, dh)
            i, f, g, o = parts(gates)
            squashed = activation(cs)
            factors = [
                g * gate_slope(i),
                call.zeroed(before(c0, cs) * gate_slope(f)),
                i * slope(g),
                call.zeroed(squashed * gate_slope(o)),
            ]
            if is_usual:
                factors[2] /= 2  # the candidate is one of doubled numbers
            of_c = call.zeroed(o * slope(squashed))
            read = [tf.concat(factors, axis=2), of_c, after(f, tf.ones_like(c0))]

            def backwards(gradients: list[Tensor], read: list[Tensor]) -> Any:
                dh, dc = gradients
                factors, of_c, next_f, *rest = read
                dc = dc * next_f + dh * of_c
                dz = tf.concat([dc, dc, dc, dh], axis=1) * factors
                return [call.earlier(call.skipping(product.back(dz), dh, rest), rest), dc], [dz]

            read += call.read_backwards(of_sequence)
            (dh, dc), (dz,) = scan(backwards, [dh, dc], read, [], backwards=True)
            return [dz, dh, dc * f[0], product.of_matrix(before(h0, output(gates, cs, begun)), dz)]

        # All outputs are computed again: a step of the loop is faster if it keeps less.
        results = [output(kept[0], kept[1], begun)] if call.sequence else []
        return (*results, *last[:2]), gradient

    return list(loop(projected, h0, c0, matrix))
