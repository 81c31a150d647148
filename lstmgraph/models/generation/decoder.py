"""The decoder: a step model that reads one token and gives the probabilities of the next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import keras

from lstmgraph.compiler.graph import JOIN
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
"""In place of a probability of 0, whose logarithm would be infinite."""


@dataclass(frozen=True)
class Decoder:
    """Names the tensors of a step that hold the token and the next token's probabilities."""

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
        """Return the next tokens' log-probabilities, (rows, tokens), and the new states."""
        plan = plan_of(self.derived)
        names, inputs = names_of(plan), plan.step.inputs
        token = keras.ops.cast(tokens, inputs[self.token].spec.dtype)
        ones = [
            keras.ops.cast(keras.ops.ones_like(tokens), inputs[name].spec.dtype)
            for name in plan.lengths
        ]
        found = one_step(self.derived)(*states, *contexts, token, *ones)
        values = keras.ops.cast(found[names.outputs.index(self.output)], "float32")
        if self.from_logits:
            logs = keras.ops.log_softmax(values)
        else:
            logs = keras.ops.log(keras.ops.maximum(values, LEAST))
        return logs, found[len(names.outputs) :]


def decoder_of(derived: Derived, output: str | None, from_logits: bool | None) -> Decoder:
    """Return the decoder of a step model.

    Raises:
        ValueError: the model does not read exactly one token a step, or does not have exactly one
            output with probabilities of tokens.
    """
    plan = plan_of(derived)
    tensors = [plan.step.inputs[name] for name in plan.steps]
    if len(tensors) != 1 or tensors[0].spec.rank != 2 or "int" not in tensors[0].spec.dtype:
        raise ValueError(
            "tokens are written by a recipe whose steps are one input of ids, (batch, time); here "
            f"they are {listed([f'{t.name} {t.spec} {t.spec.dtype}' for t in tensors])}"
        )
    chosen = _output(derived, plan, output)
    if from_logits is None:
        from_logits = _gives_logits(plan.step, chosen)
    return Decoder(derived, tensors[0].name, chosen, from_logits)


def _output(derived: Derived, plan: StepPlan, output: str | None) -> str:
    found = [
        name
        for name, kind in plan.outputs.items()
        if kind == "steps" and len(derived.model.output[name].shape) == 3
    ]
    if output is None and len(found) == 1:
        return found[0]
    if output in found:
        return str(output)
    raise ValueError(f"output= names the probabilities of the tokens, one of {listed(found)}")


def _gives_logits(graph: Graph, output: str) -> bool:
    """Return whether the output's last layer is linear: with a softmax it gives probabilities."""
    node: Node | None = graph.by_name.get(graph.outputs[output].node)
    while node is not None and node.op in {"Identity", "Dropout", JOIN} and len(node.inputs) == 1:
        node = graph.by_name.get(node.inputs[0].node)
    activation = "softmax" if node and node.op == "Softmax" else _activation(node)
    if activation not in {"softmax", "linear", "log_softmax"}:
        raise ValueError(
            f"'{output}' may be logits or probabilities, its last layer does not say: give "
            "from_logits="
        )
    return activation != "softmax"


def _activation(node: Node | None) -> str | None:
    if node is None or node.op not in {"Dense", "Activation"}:
        return None
    found = node.arguments.get("activation") or "linear"
    return found if isinstance(found, str) else None
