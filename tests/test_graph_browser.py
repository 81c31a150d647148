"""Pictures in a browser: text stays inside its box, in fonts that are common and wide."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from drawn import compiled, deep, picture
from programs import browse, needs_browser

if TYPE_CHECKING:
    from pathlib import Path

FONTS = ("sans-serif", "Arial", "DejaVu Sans", "Liberation Sans")
LONG = f"""
recipe: 1
name: {"long-" * 19}name
inputs:
  {"W" * 100}: {{shape: [{"time_of_day" * 5}, 8]}}
layers:
  {"m" * 100}:
    type: lstm
    input: {"W" * 100}
    units: 1024
    bidirectional: true
    depth: 2
    mask: {{value: -123456.5}}
    initial_state: learned
  y: {{type: dense, input: {"m" * 100}, units: 1}}
outputs: {{{"o" * 100}: y, state: {"m" * 100}.state}}
"""
PROBE = """
const found = [];
for (const font of FONTS) {
  const style = document.createElement("style");
  style.textContent = `svg text { font-family: "${font}" !important; }`.replace('"sans-serif"',
    "sans-serif");
  document.head.append(style);
  for (const box of document.querySelectorAll("[data-id]")) {
    for (const text of box.querySelectorAll("text")) {
      const shape = text.previousElementSibling?.parentElement.matches(".badge")
        ? text.previousElementSibling : box.querySelector(".outline");
      const outer = shape.getBBox(), inner = text.getBBox();
      const right = outer.x + outer.width - inner.x - inner.width;
      found.push([font, text.textContent, Math.min(inner.x - outer.x, right)]);
    }
    const rows = {};
    for (const text of box.querySelectorAll(":scope > text")) {
      const own = text.getBBox(), before = rows[text.getAttribute("y")];
      if (before !== undefined) found.push([font, text.textContent, own.x - before]);
      rows[text.getAttribute("y")] = own.x + own.width;
    }
  }
  style.remove();
}
publish(JSON.stringify(found));
""".replace("FONTS", json.dumps(FONTS))


@pytest.mark.slow
@needs_browser
def test_text_fits(tmp_path: Path) -> None:
    """Every text of a box ends before the box, and before what stands to the right of it."""
    pictures = [picture(compiled(text), "svg") for text in (LONG, deep(60))]
    page = f"<!DOCTYPE html><html><body>{''.join(pictures)}</body></html>"
    found, _ = browse(page, PROBE, tmp_path)
    assert len(found) > 400 * len(FONTS)
    assert not [each for each in found if each[2] < 3], "pixels that are left over"
