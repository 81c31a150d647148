"""A Keras model in a recipe's terms: its calls, what each reads, and what a recipe cannot say."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lstmgraph.interop.importing.recurrent import Recurrent, recurrent_of

if TYPE_CHECKING:
    from lstmgraph.interop.importing.expressions import Expression, Mask, Port, Shape, Value
    from lstmgraph.interop.keras_model import Layer


@dataclass(frozen=True)
class Problem:
    """Something of a model that a recipe cannot say."""

    layer: str
    code: str
    message: str
    hint: str = ""


@dataclass(frozen=True)
class Lost:
    """A mask that Keras loses or changes on its way to a call which would have used it."""

    mask: Mask
    reason: str
    """As in "Keras drops this mask, as ..."; "" if Keras joins it with others by OR."""


@dataclass
class Node:
    """One call of a layer, as the recipe has it."""

    name: str
    layer: Layer
    index: int = 0
    inputs: list[Value] = field(default_factory=list)
    input_names: tuple[str, ...] | None = None
    reads_list: bool = False
    keywords: dict[str, Any] = field(default_factory=dict)
    """Arguments of the call that a recipe writes on the layer: ``use_causal_mask``."""
    mask: Mask | None = None
    """The mask that the call uses."""
    lost: Lost | None = None
    """The mask that its author meant, if Keras loses it silently."""
    input_masks: tuple[Mask | None, ...] = ()
    """Of attention, the masks that it uses of its inputs, as far as they change its numbers."""
    filled: Mask | None = None
    """The mask of the steps that hold other numbers in its input."""
    states: list[Expression] | None = None
    folds: int = 0
    one_step: bool = False
    """Whether it is a TimeDistributed that is given the steps as rows of one step each."""
    holder: str = ""
    """The node that has the weights, for a further call."""
    policy: str = "float32"
    is_made: bool = False
    """Whether it stands for an operation, and so has no layer in Keras."""
    block: Block | None = None
    """The model that it calls, on each step or once."""

    @property
    def recurrent(self) -> Recurrent | None:
        """What it is as a recurrent layer, inside TimeDistributed too."""
        type_, config = self.layer.type, self.layer.config
        while type_ == "TimeDistributed" and (config.get("layer") or {}).get("class_name"):
            type_, config = config["layer"]["class_name"], config["layer"]["config"]
        return recurrent_of(type_, config)


@dataclass
class Lifted:
    """A Keras model in a recipe's terms."""

    name: str
    inputs: dict[str, Value]
    """By name, the expression of each is its port."""
    input_layers: dict[str, Layer]
    nodes: list[Node]
    outputs: dict[str, Value]
    problems: list[Problem]
    renamed: dict[str, str]
    """The names of the model that the recipe cannot have, with those that it has."""
    shapes: dict[Port, Shape]
    time_major: set[str] = field(default_factory=set)
    given_masks: dict[str, Mask] = field(default_factory=dict)
    """The masks that outputs of layers are given by layers of no other use, by node."""
    notes: list[str] = field(default_factory=list)
    """What else the recipe has otherwise, without changing any number."""
    masking: dict[str, str] = field(default_factory=dict)
    """The layers of no other use that give those masks, by node."""

    def node(self, name: str) -> Node | None:
        """Return the node of a name; None if that is an input."""
        return next((node for node in self.nodes if node.name == name), None)


@dataclass
class Block:
    """A model that is called as one, with its layers in a recipe's terms."""

    name: str
    """Its name under ``blocks:``."""
    source: str
    """The layer that has it in the model, such as a TimeDistributed."""
    lifted: Lifted
    depth: int
    """How many TimeDistributed there are around it in this call."""
