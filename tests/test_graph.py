"""Pictures of models: all of a graph is in each format, and the SVG is drawn well.

Where a golden picture changes and is meant to, run
``REGENERATE_GOLDEN=1 python -m pytest tests/test_graph.py`` and look at it.
"""

from __future__ import annotations

import json
import os
import re
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree

import pytest
from building import WITHOUT_LOOPS
from drawn import compiled, deep, picture, read_dot, read_mermaid, read_svg, wide
from generated import recipes
from hypothesis import HealthCheck, given, settings

import lstmgraph
from lstmgraph.compiler.graph import CONSTANT_STATE, ROW_IDS, UNFOLD
from lstmgraph.explain.drawing import FORMATS

if TYPE_CHECKING:
    from drawn import Arrows
    from generated_base import Generated

    from lstmgraph.compiler.compile import CompiledRecipe
    from lstmgraph.compiler.graph import Graph, Node, Port

ROOT = Path(__file__).parent.parent
KERNELS = {"cudnn", "fused", "standard", "unrolled", "single step"}
"""Which of them a call has, depends on the machine."""
GOLDEN = Path(__file__).parent / "golden" / "drawing"
ENDINGS = {"svg": "svg", "mermaid": "mmd", "dot": "dot"}

TEXTS = {path.stem: path.read_text("utf-8") for path in WITHOUT_LOOPS}
TEXTS |= {"deep": deep(60), "wide": wide(20)}

FEW = settings(
    deadline=None,
    derandomize=True,
    database=None,
    max_examples=20,
    suppress_health_check=list(HealthCheck),
)


def models(recipe: CompiledRecipe) -> list[tuple[str, Graph]]:
    """The recipe's own model, and its further ones."""
    return [("", recipe.graph), *((name, each.graph) for name, each in recipe.models.items())]


def makes_state(node: Node, graph: Graph) -> bool:
    """Learned and constant states are badges, not boxes."""
    ops = [graph.by_name[p.node].op for p in node.inputs if p.node in graph.by_name]
    return node.op in {CONSTANT_STATE, ROW_IDS} or (node.op == "Embedding" and ROW_IDS in ops)


def wanted(graph: Graph) -> set[tuple[str, str]]:
    """Source and target of every tensor that is read, but for masks."""

    def box(port: Port) -> str:
        return f"in_{port.node}" if port.node in graph.inputs else f"call_{port.node}"

    badges = {node.name for node in graph.nodes if makes_state(node, graph)}
    badges -= {port.node for port in graph.outputs.values()}
    found = {(box(port), f"out_{name}") for name, port in graph.outputs.items()}
    for node in graph.nodes:
        states = node.recurrence.states if node.recurrence else ()
        inputs = node.inputs[:1] if node.op == UNFOLD else node.inputs  # the other gives sizes
        sources = [*inputs, *(state.source for state in states if state.source)]
        if node.name not in badges:
            found |= {(box(p), f"call_{node.name}") for p in sources if p.node not in badges}
    return found


def assert_all_is_there(recipe: CompiledRecipe) -> None:
    for model, graph in models(recipe):
        drawing = read_svg(picture(recipe, "svg", model))
        dot_labels, dot_arrows = read_dot(picture(recipe, "dot", model))
        mermaid_labels, mermaid_arrows = read_mermaid(picture(recipe, "mermaid", model))
        arrows: Arrows = set(drawing.lines)
        assert arrows == dot_arrows == mermaid_arrows
        assert set(drawing.boxes) == set(dot_labels) == set(mermaid_labels)
        assert {(a, b) for a, b, kind in arrows if kind != "mask"} == wanted(graph)
        assert {box for a, b, _ in arrows for box in (a, b)} <= set(drawing.boxes)
        for node in graph.nodes:
            if f"call_{node.name}" in drawing.boxes:
                shown = drawing.texts[f"call_{node.name}"]
                label = dot_labels[f"call_{node.name}"]
                assert_is_described(node, graph.parameters_of(node).total, shown, label)


def assert_is_described(node: Node, parameters: int, shown: list[str], label: str) -> None:
    (first, *_) = shown
    assert first == node.name or "…" in first
    if parameters:
        own = f"{parameters:,}"
        assert any(re.match(rf"{own} (\+ [\d,]+ )?parameters?", text) for text in shown)
        assert own in label
    if node.recurrence and node.recurrence.kernel:
        assert any(KERNELS.issuperset(text.split(" / ")) for text in shown)
    is_masked = bool(node.mask) or any(node.input_masks) or node.drops_mask
    assert any(text.startswith("mask") for text in shown) >= is_masked


def assert_drawn_well(text: str) -> None:
    """No boxes overlap, no arrow runs through one, and each ends at the box that it names."""
    drawing = read_svg(text)
    for first, second in combinations(drawing.boxes.values(), 2):
        assert not first.overlaps(second)
    for first, second in combinations(drawing.groups.values(), 2):
        assert not first.overlaps(second)
    for (_, target, _), line in drawing.lines.items():
        for name, box in drawing.boxes.items():
            assert not any(box.has_inside(point) for point in line), (name, target)
        x, y = line[-1]
        end = drawing.boxes[target]
        assert end.left < x < end.right
        assert 0 <= end.top - y <= 6, "the head takes the rest"


@pytest.mark.parametrize("name", TEXTS)
def test_every_box_and_arrow_is_in_every_format(name: str) -> None:
    assert_all_is_there(compiled(TEXTS[name]))


@pytest.mark.parametrize("name", TEXTS)
def test_nothing_overlaps(name: str) -> None:
    recipe = compiled(TEXTS[name])
    for model, _ in models(recipe):
        assert_drawn_well(picture(recipe, "svg", model))


@given(recipes(max_layers=6))
@FEW
def test_random_recipes_are_drawn_whole(generated: Generated) -> None:
    recipe = compiled(json.dumps(generated.data))
    assert_all_is_there(recipe)
    assert_drawn_well(picture(recipe, "svg"))


def test_a_mask_is_led_to_by_what_it_is_made_from() -> None:
    recipe = compiled(TEXTS["deep"])
    _, arrows = read_dot(picture(recipe, "dot"))
    masked = {f"call_{node.name}" for node in recipe.graph.nodes if node.mask}
    below, waiting = set(), ["in_lengths"]
    while waiting:
        source = waiting.pop()
        found = {b for a, b, _ in arrows if a == source} - below
        below |= found
        waiting += found
    assert len(masked) > 10
    assert masked <= below


def test_states() -> None:
    """Arrows of states are dashed and labelled; learned and constant ones are badges."""
    labels, arrows = read_dot(picture(compiled(TEXTS["learned-states"]), "dot"))
    assert labels["call_reader_1"].endswith("h, c: learned")
    assert labels["call_reader_3"].endswith("h: learned\\nc: 0.1")
    assert ("call_reader_2_h", "call_reader_2", "state") in arrows
    text = picture(compiled(TEXTS["store-forecaster"]), "mermaid")
    assert 'call_encoder_2 -. "h, c" .-> call_decoder' in text
    text = picture(compiled(TEXTS["number-words"]), "mermaid")
    assert 'call_encoder -. "forward h#59; backward h" .-> call_decoder_h' in text
    assert "h, c: carried" in picture(compiled(TEXTS["carried-state"]), "dot")


def test_masks_are_badges() -> None:
    text = """
recipe: 1
name: masks
inputs:
  x: {shape: [time, 4]}
  valid: {shape: [time], dtype: bool}
  sizes: {shape: [], dtype: int32}
layers:
  a: {type: lstm, input: x, units: 2, mask: {value: 0.0}}
  b: {type: lstm, input: x, units: 2, mask: {lengths: sizes}, return_sequences: true}
  c: {type: lstm, input: x, units: 2, mask: {input: valid}}
  d: {type: lstm, input: b, units: 2, mask: none}
  e: {type: lstm, input: b, units: 2}
  f: {type: lstm, input: x, units: 2, mask: {from: b}}
outputs: {a: a, c: c, d: d, e: e, f: f}
"""
    labels, arrows = read_dot(picture(compiled(text), "dot"))
    badges = {name: label.rpartition("\\n")[2] for name, label in labels.items()}
    assert [badges[f"call_{name}"] for name in "abcdef"] == [
        "mask: value 0",
        "mask: lengths sizes",
        "mask: valid",
        "mask: dropped",
        "mask: lengths sizes",
        "mask: lengths sizes",
    ]
    # Where a mask is made, an arrow says from what; where it comes with the input, none is needed.
    masks = {(a, b) for a, b, kind in arrows if kind == "mask"}
    assert masks == {("in_sizes", "call_b"), ("in_valid", "call_c"), ("in_sizes", "call_f")}


def test_groups_are_stacks() -> None:
    drawing = read_svg(picture(compiled(TEXTS["residual-stack"]), "svg"))
    (reader,) = drawing.groups.values()
    for name, box in drawing.boxes.items():
        assert reader.holds(box) == name.startswith("call_reader_")


def test_further_models() -> None:
    recipe = lstmgraph.load(ROOT / "recipes" / "number-words.yaml")
    step = recipe.graph("dot", model="step")
    assert 'digraph "number-words: step"' in step
    assert "next call: next_decoder_h" in read_dot(step)[0]["in_decoder_h"]
    assert ("call_decoder", "out_next_decoder_h", "state") in read_dot(step)[1]
    with pytest.raises(ValueError, match="no further model 'stop'; did you mean 'step'\\?"):
        recipe.graph(model="stop")


def test_wrong_words() -> None:
    recipe = lstmgraph.load(ROOT / "recipes" / "unrolled.yaml")
    with pytest.raises(ValueError, match="no format png; there are: svg, mermaid, dot"):
        recipe.graph("png")
    with pytest.raises(ValueError, match="no theme blue; there are: auto, light, dark"):
        recipe.graph(theme="blue")


HOSTILE = (
    "a \"quoted\" <b>tag</b> & ]]> --> `tick` %%{init: {'theme':'dark'}}%% # } end\\nclick x call "
    "f(1) \\\\N \\u0001\\ud800 ${x} \\u2603 </svg><script>alert(1)</script>"
)


@pytest.mark.parametrize("language", FORMATS)
def test_hostile_texts(language: str) -> None:
    """Names are letters, digits and underscores, but may be words of each language."""
    text = """
recipe: 1
name: hostile
inputs: {end: {shape: [time, 8]}, graph: {shape: [time, 8]}, o: {shape: [5]}}
layers:
  subgraph: {type: lstm, input: [end, graph], units: 4, depth: 2, return_sequences: true}
  style: {type: lstm, input: subgraph, units: 4}
  click: {type: dense, input: o, units: 4}
  node: {type: add, input: [style, click]}
  NAME: {type: dense, input: node, units: 1}
outputs: {class: NAME, digraph: subgraph.state}
""".replace("NAME", "n" * 100)
    recipe = compiled(text)
    object.__setattr__(recipe.declaration, "description", json.loads(f'"{hostile_json()}"'))
    written = picture(recipe, language)
    written.encode("utf-8")
    if language == "svg":
        root = ElementTree.fromstring(written)
        description = root.find("{http://www.w3.org/2000/svg}desc")
        assert "<b>tag</b> & ]]>" in description.text
        assert "<script>alert(1)</script>" in description.text
        assert "\ufffd\ufffd" in description.text
        assert not list(root.iter("{http://www.w3.org/2000/svg}script"))
        assert len(read_svg(written).boxes) == 15
    elif language == "dot":
        assert 'a \\"quoted\\"' in written
        assert "\\\\N \ufffd\ufffd" in written
        assert len(read_dot(written)[0]) == 15
    else:
        assert "%%" not in written
        assert "<b>" not in written
        assert len(read_mermaid(written)[0]) == 15


def hostile_json() -> str:
    return HOSTILE.replace('"', '\\"')


@pytest.mark.parametrize("language", FORMATS)
def test_golden(language: str) -> None:
    path = GOLDEN / f"learned-states.{ENDINGS[language]}"
    check(path, picture(compiled(TEXTS["learned-states"]), language))


def test_documented_pictures() -> None:
    """The page has the Mermaid of a shipped recipe, and the SVG beside it is of the same one."""
    recipe = compiled(TEXTS["store-forecaster"])
    check(ROOT / "docs" / "images" / "store-forecaster.svg", picture(recipe, "svg"))
    page = ROOT / "docs" / "graph.md"
    text, block = page.read_text("utf-8"), f"```mermaid\n{picture(recipe, 'mermaid')}```"
    check(page, re.sub(r"```mermaid\n.*?```", lambda _: block, text, flags=re.S))


def check(path: Path, text: str) -> None:
    if os.environ.get("REGENERATE_GOLDEN"):
        path.write_text(text, "utf-8")
    how = "REGENERATE_GOLDEN=1 python -m pytest tests/test_graph.py"
    assert path.read_text("utf-8") == text, f"where it is meant: {how}"


LUMINANCE = (0.2126, 0.7152, 0.0722)


def luminance(colour: str) -> float:
    """Relative luminance, as WCAG 2.2 defines it."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return sum(weight * part for weight, part in zip(LUMINANCE, linear, strict=True))


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_colours_can_be_read(theme: str) -> None:
    """A contrast of 4.5, which WCAG 2.2 asks of text, on every ground that text stands on."""
    recipe = lstmgraph.load(ROOT / "recipes" / "store-forecaster.yaml")
    style = ElementTree.fromstring(recipe.graph(theme=theme)).find(
        "{http://www.w3.org/2000/svg}style"
    )
    assert "@media" not in style.text
    rules = re.findall(r"\.lstmgraph-\w+ (.*?)\{fill:(#\w{6})", style.text)
    fills = {selector.replace(f".lstmgraph-{theme} ", ""): colour for selector, colour in rules}
    grounds = [c for s, c in fills.items() if s.endswith(("rect", "outline", "page"))]
    inks = [fills["text"], fills[".side"]]
    assert len(grounds) == 9
    pairs = [(ink, ground) for ink in inks for ground in grounds]
    pairs += [(fills[".label"], fills[".page"]), (fills[".mask .label"], fills[".page"])]
    for ink, ground in pairs:
        light, dark = sorted((luminance(ink), luminance(ground)), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 4.5, (ink, ground)


def test_the_reader_chooses_between_the_themes() -> None:
    recipe = lstmgraph.load(ROOT / "recipes" / "unrolled.yaml")
    auto, light, dark = (recipe.graph(theme=theme) for theme in ("auto", "light", "dark"))
    colours = [re.findall(r"#\w{6}", text) for text in (auto, light, dark)]
    assert colours[0] == colours[1] + colours[2]
    assert "@media (prefers-color-scheme:dark)" in auto
