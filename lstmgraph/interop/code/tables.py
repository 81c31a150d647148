"""Functions that read a table, split its examples, and make arrays of them, with pandas and NumPy.

Rows are read as ``data:`` says, so that the arrays are those that ``lstmgraph train`` trains on.
What the functions cannot say in a few lines is a reason to leave them out (M309).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lstmgraph.compiler.checks.data_needs import data_needs, fitted
from lstmgraph.interop.code.layout import (
    Text,
    call,
    called,
    fits,
    laid_out,
    listed,
    literal,
    mapped,
)
from lstmgraph.interop.code.names import Names
from lstmgraph.keras_facts.layers.lookups import STRING
from lstmgraph.language.declaration.cadence import parse_cadence
from lstmgraph.language.declaration.data import (
    CHRONOLOGICAL,
    FORWARD,
    HISTORY,
    HORIZON,
    INTERPOLATE,
    MASK,
    MISSING_SUFFIX,
    STATIC,
    WINDOW,
    Columns,
    LengthOf,
    Window,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lstmgraph.compiler.checks.data_needs import Need, Needs
    from lstmgraph.compiler.compile import CompiledRecipe
    from lstmgraph.interop.code.layout import Source
    from lstmgraph.language.declaration.data import DataDeclaration

ROWS = Window(history=1, horizon=0, stride=1, min_history=1)
"""The window of a table without ``window:``: each row is an example."""
FREQUENCIES = {"millisecond": "ms", "second": "s", "minute": "min", "hour": "h", "day": "D"}
"""The names that pandas has for steps of time."""
CALENDAR = {
    "minute": ("time.minute", "60"),
    "hour": ("time.hour", "24"),
    "weekday": ("time.day_of_week", "7"),
    "day": ("time.day - 1", "time.days_in_month"),
    "yearday": ("time.day_of_year - 1", "(365 + time.is_leap_year)"),
    "month": ("time.month - 1", "12"),
    "quarter": ("time.quarter - 1", "4"),
    "year": ("time.year", ""),
}
"""The columns of ``calendar:`` in pandas, and what a circle of each has."""
NUMBERS = {
    "standard": "values.mean(), values.std()",
    "min_max": "values.min(), values.max() - values.min()",
    "robust": "np.median(values), np.subtract(*np.quantile(values, [0.75, 0.25]))",
    "log": "np.log1p(values).mean(), np.log1p(values).std()",
}
"""Center and spread of the values of a column, by its ``scale:``."""


@dataclass(frozen=True)
class TableCode:
    """The functions of a file that trains on a table."""

    data: DataDeclaration
    """The recipe's section."""
    functions: tuple[str, ...]
    """The lines of all of them."""
    scaled: tuple[str, ...]
    """The columns whose center and spread the training part is to give."""
    parts: tuple[str, ...]
    """Which parts there are beside ``train``."""


def reason_against(compiled: CompiledRecipe, data: DataDeclaration) -> str | None:
    """Return why a table is not read in a few lines; None if it can be."""
    needs = data_needs(compiled.declaration, compiled.graph)
    read = {name for entry in data.all_columns for name in entry.columns}
    targets = {name for entry in data.targets.values() for name in entry.columns}
    columns = [each for each in data.columns.values() if each.name in read]
    columns += [each for each in data.columns.values() if f"{each.name}{MISSING_SUFFIX}" in read]
    every = parse_cadence(data.every) if data.every is not None else None
    if data.split.folds:
        return "`folds:` of the split"
    if data.sample_weights:
        return "`sample_weight:`"
    if every is not None and every.unit not in {*FREQUENCIES, "week"}:
        return f"`every: {every}`"
    if any(name.partition("_")[0] not in CALENDAR for name in data.calendar):
        return "the weeks of `calendar:`"
    if any(need.time_major for need in needs.inputs.values()):
        return "time-major inputs"
    if any(need.dtype == STRING for need in needs.inputs.values()):
        return "inputs of texts"
    for each in columns:
        if each.missing == INTERPOLATE or (each.missing == MASK and each.name in targets):
            return f"`missing: {each.missing}` of the column '{each.name}'"
        if each.quantiles or (each.is_clipped and each.name in targets):
            return f"`clip:` of the column '{each.name}'"
        if each.needs_fitting and (each.per or each.difference):
            return f"`scale:` of the column '{each.name}', with `per:` or `difference:`"
    if compiled.models and any(each.needs_fitting for each in columns):
        return "`scale:` in several models"
    return None


def table_code(compiled: CompiledRecipe, data: DataDeclaration) -> TableCode:
    """Return the functions that make arrays of a table.

    Args:
        compiled: the recipe.
        data: its section, of which ``reason_against`` has none.
    """
    return _Writer(compiled, data).written()


class _Writer:
    def __init__(self, compiled: CompiledRecipe, data: DataDeclaration) -> None:
        self.data, self.window = data, data.window or ROWS
        self.needs: Needs = data_needs(compiled.declaration, compiled.graph)
        self.names = Names(
            {"at", "columns", "ends", "examples", "keras", "number", "rows", "series"}
        )
        scaled = [each.name for each in data.columns.values() if each.needs_fitting]
        read = {name for entry in data.all_columns for name in entry.columns}
        self.scaled = tuple(name for name in scaled if name in read)

    def written(self) -> TableCode:
        """Return all functions."""
        split = self.data.split
        parts = [name for name in ("validation", "test") if getattr(split, name)]
        made = [self._read(), self._examples(), self._split(), self._arrays()]
        made += [self._scales()] if self.scaled else []
        if self._is_padded:
            made.insert(3, self._steps())
        lines = [line for each in made for line in (*each, "", "")]
        return TableCode(self.data, tuple(lines), self.scaled, tuple(parts))

    @property
    def _is_padded(self) -> bool:
        """Return whether some windows have fewer steps than others, or series differ."""
        return self.window.history is None or self.window.min_history < self.window.history

    @property
    def _history(self) -> str:
        return str(self.window.history) if self.window.history is not None else "longest"

    def _read(self) -> list[str]:
        """Return the function that reads the table."""
        data = self.data
        lines = [
            "def read_series(path: str) -> list[pd.DataFrame]:",
            '    """Return the rows of each series of a table, in order of time."""',
            '    is_parquet = path.endswith(".parquet")',
            "    table = pd.read_parquet(path) if is_parquet else pd.read_csv(path)",
        ]
        cells = {name: _cell("table", name) for name in self._source_columns()}
        time = _cell("table", data.time) if data.time else ""
        if time:
            lines += [f"    if not pd.api.types.is_numeric_dtype({time}):"]
            lines += [f"        {time} = pd.to_datetime({time})"]
        for name, column in data.columns.items():
            low, high = column.clip
            if name in cells and (low, high) != (None, None):
                lines.append(f"    {cells[name]} = {cells[name]}.clip({low}, {high})")
        for target in data.targets.values():
            if target.classes:
                cell = _cell("table", target.columns[0])
                names = listed([literal(each) for each in target.classes])
                found = called("pd.Categorical", [("", Text(cell)), ("categories=", names)])
                lines += laid_out(Text(f"{found.flat()}.codes"), f"{cell} = ", indent=4)
        if data.series:
            keys = [literal(name) for name in data.series]
            by = (keys[0] if len(keys) == 1 else listed(keys)).flat()
            groups = f"[rows for _, rows in table.groupby({by}, sort=False)]"
        else:
            groups = "[table]"
        lines += [f"    series = {groups}"]
        if data.time:
            key = literal(data.time).flat()
            lines.append(f"    series = [rows.sort_values({key}) for rows in series]")
        if data.every is not None:
            lines += self._put_in()
        filled = [line for line in self._filled() if line]
        if filled:
            lines += ["    for rows in series:", *(f"        {line}" for line in filled)]
        return [*lines, "    return series"]

    def _source_columns(self) -> set[str]:
        found = {self.data.source_of(c) for each in self.data.all_columns for c in each.columns}
        return {name for name in found if name is not None}

    def _put_in(self) -> list[str]:
        every = parse_cadence(self.data.every or "")
        assert every is not None
        count = int(every.count) * (7 if every.unit == "week" else 1)
        unit = FREQUENCIES["day" if every.unit == "week" else every.unit]
        frequency = literal(f"{count}{unit}" if count > 1 else unit).flat()
        time = literal(self.data.time).flat()
        changed = f"rows.set_index({time}).asfreq({frequency}).reset_index()"
        return [
            "    # Rows of missing times are put in.",
            f"    series = [{changed} for rows in series]",
        ]

    def _filled(self) -> Iterator[str]:
        """Yield the statements that fill cells and make columns of the rows of a series."""
        needed = self._source_columns()
        for name, column in self.data.columns.items():
            if name not in needed or column.missing is None:
                continue
            cell = _cell("rows", name)
            if column.missing == MASK:
                yield f"{_cell('rows', name + MISSING_SUFFIX)} = {cell}.isna()"
            value = {FORWARD: f"{cell}.ffill()", MASK: f"{cell}.ffill().fillna(0)"}
            own = value.get(str(column.missing), f"{cell}.fillna({column.missing})")
            yield f"{cell} = {own}"
        if self.data.calendar:
            yield f"time = {_cell('rows', self.data.time or '')}.dt"
        for name in self.data.calendar:
            base, _, wave = name.partition("_")
            number, of = CALENDAR[base]
            if wave:
                inside = f"({number})" if " " in number else number
                yield f"angle = 2 * np.pi * {inside} / {of}"
            yield f"{_cell('rows', name)} = {f'np.{wave}(angle)' if wave else number}"

    def _examples(self) -> list[str]:
        """Return the function that lists the examples."""
        window = self.window
        lines = ["def examples_of(series: list[pd.DataFrame]) -> list[tuple[int, int]]:"]
        lines += ['    """Return the series of each example, and the row after its history."""']
        lines += ["    examples = []", "    for number, rows in enumerate(series):"]
        if window.history is None:
            if window.min_history > 1:
                lines += [f"        if len(rows) < {window.min_history}:", "            continue"]
            lines += ["        examples.append((number, len(rows)))"]
        else:
            end = f"len(rows) - {window.horizon - 1}" if window.horizon > 1 else "len(rows)"
            end = "len(rows) + 1" if window.horizon == 0 else end
            steps = f", {window.stride}" if window.stride != 1 else ""
            lines += [f"        for at in range({window.min_history}, {end}{steps}):"]
            lines += ["            examples.append((number, at))"]
        return [*lines, "    return examples"]

    def _split(self) -> list[str]:
        split = self.data.split
        lines = ["def split_examples(series: list[pd.DataFrame]) -> dict[str, list]:"]
        if split.kind == CHRONOLOGICAL:
            return lines + self._in_order()
        lines += ['    """Return the examples of each part, which are chosen at random."""']
        lines += ["    examples = examples_of(series)"]
        if self.data.series:
            lines += [
                "    # Whole series: windows of one share rows.",
                "    units = [number for number, _ in examples]",
            ]
        else:
            lines += ["    units = list(range(len(examples)))"]
        lines += [
            f"    order = np.random.default_rng({split.seed}).permutation(np.unique(units))",
            f"    tested = round(len(order) * {split.test})",
            f"    validated = round(len(order) * {split.validation})",
            "    chosen = {",
            '        "train": order[tested + validated :],',
            '        "validation": order[tested : tested + validated],',
            '        "test": order[:tested],',
            "    }",
            "    return {",
            "        part: [examples[at] for at in np.flatnonzero(np.isin(units, own))]",
            "        for part, own in chosen.items()",
            "    }",
        ]
        return lines

    def _in_order(self) -> list[str]:
        """Return the body of a chronological split."""
        split, data = self.data.split, self.data
        shares = [round(1 - split.test - split.validation, 12), round(1 - split.test, 12)]
        lines = ['    """Return the examples of each part: all of their targets are in it."""']
        if data.time:
            time = _cell("rows", data.time)
            lines += [f"    first = min({time}.min() for rows in series)"]
            lines += [f"    last = max({time}.max() for rows in series)"]
        lines += ["    ends = []  # the rows that training and validation end before, by series"]
        lines += ["    for rows in series:"]
        if data.time:
            lines += [f"        passed = (({time} - first) / (last - first)).to_numpy()"]
        lines += [f"        train = {self._end(shares[0])}"]
        lines += [f"        validation = {self._end(shares[1])}"]
        lines += ["        ends.append((train, validation))"]
        lines += ['    parts = {"train": [], "validation": [], "test": []}']
        lines += [
            "    for number, at in examples_of(series):",
            "        train, validation = ends[number]",
        ]
        begin, end = self._span()
        gap = f" + {split.gap}" if split.gap else ""
        lines += [
            f"        if {end} <= train:",
            '            parts["train"].append((number, at))',
            f"        elif train{gap} <= {begin} and {end} <= validation:",
            '            parts["validation"].append((number, at))',
            f"        elif validation{gap} <= {begin}:",
            '            parts["test"].append((number, at))',
            "    return parts",
        ]
        return lines

    def _end(self, share: float) -> str:
        if share >= 1:
            return "len(rows)"
        if self.data.time:
            return f"int((passed <= {share} + 1e-12).sum())"
        return f"min(len(rows), int((len(rows) - 1) * {share} + 1e-9) + 1)"

    def _span(self) -> tuple[str, str]:
        """Return the first row of an example's targets, and the row after the last."""
        timed = [entry for entry in self.data.targets.values() if entry.steps != STATIC]
        kinds = {entry.steps for entry in timed}
        horizon = self.window.horizon
        end = "at" if kinds and not kinds & {HORIZON, WINDOW} else _plus("at", horizon)
        if not kinds or kinds & {HISTORY, WINDOW}:
            begin = "0" if self.window.history is None else f"at - {self.window.history}"
            return (f"max({begin}, 0)" if begin != "0" else begin), end
        lags = [entry.lag if entry.steps == HORIZON else 1 for entry in timed]
        return _plus("at", -max(lags)), end

    def _steps(self) -> list[str]:
        """Return the function that takes the padded steps of a window."""
        return [
            "def padded(values: np.ndarray, start: int, end: int, steps: int) -> np.ndarray:",
            '    """Return the rows from `start` to `end`; after too few, zeros follow."""',
            "    found = values[max(start, 0) : end]",
            "    return np.pad(found, [(0, steps - len(found)), (0, 0)])",
        ]

    def _arrays(self) -> list[str]:
        """Return the function that makes the arrays of examples."""
        lines = ["def arrays(series: list[pd.DataFrame], examples: list) -> tuple[dict, dict]:"]
        lines += ['    """Return the inputs and the targets of examples, by name."""']
        variables: dict[tuple[tuple[str, ...], str], str] = {}
        entries = [(each, self.needs.inputs[each.name]) for each in self._inputs()]
        entries += [(each, self.needs.targets[each.name]) for each in self.data.targets.values()]
        for entry, need in entries:
            key = entry.columns, _dtype(need)
            if key not in variables:
                variables[key] = self.names.new(f"{entry.name}_values")
                columns = listed([literal(name) for name in entry.columns])
                lines += self._values(variables[key], columns, key[1])
        inputs: dict[str, Source] = {}
        for name, given in self.data.inputs.items():
            if isinstance(given, LengthOf):
                inputs[name] = self._lengths(_dtype(self.needs.inputs[name]))
            else:
                need = self.needs.inputs[name]
                inputs[name] = self._array(given, need, variables[given.columns, _dtype(need)])
        targets = {
            name: self._array(
                each,
                self.needs.targets[name],
                variables[each.columns, _dtype(self.needs.targets[name])],
            )
            for name, each in self.data.targets.items()
        }
        if self.window.history is None:
            lines.append("    longest = max(at for _, at in examples_of(series))")
        lines += laid_out(mapped(inputs), "inputs = ", indent=4)
        lines += laid_out(mapped(targets), "targets = ", indent=4)
        return [*lines, "    return inputs, targets"]

    def _inputs(self) -> list[Columns]:
        return [each for each in self.data.inputs.values() if isinstance(each, Columns)]

    def _values(self, name: str, columns: Source, dtype: str) -> Iterator[str]:
        """Yield the statement that takes columns of all series."""
        end = f".to_numpy({literal(dtype).flat()}) for rows in series]"
        one_line = f"{name} = [rows[{columns.flat()}]{end}"
        if fits(one_line, 4):
            yield f"    {one_line}"
            return
        yield from laid_out(columns, "columns = ", indent=4)
        yield from laid_out(Text(f"[rows[columns]{end}"), f"{name} = ", indent=4)

    def _lengths(self, dtype: str) -> Source:
        own = "at" if self.window.history is None else f"min(at, {self.window.history})"
        if self.window.history is not None and not self._is_padded:
            own = str(self.window.history)
        return called(
            "np.array", [("", Text(f"[{own} for _, at in examples]")), ("", literal(dtype))]
        )

    def _array(self, entry: Columns, need: Need, values: str) -> Source:
        """Return the array of an entry, in the shape that the recipe declares."""
        found = self.data.shape_of(entry)
        fitting = None if need.shape is None else fitted(found, need.shape)
        stacked = call(
            "np.stack", Text(f"[{self._taken(entry, values)} for number, at in examples]")
        )
        if fitting is None or tuple(fitting) == found:
            return stacked
        sizes = [-1, *(-1 if size is None else size for size in fitting)]
        return call("np.reshape", stacked, literal(tuple(sizes) if fitting else -1))

    def _taken(self, entry: Columns, values: str) -> str:
        """Return the rows that one example takes of the values of its series."""
        window, own = self.window, f"{values}[number]"
        if entry.steps == STATIC:
            return f"{own}[0]"
        if entry.steps not in (HISTORY, HORIZON, WINDOW):
            return f"{own}[at - 1]"
        if entry.steps == HORIZON:
            start = _plus("at", -entry.lag)
            return f"{own}[{start} : {_plus('at', window.horizon - entry.lag)}]"
        ahead = window.horizon if entry.steps == WINDOW else 0
        if window.history is None:
            return f"padded({own}, 0, at, longest)"
        start, end = f"at - {window.history}", _plus("at", ahead)
        if self._is_padded:
            return f"padded({own}, {start}, {end}, {window.history + ahead})"
        return f"{own}[{start} : {end}]"

    def _scales(self) -> list[str]:
        """Return the function that finds the center and the spread of columns."""
        lines = ["def fit_scales(series: list[pd.DataFrame], examples: list) -> dict[str, tuple]:"]
        lines += ['    """Return center and spread of columns in the rows that training reads."""']
        lines += ["    scales = {}"]
        for name in self.scaled:
            lines += ["    read = [np.zeros(len(rows), bool) for rows in series]"]
            lines += ["    for number, at in examples:"]
            lines += [f"        read[number][{span}] = True" for span in self._rows_of(name)]
            cell = _cell("rows", name)
            lines += [
                f'    values = [{cell}.to_numpy("float32") for rows in series]',
                "    values = np.concatenate([own[at] for own, at in zip(values, read)])",
                '    values = values.astype("float64")',
                f"    center, spread = {NUMBERS[self.data.columns[name].scale or '']}",
                f"    scales[{literal(name).flat()}] = (float(center), float(spread) or 1.0)",
            ]
        return [*lines, "    return scales"]

    def _rows_of(self, column: str) -> Iterator[str]:
        """Yield the rows of a window that inputs and targets read a column in."""
        window, spans = self.window, set[tuple[int | None, int]]()
        for entry in self.data.all_columns:
            if column not in entry.columns:
                continue
            if entry.steps == STATIC:
                spans.add((None, -1))
            elif entry.steps == HORIZON:
                spans.add((-entry.lag, window.horizon - entry.lag))
            elif entry.steps in (HISTORY, WINDOW):
                ahead = window.horizon if entry.steps == WINDOW else 0
                spans.add((None if window.history is None else -window.history, ahead))
            else:
                spans.add((-1, 0))
        for start, end in _joined(spans):
            if start is None:
                yield ":1" if end == -1 else f": {_plus('at', end)}"
            else:
                first = _plus("at", start)
                yield f"{f'max({first}, 0)' if self._is_padded else first} : {_plus('at', end)}"


def _joined(spans: set[tuple[int | None, int]]) -> list[tuple[int | None, int]]:
    """Return spans in which those that touch are one."""
    found: list[tuple[int | None, int]] = [span for span in spans if span[0] is None]
    for start, end in sorted((s, e) for s, e in spans if s is not None):
        last = found[-1] if found else (None, 0)
        if last[0] is not None and start <= last[1]:
            found[-1] = (last[0], max(end, last[1]))
        else:
            found.append((start, end))
    return found


def _plus(name: str, steps: int) -> str:
    if not steps:
        return name
    return f"{name} + {steps}" if steps > 0 else f"{name} - {-steps}"


def _cell(frame: str, column: str) -> str:
    return f"{frame}[{literal(column).flat()}]"


def _dtype(need: Need) -> str:
    return "float32" if need.dtype == "bfloat16" else need.dtype
