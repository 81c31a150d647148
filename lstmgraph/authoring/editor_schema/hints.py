"""The texts and snippets that editors show on completion and hover."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from lstmgraph.authoring.editor_schema.sources import Schema, is_impossible, resolved

if TYPE_CHECKING:
    from collections.abc import Iterator

_RANGES: tuple[tuple[str, str, Schema], ...] = (
    ("integer", "whole numbers", {"int": [32, 256], "step": 32}),
    ("number", "numbers", {"float": [0.0001, 0.01], "scale": "log"}),
    ("boolean", "true or false", {"bool": True}),
)


def words(schema: Any) -> Iterator[Any]:
    """Yield the single values that `schema` names in any of its branches."""
    if not isinstance(schema, dict) or is_impossible(schema):
        return
    excluded = [n for part in ("then", "else") for n in _excluded(schema.get(part))]
    named = schema.get("enum", [schema["const"]] if "const" in schema else [])
    inner = [schema.get("then"), schema.get("else"), *schema.get("allOf", ())]
    if "$ref" in schema:
        inner.append(resolved(schema["$ref"]))
    for word in [*named, *(word for part in inner for word in words(part))]:
        if word not in excluded:
            yield word


def named_openly(schema: Schema) -> bool:
    """Return whether completion finds the words of `schema` unaided, not behind a condition."""
    if schema.get("if") == {"type": "null"} and "then" not in schema:
        return named_openly(schema["else"])
    if set(schema) == {"$ref"}:
        return named_openly(resolved(schema["$ref"]))
    return "enum" in schema or "const" in schema


def _excluded(schema: Any) -> list[Any]:
    names: list[Any] = schema.get("not", {}).get("enum", []) if isinstance(schema, dict) else []
    return names


def kinds(schema: Schema) -> set[str]:
    """Return the JSON types that `schema` takes, as far as it names them."""
    own = schema.get("type", [])
    if own:
        return {own} if isinstance(own, str) else {*own}
    asked = schema.get("if", {}).get("type")
    found_here = {asked} if isinstance(asked, str) else set()
    if any(isinstance(word, str) for word in schema.get("enum", ())):
        found_here.add("string")
    inner = [schema.get("then"), schema.get("else"), *schema.get("allOf", ())]
    if "$ref" in schema:
        inner.append(resolved(schema["$ref"]))
    deeper = {kind for part in inner if isinstance(part, dict) for kind in kinds(part)}
    return found_here | deeper


def for_people(texts: Schema) -> Schema:
    """Return annotations for an editor: the default in the description, no mappings as examples."""
    shown = dict(texts)
    if "default" in texts and "description" in texts:
        shown["description"] = f"{texts['description']} Default: {flow(texts['default'])}."
    if isinstance(texts.get("default"), dict):
        del shown["default"]
    if "examples" in texts:
        shown["examples"] = [each for each in texts["examples"] if not isinstance(each, dict)]
        if not shown["examples"]:
            mapping = " or ".join(flow(each) for each in texts["examples"])
            shown["description"] = f"{shown['description']} Example: {mapping}."
            del shown["examples"]
    return shown


def snippets(texts: Schema, plain: Schema, *, is_open: bool) -> list[Schema]:
    """Return the snippets for a value: its example mappings, and searches if it is `is_open`."""
    taken = kinds(plain)
    mappings = [e for e in texts.get("examples", ()) if isinstance(e, dict)]
    offered = [{"label": flow(example), "body": escaped(example)} for example in mappings]
    if not is_open or taken == {"object"}:
        return offered
    for kind, what, form in _RANGES:
        if kind in taken:
            offered.append(_search(what, form))
    named = [word for word in words(plain) if isinstance(word, str) and word.islower()]
    named = named or [each for each in texts.get("examples", ()) if isinstance(each, str)]
    choices = list(dict.fromkeys(named))
    if len(choices) > 1:
        offered.append(_search("one of several", {"choice": choices[:2]}))
    return offered


def _search(what: str, form: Schema) -> Schema:
    description = "Left open for a search, which `lstmgraph tune` runs."
    body = escaped({"$search": form})
    return {"label": f"$search: {what}", "description": description, "body": body}


def escaped(value: Any) -> Any:
    """Return `value` as the body of a snippet, with ``$`` escaped, which begins a placeholder."""
    if isinstance(value, dict):
        return {escaped(key): escaped(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [escaped(inner) for inner in value]
    return value.replace("$", "\\$") if isinstance(value, str) else value


def flow(value: Any) -> str:
    """Return a value in YAML's flow style, on one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {flow(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(flow, value)) + "]"
    return value if isinstance(value, str) else json.dumps(value)
