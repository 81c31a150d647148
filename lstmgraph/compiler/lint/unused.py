"""Layers and inputs that no output needs. The model is built without such layers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lstmgraph.compiler.passes.checks import needed_names
from lstmgraph.compiler.wiring.references import references

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lstmgraph.compiler.lint.checked import Checked

MOST_NAMES = 5


def check_unused(checked: Checked) -> None:
    """W301: a layer that no output needs. W302: such an input.

    Of layers that only read each other, the last one is told, with those before it.
    """
    recipe, unused = checked.recipe, _unused_layers(checked)
    reads = {name: {r.layer for r in references(recipe.layers[name])} for name in unused}
    read_by_unused = set[str]().union(*reads.values())
    for name in unused:
        if name in read_by_unused:
            continue
        message = f"no output needs the layer '{name}', and the model is built without it"
        before = [each for each in _led_by(name, reads) if each != name]
        if before:
            shown = ", ".join(before[:MOST_NAMES]) + (", ..." if len(before) > MOST_NAMES else "")
            message = f"{message} and what it alone reads: {shown}"
        hint = "read it, or remove the layer"
        if name in checked.graph.stacks:
            message = f"only the mask of '{name}' is read, and no output needs the layer"
            hint = "read its output too, or write the mask itself, such as `mask: {value: 0.0}`"
        checked.document.warn("W301", ("layers", name), message, hint=hint, at_key=True)
    for name in _unused_inputs(checked):
        if name not in read_by_unused:
            checked.document.warn(
                "W302",
                ("inputs", name),
                f"no output needs the input '{name}', and the model wants data for it all the same",
                hint="read it, or remove the input",
                at_key=True,
            )


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


def _led_by(name: str, reads: dict[str, set[str]]) -> list[str]:
    """The unused layers that `name` is computed from, in the order of the recipe."""
    waiting, found = [name], set[str]()
    while waiting:
        for each in reads[waiting.pop()]:
            if each in reads and each not in found:
                found.add(each)
                waiting.append(each)
    return [each for each in reads if each in found]
