"""The graph of a recipe: one node for each call that the Keras model makes, in call order.

Passes fill in the shapes, masks, states and kernels of the nodes. After the last pass, every
mistake that Keras would report is known, and those that Keras would not report.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from lstmgraph.language.declaration import blocks, intervals, row_numbers, scaling
from lstmgraph.language.declaration.recipe import Inherited, MaskForm, Reference, StateForm, Zeros

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from lstmgraph.keras_facts.tensors import Dim, Resize, TensorSpec
    from lstmgraph.language.declaration.blocks import LoopStep
    from lstmgraph.messages.diagnostics import Path

OUTPUT = "output"
SEQUENCE = "sequence"
LAST = "last"
SCORES = "scores"
"""The attention weights of a call, if something reads them."""

JOIN = "join"
"""Graph operation: join sequences, and static tensors repeated along time, on features."""
CONSTANT_STATE = "constant_state"
"""Graph operation: repeat the same (units,) numbers for every row of a sequence."""
ROW_IDS = "row_ids"
"""Graph operation: return the id 0 for every row of a sequence."""
REPEAT = "repeat"
"""Graph operation: repeat (batch, features) along the axis `axis` of a second tensor."""
MASK = "mask"
"""Graph operation: return the node's own mask as a tensor."""
STEP, STACK, FULL = blocks.STEP, blocks.STACK, blocks.FULL
"""Graph operations of loops."""
CLIP, LOG, CHANGE, ADD_SEASON = scaling.CLIP, scaling.LOG, scaling.CHANGE, scaling.ADD_SEASON
BY_SERIES, BY_WINDOW, BY_ROW = row_numbers.BY_SERIES, row_numbers.BY_WINDOW, row_numbers.BY_ROW
QUANTILES, INTERVALS, PARAMETERS = scaling.QUANTILES, intervals.INTERVALS, scaling.PARAMETERS
"""Graph operations that prepare columns, and give forecasts their units and their order."""
KEEPS_STEPS = frozenset({CLIP, LOG, CHANGE, BY_ROW, ADD_SEASON, QUANTILES, INTERVALS, PARAMETERS})
"""Graph operations whose output has the steps, and so the mask, of their first input."""
FOLD = "fold"
"""Graph operation: fold the `axes` axes after the batch into it.

(batch, segments, steps, ...) -> (batch * segments, steps, ...) for ``axes: 1``.
"""
UNFOLD = "unfold"
"""Graph operation: undo a fold: the inputs are the folded tensor and the one before folding.

(batch * segments, ...) and (batch, segments, ...) -> (batch, segments, ...) for ``axes: 1``.
"""


@dataclass(frozen=True)
class Port:
    """One tensor of the graph: an input, or an output of a node."""

    node: str
    output: str = OUTPUT

    def __str__(self) -> str:
        return self.node if self.output == OUTPUT else f"{self.node}.{self.output}"


@dataclass(frozen=True)
class MaskSpec:
    """A mask of shape (batch, time), or (batch, segments, time), and how it is computed.

    `kind` is ``value`` (false where all features of `port` equal `value`), ``ids`` (false where
    `port` is 0), ``lengths`` (true for the first `port` steps), ``input`` (`port` itself),
    ``joined`` (the masks of `parts`, concatenated along time), ``resized`` (true for as many
    steps as `resize` makes of those that the mask of the only part counts), ``step`` (the step
    `index` of the mask of the only part, counted from 0), ``folded`` (the mask of the only part,
    its axes but the last folded to one), ``unfolded`` (the opposite, with the axes of `like`) or
    ``some`` (true for segments of which the mask of the only part counts a step).
    """

    kind: str
    port: Port
    shape: tuple[Dim, ...]
    padding: str = field(
        default="any", compare=False
    )  # known about the mask, not part of its identity
    value: float | None = None
    dtype: str | None = None
    """For ``value``: the dtype that `port` is cast to before the comparison, as in Masking."""
    like: Port | None = field(default=None, compare=False)
    """For ``lengths`` and ``resized``: a sequence with as many steps as the mask."""
    parts: tuple[tuple[Port, MaskSpec | None], ...] = ()
    """For ``joined``: the sequences in order, each with its mask or None; for others one."""
    resize: Resize | None = None
    index: int | None = None
    path: Path = field(default=(), compare=False)
    """Where the recipe defines it."""

    @property
    def ports(self) -> tuple[Port, ...]:
        """The ports that must be computed before the mask."""
        own = (self.port,) if self.like is None else (self.port, self.like)
        return own + tuple(
            port
            for sequence, mask in self.parts
            for port in (sequence, *(mask.ports if mask else ()))
        )

    def __str__(self) -> str:
        text = {
            "value": f"{self.port} != {self.value}",
            "ids": f"{self.port} != 0",
            "lengths": f"step < {self.port}",
            "some": f"any({self._part})",
            "folded": str(self._part),
            "unfolded": str(self._part),
            "joined": " | ".join(str(mask or f"all of {port}") for port, mask in self.parts),
        }
        if self.kind == "resized":
            return f"step < {self._count()}"
        if self.kind == "step":
            return f"step {(self.index or 0) + 1} of {self.parts[0][1]}"
        return text.get(self.kind, str(self.port))

    def step(self, index: int) -> MaskSpec:
        """Return the mask (batch, 1) of the step `index` of this mask."""
        shape = (self.shape[0], 1, *self.shape[2:])
        part = ((self.port, self),)
        # One step is padded on the right, or it counts.
        return MaskSpec("step", self.port, shape, "right", parts=part, index=index, path=self.path)

    @property
    def _part(self) -> MaskSpec | None:
        return self.parts[0][1] if self.parts else None

    def _count(self) -> str:
        """Return the number of steps that count: ``lengths``, ``ceil((lengths-2)/2)``."""
        if self.kind == "lengths":
            return str(self.port)
        if self.kind == "resized" and self.resize:
            return str(self.resize.of(next(mask._count() for _, mask in self.parts if mask)))
        return f"count({self})"


@dataclass(frozen=True)
class StateSpec:
    """The source of one initial state: a port, or zeros if `source` is None."""

    slot: str
    source: Port | None
    label: str


@dataclass(frozen=True)
class Parameters:
    """The numbers of weights of a node."""

    trainable: int = 0
    non_trainable: int = 0

    @property
    def total(self) -> int:
        """The number of all weights."""
        return self.trainable + self.non_trainable


@dataclass(frozen=True)
class Kernel:
    """The implementation that a recurrent node runs on, and why not a faster one."""

    name: str
    reason: str


@dataclass(frozen=True)
class Recurrence:
    """The properties that only recurrent nodes have."""

    units: int
    """The units of the output of one direction."""
    slot_units: Mapping[str, int]
    """The sizes of the states of one direction, in Keras's order."""
    cells: tuple[Mapping[str, Any], ...] = ()
    """The cells of an RNN."""
    bidirectional: bool = False
    merge_mode: str | None = None
    padded_output: str = "zero"
    state_form: StateForm = field(default_factory=lambda: Zeros(()))
    states: tuple[StateSpec, ...] = ()
    """Empty if all are zeros, which Keras creates itself."""
    carried: bool = False
    """Whether the initial state is the final state of the previous batch."""
    kernel: Kernel | None = None

    @property
    def slots(self) -> tuple[str, ...]:
        """The names of the states of one direction: h, c."""
        return tuple(self.slot_units)

    def units_of(self, slot: str) -> int:
        """Return the size of a state of either direction."""
        return self.slot_units[slot.removeprefix("forward_").removeprefix("backward_")]


@dataclass(frozen=True)
class Called:
    """The Keras layer that a node calls, where other nodes call it too."""

    node: str
    """Its name."""
    stack: str
    """The layer or stack that it is part of, whose name its own begins with."""
    layer: str
    """The layer or block of the recipe that has its weights."""


@dataclass(frozen=True)
class Node:
    """One call. `op` is a Keras class name or, in lower case, one of the graph's own operations."""

    name: str
    op: str
    inputs: tuple[Port, ...]
    layer: str
    """The layer of the recipe that this node belongs to."""
    path: Path
    calls: Called | None = None
    """The Keras layer that it shares with other nodes; None for one that has its own name."""
    loop: LoopStep | None = None
    """The step of a loop that it computes."""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    input_names: tuple[str, ...] | None = None
    reads_list: bool = False
    """Whether the call takes its inputs as one list, as merging layers do."""
    dtype_policy: str = "float32"
    mask_form: MaskForm = field(default_factory=Inherited)
    mask: MaskSpec | None = None
    """The mask that is passed to the call explicitly."""
    input_masks: tuple[MaskSpec | None, ...] = ()
    """The mask of each input of an attention layer."""
    drops_mask: bool = False
    """Whether its input has a mask that the call must not receive."""
    recurrence: Recurrence | None = None
    outputs: Mapping[str, TensorSpec] = field(default_factory=dict)
    output_masks: Mapping[str, MaskSpec] = field(default_factory=dict)
    parameters: Parameters = Parameters()
    weights: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    """The shapes of its weights, by their path in a weights file: ``cell/vars/0``."""

    stands_for: str = ""
    """The class of the layers of a stack of none, whose sequence this call passes on."""

    @property
    def is_layer(self) -> bool:
        """Whether this is a call of a Keras layer rather than an operation of the graph."""
        return self.op[0].isupper()

    @property
    def keras_name(self) -> str:
        """The name of the Keras layer that is called, which holds the weights."""
        return self.calls.node if self.calls else self.name

    @property
    def weights_layer(self) -> str:
        """The layer of the recipe that holds the weights."""
        return self.calls.layer if self.calls else self.layer

    @property
    def reads(self) -> list[Port]:
        """Every port that the call reads: inputs, states and the mask's."""
        ports = list(self.inputs)
        if self.recurrence:
            ports += [state.source for state in self.recurrence.states if state.source]
        for mask in (self.mask, *self.input_masks):
            ports += mask.ports if mask else ()
        return ports


@dataclass(frozen=True)
class GraphInput:
    """An input of the model, declared or (`made`) created for a state or mask."""

    name: str
    spec: TensorSpec
    path: Path
    made: bool = False
    time_major: bool = False
    """Whether the data comes as (time, batch, ...)."""


@dataclass(frozen=True)
class Graph:
    """A graph: inputs, nodes in call order, and outputs."""

    name: str
    inputs: Mapping[str, GraphInput]
    nodes: tuple[Node, ...]
    outputs: Mapping[str, Port]
    output_paths: Mapping[str, Path]
    stacks: Mapping[str, tuple[str, ...]]
    """The node names of each layer of the recipe; several for a stack."""
    sequences: Mapping[str, Port]
    """The output sequence of each recurrent layer, after residual sums and normalization."""
    unfolded: Mapping[Port, Port] = field(default_factory=dict, kw_only=True)
    """By port of a layer on folded steps, the port with the axes before folding, if it is read."""
    returns_sequence: frozenset[str]
    """The recurrent layers of the recipe whose primary output is the sequence."""
    kernel_choice: str = "auto"
    compiled_by_xla: bool = False
    """Whether the whole model is compiled by XLA on every machine."""
    batch_size: int | None = None
    """The number of rows in every batch if the model is built for one batch size."""
    broken: frozenset[str] = frozenset()
    """Layers and inputs with mistakes: nothing more is reported for them or their readers."""
    further_ports: Mapping[Path, Port] = field(default_factory=dict)
    """The ports that further models read or are fed, by path in the recipe."""
    given_states: frozenset[str] = frozenset()
    """The nodes whose initial states further models replace."""
    feedback: Mapping[Path, tuple[Port, Port]] = field(default_factory=dict)
    """What each input of a loop's block is at first, and what later, by path in the recipe."""
    unread: frozenset[str] = frozenset()
    """Layers that no output or further model needs: checked, and dropped by the last pass."""

    def with_nodes(self, nodes: Iterator[Node] | list[Node] | tuple[Node, ...]) -> Graph:
        """Return the graph with other nodes."""
        return replace(self, nodes=tuple(nodes))

    @cached_property
    def by_name(self) -> Mapping[str, Node]:
        """The nodes by name."""
        return {node.name: node for node in self.nodes}

    @cached_property
    def folds(self) -> Mapping[str, Node]:
        """The node that folds the first input of each layer on folded steps, by layer."""
        return {node.layer: node for node in reversed(self.nodes) if node.op == FOLD}

    def whole(self, port: Port) -> Port:
        """Return a port before its steps were folded, or unfolded, for a layer that reads it."""
        while (node := self.by_name.get(port.node)) and node.op in (FOLD, UNFOLD):
            port = node.inputs[0]
        return port

    @cached_property
    def specs(self) -> Mapping[Port, TensorSpec]:
        """The shape and dtype of every port where known."""
        specs = {Port(name): tensor.spec for name, tensor in self.inputs.items()}
        for node in self.nodes:
            specs |= {Port(node.name, output): spec for output, spec in node.outputs.items()}
        return specs

    @cached_property
    def first_ports(self) -> frozenset[Port]:
        """The ports that inputs of loops read in the first step alone."""
        return frozenset(first for first, _ in self.feedback.values())

    @cached_property
    def loop_sequences(self) -> Mapping[tuple[str, int], Port]:
        """A sequence that each step of each loop reads a step of, by layer and number."""
        reading = [node for node in reversed(self.nodes) if node.op == STEP and node.loop]
        return {(n.loop.layer, n.loop.step): n.inputs[0] for n in reading if n.loop}

    @cached_property
    def by_keras_name(self) -> Mapping[str, list[Node]]:
        """The nodes that call each Keras layer: its own first, then the others in call order."""
        calls: defaultdict[str, list[Node]] = defaultdict(list)
        for node in sorted(self.nodes, key=lambda node: node.calls is not None):
            calls[node.keras_name].append(node)
        return calls

    def parameters_of(self, node: Node) -> Parameters:
        """Return the numbers of weights of a node; of the nodes of one layer the first has them."""
        return node.parameters if self.by_keras_name[node.keras_name][0] is node else Parameters()

    @property
    def parameters(self) -> Parameters:
        """The numbers of weights of the graph, each weight counted once."""
        counts = [self.parameters_of(node) for node in self.nodes]
        return Parameters(sum(c.trainable for c in counts), sum(c.non_trainable for c in counts))

    @property
    def carrying(self) -> tuple[str, ...]:
        """The nodes whose state is carried from batch to batch."""
        return tuple(n.name for n in self.nodes if n.recurrence and n.recurrence.carried)

    def primary(self, layer: str) -> Port:
        """Return the port that the bare name of a layer or input refers to."""
        if layer in self.inputs:
            return Port(layer)
        node = self.by_name[self.stacks[layer][-1]]
        port = Port(node.name)
        if node.recurrence:
            in_order = layer in self.returns_sequence
            port = self.sequences[layer] if in_order else Port(node.name, LAST)
        return self.unfolded.get(port, port)

    def primary_or_port(self, reference: Reference) -> Port:
        """Return the tensor that `reference` names."""
        if not reference.port:
            return self.primary(reference.layer)
        output = reference.port.removeprefix("state.").replace(".", "_")
        port = Port(self.stacks[reference.layer][-1], output)
        if reference.port == SEQUENCE:
            port = self.sequences[reference.layer]
        return self.unfolded.get(port, port)

    def written_names(self) -> dict[str, str]:
        """Return how recipes name what has another name in the graph.

        ``encoder.state.h`` for ``encoder_2.h``, the last of a stack, and ``layer 1 of 'encoder'``
        for ``'encoder_1'`` in quotes.
        """
        written: dict[str, str] = {}
        for layer, names in self.stacks.items():
            for number, name in enumerate(names, start=1):
                if name not in self.stacks and name not in self.inputs:
                    written[f"'{name}'"] = f"layer {number} of '{layer}'"
            last = self.by_name.get(names[-1])
            if last is not None and last.recurrence:
                outputs = {SEQUENCE: SEQUENCE, LAST: LAST}
                slots = state_outputs(last.recurrence)
                outputs |= {slot: f"state.{slot.replace('_', '.')}" for slot in slots}
                written |= {str(Port(last.name, o)): f"{layer}.{w}" for o, w in outputs.items()}
        for layer, port in self.sequences.items():
            written[str(port)] = f"{layer}.{SEQUENCE}"
        return written

    def used_ports(self, *, by_unread: bool = False) -> frozenset[Port]:
        """Return every port that a node or an output reads, those of further models too.

        Args:
            by_unread: count what only unread layers read of the others, which no model computes.
        """
        used = {*self.outputs.values(), *self.further_ports.values()}
        for node in self.nodes:
            if by_unread or node.layer not in self.unread:
                used.update(node.reads)
            else:
                used.update(port for port in node.reads if self._is_unread(port))
        return frozenset(used)

    def returned_ports(self) -> frozenset[Port]:
        """Return every port that a call returns: those used of it or of a call of the same layer.

        In Keras the layer decides whether its calls return the sequence, and the states; and the
        first call of an attention layer, whether all return scores.
        """
        used = self.used_ports()
        returned = set(used)
        for nodes in self.by_keras_name.values():
            if len(nodes) > 1:
                outputs = {port.output for node in nodes for port in _ports_of(node, used)}
                returned |= {Port(node.name, output) for node in nodes for output in outputs}
        return frozenset(returned)

    def _is_unread(self, port: Port) -> bool:
        return port.node in self.by_name and self.by_name[port.node].layer in self.unread

    def without_unread(self) -> Graph:
        """Return the graph without the unread layers and the inputs made for their states alone."""
        if not self.unread:
            return self
        nodes = tuple(node for node in self.nodes if node.layer not in self.unread)
        read = {port.node for node in nodes for port in node.reads}
        return replace(
            self,
            nodes=nodes,
            inputs={name: i for name, i in self.inputs.items() if not i.made or name in read},
            stacks={name: s for name, s in self.stacks.items() if name not in self.unread},
            sequences={name: p for name, p in self.sequences.items() if name not in self.unread},
            unread=frozenset(),
        )


def state_outputs(recurrence: Recurrence) -> tuple[str, ...]:
    """Return the names of the state outputs in Keras's order: h, c or forward_h, forward_c, ..."""
    if not recurrence.bidirectional:
        return recurrence.slots
    return tuple(f"{way}_{slot}" for way in ("forward", "backward") for slot in recurrence.slots)


def _ports_of(node: Node, ports: frozenset[Port]) -> Iterator[Port]:
    """Yield those of `ports` that are outputs of `node`; its outputs need not be known yet."""
    outputs = [OUTPUT, SCORES]
    if node.recurrence:
        outputs = [SEQUENCE, LAST, *state_outputs(node.recurrence)]
    yield from (port for output in outputs if (port := Port(node.name, output)) in ports)
