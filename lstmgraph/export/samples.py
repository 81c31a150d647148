"""Random inputs for a model, made from its graph: dtypes, ids, lengths, masks and states."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from lstmgraph.compiler.graph import Port
from lstmgraph.export.sizes import SMALLEST, choose_sizes
from lstmgraph.keras_facts.dtypes import is_float
from lstmgraph.keras_facts.layers.lookups import OF_TEXTS, STRING
from lstmgraph.keras_facts.tensors import dim_size

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from lstmgraph.compiler.graph import Graph, GraphInput, MaskSpec

Arrays = dict[str, np.ndarray]

ROWS = (5, 1, 3)
"""Rows of the batches if the graph leaves them open; one row broadcasts unlike others."""
MOST_WORDS = 1000
IDS = 10
"""Integers of unknown meaning are less than this."""
ID_LIMITS: Mapping[str, str] = {
    "Embedding": "input_dim",
    "ReversibleEmbedding": "input_dim",
    "CategoryEncoding": "num_tokens",
}
"""Layers that take ids, with the argument that gives the number of ids."""


def sample_batches(
    graph: Graph,
    *,
    batch_size: int | None = None,
    smallest: int = SMALLEST,
    given: Mapping[str, int] | None = None,
    seed: int = 0,
) -> Iterator[Arrays]:
    """Yield three batches with different rows, lengths and numbers of steps: arrays by input name.

    Sequences are padded as the recipe declares, and no row is all padding. Dimensions of one name
    have one size. Time-major inputs are (time, batch, ...).

    Args:
        graph: the graph after its last pass.
        batch_size: the rows of every batch; None for the graph's, or for different numbers.
        smallest: the smallest size of a named dimension.
        given: the sizes of named dimensions that are known.
        seed: the seed of the random numbers.

    Raises:
        ValueError: no sizes suit every layer.
    """
    uses = _Uses(graph)
    random = np.random.default_rng(seed)
    for number, rows in enumerate(ROWS):
        batch = batch_size or graph.batch_size or rows
        sizes = choose_sizes(graph, batch, smallest + number, given)
        sample = _Sample(sizes, random, number)
        arrays = {name: sample.values(tensor, uses) for name, tensor in graph.inputs.items()}
        yield {
            name: np.swapaxes(array, 0, 1) if graph.inputs[name].time_major else array
            for name, array in arrays.items()
        }


OF_OTHERS = frozenset({"folded", "unfolded", "some"})
"""Masks that are computed from others, which are listed too."""


class _Uses:
    """How the graph uses its inputs: as ids, lengths, masks or padded sequences."""

    def __init__(self, graph: Graph) -> None:
        self.id_limits = _id_limits(graph)
        self.words = {
            node.inputs[0].node: node.arguments["vocabulary"]
            for node in graph.nodes
            if node.op in OF_TEXTS and node.arguments.get("vocabulary")
        }
        self.masks: defaultdict[str, list[MaskSpec]] = defaultdict(list)
        for mask in _all_masks(graph):
            if mask.port.node in graph.inputs and mask.kind not in OF_OTHERS:
                self.masks[mask.port.node].append(mask)

    def padding(self, name: str) -> str:
        """Return the strictest padding that any mask declares for the input."""
        words = {mask.padding for mask in self.masks[name]}
        return next((word for word in ("right", "left") if word in words), "any")

    def lengths_of(self, name: str) -> list[MaskSpec]:
        """Return the masks that read the input as lengths."""
        return [mask for mask in self.masks[name] if mask.kind == "lengths"]


@dataclass(frozen=True)
class _Sample:
    """Make the arrays of one batch."""

    sizes: Mapping[str, int]
    random: np.random.Generator
    number: int
    """The number of the batch; in every second one, undeclared padding is anywhere in a row."""

    def values(self, tensor: GraphInput, uses: _Uses) -> np.ndarray:
        """Return random values for an input, (batch, time, ...)."""
        shape = tuple(int(dim_size(dim, self.sizes)) for dim in tensor.spec.shape)
        if tensor.spec.dtype == STRING:
            return self._texts(shape, uses.words.get(tensor.name, ()))
        dtype = numpy_dtype(tensor.spec.dtype)
        masks = uses.masks[tensor.name]
        lengths = uses.lengths_of(tensor.name)
        if lengths:
            steps = min(int(dim_size(mask.shape[-1], self.sizes)) for mask in lengths)
            ids = uses.id_limits.get(tensor.name, steps + 1)  # an embedding may read lengths too
            steps = max(1, min(steps, ids - 1))
            return self._lengths(prod(shape), steps).reshape(shape).astype(dtype)
        if any(mask.kind == "input" for mask in masks):
            return self._valid(shape, uses.padding(tensor.name))
        if tensor.spec.dtype == "bool":
            return self.random.integers(0, 2, shape).astype(bool)
        if is_float(tensor.spec.dtype):
            values = self.random.normal(size=shape).astype(dtype)
        else:
            limit = uses.id_limits.get(tensor.name, IDS)
            lowest = 1 if masks and limit > 1 else 0  # 0 is padding
            values = self.random.integers(lowest, limit, shape).astype(dtype)
        for mask in masks[:1]:
            valid = self._valid(shape[: len(mask.shape)], uses.padding(tensor.name))
            values[~valid] = mask.value or 0
        return values

    def _texts(self, shape: tuple[int, ...], words: Sequence[str]) -> np.ndarray:
        """Return texts of up to six words, known and unknown ones; some texts are empty."""
        choice = [*words[:MOST_WORDS], "Unknown!", "Ünbekannt"]
        texts = np.empty(shape, object)
        for place in np.ndindex(shape):
            picked = self.random.integers(0, len(choice), self.random.integers(0, 7))
            texts[place] = " ".join(choice[index] for index in picked)
            if words and self.random.integers(0, 2):  # a category is one of them
                texts[place] = choice[int(self.random.integers(0, len(choice)))]
        return texts

    def _lengths(self, rows: int, steps: int) -> np.ndarray:
        """Return lengths from 1 to `steps`, (rows,), which differ between rows if possible.

        A single row has all steps in the first batch, one in the second, and half in the third.
        """
        if rows == 1:
            return np.array([(steps, 1, (steps + 1) // 2)[self.number]])
        order = np.concatenate([self.random.permutation(steps) for _ in range(-(-rows // steps))])
        return order[:rows] + 1

    def _valid(self, shape: tuple[int, ...], padding: str) -> np.ndarray:
        """Return which steps count, (batch, ..., time) of bool, at least one in each row."""
        *rows, steps = shape
        count = self._lengths(prod(rows), steps).reshape(rows)
        valid = np.arange(steps) < count[..., None]
        if padding == "left":
            return valid[..., ::-1]
        gaps = padding == "any" and self.number % 2 == 1
        return self.random.permuted(valid, axis=-1) if gaps else valid


def numpy_dtype(name: Any) -> np.dtype[Any]:
    """Return the NumPy dtype with Keras's name; bfloat16 comes from ml_dtypes."""
    if name == "bfloat16":
        import ml_dtypes  # noqa: PLC0415 - comes with TensorFlow

        name = ml_dtypes.bfloat16
    dtype: np.dtype[Any] = np.dtype(name)
    return dtype


def _all_masks(graph: Graph) -> Iterator[MaskSpec]:
    for node in graph.nodes:
        masks = (node.mask, *node.input_masks, *node.output_masks.values())
        yield from _with_parts(mask for mask in masks if mask)


def _with_parts(masks: Iterable[MaskSpec]) -> Iterator[MaskSpec]:
    for mask in masks:
        yield mask
        yield from _with_parts(part for _, part in mask.parts if part)


def _id_limits(graph: Graph) -> dict[str, int]:
    """Return the number of ids of each input whose integers reach a layer that takes ids."""
    limits: dict[str, int] = {}
    origins: dict[Port, frozenset[str]] = {Port(name): frozenset({name}) for name in graph.inputs}
    for node in graph.nodes:
        read = frozenset[str]().union(*(origins.get(port, frozenset()) for port in node.inputs))
        for limit in _limits(node.op, node.arguments):
            limits |= {name: min(limit, limits.get(name, limit)) for name in read}
        origins |= {
            Port(node.name, output): read
            for output, spec in node.outputs.items()
            if not is_float(spec.dtype)
        }
    return limits


def _limits(op: str, arguments: Mapping[str, Any]) -> Iterator[int]:
    if op in ID_LIMITS:
        yield arguments[ID_LIMITS[op]]
    inner = arguments.get("layer")
    if isinstance(inner, dict):
        yield from _limits(inner["type"], inner)
