"""Every figure that lstmgraph is held to, against hand-written code in the same run.

A table on the terminal, and a JSON file. With --markdown nothing is measured: the file gets the
tables of the JSON file. README.md beside this file says what each figure means. The table of
training steps, that of whole trainings and that of LiteRT files are commands of their own: python
-m benchmarks training --help, and the same with fit and devices.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import devices, fit, report, training
from benchmarks.options import ENVIRONMENT, QUICK, Options
from lstmgraph.files import atomic_path

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from benchmarks.timing import Figure

PARTS = {
    "startup": "benchmarks.startup",
    "validate": "benchmarks.validate",
    "memory": "benchmarks.memory",
    "search": "benchmarks.search",
    "build": "benchmarks.build",
    "loops": "benchmarks.loops",
    "inference": "benchmarks.inference",
    "onnx": "benchmarks.exported",
    "step": "benchmarks.stepping",
}
"""Modules with a function `measure`, in the order they run: first those that measure whole
processes, as a child's peak memory would begin at that of a parent with TensorFlow in it."""
GOING_ON = {"training": training, "fit": fit, "devices": devices}
"""Commands of their own; the first two go on where they were stopped."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print, or write what was measured as Markdown."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    if given and given[0] in GOING_ON:
        GOING_ON[given[0]].main(given[1:])
        return
    parser = _parser()
    chosen = parser.parse_args(given)
    if chosen.markdown and not chosen.json.is_file():
        parser.error(f"there is no {chosen.json}: measure first, or name another with --json")
    if chosen.markdown:
        _write(chosen.markdown, report.markdown(json.loads(chosen.json.read_text("utf-8"))))
        return
    os.environ.update(ENVIRONMENT)
    options, load = _options(chosen), report.other_load()
    if (load or 0) > report.QUIET:
        print(f"rough figures: {load} other processes ran on average in the last minute")
    figures: list[Figure] = []
    for part in (part for part in PARTS if part in chosen.parts):
        # After each part: a run that is stopped leaves what it has.
        figures += _print_each(importlib.import_module(PARTS[part]).measure(options))
        measured = report.as_json(figures, options, load)
        _write(chosen.json, json.dumps(measured, indent=2) + "\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--parts", nargs="+", choices=PARTS, default=tuple(PARTS), help="all without it")
    add("--repeats", type=int, metavar="N", help=f"of each side (default {Options.repeats})")
    add("--batches", type=int, nargs="+", metavar="N", help="batch sizes of the grid")
    add("--layers", type=int, nargs="+", metavar="N", help="numbers of LSTM layers of the grid")
    add("--trials", type=int, nargs=2, metavar="N", help="of searches compared, and of a long one")
    add("--quick", action="store_true", help="a smoke run: one repeat of the smallest cases")
    add("--json", type=Path, metavar="FILE", default=Path("benchmarks.json"))
    add("--markdown", type=Path, metavar="FILE", help="write the tables of the JSON file there")
    return parser


def _options(chosen: argparse.Namespace) -> Options:
    given = {
        "repeats": chosen.repeats,
        "batches": chosen.batches and tuple(chosen.batches),
        "depths": chosen.layers and tuple(chosen.layers),
        "trials": chosen.trials and tuple(chosen.trials),
    }
    base = QUICK if chosen.quick else Options()
    return replace(base, **{name: value for name, value in given.items() if value})


def _print_each(figures: Iterator[Figure]) -> Iterator[Figure]:
    last = ""
    for figure in figures:
        if figure.part != last:
            print(report.header(figure.part))
        last = figure.part
        print(report.line(report.row(figure)), flush=True)
        yield figure


def _write(path: Path, text: str) -> None:
    with atomic_path(path) as temporary:
        temporary.write_text(text, "utf-8")


if __name__ == "__main__":
    main()
