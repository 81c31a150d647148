"""The states and contexts that streams begin with: zeros, or what the initial sources give."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lstmgraph.compiler.checks.data_needs import lengths_of
from lstmgraph.data.lengths import check_lengths
from lstmgraph.models.stepping.arrays import Arrays, as_array, named, with_rows
from lstmgraph.models.stepping.compiled import compiled, to_array, to_tensor
from lstmgraph.models.stepping.functions import names_of
from lstmgraph.models.stepping.source import plan_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import keras

    from lstmgraph.compiler.graph import GraphInput
    from lstmgraph.keras_facts.tensors import TensorSpec
    from lstmgraph.models.derived import Derived


class Beginning:
    """Compute the states and contexts that rows begin with."""

    def __init__(self, derived: Derived) -> None:
        self.plan = plan_of(derived)
        self.model = derived.start
        self.inputs = _inputs(derived)
        """The arrays that a caller must give, by name; empty if streams can begin without."""
        self._compiled: Callable[..., Sequence[Any]] | None = None
        graphs = [graph for graph in (self.plan.start, self.plan.step) if graph]
        self._lengths = [
            (name, steps)
            for graph in graphs
            for name, sizes in lengths_of(graph).items()
            for steps in sizes
        ]
        names = names_of(self.plan)
        self.kept = (*names.states, *names.contexts)
        """The names of the states, then of the contexts, which stay the same for all steps."""

    def __call__(self, given: Any, rows: int) -> tuple[Arrays, Arrays]:
        """Return the initial states and contexts, and the outputs known before the first step.

        Args:
            given: the arrays of `inputs` by name, each with `rows` rows.
            rows: the number of streams that begin.

        Raises:
            ValueError: an input is missing, unknown, or of another shape or dtype.
        """
        values = named({} if given is None else given, tuple(self.inputs), "start")
        arrays = {
            name: as_array(values[name], _shape(tensor, rows), tensor.spec.dtype, name)
            for name, tensor in self.inputs.items()
        }
        self._check_sizes(arrays)
        computed = self._computed(arrays, rows)
        kept: Arrays = {}
        for state in self.plan.states:
            sizes = [size or 0 for size in state.spec.shape_without_batch]
            zeros = np.zeros((rows, *sizes), state.spec.dtype)
            kept[state.name] = computed.get(
                state.name, arrays.get(state.given or state.name, zeros)
            )
        known = {**arrays, **computed}
        kept |= {name: known[name] for name in self.kept if name not in kept}
        outputs = {
            name: computed[name]
            for name, kind in self.plan.outputs.items()
            if kind == "start" and name in computed
        }
        return kept, outputs

    def _check_sizes(self, arrays: Arrays) -> None:
        """Check that lengths are within their sequences, and that each named size has one value."""
        sizes: dict[str, int] = {}
        for name, tensor in self.inputs.items():
            shape = arrays[name].swapaxes(0, 1).shape if tensor.time_major else arrays[name].shape
            for dim, size in zip(tensor.spec.shape[1:], shape[1:], strict=True):
                if isinstance(dim, str) and sizes.setdefault(dim, size) != size:
                    raise ValueError(
                        f"'{dim}' is {size} in {name}, but {sizes[dim]} in another input: a name "
                        "in the recipe's shapes stands for one size"
                    )
        for name, steps in self._lengths:
            if name in arrays:
                known = sizes.get(steps) if isinstance(steps, str) else steps
                check_lengths(name, arrays[name], known)

    def _computed(self, arrays: Arrays, rows: int) -> Arrays:
        """Return what the start model computes from `arrays`."""
        if self.model is None:
            return {}
        feed = {name: arrays[name] for name in self.model.input if name != self.plan.rows}
        if self.plan.rows:
            feed[self.plan.rows] = np.zeros(rows, "int32")
        if self._compiled is None:
            self._compiled = _function(self.model)
        tensors = self._compiled(*(to_tensor(feed[name]) for name in self.model.input))
        pairs = zip(sorted(self.model.output), tensors, strict=True)
        return {name: np.asarray(to_array(tensor)) for name, tensor in pairs}


def _function(model: keras.Model) -> Callable[..., Sequence[Any]]:
    """Return `model` as a function of tensors by position; it returns outputs in order of name."""
    names = list(model.input)

    def start(*tensors: Any) -> list[Any]:
        outputs: Mapping[str, Any] = model(dict(zip(names, tensors, strict=True)))
        return [outputs[name] for name in sorted(outputs)]

    signature = [(tuple(tensor.shape), tensor.dtype) for tensor in model.input.values()]
    return compiled(start, signature, model, xla=False)


def _inputs(derived: Derived) -> dict[str, GraphInput]:
    """Return the inputs of the start model, and the states and contexts that a caller gives.

    Without weights for the start model, a caller gives its outputs in place of its inputs.
    """
    plan = plan_of(derived)
    inputs: dict[str, GraphInput] = {}
    if plan.start and derived.start:
        inputs |= {name: t for name, t in plan.start.inputs.items() if name != plan.rows}
    for context in plan.contexts:
        if (not context.started or not derived.start) and context.name in plan.step.inputs:
            inputs[context.name] = plan.step.inputs[context.name]
    for state in plan.states:
        if state.given or (state.started and not derived.start):
            inputs[state.given or state.name] = plan.step.inputs[state.name]
    return inputs


def _shape(tensor: GraphInput, rows: int) -> tuple[int | str | None, ...]:
    spec: TensorSpec = tensor.spec
    shape = with_rows(spec, rows)
    return (shape[1], shape[0], *shape[2:]) if tensor.time_major else shape
