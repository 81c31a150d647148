"""The typed, frozen recipe: the content of the YAML as Python values."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lstmgraph.keras_facts.tensors import BATCH, TensorSpec

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lstmgraph.language.declaration.blocks import LoopStep
    from lstmgraph.language.declaration.data import DataDeclaration
    from lstmgraph.messages.diagnostics import Path


@dataclass(frozen=True)
class Reference:
    """A reference to a port; ``encoder`` has port ``""``, ``encoder.state.h`` ``"state.h"``."""

    layer: str
    port: str
    path: Path

    def __str__(self) -> str:
        return f"{self.layer}.{self.port}" if self.port else self.layer


@dataclass(frozen=True)
class Zeros:
    """Initial state: zeros."""

    path: Path


@dataclass(frozen=True)
class Constant:
    """Initial state: the same for every row; one number for all units, or one for each."""

    path: Path
    value: float | tuple[float, ...]


@dataclass(frozen=True)
class Learned:
    """Initial state: a trained weight of the model, the same for every row."""

    path: Path


@dataclass(frozen=True)
class Carried:
    """Initial state: the final state of the previous batch."""

    path: Path


@dataclass(frozen=True)
class FromInputs:
    """Initial state: inputs of the model, named automatically without `names`."""

    path: Path
    names: tuple[str, ...] | None = None


@dataclass(frozen=True)
class FromLayer:
    """Initial state: another layer's final state, or a tensor of shape (batch, units)."""

    path: Path
    source: Reference
    bridge: str | None = None


@dataclass(frozen=True)
class FromStatic:
    """Initial state: static tensors concatenated, then projected to each state."""

    path: Path
    sources: tuple[Reference, ...]
    activation: str | None = None


SingleStateForm = Zeros | Constant | Learned | FromInputs | FromLayer | FromStatic


@dataclass(frozen=True)
class Split:
    """Initial state: h and c from different sources."""

    path: Path
    h: SingleStateForm
    c: SingleStateForm | None


StateForm = SingleStateForm | Carried | Split


@dataclass(frozen=True)
class Inherited:
    """Mask: the input's own mask."""


@dataclass(frozen=True)
class NoMask:
    """Mask: none, even if the input has one."""


@dataclass(frozen=True)
class MaskByValue:
    """Mask: false where all features of a step equal `value`."""

    value: float
    padding: str


@dataclass(frozen=True)
class MaskByLengths:
    """Mask: true for the first steps; an integer input gives their number for each row."""

    lengths: Reference


@dataclass(frozen=True)
class MaskByInput:
    """Mask: a bool input of shape (batch, time)."""

    source: Reference
    padding: str


@dataclass(frozen=True)
class MaskFrom:
    """Mask: the mask of another port."""

    source: Reference
    padding: str


MaskForm = Inherited | NoMask | MaskByValue | MaskByLengths | MaskByInput | MaskFrom


@dataclass(frozen=True)
class InputDeclaration:
    """An input of the model."""

    name: str
    spec: TensorSpec
    path: Path
    time_major: bool = False
    """Whether the data comes as (time, batch, ...); `spec` has the batch first in any case."""


@dataclass(frozen=True)
class LayerDeclaration:
    """A call of a Keras layer: of its own, or of another one's.

    `layer` is Keras's class name, or one of the graph's operations in lower case.
    """

    name: str
    layer: str
    inputs: tuple[Reference, ...]
    input_names: tuple[str, ...] | None
    arguments: Mapping[str, Any]
    mask: MaskForm
    dtype_policy: str
    path: Path
    call: str = ""
    """The name of the Keras layer that is called; empty for a layer of its own."""
    holder: str = ""
    """The layer or block of the recipe that has the weights of a call."""
    loop: LoopStep | None = None
    """The step of a loop that it is part of."""
    folds: int = 0
    """How many axes after the batch are folded into it: 1 inside one ``time_distributed``."""


@dataclass(frozen=True)
class RecurrentDeclaration(LayerDeclaration):
    """An LSTM, GRU or SimpleRNN, or a stack of them."""

    units: tuple[int, ...] = ()
    bidirectional: bool = False
    merge_mode: str | None = None
    return_sequences: bool = False
    padded_output: str = "zero"
    residual: bool = False
    normalization: str | None = None
    cells: tuple[Mapping[str, Any], ...] = ()
    """The cells of an RNN: Keras's class name under ``type``, and the arguments."""
    initial_state: tuple[StateForm, ...] = ()
    """One form for the whole stack, or one for each layer of it."""
    state_per_layer: bool = False


@dataclass(frozen=True)
class EmptyStack(LayerDeclaration):
    """A stack of no layers, ``depth: 0``, which is its input."""

    of: str = ""
    """Keras's class name of the layers that it would have."""
    return_sequences: bool = False


@dataclass(frozen=True)
class Runtime:
    """How the model runs."""

    dtype_policy: str = "float32"
    kernel: str = "auto"
    xla: str | bool = "auto"
    device: str = "auto"
    memory_growth: bool | None = None
    memory_limit_mb: int | None = None
    threads: int | None = None
    strategy: str = "none"
    deterministic: bool = False
    seed: int | None = None
    batch_size: int | None = None

    @property
    def gpu_index(self) -> int | None:
        """The number in ``device: gpu:1``; None without one."""
        _, colon, index = self.device.partition(":")
        return int(index) if colon else None


@dataclass(frozen=True)
class Training:
    """The arguments of ``compile()`` and ``fit()`` as plain data with Keras's names."""

    optimizer: Mapping[str, Any]
    loss: Any
    metrics: Any
    loss_weights: Mapping[str, float] | None
    batch_size: int
    epochs: int
    shuffle: bool = True
    weighted_metrics: Any = None
    """Metrics that take weights, in the forms of `metrics`."""
    class_weight: Mapping[str, Any] | None = None
    """Weights of class ids, or such mappings by output."""
    callbacks: Mapping[str, Any] = field(default_factory=dict)
    """The arguments of each callback, by the recipe's name for it."""
    learning_rates: Mapping[str, Any] = field(default_factory=dict)
    """The learning rates of layers that do not have the optimizer's, by layer."""
    intervals: str | Mapping[str, Any] | None = None
    """``calibrated``, or how the quantiles of outputs are calibrated, by output."""


@dataclass(frozen=True)
class Search:
    """The settings of ``tune``, as plain data with keras-tuner's names."""

    objective: tuple[Mapping[str, str], ...]
    """Mappings with ``metric`` and ``direction``, which may be ``auto``."""
    oracle: Mapping[str, Any]
    max_trials: int | None
    executions_per_trial: int
    folds: int | None
    pruning: Mapping[str, Any]
    seed: int


@dataclass(frozen=True)
class ModelDeclaration:
    """A further model of the same layers: derived, or declared with inputs and outputs."""

    name: str
    path: Path
    derive: str | None = None
    """``encoder``, ``decoder`` or ``step``."""
    inputs: tuple[Reference, ...] = ()
    initial_state: Mapping[str, Zeros | FromInputs] = field(default_factory=dict)
    """The initial states that replace those of the recipe's layers, by layer."""
    outputs: Mapping[str, Reference] = field(default_factory=dict)


@dataclass(frozen=True)
class RecipeDeclaration:
    """A whole recipe, its blocks and loops written out as layers.

    `broken` names the inputs and layers that have mistakes.
    """

    name: str
    description: str
    inputs: Mapping[str, InputDeclaration]
    layers: Mapping[str, LayerDeclaration]
    outputs: Mapping[str, Reference]
    models: Mapping[str, ModelDeclaration] = field(default_factory=dict)
    runtime: Runtime = field(default_factory=Runtime)
    training: Training | None = None
    search: Search | None = None
    data: DataDeclaration | None = None
    broken: frozenset[str] = frozenset()
    written: Mapping[str, tuple[Path, Path]] = field(default_factory=dict)
    """For each layer of a block or loop, by name: where it is, and the call that it is part of."""
    doubled: tuple[tuple[str, str, Path], ...] = ()
    """Names that two layers would have; for the one of a block, its name there, and the call."""
    feedback: Mapping[Path, tuple[Reference, Reference]] = field(default_factory=dict)
    """For each input that a loop feeds back: what it is in the first step, and in the second."""

    @property
    def holders(self) -> list[str]:
        """The layers and blocks that weights belong to, in the order of their first calls."""
        layers = (
            layer
            for layer in self.layers.values()
            if layer.layer[0].isupper() and not (layer.loop and layer.loop.prepares)
        )
        return list(dict.fromkeys(layer.holder or layer.name for layer in layers))


def input_spec(tensor: Mapping[str, Any]) -> TensorSpec:
    """Return the spec of a declared input, with the batch as first dimension."""
    return TensorSpec((BATCH, *tensor["shape"]), tensor["dtype"])
