"""Structural validation: a recipe against schemas/, with the mend in every message."""

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
        document: its diagnostics are added to.
        broken: paths where something is reported already, and nothing more is.

    Returns the paths that are at fault: what stands there cannot be compiled further. None where
    nothing can: the document is no mapping, or of another version of the language.
    """
    if not is_current(document):
        return None
    # What the text itself has wrong here is reported already, and stands in with another value.
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
                hint=mistake.hint,
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


def _inheritance(document: Document, mistake: SchemaMistake) -> tuple[Note, ...]:
    """What a mistake has to do with another text of a recipe that extends some."""
    if mistake.missing and mistake.code == "L202":
        return document.origins.deletion((*mistake.path, mistake.missing))
    kind = (*mistake.path[:-1], "type")
    if not document.origins.extended or mistake.code != "L203" or kind not in document.values:
        return ()
    place = document.values[kind]
    key = document.place(mistake.path, at_key=True)
    if key.source in (place.source, document.source) or key.is_option:
        return ()  # the key is not inherited
    message = f"the type is said here; `{mistake.path[-1]}: $delete` beside it drops the key"
    return (Note(message, place),)


def _type_elsewhere(document: Document, mistake: SchemaMistake) -> tuple[Note, ...]:
    """The type that an argument does not go with, where it may be what is wrong."""
    owner = mistake.path if mistake.code == "L202" else mistake.path[:-1]
    kind = (*owner, "type")
    unknown = mistake.code == "L203" and (mistake.hint or "").startswith("allowed here")
    lacking = mistake.code == "L202" and mistake.missing not in {None, "input"}
    if not (unknown or lacking):
        return ()
    place = document.values.get(kind)
    shown = document.place(mistake.path, at_key=mistake.at_key)
    if place is None or place.span.line == shown.span.line:  # which the message shows anyway
        return ()
    told = "this type needs it" if lacking else "this type does not take it"
    return (document.note(kind, told),)


def is_current(document: Document) -> bool:
    """Whether `document` is not of another version of the language, which is reported."""
    version: Any = document.data.get("recipe") if isinstance(document.data, dict) else None
    if not _is_integer(None, version) or version == SUPPORTED_VERSION:
        return True  # or no version at all: the schema says so
    reads = f"this lstmgraph reads version {SUPPORTED_VERSION}"
    message = f"the recipe is of version {version}; {reads}"
    if version > SUPPORTED_VERSION:
        document.report("L201", ("recipe",), message, hint="upgrade lstmgraph")
        return False
    name = "FILE" if document.source.startswith("<") else document.source
    hint = f"there is no such version: write `recipe: {SUPPORTED_VERSION}`"
    if is_migrated(version):
        hint = f"`lstmgraph migrate {name}` rewrites it"
    document.report("L211", ("recipe",), message, hint=hint)
    return False


def is_migrated(version: int) -> bool:
    """Return whether ``lstmgraph migrate`` rewrites recipes of `version`."""
    return OLDEST_VERSION <= version < SUPPORTED_VERSION


@cache
def recipe_validator() -> Draft202012Validator:
    """The validator of the recipe schema, the Keras catalogue included."""
    extend: Any = validators.extend  # jsonschema does not annotate it
    dispatching = extend(
        Draft202012Validator,
        {"allOf": _AllOfByType(), "$ref": _References(), "pattern": _pattern},
        # JSON Schema takes 64.0 for an integer; Keras does not take it for `units`.
        type_checker=Draft202012Validator.TYPE_CHECKER.redefine("integer", _is_integer),
    )
    validator: Draft202012Validator = dispatching(_of_whole_recipes(read_schema(RECIPE_SCHEMA)))
    return validator


def _pattern(
    _validator: Any, pattern: str, instance: Any, _schema: Any
) -> Iterator[ValidationError]:
    """`pattern`, whose ``$`` is the end as in ECMA-262: Python's passes over a line break there."""
    if isinstance(instance, str) and not re.search(re.sub(r"\$$", r"\\Z", pattern), instance):
        yield ValidationError(f"{instance!r} does not match {pattern!r}")


def _of_whole_recipes(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The schema of what is checked here: a recipe with all that it extends.

    At a ``$schema`` jsonschema goes back to its own validator, and loses what is extended.
    """
    plain = {k: v for k, v in schema.items() if k not in ("$schema", "if", "then", "else")}
    return {**plain, "required": schema["else"]["required"]}


def _is_integer(_checker: Any, value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


class _References:
    """`$ref`, each looked up once: those of the catalogue name its file, the others are here."""

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
    """`allOf` that goes straight to the branch of an ``if: type is ...`` list.

    The meaning is that of JSON Schema; trying some 90 branches for each layer would make
    validation the slowest part of a large recipe.
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
    """Branch by value of ``type``, or None where `all_of` is not such a list."""
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
