"""The sizes of a batch: numbers for the names in shapes, and the bytes of tensors."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, TypedDict

from lstmgraph.keras_facts.tensors import BATCH, number_of
from lstmgraph.messages.wording import did_you_mean, listed
from lstmgraph.root_error import LstmgraphError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lstmgraph.compiler.graph import Graph
    from lstmgraph.keras_facts.tensors import TensorSpec

BYTES: Mapping[str, int] = {
    "bool": 1,
    **{f"{kind}8": 1 for kind in ("int", "uint")},
    **{f"{kind}16": 2 for kind in ("int", "uint", "float", "bfloat")},
    **{f"{kind}32": 4 for kind in ("int", "uint", "float")},
    **{f"{kind}64": 8 for kind in ("int", "uint", "float")},
    "string": 24,
}
"""The bytes of one number, by dtype; of a text, those that TensorFlow holds of it at least."""


class BatchSize(TypedDict, total=False):
    """The size of a batch."""

    batch: int
    """The number of rows."""
    time: int
    """The size of every open dimension that `sizes` does not name."""
    sizes: Mapping[str, int]
    """Sizes of open dimensions, by their names in the shapes of inputs."""


class SizeError(LstmgraphError, ValueError):
    """The sizes of a batch are not those of the recipe. The message says what is missing."""


def batch_sizes(graph: Graph, given: BatchSize) -> dict[str, int]:
    """Return the numbers of ``batch`` and of every size that the inputs leave open.

    Raises:
        SizeError: A size is missing, is not in the recipe, or is less than 1.
    """
    names = [
        dim
        for tensor in graph.inputs.values()
        for dim in tensor.spec.shape[1:]
        if isinstance(dim, str)
    ]
    own = given.get("sizes", {})
    for name in own:
        if name not in names:
            hint = did_you_mean(name, names) or f"; {_open(names)}"
            raise SizeError(f"no input has an open size named `{name}`{hint}")
    batch = given.get("batch", graph.batch_size)
    if batch is None:
        raise SizeError("the number of rows in a batch is missing")
    if graph.batch_size not in (None, batch):
        raise SizeError(f"the recipe is built for batches of {graph.batch_size} rows, not {batch}")
    sizes = {BATCH: batch, **{name: own.get(name, given.get("time", 0)) for name in names}}
    missing = [f"`{name}`" for name in sizes if name not in own and name != BATCH]
    if missing and "time" not in given:
        raise SizeError(f"the size of {listed(missing)} is missing, which the inputs leave open")
    for name, size in sizes.items():
        if size < 1:
            raise SizeError(f"`{name}` must be at least 1, got {size}")
    return sizes


def _open(names: list[str]) -> str:
    if not names:
        return "the inputs leave no size open"
    return f"the open sizes are {listed([f'`{name}`' for name in dict.fromkeys(names)])}"


def numbers_in(spec: TensorSpec, sizes: Mapping[str, int]) -> int:
    """Return how many numbers a tensor holds."""
    return math.prod(number_of(dim, sizes) for dim in spec.shape)


def bytes_of(spec: TensorSpec, sizes: Mapping[str, int]) -> int:
    """Return how many bytes a tensor takes."""
    return numbers_in(spec, sizes) * BYTES[spec.dtype]
