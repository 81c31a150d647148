"""Making of Keras layers from nodes: arguments are explicit, dtype policies never global."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import keras

from lstmgraph.compiler.checks.embeddings import KEY as EMBEDDINGS
from lstmgraph.compiler.graph import SEQUENCE, Node, Port, Recurrence, state_outputs
from lstmgraph.keras_facts.catalogue import named_class, takes_seed
from lstmgraph.keras_facts.layers.attention import CAUSAL
from lstmgraph.keras_facts.layers.dense import REVERSE
from lstmgraph.models.building.cudnn import allow_any_mask
from lstmgraph.models.seeds import derived_seed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from lstmgraph.compiler.graph import Graph

FAMILIES: Mapping[str, str] = {
    "_initializer": "initializer",
    "_regularizer": "regularizer",
    "_constraint": "constraint",
}
"""The family of Keras objects that an argument takes, by the ending of its name."""


class Layers:
    """Make the layer of each name once, so that models with the same names share weights."""

    def __init__(
        self,
        graphs: Iterable[Graph],
        seed: int | None,
        *,
        forced_cudnn: bool,
        fused: Callable[[keras.Layer], None] | None = None,
    ) -> None:
        """Take the graphs of all models that share the layers, and what gives them a fused loop."""
        graphs = list(graphs)
        nodes = [node for graph in graphs for node in graph.nodes]
        names = {node.name: node.keras_name for node in nodes}
        ports = {port for graph in graphs for port in graph.used_ports()}
        self.used = frozenset(Port(names.get(port.node, port.node), port.output) for port in ports)
        """The ports that any of the models reads, of any call of a layer named as the layer."""
        self.masks = {node.keras_name: node.mask for node in nodes if node.mask}
        """A mask of each layer with a call that has one."""
        self.seed = seed
        self.forced_cudnn = forced_cudnn
        self.fused = fused
        self._made: dict[str, keras.Layer] = {}
        self._stateless: dict[str, keras.Layer] = {}

    def of(self, node: Node) -> keras.Layer:
        """Return the layer that `node` calls, made at its first use."""
        node = of_layer(node)
        if node.name not in self._made:
            self._made[node.name] = self._make(node)
        layer = self._made[node.name]
        if getattr(layer, "stateful", False) and node.recurrence and not node.recurrence.carried:
            return self._with_given_states(node, layer)
        return layer

    def _with_given_states(self, node: Node, carrying: keras.Layer) -> keras.Layer:
        """Return a stateless layer with the same cell: the call must not change carried states."""
        if node.name not in self._stateless:
            layer = self._make(node)
            layer.cell = carrying.cell
            self._stateless[node.name] = layer
        return self._stateless[node.name]

    def _make(self, node: Node) -> keras.Layer:
        node = replace(node, mask=node.mask or self.masks.get(node.name))
        layer = make_layer(node, self.used, self.seed, forced_cudnn=self.forced_cudnn)
        if node.recurrence and self.fused:
            self.fused(layer)
        return layer


def of_layer(node: Node) -> Node:
    """Return a node with the name of the Keras layer that it calls."""
    called = node.calls
    return node if called is None else replace(node, name=called.node, layer=called.layer)


def make_layer(
    node: Node, used: frozenset[Port], seed: int | None, *, forced_cudnn: bool
) -> keras.Layer:
    """Return a new Keras layer for `node`."""
    if node.recurrence is None:
        return _plain_layer(node.op, node.name, node.arguments, node.dtype_policy, seed)
    arguments = {
        **node.arguments,
        **_recurrent_arguments(node, node.recurrence, used, forced_cudnn=forced_cudnn),
    }
    layer = _directed_layer(node, node.recurrence, arguments, seed)
    if node.mask is not None and arguments.get("use_cudnn") == "auto":
        allow_any_mask(layer)
    return layer


def _directed_layer(
    node: Node, recurrence: Recurrence, arguments: Mapping[str, Any], seed: int | None
) -> keras.Layer:
    if not recurrence.bidirectional:
        return _recurrent_layer(node, node.name, arguments, seed)
    # Each direction is made separately: a copied layer has the same seeds, and so the same kernels.
    backwards = {**arguments, "go_backwards": not arguments["go_backwards"]}
    return keras.layers.Bidirectional(
        _recurrent_layer(node, f"forward_{node.name}", arguments, seed),
        backward_layer=_recurrent_layer(node, f"backward_{node.name}", backwards, seed),
        merge_mode=recurrence.merge_mode,
        name=node.name,
        dtype=node.dtype_policy,
    )


def _recurrent_arguments(
    node: Node, recurrence: Recurrence, used: frozenset[Port], *, forced_cudnn: bool
) -> dict[str, Any]:
    kernel = recurrence.kernel.name if recurrence.kernel else "standard"
    reads_sequence = Port(node.name, SEQUENCE) in used
    arguments: dict[str, Any] = {
        "return_sequences": reads_sequence,
        "return_state": any(Port(node.name, slot) in used for slot in state_outputs(recurrence)),
        # Without the sequence, Keras's loop would zero the last output of padded rows.
        "zero_output_for_mask": reads_sequence
        and node.mask is not None
        and recurrence.padded_output == "zero",
        "unroll": kernel == "unrolled",
        "stateful": recurrence.carried,
    }
    choice = use_cudnn(node, forced=forced_cudnn)
    if choice is not None:
        arguments["use_cudnn"] = choice
    return arguments


def use_cudnn(node: Node, *, forced: bool) -> bool | str | None:
    """Return the value of ``use_cudnn`` for the node's kernel; None for layers without it."""
    if node.recurrence is None or node.op not in ("LSTM", "GRU"):
        return None
    kernel = node.recurrence.kernel
    return (forced or "auto") if kernel and kernel.name == "cudnn" else False


def _recurrent_layer(
    node: Node, name: str, arguments: Mapping[str, Any], seed: int | None
) -> keras.Layer:
    policy = node.dtype_policy
    if node.recurrence is None or not node.recurrence.cells:
        return _plain_layer(node.op, name, _own_seeds(node, name, arguments), policy, seed)
    cells = [
        _cell(node, f"{name}_cell_{number}", cell, seed)
        for number, cell in enumerate(node.recurrence.cells, start=1)
    ]
    stacked = keras.layers.StackedRNNCells(cells, name=f"{name}_cells", dtype=policy)
    return keras.layers.RNN(
        cells[0] if len(cells) == 1 else stacked, **arguments, name=name, dtype=policy
    )


def _cell(node: Node, name: str, cell: Mapping[str, Any], seed: int | None) -> keras.Layer:
    arguments = {key: value for key, value in cell.items() if key != "type"}
    arguments["trainable"] = node.arguments[
        "trainable"
    ]  # Keras's RNN does not pass it to its cells
    own = _own_seeds(node, name, arguments)
    return _plain_layer(cell["type"], name, own, node.dtype_policy, seed)


def _own_seeds(node: Node, name: str, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return `arguments` with separate seeds where several layers come from one node.

    The seeds are those of initializers, and the layer's own, which its dropout uses.
    """
    if name == node.name == node.layer:
        return arguments
    own = dict(arguments)
    if own.get("seed") is not None:
        own["seed"] = derived_seed(own["seed"], name)
    for key, value in arguments.items():
        if isinstance(value, dict) and value.get("seed") is not None:
            own[key] = {**value, "seed": derived_seed(value["seed"], name)}
    return own


def freeze(layer: keras.Layer) -> None:
    """Freeze a built layer, with all layers in it.

    Made with ``trainable=False``, attention layers, ConvLSTM and some wrappers of Keras 3.15.1 are
    trained all the same, as they do not hand it to the layers that they make; and a value that is
    set already is not handed on either.
    """
    layer.trainable = True
    layer.trainable = False


def _plain_layer(
    op: str, name: str, arguments: Mapping[str, Any], policy: str, seed: int | None
) -> keras.Layer:
    if arguments.get("trainable") is False and isinstance(arguments.get("layer"), dict):
        # Keras's wrappers do not pass it to the layer inside.
        arguments = {**arguments, "layer": {**arguments["layer"], "trainable": False}}
    values = {
        key: _value(key, value, name, policy, seed)
        for key, value in arguments.items()
        # The first is filled in, the others are given in calls.
        if key not in (EMBEDDINGS, CAUSAL, REVERSE)
    }
    if seed is not None and "seed" in values and values["seed"] is None:
        values["seed"] = derived_seed(seed, name, "seed")
    if op == "Hashing":  # whose policy would be that of its ids
        policy = "int64" if values["output_mode"] == "int" else "float32"
    if isinstance(values.get("ngrams"), list):
        values["ngrams"] = tuple(values["ngrams"])
    layer: keras.Layer = getattr(keras.layers, op)(**values, name=name, dtype=policy)
    return layer


def _value(key: str, value: Any, name: str, policy: str, seed: int | None) -> Any:
    if key == "layer" and isinstance(value, dict):
        inner = {k: v for k, v in value.items() if k not in ("type", "dtype_policy")}
        own_policy = value.get("dtype_policy", policy)
        return _plain_layer(value["type"], f"{name}_layer", inner, own_policy, seed)
    family = next((f for ending, f in FAMILIES.items() if key.endswith(ending)), None)
    if family is None or value is None:
        return value
    return _keras_object(family, value, None if seed is None else derived_seed(seed, name, key))


def _keras_object(family: str, value: str | Mapping[str, Any], seed: int | None) -> Any:
    """Return an initializer, regularizer or constraint, made from its name or mapping."""
    own = {} if isinstance(value, str) else {k: v for k, v in value.items() if k != "type"}
    spelling = value if isinstance(value, str) else value["type"]
    if family == "initializer" and seed is not None and takes_seed(family, spelling):
        own = {**own, "seed": own["seed"] if own.get("seed") is not None else seed}
    elif isinstance(value, str):
        return value
    return getattr(getattr(keras, f"{family}s"), named_class(family, spelling))(**own)
