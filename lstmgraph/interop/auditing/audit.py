"""Audit a model: read it, follow its masks and shapes, and ask every rule."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lstmgraph.interop.auditing.finding import ORDER, Finding
from lstmgraph.interop.auditing.rules import (
    inputs,
    losses,
    lost_masks,
    machines,
    numbers,
    odd_masks,
    randomness,
    shapes,
    states,
)
from lstmgraph.interop.auditing.subject import Subject
from lstmgraph.interop.reading import read_model
from lstmgraph.interop.shapes import with_shapes
from lstmgraph.messages.diagnostics import START, Diagnostic, Place
from lstmgraph.messages.notebook import notebook_html
from lstmgraph.messages.rendering.printable import printable
from lstmgraph.messages.rendering.text import render_text
from lstmgraph.messages.tables import Section
from lstmgraph.messages.wording import counted

if TYPE_CHECKING:
    from collections.abc import Mapping

    import keras

    from lstmgraph.interop.auditing.finding import Sure

MODULES = (
    lost_masks,
    odd_masks,
    states,
    shapes,
    numbers,
    losses,
    randomness,
    machines,
    inputs,
)
SEVERITIES: Mapping[Sure, str] = {"certain": "error", "likely": "warning", "possible": "note"}


@dataclass(frozen=True)
class Audit:
    """What `audit` found in a model; ``str()`` is the text that the command prints."""

    source: str
    """The file, or the name of the model in memory."""
    findings: tuple[Finding, ...]
    """The surest first, then in the order in which Keras runs the layers."""

    @property
    def ok(self) -> bool:
        """Return whether nothing is certain or likely to be wrong."""
        return all(finding.sure == "possible" for finding in self.findings)

    def as_dict(self) -> dict[str, Any]:
        """Return the stable form that ``--format json`` prints."""
        found = [finding.as_dict() for finding in self.findings]
        return {"ok": self.ok, "model": self.source, "findings": found}

    def diagnostics(self, *, in_place: bool = False) -> tuple[Diagnostic, ...]:
        """Return the findings as diagnostics, for `lstmgraph.messages.rendering`.

        Args:
            in_place: whether the layer is named in the place, as text shows it, and not before
                the message, as formats do that know only files.
        """
        return tuple(self._diagnostic(finding, in_place) for finding in self.findings)

    def _diagnostic(self, finding: Finding, in_place: bool) -> Diagnostic:
        where = f"{self.source} {finding.place}".rstrip()
        before = f"layer '{finding.place}': " if finding.place and not in_place else ""
        number = f" ({finding.number})" if finding.number else ""
        return Diagnostic(
            finding.code,
            f"{before}{finding.message}{number}",
            ("layers", finding.place) if finding.place else (),
            Place(where if in_place else self.source, START),
            _one_line(finding.keras),
            SEVERITIES[finding.sure],
        )

    def text(self, *, colour: bool = False) -> str:
        """Return the findings as text, each with what the code seems to say and the fix."""
        blocks = []
        for finding, shown in zip(self.findings, self.diagnostics(in_place=True), strict=True):
            block = render_text([replace(shown, hint=None)], {}, colour=colour)
            rows = [
                ("how sure", finding.sure),
                ("it seems", finding.seems),
                ("in Keras", finding.keras),
                ("recipe", finding.recipe),
            ]
            blocks.append("\n".join([block, *(line for row in rows for line in _row(*row))]))
        counts = [
            f"{number} {sure}"
            for sure in ORDER
            if (number := sum(finding.sure == sure for finding in self.findings))
        ]
        total = counted(len(self.findings), "finding")
        end = f"{printable(self.source)}: {total}{': ' if counts else ''}{', '.join(counts)}"
        return "\n\n".join([*blocks, end])

    def __str__(self) -> str:
        return self.text()

    def _repr_html_(self) -> str:
        headings = ("code", "layer", "how sure", "what it computes", "what it seems", "in Keras")
        rows = [(f.code, f.place, f.sure, _numbered(f), f.seems, f.keras) for f in self.findings]
        total = counted(len(self.findings), "finding")
        return notebook_html([Section(f"{self.source}: {total}", (), headings, rows)])


def _numbered(finding: Finding) -> str:
    return f"{finding.message} ({finding.number})" if finding.number else finding.message


def _one_line(code: str) -> str:
    return "; ".join(line.strip() for line in code.splitlines())


def _row(name: str, text: str) -> list[str]:
    first, *rest = text.splitlines()
    return [
        f"  {name + ':':<10} {printable(first)}",
        *(f"  {'':<10} {printable(line)}" for line in rest),
    ]


def audit(source: str | Path | Mapping[str, Any] | keras.Model, *, run: bool = False) -> Audit:
    """Return where an existing Keras model computes something other than its code seems to say.

    Follows masks, states and shapes by Keras's own rules. Nothing of the model runs, unless `run`.

    Args:
        source: the path of a ``.keras`` file or of a model's JSON, the JSON itself, or a
            ``keras.Model``; a compiled one is audited with its losses and metrics.
        run: whether to run the model on small random data and give findings a number that shows
            them. A file is opened in Keras's safe mode.

    Raises:
        ModelFileError: the model cannot be read; every layer that cannot is named.
        OSError: the file cannot be read.
    """
    model = with_shapes(read_model(source))
    live = None if isinstance(source, (str, Path, dict)) else source
    subject = Subject(model, live)
    found = [finding for module in MODULES for rule in module.RULES for finding in rule(subject)]
    order = {each.layer.name: index for index, each in enumerate(subject.calls)}
    found.sort(key=lambda f: (ORDER.index(f.sure), order.get(f.place.split("/")[-1], -1), f.code))
    if run:
        from lstmgraph.interop.auditing.running import with_numbers  # noqa: PLC0415 - runs Keras

        found = with_numbers(found, subject, source)
    return Audit(model.source or model.name, tuple(dict.fromkeys(found)))
