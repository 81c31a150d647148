"""Warn of layers and inputs that no output needs. The model is built without such layers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lstmgraph.compiler.passes.checks import needed_names
from lstmgraph.compiler.wiring.references import references
from lstmgraph.language.declaration.blocks import called
from lstmgraph.language.declaration.references import entry_references

if TYPE_CHECKING:
    from collections.abc import Container, Iterator

    from lstmgraph.compiler.lint.checked import Checked

MOST_NAMES = 5


def check_unused(checked: Checked) -> None:
    """Warn of what no output needs: a layer (W301), an input (W302), parts of blocks (W303, W304).

    For a chain of unused layers, the warning is for the last one and lists those before it. A layer
    of which only the calls are read is used: the model has its weights.
    """
    reads = _unused_layers(checked)
    called = _only_called(checked, reads)
    by_called = {source: name for name in called for source in reads[name]}
    reads = {name: sources for name, sources in reads.items() if name not in called}
    read_by_unused = set[str]().union(*reads.values())
    for name in reads:
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
    _check_blocks(checked)
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


def _only_called(checked: Checked, unused: Container[str]) -> list[str]:
    """Return those of `unused` whose weights are those of calls that the model makes."""
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


def _unused_layers(checked: Checked) -> dict[str, set[str]]:
    """Return the unused layers, calls of blocks and loops of the recipe, and what each reads."""
    used = _used(checked) | checked.searched_names
    written = checked.recipe.written.items()
    entries = {name: str(caller[1]) for name, (_, caller) in written if caller}
    used |= {name for name, (_, caller) in written if not caller}  # layers that scale
    used |= {entries[name] for name in used & entries.keys()}
    reads: dict[str, set[str]] = {}
    for name, layer in checked.recipe.layers.items():
        if entries.get(name, name) not in used:
            named = {entries.get(read.layer, read.layer) for read in references(layer)}
            reads.setdefault(entries.get(name, name), set()).update(named)
    return {name: named - {name} for name, named in reads.items()}


def _used(checked: Checked) -> set[str]:
    graphs = (checked.graph, *checked.further)
    return {node.layer for graph in graphs for node in graph.nodes}


def _check_blocks(checked: Checked) -> None:
    """Warn of unread layers of blocks (W301), blocks without calls (W303), unread inputs (W304)."""
    data, document = checked.document.data, checked.document
    written = checked.recipe.written.values()
    used = {path[1] for path, _ in written if path[0] == "blocks"}
    for name, block in data.get("blocks", {}).items():
        where = ("blocks", name)
        if name not in used | checked.searched_names:
            message = f"nothing calls the block '{name}', so its layers are not in the model"
            hint = f"write `{{call: {name}, input: NAME}}` under `layers:`, or remove it"
            document.warn("W303", where, message, hint=hint, at_key=True)
        reads = {own: _names_in(entry) for own, entry in block["layers"].items()}
        needed = _needed([text.partition(".")[0] for text in block["outputs"].values()], reads)
        for own in reads.keys() - needed if name not in checked.searched_names else ():
            message = f"no output of the block '{name}' needs its layer '{own}'"
            hint = "read its output, or remove the layer"
            document.warn("W301", (*where, "layers", own), message, hint=hint, at_key=True)
        named = set[str]().union(*reads.values())
        for index, own in enumerate(block["inputs"]):
            if own not in named | checked.searched_names:
                message = f"no layer of the block '{name}' reads its input '{own}'"
                hint = "read it, or remove it from the block and from its calls"
                document.warn("W304", (*where, "inputs", index), message, hint=hint)


def _names_in(entry: dict[str, Any]) -> set[str]:
    """Return the names that an entry of `layers:` refers to, also as what it calls."""
    return {text.partition(".")[0] for text, _, _ in entry_references(entry)} | {called(entry)}


def _needed(names: list[str], reads: dict[str, set[str]]) -> set[str]:
    """Return `names`, and all that they read."""
    needed: set[str] = set()
    while names:
        name = names.pop()
        if name not in needed:
            needed.add(name)
            names += reads.get(name, ())
    return needed


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
