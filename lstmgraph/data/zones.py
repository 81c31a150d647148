"""Times of a time zone as clocks there show them, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lstmgraph.data.values import Array

UTC = ("UTC", "Etc/UTC", "+00:00", "Z")


def wall(times: Array, unit: str, zone: str) -> Array:
    """Return what clocks in `zone`, such as ``Europe/Berlin`` or ``+01:00``, show at these times.

    Args:
        times: since 1970 in UTC, (rows,) int64.
        unit: what they count, as NumPy writes it.
        zone: empty for times that are clocks' already.
    """
    if not zone or zone in UTC:
        return times
    import pyarrow as pa  # noqa: PLC0415 - an extra
    from pyarrow import compute  # noqa: PLC0415 - an extra

    column = pa.array(times).cast(pa.timestamp(unit, zone))
    found: Array = compute.local_timestamp(column).cast(pa.int64()).to_numpy()
    return found


def from_wall(times: Array, unit: str, zone: str) -> Array:
    """Return the UTC times at which clocks in `zone` show these.

    Of an hour that there is twice, the first; for one that there is not, the moment after it.
    """
    if not zone or zone in UTC:
        return times
    import pyarrow as pa  # noqa: PLC0415 - an extra
    from pyarrow import compute  # noqa: PLC0415 - an extra

    column = pa.array(times).cast(pa.timestamp(unit))
    placed = compute.assume_timezone(column, zone, ambiguous="earliest", nonexistent="latest")
    found: Array = placed.cast(pa.int64()).to_numpy()
    return found
