"""Reports of exports: the file, and how close its outputs come to the model's."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class TensorSignature:
    """An input of the file; sizes known only with the data are names."""

    name: str
    shape: list[int | str]
    dtype: str


@dataclass(frozen=True)
class OutputCheck:
    """One output of the file compared with the model's, over all batches of the check."""

    name: str
    dtype: str
    greatest_difference: float
    """Of any number in it."""
    greatest_value: float
    """Of any number in the model's, without its sign."""


@dataclass(frozen=True)
class ExportReport:
    """An exported file, which was run and computes what the model does."""

    format: str
    path: Path
    inputs: list[TensorSignature]
    outputs: list[OutputCheck]
    tolerance: float
    """How far an output may be off, in parts of its greatest value."""
    batches: int
    """How many random batches were compared."""
    operators: list[str]
    """Kinds of operators in the file, by the names of its format; none for ``keras``."""
    opset: int | None = None
    """Of ONNX: the version of its operators."""

    def as_dict(self) -> dict[str, Any]:
        """The stable form that ``--format json`` prints; docs/json.md describes it."""
        return {**asdict(self), "path": str(self.path)}

    def __str__(self) -> str:
        lines = [f"wrote {self.path}"]
        lines += [
            f"  output {output.name}: off by at most {output.greatest_difference:.1e}, "
            f"its greatest value is {output.greatest_value:.1e}"
            for output in self.outputs
        ]
        lines.append(
            f"  checked on {self.batches} random batches; allowed are {self.tolerance:.0e} parts "
            "of the greatest value"
        )
        if self.operators:
            opset = f" of opset {self.opset}" if self.opset is not None else ""
            lines.append(f"  operators{opset}: {', '.join(self.operators)}")
        return "\n".join(lines)
