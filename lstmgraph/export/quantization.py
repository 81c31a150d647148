"""What a file's numbers can be stored and computed in, and which formats can hold that."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

DYNAMIC, INT8, INT16X8, FLOAT16 = "dynamic", "int8", "int16x8", "float16"


@dataclass(frozen=True)
class Quantization:
    """A kind of numbers with fewer bits than float32."""

    name: str
    tolerance: float
    """The mean difference allowed in an output, relative to its largest value."""
    needs_data: bool = False
    """Whether the ranges of values between operators are those that data shows."""
    is_integer: bool = False
    """Whether operators compute in integers alone, as on a microcontroller."""


QUANTIZATIONS: Mapping[str, Quantization] = {
    DYNAMIC: Quantization(DYNAMIC, 0.02),
    INT8: Quantization(INT8, 0.05, needs_data=True, is_integer=True),
    INT16X8: Quantization(INT16X8, 0.02, needs_data=True, is_integer=True),
    FLOAT16: Quantization(FLOAT16, 0.005),
}
"""``dynamic``: weights in int8, ranges of each call. ``int8``: weights and values in int8.
``int16x8``: weights in int8, values in int16. ``float16``: weights in float16."""


def quantization_of(name: str) -> Quantization:
    """Return the kind with this name.

    Raises:
        ValueError: there is none.
    """
    if name not in QUANTIZATIONS:
        raise ValueError(f"quantize must be one of {', '.join(QUANTIZATIONS)}, not {name}")
    return QUANTIZATIONS[name]
