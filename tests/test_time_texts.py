"""Times of one column are shown in one form."""

from __future__ import annotations

import numpy as np
import pytest

from lstmgraph.data.table import time_texts


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_midnight_has_its_hour_where_other_times_have_theirs(unit: str) -> None:
    times = np.array(["2024-01-30T23:00", "2024-01-31", "2024-02-01"], f"datetime64[{unit}]")
    ends = times[1:].astype(np.int64).tolist()
    hours = time_texts(ends, unit, times.astype(np.int64))
    assert hours == ["2024-01-31 00:00:00", "2024-02-01 00:00:00"]
    assert time_texts(ends, unit, times[1:].astype(np.int64)) == ["2024-01-31", "2024-02-01"]


def test_dates_and_numbers_have_no_clock() -> None:
    assert time_texts([0, 31], "D", np.array([0, 31])) == ["1970-01-01", "1970-02-01"]
    assert time_texts([0.5, 3], "", np.array([0.5, 3.0])) == ["0.5", "3"]
