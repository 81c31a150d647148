"""Arguments of layers as plain data under Keras 3's names, without Keras."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lstmgraph.interop.reading.keras2 import NotInKeras3Error, renamed, translated
from lstmgraph.interop.reading.known import (
    ALIASES,
    MODELS,
    activations,
    argument_kinds,
    fits,
    json_kind,
    layer_classes,
)
from lstmgraph.interop.reading.values import PLAIN
from lstmgraph.keras_facts.catalogue import named_class
from lstmgraph.resources import KERAS_SCHEMA, read_schema

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from lstmgraph.interop.keras_model import KerasModel
    from lstmgraph.interop.reading.problems import Problems

    Nested = Callable[[str, Mapping[str, Any], Mapping[str, Any], tuple[str, ...]], KerasModel]

FAMILIES = ("initializer", "regularizer", "constraint")
INNER = ("layer", "backward_layer", "cell", "cells")
"""Arguments that hold layers."""
AGAIN = "save the model again with Keras"


def is_keras_module(module: Any) -> bool:
    """Return whether a module is one of Keras's; None, as in old files, may be."""
    return module is None or (
        isinstance(module, str) and module.split(".")[0] in ("keras", "tf_keras", "tensorflow")
    )


class ArgumentReader:
    """Reads the arguments of one layer, and of the layers in it."""

    def __init__(
        self, problems: Problems, path: tuple[str, ...], *, is_old: bool, nested: Nested
    ) -> None:
        self.problems = problems
        self.path = path
        self.is_old = is_old
        """Whether Keras 2 wrote them."""
        self.nested = nested
        """Reads a model that is an argument."""

    def problem(self, code: str, message: str, hint: str) -> None:
        """Add a problem of this layer."""
        self.problems.add(code, message, hint, self.path)

    def layer(self, kind: str, config: Any) -> tuple[str, dict[str, Any]]:
        """Return the class of a layer in Keras 3, and its arguments."""
        if not isinstance(config, dict):
            self.problem("M103", "its arguments are not a mapping", AGAIN)
            return kind, {}
        kind = ALIASES.get(kind, kind)
        own = {key: value for key, value in config.items() if key != "name"}
        try:
            kind, own = translated(kind, own, is_old=self.is_old)
        except NotInKeras3Error as error:
            self.problem("M113", str(error), error.hint)
            return kind, {}
        kind = ALIASES.get(kind, kind)
        if kind not in layer_classes():
            self.problem(
                "M108",
                f"Keras 3 has no layer {kind}",
                "if it is your own class, replace it by layers of Keras, and save the model again",
            )
            return kind, {}
        known = argument_kinds(kind)
        read: dict[str, Any] = {}
        for key, value in own.items():
            if known is not None and key not in known:
                self.problem(
                    "M109",
                    f"{kind} has no argument `{key}` in Keras 3",
                    "save the model with Keras 3, or take the argument out of the configuration",
                )
                continue
            read[key] = self.argument(key, value)
            if known is not None and not fits(read[key], known[key]):
                self.problem("M103", f"`{key}` is {_shown(value)}, which is no value of it", AGAIN)
        return kind, read

    def argument(self, key: str, value: Any) -> Any:
        """Return one argument as plain data."""
        family = next((each for each in FAMILIES if key.endswith(each)), None)
        if family is not None:
            return self.member(family, key, value)
        if key.endswith("activation"):
            return self.activation(key, value)
        if key in INNER:
            return self.inner(key, value)
        if key == "dtype":
            return self.dtype(value)
        return self.plain(key, value)

    def plain(self, key: str, value: Any) -> Any:
        """Return a value that must be plain data."""
        if isinstance(value, PLAIN):
            return value
        if isinstance(value, (list, tuple)):
            return [self.plain(key, item) for item in value]
        if isinstance(value, dict):
            kind = value.get("class_name")
            if kind is None:
                return {str(name): self.plain(key, item) for name, item in value.items()}
            config = value.get("config")
            if kind in ("__tensor__", "__numpy__", "TensorShape") and isinstance(config, dict):
                return self.plain(key, config.get("value"))
            if kind == "TensorShape":
                return self.plain(key, value.get("items"))
            if kind == "__tuple__":
                return self.plain(key, value.get("items"))
            if kind == "DTypePolicy":
                return self.dtype(value)
            if kind in ("function", "__lambda__"):
                return self.refused_function(key, value)
            self.problem("M106", f"`{key}` is an object of the class {_name_of(value)}", AGAIN)
            return None
        self.problem("M103", f"`{key}` is a Python {type(value).__name__}, not plain data", AGAIN)
        return None

    def refused_function(self, key: str, value: dict[str, Any]) -> None:
        """Report a function that is not Keras's."""
        if value.get("class_name") == "__lambda__":
            message = f"`{key}` is a lambda, which is Python code"
            self.problem("M105", message, "use a function of Keras, and save the model again")
            return
        self.problem(
            "M107",
            f"`{key}` is the function {_shown(value.get('config'))}, which is not Keras's",
            "use a function of Keras, or layers that compute the same, and save the model again",
        )

    def activation(self, key: str, value: Any) -> Any:
        """Return an activation: a name, or a layer that is used as one."""
        if value is None:
            return value
        if isinstance(value, dict):
            kind = value.get("class_name")
            if kind in ("function", "__lambda__"):
                name = value.get("config")
                if kind == "function" and isinstance(name, str) and name in activations():
                    return self.activation(key, name)
                return self.refused_function(key, value)
            return self.inner(key, value)
        if isinstance(value, str) and (value in activations() or value == "softmax_v2"):
            if value == "hard_sigmoid" and self.is_old:
                self.problem(
                    "M113",
                    f"`{key}: hard_sigmoid` of Keras 2 is another function than Keras 3's: "
                    "0.2 * x + 0.5, cut to 0 and 1, not x / 6 + 0.5",
                    "train the model with `sigmoid`; Keras 3 has no function that is the same",
                )
            return "softmax" if value == "softmax_v2" else value
        self.problem(
            "M107",
            f"`{key}` is {_shown(value)}, which is no activation of Keras",
            "use an activation of Keras, or layers that compute the same, and save the model again",
        )
        return None

    def member(self, family: str, key: str, value: Any) -> Any:
        """Return an initializer, regularizer or constraint with its class and arguments."""
        if value is None:
            return None
        if isinstance(value, str):
            value = {"class_name": value, "config": {}}
        if not isinstance(value, dict) or not isinstance(value.get("class_name"), str):
            self.problem("M103", f"`{key}` is {_shown(value)}, which is no {family}", AGAIN)
            return None
        kind, config = value["class_name"], value.get("config")
        if kind in ("function", "__lambda__"):
            return self.refused_function(key, value)
        if kind in ("__tensor__", "__numpy__") and family == "initializer":
            return self.plain(key, value)
        names = read_schema(KERAS_SCHEMA)["x-names"][family]
        plain_kind = kind.removesuffix("V2").removesuffix("V1")
        if not is_keras_module(value.get("module")) or plain_kind not in names:
            self.problem(
                "M106",
                f"`{key}` is of the class {_name_of(value)}, which is no {family} of Keras",
                f"use {family}s of Keras, and save the model again",
            )
            return None
        if not isinstance(config, (dict, type(None))):
            self.problem("M103", f"the arguments of `{key}` are not a mapping", AGAIN)
            return None
        name = named_class(family, plain_kind)
        return {"class_name": name, "config": self.member_config(family, name, key, config or {})}

    def member_config(
        self, family: str, name: str, key: str, config: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Return the arguments of an initializer, regularizer or constraint."""
        known = read_schema(KERAS_SCHEMA)["$defs"][f"{family}.{name}"]["properties"]
        further = ("input_axes", "output_axes")  # of a later Keras 3
        read = {}
        for argument, value in config.items():
            if argument in ("dtype", "name"):  # of Keras 2
                continue
            if argument not in known and argument not in further:
                self.problem("M109", f"{name} of `{key}` has no argument `{argument}`", AGAIN)
                continue
            found = self.plain(key, value)
            read[argument] = renamed(name, argument, found)
        return read

    def dtype(self, value: Any) -> Any:
        """Return the name of a dtype policy."""
        if isinstance(value, str) or value is None:
            return value
        config = value.get("config") if isinstance(value, dict) else None
        name = config.get("name") if isinstance(config, dict) else None
        kind = value.get("class_name") if isinstance(value, dict) else None
        if isinstance(name, str) and kind in ("DTypePolicy", "FloatDTypePolicy", "Policy"):
            return name
        self.problem(
            "M113",
            f"its dtype policy is {_name_of(value) if kind else _shown(value)}",
            "use float32, mixed_float16 or mixed_bfloat16: quantized layers are not read",
        )
        return None

    def inner(self, key: str, value: Any) -> Any:
        """Return a layer, or a list of cells, that is an argument."""
        if isinstance(value, (list, tuple)):
            return [self.inner(key, item) for item in value]
        if not isinstance(value, dict) or not isinstance(value.get("class_name"), str):
            if value is not None:
                self.problem("M103", f"`{key}` is {_shown(value)}, which is no layer", AGAIN)
            return None
        kind, config = value["class_name"], value.get("config")
        if kind == "Lambda":
            self.problem(
                "M105",
                f"`{key}` is a Lambda, which is Python code",
                "replace it by layers of Keras, and save the model again",
            )
            return None
        if not is_keras_module(value.get("module")):
            self.problem(
                "M106",
                f"`{key}` is of the class {_name_of(value)}, which is not Keras's",
                "replace it by layers of Keras, and save the model again",
            )
            return None
        if kind in MODELS and isinstance(config, dict):
            own = {name: item for name, item in config.items() if name in ("trainable", "dtype")}
            own = {name: self.argument(name, item) for name, item in own.items()}
            path = (*self.path, str(config.get("name", key)))
            return {
                "class_name": kind,
                "config": own,
                "model": self.nested(kind, config, value, path),
            }
        kind, arguments = self.layer(kind, config)
        name = config.get("name") if isinstance(config, dict) else None
        if isinstance(name, str):  # the paths of its weights have it; Keras 3 allows no slash
            arguments = {"name": name.replace("/", "_"), **arguments}
        return {"class_name": kind, "config": arguments}


def _name_of(value: Mapping[str, Any]) -> str:
    module, kind = value.get("module"), value.get("class_name")
    return _short(f"{module}.{kind}" if isinstance(module, str) else str(kind))


def _shown(value: Any) -> str:
    if isinstance(value, (dict, list, tuple)):
        return {"object": "a mapping", "array": "a list"}[json_kind(value)]
    return _short(repr(value)) if not isinstance(value, int) else _short(f"{value:.3g}")


def _short(text: str) -> str:
    return text if len(text) <= 80 else f"{text[:77]}..."
