"""Weights of classes: which targets have classes, and the weight of each; checked before any data.

Keras's ``fit`` takes ``class_weight`` for a model of one output without steps and without sample
weights only. Here the targets say the class, and with it the weight, of every example or step.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lstmgraph.compiler.checks.metric_names import losses_by_output
from lstmgraph.keras_facts.catalogue import named_class
from lstmgraph.messages.wording import few

if TYPE_CHECKING:
    from collections.abc import Container

    from lstmgraph.compiler.graph import Graph
    from lstmgraph.keras_facts.tensors import TensorSpec
    from lstmgraph.language.declaration.recipe import Training
    from lstmgraph.language.text.document import Document
    from lstmgraph.messages.diagnostics import Path

IDS, ONE_HOT, YES_OR_NO = "ids", "one-hot", "yes or no"
OF_CLASSES = {
    "SparseCategoricalCrossentropy": IDS,
    "CategoricalCrossentropy": ONE_HOT,
    "CategoricalFocalCrossentropy": ONE_HOT,
    "CategoricalHinge": ONE_HOT,
    "BinaryCrossentropy": YES_OR_NO,
    "BinaryFocalCrossentropy": YES_OR_NO,
    "Hinge": YES_OR_NO,
    "SquaredHinge": YES_OR_NO,
}
"""How the targets of a loss say the class: its id, one number for each class, or 0 and 1."""


@dataclass(frozen=True)
class ClassWeights:
    """The weights of the classes of one output, and how its targets say the class."""

    targets: str
    weights: Mapping[int, float]
    """The weight of each class; 1 where there is none."""


Names = Mapping[str, Sequence[str]]
"""The names of the classes of outputs, in the order of their ids."""


def class_weights(
    training: Training, outputs: Mapping[str, TensorSpec], names: Names
) -> dict[str, ClassWeights]:
    """Return the class weights of each output that has sound ones; classes have ids or `names`."""
    losses = losses_by_output(training, list(outputs))
    found = {}
    for name, weights in _by_output(training, list(losses)).items():
        if name not in losses or name not in outputs:
            continue
        targets = _targets(losses[name], outputs[name])
        if targets:
            ids = {key: _id_of(key, names.get(name, ())) for key in weights}
            numbers = {i: float(weights[key]) for key, i in ids.items() if i is not None}
            found[name] = ClassWeights(targets, numbers)
    return found


def check_class_weight(
    training: Training,
    graph: Graph,
    document: Document,
    refused: Container[str],
    names: Names,
) -> None:
    """Report class weights of outputs without classes (L767), of unknown classes (L768), and all 0.

    With a weight of 0 for every class (L793) nothing is trained.

    Args:
        training: the section of the recipe.
        graph: the graph of the model.
        document: the recipe.
        refused: the outputs that need another loss, whose classes are not known.
        names: see ``Names``.
    """
    losses = losses_by_output(training, list(graph.outputs))
    path: Path = ("training", "class_weight")
    written = training.class_weight or {}
    if written and not _is_for_outputs(written) and len(losses) > 1:
        specs = {name: graph.specs.get(graph.outputs[name]) for name in losses}
        fitting = [n for n, spec in specs.items() if spec is not None and _targets(losses[n], spec)]
        example = next(iter([*(name for name in losses if name in written), *fitting, *losses]))
        message = f"these class weights name no output, but several have a loss: {few(losses)}"
        if example in written:
            message = f"'{example}' needs a weight for each class, in a mapping"
        document.report(
            "L767",
            path,
            message,
            hint=f"write `{path[-1]}: {{{example}: {{0: 1.0, 1: 5.0}}}}`",
            at_key=True,
        )
        return
    for name, weights in _by_output(training, list(losses)).items():
        own = (*path, name) if _is_for_outputs(written) else path
        spec = graph.specs.get(graph.outputs[name]) if name in graph.outputs else None
        if spec is None:
            continue  # it is reported already
        if name in refused and name in losses and _class(losses[name]) in OF_CLASSES:
            continue  # with the loss that is meant, its targets may say the class
        if name not in losses or not _targets(losses[name], spec):
            message, hint = _without_classes(name, losses)
            document.report("L767", own, message, hint=hint, at_key=True)
            continue
        units = spec.shape[-1]
        classes = 2 if _targets(losses[name], spec) == YES_OR_NO else units
        ids = {key: _id_of(key, names.get(name, ())) for key in weights}
        for key, number in ids.items():
            if number is None or (isinstance(classes, int) and number >= classes):
                document.report(
                    "L768",
                    (*own, key),
                    f"'{key}' is no class of '{name}'",
                    hint=_known_classes(classes, names.get(name, ())),
                    at_key=True,
                )
        if (
            isinstance(classes, int)
            and {*ids.values()} >= set(range(classes))
            and not any(weights.values())
        ):
            document.report(
                "L793",
                own,
                f"every class of '{name}' has the weight 0, so that nothing is trained for it",
                hint="give a class a weight above 0; an output that is not trained has no loss",
                at_key=True,
            )


def _known_classes(classes: Any, names: Sequence[str]) -> str:
    if names:
        return f"the classes are {few(list(names))}"
    if not isinstance(classes, int):
        return "classes are whole numbers from 0"
    return f"the classes are {'0 and 1' if classes == 2 else f'0 to {classes - 1}'}"


def _without_classes(name: str, losses: Mapping[str, Any]) -> tuple[str, str]:
    """Return why the targets of an output say no class, and the way round."""
    if name not in losses:
        message = f"the output '{name}' has class weights but no loss"
        return message, f"add a loss, or remove them; outputs with a loss: {few(losses)}"
    kind = _class(losses[name])
    hint = "give weights with the data: an array `sample_weight`, or a column under `data:`"
    if OF_CLASSES.get(kind) == YES_OR_NO:
        return f"each number of '{name}' is a yes or no of its own, so no row has a class", hint
    return f"the targets of '{name}' have no classes, as its loss is {kind}", hint


def _targets(loss: Any, spec: TensorSpec) -> str | None:
    """Return how the targets say the class; None if they do not."""
    targets = OF_CLASSES.get(_class(loss))
    if targets == YES_OR_NO:
        return targets if spec.shape[-1] == 1 else None
    if isinstance(loss, dict) and loss.get("axis", -1) not in (-1, spec.rank - 1):
        return None
    return targets


def _by_output(training: Training, outputs: Sequence[str]) -> Mapping[str, Any]:
    """Return the weights by output; those without an output's name are for the only one."""
    written = training.class_weight or {}
    if not written or _is_for_outputs(written):
        return written
    return {outputs[0]: written} if len(outputs) == 1 else {}


def _is_for_outputs(written: Mapping[str, Any]) -> bool:
    return any(isinstance(weights, dict) for weights in written.values())


def weights_of_outputs(training: Training) -> Mapping[str, Any]:
    """Return ``class_weight`` if its keys name outputs, else nothing."""
    written = training.class_weight or {}
    return written if _is_for_outputs(written) else {}


def _class(loss: Any) -> str:
    return named_class("loss", loss if isinstance(loss, str) else loss["type"])


def _id_of(key: str, names: Sequence[str]) -> int | None:
    """Return the id of the class that a key names, by its name or as a number."""
    if key in names:
        return names.index(key)
    return int(key) if key.isascii() and key.isdecimal() else None
