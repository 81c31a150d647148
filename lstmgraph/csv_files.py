"""Write CSV files that are safe to open in a spreadsheet."""

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
"""First characters that a spreadsheet may take for a formula; see OWASP, "CSV Injection"."""
_NUMBER = re.compile(r"[+-](\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)


def write_csv(path: Path, rows: Iterable[Iterable[Any]], line_end: str = "\r\n") -> None:
    """Write `rows` to a CSV file, whole or not at all; the first row holds the column names.

    A ``'`` is put before text that a spreadsheet could take for a formula, but not before numbers.

    Raises:
        OSError: if the file cannot be written.
    """
    with atomic_path(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator=line_end)
        writer.writerows([_cell(value) for value in row] for row in rows)


def _cell(value: Any) -> Any:
    return without_formula(value) if isinstance(value, str) else value


def without_formula(text: str) -> str:
    """Return a text with a ``'`` before it if a spreadsheet could take it for a formula."""
    if not text or _NUMBER.fullmatch(text):
        return text
    # NFKC turns full-width forms of these signs into the plain ones.
    return f"'{text}" if unicodedata.normalize("NFKC", text[0]) in _FORMULA else text
