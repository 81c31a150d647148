"""Make up for rounded weights by the biases of a LiteRT file.

What rounding weights (out, in) to W' takes from an operator's sums is ``(W - W') x``. Its mean over
the inputs x that data shows goes into the bias, and the rest is noise of both signs. Source: Nagel
et al., Data-Free Quantization Through Weight Equalization and Bias Correction (2019), section 4.2.
"""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np

from lstmgraph.export.flatbuffer import GraphEditor, data_of
from lstmgraph.export.litert_values import Recorder
from lstmgraph.export.litert_weights import rounded

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from lstmgraph.export.samples import Arrays

BIAS = 2
"""The place of the bias among the inputs of an operator."""
NONE = -1
"""The number of a tensor that is not there."""


def correct_biases(model: Any, schema: Any, content: bytes, batches: Iterable[Arrays]) -> None:
    """Have the biases of a file in float32 make up for weights that will be in int8.

    Those of FULLY_CONNECTED are changed, which LiteRT quantizes row by row of the weights. A bias
    that several operators read stays: each reads it in units of its own.

    Args:
        model: the file as objects.
        schema: LiteRT's module of that name.
        content: the same file as bytes, which is run.
        batches: the file's inputs, by name.
    """
    _Biases(model, schema).correct(content, batches)


class _Biases:
    def __init__(self, model: Any, schema: Any) -> None:
        self.model, self.schema = model, schema
        self.graph = model.subgraphs[0]
        self.editor = GraphEditor(model, self.graph, schema)

    def correct(self, content: bytes, batches: Iterable[Arrays]) -> None:
        """Change the biases of the main graph."""
        found = list(self._products())
        means = _means(content, batches, [int(each.inputs[0]) for each in found]) if found else {}
        for each in found:
            values, weights, bias = map(int, each.inputs)
            if values not in means:
                continue
            kernel = self._floats(weights)
            integers, units = rounded(kernel)
            lost = (kernel - integers * units) @ means[values]
            own = self._floats(bias) if bias != NONE else 0.0
            corrected = self.editor.constant((own + lost).astype(np.float32))
            each.inputs = [values, weights, corrected]

    def _products(self) -> Iterator[Any]:
        """Yield the operators whose weights are constants, each with a bias of its own or none."""
        kind = self.schema.BuiltinOperator.FULLY_CONNECTED
        reads = Counter(int(number) for each in self.graph.operators for number in each.inputs)
        for operator in self.graph.operators:
            if self.model.operatorCodes[operator.opcodeIndex].builtinCode == kind:
                operator.inputs = [*operator.inputs, NONE][:3]
                _, weights, bias = operator.inputs
                own = weights if bias == NONE else bias
                if reads[own] == 1 and self._is_constant(weights) and self._is_constant(own):
                    yield operator

    def _is_constant(self, number: int) -> bool:
        tensor = self.graph.tensors[number]
        is_float = tensor.type == self.schema.TensorType.FLOAT32
        return is_float and self.model.buffers[tensor.buffer].data is not None

    def _floats(self, number: int) -> np.ndarray:
        found = data_of(self.model, self.graph.tensors[number], np.float32)
        assert found is not None, "a constant"
        return found.astype(np.float64)


def _means(
    content: bytes, batches: Iterable[Arrays], numbers: Iterable[int]
) -> dict[int, np.ndarray]:
    """Return the mean of tensors along their last axis, by their numbers.

    LiteRT frees some whose size is open, which are left out.
    """
    recorder = Recorder(content)
    sums: dict[int, Any] = dict.fromkeys(numbers, 0.0)
    rows: Counter[int] = Counter()
    for batch in batches:
        recorder.runner(**batch)
        for number in sums:
            with suppress(ValueError):  # "Tensor data is null"
                values = recorder.stored(number)
                values = values.reshape(-1, values.shape[-1])
                sums[number] += values.sum(0)
                rows[number] += len(values)
    return {number: sums[number] / count for number, count in rows.items() if count}
