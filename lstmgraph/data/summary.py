"""Summary of data: the examples of each part, the time they span, and every tensor."""

from __future__ import annotations

import io
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from lstmgraph.messages.tables import cell

if TYPE_CHECKING:
    from lstmgraph.data.fields import Field
    from lstmgraph.data.loading import Data
    from lstmgraph.data.problems import DataProblem

WIDEST = 200


@dataclass(frozen=True)
class PartRow:
    """One part; `series` is None without named series, `first` and `last` without times."""

    name: str
    examples: int
    series: int | None
    first: str | None
    last: str | None


@dataclass(frozen=True)
class TensorRow:
    """One tensor that the model is fed; `shape` does not include the batch."""

    name: str
    role: str
    shape: list[int]
    dtype: str


@dataclass(frozen=True)
class DataSummary:
    """The parts and tensors of the data; ``str()`` returns the tables that the command prints."""

    parts: list[PartRow]
    tensors: list[TensorRow]
    warnings: list[DataProblem]

    def as_dict(self) -> dict[str, Any]:
        """Return the stable form that ``--format json`` prints, described in docs/json.md."""
        warnings = [problem.as_dict() for problem in self.warnings]
        return {**asdict(self), "warnings": warnings}

    def __str__(self) -> str:
        buffer = io.StringIO()
        console = Console(file=buffer, width=WIDEST, color_system=None, highlight=False)
        for table in (_parts_table(self.parts), _tensors_table(self.tensors)):
            console.print(table)
        lines = [line.rstrip() for line in buffer.getvalue().splitlines()]
        # rich puts an empty line before and after each table
        return "\n".join(lines[1:-1]).replace("\n\n\n", "\n\n")


def summarized(data: Data) -> DataSummary:
    """Return the counts, time spans and shapes of `data`, without reading any example."""
    source = data.train.source
    tensors = [_tensor(name, "input", field) for name, field in source.inputs.items()]
    tensors += [_tensor(name, "target", field) for name, field in source.targets.items()]
    if source.sample_weight is not None:
        tensors.append(_tensor("sample_weight", "weight", source.sample_weight))
    parts = []
    for name, part in data.parts.items():
        first, last = part.span or (None, None)
        parts.append(PartRow(name, len(part), part.series_count, first, last))
    return DataSummary(parts, tensors, list(data.warnings))


def _tensor(name: str, role: str, field: Field) -> TensorRow:
    return TensorRow(name, role, list(field.shape), str(field.dtype))


def _parts_table(parts: list[PartRow]) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("part", no_wrap=True)
    table.add_column("examples", justify="right", no_wrap=True)
    with_series = any(row.series is not None for row in parts)
    with_times = any(row.first is not None for row in parts)
    if with_series:
        table.add_column("series", justify="right", no_wrap=True)
    for heading in ("targets from", "to") if with_times else ():
        table.add_column(heading, no_wrap=True)
    for row in parts:
        series = [f"{row.series or 0:,}"] if with_series else []
        times = [row.first or "", row.last or ""] if with_times else []
        table.add_row(*map(cell, (row.name, f"{row.examples:,}", *series, *times)))
    return table


def _tensors_table(tensors: list[TensorRow]) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for heading in ("tensor", "role", "shape", "dtype"):
        table.add_column(heading, no_wrap=True)
    for row in tensors:
        shape = ", ".join(str(size) for size in ("batch", *row.shape))
        table.add_row(*map(cell, (row.name, row.role, f"({shape})", row.dtype)))
    return table
