"""``training:`` -> ``model.compile``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras

from lstmgraph.catalogue import named_class
from lstmgraph.metric_names import losses_by_output, metric_name, metrics_by_output

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lstmgraph.recipe import RecipeDeclaration, Training


def compile_model(model: keras.Model, recipe: RecipeDeclaration) -> None:
    """Compile `model` as the recipe says; losses and metrics are given for each output by name."""
    training = recipe.training
    if training is None:
        if recipe.runtime.xla != "auto":  # `predict` runs without a loss
            model.jit_compile = recipe.runtime.xla
        return
    losses = _losses(training, list(model.output))
    policies = {layer.dtype_policy for layer in recipe.layers.values()}
    model.compile(
        optimizer=_optimizer(training, scales_loss="mixed_float16" in policies),
        loss=losses,
        loss_weights=_loss_weights(training, losses),
        # With metrics, even none, Keras wants targets for the outputs without a loss too.
        metrics=_metrics(training, list(model.output)) or None,
        jit_compile=recipe.runtime.xla,
    )


def _optimizer(training: Training, *, scales_loss: bool) -> keras.Optimizer:
    optimizer: keras.Optimizer = _named("optimizers", "optimizer", training.optimizer)
    # Keras scales the loss by itself only under a global policy, which is never set here.
    return keras.optimizers.LossScaleOptimizer(optimizer) if scales_loss else optimizer


def _losses(training: Training, names: list[str]) -> dict[str, Any]:
    losses = losses_by_output(training, names)
    return {name: _string_or_object("losses", "loss", loss) for name, loss in losses.items()}


def _loss_weights(training: Training, losses: Mapping[str, Any]) -> dict[str, float] | None:
    """A weight for each loss, as Keras wants; 1 where the recipe names none."""
    weights = training.loss_weights
    return None if weights is None else {name: weights.get(name, 1.0) for name in losses}


def _metrics(training: Training, names: list[str]) -> dict[str, list[Any]]:
    return {
        name: [_metric(metric) for metric in metrics]
        for name, metrics in metrics_by_output(training, names).items()
        if metrics
    }


def _metric(metric: str | Mapping[str, Any]) -> Any:
    if isinstance(metric, str):
        return metric
    return _named("metrics", "metric", {**metric, "name": metric_name(metric)})


def _string_or_object(module: str, family: str, value: str | Mapping[str, Any]) -> Any:
    return value if isinstance(value, str) else _named(module, family, value)


def _named(module: str, family: str, value: Mapping[str, Any]) -> Any:
    arguments = {key: argument for key, argument in value.items() if key != "type"}
    rate = arguments.get("learning_rate")
    if isinstance(rate, dict):
        arguments["learning_rate"] = _named("optimizers.schedules", "learning_rate_schedule", rate)
    place: Any = keras
    for part in module.split("."):
        place = getattr(place, part)
    return getattr(place, named_class(family, value["type"]))(**arguments)
