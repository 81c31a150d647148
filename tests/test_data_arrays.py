"""Arrays by name: archives, folders, dictionaries, pairs and saved datasets are the same data."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from building import RECIPES, assert_equal_arrays
from data_building import SEQUENCES, recipe

import lstmgraph

if TYPE_CHECKING:
    from collections.abc import Callable

    from lstmgraph.data.examples import Examples

VOWELS = RECIPES / "data" / "japanese_vowels.npz"
Arrays = dict[str, np.ndarray]


def sequences(count: int = 12, steps: int = 5) -> Arrays:
    random = np.random.default_rng(0)
    return {
        "x": random.normal(size=(count, steps, 2)).astype("float32"),
        "lengths": random.integers(1, steps + 1, count).astype("int32"),
        "kind": random.integers(0, 4, count).astype("int32"),
    }


def whole(**values: Any) -> lstmgraph.Recipe:
    """The sequence classifier, all of whose data trains."""
    return recipe(SEQUENCES, data__split={"validation": 0}, **values)


def named(part: Examples) -> Arrays:
    x, y, weights = part.arrays()
    assert weights is None
    return {**x, **y}


def _npz(arrays: Arrays, folder: Path) -> Any:
    np.savez(folder / "arrays.npz", **arrays)
    return folder / "arrays.npz"


def _compressed(arrays: Arrays, folder: Path) -> Any:
    np.savez_compressed(folder / "arrays.npz", **arrays)
    return str(folder / "arrays.npz")


def _folder(arrays: Arrays, folder: Path) -> Any:
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)
    return folder


def _dictionary(arrays: Arrays, folder: Path) -> Any:
    return arrays


def _pair(arrays: Arrays, folder: Path) -> Any:
    return {"x": arrays["x"], "lengths": arrays["lengths"]}, {"kind": arrays["kind"]}


def _pair_of_one_target(arrays: Arrays, folder: Path) -> Any:
    return {"x": arrays["x"], "lengths": arrays["lengths"]}, arrays["kind"]


def _slices(arrays: Arrays, batch_size: int | None) -> Any:
    import tensorflow as tf  # noqa: PLC0415 - only where it is given

    dataset = tf.data.Dataset.from_tensor_slices(_pair(arrays, RECIPES))
    return dataset if batch_size is None else dataset.batch(batch_size)


def _saved(arrays: Arrays, folder: Path) -> Any:
    _slices(arrays, None).save(str(folder / "saved"))
    return folder / "saved"


def _saved_in_batches(arrays: Arrays, folder: Path) -> Any:
    _slices(arrays, 5).save(str(folder / "saved"))
    return folder / "saved"


def _dataset(arrays: Arrays, folder: Path) -> Any:
    return _slices(arrays, 5)


KINDS = [
    _npz, _compressed, _folder, _dictionary, _pair, _pair_of_one_target, _saved, _saved_in_batches,
    _dataset,
]  # fmt: skip


@pytest.mark.parametrize("make", KINDS, ids=lambda make: make.__name__.strip("_"))
def test_every_kind_of_source_gives_the_same_examples(
    make: Callable[[Arrays, Path], Any], tmp_path: Path
) -> None:
    arrays = sequences()
    assert_equal_arrays(named(whole().load_data(make(arrays, tmp_path)).train), arrays)


def test_parts_can_stand_in_one_archive(tmp_path: Path) -> None:
    parts = {"train": sequences(12), "val": sequences(4, 3), "test": sequences(5, 7)}
    path = _npz({f"{p}_{n}": a for p, own in parts.items() for n, a in own.items()}, tmp_path)
    data = recipe(SEQUENCES).load_data(path)
    assert data.validation is not None
    assert data.test is not None
    assert_equal_arrays(named(data.train), parts["train"])
    assert_equal_arrays(named(data.validation), parts["val"])
    assert_equal_arrays(named(data.test), parts["test"])


def test_what_an_archive_holds_no_part_of_comes_from_what_trains(tmp_path: Path) -> None:
    arrays = {f"{part}_{n}": a for part in ("train", "test") for n, a in sequences(10).items()}
    data = recipe(SEQUENCES).load_data(_npz(arrays, tmp_path))
    sizes = {name: len(part) for name, part in data.parts.items()}
    assert sizes == {"train": 8, "validation": 2, "test": 10}


def test_the_shipped_data_fits_the_shipped_recipe() -> None:
    """Real data: 270 sequences to train on, a fifth of which validates, and 370 to test on."""
    data = lstmgraph.load(RECIPES / "speaker-classifier.yaml").load_data(VOWELS)
    sizes = {name: len(part) for name, part in data.parts.items()}
    assert sizes == {"train": 216, "validation": 54, "test": 370}
    assert data.warnings == ()
    with np.load(VOWELS) as archive:
        for name in ("frames", "lengths", "speaker"):
            assert data.test is not None
            np.testing.assert_array_equal(named(data.test)[name], archive[f"test_{name}"])
            both = [named(part)[name] for part in (data.train, data.validation) if part]
            wanted = archive[f"train_{name}"]
            np.testing.assert_array_equal(
                np.sort(np.concatenate(both), axis=0), np.sort(wanted, axis=0)
            )


def test_a_target_that_is_named_as_an_input_has_an_ending_of_its_own(tmp_path: Path) -> None:
    text = """
    inputs: {x: {shape: [time, 2]}}
    layers: {again: {type: lstm, input: x, units: 2, return_sequences: true}}
    outputs: {x: again}
    training: {loss: mse}
    """
    x = np.zeros((6, 3, 2), "float32")
    data = recipe(text, data__split={"validation": 0}).load_data({"x": x, "x_target": x + 1})
    inputs, targets, _ = data.train.arrays()
    assert (inputs["x"].max(), targets["x"].min()) == (0, 1)


def test_axes_of_size_1_may_be_more_or_fewer() -> None:
    arrays = sequences()
    arrays["lengths"], arrays["kind"] = arrays["lengths"][:, None], arrays["kind"][:, None, None]
    assert_equal_arrays(named(whole().load_data(arrays).train), sequences())


def test_other_dtypes_become_those_of_the_recipe() -> None:
    arrays = sequences()
    given = {name: array.astype("float64") for name, array in arrays.items()}
    assert_equal_arrays(named(whole().load_data(given).train), arrays)


TWO_STEPS = """
    inputs: {x: {shape: [3, 2]}}
    layers:
      reader: {type: lstm, input: x, units: 2, return_sequences: true}
      each: {type: dense, input: reader, units: 1}
    outputs: {each: each}
    training: {loss: mse}
    data: {split: {validation: 0}}
"""


@pytest.mark.parametrize("shape", [(4,), (4, 1), (4, 3)])
def test_a_weight_is_for_an_example_or_for_each_step_of_it(shape: tuple[int, ...]) -> None:
    weight = np.arange(np.prod(shape), dtype="float32").reshape(shape)
    arrays = {"x": np.zeros((4, 3, 2)), "each": np.zeros((4, 3, 1)), "sample_weight": weight}
    _, _, weights = recipe(TWO_STEPS).load_data(arrays).train.arrays()
    assert weights is not None
    wanted = np.broadcast_to(weight.reshape(4, -1), (4, 3))
    np.testing.assert_array_equal(weights["each"], wanted)
    pair = ({"x": arrays["x"]}, arrays["each"], weight)
    _, _, weights = recipe(TWO_STEPS).load_data(pair).train.arrays()
    assert weights is not None
    np.testing.assert_array_equal(weights["each"], wanted)


def test_inputs_alone_are_enough_where_nothing_is_trained() -> None:
    text = SEQUENCES.replace("    training: {loss: sparse_categorical_crossentropy}\n", "")
    arrays = sequences()
    del arrays["kind"]
    assert_equal_arrays(
        named(recipe(text, data__split={"validation": 0}).load_data(arrays).train), arrays
    )


def test_a_folder_is_mapped_and_not_read_into_memory(tmp_path: Path) -> None:
    data = whole().load_data(_folder(sequences(), tmp_path))
    array = data.train.source.inputs["x"].array  # type: ignore[attr-defined]
    assert isinstance(array.base, np.memmap)


def test_a_time_major_input_is_turned_batch_by_batch() -> None:
    arrays = sequences()
    part = whole(inputs__x__time_major=True).load_data(arrays).train
    x, _, _ = part.batch(np.array([3, 1]))
    np.testing.assert_array_equal(x["x"], arrays["x"][[3, 1]].swapaxes(0, 1))


FORKS = """
import os, sys, tempfile
from pathlib import Path
import numpy as np
import lstmgraph
from data_building import forecaster, store_rows, table
part = forecaster().load_data(table(store_rows(30))).train
folder = part.source.keeps.path
child = os.fork()
if child == 0:
    assert len(part.batch(slice(0, 4))[0]["history"]) == 4
    sys.exit(0)  # runs what is registered for the end of a process
assert os.waitpid(child, 0)[1] == 0
assert folder.is_dir(), "the child removed its parent's files"
assert len(part.batch(slice(0, 4))[0]["history"]) == 4
print(folder)
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")
def test_a_forked_process_reads_the_same_files_and_leaves_them() -> None:
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([*sys.path, str(Path(__file__).parent)]),
    }
    run = subprocess.run(
        [sys.executable, "-c", FORKS], env=environment, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    assert not Path(run.stdout.strip()).exists(), "the temporary folder outlives its process"


def test_problems_can_be_handed_to_another_process() -> None:
    with pytest.raises(lstmgraph.DataError) as error:
        whole().load_data("nowhere.npz")
    assert str(pickle.loads(pickle.dumps(error.value))) == str(error.value)
