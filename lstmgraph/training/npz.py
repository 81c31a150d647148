"""Examples from one ``.npz`` file with arrays by the names of the recipe's inputs and outputs."""

from __future__ import annotations

import zipfile
import zlib
from typing import TYPE_CHECKING

import numpy as np

from lstmgraph.training.examples import ArrayExamples, DataError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from lstmgraph.compiler import CompiledRecipe


def read_npz(path: Path, recipe: CompiledRecipe) -> ArrayExamples:
    """The rows of a file.

    Raises:
        DataError: it is no such file, or an input is missing.
        OSError: the file cannot be read.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = dict(archive)
    except (ValueError, EOFError, TypeError, zipfile.BadZipFile, zlib.error) as error:
        raise DataError(f"{path} is no .npz file of numbers: {error}") from None
    tensors = recipe.graph.inputs
    missing = [name for name in tensors if name not in arrays]
    if missing:
        raise DataError(f"{path} has no '{missing[0]}'; it has {', '.join(arrays)}")
    return ArrayExamples(
        {name: arrays[name] for name in tensors},
        {name: arrays[name] for name in recipe.graph.outputs if name in arrays},
        time_major=tuple(name for name, tensor in tensors.items() if tensor.time_major),
    )


def split(examples: ArrayExamples, fraction: float) -> tuple[ArrayExamples, ArrayExamples]:
    """The first rows, and the last `fraction` of them, as Keras's ``validation_split`` does."""
    rows = len(examples)
    kept = int(rows * (1 - fraction))
    if not 0 < kept < rows:
        raise DataError(f"{rows} rows cannot be split: one side would have none")
    return _part(examples, range(kept)), _part(examples, range(kept, rows))


def _part(examples: ArrayExamples, rows: Sequence[int]) -> ArrayExamples:
    inputs, targets, weights = examples.batch(np.asarray(rows))
    return ArrayExamples(inputs, targets, weights, time_major=examples.time_major)
