"""A chunk run as single steps, for recipes whose unrolled model has a fixed number of steps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lstmgraph.models.stepping.functions import time_axis

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from lstmgraph.compiler.derive import StepPlan
    from lstmgraph.models.stepping.arrays import Arrays


def each_step(plan: StepPlan, given: Mapping[str, Any], steps: int) -> Iterator[Arrays]:
    """Yield what `Stepper.step` takes for each step of a chunk."""
    inputs = plan.step.inputs
    for step in range(steps):
        x = {name: np.take(given[name], step, time_axis(inputs[name])) for name in plan.steps}
        for name in plan.lengths:
            if name in given:
                counts = np.asarray(given[name]) > step
                x[name] = counts.astype(inputs[name].spec.dtype)
        yield x


def joined(plan: StepPlan, outputs: Sequence[Arrays]) -> Arrays:
    """Return the outputs of a chunk, put together from those of its steps."""
    return {
        name: np.stack([step[name] for step in outputs], 1)
        if plan.outputs[name] == "steps"
        else newest
        for name, newest in outputs[-1].items()
    }
