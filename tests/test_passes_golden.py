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

from lstmgraph.compiler.graph import state_outputs
from lstmgraph.compiler.passes import PASSES
from lstmgraph.compiler.wiring.expand import expand
from lstmgraph.compiler.wiring.resolve import resolve
from lstmgraph.language.declaration.defaults import complete
from lstmgraph.language.declaration.read_recipe import read_recipe
from lstmgraph.language.declaration.recipe import Reference
from lstmgraph.language.schema.structure import check_structure
from lstmgraph.language.text.document import parse_document

if TYPE_CHECKING:
    from lstmgraph.compiler.graph import Graph, Node, Recurrence

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


def form(value: Any) -> str:
    """A mask or state form of the recipe on one line, without its place in the text."""
    parts = {f.name: getattr(value, f.name) for f in fields(value) if f.name != "path"}
    shown = [f"{name}={_form_part(part)}" for name, part in parts.items() if part is not None]
    return f"{type(value).__name__}({', '.join(shown)})"


def _form_part(value: Any) -> str:
    if isinstance(value, tuple):
        return "+".join(_form_part(part) for part in value)
    return form(value) if is_dataclass(value) and not isinstance(value, Reference) else str(value)


def dumped_node(node: Node) -> dict[str, Any]:
    """What the passes find out of a node; Keras arguments are left to the recipe's own tests."""
    shown = {
        "call": f"{node.op}({', '.join(map(str, node.inputs))})",
        "path": ".".join(map(str, node.path)),
        "dtype_policy": node.dtype_policy,
        "mask_form": form(node.mask_form),
        "mask": node.mask and f"{node.mask}, padded: {node.mask.padding}",
        "drops_mask": node.drops_mask,
        "outputs": {name: f"{spec} {spec.dtype}" for name, spec in node.outputs.items()},
        "output_masks": {name: str(mask) for name, mask in node.output_masks.items()},
        "parameters": node.parameters.total and str(node.parameters),
    }
    if node.recurrence:
        shown |= dumped_recurrence(node.recurrence)
    return {key: part for key, part in shown.items() if part}


def dumped_recurrence(recurrence: Recurrence) -> dict[str, Any]:
    return {
        "units": recurrence.units,
        "slots": " ".join(state_outputs(recurrence)),
        "merge_mode": recurrence.merge_mode,
        "padded_output": recurrence.padded_output,
        "state_form": form(recurrence.state_form),
        "states": [f"{s.slot}: {s.source} ({s.label})" for s in recurrence.states],
        "kernel": recurrence.kernel and f"{recurrence.kernel.name}: {recurrence.kernel.reason}",
    }


def dumped(graph: Graph) -> dict[str, Any]:
    return {
        "inputs": {name: f"{i.spec} {i.spec.dtype}" for name, i in graph.inputs.items()},
        "nodes": {node.name: dumped_node(node) for node in graph.nodes},
        "order": " ".join(node.name for node in graph.nodes),
        "outputs": {name: str(port) for name, port in graph.outputs.items()},
        "stacks": {layer: " ".join(names) for layer, names in graph.stacks.items()},
    }


def differences(before: Any, after: Any) -> Any:
    """What of `after` is not so in `before`, part by part."""
    if not (isinstance(before, dict) and isinstance(after, dict)):
        return after
    changed = {
        key: differences(before.get(key), part)
        for key, part in after.items()
        if before.get(key) != part
    }
    return changed | {key: "gone" for key in before if key not in after}


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
