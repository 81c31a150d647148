"""The streams of a Stepper: their states and contexts, now and at first, and their positions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lstmgraph.keras_facts.tensors import TensorSpec
from lstmgraph.models.stepping.arrays import Arrays, fits
from lstmgraph.models.stepping.compiled import to_array, to_tensor

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lstmgraph.compiler.derive import StepPlan

POSITION = "position"


class Streams:
    """The streams of a Stepper. A call that raises changes nothing.

    Args:
        plan: the plan of the step model.
        kept: the names of its states, then of its contexts.
        rows: the number of streams.
    """

    def __init__(self, plan: StepPlan, kept: Sequence[str], rows: int) -> None:
        self.rows = rows
        self.position: np.ndarray = np.zeros(rows, "int64")
        """The number of steps that each row has taken, (rows,)."""
        self._specs = {name: plan.step.inputs[name].spec for name in kept}
        self._now: list[Any] | None = None
        """The current tensors, in the order of `kept`; None before the first `begin`."""
        self._first: Arrays = {}
        """The arrays that each row began with, by name."""

    @property
    def begun(self) -> bool:
        """Return whether the streams have begun."""
        return self._now is not None

    @property
    def tensors(self) -> list[Any]:
        """Return the list of states, then contexts, on the device; a step changes this list.

        Raises:
            ValueError: the streams have not begun.
        """
        if self._now is None:
            raise ValueError("the streams have not begun")
        return self._now

    def arrays(self) -> Arrays:
        """Return the states and contexts by name, as copies that may be changed."""
        pairs = zip(self._specs, self.tensors, strict=True)
        return {name: np.array(to_array(tensor)) for name, tensor in pairs}

    def put(self, now: Arrays) -> None:
        """Set the states and contexts to `now`."""
        # A copy: on a CPU a tensor may share the memory of its array.
        self._now = [to_tensor(now[name].copy()) for name in self._specs]

    def begin(self, kept: Arrays, which: np.ndarray) -> None:
        """Begin the rows `which` with the states and contexts `kept`.

        Raises:
            ValueError: one has another shape than in the other rows.
        """
        anew = self._now is None or len(which) == self.rows
        if anew:
            now = {n: np.zeros((self.rows, *a.shape[1:]), a.dtype) for n, a in kept.items()}
        else:
            now = self.arrays()
        first = {name: array.copy() for name, array in (now if anew else self._first).items()}
        for name, array in kept.items():
            if not fits(array.shape[1:], now[name].shape[1:]):
                raise ValueError(
                    f"'{name}' has shape {array.shape[1:]} in the new rows, but "
                    f"{now[name].shape[1:]} in the others: pad the inputs of start() to one length"
                )
            now[name][which] = first[name][which] = array
        self.put(now)
        self._first = first
        self.position[which] = 0

    def reset(self, which: np.ndarray) -> None:
        """Set the rows `which` back to what they began with."""
        now = self.arrays()
        for name, array in now.items():
            array[which] = self._first[name][which]
        self.put(now)
        self.position[which] = 0

    def in_file(self) -> Arrays:
        """Return the arrays that a state file holds."""
        arrays = {f"now.{name}": array for name, array in self.arrays().items()}
        arrays |= {f"first.{name}": array for name, array in self._first.items()}
        return {**arrays, POSITION: self.position}

    def specs_in_file(self) -> dict[str, TensorSpec]:
        """Return the shape and dtype of each array of `in_file`.

        The number of steps in a context may differ from file to file: it is that of the sequence
        from which the context was computed, and the same wherever the recipe names the size alike.
        """
        specs = {
            f"{part}.{name}": TensorSpec((self.rows, *spec.shape[1:]), spec.dtype)
            for part in ("now", "first")
            for name, spec in self._specs.items()
        }
        return {**specs, POSITION: TensorSpec((self.rows,), "int64")}

    def take(self, arrays: Arrays) -> None:
        """Continue from the arrays of a file, which have been checked against `specs_in_file`."""
        self.put({name: arrays[f"now.{name}"] for name in self._specs})
        self._first = {name: arrays[f"first.{name}"] for name in self._specs}
        self.position = arrays[POSITION]
