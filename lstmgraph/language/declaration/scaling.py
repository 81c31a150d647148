"""Layers that scale: behind inputs made of columns with ``scale:``, and before their forecasts.

``log`` and the numbers that were fitted make ``Normalization`` layers of Keras, which the recipe
does not name; what they take and give is in the units of the table.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lstmgraph.keras_facts.catalogue import argument_defaults
from lstmgraph.keras_facts.distributions import SCALED_AS
from lstmgraph.language.declaration.data import HISTORY, HORIZON, Columns, LengthOf
from lstmgraph.language.declaration.read_data import read_data

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from lstmgraph.language.declaration.data import Column, DataDeclaration
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
SCALED, UNSCALED, SEASON = "scaled", "unscaled", "season"
"""What names of the layers end with: ``history_scaled``, ``forecast_unscaled``."""


@dataclass(frozen=True)
class Scaling:
    """How the columns of an input or a target are scaled, (..., columns)."""

    columns: tuple[Column | None, ...]
    """The preparation of each column; None for one that is not prepared."""
    path: Path
    """Where the recipe says so."""

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
        return (column.fitted if column else None) or (0.0, 1.0)

    def layers(self, source: str, name: str) -> Iterator[tuple[str, str, Data]]:
        """Yield name, type and arguments of the layers that scale `source`; the last is `name`."""
        if any(self.has_log):
            yield from self._logarithms(source, name)
            source = f"{name}_log"
        yield name, "Normalization", {"input": source, **self._moments(invert=False)}

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
        self, source: str, name: str, distribution: str | None = None
    ) -> Iterator[tuple[str, str, Data]]:
        """Yield name, type and arguments of the layers that give a forecast its units.

        Args:
            source: what is forecast: numbers, or the parameters of a `distribution`.
            name: the name of the last layer.
            distribution: one of those that can be scaled.
        """
        if distribution is not None:
            (center,), (spread,) = self.centers, self.spreads
            moved = [center if moves else 0.0 for moves in SCALED_AS[distribution]]
            sizes = [1.0 if moves is None else spread**2 for moves in SCALED_AS[distribution]]
            moments = {"axis": -1, "mean": moved, "variance": sizes, "invert": True}
            yield name, "Normalization", {"input": source, **moments}
            return
        scaled = f"{name}_numbers" if any(self.has_log) else name
        yield scaled, "Normalization", {"input": source, **self._moments(invert=True)}
        if not any(self.has_log):
            return
        log, rest, above = scaled, f"{name}_rest", f"{name}_exponential"
        if not all(self.has_log):
            log = f"{name}_own"
            yield from self._parts(scaled, name)
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
    history = _history_of(entry, data) if entry and entry.steps == HORIZON else None
    if entry is None or history is None or window is None or window.history is None:
        return "", ()
    if window.min_history < window.history:
        return "", ()
    return history.name, tuple(history.columns.index(column) for column in entry.columns)


def _history_of(entry: Columns, data: DataDeclaration) -> Columns | None:
    """Return the first input with the history of all columns of a target."""
    return next(
        (
            other
            for other in data.inputs.values()
            if isinstance(other, Columns)
            and other.steps == HISTORY
            and set(entry.columns) <= set(other.columns)
        ),
        None,
    )


def seasons_of(data: DataDeclaration) -> dict[str, Season]:
    """Return the season of each target with a ``difference:`` that some history has."""
    found = {}
    for name, entry in data.targets.items():
        history = _history_of(entry, data)
        if entry.difference and data.window and entry.steps == HORIZON and history:
            lengths = next(
                (
                    other.name
                    for other in data.inputs.values()
                    if isinstance(other, LengthOf) and other.source == history.name
                ),
                None,
            )
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
    return loss.get(output) if isinstance(loss, dict) and "type" not in loss else loss


def scalings(recipe: Data) -> tuple[Mapping[str, Scaling], Mapping[str, Scaling]]:
    """Return the scaling of the inputs and of the outputs of a completed recipe, by name."""
    if not any("scale" in column for column in recipe.get("data", {}).get("columns", {}).values()):
        return {}, {}
    data = read_data(recipe["data"])
    return scalings_of(data, "inputs"), scalings_of(data, "targets")


def scalings_of(data: DataDeclaration, section: str) -> dict[str, Scaling]:
    """Return the scaling of the entries of ``inputs`` or ``targets`` that read scaled columns."""
    entries = (entry for entry in data.all_columns if entry.path[1] == section)
    found = ((entry.name, scaling_of(entry, data)) for entry in entries)
    return {name: scaling for name, scaling in found if scaling is not None}


def scaling_of(entry: Columns, data: DataDeclaration) -> Scaling | None:
    """Return the scaling of an entry of ``data:``; None if none of its columns is scaled."""
    columns = tuple(data.columns.get(name) for name in entry.columns)
    scaled = [column for column in columns if column and column.scale]
    if not scaled:
        return None
    return Scaling(columns, (*scaled[0].path, "scale"))
