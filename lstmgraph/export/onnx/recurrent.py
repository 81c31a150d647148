"""Lowering of recurrent layers: one operator per layer or cell, with lengths and states.

A mask that is padded on the right becomes ``sequence_lens``. For any other, the steps that count
are moved to the front first: see ``masks``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lstmgraph.compiler.graph import LAST, SEQUENCE, Node, Port, Recurrence
from lstmgraph.export.onnx.recurrent_operator import Cell, run
from lstmgraph.export.onnx.values import Value
from lstmgraph.keras_facts.catalogue import CELLS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np

    from lstmgraph.compiler.graph import MaskSpec
    from lstmgraph.export.onnx.builder import Builder, Name
    from lstmgraph.export.onnx.masks import Masks
    from lstmgraph.export.onnx.values import Values
    from lstmgraph.keras_facts.tensors import TensorSpec

DTYPE = "float32"
"""The dtype for which onnxruntime's CPU has recurrent kernels."""

REDUCTIONS = {"sum": "ReduceSum", "mul": "ReduceProd", "ave": "ReduceMean"}
"""The operator of each Keras merge mode except ``concat``, over the axis of directions."""

SEQUENCE_AXIS, STATE_AXIS = 1, 0
"""The axis of the directions in the results of the operators."""


def lower_recurrent(
    node: Node, recurrence: Recurrence, values: Values, masks: Masks, weights: Sequence[np.ndarray]
) -> None:
    """Add the operators of a recurrent node, and set the tensors of its output ports."""
    _Recurrent(node, recurrence, values, masks).add(weights)


@dataclass
class _Recurrent:
    node: Node
    recurrence: Recurrence
    values: Values
    masks: Masks

    @property
    def builder(self) -> Builder:
        return self.values.builder

    @property
    def ways(self) -> int:
        return 2 if self.recurrence.bidirectional else 1

    @property
    def is_compact(self) -> bool:
        """Return whether the steps that count are moved to the front, and the outputs back."""
        return self.node.mask is not None and self.node.mask.padding != "right"

    def add(self, weights: Sequence[np.ndarray]) -> None:
        x, lengths = self.sequence(), self.lengths()
        initial = self.initial_states()
        final: dict[str, Name] = {}
        after: list[Name] = []
        for number, cell in enumerate(self.cells(weights), start=1):
            prefix = f"{number}_" if len(self.recurrence.cells) > 1 else ""
            slots = [prefix + slot for slot in ("h", "c")[: 2 if cell.kind == "LSTM" else 1]]
            states = [self.stacked(initial, slot) for slot in slots]
            outputs = run(self.builder, cell, x, lengths, states)
            x = self.merged(outputs.sequence, SEQUENCE_AXIS)
            after = [
                self.kept_where_empty(new, old)
                for new, old in zip(outputs.states, states, strict=True)
            ]
            for slot, state in zip(slots, after, strict=True):
                final |= self.by_direction(slot, state)
        self.put_sequence(x)
        self.put(LAST, self.merged(after[0], STATE_AXIS))
        for slot, state in final.items():
            self.put(slot, state)

    # --- inputs ---

    def sequence(self) -> Name:
        """Return the input, (time, batch, features) of float32, its counting steps in front."""
        port = self.node.inputs[0]
        dtype = self.values.spec(port).dtype
        mask = self.node.mask
        if mask is None or not self.is_compact:
            return self.builder.cast(self.values.get(port, time_major=True), dtype, DTYPE)
        x = self.values.compact(port, mask)
        if x is None:
            source = self.values.get(port, time_major=True)
            x = self.builder.op("GatherND", source, self.masks.to_front(mask))
        return self.builder.cast(x, dtype, DTYPE)

    def lengths(self) -> Name:
        return self.masks.lengths(self.node.mask) if self.node.mask else ""

    def initial_states(self) -> dict[str, Name]:
        """Return the given initial states by slot, (batch, units) of float32."""
        return {
            state.slot: self.builder.cast(
                self.values.get(state.source), self.values.spec(state.source).dtype, DTYPE
            )
            for state in self.recurrence.states
            if state.source
        }

    def stacked(self, initial: Mapping[str, Name], slot: str) -> Name:
        """Return a state of all directions, (direction, batch, units); missing ones are zeros."""
        names = [initial.get(each, "") for each in self.slots_by_direction(slot)]
        if not any(names):
            return ""
        b, axis = self.builder, self.builder.ints(0)
        units = self.recurrence.units_of(slot)
        shape = b.op("Concat", self.values.rows(self.node.inputs[0]), b.ints(units), axis=0)
        zeros = b.op("Expand", b.constant(0, DTYPE), shape)
        parts = [b.op("Unsqueeze", name or zeros, axis) for name in names]
        return parts[0] if len(parts) == 1 else b.op("Concat", *parts, axis=0)

    def cells(self, weights: Sequence[np.ndarray]) -> list[Cell]:
        """Return what runs in turn: the layer itself, or the cells of an RNN."""
        arguments = self.node.arguments
        described = self.recurrence.cells or ({**arguments, "type": self.node.op},)
        rest, cells = list(weights), []
        for cell in described:
            each = 3 if cell["use_bias"] else 2
            parts = [rest[way * each :][:each] for way in range(self.ways)]
            rest = rest[self.ways * each :]
            kind = CELLS.get(cell["type"], cell["type"])
            cells.append(Cell(kind, cell, self.in_onnx_order(parts), self.direction))
        return cells

    # --- directions ---

    @property
    def direction(self) -> str:
        if self.recurrence.bidirectional:
            return "bidirectional"
        return "reverse" if self.node.arguments["go_backwards"] else "forward"

    def in_onnx_order(self, parts: list[Any]) -> list[Any]:
        """Return Keras's forward and backward parts in ONNX's order: forward, then reverse."""
        return parts[::-1] if self.node.arguments["go_backwards"] else parts

    def slots_by_direction(self, slot: str) -> list[str]:
        if not self.recurrence.bidirectional:
            return [slot]
        return self.in_onnx_order([f"forward_{slot}", f"backward_{slot}"])

    def by_direction(self, slot: str, state: Name) -> dict[str, Name]:
        """Return a final state, (direction, batch, units), split by the slots of the node."""
        names = self.slots_by_direction(slot)
        if len(names) == 1:
            return {slot: self.builder.op("Squeeze", state, self.builder.ints(STATE_AXIS))}
        return {
            name: self.builder.op("Gather", state, self.builder.constant(way, "int64"), axis=0)
            for way, name in enumerate(names)
        }

    def merged(self, tensor: Name, axis: int) -> Name:
        """Return the tensor with its directions merged."""
        b, mode = self.builder, self.recurrence.merge_mode
        if self.ways == 1:
            return b.op("Squeeze", tensor, b.ints(axis))
        if mode != "concat":
            return b.op(REDUCTIONS[str(mode)], tensor, b.ints(axis), keepdims=0)
        if self.node.arguments["go_backwards"]:
            tensor = b.op("Gather", tensor, b.ints(1, 0), axis=axis)
        aside = [place for place in range(axis + 3) if place != axis]
        turned = b.op("Transpose", tensor, perm=[*aside[:-1], axis, aside[-1]])
        return b.op("Reshape", turned, b.ints(*[0] * (axis + 1), -1))

    # --- outputs ---

    def put(self, output: str, tensor: Name, *, time_major: bool = False) -> None:
        spec: TensorSpec = self.node.outputs[output]
        name = self.builder.cast(tensor, DTYPE, spec.dtype)
        self.values.put(Port(self.node.name, output), Value(name, spec, time_major))

    def put_sequence(self, x: Name) -> None:
        mask = self.node.mask
        if self.node.arguments["go_backwards"]:  # Keras gives the outputs as they are computed
            b = self.builder
            x = b.op("Slice", x, b.ints(-1), b.ints(-(2**62)), b.ints(0), b.ints(-1))
        if mask is not None and self.is_compact:
            port = Port(self.node.name, SEQUENCE)
            declared = self.builder.cast(x, DTYPE, self.node.outputs[SEQUENCE].dtype)
            self.values.put_compact(port, mask, declared)
            x = self.spread(x, mask)
        elif mask is not None and self.recurrence.padded_output == "hold":
            x = self.builder.op("GatherND", x, self.masks.from_front(mask))
        self.put(SEQUENCE, x, time_major=True)

    def spread(self, x: Name, mask: MaskSpec) -> Name:
        """Return the outputs at their own steps; padded steps get zero or the last output."""
        b = self.builder
        counts = self.masks.tensor(mask, time_major=True)
        if self.recurrence.padded_output == "hold":
            first = b.constant(0, "int64")
            counts = b.op("GreaterOrEqual", self.masks.last_counting(mask), first)
        outputs = b.op("GatherND", x, self.masks.from_front(mask))
        return b.op("Where", b.op("Unsqueeze", counts, b.ints(2)), outputs, b.constant(0, DTYPE))

    def kept_where_empty(self, state: Name, initial: Name) -> Name:
        """Return the final state, which is the initial one in rows without steps.

        There, onnxruntime returns zeros, or for a SimpleRNN uninitialized memory (1.20).
        """
        if self.node.mask is None:
            return state
        old = initial or self.builder.constant(0, DTYPE)
        return self.builder.op("Where", self.masks.has_steps(self.node.mask), state, old)
