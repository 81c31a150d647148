"""The two source schemas to the published one."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from lstmgraph.authoring.editor_schema.hints import for_people, named_openly, snippets, words
from lstmgraph.authoring.editor_schema.modes import VARIABLE, Mode
from lstmgraph.authoring.editor_schema.shapes import Branch, asks_for, branches, deciders, forms
from lstmgraph.authoring.editor_schema.sources import (
    Schema,
    definition_name,
    holds_mappings,
    is_impossible,
    resolved,
    texts_of,
    without_annotations,
)
from lstmgraph.resources import KERAS_SCHEMA, RECIPE_SCHEMA, read_schema

_SEARCHED = {"$ref": "#/$defs/searched"}
_TYPE = {"$ref": f"{KERAS_SCHEMA}#/$defs/layer/properties/type"}
_KEYS = Mode()
_WHAT_MUST_BE_THERE = ("required", "minProperties")
_ONE_OF_THESE = "One of these keys says which form it is."


def published_schema() -> Schema:
    """Return the self-contained recipe schema for editors; it accepts what lstmgraph accepts."""
    source = read_schema(RECIPE_SCHEMA)
    publisher = _Publisher(composes="extends" in source["properties"])
    publisher.same({"$ref": "#/$defs/searched"}, Mode())
    publisher.same({"$ref": "#/$defs/chosen"}, Mode())
    shape = publisher.recipe(source)
    return shape | {"$defs": dict(sorted(publisher.definitions.items()))}


class _Publisher:
    """Rewrites the source schemas from the top, and collects the definitions."""

    def __init__(self, *, composes: bool) -> None:
        self.composes = composes
        self.definitions: dict[str, Schema] = {}
        self.names: dict[str, str] = {}
        """The names of the definitions of values, by their identity."""

    def recipe(self, source: Schema) -> Schema:
        """Return the schema of a recipe; one that extends others need not be complete."""
        shape = {key: source[key] for key in ("$schema", "title", "description", "type")}
        if not self.composes:
            return shape | self._sections(source, source["required"], is_partial=False)
        return {
            **shape,
            "if": source["if"],
            "then": self._sections(source, source["then"]["required"], is_partial=True),
            "else": self._sections(source, source["else"]["required"], is_partial=False),
        }

    def _sections(self, source: Schema, required: list[str], *, is_partial: bool) -> Schema:
        sections = {
            name: self.section(schema, Mode.of(name, is_partial=is_partial))
            for name, schema in source["properties"].items()
        }
        return {"required": required, "additionalProperties": False, "properties": sections}

    def section(self, schema: Schema, mode: Mode) -> Schema:
        """Return the schema of a section, which is never searched as a whole."""
        if not self.has_variables(mode):
            return self.described(schema, mode)
        texts, plain = texts_of(schema), self.same(without_annotations(schema), mode)
        return {**for_people(texts), "anyOf": [{"title": texts["title"], **plain}, VARIABLE]}

    def described(self, schema: Schema, mode: Mode) -> Schema:
        """Return `schema` rewritten, with its annotations."""
        return for_people(texts_of(schema)) | self.same(without_annotations(schema), mode)

    def has_variables(self, mode: Mode) -> bool:
        """Return whether a variable may replace a value."""
        return self.composes and not mode.is_fixed

    def value(self, schema: Schema, key: str, mode: Mode) -> Schema:
        """Return the schema of the value at `key`, or in a list, with all ways to write it."""
        if is_impossible(schema):
            return schema
        texts, plain = texts_of(schema), without_annotations(schema)
        if not plain:
            return for_people(texts)
        offered = snippets(texts, plain, is_open=mode.is_open)
        choices = [] if named_openly(plain) else list(dict.fromkeys(words(plain)))
        if not (mode.is_open or self.has_variables(mode) or offered or choices):
            return for_people(texts) | self.same(plain, mode)
        if not holds_mappings(plain):
            mode = replace(mode, is_partial=False)
        ways = _Ways(plain, texts.get("title", "Value"), offered, choices, mode)
        return {**for_people(texts), "$ref": f"#/$defs/{self.defined(ways, key)}"}

    def defined(self, ways: _Ways, key: str) -> str:
        """Return the name of the definition of a value, made once for equal values."""
        identity = ways.identity()
        if identity in self.names:
            return self.names[identity]
        name = self.names[identity] = self._free(f"value.{key}")
        self.definitions[name] = {}  # a value may contain itself
        plain = {"title": ways.title, **self.same(ways.plain, ways.mode)}
        variable = [VARIABLE] if self.has_variables(ways.mode) else []
        self.definitions[name] = {"anyOf": [plain, *ways.others(name), *variable]}
        return name

    def _free(self, name: str) -> str:
        number = 1
        while (free := name if number == 1 else f"{name}.{number}") in self.definitions:
            number += 1
        return free

    def same(self, schema: Schema, mode: Mode) -> Schema:
        """Return `schema` rewritten for its value and all values inside, without annotations."""
        if choice := list(branches(schema)):
            return self._by_type(schema, choice, mode)
        if "$ref" in schema:
            return self._referred(schema, mode)
        if schema.get("if") == {"type": "null"} and "then" not in schema:
            return {"anyOf": [self.same(schema["else"], mode), {"type": "null"}]}
        keyed_forms = forms(schema)
        result = self._forms(keyed_forms, mode) if keyed_forms else {}
        for key, inner in schema.items():
            if key.startswith("x-") or (keyed_forms and key in ("if", "then", "else")):
                continue
            if not (mode.is_partial and key in _WHAT_MUST_BE_THERE):
                result[key] = self._part(key, inner, mode)
        return result

    def _part(self, key: str, inner: Any, mode: Mode) -> Any:
        if key in ("then", "else"):
            return self.same(inner, mode)
        if key == "allOf":
            return [self.same(part, mode) for part in inner]
        if key == "dependentSchemas":
            return {k: self.same(part, mode) for k, part in inner.items()}
        if key == "properties":
            return {k: self.value(part, k, mode) for k, part in inner.items()}
        if key == "propertyNames":
            return for_people(texts_of(inner)) | self.same(inner, _KEYS)
        if key in ("items", "additionalProperties") and isinstance(inner, dict):
            name = definition_name(inner.get("$ref", "")) or key
            return self.value(inner, name, mode)
        return inner

    def _referred(self, schema: Schema, mode: Mode) -> Schema:
        """Return the rewritten reference; mappings keep annotations, as they may be forms."""
        reference = schema["$ref"]
        rest = {k: v for k, v in without_annotations(schema).items() if k != "$ref"}
        if rest:
            parts = [{"$ref": reference}, rest]
            return {"allOf": [self.same(part, mode) for part in parts]}
        name, target = definition_name(reference), resolved(reference)
        if name is None:  # a reference into a definition is written out
            return self.same(without_annotations(target), mode)
        texts = texts_of(target) if "properties" in target else {}
        return self._definition(name, texts | without_annotations(target), mode)

    def _definition(self, name: str, schema: Schema, mode: Mode) -> Schema:
        """Return a reference to the definition `name`, adding it if it is new."""
        name = mode.named(name)
        if name not in self.definitions:
            self.definitions[name] = {}  # it may contain itself
            self.definitions[name] = self.described(schema, mode)
        return {"$ref": f"#/$defs/{name}"}

    def _by_type(self, schema: Schema, choice: list[Branch], mode: Mode) -> Schema:
        """Return a condition with the mapping of each type; what is common to all comes last."""
        asking = list(deciders(schema))
        required = sorted({key for part in asking for key in part.get("required", ())})
        shared = {k: v for part in asking for k, v in part.get("properties", {}).items()}
        if any("additionalProperties" in part for part in asking):
            shared = {"type": shared["type"]}  # the others are in each branch
        names = [name for spellings, _ in choice for name in spellings]
        shared["type"] = {**texts_of(shared.get("type", _TYPE)), "enum": names}
        first = _whole(choice[0][1])["properties"]
        shared |= {key: texts_of(first[key]) for key in required if key not in shared}
        branched = [
            {"if": asks_for(spellings), "then": self._branch(schema, mode)}
            for spellings, schema in choice
        ]
        common = {"properties": self._part("properties", shared, mode)}
        needed = {} if mode.is_partial else {"required": required}
        return {"type": "object", **needed, "allOf": [*branched, common]}

    def _branch(self, schema: Schema, mode: Mode) -> Schema:
        """Return the mapping of one type, with the description of its class at `type`."""
        whole = _whole(schema)
        own = {key: whole[key] for key in ("title", "description") if key in whole}
        closed = {**whole, "properties": {**whole["properties"], "type": own}}
        name = definition_name(schema.get("$ref", ""))
        if name:
            return self._definition(name, closed, mode)
        return self.described(closed, mode)

    def _forms(self, keyed_forms: list[tuple[str, Schema]], mode: Mode) -> Schema:
        """Return conditions on the key that marks each form; without any, all keys are offered."""
        *keyed, (_, last) = keyed_forms
        if "properties" not in resolved(last["$ref"]):  # its own keys are behind further conditions
            return self._forms_beside(keyed, last, mode)
        keys = {key: texts_of(resolved(form["$ref"])["properties"][key]) for key, form in keyed}
        last_keys = resolved(last["$ref"])["properties"]
        keys |= {key: texts_of(inner) for key, inner in last_keys.items()}
        no_key: Schema = {
            "description": _ONE_OF_THESE,
            "type": "object",
            "properties": {key: for_people(texts) for key, texts in keys.items()},
        }
        if not mode.is_partial:
            no_key |= {"minProperties": 1, "additionalProperties": False}
        chain: Schema = {
            "if": {"anyOf": [{"required": [key]} for key in last_keys]},
            "then": self.same(last, mode),
            "else": no_key,
        }
        return self._chain(keyed, chain, mode)

    def _forms_beside(self, keyed: list[tuple[str, Schema]], last: Schema, mode: Mode) -> Schema:
        """Return conditions on the keys of the forms beside `last`.

        `last` offers these keys too, until the keys that it requires are there.
        """
        keys = {key: texts_of(resolved(form["$ref"])["properties"][key]) for key, form in keyed}
        offered = {"properties": {key: for_people(texts) for key, texts in keys.items()}}
        own = self.same(last, mode)
        chosen = {"required": resolved(last["$ref"])["required"]}
        either = {"if": chosen, "then": own, "else": {"allOf": [own, offered]}}
        return self._chain(keyed, either, mode)

    def _chain(self, keyed: list[tuple[str, Schema]], chain: Schema, mode: Mode) -> Schema:
        for key, form in reversed(keyed):
            then = self.same(form, mode)
            chain = {"if": {"required": [key]}, "then": then, "else": chain}
        return chain


def _whole(schema: Schema) -> Schema:
    return resolved(schema["$ref"]) if "$ref" in schema else schema


class _Ways:
    """A value and the other ways to write it."""

    def __init__(
        self,
        plain: Schema,
        title: str,
        offered: list[Schema],
        choices: list[Any],
        mode: Mode,
    ) -> None:
        self.plain, self.title, self.mode = plain, title, mode
        self.offered, self.choices = offered, choices

    def identity(self) -> str:
        """Return a text that is the same for equal values."""
        return json.dumps([self.plain, self.title, self.offered, self.mode.named("")])

    def others(self, name: str) -> list[Schema]:
        """Return schemas for completion and for searches; `name` is the definition of the value."""
        ways: list[Schema] = []
        if self.offered or self.choices:
            offer: Schema = {"enum": self.choices} if self.choices else {"not": {}}
            ways.append({"title": "Offered", **offer, "defaultSnippets": self.offered})
        if self.mode.is_open:
            within = {
                "$choose": {
                    "additionalProperties": {"$ref": f"#/$defs/{name}"},
                    "doNotSuggest": True,  # the definition of `chosen` does
                }
            }
            parts: list[Schema] = [{"$ref": "#/$defs/chosen"}, {"properties": within}]
            ways += [_SEARCHED, {"title": "Alternatives", "allOf": parts}]
        return ways
