"""Numbers in words and in digits, as ids: the text that the recipe ``number-words`` translates."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

UNITS = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
]
TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
VOCABULARY = (*UNITS, *TENS, "hundred", "thousand", "and")
WORD_IDS = {word: number for number, word in enumerate(VOCABULARY, start=1)}
"""0 is padding."""
START, END = 11, 12
"""Digits are 1 to 10, and 0 is padding."""
BELOW = 100_000
MOST_WORDS, MOST_DIGITS = 10, 6


def in_words(number: int) -> str:
    """A number under a million in English: 305 is "three hundred and five"."""
    if number < len(UNITS):
        return UNITS[number]
    if number < 100:
        return " ".join([TENS[number // 10 - 2], *([UNITS[number % 10]] if number % 10 else [])])
    if number < 1000:
        rest = f" and {in_words(number % 100)}" if number % 100 else ""
        return f"{UNITS[number // 100]} hundred{rest}"
    rest = number % 1000
    link = " and " if 0 < rest < 100 else " " if rest else ""
    return f"{in_words(number // 1000)} thousand{link}{in_words(rest) if rest else ''}"


def word_ids(texts: Iterable[str]) -> np.ndarray:
    """(texts, MOST_WORDS), int32."""
    rows = [[WORD_IDS[word] for word in text.split()] for text in texts]
    return _padded(rows, MOST_WORDS)


def digit_ids(numbers: Iterable[int]) -> tuple[np.ndarray, np.ndarray]:
    """What the decoder reads, from the start token on, and what it writes, to the end token."""
    rows = [[int(digit) + 1 for digit in str(number)] for number in numbers]
    read = _padded([[START, *row] for row in rows], MOST_DIGITS)
    return read, _padded([[*row, END] for row in rows], MOST_DIGITS)


def number_of(tokens: np.ndarray, length: int) -> str:
    """The digits that were written."""
    return "".join(str(token - 1) for token in tokens[:length].tolist())


def numbers(count: int, seed: int = 0) -> np.ndarray:
    """Different ones of 1 to 5 digits: as many of each number of digits as there are, at most."""
    random = np.random.default_rng(seed)
    bounds = [0, 10, 100, 1000, 10_000, BELOW]
    found: list[np.ndarray] = []
    left = count
    for place, (low, high) in enumerate(itertools.pairwise(bounds)):
        share = min(high - low, left // (len(bounds) - 1 - place))
        found.append(random.choice(high - low, share, replace=False) + low)
        left -= share
    return random.permutation(np.concatenate(found))


def _padded(rows: Sequence[Sequence[int]], size: int) -> np.ndarray:
    found = np.zeros((len(rows), size), "int32")
    for row, values in zip(found, rows, strict=True):
        row[: len(values)] = values
    return found
