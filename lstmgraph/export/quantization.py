"""What a file's numbers can be stored and computed in, and which formats can hold that."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lstmgraph.compiler.graph import Graph
    from lstmgraph.export.report import OutputCheck

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


PROBABILITY = 1 / 256
"""The unit in which LiteRT stores the results of these in int8, whatever their range."""
PROBABILITIES = frozenset({"softmax", "sigmoid"})
FINER = (
    "nothing was written; choose int16x8 or float16, give the output without its activation, or "
    "train first: the weights of a model without training make many classes alike"
)


def coarse_probabilities(graph: Graph, check: OutputCheck, tolerance: float) -> str:
    """Return why a LiteRT file in int8 cannot hold an output of probabilities, if it cannot."""
    node = graph.by_name.get(graph.outputs[check.name].node)
    if node is None or node.recurrence or tolerance * check.greatest_value >= PROBABILITY / 2:
        return ""
    kind = str(node.arguments.get("activation") or node.op.lower())
    if kind not in PROBABILITIES:
        return ""
    return (
        f"LiteRT stores the {kind} of output '{check.name}' in int8 in steps of 1/256, but its "
        f"largest value is {check.greatest_value:.1e}"
    )
