"""The Stepper, which runs a batch of independent streams as their steps arrive."""

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
    """Return `method`, run while no other thread reads or changes the streams."""

    @wraps(method)
    def call(self: Stepper, /, *args: P.args, **kwargs: P.kwargs) -> R:
        with self.lock:
            return method(self, *args, **kwargs)

    return call


class Stepper:
    """Run a model on a batch of streams: each row is one stream, independent of the others.

    The states stay on the device between steps. Threads may share a Stepper: its calls, and those
    of `generate`, run one after the other. A Stepper cannot be copied or pickled.

    Args:
        source: a ``.keras`` file that holds its recipe; a model, with its `recipe`; or what
            ``recipe.derive("step")`` returns. The weights of a file or a model are copied
            (`update` copies them again); those of a derived model are shared.
        recipe: the recipe of a model, or of a file that does not hold one.
        rows: the number of streams; None for the recipe's ``batch_size``, or 1 without one.
        xla: whether to compile a step with XLA; None for yes on a CPU, no on a GPU.

    Raises:
        RecipeError: the recipe cannot run step by step (L834: the node and the reason), or the file
            holds no recipe.
        ValueError: the model is not the recipe's, or `rows` differs from its ``batch_size``.
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
        """The models that the Stepper runs."""
        self.plan = plan_of(self.derived)
        """Which inputs have a time axis, and what each state begins with."""
        self.rows = _rows(self.plan.step.batch_size, rows)
        """The number of streams."""
        self._names = names_of(self.plan)
        self._xla = chosen_xla(xla)
        self.functions: dict[Any, Callable[..., Sequence[Any]]] = {}
        """The functions compiled so far; the key says what each one does."""
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
        """Return the steps that each row has taken since it began, (rows,), padding included."""
        return self._streams.position.copy()

    @property
    def start_inputs(self) -> tuple[str, ...]:
        """Return the names of what `start` needs; empty where streams can begin without any."""
        return tuple(self._beginning.inputs)

    @_locked
    def start(self, given: Any = None, *, rows: Any = None) -> Arrays:
        """Begin streams: compute their states from the recipe's initial sources.

        Args:
            given: the arrays of `start_inputs` by name, with one row for each stream that begins.
            rows: the rows that begin: an index, several, a slice, or a boolean for each row; None
                for all.

        Returns:
            The recipe's outputs that are known before the first step, by name.

        Raises:
            ValueError: an input is missing, unknown, or has another shape or dtype.
        """
        which = chosen_rows(rows, self.rows)
        kept, outputs = self._beginning(given, len(which))
        self._streams.begin(kept, which)
        return outputs

    @_locked
    def beginning(self, given: Any = None, *, rows: int | None = None) -> Arrays:
        """Return the states and contexts that `start` would compute, by name; no stream changes.

        Args:
            given: what `start` takes. None returns the current streams if `rows` is their number or
                None, and otherwise the states that begin without inputs.
            rows: the number of streams.

        Raises:
            ValueError: as for `start`.
        """
        if given is None and self._streams.begun and rows in {None, self.rows}:
            return self._streams.arrays()
        return self._beginning(given, rows or self.rows)[0]

    @_locked
    def reset(self, rows: Any = None) -> None:
        """Set streams back to where `start` left them: all, or only `rows`, such as ``[0, 3]``.

        Raises:
            ValueError: a row does not exist, or the streams have not begun.
        """
        self._tensors()
        self._streams.reset(chosen_rows(rows, self.rows))

    @_locked
    def step(self, x: Any, *, active: Any = None) -> Arrays:
        """Run one step of every stream.

        Args:
            x: by name, an array (rows, ...) for each input with a time axis, without that axis; a
                single one needs no name. A lengths input is (rows,): 1 where the row's step counts,
                0 where it is padding, and 1 for all rows if left out.
            active: (rows,) of bool; rows of False keep their states, and their outputs are
                meaningless.

        Returns:
            The recipe's outputs by name, (rows, ...), without a time axis.

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
        """Run several steps of every stream, with the same result as one `step` after the other.

        Args:
            chunk: arrays by name, (rows, steps, ...), laid out like the sequences in training; a
                lengths input, (rows,), says how many steps of this chunk count.
            active: as for `step`.

        Returns:
            The recipe's outputs by name: (rows, steps, ...), or (rows, ...) for an output that has
            only its newest value.

        Raises:
            ValueError: as for `step`, or the chunk holds no steps.
        """
        given = self._named(chunk)
        if not self.plan.steps:
            raise ValueError("the recipe's loop reads no sequence: call step() for each step")
        first = self.plan.steps[0]
        shape = np.shape(given[first])
        axis = time_axis(self.plan.step.inputs[first])
        steps = shape[axis] if len(shape) > axis else 0
        if not steps:
            raise ValueError(f"{first} has shape {shape}: there are no steps in it")
        tensors = self._inputs(given, steps)
        if self.derived.chunk is None:  # of a fixed number of steps
            found = [self.step(x, active=active) for x in _each_step(self.plan, given, steps)]
            return _joined(self.plan, found)
        outputs = self._run(tensors, active, chunk=True)
        self._count(active, steps)
        return {name: to_array(y) for name, y in zip(self._names.outputs, outputs, strict=True)}

    @property
    @_locked
    def state(self) -> Arrays:
        """Return copies of the states by name, each (rows, units); assign to change the states."""
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
        """Write all streams and their `position` to an ``.npz`` file, whole or not at all.

        Raises:
            ValueError: the streams have not begun.
            OSError: the file cannot be written.
        """
        self._tensors()
        write_streams(Path(path), self._streams.in_file(), describe(self.derived))

    @_locked
    def restore_state(self, path: str | Path) -> None:
        """Continue with the streams of a file that `save_state` wrote.

        Raises:
            StateFileError: a ValueError: the file is not a state file, is damaged, or differs in
                its model, weights, sizes, dtypes or number of rows. The streams stay as they were.
            OSError: the file cannot be read, or is a pipe or a device.
        """
        specs = self._streams.specs_in_file()
        self._streams.take(read_streams(Path(path), specs, describe(self.derived)))

    @_locked
    def update(self, model: keras.Model) -> None:
        """Copy the weights of `model`, a model of the same recipe, layer by layer.

        States stay as they are. Every Stepper made of the same derived models has the new weights;
        a step that another one of them runs meanwhile may compute with some of the old ones.

        Raises:
            ValueError: a layer is missing, or its weights have other shapes; no weight is changed.
        """
        start = [] if self.derived.start is None else [self.derived.start]
        copy_weights(model, self.derived.model, *start)

    def _named(self, given: Any) -> Mapping[str, Any]:
        """Return the inputs of a step by name; lengths may be left out."""
        left_out = [
            n for n in self.plan.lengths if not isinstance(given, Mapping) or n not in given
        ]
        return named(given, [n for n in self._names.inputs if n not in left_out], "a step")

    def _inputs(self, given: Mapping[str, Any], steps: int | None) -> list[Any]:
        """Return tensors in the order that the functions take; `steps` is None for one step."""
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
        """Return the states, then the contexts.

        Raises:
            ValueError: the streams have not begun.
        """
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
