"""The streams of a Stepper: states, contexts, what they began with, and their positions."""

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
    """The streams of a Stepper. Nothing is changed by a call that raises.

    Args:
        plan: of the step model.
        kept: the names of its states, then of its contexts.
        rows: how many streams there are.
    """

    def __init__(self, plan: StepPlan, kept: Sequence[str], rows: int) -> None:
        self.rows = rows
        self.position: np.ndarray = np.zeros(rows, "int64")
        """Steps that each row has taken, (rows,)."""
        self._specs = {name: plan.step.inputs[name].spec for name in kept}
        self._now: list[Any] | None = None
        """As tensors, in the order of `kept`; None before the first `begin`."""
        self._first: Arrays = {}
        """The same, as each row began."""

    @property
    def begun(self) -> bool:
        """Return whether there are any streams."""
        return self._now is not None

    @property
    def tensors(self) -> list[Any]:
        """Return states, then contexts, on the device: a step replaces them in place.

        Raises:
            ValueError: the streams have not begun.
        """
        if self._now is None:
            raise ValueError("the streams have not begun")
        return self._now

    def arrays(self) -> Arrays:
        """Return states and contexts by name, as arrays that may be written to."""
        pairs = zip(self._specs, self.tensors, strict=True)
        return {name: np.array(to_array(tensor)) for name, tensor in pairs}

    def put(self, now: Arrays) -> None:
        """Take `now` as the states and contexts."""
        # A copy: on a CPU a tensor may lie in the very memory of its array.
        self._now = [to_tensor(now[name].copy()) for name in self._specs]

    def begin(self, kept: Arrays, which: np.ndarray) -> None:
        """Begin the rows `which` with `kept`.

        Raises:
            ValueError: a context has another size than in the other rows.
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
                    f"'{name}' has the shape {array.shape[1:]} in the new rows and "
                    f"{now[name].shape[1:]} in the others: pad what they begin with alike"
                )
            now[name][which] = first[name][which] = array
        self.put(now)
        self._first = first
        self.position[which] = 0

    def reset(self, which: np.ndarray) -> None:
        """Begin the rows `which` again."""
        now = self.arrays()
        for name, array in now.items():
            array[which] = self._first[name][which]
        self.put(now)
        self.position[which] = 0

    def in_file(self) -> Arrays:
        """Return all that a state file holds."""
        found = {f"now.{name}": array for name, array in self.arrays().items()}
        found |= {f"first.{name}": array for name, array in self._first.items()}
        return {**found, POSITION: self.position}

    def specs_in_file(self) -> dict[str, TensorSpec]:
        """Return what each array of `in_file` must be; sizes of contexts may differ by file.

        Contexts have as many steps as what they were made from, the same in all that name the
        size alike; the other axes are those of the model.
        """
        found = {
            f"{part}.{name}": TensorSpec((self.rows, *spec.shape[1:]), spec.dtype)
            for part in ("now", "first")
            for name, spec in self._specs.items()
        }
        return {**found, POSITION: TensorSpec((self.rows,), "int64")}

    def take(self, found: Arrays) -> None:
        """Continue with the arrays of a file, which are known to fit."""
        self.put({name: found[f"now.{name}"] for name in self._specs})
        self._first = {name: found[f"first.{name}"] for name in self._specs}
        self.position = found[POSITION]
