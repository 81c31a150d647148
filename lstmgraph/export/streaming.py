"""Step models in files: run for many steps, and compared with whole sequences."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from lstmgraph.data.vocabularies import prepared
from lstmgraph.export.check import compare, from_zero_states, predicted
from lstmgraph.export.job import ExportData
from lstmgraph.export.report import StreamCheck
from lstmgraph.export.samples import sample_batches
from lstmgraph.models.derived import Derived
from lstmgraph.models.stepping.beginning import Beginning
from lstmgraph.models.stepping.functions import time_axis

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import keras

    from lstmgraph.compiler.compile import CompiledRecipe
    from lstmgraph.compiler.derive import FurtherModel, StepPlan
    from lstmgraph.export.job import ExportJob, Run
    from lstmgraph.export.mistakes import ExportMistake
    from lstmgraph.export.samples import Arrays

STEPS = 1000
"""The steps of a check, where the number of steps is open."""
MOST_SEQUENCES = 4
"""How many batches of the data are compared."""
CALIBRATED_ROWS, CALIBRATED_STEPS, COMPARED_STEPS = 40, 25, 5
"""Examples of the data that are run, and of how many of their steps inputs and states are kept, to
show ranges and to be compared on, spread evenly."""


@dataclass(frozen=True)
class _Sequence:
    """A batch of whole sequences, and what the recipe's layers give for them."""

    kept: Arrays
    """The states before the first step, and what is the same at every step."""
    inputs: Arrays
    """By name, (batch, time, ...) or (time, batch, ...), and the lengths, (batch,)."""
    wanted: Arrays


class Streams:
    """The whole sequences of a recipe, for its step model."""

    def __init__(
        self,
        compiled: CompiledRecipe,
        further: FurtherModel,
        models: Mapping[str, keras.Model],
        data: ExportData | None,
    ) -> None:
        """Take the recipe, its step model, and data for its main model.

        Args:
            compiled: the recipe.
            further: its step model.
            models: Keras models with the same weights: ``main``, ``step``, and what there is of
                ``start`` and ``chunk``.
            data: the data of the main model; None for random sequences.
        """
        if further.plan is None:
            raise ValueError(f"{further.name} is no step model")
        self.compiled = compiled
        self.plan: StepPlan = further.plan
        self.models = models
        self.data = data
        own = (models["step"], further.states, None, models.get("start"), models.get("chunk"))
        self._begin = Beginning(Derived("step", *own, further.plan))
        self._found: dict[int, list[_Sequence]] = {}

    @property
    def of_model(self) -> bool:
        """Whether the recipe's own model runs the whole sequences."""
        return self._is_open or "chunk" not in self.models

    @property
    def _is_open(self) -> bool:
        return bool(self.plan.steps) and all(isinstance(size, str) for size in self._sizes)

    @property
    def _sizes(self) -> list[Any]:
        """The numbers of steps of the stepped inputs, in the recipe."""
        return [self.compiled.graph.inputs[name].spec.shape[1] for name in self.plan.steps]

    def obstacle(self) -> str:
        """Return why no sequence can be compared; empty where one can."""
        if self.plan.steps or "steps" in self.plan.outputs.values():
            return ""
        return "nothing says how many steps the recipe's model runs"

    def check(
        self, run: Run, rows: int, title: str, tolerance: float, *, on_average: bool
    ) -> tuple[StreamCheck, list[ExportMistake]]:
        """Run a file of the step model step by step, and compare it with whole sequences."""
        sequences = self._sequences(rows)
        found = [self._stepped(run, each) for each in sequences]
        steps = max(map(self._steps, sequences))
        graph = self.compiled.graph
        kept = {name: port for name, port in graph.outputs.items() if name in self._outputs}
        checks, mistakes = compare(
            replace(graph, outputs=kept),
            [each.wanted for each in sequences],
            found,
            f"{steps:,} steps of the {title}",
            tolerance,
            on_average=on_average,
        )
        of_data = self.data is not None
        return StreamCheck(steps, len(sequences), self.of_model, of_data, checks), mistakes

    @property
    def _outputs(self) -> dict[str, str]:
        return {name: kind for name, kind in self.plan.outputs.items() if kind != "start"}

    def _steps(self, sequence: _Sequence) -> int:
        for name in self.plan.steps:
            return int(sequence.inputs[name].shape[time_axis(self.plan.step.inputs[name])])
        return next(
            int(sequence.wanted[name].shape[1])
            for name, kind in self.plan.outputs.items()
            if kind == "steps"
        )

    def _feed(self, sequence: _Sequence, kept: Arrays, first: int, last: int) -> Arrays:
        """Return what the step model takes, or the chunk model for several steps."""
        fed = {name: kept[name] for name in kept if name in self.plan.step.inputs}
        for name in self.plan.steps:
            axis = time_axis(self.plan.step.inputs[name])
            fed[name] = np.take(sequence.inputs[name], range(first, last), axis)
        for name in self.plan.lengths:
            left = sequence.inputs[name].astype("int64") - first
            fed[name] = np.clip(left, 0, last - first).astype(sequence.inputs[name].dtype)
        return fed

    def _after(self, kept: Arrays, found: Mapping[str, Any]) -> Arrays:
        """Return `kept` with the states that a model gave."""
        return kept | {state.name: np.array(found[state.output]) for state in self.plan.states}

    def _stepped(self, run: Run, sequence: _Sequence) -> Arrays:
        outputs: dict[str, list[np.ndarray]] = {name: [] for name in self._outputs}
        kept = sequence.kept
        for step in range(self._steps(sequence)):
            found = run(self._feed(sequence, kept, step, step + 1))
            kept = self._after(kept, found)
            for name, values in outputs.items():
                values.append(np.array(found[name]))
        return {
            name: np.concatenate(values, 1) if self._outputs[name] == "steps" else values[-1]
            for name, values in outputs.items()
        }

    def _sequences(self, rows: int) -> list[_Sequence]:
        if rows not in self._found:
            self._found[rows] = list(self._made(rows))
        return self._found[rows]

    def _made(self, rows: int) -> Iterator[_Sequence]:
        if self.data is not None:
            for batch in islice(self.data.unseen(rows), MOST_SEQUENCES):
                yield self.of_batch(batch)
        elif self.of_model:
            sizes = {size: STEPS for size in self._sizes if isinstance(size, str)}
            samples = sample_batches(self.compiled.graph, batch_size=rows, given=sizes)
            for batch in self._chosen(list(samples)):
                yield self.of_batch(batch)
        else:
            graph = self.plan.chunk or self.plan.step
            sizes = {str(graph.inputs[name].spec.shape[1]): STEPS for name in self.plan.steps}
            for batch in self._chosen(list(sample_batches(graph, batch_size=rows, given=sizes))):
                yield self._of_chunk(batch, batch)

    def _chosen(self, batches: list[Arrays]) -> list[Arrays]:
        """Return a batch in which a single row has no padding, and if there are masks one more."""
        is_masked = any(node.mask for node in self.plan.step.nodes)
        return batches[:: len(batches) - 1] if is_masked else batches[:1]

    def of_batch(self, batch: Arrays) -> _Sequence:
        """Return sequences for a batch of the main model, repeated where they may go on."""
        rows = next(iter(batch.values())).shape[self._batch_axis(next(iter(batch)))]
        inputs = {name: batch[name] for name in (*self.plan.steps, *self.plan.lengths)}
        if self.data is not None and (self._is_open or not self.of_model):
            inputs = self._repeated(inputs)
        kept = self._begin({name: batch[name] for name in self._begin.inputs}, rows)[0]
        if not self.of_model:
            return self._of_chunk(kept, inputs)
        main = self.models["main"]
        with from_zero_states(main):
            wanted = predicted(main, {**batch, **inputs})
        return _Sequence(kept, inputs, wanted)

    def _batch_axis(self, name: str) -> int:
        return int(self.compiled.graph.inputs[name].time_major)

    def _of_chunk(self, kept: Arrays, inputs: Arrays) -> _Sequence:
        chunk = self.models["chunk"]
        fed = {**kept, **inputs}
        wanted = predicted(chunk, {name: fed[name] for name in chunk.input})
        return _Sequence(kept, inputs, wanted)

    def _repeated(self, inputs: Arrays) -> Arrays:
        """Return sequences that go on from the front until they are long; not with masks."""
        if any(node.mask for node in self.compiled.graph.nodes) or self.plan.lengths:
            return inputs
        longer = {}
        for name, array in inputs.items():
            axis = time_axis(self.plan.step.inputs[name])
            places = np.arange(max(STEPS, array.shape[axis])) % array.shape[axis]
            longer[name] = np.take(array, places, axis)
        return longer

    def step_data(self) -> ExportData | None:
        """Return the data of the step model: its inputs with the states that they meet."""
        data = self.data
        if data is None:
            return None

        def met(batches: Iterator[Arrays], rows: int | None, most: int) -> Iterator[Arrays]:
            sequence = self.of_batch(next(batches))
            count = self._steps(sequence)
            kept, at = sequence.kept, 0
            several = self.models.get("chunk")
            for step in sorted({*np.linspace(0, count - 1, min(most, count)).astype(int).tolist()}):
                while at < step:
                    to = step if several else at + 1
                    fed = self._feed(sequence, kept, at, to)
                    kept = self._after(kept, predicted(several or self.models["step"], fed))
                    at = to
                yield from self._parted(self._feed(sequence, kept, step, step + 1), rows)

        return ExportData(
            ranges=lambda rows: met(data.ranges(CALIBRATED_ROWS), rows, CALIBRATED_STEPS),
            unseen=lambda rows: met(data.unseen(CALIBRATED_ROWS), rows, COMPARED_STEPS),
            part=None,
            measure=lambda _run, _rows: [],
        )

    def _parted(self, fed: Arrays, rows: int | None) -> Iterator[Arrays]:
        """Yield a batch in parts of so many rows."""
        axes = {name: int(self.plan.step.inputs[name].time_major) for name in fed}
        count = min(array.shape[axes[name]] for name, array in fed.items())
        size = rows or count
        for first in range(0, count - size + 1, size):
            places = range(first, first + size)
            yield {name: np.take(array, places, axes[name]) for name, array in fed.items()}


def stream_check(
    job: ExportJob, run: Run, title: str, streams: Streams, tolerance: float
) -> tuple[StreamCheck | None, str, list[ExportMistake]]:
    """Return the check of a step model's file, or why there is none, and the mistakes."""
    obstacle = streams.obstacle()
    if obstacle:
        return None, obstacle, []
    rows = job.rows or job.graph.batch_size or 1
    check, mistakes = streams.check(
        lambda batch: run(prepared(batch, job.makers)),
        rows,
        title,
        tolerance,
        on_average=job.options.quantize is not None,
    )
    return check, "", mistakes
