"""Layers as test cases: what is declared of one, and the same layer built and called in Keras."""

import inspect
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import keras

from lstmgraph.keras_facts.layers import LayerFacts, layer_facts
from lstmgraph.keras_facts.tensors import TensorSpec

SIZES = {"batch": 2, "time": 11, "frames": 9, "height": 12, "width": 10}
EQUAL_SIZES = dict.fromkeys(SIZES, 6) | {"batch": 2}
COMPUTE_DTYPES = {"mixed_float16": "float16", "mixed_bfloat16": "bfloat16"}
SEPARATE_ARGUMENTS = {"MultiHeadAttention", "GroupQueryAttention"}


def f(*shape: int | str) -> TensorSpec:
    return TensorSpec(("batch", *shape), "float32")


def i(*shape: int | str) -> TensorSpec:
    return TensorSpec(("batch", *shape), "int32")


def b(*shape: int | str) -> TensorSpec:
    return TensorSpec(("batch", *shape), "bool")


def text(*shape: int | str) -> TensorSpec:
    return TensorSpec(("batch", *shape), "string")


@dataclass(frozen=True)
class Case:
    layer: str
    inputs: tuple[TensorSpec, ...]
    arguments: Mapping[str, Any]
    policy: str = "float32"
    eager: bool = True
    """Whether this machine's TensorFlow can compute it."""
    vague: bool = False
    """Whether Keras forgets a size that it could know."""

    def facts(self) -> LayerFacts:
        dtype = COMPUTE_DTYPES.get(self.policy, self.policy)
        return layer_facts(self.layer, complete(self.layer, self.arguments), self.inputs, dtype)

    def __str__(self) -> str:
        arguments = ",".join(f"{name}={value}" for name, value in self.arguments.items())
        inputs = "".join(f"{spec}{spec.dtype[0]}" for spec in self.inputs)
        return f"{self.layer}[{arguments}]{inputs}{self.policy}".replace(" ", "")


def case(layer: str, /, *inputs: TensorSpec, **arguments: Any) -> Case:
    options = {name: arguments.pop(name) for name in ("eager", "vague") if name in arguments}
    policy = arguments.pop("policy", "float32")
    return Case(layer, inputs, arguments, policy, **options)


@dataclass(frozen=True)
class Refusal:
    case: Case
    fragment: str
    argument: str | None = None
    input: int | None = None
    stricter: bool = False
    """Whether Keras computes something all the same: not what was meant, or only by luck."""
    options: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return str(self.case)


def refusal(layer: str, /, *inputs: TensorSpec, says: str, **arguments: Any) -> Refusal:
    keys = ("argument", "input", "stricter")
    expected = {name: arguments.pop(name) for name in keys if name in arguments}
    training = arguments.pop("training", False)
    options = {"training": True} if training else {}
    return Refusal(case(layer, *inputs, **arguments), says, **expected, options=options)


def complete(layer: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """All arguments, as the compiler hands them over: Keras's defaults, wrapped layers too."""
    signature = inspect.signature(getattr(keras.layers, layer).__init__).parameters.values()
    defaults = {
        parameter.name: parameter.default
        for parameter in signature
        if parameter.kind is parameter.POSITIONAL_OR_KEYWORD and parameter.name != "self"
    }
    whole = {**defaults, **arguments}
    if isinstance(whole.get("layer"), dict):
        inner = dict(whole["layer"])
        kind = inner.pop("type")
        whole["layer"] = {"type": kind, **complete(kind, inner)}
    return whole


def keras_layer(layer: str, arguments: Mapping[str, Any], policy: str) -> keras.Layer:
    arguments = dict(arguments)
    if "layer" in arguments:
        inner = dict(arguments["layer"])
        arguments["layer"] = keras_layer(inner.pop("type"), inner, policy)
    own = {} if layer == "Hashing" else {"dtype": policy}  # which has the dtype of its ids
    return getattr(keras.layers, layer)(**arguments, **own)


def call(layer: keras.Layer, case: Case, tensors: list[Any], **options: Any) -> Any:
    if case.layer in SEPARATE_ARGUMENTS:
        return layer(*tensors, **options)
    merges = len(tensors) > 1 or isinstance(layer, keras.layers.Add | keras.layers.Concatenate)
    return layer(tensors if merges else tensors[0], **options)


def symbolic_call(case: Case) -> tuple[keras.Layer, Any]:
    layer = keras_layer(case.layer, case.arguments, case.policy)
    inputs = [
        keras.Input(
            batch_shape=[None if isinstance(dim, str) else dim for dim in spec.shape],
            dtype=spec.dtype,
        )
        for spec in case.inputs
    ]
    return layer, call(layer, case, inputs)


def eager_call(case: Case, sizes: Mapping[str, int], **options: Any) -> Any:
    layer = keras_layer(case.layer, case.arguments, case.policy)
    arrays = [ones(concrete(spec.shape, sizes), spec.dtype) for spec in case.inputs]
    return call(layer, case, arrays, **options)


def ones(shape: tuple[int, ...], dtype: str) -> Any:
    if dtype != "string":
        return keras.ops.ones(shape, dtype=dtype)
    import tensorflow as tf  # noqa: PLC0415 - texts are TensorFlow's alone

    return tf.fill(shape, "b a")


def concrete(shape: tuple[int | str, ...], sizes: Mapping[str, int]) -> tuple[int, ...]:
    """The shape with numbers for names: ``ceil((time-1)/2)`` is a Python expression too."""
    names = {"ceil": math.ceil, **sizes}
    return tuple(int(eval(dim, names)) if isinstance(dim, str) else dim for dim in shape)


def count(weights: list[Any]) -> int:
    return sum(math.prod(weight.shape) for weight in weights)
