"""What is known of the models that are derived, for those who run them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lstmgraph.compiler.graph import Graph
    from lstmgraph.keras_facts.tensors import TensorSpec
    from lstmgraph.messages.diagnostics import Path

NEXT = "next_"
"""A state input ``decoder_h`` is fed with the output ``next_decoder_h`` of the call before."""


@dataclass(frozen=True)
class StepState:
    """One state, (batch, units): an input of a step model, and the output that it becomes.

    It begins at zeros, at the input `given` of the recipe, or at the output of the start model that
    has the same name as the state (`started`).
    """

    name: str
    output: str
    node: str
    slot: str
    spec: TensorSpec
    given: str | None = None
    started: bool = False

    @property
    def begins(self) -> str:
        """``zeros``, ``input`` or ``start``."""
        return "start" if self.started else "input" if self.given else "zeros"


@dataclass(frozen=True)
class Context:
    """A tensor that is the same at every step: the recipe's input of that name, or the start's."""

    name: str
    spec: TensorSpec
    started: bool


@dataclass(frozen=True)
class StepPlan:
    """The graphs of a recipe that runs step by step, and how they hang together.

    ``step`` takes one step of every stepped input, (batch, 1, ...), all states and contexts; it
    gives the recipe's outputs and the new states. ``chunk`` is the same for any number of steps,
    and None where the recipe unrolls its steps. ``start`` computes the states and contexts that
    are not given; None where there are none.
    """

    step: Graph
    chunk: Graph | None
    start: Graph | None
    steps: tuple[str, ...]
    """Inputs that bring a step: (batch, steps, ...), or (steps, batch, ...) if time-major."""
    lengths: tuple[str, ...]
    """Inputs that say for each row how many steps *of this call* count."""
    states: tuple[StepState, ...]
    contexts: tuple[Context, ...]
    outputs: Mapping[str, str]
    """Of each output of the recipe: ``steps`` (one value a step), ``newest`` (a value that the
    next step replaces) or ``start`` (given by the start model)."""
    rows: str | None = None
    """The start model's input that only says how many rows there are: any (batch,) of int32."""

    def as_dict(self) -> dict[str, Any]:
        """The stable form that a manifest holds."""
        return {
            "steps": list(self.steps),
            "lengths": list(self.lengths),
            "states": [
                {
                    "input": state.name,
                    "output": state.output,
                    "shape": list(state.spec.shape),
                    "dtype": state.spec.dtype,
                    "begins": state.begins,
                    **({"given": state.given} if state.given else {}),
                }
                for state in self.states
            ],
            "contexts": [
                {
                    "input": context.name,
                    "shape": list(context.spec.shape),
                    "dtype": context.spec.dtype,
                    "from": "start" if context.started else "input",
                }
                for context in self.contexts
            ],
            "outputs": dict(self.outputs),
            "rows": self.rows,
        }


@dataclass(frozen=True)
class FurtherModel:
    """A further model of a recipe. `kind` is ``written``, ``step``, ``start``, ..."""

    name: str
    kind: str
    graph: Graph
    path: Path
    states: Mapping[str, str | None]
    """By name of a state input, the output that feeds it in the next call, where there is one."""
    plan: StepPlan | None = None
    """Of a step model."""
