"""The model that is exported, rebuilt from the recipe for inference only, on any machine."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from lstmgraph.compiler.graph import Kernel
from lstmgraph.export.mistakes import ExportMistake, export_error
from lstmgraph.language.declaration.recipe import Runtime
from lstmgraph.models.building import build_models

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import keras

    from lstmgraph.compiler.compile import CompiledRecipe
    from lstmgraph.compiler.graph import Graph, Node

DROPOUTS = ("dropout", "recurrent_dropout")


def inference_models(
    compiled: CompiledRecipe, graphs: Mapping[str, Graph], model: keras.Model, kernel: str
) -> tuple[keras.Model, dict[str, keras.Model]]:
    """Return a new model of the recipe with the weights of `model`, and further ones of its layers.

    Dropout is left out: Keras draws a seed in every call of a recurrent layer with dropout, so the
    exported model would hold a variable that changes with every request. The new models are not
    compiled, and their carried states are zeros.

    Args:
        compiled: the recipe.
        graphs: the graphs of its further models, by any name.
        model: a model of the recipe.
        kernel: ``standard`` for layers that do not look for a GPU when they are traced; ``auto`` to
            keep their kernels.

    Raises:
        RecipeError: the weights of `model` belong to other layers, or have other shapes (L804).
    """
    declaration = compiled.declaration
    runtime = Runtime(
        dtype_policy=declaration.runtime.dtype_policy,
        seed=declaration.runtime.seed,
        batch_size=declaration.runtime.batch_size,
    )
    plain = compiled.with_sections(training=None, runtime=asdict(runtime))
    plain = replace(
        plain,
        graph=_for_inference(compiled.graph, kernel),
        models={
            name: replace(each, graph=_for_inference(each.graph, kernel))
            for name, each in compiled.models.items()
        },
    )
    own = {name: _for_inference(graph, kernel) for name, graph in graphs.items()}
    copy, further = build_models(plain, own)
    wrong = list(_differences(compiled, copy, model))
    if wrong:
        raise export_error(compiled, wrong)
    weights = weights_by_layer(model)
    for layer in copy.layers:
        if layer.name in weights:
            layer.set_weights(weights[layer.name])
    return copy, further


def _for_inference(graph: Graph, kernel: str) -> Graph:
    graph = graph.with_nodes([_inference(node, kernel) for node in graph.nodes])
    if kernel == "standard" or graph.kernel_choice != "cudnn":
        # Each node already has its kernel; a file has nothing of the fused loop.
        graph = replace(graph, kernel_choice="standard")
    return graph


def weights_by_layer(model: keras.Model) -> dict[str, list[Any]]:
    """Return the weights of each layer that has some, as arrays in Keras's order."""
    return {layer.name: layer.get_weights() for layer in model.layers if layer.weights}


def _inference(node: Node, kernel: str) -> Node:
    node = replace(node, arguments=_without_dropout(node.arguments))
    recurrence = node.recurrence
    if recurrence is None:
        return node
    recurrence = replace(
        recurrence, cells=tuple(_without_dropout(cell) for cell in recurrence.cells)
    )
    if kernel == "standard" and recurrence.kernel and recurrence.kernel.name == "cudnn":
        recurrence = replace(recurrence, kernel=Kernel("standard", "exported for any machine"))
    return replace(node, recurrence=recurrence)


def _without_dropout(arguments: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the arguments with dropout rates of 0, including those of a wrapped layer."""
    rates: dict[str, Any] = {key: 0.0 for key in DROPOUTS if arguments.get(key)}
    inner = arguments.get("layer")
    if isinstance(inner, dict):
        rates["layer"] = _without_dropout(inner)
    return {**arguments, **rates}


def _differences(
    compiled: CompiledRecipe, copy: keras.Model, model: keras.Model
) -> Iterator[ExportMistake]:
    wanted = {name: _shapes(arrays) for name, arrays in weights_by_layer(copy).items()}
    actual = {name: _shapes(arrays) for name, arrays in weights_by_layer(model).items()}
    yield from weight_mistakes(compiled, wanted, actual, "the model")


def _shapes(arrays: list[Any]) -> list[tuple[int, ...]]:
    return [tuple(array.shape) for array in arrays]


def weight_mistakes(
    compiled: CompiledRecipe,
    wanted: Mapping[str, list[tuple[int, ...]]],
    found: Mapping[str, list[tuple[int, ...]]],
    holder: str,
) -> Iterator[ExportMistake]:
    """Yield a mistake for each layer whose weights in `holder` are not those of the recipe."""
    hint = (
        "use the recipe that the model was trained with, including its `--set` values; "
        "`lstmgraph transfer` takes over the layers that fit"
    )
    paths = {node.keras_name: node.path for node in compiled.graph.nodes}
    for name, shapes in wanted.items():
        path = paths.get(name, ("layers",))
        if name not in found:
            yield ExportMistake("L804", path, f"{holder} has no weights for '{name}'", hint)
        elif found[name] != shapes:
            message = (
                f"the weights of '{name}' have the shapes {_listed(shapes)} in the recipe, but "
                f"{_listed(found[name])} in {holder}"
            )
            yield ExportMistake("L804", path, message, hint)
    for name in found:
        if name not in wanted:
            message = f"{holder} has weights for '{name}', which is not a layer of the recipe"
            yield ExportMistake("L804", ("layers",), message, hint)


def _listed(shapes: list[tuple[int, ...]]) -> str:
    return ", ".join(str(shape) for shape in shapes) or "none"
