"""Layers that nothing reads: checked, and without a trace in the graph that is built."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from building import load

import lstmgraph
from lstmgraph.compiler import passes

if TYPE_CHECKING:
    from lstmgraph.compiler.graph import Graph

TEXT = """
inputs: {x: {shape: [time, 4]}}
layers:
BEFORE
  reader: {type: lstm, input: x, units: 3, bidirectional: true, return_sequences: true}
  y: {type: dense, input: reader, units: 4}
AFTER
outputs: {y: y}
"""
UNREAD = {
    "its last output": "{type: dense, input: reader.last, units: 2}",
    "a state": "{type: dense, input: reader.state.forward.h, units: 2}",
    "states of its own": "{type: gru, input: x, units: 2, initial_state: input}",
    "a stack": "{type: lstm, input: reader, units: [3, 3], residual: true, initial_state: learned}",
}


def graph_of(before: str = "", after: str = "") -> Graph:
    text = TEXT.replace("BEFORE", before and f"  a: {before}")
    return load(text.replace("AFTER", after and f"  z: {after}")).compiled.graph


@pytest.mark.parametrize("layer", UNREAD.values(), ids=UNREAD)
def test_the_graph_is_that_of_the_recipe_without_them(layer: str) -> None:
    wanted = graph_of()
    assert graph_of(before=layer) == graph_of(after=layer) == wanted
    assert {port.output for node in wanted.nodes for port in node.reads} == {"output", "sequence"}


def test_what_is_wrong_with_one_is_reported() -> None:
    with pytest.raises(lstmgraph.RecipeError) as caught:
        graph_of(after="{type: lstm, input: reader.last, units: 2}")
    (mistake,) = caught.value.diagnostics
    assert (mistake.code, mistake.path) == ("L402", ("layers", "z", "input"))
    assert mistake.hint == "read the sequence: `reader.sequence`"


def test_every_pass_runs_once(monkeypatch: pytest.MonkeyPatch) -> None:
    runs: Counter[str] = Counter()

    def counted(each: Any) -> Any:
        def run(graph: Any, document: Any) -> Any:
            runs[each.__name__] += 1
            return each(graph, document)

        return run

    monkeypatch.setattr(passes, "PASSES", tuple(map(counted, passes.PASSES)))
    graph_of(after="{type: dense, input: reader.last, units: 2}")
    assert set(runs.values()) == {1}
    assert len(runs) == len(passes.PASSES)
