"""The step model as functions of tensors by position, for one step and for many."""

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
    """The names of what a step reads and returns, in the order of its functions."""

    states: tuple[str, ...]
    contexts: tuple[str, ...]
    inputs: tuple[str, ...]
    """The inputs with a time axis, then the lengths."""
    outputs: tuple[str, ...]
    """The recipe's outputs that a step computes."""
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
    """Return the axis of an input that counts its steps."""
    return 0 if tensor.time_major else 1


def one_step(derived: Derived) -> Callable[..., list[Tensor]]:
    """Return a function that computes one step.

    It takes states, contexts and inputs, and returns outputs and new states, all without a time
    axis.
    """
    plan = plan_of(derived)
    names, inputs = names_of(plan), plan.step.inputs

    def step(*tensors: Tensor) -> list[Tensor]:
        feed = dict(zip((*names.states, *names.contexts, *names.inputs), tensors, strict=True))
        for name in plan.steps:
            feed[name] = keras.ops.expand_dims(feed[name], time_axis(inputs[name]))
        results = derived.model(feed)
        outputs = [
            keras.ops.squeeze(results[name], 1) if plan.outputs[name] == "steps" else results[name]
            for name in names.outputs
        ]
        return [*outputs, *(results[name] for name in names.new_states)]

    return step


def many_steps(derived: Derived) -> Callable[..., list[Tensor]]:
    """Return a function that computes any number of steps, on tensors with a time axis.

    Raises:
        ValueError: the recipe unrolls its steps, or they are those of a loop.
    """
    chunk = derived.chunk
    if chunk is None:
        raise ValueError("the model has a fixed number of steps: they are unrolled, or of a loop")
    names = names_of(plan_of(derived))

    def run(*tensors: Tensor) -> list[Tensor]:
        feed = dict(zip((*names.states, *names.contexts, *names.inputs), tensors, strict=True))
        results = chunk(feed)
        return [results[name] for name in (*names.outputs, *names.new_states)]

    return run


def of_active_rows(
    function: Callable[..., list[Tensor]], names: Names
) -> Callable[..., list[Tensor]]:
    """Return `function` with a last argument, (rows,) of bool: rows of False keep their states."""

    def active_only(*tensors: Tensor) -> list[Tensor]:
        *given, active = tensors
        results = function(*given)
        count = len(names.outputs)
        states = zip(results[count:], given, strict=False)
        return [*results[:count], *(chosen(active, new, old) for new, old in states)]

    def chosen(active: Tensor, new: Tensor, old: Tensor) -> Tensor:
        of_rows = keras.ops.expand_dims(active, tuple(range(1, len(new.shape))))
        return keras.ops.where(of_rows, new, old)

    return active_only


Shape = tuple[int | None, ...]


def signature(
    plan: StepPlan, rows: int | None, *, chunk: bool, active: bool
) -> list[tuple[Shape, str]]:
    """Return the shape and dtype of every argument of a function.

    Args:
        plan: the plan of the step model.
        rows: the size of the batch; None for any.
        chunk: whether the function computes many steps.
        active: whether the function also takes which rows are active.
    """
    names, inputs = names_of(plan), plan.step.inputs
    steps = "any" if chunk else None

    def of(name: str) -> tuple[Shape, str]:
        spec = inputs[name].spec
        if name in plan.steps:
            return step_shape(inputs[name], rows, steps), spec.dtype
        return (rows, *spec.shape_without_batch), spec.dtype

    arguments = [of(name) for name in (*names.states, *names.contexts, *names.inputs)]
    return [*arguments, ((rows,), "bool")] if active else arguments


def step_shape(tensor: GraphInput, rows: int | None, steps: int | str | None) -> Shape:
    """Return the shape of an input with a time axis of `steps`; without that axis, for None."""
    rest = tensor.spec.shape_without_batch[1:]
    if steps is None:
        return (rows, *rest)
    size = steps if isinstance(steps, int) else None
    return (size, rows, *rest) if tensor.time_major else (rows, size, *rest)


def compiled_function(
    derived: Derived, rows: int, *, chunk: bool, active: bool, xla: bool
) -> Callable[..., Sequence[Tensor]]:
    """Return the compiled function of one step, or of many, for batches of `rows`."""
    plan = plan_of(derived)
    function = many_steps(derived) if chunk else one_step(derived)
    if active:
        function = of_active_rows(function, names_of(plan))
    shapes = signature(plan, rows, chunk=chunk, active=active)
    return compiled(function, shapes, derived.model, xla=xla and not chunk)
