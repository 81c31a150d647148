"""Random valid recipes, right by construction.

What the draft expects of every port is held against what the compiler infers and what Keras
computes (``test_inference.py``), and its numbers against NumPy (``test_random_outputs.py``).
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from generated_base import (
    BATCH_SIZE,
    Callee,
    Data,
    Dim,
    Generated,
    Mask,
    Recurrent,
    Tensor,
    added,
    is_declarable,
)
from generated_states import DraftStates
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Callable

EXAMPLES = int(os.environ.get("LSTMGRAPH_EXAMPLES") or 0)

settings.register_profile(
    "lstmgraph",
    deadline=None,
    derandomize=not EXAMPLES,
    print_blob=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


def examples(count: int) -> settings:
    """`count` fixed examples; where more are asked for, as many in proportion, drawn anew."""
    profile = settings.get_profile("lstmgraph")
    return settings(profile, max_examples=EXAMPLES * count // 100 if EXAMPLES else count)


@dataclass
class Draft(DraftStates):
    """A recipe in the making: its layers."""

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
        name = f"layer{len(self.layers) - 1}"
        self.callees.append(Callee(name, data, len(tensor.shape), tensor.shape[-1]))

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
        # Of fewer steps, only some masks can be given to those that read them: L511.
        data |= {"kernel_size": 2, "padding": self.pick("same", "causal")}
        # Nor behind one that reads the next step, unless it says that padded ones count.
        reads_ahead = data["padding"] == "same"
        data |= {"mask": "none"} if reads_ahead else self.mask_ended(sequence)
        self.add_layer(data, (sequence.shape[0], data["filters"]), None)

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
        if self.rarely():
            data["trainable"] = False
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
        if second is None and not all(is_declarable(dim) for dim in first.shape):
            second = first
        second = second or self.float_input(first.shape)
        data = {"type": kind, "input": [self.use(first), self.use(second)]}
        mask = first.mask
        if first.mask != second.mask or self.rarely():
            data["mask"], mask = "none", None
        width = first.shape[-1] + second.shape[-1] if kind == "concatenate" else first.shape[-1]
        self.add_layer(data, (*first.shape[:-1], width), mask)

    def joining_in_time(self) -> None:
        first = self.tensor(2, lambda t: is_declarable(t.shape[0]))
        first = first or self.float_input((self.steps(), 2))
        width = first.shape[1]
        second = self.tensor(2, lambda t: t.shape[1] == width and is_declarable(t.shape[0]))
        if second is None or self.rarely():
            second = self.float_input((self.steps(), width))
        data: Data = {"type": "concatenate", "axis": 1}
        data["input"] = [self.use(first), self.use(second)]
        steps = added(first.shape[0], second.shape[0])
        mask = None
        if first.mask or second.mask:
            right = not first.mask and second.mask.padding == "right"
            parts = tuple((tensor.port, tensor.mask) for tensor in (first, second))
            padding = "right" if right else "any"
            mask = Mask("joined", first.port, steps, padding, parts=parts)
        if self.rarely():
            data["mask"], mask = "none", None
        self.add_layer(data, (steps, width), mask)

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
        self.add_recurrent({"type": kind, **units}, bidirectional=bidirectional)

    def cells(self) -> None:
        """An ``rnn``: often of the cells of an earlier one, whose states then fit."""
        earlier = [layer for layer in self.recurrents if layer.cells]
        if earlier and self.chance():
            source = self.draw(st.sampled_from(earlier))
            drawn, bidirectional = source.cells, source.bidirectional
        else:
            kinds = st.sampled_from(["lstm", "gru", "simple_rnn"])
            one = st.tuples(kinds, st.sampled_from([2, 3]))
            drawn = tuple(self.draw(st.lists(one, min_size=1, max_size=3)))
            bidirectional = len(drawn) == 1 and self.chance()
        cells = []
        for kind, units in drawn:
            cell = {"type": f"{kind}_cell", "units": units}
            cell |= self.pick({}, {}, {"use_bias": False}, {"activation": "relu"}, {"dropout": 0.2})
            if kind == "gru" and self.rarely():
                cell["reset_after"] = False
            cells.append(cell)
        data: Data = {"type": "rnn", "cells": cells}
        self.add_recurrent(data, bidirectional=bidirectional, cells=drawn)

    def add_recurrent(
        self, data: Data, *, bidirectional: bool, cells: tuple[tuple[str, int], ...] = ()
    ) -> None:
        units = cells[-1][1] if cells else data["units"]
        sizes = (units if isinstance(units, list) else [units]) * data.get("depth", 1)
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
        name = f"layer{len(self.layers)}"
        layer = Recurrent(name, data["type"], sizes, bidirectional, mask, cells)
        data |= self.options(layer)
        data |= self.initial_state(layer)
        self.finish_recurrent(layer, data, sequence.shape[0])
        if "carried" not in _texts(data):
            refs = [data["input"]] if isinstance(data["input"], str) else data["input"]
            by_ref = {tensor.ref: tensor.shape[-1] for tensor in self.tensors}
            features = sum(int(by_ref[ref]) for ref in refs)
            self.callees.append(Callee(name, data, 2, features, layer))

    def drawn_kind(self) -> tuple[str, Data, bool]:
        """Type, units and directions: often those of an earlier layer, whose states then fit."""
        if self.recurrents and self.chance():
            source = self.draw(st.sampled_from(self.recurrents))
            if source.cells:
                kind, size = source.cells[-1]
                return kind, {"units": size}, source.bidirectional
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
        if layer.cells:
            options |= self.pick({}, {"trainable": False})
        else:
            options |= self.cell_options(layer)
        if options.get("go_backwards") and layer.mask:
            options.pop("return_sequences", None)
            if len(layer.units) > 1 or options.get("normalization"):
                del options["go_backwards"]
        if options.get("residual"):
            options.pop("go_backwards", None)
        return options

    def cell_options(self, layer: Recurrent) -> Data:
        options: Data = self.pick(
            {}, {}, {"dropout": 0.2}, {"recurrent_dropout": 0.1}, {"use_bias": False},
            {"trainable": False}, {"activation": "relu"},
        )  # fmt: skip
        if layer.kind == "gru" and self.rarely():
            options["reset_after"] = False
        if len(layer.units) > 1 and len(set(layer.units)) == 1 and self.chance():
            options["residual"] = True
        if self.rarely():
            options["normalization"] = "layer"
        return options

    def finish_recurrent(
        self, layer: Recurrent, data: Data, steps: Dim, call: Data | None = None
    ) -> None:
        name = self.new_layer(call or data)
        depth = len(layer.units)
        nodes = [name] if depth == 1 else [f"{name}_{i + 1}" for i in range(depth)]
        for node in nodes:
            self.masks[f"{node}.sequence"] = layer.mask
        wide = layer.units[-1]
        if layer.bidirectional and data.get("merge_mode", "concat") == "concat":
            wide *= 2
        node = nodes[-1]
        port, finished = self.finished_port(nodes, data, layer.mask)
        found: list[Tensor] = []
        if not (data.get("go_backwards") and layer.mask):
            found.append(Tensor(f"{name}.sequence", port, (steps, wide), layer.mask))
            if data.get("return_sequences"):
                found.append(Tensor(name, port, (steps, wide), layer.mask))
        if not finished:
            found.append(Tensor(f"{name}.last", f"{node}.last", (wide,)))
            if not data.get("return_sequences"):
                found.append(Tensor(name, f"{node}.last", (wide,)))
        states = []
        for slot, size in zip(layer.slots, layer.sizes[-1], strict=True):
            for way in ("forward", "backward") if layer.bidirectional else ("",):
                port = f"{node}.{way}_{slot}" if way else f"{node}.{slot}"
                slots = f"{way}.{slot}" if way else slot.replace("_", ".")
                states.append(Tensor(f"{name}.state.{slots}", port, (size,)))
        self.tensors += found + states
        self.output_refs[name] = [tensor.ref for tensor in found + states] + [f"{name}.state"]
        if finished:  # sums and normalizations are there to be read
            self.sequences_to_read[name] = found[0].ref
        self.recurrents.append(layer)

    def finished_port(self, nodes: list[str], data: Data, mask: Mask | None) -> tuple[str, bool]:
        """The port of the sequence, and whether it is a sum or normalized."""
        port = f"{nodes[-1]}.sequence"
        for index, node in enumerate(nodes):
            if data.get("residual") and index > 0:
                port = f"{node}_residual"
                self.masks[port] = mask
            if data.get("normalization"):
                port = f"{node}_norm"
                self.masks[port] = mask
        return port, not port.endswith(".sequence")

    # --- calls of earlier layers ---

    def calling(self) -> None:
        if not self.callees:
            self.draw(st.sampled_from((Draft.dense, Draft.recurrent)))(self)
            return
        callee = self.draw(st.sampled_from(self.callees))
        tensor = self.tensor(callee.rank, lambda t: t.shape[-1] == callee.features)
        if tensor is None or self.rarely():
            steps = [self.steps()] * (callee.rank - 1)
            tensor = self.float_input((*steps, callee.features))
        data: Data = {"call": callee.name, "input": self.use(tensor)}
        if callee.recurrent:
            self.call_recurrent(callee, callee.recurrent, data, tensor)
            return
        data |= self.pick({}, {}, {"mask": "none"}, {"mask": "inherited"})
        form = data.get("mask") or callee.data.get("mask")
        shape = (*tensor.shape[:-1], callee.data["units"])
        self.add_layer(data, shape, None if form == "none" else tensor.mask)

    def call_recurrent(
        self, callee: Callee, called: Recurrent, data: Data, sequence: Tensor
    ) -> None:
        form, state = (callee.data.get(key) for key in ("mask", "initial_state"))
        written, mask = self.mask_for(sequence, must_choose=not _is_own(form))
        held = callee.data.get("padded_output") == "hold" and called.bidirectional
        if held or callee.data.get("go_backwards"):
            written, mask = {"mask": "none"}, None
        elif not written and form == "none":
            mask = None
        elif not written and isinstance(form, dict):
            padding, value = form.get("padding", "any"), form["value"]
            mask = Mask("value", sequence.port, sequence.shape[0], padding, value)
        layer = replace(called, name=f"layer{len(self.layers)}", mask=mask)
        start = self.initial_state(layer)
        if "carried" in _texts(start) or not (start or _is_own(state)):
            start = {"initial_state": self.pick("zeros", called.name)}
            self.read.add(called.name)
        data |= written | start
        self.finish_recurrent(layer, {**callee.data, **data}, sequence.shape[0], data)

    # --- the whole ---

    def outputs(self) -> Data:
        refs = [
            self.draw(st.sampled_from(options))
            for name, options in self.output_refs.items()
            if name not in self.read
        ]
        refs += [ref for ref in self.sequences_to_read.values() if ref not in self.read_refs]
        extra = [ref for options in self.output_refs.values() for ref in options]
        refs += self.draw(st.lists(st.sampled_from(extra), max_size=2))
        return {f"out{index}": ref for index, ref in enumerate(dict.fromkeys(refs))}


STEPS: tuple[Callable[[Draft], None], ...] = (
    *(Draft.recurrent,) * 6, *(Draft.cells,) * 2, Draft.joining_in_time,
    Draft.embedding, Draft.embedding, Draft.dense, Draft.conv, Draft.handing_on,
    Draft.taking_mask, Draft.taking_mask, Draft.masking, Draft.merging, Draft.attention,
    Draft.reshaping, Draft.pooled, *(Draft.calling,) * 4,
)  # fmt: skip


@st.composite
def recipes(draw: Any, min_layers: int = 1, max_layers: int = 5) -> Generated:
    """A valid recipe of `min_layers` to `max_layers` layers."""
    draft = Draft(draw, static_steps_only=draw(st.integers(0, 5)) == 5)
    for _ in range(draw(st.integers(min_layers, max_layers))):
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


def _is_own(form: Any) -> bool:
    """Whether a mask or an initial state, None where none is written, names no tensor."""
    if isinstance(form, list):
        return all(map(_is_own, form))
    if isinstance(form, dict):
        parts = [form[key] for key in "hc" if key in form]
        return all(map(_is_own, parts)) if parts else bool({"value", "constant"} & set(form))
    return form in (None, "inherited", "none", "zeros", "learned")


def _texts(data: Any) -> set[str]:
    """Every text in plain data."""
    if isinstance(data, dict | list):
        inner = data.values() if isinstance(data, dict) else data
        return {text for each in inner for text in _texts(each)}
    return {data} if isinstance(data, str) else set()


def _runtime(draft: Draft) -> Data:
    runtime: Data = {}
    if draft.batch_size or draft.rarely():
        runtime["batch_size"] = BATCH_SIZE
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
