"""Pairs of sentences that mean the same in other words, or differ in one thing: made, not found.

The recipe ``sentence-matcher`` learns to tell them apart.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

ORDERS = ("the {0} {1} {2} a {3}", "a {3} is what the {0} {1} really {2}")
PARTS = (
    ("old ancient", "young youthful", "small little", "happy glad", "quiet silent", "rich moneyed"),
    (
        "doctor physician",
        "child kid",
        "woman lady",
        "boss chief",
        "singer vocalist",
        "cook chef",
    ),
    ("sees spots", "likes enjoys", "buys purchases", "paints draws", "sells trades", "mends fixes"),
    ("boat ship", "car automobile", "house home", "stone rock", "coat jacket", "road street"),
)
"""What a sentence consists of; each choice has two words for the same."""
VOCABULARY = ("the", "a", "is", "what", "really", *" ".join(w for p in PARTS for w in p).split())
WORD_IDS = {word: number for number, word in enumerate(VOCABULARY, start=1)}
"""0 is padding."""
MOST_WORDS = 9


def sentence(meaning: Sequence[int], random: np.random.Generator) -> str:
    """A sentence with the meaning, four choices of 0 to 5, in words and an order by chance."""
    words = [
        random.choice(part[choice].split()) for part, choice in zip(PARTS, meaning, strict=True)
    ]
    return str(random.choice(ORDERS)).format(*words)


def ids(text: str) -> np.ndarray:
    """The ids of the words of a sentence, padded to (MOST_WORDS,)."""
    found = [WORD_IDS[word] for word in text.split()]
    return np.array(found + [0] * (MOST_WORDS - len(found)), "int32")


def pairs(meanings: np.ndarray, seed: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Two pairs for each of the meanings, (count, 4): the inputs, and (2 * count, 1) of 0 and 1.

    The sentences of the first pair mean the same, those of the second differ in one of four parts.
    """
    random = np.random.default_rng(seed)
    first, second, same = [], [], []
    for meaning in meanings:
        other = meaning.copy()
        part = random.integers(len(PARTS))
        other[part] = (other[part] + random.integers(1, len(PARTS[part]))) % len(PARTS[part])
        for each in (meaning, other):
            first.append(ids(sentence(meaning, random)))
            second.append(ids(sentence(each, random)))
            same.append([each is meaning])
    return {"first": np.stack(first), "second": np.stack(second)}, np.array(same, "float32")


def meanings(seed: int = 0) -> np.ndarray:
    """All 1296 meanings, (1296, 4), in an order by chance."""
    every = np.stack(np.meshgrid(*[range(len(part)) for part in PARTS], indexing="ij"), -1)
    return np.random.default_rng(seed).permutation(every.reshape(-1, len(PARTS)))
