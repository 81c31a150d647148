"""The order of keys, taken from the schema, so that every new key has its place."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lstmgraph.authoring.editing.tree import Alias, Collection, Scalar
from lstmgraph.resources import RECIPE_SCHEMA, read_schema

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lstmgraph.authoring.editing.tree import Entry, Node

_FIRST = ("<<", "type", "call", "loop", "steps", "input")
_LAST_IN_LAYERS = ("mask", "padded_output", "initial_state", "dtype_policy")
"""The keys of a layer that come after its arguments: what it takes beside its input."""


def put_in_order(root: Node) -> None:
    """Sort the keys of a recipe in place, in the schema's order; names keep their order."""
    _arrange(root, read_schema(RECIPE_SCHEMA))


@dataclass
class _Shape:
    """The schemas of what is inside one node."""

    properties: dict[str, Any] = field(default_factory=dict)
    others: Any = None
    items: Any = None


def _arrange(node: Node, schema: Any) -> None:
    if not isinstance(node, Collection):
        return
    shape = _Shape()
    _gather(schema, node, shape)
    for entry in node.entries:
        if entry.name == "$choose" and isinstance(entry.value, Collection):
            for alternative in entry.value.entries:
                _arrange(alternative.value, schema)
        elif node.is_mapping:
            _arrange(entry.value, shape.properties.get(entry.name, shape.others))
        else:
            _arrange(entry.value, shape.items)
    if node.is_mapping:
        _sort(node, shape)


def _sort(node: Collection, shape: _Shape) -> None:
    order = list(shape.properties)
    first = [key for key in _FIRST if key in order or key == "<<"]
    last = [key for key in _LAST_IN_LAYERS if "type" in order]
    keys = [*first, *(key for key in order if key not in {*first, *last}), *last]
    rank = {key: position for position, key in enumerate(keys)}
    unknown = len(keys) - len(last) - 0.5
    ordered = sorted(node.entries, key=lambda entry: rank.get(entry.name, unknown))
    # An alias must come after its anchor: keep the order if sorting would move one past another.
    if _tied(ordered) == _tied(node.entries):
        node.entries = ordered


def _tied(entries: list[Entry]) -> list[int]:
    return [id(entry) for entry in entries if _has_anchor_or_alias(entry)]


def _has_anchor_or_alias(entry: Entry) -> bool:
    key, value = entry.key, entry.value
    if isinstance(key, Alias) or isinstance(value, Alias) or value.anchor:
        return True
    if key is not None and key.anchor:
        return True
    return isinstance(value, Collection) and any(map(_has_anchor_or_alias, value.entries))


def _gather(schema: Any, node: Collection, shape: _Shape) -> None:
    """Collect into `shape` what `schema` and its references say of the inside of `node`."""
    if not isinstance(schema, dict):
        return
    for name, inner in schema.get("properties", {}).items():
        shape.properties.setdefault(name, inner)
    shape.others = shape.others or schema.get("additionalProperties")
    shape.items = shape.items or schema.get("items")
    if "$ref" in schema:
        _gather(_target(schema["$ref"]), node, shape)
    if "if" in schema:
        _gather(schema.get("then" if _holds(schema["if"], node) else "else"), node, shape)
    for part in schema.get("allOf", ()):
        _gather(part, node, shape)


def _target(reference: str) -> Any:
    file, _, pointer = reference.partition("#/")
    target: Any = read_schema(file or RECIPE_SCHEMA)
    for part in pointer.split("/"):
        target = target[part]
    return target


def _holds(condition: Mapping[str, Any], node: Node) -> bool:
    """Return whether a condition of the schema holds for a node, for the few keywords it uses."""
    known = {"type": _is_of_type, "required": _has_keys, "properties": _has_values, "anyOf": _any}
    return all(word in known and known[word](node, says) for word, says in condition.items())


def _is_of_type(node: Node, name: Any) -> bool:
    if isinstance(node, Collection):
        return bool(name == ("object" if node.is_mapping else "array"))
    return name not in {"object", "array"}


def _has_keys(node: Node, keys: Any) -> bool:
    return isinstance(node, Collection) and {*keys} <= {entry.name for entry in node.entries}


def _has_values(node: Node, properties: Any) -> bool:
    values = {e.name: e.value for e in node.entries} if isinstance(node, Collection) else {}
    return all(
        name not in values or _fits(values[name], wanted) for name, wanted in properties.items()
    )


def _fits(value: Node, wanted: Mapping[str, Any]) -> bool:
    text = _text(value)
    if "enum" in wanted:
        return text in wanted["enum"]
    if "const" in wanted:
        constant = wanted["const"]
        return text == (str(constant).lower() if isinstance(constant, bool) else str(constant))
    return _holds(wanted, value)


def _text(value: Node) -> str | None:
    """Return the text of a scalar, or of the first choice if it is searched; None otherwise."""
    while isinstance(value, Collection) and value.entries:
        choices = [e.value for e in value.entries if e.name in {"$search", "choice", ""}]
        if not choices:
            return None
        value = choices[0]
    return value.value if isinstance(value, Scalar) else None


def _any(node: Node, conditions: Any) -> bool:
    return any(_holds(condition, node) for condition in conditions)
