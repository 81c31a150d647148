"""Lowering of masks to tensors: booleans, lengths, and indices of the steps that count.

A recurrent operator of ONNX takes lengths and no masks. If padding may be anywhere, the steps that
count are moved to the front of each row. That changes no state, as a padded step only copies it.
The outputs are moved back afterwards.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from onnx import helper, numpy_helper

from lstmgraph.export.onnx.builder import ELEMENT_TYPES
from lstmgraph.keras_facts.dtypes import is_float
from lstmgraph.keras_facts.tensors import BATCH

if TYPE_CHECKING:
    from lstmgraph.compiler.graph import MaskSpec, Port
    from lstmgraph.export.onnx.builder import Name
    from lstmgraph.export.onnx.values import Values
    from lstmgraph.keras_facts.tensors import Resize


class Masks:
    """Make the tensors of masks."""

    def __init__(self, values: Values) -> None:
        self._values = values
        self._builder = values.builder

    def tensor(self, mask: MaskSpec, *, time_major: bool = False) -> Name:
        """Return the mask, (batch, time) or (time, batch) of bool."""
        made = self._make(mask)
        return self._builder.op("Transpose", made, perm=[1, 0]) if time_major else made

    def lengths(self, mask: MaskSpec) -> Name:
        """Return the number of steps that count in each row, (batch,) of int32."""
        if mask.kind in ("lengths", "resized"):
            return self._lengths_within(mask)
        return self._builder.op(
            "ReduceSum", self._as_int(self.tensor(mask)), self._builder.ints(1), keepdims=0
        )

    def to_front(self, mask: MaskSpec) -> Name:
        """Return indices that move the steps that count to the front, (time, batch, 2).

        By ONNX's definition, TopK takes the lower index first among equal values; so the steps stay
        in order.
        """
        counts = self.tensor(mask)
        steps = self._builder.op("Shape", counts, start=1, end=2)
        if isinstance(mask.shape[1], int):
            steps = self._builder.ints(mask.shape[1])
        _, order = self._builder.ops("TopK", [self._as_int(counts), steps], 2, axis=1)
        return self._with_rows(mask, self._builder.op("Transpose", order, perm=[1, 0]))

    def from_front(self, mask: MaskSpec) -> Name:
        """Return indices that move outputs back; a padded step gets the output before it."""
        front = self._builder.op(
            "Max", self.last_counting(mask), self._builder.constant(0, "int64")
        )
        return self._with_rows(mask, front)

    def last_counting(self, mask: MaskSpec) -> Name:
        """Return how many steps count up to each step, minus 1, (time, batch) of int64."""
        counts = self._builder.cast(self.tensor(mask, time_major=True), "bool", "int64")
        total = self._builder.op("CumSum", counts, self._builder.constant(0, "int64"))
        return self._builder.op("Sub", total, self._builder.constant(1, "int64"))

    def zeroed(self, port: Port, mask: MaskSpec, *, time_major: bool = False) -> Name:
        """Return the tensor of `port`, (batch, time, ...), with zeros in its padded steps."""
        b, spec = self._builder, self._values.spec(port)
        counted = self.tensor(mask, time_major=time_major)
        if spec.rank > len(mask.shape):
            counted = b.op("Unsqueeze", counted, b.ints(*range(len(mask.shape), spec.rank)))
        values = self._values.get(port, time_major=time_major)
        return b.op("Where", counted, values, b.constant(0, spec.dtype))

    def has_steps(self, mask: MaskSpec) -> Name:
        """Return whether any step of a row counts, (batch, 1) of bool."""
        none = self._builder.constant(0, "int32")
        some = self._builder.op("Greater", self.lengths(mask), none)
        return self._builder.op("Unsqueeze", some, self._builder.ints(1))

    def _with_rows(self, mask: MaskSpec, places: Name) -> Name:
        """Add rows to step indices for GatherND: (time, batch) -> (time, batch, 2)."""
        b = self._builder
        is_folded = mask.shape[0] != BATCH
        count = b.op("Shape", places, start=1, end=2) if is_folded else self._values.batch()
        rows = b.op("Expand", self._range(count, "int64"), b.op("Shape", places))
        last = b.ints(2)
        pair = (b.op("Unsqueeze", places, last), b.op("Unsqueeze", rows, last))
        return b.op("Concat", *pair, axis=2)

    def _range(self, size: Name, dtype: str) -> Name:
        """Return 0, 1, ... up to `size`, exclusive."""
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
        if mask.kind in ("lengths", "resized"):
            return self._first_steps(mask)
        if mask.kind == "step":
            whole = next(part for _, part in mask.parts if part)
            return self._builder.steps(self.tensor(whole), int(whole.shape[1]))[mask.index or 0]
        if mask.kind in ("folded", "unfolded", "some"):
            return self._of_part(mask)
        return self._values.get(mask.port)

    def _of_part(self, mask: MaskSpec) -> Name:
        """Return the mask of folded steps, of unfolded ones, or of segments with a counted step."""
        b = self._builder
        part = next(part for _, part in mask.parts if part)
        counted = self.tensor(part)
        if mask.kind == "some":
            some = b.op("ReduceMax", self._as_int(counted), b.ints(-1), keepdims=0)
            return b.cast(some, "int32", "bool")
        axes = abs(len(part.shape) - len(mask.shape)) + 1
        if mask.kind == "folded":
            rows, rest = b.ints(-1), b.op("Shape", counted, start=axes)
            if axes == len(part.shape):
                return b.op("Reshape", counted, rows)
        else:
            like = self._values.get(mask.like or mask.port)
            rows, rest = b.op("Shape", like, end=axes), b.op("Shape", counted, start=1)
        return b.op("Reshape", counted, b.op("Concat", rows, rest, axis=0))

    def unequal(self, port: Port, value: float) -> Name:
        """Return where a feature of a step differs from `value`, rounded to the features' dtype."""
        b, dtype = self._builder, self._values.spec(port).dtype
        wide = "float32" if is_float(dtype) and dtype != "float64" else "float64"
        rounded = np.asarray(value, helper.tensor_dtype_to_np_dtype(ELEMENT_TYPES[dtype]))
        features = b.cast(self._values.get(port), dtype, wide)
        equal = b.op("Equal", features, b.constant(rounded, wide))
        unequal = b.cast(b.op("Not", equal), "bool", "int32")
        any_unequal = b.op("ReduceMax", unequal, b.ints(-1), keepdims=0)
        return b.cast(any_unequal, "int32", "bool")

    def _part(self, port: Port, mask: MaskSpec | None) -> Name:
        if mask is not None:
            return self.tensor(mask)
        b, values = self._builder, self._values
        shape = b.op("Concat", values.batch(), values.steps(port), axis=0)
        return b.op("Expand", b.constant(True, "bool"), shape)

    def _lengths_within(self, mask: MaskSpec) -> Name:
        """Return the lengths clipped to 0 and the steps, as onnxruntime refuses others."""
        b, like = self._builder, mask.like or mask.port
        if mask.resize:
            lengths = self._resized(mask, mask.resize)
        else:
            given = self._values.get(mask.port)
            lengths = b.cast(given, self._values.spec(mask.port).dtype, "int32")
        steps = b.cast(self._values.steps(like, len(mask.shape) - 1), "int64", "int32")
        return b.op("Max", b.op("Min", lengths, steps), b.constant(0, "int32"))

    def _resized(self, mask: MaskSpec, resize: Resize) -> Name:
        """Return how many steps a layer makes of the counted ones, (batch,) of int32."""
        b = self._builder
        counted = next(self.lengths(part) for _, part in mask.parts if part)
        steps = b.op("Mul", counted, b.constant(resize.scale, "int32"))
        steps = b.op("Add", steps, b.constant(resize.shift + resize.divisor - 1, "int32"))
        return b.op("Div", steps, b.constant(resize.divisor, "int32"))

    def _first_steps(self, mask: MaskSpec) -> Name:
        b, like = self._builder, mask.like or mask.port
        step = self._range(self._values.steps(like, len(mask.shape) - 1), "int32")
        lengths = b.op("Unsqueeze", self._lengths_within(mask), b.ints(-1))
        return b.op("Less", step, lengths)

    def _as_int(self, mask: Name) -> Name:
        return self._builder.cast(mask, "bool", "int32")
