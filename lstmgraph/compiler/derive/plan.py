"""Describe derived models to the code that runs them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lstmgraph.compiler.graph import Graph
    from lstmgraph.keras_facts.tensors import TensorSpec
    from lstmgraph.messages.diagnostics import Path

NEXT = "next_"
"""The state input ``decoder_h`` is fed with the output ``next_decoder_h`` of the last call."""


@dataclass(frozen=True)
class StepState:
    """One state: an input of a step model, and the output for the next.

    That of a recurrent layer is (batch, units); what a loop feeds back may have any shape.

    Its first value is zeros, the input `given` of the recipe, or (`started`) the output of the
    start model with the same name as the state.
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
        """The origin of its first value: ``zeros``, ``input`` or ``start``."""
        return "start" if self.started else "input" if self.given else "zeros"


@dataclass(frozen=True)
class Context:
    """A tensor that is the same at every step: an input of the recipe, or of the start model."""

    name: str
    spec: TensorSpec
    started: bool


@dataclass(frozen=True)
class StepPlan:
    """The graphs of a recipe that runs step by step, and how they are connected.

    ``step`` takes one step of every stepped input, (batch, 1, ...), all states and contexts, and
    returns the recipe's outputs and the new states. ``chunk`` does the same for any number of
    steps; it is None if the recipe unrolls its steps, or
    they are those of a loop. ``start`` computes the states and contexts
    that are not inputs of the recipe; it is None if there are none.
    """

    step: Graph
    chunk: Graph | None
    start: Graph | None
    steps: tuple[str, ...]
    """The stepped inputs: (batch, steps, ...), or (steps, batch, ...) if time-major."""
    lengths: tuple[str, ...]
    """The inputs with the number of steps *of this call* that count in each row."""
    states: tuple[StepState, ...]
    contexts: tuple[Context, ...]
    outputs: Mapping[str, str]
    """The kind of each output: ``steps`` (one value per step), ``newest`` (a value that the next
    step replaces) or ``start`` (an output of the start model)."""
    rows: str | None = None
    """The start model's input that gives only the number of rows: any int32 tensor (batch,)."""

    def as_dict(self) -> dict[str, Any]:
        """Return the stable form that a manifest holds."""
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
    """By state input, the output that feeds it in the next call, or None."""
    plan: StepPlan | None = None
    """The plan of a step model; None for other kinds."""
