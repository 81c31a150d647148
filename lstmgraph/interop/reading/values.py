"""Arguments of calls as plain data, with tensors in their places."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lstmgraph.interop.keras_model import Constant, Tensor

if TYPE_CHECKING:
    from collections.abc import Callable

PLAIN = (str, int, float, bool, type(None))
MOST_INDEX = 20_000
"""The largest index of a call or an output: what follows a model counts up to it."""


class ValueFormError(ValueError):
    """Raised for a value that is not plain data."""


def is_index(value: Any) -> bool:
    """Return whether `value` can be the index of a call or an output."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MOST_INDEX


def call_value(value: Any, tensor: Callable[[Any, Any, Any], Any]) -> Any:
    """Return an argument of a call in which `tensor` makes each tensor.

    Args:
        value: the argument, as Keras 3 serializes it.
        tensor: takes a tensor's history, shape and dtype.

    Raises:
        ValueFormError: it holds something other than plain data.
    """
    if isinstance(value, PLAIN):
        return value
    if isinstance(value, (list, tuple)):
        return [call_value(item, tensor) for item in value]
    if not isinstance(value, dict):
        raise ValueFormError(f"a value is a Python {type(value).__name__}")
    if "class_name" not in value or "config" not in value:
        return {str(key): call_value(item, tensor) for key, item in value.items()}
    kind, config = value["class_name"], value["config"]
    if kind == "__ellipsis__":
        return ...
    if not isinstance(config, dict):
        raise ValueFormError(f"a value of the class {kind!r} is not plain data")
    if kind == "__keras_tensor__":
        return tensor(config.get("keras_history"), config.get("shape"), config.get("dtype"))
    if kind in ("__tensor__", "__numpy__"):
        return _constant(config)
    if kind == "__slice__":
        ends = [config.get(end) for end in ("start", "stop", "step")]
        if not all(end is None or isinstance(end, int) for end in ends):
            raise ValueFormError("an index is cut at a tensor")
        return slice(*ends)
    if kind == "__bytes__":
        return config.get("value")
    if kind == "DTypePolicy" and isinstance(config.get("name"), str):
        return config["name"]
    raise ValueFormError(f"a value of the class {kind!r} is not plain data")


def _constant(config: dict[str, Any]) -> Constant:
    dtype = config.get("dtype")
    if not isinstance(dtype, str):
        raise ValueFormError("a fixed tensor has no dtype")
    level = [config.get("value")]
    while level:
        if not all(isinstance(item, (*PLAIN, list)) for item in level):
            raise ValueFormError("a fixed tensor holds something other than numbers")
        level = [item for each in level if isinstance(each, list) for item in each]
    return Constant(config.get("value"), dtype)


def tensor_of(history: Any, offset: int = 0) -> Tensor:
    """Return the tensor that a history ``[layer, call, output]`` names.

    Raises:
        ValueFormError: it is no history.
    """
    if (
        isinstance(history, (list, tuple))
        and len(history) == 3
        and isinstance(history[0], str)
        and is_index(history[1])
        and is_index(history[2])
        and history[1] >= offset
    ):
        return Tensor(history[0], history[1] - offset, history[2])
    raise ValueFormError("it does not say which call a tensor comes from")
