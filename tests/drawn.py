"""Recipes to draw, and pictures read back: SVG as XML, DOT and Mermaid with readers of our own."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from lstmgraph.compiler.compile import CompiledRecipe, compile_document
from lstmgraph.compiler.machine.machine import Machine
from lstmgraph.explain.drawing import draw
from lstmgraph.language.text.document import parse_document

if TYPE_CHECKING:
    from collections.abc import Iterator

SVG = "{http://www.w3.org/2000/svg}"
TOLERANCE = 0.5
"""Pixels: a line that runs along an edge, as places are written to a tenth."""
Point = tuple[float, float]
Arrows = set[tuple[str, str, str]]
"""Source, target and kind."""


def deep(layers: int = 60) -> str:
    """Sums around three layers, skips from the encoder to the decoder, masks, a learned state."""
    half = layers // 3
    lines = [
        "inputs:",
        "  x: {shape: [time, 8]}",
        "  lengths: {shape: [], dtype: int32}",
        "layers:",
    ]
    lines.append("  e0: {type: dense, input: x, units: 32}")
    for i in range(1, half):
        if i % 4 == 3:
            lines.append(f"  e{i}: {{type: add, input: [e{i - 1}, e{i - 3}], mask: none}}")
        else:
            mask = "return_sequences: true, mask: {lengths: lengths}"
            lines.append(f"  e{i}: {{type: lstm, input: e{i - 1}, units: 32, {mask}}}")
    stack = "depth: 2, residual: true, return_sequences: true, initial_state: learned"
    lines.append(f"  code: {{type: lstm, input: e{half - 1}, units: 32, {stack}}}")
    last = "code"
    for i in range(half):
        state = "{constant: 0.5}" if i % 5 == 0 else "zeros"
        own = f"units: 32, return_sequences: true, initial_state: {state}"
        lines.append(f"  d{i}: {{type: lstm, input: {last}, {own}}}")
        last = f"d{i}"
        if i % 4 == 2:
            skip = f"e{half - 1 - i}"
            lines.append(f"  j{i}: {{type: concatenate, input: [{last}, {skip}], mask: none}}")
            lines.append(f"  m{i}: {{type: dense, input: j{i}, units: 32}}")
            last = f"m{i}"
    return with_header("\n".join([*lines, f"outputs: {{y: {last}}}", ""]), "deep")


def wide(branches: int = 20) -> str:
    """Branches beside each other, from three inputs to one output."""
    lines = ["inputs:", *(f"  x{i}: {{shape: [time, 8]}}" for i in range(3)), "layers:"]
    for i in range(branches):
        lines.append(f"  b{i}: {{type: gru, input: x{i % 3}, units: {8 + i}}}")
        lines.append(f"  p{i}: {{type: dense, input: b{i}, units: 4}}")
    names = ", ".join(f"p{i}" for i in range(branches))
    lines += [f"  all: {{type: concatenate, input: [{names}]}}", "outputs: {y: all}", ""]
    return with_header("\n".join(lines), "wide")


def with_header(text: str, name: str) -> str:
    """As in `building`, which would import Keras."""
    return f"recipe: 1\nname: {name}\n{text}"


def compiled(text: str) -> CompiledRecipe:
    return compile_document(parse_document(text))


def picture(recipe: CompiledRecipe, language: str, model: str = "") -> str:
    """On a machine with TensorFlow, wherever the test runs."""
    return draw(recipe, Machine(), language, model)


@dataclass(frozen=True)
class Rectangle:
    left: float
    top: float
    right: float
    bottom: float

    def overlaps(self, other: Rectangle) -> bool:
        return (
            self.left < other.right - TOLERANCE
            and other.left < self.right - TOLERANCE
            and self.top < other.bottom - TOLERANCE
            and other.top < self.bottom - TOLERANCE
        )

    def holds(self, other: Rectangle) -> bool:
        return (
            self.left <= other.left
            and self.top <= other.top
            and self.right >= other.right
            and self.bottom >= other.bottom
        )

    def has_inside(self, point: Point) -> bool:
        x, y = point
        return (
            self.left + TOLERANCE < x < self.right - TOLERANCE
            and self.top + TOLERANCE < y < self.bottom - TOLERANCE
        )


@dataclass
class Drawing:
    """An SVG, read back."""

    boxes: dict[str, Rectangle]
    groups: dict[str, Rectangle]
    lines: dict[tuple[str, str, str], list[Point]]
    """Points of each arrow, many on a curve; the last is that of its head."""
    texts: dict[str, list[str]]


def read_svg(text: str) -> Drawing:
    root = ElementTree.fromstring(text)
    found = Drawing({}, {}, {}, {})
    for group in root.iter(f"{SVG}g"):
        kind = group.get("class", "").split()
        if "data-id" in group.attrib:
            name = group.get("data-id", "")
            assert name not in found.boxes
            found.boxes[name] = outline(group)
            found.texts[name] = ["".join(t.itertext()) for t in group.iter(f"{SVG}text")]
        elif "data-group" in group.attrib:
            found.groups[group.get("data-group", "")] = outline(group)
        elif "data-from" in group.attrib:
            ends = (group.get("data-from", ""), group.get("data-to", ""), kind[1])
            assert ends not in found.lines
            found.lines[ends] = list(points(group.find(f"{SVG}path").get("d", "")))
    return found


def outline(group: ElementTree.Element) -> Rectangle:
    rectangle, polygon = group.find(f"{SVG}rect"), group.find(f"{SVG}polygon")
    if rectangle is not None:
        x, y, w, h = (float(rectangle.get(key, "")) for key in ("x", "y", "width", "height"))
        return Rectangle(x, y, x + w, y + h)
    corners = [pair.split(",") for pair in polygon.get("points", "").split()]
    xs, ys = [float(x) for x, _ in corners], [float(y) for _, y in corners]
    return Rectangle(min(xs), min(ys), max(xs), max(ys))


def points(d: str, steps: int = 24) -> Iterator[Point]:
    """Points of a path of M, V and C, close to each other."""
    x = y = 0.0
    for command, rest in re.findall(r"([MVC])([^MVC]*)", d):
        numbers = [float(each) for each in rest.split()]
        if command == "M":
            x, y = numbers
            yield x, y
            continue
        ends = [x, y, x, numbers[0], x, numbers[0]] if command == "V" else numbers
        x1, y1, x2, y2, x3, y3 = [x, y, *ends[2:]] if command == "V" else ends
        for step in range(1, steps + 1):
            t = step / steps
            a, b, c, e = (1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t**3
            yield a * x + b * x1 + c * x2 + e * x3, a * y + b * y1 + c * y2 + e * y3
        x, y = x3, y3


KINDS_OF_DOT = {"dashed": "state", "dotted": "mask", None: "data"}


def read_dot(text: str) -> tuple[dict[str, str], Arrows]:
    """The labels of nodes by their ids, and the arrows."""
    string = r'"((?:[^"\\]|\\.)*)"'
    nodes, arrows = {}, set()
    for line in text.splitlines():
        arrow = re.fullmatch(rf"\s*{string} -> {string}(?: \[(.*)\])?", line)
        node = re.fullmatch(rf"\s*{string} \[(.*)\]", line)
        if arrow:
            style = re.search(r'style="(\w+)"', arrow[3] or "")
            arrows.add((arrow[1], arrow[2], KINDS_OF_DOT[style and style[1]]))
        elif node:
            nodes[node[1]] = re.search(rf"label={string}", node[2])[1]
        else:
            other = rf"digraph {string} {{|subgraph {string} {{|(graph|node|edge) \[.*\]|}}"
            assert re.fullmatch(rf"\s*(?:{other})", line), line
    return nodes, arrows


LINKS = r"(?:(-->|-\.->|-\.-o)|(?:--|-\.) {} (-->|\.->|\.-o))"
KINDS_OF_LINKS = {
    "-->": "data", "-.->": "state", ".->": "state", "-.-o": "mask", ".-o": "mask"
}  # fmt: skip
MERMAID_STRING = r'"((?:[\w .,:+\-*/()=]|#\d+;|<br/>)*)"'
"""What our own writer may put between quotes: nothing there means anything to Mermaid."""


def read_mermaid(text: str) -> tuple[dict[str, str], Arrows]:
    """The labels of nodes by their ids, and the arrows; a line that is neither has a known form."""
    label = MERMAID_STRING
    nodes, arrows = {}, set()
    first, *rest = text.splitlines()
    assert first == "flowchart TB"
    for line in rest:
        node = re.fullmatch(
            rf"\s+([\w.]+)(?:\(\[{label}\]\)|\{{\{{{label}\}}\}}|\[{label}\])", line
        )
        arrow = re.fullmatch(rf"  ([\w.]+) {LINKS.format(label)} ([\w.]+)", line)
        if node:
            nodes[node[1]] = node[2] or node[3] or node[4]
        elif arrow:
            source, plain, _, labelled, target = arrow.groups()
            arrows.add((source, target, KINDS_OF_LINKS[plain or labelled]))
        else:
            word = r"[\w .,:+\-*/()='!?]*"
            other = rf"subgraph group_\w+ \[{label}\]|end|acc(Title|Descr): {word}"
            other += r"|classDef operation stroke-dasharray: 4 3|class [\w.,]+ operation"
            assert re.fullmatch(rf"\s+(?:{other})", line), line
    return nodes, arrows
