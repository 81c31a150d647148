"""What a JSON Schema error means to the person who wrote the recipe."""

from __future__ import annotations

import json
import re
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
    missing: str | None = None
    """The key that is not there, or that another stands for."""


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

_KEY_MEANT: Mapping[str, str] = {"inputs": "input"}
"""The recipe's key that a key of Keras stands for."""

_USUAL_WORDS: Mapping[str, str] = {
    "int": "int32",
    "integer": "int32",
    "float": "float32",
    "double": "float64",
    "half": "float16",
    "boolean": "bool",
    "lr": "learning_rate",
    "hidden_size": "units",
    "num_layers": "depth",
}
"""Words of other tools, and the recipe's."""

MANY_CHOICES = 16
"""With more, all of them are not listed beside the one that is meant."""

_WORDS_OF_YAML_1_1 = {"yes", "no", "on", "off", "y", "n"}

_NUMBER = re.compile(r"[-+]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]+)?")


@dataclass(frozen=True)
class _Forms:
    """Mappings that say one thing in several ways, told apart by a key."""

    what: str
    keys: tuple[str, ...]
    ways: str


_STATE_WAYS = "{inputs: [NAME, NAME]}, {static: [NAME]}, {from: LAYER}"
_FORMS: Mapping[str, _Forms] = {
    "Mask of another layer": _Forms(
        "which steps count",
        ("value", "lengths", "input", "from"),
        "{value: 0.0}, {lengths: NAME}, {input: NAME}, {from: LAYER}",
    ),
    "State from another layer": _Forms(
        "where a state comes from", ("inputs", "static", "from"), _STATE_WAYS
    ),
    "h and c apart": _Forms(
        "where a state comes from",
        ("inputs", "static", "from", "h", "c"),
        f"{_STATE_WAYS}, {{h: NAME, c: NAME}}",
    ),
}
"""By the title of the form that the schema tries last."""

_KINDS = {
    "object": "a mapping",
    "array": "a list",
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "null": "null",
}


_KIND_EXAMPLES = {
    "object": "`key: value`, indented below",
    "array": "a list in brackets",
    "string": "a word",
    "integer": "a whole number, such as 64",
    "number": "a number, such as 0.5",
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


def without_cascades(mistakes: Iterable[SchemaMistake]) -> list[SchemaMistake]:
    """`mistakes` less the missing keys that an unknown key beside them stands for.

    What two branches of the schema say of one place is one mistake.
    """
    found = list({(m.code, m.path, m.missing): m for m in reversed(list(mistakes))}.values())[::-1]
    meant = {(m.path[:-1], m.missing) for m in found if m.code == "L203"}
    return [m for m in found if m.code != "L202" or (m.path, m.missing) not in meant]


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """``; did you mean 'units'?``, or nothing where no known word is near."""
    near = _nearest(word, known)
    return f"; did you mean '{near}'?" if near else ""


def _nearest(word: str, known: Iterable[str]) -> str | None:
    words = {each.lower(): each for each in known}
    meant = _USUAL_WORDS.get(word.lower())
    if meant in words:
        return words[meant]
    # The one word that ends in this one: `float16` means `mixed_float16`.
    longer = [each for each in words if each.endswith(f"_{word.lower()}")]
    near = longer if len(longer) == 1 else get_close_matches(word.lower(), words, n=1)
    return words[near[0]] if near else None


def _unknown_keys(error: StructureError, path: Path) -> Iterator[SchemaMistake]:
    known = error.schema.get("properties", {})
    allowed = [key for key, schema in known.items() if not _is_excluded(schema)]
    owner = _owner(error, path)
    form = _form(error)
    if form:
        allowed, owner, forms = [*form.keys], f"a way to say {form.what}", form.ways
    for key in error.instance:
        if key in known:
            continue
        hint = KERAS_KEYS_SAID_OTHERWISE.get(key) if key not in allowed else None
        near = _nearest(key, allowed) if hint is None else None
        message = f"'{key}' is not {owner}" + (f"; did you mean '{near}'?" if near else "")
        if hint is None and not near:
            hint = f"write one of: {forms}" if form else f"allowed here: {', '.join(allowed)}"
        meant = "from" if form else near or _KEY_MEANT.get(key)
        yield SchemaMistake("L203", (*path, key), message, hint, at_key=True, missing=meant)


def _missing_keys(error: StructureError, path: Path) -> Iterator[SchemaMistake]:
    """All that are missing: jsonschema gives one error a key, and equal reports are noted once."""
    where = _name(path) if path else "the recipe"
    form = _form(error)
    for key in error.validator_value:
        if key in error.instance:
            continue
        if key == "type" and (written := get_close_matches(key, error.instance, n=1)):
            # Without a type, nothing says which other keys are unknown.
            message = f"'{written[0]}' is not a key of '{path[-1]}'; did you mean 'type'?"
            yield SchemaMistake("L203", (*path, written[0]), message, at_key=True, missing=key)
            continue
        message, hint = f"{where} has no '{key}'", f"add `{key}:`"
        version = error.schema.get("properties", {}).get(key, {}).get("const")
        if version is not None:
            hint = f"add `{key}: {version}`, the version of the language"
        elif form:
            message, hint = f"{where} does not say {form.what}", f"write one of: {form.ways}"
        yield SchemaMistake("L202", path, message, hint, at_key=True, missing=key)


def _wrong_type(error: StructureError, path: Path) -> Iterator[SchemaMistake]:
    wanted = error.validator_value
    kinds = [wanted] if isinstance(wanted, str) else list(wanted)
    text = " or ".join(_KINDS[kind] for kind in kinds)
    value = error.instance
    message = f"{_name(path)} must be {text}, not {_show(value)}"
    yield SchemaMistake("L204", path, message, _type_hint(value, kinds, error.schema))


def _type_hint(value: Any, kinds: list[str], schema: Any) -> str | None:
    """How the value is written in the type that is wanted."""
    if isinstance(value, float) and value.is_integer() and "integer" in kinds:
        return f"write {int(value)}"
    if isinstance(value, str) and {"integer", "number"} & set(kinds):
        plain = value.strip().replace("_", "")
        if _NUMBER.fullmatch(plain):
            return f"write {plain}, without quotes or underscores"
    if isinstance(value, str) and "boolean" in kinds:
        if value.lower() in _WORDS_OF_YAML_1_1:
            return _write_boolean(value)
        return "write true or false, without quotes"
    if "array" in kinds and "integer" not in kinds and isinstance(value, str | int | float):
        return f"write a list: [{_plain(value)}]"
    names = schema.get("properties", {}).get("type", {}).get("enum")
    if kinds == ["object"] and names:
        name = names[-1]
        return f"write a name, such as {name}, or {{type: {name}, ...}}"
    if kinds == ["object"] and isinstance(value, list):
        return "write `key: value` pairs, without dashes or brackets"
    if kinds == ["object"] and schema.get("required"):
        return f"write keys below it, such as `{schema['required'][0]}:`"
    if schema.get("examples"):
        return f"write it like {' or '.join(_flow(example) for example in schema['examples'])}"
    return f"write {' or '.join(_KIND_EXAMPLES[kind] for kind in kinds)}"


def _write_boolean(word: str) -> str:
    return f"YAML 1.2 reads {word} as text; write true or false"


def _not_one_of(error: StructureError, path: Path) -> Iterator[SchemaMistake]:
    value = error.instance
    if path and path[-1] == "type" and path[0] == "layers":
        yield _unknown_layer_type(value, path)
        return
    choices = _choices(error)
    words = [choice for choice in choices if isinstance(choice, str)]
    near = did_you_mean(value, words) if isinstance(value, str) else ""
    hint: str | None = f"one of: {', '.join(_plain(choice) for choice in choices)}"
    if near and len(choices) > MANY_CHOICES:
        hint = None
    elif path and path[-1] == "mask":
        hint = f"{hint}, {_FORMS['Mask of another layer'].ways}"
    elif isinstance(value, str) and value.lower() in _WORDS_OF_YAML_1_1 and True in choices:
        hint = _write_boolean(value)
    elif isinstance(value, str) and value in {_plain(choice) for choice in choices}:
        hint = f"write {value} without quotes"
    message = f"{_name(path)} cannot be {_show(value)}{near}"
    yield SchemaMistake("L205", path, message, hint)


def _choices(error: StructureError) -> list[Any]:
    """What is allowed; of names that Keras spells in two ways, the one in lower case."""
    if error.validator != "enum":
        return [error.validator_value]
    choices: list[Any] = error.validator_value
    return [each for each in choices if not isinstance(each, str) or each.islower()] or choices


def _unknown_layer_type(value: Any, path: Path) -> SchemaMistake:
    catalogue = read_schema(KERAS_SCHEMA)
    refused = catalogue["x-refused-layers"]
    for name, reason in refused.items():
        if isinstance(value, str) and value.replace("_", "").lower() == name.lower():
            return SchemaMistake("L210", path, f"{value} cannot be used in a recipe", reason)
    near = did_you_mean(value, catalogue["x-layer-names"]) if isinstance(value, str) else ""
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
    if hint is None:
        hint = f"write a number {bound}"
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
    if limit == 1:
        what = "character" if isinstance(error.instance, str) else "entry"
    if at_least and count == 0:
        message = f"{_name(path)} is empty"
    else:
        message = (
            f"{_name(path)} must have {'at least' if at_least else 'at most'} {limit} {what}, "
            f"not {count}"
        )
    hint = f"write {'at least' if at_least else 'at most'} {limit} {what}"
    yield SchemaMistake("L208", path, message, hint)


def _repeated(error: StructureError, path: Path) -> Iterator[SchemaMistake]:
    twice = next(item for item in error.instance if error.instance.count(item) > 1)
    message = f"{_name(path)} holds {_show(twice)} more than once"
    yield SchemaMistake("L205", path, message, "write each entry once")


def _too_many_matches(error: StructureError, path: Path) -> Iterator[SchemaMistake]:
    single = error.schema["contains"].get("const")
    message = f"{_name(path)} holds {_show(single)} more than once"
    yield SchemaMistake("L205", path, message, f"write {_show(single)} for one entry at most")


def _excluded(error: StructureError, path: Path) -> Iterator[SchemaMistake]:
    if error.validator_value == {}:  # `not: {}` admits nothing: a key known elsewhere, not here
        key = str(path[-1])
        hint = error.schema.get("description", "remove it")
        yield SchemaMistake("L203", path, f"'{key}' has no meaning here", hint, at_key=True)
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
    "uniqueItems": _repeated,
    "maxContains": _too_many_matches,
}


def _is_excluded(schema: Any) -> bool:
    return isinstance(schema, dict) and schema.get("not") == {}


def _form(error: StructureError) -> _Forms | None:
    """The forms of a mapping that says none of them: the schema then tries it as the last one."""
    form = _FORMS.get(str(error.schema.get("title")))
    return form if form and not set(form.keys) & set(error.instance) else None


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


def _flow(value: Any) -> str:
    """A value as it stands in a recipe, on one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_flow(item) for item in value) + "]"
    return value if isinstance(value, str) else json.dumps(value)


def _plain(value: Any) -> str:
    if value is None:
        return "null"
    return str(value).lower() if isinstance(value, bool) else str(value)
