"""The published schema of recipes that extend others, name variables, or delete what they inherit.

Editors read it. lstmgraph itself checks a recipe once it is composed, and so by the schema without
these forms.
"""

from __future__ import annotations

from typing import Any

from lstmgraph.space.published import found_at, inside, reached

Schema = dict[str, Any]

MADE = {"type": "string", "pattern": r"\$\{vars\.|^\$delete$"}
"""Texts in place of values of any type."""

_WORDS = ("title", "description", "default", "examples")
_FIXED = ("recipe", "extends", "vars")
_PARTIAL = "#/$defs/partial"


def with_compositions(schema: Schema) -> Schema:
    """The self-contained recipe `schema`, changed in place.

    Any value may be a text with a variable, or ``$delete``. A recipe with `extends` need not be
    whole in any part: it is checked by a copy of the schema in which nothing is required.
    """
    _let_values_be_made(schema)
    _let_parts_be_inherited(schema)
    return schema


def _let_values_be_made(schema: Schema) -> None:
    sections = {k: v for k, v in schema["properties"].items() if k not in _FIXED}
    used = sorted(reached(schema, list(sections.values())))
    definitions = {reference: found_at(schema, reference) for reference in used}
    wrapping = _Wrapping()
    for name, section in sections.items():
        wrapping.visit(section, f"#/properties/{name}", is_value=True)
    for reference, definition in definitions.items():
        wrapping.visit(definition, reference, is_value=True)
    _relink(schema, lambda pointer: _moved(pointer, wrapping.wrapped))


class _Wrapping:
    def __init__(self) -> None:
        self.seen: set[int] = set()
        self.wrapped: set[str] = set()

    def visit(self, schema: Any, pointer: str, *, is_value: bool) -> None:
        """Let `schema`, if it is of a value, and all values inside that value be made."""
        if not isinstance(schema, dict) or id(schema) in self.seen:
            return
        self.seen.add(id(schema))
        if is_value and set(schema) - {*_WORDS} not in ({"$ref"}, {"not"}):
            plain = {key: schema.pop(key) for key in list(schema) if key not in _WORDS}
            schema |= {"if": MADE, "then": True, "else": plain}
            self.wrapped.add(pointer)
            pointer, schema = f"{pointer}/else", plain
            self.seen.add(id(plain))
        for inner_is_value, inner, at in inside(schema, pointer):
            self.visit(inner, at, is_value=inner_is_value)


def _moved(reference: str, wrapped: set[str]) -> str:
    moved, *parts = reference.split("/")
    for part in parts:
        if moved in wrapped:
            moved += "/else"
        moved += f"/{part}"
    return moved


def _let_parts_be_inherited(schema: Schema) -> None:
    copied = {"properties": schema["properties"], "$defs": schema["$defs"]}
    partial = _lenient(copied)
    _relink(partial, lambda pointer: _PARTIAL + pointer.removeprefix("#"))
    properties = schema["properties"]
    _relink(schema, lambda pointer: pointer.replace("#/properties/", "#/else/properties/"))
    inherited = {name: {"$ref": f"{_PARTIAL}/properties/{name}"} for name in properties}
    schema["properties"] = {
        name: {key: value for key, value in section.items() if key in _WORDS}
        for name, section in properties.items()
    }
    schema["then"]["properties"] = inherited
    schema["else"]["properties"] = properties
    schema["$defs"]["partial"] = partial


def _lenient(value: Any, key: str = "") -> Any:
    """A copy of a schema that asks for nothing: not even what tells forms apart is missed."""
    if isinstance(value, list):
        return [_lenient(item) for item in value]
    if not isinstance(value, dict) or key in ("if", "not", "contains", "default", "examples"):
        return value
    return {
        name: _lenient(inner, name)
        for name, inner in value.items()
        if not (name == "required" and isinstance(inner, list)) and name != "minProperties"
    }


def _relink(value: Any, moved: Any) -> None:
    """Lead every reference to where its target stands now."""
    if isinstance(value, list):
        for item in value:
            _relink(item, moved)
    elif isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            value["$ref"] = moved(value["$ref"])
        for item in value.values():
            _relink(item, moved)
