"""Check what of a model is trained: frozen layers, and learning rates of single layers."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from lstmgraph.compiler.checks.embeddings import tables
from lstmgraph.language.declaration.blocks import called
from lstmgraph.messages.diagnostics import Diagnostics
from lstmgraph.messages.wording import few

if TYPE_CHECKING:
    from collections.abc import Container

    from lstmgraph.compiler.graph import Graph, Node
    from lstmgraph.language.declaration.recipe import RecipeDeclaration, Training
    from lstmgraph.language.text.document import Document
    from lstmgraph.messages.diagnostics import Diagnostic, Path

SECTION = ("training", "learning_rates")


def check_learning_rates(
    recipe: RecipeDeclaration, training: Training, graph: Graph, document: Document
) -> None:
    """Report rates of layers that are not there or not trained, and clipping that they break."""
    calls = {name: layer.holder for name, layer in recipe.layers.items() if layer.call}
    for name in training.learning_rates:
        if name in recipe.broken or name in graph.broken:
            continue
        entry = document.at(("layers", name))
        if isinstance(entry, dict) and called(entry) in recipe.holders:
            calls[name] = called(entry)
        if document.diagnostics.found and _is_left_out(name, recipe, graph, document):
            continue
        if name in calls:
            document.report(
                "L777",
                (*SECTION, name),
                f"'{name}' has no weights of its own, so it has no learning rate",
                hint=f"write the rate of '{calls[name]}', whose weights it has",
                at_key=True,
                notes=(document.note(("layers", name), "the call is here", at_key=True),),
            )
        elif name not in recipe.holders:
            document.report(
                "L776",
                (*SECTION, name),
                f"there is no layer '{name}'{document.guesses.did_you_mean(name, recipe.holders)}",
                hint=f"the layers are: {few(list(recipe.holders))}",
                at_key=True,
            )
        elif not trains(graph, name):
            document.report(
                "L777",
                (*SECTION, name),
                f"training changes no weight of '{name}', so it has no learning rate",
                hint="remove this rate, or the `trainable: false` of the layer"
                if any(node.weights_layer == name and node.parameters.total for node in graph.nodes)
                else "remove this rate: the layer has no weights",
                at_key=True,
                notes=(document.note(_declared(name, document), "the layer is here", at_key=True),),
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


def _is_left_out(name: str, recipe: RecipeDeclaration, graph: Graph, document: Document) -> bool:
    """Return whether mistakes may keep `name`, a layer or a block, out of the model."""
    entries = [document.at((section, name)) for section in ("blocks", "layers")]
    if name not in recipe.holders:
        blocks = document.data.get("blocks", {})
        return entries != [None, None] or not isinstance(blocks, dict)
    calls = [each for each, layer in recipe.layers.items() if layer.holder == name]
    return not graph.broken.isdisjoint(calls) or any(
        node.weights_layer == name and not node.outputs for node in graph.nodes
    )


def _declared(name: str, document: Document) -> Path:
    """Return where the recipe declares a layer or a block."""
    return next(path for path in (("layers", name), ("blocks", name)) if path in document.keys)


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


def frozen_at_random(
    graph: Graph, document: Document, begun: Container[str]
) -> tuple[Diagnostic, ...]:
    """Return a warning for each frozen layer whose weights are random and come from no file (W764).

    Args:
        graph: the graph of the model that is trained.
        document: the recipe, which does not change.
        begun: the names of the Keras layers that begin with weights of a file.
    """
    own = replace(document, diagnostics=Diagnostics())
    begun_with_tables = {table.node for table in tables(graph)}
    warned: set[str] = set()
    for node in graph.nodes:
        layer, name = node.weights_layer, node.keras_name
        path = _trainable(node, document) if layer not in warned else None
        trained = node.parameters.trainable or not node.parameters.total
        if path is None or trained or name in begun or name in begun_with_tables:
            continue
        warned.add(layer)
        own.warn(
            "W764",
            path,
            f"'{layer}' is frozen, and its weights are random: they come from no file",
            hint="give a file (`--weights FILE`), or remove `trainable: false`",
        )
    return own.diagnostics.ordered_warnings()


def _trainable(node: Node, document: Document) -> Path | None:
    """Return the path where a recipe freezes a layer, or the layer inside it."""
    path = document.written(("layers", node.weights_layer))
    if path not in document.values:  # a block has the weights
        path = document.written(("layers", node.layer))
    while path in document.values:
        if (*path, "trainable") in document.values:
            return (*path, "trainable")
        path = (*path, "layer")
    return None


def trains(graph: Graph, layer: str) -> bool:
    """Return whether training changes a weight of a layer of the recipe."""
    return any(node.weights_layer == layer and node.parameters.trainable for node in graph.nodes)
