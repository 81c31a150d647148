"""What a random recipe is drawn from: inputs, tensors and their masks.

The draft keeps its own account of shapes and masks, far simpler than the compiler's: a mask is
known by what it is made from.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Callable

SLOTS = {"lstm": ("h", "c"), "gru": ("h",), "simple_rnn": ("h",)}
BATCH_SIZE = 2
"""Rows of every batch, where a recipe says how many."""
DIMS = {"time": 5, "steps": 4}
"""The sizes that named dimensions have in test data."""

Dim = int | str
Data = dict[str, Any]


@dataclass(frozen=True)
class Mask:
    """What a mask is made from: ``lengths``, ``ids``, an ``input``, a ``value``, or ``joined``."""

    kind: str
    source: str
    steps: Dim
    padding: str = "any"
    value: float | None = None
    parts: tuple[tuple[str, Mask | None], ...] = ()
    """For ``joined``: the sequences one after the other, and the mask of each that has one."""


@dataclass(frozen=True)
class Tensor:
    """A float tensor: how a recipe names it, the port that it is, its shape without the batch."""

    ref: str
    port: str
    shape: tuple[Dim, ...]
    mask: Mask | None = None


@dataclass(frozen=True)
class Recurrent:
    """A recurrent layer of the draft. `cells` are kinds and units, of an ``rnn`` only."""

    name: str
    kind: str
    units: list[int]
    bidirectional: bool
    mask: Mask | None
    cells: tuple[tuple[str, int], ...] = ()

    @property
    def slots(self) -> tuple[str, ...]:
        """The states of one direction: h, c; of several cells 1_h, 1_c, 2_h, ..."""
        if not self.cells:
            return SLOTS[self.kind]
        return tuple(
            f"{number}_{slot}" if len(self.cells) > 1 else slot
            for number, (kind, _) in enumerate(self.cells, start=1)
            for slot in SLOTS[kind]
        )

    @property
    def sizes(self) -> list[tuple[int, ...]]:
        """The sizes of these states, for each layer of the stack."""
        if not self.cells:
            return [(units,) * len(self.slots) for units in self.units]
        return [tuple(units for kind, units in self.cells for _ in SLOTS[kind])]

    def sizes_of(self, letter: str) -> set[int]:
        """The different sizes of all states h, or c, in the whole stack."""
        return {
            size
            for sizes in self.sizes
            for slot, size in zip(self.slots, sizes, strict=True)
            if slot.endswith(letter)
        }


@dataclass(frozen=True)
class Callee:
    """A layer that can be called again, on tensors with as many axes and features."""

    name: str
    data: Data
    rank: int
    features: Dim
    recurrent: Recurrent | None = None


@dataclass
class Generated:
    """A recipe's data, and the mask expected at every port; None for a port without."""

    data: Data
    masks: dict[str, Mask | None]

    def __repr__(self) -> str:
        return f"Generated({self.data!r})"


@dataclass
class DraftBase:
    """A recipe in the making: what there is to read."""

    draw: Callable[[Any], Any]
    inputs: Data = field(default_factory=dict)
    layers: Data = field(default_factory=dict)
    tensors: list[Tensor] = field(default_factory=list)
    recurrents: list[Recurrent] = field(default_factory=list)
    callees: list[Callee] = field(default_factory=list)
    output_refs: dict[str, list[str]] = field(default_factory=dict)
    read: set[str] = field(default_factory=set)
    masks: dict[str, Mask | None] = field(default_factory=dict)
    static_steps_only: bool = False
    made_inputs: int = 0
    batch_size: int | None = None
    sequences_to_read: dict[str, str] = field(default_factory=dict)
    read_refs: set[str] = field(default_factory=set)

    # --- small helpers ---

    def pick(self, *options: Any) -> Any:
        return self.draw(st.sampled_from(options))

    def chance(self) -> bool:
        return self.draw(st.booleans())

    def rarely(self) -> bool:
        return self.draw(st.integers(0, 4)) == 4

    def use(self, tensor: Tensor) -> str:
        self.read.add(tensor.ref.partition(".")[0])
        self.read_refs.add(tensor.ref)
        return tensor.ref

    def add_tensor(self, tensor: Tensor) -> None:
        self.tensors.append(tensor)
        self.masks[tensor.port] = tensor.mask

    def new_layer(self, data: Data) -> str:
        name = f"layer{len(self.layers)}"
        if "call" not in data and self.rarely():
            data["dtype_policy"] = self.pick(
                "float32", "mixed_float16", "mixed_bfloat16", "float64"
            )
        self.layers[name] = data
        return name

    def add_layer(self, data: Data, shape: tuple[Dim, ...], mask: Mask | None) -> None:
        name = self.new_layer(data)
        self.output_refs[name] = [name]
        self.add_tensor(Tensor(name, name, shape, mask))

    # --- inputs ---

    def new_input(self, shape: tuple[Dim, ...], dtype: str = "float32") -> str:
        name = f"in{len(self.inputs)}"
        self.inputs[name] = {"shape": list(shape)}
        if dtype != "float32":
            self.inputs[name]["dtype"] = dtype
        return name

    def steps(self) -> Dim:
        return self.pick(3, 4) if self.static_steps_only else self.pick("time", "time", "steps", 4)

    def float_input(self, shape: tuple[Dim, ...]) -> Tensor:
        name = self.new_input(shape, self.pick("float32", "float32", "float32", "float64"))
        if len(shape) == 2 and self.rarely():
            self.inputs[name]["time_major"] = True
        tensor = Tensor(name, name, shape)
        self.add_tensor(tensor)
        return tensor

    def tensor(self, rank: int, wanted: Callable[[Tensor], bool] = lambda _: True) -> Tensor | None:
        found = [t for t in self.tensors if len(t.shape) == rank and wanted(t)]
        return self.draw(st.sampled_from(found)) if found else None

    def sequence(self) -> Tensor:
        found = self.tensor(2) if self.draw(st.integers(0, 3)) else None
        return found or self.float_input((self.steps(), self.pick(2, 3)))

    def static(self) -> Tensor:
        found = self.tensor(1) if self.chance() else None
        return found or self.float_input((self.pick(2, 3, 4),))

    def any_tensor(self) -> Tensor:
        return self.static() if self.rarely() else self.sequence()

    # --- masks ---

    def made_masks(self, sequence: Tensor) -> list[tuple[Any, Mask | None]]:
        """One of each form of mask that fits `sequence`, with the mask that it makes."""
        steps = sequence.shape[0]
        padding = self.pick("right", "left", "any")
        written = {} if padding == "any" and self.chance() else {"padding": padding}
        options: list[tuple[Any, Mask | None]] = [("none", None)]
        value = self.pick(0.0, 1.0, -2.5)
        options.append(
            ({"value": value, **written}, Mask("value", sequence.port, steps, padding, value))
        )
        options.append(("lengths", None))
        if is_declarable(steps):
            options.append(("input", None))
        for other in self.tensors:
            if len(other.shape) == 2 and other.mask and other.mask.steps == steps:
                options.append(self.mask_from(other.ref, other.mask, padding, written))
        for layer in self.recurrents:
            if layer.mask and layer.mask.steps == steps:
                options.append(self.mask_from(layer.name, layer.mask, padding, written))
        return options

    @staticmethod
    def mask_from(ref: str, mask: Mask, padding: str, written: Data) -> tuple[Any, Mask]:
        kept = mask.padding if padding == "any" else padding
        taken = replace(mask, padding=kept)
        return {"from": ref, **written}, taken

    def explicit_mask(self, sequence: Tensor) -> tuple[Any, Mask | None]:
        """A drawn mask form; inputs that it needs are declared."""
        form, mask = self.draw(st.sampled_from(self.made_masks(sequence)))
        steps = sequence.shape[0]
        if form == "lengths":
            dtype = self.pick("int32", "int64", "uint8")
            name = self.reused_input([], dtype) or self.new_input((), dtype)
            return {"lengths": name}, Mask("lengths", name, steps, "right")
        if form == "input":
            name = self.reused_input([steps], "bool") or self.new_input((steps,), "bool")
            padding = self.pick("right", "any")
            return {"input": name, "padding": padding}, Mask("input", name, steps, padding)
        return form, mask

    def reused_input(self, shape: list[Dim], dtype: str) -> str | None:
        for name, declared in self.inputs.items():
            if declared["shape"] == shape and declared.get("dtype") == dtype and self.chance():
                return name
        return None

    def mask_for(self, sequence: Tensor, *, must_choose: bool = False) -> tuple[Data, Mask | None]:
        """The ``mask:`` of a layer that takes one, and the mask that it then has."""
        if must_choose or self.chance():
            form, mask = self.explicit_mask(sequence)
            return {"mask": form}, mask
        return ({"mask": "inherited"} if self.rarely() else {}), sequence.mask

    def mask_ended(self, *tensors: Tensor) -> Data:
        """``mask: none`` where a layer would lose a mask, and now and then where it is idle."""
        return {"mask": "none"} if any(t.mask for t in tensors) or self.rarely() else {}


def is_declarable(steps: Dim) -> bool:
    """Whether an input can have as many steps: not those of sequences joined in time."""
    return isinstance(steps, int) or "+" not in steps


def added(first: Dim, second: Dim) -> Dim:
    """Steps of two sequences one after the other: ``time+4``, ``steps+time``."""
    if isinstance(first, int) and isinstance(second, int):
        return first + second
    names = sorted(str(dim) for dim in (first, second) if not isinstance(dim, int))
    return "+".join(names + [str(dim) for dim in (first, second) if isinstance(dim, int)])
