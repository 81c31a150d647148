"""Every shipped recipe in every format and kind of numbers: ``python -m benchmarks.quantized``.

Prints a table in Markdown: the size of each file in parts of the plain one and the mean difference
of its outputs in parts of their greatest value, or the code and the reason of the refusal. Weights
are new; recipes with named sizes keep them open. Names after the command choose some recipes.
Integers need data for their ranges: a recipe without a file here says so.
"""

from __future__ import annotations

import sys
import tempfile
from typing import TYPE_CHECKING

import lstmgraph
from lstmgraph.data.problems import DataError
from lstmgraph.export.formats import FORMATS
from lstmgraph.messages.errors import RecipeError
from lstmgraph.resources import folder

if TYPE_CHECKING:
    from pathlib import Path

    import keras

DATA = {
    "speaker-classifier": "japanese_vowels.npz",
    "next-frame": "japanese_vowels.parquet",
    "review-classifier": "reviews.csv",
}
"""The file under recipes/data/ that a recipe reads."""
LONGEST = 90
"""The most characters of a reason."""


def main(names: list[str]) -> None:
    """Print the table."""
    kinds = [(name, kind) for name, each in FORMATS.items() for kind in (None, *each.quantizations)]
    titles = [name if kind is None else f"{name} {kind}" for name, kind in kinds]
    print("| recipe |", " | ".join(titles), "|")
    print("| --- |", " | ".join("---" for _ in titles), "|")
    for path in sorted(folder("recipes").glob("*.yaml")):
        if names and path.stem not in names:
            continue
        recipe = lstmgraph.load(path)
        data = _data(path)
        if data is not None:
            recipe = recipe.fitted(data)
        model = recipe.build()
        cells = [_cell(recipe, model, name, kind, data) for name, kind in kinds]
        print(f"| {path.stem} |", " | ".join(cells), "|", flush=True)


def _data(path: Path) -> Path | None:
    name = DATA.get(path.stem)
    return None if name is None else path.parent / "data" / name


def _cell(
    recipe: lstmgraph.Recipe, model: keras.Model, name: str, kind: str | None, data: Path | None
) -> str:
    given = {} if kind is None else {"quantize": kind, "data": data}
    with tempfile.TemporaryDirectory() as target:
        try:
            report = recipe.export(model, target, format=name, **given)
        except RecipeError as error:
            found = error.diagnostics[0]
            return f"{found.code}: {found.message[:LONGEST]}"
        except (DataError, ValueError) as error:
            return str(error).splitlines()[0][:LONGEST]
    parts = [each.mean_difference / (each.greatest_value or 1.0) for each in report.outputs]
    off = f"off by {max(parts, default=0.0):.0e}"
    if report.quantized is None:
        return f"{report.size:,} bytes, {off}"
    return f"{report.size / report.quantized.plain_size:.2f}, {off}"


if __name__ == "__main__":
    main(sys.argv[1:])
