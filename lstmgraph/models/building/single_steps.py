"""Calls of recurrent layers on one step, or on few, run these steps without a loop around them.

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


def run_without_loop(layer: keras.Layer, most: int = 1) -> None:
    """Have calls of a recurrent layer on one step run without a loop, also inside a wrapper.

    On a GPU, cuDNN still runs what it can. On JAX nothing changes: it compiles a loop of one step
    as that step, and Keras's unrolled loop ignores ``zero_output_for_mask`` there.

    Args:
        layer: a recurrent layer, or a wrapper of some.
        most: the most steps that run so.
    """
    if keras.backend.backend() != "tensorflow":
        return
    if isinstance(layer, keras.layers.Bidirectional):
        run_without_loop(layer.forward_layer, most)
        run_without_loop(layer.backward_layer, most)
    elif isinstance(layer, keras.layers.Wrapper):
        run_without_loop(layer.layer, most)
    elif isinstance(layer, keras.layers.RNN) and not _is_left_alone(layer, most):
        layer.inner_loop = _FewSteps(layer, layer.inner_loop, most)


def _is_left_alone(layer: keras.layers.RNN, most: int) -> bool:
    by_cudnn = getattr(layer, "use_cudnn", False) and bool(visible_gpus())
    own = vars(layer).get("inner_loop")
    return layer.unroll or by_cudnn or (isinstance(own, _FewSteps) and own.most >= most)


class _FewSteps:
    """The inner loop of a layer that takes at most `most` steps by Keras's unrolled loop."""

    def __init__(self, layer: keras.layers.RNN, loop: Callable[..., Any], most: int) -> None:
        self.layer, self.loop, self.most = layer, loop, most

    def __call__(self, sequences: Any, *args: Any, **keywords: Any) -> Any:
        """Return the last output, the sequence and the final states, as Keras's ``inner_loop``."""
        if (sequences.shape[1] or self.most + 1) > self.most:
            return self.loop(sequences, *args, **keywords)
        self.layer.unroll = True
        try:
            return type(self.layer).inner_loop(self.layer, sequences, *args, **keywords)
        finally:
            self.layer.unroll = False
