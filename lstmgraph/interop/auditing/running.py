"""Run a model on small random data, for numbers that show what the audit found."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from lstmgraph.interop.building import build, opened
from lstmgraph.interop.execution import flat_tensors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from lstmgraph.interop.auditing.finding import Finding
    from lstmgraph.interop.auditing.subject import Subject
    from lstmgraph.interop.keras_model import KerasModel

ROWS, STEPS, MORE, SHIFT = 3, 6, 3, 2
"""The sizes of the data, how many padded steps are added to see what they change, or moved."""
Arrays = list[Any]


def with_numbers(findings: Sequence[Finding], subject: Subject, source: Any) -> list[Finding]:
    """Return the findings, with numbers where the model's run shows them.

    Args:
        findings: what the rules found.
        subject: the model that they were found in.
        source: the file, which Keras opens in its safe mode, or the model in memory.
    """
    probes = _Probes(_opened(source, subject.model), subject)
    return [replace(each, number=probes.number(each)) for each in findings]


def _opened(source: Any, model: KerasModel) -> keras.Model:
    """Return the model in memory; a configuration gets random weights."""
    found = opened(source, model)
    return (build(model, {}) if found is None else found).model


class _Probes:
    """Runs of one model. Each gives a sentence with a number, or None where it cannot run."""

    def __init__(self, model: Any, subject: Subject) -> None:
        self.model = model
        self.subject = subject
        self.data = self._data()
        self.found: dict[str, str | None] = {}
        self.probes: dict[str, Callable[[], str | None]] = {
            **dict.fromkeys(("A101", "A102", "A103", "A104", "A105", "A111"), self.padding),
            **dict.fromkeys(("A106", "A121", "A126"), self.failure),
            "A107": self.padding,
            "A108": self.no_steps,
            "A123": self.batches,
            "A132": self.batches,
            "A145": self.training,
        }

    def number(self, finding: Finding) -> str | None:
        """Return what a run shows for a finding."""
        probe = self.probes.get(finding.code)
        if probe is None:
            return None
        if finding.code not in self.found:
            try:
                with self._kept():
                    self.found[finding.code] = probe()
            except Exception as error:
                line = next(iter(str(error).splitlines()), type(error).__name__)
                self.found[finding.code] = f"it fails: {line[:160]}"
        return self.found[finding.code]

    @contextmanager
    def _kept(self) -> Iterator[None]:
        """Put back what a run changes: carried states, and embeddings that a probe changed."""
        before = [(variable, np.array(variable)) for variable in self.model.variables]
        try:
            yield
        finally:
            for variable, value in before:
                variable.assign(value)

    def _data(self) -> Arrays:
        """Return random inputs, without padding: numbers above 0.5, ids from 1."""
        random = np.random.default_rng(0)
        data: Arrays = []
        for tensor in self.model.inputs:
            sizes = [n or (STEPS if axis == 1 else 4) for axis, n in enumerate(tensor.shape)]
            shape = (tensor.shape[0] or ROWS, *sizes[1:])
            if "int" in tensor.dtype:
                most = min([*self._vocabularies(tensor), 8])
                data.append(random.integers(1, max(2, most), shape).astype(tensor.dtype))
            elif tensor.dtype == "bool":
                data.append(np.ones(shape, bool))
            else:
                data.append(random.uniform(0.5, 1.5, shape).astype(tensor.dtype))
        return data

    def _vocabularies(self, tensor: Any) -> list[int]:
        name = tensor._keras_history.operation.name
        keys = [k for k in flat_tensors(self.subject.model.inputs) if k.layer == name]
        readers = [r for key in keys for r in self.subject.readers.get(((), key), ())]
        sizes = [reader.layer.config.get("input_dim") for reader in readers]
        return [size for size in sizes if isinstance(size, int)]

    def run(self, data: Arrays, *, training: bool = False) -> Arrays:
        """Return the outputs as a flat list of arrays."""
        structure = keras.tree.pack_sequence_as(
            self.model._inputs_struct,
            [keras.ops.convert_to_tensor(each) for each in data],
        )
        outputs = self.model(structure, training=training)
        return [np.array(keras.ops.cast(each, "float32")) for each in keras.tree.flatten(outputs)]

    def padding(self) -> str | None:
        """Pad wider on either side, and change what padded ids look up."""
        masked = [self._padded(each, right=True, steps=0) for each in self.data]
        open_axes = [len(t.shape) > 1 and t.shape[1] is None for t in self.model.inputs]
        best: tuple[float, str] = (0.0, "")
        for right in (True, False):
            if not any(open_axes):
                break
            wider = [
                self._padded(each, right=right, steps=MORE) if is_open else each
                for each, is_open in zip(masked, open_axes, strict=True)
            ]
            before, after = self.run(masked), self.run(wider)
            change = max(
                _difference(a, _cut(b, a.shape, right=right))
                for a, b in zip(before, after, strict=True)
            )
            side = "the end" if right else "the start"
            best = max(best, (change, f"{MORE} more padded steps at {side} change the outputs"))
        best = max(best, (self._garbage(masked), "other numbers in the padding change the outputs"))
        if not any(open_axes):
            text = f"{SHIFT} padded steps at the start instead of the end change the outputs"
            best = max(best, (self._moved(), text))
        return f"{best[1]} by up to {best[0]:.2g}" if best[0] else None

    def _moved(self) -> float:
        """Return the change of the outputs if padding is moved from the end to the start."""
        after = [each.copy() for each in self.data]
        sequences = [
            each.ndim > 2 or (each.ndim == 2 and "int" in str(each.dtype)) for each in after
        ]
        for each, is_sequence in zip(after, sequences, strict=True):
            if is_sequence:
                each[:, -SHIFT:] = 0
        before = [
            np.roll(each, SHIFT, 1) if is_sequence else each
            for each, is_sequence in zip(after, sequences, strict=True)
        ]
        return max(
            _difference(_counted(a), b[:, SHIFT:] if b.ndim > 2 else b)
            for a, b in zip(self.run(after), self.run(before), strict=True)
        )

    def _garbage(self, masked: Arrays) -> float:
        """Return the change of the outputs if embeddings of padding are other ones."""
        layers = [
            layer
            for layer in self.model.layers
            if isinstance(layer, keras.layers.Embedding) and layer.mask_zero
        ]
        if not layers:
            return 0.0
        padded = [each.copy() for each in masked]
        for each in padded:
            if each.ndim == 2 and "int" in str(each.dtype):
                each[:, -SHIFT:] = 0
        before = self.run(padded)
        for layer in layers:
            rows = np.array(layer.embeddings)
            rows[0] += 1
            layer.embeddings.assign(rows)
        after = self.run(padded)
        return max(
            _difference(_counted(a), _counted(b)) for a, b in zip(before, after, strict=True)
        )

    @staticmethod
    def _padded(array: Any, *, right: bool, steps: int) -> Any:
        if not steps or array.ndim < 2:
            return array
        sides = [(0, 0)] * array.ndim
        sides[1] = (0, steps) if right else (steps, 0)
        return np.pad(array, sides)

    def failure(self) -> str | None:
        """Run once, to see it fail."""
        self.run(self.data)
        return None

    def no_steps(self) -> str | None:
        """Run a row of padding."""
        data = [each.copy() for each in self.data]
        for each in data:
            if each.ndim > 1:
                each[0] = 0
        count = sum(int(np.isnan(each[:1]).any()) for each in self.run(data) if each.ndim)
        return f"{count} of {len(self.model.outputs)} outputs of a row of padding are NaN"

    def batches(self) -> str | None:
        """Run each row alone, and in a batch of as many rows as there are features."""
        if any(tensor.shape[0] is not None for tensor in self.model.inputs):
            return None
        sizes = sorted({n for t in self.model.inputs for n in t.shape[1:] if n and n > 1})
        best = 0.0
        for rows in sizes or [ROWS]:
            if rows > 64:
                continue
            data = [np.resize(each, (rows, *each.shape[1:])) for each in self.data]
            data = [
                each + np.arange(rows).reshape(-1, *[1] * (each.ndim - 1)).astype(each.dtype) * 0.1
                if "float" in str(each.dtype)
                else each
                for each in data
            ]
            together = self.run(data)
            alone = self.run([each[-1:] for each in data])
            best = max(
                best,
                *(_difference(a[-1:], b) for a, b in zip(together, alone, strict=True)),
            )
        return f"a row in a batch and the same row alone differ by up to {best:.2g}"

    def training(self) -> str | None:
        """Compare outputs in training and prediction."""
        apart = max(
            _difference(a, b)
            for a, b in zip(self.run(self.data, training=True), self.run(self.data), strict=True)
        )
        return f"outputs in training and in prediction differ by up to {apart:.2g}"


def _difference(first: Any, second: Any) -> float:
    if first.shape != second.shape:
        return float("inf")
    return float(np.max(np.abs(first - second), initial=0.0))


def _cut(array: Any, shape: Sequence[int], *, right: bool) -> Any:
    """Return the steps of `array` that `shape` has too; the first if the padding is at the end."""
    if array.ndim < 2 or array.shape == tuple(shape):
        return array
    steps = shape[1]
    return array[:, :steps] if right else array[:, -steps:]


def _counted(array: Any) -> Any:
    """Return the outputs of steps that count: the last ones of each sequence are padding."""
    return array[:, :-SHIFT] if array.ndim > 2 else array
