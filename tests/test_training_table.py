"""The table of training steps: what it is made of, and that its sides train the same."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from benchmarks.__main__ import main
from benchmarks.cells import Cell, cells
from benchmarks.side import KERAS, KERAS_JAX, OURS, TORCH, Pipe, serve
from benchmarks.training import aim_of, ratio_of, read_lines, require_equal_losses, table

if TYPE_CHECKING:
    from pathlib import Path

# Keras 3.15 writes weights with a call that NumPy 2 wants spelled otherwise.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

TINY = Cell("gru", True, 3, 4, 2, 1, 2)
SMALL = Cell("lstm", False, 32, 60, 4, 1, 32)


def line(cell: Cell, load: float = 0.0, **seconds: list[float]) -> dict[str, Any]:
    names = {"ours": OURS, "keras": KERAS, "jax": KERAS_JAX, "torch": TORCH}
    sides = {names[n]: {"seconds": each, "compile": 1.5} for n, each in seconds.items()}
    return {"cell": cell.as_dict(), "floor": 0.001, "load": load, "sides": sides}


def served(name: str, cell: Cell, epochs: int) -> list[dict[str, float]]:
    asked = json.dumps({"cell": cell.as_dict(), "batches": 3})
    lines = io.StringIO("\n".join([asked, *["go"] * epochs, "stop"]) + "\n")
    answers = io.StringIO()
    serve(name, Pipe(lines, answers))
    return [json.loads(text) for text in answers.getvalue().splitlines()]


@pytest.mark.slow
def test_our_side_and_keras_train_the_same_when_they_are_asked_to() -> None:
    ours, theirs = (served(name, TINY, epochs=2) for name in (OURS, KERAS))
    epoch = ["loss", "processor", "seconds"]
    assert [sorted(each) for each in ours] == [epoch, epoch, ["before", "peak"]]
    losses = [[each["loss"] for each in side[:2]] for side in (ours, theirs)]
    np.testing.assert_allclose(*losses, rtol=1e-5)
    assert losses[0][0] != losses[0][1]


def test_the_grid_is_that_of_the_table() -> None:
    found = list(cells())
    assert len(found) == len(set(found)) == 2 * 2 * 3 * 3 * 5
    arrays = TINY.arrays(3)
    for row, length in zip(arrays.sequence, arrays.lengths, strict=True):
        assert row[length:].any() == False  # noqa: E712 - of NumPy
        assert row[:length].all()
        assert 2 <= length <= 4
    assert {2 <= cell.batches <= 100 for cell in found} == {True}


@pytest.mark.parametrize(
    ("changes", "keras", "torch"),
    [
        ({}, 0.45, 1.2),
        ({"batch": 1}, 0.20, 1.2),
        ({"batch": 256}, 1.03, 1.2),
        ({"masked": True}, 0.45, 1.0),
        ({"units": 128, "steps": 100}, 0.75, 1.2),
        ({"units": 128, "steps": 100, "batch": 16}, 1.03, 1.2),
    ],
)
def test_aims(changes: dict[str, Any], keras: float, torch: float) -> None:
    cell = Cell(**{**SMALL.as_dict(), **changes})
    assert (aim_of(cell, KERAS), aim_of(cell, TORCH), aim_of(cell, KERAS_JAX)) == (
        keras,
        torch,
        None,
    )


def test_the_ratio_is_the_median_of_pairs() -> None:
    found = line(SMALL, ours=[1.0, 2.0, 9.0], keras=[2.0, 8.0, 9.0])
    assert ratio_of(found, KERAS) == (0.5, 0.25, 1.0)
    assert ratio_of(found, TORCH) is None


def test_the_table_takes_the_place_of_its_section(tmp_path: Path) -> None:
    """A line that was cut off is measured again; of two of one cell the later counts."""
    lines = [
        line(SMALL, ours=[9.0], keras=[1.0]),
        line(SMALL, ours=[0.002] * 3, keras=[0.005] * 3, torch=[0.001] * 3),
        line(TINY, ours=[1.0], keras=[1.0]),  # of no cell of the table
    ]
    (tmp_path / "t.jsonl").write_text("\n".join(map(json.dumps, lines)) + '\n{"cell": {"ki')
    assert read_lines(tmp_path / "t.jsonl") == lines
    results = tmp_path / "RESULTS.md"
    results.write_text("# Results\n\n## Training step\n\nold\n\n## Inference\n\nkept\n")
    for _ in range(2):
        main(["training", "--lines", str(tmp_path / "t.jsonl"), "--markdown", str(results)])
        text = results.read_text()
        assert text == f"# Results\n\n{table(lines)}\n## Inference\n\nkept\n"
    rows = [row for row in text.splitlines() if row.startswith("| 1 |")]
    assert rows == [
        "| 1 | 32 | 2.00 | 5.00 | 0.40 | 0.40-0.40 | 0.45 | ok |  |  | 1.00 | 2.00 | 1.20 | missed "
        "| 2.0 | 1.5 s | 1.5 s |"
    ]
    assert "### LSTM, plain: 32 units, 60 steps, 4 features" in text
    assert "1 of 180 cells" in text
    assert "Rough" not in text
    assert "Rough: other processes ran before 1 of 1 cells" in table([line(SMALL, 2.0, ours=[1.0])])


def test_sides_that_compute_something_else_are_refused() -> None:
    require_equal_losses(SMALL, {OURS: {"losses": [2.0, 1.9]}, TORCH: {"losses": [2.01, 1.9]}})
    with pytest.raises(RuntimeError, match="Keras by hand computes something else"):
        require_equal_losses(SMALL, {OURS: {"losses": [2.0, 1.9]}, KERAS: {"losses": [2.01, 1.9]}})
