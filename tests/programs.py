"""Programs that are no Python packages. A test is skipped where its program is missing, unless
``LSTMGRAPH_REQUIRED``, names with spaces between, holds its name: then it fails, as in ``.ci/run``.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Sequence

NODE_MODULES = Path(__file__).parent / "npm" / "node_modules"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
BROWSER = next((found for name in BROWSERS if (found := shutil.which(name))), None)
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--enable-logging=stderr", "--virtual-time-budget=600000", "--dump-dom",
)  # fmt: skip
PUBLISH = "const publish = (found) => {document.documentElement.dataset.found = found};"


def needs(name: str, found: object, install: str) -> pytest.MarkDecorator:
    """A mark for tests of the program `name`, which is there where `found` is true."""
    required = name in os.environ.get("LSTMGRAPH_REQUIRED", "").split()
    return pytest.mark.skipif(not (found or required), reason=f"no {name}: {install}")


needs_browser = needs("browser", BROWSER, f"install one of {', '.join(BROWSERS)}")
needs_graphviz = needs("graphviz", shutil.which("dot"), "install Graphviz")


class _Found(HTMLParser):
    """Reads what a page's script published."""

    value: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "html":
            self.value = dict(attrs).get("data-found")


def browse(page: str, script: str, folder: Path, flags: Sequence[str] = ()) -> tuple[Any, str]:
    """Return what `script`, at the end of `page`, hands to ``publish``, and the browser's log.

    The script's text may not end an element: data goes in through `as_script`.
    """
    assert BROWSER, f"none of {', '.join(BROWSERS)} is installed"
    file = folder / "page.html"
    body, end, rest = page.rpartition("</body>")
    file.write_text(f"{body}<script>{PUBLISH}\n{script}</script>{end}{rest}", "utf-8")
    command = [BROWSER, *FLAGS, *flags, f"--user-data-dir={folder / 'profile'}", file.as_uri()]
    run = subprocess.run(command, check=True, capture_output=True, text=True, timeout=240)
    reader = _Found()
    reader.feed(run.stdout)
    assert reader.value, run.stderr
    return json.loads(reader.value), run.stderr


def as_script(data: object) -> str:
    """Return `data` as JavaScript that may stand in a page."""
    return json.dumps(data).replace("</", "<\\/")
