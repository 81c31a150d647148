"""Untrusted data: damaged files, what is no file, and archives that unpack to too much."""

from __future__ import annotations

import gzip
import json
import os
import random
import shutil
import tracemalloc
import zipfile
from typing import TYPE_CHECKING, Any

import numpy as np
import psutil
import pyarrow as pa
import pytest
from data_building import ROWS, SEQUENCES, recipe
from pyarrow import csv, parquet
from special_files import SPECIAL_FILES, at_most
from typer.testing import CliRunner

import lstmgraph
from lstmgraph.cli import app

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

DAMAGED = int(os.environ.get("LSTMGRAPH_EXAMPLES", "400"))


def sequences(count: int = 12) -> dict[str, np.ndarray]:
    random_numbers = np.random.default_rng(0)
    return {
        "x": random_numbers.normal(size=(count, 5, 2)).astype("float32"),
        "lengths": np.full(count, 3, "int32"),
        "kind": random_numbers.integers(0, 4, count).astype("int32"),
    }


def table() -> pa.Table:
    return pa.table({name: np.arange(40.0) for name in "abc"})


def npz(path: Path) -> None:
    np.savez(path, **sequences())


def compressed(path: Path) -> None:
    np.savez_compressed(path, **sequences())


def npy_folder(path: Path) -> None:
    path.mkdir()
    for name, array in sequences().items():
        np.save(path / f"{name}.npy", array)


def csv_file(path: Path) -> None:
    csv.write_csv(table(), path)


def packed_csv(path: Path) -> None:
    csv_file(path)
    path.write_bytes(gzip.compress(path.read_bytes()))


def parquet_file(path: Path) -> None:
    parquet.write_table(table(), path)


def tables(path: Path) -> None:
    path.mkdir()
    csv_file(path / "1.csv")
    parquet_file(path / "2.parquet")


def saved_dataset(path: Path) -> None:
    import tensorflow as tf  # noqa: PLC0415 - only for its own format

    arrays = sequences()
    kind = arrays.pop("kind")
    tf.data.Dataset.from_tensor_slices((arrays, kind)).save(str(path))


SOURCES: dict[str, tuple[str, Callable[[Path], None]]] = {
    "data.npz": (SEQUENCES, npz),
    "compressed.npz": (SEQUENCES, compressed),
    "arrays": (SEQUENCES, npy_folder),
    "data.csv": (ROWS, csv_file),
    "data.csv.gz": (ROWS, packed_csv),
    "data.parquet": (ROWS, parquet_file),
    "tables": (ROWS, tables),
    "dataset": (SEQUENCES, saved_dataset),
}
INSIDE = ("arrays/x.npy", "tables/1.csv", "tables/2.parquet", "tables/3.csv.gz")
INSIDE = (*INSIDE, "dataset/dataset_spec.pb", "dataset/snapshot.metadata", "dataset/more")


def refused(text: str, source: Path, **options: Any) -> list[str]:
    """The codes of what is wrong; each names the source, in one line and a hint."""
    with pytest.raises(lstmgraph.DataError) as error, at_most(60):
        recipe(text).load_data(source, **options)
    assert {problem.where for problem in error.value.problems} == {str(source)}
    assert all(problem.hint for problem in error.value.problems)
    assert not any("\n" in problem.message for problem in error.value.problems)
    return [f"{problem.code} {problem.message}" for problem in error.value.problems]


@pytest.mark.parametrize("make", SPECIAL_FILES)
@pytest.mark.parametrize("name", [*SOURCES, "data.npy", "data", *INSIDE])
def test_what_is_no_file_is_refused(
    name: str, make: Callable[[Path], None], tmp_path: Path
) -> None:
    """As the data itself, and inside a folder of data."""
    text, build = SOURCES.get(name.partition("/")[0], SOURCES["data.npz"])
    path = tmp_path / name
    if "/" in name:
        build(path.parent)
        path.unlink(missing_ok=True)
    make(path)
    (message,) = refused(text, tmp_path / name.partition("/")[0])
    assert message.startswith("D101")
    assert "it is not a regular file" in message
    assert path.name in message or "/" not in name


def test_a_pipe_beside_the_arrays_is_not_touched(tmp_path: Path) -> None:
    npy_folder(tmp_path / "arrays")
    os.mkfifo(tmp_path / "arrays" / "notes.npy")
    with at_most(60):
        assert len(recipe(SEQUENCES).load_data(tmp_path / "arrays").train)


@pytest.mark.parametrize("name", SOURCES)
def test_damaged_files_are_read_or_refused(name: str, tmp_path: Path) -> None:
    """Bytes changed, taken out and put in, a good part of them in headers."""
    text, build = SOURCES[name]
    rng, found = random.Random(name), 0
    (tmp_path / "whole").mkdir()
    build(tmp_path / "whole" / name)
    files = sorted(path for path in (tmp_path / "whole").rglob("*") if path.is_file())
    count = 12 if name == "dataset" else DAMAGED // len(SOURCES)
    for _ in range(count):
        shutil.rmtree(tmp_path / "copy", ignore_errors=True)
        shutil.copytree(tmp_path / "whole", tmp_path / "copy")
        changed = tmp_path / "copy" / rng.choice(files).relative_to(tmp_path / "whole")
        changed.write_bytes(damaged(changed.read_bytes(), rng))
        try:
            with at_most(60):
                recipe(text).load_data(tmp_path / "copy" / name)
        except lstmgraph.DataError:
            found += 1
    assert found > count // 2


@pytest.mark.parametrize("field", ["dtype", "version"])
def test_metadata_of_a_dataset_that_ends_tensorflow_is_refused(field: str, tmp_path: Path) -> None:
    """TensorFlow 2.21 believes it: with other dtypes than those of the spec it crashed."""
    from tensorflow.core.protobuf import snapshot_pb2  # noqa: PLC0415

    text, build = SOURCES["dataset"]
    build(tmp_path / "dataset")
    path = tmp_path / "dataset" / "snapshot.metadata"
    record = snapshot_pb2.SnapshotMetadataRecord.FromString(path.read_bytes())
    if field == "dtype":
        record.dtype[0] = 7  # strings
    else:
        record.ClearField("version")
    path.write_bytes(record.SerializeToString())
    (message,) = refused(text, tmp_path / "dataset")
    assert message == "D102 snapshot.metadata does not fit dataset_spec.pb"


def damaged(content: bytes, rng: random.Random) -> bytes:
    data = bytearray(content)
    for _ in range(rng.choice((1, 1, 3, 30))):
        at = rng.randrange(max(1, min(len(data), rng.choice((130, len(data))))))
        length = rng.choice((1, 1, 4))
        new = (rng.randbytes(length), b"", b"9" * length, b"(" * length, b'"' * length)
        data[at : at + length] = rng.choice(new)
    return bytes(data[: rng.randrange(len(data) + 1)] if rng.random() < 0.1 else data)


HEADERS = {
    "larger than the file": b"{'descr': '<f4', 'fortran_order': False, 'shape': (99, 5, 2), }",
    "larger than memory": b"{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296, 9), }",
    "beyond counting": b"{'descr': '<U0', 'fortran_order': False, 'shape': (%d,), }" % 10**30,
    "negative": b"{'descr': '<f4', 'fortran_order': False, 'shape': (-1, 5, 2), }",
    "not ended": b"{'descr': '<f4', 'fortran_order': False, 'shape': (12, 5, 2",
    "nested": b"(" * 5000,
    "objects": b"{'descr': '|O', 'fortran_order': False, 'shape': (12,), }",
}


@pytest.mark.parametrize("case", HEADERS)
@pytest.mark.parametrize("archive", [False, True])
def test_arrays_that_lie_about_themselves_are_refused(
    case: str, archive: bool, tmp_path: Path
) -> None:
    header = HEADERS[case] + b"\n"
    content = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + bytes(480)
    if archive:
        source = tmp_path / "data.npz"
        npz(source)
        with zipfile.ZipFile(source) as old:
            members = {name: old.read(name) for name in old.namelist()}
        with zipfile.ZipFile(source, "w") as new:
            for name, old_content in {**members, "x.npy": content}.items():
                new.writestr(name, old_content)
    else:
        source = tmp_path / "arrays"
        npy_folder(source)
        (source / "x.npy").write_bytes(content)
    (message,) = refused(SEQUENCES, source)
    assert message.startswith("D102")


def bomb(path: Path, name: str, megabytes: int) -> None:
    """An archive of the sequences with one more array, of zeros."""
    compressed(path)
    header = np.lib.format.header_data_from_array_1_0(np.zeros((1, 1 << 20), "uint8"))
    header["shape"] = (megabytes, 1 << 20)
    with (
        zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive,
        archive.open(f"{name}.npy", "w") as member,
    ):
        np.lib.format.write_array_header_1_0(member, header)
        for _ in range(megabytes):
            member.write(bytes(1 << 20))


@pytest.mark.slow
def test_only_arrays_of_the_recipe_are_unpacked(tmp_path: Path) -> None:
    bomb(tmp_path / "data.npz", "train_other", 200)
    tracemalloc.start()
    try:
        assert len(recipe(SEQUENCES).load_data(tmp_path / "data.npz").train)
        assert tracemalloc.get_traced_memory()[1] < 20 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("is_table", [False, True])
def test_no_more_is_unpacked_than_there_is_memory(
    is_table: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bomb(tmp_path / "data.npz", "a" if is_table else "sample_weight", 100)
    memory = psutil.virtual_memory()
    monkeypatch.setattr(psutil, "virtual_memory", lambda: memory._replace(available=10 << 20))
    tracemalloc.start()
    try:
        messages = refused(ROWS if is_table else SEQUENCES, tmp_path / "data.npz")
        assert tracemalloc.get_traced_memory()[1] < 20 << 20
    finally:
        tracemalloc.stop()
    name = "a" if is_table else "sample_weight"
    assert f"D102 the array {name} does not fit into memory" in messages


def test_the_command_says_it_in_one_line(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "data.npz")
    (tmp_path / "r.yaml").write_text(recipe(SEQUENCES).resolved())
    arguments = ["data", str(tmp_path / "r.yaml"), "--data", str(tmp_path / "data.npz")]
    with at_most(60):
        result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 2
    assert result.stderr.count("error[D101]") == 1


# --- the cache ---


def kept(tmp_path: Path) -> Path:
    """A cache with one table in it."""
    csv_file(tmp_path / "data.csv")
    recipe(ROWS).load_data(tmp_path / "data.csv", cache=tmp_path / "cache")
    (folder,) = (tmp_path / "cache").iterdir()
    return folder


def change_contents(folder: Path, **values: Any) -> None:
    contents = json.loads((folder / "table.json").read_text())
    (folder / "table.json").write_text(json.dumps({**contents, **values}))


def replaced(folder: Path, name: str, array: np.ndarray) -> None:
    np.save(folder / name, array)


EDITS: dict[str, Callable[[Path], object]] = {
    "no JSON": lambda f: (f / "table.json").write_text("{"),
    "deep": lambda f: (f / "table.json").write_text("[" * 100_000),
    "a list": lambda f: (f / "table.json").write_text("[]"),
    "empty": lambda f: (f / "table.json").write_text("{}"),
    "other bytes": lambda f: (f / "table.json").write_bytes(b"\xff"),
    "names": lambda f: change_contents(f, series_names=[1]),
    "more names": lambda f: change_contents(f, series_names=["a", "b"]),
    "times": lambda f: change_contents(f, has_times=True),
    "a unit": lambda f: change_contents(f, time_unit="x"),
    "warnings": lambda f: change_contents(f, warnings=[{"odd": 1}]),
    "warnings of numbers": lambda f: change_contents(
        f, warnings=[{"code": 1, "message": 2, "where": 3}]
    ),
    "a link": lambda f: (
        (f / "table.json").rename(f.parent / "outside"),
        (f / "table.json").symlink_to(f.parent / "outside"),
    ),
    "a pipe": lambda f: ((f / "table.json").unlink(), os.mkfifo(f / "table.json")),
    "a linked array": lambda f: (
        (f / "inputs-x.npy").rename(f.parent / "outside"),
        (f / "inputs-x.npy").symlink_to(f.parent / "outside"),
    ),
    "a linked folder": lambda f: (f.rename(f.parent / "moved"), f.symlink_to(f.parent / "moved")),
    "an array missing": lambda f: (f / "inputs-x.npy").unlink(),
    "fewer columns": lambda f: replaced(f, "inputs-x.npy", np.zeros((40, 1), "float32")),
    "fewer rows": lambda f: replaced(f, "targets-y.npy", np.zeros((4, 1), "float32")),
    "another dtype": lambda f: replaced(f, "inputs-x.npy", np.zeros((40, 2), "uint8")),
    "starts beyond": lambda f: replaced(f, "series-starts.npy", np.array([0, 99])),
    "no starts": lambda f: replaced(f, "series-starts.npy", np.zeros(0, int)),
    "starts of text": lambda f: replaced(f, "series-starts.npy", np.array(["0", "40"])),
}


@pytest.mark.parametrize("case", EDITS)
def test_an_edited_cache_is_refused(case: str, tmp_path: Path) -> None:
    folder = kept(tmp_path)
    EDITS[case](folder)
    (message,) = refused(ROWS, tmp_path / "data.csv", cache=tmp_path / "cache")
    assert message.startswith("D102 its cached copy cannot be read")


def test_a_cache_is_not_written_through_links(tmp_path: Path) -> None:
    """A name that could be known before, as the one of a process, can be a link to elsewhere."""
    folder = kept(tmp_path)
    shutil.rmtree(folder)
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "mine").touch()
    for name in (folder.name, f".{folder.name}.{os.getpid()}"):
        (folder.parent / name).symlink_to(tmp_path / "outside")
    (message,) = refused(ROWS, tmp_path / "data.csv", cache=tmp_path / "cache")
    assert message.startswith("D107 the cache")
    assert [path.name for path in (tmp_path / "outside").iterdir()] == ["mine"]


def test_a_cache_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    csv_file(tmp_path / "data.csv")
    (tmp_path / "cache").touch()
    (message,) = refused(ROWS, tmp_path / "data.csv", cache=tmp_path / "cache")
    assert message.startswith(f"D107 the cache {tmp_path / 'cache'} cannot be written")
