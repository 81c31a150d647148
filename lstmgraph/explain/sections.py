"""An explanation as sections of lines and tables: its Markdown, and the memory part of its text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lstmgraph.explain.explanation import shape_text
from lstmgraph.messages.tables import Section
from lstmgraph.messages.wording import plain_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lstmgraph.explain.explanation import Explanation, LayerRow
    from lstmgraph.explain.memory import Memory, Needs
    from lstmgraph.explain.models import ModelRow
    from lstmgraph.keras_facts.tensors import TensorSpec

CALLS = ("call", "type", "output", "dtype", "parameters", "mask", "initial state", "kernel")
MEMORY = ("", "weights", "inputs", "activations", "gradients", "optimizer", "total")


def explanation_sections(explanation: Explanation) -> Iterator[Section]:
    """Everything that an explanation holds."""
    yield Section(
        explanation.recipe,
        lines=[explanation.totals_text()],
        headings=CALLS,
        rows=list(call_rows(explanation)),
        numbers=frozenset({"parameters"}),
    )
    outputs = [
        (row.name, shape_text(row), row.dtype, row.source or "") for row in explanation.outputs
    ]
    yield Section("outputs", headings=("output", "shape", "dtype", "from"), rows=outputs)
    kernels = [
        (row.name, row.kernel, row.kernel_reason or "") for row in explanation.layers if row.kernel
    ]
    yield Section("kernels", headings=("call", "kernel", "why"), rows=kernels)
    yield from map(_model, explanation.models)
    runtime = [
        (row.key, plain_text(row.value), row.effect) for row in explanation.runtime if row.effect
    ]
    yield Section("on this machine", headings=("setting", "value", "effect"), rows=runtime)
    if explanation.memory:
        yield from memory_sections(explanation.memory)


def call_rows(explanation: Explanation) -> Iterator[tuple[str, ...]]:
    """The inputs and the calls, a cell for each of `CALLS`."""
    for row in explanation.inputs:
        yield row.name, "input", shape_text(row), row.dtype, "", "", "", ""
    for layer in explanation.layers:
        shape, parameters = shape_text(layer), f"{layer.parameters:,}"
        own = (layer.name, layer.type, shape, layer.dtype, parameters)
        yield *own, layer.mask or "", states_text(layer), layer.kernel or ""


def _model(model: ModelRow) -> Section:
    kind = "" if model.kind == "written" else f" ({model.kind})"
    rows = [
        *(
            _tensor("input", name, spec, model.states.get(name))
            for name, spec in model.inputs.items()
        ),
        *(_tensor("output", name, spec, None) for name, spec in model.outputs.items()),
    ]
    headings = ("", "name", "shape", "dtype", "next time from")
    return Section(f"model {model.name}{kind}", headings=headings, rows=rows)


def _tensor(role: str, name: str, spec: TensorSpec, fed: str | None) -> tuple[str, ...]:
    return role, name, str(spec), spec.dtype, fed or ""


def memory_sections(memory: Memory) -> Iterator[Section]:
    """What a training step and a prediction take, and what is kept of each call."""
    sizes = ", ".join(f"{name} {size:,}" for name, size in memory.sizes.items())
    needs = {"training": memory.training, "inference": memory.inference}
    yield Section(
        f"memory, estimated: {sizes}",
        headings=MEMORY,
        rows=[(name, *_needs(each)) for name, each in needs.items() if each],
        numbers=frozenset(MEMORY[1:]),
    )
    if memory.training:
        kept = [(name, bytes_text(size)) for name, size in memory.kept.items() if size]
        yield Section(
            "activations of training, by call",
            headings=("call", "kept"),
            rows=kept,
            numbers=frozenset({"kept"}),
        )


def _needs(needs: Needs) -> tuple[str, ...]:
    own = needs.as_dict()
    return tuple(bytes_text(own[key]) for key in MEMORY[1:])


def bytes_text(count: int) -> str:
    """``1.5 MiB``."""
    size = float(count)
    for unit in ("B", "KiB", "MiB"):
        if size < 1024:
            return f"{size:.0f} B" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} GiB"


def states_text(layer: LayerRow) -> str:
    """Where the states come from: once, where all come from one place."""
    if not layer.initial_state:
        return ""
    distinct = set(layer.initial_state.values())
    if len(distinct) == 1:
        return distinct.pop()
    return ", ".join(f"{slot}: {label}" for slot, label in layer.initial_state.items())
