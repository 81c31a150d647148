"""Arrays of a ``tf.data.Dataset``, saved or in memory, read once and mapped from disk.

As arrays, its examples can be counted, checked, split and shuffled like any others.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import numpy as np

from lstmgraph.data.archives import from_pair
from lstmgraph.data.named import NamedArrays
from lstmgraph.data.ragged import Ragged
from lstmgraph.data.store import GrowingArray, mapped
from lstmgraph.data.table_files import report_unreadable
from lstmgraph.data.texts import CODE, TextArray, TextWriter, each_text, mapped_texts
from lstmgraph.files import read_regular_file
from lstmgraph.forks import refuse_after_fork

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lstmgraph.compiler.checks.data_needs import Needs
    from lstmgraph.data.problems import Problems
    from lstmgraph.data.values import Array


METADATA, METADATA_VERSION, MOST_METADATA = "snapshot.metadata", 2, 1 << 20
"""The file that says what a saved dataset holds, its version, and its largest size in bytes."""
ROWS = 64
"""How many examples that are not in batches are read at a time."""


def is_saved_dataset(path: Path) -> bool:
    """Return whether ``tf.data.Dataset.save`` wrote the folder."""
    return (path / "dataset_spec.pb").exists()


def is_dataset(value: Any) -> bool:
    """Return whether `value` is a ``tf.data.Dataset``, without importing TensorFlow."""
    parents = type(value).__mro__
    return any(p.__name__ == "DatasetV2" and p.__module__.startswith("tensorflow") for p in parents)


def load_saved(path: Path, problems: Problems) -> Any:
    """Return the saved dataset; None if it cannot be read, which is reported."""
    import tensorflow as tf  # noqa: PLC0415 - only for its own format

    refuse_after_fork()
    try:
        dataset = tf.data.Dataset.load(str(path))
        if not _fits_metadata(path, dataset.element_spec):
            problems.add(
                "D102", f"{METADATA} does not fit dataset_spec.pb", "the folder is damaged"
            )
            return None
    except Exception as error:  # protobuf and TensorFlow raise many kinds
        problems.add("D102", f"cannot be read: {_line(error)}", "the folder is damaged")
        return None
    return dataset


def _fits_metadata(path: Path, spec: Any) -> bool:
    """Return whether the dtypes in a saved dataset's metadata are those of its spec.

    TensorFlow 2.21 believes them unchecked, and ends the process on a damaged one.
    """
    import tensorflow as tf  # noqa: PLC0415 - only for its own format
    from tensorflow.core.protobuf import snapshot_pb2  # noqa: PLC0415

    content = read_regular_file(path / METADATA, MOST_METADATA)
    found = snapshot_pb2.SnapshotMetadataRecord.FromString(content)
    wanted = [  # ragged and sparse tensors are stored as variants
        (each.dtype if isinstance(each, tf.TensorSpec) else tf.variant).as_datatype_enum
        for each in tf.nest.flatten(spec)
    ]
    return found.version == METADATA_VERSION and list(found.dtype) == wanted


def arrays_of_dataset(
    dataset: Any, needs: Needs, folder: Path, problems: Problems
) -> NamedArrays | None:
    """Return the arrays of all examples of `dataset`, batched or not; None if one is reported."""
    import tensorflow as tf  # noqa: PLC0415 - only for its own format

    refuse_after_fork()
    if int(dataset.cardinality()) == tf.data.INFINITE_CARDINALITY:
        problems.add("D203", "the dataset repeats forever", "remove `.repeat()`")
        return None
    if _is_unbatched(dataset.element_spec, needs):
        dataset = dataset.ragged_batch(ROWS)
    spec, writers = dataset.element_spec, dict[tuple[str, str], _Writer]()
    try:
        with ExitStack() as stack:
            for values in dataset.as_numpy_iterator():
                element = tf.nest.map_structure(_of_spec, spec, values)
                pair = element if isinstance(element, tuple) else (element,)
                arrays = from_pair(pair, needs, problems)
                if arrays is None or problems.errors:
                    return None
                for key, array in _rows(arrays, needs):
                    if not array.ndim:
                        message = f"'{key[1]}' is a single number in a batch"
                        hint = "give one for each example, or do not batch the dataset"
                        problems.add("D203", message, hint)
                        return None
                    if key not in writers:
                        writers[key] = _Writer(folder / "-".join(key), array, stack)
                    if not writers[key].add(array, key[1], problems):
                        return None
    except (OSError, MemoryError) as error:
        report_unreadable(error, problems)
        return None
    except Exception as error:  # TensorFlow's own errors, and those of values that are not arrays
        problems.add(
            "D102",
            f"cannot be read: {_line(error)}",
            "the dataset, or a function mapped over it, fails",
        )
        return None
    return _named({key: writer.array() for key, writer in writers.items()})


def _is_unbatched(spec: Any, needs: Needs) -> bool:
    """Return whether the elements are single examples, by the rank of the inputs."""
    x = spec[0] if isinstance(spec, tuple) else spec
    x = x if isinstance(x, dict) else dict.fromkeys(needs.inputs, x)
    ranks = {name: getattr(getattr(x.get(name), "shape", None), "rank", None) for name in x}
    return any(ranks.get(n) == len(need.shape or ()) for n, need in needs.inputs.items())


def _of_spec(spec: Any, value: Any) -> Any:
    """Return the rows of a ragged tensor as a list, also where they happen to be of one length."""
    return list(value) if type(spec).__name__ == "RaggedTensorSpec" else value


def _rows(arrays: NamedArrays, needs: Needs) -> Iterator[tuple[tuple[str, str], Any]]:
    """Yield every array with the examples along its first axis."""
    single = any(
        array.ndim == len(needs.inputs[n].shape or ()) for n, array in arrays.inputs.items()
    )
    named = [(("input", name), array) for name, array in arrays.inputs.items()]
    named += [(("target", name), array) for name, array in arrays.targets.items()]
    named += [(("weight", name), array) for name, array in arrays.sample_weights.items()]
    for key, array in named:
        yield key, array[None] if single else array


def _named(arrays: dict[tuple[str, str], Any]) -> NamedArrays:
    return NamedArrays(
        {name: array for (role, name), array in arrays.items() if role == "input"},
        {name: array for (role, name), array in arrays.items() if role == "target"},
        {name: array for (role, name), array in arrays.items() if role == "weight"},
    )


class _Writer:
    """One tensor of all examples, appended batch by batch, whose steps may differ in number."""

    def __init__(self, path: Path, first: Array | Ragged, stack: ExitStack) -> None:
        self.path = path.with_name(f"{path.name}.npy")
        self.ndim, self.is_ragged = first.ndim, False
        self.shape, dtype = _steps_of(first).shape[1:], _steps_of(first).dtype
        self.lengths: list[Array] = []
        width = int(np.prod(self.shape))
        self.texts: TextWriter | None = None
        if dtype.kind == "O":
            self.texts, dtype = stack.enter_context(TextWriter(path.parent, path.name)), CODE
        self.file = stack.enter_context(GrowingArray(self.path, dtype, width))

    def add(self, rows: Array | Ragged, name: str, problems: Problems) -> bool:
        steps = _steps_of(rows)
        if rows.ndim != self.ndim or steps.shape[1:] != self.shape:
            problems.add(
                "D203",
                f"'{name}' has steps of different shapes: {self.shape} and {steps.shape[1:]}",
                "make all the same size, for instance with `padded_batch` and `padded_shapes`",
            )
            return False
        rows_of_steps = steps.reshape(len(steps), -1)
        if self.texts:
            words = list(each_text(rows_of_steps))
            codes = self.texts.codes(words, np.arange(len(words)))
            rows_of_steps = codes.reshape(rows_of_steps.shape)
        self.file.append(rows_of_steps)
        if isinstance(rows, Ragged):
            self.is_ragged = True
            self.lengths.append(rows.lengths)
        elif rows.ndim > 1:
            self.lengths.append(np.full(len(rows), rows.shape[1]))
        return True

    def array(self) -> Array | Ragged | TextArray:
        found = self._array()
        if self.texts is None or isinstance(found, Ragged):
            return found
        return TextArray(found, mapped_texts(self.path.parent, self.path.stem))

    def _array(self) -> Array | Ragged:
        values = mapped(self.path).reshape(-1, *self.shape)
        if not self.lengths:
            return values
        rows = Ragged(values, np.concatenate(self.lengths))
        return rows if self.is_ragged or not rows.is_even else rows.padded()


def _steps_of(rows: Array | Ragged) -> Array:
    """Return the steps of all rows one after another; of rows without steps, the rows."""
    if isinstance(rows, Ragged):
        return rows.values
    return rows.reshape(-1, *rows.shape[2:]) if rows.ndim > 1 else rows


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]
