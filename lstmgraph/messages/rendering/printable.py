"""Make untrusted text safe to print: nothing in it moves the cursor or stays invisible."""

from __future__ import annotations

import unicodedata


def printable(text: str) -> str:
    r"""Return `text` with unprintable characters escaped: ``\x1b``, ``\n``, ``\u202e``.

    Recipes, keys and file names may hold escape sequences that recolour or clear a terminal, and
    characters that change the order in which text is shown.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else _escaped(c) for c in text)


def printable_lines(text: str) -> str:
    """Return `text` with unprintable characters escaped, but line breaks and tabs kept."""
    if text.isprintable():
        return text
    return "".join(c if c in "\n\t" else printable(c) for c in text)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


def width(text: str) -> int:
    """Return how many terminal cells printable `text` takes.

    East Asian wide characters take two, combining marks none
    (https://www.unicode.org/reports/tr11/).
    """
    return len(text) if text.isascii() else sum(map(_cells, text))


def _cells(character: str) -> int:
    if unicodedata.category(character) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in ("W", "F") else 1
