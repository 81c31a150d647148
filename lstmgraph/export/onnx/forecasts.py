"""Lowering of forecasts of chances: quantiles in order, and parameters of distributions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lstmgraph.keras_facts.distributions import ANY_NUMBER, LOWEST, PARAMETERS

if TYPE_CHECKING:
    from lstmgraph.export.onnx.builder import Name
    from lstmgraph.export.onnx.call import Call


def quantiles(call: Call) -> Name:
    """Lower numbers in order: TopK finds the smallest, as many as there are."""
    x, count = call.x(), int(call.output.shape[-1])
    if count == 1:
        return x
    ints, last = call.builder.ints, call.rank - 1
    return call.builder.ops("TopK", [x, ints(count)], 2, axis=last, largest=0)[0]


def parameters(call: Call) -> Name:
    """Lower parameters of a distribution: the softplus of those that must be positive."""
    kinds = list(PARAMETERS[call.arguments["distribution"]].values())
    x, free = call.x(), np.array([kind == ANY_NUMBER for kind in kinds])
    positive = call.do("Softplus", x)
    chosen = call.do("Where", call.builder.constant(free, "bool"), x, positive)
    return call.do("Add", chosen, call.constant(np.array([LOWEST[kind] for kind in kinds])))
