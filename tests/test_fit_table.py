"""The table of whole trainings: what it is made of, and what it refuses."""

from __future__ import annotations

import json
import statistics
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from benchmarks.__main__ import main
from benchmarks.fit import FITS, HAND, START, table
from benchmarks.timing import OURS

if TYPE_CHECKING:
    from pathlib import Path


def line(repeat: int, ours: float, loss: float = 0.5, name: str = "next-frame") -> dict[str, Any]:
    side = {"seconds": 10.0, "processor": 20.0, "last": 0.5}
    sides = {OURS: {"seconds": ours, "processor": 2 * ours, "last": loss}, HAND: side}
    sides[START] = {"seconds": 2.0, "processor": 3.0}
    return {"recipe": name, "epochs": 20, "repeat": repeat, "load": 0.1, "sides": sides}


def test_the_ratio_is_the_median_of_the_repeats(tmp_path: Path) -> None:
    lines = [line(repeat, ours) for repeat, ours in enumerate((5.0, 7.0, 4.0))]
    lines.append(line(0, 12.0, name="number-words"))
    file = tmp_path / "fit.jsonl"
    file.write_text("".join(json.dumps(each) + "\n" for each in lines), "utf-8")
    main(["fit", "--lines", str(file), "--markdown", str(tmp_path / "results.md")])
    text = (tmp_path / "results.md").read_text("utf-8")
    rows = [row for row in text.splitlines() if row.startswith(("| next", "| number"))]
    ratio = statistics.median((0.5, 0.7, 0.4))
    cells = f"5.0 s | 10.0 s | {ratio:.2f} | 0.40-0.70 | 0.60 | ok | 10.0 s | 20.0 s | 0.50"
    assert rows[0] == f"| next-frame | 20 | {cells} | 3.0 s | 0.5 | 0.5 |"
    assert "| 1.20 | 1.20-1.20 | 1.05 | missed |" in rows[1]
    assert "medians of 1 to 3 repeats" in text
    assert "Rough" not in text


def test_sides_that_compute_something_else_have_no_table() -> None:
    with pytest.raises(RuntimeError, match=r"next-frame: the losses 0\.7, 0\.5 differ"):
        table([line(repeat, 5.0, loss=0.7) for repeat in range(3)])
    table([line(repeat, 5.0, loss=0.7) for repeat in range(2)])  # too few to say so


def test_data_that_is_made_has_what_the_recipes_need(tmp_path: Path) -> None:
    """So neither side reads more than the other; all arrays are those of the recipe's tensors."""
    made = {name: fit for name, fit in FITS.items() if callable(fit.data)}
    wanted = {
        "stream-anomalies": {"frames", "lengths", "expected"},
        "sentence-matcher": {"first", "second", "same"},
        "number-words": {"words", "digits", "next"},
    }
    for name, tensors in wanted.items():
        made[name].data(tmp_path / "data.npz")
        with np.load(tmp_path / "data.npz") as arrays:
            assert {f"train_{each}" for each in tensors} == set(arrays)
            assert len({len(array) for array in arrays.values()}) == 1
