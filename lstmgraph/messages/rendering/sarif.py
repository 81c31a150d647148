"""Diagnostics as a SARIF log for code scanning services and editors.

SARIF 2.1.0: https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html
"""

from __future__ import annotations

import os
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from lstmgraph.messages.error_page import PAGE, error_sections
from lstmgraph.messages.rendering.places import MOST_SHOWN, in_a_file, left_out, said_before
from lstmgraph.messages.rendering.printable import printable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lstmgraph.messages.diagnostics import Diagnostic, Place
    from lstmgraph.messages.rendering.checked import CheckedFile

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/os/schemas/sarif-schema-2.1.0.json"


def sarif_log(files: Sequence[CheckedFile], version: str) -> dict[str, Any]:
    """Return the log of one run. Its rules are the reported codes with their sections of the page.

    The first 100 diagnostics of each file are results; a notification counts the rest.

    Args:
        files: the checked files.
        version: the version of lstmgraph.
    """
    reported = [(file.file, shown) for file in files for shown in file.diagnostics[:MOST_SHOWN]]
    codes = sorted({diagnostic.code for _, diagnostic in reported})
    numbers = {code: number for number, code in enumerate(codes)}
    severities = {diagnostic.code: diagnostic.severity for _, diagnostic in reported}
    rules = [_rule(code, severities[code]) for code in codes]
    return {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {"driver": {"name": "lstmgraph", "version": version, "rules": rules}},
                "columnKind": "unicodeCodePoints",
                "results": [_result(file, shown, numbers[shown.code]) for file, shown in reported],
                **_notifications(files),
            }
        ],
    }


def _notifications(files: Sequence[CheckedFile]) -> dict[str, Any]:
    more = {file.file: text for file in files if (text := left_out(file.diagnostics))}
    notifications = [
        {
            "level": "note",
            "message": {"text": text},
            "locations": [{"physicalLocation": _location(file, None)}],
        }
        for file, text in more.items()
    ]
    invocation = {"executionSuccessful": True, "toolExecutionNotifications": notifications}
    return {"invocations": [invocation]} if notifications else {}


def _rule(code: str, severity: str) -> dict[str, Any]:
    section = error_sections()[code]
    rule: dict[str, Any] = {
        "id": code,
        "shortDescription": {"text": section.title},
        "help": {"text": section.plain(), "markdown": section.text},
        "defaultConfiguration": {"level": severity},
    }
    pages = _documentation()
    if pages:
        rule["helpUri"] = f"{pages.rstrip('/')}/{PAGE}#{section.anchor}"
    return rule


def _documentation() -> str | None:
    """Return the address of the folder docs/ from the package's metadata."""
    try:
        addresses = metadata("lstmgraph").get_all("Project-URL") or []
    except PackageNotFoundError:  # a checkout that is not installed
        return None
    by_label: Mapping[str, str] = dict(address.split(", ", 1) for address in addresses)
    return by_label.get("Documentation")


def _result(file: str, diagnostic: Diagnostic, rule: int) -> dict[str, Any]:
    result: dict[str, Any] = {
        "ruleId": diagnostic.code,
        "ruleIndex": rule,
        "level": diagnostic.severity,
        "message": {"text": _message(diagnostic)},
        "locations": [{"physicalLocation": _location(file, in_a_file(diagnostic))}],
    }
    if diagnostic.notes:
        result["relatedLocations"] = [
            {
                "id": number,
                "physicalLocation": _location(file, note.place if note.place.is_file else None),
                "message": {"text": f"{said_before(note.place)}{printable(note.message)}"},
            }
            for number, note in enumerate(diagnostic.notes, start=1)
        ]
    return result


def _message(diagnostic: Diagnostic) -> str:
    at = said_before(diagnostic.place)
    hint = f"\nhelp: {printable(diagnostic.hint)}" if diagnostic.hint else ""
    return f"{at}{printable(diagnostic.message)}{hint}"


def _location(file: str, place: Place | None) -> dict[str, Any]:
    """Return a SARIF location; without a place, that of the file as a whole."""
    if place is None:
        return {"artifactLocation": {"uri": _uri(file)}}
    span = place.span
    region = {
        "startLine": span.line,
        "startColumn": span.column,
        "endLine": span.end_line,
        "endColumn": span.end_column,  # exclusive
    }
    return {"artifactLocation": {"uri": _uri(place.source)}, "region": region}


def _uri(file: str) -> str:
    path = Path(file)
    return path.as_uri() if path.is_absolute() else quote(os.fsencode(path.as_posix()))
