"""Folding of recurrent layers that follow each other into one stack of the recipe."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lstmgraph.interop.importing.drafting import Draft

Data = dict[str, Any]
RECURRENT = ("lstm", "gru", "simple_rnn")
ENDS = re.compile(r"^(.*?)(?:_(\d+))?$")


def fold_stacks(draft: Draft) -> None:
    """Fold stacks in `draft`: `reader_1` and `reader_2` become `reader` with two units.

    Layers are folded if each reads the one before, nothing else does, their arguments but the
    units are the same, and their names are those of a stack, or ones that Keras gives by itself.
    """
    _fold_helpers(draft)
    for name in list(draft.data["layers"]):
        if name not in draft.data["layers"]:
            continue
        run = _run(draft, name)
        if len(run) > 1:
            _fold(draft, run)


def _run(draft: Draft, first: str) -> list[str]:
    """Return the names of the layers of the stack that begins at `first`."""
    layers = draft.data["layers"]
    entry = layers[first]
    if entry.get("type") not in RECURRENT:
        return []
    base, number = _parts(first, entry["type"])
    if base is None or first in draft.comments:
        return []
    run = [first]
    while True:
        name = _next(base, number, len(run), entry["type"])
        other = layers.get(name)
        if other is None or name in draft.comments:
            break
        before = run[-1]
        if other.get("input") != f"{before}.sequence" or not _alike(entry, other):
            break
        if _reads(draft.data, before) != {name}:
            break
        run.append(name)
    return run


def _fold_helpers(draft: Draft) -> None:
    """Fold stacks whose layers are summed with their inputs, or normalized."""
    for name in [each for each in draft.data["layers"] if each.endswith("_1")]:
        layers = draft.data["layers"]
        base = name.removesuffix("_1")
        if layers.get(name, {}).get("type") not in RECURRENT or base in layers:
            continue
        found = _helped(layers, base)
        if found is None:
            continue
        own, last, extra = found
        inner = {f"{base}_{place}{end}" for place in range(1, len(own) + 1) for end in ENDINGS}
        inner &= set(layers)
        read = {each: _reads(draft.data, each) - inner for each in inner}
        if any(read[each] for each in inner if each not in (last, own[-1])):
            continue
        if any(f"{own[-1]}.sequence" in _texts(draft.data) for _ in own) and (
            _count(draft.data, f"{own[-1]}.sequence") > 1
        ):
            continue
        _replace(draft, base, own, inner, last, extra)


ENDINGS = ("", "_residual", "_norm")


def _helped(layers: Data, base: str) -> tuple[list[str], str, Data] | None:
    """Return the layers of a stack with helpers, its last layer or helper, and its further keys."""
    own: list[str] = []
    source = layers[f"{base}_1"]["input"]
    residual, norm = f"{base}_2_residual" in layers, f"{base}_1_norm" in layers
    last = ""
    while f"{base}_{len(own) + 1}" in layers:
        name = f"{base}_{len(own) + 1}"
        if layers[name].get("input") != source or not _alike(layers[f"{base}_1"], layers[name]):
            return None
        last, before, source = name, source, f"{name}.sequence"
        if residual and own:
            if layers.get(f"{name}_residual") != {"type": "add", "input": [before, source]}:
                return None
            last = source = f"{name}_residual"
        if norm:
            wanted = {"type": "layer_normalization", "input": source}
            if layers.get(f"{name}_norm") != wanted:
                return None
            last = source = f"{name}_norm"
        own.append(name)
    if not (residual or norm) or (residual and len(own) == 1):
        return None
    extra: Data = {"residual": True} if residual else {}
    return own, last, {**extra, **({"normalization": "layer"} if norm else {})}


def _count(data: Data, text: str) -> int:
    return sum(each == text for each in _texts(data))


def _replace(  # noqa: PLR0913, PLR0917 - the parts of a stack
    draft: Draft, base: str, own: list[str], inner: set[str], last: str, extra: Data
) -> None:
    """Put one stack in the place of its layers and their helpers."""
    data = draft.data
    layers = data["layers"]
    units = [layers[each]["units"] for each in own]
    first = layers[own[0]]
    entry = {"type": first["type"], "input": first["input"], "units": units}
    if len(set(units)) == 1:
        entry |= {"units": units[0], "depth": len(units)} if len(units) > 1 else {"units": units[0]}
    entry |= {**{k: v for k, v in first.items() if k not in entry}, **extra}
    whole = {"layers": {k: v for k, v in layers.items() if k not in inner}}
    whole["outputs"] = data["outputs"]

    def renamed(value: Any) -> Any:
        value = _renamed(value, own[-1], base)
        if isinstance(value, dict):
            return {key: renamed(each) if key != "type" else each for key, each in value.items()}
        if isinstance(value, list):
            return [renamed(each) for each in value]
        return f"{base}.sequence" if value == last else value

    found: Data = {}
    for name, value in layers.items():
        if name == own[0]:
            found[base] = entry
        elif name not in inner:
            found[name] = renamed(value)
    data["layers"], data["outputs"] = found, renamed(data["outputs"])


def _parts(name: str, type_: str) -> tuple[str | None, int]:
    match = ENDS.match(name)
    base, number = (match[1], match[2]) if match else (name, None)
    if name == type_:
        return base, 0
    if base == type_ and number:
        return base, int(number)
    return (base, 1) if number == "1" else (None, 0)


def _next(base: str, number: int, place: int, _type: str) -> str:
    return f"{base}_{number + place}"


def _alike(one: Data, other: Data) -> bool:
    skipped = ("input", "units")
    mask = ("mask",)
    own = {key: value for key, value in one.items() if key not in (*skipped, *mask)}
    second = {key: value for key, value in other.items() if key not in (*skipped, *mask)}
    if "padded_output" not in second:  # the last layer, of which only the last output is read
        own.pop("padded_output", None)
    if other.get("mask") not in (None, one.get("mask")):
        return False
    if one.get("mask") in ("none",) and other.get("mask") not in (None, "none"):
        return False
    for entry in (own, second):
        if not isinstance(entry.get("initial_state", "zeros"), str):
            form = entry["initial_state"]
            if "inputs" in form or "from" in form or "h" in form:
                return False
    if own.get("initial_state", "zeros") not in ("zeros", "learned", "carried", "input") and (
        isinstance(own["initial_state"], str)
    ):
        return False
    return own == second


def _texts(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [text for each in value.values() for text in _texts(each)]
    if isinstance(value, list):
        return [text for each in value for text in _texts(each)]
    return []


def _reads(data: Data, name: str) -> set[str]:
    """Return the layers that read a layer; "" stands for an output."""
    found = set()
    for reader, entry in data["layers"].items():
        own = [entry.get(key) for key in ("input", "initial_state", "mask", "call", "layer")]
        if any(text.partition(".")[0] == name for text in _texts(own)):
            found.add(reader)
    if any(text.partition(".")[0] == name for text in _texts(data["outputs"])):
        found.add("")
    return found


def _fold(draft: Draft, run: list[str]) -> None:
    data = draft.data
    layers = data["layers"]
    first = layers[run[0]]
    base, _ = _parts(run[0], first["type"])
    name = base or run[0]
    others = {*layers, *data["inputs"]} - set(run)
    if name in others or {f"{name}_{place}" for place in range(1, len(run) + 1)} & others:
        return
    units = [layers[each]["units"] for each in run]
    entry = dict(first)
    if len(set(units)) == 1:
        entry = {"type": entry.pop("type"), "input": entry.pop("input"), "units": units[0]}
        entry |= {"depth": len(run), **{k: v for k, v in first.items() if k not in entry}}
    else:
        entry["units"] = units
    found: Data = {}
    for own, value in layers.items():
        if own == run[0]:
            found[name] = entry
        elif own not in run:
            found[own] = _renamed(value, run[-1], name)
    data["layers"] = found
    data["outputs"] = _renamed(data["outputs"], run[-1], name)
    for place, own in enumerate(run, start=1):
        if own != f"{name}_{place}":
            draft.layers[f"{name}_{place}"] = own


def _renamed(value: Any, old: str, new: str) -> Any:
    """Return data in which references to a layer have its new name."""
    if isinstance(value, dict):
        return {
            key: _renamed(each, old, new) if key not in ("type", "activation", "layer") else each
            for key, each in value.items()
        }
    if isinstance(value, list):
        return [_renamed(each, old, new) for each in value]
    if isinstance(value, str) and value.partition(".")[0] == old:
        return new + value[len(old) :]
    return value
