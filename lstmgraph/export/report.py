"""The report of an export: the written file, and how close its outputs are to the model's."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from lstmgraph.compiler.machine.litert import LiteRTCall


@dataclass(frozen=True)
class TensorSignature:
    """An input of the file; the sizes that only the data decides are names."""

    name: str
    shape: list[int | str]
    dtype: str


@dataclass(frozen=True)
class OutputCheck:
    """The comparison of an output of the file with the model's, over all batches."""

    name: str
    dtype: str
    greatest_difference: float
    """The largest difference of any number in the output."""
    greatest_value: float
    """The largest absolute value in the model's output."""


@dataclass(frozen=True)
class ExportReport:
    """The report of one file, which was written, run, and found to compute what the model does."""

    format: str
    path: Path
    inputs: list[TensorSignature]
    outputs: list[OutputCheck]
    tolerance: float
    """The difference that was allowed, relative to an output's largest value."""
    batches: int
    """The number of random batches compared."""
    operators: list[str]
    """The kinds of operators in the file, by the format's names; empty for ``keras``."""
    opset: int | None = None
    """For ONNX: the version of its operators."""
    vocabularies: Path | None = None
    """The file with the vocabularies by which texts become inputs, if the format holds no texts."""
    recurrent: list[LiteRTCall] = field(default_factory=list)
    """For LiteRT: how the file runs each recurrent call."""

    def as_dict(self) -> dict[str, Any]:
        """Return the stable form that ``--format json`` prints; docs/json.md describes it."""
        return {
            **asdict(self),
            "path": str(self.path),
            "vocabularies": self.vocabularies and str(self.vocabularies),
        }

    def __str__(self) -> str:
        lines = [f"wrote {self.path}"]
        lines += [
            f"  output {output.name}: differs by at most {output.greatest_difference:.1e}; "
            f"its largest value is {output.greatest_value:.1e}"
            for output in self.outputs
        ]
        lines.append(
            f"  checked on {self.batches} random batches; allowed is {self.tolerance:.0e} of the "
            "largest value"
        )
        if self.operators:
            opset = f" of opset {self.opset}" if self.opset is not None else ""
            lines.append(f"  operators{opset}: {', '.join(self.operators)}")
        lines += [f"  {call.name}: {call.kind} ({call.reason})" for call in self.recurrent]
        if self.vocabularies is not None:
            lines += [
                f"wrote {self.vocabularies}",
                "  the model takes ids, which this file defines",
            ]
        return "\n".join(lines)
