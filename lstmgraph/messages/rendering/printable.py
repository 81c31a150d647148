"""Text from anywhere, made fit for a terminal: nothing in it moves the cursor or hides itself."""

from __future__ import annotations

import unicodedata


def printable(text: str) -> str:
    r"""`text` with what no one could see written out: ``\x1b``, ``\n``, ``\u202e``.

    Recipes, keys and file names may hold escapes that recolour or clear a terminal, and marks that
    show text in another order than it has.
    """
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else _escaped(each) for each in text)


def printable_lines(text: str) -> str:
    """`text` made printable line by line: line breaks and tabs stay as they are."""
    if text.isprintable():
        return text
    return "".join(each if each in "\n\t" else printable(each) for each in text)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


def width(text: str) -> int:
    """The cells of a terminal that printable `text` takes.

    East Asian wide characters take two, marks that combine with the character before them none
    (https://www.unicode.org/reports/tr11/).
    """
    return len(text) if text.isascii() else sum(map(_cells, text))


def _cells(character: str) -> int:
    if unicodedata.category(character) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in ("W", "F") else 1
