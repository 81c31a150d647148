"""Warn of layers and inputs that no output needs. The model is built without such layers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lstmgraph.compiler.passes.checks import needed_names
from lstmgraph.compiler.wiring.references import references

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lstmgraph.compiler.lint.checked import Checked

MOST_NAMES = 5


def check_unused(checked: Checked) -> None:
    """Warn of a layer (W301) or an input (W302) that no output needs.

    For a chain of unused layers, the warning is for the last one and lists those before it. A layer
    of which only the calls are read is used: the model has its weights.
    """
    recipe, called = checked.recipe, _only_called(checked)
    unused = [name for name in _unused_layers(checked) if name not in called]
    by_called = {r.layer: name for name in called for r in references(recipe.layers[name])}
    reads = {name: {r.layer for r in references(recipe.layers[name])} for name in unused}
    read_by_unused = set[str]().union(*reads.values())
    for name in unused:
        if name in read_by_unused:
            continue
        message = f"no output needs the layer '{name}', so the model is built without it"
        before = [other for other in _sources(name, reads) if other != name]
        if before:
            shown = ", ".join(before[:MOST_NAMES]) + (", ..." if len(before) > MOST_NAMES else "")
            message = f"{message} and without the layers that only it reads: {shown}"
        hint = "read its output, or remove the layer"
        if name in by_called:
            hint = _beside_calls(by_called[name])
        if name in checked.graph.stacks:
            message = f"only the mask of '{name}' is read, but no output needs the layer"
            hint = "read its output too, or define the mask directly, such as `mask: {value: 0.0}`"
        checked.document.warn("W301", ("layers", name), message, hint=hint, at_key=True)
    for name in _unused_inputs(checked):
        if name not in read_by_unused:
            checked.document.warn(
                "W302",
                ("inputs", name),
                f"no output needs the input '{name}', but the model requires data for it",
                hint=_beside_calls(by_called[name])
                if name in by_called
                else f"{_use(checked, name)}, or remove the input",
                at_key=True,
            )


def _only_called(checked: Checked) -> list[str]:
    """Return the layers whose weights are those of calls, and that are not computed themselves."""
    unused = set(_unused_layers(checked))
    nodes = (node for graph in (checked.graph, *checked.further) for node in graph.nodes)
    return list(dict.fromkeys(n.weights_layer for n in nodes if n.weights_layer in unused))


def _beside_calls(layer: str) -> str:
    """Return what to do with what only a layer reads of which only the calls are computed."""
    return f"only '{layer}' reads it, whose calls alone are read: give it the inputs of a call"


def _use(checked: Checked, name: str) -> str:
    """Return what to do with an input: integers of rows are mostly lengths, bools a mask."""
    spec = checked.graph.inputs[name].spec
    where = "on the first layer that reads the padded sequence"
    if spec.rank == 1 and spec.dtype.startswith(("int", "uint")):
        return f"write `mask: {{lengths: {name}}}` {where}"
    if spec.rank == 2 and spec.dtype == "bool":
        return f"write `mask: {{input: {name}}}` {where}"
    return "read it"


def _unused_layers(checked: Checked) -> list[str]:
    graphs = (checked.graph, *checked.further)
    used = {node.layer for graph in graphs for node in graph.nodes} | checked.searched_names
    return [name for name in checked.recipe.layers if name not in used]


def _unused_inputs(checked: Checked) -> Iterator[str]:
    graph = checked.graph
    needed = needed_names(graph, graph.outputs.values()) | checked.searched_names
    for name in checked.recipe.inputs:
        if name not in needed:
            yield name


def _sources(name: str, reads: dict[str, set[str]]) -> list[str]:
    """Return the unused layers that `name` is computed from, in the order of the recipe."""
    waiting, sources = [name], set[str]()
    while waiting:
        for source in reads[waiting.pop()]:
            if source in reads and source not in sources:
                sources.add(source)
                waiting.append(source)
    return [layer for layer in reads if layer in sources]
