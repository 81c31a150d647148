"""Figures as lines on the terminal, as JSON, and as Markdown made from the JSON."""

from __future__ import annotations

import os
import platform
import statistics
from dataclasses import asdict
from importlib import metadata
from itertools import groupby
from typing import TYPE_CHECKING, Any

from benchmarks.options import THREADS, missing
from lstmgraph.files import atomic_path

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from benchmarks.options import Options
    from benchmarks.timing import Figure

FORMAT = 1
QUIET = 0.3
"""With more processes than these before the run, figures are rough."""
PACKAGES = (
    "lstmgraph",
    "keras",
    "tensorflow",
    "jax",
    "torch",
    "onnx",
    "onnxruntime",
    "tf2onnx",
    "numpy",
)
COLUMNS = ("case", "lstmgraph", "against", "takes", "ratio", "of repeats", "aim", "", "floor x")
WIDTHS = (44, 11, 23, 11, 6, 11, 5, 6, 7)

Row = dict[str, Any]


def row(figure: Figure) -> Row:
    """A figure as plain data; times are in seconds and memory in MiB, as `unit` says."""
    return {
        "part": figure.part,
        "case": figure.case,
        "against": figure.against,
        "unit": figure.unit,
        "ours": list(figure.ours),
        "theirs": list(figure.theirs),
        "ratio": figure.ratio,
        "spread": figure.spread and list(figure.spread),
        "aim": figure.aim,
        "verdict": figure.verdict,
        "floor": figure.floor and {**asdict(figure.floor), "seconds": figure.floor.seconds},
    }


def as_json(figures: Sequence[Figure], options: Options, load: float | None) -> Row:
    """Everything that was measured, and on what; `load` is that of others, before the run."""
    return {
        "format": FORMAT,
        "machine": {**machine(), "load": load},
        "repeats": options.repeats,
        "figures": [row(figure) for figure in figures],
    }


def machine() -> Row:
    """What the figures were measured on."""
    return {
        "system": platform.platform(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "threads": THREADS,
        "python": platform.python_version(),
        "packages": {p: metadata.version(p) for p in PACKAGES if not missing(p)},
    }


def other_load() -> float | None:
    """How many processes ran in the last minute on average; None where the system cannot say."""
    return round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None


def _processor() -> str:
    """The processor's name; ``platform.processor()`` knows it on few systems."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:  # noqa: PTH123
            names = (line.partition(":")[2].strip() for line in lines if "model name" in line)
            return next(names, platform.machine())
    except OSError:
        return platform.processor() or platform.machine()


def header(part: str) -> str:
    """What stands above a part's lines."""
    return f"\n{part}\n{_line(COLUMNS)}"


def line(figure: Row) -> str:
    """A figure on the terminal."""
    return _line(_cells(figure))


def markdown(report: Row) -> str:
    """The tables, a part after the other, and the machine they were measured on."""
    machine = report["machine"]
    packages = ", ".join(f"{name} {version}" for name, version in machine["packages"].items())
    lines = [
        "# Results",
        "",
        f"{machine['processor']}, {machine['cores']} cores, {machine['threads']} threads a side; "
        f"Python {machine['python']}, {packages}.",
        f"Medians of {report['repeats']} repeats or, of whole processes, of at most 5. "
        "[What the columns mean](README.md).",
    ]
    if (machine["load"] or 0) > QUIET:
        lines += ["", f"**Rough: {machine['load']} other processes ran on average before.**"]
    floors = [figure["floor"] for figure in report["figures"] if figure["floor"]]
    rates = {floor["runtime"]: floor["flops_per_second"] for floor in floors}
    if rates:
        rate = ", ".join(f"{value / 1e9:.0f} in {name}" for name, value in rates.items())
        lines += ["", f"Matrix products of float32, 10^9 operations a second: {rate}."]
    for part, figures in groupby(report["figures"], key=lambda figure: figure["part"]):
        lines += ["", f"## {part[0].upper()}{part[1:]}", "", _markdown_line(COLUMNS)]
        lines += [_markdown_line(["---"] * len(COLUMNS))]
        lines += [_markdown_line(_cells(figure)) for figure in figures]
    return "\n".join(lines) + "\n"


def put_section(path: Path, section: str) -> None:
    """Put Markdown that begins with a heading in place of the section of that name, or last."""
    text = path.read_text("utf-8") if path.is_file() else "# Results\n"
    heading, end = section.partition("\n")[0] + "\n", "\n## "
    before, found, rest = text.partition(heading)
    after = rest.partition(end)
    new = before.rstrip("\n") + "\n\n" + section
    if found and after[1]:
        new += end + after[2]
    with atomic_path(path) as temporary:
        temporary.write_text(new, "utf-8")


def _cells(figure: Row) -> Iterator[str]:
    ours, theirs = (statistics.median(figure[side] or [0]) for side in ("ours", "theirs"))
    measured = figure["ratio"] is not None
    yield figure["case"]
    yield _amount(ours, figure["unit"]) if measured else ""
    yield figure["against"]
    yield _amount(theirs, figure["unit"]) if measured else ""
    yield f"{figure['ratio']:.3f}" if measured else ""
    yield "{:.2f}-{:.2f}".format(*figure["spread"]) if measured else ""
    yield "" if figure["aim"] is None else f"{figure['aim']:.2f}"
    yield figure["verdict"]
    floor = figure["floor"]
    yield f"{ours / floor['seconds']:.1f}" if measured and floor else ""


def _amount(value: float, unit: str) -> str:
    if unit == "MiB":
        return f"{value:.0f} MiB"
    return f"{value * 1e3:.2f} ms" if value < 1 else f"{value:.2f} s"


def _line(cells: Sequence[str] | Iterator[str]) -> str:
    columns = zip(cells, WIDTHS, strict=True)
    texts = [
        cell.ljust(width) if index in (0, 2, 7) else cell.rjust(width)
        for index, (cell, width) in enumerate(columns)
    ]
    return " ".join(texts).rstrip()


def _markdown_line(cells: Sequence[str] | Iterator[str]) -> str:
    return f"| {' | '.join(cells)} |"
