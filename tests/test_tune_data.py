"""A search goes on with the same values, whatever file they come from, and with no others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from data_building import ROWS, recipe, table
from tuning_cases import QUICK, arrays

import lstmgraph
from lstmgraph.data import fingerprint as fingerprint_module
from lstmgraph.tuning.data import fingerprints, read_parts
from lstmgraph.tuning.search.errors import JobChangedError

if TYPE_CHECKING:
    from pathlib import Path

# Keras 3.15 writes weights with a call that NumPy 2 wants spelled otherwise.
pytestmark = [
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
    pytest.mark.usefixtures("forked_servers"),
]


@pytest.mark.slow
def test_a_search_goes_on_with_the_same_values_in_other_files(tmp_path: Path) -> None:
    inputs, targets = arrays()
    named: dict[str, Any] = {**inputs, **targets}
    np.savez(tmp_path / "packed.npz", **named)
    single, other = tmp_path / "single", tmp_path / "other"
    for folder, shift in ((single, 0), (other, 1)):
        folder.mkdir()
        for name, array in named.items():
            np.save(folder / f"{name}.npy", np.asfortranarray(array + shift * (name == "y")))
    searched = lstmgraph.load(QUICK)

    def trials(data: Any) -> list[int]:
        found = searched.tune(data, folder=tmp_path / "out", max_trials=1, verbose=0)
        return [trial.number for trial in found.results.trials]

    for same in (tmp_path / "packed.npz", single, (inputs, targets), single):
        assert trials(same) == [0]
    for changed in (other, ({"x": inputs["x"] * 2}, targets)):
        with pytest.raises(JobChangedError, match="data, as it was"):
            trials(changed)


def of(searched: lstmgraph.Recipe, rows: list[dict[str, float]]) -> dict[str, list[str]]:
    sources = {"train": table(rows)}
    data = read_parts(searched.compiled, sources, None)
    return fingerprints(searched.compiled, data, sources, None)


def test_columns_that_other_points_of_the_space_read_count_too() -> None:
    rows = [{"a": i / 8, "b": i / 4, "c": float(i % 3), "d": i / 2} for i in range(30)]
    columns = {"$search": {"choice": [["a", "b"], ["a", "d"]]}}
    searched = recipe(ROWS, data__inputs__x__columns=columns)
    usual = of(searched, rows)
    assert [len(found) for found in usual.values()] == [2, 2], "of both choices"
    changed = of(searched, [{**row, "d": row["d"] + 1} for row in rows])
    for part, found in usual.items():
        assert changed[part][0] == found[0]
        assert changed[part][1] != found[1]
    unread = of(recipe(ROWS), [{**row, "d": row["d"] + 1} for row in rows])
    assert unread["train"] == usual["train"][:1]


def test_a_search_reads_all_of_a_large_array(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fingerprint_module, "WHOLE", 64)
    monkeypatch.setattr(fingerprint_module, "BLOCK", 32)
    rows = [{"a": i / 8, "b": i / 4, "c": float(i % 3)} for i in range(200)]
    usual = of(recipe(ROWS), rows)
    for changed in range(0, 200, 7):
        other = [{**row, "a": row["a"] + (i == changed)} for i, row in enumerate(rows)]
        assert of(recipe(ROWS), other)["train"] != usual["train"]
