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
