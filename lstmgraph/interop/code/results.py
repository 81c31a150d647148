"""What a call returns: one tensor, or several in a structure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lstmgraph.interop.keras_model import Call, Layer

Structure = tuple[Any, ...]
"""Names of results, "" for the first; nested where a cell of several has states of its own."""

STATES: Mapping[str, tuple[str, ...]] = {
    "LSTM": ("h", "c"),
    "ConvLSTM1D": ("h", "c"),
    "ConvLSTM2D": ("h", "c"),
    "ConvLSTM3D": ("h", "c"),
    "LSTMCell": ("h", "c"),
    "GRU": ("h",),
    "GRUCell": ("h",),
    "SimpleRNN": ("h",),
    "SimpleRNNCell": ("h",),
}
LISTS = frozenset({"ArraySplit", "Split", "Unstack"})
SCORES = frozenset({"Attention", "AdditiveAttention", "MultiHeadAttention", "GroupQueryAttention"})


LIST: Structure = ("list",)
"""The results are a list."""


def results_of(layer: Layer, call: Call) -> Structure | None:
    """Return what a call of the layer returns, if that is more than one tensor and known.

    A result of one tensor, and one of unknown structure, is None.
    """
    config = layer.config
    if layer.is_operation:
        return LIST if layer.type in LISTS else None
    if layer.type in SCORES and call.keywords.get("return_attention_scores"):
        return ("", "scores")
    if layer.type == "Bidirectional":
        inner = config.get("layer")
        if not isinstance(inner, dict) or not inner.get("config", {}).get("return_state"):
            return ("forward", "backward") if config.get("merge_mode") is None else None
        states = _states(str(inner.get("class_name")), inner["config"])
        first = ("forward", "backward") if config.get("merge_mode") is None else ("",)
        if states is None or any(isinstance(each, tuple) for each in states):
            return None
        return (*first, *(f"{side}_{each}" for side in ("forward", "backward") for each in states))
    if config.get("return_state"):
        states = _states(layer.type, config)
        return None if states is None else ("", *states)
    return None


def _states(kind: str, config: Mapping[str, Any]) -> Structure | None:
    if kind in STATES:
        return STATES[kind]
    cell = config.get("cell")
    if kind != "RNN" or not isinstance(cell, dict):
        return None
    if cell.get("class_name") == "StackedRNNCells":
        cells = cell.get("config", {}).get("cells", ())
        found = [STATES.get(str(each.get("class_name"))) for each in cells]
        if None in found:
            return None
        return tuple(
            tuple(f"{number}_{each}" for each in states) if len(states) > 1 else f"{number}_h"
            for number, states in enumerate(filter(None, found), start=1)
        )
    return STATES.get(str(cell.get("class_name")))
