"""Chunks run as single steps, for unrolled recipes, which have no model of many steps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lstmgraph.models.stepping.functions import time_axis

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from lstmgraph.compiler.derive import StepPlan
    from lstmgraph.models.stepping.arrays import Arrays


def each_step(plan: StepPlan, given: Mapping[str, Any], steps: int) -> Iterator[Arrays]:
    """Yield the input of `Stepper.step` for each step of a chunk."""
    inputs = plan.step.inputs
    for step in range(steps):
        x = {name: np.take(given[name], step, time_axis(inputs[name])) for name in plan.steps}
        for name in plan.lengths:
            if name in given:
                counts = np.asarray(given[name]) > step
                x[name] = counts.astype(inputs[name].spec.dtype)
        yield x


def joined(plan: StepPlan, outputs: Sequence[Arrays]) -> Arrays:
    """Return the outputs of a chunk, joined from those of its steps."""
    return {
        name: np.stack([each[name] for each in outputs], 1)
        if plan.outputs[name] == "steps"
        else newest
        for name, newest in outputs[-1].items()
    }
