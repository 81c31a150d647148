"""Explain JSON Schema errors to the author of the recipe."""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Protocol

from lstmgraph.messages.wording import (
    BEGINNING,
    EXCLUDED_BY,
    FORMS,
    KERAS_KEY_HINTS,
    KEY_MEANT,
    KINDS,
    TRAINING_KEY_HINTS,
    WORDS_OF_YAML_1_1,
    Forms,
    Guesses,
    boolean_hint,
    did_you_mean,
    flow,
    named,
    nearest,
    plain_text,
    section_with,
    shown,
    suggested,
    type_hint,
)
from lstmgraph.resources import KERAS_SCHEMA, RECIPE_SCHEMA, read_schema

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

    from lstmgraph.messages.diagnostics import Path


DYNAMIC_DIMENSION = "name a dynamic dimension in lower case, such as `time`"

_SECTIONS = ("training", "runtime", "search", "data")

MANY_CHOICES = 16
"""The most choices that a hint lists next to a suggested one."""


class StructureError(Protocol):
    """The attributes used of ``jsonschema.ValidationError``, which declares them as optional."""

    validator: Any
    validator_value: Any
    instance: Any
    schema: Any

    @property
    def message(self) -> str: ...  # noqa: D102
    @property
    def absolute_path(self) -> Iterable[str | int]: ...  # noqa: D102
    @property
    def absolute_schema_path(self) -> Iterable[str | int]: ...  # noqa: D102


@dataclass(frozen=True)
class SchemaMistake:
    """One structural mistake in a recipe."""

    code: str
    path: Path
    message: str
    hint: str | None = None
    at_key: bool = False
    displaced: bool = False
    """Whether this is a section in the wrong place, whose content need not be wrong."""
    missing: str | None = None
    """The key that is missing, or that this unknown key is a misspelling of."""
    notes: tuple[tuple[Path, str], ...] = ()
    """Related places and the notes on them; places that are not in the text are skipped."""


def describe(error: StructureError) -> Iterator[SchemaMistake]:
    """Yield the mistakes that `error` stands for: several only for unknown or missing keys."""
    path = tuple(error.absolute_path)
    in_key = "propertyNames" in list(error.absolute_schema_path)[-3:]
    handler = _bad_key if in_key else _HANDLERS.get(str(error.validator))
    if handler is None:
        yield SchemaMistake("L299", path, f"{named(path)}: {error.message}")
    else:
        yield from handler(error, path)


def without_cascades(mistakes: Iterable[SchemaMistake]) -> list[SchemaMistake]:
    """Return `mistakes` without those that follow from another.

    A missing key is dropped where an unknown key beside it is a misspelling of it; of two
    branches of the schema that report the same place, the first is kept.
    """
    mistakes = list(mistakes)
    displaced = {m.path for m in mistakes if m.displaced}
    mistakes = [m for m in mistakes if m.displaced or m.path[:2] not in displaced]
    unique = list({(m.code, m.path, m.missing): m for m in reversed(mistakes)}.values())[::-1]
    misspelt = {(m.path[:-1], m.missing) for m in unique if m.code == "L203"}
    return [m for m in unique if m.code != "L202" or (m.path, m.missing) not in misspelt]


def _unknown_keys(error: StructureError, path: Path) -> Iterator[SchemaMistake]:
    known = error.schema.get("properties", {})
    allowed = [key for key, schema in known.items() if not _is_excluded(schema)]
    owner = _owner(error, path)
    form = _form(error)
    if form:
        allowed, owner, forms = [*form.keys], f"a way to define {form.what}", form.ways
    guesses = Guesses()
    for key in error.instance:
        if key in known:
            continue
        other = _form_beside(error, key)
        if other:
            beside, what = other
            message = f"'{key}' and '{beside}' both define {what}"
            notes = (((*path, beside), f"'{beside}' is here"),)
            yield SchemaMistake("L203", (*path, key), message, "keep one", True, notes=notes)
            continue
        is_layer = path[:1] in {("layers",), ("blocks",)}
        hint = KERAS_KEY_HINTS.get(key) if is_layer and key not in allowed else None
        if path == ("training",):
            hint = TRAINING_KEY_HINTS.get(key)
        elif path[-2:] == ("training", "optimizer") and key == "learning_rates":
            hint = "write it under `training:`, beside `optimizer:`"
        if key == "units" and "cells" in allowed:
            hint = "write it in each cell, such as `cells: [{type: lstm_cell, units: 64}]`"
        elif path[-1:] == ("first",):
            owner = "a way to define what the first step reads"
            hint = "write a port, an initial state, or {zeros: [1, 32]} with the shape of one step"
        if "call" in allowed:
            owner, hint = "a key of a call", _hint_for_call(key, error.instance)
            if "loop" in error.instance and key in _LOOP_KEYS[1:]:
                continue  # as right as the loop
        near = guesses.nearest(key, allowed) if hint is None else None
        message = f"'{key}' is not {owner}{suggested(near)}"
        if hint is None and not near and len(path) <= 1 and (sections := _sections_of(key)):
            hint = f"write it under {sections}"
        if hint is None and not near:
            hint = f"write one of: {forms}" if form else f"allowed here: {', '.join(allowed)}"
        meant = "from" if form else near or KEY_MEANT.get(key)
        yield SchemaMistake("L203", (*path, key), message, hint, at_key=True, missing=meant)


_LOOP_KEYS = ("loop", "steps", "each", "feedback")


def _hint_for_call(key: str, call: dict[str, Any]) -> str:
    """Return what to do with a key that calls do not have."""
    called = call.get("call")
    if key == "loop":
        return "remove `call:`, as a loop calls its block itself"
    if key in _LOOP_KEYS:
        return f"to repeat a block, write `loop: {called}` in place of `call: {called}`"
    return f"remove it, or change it at '{called}', which is called"


def _sections_of(key: str) -> str:
    """Return the sections of a recipe that have the key, as text."""
    definitions = read_schema(RECIPE_SCHEMA)["$defs"]
    found = [f"`{each}:`" for each in _SECTIONS if key in definitions[each]["properties"]]
    return " or ".join(found)


_HISTORY = "a number of steps, or `series` for each series as a whole"


def _missing_keys(error: StructureError, path: Path) -> Iterator[SchemaMistake]:
    """Yield a mistake for every missing key; jsonschema's errors, one per key, repeat them."""
    where = named(path) if path else "the recipe"
    form = _form(error)
    for key in error.validator_value:
        if key in error.instance:
            continue
        above = None if path else section_with(key, error.instance)
        if above:
            message, hint = f"'{key}' is inside '{above}'", f"indent `{key}:` like `{above}:`"
            displaced = (above, key)
            yield SchemaMistake("L203", displaced, message, hint, at_key=True, displaced=True)
            continue
        if key == "type" and (written := get_close_matches(key, error.instance, n=1)):
            # Without the type, other unknown keys cannot be recognized.
            message = f"'{written[0]}' is not a key of '{path[-1]}'; did you mean 'type'?"
            yield SchemaMistake("L203", (*path, written[0]), message, at_key=True, missing=key)
            continue
        message, hint = f"{where} has no '{key}'", f"add `{key}:`"
        version = error.schema.get("properties", {}).get(key, {}).get("const")
        if version is not None:
            hint = f"add `{key}: {version}`, the version of the language"
        elif (*path[-1:], key) == ("window", "history"):
            hint = f"add `history:`, {_HISTORY}"
        elif form:
            message, hint = f"{where} does not define {form.what}", f"write one of: {form.ways}"
        yield SchemaMistake("L202", path, message, hint, at_key=True, missing=key)


def _wrong_type(error: StructureError, path: Path) -> Iterator[SchemaMistake]:
    wanted = error.validator_value
    kinds = [wanted] if isinstance(wanted, str) else list(wanted)
    text = " or ".join(KINDS[kind] for kind in kinds)
    value = error.instance
    message = f"{named(path)} must be {text}, not {shown(value)}"
    hint = type_hint(value, kinds, error.schema) if path else BEGINNING
    if value is None and len(path) > 1 and path[-2] == "shape" and path[0] == "inputs":
        hint = DYNAMIC_DIMENSION
    yield SchemaMistake("L204", path, message, hint)


def _not_one_of(error: StructureError, path: Path) -> Iterator[SchemaMistake]:
    value = error.instance
    if path and path[-1] == "type" and path[0] in ("layers", "blocks"):
        yield (_unknown_cell if "cells" in path else _unknown_layer_type)(value, path)
        return
    refused = read_schema(KERAS_SCHEMA)["x-refused-activations"]
    if path and str(path[-1]).endswith("activation") and value in list(refused):
        yield SchemaMistake("L205", path, f"{named(path)} cannot be '{value}'", refused[value])
        return
    choices = _choices(error)
    words = [choice for choice in choices if isinstance(choice, str)]
    mappings = _mappings(words)
    meant = nearest(value, [*words, *mappings]) if isinstance(value, str) else None
    if meant in mappings:
        near = suggested(None if meant == value else meant)
        message = f"{named(path)} cannot be {shown(value)}{near}"
        yield SchemaMistake("L205", path, message, f"write {mappings[meant]}")
        return
    if isinstance(value, str) and (called := _as_mapping(value, words)):
        yield SchemaMistake("L205", path, f"{named(path)} cannot be {shown(value)}", called)
        return
    near = suggested(meant)
    hint: str | None = f"write one of: {', '.join(plain_text(choice) for choice in choices)}"
    if near and len(choices) > MANY_CHOICES:
        hint = None
    elif path[-2:] == ("window", "history"):
        hint = f"write {_HISTORY}"
    elif path and path[-1] == "mask":
        hint = f"{hint}, {FORMS['Mask of another layer'].ways}"
    elif isinstance(value, str) and value.lower() in WORDS_OF_YAML_1_1 and True in choices:
        hint = boolean_hint(value)
    elif isinstance(value, str) and value in {plain_text(choice) for choice in choices}:
        hint = f"write {value} without quotes"
    message = f"{named(path)} cannot be {shown(value)}{near}"
    yield SchemaMistake("L205", path, message, hint)


_CALL = re.compile(r"(?:\w+\.)*(\w+)\(([^()]{0,100})\)")


def _as_mapping(written: str, words: Collection[str]) -> str | None:
    """Return the hint to write Python's ``Adam(3e-3)`` as a mapping; None for another text."""
    match = _CALL.fullmatch(written.strip())
    name = match and nearest(match[1], words)
    if not match or not name or name not in words:
        return None
    values = [part.strip() for part in match[2].split(",") if part.strip()]
    if not values:
        return f"write {name}"
    if "relu" in words:
        return f"write {name}: an activation takes no arguments"
    if "sgd" in words and "=" not in values[0]:  # an optimizer, whose first argument is the rate
        values[0] = f"learning_rate={values[0]}"
    pairs = [part.partition("=") for part in values]
    if not all(equals for _, equals, _ in pairs):
        return f"write {{type: {name}, ...}}, with the names of its arguments"
    arguments = "".join(f", {key.strip()}: {value.strip()}" for key, _, value in pairs)
    return f"write {{type: {name}{arguments}}}"


def _mappings(words: Collection[str]) -> dict[str, str]:
    """Return Keras's names that need arguments beside names that need none, each with an example.

    They are those of the family, such as metrics, of which `words` are some.
    """
    catalogue = read_schema(KERAS_SCHEMA)
    families = catalogue["x-names"].items()
    found = next(((f, names) for f, names in families if words and set(words) < set(names)), None)
    if found is None:
        return {}
    family, classes = found
    examples = {}
    for name in (name for name in classes if name.islower() and name not in words):
        definition = catalogue["$defs"][f"{family}.{classes[name]}"]
        known = {key: value for key, value in definition["properties"].items() if key != "type"}
        keys = definition.get("required") or list(known)[:1]
        values = {key: known[key].get("examples", [known[key].get("default")])[0] for key in keys}
        examples[name] = flow({"type": name, **values})
    return examples


def _choices(error: StructureError) -> list[Any]:
    """Return the allowed values; of two spellings of a Keras name, the one in lower case."""
    if error.validator != "enum":
        return [error.validator_value]
    choices: list[Any] = error.validator_value
    return [c for c in choices if not isinstance(c, str) or c.islower()] or choices


def _unknown_layer_type(value: Any, path: Path) -> SchemaMistake:
    catalogue = read_schema(KERAS_SCHEMA)
    refused = catalogue["x-refused-layers"]
    for name, reason in refused.items():
        if isinstance(value, str) and value.replace("_", "").lower() == name.lower():
            return SchemaMistake("L210", path, f"{value} cannot be used in a recipe", reason)
    if "layer" in path and isinstance(value, str) and value in catalogue["x-layer-names"]:
        message = f"{value} cannot be used inside another layer"
        return SchemaMistake("L210", path, message, "make it a layer of its own")
    names = [*catalogue["x-layer-names"], "rnn"]
    near = did_you_mean(value, names) if isinstance(value, str) else ""
    hint = "write lstm, gru, simple_rnn, or the name of a Keras layer"
    if value in ("loop", "call"):
        near, hint = "", f"write `{value}: NAME` in place of `type:`"
    return SchemaMistake("L205", path, f"{shown(value)} is not a layer type{near}", hint)


def _unknown_cell(value: Any, path: Path) -> SchemaMistake:
    cells = ("lstm_cell", "gru_cell", "simple_rnn_cell")
    message = f"{shown(value)} is not a cell"
    near = did_you_mean(f"{value}_cell", cells) or did_you_mean(str(value), cells)
    hint = f"write one of: {', '.join(cells)}; a stack of layers is `type: lstm` with `depth:`"
    return SchemaMistake("L205", path, message + near, hint)


_BOUNDS = {
    "minimum": ("at least {}", "{} or more"),
    "maximum": ("at most {}", "{} or less"),
    "exclusiveMinimum": ("greater than {}", "a number greater than {}"),
    "exclusiveMaximum": ("less than {}", "a number less than {}"),
}
"""The end of the message, and the end of the hint."""


def _out_of_bounds(error: StructureError, path: Path) -> Iterator[SchemaMistake]:
    bound, fix = (text.format(error.validator_value) for text in _BOUNDS[str(error.validator)])
    hint, value = f"write {fix}", error.instance
    if error.validator == "exclusiveMaximum" and "dropout" in str(path[-1]):
        hint = "at a rate of 1 or more Keras drops nothing at all"
        if 2 <= value < 100:
            hint = f"write {value / 100:g} for {value:g} %: {hint}"
    yield SchemaMistake("L206", path, f"{named(path)} must be {bound}, not {value}", hint)


def _bad_name(error: StructureError, path: Path) -> Iterator[SchemaMistake]:
    if path == ("runtime", "device"):
        hint = "write `auto`, `cpu`, `gpu`, or one GPU by its number, such as `gpu:1`"
        yield SchemaMistake("L205", path, f"{error.instance!r} is not a device", hint)
        return
    message = f"{error.instance!r} is not a valid name here"
    hint = "use letters, digits and underscores, starting with a letter"
    if path and path[-1] == "name":
        hint = "use letters, digits, - and _, starting with a letter"
    elif "shape" in path:
        number = error.instance.strip().isdecimal()
        hint = f"write {error.instance.strip()}, without quotes" if number else DYNAMIC_DIMENSION
    elif path and path[-1] == "then":
        hint = "write the name of an output of the block; it stands under the block's `outputs:`"
    elif path and path[-1] in ("call", "loop") and "." in error.instance:
        hint = f"write `{path[-1]}: {error.instance.partition('.')[0]}`, without a port"
    elif "\\." in error.validator_value:
        hint = "write a layer's or input's name, or one of its ports, such as `encoder.sequence`"
    yield SchemaMistake("L207", path, message, hint)


def _bad_key(error: StructureError, path: Path) -> Iterator[SchemaMistake]:
    """Yield the mistake of a key, which ``propertyNames`` reports for the mapping."""
    key = str(error.instance)
    hint = "use letters, digits and underscores, starting with a letter"
    yield SchemaMistake("L207", (*path, key), f"{key!r} is not a valid name", hint, at_key=True)


def _wrong_size(error: StructureError, path: Path) -> Iterator[SchemaMistake]:
    limit = error.validator_value
    at_least = str(error.validator).startswith("min")
    count = len(error.instance)
    what = "characters" if isinstance(error.instance, str) else "entries"
    if limit == 1:
        what = "character" if isinstance(error.instance, str) else "entry"
    if at_least and count == 0:
        message = f"{named(path)} is empty"
    else:
        message = (
            f"{named(path)} must have {'at least' if at_least else 'at most'} {limit} {what}, "
            f"not {count}"
        )
    hint = f"write {'at least' if at_least else 'at most'} {limit} {what}"
    yield SchemaMistake("L208", path, message, hint)


def _repeated(error: StructureError, path: Path) -> Iterator[SchemaMistake]:
    items = error.instance
    second = next(i for i, item in enumerate(items) if item in items[:i])
    yield _twice(path, items, second, "write each entry once")


def _twice(path: Path, items: list[Any], second: int, hint: str) -> SchemaMistake:
    message = f"{named(path)} contains {shown(items[second])} more than once"
    notes = (((*path, items.index(items[second])), "the first is here"),)
    return SchemaMistake("L205", (*path, second), message, hint, notes=notes)


def _too_many_matches(error: StructureError, path: Path) -> Iterator[SchemaMistake]:
    single, items = error.schema["contains"].get("const"), error.instance
    second = items.index(single, items.index(single) + 1)
    yield _twice(path, items, second, f"write {shown(single)} for at most one entry")


def _excluded(error: StructureError, path: Path) -> Iterator[SchemaMistake]:
    if error.validator_value == {}:  # `not: {}` allows nothing: the key is known, but not here
        key = str(path[-1])
        hint = error.schema.get("description", "remove it")
        notes = (((*path[:-1], EXCLUDED_BY.get(key, key)), "it has none next to this key"),)
        message = f"'{key}' has no meaning here"
        yield SchemaMistake("L203", path, message, hint, at_key=True, notes=notes)
        return
    message = f"{named(path)} cannot be {shown(error.instance)}"
    hint = "leave out the batch, which is always the first dimension" if "shape" in path else None
    yield SchemaMistake("L205", path, message, hint)


_HANDLERS: Mapping[str, Callable[[StructureError, Path], Iterator[SchemaMistake]]] = {
    "additionalProperties": _unknown_keys,
    "required": _missing_keys,
    "type": _wrong_type,
    "enum": _not_one_of,
    "const": _not_one_of,
    "minimum": _out_of_bounds,
    "maximum": _out_of_bounds,
    "exclusiveMinimum": _out_of_bounds,
    "exclusiveMaximum": _out_of_bounds,
    "pattern": _bad_name,
    "minItems": _wrong_size,
    "maxItems": _wrong_size,
    "minProperties": _wrong_size,
    "minLength": _wrong_size,
    "maxLength": _wrong_size,
    "not": _excluded,
    "uniqueItems": _repeated,
    "maxContains": _too_many_matches,
}


def _is_excluded(schema: Any) -> bool:
    return isinstance(schema, dict) and schema.get("not") == {}


def _form(error: StructureError) -> Forms | None:
    """Return the possible forms of a mapping that has the key of none of them."""
    form = FORMS.get(str(error.schema.get("title")))
    return form if form and not set(form.keys) & set(error.instance) else None


def _form_beside(error: StructureError, key: str) -> tuple[str, str] | None:
    """Return the key of the form that is written already beside `key`, and what both define."""
    for form in FORMS.values():
        required = error.schema.get("required", [])
        if key in form.keys and len(required) == 1 and required[0] in form.keys:
            return str(required[0]), form.what
    return None


def _owner(error: StructureError, path: Path) -> str:
    kind = error.instance.get("type") if isinstance(error.instance, dict) else None
    if isinstance(kind, str):
        return f"an argument of {kind}"
    if not path:
        return "a key of a recipe"
    title = str(error.schema.get("title", path[-1]))
    return f"a key of {title[0].lower()}{title[1:]}"
