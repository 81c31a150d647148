"""Count the numbers that each Keras optimizer keeps in addition to the trained weights.

They are those of ``build`` in ``keras.optimizers`` of Keras 3.15, without counters and other
scalars. A test compares them with Keras.
"""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

from lstmgraph.keras_facts.catalogue import family_defaults, named_class

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

Shape = tuple[int, ...]
Arguments = dict[str, Any]

COPIES: Mapping[str, Callable[[Arguments], int]] = {
    "Adadelta": lambda _: 2,
    "Adafactor": lambda _: 1,
    "Adagrad": lambda _: 1,
    "Adam": lambda own: 3 if own["amsgrad"] else 2,
    "AdamW": lambda own: 3 if own["amsgrad"] else 2,
    "Adamax": lambda _: 2,
    "Ftrl": lambda _: 2,
    "Lion": lambda _: 1,
    "Muon": lambda _: 1,
    "Nadam": lambda _: 2,
    "RMSprop": lambda own: 1 + bool(own["momentum"]) + bool(own["centered"]),
    "SGD": lambda own: int(bool(own["momentum"])),
    "ScheduleFreeAdamW": lambda _: 2,
}
"""How many numbers each optimizer keeps for each trained number."""


def optimizer_numbers(optimizer: Mapping[str, Any], weights: Sequence[Shape]) -> int:
    """Return how many numbers an optimizer keeps.

    Args:
        optimizer: its ``type`` and arguments, as in ``training:``.
        weights: the shapes of the trained weights.
    """
    kind = named_class("optimizer", optimizer["type"])
    own = {**family_defaults("optimizer", optimizer["type"]), **optimizer}
    copies = COPIES[kind](own)
    copies += bool(own.get("use_ema")) + bool(own.get("gradient_accumulation_steps"))
    return sum(copies * prod(shape) + _by_shape(kind, shape) for shape in weights)


def _by_shape(kind: str, shape: Shape) -> int:
    """Return the numbers kept for a weight that depend on its shape."""
    if kind == "Adafactor" and len(shape) > 1:  # a row and a column of the last two axes
        return prod(shape[:-1]) + prod((*shape[:-2], shape[-1]))
    if kind == "Muon" and len(shape) != 2:  # such weights are trained by AdamW
        return prod(shape)
    return 0
