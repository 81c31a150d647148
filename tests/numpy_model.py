"""A recipe's outputs in NumPy float64, from its plain data and the weights: nothing is compiled.

Only the recipe's words and Keras's names of layers are read here, so that what the compiler makes
of them can be held against it. Arrays have the batch first; a masked tensor carries its mask.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import reference as ref
from numpy_layers import LAYERS, NotEvaluatedError, activation, dense

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reference import Array

    Data = dict[str, Any]

RECURRENT = frozenset({"lstm", "gru", "simple_rnn", "rnn"})
SLOTS = {"lstm": ("h", "c"), "gru": ("h",), "simple_rnn": ("h",)}


class Value(NamedTuple):
    """A tensor, and its mask of shape (batch, time) where it carries one."""

    array: Array
    mask: Array | None = None


class Call(NamedTuple):
    """What one layer of a stack gave. States have Keras's names: h, or forward_h, or 1_h."""

    sequence: Array
    last: Array
    states: dict[str, Array]


class Stack(NamedTuple):
    """What a recurrent layer of the recipe gave."""

    calls: list[Call]
    sequence: Array
    mask: Array | None


@dataclass
class NumpyModel:
    """The values of a recipe's tensors, each computed when it is asked for.

    Args:
        data: the recipe as plain data.
        weights: by the names of Keras's layers.
        inputs: by name, as the model is fed.
        carried: the states that the batch before left, by the names of Keras's layers.
    """

    data: Data
    weights: Mapping[str, list[Array]]
    inputs: Mapping[str, Array]
    carried: Mapping[str, dict[str, Array]] = field(default_factory=dict)
    _known: dict[str, Any] = field(default_factory=dict)

    def outputs(self) -> dict[str, Value]:
        """All outputs of the recipe; ``state: a.state`` gives one a state."""
        found: dict[str, Value] = {}
        for name, reference in self.data["outputs"].items():
            layer, _, port = reference.partition(".")
            if port != "state":
                found[name] = self.value(reference)
                continue
            calls = self.stack(layer).calls
            for number, call in enumerate(calls, start=1):
                place = f"_{number}" if len(calls) > 1 else ""
                states = call.states.items()
                found |= {f"{name}{place}_{slot}": Value(state) for slot, state in states}
        return found

    def layer(self, name: str) -> Data:
        """A layer as written; a call has all that it does not say from the layer that it calls."""
        own = self.data["layers"][name]
        return {**self.data["layers"][own["call"]], **own} if "call" in own else own

    def left(self) -> dict[str, dict[str, Array]]:
        """The final states of all recurrent layers that were computed, by Keras's names."""
        return {
            node: call.states
            for name, found in self._known.items()
            if isinstance(found, Stack)
            for node, call in zip(node_names(name, self.layer(name)), found.calls, strict=True)
        }

    # --- tensors ---

    def value(self, reference: str) -> Value:
        """The tensor that `reference` names."""
        name, _, port = reference.partition(".")
        if name in self.data["inputs"]:
            return Value(self.input(name))
        layer = self.layer(name)
        if layer["type"] not in RECURRENT:
            if name not in self._known:
                self._known[name] = self.plain(name, layer)
            return self._known[name]
        stack = self.stack(name)
        port = port or ("sequence" if layer.get("return_sequences") else "last")
        if port == "sequence":
            return Value(stack.sequence, stack.mask)
        call = stack.calls[-1]
        if port == "last":
            return Value(call.last)
        return Value(call.states[port.removeprefix("state.").replace(".", "_")])

    def input(self, name: str) -> Array:
        array = self.inputs[name]
        if self.data["inputs"][name].get("time_major"):
            array = array.swapaxes(0, 1)
        return array.astype("float64") if array.dtype.kind == "f" else array

    def plain(self, name: str, layer: Data) -> Value:
        if layer["type"] not in LAYERS:
            raise NotEvaluatedError(layer["type"])
        refs = layer["input"]
        refs = list(refs.values()) if isinstance(refs, dict) else refs
        values = [self.value(each) for each in ([refs] if isinstance(refs, str) else refs)]
        mask = self.mask(layer, values)
        if layer.get("mask") == "none":
            values = [Value(value.array) for value in values]
        elif isinstance(layer.get("mask"), dict):
            values = [Value(values[0].array, mask)]
        weights = self.weights.get(layer.get("call", name), [])
        return Value(*LAYERS[layer["type"]](layer, weights, values))

    def mask(self, layer: Data, values: list[Value]) -> Array | None:
        """The mask that `layer` runs with, where the sequence that it reads is among `values`."""
        form = layer.get("mask", "inherited")
        sequences = [value for value in values if value.array.ndim > 2]
        if form == "none":
            return None
        if form == "inherited":
            return next((each.mask for each in sequences if each.mask is not None), None)
        if "value" in form:
            return np.any(sequences[0].array != form["value"], axis=-1)
        if "lengths" in form:
            steps = np.arange(sequences[0].array.shape[1])
            return steps < self.inputs[form["lengths"]].astype("int64")[:, None]
        if "input" in form:
            return self.inputs[form["input"]]
        name = form["from"]
        if name in self.data["layers"] and self.layer(name)["type"] in RECURRENT:
            return self.stack(name).mask
        return self.value(name).mask

    # --- recurrent layers ---

    def stack(self, name: str) -> Stack:
        if name not in self._known:
            self._known[name] = self.run(name, self.layer(name))
        return self._known[name]

    def run(self, name: str, layer: Data) -> Stack:
        refs = layer["input"]
        values = [self.value(each) for each in ([refs] if isinstance(refs, str) else refs)]
        mask = self.mask(layer, values)
        x = joined([value.array for value in values])
        calls: list[Call] = []
        nodes = node_names(name, layer)
        for index, node in enumerate(node_names(layer.get("call", name), layer)):
            before = x
            state = self.initial_states(layer, nodes, index, len(x))
            calls.append(run_node(layer, self.weights[node], x, mask, state))
            x = calls[-1].sequence
            if layer.get("residual") and index > 0:
                x = before + x
            if layer.get("normalization"):
                x = ref.layer_norm(x, self.weights[f"{node}_norm"])
        return Stack(calls, x, mask)

    # --- initial states ---

    def initial_states(self, layer: Data, nodes: list[str], index: int, batch: int) -> list[Array]:
        form = layer.get("initial_state", "zeros")
        form = form[index] if isinstance(form, list) else form
        slots = slots_of(layer)
        sizes = sizes_of(layer, index)
        node = nodes[index]
        zeros = {slot: np.zeros((batch, sizes[slot])) for slot in slots}
        if form == "carried":
            return list(self.carried.get(node, zeros).values())
        states = []
        for slot in slots:
            target = Target(node, slot, index, len(nodes), layer)
            single, alike = form, slots
            if isinstance(form, dict) and ("h" in form or "c" in form):
                single = form.get(slot[-1], "zeros")
                alike = [each for each in slots if each[-1] == slot[-1]]
            states.append(zeros[slot] + self.state(single, target, alike.index(slot)))
        return states

    def state(self, form: Any, target: Target, position: int) -> Array | float:
        """One state. `position` is that of its name, where inputs are named."""
        own = weights = f"{target.node}_{target.slot}"
        if "call" in target.layer:  # shared where the called layer writes the same form
            called = node_names(target.layer["call"], target.layer)[target.index]
            if f"{called}_{target.slot}" in self.weights and own not in self.weights:
                weights = f"{called}_{target.slot}"
        if form == "zeros":
            return 0.0
        if form == "learned":
            return self.weights[weights][0][0]
        if form == "input":
            return self.inputs[own].astype("float64")
        if isinstance(form, dict) and "constant" in form:
            return np.array(form["constant"], "float64")
        if isinstance(form, dict) and "inputs" in form:
            return self.input_or_made(form["inputs"][position])
        if isinstance(form, dict) and "static" in form:
            features = [self.value(each).array for each in form["static"]]
            bend = activation(form.get("activation"))
            return bend(dense(np.concatenate(features, axis=-1), self.weights[weights]))
        written = form if isinstance(form, dict) else {"from": form}
        found = self.state_of_layer(written["from"], written.get("bridge"), target)
        return dense(found, self.weights[weights]) if written.get("bridge") == "dense" else found

    def input_or_made(self, name: str) -> Array:
        declared = name in self.data["inputs"]
        return self.input(name) if declared else self.inputs[name].astype("float64")

    def state_of_layer(self, reference: str, bridge: str | None, target: Target) -> Array:
        name, _, port = reference.partition(".")
        source = self.layer(name) if name in self.data["layers"] else {}
        if source.get("type") not in RECURRENT or port not in ("", "state"):
            return self.value(reference).array
        calls = self.stack(name).calls
        same_place = len(calls) == target.depth and target.depth > 1 and bridge != "last"
        states = calls[target.index if same_place else -1].states
        letter = target.slot[-1]
        if source.get("bidirectional") and bridge in ("dense", "concat"):
            return np.concatenate([states[f"{way}_{letter}"] for way in WAYS], axis=-1)
        return states[target.slot if target.slot in states else letter]


class Target(NamedTuple):
    """The state that is wanted: of which call of a stack."""

    node: str
    slot: str
    index: int
    depth: int
    layer: Data


WAYS = ("forward", "backward")


def depth_of(layer: Data) -> int:
    units = layer.get("units")
    return len(units) if isinstance(units, list) else layer.get("depth", 1)


def node_names(name: str, layer: Data) -> list[str]:
    depth = depth_of(layer)
    return [name] if depth == 1 else [f"{name}_{number}" for number in range(1, depth + 1)]


def sizes_of(layer: Data, index: int) -> dict[str, int]:
    """The names of the states of one call in Keras's order, and their sizes."""
    cells = layer.get("cells")
    if cells is None:
        units = layer["units"]
        own = units[index] if isinstance(units, list) else units
        sizes = dict.fromkeys(SLOTS[layer["type"]], own)
    else:
        sizes = {
            f"{number}_{slot}" if len(cells) > 1 else slot: cell["units"]
            for number, cell in enumerate(cells, start=1)
            for slot in SLOTS[cell["type"].removesuffix("_cell")]
        }
    if not layer.get("bidirectional"):
        return sizes
    return {f"{way}_{slot}": size for way in WAYS for slot, size in sizes.items()}


def slots_of(layer: Data) -> list[str]:
    return list(sizes_of(layer, 0))


def joined(arrays: list[Array]) -> Array:
    """Sequences, and static features repeated along time, on the feature axis."""
    sequence = next(array for array in arrays if array.ndim == 3)
    shape = sequence.shape[:2]
    parts = [
        array if array.ndim == 3 else np.broadcast_to(array[:, None], (*shape, array.shape[-1]))
        for array in arrays
    ]
    return np.concatenate(parts, axis=-1)


def run_node(
    layer: Data, weights: list[Array], x: Array, mask: Array | None, state: list[Array]
) -> Call:
    """One call of Keras: a layer of the stack."""
    cells = layer.get("cells") or [layer]
    # Backwards is forwards over the reversed steps; the outputs stay in the order of computing.
    if layer.get("go_backwards"):
        x, mask = x[:, ::-1], None if mask is None else mask[:, ::-1]

    hold = layer.get("padded_output") == "hold"

    def run(x, weights, mask=None, state=None, *, go_backwards=False) -> ref.Run:
        return run_cells(cells, x, weights, mask, state, go_backwards=go_backwards, hold=hold)

    slots = slots_of(layer)
    if layer.get("bidirectional"):
        mode = layer.get("merge_mode", "concat")
        both = ref.bidirectional(run, x, weights, mask, tuple(state), merge_mode=mode)
        states = dict(zip(slots, (*both.forward, *both.backward), strict=True))
        return Call(both.sequence, both.last, states)
    found = run(x, weights, mask, tuple(state))
    last = next(
        s for slot, s in zip(slots[::-1], found.state[::-1], strict=True) if slot[-1] == "h"
    )
    return Call(found.sequence, last, dict(zip(slots, found.state, strict=True)))


def run_cells(  # noqa: PLR0913 - as many parts as a call has
    cells: list[Data],
    x: Array,
    weights: list[Array],
    mask: Array | None,
    state: tuple[Array, ...],
    *,
    go_backwards: bool,
    hold: bool,
) -> ref.Run:
    """Cells one after the other in each step, which is one layer after the other."""
    weights, states, found = list(weights), list(state), []
    for number, cell in enumerate(cells, start=1):
        kind = cell["type"].removesuffix("_cell")
        own, weights = weights[: 2 + has_bias(cell)], weights[2 + has_bias(cell) :]
        begin, states = states[: len(SLOTS[kind])], states[len(SLOTS[kind]) :]
        options: Data = {"activation": activation(cell.get("activation", "tanh"))}
        if kind != "simple_rnn":
            options["gate"] = activation(cell.get("recurrent_activation", "sigmoid"))
        if kind == "gru":
            options["reset_after"] = cell.get("reset_after", True)
        if not has_bias(cell) and kind != "lstm":
            own = [*own, no_bias(own[0].shape[1], two=options.get("reset_after", False))]
        # Between the cells the steps must stay in the order of time.
        order = {"go_backwards": go_backwards, "hold": hold and number == len(cells)}
        run = getattr(ref, kind)(x, own, mask, tuple(begin), **options, **order)
        x = run.sequence[:, ::-1] if go_backwards else run.sequence
        found += run.state
    return ref.Run(run.sequence, tuple(found))


def has_bias(cell: Data) -> bool:
    return cell.get("use_bias", True)


def no_bias(width: int, *, two: bool) -> Array:
    return np.zeros((2, width) if two else width)
