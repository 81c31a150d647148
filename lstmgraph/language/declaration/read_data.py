"""Convert the completed `data:` section to its typed form, without checks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lstmgraph.language.declaration.data import (
    ROW,
    STATIC,
    Column,
    Columns,
    DataDeclaration,
    DataSplit,
    LengthOf,
    Window,
)

if TYPE_CHECKING:
    from lstmgraph.messages.diagnostics import Path

Data = dict[str, Any]


def read_data(completed: Data) -> DataDeclaration:
    """Return the typed form of a `data:` section that ``complete_data`` has filled in."""
    weights = completed.get("sample_weight", {})
    window = completed.get("window")
    return DataDeclaration(
        split=_split(completed["split"]),
        series=tuple(completed.get("series", [])),
        time=completed.get("time"),
        every=completed.get("every"),
        calendar=tuple(completed.get("calendar", [])),
        columns={
            name: _column(name, column, ("data", "columns", name))
            for name, column in completed.get("columns", {}).items()
        },
        window=_window(window) if window else None,
        inputs={
            name: _entry(name, entry, ("data", "inputs", name))
            for name, entry in completed.get("inputs", {}).items()
        },
        targets={
            name: _columns(name, entry, ("data", "targets", name))
            for name, entry in completed.get("targets", {}).items()
        },
        sample_weights=_sample_weights(weights),
    )


def _sample_weights(weights: Data) -> dict[str, Columns]:
    path: Path = ("data", "sample_weight")
    if "columns" in weights:
        return {"": _columns("sample_weight", weights, path)}
    return {name: _columns(name, entry, (*path, name)) for name, entry in weights.items()}


def _split(data: Data) -> DataSplit:
    fractions = {name: float(data.get(name, 0.0)) for name in ("validation", "test")}
    return DataSplit(**{**data, **fractions})


def _window(data: Data) -> Window:
    history = data["history"]
    return Window(
        history=history if isinstance(history, int) else None,
        horizon=data.get("horizon", 0),
        stride=data.get("stride", 1),
        min_history=data["min_history"],
    )


def _column(name: str, data: Data, path: Path) -> Column:
    clip = data.get("clip", (None, None))
    found = clip if isinstance(clip, dict) else {}
    low, high = (None, None) if found else clip
    return Column(
        name,
        path,
        missing=data.get("missing"),
        clip=(low, high),
        quantiles=_pair(found.get("quantiles")),
        limits=_pair(found.get("fitted")),
        difference=data.get("difference", 0),
        scale=data.get("scale"),
        fitted=_pair(data.get("fitted")),
        per=data.get("per"),
        fitted_series=_of_series(data.get("fitted_series")),
    )


def _pair(numbers: Any) -> tuple[float, float] | None:
    return (float(numbers[0]), float(numbers[1])) if numbers else None


def _of_series(found: Data | None) -> dict[str, tuple[float, float]]:
    """Return the numbers by name; a check reports lists of different lengths."""
    if not found:
        return {}
    numbers = zip(found["names"], found["center"], found["spread"], strict=False)
    return {name: (float(center), float(spread)) for name, center, spread in numbers}


def _entry(name: str, data: Data, path: Path) -> Columns | LengthOf:
    if "length_of" in data:
        return LengthOf(name, path, data["length_of"])
    return _columns(name, data, path)


def _columns(name: str, data: Data, path: Path) -> Columns:
    steps = STATIC if data.get("static") else data.get("steps", ROW)
    lag, difference = data.get("lag", 0), data.get("difference", 0)
    classes = tuple(map(str, data.get("classes", ())))
    columns = tuple(data.get("columns", ()))
    return Columns(name, path, columns, steps, lag, difference, classes)
