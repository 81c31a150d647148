"""The columns of a table of predictions: which each output has, and their names."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from lstmgraph.compiler.checks.class_weights import IDS, OF_CLASSES, ONE_HOT, YES_OR_NO
from lstmgraph.compiler.checks.data_needs import output_spec
from lstmgraph.compiler.checks.metric_names import losses_by_output
from lstmgraph.keras_facts.catalogue import named_class
from lstmgraph.keras_facts.distributions import PARAMETERS, distribution_of, quantiles_of
from lstmgraph.keras_facts.targets import arguments_of
from lstmgraph.language.declaration.data import HISTORY, HORIZON, WINDOW, Columns

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lstmgraph.data.values import Array
    from lstmgraph.keras_facts.tensors import Dim, TensorSpec
    from lstmgraph.prediction.models import OpenedModel

FORECAST, PREDICTED, PROBABILITY = "forecast", "predicted", "probability"
"""What is appended to a target column: for values of steps ahead, other values, chances."""


@dataclass(frozen=True)
class OutputLayout:
    """How the values of an output become columns, and rows if it has steps."""

    output: str
    steps: str | None
    """``horizon``, ``history`` or ``window`` of a table, ``sequence`` of arrays; None for values
    of whole examples."""
    columns: tuple[str, ...]
    """The names of all columns; labels come first."""
    cells: Callable[[Array], Sequence[Array]]
    """Returns the columns, (rows,) each, of values (rows, ...) without their axis of steps."""
    classes: tuple[str, ...] = ()
    """The names of the classes that the output has chances of; ids where the recipe names none."""
    kind: str | None = None
    """``ids``, ``one-hot`` or ``yes or no``: how targets say the class; None for numbers."""
    from_logits: bool = False
    adds_steps: bool = False
    """Whether the output lacks the axis of its single step, which predictions have."""


def class_names(entry: Columns | None, count: int) -> tuple[str, ...]:
    """Return the names of the classes of a target: those of the recipe, else the ids from 0."""
    names = tuple(getattr(entry, "classes", ()) or ())
    return names if len(names) == count else tuple(map(str, range(count)))


def part_names(loss: Any) -> tuple[str, ...]:
    """Return names for the last axis of an output whose loss gives it several numbers a value.

    Of quantiles, such as ``("q0.1", "q0.5", "q0.9")``; of a distribution, those of its parameters.
    They are appended to the columns of the target. Empty for outputs of one number for each.
    """
    quantiles, distribution = quantiles_of(loss), distribution_of(loss)
    if quantiles is not None:
        return tuple(f"q{level:g}" for level in quantiles)
    return tuple(PARAMETERS[distribution]) if distribution is not None else ()


def layouts_of(model: OpenedModel, taken: Sequence[str]) -> tuple[OutputLayout, ...]:
    """Return the layout of every output of a model.

    Args:
        model: the model.
        taken: names of columns that the table has already. A column whose name is taken, or is
            that of another output too, begins with the name of its output.
    """
    found = [_with_steps(model, _layout(model, name)) for name in model.graph.outputs]
    counts = Counter([name for each in found for name in each.columns])
    used, layouts = set(taken), []
    for each in found:
        clashes = any(counts[name] > 1 or name in used for name in each.columns)
        names = [f"{each.output}_{n}" if clashes else n for n in each.columns]
        for index in range(len(names)):
            while names[index] in used or names[index] in names[:index]:
                names[index] += "_"
        used |= set(names)
        layouts.append(replace(each, columns=tuple(names)))
    return tuple(layouts)


def _layout(model: OpenedModel, name: str) -> OutputLayout:
    declaration, spec = model.compiled.declaration, output_spec(model.graph, name)
    assert spec is not None
    data = declaration.data
    entry = data.targets.get(name) if data and model.is_main else None
    loss = None
    if declaration.training is not None and model.is_main:
        loss = losses_by_output(declaration.training, list(model.graph.outputs)).get(name)
    kind = None
    from_logits = False
    if loss is not None:
        kind = OF_CLASSES.get(named_class("loss", arguments_of("loss", loss)["type"]))
        from_logits = bool(arguments_of("loss", loss).get("from_logits"))
    dims = spec.shape[1:]
    steps = _steps(model, entry, spec)
    inner = dims[1:] if steps and not _lacks_steps(model, entry, dims) else dims
    sizes = tuple(size if isinstance(size, int) else None for size in inner)
    base = entry.columns if entry is not None else ()
    parts = part_names(loss)
    if kind in (IDS, ONE_HOT) and sizes and isinstance(sizes[-1], int) and sizes[-1] > 1:
        return _of_classes(name, steps, entry, base, sizes[-1], kind, from_logits)
    if kind == YES_OR_NO:
        return _of_bits(name, steps, entry, base, _count(sizes), loss, from_logits)
    suffix = FORECAST if steps == HORIZON else PREDICTED
    names = _numbers(name, base, suffix, _count(sizes), parts)
    return OutputLayout(name, steps, names, _flat)


def _lacks_steps(model: OpenedModel, entry: Columns | None, dims: Sequence[Dim]) -> bool:
    """Return whether an output of a single step has no axis for it, as recipes may leave it out."""
    data = model.compiled.declaration.data
    is_timed = entry is not None and entry.steps in (HORIZON, HISTORY, WINDOW)
    if data is None or entry is None or not is_timed or data.shape_of(entry)[0] != 1:
        return False
    return len(dims) < 2 or dims[0] != 1


def _with_steps(model: OpenedModel, layout: OutputLayout) -> OutputLayout:
    data, spec = model.compiled.declaration.data, output_spec(model.graph, layout.output)
    entry = data.targets.get(layout.output) if data and model.is_main else None
    lacks = spec is not None and _lacks_steps(model, entry, spec.shape[1:])
    return replace(layout, adds_steps=lacks)


def _count(sizes: Sequence[int | None]) -> int | None:
    return None if None in sizes else prod(size or 1 for size in sizes)


def _numbers(
    name: str, base: tuple[str, ...], suffix: str, count: int | None, parts: tuple[str, ...]
) -> tuple[str, ...]:
    """Return a name for each number of a value; none if an open size leaves the count unknown."""
    if count is None:
        return ()
    if parts and count == len(parts) * (len(base) or 1):
        return tuple(f"{column}_{part}" for column in base or (name,) for part in parts)
    if count == len(base):
        return tuple(f"{column}_{suffix}" for column in base)
    if count == 1:
        return (name,)
    return tuple(f"{name}_{number}" for number in range(count))


def _flat(values: Array) -> list[Array]:
    flat = values.reshape(len(values), -1)
    return [flat[:, column] for column in range(flat.shape[1])]


def _of_classes(  # noqa: PLR0913, PLR0917 - what they depend on
    name: str,
    steps: str | None,
    entry: Columns | None,
    base: tuple[str, ...],
    count: int,
    kind: str,
    from_logits: bool,
) -> OutputLayout:
    if kind == ONE_HOT and len(base) == count:  # a column for each class
        classes, label = base, f"{name}_{PREDICTED}"
        columns = [f"{column}_{PROBABILITY}" for column in base]
    else:
        classes = class_names(entry, count)
        own = base[0] if len(base) == 1 else name
        label, columns = f"{own}_{PREDICTED}", [f"{own}_{each}" for each in classes]
    names = np.array(classes, dtype=object)
    if classes == tuple(map(str, range(count))):
        names = np.arange(count)

    def cells(values: Array) -> list[Array]:
        chances = values.reshape(-1, count)
        if from_logits:
            chances = softmax(chances)
        return [names[chances.argmax(axis=1)], *(chances[:, index] for index in range(count))]

    return OutputLayout(name, steps, (label, *columns), cells, tuple(classes), kind, from_logits)


def _of_bits(  # noqa: PLR0913, PLR0917 - what they depend on
    name: str,
    steps: str | None,
    entry: Columns | None,
    base: tuple[str, ...],
    count: int | None,
    loss: Any,
    from_logits: bool,
) -> OutputLayout:
    """Return the layout of chances of yes or no: a label and a chance for each number."""
    if count is None:
        return OutputLayout(name, steps, (), _flat)
    own = base if len(base) == count else (name,)
    if len(own) != count:
        own = tuple(f"{name}_{number}" for number in range(count))
    classes = class_names(entry, 2)
    names = np.arange(2) if classes == ("0", "1") else np.array(classes, dtype=object)
    is_hinge = "Hinge" in named_class("loss", arguments_of("loss", loss)["type"])
    columns = [f"{column}_{PREDICTED}" for column in own]
    if not is_hinge:
        pairs = zip(columns, (f"{column}_{PROBABILITY}" for column in own), strict=True)
        columns = [each for pair in pairs for each in pair]

    def cells(values: Array) -> list[Array]:
        flat = values.reshape(len(values), -1)
        if is_hinge:  # -1 and 1 are no and yes
            return [names[(flat[:, i] > 0).astype(int)] for i in range(count)]
        chances = 1 / (1 + np.exp(-flat.astype("float64"))) if from_logits else flat
        found: list[Array] = []
        for index in range(count):
            found += [names[(chances[:, index] > 0.5).astype(int)], chances[:, index]]
        return found

    kept = tuple(classes) if count == 1 else ()
    return OutputLayout(name, steps, tuple(columns), cells, kept, YES_OR_NO, from_logits)


def softmax(logits: Array) -> Array:
    """Return chances (rows, classes) of logits (rows, classes)."""
    shifted = np.exp(logits.astype("float64") - logits.max(axis=-1, keepdims=True))
    chances: Array = (shifted / shifted.sum(axis=-1, keepdims=True)).astype(logits.dtype)
    return chances


def _steps(model: OpenedModel, entry: Columns | None, spec: TensorSpec) -> str | None:
    """Return which steps the first axis of an output's values has; None without steps."""
    data, dims = model.compiled.declaration.data, spec.shape[1:]
    if entry is not None:
        return entry.steps if entry.steps in (HORIZON, HISTORY, WINDOW) else None
    if len(dims) < 2:
        return None
    if data is None or data.window is None:
        return "sequence"
    return _steps_like(model, dims[0]) or "sequence"


def _steps_like(model: OpenedModel, dim: Dim) -> str | None:
    """Return the steps of the inputs whose axis of time has the size or the name `dim`."""
    data = model.compiled.declaration.data
    for name, entry in data.inputs.items() if data else ():
        is_timed = isinstance(entry, Columns) and entry.steps in (HORIZON, HISTORY, WINDOW)
        tensor = model.graph.inputs.get(name)
        if is_timed and tensor is not None and tensor.spec.shape[1:2] == (dim,):
            return entry.steps if isinstance(entry, Columns) else None
    return None
