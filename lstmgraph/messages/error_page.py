"""Read docs/errors.md, the page of all codes, which ships with the package."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from lstmgraph.resources import folder

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PAGE = "errors.md"

_HEADING = re.compile(r"^### ([A-Z]\d{3}): (.+)\n", re.M)
_END = re.compile(r"^## [A-Z]", re.M)
_LINK = re.compile(r"\[([^\]]*)\]\([^)]*\)")
_FENCE = "```"


@dataclass(frozen=True)
class Section:
    """The section of the page about one code."""

    code: str
    title: str
    text: str
    """Markdown without the heading."""

    @property
    def anchor(self) -> str:
        """The anchor that GitHub gives the heading: ``l203-an-unknown-key``."""
        heading = f"{self.code}: {self.title}".lower()
        return re.sub(r"[^\w\- ]", "", heading).replace(" ", "-")

    def plain(self) -> str:
        """Return the section for a terminal: code indented, links reduced to their texts."""
        return "\n".join([f"{self.code}: {self.title}", "", *_plain_lines(self.text)])


@cache
def error_sections() -> Mapping[str, Section]:
    """Return the sections by code, in the order of the page."""
    page = (folder("docs") / PAGE).read_text("utf-8")
    _, *parts = _HEADING.split(page)
    texts = (_END.split(text)[0].strip() for text in parts[2::3])
    return {
        code: Section(code, title.strip(), text)
        for code, title, text in zip(parts[::3], parts[1::3], texts, strict=True)
    }


def _plain_lines(text: str) -> Iterator[str]:
    is_code = False
    for line in text.splitlines():
        if line.startswith(_FENCE):
            is_code = not is_code
        elif is_code:
            yield f"    {line}".rstrip()
        else:
            yield _LINK.sub(r"\1", line)
