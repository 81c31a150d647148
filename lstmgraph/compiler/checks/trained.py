"""Check what of a model is trained: frozen layers, and learning rates of single layers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lstmgraph.messages.wording import few

if TYPE_CHECKING:
    from lstmgraph.compiler.graph import Graph, Node
    from lstmgraph.language.declaration.recipe import RecipeDeclaration, Training
    from lstmgraph.language.text.document import Document
    from lstmgraph.messages.diagnostics import Path

SECTION = ("training", "learning_rates")


def check_learning_rates(
    recipe: RecipeDeclaration, training: Training, graph: Graph, document: Document
) -> None:
    """Report rates of layers that are not there or not trained, and clipping that they break."""
    for name in training.learning_rates:
        if name in recipe.broken or name in graph.broken:
            continue
        if name not in recipe.layers:
            document.report(
                "L776",
                (*SECTION, name),
                f"there is no layer '{name}'{document.guesses.did_you_mean(name, recipe.layers)}",
                hint=f"the layers are: {few(list(recipe.layers))}",
                at_key=True,
            )
        elif not trains(graph, name):
            document.report(
                "L777",
                (*SECTION, name),
                f"'{name}' has no weights that training changes, so it has no learning rate",
                hint="remove this rate, or a `trainable: false` of the layer",
                at_key=True,
                notes=(document.note(("layers", name), "the layer is here", at_key=True),),
            )
    if training.learning_rates and training.optimizer.get("global_clipnorm") is not None:
        document.report(
            "L778",
            ("training", "optimizer", "global_clipnorm"),
            "with `learning_rates`, Keras clips the gradients of each group of layers by "
            "themselves, not by the norm of all",
            hint="write `clipnorm`, which clips the gradient of each weight, or one learning rate",
            at_key=True,
            notes=(document.note(SECTION, "the learning rates are here", at_key=True),),
        )


def check_frozen(graph: Graph, document: Document) -> None:
    """Report that every layer with weights is frozen."""
    frozen = [n for n in graph.nodes if n.parameters.total and n.path[0] == "layers"]
    if graph.broken or not frozen or any(node.parameters.trainable for node in graph.nodes):
        return
    path = next((p for node in frozen if (p := _trainable(node, document)) is not None), None)
    if path is not None:
        document.report(
            "L779",
            path,
            "nothing is left to train: every layer with weights is frozen",
            hint="remove a `trainable: false`, or the section `training`",
            notes=(document.note(("training",), "the training is here", at_key=True),),
        )


def _trainable(node: Node, document: Document) -> Path | None:
    """Return the path where a recipe freezes a layer, or the layer inside it."""
    path: Path = ("layers", node.layer)
    while path in document.values:
        if (*path, "trainable") in document.values:
            return (*path, "trainable")
        path = (*path, "layer")
    return None


def trains(graph: Graph, layer: str) -> bool:
    """Return whether training changes a weight of a layer of the recipe."""
    return any(node.layer == layer and node.parameters.trainable for node in graph.nodes)
