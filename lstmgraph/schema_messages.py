"""What a JSON Schema error means to the person who wrote the recipe."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Protocol

from lstmgraph.resources import KERAS_SCHEMA, read_schema

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from lstmgraph.diagnostics import Path


class StructureError(Protocol):
    """What is read of a ``jsonschema.ValidationError``, whose own types admit values not set."""

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
    """One structural mistake."""

    code: str
    path: Path
    message: str
    hint: str | None = None
    at_key: bool = False


KERAS_KEYS_SAID_OTHERWISE: Mapping[str, str] = {
    "use_cudnn": "write `kernel:` under `runtime:`; `explain` says which kernel a layer can run on",
    "return_state": "name a state where it is wanted, such as `NAME.state.h`; it is then returned",
    "zero_output_for_mask": "write `padded_output: zero` or `padded_output: hold`",
    "stateful": "feed the state: `initial_state: input`, and give `NAME.state` as an output",
    "name": "the layer's name is the key above it",
    "dtype": "write `dtype_policy:`",
    "implementation": "`kernel:` under `runtime:` chooses the implementation",
    "time_major": "give the input as (batch, time, features)",
    "inputs": "write `input:`",
}
"""Keras arguments that a recipe says in its own words, and how."""

_KINDS = {
    "object": "a mapping",
    "array": "a list",
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "null": "null",
}


def describe(error: StructureError) -> Iterator[SchemaMistake]:
    """The mistakes that `error` stands for: one, but for several unknown keys."""
    path = tuple(error.absolute_path)
    in_key = "propertyNames" in list(error.absolute_schema_path)[-3:]
    handler = _bad_key if in_key else _HANDLERS.get(str(error.validator))
    if handler is None:
        yield SchemaMistake("L299", path, f"{_name(path)}: {error.message}")
    else:
        yield from handler(error, path)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """``; did you mean 'units'?``, or nothing where no known word is near."""
    near = get_close_matches(word, list(known), n=1)
    return f"; did you mean '{near[0]}'?" if near else ""


def _unknown_keys(error: StructureError, path: Path) -> Iterator[SchemaMistake]:
    known = error.schema.get("properties", {})
    allowed = [key for key, schema in known.items() if schema != {"not": {}}]
    owner = _owner(error, path)
    for key in error.instance:
        if key in known:
            continue
        hint = KERAS_KEYS_SAID_OTHERWISE.get(key)
        near = did_you_mean(key, allowed) if hint is None else ""
        if hint is None and not near:
            hint = f"allowed here: {', '.join(allowed)}"
        yield SchemaMistake(
            "L203", (*path, key), f"'{key}' is not {owner}{near}", hint, at_key=True
        )


def _missing_keys(error: StructureError, path: Path) -> Iterator[SchemaMistake]:
    """All that are missing: jsonschema gives one error a key, and equal reports are noted once."""
    where = _name(path) if path else "the recipe"
    for key in error.validator_value:
        if key not in error.instance:
            yield SchemaMistake(
                "L202", path, f"{where} has no '{key}'", f"add `{key}:`", at_key=True
            )


def _wrong_type(error: StructureError, path: Path) -> Iterator[SchemaMistake]:
    wanted = error.validator_value
    kinds = [wanted] if isinstance(wanted, str) else list(wanted)
    text = " or ".join(_KINDS[kind] for kind in kinds)
    value = error.instance
    hint = None
    if isinstance(value, str) and {"integer", "number", "boolean"} & set(kinds):
        hint = "write the value without quotes, as a plain number or true/false"
    yield SchemaMistake("L204", path, f"{_name(path)} must be {text}, not {_show(value)}", hint)


def _not_one_of(error: StructureError, path: Path) -> Iterator[SchemaMistake]:
    value = error.instance
    if path and path[-1] == "type" and path[0] == "layers":
        yield _unknown_layer_type(value, path)
        return
    choices = error.validator_value if error.validator == "enum" else [error.validator_value]
    words = [choice for choice in choices if isinstance(choice, str)]
    near = did_you_mean(value, words) if isinstance(value, str) else ""
    if isinstance(value, str) and value.lower() in {"yes", "no", "on", "off"} and True in choices:
        hint: str | None = f"YAML 1.2 reads {value} as text; write true or false"
    else:
        hint = f"one of: {', '.join(_plain(choice) for choice in choices)}"
    message = f"{_name(path)} cannot be {_show(value)}{near}"
    yield SchemaMistake("L205", path, message, hint)


def _unknown_layer_type(value: Any, path: Path) -> SchemaMistake:
    catalogue = read_schema(KERAS_SCHEMA)
    refused = catalogue["x-refused-layers"]
    if value in refused:
        return SchemaMistake("L210", path, f"{value} cannot be used in a recipe", refused[value])
    names = catalogue["x-layer-names"]
    for refused_name, reason in refused.items():
        if isinstance(value, str) and value.replace("_", "").lower() == refused_name.lower():
            return SchemaMistake("L210", path, f"{value} cannot be used in a recipe", reason)
    near = did_you_mean(value, names) if isinstance(value, str) else ""
    hint = "lstm, gru, simple_rnn, or a layer of keras.layers by its Keras name"
    return SchemaMistake("L205", path, f"{_show(value)} is not a layer type{near}", hint)


_BOUNDS = {
    "minimum": "at least",
    "maximum": "at most",
    "exclusiveMinimum": "greater than",
    "exclusiveMaximum": "less than",
}


def _out_of_bounds(error: StructureError, path: Path) -> Iterator[SchemaMistake]:
    bound = f"{_BOUNDS[str(error.validator)]} {error.validator_value}"
    hint = None
    if error.validator == "exclusiveMaximum" and "dropout" in str(path[-1]):
        hint = "Keras drops nothing at all at a rate of 1 or more"
    yield SchemaMistake("L206", path, f"{_name(path)} must be {bound}, not {error.instance}", hint)


def _bad_name(error: StructureError, path: Path) -> Iterator[SchemaMistake]:
    message = f"{error.instance!r} is not a name that can stand here"
    hint = "use letters, digits and underscores, beginning with a letter"
    if path and path[-1] == "name":
        hint = "use letters, digits, - and _, beginning with a letter"
    elif "shape" in path:
        hint = "name a dynamic dimension in lower case, such as `time`"
    elif "\\." in error.validator_value:
        hint = "write a layer's or input's name, or one of its ports, such as `encoder.sequence`"
    yield SchemaMistake("L207", path, message, hint)


def _bad_key(error: StructureError, path: Path) -> Iterator[SchemaMistake]:
    """``propertyNames`` reports against the mapping; the mistake is the key."""
    key = str(error.instance)
    hint = "use letters, digits and underscores, beginning with a letter"
    yield SchemaMistake("L207", (*path, key), f"{key!r} is not a name", hint, at_key=True)


def _wrong_size(error: StructureError, path: Path) -> Iterator[SchemaMistake]:
    limit = error.validator_value
    at_least = str(error.validator).startswith("min")
    count = len(error.instance)
    what = "characters" if isinstance(error.instance, str) else "entries"
    if at_least and count == 0:
        message = f"{_name(path)} is empty"
    else:
        message = (
            f"{_name(path)} has {count} {what}; {'at least' if at_least else 'at most'} {limit}"
        )
    yield SchemaMistake("L208", path, message)


def _excluded(error: StructureError, path: Path) -> Iterator[SchemaMistake]:
    if error.validator_value == {}:  # `not: {}` admits nothing: a key known elsewhere, not here
        key = str(path[-1])
        yield SchemaMistake("L203", path, f"'{key}' has no meaning here", "remove it", at_key=True)
        return
    message = f"{_name(path)} cannot be {_show(error.instance)}"
    hint = "the batch is always the first dimension and is not written" if "shape" in path else None
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
    "maxLength": _wrong_size,
    "not": _excluded,
}


def _owner(error: StructureError, path: Path) -> str:
    kind = error.instance.get("type") if isinstance(error.instance, dict) else None
    if isinstance(kind, str):
        return f"an argument of {kind}"
    if not path:
        return "a key of a recipe"
    title = str(error.schema.get("title", path[-1]))
    return f"a key of {title[0].lower()}{title[1:]}"


def _name(path: Path) -> str:
    """``'units'`` for the last key; an element of a list is named with its list."""
    if not path:
        return "the recipe"
    keys = [part for part in path if isinstance(part, str)]
    if isinstance(path[-1], int) and keys:
        return f"entry {path[-1] + 1} of '{keys[-1]}'"
    return f"'{path[-1]}'"


def _show(value: Any) -> str:
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, str):
        text = value if len(value) <= 40 else value[:37] + "..."
        return f"'{text}'"
    return _plain(value)


def _plain(value: Any) -> str:
    if value is None:
        return "null"
    return str(value).lower() if isinstance(value, bool) else str(value)
