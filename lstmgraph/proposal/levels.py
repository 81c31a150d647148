"""The level of a series that a forecast starts from: its last value, or the mean of a season."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lstmgraph.proposal.windows import TEST, VALIDATION

if TYPE_CHECKING:
    from lstmgraph.data.values import Array
    from lstmgraph.proposal.order import Order
    from lstmgraph.proposal.survey import ColumnFacts
    from lstmgraph.proposal.windows import Windows

MOST_STEPS = 8
"""How many of the steps ahead are compared."""


def last_is_nearer(target: ColumnFacts, order: Order, windows: Windows) -> bool:
    """Return whether the last value is nearer to the steps ahead than the mean of a season.

    Both are compared by their mean absolute error over the rows of each series that training sees.
    """
    if windows.season == 1:
        return True
    rows = np.lexsort((order.time.values, order.numbers))
    bounds = np.flatnonzero(np.diff(order.numbers[rows])) + 1
    errors = np.zeros(2)
    for values in np.split(target.values[rows], bounds):
        known = values[~np.isnan(values)]
        errors += _errors(known[: int(len(known) * (1 - VALIDATION - TEST))], windows)
    return bool(errors[0] < errors[1])


def _errors(values: Array, windows: Windows) -> Array:
    """Return the summed errors of the last value and of the mean of a season, (2,)."""
    season, horizon = windows.season, windows.horizon
    if len(values) <= season + horizon:
        return np.zeros(2)
    sums = np.concatenate([[0.0], np.cumsum(values)])
    means = (sums[season:] - sums[:-season]) / season
    last, means = values[season - 1 : -horizon], means[:-horizon]
    steps = np.unique(np.linspace(1, horizon, MOST_STEPS).astype(int))
    ahead = [values[season - 1 + step : len(values) - horizon + step] for step in steps]
    return np.array([sum(np.abs(rows - base).sum() for rows in ahead) for base in (last, means)])
