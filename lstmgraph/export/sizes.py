"""Sizes for named dimensions, chosen so that no tensor of the graph is empty."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lstmgraph.keras_facts.tensors import BATCH, dim_size

if TYPE_CHECKING:
    from collections.abc import Mapping
    from fractions import Fraction

    from lstmgraph.compiler.graph import Graph

SMALLEST, LARGEST = 5, 1000
"""Small sizes take little time; a convolution's kernel may need larger ones."""


def named_dims(graph: Graph) -> list[str]:
    """Return the names of all sizes that only the data decides, without the batch."""
    dims = [dim for tensor in graph.inputs.values() for dim in tensor.spec.shape]
    return list(dict.fromkeys(dim for dim in dims if isinstance(dim, str) and dim != BATCH))


def choose_sizes(
    graph: Graph, batch: int, at_least: int = SMALLEST, given: Mapping[str, int] | None = None
) -> dict[str, int]:
    """Return a different size for each named dimension that is not `given`.

    They are the smallest sizes with which every axis of every tensor has at least one number.

    Raises:
        ValueError: no sizes up to 1000 suit every layer.
    """
    names = named_dims(graph)
    dims = {dim for node in graph.nodes for spec in node.outputs.values() for dim in spec.shape}
    for smallest in range(at_least, at_least + LARGEST):
        sizes = {name: smallest + 2 * index for index, name in enumerate(names)}
        sizes |= {BATCH: batch, **(given or {})}
        if all(_is_size(dim_size(dim, sizes)) for dim in dims):
            return sizes
    raise ValueError(f"no sizes of {', '.join(names)} suit every layer")


def _is_size(value: Fraction) -> bool:
    return value.denominator == 1 and value >= 1
