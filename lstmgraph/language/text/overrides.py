"""Apply overrides (``--set path=value``), which are checked and reported like the recipe."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from lstmgraph.language.text.document import Document, as_diagnostic, build_value
from lstmgraph.language.text.nodes import MAX_BYTES, MAX_DEPTH, YamlMistake, compose
from lstmgraph.language.text.origins import DELETE
from lstmgraph.language.text.plain_data import PlainDataError, plain_data
from lstmgraph.messages.diagnostics import OPTION, Diagnostic, Path, Place, Span
from lstmgraph.messages.wording import did_you_mean, nearest
from lstmgraph.root_error import LstmgraphError

Overrides = Mapping[str, Any] | Iterable[str]


class OverrideFormatError(LstmgraphError, ValueError):
    """Raised for an override that is not ``path=value``."""


def apply_overrides(document: Document, overrides: Overrides) -> None:
    """Apply `overrides` to `document`; report mistakes in its diagnostics.

    Args:
        document: changed in place.
        overrides: ``{"layers.encoder.units": 32}``, or texts such as ``layers.encoder.units=32``
            whose values are YAML.

    Raises:
        OverrideFormatError: if a text is not ``path=value``, or a value is not plain data.
    """
    if isinstance(overrides, Mapping):
        pairs = [(str(path), _as_yaml(path, value)) for path, value in overrides.items()]
    else:
        pairs = [_parts(text) for text in overrides]
    for path, value in pairs:
        if isinstance(document.data, dict):
            _apply(document, path.strip(), value, f"{path}={value}")


def _parts(text: str) -> tuple[str, str]:
    path, separator, value = text.partition("=")
    if not separator or not path.strip():
        raise OverrideFormatError(f"'{text}' is not PATH=VALUE, such as layers.encoder.units=32")
    return path, value


def _as_yaml(path: str, value: Any) -> str:
    """Return `value` as JSON, which is YAML too."""
    try:
        value = plain_data(value, path)
    except PlainDataError as error:
        message = f"the value of '{path}' is not plain data: {error}"
        raise OverrideFormatError(message) from None
    if isinstance(value, float) and not math.isfinite(value):
        return ".nan" if math.isnan(value) else f"{'-' if value < 0 else ''}.inf"
    try:
        return json.dumps(value, allow_nan=False)
    except ValueError as error:  # infinity, or not-a-number, in a list
        raise OverrideFormatError(f"the value of '{path}' is not plain data: {error}") from None


def _apply(document: Document, dotted: str, value: str, text: str) -> None:
    source = f"{OPTION}{dotted}"
    document.sources.pop(source, None)  # added again below, so that the last one is last
    document.sources[source] = text
    parts: Path = tuple(int(part) if _is_index(part) else part for part in dotted.split("."))
    if len(parts) > MAX_DEPTH or len(text) > MAX_BYTES:
        _report_bounds(document, parts, Place(source, Span(1, 1, 1, len(dotted) + 1)))
        return
    path = _through_alternatives(document.data, parts)
    problem = _missing_parent(document.data, path)
    if problem:
        place = Place(source, Span(1, 1, 1, len(dotted) + 1))
        hint = "the path names keys of the recipe, such as layers.encoder.units"
        notes = tuple(document.note(other, text, at_key=True) for other, text in problem.related)
        error = Diagnostic("L121", problem.message, path, place, hint, notes=notes)
        document.diagnostics.add(error)
        return
    indent = " " * (len(text) - len(value))  # keeps the columns of the whole text
    try:
        node = compose(indent + value, empty_is_null=True)
        if path in document.values:
            document.overridden[path] = document.values[path]
        for table in (document.values, document.keys):
            for key in [key for key in table if key[: len(path)] == path]:
                del table[key]
        for end in range(1, len(path) + 1):  # including sections that are new
            if end == len(path) or path[:end] not in document.values:
                document.keys[path[:end]] = Place(source, Span(1, 1, 1, len(dotted) + 1))
        data = build_value(document, node, path, source)
    except YamlMistake as mistake:
        document.diagnostics.add(as_diagnostic(mistake, path, source))
        return
    if data == DELETE:
        _delete(document, path, Place(source, Span(1, 1, 1, len(dotted) + 1)))
    else:
        _assign(document.data, path, data)


def _delete(document: Document, path: Path, place: Place) -> None:
    """Delete the value at `path`, as in ``--set training=$delete``."""
    here = document.data
    for part in path[:-1]:
        here = here.get(part) if isinstance(here, dict) else None
    if isinstance(here, dict) and path[-1] in here:
        del here[path[-1]], document.values[path], document.keys[path]
        document.origins.deleted[path] = place
        return
    near = did_you_mean(str(path[-1]), here) if isinstance(here, dict) else ""
    message = f"there is no `{_dotted(path)}` in the recipe to delete{near}"
    hint = "the path names a key of a mapping, such as layers.encoder.dropout"
    document.diagnostics.add(Diagnostic("L121", message, path, place, hint))


def _report_bounds(document: Document, parts: Path, place: Place) -> None:
    code, message = "L103", f"the value is larger than {MAX_BYTES:,} characters"
    if len(parts) > MAX_DEPTH:
        code, message = "L108", f"the path has more than {MAX_DEPTH} parts"
    hint = "the path names keys of the recipe, such as layers.encoder.units"
    document.diagnostics.add(Diagnostic(code, message, parts[:MAX_DEPTH], place, hint))


def _through_alternatives(data: Any, path: Path) -> Path:
    """Return `path` with the ``$choose`` keys that names of dimensions leave out."""
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
    """Why a path leads nowhere, with notes on related places in the recipe."""

    message: str
    related: tuple[tuple[Path, str], ...] = ()


def _missing_parent(data: Any, path: Path) -> _Missing | None:
    """Return why `path` leads nowhere; None if it does not. A top-level section may be new."""
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
        related = ((above, f"it has {len(here)}, counted from 0"),)
        return _Missing(f"the list `{_dotted(above)}` has no entry {part}", related)
    if not isinstance(here, dict):
        message = f"`{_dotted(above)}` is a single value and has no `{part}`"
        return _Missing(message, ((above, "it is written here"),))
    is_variable = (*above, part)[0] == "vars"  # nothing could use a new one
    if part in here or ((is_last or not above) and not is_variable):
        return None
    near = nearest(str(part), map(str, here)) if above or not is_variable else None
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
