"""What notebooks show: sections as HTML, and pictures that keep to themselves.

All text is escaped, what no one could see is written out, and MathJax leaves ``$search`` alone.
"""

from __future__ import annotations

from base64 import b64encode
from html import escape
from typing import TYPE_CHECKING

from lstmgraph.messages.rendering.printable import printable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lstmgraph.messages.tables import Section

HIGHEST = "32em"
"""Tables that are higher scroll."""


def notebook_html(sections: Iterable[Section], *pictures: str) -> str:
    """Return the sections as HTML, and below them `pictures` of ``picture_html``."""
    parts = [part for section in sections for part in _parts(section)]
    inner = "\n".join([*parts, *pictures])
    return f'<div class="lstmgraph tex2jax_ignore mathjax_ignore">\n{inner}\n</div>'


def picture_html(svg: str, description: str) -> str:
    """Return an SVG as an image, whose ids and styles are no part of the page that shows it."""
    data = b64encode(svg.encode("utf-8", "replace")).decode("ascii")
    return (
        f'<img src="data:image/svg+xml;base64,{data}" alt="{text_html(description)}" '
        'style="max-width:100%">'
    )


def text_html(text: str) -> str:
    """Return `text` as it may stand between tags and in attributes."""
    return escape(printable(text))


def _parts(section: Section) -> Iterable[str]:
    if section.title:
        yield f"<p><strong>{text_html(section.title)}</strong></p>"
    yield from map(_line, section.lines)
    if section.rows:
        yield _table(section)
    yield from map(_line, section.lines_below)


def _line(line: str) -> str:
    return f'<p style="margin:0.2em 0;white-space:pre-wrap">{text_html(line)}</p>'


def _table(section: Section) -> str:
    sides = ["right" if name in section.numbers else "left" for name in section.headings]
    head = _row("th", section.headings, sides)
    rows = "\n".join(_row("td", row, sides) for row in section.rows)
    return (
        f'<div style="max-height:{HIGHEST};overflow:auto"><table>\n<thead>{head}</thead>\n'
        f"<tbody>\n{rows}\n</tbody>\n</table></div>"
    )


def _row(tag: str, cells: Iterable[str], sides: Iterable[str]) -> str:
    written = (
        f'<{tag} style="text-align:{side}">{text_html(cell)}</{tag}>'
        for cell, side in zip(cells, sides, strict=True)
    )
    return f"<tr>{''.join(written)}</tr>"
