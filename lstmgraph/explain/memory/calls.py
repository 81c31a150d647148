"""The memory of one call: what training keeps for the gradients, and what inference works with.

It is counted from the operations of Keras 3.15 on TensorFlow 2.21. A gradient needs the values that
it is computed from: both factors of a product, the result of tanh. docs/explain.md has the table,
and tests/test_memory.py compares the estimates with measured steps.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lstmgraph.compiler.graph import FOLD, OUTPUT, SCORES, SEQUENCE, UNFOLD, Port
from lstmgraph.explain.memory.sizes import BYTES, bytes_of, numbers_in
from lstmgraph.keras_facts.catalogue import CELLS
from lstmgraph.keras_facts.dtypes import compute_dtype
from lstmgraph.keras_facts.layers.attention import ATTENTION
from lstmgraph.keras_facts.tensors import number_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from lstmgraph.compiler.graph import Graph, Node, Recurrence


GATES: Mapping[str, int] = {"LSTM": 4, "GRU": 3, "SimpleRNN": 1}
KEPT_BY_STEP: Mapping[str, int] = {"LSTM": 7, "GRU": 6, "SimpleRNN": 1}
"""Values kept in each step of a loop, in units: for an LSTM i, f, o, the candidate, c, tanh(c) and
h; for a GRU z, r, the candidate, its recurrent half, 1 - z and h; for a SimpleRNN h."""
STEPS_AHEAD = 32
"""``parallel_iterations`` of Keras's loop: how many steps may read their input ahead."""

SHARES = frozenset({"Flatten", "Identity", "Reshape"})
"""Layers that share the memory of their input."""
FOLDS = frozenset({FOLD, UNFOLD})
NORMALIZES = "Normalization"
CENTERS = frozenset({"LayerNormalization", "GroupNormalization"})
"""Layers that need a centered copy of their input, in inference too."""
CURVED = frozenset({"gelu", "silu", "swish", "mish", "softplus", "selu", "elu", "hard_swish"})
"""Activations whose gradient needs their input and intermediate values."""
CURVED_KEEPS = 3
DROPS = "Dropout"


class Calls:
    """Counts the bytes of a graph's calls for a batch of given sizes."""

    def __init__(self, graph: Graph, sizes: Mapping[str, int]) -> None:
        self.sizes = sizes
        self.used = graph.returned_ports()
        self.specs = graph.specs

    def outputs(self, node: Node) -> dict[Port, int]:
        """Return the bytes of each output that something reads."""
        ports = [Port(node.name, output) for output in node.outputs]
        return {port: bytes_of(self.specs[port], self.sizes) for port in ports if port in self.used}

    def gradient(self, node: Node) -> int:
        """Return the bytes of the largest gradient that passes back through the call."""
        scores = self._scores(node) * width(node) if node.op in ATTENTION else 0
        return max(scores, *self.outputs(node).values(), 0)

    def kept(self, node: Node) -> int:
        """Return the bytes that are kept from the forward pass until the gradients are computed."""
        own = sum(self.outputs(node).values())
        if node.recurrence:
            return own + self._kept_by_loop(node, node.recurrence) * width(node)
        if node.op.startswith("ConvLSTM"):
            return own + self._kept_by_images(node) * width(node)
        if node.op in ATTENTION:
            own -= self.outputs(node).get(Port(node.name, SCORES), 0)  # those that are kept anyway
            return own + (self._projected(node) + 2 * self._scores(node)) * width(node)
        return own * _kept_of(node)

    def work(self, node: Node) -> int:
        """Return the bytes that inference needs beside inputs and outputs while the call runs."""
        if node.recurrence:
            return self._work_of_loop(node, node.recurrence) * width(node)
        if node.op in ATTENTION:
            return (self._projected(node) + self._scores(node)) * width(node)
        return sum(self.outputs(node).values()) if node.op in CENTERS else 0

    def _steps(self, node: Node) -> tuple[int, int, int]:
        """Return the rows, steps and features of the sequence that a recurrent call reads."""
        batch, steps, features = self.specs[node.inputs[0]].shape
        numbers = [number_of(dim, self.sizes) for dim in (batch, steps, features)]
        return numbers[0], numbers[1], numbers[2]

    def _kept_by_loop(self, node: Node, recurrence: Recurrence) -> int:
        rows, steps, features = self._steps(node)
        by_step = features
        for kind, units, cell in _cells(node, recurrence):
            by_step += KEPT_BY_STEP[kind] * units
            by_step += GATES[kind] * units if cell["recurrent_dropout"] else 0
        ways = 2 if recurrence.bidirectional else 1
        by_step += recurrence.units if node.mask else 0  # three masks of a byte for each unit
        sequence = ways * recurrence.units if Port(node.name, SEQUENCE) in self.used else 0
        return rows * steps * (ways * by_step + sequence)  # with the steps before they are stacked

    def _work_of_loop(self, node: Node, recurrence: Recurrence) -> int:
        rows, steps, features = self._steps(node)
        ahead = sum(GATES[kind] * units for kind, units, _ in _cells(node, recurrence))
        ways = 2 if recurrence.bidirectional else 1  # both directions run at the same time
        looping = ways * (features * steps + ahead * min(steps, STEPS_AHEAD))
        if Port(node.name, SEQUENCE) not in self.used:
            return rows * looping
        # The steps of one direction, and the stacked sequences; the output is their transposition.
        joining = (ways + 1) * recurrence.units * steps
        return rows * max(looping, joining)

    def _kept_by_images(self, node: Node) -> int:
        """Return the numbers that a convolutional LSTM keeps, whose states are images."""
        spec = self.specs[node.inputs[0]]
        steps = number_of(spec.shape[1], self.sizes)
        image = numbers_in(node.outputs[OUTPUT], self.sizes)
        if node.arguments["return_sequences"]:
            image //= max(steps, 1)
        return steps * KEPT_BY_STEP["LSTM"] * image + numbers_in(spec, self.sizes)

    def _attended(self, node: Node) -> tuple[int, int, int]:
        """Return the number of queries, the steps of the value, and the number of heads."""
        query, value = (self.specs[port] for port in node.inputs[:2])
        places = [number_of(dim, self.sizes) for dim in query.shape[:-1]]
        rows = 1
        for place in places:
            rows *= place
        heads = node.arguments.get("num_heads") or node.arguments.get("num_query_heads") or 1
        return rows, number_of(value.shape[-2], self.sizes), int(heads)

    def _scores(self, node: Node) -> int:
        rows, steps, heads = self._attended(node)
        return rows * steps * heads

    def _projected(self, node: Node) -> int:
        """Return the size of projected query, key and value and of the heads' results."""
        own = node.arguments
        size = own.get("key_dim") or own.get("head_dim")
        if size is None:
            return 0
        rows, _, heads = self._attended(node)
        values = numbers_in(self.specs[node.inputs[1]], self.sizes)
        values //= max(number_of(self.specs[node.inputs[1]].shape[-1], self.sizes), 1)
        return int(2 * (rows + values) * heads * size)


def width(node: Node) -> int:
    """Return the bytes of one number that the call computes."""
    return BYTES[compute_dtype(node.dtype_policy)]


def _kept_of(node: Node) -> int:
    """Return how many tensors of the size of its output a call keeps."""
    if node.op in SHARES or (node.op in FOLDS and _is_reshaped(node)):
        return 0
    if node.op.endswith(NORMALIZES):
        return 3
    if DROPS in node.op:
        return 2
    curved = str(node.arguments.get("activation")) in CURVED
    return 1 + (CURVED_KEEPS if curved else 0)


def _is_reshaped(node: Node) -> bool:
    """Return whether a fold reshapes its input: where two sizes are open, it copies the rows."""
    return sum(isinstance(dim, str) for dim in node.outputs[OUTPUT].shape) < 2


def _cells(node: Node, recurrence: Recurrence) -> Iterator[tuple[str, int, Mapping[str, Any]]]:
    """Yield the kind, units and arguments of every cell of one direction."""
    for cell in recurrence.cells or (node.arguments,):
        yield CELLS.get(cell.get("type", ""), node.op), cell["units"], cell
