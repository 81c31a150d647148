"""Layers that compute each step separately, and so can run time-major."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

ANY_ARGUMENTS = frozenset(
    {
        "Activation", "ActivityRegularization", "Add", "AlphaDropout", "Average", "Dense",
        "Dropout", "ELU", "GaussianDropout", "GaussianNoise", "Identity", "LeakyReLU", "Maximum",
        "Minimum", "Multiply", "ReLU", "Rescaling", "SpatialDropout1D", "Subtract",
    }
)  # fmt: skip
"""Layers that always do so."""

OVER_FEATURES = frozenset(
    {
        "BatchNormalization", "Concatenate", "LayerNormalization", "RMSNormalization", "Softmax",
        "UnitNormalization",
    }
)  # fmt: skip
"""Layers that do so if their axis is the features'."""


def is_stepwise(op: str, arguments: Mapping[str, Any]) -> bool:
    """Return whether a layer computes each step from the same step of its inputs."""
    if op == "TimeDistributed":
        inner = arguments["layer"]
        return is_stepwise(inner["type"], inner)
    if op in OVER_FEATURES:
        return arguments["axis"] in (-1, 2, [-1], [2])
    return op in ANY_ARGUMENTS
