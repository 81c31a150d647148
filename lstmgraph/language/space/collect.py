"""Collect the search space of a document from its ``$search`` and ``$choose``."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any

from lstmgraph.language.space.dimensions import Condition, Dimension
from lstmgraph.language.space.leaves import (
    FormError,
    Leaf,
    bare_mark,
    read_alternatives,
    read_chosen,
    read_leaf,
    read_mark,
)
from lstmgraph.language.space.space import Space
from lstmgraph.messages.diagnostics import Diagnostic, Note
from lstmgraph.resources import RECIPE_SCHEMA, read_schema

if TYPE_CHECKING:
    from collections.abc import Callable

    from lstmgraph.language.text.document import Document
    from lstmgraph.messages.diagnostics import Path

SECTIONS = ("blocks", "layers", "runtime", "training", "data")
"""The sections whose values may be searched; the others describe the recipe and its inputs."""

NAMING = ("inputs", "blocks", "layers", "outputs", "models")
"""The sections whose keys are names that the author chooses."""

MAX_DIMENSIONS = 1000
MAX_DECISIONS = 10_000
"""The most combinations of searched variables on which other values depend."""
MAX_LAYERS = 100
"""The most layers of a stack that can each have a dimension."""


OF_PLACES = ("L821",)
"""Codes of mistakes of the use of a searched variable, rather than of its definition."""


@dataclass(frozen=True)
class Collected:
    """A document's space, and the targets of wrong forms, which have no value to compile."""

    space: Space = field(default_factory=Space)
    broken: frozenset[Path] = frozenset()
    has_stacks: bool = False
    """Whether it has a ``per_layer``, which has no dimension in a stack of no layers."""

    @property
    def is_searched(self) -> bool:
        """Whether the document has a ``$search`` or ``$choose``, right or wrong."""
        return bool(self.space.dimensions or self.broken or self.has_stacks)


@dataclass(frozen=True)
class Here:
    """A place in the document.

    `path` is the path in the document, `target` the path in a concrete recipe, and `name` is
    `target` with the names of the alternatives on the way.
    """

    path: Path = ()
    target: Path = ()
    name: tuple[str, ...] = ()
    conditions: tuple[Condition, ...] = ()
    use: Path = ()
    """The path of the use of a variable that is searched; `path` is then that of the variable."""

    def below(self, key: str | int) -> Here:
        """Return the place of the entry `key`."""
        name = (*self.name, str(key))
        path, target = (*self.path, key), (*self.target, key)
        return replace(self, path=path, target=target, name=name, use=())

    def alternative(self, key: str) -> Here:
        """Return the place of the alternative `key` of the ``$choose`` at this place."""
        path = (*self.path, "$choose", key)
        condition = Condition(self.dotted, (key,))
        conditions = (*self.conditions, condition)
        return replace(self, path=path, name=(*self.name, key), conditions=conditions, use=())

    def defined(self, document: Document) -> Here:
        """Return this place, or for a variable that is searched the place of its definition."""
        name = document.origins.searched.get(self.path)
        if name is None:
            return self
        path = ("vars", name)
        return replace(self, path=path, name=path, use=self.path)

    @property
    def dotted(self) -> str:
        """The name of a dimension at this place."""
        return ".".join(self.name)


def collect(document: Document) -> Collected:
    """Return the space of `document`; report mistakes in its forms in its diagnostics."""
    collector = _Collector(document)
    collector.value(document.data, Here())
    if len(collector.dimensions) > MAX_DIMENSIONS:
        last = list(collector.dimensions.values())[-1]
        message = f"the recipe searches more than {MAX_DIMENSIONS:,} values"
        error = FormError("L826", (), message, "search fewer values")
        collector.note(error, Here(last.path, last.target))
        return Collected(
            Space(), frozenset(t for d in collector.dimensions.values() for t in d.targets)
        )
    _check_decisions(collector)
    if collector.dimensions or collector.broken:
        collector.broken |= {target_of(path) for path in collector.unread}
    space = Space(tuple(collector.dimensions.values()))
    return Collected(space, frozenset(collector.broken), collector.has_stacks)


def _check_decisions(collector: _Collector) -> None:
    """Report variables that decide where others apply in too many combinations to count."""
    named = {c.dimension for d in collector.dimensions.values() for c in d.conditions}
    deciding = [d for name, d in collector.dimensions.items() if name in named and d.is_variable]
    combinations = 1
    for dimension in deciding:
        combinations *= dimension.count() or 1
        if combinations > MAX_DECISIONS:
            message = (
                "the searched variables that decide where others apply have more than "
                f"{MAX_DECISIONS:,} combinations"
            )
            error = FormError("L826", (), message, "write this search where it is used")
            collector.note(error, Here(dimension.path, dimension.target))
            return


def target_of(path: Path) -> Path:
    """Return the path in a concrete recipe of the value written at `path`."""
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
        self.dimensions: dict[str, Dimension] = {}
        self.broken: set[Path] = set()
        self.has_stacks = False
        # Values that could not be read, such as `.inf`, have a substitute in the data.
        self.unread = document.unread()

    def value(self, data: Any, here: Here) -> None:
        if isinstance(data, list):
            for index, item in enumerate(data):
                self.value(item, here.below(index))
        elif not isinstance(data, dict):
            return
        elif any(key.startswith("$") for key in data) or self.lacks_mark(data, here):
            here = here.defined(self.document)
            self.reporting(lambda: self.form(data, here), here)
        else:
            self.mapping(data, here)

    def lacks_mark(self, data: dict[str, Any], here: Here) -> bool:
        """Return whether `data` is a search without its ``$``, and not a name of the recipe's."""
        mark = bare_mark(data)
        if mark is None or not is_searchable(here):
            return False
        named = (self.document.data.get(section) for section in NAMING)
        return not any(isinstance(names, dict) and mark in names for names in named)

    def mapping(self, data: dict[str, Any], here: Here) -> None:
        stacked = [key for key in data if _is_per_layer(data[key])]
        # A dimension comes after the depth that decides whether it applies.
        for key in sorted(data, key=lambda key: bool(stacked) and key != "depth"):
            if key in stacked:
                below = here.below(key)
                self.reporting(partial(self.per_layer, data, data[key], below), below)
            else:
                self.value(data[key], here.below(key))

    def form(self, data: dict[str, Any], here: Here) -> None:
        if here.target and here.target[0] not in read_schema(RECIPE_SCHEMA)["properties"]:
            return  # below a misspelt section, which the schema reports
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
            self.note(error, here)  # the alternatives are read nevertheless
        leaf = Leaf("choose", default, choices=tuple(alternatives))
        self.add(leaf, here, here.dotted, here.conditions)
        for name, alternative in alternatives.items():
            self.value(alternative, here.alternative(name))

    def per_layer(self, layer: dict[str, Any], data: dict[str, Any], here: Here) -> None:
        """Add a dimension for each layer of a stack, up to its greatest possible depth."""
        leaf = self.leaf(data, here)
        if leaf is None:
            return
        if here.path in self.document.origins.searched:
            message = "each layer has units of its own, which no variable can name"
            hint = "write the `$search` with `per_layer` at `units` itself"
            raise FormError("L825", (), message, hint)
        if here.target[-3:-2] != ("layers",) or here.target[-1] != "units":
            raise _misplaced_per_layer()
        if "depth" not in layer:
            message = "'per_layer' needs a `depth`, the number of layers in the stack"
            hint = "add `depth: 2`, or `depth: {$search: {int: [1, 3]}}`"
            raise FormError("L825", ("$search", "per_layer"), message, hint, at_key=True)
        above = replace(here, path=here.path[:-1], target=here.target[:-1], name=here.name[:-1])
        parent = above.below("depth").defined(self.document)
        self.has_stacks = True
        depths = self.depths(layer["depth"], parent, here)
        for number, deep in enumerate(depths, start=1):
            conditions = here.conditions
            searched = self.dimensions.get(parent.dotted)
            if searched and (number > 1 or len(deep) < (searched.count() or 0)):
                conditions = (*conditions, Condition(parent.dotted, deep))
            self.add(leaf, here, f"{here.dotted}.{number}", conditions)

    def depths(self, depth: Any, parent: Here, here: Here) -> list[tuple[int, ...]]:
        """Return, for each possible layer of the stack, the depths at which it exists."""
        values = [depth]
        if parent.dotted in self.dimensions:
            # One more than allowed is enough to report the mistake.
            searched = self.dimensions[parent.dotted].values()
            values = list(islice(searched, MAX_LAYERS + 1))
        elif parent.target in self.broken:
            self.broken.add(here.target)
            return []
        sound = all(isinstance(v, int) and not isinstance(v, bool) for v in values)
        if sound and min(values) >= 0 and max(values) <= MAX_LAYERS:
            layers = range(1, max(values) + 1)
            return [tuple(sorted(d for d in values if d >= number)) for number in layers]
        message = f"with 'per_layer' the depth must be a whole number from 0 to {MAX_LAYERS}"
        hint = "write `depth: 2`, or `depth: {$search: {int: [1, 3]}}`"
        self.note(FormError("L825", (), message, hint), parent)
        self.broken.add(here.target)
        return []

    def add(self, leaf: Leaf, here: Here, name: str, conditions: tuple[Condition, ...]) -> None:
        if name in self.dimensions and here.path[:1] == ("vars",):
            first = self.dimensions[name]
            self.dimensions[name] = replace(
                first,
                conditions=_either(first.conditions, conditions),
                targets=(*first.targets, here.target),
            )
            return
        if name in self.dimensions:
            message = f"two searched values would have the name '{name}'"
            raise FormError(
                "L822", (), message, "rename one of them, or remove the dot from its name"
            )
        if len(self.dimensions) > MAX_DIMENSIONS:  # one too many is enough to report the mistake
            return
        self.dimensions[name] = Dimension(
            name=name,
            kind=leaf.kind,
            default=leaf.default,
            conditions=conditions,
            range=leaf.range,
            choices=leaf.choices,
            path=here.path,
            targets=(here.target,),
        )

    def reporting(self, read: Callable[[], None], here: Here) -> None:
        """Run `read`, and report the mistake if the form at this place is wrong."""
        try:
            read()
        except FormError as error:
            self.note(error, here)

    def note(self, error: FormError, here: Here) -> None:
        """Report a mistake in a form; its target is then neither compiled nor reported again."""
        place = self.document.place((*here.path, *error.where), at_key=error.at_key)
        if here.use and error.code in OF_PLACES:
            place = self.document.place(here.use)
        elif here.path[:1] == ("vars",) and any(
            (error.code, place) == (other.code, other.place)
            for other in self.document.diagnostics.found
        ):
            self.broken.add(here.target)  # a mistake of the variable, reported at its first use
            return
        notes: tuple[Note, ...] = ()
        if error.first is not None:
            first = (*here.path, *error.first)
            notes = (self.document.note(first, "the first is here", at_key=error.at_key),)
        notes += self.document.origins.notes(here.use or (*here.path, *error.where), place)
        diagnostic = Diagnostic(
            error.code, error.message, here.target, place, error.hint, notes=notes
        )
        self.document.diagnostics.add(diagnostic)
        self.broken.add(here.target)


def _either(first: tuple[Condition, ...], second: tuple[Condition, ...]) -> tuple[Condition, ...]:
    """Return the conditions that hold wherever those of `first` or those of `second` do."""
    others = {condition.dimension: condition.values for condition in second}
    return tuple(
        replace(each, values=tuple(dict.fromkeys((*each.values, *others[each.dimension]))))
        for each in first
        if each.dimension in others
    )


def _is_per_layer(form: Any) -> bool:
    if not isinstance(form, dict) or set(form) != {"$search"}:
        return False
    search = form["$search"]
    return isinstance(search, dict) and search.get("per_layer") is True


def _misplaced_per_layer() -> FormError:
    message = "'per_layer' is only for the `units` of a stack"
    hint = "remove it, or write it for `units` next to a `depth`"
    return FormError("L825", ("$search", "per_layer"), message, hint, at_key=True)


def is_searchable(here: Here) -> bool:
    """Return whether a value at this place may be searched."""
    return len(here.target) > 1 and here.target[0] in SECTIONS


def _check_place(mark: str, here: Here) -> None:
    """Check that a value at this place may be searched.

    Raises:
        FormError: if the place is not below one of ``SECTIONS``.
    """
    if is_searchable(here):
        return
    hint = "only values below blocks:, layers:, runtime:, training: and data: can be searched"
    if here.target[:1] == ("inputs",):
        hint = "inputs are given by the data; search values below layers: or training:"
    elif here.target[:1] == ("outputs",):
        hint = "outputs are the same in every trial; search the layers that produce them"
    raise FormError("L821", (mark,), f"'{mark}' cannot be used here", hint, at_key=True)
