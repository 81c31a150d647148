"""The report in a browser: its script runs, its charts show something, its table sorts."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from html import unescape
from typing import TYPE_CHECKING, Any

import pytest
from searches import both_objectives

from lstmgraph.tuning.report import report_html

if TYPE_CHECKING:
    from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome")
BROWSER = next((found for name in NAMES if (found := shutil.which(name))), None)
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--enable-logging=stderr",
    "--window-size=1280,900",
    "--dump-dom",
)
PROBE = """<script>
const sizes = (kind) => Array.from(document.querySelectorAll(kind), (each) => {
  const box = each.getBoundingClientRect();
  return [box.width, box.height, each.querySelectorAll("[data-t], .box").length];
});
const column = (index) => Array.from(document.querySelectorAll("#trials tbody tr"),
  (row) => row.cells[index].textContent);
const found = {charts: sizes("svg"), wide: document.documentElement.scrollWidth, orders: []};
for (let click = 0; click < 2; click += 1) {
  document.querySelectorAll("#trials th button")[2].click();
  found.orders.push(column(2));
}
const mark = document.querySelector("svg [data-t='3']");
mark.dispatchEvent(new MouseEvent("mousemove", {bubbles: true, clientX: 9, clientY: 9}));
found.tip = document.getElementById("tip").textContent;
found.hot = document.querySelectorAll(".hot").length;
document.documentElement.dataset.found = JSON.stringify(found);
</script></body>"""


def browse(page: str, folder: Path) -> tuple[dict[str, Any], str]:
    """What the probe found in a page, and what the browser logged."""
    assert BROWSER
    file = folder / "report.html"
    file.write_text(page.replace("</body>", PROBE), "utf-8")
    command = [BROWSER, *FLAGS, f"--user-data-dir={folder / 'profile'}", file.as_uri()]
    run = subprocess.run(command, check=True, capture_output=True, text=True, timeout=120)
    match = re.search(r'data-found="([^"]*)"', run.stdout)
    assert match, run.stderr
    return json.loads(unescape(match[1])), run.stderr


@pytest.mark.skipif(BROWSER is None, reason=f"none of {', '.join(NAMES)} is installed")
def test_the_report_works_in_a_browser(tmp_path: Path) -> None:
    results = both_objectives(30)
    found, log = browse(report_html(results), tmp_path)
    assert "CONSOLE" not in log
    # two courses, learning curves, front, parallel coordinates, five effects, graph
    assert len(found["charts"]) == 11
    assert all(width > 200 and height > 140 and n for width, height, n in found["charts"])
    assert found["wide"] <= 1280
    values = [t.metrics["val_loss"] for t in results.trials if t.metrics]
    empty = [""] * (len(results.trials) - len(values))
    for order, down in zip(found["orders"], (False, True), strict=True):
        assert order == [f"{value:.6g}" for value in sorted(values, reverse=down)] + empty
    assert found["tip"].startswith("trial: 3\nstatus: ")
    assert found["hot"] > 5


@pytest.mark.skipif(BROWSER is None, reason=f"none of {', '.join(NAMES)} is installed")
def test_a_script_that_fails_would_be_seen(tmp_path: Path) -> None:
    broken = report_html(both_objectives(4)).replace('"use strict";', '"use strict"; nothing();')
    assert "nothing is not defined" in browse(broken, tmp_path)[1]
