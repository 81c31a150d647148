"""Checkpoints that somebody, or a fault, has changed: bytes, members, values and arrays."""

from __future__ import annotations

import io
import json
import zipfile
from typing import TYPE_CHECKING, Any

import numpy as np

from lstmgraph.training.state import ARRAYS, VALUES

if TYPE_CHECKING:
    import random
    from collections.abc import Callable
    from pathlib import Path

Members = dict[str, bytes]

ODD_VALUES: tuple[Any, ...] = (
    *(None, True, False, "", "x" * 1000, [], {}, [[]], {"a": 1}, -1, 0, 1, 2, 0.5, 2**70),
    *(10**400, float("nan"), float("inf"), -1e308, 1e308, "1", [1], "\u202e\x1b[2J"),
)
ODD_TEXTS = (
    *(b"", b"[" * 100_000, b"\xff\xfe", b"{", b"null", b"1" * 10_000, b"[]", b'{"rows": []}'),
    b'{"version": 1, "version": 2}',
)


def edited(original: Members, rng: random.Random) -> tuple[str, Members | bytes]:
    """Return an edit of a checkpoint's members, and its name for messages; or of its bytes."""
    edit = rng.choices(list(EDITS), weights=list(EDITS.values()))[0]
    members = dict(original)
    return edit.__name__, edit(members, rng)


def written(path: Path, content: Members | bytes) -> None:
    path.write_bytes(content if isinstance(content, bytes) else archive_of(content))


def members_of(path: Path) -> Members:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def archive_of(members: Members) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def _bytes(members: Members, rng: random.Random) -> bytes:
    """Bytes of the file changed, taken out or put in; or the file cut off."""
    data = bytearray(archive_of(members))
    for _ in range(rng.choice((1, 1, 3, 30))):
        at, length = rng.randrange(len(data)), rng.choice((1, 1, 4, 100))
        data[at : at + length] = rng.randbytes(rng.choice((0, length, length)))
    return bytes(data[: rng.randrange(len(data))] if rng.random() < 0.1 else data)


def _inside(members: Members, rng: random.Random) -> Members:
    """Bytes within a member, whose checksum is then right."""
    name = rng.choice(sorted(members))
    data = bytearray(members[name])
    for _ in range(rng.choice((1, 3, 20))):
        data[rng.randrange(len(data))] = rng.randrange(256)
    return {**members, name: bytes(data)}


def _member(members: Members, rng: random.Random) -> Members:
    """A member is missing, empty, or another one's."""
    name, other = rng.choice(sorted(members)), rng.choice(sorted(members))
    content = members.pop(name)
    return members | rng.choice(({}, {name: b""}, {name: members.get(other, content[:-9])}))


def _text(members: Members, rng: random.Random) -> Members:
    return {**members, VALUES: rng.choice(ODD_TEXTS)}


def _value(members: Members, rng: random.Random) -> Members:
    """Values of the state replaced, taken out, or put in."""
    values = json.loads(members[VALUES])
    for _ in range(rng.choice((1, 1, 2))):
        holder, key = rng.choice(list(_places(values)))
        kind = rng.random()
        if kind < 0.7:
            holder[key] = rng.choice(ODD_VALUES)
        elif kind < 0.85:
            del holder[key]
        elif isinstance(holder, dict):
            holder[rng.choice(("", "epoch", "loss", "val_loss", "x" * 999))] = 1.0
        else:
            holder.append(holder[key])
    return {**members, VALUES: json.dumps(values).encode()}


def _places(values: Any) -> Any:
    items = values.items() if isinstance(values, dict) else enumerate(values)
    for key, value in list(items):
        yield values, key
        if isinstance(value, dict | list):
            yield from _places(value)


def _array(members: Members, rng: random.Random) -> Members:
    """Arrays of other shapes, dtypes and names; one too few or too many; objects."""
    with np.load(io.BytesIO(members[ARRAYS])) as found:
        arrays: dict[str, Any] = dict(found)
    name = rng.choice(sorted(arrays))
    array = arrays.pop(name)
    changed: tuple[Callable[[], dict[str, Any]], ...] = (
        dict,
        lambda: {name: array[None]},
        lambda: {name: array.astype("float64")},
        lambda: {name: array.astype("U8")},
        lambda: {name: np.array([{"a": 1}], object)},
        lambda: {name: np.zeros(0)},
        lambda: {name: np.zeros((1000, 10))},
        lambda: {"variable_99": array, name: array},
        lambda: {"best_weight_99": array, name: array},
    )
    buffer = io.BytesIO()
    np.savez(buffer, **arrays, **rng.choice(changed)())
    return {**members, ARRAYS: buffer.getvalue()}


EDITS: dict[Callable[[Members, random.Random], Members | bytes], int] = {
    **{_bytes: 4, _inside: 3, _member: 2, _text: 1, _value: 8, _array: 3},
}
"""With how often each is chosen."""
