"""Arguments of layers as plain data under Keras 3's names, without Keras."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lstmgraph.interop.reading.values import PLAIN
from lstmgraph.resources import KERAS_SCHEMA, read_schema

if TYPE_CHECKING:
    from lstmgraph.interop.reading.problems import Problems

MODELS = ("Functional", "Model", "Sequential")
"""The classes of models that are made of layers."""
OPERATIONS = ("keras.src.ops.", "keras.ops")
OWN_MODULES = ("keras", "tf_keras", "tensorflow.keras", "tensorflow.python.keras")
FAMILIES = {
    "initializer": "initializers",
    "regularizer": "regularizers",
    "constraint": "constraints",
}
KERAS_NAME = "build it from Keras's own layers, or write it as part of the recipe's Python code"


def is_keras_module(module: Any) -> bool:
    """Return whether a module is one of Keras's; None, as in old files, may be."""
    return module is None or (
        isinstance(module, str) and module.split(".")[0] in ("keras", "tf_keras", "tensorflow")
    )


def layer_config(config: Any, problems: Problems, path: tuple[str, ...]) -> dict[str, Any]:
    """Return the arguments of one layer; what is not plain data is a problem."""
    if not isinstance(config, dict):
        problems.add("M103", "its arguments are not a mapping", "save the model again", path)
        return {}
    return {
        key: _argument(key, value, problems, path) for key, value in config.items() if key != "name"
    }


def _argument(key: str, value: Any, problems: Problems, path: tuple[str, ...]) -> Any:
    if isinstance(value, PLAIN):
        return value
    if isinstance(value, (list, tuple)):
        return [_argument(key, item, problems, path) for item in value]
    if not isinstance(value, dict):
        problems.add(
            "M103",
            f"`{key}` is a Python {type(value).__name__}, not plain data",
            "give the layer plain arguments",
            path,
        )
        return None
    if "class_name" not in value or "config" not in value:
        return {str(name): _argument(key, item, problems, path) for name, item in value.items()}
    return _object(key, value, problems, path)


def _object(key: str, value: dict[str, Any], problems: Problems, path: tuple[str, ...]) -> Any:
    kind, config = value["class_name"], value["config"]
    if kind == "__lambda__":
        problems.add("M105", f"`{key}` is a lambda, which is code", "use a function of Keras", path)
        return None
    if kind in ("__tensor__", "__numpy__") and isinstance(config, dict):
        return _argument(key, config.get("value"), problems, path)
    if kind == "function":
        if value.get("module") == "builtins" and _is_activation(config):
            return config
        problems.add(
            "M107",
            f"`{key}` is the function {config!r} of the module {value.get('module')!r}",
            "use a function of Keras",
            path,
        )
        return None
    if not is_keras_module(value.get("module")):
        problems.add(
            "M106",
            f"`{key}` has the custom class {value.get('module')}.{kind}",
            "use a class of Keras",
            path,
        )
        return None
    if kind in ("DTypePolicy", "Policy") and isinstance(config, dict):
        return config.get("name")
    return {"class_name": kind, "config": layer_config(config, problems, path)}


def _is_activation(name: Any) -> bool:
    return isinstance(name, str) and name in (
        *read_schema(KERAS_SCHEMA)["$defs"]["activation"]["enum"],
        *read_schema(KERAS_SCHEMA)["x-refused-activations"],
    )
