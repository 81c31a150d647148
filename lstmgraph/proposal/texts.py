"""Columns of texts in proposed recipes: which are read, by which layers; and classes by name."""

from __future__ import annotations

import re
from collections import Counter
from math import ceil
from typing import TYPE_CHECKING

import numpy as np

from lstmgraph.messages.wording import counted
from lstmgraph.proposal.parts import noted, text_of, word
from lstmgraph.proposal.sentences import is_long

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from lstmgraph.proposal.survey import ColumnFacts

LISTED = 8
"""The most classes whose counts stand in a comment."""
MOST_WORDS, LONGEST = 20_000, 300
UNEVEN = 3.0
"""How many times as frequent as another a class is where classes are weighted."""
_ENDS = ("words", "vectors", "reader", "ids", "vector")
"""What the names of the layers end with that read a column."""
_WORD = re.compile(r"[^\s!-/:-@\[-`{-~]+")


def names_of(columns: Iterable[ColumnFacts]) -> dict[str, str]:
    """Return the name of the input of each column, by the column's name."""
    found: dict[str, str] = {}
    taken = {"features", "hidden", "joined", "label", "value"}
    for facts in columns:
        base = re.sub(r"\W+", "_", facts.name[:40], flags=re.ASCII).strip("_").lower()
        base = base if re.fullmatch(r"[a-z]\w*", base) else "text"
        name, number = base, 2
        while not taken.isdisjoint(own := [name, *(f"{name}_{end}" for end in _ENDS)]):
            name, number = f"{base}_{number}", number + 1
        taken.update(own)
        found[facts.name] = name
    return found


def text_inputs(columns: Sequence[ColumnFacts]) -> list[str]:
    """Return the lines of the inputs of columns of texts."""
    return [
        noted(f"  {name}: {{shape: [], dtype: string}}", f"{text_of(column)} as it is written")
        for column, name in names_of(columns).items()
    ]


def text_columns(columns: Sequence[ColumnFacts]) -> list[str]:
    """Return the lines of these inputs under ``data:``."""
    names = names_of(columns)
    return [f"    {name}: {{columns: [{word(column)}]}}" for column, name in names.items()]


def text_layers(columns: Sequence[ColumnFacts]) -> tuple[list[str], list[str]]:
    """Return the layers that read columns of texts, and the names of the last ones."""
    lines, last = [], []
    names = names_of(columns)
    for facts in columns:
        own, ends = (_of_sentences if is_long(facts) else _of_names)(facts, names[facts.name])
        lines += own
        last.append(ends)
    return lines, last


def _of_sentences(facts: ColumnFacts, name: str) -> tuple[list[str], str]:
    counts = Counter(each for text in facts.words for each in set(_WORD.findall(text.lower())))
    tokens = min(MOST_WORDS, max(100, ceil((len(counts) + 2) / 100) * 100))
    sizes = [len(text.split()) for text in facts.words]
    steps = min(LONGEST, max(10, ceil(float(np.quantile(sizes, 0.95)) / 10) * 10))
    return [
        noted(f"  {name}_words:", "ids of words; training finds the most frequent ones"),
        "    type: text_vectorization",
        f"    input: {name}",
        noted(f"    max_tokens: {tokens}", f"{counted(len(counts), 'word')} in the texts"),
        noted(f"    output_sequence_length: {steps}", "the words of nearly all texts"),
        f"  {name}_vectors:",
        "    type: embedding",
        f"    input: {name}_words",
        f"    input_dim: {tokens}",
        "    output_dim: 32",
        noted("    mask_zero: true", "ignores padded words"),
        noted(f"  {name}_reader:", "reads the words in both directions"),
        "    type: lstm",
        f"    input: {name}_vectors",
        "    units: 32",
        "    bidirectional: true",
    ], f"{name}_reader"


def _of_names(facts: ColumnFacts, name: str) -> tuple[list[str], str]:
    tokens = len(facts.words) + (2 if facts.missing else 1)
    size = min(32, max(2, round(len(facts.words) ** 0.5) + 1))
    found = f"{counted(len(facts.words), 'different text')}, and unknown ones"
    return [
        noted(f"  {name}_ids:", found),
        f"    {{type: string_lookup, input: {name}, max_tokens: {tokens}}}",
        f"  {name}_vector:",
        f"    {{type: embedding, input: {name}_ids, input_dim: {tokens}, output_dim: {size}}}",
    ], f"{name}_vector"


def class_counts(target: ColumnFacts) -> dict[str, int]:
    """Return how many rows each class has, by its name, sorted by names."""
    numbers = np.bincount(target.values[target.values >= 0], minlength=len(target.words))
    return dict(sorted(zip(target.words, numbers.tolist(), strict=True)))


def class_lines(target: ColumnFacts, *, is_static: bool) -> list[str]:
    """Return the lines of a target of texts under ``data:``, with its classes."""
    counts = class_counts(target)
    comment = ", ".join(f"{count:,} {text_of(name)}" for name, count in counts.items())
    static = ["      static: true"] if is_static else []
    return [
        *([f"    # {comment}"] if len(counts) <= LISTED and len(comment) < 100 else []),
        "    label:",
        f"      columns: [{word(target.name)}]",
        *static,
        noted("      classes:", "predictions have these names"),
        *(f"        - {word(name)}" for name in counts),
    ]


def weight_lines(target: ColumnFacts) -> list[str]:
    """Return the lines of ``class_weight:``; none where the classes are about as frequent."""
    counts = class_counts(target)
    if max(counts.values()) < UNEVEN * min(counts.values()):
        return []
    mean = sum(counts.values()) / len(counts)
    weights = {name: min(20.0, mean / count) for name, count in counts.items()}
    return [
        noted("  class_weight:", "rare classes count more; without it they are seldom predicted"),
        *(f"    {word(name)}: {weight:.2g}" for name, weight in weights.items()),
    ]
