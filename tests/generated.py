"""Random valid recipes, right by construction.

The draft below keeps its own account of shapes and masks, far simpler than the compiler's: a mask
is known by what it is made from. What it expects of every port is held against what the compiler
infers and what Keras computes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Callable

SLOTS = {"lstm": ("h", "c"), "gru": ("h",), "simple_rnn": ("h",)}
DIMS = {"time": 5, "steps": 4}
"""The sizes that named dimensions have in test data."""

Dim = int | str
Data = dict[str, Any]


@dataclass(frozen=True)
class Mask:
    """What a mask is made from: kind is ``lengths``, ``ids``, ``input`` or ``value``."""

    kind: str
    source: str
    steps: Dim
    padding: str = "any"
    value: float | None = None


@dataclass(frozen=True)
class Tensor:
    """A float tensor: how a recipe names it, the port that it is, its shape without the batch."""

    ref: str
    port: str
    shape: tuple[Dim, ...]
    mask: Mask | None = None


@dataclass(frozen=True)
class Recurrent:
    """A recurrent layer of the draft."""

    name: str
    kind: str
    units: list[int]
    bidirectional: bool
    mask: Mask | None


@dataclass
class Generated:
    """A recipe's data, and the mask expected at every port; None for a port without."""

    data: Data
    masks: dict[str, Mask | None]

    def __repr__(self) -> str:
        return f"Generated({self.data!r})"


@dataclass
class Draft:
    """A recipe in the making."""

    draw: Callable[[Any], Any]
    inputs: Data = field(default_factory=dict)
    layers: Data = field(default_factory=dict)
    tensors: list[Tensor] = field(default_factory=list)
    recurrents: list[Recurrent] = field(default_factory=list)
    output_refs: dict[str, list[str]] = field(default_factory=dict)
    read: set[str] = field(default_factory=set)
    masks: dict[str, Mask | None] = field(default_factory=dict)
    static_steps_only: bool = False
    made_inputs: int = 0

    # --- small helpers ---

    def pick(self, *options: Any) -> Any:
        return self.draw(st.sampled_from(options))

    def chance(self) -> bool:
        return self.draw(st.booleans())

    def rarely(self) -> bool:
        return self.draw(st.integers(0, 4)) == 4

    def use(self, tensor: Tensor) -> str:
        self.read.add(tensor.ref.partition(".")[0])
        return tensor.ref

    def add_tensor(self, tensor: Tensor) -> None:
        self.tensors.append(tensor)
        self.masks[tensor.port] = tensor.mask

    def new_layer(self, data: Data) -> str:
        name = f"layer{len(self.layers)}"
        if self.rarely():
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
        taken = Mask(mask.kind, mask.source, mask.steps, kept, mask.value)
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

    # --- Keras layers ---

    def dense(self) -> None:
        tensor = self.any_tensor()
        units = self.pick(1, 2, 3, 4)
        data = {"type": "dense", "input": self.use(tensor), "units": units}
        data |= self.pick({}, {"activation": "relu"}, {"use_bias": False}, {"trainable": False})
        mask = tensor.mask
        if self.rarely():
            data["mask"], mask = "none", None
        self.add_layer(data, (*tensor.shape[:-1], units), mask)

    def embedding(self) -> None:
        shape = () if self.rarely() else (self.steps(),)
        ids = self.new_input(shape, self.pick("int32", "int64", "uint8"))
        mask_zero = self.chance()
        width = self.pick(2, 3)
        data = {"type": "embedding", "input": ids, "input_dim": 6, "output_dim": width}
        if mask_zero:
            data["mask_zero"] = True
        mask = Mask("ids", ids, shape[0] if shape else "batch") if mask_zero else None
        self.add_layer(data, (*shape, width), mask)

    def conv(self) -> None:
        sequence = self.sequence()
        data = {"type": "conv1d", "input": self.use(sequence), "filters": self.pick(2, 3)}
        data |= {"kernel_size": 2, "padding": self.pick("same", "causal", "valid")}
        data |= self.mask_ended(sequence)
        steps = sequence.shape[0]
        if data["padding"] == "valid":
            if not isinstance(steps, int) or steps < 2:
                data["padding"] = "same"
            else:
                steps -= 1
        self.add_layer(data, (steps, data["filters"]), None)

    def handing_on(self) -> None:
        """Layers that change no shape and hand masks on."""
        tensor = self.any_tensor()
        data = dict(
            self.pick(
                {"type": "dropout", "rate": 0.3},
                {"type": "layer_normalization"},
                {"type": "activation", "activation": "tanh"},
                {"type": "gaussian_noise", "stddev": 0.1},
                {"type": "Identity"},
                {"type": "ReLU"},
                {"type": "unit_normalization"},
            )
        )
        data["input"] = self.use(tensor)
        self.add_layer(data, tensor.shape, tensor.mask)

    def taking_mask(self) -> None:
        """Layers whose call has a mask argument."""
        sequence = self.sequence()
        written, mask = self.mask_for(sequence)
        data = dict(
            self.pick(
                {"type": "batch_normalization"},
                {"type": "time_distributed", "layer": {"type": "dense", "units": 3}},
                {"type": "global_average_pooling1d"},
            )
        )
        data |= {"input": self.use(sequence), **written}
        shape: tuple[Dim, ...] = sequence.shape
        if data["type"] == "time_distributed":
            shape = (shape[0], 3)
        elif data["type"] == "global_average_pooling1d":
            shape, mask = shape[1:], None
        self.add_layer(data, shape, mask)

    def masking(self) -> None:
        sequence = self.sequence()
        value = self.pick(0.0, 1.0)
        data = {"type": "masking", "input": self.use(sequence), "mask_value": value}
        mask = Mask("value", sequence.port, sequence.shape[0], "any", value)
        self.add_layer(data, sequence.shape, mask)

    def merging(self) -> None:
        first = self.any_tensor()
        kind = self.pick("concatenate", "add", "average", "multiply", "maximum")
        leading = first.shape if kind != "concatenate" else first.shape[:-1]
        second = self.tensor(
            len(first.shape), lambda t: t.shape[: len(leading)] == leading and t != first
        )
        if second is None:
            second = self.float_input(first.shape)
        data = {"type": kind, "input": [self.use(first), self.use(second)]}
        mask = first.mask
        if first.mask != second.mask or self.rarely():
            data["mask"], mask = "none", None
        width = first.shape[-1] + second.shape[-1] if kind == "concatenate" else first.shape[-1]
        self.add_layer(data, (*first.shape[:-1], width), mask)

    def attention(self) -> None:
        query = self.sequence()
        width = query.shape[1]
        # Keras warns of attention to a single step.
        value = self.tensor(2, lambda t: t.shape[1] == width and t.shape[0] != 1)
        value = value or self.float_input((self.steps(), width))
        refs = [self.use(query), self.use(value)]
        data: Data = {"type": "attention", "input": refs}
        if self.chance():
            data = {"type": "multi_head_attention", "num_heads": 2, "key_dim": 2}
            data["input"] = dict(zip(("query", "value"), refs, strict=True))
        self.add_layer(data, query.shape, query.mask)

    def reshaping(self) -> None:
        static = self.static()
        if self.chance():
            data = {"type": "repeat_vector", "input": self.use(static), "n": self.pick(2, 3)}
            shape: tuple[Dim, ...] = (data["n"], static.shape[0])
        else:
            data = {"type": "reshape", "input": self.use(static)}
            shape = (1, static.shape[0])
            data["target_shape"] = list(shape)
        self.add_layer(data | self.mask_ended(static), shape, None)

    def pooled(self) -> None:
        sequence = self.sequence()
        data = {"type": "global_max_pooling1d", "input": self.use(sequence)}
        self.add_layer(data | self.mask_ended(sequence), sequence.shape[1:], None)

    # --- recurrent layers ---

    def recurrent(self) -> None:
        kind, units, bidirectional = self.drawn_kind()
        data: Data = {"type": kind, **units}
        sizes = units["units"] if isinstance(units["units"], list) else [units["units"]]
        sizes = sizes * units.get("depth", 1)
        if bidirectional:
            data["bidirectional"] = True
            data |= self.pick({}, *({"merge_mode": m} for m in ("concat", "sum", "mul", "ave")))
        sources = self.recurrent_sources()
        data["input"] = sources if len(sources) > 1 or self.rarely() else sources[0]
        sequence, agreed, inherited = self.joined(data["input"])
        written, mask = self.mask_for(sequence, must_choose=not agreed)
        data |= written
        if not written.get("mask") or written["mask"] == "inherited":
            mask = inherited
        layer = Recurrent(f"layer{len(self.layers)}", kind, sizes, bidirectional, mask)
        data |= self.options(layer)
        data |= self.initial_state(layer)
        self.finish_recurrent(layer, data, sequence.shape[0])

    def drawn_kind(self) -> tuple[str, Data, bool]:
        """Type, units and directions: often those of an earlier layer, whose states then fit."""
        if self.recurrents and self.chance():
            source = self.draw(st.sampled_from(self.recurrents))
            if source.bidirectional and self.chance():
                return source.kind, {"units": [2 * units for units in source.units]}, False
            units = self.pick(source.units, [source.units[-1]], [source.units[-1]] * 2)
            return source.kind, {"units": list(units)}, source.bidirectional
        kind = self.pick("lstm", "lstm", "gru", "simple_rnn")
        return kind, self.drawn_units(), self.rarely() or self.rarely()

    def drawn_units(self) -> Data:
        return self.draw(
            st.one_of(
                st.builds(lambda n: {"units": n}, st.sampled_from([2, 3, 4])),
                st.builds(lambda n: {"units": n, "depth": 2}, st.sampled_from([2, 3])),
                st.builds(
                    lambda n: {"units": n},
                    st.lists(st.sampled_from([2, 4]), min_size=1, max_size=2),
                ),
            )
        )

    def recurrent_sources(self) -> list[str]:
        first = self.sequence()
        chosen = [first]
        if self.rarely():
            chosen.append(self.static())
        if self.rarely():
            also = self.tensor(2, lambda t: t.shape[0] == first.shape[0] and t != first)
            chosen += [also] if also else []
        if self.chance():
            chosen.reverse()
        return [self.use(tensor) for tensor in chosen]

    def joined(self, refs: str | list[str]) -> tuple[Tensor, bool, Mask | None]:
        """The first sequence, whether the masks agree, and the mask that is taken over."""
        by_ref = {tensor.ref: tensor for tensor in self.tensors}
        tensors = [by_ref[ref] for ref in ([refs] if isinstance(refs, str) else refs)]
        sequences = [tensor for tensor in tensors if len(tensor.shape) == 2]
        found = [tensor.mask for tensor in sequences if tensor.mask]
        return sequences[0], len(set(found)) < 2, found[0] if found else None

    def options(self, layer: Recurrent) -> Data:
        options: Data = {}
        if self.rarely():
            options["go_backwards"] = True
        if self.chance():
            options["return_sequences"] = self.chance()
        if not (layer.bidirectional and layer.mask) and self.rarely():
            options["padded_output"] = self.pick("hold", "zero")
        options |= self.pick(
            {}, {}, {"dropout": 0.2}, {"recurrent_dropout": 0.1}, {"use_bias": False},
            {"trainable": False}, {"activation": "relu"},
        )  # fmt: skip
        if layer.kind == "gru" and self.rarely():
            options["reset_after"] = False
        if options.get("go_backwards") and layer.mask:
            options.pop("return_sequences", None)
            if len(layer.units) > 1:
                del options["go_backwards"]
        return options

    def finish_recurrent(self, layer: Recurrent, data: Data, steps: Dim) -> None:
        name = self.new_layer(data)
        depth = len(layer.units)
        nodes = [name] if depth == 1 else [f"{name}_{i + 1}" for i in range(depth)]
        for node in nodes:
            self.masks[f"{node}.sequence"] = layer.mask
        wide = layer.units[-1]
        if layer.bidirectional and data.get("merge_mode", "concat") == "concat":
            wide *= 2
        node, added = nodes[-1], []
        if not (data.get("go_backwards") and layer.mask):
            sequence = Tensor(f"{name}.sequence", f"{node}.sequence", (steps, wide), layer.mask)
            added.append(sequence)
            if data.get("return_sequences"):
                added.append(Tensor(name, f"{node}.sequence", (steps, wide), layer.mask))
        added.append(Tensor(f"{name}.last", f"{node}.last", (wide,)))
        if not data.get("return_sequences"):
            added.append(Tensor(name, f"{node}.last", (wide,)))
        for slot in SLOTS[layer.kind]:
            for way in ("forward", "backward") if layer.bidirectional else ("",):
                ref = f"{name}.state.{way}.{slot}" if way else f"{name}.state.{slot}"
                port = f"{node}.{way}_{slot}" if way else f"{node}.{slot}"
                added.append(Tensor(ref, port, (layer.units[-1],)))
        self.tensors += added
        self.output_refs[name] = [tensor.ref for tensor in added] + [f"{name}.state"]
        self.recurrents.append(layer)

    # --- initial states ---

    def initial_state(self, layer: Recurrent) -> Data:
        if self.chance():
            return {}
        depth = len(layer.units)
        if depth > 1 and self.rarely():
            parts = [
                Recurrent(layer.name, layer.kind, [units], layer.bidirectional, None)
                for units in layer.units
            ]
            # Naming a layer in a list still means the layer of the same place in its stack.
            return {"initial_state": [self.state_form(part, may_read=False) for part in parts]}
        return {"initial_state": self.state_form(layer, may_read=True)}

    def state_form(self, layer: Recurrent, *, may_read: bool) -> Any:
        ways = 2 if layer.bidirectional else 1
        slots = SLOTS[layer.kind]
        options: list[Callable[[], Any]] = [
            lambda: "zeros",
            lambda: "input",
            self.static_state,
            lambda: self.split_state(layer),
        ]
        if len(layer.units) == 1:
            options.append(lambda: self.state_inputs(layer.units[0], ways * len(slots)))
        if may_read:
            forms = self.forms_from_layers(layer)
            if forms:
                options += [lambda: self.read_form(self.draw(st.sampled_from(forms)))] * 5
        return self.draw(st.sampled_from(options))()

    def read_form(self, form: Any) -> Any:
        source = form["from"] if isinstance(form, dict) else form
        self.read.add(source.partition(".")[0])
        return form

    def static_state(self) -> Data:
        names = [self.use(self.static())]
        if self.chance():
            names.append(self.use(self.static()))
        return {"static": names, **self.pick({}, {"activation": "tanh"})}

    def state_inputs(self, units: int, count: int) -> Data:
        shared = self.rarely()
        self.made_inputs += 1
        first = f"state{self.made_inputs}"
        names = [first if shared else f"{first}s{index}" for index in range(count)]
        if self.rarely():
            names[0] = self.new_input((units,))
        return {"inputs": names}

    def split_state(self, layer: Recurrent) -> Data:
        slots = [slot for slot in SLOTS[layer.kind] if self.chance()] or ["h"]
        return {slot: self.single_state(layer) for slot in slots}

    def single_state(self, layer: Recurrent) -> Any:
        ways = 2 if layer.bidirectional else 1
        options: list[Callable[[], Any]] = [
            lambda: "zeros",
            lambda: "input",
            self.static_state,
            self.dense_state,
        ]
        if len(layer.units) == 1:
            options.append(lambda: self.state_inputs(layer.units[0], ways))
        fits = [t for t in self.tensors if t.shape == (layer.units[0],)]
        names = self.recurrent_names()
        fits = [t for t in fits if t.ref not in names]
        if fits and len(set(layer.units)) == 1:
            options += [lambda: self.use(self.draw(st.sampled_from(fits)))] * 2
        return self.draw(st.sampled_from(options))()

    def dense_state(self) -> Data:
        """Any static tensor, projected. A bare recurrent layer names its states, not its output."""
        names = self.recurrent_names()
        tensor = self.tensor(1, lambda t: t.ref not in names) or self.float_input((3,))
        return {"from": self.use(tensor), "bridge": "dense"}

    def recurrent_names(self) -> set[str]:
        return {layer.name for layer in self.recurrents}

    def forms_from_layers(self, layer: Recurrent) -> list[Any]:
        """Every form in which the states of an earlier layer fit `layer`."""
        forms: list[Any] = []
        for source in self.recurrents:
            if SLOTS[source.kind] == SLOTS[layer.kind]:
                forms += self.forms_from(source, layer)
        return forms

    @staticmethod
    def forms_from(source: Recurrent, layer: Recurrent) -> list[Any]:
        depth, name = len(layer.units), source.name
        forms: list[Any] = [{"from": name, "bridge": "dense"}]
        if depth > 1 and len(source.units) == depth:
            feeding = source.units
        else:
            feeding = [source.units[-1]] * depth
        fits_place = depth in (1, len(source.units))
        same_ways = source.bidirectional == layer.bidirectional
        if fits_place and same_ways and feeding == layer.units:
            forms += [name, f"{name}.state", {"from": name}]
        if same_ways and set(layer.units) == {source.units[-1]}:
            forms.append({"from": name, "bridge": "last"})
        doubled = [2 * units for units in feeding] == layer.units
        if fits_place and source.bidirectional and not layer.bidirectional and doubled:
            forms.append({"from": name, "bridge": "concat"})
        return forms

    # --- the whole ---

    def outputs(self) -> Data:
        refs = [
            self.draw(st.sampled_from(options))
            for name, options in self.output_refs.items()
            if name not in self.read
        ]
        extra = [ref for options in self.output_refs.values() for ref in options]
        refs += self.draw(st.lists(st.sampled_from(extra), max_size=2))
        return {f"out{index}": ref for index, ref in enumerate(dict.fromkeys(refs))}


STEPS: tuple[Callable[[Draft], None], ...] = (
    *(Draft.recurrent,) * 6, Draft.embedding, Draft.embedding, Draft.dense, Draft.conv,
    Draft.handing_on, Draft.taking_mask, Draft.taking_mask, Draft.masking, Draft.merging,
    Draft.attention, Draft.reshaping, Draft.pooled,
)  # fmt: skip


@st.composite
def recipes(draw: Any, max_layers: int = 5) -> Generated:
    """A valid recipe of one to `max_layers` layers."""
    draft = Draft(draw, static_steps_only=draw(st.integers(0, 5)) == 5)
    for _ in range(draw(st.integers(1, max_layers))):
        draw(st.sampled_from(STEPS))(draft)
    data = {
        "recipe": 1,
        "name": "generated",
        "inputs": draft.inputs,
        "layers": draft.layers,
        "outputs": draft.outputs(),
    }
    runtime = _runtime(draft)
    if runtime:
        data["runtime"] = runtime
    return Generated(data, draft.masks)


def _runtime(draft: Draft) -> Data:
    runtime: Data = {}
    if draft.rarely():
        runtime["dtype_policy"] = draft.pick(
            "float32", "mixed_float16", "mixed_bfloat16", "float64"
        )
    kernels = ["standard"]
    both_ways = any(layer.get("bidirectional") for layer in draft.layers.values())
    if draft.static_steps_only and not both_ways:  # masked, those cannot be unrolled
        kernels.append("unrolled")
    if draft.rarely():
        runtime["kernel"] = draft.pick(*kernels)
    if draft.chance():
        runtime["seed"] = 7
    return runtime
