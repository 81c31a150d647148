"""The report of an export: the written file, and how close its outputs are to the model's."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from lstmgraph.compiler.machine.litert import UNROLLED

if TYPE_CHECKING:
    from collections.abc import Iterator
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
    mean_difference: float = 0.0
    """The mean of the differences of all numbers."""


@dataclass(frozen=True)
class MeasureCheck:
    """A measure on unseen data, of the model and of its quantized file."""

    output: str
    name: str
    before: float
    after: float
    loss: float
    """By what part it got worse; below 0 where it got better."""


@dataclass(frozen=True)
class LayerError:
    """How far a layer's values are off in a quantized file, in parts of their root mean square."""

    layer: str
    error: float


@dataclass(frozen=True)
class Quantized:
    """What quantizing changed."""

    kind: str
    plain_size: int
    """The bytes of the file in the recipe's own numbers."""
    has_data: bool
    """Whether outputs were compared on data, and not on random inputs."""
    part: str | None
    """The part of the data that is measured; None without unseen data."""
    measures: list[MeasureCheck]
    layers: list[LayerError]
    """Of LiteRT, the layers whose values are far off, the worst first."""


@dataclass(frozen=True)
class StreamCheck:
    """A comparison of a step model's file, run step by step, with whole sequences."""

    steps: int
    """The steps of each sequence; each but the first begins with the states after the last."""
    sequences: int
    of_model: bool
    """Whether the recipe's own model ran the whole sequences; else the same layers did, as the
    recipe fixes another number of steps."""
    of_data: bool
    """Whether the sequences are those of the data, repeated where they are shorter."""
    outputs: list[OutputCheck]


@dataclass(frozen=True)
class ExportReport:
    """The report of one file, which was written, run, and found to compute what the model does."""

    format: str
    path: Path
    inputs: list[TensorSignature]
    outputs: list[OutputCheck]
    tolerance: float
    """The difference that was allowed, relative to an output's largest value; of a quantized file
    the mean difference."""
    batches: int
    """The number of batches compared, random ones or of the data."""
    operators: list[str]
    """The kinds of operators in the file, by the format's names; empty for ``keras``."""
    opset: int | None = None
    """For ONNX: the version of its operators."""
    size: int = 0
    """The bytes of the file; of a C file, those of the model in it."""
    arena: int | None = None
    """Of a LiteRT file with fixed sizes, the bytes of all values between operators."""
    header: Path | None = None
    """Of a C file, the header that programs include."""
    quantized: Quantized | None = None
    """What quantizing changed, of a file that is quantized."""
    device: str | None = None
    """The machine that the file was checked for."""
    ran_on_device: bool = False
    """Whether the file was also run as that machine runs it."""
    vocabularies: Path | None = None
    """The file with the vocabularies by which texts become inputs, if the format holds no texts."""
    recurrent: list[LiteRTCall] = field(default_factory=list)
    """For LiteRT: how the file runs each recurrent call."""
    model: str = ""
    """The name of the model under ``models:``; "" for the recipe's own."""
    states: dict[str, str | None] = field(default_factory=dict)
    """Of a further model: by state input, the output that feeds it in the next call."""
    begins: dict[str, str] = field(default_factory=dict)
    """Of a step model: what each state is before the first step: ``zeros``, ``input`` (the recipe's
    input of that name) or ``start`` (the start model's output of that name)."""
    stream: StreamCheck | None = None
    """Of a step model: the check of many steps."""
    unchecked: str = ""
    """Why many steps of a step model were not checked."""
    others: list[ExportReport] = field(default_factory=list)
    """The reports of the other models in the file."""

    def as_dict(self) -> dict[str, Any]:
        """Return the stable form that ``--format json`` prints; docs/json.md describes it."""
        return {
            **asdict(self),
            "path": str(self.path),
            "header": self.header and str(self.header),
            "vocabularies": self.vocabularies and str(self.vocabularies),
            "others": [other.as_dict() for other in self.others],
        }

    def __str__(self) -> str:
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        yield f"wrote {self.path}"
        if self.header is not None:
            yield f"wrote {self.header}"
        yield from self._own_lines()
        for other in self.others:
            yield f"model {other.model or 'of the recipe'}, in the same file"
            yield from other._own_lines()

    def _own_lines(self) -> Iterator[str]:
        for output in self.outputs:
            mean = f", on average {output.mean_difference:.1e}" if self.quantized else ""
            yield (
                f"  output {output.name}: differs by at most {output.greatest_difference:.1e}{mean}"
                f"; its largest value is {output.greatest_value:.1e}"
            )
        of_data = self.quantized is not None and self.quantized.has_data
        allowed = "allowed on average" if self.quantized else "allowed"
        yield (
            f"  checked on {self.batches} {'' if of_data else 'random '}batches"
            f"{' of the data' if of_data else ''}; {allowed} is {self.tolerance:.0e} of the "
            "largest value"
        )
        if self.stream is not None:
            yield from _stream_lines(self.stream)
        if self.unchecked:
            yield f"  many steps are not checked: {self.unchecked}"
        for state, fed_by in self.states.items():
            if fed_by is not None:
                begins = BEGINS.get(self.begins.get(state, ""), "").format(model=self.model)
                yield f"  state {state}: feed {fed_by} back{begins}"
        if self.quantized is not None and self.size:
            unrolled = [call.name for call in self.recurrent if call.kind == UNROLLED]
            yield from _quantized_lines(self.quantized, self.size, unrolled)
            yield from _unmeasured(self.quantized, self.model)
        if self.arena is not None:
            yield f"  size: {self.size:,} bytes; values between operators: {self.arena:,} bytes"
        if self.device is not None:
            ran = "ran there too" if self.ran_on_device else NOT_RUN
            yield f"  {self.device}: has all operators; {ran}"
        if self.operators:
            opset = f" of opset {self.opset}" if self.opset is not None else ""
            yield f"  operators{opset}: {', '.join(self.operators)}"
        for call in self.recurrent:
            yield f"  {call.name}: {call.kind} ({call.reason})"
        if self.vocabularies is not None:
            yield f"wrote {self.vocabularies}"
            yield "  the model takes ids, which this file defines"


NOT_RUN = "to run the file as there: pip install 'lstmgraph[micro]'"


BEGINS = {
    "zeros": "; it begins with zeros",
    "input": "; it begins with an input of the recipe",
    "start": "; it begins with what the model {model}.start gives (--model {model}.start)",
}


def _stream_lines(stream: StreamCheck) -> Iterator[str]:
    whole = "the whole sequence" if stream.of_model else "the whole sequence by the same layers"
    kind = "of the data" if stream.of_data else "of random inputs"
    for output in stream.outputs:
        yield (
            f"  {stream.steps:,} steps {kind}, states fed back: {output.name} differs by at most "
            f"{output.greatest_difference:.1e}, on average {output.mean_difference:.1e}, from "
            f"{whole}; its largest value is {output.greatest_value:.1e}"
        )


def _quantized_lines(quantized: Quantized, size: int, unrolled: list[str]) -> Iterator[str]:
    share = size / quantized.plain_size
    yield (
        f"  {quantized.kind}: {size:,} bytes, {share * 100:.0f} % of the "
        f"{quantized.plain_size:,} bytes unquantized"
    )
    if share >= 1 and unrolled:
        yield (
            f"  no smaller: the steps of {', '.join(unrolled)} are written one after another, "
            "which takes more than smaller weights save"
        )
    elif share >= 1:
        yield "  no smaller: small tensors, and layers without an operator for it, stay in float32"
    for measure in quantized.measures:
        yield (
            f"  {measure.output} {measure.name}: {measure.before:.4g} before, {measure.after:.4g} "
            f"after, on the {quantized.part} part"
        )
    if quantized.layers:
        listed = ", ".join(f"{each.layer} {each.error:.0%}" for each in quantized.layers)
        yield f"  far off, in parts of the values: {listed}"


def _unmeasured(quantized: Quantized, model: str) -> Iterator[str]:
    """Yield why accuracy or errors were not measured, of a `model` that is "" for the own one."""
    if model:
        yield "  accuracy and errors are measured on the recipe's own model alone"
    elif not quantized.measures:
        yield "  not measured: --data FILE with a part that was not trained on, or --test FILE"
