"""The published schema takes ``$search`` and ``$choose`` wherever a value may be searched.

Editors read it. lstmgraph itself checks a recipe with values in place of what searches them, and
so by the schema without these forms: its messages stay those of plain values.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lstmgraph.space.collect import SECTIONS

if TYPE_CHECKING:
    from collections.abc import Iterator

Schema = dict[str, Any]

_WORDS = ("title", "description", "default", "examples")


def with_searches(schema: Schema) -> Schema:
    """The self-contained recipe `schema`, changed in place: values below SECTIONS may be searched.

    A definition that only these sections use takes the forms itself; of one that others use too,
    such as a port, each use in these sections does.
    """
    properties = schema["properties"]
    searched = {name: properties[name] for name in SECTIONS if name in properties}
    fixed = [value for name, value in properties.items() if name not in SECTIONS]
    shared = reached(schema, fixed)
    heads = {section["$ref"] for section in searched.values() if "$ref" in section}
    own = sorted(reached(schema, list(searched.values())) - shared)
    targets = {reference: found_at(schema, reference) for reference in own}
    wrapping = _Wrapping(shared)
    for reference, target in targets.items():
        decided = reference in heads or _is_class(reference)
        wrapping.visit(target, reference, is_value=not decided)
    for name, section in searched.items():
        wrapping.visit(section, f"#/properties/{name}", is_value=False)
    _relink(schema, wrapping.wrapped)
    return schema


class _Wrapping:
    def __init__(self, shared: set[str]) -> None:
        self.shared = shared
        self.seen: set[int] = set()
        self.wrapped: set[str] = set()

    def visit(self, schema: Any, pointer: str, *, is_value: bool) -> None:
        """Let `schema`, if it is of a value, and all values inside that value be searched."""
        if not isinstance(schema, dict) or id(schema) in self.seen:
            return
        self.seen.add(id(schema))
        if is_value and self.describes(schema):
            _wrap(schema, pointer)
            self.wrapped.add(pointer)
            pointer, schema = f"{pointer}/else/else", schema["else"]["else"]
        for inner_is_value, inner, at in inside(schema, pointer):
            self.visit(inner, at, is_value=inner_is_value)

    def describes(self, schema: Schema) -> bool:
        """Whether `schema` says itself what its value is: a reference leaves it to its target."""
        if schema.get("not") == {}:
            return False
        return set(schema) - {*_WORDS} != {"$ref"} or schema["$ref"] in self.shared


def inside(schema: Any, pointer: str) -> Iterator[tuple[bool, Any, str]]:
    """Schemas inside `schema`: whether of a value inside the described one, and where.

    Not those that only ask, as ``if`` and ``not`` do.
    """
    if not isinstance(schema, dict):
        return
    for name, inner in schema.get("properties", {}).items():
        yield True, inner, f"{pointer}/properties/{name}"
    for key in ("items", "additionalProperties"):
        if key in schema:
            yield True, schema[key], f"{pointer}/{key}"
    for key in ("then", "else"):
        if key in schema:
            yield False, schema[key], f"{pointer}/{key}"
    for index, inner in enumerate(schema.get("allOf", ())):
        yield False, inner, f"{pointer}/allOf/{index}"


def _wrap(schema: Schema, pointer: str) -> None:
    """Put the forms before `schema`, which stands at `pointer`; an alternative is such a value."""
    plain = {key: value for key, value in schema.items() if key not in _WORDS}
    for key in plain:
        del schema[key]
    alternatives = {"$choose": {"additionalProperties": {"$ref": pointer}}}
    schema |= {
        "if": {"type": "object", "required": ["$search"]},
        "then": {"$ref": "#/$defs/searched"},
        "else": {
            "if": {"type": "object", "required": ["$choose"]},
            "then": {"$ref": "#/$defs/chosen", "properties": alternatives},
            "else": plain,
        },
    }


def _relink(value: Any, wrapped: set[str]) -> None:
    """Lead references into what was wrapped to where it stands now."""
    if isinstance(value, list):
        for item in value:
            _relink(item, wrapped)
    elif isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            value["$ref"] = _moved(value["$ref"], wrapped)
        for item in value.values():
            _relink(item, wrapped)


def _moved(reference: str, wrapped: set[str]) -> str:
    moved, *parts = reference.split("/")
    for index, part in enumerate(parts):
        if moved in wrapped and parts[index : index + 2] != ["else", "else"]:
            moved += "/else/else"
        moved += f"/{part}"
    return moved


def _is_class(reference: str) -> bool:
    """Whether a definition holds the arguments of one class: its type is then decided already."""
    name = reference.rpartition("/")[2].rpartition(".")[2]
    return name[0].isupper() or name in ("recurrent", "rnn")


def found_at(schema: Schema, reference: str) -> Any:
    """What `reference` leads to."""
    found: Any = schema
    for part in reference.removeprefix("#/").split("/"):
        found = found[int(part) if isinstance(found, list) else part]
    return found


def reached(schema: Schema, parts: list[Any]) -> set[str]:
    """All references that `parts` lead to."""
    reached: set[str] = set()
    waiting = list(parts)
    while waiting:
        part = waiting.pop()
        if isinstance(part, list):
            waiting += part
        elif isinstance(part, dict):
            reference = part.get("$ref")
            if isinstance(reference, str) and reference not in reached:
                reached.add(reference)
                waiting.append(found_at(schema, reference))
            waiting += part.values()
    return reached
