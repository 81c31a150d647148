"""What would be trained on: examples of each part, the time they span, and every tensor."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from lstmgraph.messages.tables import Section, as_text

if TYPE_CHECKING:
    from lstmgraph.data.fields import Field
    from lstmgraph.data.loading import Data
    from lstmgraph.data.problems import DataProblem


@dataclass(frozen=True)
class PartRow:
    """One part. `series` is None without named series, `first` and `last` without times."""

    name: str
    examples: int
    series: int | None
    first: str | None
    last: str | None


@dataclass(frozen=True)
class TensorRow:
    """What the model is fed under one name; `shape` leaves out the batch."""

    name: str
    role: str
    shape: list[int]
    dtype: str


@dataclass(frozen=True)
class DataSummary:
    """``str()`` gives the tables that the command prints."""

    parts: list[PartRow]
    tensors: list[TensorRow]
    warnings: list[DataProblem]

    def as_dict(self) -> dict[str, Any]:
        """The stable form that ``--format json`` prints; docs/json.md describes it."""
        warnings = [problem.as_dict() for problem in self.warnings]
        return {**asdict(self), "warnings": warnings}

    def __str__(self) -> str:
        return as_text([_parts_table(self.parts), _tensors_table(self.tensors)])


def summarized(data: Data) -> DataSummary:
    """Counts, spans and shapes of `data`; no example is read."""
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


def _parts_table(parts: list[PartRow]) -> Section:
    columns = {
        "part": [row.name for row in parts],
        "examples": [f"{row.examples:,}" for row in parts],
    }
    if any(row.series is not None for row in parts):
        columns["series"] = [f"{row.series or 0:,}" for row in parts]
    if any(row.first is not None for row in parts):
        columns["targets from"] = [row.first or "" for row in parts]
        columns["to"] = [row.last or "" for row in parts]
    rows = list(zip(*columns.values(), strict=True))
    return Section(headings=tuple(columns), rows=rows, numbers=frozenset({"examples", "series"}))


def _tensors_table(tensors: list[TensorRow]) -> Section:
    rows = [
        (row.name, row.role, f"({', '.join(map(str, ('batch', *row.shape)))})", row.dtype)
        for row in tensors
    ]
    return Section(headings=("tensor", "role", "shape", "dtype"), rows=rows)
