"""The estimate of the memory of one training step and of one prediction, in bytes."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import asdict, dataclass
from math import prod
from typing import TYPE_CHECKING, Any

from lstmgraph.explain.loops import once
from lstmgraph.explain.memory.calls import Calls, width
from lstmgraph.explain.memory.sizes import BYTES, batch_sizes, bytes_of
from lstmgraph.keras_facts.dtypes import compute_dtype, full_dtype, is_half
from lstmgraph.keras_facts.optimizers import optimizer_numbers
from lstmgraph.keras_facts.tensors import BATCH
from lstmgraph.messages.tables import Section

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from lstmgraph.compiler.compile import CompiledRecipe
    from lstmgraph.compiler.graph import Graph, Node, Port
    from lstmgraph.explain.memory.sizes import BatchSize

COLUMNS = ("", "weights", "inputs", "activations", "gradients", "optimizer", "total")
COPIES_OF_INPUTS = 2
"""The arrays of the program, and the tensors that TensorFlow makes from them."""


@dataclass(frozen=True)
class Needs:
    """The bytes of a step, by their purpose."""

    weights: int
    """The variables, and under a mixed policy their 16-bit copies."""
    inputs: int
    """The batch, as arrays and as tensors."""
    activations: int
    """In training, what the gradients need; in inference, the most that is alive at a time."""
    gradients: int = 0
    """The gradients of the weights, and the largest gradient of an activation."""
    optimizer: int = 0
    """The variables of the optimizer."""

    @property
    def total(self) -> int:
        """The sum of all parts."""
        return sum(asdict(self).values())

    def as_dict(self) -> dict[str, int]:
        """Return plain data for JSON."""
        return {**asdict(self), "total": self.total}


@dataclass(frozen=True)
class Memory:
    """The estimated memory of a model, without that of the program itself."""

    sizes: dict[str, int]
    """The rows of the batch (``batch``), and every size that the inputs leave open."""
    inference: Needs
    training: Needs | None
    """The bytes of a training step; None if the recipe has no ``training:``."""
    kept: dict[str, int]
    """The bytes of the training's activations, by call; those of a loop's steps together."""

    def as_dict(self) -> dict[str, Any]:
        """Return the stable form that ``--format json`` prints, described in docs/json.md."""
        return {
            "sizes": self.sizes,
            "inference": self.inference.as_dict(),
            "training": self.training and self.training.as_dict(),
            "kept": self.kept,
        }

    def sections(self) -> Iterator[Section]:
        """Return the tables of the memory of a training step, of a prediction, and of each call."""
        return _sections(self)


def estimate(compiled: CompiledRecipe, size: BatchSize) -> Memory:
    """Estimate the memory of the recipe's own model for a batch of `size`.

    The program itself, including TensorFlow, is not counted. docs/explain.md describes the method,
    and compares it with measured steps.

    Raises:
        SizeError: `size` does not determine the size of the batch.
    """
    graph = compiled.graph
    sizes = batch_sizes(graph, size)
    calls = Calls(graph, sizes)
    inputs = COPIES_OF_INPUTS * sum(bytes_of(t.spec, sizes) for t in graph.inputs.values())
    weights = sum(_weights(node, graph.parameters_of(node).total) for node in graph.nodes)
    kept: defaultdict[str, int] = defaultdict(int)
    shown = once(graph).names
    for node in graph.nodes:
        kept[shown.get(node.name, node.name)] += calls.kept(node)
    training = None
    if compiled.declaration.training is not None:
        trained = ((node, graph.parameters_of(node).trainable) for node in graph.nodes)
        gradients = sum(count * _variable(node) for node, count in trained)
        largest = max(map(calls.gradient, graph.nodes), default=0)
        training = Needs(
            weights=weights,
            inputs=inputs,
            activations=sum(kept.values()),
            gradients=gradients + largest,
            optimizer=_slots(compiled.declaration.training.optimizer, graph),
        )
    inference = Needs(weights=weights, inputs=inputs, activations=_live(graph, calls))
    return Memory({BATCH: sizes.pop(BATCH), **sizes}, inference, training, dict(kept))


def _variable(node: Node) -> int:
    """Return the bytes of one number of a variable."""
    return BYTES[full_dtype(node.dtype_policy)]


def _weights(node: Node, count: int) -> int:
    """Return the bytes of `count` weights of a node."""
    copy = width(node) if is_half(compute_dtype(node.dtype_policy)) else 0
    return count * (_variable(node) + copy)


def _slots(optimizer: Mapping[str, Any], graph: Graph) -> int:
    """Return the optimizer's bytes; weights that no file holds, such as LoRA's, are one vector."""
    count = 0
    for node in graph.nodes:
        trained = graph.parameters_of(node).trainable
        shapes = list(node.weights.values()) if trained else []
        if sum(map(prod, shapes)) != trained:
            shapes = [(trained,)] if trained else []
        count += optimizer_numbers(optimizer, shapes) * _variable(node)
    return count


def _live(graph: Graph, calls: Calls) -> int:
    """Return the most bytes that are alive at a time: outputs, and what the running call needs."""
    last: dict[Port, int] = {}
    for number, node in enumerate(graph.nodes):
        last |= dict.fromkeys(_read(node), number)
    last |= dict.fromkeys(graph.outputs.values(), len(graph.nodes))
    ends: defaultdict[int, int] = defaultdict(int)  # the bytes that end with each call
    alive = most = 0
    for number, node in enumerate(graph.nodes):
        for port, size in calls.outputs(node).items():
            alive += size
            ends[max(last.get(port, number), number)] += size
        most = max(most, alive + calls.work(node))
        alive -= ends[number]
    return most


def _read(node: Node) -> list[Port]:
    states = node.recurrence.states if node.recurrence else ()
    masks = [mask for mask in (node.mask, *node.input_masks) if mask]
    return [
        *node.inputs,
        *(state.source for state in states if state.source),
        *(port for mask in masks for port in mask.ports),
    ]


def _sections(memory: Memory) -> Iterator[Section]:
    """Yield the tables of training and inference, and of what is kept of each call."""
    sizes = ", ".join(f"{name} {size:,}" for name, size in memory.sizes.items())
    needs = {"training": memory.training, "inference": memory.inference}
    yield Section(
        f"memory, estimated: {sizes}",
        headings=COLUMNS,
        rows=[(name, *_cells(need)) for name, need in needs.items() if need],
        numbers=frozenset(COLUMNS[1:]),
    )
    if memory.training:
        kept = [(name, _bytes_text(size)) for name, size in memory.kept.items() if size]
        yield Section(
            "activations of training, by call",
            headings=("call", "kept"),
            rows=kept,
            numbers=frozenset({"kept"}),
        )


def _cells(needs: Needs) -> tuple[str, ...]:
    own = needs.as_dict()
    return tuple(_bytes_text(own[key]) for key in COLUMNS[1:])


def _bytes_text(count: int) -> str:
    """Return a size as text, such as ``1.5 MiB``."""
    size = float(count)
    for unit in ("B", "KiB", "MiB"):
        if size < 1024:
            return f"{size:.0f} B" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} GiB"
