"""A document's ``$search`` and ``$choose`` -> the whole space, before anything is built."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any

from lstmgraph.language.space.dimensions import Condition, Dimension
from lstmgraph.language.space.leaves import (
    FormError,
    Leaf,
    read_alternatives,
    read_chosen,
    read_leaf,
    read_mark,
)
from lstmgraph.language.space.space import Space
from lstmgraph.messages.diagnostics import Diagnostic, Note

if TYPE_CHECKING:
    from collections.abc import Callable

    from lstmgraph.language.text.document import Document
    from lstmgraph.messages.diagnostics import Path

SECTIONS = ("layers", "runtime", "training", "data")
"""Sections below which any value may be searched; the others say what the recipe is and feeds."""

MAX_DIMENSIONS = 1000
MAX_LAYERS = 100
"""Layers of a stack that may each have a dimension of their own."""


@dataclass(frozen=True)
class Collected:
    """A document's space, and where its forms are wrong: there stands nothing to compile."""

    space: Space = field(default_factory=Space)
    broken: frozenset[Path] = frozenset()

    @property
    def is_searched(self) -> bool:
        """Whether the document has any form at all, right or wrong."""
        return bool(self.space.dimensions or self.broken)


@dataclass(frozen=True)
class Here:
    """A place in the document as three paths.

    `path` is where it is written, `target` where it stands in a concrete recipe, and `name` is
    `target` with the alternatives that lead there.
    """

    path: Path = ()
    target: Path = ()
    name: tuple[str, ...] = ()
    conditions: tuple[Condition, ...] = ()

    def below(self, key: str | int) -> Here:
        """The entry `key`."""
        name = (*self.name, str(key))
        return replace(self, path=(*self.path, key), target=(*self.target, key), name=name)

    def alternative(self, key: str) -> Here:
        """The alternative `key` of the ``$choose`` that stands here."""
        path = (*self.path, "$choose", key)
        condition = Condition(self.dotted, (key,))
        conditions = (*self.conditions, condition)
        return replace(self, path=path, name=(*self.name, key), conditions=conditions)

    @property
    def dotted(self) -> str:
        """The name of the dimension that stands here."""
        return ".".join(self.name)


def collect(document: Document) -> Collected:
    """The space of `document`; what is wrong with its forms is noted in its diagnostics."""
    collector = _Collector(document)
    collector.value(document.data, Here())
    if len(collector.found) > MAX_DIMENSIONS:
        last = list(collector.found.values())[-1]
        message = f"the recipe searches more than {MAX_DIMENSIONS:,} values"
        error = FormError("L826", (), message, "search fewer")
        collector.note(error, Here(last.path, last.target))
        return Collected(Space(), frozenset(d.target for d in collector.found.values()))
    if collector.found or collector.broken:
        collector.broken |= {target_of(path) for path in collector.unread}
    return Collected(Space(tuple(collector.found.values())), frozenset(collector.broken))


def target_of(path: Path) -> Path:
    """Where what is written at `path` stands in a concrete recipe."""
    target: list[str | int] = []
    parts = iter(path)
    for part in parts:
        if part == "$search":
            break
        if part == "$choose":
            next(parts, None)  # the name of an alternative
        else:
            target.append(part)
    return tuple(target)


class _Collector:
    def __init__(self, document: Document) -> None:
        self.document = document
        self.found: dict[str, Dimension] = {}
        self.broken: set[Path] = set()
        # What the text has wrong already, such as `.inf`, stands in with another value.
        self.unread = document.unread()

    def value(self, data: Any, here: Here) -> None:
        if isinstance(data, list):
            for index, item in enumerate(data):
                self.value(item, here.below(index))
        elif not isinstance(data, dict):
            return
        elif any(key.startswith("$") for key in data):
            self.noting(lambda: self.form(data, here), here)
        else:
            self.mapping(data, here)

    def mapping(self, data: dict[str, Any], here: Here) -> None:
        stacked = [key for key in data if _is_per_layer(data[key])]
        # A dimension stands after the depth that decides whether it counts.
        for key in sorted(data, key=lambda key: bool(stacked) and key != "depth"):
            if key in stacked:
                below = here.below(key)
                self.noting(partial(self.per_layer, data, data[key], below), below)
            else:
                self.value(data[key], here.below(key))

    def form(self, data: dict[str, Any], here: Here) -> None:
        if read_mark(data) == "$choose":
            _check_place("$choose", here)
            self.choose(data, here)
        else:
            _check_place("$search", here)
            leaf = self.leaf(data, here)
            if leaf and leaf.per_layer:
                raise _misplaced_per_layer()
            if leaf:
                self.add(leaf, here, here.dotted, here.conditions)

    def leaf(self, data: dict[str, Any], here: Here) -> Leaf | None:
        path = (*here.path, "$search")
        if any(unread[: len(path)] == path for unread in self.unread):
            self.broken.add(here.target)
            return None
        try:
            return read_leaf(data["$search"])
        except FormError as error:
            error.where = ("$search", *error.where)
            if error.first is not None:
                error.first = ("$search", *error.first)
            raise

    def choose(self, data: dict[str, Any], here: Here) -> None:
        alternatives = read_alternatives(data["$choose"])
        default = next(iter(alternatives))
        try:
            default = read_chosen(data, alternatives)
        except FormError as error:
            self.note(error, here)  # and the alternatives are read all the same
        leaf = Leaf("choose", default, choices=tuple(alternatives))
        self.add(leaf, here, here.dotted, here.conditions)
        for name, alternative in alternatives.items():
            self.value(alternative, here.alternative(name))

    def per_layer(self, layer: dict[str, Any], data: dict[str, Any], here: Here) -> None:
        """One dimension for each layer of a stack, to the greatest depth that it can have."""
        leaf = self.leaf(data, here)
        if leaf is None:
            return
        if len(here.target) != 3 or here.target[0] != "layers" or here.target[2] != "units":
            raise _misplaced_per_layer()
        if "depth" not in layer:
            message = "'per_layer' needs a `depth`: how many layers the stack has"
            hint = "add `depth: 2`, or `depth: {$search: {int: [1, 3]}}`"
            raise FormError("L825", ("$search", "per_layer"), message, hint, at_key=True)
        above = replace(here, path=here.path[:-1], target=here.target[:-1], name=here.name[:-1])
        parent = above.below("depth")
        for number, deep in enumerate(self.depths(layer["depth"], parent, here), start=1):
            conditions = here.conditions
            if parent.dotted in self.found and number > 1:
                conditions = (*conditions, Condition(parent.dotted, deep))
            self.add(leaf, here, f"{here.dotted}.{number}", conditions)

    def depths(self, depth: Any, parent: Here, here: Here) -> list[tuple[int, ...]]:
        """For each layer that the stack can have, the depths with which it has that layer."""
        values = [depth]
        if parent.dotted in self.found:
            # As many as cannot all be depths are enough to say so.
            searched = self.found[parent.dotted].values()
            values = list(islice(searched, MAX_LAYERS + 1))
        elif parent.target in self.broken:
            self.broken.add(here.target)
            return []
        sound = all(isinstance(v, int) and not isinstance(v, bool) for v in values)
        if sound and min(values) >= 1 and max(values) <= MAX_LAYERS:
            layers = range(1, max(values) + 1)
            return [tuple(sorted(d for d in values if d >= number)) for number in layers]
        message = f"beside 'per_layer' the depth is a whole number from 1 to {MAX_LAYERS}"
        hint = "write `depth: 2`, or `depth: {$search: {int: [1, 3]}}`"
        self.note(FormError("L825", (), message, hint), parent)
        self.broken.add(here.target)
        return []

    def add(self, leaf: Leaf, here: Here, name: str, conditions: tuple[Condition, ...]) -> None:
        if name in self.found:
            message = f"two values that are searched would be named '{name}'"
            raise FormError("L822", (), message, "rename one, or leave the point out of its name")
        if len(self.found) > MAX_DIMENSIONS:  # one too many is enough to say so
            return
        self.found[name] = Dimension(
            name=name,
            kind=leaf.kind,
            default=leaf.default,
            conditions=conditions,
            range=leaf.range,
            choices=leaf.choices,
            path=here.path,
            target=here.target,
        )

    def noting(self, read: Callable[[], None], here: Here) -> None:
        """Run `read`; where the form that stands here is wrong, note it."""
        try:
            read()
        except FormError as error:
            self.note(error, here)

    def note(self, error: FormError, here: Here) -> None:
        """Nothing is compiled of what stands here, and nothing more is said of it."""
        place = self.document.place((*here.path, *error.where), at_key=error.at_key)
        notes: tuple[Note, ...] = ()
        if error.first is not None:
            first = (*here.path, *error.first)
            notes = (self.document.note(first, "the first is here", at_key=error.at_key),)
        notes += self.document.origins.notes((*here.path, *error.where), place)
        diagnostic = Diagnostic(
            error.code, error.message, here.target, place, error.hint, notes=notes
        )
        self.document.diagnostics.add(diagnostic)
        self.broken.add(here.target)


def _is_per_layer(form: Any) -> bool:
    if not isinstance(form, dict) or set(form) != {"$search"}:
        return False
    search = form["$search"]
    return isinstance(search, dict) and search.get("per_layer") is True


def _misplaced_per_layer() -> FormError:
    message = "'per_layer' belongs to the `units` of a stack"
    hint = "remove it, or write it at `units` beside a `depth`"
    return FormError("L825", ("$search", "per_layer"), message, hint, at_key=True)


def _check_place(mark: str, here: Here) -> None:
    """Only values below SECTIONS are searched.

    Raises:
        FormError: here is no such value.
    """
    if len(here.target) > 1 and here.target[0] in SECTIONS:
        return
    hint = "what can be searched are values below layers:, runtime:, training: and data:"
    if here.target[:1] == ("inputs",):
        hint = "inputs are what the data gives; search values below layers: or training:"
    elif here.target[:1] == ("outputs",):
        hint = "outputs are the same in every trial; search the layers that give them"
    raise FormError("L821", (mark,), f"'{mark}' cannot stand here", hint, at_key=True)
