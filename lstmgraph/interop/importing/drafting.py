"""Drafting of a recipe's data from what a Keras model was lifted to."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from lstmgraph.interop.importing.arguments import (
    NotSayableError,
    identifier,
    layer_arguments,
    spelling,
)
from lstmgraph.interop.importing.blocks import bound_nodes
from lstmgraph.interop.importing.expressions import (
    Constant,
    Expression,
    Filled,
    Fold,
    Join,
    Mask,
    Operation,
    Port,
    Repeat,
    RowIds,
    Step,
    Value,
    Zeros,
    operations_in,
)
from lstmgraph.interop.importing.lifting import Lifted, Node, Problem, recurrent_of
from lstmgraph.interop.importing.seeds import Seeds
from lstmgraph.interop.importing.sizes import Sizes
from lstmgraph.interop.inlining import BETWEEN
from lstmgraph.keras_facts.catalogue import is_recurrent
from lstmgraph.keras_facts.dtypes import full_dtype

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lstmgraph.interop.importing.lifting import Recurrent

Data = dict[str, Any]


@dataclass
class Draft:
    """A recipe's data, with comments on its layers."""

    data: Data
    comments: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    """What to say above a layer, by its name; of one in a block, ``tower/reader``."""
    problems: list[Problem] = field(default_factory=list)
    layers: dict[str, str] = field(default_factory=dict)
    """The names of the layers in Keras by those in the recipe, as far as they differ."""

    notes: list[str] = field(default_factory=list)
    """What else the recipe has otherwise, without changing any number."""
    looped: dict[str, tuple[str, str, str]] = field(default_factory=dict)
    """By the calls inside of blocks: their names in the graph, the block, and the layer in it."""

    def has(self, name: str) -> bool:
        """Return whether the recipe has a layer, at its place or in a block."""
        return name in self.looped or name in self.data["layers"]

    def place(self, name: str) -> str:
        """Return the name of a layer among the comments."""
        _, block, own = self.looped.get(name, ("", "", name))
        return f"{block}{BETWEEN}{own}" if block else own

    def layer(self, name: str) -> Data:
        """Return the data of a layer, that in its block if it is in one."""
        layers = self.data["layers"]
        if name in self.looped:
            _, block, name = self.looped[name]
            layers = self.data["blocks"][block]["layers"]
        found: Data = layers[name]
        return found


def draft(lifted: Lifted) -> Draft:
    """Return the recipe of a lifted model, before its masks and dtypes were compared."""
    return _Drafting(lifted).draft()


class _Drafting:
    def __init__(self, lifted: Lifted) -> None:
        self.lifted = lifted
        self.sizes = Sizes(lifted)
        self.seeds = Seeds(lifted)
        self.problems: list[Problem] = [*lifted.problems]
        self.nodes = {node.name: node for node in lifted.nodes}
        self.layers: Data = {}
        self.absorbed: set[str] = set()
        self.state_inputs: set[str] = set()
        self.readers = _readers(lifted)
        self.made: dict[Expression, str] = {}
        self.in_blocks: dict[str, str] = {}
        """The layers of blocks: their names in the recipe's model, and in the model."""
        self.joined_by_state: set[str] = set()
        """The nodes of which each state has its own joined static features, named after it."""
        self.learned: dict[str, str] = {}
        """The layers of learned states: their names in the recipe's model, and in the model."""

    def draft(self) -> Draft:
        lifted = self.lifted
        forms = {node.name: self.states(node) for node in lifted.nodes if node.recurrent}
        for node in lifted.nodes:
            if node.name in self.absorbed:
                continue
            try:
                form = forms.get(node.name)
                if node.holder and form is None and forms.get(node.holder) is not None:
                    form = "zeros"  # which a call of a layer with another form has to say
                self.layers[node.name] = self.entry(node, form)
            except NotSayableError as error:
                self.problem(node.layer.name, "M202", str(error))
        blocks = self.blocks()
        outputs = {}
        for name, value in lifted.outputs.items():
            reference = self.reference(value.expression, f"the output '{name}'")
            outputs[name] = reference
        runtime = self.runtime()
        usual = "float64" if runtime.get("dtype_policy") == "float64" else "float32"
        data: Data = {"recipe": 1, "name": lifted.name, "inputs": self.inputs(usual)}
        self.layers = _in_order(self.layers)
        if blocks:
            data["blocks"] = blocks
        data |= {"layers": self.layers, "outputs": _folded_states(outputs, self.nodes)}
        if runtime:
            data["runtime"] = runtime
        problems = list(dict.fromkeys(self.problems))
        learned = {own: given for own, given in self.learned.items() if own != given}
        looped = {
            name: (own.graph_name, own.block, own.own_name)
            for name, own in bound_nodes(lifted).items()
        }
        return Draft(data, problems=problems, layers=learned | self.in_blocks, looped=looped)

    def blocks(self) -> Data:
        """Return the blocks that calls of nested models need, those of inner ones first."""
        found: Data = {}
        for node in sorted(self.lifted.nodes, key=lambda each: each.mask is None):
            block = node.block
            if block is None or block.name in found:
                continue
            inner = draft(block.lifted)
            self.problems += [
                replace(each, layer=f"{block.source}{BETWEEN}{each.layer}")
                for each in inner.problems
            ]
            (own_input,) = inner.data["inputs"]
            found |= inner.data.get("blocks", {})
            found[block.name] = {
                "inputs": [own_input],
                "layers": inner.data["layers"],
                "outputs": inner.data["outputs"],
            }
            names = {
                each.name: each.layer.name
                for each in block.lifted.nodes
                if not each.holder and each.block is None
            }
            for own, source in {**names, **inner.layers}.items():
                of_block = any(own.startswith(f"{each}_") for each in inner.data.get("blocks", {}))
                name = own if of_block else f"{block.name}_{own}"
                self.in_blocks[name] = f"{block.source}{BETWEEN}{source}"
        return found

    def problem(self, layer: str, code: str, message: str, hint: str = "") -> None:
        self.problems.append(Problem(layer, code, message, hint))

    # --- inputs and runtime ---

    def inputs(self, usual: str) -> Data:
        """Return the declared inputs; `usual` is the dtype of those that do not say one."""
        found: Data = {}
        for name, value in self.lifted.inputs.items():
            if name in self.state_inputs:
                continue
            shape = self.sizes.of_input(name)
            entry: Data = {"shape": shape}
            if value.dtype not in (usual, ""):
                entry["dtype"] = value.dtype
            if name in self.lifted.time_major:
                entry["time_major"] = True
            found[name] = entry
        return found

    def runtime(self) -> Data:
        found: Data = {}
        policies = Counter(node.policy for node in self.lifted.nodes if not node.is_made)
        if policies:
            usual = policies.most_common(1)[0][0]
            mixed = [own for own in policies if own.startswith("mixed_")]
            if usual == "float32" and mixed and 2 * policies[mixed[0]] >= policies["float32"]:
                usual = mixed[0]  # under which heads are float32 by themselves
            if usual != "float32":
                found["dtype_policy"] = usual
        if self.seeds.seed is not None:
            found["seed"] = self.seeds.seed
        batches = {
            self.lifted.shapes[Port(name)][0]
            for name in self.lifted.inputs
            if self.lifted.shapes.get(Port(name))
        } - {None}
        if batches:
            found["batch_size"] = batches.pop()
            if batches:
                self.problem("", "M208", "its inputs have different fixed batch sizes")
        return found

    # --- layers ---

    def entry(self, node: Node, form: Any) -> Data:
        entry: Data
        if node.block is not None:
            entry = {"call": node.block.name}
            for _ in range(node.block.depth):
                entry = {"type": "time_distributed", "layer": entry}
            first = next(iter(entry))
            return {first: entry.pop(first), "input": self.inputs_of(node), **entry}
        if node.holder:
            call: Data = {"call": node.holder}
            entry = {**call, "input": self.inputs_of(node), **node.keywords}
            if node.recurrent is not None and form is not None:
                entry["initial_state"] = form
            if node.folds:
                inner = {key: each for key, each in entry.items() if key != "input"}
                entry = {"type": "time_distributed", "input": entry["input"], "layer": inner}
            return entry
        typed = self.typed(node, form)
        for _ in range(node.folds):
            typed = {"type": "time_distributed", "layer": typed}
        typed_input = {"type": typed.pop("type"), "input": self.inputs_of(node)}
        return {**typed_input, **typed, **node.keywords}

    def typed(self, node: Node, form: Any) -> Data:
        """Return the type and arguments of a node's layer, without its input."""
        layer = node.layer
        if node.recurrent is None or layer.type == "TimeDistributed":
            if layer.type == "TimeDistributed":
                inner = layer.config.get("layer") or {}
                masked, shape = node.inputs[0].mask is not None, node.inputs[0].shape or (None,) * 2
                if inner.get("class_name") == "Dense" and masked and shape[1] is None:
                    # Of open steps, lstmgraph's wrapper would zero the padded ones.
                    config = self.seeds.without_known(f"{layer.name}_layer", "", inner["config"])
                    return {"type": "dense", **layer_arguments("Dense", config)}
                name = f"{layer.name}_layer"
                own = self.inner(node, inner.get("class_name", ""), inner.get("config") or {}, name)
                rest = layer_arguments("TimeDistributed", layer.config)
                return {"type": "time_distributed", "layer": own, **rest}
            config = self.seeds.without_known(layer.name, layer.type, layer.config)
            own = layer_arguments(layer.type, config)
            if own.get("value_dim") == own.get("key_dim"):
                own.pop("value_dim", None)
            if own.get("attention_axes") == list(range(1, len(node.inputs[0].shape or ()) - 1)):
                del own["attention_axes"]
            return {"type": spelling(layer.type), **own}
        return self.recurrent(node, node.recurrent, layer.name, form)

    def inner(self, node: Node, type_: str, config: Mapping[str, Any], name: str) -> Data:
        """Return the layer inside a wrapper, at any depth."""
        if type_ == "TimeDistributed":
            inner = config.get("layer") or {}
            own_name = f"{name}_layer"
            own = self.inner(node, inner.get("class_name", ""), inner.get("config") or {}, own_name)
            return {"type": "time_distributed", "layer": own}
        recurrent = recurrent_of(type_, config)
        if recurrent is not None:
            return self.recurrent(node, recurrent, name, None)
        config = self.seeds.without_known(name, type_, config)
        return {"type": spelling(type_), **layer_arguments(type_, config)}

    def recurrent(  # noqa: PLR0912 - one branch for each key
        self, node: Node, own: Recurrent, name: str, form: Any
    ) -> Data:
        """Return the type and arguments of a recurrent layer."""
        config = dict(own.config)
        found: Data = {"type": spelling(own.type) if own.type != "RNN" else "rnn"}
        if own.backward is not None:
            config["trainable"] = node.layer.config.get("trainable", True) and config.get(
                "trainable", True
            )
            self.check_directions(own)
        inner_name = name if own.backward is None else f"forward_{name}"
        config = self.seeds.without_known(inner_name, own.type, config)
        arguments = layer_arguments(own.type, config)
        if own.type == "RNN":
            cells = []
            for number, (type_, cell) in enumerate(own.cells, start=1):
                if type_ not in ("LSTMCell", "GRUCell", "SimpleRNNCell"):
                    raise NotSayableError(f"the cell {type_}, which is not Keras's own")
                plain = self.seeds.without_known(f"{inner_name}_cell_{number}", type_, cell)
                known = {k: v for k, v in layer_arguments(type_, plain).items() if k != "trainable"}
                cells.append({"type": _snake_cell(type_), **known})
            arguments = {"cells": cells, **arguments}
        found |= arguments
        if own.config.get("unroll"):
            found["unroll"] = True
        if own.backward is not None:
            found["bidirectional"] = True
            if own.merge_mode != "concat":
                if own.merge_mode not in ("sum", "mul", "ave"):
                    raise NotSayableError(
                        "`merge_mode=None`, which gives the two directions as two outputs; write "
                        "two layers, one with `go_backwards: true`"
                    )
                found["merge_mode"] = own.merge_mode
        in_order = own.config.get("return_sequences")
        zeroed = own.config.get("zero_output_for_mask")
        if node.mask is not None and own.backward is None:
            if in_order and not zeroed:
                found["padded_output"] = "hold"
            if zeroed and not in_order:
                raise NotSayableError(
                    "`zero_output_for_mask=True` without `return_sequences`, which zeroes the last "
                    "output of padded rows"
                )
        if own.config.get("stateful"):
            if own.backward is not None:
                raise NotSayableError("a stateful Bidirectional: its backward state means nothing")
            form = "carried" if node.states is None else form
        if form not in (None, "zeros"):
            found["initial_state"] = form
        return found

    def check_directions(self, own: Recurrent) -> None:
        skipped = {"name", "go_backwards", "seed", "trainable", "return_state", "dtype"}
        backward = own.backward or {}
        forward = self.seeds.without_all(own.config)
        other = self.seeds.without_all(backward)
        differ = sorted(
            key
            for key in {*forward, *other}
            if key not in skipped and forward.get(key) != other.get(key)
        )
        if differ:
            raise NotSayableError(
                f"a backward layer with another `{differ[0]}` than the forward one; write two "
                "layers, one with `go_backwards: true`, and join them"
            )
        if bool(forward.get("go_backwards")) == bool(other.get("go_backwards")):
            raise NotSayableError("two directions that are the same")

    # --- references ---

    def inputs_of(self, node: Node) -> Any:
        reader = f"'{node.layer.name}'"
        expressions = [value.expression for value in node.inputs]
        if node.recurrent is not None and isinstance(expressions[0], Join):
            parts = expressions[0].parts
            if any(not isinstance(part, Repeat) for part in parts):
                parts = tuple(_static(part) for part in parts)
            return [self.reference(part, reader) for part in parts]
        references = [self.reference(each, reader) for each in expressions]
        if node.input_names:
            return dict(zip(node.input_names, references, strict=True))
        return references if node.reads_list else references[0]

    def reference(self, expression: Expression, reader: str) -> str:
        """Return how a recipe names a tensor, with a layer for what has no name."""
        if isinstance(expression, Port):
            return str(expression)
        if isinstance(expression, Filled):
            return self.reference(expression.source, reader)
        if expression in self.made:
            return self.made[expression]
        if isinstance(expression, Join):
            parts = [self.reference(part, reader) for part in expression.parts]
            return self.add(expression, "joined", {"type": "concatenate", "input": parts})
        if isinstance(expression, Repeat):
            size = self.sizes.steps_of(expression.along, expression.axis)
            if isinstance(expression.source, Operation) or size is None:
                return self.unsayable(expression.source, reader)
            source = self.reference(expression.source, reader)
            return self.add(
                expression, "repeated", {"type": "repeat_vector", "input": source, "n": size}
            )
        if isinstance(expression, Step):
            source = self.reference(expression.source, reader)
            cropping = [expression.index, expression.steps - expression.index - 1]
            entry = {"type": "cropping1d", "input": source, "cropping": cropping}
            return self.add(expression, "step", entry)
        return self.unsayable(expression, reader)

    def add(self, expression: Expression, name: str, entry: Data) -> str:
        taken = {*self.lifted.inputs, *self.nodes, *self.layers}
        own = identifier(name, taken)
        self.layers[own] = entry
        self.made[expression] = own
        return own

    def unsayable(self, expression: Expression, reader: str) -> str:
        found = next(reversed([*operations_in(expression)]), None)
        if found is not None:  # the first in the way: those behind it may have layers
            self.problem(
                found.name,
                "M204",
                f"the operation {found.type}, which {reader} reads, has no layer in the language",
                "write it with Keras's own layers, or keep it behind the model in Python",
            )
        else:
            what = {
                Mask: "a mask as numbers",
                Constant: "a constant as an input",
                Zeros: "zeros as an input",
                RowIds: "an id for every row",
                Fold: "rows that are steps of a sequence",
            }.get(type(expression), "this tensor")
            self.problem(reader.strip("'"), "M204", f"the language has no form for {what} here")
        return "unknown"

    # --- states ---

    def states(self, node: Node) -> Any:
        """Return the form of a node's initial state; None for zeros."""
        recurrent = node.recurrent
        if recurrent is None or node.states is None:
            return None
        slots = recurrent.slots
        given = [each.source if isinstance(each, Filled) else each for each in node.states]
        if len(given) != len(slots):
            self.problem(
                node.layer.name,
                "M205",
                f"it is given {len(given)} initial states, but has {len(slots)}; Keras ignores "
                "the others",
                "give it as many as it has",
            )
            return None
        form = self.whole_form(node, recurrent, given)
        if form is not None:
            return form
        letters: dict[str, list[Any]] = defaultdict(list)
        for slot, expression in zip(slots, given, strict=True):
            letters[slot.rpartition(".")[2]].append((slot, expression))
        forms = {}
        for letter, own in letters.items():
            if len(own) > 1 and self.are_inputs([each for _, each in own]):
                forms[letter] = self.inputs_form(node, own)
                continue
            singles = [self.single_form(node, slot, expression) for slot, expression in own]
            if any(each != singles[0] for each in singles):
                self.problem(
                    node.layer.name,
                    "M205",
                    f"its states {letter} begin differently in each direction or cell",
                )
                return None
            forms[letter] = singles[0]
        if all(form == forms["h"] for form in forms.values()) and forms["h"] in (
            "zeros",
            "learned",
        ):
            return forms["h"]
        is_one = len(set(map(str, forms.values()))) == 1 and _of_all(forms["h"])
        if is_one and node.name not in self.joined_by_state:
            return forms["h"]
        return forms

    def inputs_form(self, node: Node, own: list[tuple[str, Any]]) -> Any:
        """Return the form of states that are all inputs of the model."""
        names = [port.layer for _, port in own]
        made = {port.layer for _, port in own if self.is_own_input(port, node.policy)}
        self.state_inputs |= made
        usual = [f"{node.name}_{slot.replace('.', '_')}" for slot, _ in own]
        return "input" if names == usual and len(made) == len(own) else {"inputs": names}

    def are_inputs(self, states: list[Any]) -> bool:
        """Return whether states are inputs of the model, each another one."""
        inputs = {each for each in states if isinstance(each, Port)}
        values = [self.lifted.inputs.get(port.layer) for port in inputs]
        return len(inputs) == len(states) and all(v and len(v.shape or ()) == 2 for v in values)

    def whole_form(self, node: Node, recurrent: Recurrent, given: list[Expression]) -> Any:
        """Return the form of all states together; None if each has its own."""
        slots = recurrent.slots
        ports = [each for each in given if isinstance(each, Port)]
        if all(isinstance(each, Zeros) for each in given):
            return "zeros"
        if len(ports) == len(given):
            is_several = len({slot.rpartition(".")[2] for slot in slots}) < len(slots)
            are_own = all(self.is_own_input(port, node.policy) for port in ports)
            if are_own or (is_several and self.are_inputs(ports)):
                return self.inputs_form(node, list(zip(slots, ports, strict=True)))
            layers = {port.layer for port in ports}
            source = self.nodes.get(ports[0].layer)
            if len(layers) == 1 and source is not None and source.recurrent is not None:
                wanted = [f"state.{slot}" for slot in slots]
                if [port.output for port in ports] == wanted and source.recurrent.slots == slots:
                    return source.name
            bridged = self.bridged(node, recurrent, ports)
            if bridged is not None:
                return bridged
        return None

    def is_own_input(self, port: Any, policy: str) -> bool:
        """Return whether a port is an input that only one initial state of a layer reads."""
        if not isinstance(port, Port):
            return False
        value = self.lifted.inputs.get(port.layer)
        if value is None or self.readers[port] != 1:
            return False
        return len(value.shape or ()) == 2 and value.dtype == full_dtype(policy)

    def bridged(self, node: Node, recurrent: Recurrent, ports: list[Port]) -> Any:
        """Return `bridge: concat` or `bridge: dense`, whose layers the recipe does not name."""
        found: list[tuple[str, str]] = []
        helpers: list[str] = []
        for slot, port in zip(recurrent.slots, ports, strict=True):
            own = self.nodes.get(port.layer)
            if own is None or self.readers[port] != 1 or own.holder:
                return None
            letter = slot.rpartition(".")[2]
            usual = f"{node.name}_{slot.replace('.', '_')}"
            way, source = None, own
            if own.layer.type == "Dense" and own.name == usual and len(own.inputs) == 1:
                is_plain = own.policy == node.policy and _is_plain_dense(own)
                if not is_plain or self.shares(node, slot):
                    return None
                way, helpers = "dense", [*helpers, own.name]
                before = own.inputs[0].expression
                if not isinstance(before, Port):
                    return None
                if before.output == f"state.{slot}":
                    found.append((before.layer, way))
                    continue
                joined = self.nodes.get(before.layer)
                if joined is None or joined.layer.type != "Concatenate":
                    return None
                source = joined
            if source.layer.type != "Concatenate" or recurrent.backward is not None:
                return None
            parts = [value.expression for value in source.inputs]
            wanted = [f"state.{each}.{letter}" for each in ("forward", "backward")]
            if not all(isinstance(part, Port) for part in parts):
                return None
            outputs = [part.output for part in parts if isinstance(part, Port)]
            layers = {part.layer for part in parts if isinstance(part, Port)}
            if outputs != wanted or len(layers) != 1 or self.readers[Port(source.name)] != 1:
                return None
            helpers.append(source.name)
            found.append((layers.pop(), way or "concat"))
        if len(set(found)) != 1:
            return None
        source_name, how = found[0]
        if self.nodes[source_name].recurrent.slots is None:  # type: ignore[union-attr]
            return None
        self.absorbed |= set(helpers)
        return {"from": source_name, "bridge": how}

    def single_form(self, node: Node, slot: str, expression: Expression) -> Any:
        """Return the form of one state."""
        if isinstance(expression, Zeros):
            return "zeros"
        if isinstance(expression, Constant):
            value = expression.value
            return {"constant": list(value) if isinstance(value, tuple) else value}
        if not isinstance(expression, Port):
            return self.reference(expression, f"'{node.layer.name}'")
        own = self.nodes.get(expression.layer)
        if own is not None and own.layer.type == "Embedding":
            ids = own.inputs[0].expression
            if isinstance(ids, RowIds) and own.layer.config.get("input_dim") == 1:
                self.absorbed.add(own.name)
                self.learned[f"{node.name}_{slot.replace('.', '_')}"] = own.name
                return "learned"
        usual = f"{node.name}_{slot.replace('.', '_')}"
        if own is not None and own.layer.type == "Dense" and own.name == usual:
            static = None if self.shares(node, slot) else self.static_form(node, own)
            if static is not None:
                return static
        if self.is_own_input(expression, node.policy):
            return self.input_form(expression, usual)
        if expression.output.startswith("state."):
            source = self.nodes[expression.layer].recurrent
            letter = slot.rpartition(".")[2]
            own_node = node.recurrent
            if (
                source is not None
                and own_node is not None
                and expression.output == f"state.{slot}"
                and source.slots == own_node.slots
                and letter in ("h", "c")
                and (source.backward is not None or len(source.cells) > 1)
            ):
                return expression.layer
        return str(expression)

    def input_form(self, port: Port, _usual: str) -> str:
        return str(port)

    def shares(self, node: Node, slot: str) -> bool:
        """Return whether a projection that a form makes here would be that of the first call."""
        return bool(node.holder) and f"{node.holder}_{slot.replace('.', '_')}" in self.nodes

    def static_form(self, node: Node, dense: Node) -> Any:
        """Return `static:` for a projection that has the name that the form gives it."""
        if dense.holder or dense.policy != node.policy or self.readers[Port(dense.name)] != 1:
            return None
        source = dense.inputs[0].expression
        if not isinstance(source, Port) or not _is_plain_dense(dense, activation=True):
            return None
        joined = self.nodes.get(source.layer)
        sources = [source]
        if (
            joined is not None
            and joined.name.startswith(f"{node.name}_")
            and (joined.layer.type == "Concatenate" and joined.name.endswith("_static"))
        ):
            sources = [v.expression for v in joined.inputs if isinstance(v.expression, Port)]
            self.absorbed.add(joined.name)
            if joined.name != f"{node.name}_static":
                self.joined_by_state.add(node.name)
        self.absorbed.add(dense.name)
        form: Data = {"static": [str(each) for each in sources]}
        activation = dense.layer.config.get("activation")
        if activation not in (None, "linear"):
            form["activation"] = activation
        return form


def _static(expression: Expression) -> Expression:
    """Return what a joined input repeats along time, as the language does by itself."""
    if isinstance(expression, Repeat) and isinstance(expression.source, Port):
        return expression.source
    return expression


def _of_all(form: Any) -> bool:
    """Return whether a form of one state is a form of all of them."""
    return isinstance(form, dict) and bool({"static", "constant"} & set(form))


def _is_plain_dense(node: Node, *, activation: bool = False) -> bool:
    own = layer_arguments("Dense", node.layer.config)
    kept = {"units", "trainable", "kernel_initializer", "bias_initializer"}
    return set(own) <= kept | ({"activation"} if activation else set())


def _readers(lifted: Lifted) -> Counter[Port]:
    """Return how many calls and outputs read each port."""
    found: Counter[Port] = Counter()

    def count(expression: Any) -> None:
        if isinstance(expression, Port):
            found[expression] += 1
        elif isinstance(expression, Join):
            for part in expression.parts:
                count(part)
        elif isinstance(expression, Filled | Fold | Step | Repeat):
            count(expression.source)
        elif isinstance(expression, Operation):
            for part in expression.arguments:
                count(part)

    for node in lifted.nodes:
        for value in node.inputs:
            count(value.expression)
        for state in node.states or ():
            count(state)
    for value in lifted.outputs.values():
        count(value.expression)
    return found


def _in_order(layers: Data) -> Data:
    """Return the layers, each after those that it reads."""
    from graphlib import TopologicalSorter  # noqa: PLC0415 - one use

    def names(value: Any) -> set[str]:
        if isinstance(value, str):
            return {value.partition(".")[0]} & set(layers)
        if isinstance(value, list):
            return set().union(*(names(each) for each in value)) if value else set()
        if isinstance(value, dict):
            return set().union(*(names(each) for each in value.values())) if value else set()
        return set()

    places = {name: place for place, name in enumerate(layers)}
    reads = {
        name: names([entry.get(key) for key in ("input", "call", "initial_state") if key in entry])
        - {name}
        for name, entry in layers.items()
    }
    sorter = TopologicalSorter(reads)
    sorter.prepare()
    found: Data = {}
    ready: list[str] = []
    while sorter.is_active():
        ready = sorted([*ready, *sorter.get_ready()], key=places.__getitem__)
        first = ready.pop(0)
        found[first] = layers[first]
        sorter.done(first)
    return found


def _folded_states(outputs: Data, nodes: Mapping[str, Node]) -> Data:
    """Return outputs with `state: reader.state` in the place of one output for each state."""
    by_layer: dict[tuple[str, str], dict[str, str]] = defaultdict(dict)
    for name, reference in outputs.items():
        layer, _, port = str(reference).partition(".")
        if port.startswith("state."):
            slot = port.removeprefix("state.").replace(".", "_")
            if name.endswith(f"_{slot}"):
                by_layer[layer, name.removesuffix(f"_{slot}")][slot] = name
    found = dict(outputs)
    for (layer, prefix), own in by_layer.items():
        node = nodes.get(layer)
        recurrent = node.recurrent if node else None
        if recurrent is None or prefix in found:
            continue
        if list(own) == [slot.replace(".", "_") for slot in recurrent.slots]:
            places = [list(found).index(name) for name in own.values()]
            if places == list(range(places[0], places[0] + len(places))):
                first = next(iter(own.values()))
                found = {
                    (prefix if name == first else name): (
                        f"{layer}.state" if name == first else each
                    )
                    for name, each in found.items()
                    if name == first or name not in own.values()
                }
    return found


def _snake_cell(type_: str) -> str:
    return {"LSTMCell": "lstm_cell", "GRUCell": "gru_cell", "SimpleRNNCell": "simple_rnn_cell"}[
        type_
    ]


__all__ = ["Draft", "Value", "draft", "is_recurrent"]
