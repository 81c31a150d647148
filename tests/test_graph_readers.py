"""What `graph` writes, read by Mermaid and by Graphviz: nothing of it may mean something else."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import pytest
from drawn import SVG, compiled, deep, wide
from programs import NODE_MODULES, as_script, browse, needs, needs_browser, needs_graphviz

from lstmgraph.compiler.machine.machine import Machine
from lstmgraph.explain.drawing.dot import dot_text
from lstmgraph.explain.drawing.mermaid import mermaid_text
from lstmgraph.explain.drawing.read_graph import picture_of

if TYPE_CHECKING:
    from lstmgraph.explain.drawing.picture import Picture

    Read = tuple[dict[str, str], set[tuple[str, str, str, str]]]
    """Labels of nodes by their ids; source, target, kind and label of every arrow."""

SHIPPED = sorted((Path(__file__).parent.parent / "recipes").glob("*.yaml"))
MERMAID = NODE_MODULES / "mermaid" / "dist" / "mermaid.min.js"
needs_mermaid = needs(
    "mermaid", MERMAID.exists(), "run `npm ci --ignore-scripts --prefix tests/npm`"
)

WORDS = (
    "end", "graph", "subgraph", "flowchart", "style", "linkStyle", "class", "classDef", "click",
    "call", "href", "default", "direction", "interpolate", "TB", "BT", "LR", "accTitle",
    "accDescr", "node", "edge", "digraph", "strict", "o", "x", "v", "n" * 100, "a__b", "E1",
)  # fmt: skip
"""Names that a recipe's layers may have, and that mean something in one of the two languages."""
TEXT = (
    "a \"quoted\" <b>tag</b> & ]]> --> `tick` %%{init: {'theme':'dark'}}%% # } end\nclick x call "
    "f(1) \\N \\l \x01 ${x} \u2603 &amp; &lt; #35; </svg><script>alert(1)</script> -->"
)


def hostile() -> Picture:
    """Layers with the words' names, one a stack, and a description with signs of each language."""
    layers = ["  reader: {type: lstm, input: first, units: 4, depth: 2, return_sequences: true}"]
    for before, word in zip(("reader", *WORDS), WORDS, strict=False):
        own = "return_sequences: true, depth: 2" if word in {"subgraph", "end"} else ""
        kind = f"type: lstm, {own or 'return_sequences: true'}, initial_state: learned"
        layers.append(f"  {word}: {{{kind}, input: {before}, units: 2, mask: {{lengths: y}}}}")
    text = "\n".join((
        "recipe: 1", "name: end-graph_strict", "layers:", *layers,
        "inputs: {first: {shape: [time, 8]}, y: {shape: [], dtype: int32}}",
        f"outputs: {{state: {WORDS[-1]}, class: reader.state}}", "",
    ))  # fmt: skip
    recipe = compiled(text)
    object.__setattr__(recipe.declaration, "description", TEXT)
    return picture_of(recipe, Machine(), "")


def pictures() -> dict[str, Picture]:
    """Of all models of the shipped recipes, of large ones, and of the one with hostile words."""
    texts = {path.stem: path.read_text("utf-8") for path in SHIPPED}
    texts |= {"deep": deep(60), "wide": wide(20)}
    found = {"hostile": hostile()}
    for name, text in texts.items():
        recipe = compiled(text)
        for model in ("", *recipe.models):
            found[f"{name}:{model}"] = picture_of(recipe, Machine(), model)
    return found


def shown(picture: Picture) -> Read:
    """What a reader must make of a picture."""
    labels = {box.id: "\n".join(box.lines) for box in picture.boxes}
    return labels, {(each.source, each.target, each.kind, each.label) for each in picture.arrows}


# --- Mermaid ---

KINDS = {("normal", "arrow_point"): "data", ("dotted", "arrow_point"): "state"}
KINDS |= {("dotted", "arrow_circle"): "mask"}
READ = """
const read = async (text, index) => {
  const diagram = await mermaid.mermaidAPI.getDiagramFromText(text);
  const drawing = document.createElement("div");
  drawing.innerHTML = (await mermaid.render(`drawing${index}`, text)).svg;
  for (const each of drawing.querySelectorAll("br")) each.replaceWith("\\n");
  const shown = (each) => each.textContent.trim();
  const svg = drawing.querySelector("svg");
  return {
    arrows: diagram.db.getEdges().map((each) => [each.start, each.end, each.stroke, each.type]),
    ids: [...diagram.db.getVertices().keys()],
    labels: [...drawing.querySelectorAll(".node")].map(shown),
    links: [...drawing.querySelectorAll(".edgeLabel .edgeLabel")].map(shown),
    groups: [...drawing.querySelectorAll(".cluster")].map(shown),
    classes: [...diagram.db.getVertices().values()].map((each) => each.classes),
    title: [...svg.querySelectorAll(":scope > title")].map(shown),
    elements: [...drawing.querySelectorAll("script, b, iframe, img, a")].map(shown),
  };
};
(async () => {
  mermaid.initialize({startOnLoad: false, maxTextSize: 1e6, maxEdges: 1e4});
  const found = [];
  for (const [index, text] of TEXTS.entries()) {
    found.push(await read(text, index).catch(String));
  }
  publish(JSON.stringify(found));
})();
"""


def in_mermaid(texts: list[str], folder: Path) -> list[dict[str, Any] | str]:
    """What Mermaid reads in each text and draws of it, or its complaint."""
    assert MERMAID.exists(), "run `npm ci --prefix tests/npm`"
    head = f'<meta charset="utf-8"><script src="{MERMAID.as_uri()}"></script>'
    page = f"<!DOCTYPE html><html><head>{head}</head><body></body></html>"
    return browse(page, READ.replace("TEXTS", as_script(texts)), folder)[0]


@needs_browser
@needs_mermaid
def test_mermaid_draws_every_picture(tmp_path: Path) -> None:
    wanted = pictures()
    broken = mermaid_text(wanted["hostile"]).replace("[", "[[", 1)
    texts = [*map(mermaid_text, wanted.values()), broken]
    *found, complaint = in_mermaid(texts, tmp_path)
    assert "Parse error" in complaint
    for (name, picture), read in zip(wanted.items(), found, strict=True):
        assert isinstance(read, dict), (name, read)
        labels, arrows = shown(picture)
        assert set(read["ids"]) == set(labels), name
        assert sorted(read["labels"]) == sorted(labels.values()), name
        assert {(a, b, KINDS[line, head]) for a, b, line, head in read["arrows"]} == {
            arrow[:3] for arrow in arrows
        }
        assert len(read["arrows"]) == len(arrows)
        assert sorted(filter(None, read["links"])) == sorted(a[3] for a in arrows if a[3])
        assert len(read["groups"]) == sum(group is not None for group, _ in picture.parts)
        assert read["title"] == [picture.name], name
        assert not read["elements"], name


# --- Graphviz ---

DASHES = {None: "data", "5,2": "state", "1,5": "mask"}


def svg_of(text: str) -> ElementTree.Element:
    """The SVG that `dot` makes of a graph; it has no complaint."""
    run = subprocess.run(
        ["dot", "-Tsvg"], input=text, capture_output=True, text=True, check=False, timeout=60
    )
    assert not run.stderr, run.stderr
    return ElementTree.fromstring(run.stdout)


def in_graphviz(text: str) -> Read:
    """What `dot` draws, from its SVG."""
    labels, arrows = {}, set()
    for group in svg_of(text).iter(f"{SVG}g"):
        if group.get("class") not in {"node", "edge"}:
            continue
        title = group.find(f"{SVG}title").text
        lines = "\n".join("".join(each.itertext()) for each in group.iter(f"{SVG}text"))
        lines = lines.replace("\xa0", " ")
        if group.get("class") == "node":
            labels[title] = lines
        else:
            source, _, target = title.partition("->")
            dashes = group.find(f".//{SVG}path").get("stroke-dasharray")
            arrows.add((source, target, DASHES[dashes], lines))
    return labels, arrows


@pytest.mark.slow
@needs_graphviz
def test_graphviz_draws_every_picture() -> None:
    for name, picture in pictures().items():
        assert in_graphviz(dot_text(picture)) == shown(picture), name


@needs_graphviz
def test_graphviz_shows_the_description_as_it_is() -> None:
    name = "{http://www.w3.org/1999/xlink}title"
    titles = [each.get(name) for each in svg_of(dot_text(hostile())).iter(f"{SVG}a")]
    assert TEXT.replace("\n", " ").replace("\x01", "\ufffd") in titles


@needs_graphviz
def test_graphviz_would_complain() -> None:
    with pytest.raises(AssertionError, match="syntax error"):
        in_graphviz(dot_text(hostile()).replace("[", "[[", 1))
