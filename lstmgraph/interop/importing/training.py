"""The `training:` section of a recipe, from how a Keras model was compiled."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lstmgraph.interop.importing.arguments import NotSayableError, named
from lstmgraph.interop.importing.lifting import Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

UNSAVED = {"Huber": "delta", "CosineSimilarity": "axis"}
"""Losses and metrics of which Keras 3.15 does not save an argument."""
COMPILED = ("loss", "metrics", "weighted_metrics")
WITHOUT = "import it without its training: --no-training, or `training=False` in Python"


def training_section(
    config: Mapping[str, Any] | None, outputs: Mapping[str, str]
) -> tuple[dict[str, Any], list[Problem]]:
    """Return the section, {} for a model that was not compiled, and what it cannot hold.

    Args:
        config: the compile configuration.
        outputs: the model's outputs in its order: their names in the model, and in the recipe.
    """
    if not config or not config.get("optimizer"):
        return {}, []
    reading = _Reading(config, outputs)
    return reading.section(), reading.problems


def unsaved_arguments(config: Mapping[str, Any] | None) -> list[str]:
    """Return notes on arguments of losses and metrics that are not in a configuration."""
    found: dict[str, None] = {}
    waiting: list[Any] = [config.get(key) for key in COMPILED] if config else []
    while waiting:
        value = waiting.pop(0)
        if isinstance(value, list):
            waiting += value
        elif isinstance(value, dict):
            kind, own = value.get("class_name"), value.get("config")
            argument = UNSAVED.get(str(kind), "")
            if argument and isinstance(own, dict) and argument not in own:
                found[
                    f"Keras does not store `{argument}` of {kind}: if it was not the default, "
                    "write it into the recipe"
                ] = None
            waiting += value.values() if kind is None else ()
    return list(found)


class _Reading:
    def __init__(self, config: Mapping[str, Any], outputs: Mapping[str, str]) -> None:
        self.config = config
        self.outputs = outputs
        self.problems: list[Problem] = []

    def section(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        optimizer = self.tried(_optimizer, self.config["optimizer"])
        if optimizer is not None:
            found["optimizer"] = optimizer
        loss = self.by_output(self.config.get("loss"), _loss)
        if loss is not None:
            found["loss"] = loss
        weights = self.config.get("loss_weights")
        if isinstance(weights, list):
            weights = dict(zip(self.outputs.values(), weights, strict=False))
        if isinstance(weights, dict):
            found["loss_weights"] = {self.outputs.get(k, k): v for k, v in weights.items()}
        for key in ("metrics", "weighted_metrics"):
            metrics = self.metrics(self.config.get(key))
            if metrics:
                found[key] = metrics
        return found if "loss" in found else {}

    def tried(self, read: Callable[[Any], Any], value: Any) -> Any:
        try:
            return read(value)
        except NotSayableError as error:
            self.problems.append(Problem("", "M207", f"compiled with {error}", WITHOUT))
            return None

    def by_output(self, value: Any, read: Callable[[Any], Any]) -> Any:
        """Return one object for all outputs, or one for each."""
        if isinstance(value, dict) and "class_name" not in value:
            pairs = value.items()
        elif isinstance(value, list):
            pairs = dict(zip(self.outputs.values(), value, strict=False)).items()
        else:
            return self.tried(read, value) if value is not None else None
        found = {
            self.outputs.get(name, name): self.tried(read, each)
            for name, each in pairs
            if each is not None
        }
        return next(iter(found.values())) if len(self.outputs) == 1 and found else found or None

    def metrics(self, value: Any) -> Any:
        if value is None:
            return None
        if isinstance(value, dict) and "class_name" not in value:
            found = {
                self.outputs.get(name, name): self.listed(each) for name, each in value.items()
            }
            found = {name: each for name, each in found.items() if each}
            return next(iter(found.values())) if len(self.outputs) == 1 and found else found
        values = value if isinstance(value, list) else [value]
        if len(self.outputs) > 1 and values and all(isinstance(each, list) for each in values):
            pairs = zip(self.outputs.values(), values, strict=False)
            return {name: own for name, each in pairs if (own := self.listed(each))}
        if len(values) == 1 and isinstance(values[0], list):
            values = values[0]
        return self.listed(values)

    def listed(self, values: Any) -> list[Any]:
        values = values if isinstance(values, list) else [values]
        read = [self.tried(lambda each: named("metric", each), each) for each in values if each]
        return [each for each in read if each is not None]


def _optimizer(value: Any) -> Any:
    if isinstance(value, dict) and value.get("class_name") == "LossScaleOptimizer":
        value = value["config"]["inner_optimizer"]
    if isinstance(value, dict):
        config = dict(value.get("config") or {})
        rate = config.pop("learning_rate", None)
        schedule = isinstance(rate, dict)
        if not schedule and rate is not None:
            config["learning_rate"] = rate
        own = named("optimizer", {**value, "config": config})
        if schedule:
            own = {"type": own} if isinstance(own, str) else own
            own = {**own, "learning_rate": named("learning_rate_schedule", rate)}
        return own
    return named("optimizer", value)


def _loss(value: Any) -> Any:
    own = named("loss", value)
    if isinstance(own, dict):
        own.pop("reduction", None) if own.get("reduction") == "sum_over_batch_size" else None
        return own["type"] if list(own) == ["type"] else own
    return own
