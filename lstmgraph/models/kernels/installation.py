"""Replacement of a layer's loop, on the object: its class and configuration stay Keras's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
import tensorflow as tf
from keras import ops

from lstmgraph.models.kernels import gru, lstm, simple_rnn
from lstmgraph.models.kernels.activations import is_known
from lstmgraph.models.kernels.call import Call
from lstmgraph.models.kernels.random_layers import keep_numbers
from lstmgraph.models.kernels.tracing import is_compiled_by_xla

if TYPE_CHECKING:
    from collections.abc import Sequence

Tensor = Any
CELLS = (keras.layers.LSTMCell, keras.layers.GRUCell, keras.layers.SimpleRNNCell)


def install(layer: keras.Layer, *, always: bool = False) -> None:
    """Have a recurrent layer, or both layers of a ``Bidirectional``, run on the fused loop.

    A layer for which that loop would compute something else keeps Keras's.

    Args:
        layer: the layer.
        always: use the loop even where XLA does not compile it, and Keras's may be faster.
    """
    if isinstance(layer, keras.layers.Bidirectional):
        install(layer.forward_layer, always=always)
        install(layer.backward_layer, always=always)
    elif can_install(layer):
        keras_loop = layer.inner_loop

        def inner_loop(*args: Any, **keywords: Any) -> tuple[Tensor, Tensor, list[Tensor]]:
            if always or is_compiled_by_xla():
                return _inner_loop(layer, *args, **keywords)
            loop: tuple[Tensor, Tensor, list[Tensor]] = keras_loop(*args, **keywords)
            return loop

        layer.inner_loop = inner_loop
        keep_numbers(layer.cell)


def can_install(layer: keras.Layer) -> bool:
    """Return whether the fused loop computes what Keras's loop does for `layer`, and no slower."""
    cell: Any = getattr(layer, "cell", None)
    if type(cell) not in CELLS or layer.unroll:
        return False
    return (
        all(is_known(activation) for activation in _activations(cell))
        and layer.compute_dtype == cell.compute_dtype != "float16"  # slow under XLA on a CPU
        and max(cell.dropout, cell.recurrent_dropout) < 1
    )


def _activations(cell: Any) -> tuple[Any, ...]:
    if isinstance(cell, keras.layers.SimpleRNNCell):
        return (cell.activation,)
    return cell.activation, cell.recurrent_activation


def _inner_loop(
    layer: keras.Layer,
    sequences: Tensor,
    initial_state: Any,
    mask: Any = None,
    training: bool | None = None,
) -> tuple[Tensor, Tensor, list[Tensor]]:
    """Return the last output, the sequence and the final states, as Keras's ``inner_loop``."""
    cell, masks = layer.cell, [each for each in keras.tree.flatten(mask) if each is not None]
    counts = [_time_major(layer, tf.cast(each, tf.bool)[:, :, None]) for each in masks[:1]]
    given = tf.convert_to_tensor(sequences).dtype
    inputs = _time_major(layer, _widened(sequences))
    states = [_of_all_rows(_widened(each), inputs) for each in keras.tree.flatten(initial_state)]
    of_state = tf.cast(states[0], given)
    call = Call(
        _activations(cell),
        layer.return_sequences,
        counts,
        _dropped(cell.recurrent_dropout, cell.get_recurrent_dropout_mask, of_state, training),
    )
    dropped = _dropped(cell.dropout, cell.get_dropout_mask, sequences[:, 0], training)
    results = _run(call, cell, inputs, dropped, states)
    results = [tf.cast(each, given) for each in results]
    last, sequence = results[-len(states) :], results[0]
    if not call.sequence:
        output = tf.where(_shown(layer, call)[-1], last[0], 0) if counts else last[0]
        return output, output[:, None], last
    if counts:
        sequence = tf.where(_shown(layer, call), sequence, 0)
    return sequence[-1], tf.transpose(sequence, [1, 0, 2]), last


def _time_major(layer: keras.Layer, tensor: Tensor) -> Tensor:
    """Return a (batch, time, width) tensor as (time, batch, width), in the order of the loop."""
    tensor = tf.transpose(tensor, [1, 0, 2])
    return tf.reverse(tensor, [0]) if layer.go_backwards else tensor


def _of_all_rows(state: Tensor, inputs: Tensor) -> Tensor:
    """Return a state, (batch, units), given for all rows or one for each."""
    rows = inputs.shape[1] or tf.shape(inputs)[1]
    return tf.broadcast_to(state, [rows, state.shape[1]])


def _dropped(rate: float, masks: Any, of: Tensor, training: bool | None) -> Sequence[Tensor]:
    """Return the dropout masks that Keras has drawn for this call: one, or one for each gate."""
    if not training or not rate:
        return []
    drawn = masks(of)
    return [_widened(each) for each in (drawn if isinstance(drawn, list) else [drawn])]


def _shown(layer: keras.Layer, call: Call) -> Tensor:
    """Return where an output is not zero, (time, batch, 1).

    Before the first step that counts, Keras's outputs are zeros, whatever the initial state is.
    """
    return (call.counts if layer.zero_output_for_mask else call.begun())[0]


def _run(
    call: Call, cell: Any, inputs: Tensor, dropped: Sequence[Tensor], states: Any
) -> list[Tensor]:
    matrix, kernel = _value(cell.recurrent_kernel), _value(cell.kernel)
    bias = _value(cell.bias) if cell.use_bias else None
    if isinstance(cell, keras.layers.LSTMCell):
        scales = lstm.scales(call, matrix)
        matrix, kernel = matrix * scales, kernel * scales
        bias = None if bias is None else bias * scales
    projected = _projected(inputs, kernel, dropped)
    if getattr(cell, "reset_after", False):
        biases = tf.zeros((2, matrix.shape[1]), matrix.dtype) if bias is None else bias
        return gru.run_after(call, projected, states[0], matrix, biases)
    if bias is not None:
        projected += bias
    if isinstance(cell, keras.layers.LSTMCell):
        return lstm.run(call, projected, states[0], states[1], matrix)
    if isinstance(cell, keras.layers.SimpleRNNCell):
        return simple_rnn.run(call, projected, states[0], matrix)
    return gru.run_before(call, projected, states[0], matrix)


def _value(variable: Any) -> Tensor:
    """Return a weight as a tensor: a custom gradient takes no variables."""
    return _widened(ops.convert_to_tensor(variable))


def _widened(tensor: Tensor) -> Tensor:
    """Return a bfloat16 tensor as float32: the loop rounds only what it takes and gives."""
    tensor = tf.convert_to_tensor(tensor)
    return tf.cast(tensor, tf.float32) if tensor.dtype.size == 2 else tensor


def _projected(inputs: Tensor, kernel: Tensor, dropped: Sequence[Tensor]) -> Tensor:
    """Return the product of all inputs with the kernel, (time, batch, gates * units)."""
    parts = tf.split(kernel, max(1, len(dropped)), axis=1)
    given = [inputs * mask for mask in dropped] or [inputs]
    products = [tf.tensordot(each, part, 1) for each, part in zip(given, parts, strict=True)]
    return products[0] if len(products) == 1 else tf.concat(products, axis=2)
