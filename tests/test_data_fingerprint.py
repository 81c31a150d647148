"""The fingerprint of data: the same for the same values, another for others, at a bounded cost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from data_building import FORECAST, forecaster, recipe, store_rows, write_csv, write_parquet

from lstmgraph.data import fingerprint as fingerprints
from lstmgraph.data.fingerprint import fingerprint

if TYPE_CHECKING:
    from pathlib import Path

ARRAYS = """
    inputs:
      x: {shape: [3, 2]}
      kind: {shape: [], dtype: int32}
    layers:
      reader: {type: lstm, input: x, units: 2}
      y: {type: dense, input: reader, units: 1}
      z: {type: dense, input: kind_vector, units: 1}
      kind_vector: {type: embedding, input: kind, input_dim: 5, output_dim: 2}
    outputs: {y: y, z: z}
    training: {loss: mse}
"""


def arrays(**changes: Any) -> dict[str, np.ndarray]:
    random = np.random.default_rng(0)
    found = {
        "x": random.normal(size=(20, 3, 2)).astype("float32"),
        "kind": random.integers(0, 5, 20),
        "y": random.normal(size=(20, 1)),
        "z": random.normal(size=(20, 1)),
    }
    return {**found, **changes}


def of(given: Any, **values: Any) -> str:
    return fingerprint(recipe(ARRAYS, **values).load_data(given).train)


def test_it_is_of_the_values_and_not_of_the_file(tmp_path: Path) -> None:
    wanted = of(arrays())
    assert wanted.startswith("16 examples, ")
    np.savez(tmp_path / "packed.npz", **arrays(), unused=np.zeros(3))
    for name, array in arrays().items():
        np.save(tmp_path / f"{name}.npy", np.asfortranarray(array))
    assert of(tmp_path / "packed.npz") == of(tmp_path) == wanted


@pytest.mark.parametrize("name", ["x", "kind", "y"])
def test_another_value_another_fingerprint(name: str) -> None:
    changed = arrays()[name].copy()
    changed[11] = 0 if name != "kind" else (changed[11] + 1) % 5
    assert of(arrays(**{name: changed})) != of(arrays())


def test_another_split_weights_or_places_another_fingerprint() -> None:
    swapped = {"y": arrays()["z"], "z": arrays()["y"]}
    found = [
        of(arrays()),
        of(arrays(), data={"split": {"seed": 1}}),
        of(arrays(sample_weight=np.ones(20))),
        of(arrays(sample_weight=np.zeros(20))),
        of(arrays(**swapped)),
    ]
    assert len(set(found)) == len(found)


def test_a_table_has_the_same_as_csv_and_as_parquet(tmp_path: Path) -> None:
    rows = store_rows(12, 9)
    parquet = write_parquet(rows, tmp_path / "rows.parquet")
    whole = forecaster().load_data(parquet)
    as_csv = forecaster().load_data(write_csv(rows, tmp_path / "rows.csv"))
    assert fingerprint(as_csv.train) == fingerprint(whole.train)
    assert whole.validation is not None
    assert fingerprint(whole.validation) != fingerprint(whole.train)
    kept = [forecaster().load_data(parquet, cache=tmp_path / "kept") for _ in range(2)]
    assert {fingerprint(data.train) for data in kept} == {fingerprint(whole.train)}
    rows[3]["promo"] = 1 - rows[3]["promo"]
    changed = recipe(FORECAST).load_data(write_csv(rows, tmp_path / "changed.csv"))
    assert fingerprint(changed.train) != fingerprint(whole.train)


def test_of_a_large_array_blocks_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """16 blocks of 64 bytes, the first and the last rows among them."""
    monkeypatch.setattr(fingerprints, "WHOLE", 1024)
    monkeypatch.setattr(fingerprints, "BLOCK", 64)
    large = np.zeros((10_000, 4), "float32")
    read = [range(10_000)[rows] for rows in fingerprints._rows_read(large)]
    assert len(read) == 16
    assert sum(map(len, read)) * 16 == 1024
    assert read[0][0] == 0
    assert read[-1][-1] == 9_999
    steps = np.diff([rows[0] for rows in read])
    assert steps.max() - steps.min() <= 1
    wide = np.zeros((4, 5_000), "float32")  # a row is larger than all that is read
    assert [range(4)[rows] for rows in fingerprints._rows_read(wide)] == [range(1), range(3, 4)]
