"""Warn of losses that do not fit their outputs: probabilities, logits, or neither."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lstmgraph.compiler.checks.heads import (
    BEYOND_ONE,
    CATEGORICAL,
    CROSSENTROPIES,
    activation_of,
    heads,
    with_activation,
)
from lstmgraph.compiler.graph import OUTPUT
from lstmgraph.compiler.lint.checked import activation_path
from lstmgraph.keras_facts.targets import CHANCES

if TYPE_CHECKING:
    from lstmgraph.compiler.checks.heads import Head
    from lstmgraph.compiler.lint.checked import Checked


def check_logits(checked: Checked) -> None:
    """Warn of a loss of logits that gets probabilities (W751), and of the opposite (W752).

    Source: ``from_logits`` of ``keras/src/losses/losses.py``; on TensorFlow ``_get_logits`` of
    ``keras/src/backend/tensorflow/nn.py`` corrects the first if no layer is in between.
    """
    for head in heads(checked.recipe, checked.graph):
        crossentropy = head.loss in CROSSENTROPIES
        if crossentropy and head.from_logits and head.gives_probabilities:
            checked.document.warn(
                "W751",
                (*head.path, "from_logits"),
                f"the loss takes logits, but '{head.output}' gives probabilities "
                f"({head.activation})",
                hint="remove `from_logits: true`, or the activation of "
                f"'{head.node.weights_layer}'",
            )
        elif _takes_chances(head) and head.activation in BEYOND_ONE:
            wanted = "softmax" if head.loss in (*CATEGORICAL, "KLDivergence") else "sigmoid"
            more = f", or `{{type: {head.loss_word}, from_logits: true}}`" if crossentropy else ""
            checked.document.warn(
                "W752",
                head.path,
                f"{head.loss} takes probabilities, but '{head.output}' gives other numbers "
                f"({head.activation})",
                hint=f"{with_activation(head.node, wanted)}{more}",
            )


def _takes_chances(head: Head) -> bool:
    return head.loss_entry is not None and head.loss_entry.reading.values == CHANCES


def check_classes(checked: Checked) -> None:
    """Warn (W754) of classes that do not add up to 1."""
    for head in heads(checked.recipe, checked.graph):
        if head.loss in CATEGORICAL and head.activation == "sigmoid" and not head.from_logits:
            checked.document.warn(
                "W754",
                head.path,
                f"{head.loss} needs probabilities that add up to 1, but those of '{head.output}' "
                "are independent (sigmoid)",
                hint=f"write `activation: softmax` for '{head.node.weights_layer}', or "
                "`binary_crossentropy` if several classes can be true at once",
            )


def check_single_softmax(checked: Checked) -> None:
    """Warn (W404) of a softmax of a single number, which is always 1."""
    for node in checked.graph.nodes:
        if activation_of(node) == "softmax" and node.outputs[OUTPUT].shape[-1] == 1:
            if node.op == "Softmax" and node.arguments["axis"] not in (-1, [-1]):
                continue
            checked.document.warn(
                "W404",
                activation_path(node),
                f"'{node.weights_layer}' gives a single number, whose softmax is always 1",
                hint="write `activation: sigmoid`, or more `units`",
            )
