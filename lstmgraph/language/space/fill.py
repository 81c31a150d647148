"""Fill a point of the search space into a document, keeping every position."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from lstmgraph.language.space.collect import Collected, Here
from lstmgraph.language.space.dimensions import text_of
from lstmgraph.language.space.leaves import FormError, read_leaf
from lstmgraph.language.text.document import Document
from lstmgraph.messages.diagnostics import Diagnostics, Path, Place

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lstmgraph.language.space.dimensions import Dimension, Values
    from lstmgraph.language.space.space import Space
    from lstmgraph.language.text.origins import Variable


def assign(data: Any, space: Space, values: Mapping[str, Any]) -> Any:
    """Return a recipe's data with each ``$search`` and ``$choose`` replaced by a value.

    Args:
        data: a recipe's data as written.
        space: its space.
        values: values of dimensions by name; the other dimensions get their defaults.

    Raises:
        SpaceError: if `values` are not a point of the space.
    """
    document = Document(data=data)
    return fill(document, Collected(space), space.point(values)).data


def fill(document: Document, collected: Collected, point: Values) -> Document:
    """Return the concrete document at a point of the space.

    The position of a searched value is that of the bound, choice or default it was taken from.

    Args:
        document: the document as written; not changed.
        collected: what ``collect`` returned for it.
        point: a value for every dimension that applies.
    """
    if not collected.is_searched:
        return document
    filler = _Filler(document, collected.space, point)
    data = filler.value(document.data, Here())
    return Document(
        folder=document.folder,
        data=data,
        values=filler.values,
        keys=filler.keys,
        sources=document.sources,
        diagnostics=Diagnostics(),
        source=document.source,
        origins=replace(document.origins, variables=filler.variables, unknown=set(), searched={}),
        overridden=document.overridden,
    )


def piece(dimension: Dimension, value: Any) -> Path:
    """Return the path in the document of the bound, choice or alternative with this value."""
    if dimension.kind == "choose":
        return (*dimension.path, "$choose", value)
    path = (*dimension.path, "$search", dimension.kind)
    if dimension.kind == "choice":
        texts = [text_of(choice) for choice in dimension.choices]
        return (*path, texts.index(text_of(value)))
    if dimension.range is None or value not in (dimension.range.low, dimension.range.high):
        return path
    return (*path, 0 if value == dimension.range.low else 1)


@dataclass
class _Filler:
    document: Document
    space: Space
    point: Values
    values: dict[Path, Place] = field(default_factory=dict)
    keys: dict[Path, Place] = field(default_factory=dict)
    variables: dict[Path, tuple[Variable, ...]] = field(default_factory=dict)

    def value(self, data: Any, here: Here) -> Any:
        self.record(here.target, here.path)
        if isinstance(data, list):
            return [self.value(item, here.below(i)) for i, item in enumerate(data)]
        if not isinstance(data, dict):
            return data
        if any(key.startswith("$") for key in data):
            return self.form(data, here.defined(self.document))
        # The length of the list of `units` gives the depth.
        skipped = "depth" if self.is_per_layer(here.below("units").dotted) else None
        return {
            key: self.value(item, self.key(here.below(key)))
            for key, item in data.items()
            if key != skipped
        }

    def is_per_layer(self, name: str) -> bool:
        return name not in self.point and f"{name}.1" in self.point

    def key(self, here: Here) -> Here:
        place = self.document.keys.get(here.path)
        if place is not None:
            self.keys[here.target] = place
        return here

    def form(self, data: dict[str, Any], here: Here) -> Any:
        if here.dotted in self.point:
            dimension = self.space.by_name[here.dotted]
            chosen = self.point[here.dotted]
            if dimension.kind == "choose":
                return self.value(data["$choose"][chosen], here.alternative(chosen))
            filled = self.plain(chosen, here.target, self.source(dimension, chosen))
            if here.use:  # a mistake in the value is one of this use
                self.record(here.target, here.use)
            return filled
        layers: list[Any] = []
        while (name := f"{here.dotted}.{len(layers) + 1}") in self.point:
            dimension, chosen = self.space.by_name[name], self.point[name]
            source = self.source(dimension, chosen)
            layers.append(self.plain(chosen, (*here.target, len(layers)), source))
        return layers or self.unused(data, here)

    def unused(self, data: dict[str, Any], here: Here) -> Any:
        """Return the default of a ``per_layer`` in a stack of no layers; None for a wrong form."""
        try:
            leaf = read_leaf(data.get("$search"))
        except FormError:  # it is reported
            return None
        return self.plain(leaf.default, here.target, here.path) if leaf.per_layer else None

    def source(self, dimension: Dimension, chosen: Any) -> Path:
        written = (*dimension.path, "$search", "default")
        is_default = text_of(chosen) == text_of(dimension.default)
        return (
            written if is_default and written in self.document.values else piece(dimension, chosen)
        )

    def plain(self, data: Any, target: Path, path: Path) -> Any:
        """Return a copy of a choice, and record the places of the values in it."""
        self.record(target, path)
        if isinstance(data, list):
            return [self.plain(d, (*target, i), (*path, i)) for i, d in enumerate(data)]
        if not isinstance(data, dict):
            return data
        for key in data:
            if (*path, key) in self.document.keys:
                self.keys[(*target, key)] = self.document.keys[(*path, key)]
        return {k: self.plain(d, (*target, k), (*path, k)) for k, d in data.items()}

    def record(self, target: Path, path: Path) -> None:
        place = self.document.values.get(path)
        if place is not None:
            self.values[target] = place
        variables = self.document.origins.variables.get(path)
        if variables is not None:
            self.variables[target] = variables
