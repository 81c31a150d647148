"""Lowering of forecasts of chances: quantiles in order, and parameters of distributions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lstmgraph.keras_facts.distributions import ANY_NUMBER, LOWEST, PARAMETERS

if TYPE_CHECKING:
    from lstmgraph.export.onnx.builder import Name
    from lstmgraph.export.onnx.call import Call


def quantiles(call: Call) -> Name:
    """Lower numbers in order: the first, and the softplus of the others added up."""
    x, count = call.x(), int(call.output.shape[-1])
    if count == 1:
        return x
    ints, last = call.builder.ints, call.rank - 1
    first = call.do("Slice", x, ints(0), ints(1), ints(last))
    rest = call.do("Slice", x, ints(1), ints(count), ints(last))
    both = call.do("Concat", first, call.do("Softplus", rest), axis=last)
    return call.do("CumSum", both, call.builder.constant(last, "int64"))


def parameters(call: Call) -> Name:
    """Lower parameters of a distribution: the softplus of those that must be positive."""
    kinds = list(PARAMETERS[call.arguments["distribution"]].values())
    x, free = call.x(), np.array([kind == ANY_NUMBER for kind in kinds])
    positive = call.do("Softplus", x)
    chosen = call.do("Where", call.builder.constant(free, "bool"), x, positive)
    return call.do("Add", chosen, call.constant(np.array([LOWEST[kind] for kind in kinds])))
