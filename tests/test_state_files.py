"""State files from anywhere: taken whole or refused, and the streams stay as they were."""

from __future__ import annotations

import io
import json
import os
import random
import struct
import time
import tracemalloc
import zipfile
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from building import RECIPES, load

import lstmgraph
from lstmgraph.models.stepping.stepper import Stepper

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

ROWS = 3
TEXT = """
inputs: {x: {shape: [time, 3]}}
layers:
  reader: {type: lstm, input: x, units: 4, return_sequences: true}
  y: {type: dense, input: reader, units: 2}
outputs: {y: y}
"""
X = np.random.default_rng(1).normal(size=(ROWS, 3)).astype("float32")


@pytest.fixture(scope="module")
def stepper() -> Stepper:
    found = Stepper(load(TEXT).derive("step"), rows=ROWS, xla=False)
    found.step(X)
    return found


@pytest.fixture(scope="module")
def attending() -> Stepper:
    """Its contexts are as long as the words that it was started with."""
    derived = lstmgraph.load(RECIPES / "number-words.yaml").derive("step")
    return Stepper(derived, rows=2, xla=False)


def members(stepper: Stepper, path: Path) -> dict[str, np.ndarray]:
    stepper.save_state(path)
    with np.load(path) as file:
        return dict(file)


def unchanged(stepper: Stepper, path: Path, message: str) -> None:
    """The file is refused by its name, and all streams are what they were."""
    whole = members(stepper, path.with_name("before.npz"))
    with pytest.raises(lstmgraph.StateFileError, match=message) as caught:
        stepper.restore_state(path)
    assert str(path) in str(caught.value)
    assert len(str(caught.value)) < 1000
    for name, array in members(stepper, path.with_name("after.npz")).items():
        np.testing.assert_array_equal(array, whole[name])


def _wrong_axes(arrays: dict[str, np.ndarray]) -> Iterator[tuple[str, np.ndarray]]:
    for name, array in arrays.items():
        if name == "about":
            continue
        for axis in range(array.ndim):
            for size in (0, array.shape[axis] - 1, array.shape[axis] + 1):
                shape = [*array.shape[:axis], size, *array.shape[axis + 1 :]]
                yield name, np.zeros(shape, array.dtype)
        yield name, array[None]
        yield name, array[..., None]
        yield name, array.ravel() if array.ndim > 1 else array[0]
        for dtype in ("float64", "float16", "int32", "uint64", "bool", "complex64", "U3"):
            yield name, np.zeros(array.shape, dtype)


@pytest.mark.slow
def test_no_wrong_axis_or_dtype_is_taken(stepper: Stepper, tmp_path) -> None:
    path = tmp_path / "s.npz"
    arrays = members(stepper, path)
    for name, wrong in _wrong_axes(arrays):
        np.savez(path, **{**arrays, name: wrong})
        unchanged(stepper, path, f"{name}|rows")
    stepper.step(X)


@pytest.mark.slow
def test_contexts_have_any_length_but_one_in_all_arrays(attending: Stepper, tmp_path) -> None:
    path = tmp_path / "s.npz"
    attending.start({"words": np.ones((2, 5), "int32")})
    arrays = members(attending, path)
    attending.start({"words": np.ones((2, 3), "int32")})
    attending.restore_state(path)  # longer than those of now
    attending.step(np.full(2, 11, "int32"))
    longer = [name for name, array in arrays.items() if array.ndim > 1 and array.shape[1] == 5]
    assert {name.partition(".")[0] for name in longer} == {"now", "first"}
    for name in longer:
        np.savez(path, **{**arrays, name: np.repeat(arrays[name], 2, 1)})
        unchanged(attending, path, "in other arrays")
    wide = next(name for name in longer if arrays[name].ndim == 3)
    np.savez(path, **{**arrays, wide: arrays[wide][..., :-1]})
    unchanged(attending, path, f"{wide} has shape")
    attending.reset()
    attending.step(np.full(2, 11, "int32"))


def test_positions_count_steps_and_states_may_be_nan(stepper: Stepper, tmp_path) -> None:
    path = tmp_path / "s.npz"
    arrays = members(stepper, path)
    np.savez(path, **{**arrays, "position": np.array([1, -1, 1])})
    unchanged(stepper, path, "position holds a negative number")
    state = stepper.state
    np.savez(path, **{**arrays, "now.reader_h": np.full((ROWS, 4), np.nan, "float32")})
    stepper.restore_state(path)
    assert np.isnan(stepper.state["reader_h"]).all()
    stepper.state = state


def npy(array: np.ndarray, *, pickled: bool = False) -> bytes:
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, array, allow_pickle=pickled)
    return buffer.getvalue()


def header(shape: str, dtype: str = "'<f4'") -> bytes:
    text = f"{{'descr': {dtype}, 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text


HOSTILE: dict[str, tuple[str, Callable[[], bytes]]] = {
    "nested JSON": ("about", lambda: npy(np.array("[" * 100_000))),
    "nested objects": ("about", lambda: npy(np.array('{"plan":' * 50_000))),
    "no JSON": ("about", lambda: npy(np.array("{"))),
    "JSON of something else": ("about", lambda: npy(np.array("[1]"))),
    "a plan of nothing": ("about", lambda: npy(np.array('{"format": 1, "plan": [3]}'))),
    "a plan of long names": (
        "about",
        lambda: npy(
            np.array(json.dumps({"format": 1, "plan": {"states": [{"input": "\x1b" * 9999}]}}))
        ),
    ),
    "a huge number": ("about", lambda: npy(np.array("9" * 10_000))),
    "no text": ("about", lambda: npy(np.zeros(3))),
    "several texts": ("about", lambda: npy(np.array(["{}", "{}"]))),
    "no characters": ("about", lambda: header("()", "'<U1'") + b"\xff\xff\xff\xff"),
    "objects": ("now.reader_h", lambda: npy(np.array([{}], object), pickled=True)),
    "a nested header": ("now.reader_h", lambda: header("-" * 9000 + "1")),
    "a nested shape": ("now.reader_h", lambda: header("(" * 5000)),
    "a huge shape": ("now.reader_h", lambda: header("(3, 10**9)")),
    "a huge product": ("now.reader_h", lambda: header("(4294967296, 4294967296)")),
    "a negative size": ("now.reader_h", lambda: header("(-3, -4)") + bytes(48)),
    "no header": ("now.reader_h", lambda: b""),
    "another dtype": ("now.reader_h", lambda: header("(3, 4)", "[('a', '<f4')]") + bytes(48)),
    "an unknown dtype": ("now.reader_h", lambda: header("(3, 4)", "'quux'") + bytes(48)),
    "few bytes": ("now.reader_h", lambda: header("(3, 4)") + bytes(40)),
}


def repacked(source: bytes, path: Path, name: str, content: bytes | None, kind: int) -> None:
    """The archive with a member of other bytes, or without it."""
    with zipfile.ZipFile(io.BytesIO(source)) as old, zipfile.ZipFile(path, "w", kind) as new:
        for each in old.namelist():
            if each != f"{name}.npy":
                new.writestr(each, old.read(each))
        if content is not None:
            new.writestr(f"{name}.npy", content)


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_members_are_refused(name: str, stepper: Stepper, tmp_path) -> None:
    path = tmp_path / "s.npz"
    stepper.save_state(path)
    member, content = HOSTILE[name]
    repacked(path.read_bytes(), path, member, content(), zipfile.ZIP_STORED)
    unchanged(
        stepper,
        path,
        "of another|by another|to another|not a state file|missing or unknown|reader_h",
    )


@pytest.mark.slow
@pytest.mark.parametrize("member", ["about", "now.reader_h", "position", "unneeded"])
def test_members_that_unpack_to_much_are_not_unpacked(
    member: str, stepper: Stepper, tmp_path
) -> None:
    path = tmp_path / "s.npz"
    stepper.save_state(path)
    bomb = header("(100000000,)", "'|u1'") + bytes(100_000_000)
    repacked(path.read_bytes(), path, member, bomb, zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < 1_000_000
    tracemalloc.start()
    begun = time.process_time()
    unchanged(stepper, path, "not a state file|missing or unknown arrays: unneeded")
    assert time.process_time() - begun < 5
    assert tracemalloc.get_traced_memory()[1] < 20_000_000
    tracemalloc.stop()


@pytest.mark.parametrize("member", ["about", "now.reader_c", "position"])
def test_members_may_not_be_missing(member: str, stepper: Stepper, tmp_path) -> None:
    path = tmp_path / "s.npz"
    stepper.save_state(path)
    repacked(path.read_bytes(), path, member, None, zipfile.ZIP_STORED)
    unchanged(stepper, path, f"which model|arrays: {member}")


def test_pipes_devices_and_folders_are_no_files(stepper: Stepper, tmp_path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", "/dev/zero", tmp_path):
        with pytest.raises(OSError, match=r"not a regular file|directory"):
            stepper.restore_state(path)
    with pytest.raises(lstmgraph.StateFileError):
        stepper.restore_state("s\0.npz")


def mutated(content: bytes, draw: random.Random) -> bytes:
    """Bytes changed, cut out, put in, or taken from elsewhere in the file."""
    data = bytearray(content)
    for _ in range(draw.choice((1, 1, 2, 5, 20))):
        at, kind = draw.randrange(len(data)), draw.randrange(6)
        if kind == 0:
            data[at] ^= 1 << draw.randrange(8)
        elif kind == 1:
            data[at] = draw.choice((0, 255, 0x7F, 0x80))
        elif kind == 2:
            del data[at : at + draw.choice((1, 4, 100))]
        elif kind == 3:
            data[at:at] = draw.randbytes(draw.choice((1, 4, 30)))
        elif kind == 4:
            start = draw.randrange(len(data))
            part = data[start : start + draw.choice((4, 30, 200))]
            data[at : at + len(part)] = part
        else:
            found = [i for i in range(len(data) - 46) if data[i : i + 2] == b"PK"]
            data[draw.choice(found or [0]) + draw.randrange(46)] = draw.randrange(256)
        if len(data) < 60:
            break
    return bytes(data)


def attacked(stepper: Stepper, path: Path, count: int, seed: int) -> dict[str, Any]:
    """Restore `count` mutated files; each is refused, or what it holds is taken whole."""
    stepper.save_state(path)
    content, draw = path.read_bytes(), random.Random(seed)
    refused, slowest = 0, 0.0
    for _ in range(count):
        path.write_bytes(mutated(content, draw))
        before, position, begun = stepper.state, stepper.position, time.process_time()
        try:
            stepper.restore_state(path)
        except lstmgraph.StateFileError as error:
            refused += str(path) in str(error)
            for name, state in stepper.state.items():
                np.testing.assert_array_equal(state, before[name])
            np.testing.assert_array_equal(stepper.position, position)
        slowest = max(slowest, time.process_time() - begun)
        stepper.step(X)  # whatever was taken can be stepped
        stepper.state = before
    return {"refused": refused, "slowest": slowest}


@pytest.mark.slow
def test_mutated_files_are_refused(stepper: Stepper, tmp_path) -> None:
    found = attacked(stepper, tmp_path / "s.npz", 300, seed=12)
    assert found["refused"] > 200
    assert found["slowest"] < 2
