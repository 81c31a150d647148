"""What each pass finds out, written down: one file a recipe, with a section for every pass.

A change in a pass shows here as a difference in a reviewed file. Where the change is meant, run
``REGENERATE_GOLDEN=1 python -m pytest tests/test_passes_golden.py`` and read what git shows.
"""

from __future__ import annotations

import json
import os
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from lstmgraph.defaults import complete
from lstmgraph.document import parse_document
from lstmgraph.expand import expand
from lstmgraph.passes import PASSES
from lstmgraph.read_recipe import read_recipe
from lstmgraph.resolve import resolve
from lstmgraph.schema import check_structure

if TYPE_CHECKING:
    from lstmgraph.graph import Graph, Node

GOLDEN = Path(__file__).parent / "golden"
HOW_TO_REGENERATE = "REGENERATE_GOLDEN=1 python -m pytest tests/test_passes_golden.py"

RECIPES = {
    "joined-stack": """
recipe: 1
name: joined-stack
inputs:
  history: {shape: [time, 8]}
  lengths: {shape: [], dtype: int32}
  store: {shape: [16]}
layers:
  encoder:
    type: lstm
    input: [history, store]
    units: [6, 4]
    mask: {lengths: lengths}
    initial_state: {static: [store], activation: tanh}
  head: {type: dense, input: encoder.sequence, units: 1}
outputs: {head: head, last: encoder.last}
""",
    "bridged": """
recipe: 1
name: bridged
inputs:
  source: {shape: [source_time], dtype: int32}
  target: {shape: [5, 3]}
layers:
  words: {type: embedding, input: source, input_dim: 10, output_dim: 4, mask_zero: true}
  reader: {type: gru, input: words, units: 3, bidirectional: true, merge_mode: sum}
  writer:
    type: gru
    input: target
    units: 6
    initial_state: {from: reader, bridge: concat}
  pooled: {type: global_max_pooling1d, input: reader.sequence, mask: none}
outputs: {writer: writer.sequence, reader: reader.last, pooled: pooled}
runtime: {dtype_policy: mixed_bfloat16}
""",
    "split-states": """
recipe: 1
name: split-states
inputs:
  x: {shape: [4, 2]}
  start: {shape: [3]}
layers:
  masked: {type: masking, input: x}
  first: {type: lstm, input: masked, units: 3, initial_state: {h: start, c: input}}
  second: {type: lstm, input: x, units: 5, initial_state: {from: first, bridge: dense}}
outputs: {second: second, state: first.state}
runtime: {kernel: unrolled}
""",
}


def readable(value: Any) -> Any:
    """Plain JSON of any part of a graph; fields that hold nothing are left out."""
    if is_dataclass(value):
        parts = {f.name: readable(getattr(value, f.name)) for f in fields(value)}
        kept = {name: part for name, part in parts.items() if part not in (None, (), [], {}, "")}
        return {"is": type(value).__name__, **kept} if type(value).__name__ in FORMS else kept
    if isinstance(value, dict):
        return {str(key): readable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [readable(item) for item in value]
    if isinstance(value, set | frozenset):
        return sorted(value)
    return value


FORMS = {
    "Inherited", "NoMask", "MaskByValue", "MaskByLengths", "MaskByInput", "MaskFrom",
    "Zeros", "FromInputs", "FromLayer", "FromStatic", "Split",
}  # fmt: skip
"""Classes whose name says what they mean."""


def dumped_node(node: Node) -> dict[str, Any]:
    """A node on few lines: what the passes find out in full, arguments by name alone."""
    shown = readable(node)
    shown["inputs"] = [str(port) for port in node.inputs]
    shown["arguments"] = sorted(node.arguments)
    shown["outputs"] = {name: f"{spec} {spec.dtype}" for name, spec in node.outputs.items()}
    shown["output_masks"] = {name: str(mask) for name, mask in node.output_masks.items()}
    if node.mask:
        shown["mask"] = f"{node.mask}, padded: {node.mask.padding}"
    if node.recurrence:
        states = [f"{s.slot}: {s.source} ({s.label})" for s in node.recurrence.states]
        shown["recurrence"]["states"] = states
    return {key: part for key, part in shown.items() if part}


def dumped(graph: Graph) -> dict[str, Any]:
    return {
        "inputs": {name: f"{i.spec} {i.spec.dtype}" for name, i in graph.inputs.items()},
        "nodes": [dumped_node(node) for node in graph.nodes],
        "outputs": {name: str(port) for name, port in graph.outputs.items()},
        "stacks": readable(graph.stacks),
    }


def differences(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    """What of `after` is not so in `before`; nodes are compared by name, part by part."""
    known = {node["name"]: node for node in before["nodes"]}
    nodes = [
        {"name": node["name"]}
        | {key: part for key, part in node.items() if known.get(node["name"], {}).get(key) != part}
        for node in after["nodes"]
    ]
    changed = {key: part for key, part in after.items() if before[key] != part}
    if "nodes" in changed:
        order = [node["name"] for node in after["nodes"]] != list(known)
        changed["nodes"] = [node for node in nodes if len(node) > 1 or order]
    return changed


def passes_over(text: str) -> dict[str, Any]:
    """The graph as it is expanded, then what each pass adds to it or changes in it."""
    document = parse_document(text)
    completed = complete(document.data, check_structure(document))
    declaration = read_recipe(completed, document.data)
    graph = expand(declaration, resolve(declaration, document), document)
    sections = {"expand": dumped(graph)}
    before = sections["expand"]
    for each in PASSES:
        graph = each(graph, document)
        after = dumped(graph)
        sections[each.__name__] = differences(before, after)
        before = after
    assert not document.diagnostics
    return sections


@pytest.mark.parametrize("name", RECIPES)
def test_passes_find_what_is_written_down(name: str) -> None:
    found = json.loads(json.dumps(passes_over(RECIPES[name])))
    path = GOLDEN / f"{name}.json"
    if os.environ.get("REGENERATE_GOLDEN"):
        path.write_text(json.dumps(found, indent=1) + "\n", "utf-8")
    wanted = json.loads(path.read_text("utf-8"))
    assert list(found) == list(wanted), f"the passes have changed; {HOW_TO_REGENERATE}"
    for section, part in wanted.items():
        assert found[section] == part, f"after {section}; where it is meant: {HOW_TO_REGENERATE}"


def test_every_golden_file_has_its_recipe() -> None:
    assert {path.stem for path in GOLDEN.glob("*.json")} == set(RECIPES)
