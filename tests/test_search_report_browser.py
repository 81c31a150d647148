"""The report in a browser: its script runs, its charts show something, its table sorts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from programs import browse, needs_browser
from searches import both_objectives

from lstmgraph.tuning.report import report_html

if TYPE_CHECKING:
    from pathlib import Path

PROBE = """
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
publish(JSON.stringify(found));
"""
SIZE = "--window-size=1280,900"


@pytest.mark.slow
@needs_browser
def test_the_report_works_in_a_browser(tmp_path: Path) -> None:
    results = both_objectives(30)
    found, log = browse(report_html(results), PROBE, tmp_path, [SIZE])
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


@pytest.mark.slow
@needs_browser
def test_a_script_that_fails_would_be_seen(tmp_path: Path) -> None:
    broken = report_html(both_objectives(4)).replace('"use strict";', '"use strict"; nothing();')
    assert "nothing is not defined" in browse(broken, PROBE, tmp_path)[1]
