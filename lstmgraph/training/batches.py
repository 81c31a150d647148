"""Batches of examples, in an order that follows from the seed and the epoch alone."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from lstmgraph.metric_names import losses_by_output, metrics_by_output
from lstmgraph.training.examples import DataError

if TYPE_CHECKING:
    from lstmgraph.compiler import CompiledRecipe
    from lstmgraph.training.examples import Arrays, Examples


def epoch_order(rows: int, seed: int, epoch: int) -> np.ndarray:
    """The rows in the order of an epoch (from 0): the same on every machine, and in a new process.

    NumPy keeps ``PCG64`` and ``SeedSequence`` stable; ``permutation`` has not changed since 1.17.
    """
    bits = np.random.PCG64(np.random.SeedSequence([seed, epoch]))
    return np.random.Generator(bits).permutation(rows)


class Batches:
    """The batches of one epoch after another; `order` is set anew at the start of each.

    Args:
        examples: where the rows come from.
        recipe: says how many rows a batch has. A model that is built for one size of batch gets
            whole batches only; the rows of the last, shorter one are then left out.
        model: says which arrays it takes.

    Raises:
        DataError: what `examples` give does not fit the model.
    """

    def __init__(self, examples: Examples, recipe: CompiledRecipe, model: keras.Model) -> None:
        training = recipe.declaration.training
        assert training is not None
        self.examples = examples
        self.size = training.batch_size
        self.fixed = recipe.declaration.runtime.batch_size is not None
        self.order = np.arange(len(examples))
        self.error: Exception | None = None
        self._inputs = {name: (x.shape, x.dtype) for name, x in model.input.items()}
        self._time_major = {n for n, x in recipe.graph.inputs.items() if x.time_major}
        outputs = list(model.output)
        has_metrics = any(metrics_by_output(training, outputs).values())
        self.targets = list(losses_by_output(training, outputs))
        # With metrics Keras wants a target for every output, though it reads only some.
        self.unread = [n for n in outputs if has_metrics and n not in self.targets]
        metrics = metrics_by_output(training, outputs)
        self.targets += [n for n in self.unread if metrics.get(n)]
        self.unread = [n for n in self.unread if n not in self.targets]
        if not len(self):
            raise DataError(f"{len(examples)} rows do not fill one batch of {self.size}")
        self._check(self._rows(0))

    def __len__(self) -> int:
        """Batches in an epoch."""
        count = len(self.order) / self.size
        return math.floor(count) if self.fixed else math.ceil(count)

    def __getitem__(self, index: int) -> tuple[Any, ...]:
        """Inputs, targets and, where there are some, sample weights of a batch of this epoch.

        An error is kept in `error` too: TensorFlow raises it again as one of its own.
        """
        try:
            return self._batch(index)
        except Exception as error:
            self.error = error
            raise

    def _rows(self, index: int) -> tuple[Arrays, Arrays, np.ndarray | None]:
        return self.examples.batch(self.order[index * self.size : (index + 1) * self.size])

    def _batch(self, index: int) -> tuple[Any, ...]:
        given, targets, weights = self._rows(index)
        inputs = {name: _cast(given[name], dtype) for name, (_, dtype) in self._inputs.items()}
        wanted = {name: _for_loss(targets[name]) for name in self.targets}
        rows = min(self.size, len(self.order) - index * self.size)
        wanted |= {name: np.zeros(rows, "float32") for name in self.unread}
        if weights is None:
            return inputs, wanted
        return inputs, wanted, np.asarray(weights, "float32")

    def _check(self, batch: tuple[Arrays, Arrays, np.ndarray | None]) -> None:
        inputs, targets, _ = batch
        for name, (shape, dtype) in self._inputs.items():
            if name not in inputs:
                raise DataError(f"the data has no input '{name}'")
            array = inputs[name]
            if not _fits(array.shape, shape, int(name in self._time_major)):
                raise DataError(
                    f"the input '{name}' is {_shown(shape)} in the recipe, "
                    f"and {_shown((None, *array.shape[1:]))} in the data"
                )
            if np.dtype(array.dtype).kind not in ("iub" if "int" in dtype else "fiub"):
                raise DataError(f"the input '{name}' holds {dtype}, and the data {array.dtype}")
        for name in self.targets:
            if name not in targets:
                raise DataError(f"the data has no '{name}': that output is trained")

    def signature(self) -> tuple[list[tuple[Any, ...]], list[str]]:
        """Shapes and dtypes of the arrays of a batch, flat; sizes that may differ are None."""
        batch = self._batch(0)
        rows = self.size if self.fixed else None
        shapes: list[tuple[Any, ...]] = [shape for shape, _ in self._inputs.values()]
        shapes += [
            (rows, *(None for _ in y.shape[1:-1]), *y.shape[max(1, y.ndim - 1) :])
            for y in batch[1].values()
        ]
        shapes += [(rows,)] * (len(batch) - 2)
        return shapes, [array.dtype.name for array in _flat(batch)]


def feed(batches: Batches) -> Any:
    """What ``fit`` is given. TensorFlow's own pipeline costs less for each batch than Keras's.

    On a small model a ``PyDataset`` took 1.23 of the time of ``fit`` with arrays, this 1.01.
    """
    if keras.backend.backend() != "tensorflow":
        return _AsPyDataset(batches)
    import tensorflow as tf  # noqa: PLC0415 - other backends run without it

    shapes, dtypes = batches.signature()
    example = batches[0]
    names = [list(part) if isinstance(part, dict) else None for part in example]

    def read(index: Any) -> tuple[Any, ...]:
        flat = tf.numpy_function(lambda i: _flat(batches[int(i)]), [index], dtypes)
        for tensor, shape in zip(flat, shapes, strict=True):
            tensor.set_shape(shape)
        parts = iter(flat)
        return tuple(
            {name: next(parts) for name in group} if group else next(parts) for group in names
        )

    return tf.data.Dataset.range(len(batches)).map(read).prefetch(2)


class _AsPyDataset(keras.utils.PyDataset):  # type: ignore[misc]
    def __init__(self, batches: Batches) -> None:
        super().__init__()
        self.batches = batches

    def __len__(self) -> int:
        return len(self.batches)

    def __getitem__(self, index: int) -> tuple[Any, ...]:
        return self.batches[index]


def _flat(batch: tuple[Any, ...]) -> list[np.ndarray]:
    return [
        array for part in batch for array in (part.values() if isinstance(part, dict) else [part])
    ]


def _cast(array: np.ndarray, dtype: str) -> np.ndarray:
    """To the dtype of the input; NumPy has no bfloat16, so Keras casts to that itself."""
    return np.asarray(array, "float32" if dtype == "bfloat16" else dtype)


def _for_loss(array: np.ndarray) -> np.ndarray:
    return np.asarray(array, "float32") if array.dtype == np.float64 else np.asarray(array)


def _fits(found: tuple[int, ...], wanted: tuple[int | None, ...], batch_axis: int) -> bool:
    return len(found) == len(wanted) and all(
        axis == batch_axis or size is None or size == there
        for axis, (there, size) in enumerate(zip(found, wanted, strict=True))
    )


def _shown(shape: tuple[int | None, ...]) -> str:
    return f"({', '.join('any' if size is None else str(size) for size in shape)})"
