"""The text of a picture, which a notebook shows as the picture."""

from __future__ import annotations

import hashlib
import re
from typing import Self

_IDS = re.compile(
    r'(aria-labelledby=")(?P<name>[^"\s]*)-title (?P=name)-description(">\s*<title id=")'
    r'(?P=name)-title(">[^<]*</title>\s*<desc id=")(?P=name)-description'
)


class Drawing(str):
    """The text of a picture of a model, as ``Recipe.graph`` returns it: a ``str`` in all else."""

    kind: str
    """``svg``, ``mermaid`` or ``dot``."""
    name: str
    """Of the model."""

    def __new__(cls, text: str, kind: str = "svg", name: str = "") -> Self:
        """Take the text of a picture, its format, and the name of the model that it shows."""
        drawing = super().__new__(cls, text)
        drawing.kind, drawing.name = kind, name
        return drawing

    def __repr__(self) -> str:
        return f"<Drawing of {self.name} as {self.kind}, {len(self):,} characters>"

    def _repr_svg_(self) -> str | None:
        """Return the SVG, with ids that only the same picture has on a page."""
        if self.kind != "svg":
            return None
        own = f"lstmgraph-{hashlib.sha256(self.encode('utf-8', 'replace')).hexdigest()[:12]}"
        title, description = f"{own}-title", f"{own}-description"
        return _IDS.sub(rf"\1{title} {description}\3{title}\4{description}", self, count=1)

    def _repr_markdown_(self) -> str | None:
        """Return Mermaid as a block that JupyterLab and GitHub draw."""
        return f"````mermaid\n{self}````\n" if self.kind == "mermaid" else None
