"""The check that a written file computes the same numbers as the model for random inputs."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from lstmgraph.export.mistakes import ExportMistake
from lstmgraph.export.report import OutputCheck
from lstmgraph.keras_facts.dtypes import is_float
from lstmgraph.models.carried import read_states, reset_states, write_states

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from lstmgraph.compiler.graph import Graph
    from lstmgraph.export.samples import Arrays

TOLERANCES: Mapping[str, float] = {
    "float64": 1e-9,
    "float32": 1e-4,
    "float16": 2e-2,
    "bfloat16": 1e-1,
}
"""Relative to the largest value of an output, by the coarsest dtype that a layer computes in.

Other runtimes sum in another order, and a recurrent layer feeds its rounding errors back: these are
some ten to a thousand times the rounding error of one operation (2^-53, 2^-24, 2^-11, 2^-8). Wrong
weights, masks or states change an output by far more.
"""
NOTHING_WRITTEN = (
    "nothing was written; if the difference is only rounding, allow it with --tolerance"
)

LESS_EXACT = (
    "nothing was written; choose a --quantize with more bits, calibrate on data like that the "
    "model is for, or allow the difference with --tolerance"
)


@dataclass(frozen=True)
class LoadedFile:
    """A written file, ready to run."""

    inputs: frozenset[str]
    run: Callable[[Arrays], Mapping[str, Any]]
    operators: tuple[str, ...] = ()
    opset: int | None = None
    arena: int | None = None
    """Of a LiteRT file with fixed sizes, the bytes of all values between operators."""


def tolerance_for(graph: Graph) -> float:
    """Return the difference allowed in an output, relative to its largest value."""
    dtypes = {spec.dtype for node in graph.nodes for spec in node.outputs.values()}
    return max((TOLERANCES[dtype] for dtype in dtypes & set(TOLERANCES)), default=0.0)


@contextmanager
def from_zero_states(model: keras.Model) -> Iterator[None]:
    """Set carried states to zeros for the block, and restore them after it."""
    states = read_states(model)
    if not states:
        yield
        return
    reset_states(model)
    try:
        yield
    finally:
        write_states(model, states)


def model_outputs(model: keras.Model, batches: Sequence[Arrays]) -> list[Arrays]:
    """Return the model's outputs for each batch, run in order from zero states."""
    with from_zero_states(model):
        return [
            {
                name: keras.ops.convert_to_numpy(value)
                for name, value in model(fed(batch), training=False).items()
            }
            for batch in batches
        ]


def predicted(model: keras.Model, batch: Arrays) -> Arrays:
    """Return the model's outputs for a batch of many rows, compiled; carried states go on."""
    found = model.predict_on_batch(fed(batch))
    return {name: keras.ops.convert_to_numpy(value) for name, value in found.items()}


def fed(batch: Arrays) -> dict[str, Any]:
    """Return arrays as a model of Keras takes them, which knows no objects."""
    if all(array.dtype.kind != "O" for array in batch.values()):
        return dict(batch)
    import tensorflow as tf  # noqa: PLC0415 - other backends hold no texts

    return {name: tf.constant(array) for name, array in batch.items()}


def compare(  # noqa: PLR0913 - each says one thing
    graph: Graph,
    wanted: Sequence[Arrays],
    found: Sequence[Mapping[str, Any]],
    title: str,
    tolerance: float,
    *,
    on_average: bool = False,
) -> tuple[list[OutputCheck], list[ExportMistake]]:
    """Compare the outputs of a file with those of the model.

    Args:
        graph: the recipe's graph.
        wanted: the model's outputs for each batch.
        found: the file's outputs for each batch.
        title: the name of the format in messages.
        tolerance: the difference allowed, relative to an output's largest value.
        on_average: whether the mean difference is what is allowed, as of numbers with fewer bits,
            which also move integers.

    Returns:
        The measurement of each output over all batches, and the mistakes.
    """
    checks, mistakes = [], []
    for name in graph.outputs:
        path = graph.output_paths[name]
        pairs = [
            (ours[name], None if name not in theirs else np.asarray(theirs[name]))
            for ours, theirs in zip(wanted, found, strict=True)
        ]
        problem = next((text for text in map(_mismatch, *zip(*pairs, strict=True)) if text), None)
        if problem:
            message = f"output '{name}' of the {title} file {problem}"
            mistakes.append(ExportMistake("L803", path, message, NOTHING_WRITTEN))
            continue
        check = _measured(name, [(ours, theirs) for ours, theirs in pairs if theirs is not None])
        checks.append(check)
        exact = not is_float(check.dtype) and not on_average
        allowed = 0.0 if exact else tolerance
        off = check.mean_difference if on_average else check.greatest_difference
        if not off <= allowed * check.greatest_value:  # false for nan
            message = _too_far(check, title, allowed, on_average=on_average)
            hint = LESS_EXACT if on_average else NOTHING_WRITTEN
            mistakes.append(ExportMistake("L803", path, message, hint))
    return checks, mistakes


def _mismatch(ours: np.ndarray, theirs: np.ndarray | None) -> str | None:
    """Return what differs in name, shape or dtype, as the end of a message; None if nothing."""
    if theirs is None:
        return "is not in the file"
    if theirs.shape != ours.shape:
        return f"has shape {theirs.shape}, but the model's has {ours.shape}"
    if theirs.dtype != ours.dtype:
        return f"is {theirs.dtype}, but the model's is {ours.dtype}"
    return None


def _measured(name: str, pairs: Sequence[tuple[np.ndarray, np.ndarray]]) -> OutputCheck:
    differences, values, total, count = [0.0], [0.0], 0.0, 0
    for ours, theirs in pairs:
        own, other = ours.astype("float64"), theirs.astype("float64")
        same = (own == other) | (np.isnan(own) & np.isnan(other))  # infinities too
        with np.errstate(invalid="ignore"):
            off = np.where(same, 0.0, np.abs(own - other))
        differences.append(float(off.max(initial=0.0)))
        total, count = total + float(off.sum()), count + off.size
        values.append(float(np.abs(own[np.isfinite(own)]).max(initial=0.0)))
    dtype = str(pairs[0][0].dtype)
    mean = total / max(count, 1)
    return OutputCheck(name, dtype, float(np.max(differences)), max(values), mean)


def _too_far(check: OutputCheck, title: str, tolerance: float, *, on_average: bool) -> str:
    by = (
        f"by {check.mean_difference:.1e} on average"
        if on_average
        else f"by up to {check.greatest_difference:.1e}"
    )
    return (
        f"output '{check.name}' of the {title} file differs from the model's {by}; allowed is "
        f"{tolerance:.0e} of its largest value, {check.greatest_value:.1e}"
    )
