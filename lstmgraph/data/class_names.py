"""Classes by name: texts in a target, and the ids that stand for them.

Where the recipe lists the `classes:`, their order gives the ids. Otherwise the classes are the
texts of the training part, sorted; a text that only the other parts have is an error.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from lstmgraph.compiler.checks.class_names import class_count
from lstmgraph.data.columns import ColumnError
from lstmgraph.data.fields import Field, rows_of
from lstmgraph.data.texts import Labels
from lstmgraph.messages.wording import few

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lstmgraph.compiler.checks.data_needs import Need, Needs
    from lstmgraph.data.examples import Examples, ExampleSource
    from lstmgraph.data.problems import Problems
    from lstmgraph.data.values import Array


class HoldsLabelsError(Exception):
    """A target holds texts that are no numbers: `key` is that of its entry."""

    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.key = key


@dataclass
class LabelReader:
    """Reads the texts of a target as numbers: ids of the recipe's classes, or of its own."""

    need: Need
    _numbers: dict[str, int] = field(default_factory=dict)
    _rows: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._numbers = {name: number for number, name in enumerate(self.need.classes)}

    def read(self, words: Sequence[str], indices: Array, start: int) -> Array:
        """Return the number of each value of a batch, (rows,) float64.

        Args:
            words: the different texts.
            indices: which of them each row has.
            start: the number of the batch's first row.

        Raises:
            ColumnError: a text is no class, or there are more texts than the output has classes.
        """
        table = np.zeros(max(1, len(words)))
        firsts = _firsts(indices, len(words))
        for index in np.argsort(firsts, kind="stable").tolist():
            if firsts[index] == len(indices):
                continue
            table[index] = self._number(words[index].strip(), int(firsts[index]), start)
        return table[indices]

    def _number(self, word: str, row: int, start: int) -> float:
        number = self._numbers.get(word)
        if number is not None:
            return number
        if not word and self.need.optional:
            return np.nan
        classes = self.need.classes
        if not word:
            raise ColumnError("names no class", "remove such rows, or write their class", row)
        if classes:
            message = f"holds '{word[:40]}', which is no class of '{self.need.name}'"
            raise ColumnError(message, f"the classes are: {few(classes)}", row)
        if is_number(word):
            hint = "write all classes as texts, or all as ids"
            raise ColumnError(f"holds the number {word[:40]} among texts", hint, row)
        most = class_count(self.need)
        if most is not None and len(self._numbers) >= most:
            names = few([f"'{name}'" for name in self._numbers])
            raise ColumnError(
                f"holds '{word[:40]}', but '{self.need.name}' has {most} classes and the rows "
                f"before have {names}",
                "give the output a unit for each class, or correct the text",
                row,
            )
        self._numbers[word] = len(self._numbers)
        self._rows.append(start + row + 1)
        return self._numbers[word]

    def labels(self) -> Labels:
        """Return the texts that were read, where the recipe lists none."""
        return Labels(tuple(self._numbers), tuple(self._rows))


def _firsts(indices: Array, count: int) -> Array:
    """Return the first row of each index; the number of rows for one that no row has."""
    firsts = np.full(max(1, count), len(indices))
    np.minimum.at(firsts, indices, np.arange(len(indices)))
    return firsts


def is_number(word: str) -> bool:
    """Return whether a text is a finite number, as a table of ids has it."""
    try:
        return math.isfinite(float(word))
    except ValueError:
        return False


@dataclass(frozen=True)
class Renumbered:
    """A target whose numbers stand for texts, as the ids of classes."""

    codes: Field
    ids: Array
    """The id of each number."""

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one example."""
        return self.codes.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of the target."""
        return self.ids.dtype

    @property
    def arrays(self) -> tuple[Array, ...]:
        """The arrays of the numbers, and the id of each."""
        return *self.codes.arrays, self.ids

    def take(self, examples: Array) -> Array:
        """Return the ids of these examples, (len(examples), *shape)."""
        found: Array = self.ids[self.codes.take(examples).astype(np.int64)]
        return found


def found_classes(train: Examples, needs: Needs, problems: Problems) -> dict[str, tuple[str, ...]]:
    """Return the classes of each target by name: those of the recipe, or of the training part."""
    classes = {n: need.classes for n, need in needs.targets.items() if need.classes}
    for name, labels in train.source.labels.items():
        used = _used(train, name)
        found = tuple(sorted(labels.names[code] for code in used))
        most = class_count(needs.targets[name])
        if most is not None and len(found) != most:
            names = few([f"'{each}'" for each in found])
            problems.add(
                "D416",
                f"'{name}' has {most} classes, but the training part has {len(found)}: {names}",
                "list them all in the recipe: `classes:` of the target under `data:`",
            )
        classes[name] = found
    return classes


def _used(part: Examples, name: str) -> list[int]:
    found: set[int] = set()
    for codes in rows_of(part.source.targets[name], part.numbers, by_rows=True):
        found.update(np.unique(codes).astype(np.int64).tolist())
    return sorted(found)


def with_ids(
    part: Examples,
    classes: Mapping[str, tuple[str, ...]],
    needs: Needs,
    problems: Problems,
    done: dict[int, ExampleSource],
) -> Examples:
    """Return a part whose targets are the ids of `classes`; report (D415) texts that are none.

    Args:
        part: the examples.
        classes: the classes of each target.
        needs: what the model takes.
        problems: where problems are reported.
        done: the changed sources, by the identity of the given ones, which this call extends.
    """
    source = part.source
    for name, labels in source.labels.items():
        for code in _used(part, name):
            if labels.names[code] not in classes[name]:
                problems.add(
                    "D415",
                    f"row {labels.rows[code]} has the class '{labels.names[code]}' of '{name}', "
                    "which the training part does not have",
                    f"add examples of it, or list it under `classes:`; it has: "
                    f"{few(classes[name])}",
                )
    if id(source) not in done:
        targets = dict(source.targets)
        for name, labels in source.labels.items():
            order = {each: number for number, each in enumerate(classes[name])}
            ids = np.array([order.get(each, 0) for each in labels.names] or [0])
            targets[name] = Renumbered(targets[name], ids.astype(needs.targets[name].dtype))
        done[id(source)] = replace(source, targets=targets, labels={}, classes=classes)
    return replace(part, source=done[id(source)])
