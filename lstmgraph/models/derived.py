"""Models derived from a recipe (encoder, decoder, step), with the weights of a trained model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lstmgraph.compiler.compile import CompiledRecipe, compile_document
from lstmgraph.language.compose import changed
from lstmgraph.messages.wording import not_among

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import keras

    from lstmgraph.compiler.derive import StepPlan

KINDS = ("encoder", "decoder", "step")


@dataclass(frozen=True)
class Derived:
    """A derived model and its companions; they share layers, so training one trains all."""

    kind: str
    """``encoder``, ``decoder`` or ``step``."""
    model: keras.Model
    """The derived model itself; its inputs and outputs are dictionaries."""
    states: Mapping[str, str | None]
    """The output that feeds each state input in the next call, by the input's name."""
    main: keras.Model | None
    """The recipe's main model; None if the given weights do not cover all of its layers."""
    start: keras.Model | None = None
    """For a step: computes states and contexts from the initial sources; None if there are none to
    compute, or if the given weights do not cover its layers."""
    chunk: keras.Model | None = None
    """For a step: computes any number of steps at once; None if the recipe unrolls its steps."""
    plan: StepPlan | None = None
    """For a step: what each input is for, and what each state begins with."""


def derive(compiled: CompiledRecipe, kind: str, model: keras.Model | None) -> Derived:
    """Return the models that `kind` derives, with the weights of `model`; see ``Recipe.derive``."""
    compiled = with_derived(compiled, kind)
    further = next(each for each in compiled.models.values() if each.kind == kind)
    graphs = {"model": further.graph}
    if further.plan and further.plan.start:
        graphs["start"] = further.plan.start
    if further.plan and further.plan.chunk:
        graphs["chunk"] = further.plan.chunk
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
        further.states,
        models["main"],
        models.get("start"),
        models.get("chunk"),
        further.plan,
    )


def with_derived(compiled: CompiledRecipe, kind: str) -> CompiledRecipe:
    """Return `compiled` with a further model derived as `kind`, added if it has none.

    Raises:
        RecipeError: the graph does not allow it (L834: the node and the reason).
        ValueError: the kind is unknown, or another model of the recipe has its name.
    """
    if kind not in KINDS:
        raise ValueError(f"a model can be derived as one of: {', '.join(KINDS)}; given: {kind}")
    if any(model.kind == kind for model in compiled.models.values()):
        return compiled
    if kind in compiled.declaration.models:
        raise ValueError(f"the recipe has a model {kind} already, which it does not derive")
    return compile_document(changed(compiled.document, {f"models.{kind}": {"derive": kind}}))


def with_models(compiled: CompiledRecipe, names: Sequence[str]) -> CompiledRecipe:
    """Return `compiled` with the models of these names: its own, further ones, and derived ones.

    The recipe need not declare ``encoder``, ``decoder`` and ``step``.

    Raises:
        RecipeError: the graph does not allow a derived one (L834: the node and the reason).
        ValueError: there is no model of a name, or it is named twice.
    """
    repeated = next((name for name in names if list(names).count(name) > 1), None)
    if repeated is not None:
        raise ValueError(f"the model {repeated} is named twice")
    for name in names:
        kind = name.removesuffix(".start")
        if name != compiled.graph.name and name not in compiled.models and kind in KINDS:
            compiled = with_derived(compiled, kind)
        known = [compiled.graph.name, *compiled.models]
        if name not in known:
            more = [each for each in KINDS if each not in known]
            raise ValueError(not_among("model", name, [*known, *more]))
    return compiled


def missing_layers(source: keras.Model, target: keras.Model) -> list[str]:
    """Return the names of the layers with weights that `target` has and `source` has not."""
    names = {layer.name for layer in source.layers if layer.weights}
    return [layer.name for layer in target.layers if layer.weights and layer.name not in names]


def copy_weights(source: keras.Model, *targets: keras.Model) -> None:
    """Copy weights from the layers of `source` to the layers of `targets` with the same names.

    Raises:
        ValueError: a layer is missing, or its weights have other shapes; no weight is changed.
    """
    from lstmgraph.models.building.carrying import saved_weights  # noqa: PLC0415 - imports Keras

    missing = [name for target in targets for name in missing_layers(source, target)]
    if missing:
        raise ValueError(f"the model lacks the layers {', '.join(missing)}: it is not the recipe's")
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
