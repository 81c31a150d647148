"""Compiling of a Keras model as the recipe's ``training:`` and ``runtime:`` say."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Any

import keras

from lstmgraph.compiler.checks.metric_names import (
    CHOSEN_BY_SHAPE,
    all_metrics_by_output,
    losses_by_output,
    metric_name,
    metrics_by_output,
)
from lstmgraph.compiler.machine.plan import choose_xla
from lstmgraph.compiler.passes.gradients import scales_loss
from lstmgraph.keras_facts.catalogue import named_class
from lstmgraph.keras_facts.distributions import distribution_of, point_of, quantiles_of
from lstmgraph.keras_facts.targets import VALUES, reading
from lstmgraph.models.building import forecasting
from lstmgraph.models.building.carrying import kept_states
from lstmgraph.models.building.counted_steps import count_steps, weigh_batches
from lstmgraph.models.building.learning_rates import by_layer
from lstmgraph.models.building.scaled_losses import scale_by_rows, scale_losses
from lstmgraph.models.predicting import pad_predict
from lstmgraph.models.runtime import compile_predict, steps_of_lengths

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lstmgraph.compiler.compile import CompiledRecipe
    from lstmgraph.compiler.graph import Graph
    from lstmgraph.compiler.machine.machine import Machine
    from lstmgraph.language.declaration.recipe import Training


def compile_model(model: keras.Model, compiled: CompiledRecipe) -> None:
    """Compile `model` as the recipe says, with losses and metrics by the output's name."""
    set_runtime(model, compiled)
    recipe, scaled = compiled.declaration, scales_loss(compiled.graph)
    training = recipe.training
    if training is None:
        return
    dtypes = {name: _loss_dtype(tensor) for name, tensor in model.output.items()}
    losses = _losses(training, dtypes)
    scale_losses(losses, recipe.data)
    metrics, weighted = (_metrics(training, dtypes, weighted=each) for each in (False, True))
    count_steps([losses, metrics, weighted])
    model.compile(
        optimizer=_optimizer(training, compiled.graph, scaled=scaled),
        loss=losses,
        loss_weights=_loss_weights(training, losses),
        # With metrics, even none, Keras wants targets for the outputs without a loss too.
        metrics=metrics or None,
        weighted_metrics=weighted or None,
        jit_compile=recipe.runtime.xla,
        auto_scale_loss=False,
    )
    weigh_batches(model)
    scale_by_rows(model, losses, recipe.data)
    if has_own_losses(compiled):
        # Keras alone could not load the file: it knows none of these classes.
        model.get_compile_config = lambda: None


def has_own_losses(compiled: CompiledRecipe) -> bool:
    """Return whether the recipe has a loss or a metric that Keras does not have."""
    training, outputs = compiled.declaration.training, list(compiled.graph.outputs)
    if training is None:
        return False
    losses = losses_by_output(training, outputs).values()
    metrics = chain(*all_metrics_by_output(training, outputs).values())
    own = {"loss": forecasting.LOSSES, "metric": forecasting.METRICS}
    return any(
        named_class(family, _mapping(each)["type"]) in own[family]
        for family, written in (("loss", losses), ("metric", metrics))
        for each in written
    )


def set_runtime(model: keras.Model, compiled: CompiledRecipe) -> None:
    """Apply the part of ``runtime:`` that `predict` needs even in a model without a loss."""
    runtime = compiled.declaration.runtime
    _set_own_policy(model, runtime.dtype_policy, scaled=scales_loss(compiled.graph))
    if runtime.xla != "auto":
        model.jit_compile = runtime.xla


def with_predict(
    model: keras.Model, compiled: CompiledRecipe, graph: Graph, machine: Machine
) -> keras.Model:
    """Return `model`, which now keeps its carried states and compiles `predict` where it pays."""
    kept_states(model)
    xla = choose_xla(compiled.declaration.runtime, graph, machine)
    if xla.predict:
        compile_predict(model, xla.most_rows, steps_of_lengths(graph))
    else:
        pad_predict(model, compiled, graph)
    return model


def _set_own_policy(model: keras.Model, policy: str, *, scaled: bool) -> None:
    """Set the dtype policy of the model itself, which would otherwise be the user's global one.

    Keras reads it to decide whether a later `compile` by the user scales the loss.
    """
    fallback = "float32" if policy == "mixed_float16" else policy
    model.dtype_policy = keras.DTypePolicy("mixed_float16" if scaled else fallback)


def _optimizer(training: Training, graph: Graph, *, scaled: bool) -> keras.Optimizer:
    def optimizer_of(rate: Any) -> keras.Optimizer:
        return _named("optimizers", "optimizer", {**training.optimizer, "learning_rate": rate})

    usual = training.optimizer["learning_rate"]
    groups: list[tuple[Any, list[str]]] = []
    for layer, rate in training.learning_rates.items():
        names = next((names for own, names in groups if own == rate), None)
        if names is None:
            groups.append((rate, names := []))
        own = (node for node in graph.nodes if node.weights_layer == layer and node.weights)
        names += dict.fromkeys(node.keras_name for node in own)
    optimizer = by_layer(optimizer_of, usual, groups) if groups else optimizer_of(usual)
    return keras.optimizers.LossScaleOptimizer(optimizer) if scaled else optimizer


def _loss_dtype(output: keras.KerasTensor) -> str:
    """Return the dtype of a loss of `output`; by default Keras takes the user's global `floatx`."""
    return "float64" if output.dtype == "float64" else "float32"


def _losses(training: Training, dtypes: Mapping[str, str]) -> dict[str, Any]:
    losses = losses_by_output(training, list(dtypes))
    return {
        name: _named("losses", "loss", _mapping(loss), dtype=dtypes[name])
        for name, loss in losses.items()
    }


def _loss_weights(training: Training, losses: Mapping[str, Any]) -> dict[str, float] | None:
    """Return a weight for each loss, as Keras requires; 1 where the recipe gives none."""
    weights = training.loss_weights
    return None if weights is None else {name: weights.get(name, 1.0) for name in losses}


def _metrics(
    training: Training, dtypes: Mapping[str, str], *, weighted: bool
) -> dict[str, list[Any]]:
    losses = losses_by_output(training, list(dtypes))
    by_output = metrics_by_output(training, list(dtypes), weighted=weighted)
    return {
        name: [_metric(metric, dtypes[name], losses.get(name)) for metric in metrics]
        for name, metrics in by_output.items()
        if metrics
    }


def _metric(value: str | Mapping[str, Any], dtype: str, loss: Any) -> Any:
    """Return a metric; the loss says what the output has: numbers, quantiles or a distribution."""
    if isinstance(value, str) and value.lower() == CHOSEN_BY_SHAPE:
        return value
    # By itself Keras counts the names over the whole process.
    own: dict[str, Any] = {"name": metric_name(value), "dtype": dtype}
    if reading("metric", value).targets == VALUES:
        of_loss = {"quantiles": quantiles_of(loss), "distribution": distribution_of(loss)}
        own |= {key: found for key, found in of_loss.items() if found is not None}
    metric, point = _named("metrics", "metric", _mapping(value), **own), point_of(loss)
    if point is not None and reading("metric", value).targets != VALUES:
        forecasting.measure_point(metric, point)
    return metric


def _mapping(value: str | Mapping[str, Any]) -> Mapping[str, Any]:
    return {"type": value} if isinstance(value, str) else value


def _named(module: str, family: str, value: Mapping[str, Any], **own: Any) -> Any:
    arguments = {**{key: each for key, each in value.items() if key != "type"}, **own}
    rate = arguments.get("learning_rate")
    if isinstance(rate, dict):
        arguments["learning_rate"] = _named("optimizers.schedules", "learning_rate_schedule", rate)
    name = named_class(family, value["type"])
    own_class = {"losses": forecasting.LOSSES, "metrics": forecasting.METRICS}.get(module, {})
    if name in own_class:
        return own_class[name](**arguments)
    place: Any = keras
    for part in module.split("."):
        place = getattr(place, part)
    return getattr(place, name)(**arguments)
