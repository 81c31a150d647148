"""Runs derived step models by their plan alone, in chunks: what a user would write by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from building import Arrays, outputs_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import keras

    from lstmgraph.compiler.derive import StepPlan


def steps_of(plan: StepPlan, inputs: Mapping[str, np.ndarray]) -> int:
    name = plan.steps[0]
    return inputs[name].shape[time_axis(plan, name)]


def rows_of(plan: StepPlan, inputs: Mapping[str, np.ndarray]) -> int:
    name = plan.steps[0]
    return inputs[name].shape[1 - time_axis(plan, name)]


def time_axis(plan: StepPlan, name: str) -> int:
    return 0 if plan.step.inputs[name].time_major else 1


def started(
    plan: StepPlan, start: keras.Model | None, inputs: Mapping[str, np.ndarray]
) -> tuple[Arrays, Arrays, Arrays]:
    """The first states, the contexts, and all that the start model gives."""
    rows = rows_of(plan, inputs)
    given: Arrays = {}
    if start is not None:
        fed = {**inputs, str(plan.rows): np.zeros(rows, "int32")}
        given = outputs_of(start, {name: fed[name] for name in start.input})
    states = {}
    for state in plan.states:
        zeros = np.zeros((rows, state.spec.shape[1]), state.spec.dtype)
        source = {"zeros": zeros, "input": inputs.get(state.given or "")}
        states[state.name] = given[state.name] if state.started else source[state.begins]
    contexts = {c.name: given[c.name] if c.started else inputs[c.name] for c in plan.contexts}
    return states, contexts, given


def run_in_chunks(
    plan: StepPlan,
    model: keras.Model,
    start: keras.Model | None,
    inputs: Mapping[str, np.ndarray],
    sizes: Sequence[int],
) -> tuple[Arrays, Arrays]:
    """The recipe's outputs after steps in chunks of `sizes`, and the last states."""
    states, contexts, given = started(plan, start, inputs)
    parts: dict[str, list[np.ndarray]] = {name: [] for name in plan.outputs}
    position = 0
    for size in sizes:
        here = slice(position, position + size)
        fed = {**states, **contexts}
        for name in plan.steps:
            array = inputs[name]
            fed[name] = array[here] if time_axis(plan, name) == 0 else array[:, here]
        for name in plan.lengths:
            left = inputs[name].astype("int64") - position  # of uint8, it would not be negative
            fed[name] = np.clip(left, 0, size).astype(inputs[name].dtype)
        found = outputs_of(model, {name: fed[name] for name in model.input})
        states = {state.name: found[state.output] for state in plan.states}
        for name, kind in plan.outputs.items():
            if kind != "start":
                parts[name].append(found[name])
        position += size
    assert position == steps_of(plan, inputs)
    joined = {
        name: given[name]
        if kind == "start"
        else np.concatenate(parts[name], 1)
        if kind == "steps"
        else parts[name][-1]
        for name, kind in plan.outputs.items()
    }
    return joined, states


def random_sizes(steps: int, random: np.random.Generator) -> list[int]:
    """Sizes of chunks that make `steps`."""
    sizes = []
    while steps:
        sizes.append(int(random.integers(1, steps + 1)))
        steps -= sizes[-1]
    return sizes
