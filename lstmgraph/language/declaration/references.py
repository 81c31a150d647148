"""The references in a layer's plain data: its inputs, mask and initial states."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lstmgraph.messages.diagnostics import Path

    Data = dict[str, Any]

    Replacement = Callable[[str, Path, str], Any]
    """Takes a reference, its path in the layer and its use; returns what replaces it."""

TENSOR = "tensor"
"""Use: one tensor."""
STATE = "state"
"""Use: an initial state, whole or of one slot, which may have another form as well."""
PLACEHOLDER = "placeholder"
"""Use: an input of the model that is made for a state, unless it is declared."""
MASK = "mask"
"""Use: lengths, a mask, or the layer whose mask it is."""

STATE_WORDS = frozenset({"zeros", "learned", "input", "carried"})
"""Initial states of one word."""
RESERVED = STATE_WORDS | {"constant", "none", "inherited"}
"""Words of the language, which cannot be names of layers or inputs."""
_KEYS_OF_MASKS = ("lengths", "input", "from")


def with_references(layer: Data, replace: Replacement) -> Data:
    """Return a layer with every reference replaced by what `replace` returns for it."""
    found = dict(layer)
    if "input" in layer:
        found["input"] = _each(layer["input"], ("input",), TENSOR, replace)
    if isinstance(layer.get("mask"), dict):
        mask = dict(layer["mask"])
        for key in _KEYS_OF_MASKS:
            if key in mask:
                mask[key] = replace(mask[key], ("mask", key), MASK)
        found["mask"] = mask
    if "initial_state" in layer:
        found["initial_state"] = _state(layer["initial_state"], ("initial_state",), replace)
    if isinstance(layer.get("layer"), dict):
        found["layer"] = with_references(layer["layer"], _inside(replace))
    return found


def _inside(replace: Replacement) -> Replacement:
    """Return `replace` for the layer inside a wrapper."""
    return lambda text, path, use: replace(text, ("layer", *path), use)


def references_in(layer: Data) -> Iterator[tuple[str, Path, str]]:
    """Yield every reference in a layer, its path there, and its use."""
    found: list[tuple[str, Path, str]] = []

    def keep(text: str, path: Path, use: str) -> str:
        found.append((text, path, use))
        return text

    with_references(layer, keep)
    yield from found


def entry_references(entry: Data) -> Iterator[tuple[str, Path, str]]:
    """Yield every reference of a layer, a call or a loop, its path in the entry, and its use."""
    yield from references_in({key: part for key, part in entry.items() if key != "loop"})
    for key, text in entry.get("each", {}).items():
        yield text, ("each", key), ""
    for key, form in entry.get("feedback", {}).items():
        first = form["first"]
        if not (isinstance(first, dict) and "zeros" in first):
            for text, path, use in references_in({"initial_state": first}):
                yield text, ("feedback", key, "first", *path[1:]), use
        if "teacher" in form:
            yield form["teacher"], ("feedback", key, "teacher"), ""


def _each(value: Any, path: Path, use: str, replace: Replacement) -> Any:
    if isinstance(value, str):
        return replace(value, path, use)
    if isinstance(value, list):
        return [replace(text, (*path, index), use) for index, text in enumerate(value)]
    return {key: replace(text, (*path, key), use) for key, text in value.items()}


def _state(form: Any, path: Path, replace: Replacement) -> Any:
    if isinstance(form, str):
        return form if form in STATE_WORDS else replace(form, path, STATE)
    if isinstance(form, list):
        return [_state(each, (*path, index), replace) for index, each in enumerate(form)]
    found = dict(form)
    for key in {"h", "c"} & form.keys():
        found[key] = _state(form[key], (*path, key), replace)
    if "from" in form:
        found["from"] = replace(form["from"], (*path, "from"), TENSOR)
    for key, use in (("static", TENSOR), ("inputs", PLACEHOLDER)):
        if key in form:
            found[key] = _each(form[key], (*path, key), use, replace)
    return found
