"""The decoder, a step model that reads a token and gives probabilities of the next one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import keras

from lstmgraph.compiler.graph import JOIN, STACK
from lstmgraph.keras_facts.layers.dense import REVERSE
from lstmgraph.messages.wording import listed
from lstmgraph.models.stepping.functions import names_of, one_step
from lstmgraph.models.stepping.source import plan_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lstmgraph.compiler.derive import StepPlan
    from lstmgraph.compiler.graph import Graph, Node
    from lstmgraph.models.derived import Derived

Tensor = Any
LEAST = 1e-30
"""Stands in for a probability of 0, whose logarithm would be infinite."""


@dataclass(frozen=True)
class Decoder:
    """Advance a step model by one token; `token` and `output` name its input and output."""

    derived: Derived
    token: str
    output: str
    from_logits: bool

    @property
    def tokens(self) -> int:
        """Return the number of different tokens."""
        size = self.derived.model.output[self.output].shape[-1]
        return int(size)

    def advance(
        self, states: Sequence[Tensor], contexts: Sequence[Tensor], tokens: Tensor
    ) -> tuple[Tensor, list[Tensor]]:
        """Return log-probabilities of the next tokens, (rows, tokens), and the new states."""
        plan = plan_of(self.derived)
        names, inputs = names_of(plan), plan.step.inputs
        token = keras.ops.cast(tokens, inputs[self.token].spec.dtype)
        ones = [
            keras.ops.cast(keras.ops.ones_like(tokens), inputs[name].spec.dtype)
            for name in plan.lengths
        ]
        results = one_step(self.derived)(*states, *contexts, token, *ones)
        values = keras.ops.cast(results[names.outputs.index(self.output)], "float32")
        if self.from_logits:
            logs = keras.ops.log_softmax(values)
        else:
            logs = keras.ops.log(keras.ops.maximum(values, LEAST))
        return logs, results[len(names.outputs) :]


def decoder_of(derived: Derived, output: str | None, from_logits: bool | None) -> Decoder:
    """Return the decoder in a step model.

    Args:
        derived: the step model.
        output: the recipe's output of token probabilities; None where there is only one.
        from_logits: whether that output is logits; None to tell from its last layer.

    Raises:
        ValueError: a step does not read exactly one token, `output` does not name one output of
            token probabilities, or its last layer does not show whether it gives logits.
    """
    plan = plan_of(derived)
    tensors = [plan.step.inputs[name] for name in plan.steps]
    if len(tensors) != 1 or tensors[0].spec.rank != 2 or "int" not in tensors[0].spec.dtype:
        raise ValueError(
            "generate needs a recipe with one sequence input of ids, (batch, time); this one "
            f"has {listed([f'{t.name} {t.spec} {t.spec.dtype}' for t in tensors])}"
        )
    chosen = _output(derived, plan, output)
    if from_logits is None:
        from_logits = _gives_logits(plan.step, chosen)
    return Decoder(derived, tensors[0].name, chosen, from_logits)


def _output(derived: Derived, plan: StepPlan, output: str | None) -> str:
    candidates = [
        name
        for name, kind in plan.outputs.items()
        if kind == "steps" and len(derived.model.output[name].shape) == 3
    ]
    if output is None and len(candidates) == 1:
        return candidates[0]
    if output in candidates:
        return str(output)
    raise ValueError(f"output= must name the token probabilities, one of {listed(candidates)}")


def _gives_logits(graph: Graph, output: str) -> bool:
    """Return whether `output` is logits: its last layer is linear, rather than a softmax."""
    node: Node | None = graph.by_name.get(graph.outputs[output].node)
    while (
        node is not None
        and node.op in {"Identity", "Dropout", JOIN, STACK}
        and len(node.inputs) == 1
    ):
        node = graph.by_name.get(node.inputs[0].node)
    activation = "softmax" if node and node.op == "Softmax" else _activation(node)
    if activation not in {"softmax", "linear", "log_softmax"}:
        raise ValueError(
            f"the last layer of '{output}' does not show whether it gives logits or probabilities: "
            "set from_logits="
        )
    return activation != "softmax"


def _activation(node: Node | None) -> str | None:
    if node and node.arguments.get(REVERSE):
        return "linear"
    if node is None or node.op not in {"Dense", "Activation"}:
        return None
    activation = node.arguments.get("activation") or "linear"
    return activation if isinstance(activation, str) else None
