"""What streams begin with: states and contexts, from zeros or from the recipe's initial sources."""

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
    """Computes the states and contexts that rows begin with."""

    def __init__(self, derived: Derived) -> None:
        self.plan = plan_of(derived)
        self.model = derived.start
        self.inputs = _inputs(derived)
        """What must be given, by name; empty where streams begin by themselves."""
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
        """What is computed: states, and contexts that hold for all steps."""

    def __call__(self, given: Any, rows: int) -> tuple[Arrays, Arrays]:
        """Return states and contexts of `rows` rows, and the outputs known before the first step.

        Raises:
            ValueError: an input is missing, unknown, or of another shape or dtype.
        """
        found = named({} if given is None else given, tuple(self.inputs), "start")
        arrays = {
            name: as_array(found[name], _shape(tensor, rows), tensor.spec.dtype, name)
            for name, tensor in self.inputs.items()
        }
        self._check_sizes(arrays)
        made = self._started(arrays, rows)
        kept: Arrays = {}
        for state in self.plan.states:
            units = state.spec.shape_without_batch[0] or 0
            zeros = np.zeros((rows, units), state.spec.dtype)
            kept[state.name] = made.get(state.name, arrays.get(state.given or state.name, zeros))
        known = {**arrays, **made}
        kept |= {name: known[name] for name in self.kept if name not in kept}
        outputs = {
            name: made[name]
            for name, kind in self.plan.outputs.items()
            if kind == "start" and name in made
        }
        return kept, outputs

    def _check_sizes(self, arrays: Arrays) -> None:
        """Refuse lengths beyond their sequences, and two sizes of one name."""
        sizes: dict[str, int] = {}
        for name, tensor in self.inputs.items():
            shape = arrays[name].swapaxes(0, 1).shape if tensor.time_major else arrays[name].shape
            for dim, size in zip(tensor.spec.shape[1:], shape[1:], strict=True):
                if isinstance(dim, str) and sizes.setdefault(dim, size) != size:
                    raise ValueError(
                        f"'{dim}' is {size} in {name} and {sizes[dim]} in another input: equal "
                        "names in the recipe's shapes mean equal sizes"
                    )
        for name, steps in self._lengths:
            if name in arrays:
                known = sizes.get(steps) if isinstance(steps, str) else steps
                check_lengths(name, arrays[name], known)

    def _started(self, arrays: Arrays, rows: int) -> Arrays:
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
    """Return `model` of tensors by position; its outputs come in the order of their names."""
    names = list(model.input)

    def start(*tensors: Any) -> list[Any]:
        outputs: Mapping[str, Any] = model(dict(zip(names, tensors, strict=True)))
        return [outputs[name] for name in sorted(outputs)]

    signature = [(tuple(tensor.shape), tensor.dtype) for tensor in model.input.values()]
    return compiled(start, signature, model, xla=False)


def _inputs(derived: Derived) -> dict[str, GraphInput]:
    """Return the inputs of the start model, and what the step model is given from outside.

    Where the weights of the start model are not there, its outputs themselves.
    """
    plan = plan_of(derived)
    found: dict[str, GraphInput] = {}
    if plan.start and derived.start:
        found |= {name: t for name, t in plan.start.inputs.items() if name != plan.rows}
    for context in plan.contexts:
        if (not context.started or not derived.start) and context.name in plan.step.inputs:
            found[context.name] = plan.step.inputs[context.name]
    for state in plan.states:
        if state.given or (state.started and not derived.start):
            found[state.given or state.name] = plan.step.inputs[state.name]
    return found


def _shape(tensor: GraphInput, rows: int) -> tuple[int | str | None, ...]:
    spec: TensorSpec = tensor.spec
    shape = with_rows(spec, rows)
    return (shape[1], shape[0], *shape[2:]) if tensor.time_major else shape
