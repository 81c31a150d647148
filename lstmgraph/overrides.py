"""``--set path=value``: values put into a recipe, checked and reported like its text."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from lstmgraph.diagnostics import OPTION, Diagnostic, Path, Place, Span
from lstmgraph.document import Document, as_diagnostic, build_value
from lstmgraph.wording import nearest
from lstmgraph.yaml_nodes import YamlMistake, compose

Overrides = Mapping[str, Any] | Iterable[str]


class OverrideFormatError(ValueError):
    """An override that is not ``path=value``."""


def apply_overrides(document: Document, overrides: Overrides) -> None:
    """Put `overrides` into `document`; what is wrong with them is noted in its diagnostics.

    Args:
        document: changed in place.
        overrides: ``{"layers.encoder.units": 32}``, or texts such as ``layers.encoder.units=32``
            whose values are YAML.

    Raises:
        OverrideFormatError: a text without ``=``, or without a path before it.
    """
    if isinstance(overrides, Mapping):
        overrides = [f"{path}={_as_yaml(value)}" for path, value in overrides.items()]
    for text in overrides:
        path, separator, value = text.partition("=")
        if not separator or not path.strip():
            raise OverrideFormatError(
                f"'{text}' is not PATH=VALUE, such as layers.encoder.units=32"
            )
        if isinstance(document.data, dict):
            _apply(document, path.strip(), value, text)


_SURROGATES = re.compile(r"\\\\|\\u(d[89ab]..)\\u(d[c-f]..)")


def _as_yaml(value: Any) -> str:
    """JSON, which YAML reads alike but for surrogate pairs: there a character has one escape."""
    return _SURROGATES.sub(_one_escape, json.dumps(value))


def _one_escape(match: re.Match[str]) -> str:
    if match[1] is None:
        return match[0]
    high, low = int(match[1], 16) & 0x3FF, int(match[2], 16) & 0x3FF
    return f"\\U{0x10000 + (high << 10) + low:08x}"


def _apply(document: Document, dotted: str, value: str, text: str) -> None:
    source = f"{OPTION}{dotted}"
    document.sources.pop(source, None)  # their order is that in which they were put in
    document.sources[source] = text
    parts: Path = tuple(int(part) if _is_index(part) else part for part in dotted.split("."))
    path = _through_alternatives(document.data, parts)
    problem = _missing_parent(document.data, path)
    if problem:
        place = Place(source, Span(1, 1, 1, len(dotted) + 1))
        hint = "the path names keys of the recipe, such as layers.encoder.units"
        notes = tuple(document.note(found, text, at_key=True) for found, text in problem.there)
        found = Diagnostic("L121", problem.message, path, place, hint, notes=notes)
        document.diagnostics.add(found)
        return
    indent = " " * (len(text) - len(value))  # so that columns are those of the whole text
    try:
        node = compose(indent + value, empty_is_null=True)
        if path in document.values:
            document.overridden[path] = document.values[path]
        for table in (document.values, document.keys):
            for key in [key for key in table if key[: len(path)] == path]:
                del table[key]
        for end in range(1, len(path) + 1):  # sections on the way that the recipe does not have
            if end == len(path) or path[:end] not in document.values:
                document.keys[path[:end]] = Place(source, Span(1, 1, 1, len(dotted) + 1))
        data = build_value(document, node, path, source)
    except YamlMistake as mistake:
        document.diagnostics.add(as_diagnostic(mistake, path, source))
        return
    _assign(document.data, path, data)


def _through_alternatives(data: Any, path: Path) -> Path:
    """`path` with the ``$choose`` that names of dimensions leave out."""
    written: list[str | int] = []
    here = data
    for part in path:
        alternatives = here.get("$choose") if isinstance(here, dict) else None
        if isinstance(alternatives, dict) and str(part) in alternatives:
            written.append("$choose")
            part, here = str(part), alternatives  # noqa: PLW2901
        written.append(part)
        try:
            here = here[part]
        except (KeyError, IndexError, TypeError):
            here = None
    return tuple(written)


def _is_index(part: str) -> bool:
    return part.isascii() and part.isdecimal() and len(part) < 10


@dataclass(frozen=True)
class _Missing:
    """Why a path leads nowhere, and what of the recipe shows it."""

    message: str
    there: tuple[tuple[Path, str], ...] = ()


def _missing_parent(data: Any, path: Path) -> _Missing | None:
    """What of `path` is not there. A section of the recipe's top level may be new."""
    here = data
    for index, part in enumerate(path):
        problem = _missing_part(here, path[:index], part, is_last=index == len(path) - 1)
        if problem:
            return problem
        if isinstance(here, dict) and part not in here:
            return None
        here = here[part]
    return None


def _missing_part(here: Any, above: Path, part: str | int, *, is_last: bool) -> _Missing | None:
    if isinstance(here, list):
        if isinstance(part, int) and part < len(here):
            return None
        there = ((above, f"it has {len(here)}, counted from 0"),)
        return _Missing(f"the list `{_dotted(above)}` has no entry {part}", there)
    if not isinstance(here, dict):
        message = f"`{_dotted(above)}` is a single value and has no `{part}`"
        return _Missing(message, ((above, "it is written here"),))
    if part in here or is_last or not above:
        return None
    near = nearest(str(part), [str(key) for key in here])
    message = f"there is no `{_dotted((*above, part))}` in the recipe"
    if near is None:
        return _Missing(message)
    return _Missing(f"{message}; did you mean '{near}'?", (((*above, near), f"'{near}' is here"),))


def _assign(data: Any, path: Path, value: Any) -> None:
    here = data
    for part in path[:-1]:
        here = here.setdefault(str(part), {}) if isinstance(here, dict) else here[part]
    if isinstance(here, dict):
        here[str(path[-1])] = value
    else:
        here[path[-1]] = value


def _dotted(path: Path) -> str:
    return ".".join(str(part) for part in path)
