"""The step model as functions of tensors by position: of one step, and of many."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import keras

from lstmgraph.models.stepping.compiled import compiled
from lstmgraph.models.stepping.source import plan_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lstmgraph.compiler.derive import StepPlan
    from lstmgraph.compiler.graph import GraphInput
    from lstmgraph.models.derived import Derived

Tensor = Any


@dataclass(frozen=True)
class Names:
    """Names of a step's tensors, in the order in which its functions take and return them."""

    states: tuple[str, ...]
    contexts: tuple[str, ...]
    inputs: tuple[str, ...]
    """Inputs that bring steps, then lengths."""
    outputs: tuple[str, ...]
    """Those of the recipe that a step gives."""
    new_states: tuple[str, ...]


def names_of(plan: StepPlan) -> Names:
    """Return the names in `plan`."""
    inputs = plan.step.inputs
    return Names(
        tuple(state.name for state in plan.states),
        tuple(context.name for context in plan.contexts if context.name in inputs),
        (*plan.steps, *plan.lengths),
        tuple(name for name, kind in plan.outputs.items() if kind != "start"),
        tuple(state.output for state in plan.states),
    )


def time_axis(tensor: GraphInput) -> int:
    """Return where the steps stand in an input that brings them."""
    return 0 if tensor.time_major else 1


def one_step(derived: Derived) -> Callable[..., list[Tensor]]:
    """Return a function of states, contexts and inputs of one step, each without its time axis.

    The function returns the outputs, without time axes, and the new states.
    """
    plan = plan_of(derived)
    names, inputs = names_of(plan), plan.step.inputs

    def step(*tensors: Tensor) -> list[Tensor]:
        feed = dict(zip((*names.states, *names.contexts, *names.inputs), tensors, strict=True))
        for name in plan.steps:
            feed[name] = keras.ops.expand_dims(feed[name], time_axis(inputs[name]))
        given = derived.model(feed)
        outputs = [
            keras.ops.squeeze(given[name], 1) if plan.outputs[name] == "steps" else given[name]
            for name in names.outputs
        ]
        return [*outputs, *(given[name] for name in names.new_states)]

    return step


def many_steps(derived: Derived) -> Callable[..., list[Tensor]]:
    """Return the same of any number of steps, each tensor with its time axis."""
    chunk = derived.chunk
    if chunk is None:
        raise ValueError("the recipe unrolls its steps: there is no model of any number of them")
    names = names_of(plan_of(derived))

    def run(*tensors: Tensor) -> list[Tensor]:
        feed = dict(zip((*names.states, *names.contexts, *names.inputs), tensors, strict=True))
        given = chunk(feed)
        return [given[name] for name in (*names.outputs, *names.new_states)]

    return run


def of_active_rows(
    function: Callable[..., list[Tensor]], names: Names
) -> Callable[..., list[Tensor]]:
    """Return `function` with a last tensor, (rows,), more: other rows keep their states."""

    def active_only(*tensors: Tensor) -> list[Tensor]:
        *given, active = tensors
        found = function(*given)
        count = len(names.outputs)
        chosen = keras.ops.expand_dims(active, 1)
        states = zip(found[count:], given, strict=False)
        return [*found[:count], *(keras.ops.where(chosen, new, old) for new, old in states)]

    return active_only


Shape = tuple[int | None, ...]


def signature(
    plan: StepPlan, rows: int | None, *, chunk: bool, active: bool
) -> list[tuple[Shape, str]]:
    """Return the shape and dtype of every tensor of a function."""
    names, inputs = names_of(plan), plan.step.inputs
    steps = "any" if chunk else None

    def of(name: str) -> tuple[Shape, str]:
        spec = inputs[name].spec
        if name in plan.steps:
            return step_shape(inputs[name], rows, steps), spec.dtype
        return (rows, *spec.shape_without_batch), spec.dtype

    found = [of(name) for name in (*names.states, *names.contexts, *names.inputs)]
    return [*found, ((rows,), "bool")] if active else found


def step_shape(tensor: GraphInput, rows: int | None, steps: int | str | None) -> Shape:
    """Return the shape of an input that brings so many steps; of one step, where it is None."""
    rest = tensor.spec.shape_without_batch[1:]
    if steps is None:
        return (rows, *rest)
    size = steps if isinstance(steps, int) else None
    return (size, rows, *rest) if tensor.time_major else (rows, size, *rest)


def compiled_function(
    derived: Derived, rows: int, *, chunk: bool, active: bool, xla: bool
) -> Callable[..., Sequence[Tensor]]:
    """Return the function of one step, or of many, for batches of `rows`."""
    plan = plan_of(derived)
    function = many_steps(derived) if chunk else one_step(derived)
    if active:
        function = of_active_rows(function, names_of(plan))
    shapes = signature(plan, rows, chunk=chunk, active=active)
    return compiled(function, shapes, derived.model, xla=xla and not chunk)
