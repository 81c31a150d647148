"""The calibration of intervals: what is added to the quantiles of an output behind its layers.

Training finds these numbers on the validation part, as conformal prediction does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lstmgraph.keras_facts.distributions import quantiles_of
from lstmgraph.language.declaration.read_data import read_data
from lstmgraph.language.declaration.scaling import loss_of, past_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    Data = dict[str, Any]

CALIBRATED = "calibrated"
"""The word for intervals of all outputs with quantiles, whose numbers training finds."""
INTERVALS = "intervals"
"""Operation: add to each quantile a number of its own, and put them in order again.

Inputs are the quantiles, (batch, ..., quantiles), and perhaps the history, (batch, time, columns),
whose mean absolute change in a season multiplies the numbers.
"""


@dataclass(frozen=True)
class Intervals:
    """The numbers for the quantiles of one output."""

    quantiles: int
    history: str = ""
    """The input with the history of the target's columns; empty without one of a fixed length."""
    columns: tuple[int, ...] = ()
    """Which columns of the history the target's are."""
    season: int = 0
    """The steps of a season; 0 where the numbers are the same for every history."""
    smallest: float = 0.0
    """What the mean absolute change in a season counts as, where it is less."""
    offsets: tuple[tuple[float, ...], ...] = ()
    """For each step, or for all, a number for each quantile; empty where none were found."""

    @property
    def arguments(self) -> Data:
        """The arguments of the operation."""
        found = self.offsets or ((0.0,) * self.quantiles,)
        own = {"season": self.season, "columns": self.columns, "smallest": self.smallest}
        return {**own, "offsets": found}


def intervals_of(recipe: Data) -> Mapping[str, Intervals]:
    """Return the intervals of a completed recipe that are calibrated, by output."""
    given = recipe.get("training", {}).get("intervals")
    if given is None:
        return {}
    data = read_data(recipe["data"]) if "data" in recipe else None
    found = {}
    for name in recipe["outputs"] if given == CALIBRATED else given:
        quantiles = quantiles_of(loss_of(recipe, name))
        if quantiles is None:
            continue
        own = {} if given == CALIBRATED else given[name]
        history, columns = past_of(data, name) if data else ("", ())
        found[name] = Intervals(
            len(quantiles),
            history,
            columns,
            own.get("season", 0),
            own.get("smallest", 0.0),
            tuple(map(tuple, own.get("offsets", ()))),
        )
    return found
