"""Optimizers with learning rates of their own for some layers: Keras's ``MultiOptimizer``.

It is saved as such, so that Keras alone goes on with the same rates. What Keras 3.15.1
(``keras/src/optimizers/multi_optimizer.py``) leaves out is done here: it has no ``learning_rate``,
which callbacks read, log and lower.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


class _RatesByLayer(keras.optimizers.MultiOptimizer):  # type: ignore[misc]
    """Has the learning rate of the layers without one of their own; the others follow it."""

    @property
    def learning_rate(self) -> Any:
        """The learning rate of the layers without one of their own."""
        return self._optimizer_map.default_optimizer.learning_rate

    @learning_rate.setter
    def learning_rate(self, rate: float) -> None:
        """Set it, and change those of the other layers in the same proportion."""
        factor = float(rate) / float(keras.ops.convert_to_numpy(self.learning_rate))
        for optimizer in self.optimizers:
            own = float(keras.ops.convert_to_numpy(optimizer.learning_rate))
            optimizer.learning_rate = own * factor


# Keras saves a class by its name and module: this one as the class that it is made from.
_RatesByLayer.__name__ = "MultiOptimizer"
_RatesByLayer.__module__ = "keras.optimizers"


def by_layer(
    optimizer: Callable[[Any], keras.Optimizer], rate: Any, groups: Sequence[tuple[Any, list[str]]]
) -> keras.Optimizer:
    """Return an optimizer of all layers.

    Args:
        optimizer: returns an optimizer with a learning rate.
        rate: the learning rate of layers that are in no group.
        groups: other learning rates, each with the names of its Keras layers.
    """
    # A weight's path begins with the name of its layer.
    named = {f"({'|'.join(names)})/.*": optimizer(own) for own, names in groups}
    return _RatesByLayer(keras.optimizers.OptimizerMap(optimizer(rate), named))


def have_rate(compiled: Mapping[str, Any]) -> None:
    """Give the optimizer of a loaded configuration a learning rate, where Keras's has none."""
    optimizer = compiled.get("optimizer")
    optimizer = getattr(optimizer, "inner_optimizer", optimizer)
    if isinstance(optimizer, keras.optimizers.MultiOptimizer):
        optimizer.__class__ = _RatesByLayer
