"""The description of a recipe's model that `explain` prints, without TensorFlow."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

from lstmgraph.compiler.graph import LAST, OUTPUT, SEQUENCE, Node, Port
from lstmgraph.compiler.machine.kernels import KernelUse, kernel_uses
from lstmgraph.compiler.machine.litert import LiteRTCall, litert_calls
from lstmgraph.compiler.machine.plan import RuntimeRow, explain_runtime
from lstmgraph.explain.loops import LoopRow, once
from lstmgraph.explain.memory import BatchSize, Memory, estimate
from lstmgraph.explain.models import ModelRow, model_rows
from lstmgraph.keras_facts.layers.dense import REVERSE
from lstmgraph.messages.notebook import notebook_html
from lstmgraph.messages.tables import Section, as_markdown, as_text
from lstmgraph.messages.wording import counted, plain_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lstmgraph.compiler.compile import CompiledRecipe
    from lstmgraph.compiler.graph import Graph, GraphInput
    from lstmgraph.compiler.machine.machine import Machine
    from lstmgraph.keras_facts.tensors import TensorSpec

CALLS = ("call", "type", "output", "dtype", "parameters", "mask", "initial state", "kernel")


@dataclass(frozen=True)
class LayerRow:
    """One call of the model.

    `shape` has the batch first; names stand for sizes that only the data determines. `mask`,
    `initial_state` and `kernel` are None if a call has none.
    """

    name: str
    layer: str
    """The recipe's layer that the call is part of."""
    type: str
    calls: str | None
    """The call whose layer, with its weights, this one calls again."""
    inputs: list[str]
    shape: list[int | str]
    dtype: str
    dtype_policy: str
    trainable_parameters: int
    non_trainable_parameters: int
    mask: str | None
    initial_state: dict[str, str] | None
    kernel: str | None
    """That of training."""
    prediction_kernel: str | None
    kernel_reason: str | None
    steps: int = 1
    """How many calls it stands for: a loop is shown once."""

    @property
    def called_type(self) -> str:
        """The type, and for a call of another one's layer whose: ``LSTM of encoder``."""
        return f"{self.type} of {self.calls}" if self.calls else self.type

    @property
    def repeated_type(self) -> str:
        """The same, and for a call in a loop how often it runs: ``LSTM of step_cell x 24``."""
        return f"{self.called_type} x {self.steps}" if self.steps > 1 else self.called_type

    @property
    def kernels(self) -> str:
        """The kernels of training and prediction, ``fused / standard``; "" if it has none."""
        return " / ".join(dict.fromkeys(filter(None, (self.kernel, self.prediction_kernel))))

    @property
    def parameters(self) -> int:
        """The number of all parameters, trainable or not."""
        return self.trainable_parameters + self.non_trainable_parameters


@dataclass(frozen=True)
class TensorRow:
    """An input or an output of the model; `source` is the port that an output is read from."""

    name: str
    shape: list[int | str]
    dtype: str
    source: str | None = None


@dataclass(frozen=True)
class Explanation:
    """The calls of a recipe's model, and how they run; ``str()`` returns the tables.

    Shapes of sequences are ``(batch, time, units)``, of time-major inputs ``(time, batch, units)``.
    """

    recipe: str
    inputs: list[TensorRow]
    layers: list[LayerRow]
    outputs: list[TensorRow]
    runtime: list[RuntimeRow]
    loops: list[LoopRow] = field(default_factory=list)
    """The loops, of which `layers` has the calls of one step."""
    models: list[ModelRow] = field(default_factory=list)
    """The further models of the recipe."""
    litert: list[LiteRTCall] = field(default_factory=list)
    """How a LiteRT file runs each recurrent call."""
    memory: Memory | None = None
    """The memory estimate for a batch, if a size was given."""
    searched: int = 0
    """How many values the recipe leaves open for a search, described with their defaults."""

    @property
    def calls(self) -> int:
        """The number of calls, those of all steps of loops included."""
        return sum(row.steps for row in self.layers)

    @property
    def trainable_parameters(self) -> int:
        """The number of trainable parameters of all layers."""
        return sum(row.trainable_parameters for row in self.layers)

    @property
    def non_trainable_parameters(self) -> int:
        """The number of other parameters of all layers."""
        return sum(row.non_trainable_parameters for row in self.layers)

    def as_dict(self) -> dict[str, Any]:
        """Return the stable form that ``--format json`` prints, described in docs/json.md."""
        totals = {
            "layers": self.calls,
            "trainable_parameters": self.trainable_parameters,
            "non_trainable_parameters": self.non_trainable_parameters,
            "parameters": self.trainable_parameters + self.non_trainable_parameters,
        }
        models = [model.as_dict() for model in self.models]
        own = asdict(replace(self, models=[], memory=None))
        del own["memory"]  # which stands last
        memory = self.memory and self.memory.as_dict()
        return {**own, "models": models, "totals": totals, "memory": memory}

    def totals_text(self) -> str:
        """Return the numbers of calls and parameters as text."""
        total = self.trainable_parameters + self.non_trainable_parameters
        return (
            f"{counted(self.calls, 'call')}, {counted(total, 'parameter')}, "
            f"{self.trainable_parameters:,} of them trainable"
        )

    def markdown(self) -> str:
        """Return the tables as Markdown for GitHub."""
        return as_markdown(_sections(self))

    def __repr__(self) -> str:
        return f"<Explanation of {self.recipe}: {self.totals_text()}>"

    def _repr_html_(self) -> str:
        return notebook_html(_sections(self))

    def __str__(self) -> str:
        return as_text(_sections(self))


def explain(
    compiled: CompiledRecipe, machine: Machine, size: BatchSize | None = None
) -> Explanation:
    """Describe every input, call and output of a compiled recipe, and how it runs on `machine`.

    Raises:
        SizeError: `size` is given, but does not determine the size of a batch.
    """
    graph = compiled.graph
    used, shown = graph.used_ports(), once(graph)
    kernels = kernel_uses(compiled.declaration.runtime, graph, machine)
    return Explanation(
        recipe=graph.name,
        inputs=[_input(tensor) for tensor in graph.inputs.values()],
        layers=[
            replace(
                _layer(shown.graph, node, primary_output(node, used), kernels.get(node.name)),
                steps=shown.count(node.name),
            )
            for node in shown.graph.nodes
        ],
        outputs=[
            _tensor(name, graph.specs[port], str(port)) for name, port in graph.outputs.items()
        ],
        runtime=explain_runtime(compiled.declaration.runtime, graph, machine),
        loops=list(shown.loops),
        models=model_rows(compiled),
        litert=[call for call in litert_calls(graph) if call.name in shown.graph.by_name],
        memory=estimate(compiled, size) if size else None,
        searched=len(compiled.collected.space.dimensions),
    )


def _input(tensor: GraphInput) -> TensorRow:
    """Return the row of an input, of shape ``(time, batch, ...)`` if it is time-major."""
    row = _tensor(tensor.name, tensor.spec)
    if not tensor.time_major:
        return row
    batch, time, *rest = row.shape
    return replace(row, shape=[time, batch, *rest])


def _tensor(name: str, spec: TensorSpec, source: str | None = None) -> TensorRow:
    return TensorRow(name, list(spec.shape), spec.dtype, source)


def primary_output(node: Node, used: frozenset[Port]) -> str:
    """Return the output of a call that tables show: the sequence if something reads it."""
    if node.recurrence is None:
        return OUTPUT
    return SEQUENCE if Port(node.name, SEQUENCE) in used else LAST


def _layer(graph: Graph, node: Node, output: str, kernel: KernelUse | None) -> LayerRow:
    spec = node.outputs[output]
    recurrence = node.recurrence
    parameters = graph.parameters_of(node)
    states = None
    if recurrence:
        alike = dict.fromkeys(recurrence.slots, "carried" if recurrence.carried else "zeros")
        states = {state.slot: state.label for state in recurrence.states} or alike
    return LayerRow(
        name=node.name,
        layer=node.layer,
        type=type_of(node),
        inputs=[str(port) for port in node.inputs],
        shape=list(spec.shape),
        dtype=spec.dtype,
        dtype_policy=node.dtype_policy,
        calls=node.calls.node if node.calls else None,
        trainable_parameters=parameters.trainable,
        non_trainable_parameters=parameters.non_trainable,
        mask=mask_text(node),
        initial_state=states,
        kernel=kernel.training if kernel else None,
        prediction_kernel=kernel.prediction if kernel else None,
        kernel_reason=kernel.reason if kernel else None,
    )


def type_of(node: Node) -> str:
    """Return the type of a call: Keras's class, ``Bidirectional LSTM`` and so on, or ``join``."""
    recurrence = node.recurrence
    if recurrence is None:
        return f"reverse {node.op}" if node.arguments.get(REVERSE) else node.op
    cells = " + ".join(cell["type"] for cell in recurrence.cells)
    kind = f"{node.op} {cells}" if cells else node.op
    return f"Bidirectional {kind}" if recurrence.bidirectional else kind


def mask_text(node: Node) -> str | None:
    """Return the mask that a call takes or makes as text; None if there is none."""
    if node.drops_mask:
        return "dropped"
    if any(node.input_masks):
        named = zip(node.inputs, node.input_masks, strict=True)
        return ", ".join(f"{port}: {mask or 'none'}" for port, mask in named)
    made = node.mask or node.output_masks.get(OUTPUT)
    return str(made) if made else None


def shape_text(row: LayerRow | TensorRow) -> str:
    """Return a shape as text, such as ``(batch, time, 8)``."""
    return f"({', '.join(str(dim) for dim in row.shape)})"


def calls_section(explanation: Explanation) -> Section:
    """Return the table of inputs and calls."""
    lines = [explanation.totals_text()]
    if explanation.searched:
        values = counted(explanation.searched, "searched value has", "searched values have")
        their = "its default" if explanation.searched == 1 else "their defaults"
        lines.append(f"{values} {their} here; `lstmgraph space` lists what is searched")
    return Section(
        explanation.recipe,
        lines=lines,
        headings=CALLS,
        rows=list(_call_rows(explanation)),
        numbers=frozenset({"parameters"}),
    )


def _sections(explanation: Explanation) -> Iterator[Section]:
    yield calls_section(explanation)
    outputs = [
        (row.name, shape_text(row), row.dtype, row.source or "") for row in explanation.outputs
    ]
    yield Section("outputs", headings=("output", "shape", "dtype", "from"), rows=outputs)
    yield from map(_loop_section, explanation.loops)
    kernels = [
        (row.name, row.kernel, row.prediction_kernel or "", row.kernel_reason or "")
        for row in explanation.layers
        if row.kernel
    ]
    yield Section("kernels", headings=("call", "training", "prediction", "why"), rows=kernels)
    litert = [(call.name, call.kind, call.reason) for call in explanation.litert]
    yield Section("in a LiteRT file", headings=("call", "runs", "why"), rows=litert)
    yield from map(_model_section, explanation.models)
    runtime = [
        (row.key, plain_text(row.value), row.effect) for row in explanation.runtime if row.effect
    ]
    yield Section("on this machine", headings=("setting", "value", "effect"), rows=runtime)
    if explanation.memory:
        yield from explanation.memory.sections()


def _call_rows(explanation: Explanation) -> Iterator[tuple[str, ...]]:
    """Yield a table row for each input and call, with the columns of `CALLS`."""
    for row in explanation.inputs:
        yield row.name, "input", shape_text(row), row.dtype, "", "", "", ""
    for layer in explanation.layers:
        shape, parameters = shape_text(layer), f"{layer.parameters:,}"
        own = (layer.name, layer.repeated_type, shape, layer.dtype, parameters)
        yield *own, layer.mask or "", _states_text(layer), layer.kernels


def _states_text(layer: LayerRow) -> str:
    """Return the sources of the states as text; one for all if they are the same."""
    if not layer.initial_state:
        return ""
    distinct = set(layer.initial_state.values())
    if len(distinct) == 1:
        return distinct.pop()
    return ", ".join(f"{slot}: {label}" for slot, label in layer.initial_state.items())


def _loop_section(loop: LoopRow) -> Section:
    """Return the table of what a step of a loop reads of the step before."""
    rows = [
        (row.port, f"{row.reader}, {row.slot}" if row.slot else row.reader, row.first or "")
        for row in loop.fed_back
    ]
    headings = ("of the step before", "read by", "in the first step")
    return Section(f"loop {loop.name}: {counted(loop.steps, 'step')}", headings=headings, rows=rows)


def _model_section(model: ModelRow) -> Section:
    kind = "" if model.kind == "written" else f" ({model.kind})"
    rows = [
        *(
            _model_row("input", name, spec, model.states.get(name))
            for name, spec in model.inputs.items()
        ),
        *(_model_row("output", name, spec, None) for name, spec in model.outputs.items()),
    ]
    headings = ("", "name", "shape", "dtype", "next time from")
    return Section(f"model {model.name}{kind}", headings=headings, rows=rows)


def _model_row(role: str, name: str, spec: TensorSpec, fed: str | None) -> tuple[str, ...]:
    return role, name, str(spec), spec.dtype, fed or ""
