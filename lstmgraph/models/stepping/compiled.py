"""Functions of tensors, compiled once and called often: the only place that knows the backend.

That is TensorFlow or JAX; on Keras's other backends a function is called as it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Tensor = Any
Shape = tuple[int | None, ...]


def chosen_xla(xla: bool | None) -> bool:
    """Whether to compile with XLA, where the caller leaves it open.

    A step on a CPU takes half the time with it (benchmarks, part `step`). On a GPU it is left off:
    XLA cannot compile cuDNN's layers.
    """
    if keras.backend.backend() != "tensorflow":
        return False
    return xla if xla is not None else not _tf().config.get_visible_devices("GPU")


def compiled(
    function: Callable[..., Sequence[Tensor]],
    signature: Sequence[tuple[Shape, str]],
    model: keras.Model,
    *,
    xla: bool,
) -> Callable[..., Sequence[Tensor]]:
    """Return `function` compiled, traced once.

    Args:
        function: takes tensors by position, and gives a list of tensors.
        signature: shape and dtype of each; None is a size that differs from call to call.
        model: whose weights it reads, as they are at each call.
        xla: compile with XLA; for every new size of what is None, anew.

    Returns:
        A function of tensors (not arrays) of exactly these shapes and dtypes: nothing is checked.
    """
    backend = keras.backend.backend()
    if backend == "jax":
        return _jitted(function, model)
    if backend != "tensorflow":
        return function
    tf = _tf()
    specs = [tf.TensorSpec(shape, dtype) for shape, dtype in signature]
    traced = tf.function(function, input_signature=specs, jit_compile=xla)
    concrete = traced.get_concrete_function()
    # The public call of a concrete function sorts and checks its arguments, which takes as long as
    # a small step itself.
    direct = getattr(getattr(concrete, "inference_fn", None), "call_preflattened", None)
    if direct is None:
        whole: Callable[..., Sequence[Tensor]] = traced
        return whole
    weights = concrete.captured_inputs

    def call(*tensors: Tensor) -> Sequence[Tensor]:
        found: Sequence[Tensor] = direct([*tensors, *weights])
        return found

    # TensorFlow drops functions that nobody holds.
    call.held = (traced, concrete)  # type: ignore[attr-defined]
    return call


def _jitted(
    function: Callable[..., Sequence[Tensor]], model: keras.Model
) -> Callable[..., Sequence[Tensor]]:
    """Compile on JAX, which would take weights that it meets in tracing for constants."""
    import jax  # noqa: PLC0415 - TensorFlow runs without it

    variables = model.variables

    def of_weights(values: Sequence[Tensor], *tensors: Tensor) -> Sequence[Tensor]:
        with keras.StatelessScope(state_mapping=zip(variables, values, strict=True)):
            return list(function(*tensors))

    jitted = jax.jit(of_weights)
    return lambda *tensors: jitted([variable.value for variable in variables], *tensors)


def to_tensor(array: Any) -> Tensor:
    """Return an array, which has the right dtype, as a tensor on the device."""
    if keras.backend.backend() == "tensorflow":
        return _tf().constant(array)  # Keras's own takes a few microseconds more
    return keras.ops.convert_to_tensor(array)


def to_array(tensor: Tensor) -> Any:
    """Return a tensor as an array on the host."""
    return keras.ops.convert_to_numpy(tensor)


def _tf() -> Any:
    import tensorflow  # noqa: PLC0415 - other backends run without it

    return tensorflow
