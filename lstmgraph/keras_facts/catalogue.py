"""Look up the arguments of Keras's classes in the committed catalogue, without Keras."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from lstmgraph.resources import KERAS_SCHEMA, read_schema

if TYPE_CHECKING:
    from collections.abc import Mapping

RECURRENT_STATES: Mapping[str, tuple[str, ...]] = {
    "LSTM": ("h", "c"),
    "GRU": ("h",),
    "SimpleRNN": ("h",),
}
"""The states of each recurrent layer, in Keras's order."""

CELLS: Mapping[str, str] = {"LSTMCell": "LSTM", "GRUCell": "GRU", "SimpleRNNCell": "SimpleRNN"}
"""Keras's cells, each with the layer that runs it and takes the same arguments."""

_SPELLINGS: Mapping[str, str] = {
    "rnn": "RNN",
    "RNN": "RNN",
    "lstm_cell": "LSTMCell",
    "gru_cell": "GRUCell",
    "simple_rnn_cell": "SimpleRNNCell",
    **{cell: cell for cell in CELLS},
}
"""Types that are only in the recipe schema, not in the catalogue."""

NODE_KEYS = ("type", "call", "input", "mask", "dtype_policy")
"""Keys of a layer in a recipe that are not arguments of the Keras layer."""


def layer_class(spelling: str) -> str:
    """Return Keras's class name for a layer type: ``"Dense"`` for ``"dense"`` and ``"Dense"``."""
    if spelling in _SPELLINGS:
        return _SPELLINGS[spelling]
    name: str = read_schema(KERAS_SCHEMA)["x-layer-names"][spelling]
    return name


def layer_of_steps(op: str, arguments: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    """Return the class and arguments of the layer that TimeDistributed applies; of others, theirs.

    Args:
        op: Keras's class name.
        arguments: those of the layer, as a recipe or a node of the graph has them.
    """
    if op != "TimeDistributed":
        return op, arguments
    inner = arguments["layer"]
    return layer_of_steps(layer_class(inner["type"]), inner)


def is_recurrent(layer: str) -> bool:
    """Return whether a Keras class is one of the recurrent layers of the language."""
    return layer in RECURRENT_STATES or layer == "RNN"


@cache
def argument_defaults(layer: str) -> Mapping[str, Any]:
    """Return the arguments of a Keras layer that have a default, with the defaults."""
    return _defaults(read_schema(KERAS_SCHEMA)["$defs"][layer])


def keras_arguments(layer: str, **own: Any) -> Mapping[str, Any]:
    """Return the arguments of a Keras layer: `own`, and the defaults of the others."""
    return {**argument_defaults(layer), **own}


def layer_traits(layer: str) -> Mapping[str, Any]:
    """Return the catalogue's ``x-keras``: how a layer is called and what it does with masks."""
    traits: Mapping[str, Any] = read_schema(KERAS_SCHEMA)["$defs"][layer]["x-keras"]
    return traits


def named_class(family: str, spelling: str) -> str:
    """Return Keras's class name for an initializer, optimizer, loss or metric: ``Adam``."""
    name: str = read_schema(KERAS_SCHEMA)["x-names"][family][spelling]
    return name


def family_defaults(family: str, spelling: str) -> Mapping[str, Any]:
    """Return the constructor defaults of an initializer, optimizer, loss, metric or the like."""
    name = f"{family}.{named_class(family, spelling)}"
    return _defaults(read_schema(KERAS_SCHEMA)["$defs"][name])


def takes_seed(family: str, spelling: str) -> bool:
    """Return whether an initializer takes a seed."""
    name = f"{family}.{named_class(family, spelling)}"
    return "seed" in read_schema(KERAS_SCHEMA)["$defs"][name]["properties"]


def _defaults(definition: Mapping[str, Any]) -> Mapping[str, Any]:
    properties = definition.get("properties", {})
    return {
        name: schema["default"]
        for name, schema in properties.items()
        if name not in NODE_KEYS and isinstance(schema, dict) and "default" in schema
    }
