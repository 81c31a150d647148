"""An HTML document of charts, alone in its file, in light and dark."""

from __future__ import annotations

from pathlib import Path

from lstmgraph.explain.charts.markup import Markup, tag

# The page asks for nothing: should a mistake ever let foreign markup in, it cannot either.
POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'"


def document(title: str, style: str, *body: object) -> str:
    """Return a document that is well-formed XML too, with the style of all reports and `style`."""
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", http_equiv="Content-Security-Policy", content=POLICY),
        tag("title", title),
        tag("style", Markup(Path(__file__).with_name("page.css").read_text("utf-8") + style)),
    )
    return f"<!DOCTYPE html>\n{tag('html', head, tag('body', *body), lang='en')}\n"
