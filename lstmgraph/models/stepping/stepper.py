"""``Stepper``: many independent streams in one batch, run as their steps come."""

from __future__ import annotations

from collections.abc import Mapping
from functools import wraps
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING, Any, Concatenate, NoReturn, ParamSpec, TypeVar

import numpy as np

from lstmgraph.data.lengths import check_lengths, whole_number
from lstmgraph.models.derived import copy_weights
from lstmgraph.models.stepping.arrays import Arrays, as_array, chosen_rows, named
from lstmgraph.models.stepping.beginning import Beginning
from lstmgraph.models.stepping.compiled import chosen_xla, to_array, to_tensor
from lstmgraph.models.stepping.functions import compiled_function, names_of, step_shape, time_axis
from lstmgraph.models.stepping.source import plan_of, step_models
from lstmgraph.models.stepping.state_file import describe, read_streams, write_streams
from lstmgraph.models.stepping.streams import Streams

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import keras

    from lstmgraph.compiler.derive import StepPlan
    from lstmgraph.compiler.load import HasCompiled
    from lstmgraph.models.stepping.source import Source

P = ParamSpec("P")
R = TypeVar("R")


def _locked(
    method: Callable[Concatenate[Stepper, P], R],
) -> Callable[Concatenate[Stepper, P], R]:
    """Return `method` so that no other thread reads or changes the streams meanwhile."""

    @wraps(method)
    def call(self: Stepper, /, *args: P.args, **kwargs: P.kwargs) -> R:
        with self.lock:
            return method(self, *args, **kwargs)

    return call


class Stepper:
    """Runs a model on streams: one row of the batch is one stream, and no row knows of another.

    The states stay on the device between steps. Threads may share it: each call runs by itself, one
    after the other, `generate` too. It is neither copied nor pickled.

    Args:
        source: a ``.keras`` file that holds its recipe; a model, with its `recipe`; or what
            ``recipe.derive("step")`` gives, whose weights are then the very same objects. Those of
            a model or a file are copied: `update` copies them anew.
        recipe: of a model, or of a file without one in it.
        rows: streams in the batch; the recipe's ``batch_size``, or 1, where it is None.
        xla: whether a step is compiled with XLA; where it is None, on a CPU it is.

    Raises:
        RecipeError: the recipe cannot run step by step (L834: the node and the reason), or the file
            holds none.
        ValueError: the model is not one of the recipe, or `rows` is not its ``batch_size``.
    """

    def __init__(
        self,
        source: Source,
        recipe: HasCompiled | None = None,
        *,
        rows: int | None = None,
        xla: bool | None = None,
    ) -> None:
        self.derived = step_models(source, recipe)
        """The models that it runs."""
        self.plan = plan_of(self.derived)
        """Which inputs bring steps, and what each state begins with."""
        self.rows = _rows(self.plan.step.batch_size, rows)
        """Streams in the batch."""
        self._names = names_of(self.plan)
        self._xla = chosen_xla(xla)
        self.functions: dict[Any, Callable[..., Sequence[Any]]] = {}
        """What is compiled so far, by what it does."""
        self._beginning = Beginning(self.derived)
        self._streams = Streams(self.plan, self._beginning.kept, self.rows)
        self.lock = RLock()
        """Held while the streams are read or changed."""
        if not self._beginning.inputs:
            self.start()

    def __reduce_ex__(self, _protocol: object) -> NoReturn:
        """Refuse to be copied or pickled: the copy would share tensors that change in place."""
        raise TypeError(
            "a Stepper is not copied or pickled: make another one of the same source, and hand the "
            "streams over with save_state() and restore_state()"
        )

    @property
    @_locked
    def position(self) -> np.ndarray:
        """Return the steps that each row has taken, padded ones too, shape (rows,): a copy."""
        return self._streams.position.copy()

    @property
    def start_inputs(self) -> tuple[str, ...]:
        """Return what `start` must be given; empty where streams begin by themselves."""
        return tuple(self._beginning.inputs)

    @_locked
    def start(self, given: Any = None, *, rows: Any = None) -> Arrays:
        """Begin streams: compute their states from the recipe's initial sources.

        Args:
            given: arrays by name, those of `start_inputs`, of as many rows as begin.
            rows: which rows begin: a number, several, a slice, or true and false; all, where None.

        Returns:
            The recipe's outputs that are known before the first step.

        Raises:
            ValueError: an input is missing, unknown, or has another shape or dtype.
        """
        which = chosen_rows(rows, self.rows)
        kept, outputs = self._beginning(given, len(which))
        self._streams.begin(kept, which)
        return outputs

    @_locked
    def beginning(self, given: Any = None, *, rows: int | None = None) -> Arrays:
        """Return states and contexts by name, as `start` would make them; no stream changes.

        Args:
            given: what `start` takes; where it is None, the streams as they are now, or as they
                begin by themselves, where `rows` is another number than theirs.
            rows: how many there are.

        Raises:
            ValueError: as `start` does.
        """
        if given is None and self._streams.begun and rows in {None, self.rows}:
            return self._streams.arrays()
        return self._beginning(given, rows or self.rows)[0]

    @_locked
    def reset(self, rows: Any = None) -> None:
        """Begin all streams again, as `start` left them, or only `rows`, such as ``[0, 3]``.

        Raises:
            ValueError: there are no such rows, or nothing has been started.
        """
        self._tensors()
        self._streams.reset(chosen_rows(rows, self.rows))

    @_locked
    def step(self, x: Any, *, active: Any = None) -> Arrays:
        """Run one step of every stream.

        Args:
            x: by name, an array (rows, ...) for each input that brings steps, without the time
                axis; a single one needs no name. Where the recipe reads lengths, 1 for the rows
                whose step counts and 0 for padding; 1 for all where they are left out.
            active: (rows,) of bool: the others keep their states, and what they give is of no use.

        Returns:
            The recipe's outputs by name, without a time axis.

        Raises:
            ValueError: an input is missing, unknown, or has another shape or dtype; or the streams
                have not begun.
        """
        tensors = self._inputs(self._named(x), None)
        outputs = self._run(tensors, active, chunk=False)
        self._count(active, 1)
        return {name: to_array(y) for name, y in zip(self._names.outputs, outputs, strict=True)}

    @_locked
    def run(self, chunk: Any, *, active: Any = None) -> Arrays:
        """Any number of steps of every stream; the outputs are those of one step after the other.

        Args:
            chunk: by name, arrays (rows, steps, ...), as the whole sequences in training; lengths
                say how many steps of this chunk count.
            active: as in `step`.

        Returns:
            The recipe's outputs by name: (rows, steps, ...), or (rows, ...) where only the newest
            counts.

        Raises:
            ValueError: as `step` does.
        """
        given = self._named(chunk)
        first = self.plan.steps[0]
        shape = np.shape(given[first])
        axis = time_axis(self.plan.step.inputs[first])
        steps = shape[axis] if len(shape) > axis else 0
        if not steps:
            raise ValueError(f"{first} has shape {shape}: there are no steps in it")
        tensors = self._inputs(given, steps)
        if self.derived.chunk is None:  # unrolled: of a fixed number of steps
            found = [self.step(x, active=active) for x in _each_step(self.plan, given, steps)]
            return _joined(self.plan, found)
        outputs = self._run(tensors, active, chunk=True)
        self._count(active, steps)
        return {name: to_array(y) for name, y in zip(self._names.outputs, outputs, strict=True)}

    @property
    @_locked
    def state(self) -> Arrays:
        """Return copies of the states by name, each (rows, units); they may be put back."""
        self._tensors()
        now = self._streams.arrays()
        return {name: now[name] for name in self._names.states}

    @state.setter
    @_locked
    def state(self, states: Mapping[str, Any]) -> None:
        self._tensors()
        now = self._streams.arrays()
        given = named(states, self._names.states, "state")
        for name in self._names.states:
            now[name] = as_array(given[name], now[name].shape, str(now[name].dtype), name)
        self._streams.put(now)

    @_locked
    def save_state(self, path: str | Path) -> None:
        """Write all streams, and `position`, to an ``.npz`` file, whole or not at all.

        Raises:
            ValueError: no stream has begun.
            OSError: the file cannot be written.
        """
        self._tensors()
        write_streams(Path(path), self._streams.in_file(), describe(self.derived))

    @_locked
    def restore_state(self, path: str | Path) -> None:
        """Go on with the streams of a file of `save_state`.

        Raises:
            StateFileError: a ValueError; the file is none, or not whole, or of another model, of
                other weights, sizes or dtypes, or another number of rows. Nothing is changed then.
            OSError: it cannot be read, or is a pipe or a device.
        """
        specs = self._streams.specs_in_file()
        self._streams.take(read_streams(Path(path), specs, describe(self.derived)))

    @_locked
    def update(self, model: keras.Model) -> None:
        """Copy the weights of `model`, of the same recipe, by the names of its layers.

        States stay as they are. Every Stepper made of the same derived models has the new weights;
        a step that another one of them runs meanwhile may compute with some of the old ones.

        Raises:
            ValueError: a layer is missing, or has weights of other shapes; nothing is changed then.
        """
        start = [] if self.derived.start is None else [self.derived.start]
        copy_weights(model, self.derived.model, *start)

    def _named(self, given: Any) -> Mapping[str, Any]:
        """Return inputs by name, each of them known; lengths may be left out."""
        left_out = [
            n for n in self.plan.lengths if not isinstance(given, Mapping) or n not in given
        ]
        return named(given, [n for n in self._names.inputs if n not in left_out], "a step")

    def _inputs(self, given: Mapping[str, Any], steps: int | None) -> list[Any]:
        """Return tensors in the order of the functions; of one step, where `steps` is None."""
        inputs, found = self.plan.step.inputs, []
        for name in self.plan.steps:
            shape = step_shape(inputs[name], self.rows, steps)
            found.append(to_tensor(as_array(given[name], shape, inputs[name].spec.dtype, name)))
        for name in self.plan.lengths:
            dtype = inputs[name].spec.dtype
            if name in given:
                lengths = as_array(given[name], (self.rows,), dtype, name)
                check_lengths(name, lengths, steps or 1)
            else:  # all steps count
                lengths = np.full(self.rows, steps or 1, dtype)
            found.append(to_tensor(lengths))
        return found

    def _run(self, tensors: list[Any], active: Any, *, chunk: bool) -> Sequence[Any]:
        now = self._tensors()
        if active is not None:
            tensors.append(to_tensor(as_array(active, (self.rows,), "bool", "active")))
        function = self._function(chunk=chunk, active=active is not None)
        found = function(*now, *tensors)
        count = len(self._names.outputs)
        now[: len(self._names.states)] = found[count:]
        return found[:count]

    def _function(self, *, chunk: bool, active: bool) -> Callable[..., Sequence[Any]]:
        key = (chunk, active)
        if key not in self.functions:
            self.functions[key] = compiled_function(
                self.derived, self.rows, chunk=chunk, active=active, xla=self._xla
            )
        return self.functions[key]

    def _count(self, active: Any, steps: int) -> None:
        if active is None:
            self._streams.position += steps
        else:
            self._streams.position += np.asarray(active, "int64") * steps

    def _tensors(self) -> list[Any]:
        """Return states, then contexts."""
        if not self._streams.begun:
            names = ", ".join(self.start_inputs)
            raise ValueError(f"the streams have not begun: call start() first, with {names}")
        return self._streams.tensors

    def __repr__(self) -> str:
        return f"<Stepper of {self.derived.model.name}, {self.rows} rows>"


def _rows(fixed: int | None, rows: int | None) -> int:
    if rows is not None:
        rows = whole_number("rows", rows, 1)
    if fixed is not None and rows not in {None, fixed}:
        raise ValueError(f"the recipe's batch_size is {fixed}; given: {rows} rows")
    return fixed or rows or 1


def _each_step(plan: StepPlan, given: Mapping[str, Any], steps: int) -> Iterator[Arrays]:
    """Yield what `Stepper.step` takes for each step of a chunk, for recipes that unroll theirs."""
    inputs = plan.step.inputs
    for step in range(steps):
        x = {name: np.take(given[name], step, time_axis(inputs[name])) for name in plan.steps}
        for name in plan.lengths:
            if name in given:
                counts = np.asarray(given[name]) > step
                x[name] = counts.astype(inputs[name].spec.dtype)
        yield x


def _joined(plan: StepPlan, outputs: Sequence[Arrays]) -> Arrays:
    """Return the outputs of a chunk from those of its steps."""
    return {
        name: np.stack([each[name] for each in outputs], 1)
        if plan.outputs[name] == "steps"
        else newest
        for name, newest in outputs[-1].items()
    }
