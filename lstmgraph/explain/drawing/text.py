"""Text on pictures: its width, and the characters that can be shown.

The tables hold the greater width of DejaVu Sans and of Liberation Sans (which is as wide as Arial
and Helvetica), in hundredths of the font size, read from the fonts' own ``hmtx`` tables. What fits
by them fits in the fonts that ``sans-serif`` usually is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_REGULAR = {
    28: "'ijl", 30: "I", 32: " ,.", 34: "/:;\\|", 36: "f", 37: "-", 40: "()[]t", 41: "!", 42: "r",
    46: '"', 50: "*J`", 53: "sz", 55: "c", 56: "?L_", 58: "k", 60: "vxy", 62: "FTaeo",
    64: "$0123456789bdghnpqu{}", 67: "EKPSY", 69: "ABVXZ", 73: "CR", 74: "U", 75: "N", 76: "H",
    78: "&DG", 79: "OQ", 82: "w", 84: "#+<=>^~", 87: "M", 96: "%", 98: "m", 99: "W", 102: "@",
}  # fmt: skip
_BOLD = {
    31: "'", 35: " ijl", 37: "/\\|", 38: ",.I", 40: ":;", 42: "-", 44: "f", 46: "!()[]", 48: "t",
    50: "`r", 53: '"*', 56: "J_", 59: "z", 60: "cs", 62: "?", 64: "L", 65: "x", 66: "vy", 67: "k",
    68: "ae", 69: "EFTo", 70: "$0123456789", 72: "bdghnpqu{}", 73: "SYZ", 74: "CP", 77: "B",
    78: "AKRVX", 82: "U", 83: "G", 84: "#+<=>DHN^~", 86: "OQ", 88: "&", 93: "w", 100: "@M",
    101: "%", 105: "m", 111: "W",
}  # fmt: skip
_UNKNOWN = 111
"""The width of any other character: that of the widest, and of an ideograph."""


def _by_character(table: Mapping[int, str]) -> dict[str, float]:
    return {letter: width / 100 for width, letters in table.items() for letter in letters}


_WIDTHS = {False: _by_character(_REGULAR), True: _by_character(_BOLD)}


def text_width(text: str, size: float, *, bold: bool = False) -> float:
    """Return the width of one line in pixels, at a font size of `size` pixels."""
    widths = _WIDTHS[bold]
    return size * sum(widths.get(letter, _UNKNOWN / 100) for letter in text)


def printable(text: str) -> str:
    """Return `text` with replacements for characters that are invisible or not allowed in files.

    Line breaks become spaces.
    """
    spaced = " ".join(text.splitlines())
    return "".join(c if c.isprintable() or c == " " else "\ufffd" for c in spaced)
