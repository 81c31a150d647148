"""LSTM layers traced so that TensorFlow's converter writes LiteRT's own operator for them.

The converter turns a call of a function with the attribute ``api_implements: lstm_...`` into one
``UNIDIRECTIONAL_SEQUENCE_LSTM``, if its weights are constants and only its first two results are
read (``tensorflow/compiler/mlir/lite/utils/lstm_utils.cc``). The operator takes neither a mask nor
initial states, and gives no final ones:

- Under a mask the steps that count are moved to the front, unless they are there; a step never
  depends on a later one. The outputs are then moved back.
- ``begin`` and ``final_cell`` stand for states in the traced model; ``states.py`` replaces them in
  the file.
"""

from __future__ import annotations

import uuid
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import tensorflow as tf

from lstmgraph.compiler.machine.litert import (
    KEPT,
    UNROLLED,
    UNROLLED_STEPS,
    FusedLayer,
    Kept,
    fused_layers,
    litert_calls,
)
from lstmgraph.export.states import BEGIN, FINAL_CELL
from lstmgraph.models.building.single_steps import run_without_loop
from lstmgraph.models.kernels import lstm
from lstmgraph.models.kernels.call import Call

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lstmgraph.compiler.graph import Graph
    from lstmgraph.compiler.machine.litert import Kept

Tensor = Any
HELD = 1e9
"""A sum so large that its sigmoid is exactly 1, and that of its negative exactly 0."""


@contextmanager
def for_litert(
    model: keras.Model, graph: Graph, kept: Kept = KEPT, *, by_adding: bool = False
) -> Iterator[None]:
    """Have the recurrent layers of `model` traced for LiteRT in the block.

    Args:
        model: a model of `graph` for inference.
        graph: the recipe's graph.
        kept: why layers are not fused that could be.
        by_adding: whether masks are counted by ADD alone; their steps are then of a fixed number.
    """
    fused = fused_layers(graph, kept)
    unrolled = {call.name for call in litert_calls(graph, kept) if call.kind == UNROLLED}
    calls = graph.by_keras_name.items()
    names = {name for name, nodes in calls if all(node.name in unrolled for node in nodes)}
    parts = [(layer.name, part) for layer in model.layers for part in _parts(layer)]
    before = [(part, vars(part).get("inner_loop")) for _, part in parts]
    try:
        for name, part in parts:
            if name in fused:
                part.inner_loop = _FusedLoop(part, _weights(part.cell), fused[name], by_adding)
            elif name in names:
                run_without_loop(part, UNROLLED_STEPS)
        yield
    finally:
        for part, loop in before:
            vars(part).pop("inner_loop", None)
            if loop is not None:
                part.inner_loop = loop


def _parts(layer: keras.Layer) -> list[keras.layers.RNN]:
    """Return the recurrent layers of one direction that `layer` consists of."""
    if isinstance(layer, keras.layers.Bidirectional):
        return [layer.forward_layer, layer.backward_layer]
    return [layer] if isinstance(layer, keras.layers.RNN) else []


@dataclass(frozen=True)
class _FusedLoop:
    """The inner loop of a layer with an LSTM cell, as LiteRT's operator."""

    layer: keras.layers.RNN
    weights: list[np.ndarray]
    """Kernel, recurrent kernel and bias: the converter expects constants."""
    needs: FusedLayer
    by_adding: bool
    """Whether integers are summed by ADD alone, as on a microcontroller."""

    def __call__(
        self, sequences: Tensor, initial_state: Any, mask: Any = None, training: bool = False
    ) -> tuple[Tensor, Tensor, list[Tensor]]:
        """Return the last output, the sequence and the final states, as Keras's ``inner_loop``."""
        del training  # there is no dropout at inference
        masks = [each for each in keras.tree.flatten(mask) if each is not None]
        x = self._in_order(sequences)
        h0, c0 = (
            tf.broadcast_to(state, [x.shape[0], state.shape[1]])
            for state in keras.tree.flatten(initial_state)
        )
        if not masks:
            sequence, c = self._run(x, h0, c0)
            return sequence[:, -1], sequence, [sequence[:, -1], c]
        counts = self._in_order(tf.cast(masks[0], tf.bool))
        steps = _Steps(counts, self._padding(), self.by_adding)
        sequence, c = self._run(steps.to_front(x), h0, c0, ~steps.front)
        last = tf.gather(sequence, steps.last, batch_dims=1)[:, 0]
        h = tf.where(steps.number[:, -1:] > 0, last, h0)
        shown = counts if self.layer.zero_output_for_mask else steps.number > 0
        if not self.layer.return_sequences:
            output = tf.where(shown[:, -1:], last, 0.0)
            return output, output[:, None], [h, c]
        if not (steps.are_in_front and self.layer.zero_output_for_mask):
            sequence = tf.gather(sequence, tf.maximum(steps.number - 1, 0), batch_dims=1)
        sequence = tf.where(shown[:, :, None], sequence, 0.0)
        return sequence[:, -1], sequence, [h, c]

    def _in_order(self, steps: Tensor) -> Tensor:
        """Return a (batch, time, ...) tensor in the order in which the layer reads it."""
        return tf.reverse(steps, [1]) if self.layer.go_backwards else steps

    def _padding(self) -> str:
        """Return where the padded steps are in that order."""
        if not self.layer.go_backwards:
            return self.needs.padding
        return {"right": "left", "left": "right"}.get(self.needs.padding, "any")

    def _run(
        self, x: Tensor, h0: Tensor, c0: Tensor, padded: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return the outputs of all steps, (batch, time, units), and the cell state after them.

        Args:
            x: the steps, (batch, time, features).
            h0: the initial output, (batch, units).
            c0: the initial cell state, (batch, units).
            padded: the steps that must not change the cell state, (batch, time); None for none.
        """
        kernel, recurrent, bias = self.weights
        if padded is not None and self.needs.reads_c:
            # One more feature closes the input gate of these steps and opens the forget gate. Its
            # weights are as large as the gates' others, so that fewer bits hold those beside them.
            units = recurrent.shape[0]
            closing, opening = np.abs(kernel[:, : 2 * units]).reshape(-1, 2, units).max((0, 2))
            closing, opening = closing or 1.0, opening or 1.0
            held = HELD / min(closing, opening)
            x = tf.where(padded[:, :, None], 0.0, x)
            x = tf.concat([x, tf.cast(padded, x.dtype)[:, :, None] * held], axis=2)
            row = np.repeat([-closing, opening, 0, 0], units)
            kernel = np.concatenate([kernel, row[None].astype(kernel.dtype)])
        if self.needs.given_states:
            x = _marker(BEGIN, lambda x, *_: tf.identity(x))(x, h0, c0)
        zeros = tf.zeros(h0.shape)
        _, sequence, *_ = _operator()(x, zeros, zeros, kernel, recurrent, bias)
        if not self.needs.reads_c:
            return sequence, tf.fill(h0.shape, np.nan)
        c = _marker(FINAL_CELL, lambda _, h: tf.identity(h))(sequence, sequence[:, -1])
        return sequence, c


@dataclass(frozen=True)
class _Steps:
    """Which steps count, (batch, time) of bool, and how they are moved to the front."""

    counts: Tensor
    padding: str
    by_adding: bool
    """Whether integers are summed by ADD alone, as on a microcontroller."""

    @property
    def are_in_front(self) -> bool:
        return self.padding == "right"

    @property
    def number(self) -> Tensor:
        """How many steps count up to each one, (batch, time)."""
        numbers = tf.cast(self.counts, tf.int32)
        return _cumulated(numbers, 1) if self.by_adding else tf.cumsum(numbers, axis=1)

    @property
    def last(self) -> Tensor:
        """The place of the last step that counts, once they are in front, (batch, 1)."""
        return tf.maximum(self.number[:, -1:] - 1, 0)

    @property
    def front(self) -> Tensor:
        """Which places have a step that counts, once they are in front, (batch, time)."""
        places = tf.range(tf.shape(self.counts)[1])[None]
        return self.counts if self.are_in_front else places < self.number[:, -1:]

    def to_front(self, x: Tensor) -> Tensor:
        """Return (batch, time, features) with the steps that count in front, in their order."""
        if self.are_in_front:
            return x
        size = tf.shape(self.counts)[1]
        places = tf.range(size)[None]
        if self.padding == "left":
            sources = places + size - self.number[:, -1:]
        else:  # a step is behind as many as have counted less
            behind = tf.cast(self.number[:, None] <= places[:, :, None], tf.int32)
            if self.by_adding:
                sources = _cumulated(behind, 2)[:, :, -1]
            else:
                sources = tf.reduce_sum(behind, axis=2)
        return tf.gather(x, tf.minimum(sources, size - 1), batch_dims=1)


def _cumulated(numbers: Tensor, axis: int) -> Tensor:
    """Return the sums up to each place along an axis of fixed size, by ADD alone.

    The sums of 2, 4, 8, ... places are each that of two half as long.
    """
    size, moved = numbers.shape[axis], 1
    while moved < size:
        earlier = tf.split(numbers, [size - moved, moved], axis)[0]
        before = [[moved * (place == axis), 0] for place in range(numbers.shape.rank)]
        numbers += tf.pad(earlier, before)
        moved *= 2
    return numbers


def _weights(cell: Any) -> list[np.ndarray]:
    """Return kernel, recurrent kernel and bias of an LSTM's cell; zeros for a bias it has not."""
    kernel, recurrent = (
        keras.ops.convert_to_numpy(each) for each in (cell.kernel, cell.recurrent_kernel)
    )
    if cell.use_bias:
        return [kernel, recurrent, keras.ops.convert_to_numpy(cell.bias)]
    return [kernel, recurrent, np.zeros(kernel.shape[1], kernel.dtype)]


def _operator() -> Callable[..., Any]:
    """Return a function of an LSTM that the converter knows; each call needs one of its own."""
    attributes = {
        "api_implements": f"lstm_{uuid.uuid4()}",
        "api_preferred_device": "CPU",
        "time_major": False,
        "go_backwards": False,
    }
    known: Callable[..., Any] = tf.function(
        _lstm, experimental_attributes=attributes, autograph=False
    )
    return known


def _lstm(  # noqa: PLR0913, PLR0917 - as the converter expects
    x: Tensor, h0: Tensor, c0: Tensor, kernel: Tensor, recurrent: Tensor, bias: Tensor
) -> tuple[Tensor, ...]:
    """Compute what the operator does, in the form of Keras 2's layer."""
    call = Call((keras.activations.tanh, keras.activations.sigmoid), sequence=True)
    scales = lstm.scales(call, recurrent)
    projected = tf.transpose(tf.tensordot(x, kernel * scales, 1) + bias * scales, [1, 0, 2])
    sequence, h, c = lstm.run(call, projected, h0, c0, recurrent * scales)
    return h, tf.transpose(sequence, [1, 0, 2]), h, c, tf.constant(0.0)


def _marker(name: str, function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Return a function whose calls the converter writes as custom operators of that name."""
    definition = f'name: "{name}" attr {{ key: "tfl_fusable_op" value {{ b: true }} }}'
    marked: Callable[..., Tensor] = tf.function(
        function, experimental_implements=definition, autograph=False
    )
    return marked
