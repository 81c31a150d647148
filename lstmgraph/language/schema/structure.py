"""Check the structure of a recipe against the JSON Schemas in schemas/."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any

from jsonschema import Draft202012Validator, ValidationError, validators

from lstmgraph.language.schema.messages import describe, without_cascades
from lstmgraph.messages.diagnostics import Note
from lstmgraph.resources import RECIPE_SCHEMA, read_schema

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from lstmgraph.language.schema.messages import SchemaMistake
    from lstmgraph.language.text.document import Document
    from lstmgraph.messages.diagnostics import Path

SUPPORTED_VERSION = 1

OLDEST_VERSION = 1
"""The oldest version that was released; ``lstmgraph migrate`` rewrites all but the current one."""


def check_structure(
    document: Document, broken: frozenset[Path] = frozenset()
) -> frozenset[Path] | None:
    """Report everything in `document` that does not follow the recipe schema.

    Args:
        document: the recipe; mistakes are added to its diagnostics.
        broken: paths that have a report already and get no other.

    Returns:
        The paths with mistakes, which cannot be compiled further. None if nothing can: the
        document is not a mapping, or has another version of the language.
    """
    if not is_current(document):
        return None
    # Where the text could not be read, a substitute value stands, and that is reported.
    replaced = document.unread() | broken
    errors = recipe_validator().iter_errors(document.data)
    mistakes = [mistake for error in errors for mistake in describe(error)]
    at_fault = replaced | {mistake.path for mistake in mistakes}
    for mistake in without_cascades(mistakes):
        if mistake.path not in replaced:
            document.report(
                mistake.code,
                mistake.path,
                mistake.message,
                hint=_call_instead(document, mistake) or mistake.hint,
                at_key=mistake.at_key,
                notes=(
                    *(
                        document.note(path, message, at_key=True)
                        for path, message in mistake.notes
                        if path in document.values
                    ),
                    *(_inheritance(document, mistake) or _type_elsewhere(document, mistake)),
                ),
            )
    return frozenset(at_fault) if isinstance(document.data, dict) else None


def _call_instead(document: Document, mistake: SchemaMistake) -> str | None:
    """Return the hint to call a layer, where a name of one is written as the type of another."""
    path = mistake.path
    if mistake.code != "L205" or path[-3:-2] != ("layers",) or path[-1] != "type":
        return None
    layers = document.at(path[:-2])
    kind, blocks = layers[path[-2]]["type"], document.data.get("blocks")
    names = {*layers, *(blocks if isinstance(blocks, dict) else ())}
    if not isinstance(kind, str) or kind == path[-2] or kind not in names:
        return None
    what = "that layer again" if kind in layers else "that block"
    return f"to call {what}, write `call: {kind}`"


def _inheritance(document: Document, mistake: SchemaMistake) -> tuple[Note, ...]:
    """Return notes on the other text that a mistake has to do with, if the recipe has bases."""
    if mistake.missing and mistake.code == "L202":
        return document.origins.deletion((*mistake.path, mistake.missing))
    kind = (*mistake.path[:-1], "type")
    if not document.origins.extended or mistake.code != "L203" or kind not in document.values:
        return ()
    place = document.values[kind]
    key = document.place(mistake.path, at_key=True)
    if key.source in (place.source, document.source) or key.is_option:
        return ()  # the key is not inherited
    message = f"the type is set here; `{mistake.path[-1]}: $delete` next to it removes the key"
    return (Note(message, place),)


def _type_elsewhere(document: Document, mistake: SchemaMistake) -> tuple[Note, ...]:
    """Return a note on the type that an argument does not fit, as the type may be the mistake."""
    owner = mistake.path if mistake.code == "L202" else mistake.path[:-1]
    kind = (*owner, "type")
    unknown = mistake.code == "L203" and (mistake.hint or "").startswith("allowed here")
    lacking = mistake.code == "L202" and mistake.missing not in {None, "input"}
    if not (unknown or lacking):
        return ()
    place = document.values.get(kind)
    shown = document.place(mistake.path, at_key=mistake.at_key)
    if place is None or place.span.line == shown.span.line:  # the excerpt shows it anyway
        return ()
    message = "this type needs it" if lacking else "this type does not take it"
    return (document.note(kind, message),)


def is_current(document: Document) -> bool:
    """Return whether `document` has the current version; report an older or newer one."""
    version: Any = document.data.get("recipe") if isinstance(document.data, dict) else None
    if not _is_integer(None, version) or version == SUPPORTED_VERSION:
        return True  # the schema reports a missing version
    reads = f"but this lstmgraph reads version {SUPPORTED_VERSION}"
    message = f"the recipe has version {version}, {reads}"
    if version > SUPPORTED_VERSION:
        document.report("L201", ("recipe",), message, hint="upgrade lstmgraph")
        return False
    name = "FILE" if document.source.startswith("<") else document.source
    hint = f"there is no such version: write `recipe: {SUPPORTED_VERSION}`"
    if is_migrated(version):
        hint = f"run `lstmgraph migrate {name}` to rewrite it"
    document.report("L211", ("recipe",), message, hint=hint)
    return False


def is_migrated(version: int) -> bool:
    """Return whether ``lstmgraph migrate`` rewrites recipes of `version`."""
    return OLDEST_VERSION <= version < SUPPORTED_VERSION


@cache
def recipe_validator() -> Draft202012Validator:
    """Return the validator of the recipe schema, including the Keras catalogue."""
    extend: Any = validators.extend  # jsonschema does not annotate it
    dispatching = extend(
        Draft202012Validator,
        {"allOf": _AllOfByType(), "$ref": _References(), "pattern": _pattern},
        # JSON Schema accepts 64.0 as an integer; Keras does not accept it for `units`.
        type_checker=Draft202012Validator.TYPE_CHECKER.redefine("integer", _is_integer),
    )
    validator: Draft202012Validator = dispatching(_of_whole_recipes(read_schema(RECIPE_SCHEMA)))
    return validator


def _pattern(
    _validator: Any, pattern: str, instance: Any, _schema: Any
) -> Iterator[ValidationError]:
    """Check `pattern` with the ``$`` of ECMA-262; Python's also matches before a line break."""
    if isinstance(instance, str) and not re.search(re.sub(r"\$$", r"\\Z", pattern), instance):
        yield ValidationError(f"{instance!r} does not match {pattern!r}")


def _of_whole_recipes(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return the schema of a composed recipe, without ``$schema``.

    At a ``$schema``, jsonschema would switch to its own validator without our extensions.
    """
    plain = {k: v for k, v in schema.items() if k not in ("$schema", "if", "then", "else")}
    return {**plain, "required": schema["else"]["required"]}


def _is_integer(_checker: Any, value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


class _References:
    """A `$ref` keyword that looks up each target once: in the catalogue's file, or in this one."""

    def __init__(self) -> None:
        self.targets: dict[str, Any] = {}

    def __call__(
        self, validator: Any, reference: str, instance: Any, _schema: Any
    ) -> Iterator[ValidationError]:
        if reference not in self.targets:
            file, _, pointer = reference.partition("#/")
            target: Any = read_schema(file or RECIPE_SCHEMA)
            for part in pointer.split("/"):
                target = target[part]
            self.targets[reference] = target
        yield from validator.descend(instance, self.targets[reference])


class _AllOfByType:
    """An `allOf` keyword that goes straight to the matching branch of ``if: type is ...``.

    The meaning is that of JSON Schema, but trying about 90 branches for each layer would be the
    slowest part of checking a large recipe.
    """

    def __init__(self) -> None:
        self.tables: dict[int, dict[str, Mapping[str, Any]] | None] = {}

    def __call__(
        self, validator: Any, all_of: list[Any], instance: Any, _schema: Any
    ) -> Iterator[ValidationError]:
        key = id(all_of)  # schemas are parsed once and kept, so an id stays with its list
        if key not in self.tables:
            self.tables[key] = _table_by_type(all_of)
        table = self.tables[key]
        if table is None:
            for index, part in enumerate(all_of):
                yield from validator.descend(instance, part, schema_path=index)
        elif isinstance(instance, dict):
            branch = table.get(str(instance.get("type")))
            if branch is not None:
                yield from validator.descend(instance, branch)


def _table_by_type(all_of: list[Any]) -> dict[str, Mapping[str, Any]] | None:
    """Return the branches by value of ``type``; None if `all_of` is not a list of such branches."""
    table: dict[str, Mapping[str, Any]] = {}
    for part in all_of:
        try:
            names = part["if"]["properties"]["type"]["enum"]
            required = part["if"]["required"]
        except (KeyError, TypeError):
            return None
        if required != ["type"] or set(part) != {"if", "then"} or set(table) & set(names):
            return None
        table |= dict.fromkeys(names, part["then"])
    return table
