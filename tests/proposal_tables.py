"""Small tables of many kinds, for which `lstmgraph init --data` proposes recipes."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

Rows = list[list[object]]


def write(path: Path, header: Sequence[str], rows: Rows, delimiter: str = ",") -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter=delimiter, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)
    return path


def stamps(first: str, count: int, unit: str) -> list[str]:
    start = np.datetime64(first, unit)
    return [str(stamp).replace("T", " ") for stamp in start + np.arange(count)]


def waves(count: int, period: int, seed: int = 0) -> list[float]:
    random = np.random.default_rng(seed)
    values = 20 + 5 * np.sin(2 * np.pi * np.arange(count) / period) + random.normal(0, 1, count)
    return [round(float(value), 2) for value in values]


def hourly(path: Path) -> Path:
    """One series; the calendar stands beside the time, and a few cells are empty."""
    times = [f"{stamp}:00" for stamp in stamps("2023-01-02T00", 24 * 40, "h")]
    load, wind = waves(len(times), 24), waves(len(times), 100, 1)
    rows: Rows = [
        [time, int(time[11:13]), value, "" if index % 97 == 5 else breeze, 1013]
        for index, (time, value, breeze) in enumerate(zip(times, load, wind, strict=True))
    ]
    return write(path, ["time", "hour", "load", "wind", "pressure"], rows)


def daily(path: Path) -> Path:
    """Many series of different levels, with a static column, one that is known, and gaps."""
    rows: Rows = []
    for store, level in (("north", 1), ("south", 20), ("west", 300)):
        sold = waves(200, 7, level)
        for index, day in enumerate(stamps("2023-03-01", 200, "D")):
            if (index + level) % 50:
                rows.append(
                    [day, store, level * 10, int(index % 10 == 0), round(level * sold[index])]
                )
    return write(path, ["day", "store", "size", "promotion", "sold"], rows)


def monthly(path: Path) -> Path:
    """A time and a number, over ten years."""
    months = [f"{month}-01" for month in stamps("2010-01", 120, "M")]
    return write(
        path, ["month", "passengers"], [list(r) for r in zip(months, waves(120, 12), strict=True)]
    )


def weekly(path: Path) -> Path:
    """Weeks of four years, some of which are missing."""
    weeks = stamps("2019-01-07", 7 * 208, "D")[::7]
    rows: Rows = [
        [w, v] for i, (w, v) in enumerate(zip(weeks, waves(208, 52), strict=True)) if i % 30 != 7
    ]
    return write(path, ["week", "co2"], rows)


def workdays(path: Path) -> Path:
    """Daily prices without weekends."""
    days = [d for i, d in enumerate(stamps("2022-01-03", 7 * 40, "D")) if i % 7 < 5]
    rows: Rows = [[d, v, v * 1000] for d, v in zip(days, waves(len(days), 30), strict=True)]
    return write(path, ["date", "close", "volume"], rows)


def quarter_hours(path: Path) -> Path:
    """Every 15 minutes, as ISO 8601 with a time zone."""
    times = [f"{t}Z" for t in stamps("2023-05-01T00:00", 15 * 96 * 12, "m")[::15]]
    rows: Rows = [
        [t.replace(" ", "T"), v] for t, v in zip(times, waves(len(times), 96), strict=True)
    ]
    return write(path, ["timestamp", "power"], rows)


def yearly(path: Path) -> Path:
    """Years as numbers, in few rows."""
    return write(path, ["year", "births"], [[1950 + i, v] for i, v in enumerate(waves(60, 9))])


def numbered(path: Path) -> Path:
    """Two series whose times are numbers."""
    rows: Rows = [
        [sensor, step, value]
        for sensor in (1, 2)
        for step, value in enumerate(waves(150, 20, sensor))
    ]
    return write(path, ["sensor_id", "step", "value"], rows)


def uneven(path: Path) -> Path:
    """Times without a usual step."""
    minutes = np.cumsum(np.random.default_rng(3).integers(1, 5000, 300))
    times = [str(np.datetime64("2023-01-01T00:00") + int(m)).replace("T", " ") for m in minutes]
    return write(
        path, ["when", "reading"], [list(row) for row in zip(times, waves(300, 9), strict=True)]
    )


def without_time(path: Path) -> Path:
    """Rows without an order, an id, and a skewed target."""
    random = np.random.default_rng(5)
    rows: Rows = [
        [
            1000 + index,
            round(float(random.normal(70, 9)), 1),
            int(random.integers(0, 2)),
            round(float(random.lognormal(10, 1))),
        ]
        for index in range(80)
    ]
    return write(path, ["house_id", "area", "garden", "price"], rows)


def ids(path: Path) -> Path:
    """Rows with a class as a number from 0."""
    random = np.random.default_rng(6)
    rows: Rows = [[*np.round(random.normal(size=2), 3), int(i % 3)] for i in range(60)]
    return write(path, ["width", "height", "species"], rows)


def series_of_classes(path: Path) -> Path:
    """Whole series, each with a class of its own."""
    rows: Rows = [
        [person, frame, value, round(value / 3, 2), person % 2]
        for person in range(20)
        for frame, value in enumerate(waves(8 + person % 4, 5, person))
    ]
    return write(path, ["person", "frame", "x", "y", "left_handed"], rows)


def empty_column(path: Path) -> Path:
    """Semicolons between the columns, a column without values, and one of another decimal."""
    days = stamps("2023-01-01", 120, "D")
    rows: Rows = [
        [day, "", f"{visits / 7:.2f}".replace(".", ","), visits]
        for day, visits in zip(days, waves(120, 7), strict=True)
    ]
    return write(path, ["date", "notes", "price", "visits"], rows, ";")


def hostile_names(path: Path) -> Path:
    """Names that YAML would read as something else, and that would move a cursor."""
    days = stamps("2023-01-01", 120, "D")
    names = ["date", "no", "a: b, {c}", "# 1", "x\x1b[2J", "y"]
    rows: Rows = [
        [day, y, y + index % 3, index % 5 - y, -y, y]
        for index, (day, y) in enumerate(zip(days, waves(120, 7), strict=True))
    ]
    return write(path, names, rows)


def reviews(path: Path) -> Path:
    """Texts, a category, numbers, an id, dates, an empty column; one class is rare."""
    random = np.random.default_rng(7)
    rows: Rows = []
    for index in range(120):
        opinion = "no" if index % 3 else "yes" if index % 4 else "n/a: b"
        text = " ".join(random.choice(["tea", "was", "good", "cold", "not"], size=4 + index % 3))
        day = f"2024-{1 + index % 12:02}-05"
        bill = "" if index % 40 == 1 else round(float(random.uniform(2, 30)), 2)
        rows.append([f"r{index}", day, text, ["harbour", "market"][index % 2], bill, "", opinion])
    return write(path, ["id", "day", "review", "a: shop", "bill", "note", "opinion"], rows)


def two_texts(path: Path) -> Path:
    """Two columns of texts and a number to tell; one name is that of a layer."""
    rows: Rows = [
        [
            f"a title of {i % 9} words",
            f"the body of the text is longer {i % 50}",
            "ab"[i % 2],
            i / 7,
        ]
        for i in range(100)
    ]
    return write(path, ["hidden", "hidden_2 reader", "features", "score"], rows)


TABLES: dict[str, tuple[Callable[[Path], Path], tuple[str, ...]]] = {
    "hourly": (hourly, ()),
    "daily": (daily, ("--target", "sold", "--known", "promotion", "--horizon", "10")),
    "monthly": (monthly, ()),
    "weekly": (weekly, ()),
    "workdays": (workdays, ("--target", "close")),
    "quarter-hours": (quarter_hours, ()),
    "yearly": (yearly, ()),
    "numbered": (numbered, ()),
    "uneven": (uneven, ()),
    "without-time": (without_time, ("--target", "price")),
    "ids": (ids, ("--target", "species")),
    "series-of-classes": (series_of_classes, ("--target", "left_handed")),
    "reviews": (reviews, ("--target", "opinion")),
    "two-texts": (two_texts, ("--target", "score")),
    "empty-column": (empty_column, ()),
    "hostile-names": (hostile_names, ()),
}
"""Each table, and the options beside ``--data``."""
