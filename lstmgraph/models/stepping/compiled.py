"""Functions of tensors, compiled once and called often; only this module knows the backend.

TensorFlow and JAX compile; on Keras's other backends a function runs as it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Tensor = Any
Shape = tuple[int | None, ...]


def chosen_xla(xla: bool | None) -> bool:
    """Return whether to compile with XLA: as the caller says, or, for None, on a CPU only.

    On a CPU, XLA halves the time of a step (benchmarks, part `step`). On a GPU it stays off: XLA
    cannot compile cuDNN's layers.
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
    """Return `function`, traced once.

    Args:
        function: takes tensors by position, and returns a list of tensors.
        signature: the shape and dtype of each argument; a size of None may differ between calls.
        model: the model whose weights `function` reads; a call uses their current values.
        xla: compile with XLA, which compiles again for every new size of an axis of None.

    Returns:
        A function that takes tensors (not arrays) of exactly these shapes and dtypes. It does not
        check them.
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
        outputs: Sequence[Tensor] = direct([*tensors, *weights])
        return outputs

    # TensorFlow deletes functions that nothing refers to.
    call.held = (traced, concrete)  # type: ignore[attr-defined]
    return call


def _jitted(
    function: Callable[..., Sequence[Tensor]], model: keras.Model
) -> Callable[..., Sequence[Tensor]]:
    """Return `function` compiled by JAX, with weights as arguments: traced, they are constants."""
    import jax  # noqa: PLC0415 - TensorFlow runs without it

    variables = model.variables

    def of_weights(values: Sequence[Tensor], *tensors: Tensor) -> Sequence[Tensor]:
        with keras.StatelessScope(state_mapping=zip(variables, values, strict=True)):
            return list(function(*tensors))

    jitted = jax.jit(of_weights)
    return lambda *tensors: jitted([variable.value for variable in variables], *tensors)


def to_tensor(array: Any) -> Tensor:
    """Return the array as a tensor on the device; its dtype is already the right one."""
    if keras.backend.backend() == "tensorflow":
        return _tf().constant(array)  # a few microseconds faster than Keras's own
    return keras.ops.convert_to_tensor(array)


def to_array(tensor: Tensor) -> Any:
    """Return the tensor as an array on the host."""
    return keras.ops.convert_to_numpy(tensor)


def _tf() -> Any:
    import tensorflow  # noqa: PLC0415 - other backends run without it

    return tensorflow
