"""The wired graph: one node for each call that the Keras model will make, in call order.

Passes fill in what is known of each node. After the last one everything that Keras would report of
the model is known here, and so is what Keras would not report.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from lstmgraph.language.declaration.recipe import Inherited, MaskForm, Reference, StateForm, Zeros

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from lstmgraph.keras_facts.tensors import Dim, TensorSpec
    from lstmgraph.messages.diagnostics import Path

OUTPUT = "output"
SEQUENCE = "sequence"
LAST = "last"

JOIN = "join"
"""Graph operation: sequences, and static tensors repeated along time, joined on features."""
CONSTANT_STATE = "constant_state"
"""Graph operation: the same (units,) numbers for every row of a sequence."""
ROW_IDS = "row_ids"
"""Graph operation: the id 0 for every row of a sequence."""
MASK = "mask"
"""Graph operation: the mask of the node itself, as a tensor."""


@dataclass(frozen=True)
class Port:
    """One tensor: an input, or an output of a node."""

    node: str
    output: str = OUTPUT

    def __str__(self) -> str:
        return self.node if self.output == OUTPUT else f"{self.node}.{self.output}"


@dataclass(frozen=True)
class MaskSpec:
    """A mask of shape (batch, time), and what it is made from.

    `kind` is ``value`` (false where all features of `port` equal `value`), ``ids`` (false where
    `port` is 0), ``lengths`` (true for the first `port` steps), ``input`` (`port` itself) or
    ``joined`` (those of `parts`, one after the other).
    """

    kind: str
    port: Port
    shape: tuple[Dim, ...]
    padding: str = field(default="any", compare=False)  # what is known of it, not what it is
    value: float | None = None
    dtype: str | None = None
    """For a value: what `port` is cast to before it is compared, as a Masking layer does."""
    like: Port | None = field(default=None, compare=False)
    """For lengths: a sequence with as many steps as the mask has."""
    parts: tuple[tuple[Port, MaskSpec | None], ...] = ()
    """For ``joined``: the sequences that follow each other, and the mask of each that has one."""
    path: Path = field(default=(), compare=False)
    """Where the recipe makes it."""

    @property
    def ports(self) -> tuple[Port, ...]:
        """What must be computed before the mask."""
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
            "joined": " | ".join(str(mask or f"all of {port}") for port, mask in self.parts),
        }
        return text.get(self.kind, str(self.port))


@dataclass(frozen=True)
class StateSpec:
    """Where one state comes from: a port, or zeros where `source` is None."""

    slot: str
    source: Port | None
    label: str


@dataclass(frozen=True)
class Parameters:
    """Numbers of weights."""

    trainable: int = 0
    non_trainable: int = 0

    @property
    def total(self) -> int:
        """Both kinds together."""
        return self.trainable + self.non_trainable


@dataclass(frozen=True)
class Kernel:
    """Which implementation a recurrent node can run on, and why no faster one."""

    name: str
    reason: str


@dataclass(frozen=True)
class Recurrence:
    """What only recurrent nodes have."""

    units: int
    """Of the output of one direction."""
    slot_units: Mapping[str, int]
    """The states of one direction, in Keras's order, and their sizes."""
    cells: tuple[Mapping[str, Any], ...] = ()
    """Of an RNN: its cells."""
    bidirectional: bool = False
    merge_mode: str | None = None
    padded_output: str = "zero"
    state_form: StateForm = field(default_factory=lambda: Zeros(()))
    states: tuple[StateSpec, ...] = ()
    """Empty where all are zeros: Keras then makes them itself."""
    carried: bool = False
    """Whether the initial state is the final state of the batch before."""
    kernel: Kernel | None = None

    @property
    def slots(self) -> tuple[str, ...]:
        """The states of one direction: h, c."""
        return tuple(self.slot_units)

    def units_of(self, slot: str) -> int:
        """The size of a state, of either direction."""
        return self.slot_units[slot.removeprefix("forward_").removeprefix("backward_")]


@dataclass(frozen=True)
class Node:
    """One call. `op` is a Keras class name or, in lower case, one of the graph's own operations."""

    name: str
    op: str
    inputs: tuple[Port, ...]
    layer: str
    """The recipe's layer that this node is part of."""
    path: Path
    arguments: Mapping[str, Any] = field(default_factory=dict)
    input_names: tuple[str, ...] | None = None
    reads_list: bool = False
    """Whether the call takes all inputs as one list, as merging layers do."""
    dtype_policy: str = "float32"
    mask_form: MaskForm = field(default_factory=Inherited)
    mask: MaskSpec | None = None
    """The mask that the call is given explicitly."""
    input_masks: tuple[MaskSpec | None, ...] = ()
    """Of attention: the mask of each input."""
    drops_mask: bool = False
    """Whether its input carries a mask that the call must not see."""
    recurrence: Recurrence | None = None
    outputs: Mapping[str, TensorSpec] = field(default_factory=dict)
    output_masks: Mapping[str, MaskSpec] = field(default_factory=dict)
    parameters: Parameters = Parameters()
    weights: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    """Shapes of its weights, by where a weights file has them in the layer: ``cell/vars/0``."""

    @property
    def is_layer(self) -> bool:
        """Whether this is a call of a Keras layer, not an operation of the graph's own."""
        return self.op[0].isupper()

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
    """An input of the model, declared or made for a state."""

    name: str
    spec: TensorSpec
    path: Path
    made: bool = False
    time_major: bool = False
    """Whether the data comes as (time, batch, ...)."""


@dataclass(frozen=True)
class Graph:
    """Inputs, nodes in the order of their calls, and outputs."""

    name: str
    inputs: Mapping[str, GraphInput]
    nodes: tuple[Node, ...]
    outputs: Mapping[str, Port]
    output_paths: Mapping[str, Path]
    stacks: Mapping[str, tuple[str, ...]]
    """Node names of each layer of the recipe; more than one for a stack."""
    sequences: Mapping[str, Port]
    """The sequence that each recurrent layer of the recipe gives, after sums and normalization."""
    returns_sequence: frozenset[str]
    """Recurrent layers of the recipe whose primary output is the sequence."""
    kernel_choice: str = "auto"
    compiled_by_xla: bool = False
    """Whether all of the model is, on every machine."""
    batch_size: int | None = None
    """Rows of every batch, where the model is built for one size only."""
    broken: frozenset[str] = frozenset()
    """Layers and inputs that are wrong: nothing more is said of them or of what reads them."""
    further_ports: Mapping[Path, Port] = field(default_factory=dict)
    """What further models read or are fed, by where the recipe says so."""
    given_states: frozenset[str] = frozenset()
    """Nodes that further models give their initial states."""
    unread: frozenset[str] = frozenset()
    """Layers of the recipe that no output and no further model is computed from: they are checked,
    and leave the graph after the last pass."""

    def with_nodes(self, nodes: Iterator[Node] | list[Node] | tuple[Node, ...]) -> Graph:
        """The same graph with other nodes."""
        return replace(self, nodes=tuple(nodes))

    @cached_property
    def by_name(self) -> Mapping[str, Node]:
        """Nodes by name."""
        return {node.name: node for node in self.nodes}

    @cached_property
    def specs(self) -> Mapping[Port, TensorSpec]:
        """Shape and dtype of every port, as far as they are known."""
        specs = {Port(name): tensor.spec for name, tensor in self.inputs.items()}
        for node in self.nodes:
            specs |= {Port(node.name, output): spec for output, spec in node.outputs.items()}
        return specs

    @property
    def carrying(self) -> tuple[str, ...]:
        """Nodes whose state goes on from batch to batch: rows of a batch follow those before."""
        return tuple(n.name for n in self.nodes if n.recurrence and n.recurrence.carried)

    def primary(self, layer: str) -> Port:
        """The port that a bare layer or input name stands for."""
        if layer in self.inputs:
            return Port(layer)
        node = self.by_name[self.stacks[layer][-1]]
        if node.recurrence is None:
            return Port(node.name)
        return self.sequences[layer] if layer in self.returns_sequence else Port(node.name, LAST)

    def primary_or_port(self, reference: Reference) -> Port:
        """The one tensor that `reference` names."""
        if reference.port.startswith("state."):
            output = reference.port.removeprefix("state.").replace(".", "_")
            return Port(self.stacks[reference.layer][-1], output)
        if reference.port == SEQUENCE:
            return self.sequences[reference.layer]
        if reference.port:
            return Port(self.stacks[reference.layer][-1], reference.port)
        return self.primary(reference.layer)

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
    """Names of the state outputs in Keras's order: h, c; or forward_h, forward_c, and so on."""
    if not recurrence.bidirectional:
        return recurrence.slots
    return tuple(f"{way}_{slot}" for way in ("forward", "backward") for slot in recurrence.slots)
