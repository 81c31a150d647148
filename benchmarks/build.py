"""From recipe text to a compiled model, against the same model written by hand."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

import keras

from benchmarks import by_hand, by_recipe
from benchmarks.timing import OURS, Figure, compare

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.options import Options

PART = "recipe to model"
KERAS = "Keras by hand"


def measure(options: Options) -> Iterator[Figure]:
    """The ratio for each size of chain; and, between the two largest, how time grows."""
    built: list[tuple[int, Figure]] = []
    for depth in options.chains:
        built += [(depth, figure) for figure in _chain(depth, options)]
        yield built[-1][1]
    if len(built) > 1:
        yield _growth(*built[-2:])


def _chain(depth: int, options: Options) -> Iterator[Figure]:
    # No model is kept: Python's collector would walk it again and again in either side's time.
    if by_recipe.chain(depth).count_params() != by_hand.chain(depth).count_params():
        raise RuntimeError("the two sides do not build the same model")
    sides = {OURS: lambda: by_recipe.chain(depth), KERAS: lambda: by_hand.chain(depth)}
    return compare(
        PART, f"{depth} layers", sides, options.once, aims={KERAS: 1.10}, before_each=_forget
    )


def _growth(smaller: tuple[int, Figure], larger: tuple[int, Figure]) -> Figure:
    """Seconds for a layer of the larger model against the smaller: 1 is linear."""
    (few, small), (many, large) = smaller, larger
    return Figure(
        PART,
        f"one of {many} layers",
        f"one of {few} layers",
        tuple(seconds / many for seconds in large.ours),
        tuple(seconds / few for seconds in small.ours),
        aim=1.10,
    )


def _forget() -> None:
    keras.backend.clear_session()
    gc.collect()
