"""Summary of data: the examples of each part, the time they span, and every tensor."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Protocol

from lstmgraph.data.named import weights_of
from lstmgraph.messages.notebook import notebook_html
from lstmgraph.messages.tables import Section, as_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lstmgraph.data.examples import Examples
    from lstmgraph.data.fields import Field
    from lstmgraph.data.problems import DataProblem


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

    def __repr__(self) -> str:
        parts = ", ".join(f"{row.name} {row.examples:,}" for row in self.parts)
        return f"<DataSummary: {parts}>"

    def __str__(self) -> str:
        return as_text(self._sections())

    def _repr_html_(self) -> str:
        warnings = [Section("warnings", lines=list(map(str, self.warnings)))]
        return notebook_html([*self._sections(), *(warnings if self.warnings else ())])

    def _sections(self) -> list[Section]:
        return [_parts_table(self.parts), _tensors_table(self.tensors)]


class HasParts(Protocol):
    """What is summarized: ``Data``, whose module stands above this one."""

    @property
    def train(self) -> Examples: ...  # noqa: D102
    @property
    def parts(self) -> Mapping[str, Examples]: ...  # noqa: D102
    @property
    def warnings(self) -> Sequence[DataProblem]: ...  # noqa: D102


def summarized(data: HasParts) -> DataSummary:
    """Counts, spans and shapes of `data`; no example is read."""
    source = data.train.source
    tensors = [_tensor(name, "input", field) for name, field in source.inputs.items()]
    tensors += [_tensor(name, "target", field) for name, field in source.targets.items()]
    tensors += [
        _tensor(weights_of(name), "weight", field) for name, field in source.sample_weights.items()
    ]
    parts = []
    for name, part in data.parts.items():
        first, last = part.span or (None, None)
        parts.append(PartRow(name, len(part), part.series_count, first, last))
    return DataSummary(parts, tensors, list(data.warnings))


def _tensor(name: str, role: str, field: Field) -> TensorRow:
    return TensorRow(
        name, role, list(field.shape), "text" if field.dtype.kind == "O" else str(field.dtype)
    )


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
