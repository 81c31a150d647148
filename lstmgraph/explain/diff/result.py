"""The result of a comparison, as data, text and Markdown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lstmgraph.explain.weight_fit import shapes_text
from lstmgraph.messages.notebook import notebook_html
from lstmgraph.messages.tables import Section, as_markdown, as_text
from lstmgraph.messages.wording import flow

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lstmgraph.explain.diff.items import Change, Difference
    from lstmgraph.explain.weight_fit import LayerTransfer
    from lstmgraph.messages.tables import Row

LONGEST_VALUE = 60


@dataclass(frozen=True)
class Counts:
    """Numbers of parameters."""

    trainable: int
    non_trainable: int

    @property
    def total(self) -> int:
        """The number of all parameters."""
        return self.trainable + self.non_trainable

    def as_dict(self) -> dict[str, int]:
        """Return plain data for JSON."""
        return {
            "parameters": self.total,
            "trainable_parameters": self.trainable,
            "non_trainable_parameters": self.non_trainable,
        }


@dataclass(frozen=True)
class Comparison:
    """The differences between two recipes; ``str()`` returns the text that ``diff`` prints."""

    names: tuple[str, str]
    inputs: Difference
    layers: Difference
    """The differences between calls, of which a stack has several."""
    outputs: Difference
    models: Difference
    """The differences between further models."""
    space: Difference
    """The differences between searched dimensions."""
    settings: tuple[Change, ...]
    """Changes of the name, `runtime`, `training`, `search` and `data`, by dotted path."""
    parameters: tuple[Counts, Counts]
    weights: tuple[LayerTransfer, ...]
    """What ``transfer`` would do with each layer of a file of the first model's weights."""

    @property
    def same(self) -> bool:
        """Whether the models are the same."""
        parts = (self.inputs, self.layers, self.outputs, self.models, self.space, self.settings)
        return not any(parts)

    @property
    def weights_fit(self) -> str:
        """``all`` if every layer of both sides fits, else ``some`` or ``none``."""
        loaded = sum(layer.outcome == "loaded" for layer in self.weights)
        if loaded == len(self.weights):
            return "all"
        return "some" if loaded else "none"

    def as_dict(self) -> dict[str, Any]:
        """Return the stable form that ``--format json`` prints, described in docs/json.md."""
        return {
            "same": self.same,
            "recipes": list(self.names),
            "inputs": self.inputs.as_dict(),
            "layers": self.layers.as_dict(),
            "outputs": self.outputs.as_dict(),
            "models": self.models.as_dict(),
            "space": self.space.as_dict(),
            "settings": [change.as_dict() for change in self.settings],
            "totals": [counts.as_dict() for counts in self.parameters],
            "weights": {
                "fit": self.weights_fit,
                "layers": [layer.as_dict() for layer in self.weights],
            },
        }

    def markdown(self) -> str:
        """Return the comparison as Markdown for GitHub."""
        return as_markdown(self._sections())

    def __str__(self) -> str:
        return as_text(self._sections())

    def __repr__(self) -> str:
        verdict = "no difference" if self.same else "they differ"
        first, second = self.names
        return f"<Comparison of {first} and {second}: {verdict}; {self.weights_fit} weights load>"

    def _repr_html_(self) -> str:
        return notebook_html(self._sections())

    def _sections(self) -> Iterator[Section]:
        """Yield the differences, then the totals and the weights."""
        yield Section(lines=["the models are the same" if self.same else "the models differ"])
        kinds = {
            "inputs": self.inputs,
            "layers": self.layers,
            "outputs": self.outputs,
            "further models": self.models,
            "search space": self.space,
        }
        for title, difference in kinds.items():
            if difference:
                headings = ("", "name", "what", "first", "second")
                yield Section(title, headings=headings, rows=list(_rows(difference)))
        if self.settings:
            rows = [(change.key, *_values(change)) for change in self.settings]
            yield Section("settings", headings=("setting", "first", "second"), rows=rows)
        yield Section("parameters", lines=[_totals(*self.parameters)])
        yield self._weights()

    def _weights(self) -> Section:
        count = len(self.weights)
        loaded = sum(layer.outcome == "loaded" for layer in self.weights)
        if self.weights_fit == "all":
            text = f"all load: each of {count} layers by its name" if count else "there are none"
            return Section("the first's weights in the second", lines=[text])
        rows = [(layer.name, _OUTCOMES[layer.outcome], *_shapes(layer)) for layer in self.weights]
        return Section(
            "the first's weights in the second",
            lines=[f"{loaded} of {count} layers load, by name, with lstmgraph transfer"],
            headings=("layer", "", "first", "second"),
            rows=rows,
        )


_OUTCOMES = {
    "loaded": "loads",
    "shape": "keeps initial values: other shapes",
    "missing": "keeps initial values: the first has no such layer",
    "left over": "not used: the second has no such layer",
}


def _shapes(layer: LayerTransfer) -> tuple[str, str]:
    meant = f"named {layer.meant} there" if layer.meant else ""
    return shapes_text(layer.given) or meant, shapes_text(layer.wanted)


def _rows(difference: Difference) -> Iterator[Row]:
    for before, after in difference.renamed:
        yield "renamed", after, "name", before, after
    for item in difference.removed:
        yield "removed", item.name, "", item.summary, ""
    for item in difference.added:
        yield "added", item.name, "", "", item.summary
    for pair in difference.changed:
        for change in pair.changes:
            yield "changed", pair.name, change.key, *_values(change)


def _values(change: Change) -> tuple[str, str]:
    return _shown(change.before), _shown(change.after)


def _shown(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    text = flow(value)
    return text if len(text) <= LONGEST_VALUE else f"{text[: LONGEST_VALUE - 3]}..."


def _totals(first: Counts, second: Counts) -> str:
    if first == second:
        return f"{first.total:,} in both, {first.trainable:,} of them trainable"
    return (
        f"{first.total:,} in the first, {second.total:,} in the second "
        f"({second.total - first.total:+,}); trainable {first.trainable:,} and "
        f"{second.trainable:,}"
    )
