"""Compiling of a model as its file says, with Keras's own optimizers, losses and metrics only.

A Keras configuration can name any of Keras's classes and functions. Those that load files or run
code are refused here.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import keras

from lstmgraph.models.building.counted_steps import count_steps, weigh_batches
from lstmgraph.models.building.learning_rates import have_rate
from lstmgraph.models.building.scaled_losses import scale_by_rows, scale_losses

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lstmgraph.language.declaration.data import DataDeclaration

MODULES = frozenset(
    {"builtins", "keras", "keras.losses", "keras.metrics", "keras.optimizers"}
    | {"keras.optimizers.legacy", "keras.optimizers.schedules"}
)
"""``builtins`` is for Keras's functions by name, ``keras`` for dtype policies."""
SIZES = ("num_classes", "num_thresholds")
"""Arguments of metrics that allocate so many numbers, or their square."""
MOST = 10_000
NAMES = re.compile(r"[\w/^$|()-]{0,10000}")
"""What may be in the pattern of an optimizer's layers, beside two ``.*``; others can take for ever
to match."""


def compile_as(model: keras.Model, config: object, data: DataDeclaration | None = None) -> None:
    """Compile `model` with the ``compile_config`` of a file, if it has one.

    Losses of distances are those of scaled numbers where `data`, the recipe's section, says so.

    Raises:
        ValueError: the configuration is damaged, or names a class that does not belong there or a
            custom object that is not registered with Keras in this process.
    """
    if not config:
        return
    if not isinstance(config, dict):
        raise ValueError("its compile_config is no mapping")
    for mapping in _mappings(config):
        _check(mapping)
    try:
        arguments = keras.saving.deserialize_keras_object(config)
        have_rate(arguments)
        scale_losses(arguments.get("loss"), data)
        count_steps([arguments.get(key) for key in ("loss", "metrics", "weighted_metrics")])
        model.compile(**arguments)
        weigh_batches(model)
        scale_by_rows(model, arguments.get("loss"), data)
        model.optimizer.build(model.trainable_variables)
    except MemoryError:
        raise
    except Exception as error:  # of many classes, for what is damaged
        raise ValueError(f"its compile_config: {' '.join(str(error).split())[:300]}") from None


def _mappings(value: object) -> Iterator[dict[str, Any]]:
    waiting = [value]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            yield value
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value


def _check_layers(config: object) -> None:
    patterns = config.get("optimizer_map") if isinstance(config, dict) else None
    for pattern in patterns if isinstance(patterns, dict) else ():
        if not NAMES.fullmatch(pattern.replace(".*", "", 2)):
            raise ValueError(f"its compile_config has an optimizer for layers {pattern[:80]}")


def _check(mapping: dict[str, Any]) -> None:
    for key in SIZES:
        size = mapping.get(key)
        if isinstance(size, int | float) and not size <= MOST:
            raise ValueError(f"its compile_config has a {key} of {size}; at most {MOST:,}")
    if "class_name" not in mapping:
        return
    if mapping["class_name"] == "OptimizerMap":
        _check_layers(mapping.get("config"))
    name, module = mapping["class_name"], mapping.get("module")
    registered = mapping.get("registered_name")
    if isinstance(registered, str) and keras.saving.get_registered_object(registered) is not None:
        return
    if not isinstance(name, str) or not isinstance(module, str) or module not in MODULES:
        raise ValueError(f"its compile_config names {str(name)[:80]} of {str(module)[:80]}")
