"""Data to examples that a model predicts for, with the keys that name each of them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lstmgraph.compiler.checks.data_needs import data_needs
from lstmgraph.data.convert import convert
from lstmgraph.data.examples import Examples
from lstmgraph.data.fields import PerSeries, item_bytes
from lstmgraph.data.loading import ALL, data_of_arrays
from lstmgraph.data.problems import Problems
from lstmgraph.data.sources import Given, Reader, reporting
from lstmgraph.data.store import Workspace
from lstmgraph.data.table import key_of
from lstmgraph.data.values import as_dtype, storage_dtype
from lstmgraph.data.windows import ROWS, input_fields, places_of, weight_fields
from lstmgraph.language.declaration.data import HISTORY, STATIC, WINDOW, Columns
from lstmgraph.messages.wording import did_you_mean
from lstmgraph.prediction.ahead import with_calendar_ahead, without_calendar_ahead
from lstmgraph.prediction.clock import Clock
from lstmgraph.prediction.origins import WindowedTable
from lstmgraph.prediction.tables import with_future

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lstmgraph.compiler.checks.data_needs import Needs
    from lstmgraph.compiler.compile import CompiledRecipe
    from lstmgraph.data.fields import Field
    from lstmgraph.data.problems import DataProblem
    from lstmgraph.data.sources import Loaded, Opened
    from lstmgraph.data.table_files import TableFile
    from lstmgraph.data.values import Array
    from lstmgraph.data.windows import Places
    from lstmgraph.language.declaration.data import DataDeclaration, Window
    from lstmgraph.prediction.models import OpenedModel
    from lstmgraph.prediction.origins import Origins


@dataclass(frozen=True)
class Request:
    """The examples that are asked for; ``predict`` describes the fields."""

    future: Any = None
    origins: Origins = None
    default_origins: Origins = None
    """Those of windows where no origins are asked for."""
    stride: int = 1
    part: str | None = None
    with_targets: bool = False


@dataclass(frozen=True)
class Query:
    """The examples to predict for."""

    count: int
    inputs: Mapping[str, Field]
    dtypes: Mapping[str, np.dtype[Any]]
    """The dtype in which the model takes each input."""
    time_major: frozenset[str]
    targets: Mapping[str, Field]
    """The targets that the data has, (examples, ...), NaN where they are not known."""
    rows: Array
    """The number of each example, from 1: of its row in a table without windows, (examples,)."""
    window: Window | None = None
    series: Array | None = None
    """The series of each example, (examples,)."""
    series_columns: tuple[str, ...] = ()
    series_keys: tuple[tuple[Any, ...], ...] = ()
    """The values of `series_columns` for each series."""
    time_column: str | None = None
    clock: Clock | None = None
    starts: Array | None = None
    """The first row of each series, then the number of rows, (series + 1,)."""
    origins: Array | None = None
    """The row after the history of each example, (examples,)."""
    lengths: Array | None = None
    """The steps of the history of each example, (examples,)."""
    sample_weights: Mapping[str, Field] = field(default_factory=dict)
    """The weights of examples with targets, by target; those of all have the name ``""``."""
    warnings: tuple[DataProblem, ...] = ()
    keeps: object = None
    """What must live as long as the examples: the temporary folder of their files."""

    def batch(self, examples: Array) -> dict[str, Array]:
        """Return the inputs of the examples with these numbers, as the model takes them."""
        found = {
            name: as_dtype(tensor.take(examples), self.dtypes[name])
            if tensor.dtype.kind in "fiub"
            else tensor.take(examples)
            for name, tensor in self.inputs.items()
        }
        for name in self.time_major:
            found[name] = np.ascontiguousarray(np.swapaxes(found[name], 0, 1))
        return found

    @property
    def bytes_of_one(self) -> int:
        """The bytes that the inputs of one example take."""
        sizes = [int(np.prod(t.shape)) * item_bytes(t) for t in self.inputs.values()]
        return max(1, sum(sizes))


def load_query(model: OpenedModel, source: Any, request: Request) -> Query:
    """Read data to predict for; ``predict`` describes the arguments.

    Raises:
        DataError: the data does not fit the model; it holds every problem.
    """
    data, needs = _declared(model, with_targets=request.with_targets)
    if isinstance(source, Examples):
        _check_options("the data is a part that was loaded", request, Problems("the given part"))
        return _of_examples(source, needs, data)
    given = source if isinstance(source, Given) else Given(source, _name(source))
    problems = Problems(given.name)
    ready = _required(needs) if request.with_targets else needs
    reader = Reader(data, ready)
    opened = reader.open(given.value, problems)
    _check_options(_without_windows(data, opened), request, problems)
    query = None
    if opened is not None and opened.table is not None:
        if request.part not in (None, ALL):
            hint = "leave --part out; `evaluate` measures the parts of `split:`"
            problems.add("D504", f"a table has no part '{request.part}'", hint)
        query = _of_table(opened.table, request, data, needs, model.compiled, problems)
    elif opened is not None:
        with reporting(given.value, problems):
            query = _of_arrays(reader.arrays(opened, problems), request, ready, problems)
    problems.raise_errors()
    assert query is not None
    return replace(query, warnings=problems.warnings)


def _required(needs: Needs) -> Needs:
    """Return the needs with every target."""
    return replace(
        needs, targets={n: replace(need, optional=False) for n, need in needs.targets.items()}
    )


def _name(source: Any) -> str:
    return str(source) if isinstance(source, str | Path) else f"the given {type(source).__name__}"


def _declared(model: OpenedModel, *, with_targets: bool) -> tuple[DataDeclaration, Needs]:
    """Return how the model's data is read, and what it takes; targets need not be there.

    Sample weights are read where targets are compared with.
    """
    compiled, graph = model.compiled, model.graph
    declared = compiled.declaration.data or data_of_arrays(compiled)
    if model.is_main:
        needs = data_needs(compiled.declaration, graph)
    else:
        inputs = {n: entry for n, entry in declared.inputs.items() if n in graph.inputs}
        if set(inputs) != set(graph.inputs):  # some are states, which no table has
            inputs = {}
        declared = replace(declared, inputs=inputs, targets={})
        needs = data_needs(replace(compiled.declaration, training=None, data=None), graph)
    # The parts of a training do not divide what is predicted.
    split = replace(declared.split, validation=0.0, test=0.0, folds=None)
    kept = declared.sample_weights if with_targets and model.is_main else {}
    declared = replace(declared, sample_weights=kept, split=split)
    optional = {n: replace(need, optional=True) for n, need in needs.targets.items()}
    return declared, replace(
        needs,
        targets=optional,
        weighed=needs.weighed if with_targets else {},
        unused=(),
        class_weights={},
        of_batches=frozenset(),
    )


def _check_options(why: str, request: Request, problems: Problems) -> None:
    """Report options that choose windows of a table where `why` tells that there are none."""
    if why and request.future is not None:
        problems.add("D503", f"a second table holds future rows, but {why}", "leave --future out")
    if why and (request.origins is not None or request.stride != 1):
        problems.add(
            "D503",
            f"origins are those of windows, but {why}",
            "leave --origins and --stride out: all that is given is predicted",
        )
    problems.raise_errors()


def _without_windows(data: DataDeclaration, opened: Opened | None) -> str:
    """Return why no windows are cut from what was opened; "" where they are."""
    if data.is_table and opened is not None and opened.table is None:
        return "the data holds ready inputs"
    if data.window is None or data.window.history is None:
        return "the recipe's data has no windows over rows"
    return ""


def moments_of(compiled: CompiledRecipe, data: DataDeclaration) -> dict[str, Array]:
    """Return center and spread of the columns of inputs that a ``normalization`` layer reads.

    They are (columns, 2) for each such input; the layer's mean and variance are those of the
    training part.
    """
    found = {}
    for node in compiled.graph.nodes:
        if node.op != "Normalization" or node.arguments.get("mean") is None:
            continue
        entry = data.inputs.get(node.inputs[0].node)
        if not isinstance(entry, Columns) or any(
            data.columns[name].scale for name in entry.columns if name in data.columns
        ):  # the layer is that of ``scale:``
            continue
        mean, variance = (np.ravel(node.arguments[key]) for key in ("mean", "variance"))
        if len(mean) in (1, len(entry.columns)):
            pair = np.stack([mean, np.sqrt(variance)], axis=-1)
            found[entry.name] = np.broadcast_to(pair, (len(entry.columns), 2))
    return found


def _of_table(  # noqa: PLR0913, PLR0917 - what a query is made of
    file: TableFile | None,
    request: Request,
    data: DataDeclaration,
    needs: Needs,
    compiled: CompiledRecipe,
    problems: Problems,
) -> Query | None:
    moments = moments_of(compiled, data)
    if file is not None and request.future is not None:
        file = with_future(file, request.future, data, needs, problems)
    if file is None:
        return None
    targets = {
        name: entry
        for name, entry in data.targets.items()
        if name in needs.targets and set(entry.columns) <= set(file.columns)
    }
    weights = {
        name: entry
        for name, entry in data.sample_weights.items()
        if name in {"", *targets} and set(entry.columns) <= set(file.columns)
    }
    data = replace(data, targets=targets, sample_weights=weights)
    if data.window is not None:  # rows that no window reads may have empty cells
        optional = {n: replace(need, optional=True) for n, need in needs.inputs.items()}
        needs = replace(needs, inputs=optional)
    workspace = Workspace()
    table = convert(file, data, needs, workspace.path, problems)
    if table is None or problems.errors:
        return None
    window = data.window or ROWS
    clock = None
    if table.times is not None:
        unit, zone = table.time_unit, table.zone
        clock = Clock(table.times, unit, zone, table.series_starts, data.every)
    has_calendar = clock is not None and bool(clock.unit)
    own = without_calendar_ahead(data) if has_calendar else data
    windowed = WindowedTable(table, own, window, clock)
    if data.window is None:
        places = places_of(table, ROWS)
    else:
        chosen = (request.origins or request.default_origins, request.stride)
        places = windowed.origins(*chosen, with_targets=request.with_targets, problems=problems)
        if not problems.errors:
            windowed.check_inputs(places, problems)
    if problems.errors:
        return None
    windowed.warn_of_drift(moments, places, problems)
    fields = input_fields(table, data, needs, places, problems)
    if clock is not None and has_calendar:
        fields = with_calendar_ahead(fields, data, clock, places)
    known = {
        name: _target(windowed, entry, places, is_ids=needs.targets[name].dtype == "int32")
        for name, entry in data.targets.items()
    }
    rows = np.arange(1, len(places) + 1)
    if data.window is None and table.file_rows is not None:
        rows = np.asarray(table.file_rows) + 1
    query = Query(
        count=len(places),
        inputs=fields,
        dtypes=_dtypes(needs),
        time_major=_time_major(needs),
        targets=known,
        sample_weights=weight_fields(table, data, places, problems),
        rows=rows,
        window=data.window,
        series=places.series,
        series_columns=data.series,
        series_keys=table.series_keys,
        time_column=data.time,
        clock=clock,
        starts=table.series_starts,
        origins=places.origins,
        lengths=places.lengths,
        keeps=workspace,
    )
    if data.window is None and table.file_rows is not None:  # rows that were put in are no rows
        return _in_file_order(query, np.argsort(rows, kind="stable")[np.count_nonzero(rows == 0) :])
    return query


def _in_file_order(query: Query, numbers: Array) -> Query:
    """Return the examples in another order."""

    def ordered(tensors: Mapping[str, Field]) -> dict[str, Field]:
        return {name: Chosen(tensor, numbers) for name, tensor in tensors.items()}

    def chosen(array: Array | None) -> Array | None:
        return None if array is None else array[numbers]

    return replace(
        query,
        count=len(numbers),
        inputs=ordered(query.inputs),
        targets=ordered(query.targets),
        sample_weights=ordered(query.sample_weights),
        rows=query.rows[numbers],
        series=chosen(query.series),
        origins=chosen(query.origins),
        lengths=chosen(query.lengths),
    )


@dataclass(frozen=True)
class Chosen:
    """Some examples of a tensor, or all in another order."""

    tensor: Field
    numbers: Array

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one example."""
        return self.tensor.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """The tensor's dtype."""
        return self.tensor.dtype

    @property
    def arrays(self) -> tuple[Array, ...]:
        """The arrays of the tensor, and the numbers."""
        return *self.tensor.arrays, self.numbers

    def take(self, examples: Array) -> Array:
        """Return the values of these examples, (len(examples), *shape)."""
        return self.tensor.take(self.numbers[examples])


@dataclass(frozen=True)
class KnownSteps:
    """The target of windows, NaN for steps that the table does not have."""

    table: Array
    """(rows, columns)."""
    starts: Array
    """The first row of each example, (examples,)."""
    ends: Array
    """The row after the last one that an example may read, (examples,)."""
    steps: int
    shape: tuple[int, ...]

    @property
    def dtype(self) -> np.dtype[Any]:
        """The table's dtype."""
        return self.table.dtype

    @property
    def arrays(self) -> tuple[Array, ...]:
        """The table, and the places of the windows in it."""
        return self.table, self.starts, self.ends

    def take(self, examples: Array) -> Array:
        """Return the values of these examples, (len(examples), *shape)."""
        rows = self.starts[examples][:, None] + np.arange(self.steps)
        ends = self.ends[examples][:, None]
        values = np.asarray(self.table[np.minimum(rows, ends - 1)])
        if values.dtype.kind == "f":
            values[rows >= ends] = np.nan
        return values.reshape(len(examples), *self.shape)


def _target(of: WindowedTable, entry: Columns, places: Places, *, is_ids: bool) -> Field:
    """Return the target of an entry: (steps, columns), or without columns where it is ids."""
    table, matrix = of.table, of.table.matrices[key_of(entry)]
    width = () if is_ids else (len(entry.columns),)
    if entry.steps == STATIC:
        return PerSeries(np.asarray(matrix[table.series_starts[:-1]]), places.series, width)
    declared = of.data.shape_of(entry)
    steps = 1 if len(declared) < 2 else declared[0] or places.longest
    ends = table.series_starts[1:][places.series]
    if entry.steps in (HISTORY, WINDOW):
        ahead = of.window.horizon if entry.steps == WINDOW else 0
        ends = np.minimum(ends, places.origins + ahead)
    shape = width if len(declared) < 2 else (steps, *width)
    return KnownSteps(matrix, places.origins - places.before(entry), ends, steps, shape)


def _of_arrays(
    parts: Mapping[str, Loaded], request: Request, needs: Needs, problems: Problems
) -> Query | None:
    problems.found = [each for each in problems.found if each.code != "D206"]
    if not parts:
        return None
    if request.part is None and len(parts) > 1:
        names = ", ".join(parts)
        problems.add("D504", f"the arrays are of several parts: {names}", "choose one with --part")
        return None
    chosen = request.part or next(iter(parts))
    if chosen not in parts:
        message = f"there is no part '{chosen}'{did_you_mean(chosen, parts)}"
        problems.add("D504", message, f"there are: {', '.join(parts)}")
        return None
    source_of_part, timeline = parts[chosen].source, parts[chosen].timeline
    count = len(timeline)
    return Query(
        count=count,
        inputs=source_of_part.inputs,
        dtypes=_dtypes(needs),
        time_major=_time_major(needs),
        targets=source_of_part.targets,
        sample_weights=source_of_part.sample_weights,
        rows=np.arange(1, count + 1),
        keeps=source_of_part,
    )


def _of_examples(examples: Examples, needs: Needs, data: DataDeclaration) -> Query:
    """Return the examples of a part that ``load_data`` returned."""
    source, timeline, numbers = examples.source, examples.timeline, examples.numbers
    query = Query(
        count=len(numbers),
        inputs={name: Chosen(tensor, numbers) for name, tensor in source.inputs.items()},
        dtypes=_dtypes(needs),
        time_major=source.time_major,
        targets={name: Chosen(tensor, numbers) for name, tensor in source.targets.items()},
        sample_weights={n: Chosen(tensor, numbers) for n, tensor in source.sample_weights.items()},
        rows=numbers + 1,
        keeps=source,
    )
    if not data.is_table:
        return query
    clock = None
    if timeline.times is not None:
        clock = Clock(timeline.times, timeline.time_unit, "", timeline.series_starts, data.every)
    starts = timeline.series_starts
    origins, series = timeline.origins[numbers], timeline.series[numbers]
    lengths = origins - starts[series]
    if data.window is not None and data.window.history is not None:
        lengths = np.minimum(lengths, data.window.history)
    return replace(
        query,
        window=data.window,
        series=series,
        series_columns=data.series,
        series_keys=timeline.series_keys,
        time_column=data.time,
        clock=clock,
        starts=starts,
        origins=origins,
        lengths=lengths,
    )


def _dtypes(needs: Needs) -> dict[str, np.dtype[Any]]:
    return {
        n: storage_dtype(need.dtype) for n, need in needs.inputs.items() if need.dtype != "string"
    }


def _time_major(needs: Needs) -> frozenset[str]:
    return frozenset(name for name, need in needs.inputs.items() if need.time_major)
