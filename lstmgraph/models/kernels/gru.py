"""The loops of a GRU and their gradients.

The formulas are those of ``keras.layers.GRUCell``: Cho et al., Learning Phrase Representations
using RNN Encoder-Decoder (2014), with the reset gate after the product (cuDNN's form) or before it.
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


def run_after(
    call: Call, projected: Tensor, h0: Tensor, matrix: Tensor, biases: Tensor
) -> list[Tensor]:
    """Return [h] after the last step, after the sequence of h if `call` reads it.

    The reset gate works after the recurrent product (``reset_after=True``).

    Args:
        call: what else the loop needs.
        projected: the inputs times the kernel, (time, batch, 3 * units), by gate: update, reset,
            candidate.
        h0: the initial output, (batch, units).
        matrix: the recurrent kernel, (units, 3 * units).
        biases: those of the inputs' and of the recurrent product, (2, 3 * units).
    """
    activation, gate = call.activations
    slope, gate_slope = SLOPES[activation.__name__], SLOPES[gate.__name__]
    units = matrix.shape[0]

    @tf.custom_gradient  # type: ignore[untyped-decorator]  # TensorFlow has no types
    def loop(projected: Tensor, h0: Tensor, matrix: Tensor, biases: Tensor) -> Any:
        product = Product(matrix, call.dropped)
        projected += biases[0]

        def forwards(states: list[Tensor], read: list[Tensor]) -> Any:
            of_gates, of_candidate, *counts = read
            products = product.of(states[0]) + biases[1]
            zr = gate(of_gates + products[:, : 2 * units])
            z, r = tf.split(zr, 2, axis=1)
            inner = products[:, 2 * units :]
            g = activation(of_candidate + r * inner)
            h = call.counted([z * states[0] + (1 - z) * g], states, counts)
            return h, [zr, inner, *h]

        read = [projected[:, :, : 2 * units], projected[:, :, 2 * units :], *call.counts]
        last, saved = scan(forwards, [h0], read, [units, units])

        def gradient(*upstream: Tensor) -> list[Tensor]:
            *of_sequence, dh = upstream
            dh = call.last(dh, of_sequence)
            of_candidate, (gates, of_state, hs) = read[1], saved
            z, r = tf.split(gates, 2, axis=2)
            g = activation(of_candidate + r * of_state)
            previous = before(h0, hs)
            of_z, of_g = (previous - g) * gate_slope(z), (1 - z) * slope(g)
            of_r = of_g * of_state * gate_slope(r)
            of_products = call.zeroed(tf.concat([of_z, of_r, of_g * r], axis=2))

            def backwards(gradients: list[Tensor], read: list[Tensor]) -> Any:
                factors, z, of_g, *rest = read
                dh = gradients[0]
                products = tf.tile(dh, [1, 3]) * factors
                new = call.earlier(dh * z + product.back(products), rest)
                return [new], [products, dh * of_g]

            factors = [of_products, call.ones(z), call.zeroed(of_g)]
            factors += call.read_backwards(of_sequence)
            (dh,), kept = scan(backwards, [dh], factors, [units], backwards=True)
            of_matrix = product.of_matrix(previous, kept[0])
            # Sums of what the loop has kept: XLA is slow at those of what it has yet to compute.
            sums = [tf.reduce_sum(each, axis=[0, 1]) for each in kept]
            of_biases = tf.stack([tf.concat([sums[0][: 2 * units], sums[1]], axis=0), sums[0]])
            of_projected = tf.concat([kept[0][:, :, : 2 * units], kept[1]], axis=2)
            return [of_projected, dh, of_matrix, of_biases]

        return (saved[2], *last) if call.sequence else tuple(last), gradient

    return list(loop(projected, h0, matrix, biases))


def run_before(call: Call, projected: Tensor, h0: Tensor, matrix: Tensor) -> list[Tensor]:
    """Return [h] after the last step, after the sequence of h if `call` reads it.

    The reset gate works before the recurrent product (``reset_after=False``); the arguments are
    those of ``run_after``.
    """
    activation, gate = call.activations
    slope, gate_slope = SLOPES[activation.__name__], SLOPES[gate.__name__]
    units = matrix.shape[0]

    @tf.custom_gradient  # type: ignore[untyped-decorator]  # TensorFlow has no types
    def loop(projected: Tensor, h0: Tensor, matrix: Tensor) -> Any:
        gating = Product(matrix[:, : 2 * units], call.dropped[:2])
        candidate = Product(matrix[:, 2 * units :], call.dropped[2:])

        def forwards(states: list[Tensor], read: list[Tensor]) -> Any:
            h = states[0]
            z, r = tf.split(gate(read[0][:, : 2 * units] + gating.of(h)), 2, axis=1)
            g = activation(read[0][:, 2 * units :] + candidate.of(r * h))
            new = call.counted([z * h + (1 - z) * g], states, read[1:])
            return new, [tf.concat([z, r, g], axis=1), *new]

        read = [projected, *call.counts]
        last, saved = scan(forwards, [h0], read, [units])

        def gradient(*upstream: Tensor) -> list[Tensor]:
            *of_sequence, dh = upstream
            dh = call.last(dh, of_sequence)
            gates, hs = saved
            z, r, g = tf.split(gates, 3, axis=2)
            previous = before(h0, hs)
            factors = [(previous - g) * gate_slope(z), previous * gate_slope(r), (1 - z) * slope(g)]

            def backwards(gradients: list[Tensor], read: list[Tensor]) -> Any:
                factors, z, r, *rest = read
                of_z, of_r, of_g = tf.split(factors, 3, axis=1)
                dh = gradients[0]
                dg = dh * of_g
                of_reset = candidate.back(dg)
                of_gates = tf.concat([dh * of_z, of_reset * of_r], axis=1)
                new = dh * z + of_reset * r + gating.back(of_gates)
                return [call.earlier(new, rest)], [tf.concat([of_gates, dg], axis=1)]

            read = [call.zeroed(tf.concat(factors, axis=2)), call.ones(z), r]
            read += call.read_backwards(of_sequence)
            (dh,), (dz,) = scan(backwards, [dh], read, [], backwards=True)
            of_matrix = [
                gating.of_matrix(previous, dz[:, :, : 2 * units]),
                candidate.of_matrix(r * previous, dz[:, :, 2 * units :]),
            ]
            return [dz, dh, tf.concat(of_matrix, axis=1)]

        return (saved[1], *last) if call.sequence else tuple(last), gradient

    return list(loop(projected, h0, matrix))
