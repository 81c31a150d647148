"""Layers that scale: behind inputs made of columns with ``scale:``, and before their forecasts.

``log`` and the numbers that were fitted make ``Normalization`` layers of Keras, which the recipe
does not name; what they take and give is in the units of the table.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from lstmgraph.keras_facts.catalogue import argument_defaults
from lstmgraph.keras_facts.distributions import SCALED_AS, is_of_counts
from lstmgraph.keras_facts.dtypes import is_float
from lstmgraph.keras_facts.layers.lookups import STRING
from lstmgraph.keras_facts.targets import is_by_output
from lstmgraph.language.declaration.data import HORIZON
from lstmgraph.language.declaration.read_data import read_data
from lstmgraph.language.declaration.row_numbers import (
    BY_ROW,
    UNKNOWN,
    history_of,
    row_numbers,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from lstmgraph.language.declaration.data import Column, Columns, DataDeclaration
    from lstmgraph.language.declaration.row_numbers import RowNumbers
    from lstmgraph.messages.diagnostics import Path

    Data = dict[str, Any]

LOG = "log1p"
"""Operation: return the logarithm of 1 + each number."""
ADD_SEASON = "add_season"
"""Operation: add to a forecast the values of the season before it.

Inputs are the forecast, (batch, horizon, ...), the history, (batch, time, columns), and perhaps its
lengths, (batch,).
"""
QUANTILES = "quantiles"
"""Operation: return numbers in order: the first, and each next one by a positive distance above."""
PARAMETERS = "parameters"
"""Operation: return parameters of a distribution, positive where they must be."""
CLIP = "clip"
"""Operation: move numbers beyond limits onto them, (..., columns)."""
CHANGE = "change"
"""Operation: subtract from each step of a column an earlier one, (batch, time, columns).

Steps without an earlier one become 0.
"""
CLIPPED, LOGARITHM, CHANGES, SCALED = "clipped", "log", "changes", "scaled"
"""The stages that an input passes, in this order; the last gives the layer its name."""
UNSCALED, SEASON, NUMBERS = "unscaled", "season", "numbers"
"""What names of further layers end with: ``forecast_unscaled``."""
LARGEST = 3.0e38
"""The limit of numbers that have none, within float32."""


@dataclass(frozen=True)
class Scaling:
    """How the model prepares the columns of an input or a target, (..., columns)."""

    columns: tuple[Column | None, ...]
    """The preparation of each column; None for one that is not prepared."""
    path: Path
    """Where the recipe says so."""
    rows: RowNumbers | None = None
    """Where each row has its numbers from; None where all are scaled alike."""
    is_input: bool = True
    """Whether it is an input's, whose columns may be clipped and subtracted too."""

    @property
    def is_scaled(self) -> tuple[bool, ...]:
        """Return for each column whether it is scaled."""
        return tuple(column is not None and column.scale is not None for column in self.columns)

    @property
    def is_shared(self) -> bool:
        """Whether there are several columns, with the same numbers in all rows."""
        return self.rows is None and len(self.columns) > 1

    @property
    def has_log(self) -> tuple[bool, ...]:
        """Return for each column whether its logarithm is scaled."""
        return tuple(column is not None and column.scale == "log" for column in self.columns)

    @property
    def centers(self) -> list[float]:
        """Return the number of each column that becomes 0; 0 where none was fitted."""
        return [self._fitted(column)[0] for column in self.columns]

    @property
    def spreads(self) -> list[float]:
        """Return the distance from the center that becomes 1; 1 where none was fitted."""
        return [self._fitted(column)[1] for column in self.columns]

    @staticmethod
    def _fitted(column: Column | None) -> tuple[float, float]:
        return (column.fitted if column else None) or UNKNOWN

    @property
    def differences(self) -> list[int]:
        """Return how many steps back the value is that is subtracted from each column; 0: none."""
        return [column.difference if column and self.is_input else 0 for column in self.columns]

    @property
    def limits(self) -> tuple[list[float], list[float]]:
        """Return the lowest and the highest value of each column."""
        given = [
            (column.limits or column.clip) if column else (None, None) for column in self.columns
        ]
        low = [-LARGEST if pair[0] is None else pair[0] for pair in given]
        return low, [LARGEST if pair[1] is None else pair[1] for pair in given]

    @property
    def stages(self) -> tuple[str, ...]:
        """Return what is done with an input, in order."""
        has = {
            CLIPPED: any(column is not None and column.is_clipped for column in self.columns),
            LOGARITHM: any(self.has_log),
            CHANGES: any(self.differences),
            SCALED: any(self.is_scaled),
        }
        return tuple(stage for stage, is_there in has.items() if is_there)

    def level(self, source: str, name: str) -> str:
        """Return the layer that gives an input before differences are formed and it is scaled."""
        done = [stage for stage in self.stages if stage in (CLIPPED, LOGARITHM)]
        return self._layer_of(done[-1], name) if done else source

    def unscaled(self, source: str, name: str) -> str:
        """Return the layer that gives an input before it is scaled."""
        done = [stage for stage in self.stages if stage != SCALED]
        return self._layer_of(done[-1], name) if done else source

    def _layer_of(self, stage: str, name: str) -> str:
        return name if stage == self.stages[-1] else f"{name}_{stage}"

    def layers(self, source: str, name: str, numbers: str = "") -> Iterator[tuple[str, str, Data]]:
        """Yield name, type and arguments of the layers that prepare `source`; the last is `name`.

        Args:
            source: the input.
            name: the name of the last layer.
            numbers: the layer that gives the numbers of each row, where they differ.
        """
        for stage in self.stages:
            own = self._layer_of(stage, name)
            if stage == CLIPPED:
                low, high = self.limits
                yield own, CLIP, {"input": source, "low": low, "high": high}
            elif stage == LOGARITHM:
                yield from self._logarithms(source, name)
            elif stage == CHANGES:
                yield own, CHANGE, {"input": source, "steps": self.differences}
            elif self.rows is not None:
                data: Data = {"input": [source, numbers], "invert": False, "moves": None}
                yield own, BY_ROW, {**data, "behind": 0}
            else:
                yield own, "Normalization", {"input": source, **self._moments(invert=False)}
            source = own

    def _logarithms(self, source: str, name: str) -> Iterator[tuple[str, str, Data]]:
        """Yield the layers that take the logarithm of some columns; less than 0 counts as 0."""
        rest = f"{name}_rest"
        if not all(self.has_log):
            yield from self._parts(source, name)
            source = f"{name}_own"
        above = f"{name}_above"
        yield above, "ReLU", {**argument_defaults("ReLU"), "input": source}
        if all(self.has_log):
            yield f"{name}_log", LOG, {"input": above}
        else:
            yield f"{name}_log1p", LOG, {"input": above}
            yield f"{name}_log", "Add", {"input": [f"{name}_log1p", rest]}

    def _parts(self, source: str, name: str) -> Iterator[tuple[str, str, Data]]:
        """Yield a layer of the columns with logarithms, ``NAME_own``, and ``NAME_rest``; else 0."""
        for part, taken in (("own", True), ("rest", False)):
            takes = [float(has == taken) for has in self.has_log]
            yield f"{name}_{part}", "Rescaling", {"input": source, "scale": takes, "offset": 0.0}

    def inverse_layers(
        self,
        source: str,
        name: str,
        distribution: str | None = None,
        numbers: str = "",
        *,
        behind: int = 0,
    ) -> Iterator[tuple[str, str, Data]]:
        """Yield name, type and arguments of the layers that give a forecast its units.

        Args:
            source: what is forecast: numbers, or the parameters of a `distribution`.
            name: the name of the last layer.
            distribution: one of those that can be scaled.
            numbers: the layer that gives the numbers of each row, where they differ.
            behind: how many axes, such as that of quantiles, follow the one of columns.
        """
        if self.rows is not None:
            moves = None if distribution is None else list(SCALED_AS[distribution])
            own = {"input": [source, numbers], "invert": True, "moves": moves, "behind": behind}
            yield name, BY_ROW, own
        elif distribution is not None:
            (center,), (spread,) = self.centers, self.spreads
            moved = [center if moves else 0.0 for moves in SCALED_AS[distribution]]
            sizes = [1.0 if moves is None else spread**2 for moves in SCALED_AS[distribution]]
            moments = {"axis": -1, "mean": moved, "variance": sizes, "invert": True}
            yield name, "Normalization", {"input": source, **moments}
        else:
            moments = self._moments(invert=True)
            if moments["axis"] is not None:
                moments["axis"] = -1 - behind
            yield name, "Normalization", {"input": source, **moments}

    def exponential_layers(self, source: str, name: str) -> Iterator[tuple[str, str, Data]]:
        """Yield the layers that undo the logarithms of a forecast; the last is `name`."""
        log, rest, above = source, f"{name}_rest", f"{name}_exponential"
        if not all(self.has_log):
            log = f"{name}_own"
            yield from self._parts(source, name)
        yield above, "Activation", {"input": log, "activation": "exponential"}
        if all(self.has_log):
            yield name, "Rescaling", {"input": above, "scale": 1.0, "offset": -1.0}
        else:
            offset = [-1.0] * len(self.has_log)  # of exp(0) too, in the columns without a logarithm
            yield f"{name}_above", "Rescaling", {"input": above, "scale": 1.0, "offset": offset}
            yield name, "Add", {"input": [f"{name}_above", rest]}

    def _moments(self, *, invert: bool) -> Data:
        centers, spreads = self.centers, self.spreads
        own: Data = {
            "axis": -1,
            "mean": centers,
            "variance": [spread * spread for spread in spreads],
            "invert": invert,
        }
        if len(centers) == 1:  # the axis of one column may be left out
            own |= {"axis": None, "mean": centers[0], "variance": own["variance"][0]}
        return own


@dataclass(frozen=True)
class Season:
    """The values that the model adds to a forecast: the last `period` steps of a history."""

    history: str
    """The input that has them."""
    lengths: str | None
    """The input with the lengths of the history; None where every history is whole."""
    columns: tuple[int, ...]
    """Which columns of the history the forecast's are."""
    period: int
    horizon: int
    path: Path
    """Where the recipe says so."""

    def layer(self, source: str, history: str, parameters: int) -> Data:
        """Return the arguments of the operation that adds the season of `history` to `source`.

        Of the `parameters` of a distribution, it is added to the first alone.
        """
        lengths = [self.lengths] if self.lengths else []
        own = {"columns": self.columns, "period": self.period, "horizon": self.horizon}
        own |= {"parameters": parameters}
        return {"input": [source, history, *lengths], **own}


def past_of(data: DataDeclaration, target: str) -> tuple[str, tuple[int, ...]]:
    """Return the input with the whole history of a target, and the places of its columns there.

    The name is empty where there is none, or where histories have padded steps.
    """
    entry, window = data.targets.get(target), data.window
    history = history_of(entry.columns, data) if entry and entry.steps == HORIZON else None
    if entry is None or history is None or window is None or window.history is None:
        return "", ()
    if window.min_history < window.history:
        return "", ()
    return history.name, tuple(history.columns.index(column) for column in entry.columns)


def seasons_of(data: DataDeclaration) -> dict[str, Season]:
    """Return the season of each target with a ``difference:`` that some history has."""
    found = {}
    for name, entry in data.targets.items():
        history = history_of(entry.columns, data)
        if entry.difference and data.window and entry.steps == HORIZON and history:
            lengths = data.lengths_of(history.name)
            places = tuple(history.columns.index(column) for column in entry.columns)
            horizon, path = data.window.horizon, (*entry.path, "difference")
            found[name] = Season(history.name, lengths, places, entry.difference, horizon, path)
    return found


def seasons(recipe: Data) -> Mapping[str, Season]:
    """Return the seasons that outputs of a completed recipe are the difference from, by name."""
    targets = recipe.get("data", {}).get("targets", {}).values()
    has_any = any("difference" in target for target in targets)
    return seasons_of(read_data(recipe["data"])) if has_any else {}


def loss_of(recipe: Data, output: str) -> Any:
    """Return the loss of an output as a completed recipe writes it; None without one."""
    loss = recipe.get("training", {}).get("loss")
    return loss.get(output) if is_by_output(loss) else loss


def scalings(recipe: Data) -> tuple[Mapping[str, Scaling], Mapping[str, Scaling]]:
    """Return the scaling of the inputs and of the outputs of a completed recipe, by name.

    Whole numbers and texts are not clipped by the model, but when a table is read.
    """
    prepared = ("scale", "clip", "difference")
    columns = recipe.get("data", {}).get("columns", {}).values()
    if not any(key in column for column in columns for key in prepared):
        return {}, {}
    data = read_data(recipe["data"])
    inputs = {
        name: scaling
        for name, scaling in scalings_of(data, "inputs").items()
        if scaling.stages != (CLIPPED,) or _takes_floats(recipe["inputs"].get(name, {}))
    }
    outputs = scalings_of(data, "targets", {name: loss_of(recipe, name) for name in data.targets})
    tensors: Data = recipe["inputs"]
    for found in (inputs, outputs):
        for name, scaling in found.items():
            if scaling.rows is not None and not _has_names(scaling.rows, tensors):
                found[name] = replace(scaling, rows=None)  # which is reported
    return inputs, outputs


def _has_names(rows: RowNumbers, tensors: Data) -> bool:
    """Return whether the inputs are there that the numbers of rows are read from."""
    is_there = all(each in tensors for each in (rows.series, rows.history, rows.lengths) if each)
    return is_there and (rows.series is None or tensors[rows.series].get("dtype") == STRING)


def _takes_floats(tensor: Data) -> bool:
    dtype = str(tensor.get("dtype", ""))
    return not dtype or is_float(dtype)


def scalings_of(
    data: DataDeclaration, section: str, losses: Mapping[str, Any] | None = None
) -> dict[str, Scaling]:
    """Return the scaling of the entries of ``inputs`` or ``targets`` with prepared columns.

    Targets that `losses`, those of outputs by name, take as counts are not scaled.
    """
    entries = (entry for entry in data.all_columns if entry.path[1] == section)
    found = ((entry.name, scaling_of(entry, data)) for entry in entries)
    counts = {name for name, loss in (losses or {}).items() if is_of_counts(loss)}
    return {name: s for name, s in found if s is not None and name not in counts}


def scaling_of(entry: Columns, data: DataDeclaration) -> Scaling | None:
    """Return the scaling of an entry of ``data:``; None if the model prepares none of its columns.

    Clipping and differences are those of inputs.
    """
    is_input = entry.path[1] == "inputs"
    columns = {name: data.columns[name] for name in entry.columns if name in data.columns}
    if not is_input:
        columns = {
            name: replace(column, clip=(None, None), quantiles=None)
            for name, column in columns.items()
        }
    keys = {
        name: "scale" if column.scale else "clip" if column.is_clipped else "difference"
        for name, column in columns.items()
        if column.scale or column.is_clipped or (column.difference and is_input)
    }
    if not keys:
        return None
    name = next((name for name, key in keys.items() if key == "scale"), next(iter(keys)))
    scaled = {name: column for name, column in columns.items() if column.scale}
    prepared = tuple(columns[name] if name in keys else None for name in entry.columns)
    rows = row_numbers(entry, scaled, data) if scaled else None
    return Scaling(prepared, (*columns[name].path, keys[name]), rows, is_input)
