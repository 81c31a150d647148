"""Random edits of a ``.keras`` file: of the JSON of its configuration, or of its bytes."""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any

from hostile_weights import read_members, write_members

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from random import Random

VALUES = (
    *(None, True, False, 0, 1, -1, 5, 2**31, 2**64, 1e308, float("nan"), 0.5),
    *("", "x", "tanh", "LSTM", "keras.layers", "os", "__lambda__", [], {}, [[1]], {"a": 1}),
    *({"class_name": "Lambda", "config": {}}, {"class_name": "__keras_tensor__"}),
)
CONFIG = "config.json"


def edit_config(source: Path, target: Path, random: Random) -> None:
    """One to three edits of values and keys anywhere in the configuration."""
    members = read_members(source)
    config = json.loads(members[CONFIG])
    for _ in range(random.randint(1, 3)):
        _edit(config, random)
    write_members(target, {**members, CONFIG: json.dumps(config).encode()})


def _edit(config: Any, random: Random) -> None:
    places = list(_places(config))
    holder, key = random.choice(places)
    other, other_key = random.choice(places)
    kind = random.randrange(7)
    if kind < 2:
        holder[key] = copy.deepcopy(random.choice(VALUES))
    elif kind == 2:
        del holder[key]
    elif kind == 3:
        holder[key] = copy.deepcopy(other[other_key])
    elif kind == 4 and isinstance(holder, list):
        holder.insert(key, copy.deepcopy(holder[key]))
    elif kind == 5 and isinstance(holder, list):
        random.shuffle(holder)
    elif isinstance(holder, dict):
        holder[f"{key}_"] = holder.pop(key)
    elif isinstance(holder[key], int):
        holder[key] += 1


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    keys = value if isinstance(value, dict) else range(len(value))
    for key in list(keys):
        yield value, key
        if isinstance(value[key], dict | list):
            yield from _places(value[key])


def edit_bytes(source: Path, target: Path, random: Random) -> None:
    """Other bytes in the archive, or in one member of an archive that is whole; or less of it."""
    if random.random() < 0.5:
        target.write_bytes(_flipped(source.read_bytes(), random))
        return
    members = read_members(source)
    name = random.choice([CONFIG, "model.weights.h5", "model.weights.h5"])
    write_members(target, {**members, name: _flipped(members[name], random)})


def _flipped(content: bytes, random: Random) -> bytes:
    found = bytearray(content)
    for _ in range(random.randint(1, 8)):
        found[random.randrange(len(found))] = random.randrange(256)
    return bytes(found[: random.randrange(len(found))] if random.random() < 0.1 else found)
