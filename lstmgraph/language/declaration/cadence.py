"""The text of ``every:``: how far apart the times of a series are."""

from __future__ import annotations

import re
from dataclasses import dataclass

MONTHS = {"month": 1, "quarter": 3, "year": 12}
"""Steps of the calendar, which differ in length, in months."""
MILLISECONDS = {
    "millisecond": 1,
    "second": 1000,
    "minute": 60 * 1000,
    "hour": 3600 * 1000,
    "day": 24 * 3600 * 1000,
    "week": 7 * 24 * 3600 * 1000,
}
UNITS = (*MILLISECONDS, *MONTHS)
_TEXT = re.compile(r"(?:([0-9]{1,9})\s+)?([a-z]+)")


@dataclass(frozen=True)
class Cadence:
    """A number of units of time; `unit` is empty where times are plain numbers."""

    count: float
    unit: str

    @property
    def months(self) -> int:
        """The months of a step of the calendar; 0 for one that is always equally long."""
        return int(self.count) * MONTHS.get(self.unit, 0)

    @property
    def milliseconds(self) -> int:
        """The length of a step that is always equally long; 0 for months and plain numbers."""
        return int(self.count) * MILLISECONDS.get(self.unit, 0)

    @property
    def counts_days(self) -> bool:
        """Whether steps are days or longer, and so keep their time of day where clocks change."""
        return self.unit in ("day", "week", *MONTHS)

    def __str__(self) -> str:
        if not self.unit:
            return f"{self.count:.15g}"
        return self.unit if self.count == 1 else f"{self.count:g} {self.unit}s"


def parse_cadence(every: str | float) -> Cadence | None:
    """Return what ``every:`` says, ``hour`` or ``15 minutes``; None if it is no such text."""
    if not isinstance(every, str):
        return Cadence(every, "")
    found = _TEXT.fullmatch(every.strip())
    if not found:
        return None
    count, unit = int(found[1] or 1), found[2]
    unit = unit if unit in UNITS else unit.removesuffix("s")
    return Cadence(count, unit) if count and unit in UNITS else None
