"""Files made hostile: changes of JSON, zip archives, arrays, HDF5 and whole folders, by chance."""

from __future__ import annotations

import io
import json
import os
import shutil
import struct
import zipfile
import zlib
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Sequence
    from pathlib import Path

BOMB = 400_000_000
"""Bytes that a bomb unpacks to."""
TEXTS = (
    "",
    "\x1b]0;owned\x07\x1b[31m",
    "\u202etxt.exe",
    "a\nb\r\n  error[L999]: no",
    "\ud800",
    "\0",
    "../../outside/secret.txt",
    "/etc/passwd",
    "=1+cmd|' /C calc'!A0",
    "<script>alert(1)</script>",
    "x" * 5_000,
    "nan",
    "os:system",
)
_RAW = "@@raw@@"
NUMBERS = ("0", "-1", "1", "2", "1.5", "-0.0", "1e308", "1e999", "NaN", "-Infinity", "true", "null")
RAW = (
    *NUMBERS,
    "9" * 5_000,
    str(2**63),
    str(2**31),
    "[]",
    "{}",
    "[[]]",
    '[null, "a", 1]',
    '{"": null}',
    '{"a": {"b": [1]}}',
    "[" * 3_000 + "]" * 3_000,
    '{"a":' * 100_000 + "1" + "}" * 100_000,
    "[" + "0," * 30_000 + "0]",
    '{"a": 1, "a": 2}',
    "",
    "{",
)

# --- bytes ---


def changed_bytes(raw: bytes, chance: random.Random) -> bytes:
    """Flip, drop, double or insert some bytes."""
    for _ in range(chance.choice((1, 1, 2, 8))):
        at, end = sorted(chance.randrange(len(raw) + 1) for _ in range(2))
        end = min(end, at + chance.choice((1, 1, 4, 32, 1024)))
        new: bytes = chance.choice(
            (
                b"",
                raw[at:end] * 2,
                chance.randbytes(end - at),
                b"\xff" * chance.choice((1, 4, 8)),
                b"\0" * chance.choice((1, 4, 8)),
            )
        )
        raw = raw[:at] + new + raw[end:]
    return raw[: chance.randrange(len(raw) + 1)] if chance.random() < 0.1 else raw


# --- JSON ---


def changed_json(text: str, chance: random.Random, words: Sequence[str] = ()) -> str:
    """Replace, drop, double or rename a value somewhere in a JSON text."""
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        return chance.choice(RAW)
    places = list(_places(data))
    if not places:
        return chance.choice(RAW)
    holder, key = chance.choice(places)
    kind = chance.choice(
        ("raw", "raw", "raw", "text", "drop", "double", "rename", "swap", "number")
    )
    raw = chance.choice(RAW)
    if kind == "drop":
        del holder[key]
    elif kind == "text":
        holder[key] = chance.choice((*TEXTS, *words))
    elif kind == "double" and isinstance(holder, list):
        holder.insert(key, holder[key])
    elif kind == "double":  # one key twice
        raw = f"{json.dumps(holder[key])}, {json.dumps(key)}: {raw or 0}"
        holder[key] = _RAW
    elif kind == "rename" and isinstance(holder, dict):
        holder[chance.choice((*TEXTS, *words))] = holder.pop(key)
    elif kind == "swap":
        other, place = chance.choice(places)
        _swap(holder, key, other, place)
    elif kind == "number":
        raw, holder[key] = chance.choice(NUMBERS), _RAW
    else:
        holder[key] = _RAW
    try:
        return json.dumps(data).replace(json.dumps(_RAW), raw)
    except (ValueError, RecursionError):  # swapped into itself
        return raw


def _places(data: Any) -> Any:
    if isinstance(data, dict | list):
        for key in list(data) if isinstance(data, dict) else range(len(data)):
            yield data, key
            yield from _places(data[key])


def _swap(holder: Any, key: Any, other: Any, place: Any) -> None:
    with suppress(KeyError, IndexError):
        holder[key], other[place] = other[place], holder[key]


def changed_lines(text: str, chance: random.Random, words: Sequence[str] = ()) -> str:
    """Change lines of JSON: one of them, or their order."""
    lines = text.splitlines()
    if not lines:
        return chance.choice(RAW) + "\n"
    at, other = chance.randrange(len(lines)), chance.randrange(len(lines))
    kind = chance.choice(("json", "json", "json", "json", "drop", "double", "swap", "torn"))
    if kind == "json":
        lines[at] = changed_json(lines[at], chance, words)
    elif kind == "drop":
        del lines[at]
    elif kind == "double":
        lines.insert(other, lines[at])
    elif kind == "swap":
        lines[at], lines[other] = lines[other], lines[at]
    else:
        lines[at] = lines[at][: chance.randrange(len(lines[at]) + 1)]
    return "".join(f"{line}\n" for line in lines)


# --- arrays ---


class Runs:
    """An object whose pickle makes the folder `marker` when it is loaded."""

    def __init__(self, marker: str) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (self.marker,)


def npy(array: Any) -> bytes:
    """An array as a ``.npy`` file; objects as pickles."""
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, np.asarray(array))
    return buffer.getvalue()


def npy_header(
    shape: str, descr: str = "'<f4'", version: bytes = b"\x01\x00", order: str = "False"
) -> bytes:
    """The beginning of a ``.npy`` file."""
    text = f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}\n".encode()
    length = struct.pack("<H" if version[0] == 1 else "<I", len(text))
    return b"\x93NUMPY" + version + length + text


def changed_npy(raw: bytes, chance: random.Random, marker: str) -> bytes:
    """Change the header, the values or the kind of an array."""
    try:
        array = np.load(io.BytesIO(raw), allow_pickle=False)
    except (ValueError, EOFError, OSError):
        return changed_bytes(raw, chance)
    body = array.tobytes()
    header = npy_header(
        chance.choice(
            (
                str(array.shape),
                "()",
                "(-1,)",
                "(0,)",
                f"({2**62}, 4)",
                "(3, 10000000000)",
                "(True, 3)",
                "(2.5,)",
                "(",
                "(" * 300,
                "'a'",
                "None",
                "[3, 4]",
                "(0, 99999999999)",
                str((*array.shape, 1)),
                str(array.shape[1:]),
                str(array.shape[::-1]),
                f"({'1,' * 40})",
            )
        ),
        chance.choice(
            (
                f"'{array.dtype.str}'",
                "'|O'",
                "'<f99'",
                "'>f4'",
                "'<f2'",
                "'<U100000000'",
                "'|V4'",
                "'<M8[ns]'",
                "'<c8'",
                "'|S0'",
                "[('a', '<f4'), ('b', '|O')]",
                "[('a', '<f4', (1000000000,))]",
                "'f4' * 3",
                "__import__('os').system('true')",
                "5",
            )
        ),
        chance.choice((b"\x01\x00", b"\x01\x00", b"\x02\x00", b"\x03\x00", b"\x09\x01")),
        chance.choice(("False", "True", "1", "None")),
    )
    kinds: tuple[Callable[[], bytes], ...] = (
        lambda: header + body,
        lambda: header + body,
        lambda: header,
        lambda: npy(np.array([Runs(marker)], object)),
        lambda: npy(
            array.astype(chance.choice(("f8", "f2", "c8", "U8", "S8", "?", "u8", "M8[s]")))
        ),
        lambda: npy(array.reshape(-1)),
        lambda: npy(array[None]),
        lambda: npy(_odd_values(array, chance)),
        lambda: npy(array.astype(array.dtype.newbyteorder())),
        lambda: raw[: chance.randrange(len(raw) + 1)],
        lambda: changed_bytes(raw, chance),
    )
    try:
        return chance.choice(kinds)()
    except (ValueError, TypeError):
        return header + body


def _odd_values(array: np.ndarray, chance: random.Random) -> np.ndarray:
    found = array.astype("float64") if array.dtype.kind in "fiub" else np.zeros(array.shape)
    if found.size:
        value = chance.choice((np.nan, np.inf, -1.0, 4.5, 2.0**32 + 1, 2.0**63, 1e300))
        found.reshape(-1)[chance.randrange(found.size)] = value
    return found


# --- zip archives ---


@dataclass(frozen=True)
class Member:
    """A member as it is written: every number may be a lie."""

    name: bytes
    data: bytes
    """As stored, compressed already."""
    method: int = 0
    size: int = 0
    crc: int = 0
    flags: int = 0
    extra: bytes = b""
    listed: int | None = None
    """The size that the directory says, where it is another one."""


def member(name: str | bytes, content: bytes, *, deflate: bool = True) -> Member:
    """A member that is right."""
    data = content
    if deflate:
        pack = zlib.compressobj(1, zlib.DEFLATED, -15)
        data = pack.compress(content) + pack.flush()
    name = name.encode() if isinstance(name, str) else name
    return Member(name, data, 8 if deflate else 0, len(content), zlib.crc32(content))


@cache
def bomb(name: bytes, begin: bytes = b"", size: int = BOMB) -> Member:
    """A member of zeros after `begin`: a block of them, compressed once, many times over."""
    pack = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = bytes(10_000_000)
    count = size // len(block)
    crc = zlib.crc32(begin)
    for _ in range(count):
        crc = zlib.crc32(block, crc)
    first = pack.compress(begin) + pack.flush(zlib.Z_FULL_FLUSH)
    zeros = pack.compress(block) + pack.flush(zlib.Z_FULL_FLUSH)  # refers to nothing before it
    data = first + count * zeros + pack.flush()
    return Member(name, data, 8, len(begin) + count * len(block), crc)


def zipped(members: Sequence[Member], comment: bytes = b"") -> bytes:
    """An archive of exactly these members."""
    out, directory = bytearray(), bytearray()
    for each in members:
        at = len(out)
        sizes = struct.pack("<III", each.crc, len(each.data), each.size & 0xFFFFFFFF)
        common = struct.pack("<HHHHH", 20, each.flags, each.method, 0, 33) + sizes
        listed = each.size if each.listed is None else each.listed
        far = struct.pack("<III", each.crc, len(each.data), listed & 0xFFFFFFFF)
        lengths = struct.pack("<HH", len(each.name), len(each.extra))
        out += b"PK\x03\x04" + common + lengths + each.name + each.extra + each.data
        directory += b"PK\x01\x02\x14\x00" + common[:10] + far + lengths
        directory += struct.pack("<HHHII", 0, 0, 0, 0, at) + each.name + each.extra
    end = struct.pack(
        "<HHHHIIH", 0, 0, *[len(members) & 0xFFFF] * 2, len(directory), len(out), len(comment)
    )
    return bytes(out + directory + b"PK\x05\x06" + end + comment)


def unzipped(raw: bytes) -> dict[str, bytes]:
    """The members of an archive that is right."""
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def changed_archive(
    members: dict[str, bytes], chance: random.Random, change: Callable[[str, bytes], bytes]
) -> bytes:
    """An archive with one or more things wrong in it; `change` edits a member's content."""
    found = [
        member(name, content, deflate=chance.random() < 0.5) for name, content in members.items()
    ]
    at = chance.randrange(len(found))
    name, content = list(members.items())[at]
    own, kind = found[at], chance.random()
    surgery: tuple[Callable[[], Any], ...] = (
        lambda: found.__setitem__(at, replace(own, flags=1)),
        lambda: found.__setitem__(at, replace(own, method=chance.choice((1, 9, 12, 14, 93, 99)))),
        lambda: found.__setitem__(at, replace(own, size=chance.choice((0, 1, 2**31, 2**32 - 1)))),
        lambda: found.__setitem__(at, replace(own, listed=chance.choice((0, 10, 2**32 - 1)))),
        lambda: found.__setitem__(at, replace(own, crc=own.crc ^ 1)),
        lambda: found.__setitem__(at, replace(own, extra=chance.randbytes(20))),
        lambda: found.__setitem__(at, bomb(own.name, content[:128])),
        lambda: found.__setitem__(at, replace(bomb(own.name), size=len(content))),
        lambda: found.append(bomb(chance.choice((b"extra.npy", b"assets/x", b"../../outside/x")))),
        lambda: found.append(own),
        lambda: found.append(member(name, change(name, content))),
        lambda: found.pop(at),
        lambda: found.__setitem__(
            at,
            replace(
                own, name=chance.choice((b"../../outside/new", b"/tmp/x", b"", b"\xff", b"a\0b"))
            ),
        ),
        lambda: found.append(member("../../outside/new", b"x")),
        lambda: found.extend(member(f"m{n}", b"") for n in range(5_000)),
    )
    if kind < 0.55:
        found[at] = member(name, change(name, content))
    elif kind < 0.9:
        chance.choice(surgery)()
    raw = zipped(found)
    return changed_bytes(raw, chance) if kind >= 0.9 else raw


# --- files and folders ---


@dataclass(frozen=True)
class Outside:
    """Files beside the folder that is read, which nothing may read or write."""

    folder: Path

    NUMBER = 1234567.0
    TEXT = "CANARY-5f1d"

    @property
    def numbers(self) -> Path:
        return self.folder / "secret.bin"

    @property
    def hdf5(self) -> Path:
        return self.folder / "secret.h5"

    @property
    def text(self) -> Path:
        return self.folder / "secret.txt"

    def write(self) -> None:
        """Write them."""
        self.folder.mkdir()
        values = np.full(4096, self.NUMBER, "float32")
        self.numbers.write_bytes(values.tobytes())
        self.text.write_text(f"{self.TEXT}\n" * 20)
        with h5py.File(self.hdf5, "w") as file:
            file["d"] = values
            file["g/vars/0"] = values

    def state(self) -> dict[str, tuple[bytes, int]]:
        """What they are now."""
        return {
            str(path.relative_to(self.folder)): (
                path.read_bytes() if path.is_file() else b"",
                path.lstat().st_mtime_ns,
            )
            for path in sorted(self.folder.rglob("*"))
        }


def displaced(
    path: Path, chance: random.Random, outside: Outside, *, kinds: Sequence[str] = ()
) -> str:
    """Put something else in place of a file or a folder; return what."""
    kind = chance.choice(
        kinds
        or ("link", "link", "dangling", "folder link", "pipe", "device", "circle", "folder", "none",
            "empty", "sparse", "outside")
    )  # fmt: skip
    saved = path.is_file() and not path.is_symlink()
    content = path.read_bytes() if saved else b""
    removed(path)
    if kind == "link":
        path.symlink_to(outside.text)
    elif kind == "outside":  # what was here, by way of a link
        target = path.with_name(f"{path.name}.moved")
        target.write_bytes(content)
        path.symlink_to(target)
    elif kind == "dangling":
        path.symlink_to(outside.folder / "new")
    elif kind == "folder link":
        path.symlink_to(outside.folder)
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    elif kind == "circle":
        path.symlink_to(path.name)
    elif kind == "folder":
        path.mkdir()
    elif kind == "empty":
        path.touch()
    elif kind == "sparse":
        with path.open("wb") as file:
            file.truncate(BOMB)
    return kind


def removed(path: Path) -> None:
    """Remove a file or a folder."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
