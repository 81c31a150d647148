"""How a model was compiled, as plain data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lstmgraph.interop.reading.arguments import is_keras_module

if TYPE_CHECKING:
    from collections.abc import Mapping


def compile_config(value: Mapping[str, Any]) -> dict[str, Any]:
    """Return a compile configuration as plain data; what is not Keras's keeps its ``module``.

    A class that was registered has its registered name, ``package>Name``: ``Name`` alone may be one
    of Keras's own.
    """
    return {str(key): _plain(item) for key, item in value.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        if "class_name" in value and "config" in value:
            inner = value["config"]
            if value["class_name"] == "MeanMetricWrapper" and isinstance(inner, dict):
                return _plain(inner.get("fn"))  # Keras 2's class of `metrics=["mae"]`
            kept = {"class_name": value["class_name"], "config": _plain(value["config"])}
            registered = str(value.get("registered_name") or "")
            if ">" in registered:
                return {**kept, "class_name": registered}
            if value["class_name"] in ("function", "__lambda__"):
                return {**kept, "module": value.get("module")}
            if is_keras_module(value.get("module")):
                return kept
            return {**kept, "module": value.get("module")}
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value
