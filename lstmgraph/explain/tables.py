"""Text tables of explanations, with rich."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from lstmgraph.explain.explanation import shape_text
from lstmgraph.explain.sections import CALLS, call_rows, memory_sections
from lstmgraph.messages.rendering.printable import printable
from lstmgraph.messages.tables import as_text, cell
from lstmgraph.messages.wording import plain_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lstmgraph.explain.explanation import Explanation
    from lstmgraph.explain.models import ModelRow

WIDEST = 200


def explanation_text(explanation: Explanation, width: int = WIDEST) -> str:
    """The table of all inputs and calls, the totals, the outputs, and why each kernel runs."""
    buffer = io.StringIO()
    console = Console(file=buffer, width=width, color_system=None, highlight=False)
    console.print(_layer_table(explanation))
    console.print(explanation.totals_text(), markup=False)
    for row in explanation.outputs:
        console.print(
            f"output {row.name}: {shape_text(row)} {row.dtype}, {row.source}", markup=False
        )
    for layer in explanation.layers:
        if layer.kernel:
            text = f"kernel of {layer.name}: {layer.kernel} ({layer.kernel_reason})"
            console.print(text, markup=False)
    for model in explanation.models:
        for line in _model_lines(model):
            console.print(printable(line), markup=False)
    console.print("on this machine:", markup=False)
    for setting in explanation.runtime:
        if setting.effect:
            written = f"{setting.key}: {plain_text(setting.value)}"
            console.print(printable(f"  {written:<22} {setting.effect}"), markup=False)
    text = "\n".join(line.rstrip() for line in buffer.getvalue().splitlines())
    if explanation.memory is None:
        return text
    return f"{text}\n\n{as_text(memory_sections(explanation.memory))}"


def _model_lines(model: ModelRow) -> Iterator[str]:
    kind = "" if model.kind == "written" else f" ({model.kind})"
    yield f"model {model.name}{kind}"
    for name, spec in model.inputs.items():
        fed = model.states.get(name)
        yield f"  input {name}: {spec} {spec.dtype}" + (f", next time from {fed}" if fed else "")
    for name, spec in model.outputs.items():
        yield f"  output {name}: {spec} {spec.dtype}"


def _layer_table(explanation: Explanation) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, title=explanation.recipe, title_justify="left")
    for heading in CALLS[:4]:
        table.add_column(heading, no_wrap=True)
    table.add_column(CALLS[4], justify="right", no_wrap=True)
    for heading in CALLS[5:]:
        table.add_column(heading, overflow="fold")
    for row in call_rows(explanation):
        table.add_row(*map(cell, row))
    return table
