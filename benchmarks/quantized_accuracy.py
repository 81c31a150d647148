"""What fewer bits cost on real data: ``python -m benchmarks.quantized_accuracy``.

Each recipe is trained as ``lstmgraph train`` does, and written to a LiteRT file with fixed steps.
Measures are those of the test part, which was neither trained on nor calibrated with.
"""

from __future__ import annotations

import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import lstmgraph

RECIPES = Path(__file__).parent.parent / "recipes"
KINDS = ("int16x8", "int8")
ANY = 0.99
"""A tolerance with which every file is written: what it costs is the question."""


@dataclass(frozen=True)
class Case:
    """A recipe, what is changed of it, its data, its steps in a file, and the measure."""

    title: str
    recipe: str
    data: str
    measure: str
    sizes: str
    changed: tuple[str, ...] = ()


CASES = (
    Case(
        "speaker-classifier",
        *("speaker-classifier", "japanese_vowels.npz", "accuracy", "inputs.frames.shape=[29, 12]"),
    ),
    Case(
        "next-frame",
        *("next-frame", "japanese_vowels.parquet", "mae", "inputs.frames.shape=[12, 12]"),
    ),
    Case(
        "next-frame, the speaker among the inputs",
        *("next-frame", "japanese_vowels.parquet", "mae", "inputs.frames.shape=[12, 12]"),
        ("layers.reader.initial_state=zeros", "layers.reader.input=[frames, voice]"),
    ),
)


def main(kinds: list[str]) -> None:
    """Print a row for each case."""
    print(f"| recipe | measure | float32 | {' | '.join(kinds)} |")
    print(f"|{' --- |' * (3 + len(kinds))}")
    for case in CASES:
        print(_row(case, kinds), flush=True)


def _row(case: Case, kinds: list[str]) -> str:
    data = RECIPES / "data" / case.data
    path = RECIPES / f"{case.recipe}.yaml"
    before, costs = 0.0, []
    with tempfile.TemporaryDirectory() as folder:
        trained = lstmgraph.load(path, overrides=case.changed).train(data, folder=folder).model
        fixed = lstmgraph.load(path, overrides=(*case.changed, case.sizes))
        fixed = fixed.fitted(data) if case.data.endswith("parquet") else fixed
        model = fixed.build()
        model.set_weights(trained.get_weights())
        for kind in kinds:
            report = fixed.export(
                *(model, f"{folder}/{kind}"),
                format="litert",
                quantize=kind,
                data=data,
                tolerance=ANY,
            )
            found = [each for each in report.quantized.measures if each.name.endswith(case.measure)]
            before = float(np.mean([each.before for each in found]))
            after = float(np.mean([each.after for each in found]))
            costs.append(f"{after / before - 1:+.2%}")
    return f"| {case.title} | {case.measure} | {before:.5f} | {' | '.join(costs)} |"


if __name__ == "__main__":
    main(sys.argv[1:] or list(KINDS))
