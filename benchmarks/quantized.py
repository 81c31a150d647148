"""Every shipped recipe in every format and kind of numbers: ``python -m benchmarks.quantized``.

Names after the command choose some recipes. What is found goes into ``quantized.json``, beside what
it holds of other recipes, and the table that is made of it into docs/export.md. Weights are new.
Where a file is refused as long as sizes are open, it is tried again with fixed ones.

Ranges come from data where this repository has or makes some, else from random inputs: that shows
what can be written, and how large it is, not how exact it is for anyone.
"""

from __future__ import annotations

import json
import sys
import tempfile
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import lstmgraph
from benchmarks import number_words, sentences
from benchmarks.report import put_section
from lstmgraph.evaluation.exported import export_data
from lstmgraph.export import ExportOptions
from lstmgraph.export.files import export_files
from lstmgraph.export.formats import FORMATS, MICROCONTROLLER, C
from lstmgraph.export.job import ExportData
from lstmgraph.export.quantization import INT8
from lstmgraph.export.samples import sample_batches
from lstmgraph.export.sizes import choose_sizes, named_dims
from lstmgraph.files import atomic_path
from lstmgraph.messages.errors import RecipeError
from lstmgraph.resources import folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import keras

    from lstmgraph.export.samples import Arrays
    from lstmgraph.messages.diagnostics import Diagnostic

ROOT = Path(__file__).parent.parent
RESULTS = Path(__file__).with_name("quantized.json")
PAGE = ROOT / "docs" / "export.md"
HEAD = """\
## Every recipe

Each recipe that comes with lstmgraph, in every format and kind of numbers, with new weights, as
`python -m benchmarks.quantized` found. Plain files have their size, others the part of the plain
one's; then follows how far outputs are off on average, in parts of their greatest value. With \\*
all sizes were fixed, as a file with open ones is refused. Ranges from `random` inputs show what can
be written and how large it is, not how exact it is.
"""
VOWELS = "japanese_vowels.npz"
RANDOM = "random"
STEPS = 12
"""The smallest of the sizes that are fixed where no data gives them."""
SEEDS = 5
"""Of these, one makes the inputs that are compared, and the others show ranges."""

MOST, COMPARED = 60, 10
"""Batches of data that show ranges, and that are compared."""

Cell = dict[str, Any]


def _reviews() -> Any:
    """Return the reviews as the recipe has their columns."""
    import pandas as pd

    return pd.read_csv(folder("recipes") / "data" / "reviews.csv").rename(
        {"review": "text"}, axis=1
    )


def _number_words() -> Arrays:
    numbers = number_words.numbers(400).tolist()
    read, written = number_words.digit_ids(numbers)
    words = number_words.word_ids(map(number_words.in_words, numbers))
    return {"words": words, "digits": read, "next": written}


def _sentences() -> Arrays:
    inputs, same = sentences.pairs(sentences.meanings()[:200], 0)
    return {**inputs, "same": same}


def _frames() -> Arrays:
    """Return each recording but its last frame, and the frames to expect."""
    found = np.load(folder("recipes") / "data" / VOWELS)
    frames = found["train_frames"]
    return {
        "frames": frames[:, :-1],
        "lengths": found["train_lengths"] - 1,
        "expected": frames[:, 1:],
    }


DATA: Mapping[str, str | Callable[[], Any]] = {
    "speaker-classifier": VOWELS,
    "speaker-classifier-search": VOWELS,
    "next-frame": "japanese_vowels.parquet",
    "review-classifier": _reviews,
    "number-words": _number_words,
    "number-words-attention": _number_words,
    "sentence-matcher": _sentences,
    "stream-anomalies": _frames,
}
"""A file under recipes/data/, or what makes arrays or a table."""


@dataclass(frozen=True)
class Column:
    """A format, a kind of numbers, and a device."""

    format: str
    kind: str | None = None
    device: str | None = None

    @property
    def title(self) -> str:
        """Return the words at the top of the column."""
        words = [self.format, self.kind, self.device and f"on a {self.device}"]
        return " ".join(word for word in words if word)


def columns() -> list[Column]:
    """Return the columns; a C file holds the model of a LiteRT file."""
    listed = [
        Column(name, kind)
        for name, each in FORMATS.items()
        if name != C
        for kind in (None, *each.quantizations)
    ]
    return [*listed, Column(C, None, MICROCONTROLLER), Column(C, INT8, MICROCONTROLLER)]


def recipes() -> list[Path]:
    """Return the shipped recipes."""
    return sorted(folder("recipes").glob("*.yaml"))


def main(names: Sequence[str]) -> None:
    """Export the recipes, and write what was found and the table."""
    for path in recipes():
        if names and path.stem not in names:
            continue
        found = _tried(path)
        results = json.loads(RESULTS.read_text("utf-8")) if RESULTS.is_file() else {}
        results[path.stem] = found
        results = {each.stem: results[each.stem] for each in recipes() if each.stem in results}
        with atomic_path(RESULTS) as temporary:
            temporary.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n", "utf-8")
        print(path.stem, *found["cells"].values(), sep="\n  ", flush=True)
    put_section(PAGE, table(json.loads(RESULTS.read_text("utf-8"))))


def _tried(path: Path) -> Cell:
    """Return what every column gives for a recipe."""
    source = DATA.get(path.stem, RANDOM)
    data = source() if callable(source) else source
    if isinstance(data, str) and data != RANDOM:
        data = path.parent / "data" / data
    made = _Made(path, data)
    fixed: _Made | None = None
    cells: dict[str, Cell] = {}
    for column in columns():
        cell = made.cell(column)
        sizes = made.sizes() if "code" in cell else []
        if sizes:
            fixed = fixed or _Made(path, data, sizes)
            again = fixed.cell(column)
            cell = again if "code" in again else {**again, "fixed": True}
        cells[column.title] = cell
    return {"ranges": "made" if callable(source) else source, "cells": cells}


class _Made:
    """A recipe, a model of it, and what shows ranges."""

    def __init__(self, path: Path, data: Any, sizes: Sequence[str] = ()) -> None:
        self.recipe = lstmgraph.load(path, overrides=sizes)
        if data is not RANDOM:
            self.recipe = self.recipe.fitted(data)
        self.graph = self.recipe.compiled.graph
        self.model: keras.Model = self.recipe.build()
        if data is RANDOM:
            ranges = partial(self._random, range(1, SEEDS))
            self.data = ExportData(ranges, partial(self._random, range(1)), None, lambda *_: [])
        else:
            whole = export_data(self.recipe.compiled, data)
            self.data = ExportData(
                lambda rows: islice(whole.ranges(rows), MOST),
                lambda rows: islice(whole.unseen(rows), COMPARED),
                None,
                whole.measure,
            )

    def _random(self, seeds: range, rows: int | None) -> Iterator[Arrays]:
        for seed in seeds:
            yield from sample_batches(self.graph, batch_size=rows, smallest=STEPS, seed=seed)

    def sizes(self) -> list[str]:
        """Return what fixes every size that is open, as the command takes it."""
        if not named_dims(self.graph):
            return []
        chosen = choose_sizes(self.graph, 1, STEPS)
        if not isinstance(self.data.ranges, partial):
            batch = next(self.data.ranges(1))
            for name, tensor in self.graph.inputs.items():
                shape = zip(tensor.spec.shape, batch[name].shape, strict=True)
                chosen |= {dim: size for dim, size in shape if isinstance(dim, str)}
        return [
            f"inputs.{name}.shape={[chosen.get(dim, dim) for dim in tensor.spec.shape[1:]]}"
            for name, tensor in self.graph.inputs.items()
            if any(isinstance(dim, str) for dim in tensor.spec.shape[1:])
        ]

    def cell(self, column: Column) -> Cell:
        """Return the size of a file and how far it is off, or why there is none."""
        options = ExportOptions(quantize=column.kind, device=column.device)
        data = self.data if column.kind else None
        with tempfile.TemporaryDirectory() as target:
            path = FORMATS[column.format].path(Path(target), self.recipe.name)
            try:
                (report,) = export_files(
                    self.recipe.compiled, self.model, {column.format: path}, options, data
                )
            except RecipeError as error:
                return {
                    "code": error.diagnostics[0].code,
                    "reasons": list(dict.fromkeys(map(_reason, error.diagnostics))),
                }
        parts = [each.mean_difference / (each.greatest_value or 1.0) for each in report.outputs]
        cell: Cell = {"bytes": report.size, "off": float(f"{max(parts, default=0.0):.1e}")}
        if report.quantized is not None:
            cell["share"] = round(report.size / report.quantized.plain_size, 2)
        return cell


def _reason(diagnostic: Diagnostic) -> str:
    """Return what stands in the way, and what to do instead."""
    return ". Instead: ".join(filter(None, [diagnostic.message, diagnostic.hint]))


def table(results: Mapping[str, Any]) -> str:
    """Return the table of what was found by recipe, and the reasons of what was refused."""
    titles = [column.title for column in columns()]
    lines = [
        HEAD,
        f"| recipe | ranges from | {' | '.join(titles)} |",
        f"|{' --- |' * (len(titles) + 2)}",
    ]
    reasons: dict[tuple[str, str], dict[str, list[str]]] = {}
    for name, found in results.items():
        cells = [found["cells"][title] for title in titles]
        texts = " | ".join(map(_text, cells))
        lines.append(f"| {name} | {found['ranges']} | {texts} |")
        refused = [
            (title, cell) for title, cell in zip(titles, cells, strict=True) if "code" in cell
        ]
        for title, cell in refused:
            for reason in cell["reasons"]:
                places = reasons.setdefault((cell["code"], reason), {})
                places.setdefault(name, []).append(title)
    missing = [path.stem for path in recipes() if path.stem not in results]
    if missing:
        lines += ["", f"Not run yet: {', '.join(missing)}."]
    lines += ["", "Refused, with the message:", ""]
    for (code, reason), places in sorted(reasons.items()):
        where = "; ".join(f"{name} ({', '.join(kinds)})" for name, kinds in places.items())
        lines.append(f"- {code}, {where}: {reason}")
    return "\n".join(lines) + "\n"


def _text(cell: Cell) -> str:
    if "code" in cell:
        return str(cell["code"])
    size = f"{cell['share']:.2f}" if "share" in cell else f"{cell['bytes'] / 1000:.0f} kB"
    mark = " \\*" if cell.get("fixed") else ""
    return f"{size}, {cell['off']:.0e}{mark}"


if __name__ == "__main__":
    main(sys.argv[1:])
