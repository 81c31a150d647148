"""Keras models derived from a recipe's graph, with the weights of a trained model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lstmgraph.compiler.compile import CompiledRecipe, compile_document
from lstmgraph.language.compose import changed

if TYPE_CHECKING:
    from collections.abc import Mapping

    import keras

    from lstmgraph.compiler.derive import StepPlan

KINDS = ("encoder", "decoder", "step")


@dataclass(frozen=True)
class Derived:
    """Derived models, which share their layers: training one trains all."""

    kind: str
    """``encoder``, ``decoder`` or ``step``."""
    model: keras.Model
    """The derived model itself; its inputs and outputs are dictionaries."""
    states: Mapping[str, str | None]
    """By name of a state input, the output that feeds it in the next call."""
    main: keras.Model | None
    """The recipe's own model; None where the given weights are not those of all its layers."""
    start: keras.Model | None = None
    """Of a step: from the initial sources to states and contexts; None where nothing is computed
    before the first step, or where the given weights are not those of its layers."""
    chunk: keras.Model | None = None
    """Of a step: the same for any number of steps at once; None where the recipe unrolls them."""
    plan: StepPlan | None = None
    """Of a step: which input is what, and what each state begins with."""


def derive(compiled: CompiledRecipe, kind: str, model: keras.Model | None) -> Derived:
    """Build what `kind` derives, see ``Recipe.derive``."""
    compiled = with_derived(compiled, kind)
    found = next(each for each in compiled.models.values() if each.kind == kind)
    graphs = {"model": found.graph}
    if found.plan and found.plan.start:
        graphs["start"] = found.plan.start
    if found.plan and found.plan.chunk:
        graphs["chunk"] = found.plan.chunk
    from lstmgraph.models.building import build_models  # noqa: PLC0415 - imports TensorFlow

    main, built = build_models(compiled, graphs)
    models: dict[str, keras.Model | None] = {"main": main, **built}
    if model is not None:
        for name in ("main", "start"):
            part = models.get(name)
            if part is not None and missing_layers(model, part):
                models[name] = None
        parts = (models.get(name) for name in ("model", "main", "start"))
        copy_weights(model, *(part for part in parts if part is not None))
    return Derived(
        kind,
        built["model"],
        found.states,
        models["main"],
        models.get("start"),
        models.get("chunk"),
        found.plan,
    )


def with_derived(compiled: CompiledRecipe, kind: str) -> CompiledRecipe:
    """Return `compiled` with the further model of `kind`: the recipe's own, or a derived one.

    Raises:
        RecipeError: the graph does not allow it, with the node and the reason (L834).
        ValueError: there is no such kind.
    """
    if kind not in KINDS:
        raise ValueError(f"a model is derived as one of: {', '.join(KINDS)}; given: {kind}")
    if any(model.kind == kind for model in compiled.models.values()):
        return compiled
    if kind in compiled.declaration.models:
        raise ValueError(f"the recipe has a model {kind} already, which it does not derive")
    return compile_document(changed(compiled.document, {f"models.{kind}": {"derive": kind}}))


def missing_layers(source: keras.Model, target: keras.Model) -> list[str]:
    """Return the names of the layers with weights that `target` has and `source` has not."""
    names = {layer.name for layer in source.layers if layer.weights}
    return [layer.name for layer in target.layers if layer.weights and layer.name not in names]


def copy_weights(source: keras.Model, *targets: keras.Model) -> None:
    """Give every layer of `targets` the weights of the layer of that name in `source`.

    Raises:
        ValueError: a layer is missing, or has weights of other shapes; nothing is changed then.
    """
    from lstmgraph.models.building.carrying import saved_weights  # noqa: PLC0415 - imports Keras

    missing = [name for target in targets for name in missing_layers(source, target)]
    if missing:
        raise ValueError(f"the model has no layers {', '.join(missing)}: it is not the recipe's")
    layers = {layer.name: layer for layer in source.layers}
    own_layers = [layer for target in targets for layer in target.layers if layer.weights]
    pairs = [(saved_weights(layers[each.name]), saved_weights(each)) for each in own_layers]
    for layer, (given, own) in zip(own_layers, pairs, strict=True):
        shapes = [[tuple(weight.shape) for weight in weights] for weights in (given, own)]
        if shapes[0] != shapes[1]:
            message = f"the weights of '{layer.name}' have the shapes {shapes[0]}, not {shapes[1]}"
            raise ValueError(f"{message}: the model is not the recipe's")
    for given, own in pairs:
        for weight, value in zip(own, given, strict=True):
            weight.assign(value)
