"""Random recipes of blocks and loops, and the same layers written out without either.

`written_out` follows docs/language.md alone, and shares no code with the package.
"""

from __future__ import annotations

import random
from typing import Any

import yaml

Data = dict[str, Any]

WIDTH = 3
"""The features and units of everything, so that all fits."""
RECURRENT = ("lstm", "gru", "simple_rnn")


class Scope:
    """The tensors, by kind, that the layers of a recipe or a block may read."""

    def __init__(self, chance: random.Random, length: int) -> None:
        self.chance, self.length = chance, length
        self.values: dict[str, list[str]] = {}
        self.layers: Data = {}
        self.callable: list[tuple[str, str]] = []

    def have(self, kind: str, ref: str) -> None:
        self.values.setdefault(kind, []).append(ref)

    def pick(self, kind: str) -> str | None:
        found = self.values.get(kind)
        return self.chance.choice(found) if found else None

    def state(self, kind: str) -> Any:
        """Any initial state for a layer of a kind."""
        forms: list[Any] = ["zeros", {"constant": 0.25}, "learned"]
        flat, earlier = self.pick("flat"), self.pick(kind)
        if flat:
            slots = "hc" if kind == "lstm" else "h"
            forms += [dict.fromkeys(slots, flat), {"static": [flat]}]
        return self.chance.choice([*forms, *([earlier] * 3 if earlier else [])])

    def add(self, blocks: Data, kinds: Data) -> None:
        """Add one layer, call or loop."""
        name = f"l{len(self.layers)}"
        draw = self.chance.random()
        if blocks and draw < 0.25:
            self.call(name, self.chance.choice(list(blocks)), kinds)
        elif blocks and draw < 0.5:
            self.loop(name, self.chance.choice(list(blocks)), kinds)
        elif self.callable and draw < 0.6:
            called, kind = self.chance.choice(self.callable)
            self.read(name, kind, {"call": called})
        elif draw < 0.8:
            kind = self.chance.choice(RECURRENT)
            self.read(name, kind, {"type": kind, "units": WIDTH})
        else:
            self.read(name, "dense", {"type": "dense", "units": WIDTH})

    def read(self, name: str, kind: str, entry: Data) -> None:
        source = self.chance.choice(["one", "long"] if kind != "dense" else ["one", "long", "flat"])
        port = self.pick(source)
        if not port:
            return
        entry["input"] = port
        if "type" in entry and (kind == "dense" or self.chance.random() < 0.7):
            self.callable.append((name, kind))
        if kind == "dense":
            self.layers[name] = entry
            self.have(source, name)
            return
        entry["initial_state"] = self.state(kind)
        lengths = self.pick("lengths")
        entry["mask"] = "none"
        if lengths and source == "long" and self.chance.random() < 0.6:
            entry["mask"] = {"lengths": lengths}
        self.layers[name] = entry
        self.have("flat", self.chance.choice([name, f"{name}.last", f"{name}.state.h"]))
        if entry["mask"] == "none":
            self.have(source, f"{name}.sequence")
        self.have(kind, self.chance.choice([name, f"{name}.state"]))

    def call(self, name: str, block: str, kinds: Data) -> None:
        inputs, outputs = kinds[block]
        given = {key: self.pick(kind) for key, kind in inputs.items()}
        if None in given.values():
            return
        short = len(inputs) == 1 and self.chance.random() < 0.5
        self.layers[name] = {"call": block, "input": next(iter(given.values())) if short else given}
        for output, kind in outputs.items():
            alone = len(outputs) == 1 and self.chance.random() < 0.5
            self.have(kind, name if alone else f"{name}.{output}")

    def loop(self, name: str, block: str, kinds: Data) -> None:
        inputs, outputs = kinds[block]
        steps = self.chance.choice([self.length, self.length, 1, 2, 5])
        parts: Data = {"input": {}, "each": {}, "feedback": {}}
        for key, kind in inputs.items():
            then = [output for output, made in outputs.items() if made == kind]
            long, port = self.pick("long"), self.pick(kind)
            if then and kind not in ("long", "lengths") and self.chance.random() < 0.7:
                zeros = {"zeros": [1, WIDTH] if kind == "one" else [WIDTH]}
                first = self.state(kind) if kind in RECURRENT else port
                if kind not in RECURRENT and (not port or self.chance.random() < 0.5):
                    first = zeros
                parts["feedback"][key] = {"first": first, "then": self.chance.choice(then)}
            elif kind == "one" and long and steps == self.length and self.chance.random() < 0.7:
                parts["each"][key] = long
            elif port:
                parts["input"][key] = port
            else:
                return
        self.layers[name] = {"loop": block, "steps": steps}
        self.layers[name] |= {part: given for part, given in parts.items() if given}
        for output, kind in outputs.items():
            self.have(kind, f"{name}.last.{output}")
            if steps == self.length and kind in ("one", "flat"):
                self.have("long", f"{name}.{output}")
            if steps == self.length and kind in RECURRENT:
                self.have("long", f"{name}.{output}.h")


def drawn(seed: int) -> Data:
    """A valid recipe of blocks that call and repeat each other."""
    chance = random.Random(seed)
    length = chance.choice([2, 3, 4])
    top = Scope(chance, length)
    inputs: Data = {
        "one": {"shape": [1, WIDTH]}, "long": {"shape": [length, WIDTH]},
        "flat": {"shape": [WIDTH]}, "lengths": {"shape": [], "dtype": "int32"},
    }  # fmt: skip
    for kind in inputs:
        top.have(kind, kind)
    for number in range(2):
        top.add({}, {})
        if chance.random() < 0.3:
            top.layers[f"top{number}"] = {"type": "dense", "input": "long", "units": WIDTH}
            top.have("long", f"top{number}")
            top.callable.append((f"top{number}", "dense"))
    blocks: Data = {}
    kinds: Data = {}
    for number in range(chance.randint(1, 3)):
        scope = Scope(chance, length)
        scope.callable = [pair for pair in top.callable if pair[1] == "dense" and "top" in pair[0]]
        choices = ["one", "one", "long", "flat", "lengths", *RECURRENT]
        asked = chance.sample(choices, chance.randint(1, 4))
        if not {"one", "long"} & set(asked):
            asked.append("one")
        taken = {f"i{index}": kind for index, kind in enumerate(asked)}
        for name, kind in taken.items():
            scope.have(kind, name)
        for _ in range(chance.randint(1, 4)):
            scope.add(blocks, kinds)
        made = [
            (kind, ref)
            for kind, refs in scope.values.items()
            for ref in refs
            if kind != "lengths" and ref.partition(".")[0] in scope.layers
        ]
        if not made or not set(taken) & _words(scope.layers):
            continue
        outputs = dict(enumerate(chance.sample(made, min(len(made), chance.randint(1, 3)))))
        name = f"b{number}"
        read = _words(scope.layers)
        taken = {key: kind for key, kind in taken.items() if key in read}
        given = {f"o{index}": _whole(*made, scope) for index, made in outputs.items()}
        blocks[name] = {"inputs": list(taken), "layers": scope.layers, "outputs": given}
        kinds[name] = taken, {f"o{index}": kind for index, (kind, _) in outputs.items()}
    for name in blocks:
        top.call(f"call_{name}", name, kinds)
        top.loop(f"loop_{name}", name, kinds)
    for _ in range(chance.randint(0, 3)):
        top.add(blocks, kinds)
    refs = {
        ref.partition(".")[0]: ref
        for kind in ("one", "long", "flat")
        for ref in top.values[kind]
        if ref.partition(".")[0] in top.layers
    }
    ends = {f"y{index}": ref for index, ref in enumerate(refs.values())}
    found = {"inputs": inputs, "blocks": blocks, "layers": top.layers, "outputs": ends}
    return {"recipe": 1, "name": "drawn", **found}


def _whole(kind: str, ref: str, scope: Scope) -> str:
    """A layer whose states an output gives, with its port."""
    is_layer = "initial_state" in scope.layers[ref.partition(".")[0]]
    return f"{ref}.state" if kind in RECURRENT and "." not in ref and is_layer else ref


def _words(data: Any) -> set[str]:
    if isinstance(data, dict | list):
        each = data.values() if isinstance(data, dict) else data
        return {word for part in each for word in _words(part)}
    return {str(data).partition(".")[0]}


class Writing:
    """The layers of a recipe, with its calls of blocks and its loops written out."""

    def __init__(self, recipe: Data) -> None:
        self.layers: Data = {}
        self.blocks: Data = recipe["blocks"]
        self.owners: dict[tuple[str, str], str] = {}

    def inside(self, prefix: str, layers: Data, bound: Data, block: str) -> None:
        """Write out the layers of the recipe, or of one call of a block."""

        def meant(value: Any) -> Any:
            if isinstance(value, dict):
                return {key: meant(part) for key, part in value.items()}
            if isinstance(value, list):
                return [meant(part) for part in value]
            if not isinstance(value, str):
                return value
            name, _, port = value.partition(".")
            if name in bound:
                return f"{bound[name]}.{port}" if port else bound[name]
            if name not in layers:
                return value
            return self.result(prefix, name, port, layers)

        for name, entry in layers.items():
            full = prefix + name
            if entry.get("call") in self.blocks:
                of = self.blocks[entry["call"]]
                given = entry["input"]
                given = given if isinstance(given, dict) else {of["inputs"][0]: given}
                self.inside(f"{full}_", of["layers"], meant(given), entry["call"])
            elif "loop" in entry:
                self.repeat(full, entry, meant)
            else:
                data = {key: meant(part) for key, part in entry.items()}
                data = {key: part for key, part in data.items() if key not in ("call", "type")}
                owner = (block, entry.get("call", name))
                if entry.get("call") and entry["call"] not in layers:
                    owner = ("", entry["call"])
                if owner in self.owners:
                    made = {key: part for key, part in data.items() if key != "units"}
                    self.layers[full] = {"call": self.owners[owner], **made}
                else:
                    self.owners[owner] = full
                    self.layers[full] = {"type": entry["type"], **data}

    def result(self, prefix: str, name: str, port: str, layers: Data) -> str:
        """The plain port of an output of a layer, a call or a loop."""
        entry, full = layers[name], prefix + name
        block = entry.get("loop") or entry.get("call")
        if block not in self.blocks:
            return f"{full}.{port}" if port else full
        within, outputs = self.blocks[block]["layers"], self.blocks[block]["outputs"]
        steps = entry.get("steps")
        output, _, rest = port.partition(".")
        if steps and output == "last":
            full, (output, _, rest) = f"{full}_{steps}", rest.partition(".")
        elif steps:
            parts = []
            for step in range(1, steps + 1):
                found = self.output(f"{full}_{step}_", within, outputs[output], rest)
                parts.append(f"{full}_{step}_{output}_row")
                self.layers[parts[-1]] = {
                    "type": "reshape", "input": found, "target_shape": [1, WIDTH], "mask": "none",
                }  # fmt: skip
            if steps == 1:
                return parts[0]
            joined = f"{full}_{port.replace('.', '_')}"
            self.layers[joined] = {"type": "concatenate", "axis": 1, "input": parts}
            return joined
        return self.output(f"{full}_", within, outputs[output or next(iter(outputs))], rest)

    def output(self, prefix: str, layers: Data, text: str, rest: str) -> str:
        name, _, port = text.partition(".")
        entry = layers[name]
        block = self.blocks.get(entry.get("loop") or entry.get("call"))
        if block and not port:
            port = next(iter(block["outputs"]))
        return self.result(prefix, name, f"{port}.{rest}".strip("."), layers)

    def repeat(self, full: str, entry: Data, meant: Any) -> None:
        of, steps = self.blocks[entry["loop"]], entry["steps"]
        for step in range(1, steps + 1):
            bound = meant(entry.get("input", {}))
            for key, port in meant(entry.get("each", {})).items():
                bound[key] = f"{full}_{step}_{key}"
                self.layers[bound[key]] = {
                    "type": "cropping1d", "input": port, "cropping": [step - 1, steps - step],
                }  # fmt: skip
            for key, form in entry.get("feedback", {}).items():
                first = form["first"]
                if step > 1:
                    before = f"{full}_{step - 1}_"
                    bound[key] = self.output(before, of["layers"], of["outputs"][form["then"]], "")
                elif isinstance(first, dict) and "zeros" in first:
                    like = "one" if len(first["zeros"]) == 2 else "flat"
                    bound[key] = f"{full}_{step}_{key}"
                    self.layers[bound[key]] = {"type": "rescaling", "input": like, "scale": 0.0}
                else:
                    bound[key] = meant(first)
            self.inside(f"{full}_{step}_", of["layers"], bound, entry["loop"])


def written_out(recipe: Data) -> Data:
    """The recipe without blocks and loops."""
    writing = Writing(recipe)
    writing.inside("", recipe["layers"], {}, "")
    outputs = {}
    for name, ref in recipe["outputs"].items():
        layer, _, port = ref.partition(".")
        outputs[name] = writing.result("", layer, port, recipe["layers"])
    layers = dict(writing.layers)
    plain = {key: part for key, part in recipe.items() if key != "blocks"}
    return {**plain, "layers": layers, "outputs": outputs}


def has_same_weights(plain: Data) -> bool:
    """Whether plain calls share the weights of states that all calls of a block share.

    Those of plain layers do where the called layer has the same form.
    """

    def form(entry: Data) -> str:
        state = entry.get("initial_state")
        own = state == "learned" or (isinstance(state, dict) and "static" in state)
        return str(state) if own else ""

    layers = plain["layers"]
    calls = [entry for entry in layers.values() if "call" in entry]
    return all(form(entry) in ("", form(layers[entry["call"]])) for entry in calls)


def text_of(recipe: Data) -> str:
    class Plain(yaml.SafeDumper):
        def ignore_aliases(self, _data: Any) -> bool:
            return True

    return yaml.dump(recipe, Dumper=Plain, sort_keys=False)
