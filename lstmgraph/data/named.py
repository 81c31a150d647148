"""The arrays of one part of the data by the recipe's names, as they are given."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

SAMPLE_WEIGHT = "sample_weight"


@dataclass(frozen=True)
class NamedArrays:
    """The arrays of one part, by the recipe's names: (examples, ...) each, or ragged rows."""

    inputs: Mapping[str, Any]
    targets: Mapping[str, Any]
    sample_weights: Mapping[str, Any] = field(default_factory=dict)
    """By target; those of all targets have the name ``""``."""


def weights_of(target: str) -> str:
    """Return the name of an array of weights: ``price_sample_weight``; ``sample_weight`` of ""."""
    return f"{target}_{SAMPLE_WEIGHT}" if target else SAMPLE_WEIGHT
