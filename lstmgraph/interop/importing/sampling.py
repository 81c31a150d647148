"""Random inputs for a recipe's model: ids that exist, lengths that fit, padding where masks are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from lstmgraph.keras_facts.catalogue import layer_of_steps

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from lstmgraph.compiler.compile import CompiledRecipe
    from lstmgraph.compiler.graph import Graph, MaskSpec

    Array = np.ndarray[Any, Any]

ROWS = 4
STEPS = (3, 4, 5, 6, 7, 8)
"""The sizes of open dimensions, in turn: equal ones could hide a mistake."""
MOST_IDS = 50


Padding = Literal["right", "holes", "rows", "none"]
"""Where a batch has padding: at the ends of its rows, between their steps, in one whole row too."""

NEEDS_STEPS = frozenset(
    {
        *("Attention", "AdditiveAttention", "MultiHeadAttention", "GroupQueryAttention"),
        *("BatchNormalization", "GlobalAveragePooling1D", "GlobalMaxPooling1D", "Softmax"),
    }
)
"""Layers of which Keras's and lstmgraph's differ for a row of padding, some of them by NaN."""


def batches(
    compiled: CompiledRecipe, paddings: Sequence[Padding], seed: int = 0
) -> Iterator[dict[str, Array]]:
    """Yield a batch of inputs by name, each (batch, ...), for each kind of padding.

    Padding is where masks are. Open sizes differ between batches. The first row has no padding;
    the last one of "rows" is all padding, unless a layer of the recipe needs a step that counts.
    """
    random = np.random.default_rng(seed)
    for number, padding in enumerate(paddings):
        yield _Batch(compiled.graph, random, padding, number).inputs()


class _Batch:
    def __init__(
        self, graph: Graph, random: np.random.Generator, padding: Padding, number: int
    ) -> None:
        self.graph = graph
        self.random = random
        self.padding = padding
        self.first_size = 2 * number
        ops = {layer_of_steps(node.op, node.arguments)[0] for node in graph.nodes}
        self.least = 0 if padding == "rows" and ops.isdisjoint(NEEDS_STEPS) else 1
        self.rows = graph.batch_size or ROWS
        self.sizes: dict[str, int] = {}
        self.masks = [
            part
            for node in graph.nodes
            for mask in (node.mask, *node.input_masks, *node.output_masks.values())
            if mask
            for part in _parts(mask)
        ]

    def inputs(self) -> dict[str, Array]:
        return {name: self.of(name) for name in self.graph.inputs}

    def of(self, name: str) -> Array:
        tensor = self.graph.inputs[name]
        shape = tuple(self.size(dim) for dim in tensor.spec.shape[1:])
        dtype = tensor.spec.dtype
        values = self.values(name, (self.rows, *shape), dtype)
        return np.swapaxes(values, 0, 1) if tensor.time_major else values

    def size(self, dim: Any) -> int:
        if isinstance(dim, int):
            return dim
        return self.sizes.setdefault(
            str(dim), STEPS[(len(self.sizes) + self.first_size) % len(STEPS)]
        )

    def values(self, name: str, shape: tuple[int, ...], dtype: str) -> Array:
        own = [mask for mask in self.masks if self.graph.whole(mask.port).node == name]
        kinds = {mask.kind for mask in own}
        if "lengths" in kinds:
            most = next(self.size(mask.shape[len(shape)]) for mask in own if mask.kind == "lengths")
            most = self.ids_of(name, most + 1) - 1  # an embedding may read lengths too
            return self.lengths(most, shape).astype(dtype)
        right = any(mask.padding == "right" for mask in own)
        if dtype == "bool":
            return (
                self.counted(shape, right=right)
                if len(shape) > 1
                else self.random.random(shape) < 0.5
            )
        if dtype == "string":
            return np.array(self.random.choice(["a", "b", "the cat"], shape), dtype=object)
        if "int" in dtype:
            least = 1 if "ids" in kinds else 0
            values = self.random.integers(least, self.ids_of(name), shape).astype(dtype)
            if "ids" in kinds and len(shape) > 1:
                values = np.where(self.counted(shape, right=right), values, 0).astype(dtype)
            return values
        numbers = self.random.normal(size=shape).astype(dtype)
        value = next((mask.value for mask in own if mask.kind == "value"), None)
        if value is not None and len(shape) > 2:
            steps = self.counted(shape[:-1], right=right)
            numbers = np.where(steps[..., None], numbers, np.float32(value)).astype(dtype)
        return numbers

    def lengths(self, most: int, shape: tuple[int, ...]) -> Array:
        """Return how many steps of each row count: all of the first one."""
        if self.padding == "none":
            return np.full(shape, most)
        lengths = self.random.integers(1, most + 1, shape)
        lengths[0] = most
        if len(lengths) > 1:
            lengths[-1] = lengths[-1] * self.least
        return lengths

    def counted(self, shape: tuple[int, ...], *, right: bool) -> Array:
        """Return which steps of each row count, the first ones if the padding is `right`."""
        steps = shape[-1]
        counted = np.arange(steps) < self.lengths(steps, shape[:-1])[..., None]
        if self.padding == "holes" and not right:
            counted[1:] = self.random.permuted(counted[1:], axis=-1)
        return counted

    def ids_of(self, name: str, most: int = MOST_IDS) -> int:
        """Return how many ids every layer that reads an input knows, `most` at most."""
        known, ports = [most], {name}
        for node in self.graph.nodes:
            if not any(port.node in ports for port in node.inputs):
                continue
            arguments = node.arguments
            while isinstance(arguments.get("layer"), dict):
                arguments = arguments["layer"]
            sizes = [arguments.get(key) for key in ("input_dim", "num_tokens")]
            known += [size for size in sizes if isinstance(size, int)]
            if any("int" in spec.dtype for spec in node.outputs.values()):
                ports.add(node.name)
        return max(2, min(known))


def _parts(mask: MaskSpec) -> Iterator[MaskSpec]:
    yield mask
    for _, part in mask.parts:
        if part is not None:
            yield from _parts(part)
