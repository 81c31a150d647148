"""Masks as tensors: true where a step counts, lengths, and where the steps that count stand.

A recurrent operator of ONNX knows lengths, not holes. Where padding may stand anywhere, the steps
that count are moved to the front of each row, which changes no state: a padded step copies it.
The outputs are moved back afterwards.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from onnx import helper, numpy_helper

from lstmgraph.export.onnx.builder import ELEMENT_TYPES
from lstmgraph.keras_facts.dtypes import is_float

if TYPE_CHECKING:
    from lstmgraph.compiler.graph import MaskSpec, Port
    from lstmgraph.export.onnx.builder import Name
    from lstmgraph.export.onnx.values import Values


class Masks:
    """Makes the tensors of masks."""

    def __init__(self, values: Values) -> None:
        self._values = values
        self._builder = values.builder

    def tensor(self, mask: MaskSpec, *, time_major: bool = False) -> Name:
        """Bool of (batch, time), or of (time, batch)."""
        made = self._make(mask)
        return self._builder.op("Transpose", made, perm=[1, 0]) if time_major else made

    def lengths(self, mask: MaskSpec) -> Name:
        """How many steps of each row count: int32 of (batch,)."""
        if mask.kind == "lengths":
            return self._lengths_within(mask)
        return self._builder.op(
            "ReduceSum", self._as_int(self.tensor(mask)), self._builder.ints(1), keepdims=0
        )

    def to_front(self, mask: MaskSpec) -> Name:
        """Where each step comes from that counts, the others after them: (time, batch, 2).

        Of equal values TopK takes the one with the lower index first, as ONNX says; so the steps
        stay in order.
        """
        counts = self.tensor(mask)
        steps = self._builder.op("Shape", counts, start=1, end=2)
        if isinstance(mask.shape[1], int):
            steps = self._builder.ints(mask.shape[1])
        _, order = self._builder.ops("TopK", [self._as_int(counts), steps], 2, axis=1)
        return self._with_rows(self._builder.op("Transpose", order, perm=[1, 0]))

    def from_front(self, mask: MaskSpec) -> Name:
        """Where the output of each step stands, or at a padded step the one before it."""
        front = self._builder.op(
            "Max", self.last_counting(mask), self._builder.constant(0, "int64")
        )
        return self._with_rows(front)

    def last_counting(self, mask: MaskSpec) -> Name:
        """How many steps count up to each one, less 1: int64 of (time, batch)."""
        counts = self._builder.cast(self.tensor(mask, time_major=True), "bool", "int64")
        total = self._builder.op("CumSum", counts, self._builder.constant(0, "int64"))
        return self._builder.op("Sub", total, self._builder.constant(1, "int64"))

    def has_steps(self, mask: MaskSpec) -> Name:
        """Whether any step of a row counts: bool of (batch, 1)."""
        none = self._builder.constant(0, "int32")
        some = self._builder.op("Greater", self.lengths(mask), none)
        return self._builder.op("Unsqueeze", some, self._builder.ints(1))

    def _with_rows(self, places: Name) -> Name:
        """(time, batch) of steps -> (time, batch, 2) of steps and rows, for GatherND."""
        b = self._builder
        rows = b.op("Expand", self._range(self._values.batch(), "int64"), b.op("Shape", places))
        last = b.ints(2)
        pair = (b.op("Unsqueeze", places, last), b.op("Unsqueeze", rows, last))
        return b.op("Concat", *pair, axis=2)

    def _range(self, size: Name, dtype: str) -> Name:
        """0, 1, ... less than the one number of `size`."""
        b = self._builder
        if size in b.constants:
            return b.constant(np.arange(numpy_helper.to_array(b.constants[size])[0]), dtype)
        end = b.cast(b.op("Squeeze", size), "int64", dtype)
        return b.op("Range", b.constant(0, dtype), end, b.constant(1, dtype))

    def _make(self, mask: MaskSpec) -> Name:
        if mask.kind == "value":
            return self.unequal(mask.port, mask.value or 0.0)
        if mask.kind == "ids":
            dtype = self._values.spec(mask.port).dtype
            ids = self._builder.cast(self._values.get(mask.port), dtype, "int64")
            equal = self._builder.op("Equal", ids, self._builder.constant(0, "int64"))
            return self._builder.op("Not", equal)
        if mask.kind == "joined":
            parts = [self._part(port, part) for port, part in mask.parts]
            return self._builder.op("Concat", *parts, axis=1)
        if mask.kind == "lengths":
            return self._first_steps(mask)
        return self._values.get(mask.port)

    def unequal(self, port: Port, value: float) -> Name:
        """Where some feature of a step is not `value`, which is rounded to the features' dtype."""
        b, dtype = self._builder, self._values.spec(port).dtype
        wide = "float32" if is_float(dtype) and dtype != "float64" else "float64"
        rounded = np.asarray(value, helper.tensor_dtype_to_np_dtype(ELEMENT_TYPES[dtype]))
        features = b.cast(self._values.get(port), dtype, wide)
        equal = b.op("Equal", features, b.constant(rounded, wide))
        unequal = b.cast(b.op("Not", equal), "bool", "int32")
        found = b.op("ReduceMax", unequal, b.ints(-1), keepdims=0)
        return b.cast(found, "int32", "bool")

    def _part(self, port: Port, mask: MaskSpec | None) -> Name:
        if mask is not None:
            return self.tensor(mask)
        b, values = self._builder, self._values
        shape = b.op("Concat", values.batch(), values.steps(port), axis=0)
        return b.op("Expand", b.constant(True, "bool"), shape)

    def _lengths_within(self, mask: MaskSpec) -> Name:
        """The lengths, none below 0 and none above the steps: onnxruntime refuses those."""
        b, like = self._builder, mask.like or mask.port
        lengths = b.cast(self._values.get(mask.port), self._values.spec(mask.port).dtype, "int32")
        steps = b.cast(self._values.steps(like), "int64", "int32")
        return b.op("Max", b.op("Min", lengths, steps), b.constant(0, "int32"))

    def _first_steps(self, mask: MaskSpec) -> Name:
        b, like = self._builder, mask.like or mask.port
        step = self._range(self._values.steps(like), "int32")
        lengths = b.op("Unsqueeze", self._lengths_within(mask), b.ints(1))
        return b.op("Less", step, lengths)

    def _as_int(self, mask: Name) -> Name:
        return self._builder.cast(mask, "bool", "int32")
