"""Archives from anywhere are read within bounds, whatever they say of themselves."""

from __future__ import annotations

import io
import random
import struct
import time
import tracemalloc
import zipfile
from typing import TYPE_CHECKING

import numpy as np
import pytest

from lstmgraph.archives import ArchiveError, opened_archive
from lstmgraph.npz import array_names, read_array

if TYPE_CHECKING:
    from pathlib import Path

MOST = 1_000_000


def archive(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members.items():
            file.writestr(name, content)
    return path


def npy(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, array)
    return buffer.getvalue()


def npy_header(shape: str, dtype: str = "'<f4'", version: bytes = b"\x01\x00") -> bytes:
    text = f"{{'descr': {dtype}, 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY" + version + struct.pack("<H", len(text)) + text


def test_a_member_is_read(tmp_path) -> None:
    with opened_archive(archive(tmp_path / "a.zip", {"a": b"text"})) as found:
        assert found.names == ("a",)
        assert found.read("a", 4) == b"text"


@pytest.mark.slow
def test_a_member_beyond_its_bound_is_not_unpacked(tmp_path) -> None:
    path = archive(tmp_path / "a.zip", {"a": b"\0" * 300_000_000})
    assert path.stat().st_size < 1_000_000
    tracemalloc.start()
    start = time.process_time()
    with (
        opened_archive(path) as found,
        pytest.raises(ArchiveError, match="unpacks to more than 1,000"),
    ):
        found.read("a", 1000)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 5_000_000
    assert time.process_time() - start < 1


def test_a_member_that_is_larger_than_it_says_is_cut_off(tmp_path) -> None:
    path = archive(tmp_path / "a.zip", {"a": b"\0" * 5_000})
    # The size stands in the local header and in the directory.
    path.write_bytes(path.read_bytes().replace(struct.pack("<I", 5_000), struct.pack("<I", 10)))
    with opened_archive(path) as found, pytest.raises(ArchiveError):
        found.read("a", 1000)


@pytest.mark.parametrize("content", [b"", b"PK", b"PK\x05\x06", b"no archive at all" * 50])
def test_what_is_no_archive_is_refused(tmp_path, content) -> None:
    (tmp_path / "a.zip").write_bytes(content)
    with (
        pytest.raises(ArchiveError, match="not a whole zip archive"),
        opened_archive(tmp_path / "a.zip"),
    ):
        pass


@pytest.mark.slow
def test_random_damage_raises_one_kind_of_error(tmp_path) -> None:
    whole = archive(tmp_path / "a.zip", {"a": bytes(range(256)) * 9, "b.npy": npy(np.ones(9))})
    content, draw = whole.read_bytes(), random.Random(7)
    for _ in range(1500):
        edited = bytearray(content)
        for _ in range(draw.randint(1, 4)):
            edited[draw.randrange(len(edited))] = draw.randrange(256)
        if draw.random() < 0.3:
            del edited[draw.randrange(len(edited)) :]
        whole.write_bytes(edited)
        try:
            with opened_archive(whole) as found:
                for name in found.names:
                    assert len(found.read(name, MOST)) <= MOST
                for name in array_names(found):
                    assert read_array(found, name, MOST).nbytes <= MOST
        except ArchiveError:
            pass


@pytest.mark.parametrize(
    "array",
    [
        np.arange(6.0).reshape(2, 3),
        np.asfortranarray(np.arange(6).reshape(2, 3)),
        np.array("text"),
        np.zeros((0, 4), "float16"),
        np.array(3.5),
    ],
)
def test_an_array_is_read_as_it_was_written(tmp_path, array) -> None:
    with opened_archive(archive(tmp_path / "a.npz", {"x.npy": npy(array)})) as found:
        assert array_names(found) == ("x",)
        read = read_array(found, "x", MOST)
    np.testing.assert_array_equal(read, array)
    assert read.dtype == array.dtype


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (npy_header("(10**12,)"), "array header is damaged"),
        (npy_header("(1000000000000,)"), "takes more than"),
        (npy_header("(100000, 100000, 100000, 100000, 100000)"), "takes more than"),
        (npy_header("(-1,)"), "array header is damaged"),
        (npy_header("(True,)") + bytes(4), "array header is damaged"),
        (npy_header("(3,)"), "does not have the length"),
        (npy_header("(2,)", "'|O'"), "Python objects"),
        (npy_header("(2,)", "'<f99'"), "array header is damaged"),
        (npy_header("(2,)", "'<f4'", b"\x09\x00"), "array header is damaged"),
        (npy_header("(" * 500), "array header is damaged"),
        (b"\x93NUMPY\x01\x00", "array header is damaged"),
        (b"", "array header is damaged"),
    ],
)
def test_an_array_that_is_none_is_refused_before_it_is_unpacked(tmp_path, content, message) -> None:
    path = archive(tmp_path / "a.npz", {"x.npy": content})
    with opened_archive(path) as found, pytest.raises(ArchiveError, match=message):
        read_array(found, "x", MOST)
