"""CSV files for people, who open them with spreadsheets."""

from __future__ import annotations

import csv
import re
import unicodedata
from typing import TYPE_CHECKING, Any

from lstmgraph.files import atomic_path

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_FORMULA = "=+-@\t\r\n"
"""How a text begins that a spreadsheet may take for a formula: see OWASP, "CSV Injection"."""
_NUMBER = re.compile(r"[+-](\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)


def write_csv(path: Path, rows: Iterable[Iterable[Any]], line_end: str = "\r\n") -> None:
    """Write `rows`, the first of which are the columns' names, whole or not at all.

    A text that a spreadsheet could take for a formula gets a ``'`` before it; numbers do not.

    Raises:
        OSError: the file cannot be written.
    """
    with atomic_path(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator=line_end)
        writer.writerows([_cell(value) for value in row] for row in rows)


def _cell(value: Any) -> Any:
    if not isinstance(value, str) or not value or _NUMBER.fullmatch(value):
        return value
    # Wide forms of these signs count, too.
    return f"'{value}" if unicodedata.normalize("NFKC", value[0]) in _FORMULA else value
