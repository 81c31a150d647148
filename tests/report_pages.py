"""Reading a search's report back: as a tree, its pictures, and what they show of each trial."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from xml.etree import ElementTree

import numpy as np

from lstmgraph.tuning.report import report_html

if TYPE_CHECKING:
    from lstmgraph.tuning.search.results import SearchResults

SVG = "{http://www.w3.org/2000/svg}"
Element = ElementTree.Element


def read(results: SearchResults) -> Element:
    """The report as a tree: it is well-formed XML but for the doctype of HTML."""
    text = report_html(results)
    text.encode("utf-8")
    return ElementTree.fromstring(text.removeprefix("<!DOCTYPE html>"))


def words(element: Element) -> str:
    return " ".join("".join(element.itertext()).split())


def pictures(root: Element, kind: str) -> list[Element]:
    return [each for each in root.iter(f"{SVG}svg") if kind in each.get("class", "").split()]


def marks(picture: Element) -> dict[int, Element]:
    """What is drawn for each trial, by its number; no trial may be there twice."""
    found = [each for each in picture.iter() if each.get("data-t")]
    by_number = {int(each.get("data-t", "")): each for each in found}
    assert len(by_number) == len(found)
    return by_number


def corners(element: Element) -> list[tuple[float, float]]:
    """The points of a path; relative commands are left out."""
    return [
        (float(x), float(y))
        for x, y in re.findall(r"[ML](-?[\d.]+) (-?[\d.]+)", element.get("d", ""))
    ]


def place(element: Element, side: str) -> float:
    return float(element.get(side, "nan"))


def assert_in_proportion(pixels: list[float], values: list[float]) -> None:
    """One straight line leads from values to pixels, to the tenth of a pixel that is written."""
    slope, start = np.polyfit(values, pixels, 1)
    assert abs(slope) * (max(values) - min(values)) > 50
    np.testing.assert_allclose(np.array(values) * slope + start, pixels, atol=0.11)


def cells(root: Element) -> dict[int, list[str]]:
    """The rows of the table of trials, by their numbers."""
    (table,) = [each for each in root.iter("table") if each.get("id") == "trials"]
    rows = [row for row in table.iter("tr") if row.get("data-t")]
    return {int(row.get("data-t", "")): ["".join(cell.itertext()) for cell in row] for row in rows}


def losses(results: SearchResults) -> dict[int, float]:
    return {t.number: t.metrics["val_loss"] for t in results.trials if "val_loss" in t.metrics}
