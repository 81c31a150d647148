"""Calls of recurrent layers on one step run that step, without a loop around it.

The block of a loop calls its layers once for each step. Keras would start a loop of TensorFlow's in
each of these calls, which takes several times as long as the step to trace, and to run. The choice
is made in each call, on the object: the same layer still loops over a longer sequence, and nothing
of it is saved.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras

from lstmgraph.models.runtime import visible_gpus

if TYPE_CHECKING:
    from collections.abc import Callable


def run_without_loop(layer: keras.Layer) -> None:
    """Have calls of a recurrent layer on one step run without a loop, also inside a wrapper.

    On a GPU, cuDNN still runs what it can. On JAX nothing changes: it compiles a loop of one step
    as that step, and Keras's unrolled loop ignores ``zero_output_for_mask`` there.
    """
    if keras.backend.backend() != "tensorflow":
        return
    if isinstance(layer, keras.layers.Bidirectional):
        run_without_loop(layer.forward_layer)
        run_without_loop(layer.backward_layer)
    elif isinstance(layer, keras.layers.Wrapper):
        run_without_loop(layer.layer)
    elif isinstance(layer, keras.layers.RNN) and not _is_left_alone(layer):
        layer.inner_loop = _SingleStep(layer, layer.inner_loop)


def _is_left_alone(layer: keras.layers.RNN) -> bool:
    by_cudnn = getattr(layer, "use_cudnn", False) and bool(visible_gpus())
    return layer.unroll or by_cudnn or isinstance(vars(layer).get("inner_loop"), _SingleStep)


class _SingleStep:
    """The inner loop of a layer that takes one step by Keras's unrolled loop."""

    def __init__(self, layer: keras.layers.RNN, loop: Callable[..., Any]) -> None:
        self.layer, self.loop = layer, loop

    def __call__(self, sequences: Any, *args: Any, **keywords: Any) -> Any:
        """Return the last output, the sequence and the final states, as Keras's ``inner_loop``."""
        if sequences.shape[1] != 1:
            return self.loop(sequences, *args, **keywords)
        self.layer.unroll = True
        try:
            return type(self.layer).inner_loop(self.layer, sequences, *args, **keywords)
        finally:
            self.layer.unroll = False
