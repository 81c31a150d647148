"""The layers in a state dict, and their weights as Keras's.

Sources: the formulas in the documentation of ``torch.nn.LSTM``, ``GRU``, ``RNN``, ``Linear``,
``Embedding``, ``LayerNorm`` and ``Conv1d``, and ``keras/src/layers/rnn`` of Keras 3.15.1.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lstmgraph.compiler.graph import Node

Array = np.ndarray[Any, np.dtype[Any]]
RECURRENT = re.compile(r"(?P<what>(weight|bias)_(ih|hh|hr))(_l(?P<layer>\d+)(?P<back>_reverse)?)?")
GATES = {4: "LSTM", 3: "GRU", 1: "SimpleRNN"}
FORWARD, BACKWARD = "forward", "backward"


@dataclass(frozen=True)
class TorchLayer:
    """One layer of a module, with both of its directions."""

    name: str
    """The module's name; of the second layer of a stack and later ones with ``.1``, ``.2``, ..."""
    module: str
    number: int
    """Its place in a recurrent module of several layers, from 0."""
    tensors: Mapping[str, Array]
    """By name in the module: ``weight``; of recurrent ones ``forward.weight_ih``."""
    kinds: tuple[str, ...]
    """Keras's classes that it may be."""

    @property
    def directions(self) -> tuple[str, ...]:
        """The directions of a recurrent layer."""
        return tuple(dict.fromkeys(key.partition(".")[0] for key in self.tensors if "." in key))


def torch_layers(state: Mapping[str, Array]) -> tuple[list[TorchLayer], list[str]]:
    """Return the layers of a state dict in its order, and the names of tensors that are none."""
    groups: dict[tuple[str, int], dict[str, Array]] = {}
    for name, tensor in state.items():
        module, _, own = name.rpartition(".")
        found = RECURRENT.fullmatch(own)
        if found is None:
            groups.setdefault((module, -1), {})[own] = tensor
            continue
        direction = BACKWARD if found["back"] else FORWARD
        key = module, int(found["layer"] or 0)
        groups.setdefault(key, {})[f"{direction}.{found['what']}"] = tensor
    layers, unknown = [], []
    for (module, number), tensors in groups.items():
        kinds = _kinds(tensors) if number < 0 else _recurrent_kind(tensors)
        if kinds:
            name = f"{module}.{number}".removeprefix(".") if number > 0 else module
            layers.append(TorchLayer(name, module, max(number, 0), tensors, kinds))
        else:
            unknown += [f"{module}.{own}".removeprefix(".") for own in tensors]
    return layers, unknown


def _kinds(tensors: Mapping[str, Array]) -> tuple[str, ...]:
    weight, others = tensors.get("weight"), {*tensors} - {"weight", "bias"}
    if weight is None or others:
        return ()
    kinds = {1: ("LayerNormalization",), 2: ("Dense", "Embedding"), 3: ("Conv1D",)}
    found = kinds.get(weight.ndim, ())
    return found[:1] if "bias" in tensors else found


def _recurrent_kind(tensors: Mapping[str, Array]) -> tuple[str, ...]:
    for direction in (FORWARD, BACKWARD):
        own = {k.partition(".")[2]: v for k, v in tensors.items() if k.startswith(direction)}
        if not own and direction == BACKWARD:
            continue
        inner, outer = own.get("weight_hh"), own.get("weight_ih")
        if inner is None or outer is None or inner.ndim != 2 or outer.ndim != 2:
            return ()
        if "weight_hr" in own or not inner.shape[1] or len(own) not in (2, 4):
            return ()  # a projection, which Keras's LSTM has not
        gates = inner.shape[0] / inner.shape[1]
        if gates not in GATES or outer.shape[0] != inner.shape[0]:
            return ()
    return (GATES[int(gates)],)


def converted(layer: TorchLayer, node: Node, kind: str) -> dict[str, Array] | None:
    """Return the weights at their places in a Keras layer; None if it is another kind of layer.

    The shapes may still be others than those of `node`.

    Args:
        layer: the layer of the state dict.
        node: the node of the graph whose layer gets them.
        kind: Keras's class of that layer, or of the one inside a TimeDistributed.
    """
    if kind not in layer.kinds:
        return None
    places = list(node.weights)
    if not layer.directions:
        given = _plain(layer.tensors, kind)
        prefix = places[0].rpartition("vars/")[0]
        wanted = len(places)
        if len(given) < wanted and kind in ("Dense", "Conv1D"):
            given.append(np.zeros(given[0].shape[-1], given[0].dtype))  # without a bias
        if len(given) < wanted and kind == "LayerNormalization":
            given.append(np.zeros_like(given[0]))
        return {f"{prefix}vars/{at}": array for at, array in enumerate(given)}
    found: dict[str, Array] = {}
    for direction in layer.directions:
        both = any(place.startswith("forward_layer/") for place in places)
        prefix = f"{direction}_layer/cell/" if both or direction == BACKWARD else "cell/"
        has_bias = f"{prefix}vars/2" in node.weights
        stacked = has_bias and len(node.weights[f"{prefix}vars/2"]) == 2
        for at, array in enumerate(_recurrent(layer, direction, kind, bias=has_bias)):
            flat = at == 2 and kind == "GRU" and not stacked
            found[f"{prefix}vars/{at}"] = array.reshape(-1) if flat else array
    return found


def _plain(tensors: Mapping[str, Array], kind: str) -> list[Array]:
    weight = tensors["weight"]
    if kind == "Dense":
        weight = weight.T
    elif kind == "Conv1D":
        weight = weight.transpose(2, 1, 0)  # (out, in, steps) to (steps, in, out)
    return [weight, *([tensors["bias"]] if "bias" in tensors else [])]


def _recurrent(layer: TorchLayer, direction: str, kind: str, *, bias: bool) -> list[Array]:
    """Return kernel, recurrent kernel and bias as Keras orders their gates."""
    own = {k.partition(".")[2]: v for k, v in layer.tensors.items() if k.startswith(direction)}
    matrices = [_gates(own[key], kind).T for key in ("weight_ih", "weight_hh")]
    biases = [_gates(own[key], kind) for key in ("bias_ih", "bias_hh") if key in own]
    if not biases and not bias:
        return matrices
    if not biases:
        biases = [np.zeros(matrices[0].shape[1], matrices[0].dtype)] * 2
    return [*matrices, np.stack(biases) if kind == "GRU" else biases[0] + biases[1]]


def _gates(weight: Array, kind: str) -> Array:
    """Return the rows of a weight in Keras's order of gates.

    Of LSTMs it is the same: input, forget, cell, output. Of GRUs PyTorch has reset, update, new,
    and Keras update, reset, new.
    """
    if kind != "GRU":
        return weight
    reset, update, new = np.split(weight, 3)
    return np.concatenate([update, reset, new])
