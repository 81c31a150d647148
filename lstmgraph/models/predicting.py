"""`predict` compiled for few lengths: rows of other lengths are padded, and outputs cut back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from lstmgraph.compiler.checks.buckets import LENGTHS, Axis, bucketed_axes
from lstmgraph.compiler.checks.data_needs import data_needs
from lstmgraph.data.lengths import check_lengths

if TYPE_CHECKING:
    from collections.abc import Callable

    from lstmgraph.compiler.compile import CompiledRecipe
    from lstmgraph.compiler.graph import Graph

FEWEST = 8
"""Shorter rows are padded to so many steps."""


def padded_steps(steps: int) -> int:
    """Return to how many steps rows are padded: 8, 12, 16, 24, 32, 48 and so on, two a doubling."""
    whole = max(FEWEST, 1 << (steps - 1).bit_length())
    return whole * 3 // 4 if whole > FEWEST and steps <= whole * 3 // 4 else whole


def pad_predict(model: keras.Model, compiled: CompiledRecipe, graph: Graph) -> None:
    """Have `predict` run on few lengths where each is compiled and padding changes no number.

    So it is for open numbers of steps whose padding every layer leaves out (``bucketed_axes``).
    """
    runtime = compiled.declaration.runtime
    if keras.backend.backend() != "tensorflow":  # on JAX it was never run
        return
    if not model.jit_compile or runtime.strategy == "mirrored" or model.steps_per_execution > 1:
        return
    recipe = replace(compiled.declaration, training=None, data=None)
    needs = data_needs(recipe, graph)
    major = {name for name, need in needs.inputs.items() if need.time_major}
    axes = tuple(
        axis
        for axis in bucketed_axes(needs, graph).values()
        if isinstance(axis, Axis) and not major.intersection(axis.inputs)
    )
    if axes:
        model.make_predict_function()
        model.predict_function = PaddedPredict(model.predict_function, axes)


class PaddedPredict:
    """Takes the place of Keras's ``predict_function``, on TensorFlow and JAX."""

    def __init__(self, function: Callable[..., Any], axes: tuple[Axis, ...]) -> None:
        self.function, self.axes = function, axes
        self.shapes: set[Any] = set()
        """The shapes of batches that have run, each of which was compiled."""
        self.fills = {
            counter.name: counter.value
            for axis in axes
            for counter in axis.counters
            if counter.kind != LENGTHS
        }

    def __call__(self, *given: Any) -> Any:
        """Run on the next batch: of a list or, behind the state, of JAX's iterator.

        Raises:
            ValueError: a length is more than the steps of its batch.
        """
        *state, batches = given
        batch = next(iter(batches))
        x, *_ = keras.utils.unpack_x_y_sample_weight(batch)
        if not isinstance(x, Mapping):
            return self.function(*state, iter([batch]) if state else [batch])
        x = {name: np.asarray(value) for name, value in x.items()}
        steps = {axis: self._steps(axis, x) for axis in self.axes}
        for axis, size in steps.items():
            for name in axis.inputs:
                x[name] = _padded(x[name], padded_steps(size), self.fills.get(name, 0.0))
        self.shapes.add(tuple(sorted((name, value.shape) for name, value in x.items())))
        found = self.function(*state, iter([(x,)]) if state else [(x,)])
        outputs, *rest = found if state else (found,)
        outputs = dict(outputs)
        for axis, size in steps.items():
            outputs |= {name: outputs[name][:, :size] for name in axis.targets}
        return (outputs, *rest) if state else outputs

    def _steps(self, axis: Axis, x: Mapping[str, np.ndarray[Any, Any]]) -> int:
        """Return the steps of a batch, after checking its lengths against them."""
        steps: int = max(x[name].shape[1] for name in axis.inputs)
        for counter in axis.counters:
            if counter.kind == LENGTHS:
                check_lengths(counter.name, x[counter.name], steps)
        return steps


def _padded(values: np.ndarray[Any, Any], steps: int, fill: float) -> np.ndarray[Any, Any]:
    missing = steps - values.shape[1]
    pairs = [(0, 0), (0, missing), *[(0, 0)] * (values.ndim - 2)]
    return np.pad(values, pairs, constant_values=np.asarray(fill).astype(values.dtype))
