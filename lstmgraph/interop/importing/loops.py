"""Folding of layers that are called again and again, each time on the last results, into loops."""

from __future__ import annotations

from collections import defaultdict
from copy import deepcopy
from itertools import takewhile
from typing import TYPE_CHECKING, Any, NamedTuple

from lstmgraph.interop.importing.arguments import identifier

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from lstmgraph.interop.importing.drafting import Draft
    from lstmgraph.interop.importing.lifting import Lifted

Data = dict[str, Any]
READS = ("input", "initial_state")


class _Reference(NamedTuple):
    """What a call of a loop reads."""

    place: str
    """``local``: the same step; ``before``: the step before; ``each``: a step of a sequence;
    ``same``: the same in every step."""
    text: str


class _NoLoopError(Exception):
    """The calls are no loop."""


def with_loops(draft: Draft, lifted: Lifted) -> Draft | None:
    """Return `draft` with its loops folded; None if there are none.

    A loop is a group of layers with the same number of calls, of which the second and every later
    one read the same of the step before, of their own step, and of what is outside.
    """
    calls: dict[str, list[str]] = defaultdict(list)
    for node in sorted(lifted.nodes, key=lambda each: each.index):
        if node.holder and draft.data["layers"].get(node.name, {}).get("call") == node.holder:
            calls[node.holder].append(node.name)
    groups: dict[tuple[str, int], list[list[str]]] = defaultdict(list)
    for holder, own in calls.items():
        groups[_block_of(holder, calls), len(own)].append([holder, *own])
    found = None
    for (block, _), group in groups.items():
        try:
            found = _Loop(deepcopy(found or draft), block, group, lifted.masking).folded()
        except _NoLoopError:
            continue
    return found


def _block_of(holder: str, calls: Mapping[str, Sequence[str]]) -> str:
    """Return the block of a layer: the words before its name that all layers of a loop have."""
    alike = [f"{name}_" for name, own in calls.items() if len(own) == len(calls[holder])]
    if len(alike) == 1:
        return ""
    words = zip(*(name.split("_") for name in alike), strict=False)
    return "_".join(own[0] for own in takewhile(lambda own: len(set(own)) == 1, words))


class _Loop:
    def __init__(
        self, draft: Draft, block: str, group: list[list[str]], masking: Mapping[str, str]
    ) -> None:
        self.masking = masking
        self.draft = draft
        self.layers: Data = draft.data["layers"]
        self.group = group
        self.steps = len(group[0])
        self.taken = {*draft.data["inputs"], *self.layers, *draft.data.get("blocks", {})}
        is_free = block and block not in self.layers
        self.block = block if is_free else identifier("one_step", self.taken)
        self.names = {own[0]: own[0].removeprefix(f"{self.block}_") for own in group}
        self.inside = [{own[step]: own[0] for own in group} for step in range(self.steps)]
        self.inputs: dict[_Reference, str] = {}
        self.first: dict[_Reference, Any] = {}
        self.outputs: dict[str, str] = {}

    def folded(self) -> Draft:
        """Return the draft with the loop in the place of the calls.

        Raises:
            _NoLoopError: the steps differ.
        """
        block: Data = {}
        for own in self.group:
            block[self.names[own[0]]] = self.entry(own)
        if not any(each.place in ("before", "each") for each in self.inputs):
            raise _NoLoopError
        if min(self.steps, len(self.group) + 1) < 3 and not any(
            each.place == "each" for each in self.inputs
        ):
            raise _NoLoopError  # few calls that read each other say more by themselves
        results = self.results()
        name = self.name(results)
        renamed = {layer: f"{name}.{output}" for layer, output in results.items()}
        layers: Data = {}
        calls = {each for own in self.group for each in own}
        for each, entry in self.layers.items():
            if each in calls:
                layers.setdefault(name, {})
            elif each not in renamed:
                layers[each] = self.outside(entry, renamed, name)
        outputs = self.outside(self.draft.data["outputs"], renamed, name)
        self.without_steps(layers)
        layers[name] = self.loop()
        data: Data = {}
        for key, value in self.draft.data.items():
            if key == "layers":
                before = data.pop("blocks", {})
                data["blocks"] = {
                    **before,
                    self.block: {
                        "inputs": [*self.inputs.values()],
                        "layers": block,
                        "outputs": self.outputs,
                    },
                }
            data[key] = value
        data |= {"layers": _in_order(layers), "outputs": outputs}
        self.draft.data = data
        for own in self.group:
            inner = self.names[own[0]]
            for step, each in enumerate(own, start=1):
                self.draft.looped[each] = (f"{name}_{step}_{inner}", self.block, inner)
            if f"{self.block}_{inner}" != own[0]:
                self.draft.layers[f"{self.block}_{inner}"] = own[0]
                self.draft.notes.append(
                    f"'{own[0]}' is named '{self.block}_{inner}', as the loop '{name}' calls it"
                )
        return self.draft

    # --- what the steps read ---

    def entry(self, own: Sequence[str]) -> Data:
        """Return a layer of the block, after a look at all its calls."""
        holder = self.layers[own[0]]
        for each in own[1:]:
            further = {k: v for k, v in self.layers[each].items() if k not in (*READS, "call")}
            if any(holder.get(key) != value for key, value in further.items()):
                raise _NoLoopError
        found = dict(holder)
        for key in READS:
            values = [self.layers[each].get(key) for each in own]
            if any(values):
                found[key] = self.read(values, of_state=key == "initial_state")
        return found

    def read(self, values: Sequence[Any], *, of_state: bool) -> Any:
        """Return what the calls read, in the terms of the block."""
        first, *later = values
        if isinstance(later[0], str):
            found = {self.reference(each, step, of_state) for step, each in enumerate(later, 1)}
            if len(found) != 1:
                raise _NoLoopError
            (reference,) = found
            if reference is None:
                if first != later[0]:
                    raise _NoLoopError
                return first
            if reference.place == "before":
                return self.fed_back(reference, first or "zeros")
            if first is None or self.reference(first, 0, of_state) != reference:
                raise _NoLoopError
            if reference.place == "local":
                return reference.text
            return self.inputs.setdefault(reference, self.input_name(reference.text))
        if isinstance(later[0], list | dict) and all(type(each) is type(first) for each in later):
            return self.read_parts(first, later, of_state=of_state)
        if any(each != first for each in later):
            raise _NoLoopError
        return first

    def read_parts(self, first: Any, later: Sequence[Any], *, of_state: bool) -> Any:
        if isinstance(first, dict):
            if any(each.keys() != first.keys() for each in later):
                raise _NoLoopError
            return {
                key: self.read([first[key], *(each[key] for each in later)], of_state=of_state)
                for key in first
            }
        if any(len(each) != len(first) for each in later):
            raise _NoLoopError
        return [
            self.read([part, *(each[place] for each in later)], of_state=of_state)
            for place, part in enumerate(first)
        ]

    def reference(self, text: str, step: int, of_state: bool) -> _Reference | None:
        """Return what a step reads under a name; None if that names no tensor."""
        if not isinstance(text, str):
            raise _NoLoopError
        layer, _, port = text.partition(".")
        if of_state and not port and layer in self.layers:
            port = "state"
        for place, inside in (("local", self.inside[step]), ("before", self.inside[step - 1])):
            if layer in inside and (place == "local" or step):
                own = self.names[inside[layer]]
                return _Reference(place, f"{own}.{port}" if port else own)
        entry = self.layers.get(layer)
        if entry is None and layer not in self.draft.data["inputs"]:
            return None
        if entry and entry.get("type") == "cropping1d" and isinstance(entry["input"], str):
            cut = entry.get("cropping")
            if cut == [step, self.steps - step - 1] and not port:
                return _Reference("each", entry["input"])
        if any(layer in inside for inside in self.inside):
            raise _NoLoopError
        return _Reference("same", text)

    def fed_back(self, reference: _Reference, first: Any) -> str:
        """Return the input of the block that is `first`, and then an output of the step before."""
        if isinstance(first, str) and any(first.partition(".")[0] in each for each in self.inside):
            raise _NoLoopError
        for known, value in self.first.items():
            if known == reference and value == first:
                return self.inputs[known]
        if reference in self.first:
            raise _NoLoopError
        self.first[reference] = first
        name = self.output(reference.text)
        name = f"last_{name}" if name in self.names.values() else name
        self.inputs[reference] = identifier(name, {*self.inputs.values(), *self.names.values()})
        return self.inputs[reference]

    def input_name(self, text: str) -> str:
        return identifier(text.partition(".")[0], {*self.inputs.values(), *self.names.values()})

    def output(self, text: str) -> str:
        """Return the name of an output of the block."""
        for name, own in self.outputs.items():
            if own == text:
                return name
        layer, _, port = text.partition(".")
        plain = layer if port in ("", "last", "sequence") else f"{layer}_{port.replace('.', '_')}"
        name = identifier(plain, {*self.outputs, *self.inputs.values()})
        self.outputs[name] = text
        return name

    # --- what is read of the loop ---

    def name(self, results: Mapping[str, str]) -> str:
        """Return the name of the loop, which a layer has that gives a result its mask."""
        for layer, output in results.items():
            masking = self.masking.get(layer, "")
            if masking.endswith(f"_{output}.mask"):
                return identifier(masking.removesuffix(f"_{output}.mask"), self.taken)
        return identifier(f"{self.block.removeprefix('one_')}s", self.taken)

    def results(self) -> dict[str, str]:
        """Return the layers that join an output of all steps, with that output of the block."""
        found = {}
        for layer, entry in self.layers.items():
            parts = entry.get("input")
            if entry.get("type") != "concatenate" or entry.get("axis") != 1:
                continue
            if not isinstance(parts, list) or len(parts) != self.steps:
                continue
            own = {self.local(part, step) for step, part in enumerate(parts)}
            if len(own) == 1 and (text := own.pop()):
                found[layer] = self.output(text)
        return found

    def local(self, text: str, step: int) -> str | None:
        layer, dot, port = text.partition(".")
        inside = self.inside[step]
        return self.names[inside[layer]] + dot + port if layer in inside else None

    def outside(self, value: Any, renamed: Mapping[str, str], name: str) -> Any:
        """Return data outside the loop with the results of the loop in the place of the calls'.

        Raises:
            _NoLoopError: it reads a step that is not the last.
        """
        if isinstance(value, dict):
            return {
                key: each if key == "type" else self.outside(each, renamed, name)
                for key, each in value.items()
            }
        if isinstance(value, list):
            return [self.outside(each, renamed, name) for each in value]
        if not isinstance(value, str):
            return value
        layer = value.partition(".")[0]
        if value in renamed:
            return renamed[value]
        if any(layer in inside for inside in self.inside):
            last = self.local(value, self.steps - 1)
            if last is None:
                raise _NoLoopError
            return f"{name}.last.{self.output(last)}"
        return value

    def without_steps(self, layers: Data) -> None:
        """Take out the steps of sequences that only the loop reads."""
        read = {text.partition(".")[0] for text in _texts([*layers.values()])}
        read |= {text.partition(".")[0] for text in _texts(self.draft.data["outputs"])}
        read |= {text.partition(".")[0] for text in _texts([*self.first.values()])}
        used = {
            text.partition(".")[0]
            for own in self.group
            for each in own
            for text in _texts([self.layers[each].get(key) for key in READS])
        }
        for name in [each for each in layers if each in used - read]:
            if layers[name].get("type") == "cropping1d":
                del layers[name]

    def loop(self) -> Data:
        found: Data = {"loop": self.block, "steps": self.steps}
        for key, place in (("input", "same"), ("each", "each")):
            own = {name: each.text for each, name in self.inputs.items() if each.place == place}
            if own:
                found[key] = own
        fed = {
            self.inputs[each]: {"first": first, "then": self.output(each.text)}
            for each, first in self.first.items()
        }
        return found | ({"feedback": fed} if fed else {})


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for each in value.values():
            yield from _texts(each)
    elif isinstance(value, list):
        for each in value:
            yield from _texts(each)


def _in_order(layers: Data) -> Data:
    """Return the layers, each after those that it reads."""
    found: Data = {}

    def add(name: str) -> None:
        if name in found or name not in layers:
            return
        waiting.add(name)
        for text in _texts(layers[name]):
            own = text.partition(".")[0]
            if own not in waiting:
                add(own)
        found[name] = layers[name]

    waiting: set[str] = set()
    for each in layers:
        add(each)
    return found
