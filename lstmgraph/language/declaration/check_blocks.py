"""Check blocks, their calls and loops before they are written out as layers."""

from __future__ import annotations

from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING, Any

from lstmgraph.language.declaration.blocks import LAST, called
from lstmgraph.language.declaration.calls import blocks_of
from lstmgraph.language.declaration.references import (
    PLACEHOLDER,
    RESERVED,
    STATE,
    STATE_WORDS,
    entry_references,
)
from lstmgraph.messages.wording import few, listed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from lstmgraph.language.text.document import Document
    from lstmgraph.messages.diagnostics import Note, Path

    Data = dict[str, Any]

MOST_LAYERS = 20_000
"""The most layers of a recipe with its blocks and loops written out."""


def check_blocks(document: Document, at_fault: frozenset[Path]) -> frozenset[Path]:
    """Report mistakes in blocks, calls of blocks and loops.

    Args:
        document: a recipe whose structure and calls of layers were checked.
        at_fault: the paths with mistakes.

    Returns:
        `at_fault` with the paths of these mistakes, and of every block and layer that calls a
        block with one.
    """
    if not isinstance(document.data.get("layers"), dict):
        return at_fault | {("blocks", name) for name in blocks_of(document.data)}
    checker = _Checker(document, at_fault)
    checker.check()
    return frozenset(checker.faults)


class _Checker:
    def __init__(self, document: Document, at_fault: frozenset[Path]) -> None:
        self.document = document
        self.faults = set(at_fault)
        self.top: Path = ("layers",)
        self.layers = self.sound(self.top)
        self.named = blocks_of(document.data)
        faults = {path[:3] if len(path) < 4 or path[2] != "layers" else () for path in at_fault}
        self.blocks = {
            name: {**block, "layers": self.sound(("blocks", name, "layers"))}
            for name, block in self.named.items()
            if not faults & {("blocks", name), *(("blocks", name, key) for key in _PARTS)}
        }
        """The blocks whose inputs and outputs are right, with their layers that are."""

    def check(self) -> None:
        for name, block in self.blocks.items():
            self.check_block(name, block)
        self.check_scope(self.top, self.document.data["layers"], None)
        self.check_readers()
        self.check_cycles()
        self.spread()
        self.check_size()

    def sound(self, path: Path) -> dict[str, Data]:
        """Return the entries of a section of layers that have no mistake."""
        wrong = {fault[: len(path) + 1] for fault in self.faults}
        found = self.document.data
        for key in path:
            found = found[key]
        return {name: entry for name, entry in found.items() if (*path, name) not in wrong}

    def report(
        self, code: str, path: Path, message: str, hint: str, *notes: Note, at_key: bool = False
    ) -> None:
        self.document.report(code, path, message, hint=hint, at_key=at_key, notes=notes)
        self.faults.add(path)

    def near(self, name: str, known: Iterable[str]) -> str:
        return self.document.guesses.did_you_mean(name, known)

    def note(self, block: str, *keys: str) -> Note:
        what = f"the {keys[0]} of '{block}' are here" if keys else f"the block '{block}' is here"
        return self.document.note(("blocks", block, *keys), what, at_key=not keys)

    # Blocks

    def check_block(self, name: str, block: Data) -> None:
        path: Path = ("blocks", name)
        for section in ("inputs", "layers"):
            others = self.document.data.get(section)
            if isinstance(others, dict) and name in others:
                what = "an input" if section == "inputs" else "a layer"
                message = f"'{name}' is also the name of {what}"
                note = self.document.note((section, name), f"'{name}' is here", at_key=True)
                self.report("L303", path, message, "choose another name", note, at_key=True)
        for index, own in enumerate(block["inputs"]):
            if own in RESERVED:
                message = f"'{own}' is a reserved word of the language"
                self.report("L303", (*path, "inputs", index), message, "choose another name")
        every = self.document.data["blocks"][name]["layers"]
        for own in every:
            where = (*path, "layers", own)
            if own in block["inputs"]:
                message = f"'{own}' is also the name of an input of the block"
                self.report("L303", where, message, "choose another name", at_key=True)
            elif own in RESERVED:
                message = f"'{own}' is a reserved word of the language"
                self.report("L303", where, message, "choose another name", at_key=True)
        self.check_scope((*path, "layers"), every, block)
        for output, text in block["outputs"].items():
            where, source = (*path, "outputs", output), text.partition(".")[0]
            if source in block["inputs"]:
                message = f"'{source}' is an input of the block, not a layer of it"
                hint = "write a port of a layer; who calls the block has its inputs already"
                self.report("L310", where, message, hint)
            elif output == LAST:
                message = f"'{LAST}' is the last step of a loop, not an output"
                self.report("L310", where, message, "choose another name", at_key=True)
            else:
                self.check_reference(text, where, every, block)

    def check_scope(self, path: Path, every: Mapping[str, Any], block: Data | None) -> None:
        """Check the layers of the recipe, or of a block; `every` has the wrong ones too."""
        for name, entry in (self.layers if block is None else block["layers"]).items():
            where = (*path, name)
            if "loop" in entry:
                self.check_loop(where, entry)
            elif called(entry) in self.named:
                self.check_call(where, entry)
            for text, part, use in entry_references(entry):
                own = called(entry) in self.named and text.partition(".")[0] == name
                if own and name not in (block or {}).get("inputs", ()):
                    self.report_own(name, entry, (*where, *part))
                elif use != PLACEHOLDER:
                    self.check_reference(text, (*where, *part), every, block)

    def report_own(self, name: str, entry: Data, path: Path) -> None:
        message = f"'{name}' reads its own result, which is not computed yet"
        hint = "a call can read only what is computed before it"
        if "loop" in entry:
            hint = (
                "write what is known before the loop; "
                "`then` under `feedback:` is what the step before gave"
            )
        self.report("L304", path, message, hint)

    def check_readers(self) -> None:
        """Check what outputs and further models name of calls and loops."""
        data = self.document.data
        outputs = data.get("outputs")
        found: list[tuple[Path, Any]] = (
            [(("outputs",), outputs)] if isinstance(outputs, dict) else []
        )
        models = data.get("models")
        for name, model in models.items() if isinstance(models, dict) else ():
            if isinstance(model, dict):
                found += [(("models", name, key), model.get(key)) for key in ("inputs", "outputs")]
        for path, ports in found:
            pairs = ports.items() if isinstance(ports, dict) else enumerate(ports or ())
            for key, text in pairs:
                where = (*path, key)
                if isinstance(text, str) and where not in self.faults:
                    self.check_reference(text, where, data["layers"], None)

    def check_reference(
        self, text: str, path: Path, layers: Mapping[str, Any], block: Data | None
    ) -> None:
        """Report a name that a block does not have, or an output that a call or loop has not."""
        name, _, port = text.partition(".")
        entry = layers.get(name)
        if entry is None:
            if block is not None and name not in block["inputs"]:
                known = [*block["inputs"], *layers]
                message = f"the block has no input or layer '{name}'{self.near(name, known)}"
                hint = f"add '{name}' to the `inputs:` of the block, or write one of: {few(known)}"
                note = self.document.note((*path[:2], "inputs"), "its inputs are here")
                self.report("L301", path, message, hint, note)
            return
        if isinstance(entry, dict) and called(entry) in self.blocks:
            self.check_output(name, entry, port, path)

    def check_output(self, name: str, entry: Data, port: str, path: Path) -> None:
        """Report a port that is no output of the block behind a call or a loop."""
        block = called(entry)
        outputs = self.blocks[block]["outputs"]
        first, _, rest = port.partition(".")
        is_last = "loop" in entry and first == LAST
        if is_last:
            first = rest.partition(".")[0]
        prefix = f"{name}.{LAST}" if is_last else name
        is_each = "loop" in entry and not is_last
        choices = [
            f"{prefix}.{f'{LAST}.' * (is_each and _is_all_states(port))}{output}"
            for output, port in outputs.items()
        ]
        hint = f"write one of: {few(choices)}"
        note = self.note(block, "outputs")
        if not first and len(outputs) > 1:
            message = f"'{prefix}' has several outputs, but one is needed here"
            self.report("L302", path, message, hint, note)
        elif first and first not in outputs:
            message = f"'{prefix}' has no output '{first}'{self.near(first, outputs)}"
            self.report("L302", path, message, hint, note)
        elif is_each:
            output = first or next(iter(outputs))
            if _is_all_states(outputs[output]) and port in ("", output):
                message = f"'{name}.{output}' is several tensors in every step"
                hint = f"write `{name}.{LAST}.{output}` for those of the last step"
                self.report("L302", path, message, hint, note)

    # Calls

    def check_call(self, path: Path, entry: Data) -> None:
        block = called(entry)
        for key in sorted({"mask", "initial_state", "reverse"} & entry.keys()):
            if entry[key] == "inherited":
                continue
            message = f"'{block}' is a block, whose calls have no `{key}`"
            hint = "make it an input of the block, and write it under `input:`"
            self.report("L212", (*path, key), message, hint, self.note(block), at_key=True)
        if block not in self.blocks:
            return
        inputs, given = self.blocks[block]["inputs"], entry["input"]
        if isinstance(given, dict):
            self.check_inputs(path, block, [((*path, "input", key), key) for key in given])
        elif isinstance(given, list) or len(inputs) > 1:
            example = ", ".join(f"{name}: NAME" for name in inputs)
            message = f"the block '{block}' has {listed([repr(name) for name in inputs])} as inputs"
            if len(inputs) == 1:
                message = f"the block '{block}' has the one input '{inputs[0]}'"
            hint = f"write `input: {{{example}}}`"
            self.report("L309", (*path, "input"), message, hint, self.note(block, "inputs"))

    def check_inputs(self, path: Path, block: str, given: list[tuple[Path, str]]) -> None:
        """Report inputs of a block that it does not have, that are given twice or not at all."""
        inputs = self.blocks[block]["inputs"]
        seen: dict[str, Path] = {}
        for where, name in given:
            if name not in inputs:
                message = f"the block '{block}' has no input '{name}'{self.near(name, inputs)}"
                hint = f"its inputs are: {few(inputs)}"
                self.report("L309", where, message, hint, self.note(block, "inputs"), at_key=True)
            elif name in seen:
                message = f"the input '{name}' of the block is given twice"
                note = self.document.note(seen[name], "the first is here", at_key=True)
                self.report("L309", where, message, "keep one", note, at_key=True)
            seen[name] = where
        missing = [name for name in inputs if name not in seen]
        if missing and seen.keys() <= set(inputs):
            message = f"the block '{block}' needs {listed([repr(name) for name in missing])} too"
            hint = "write it under `input:`"
            if "loop" in self.document.at(path):
                hint = "write it under `input:`, `each:` or `feedback:`"
            self.report("L309", path, message, hint, self.note(block, "inputs"), at_key=True)

    def check_loop(self, path: Path, entry: Data) -> None:
        block = entry["loop"]
        if block not in self.named:
            self.report_unknown_block(path, block)
            return
        if block not in self.blocks:
            return
        parts = ("input", "each", "feedback")
        given = [((*path, part, key), key) for part in parts for key in entry.get(part, {})]
        self.check_inputs(path, block, given)
        outputs = self.blocks[block]["outputs"]
        for key, form in entry.get("feedback", {}).items():
            where = (*path, "feedback", key)
            if form["then"] not in outputs:
                then = form["then"]
                message = f"the block '{block}' has no output '{then}'{self.near(then, outputs)}"
                hint = f"its outputs are: {few(list(outputs))}"
                self.report("L302", (*where, "then"), message, hint, self.note(block, "outputs"))
            first = form["first"]
            is_zeros = isinstance(first, dict) and "zeros" in first
            is_state = first in STATE_WORDS if isinstance(first, str) else not is_zeros
            uses = set(_uses(self.blocks[block], key))
            if is_state and uses - {STATE}:
                message = f"the block reads '{key}' as a tensor, which cannot begin as a state"
                hint = "write a port, or {zeros: [1, 32]} with the shape of one step"
                self.report("L311", (*where, "first"), message, hint, self.note(block, "layers"))
            self.check_states(where, block, form)
            if "share" in form and "teacher" not in form:
                message = f"'{key}' has a 'share', but no 'teacher' that it is the share of"
                hint = "add `teacher:`, the sequence of the true values, or remove `share:`"
                self.report("L202", (*where, "share"), message, hint, at_key=True)

    def check_states(self, path: Path, block: str, form: Data) -> None:
        """Report tensors given where the block reads an initial state as a whole."""
        key, first = path[-1], form["first"]
        readers = [
            (str(name), part)
            for name, entry in self.blocks[block]["layers"].items()
            for text, part, _ in entry_references(entry)
            if text == key and not ("call" in entry or "loop" in entry)
        ]
        if not readers or any(part != ("initial_state",) for _, part in readers):
            return
        reader = f"the block reads '{key}' as the initial state of '{readers[0][0]}'"
        note = self.document.note(
            ("blocks", block, "layers", readers[0][0], "initial_state"), "it is read here"
        )
        if isinstance(first, dict) and "zeros" in first:
            hint = "write `first: zeros`, which has the shape of the state"
            self.report("L311", (*path, "first"), f"{reader}, not as a tensor", hint, note)
        if "teacher" in form:
            message = f"{reader}, and a state has no true values"
            self.report("L311", (*path, "teacher"), message, "remove `teacher:`", note)

    def report_unknown_block(self, path: Path, name: str) -> None:
        if name in self.document.data["layers"]:
            message = f"'{name}' is a layer, but a loop repeats a block"
            hint = "put the layers of one step under `blocks:`"
            self.report("L305", (*path, "loop"), message, hint)
            return
        message = f"there is no block '{name}'{self.near(name, self.named)}"
        hint = "declare it under `blocks:`"
        if self.named:
            hint = f"{hint}, or write one of: {few(list(self.named))}"
        self.report("L301", (*path, "loop"), message, hint)

    # The whole

    def check_cycles(self) -> None:
        """Report blocks that call themselves, which have no end."""
        while True:
            calls = {
                name: [c for c in self.called_by(block["layers"]) if c in self.blocks]
                for name, block in self.blocks.items()
                if ("blocks", name) not in self.faults
            }
            try:
                TopologicalSorter(calls).prepare()
                return
            except CycleError as error:
                ring = error.args[1][::-1]
                message = f"the block '{ring[0]}' calls itself: {' <- '.join(ring)}"
                hint = "a block can call only others; to repeat it, write a `loop:`"
                self.report("L305", ("blocks", ring[0]), message, hint, at_key=True)

    def called_by(self, layers: Mapping[str, Any]) -> Iterator[str]:
        for entry in layers.values():
            if isinstance(entry, dict) and called(entry) in self.named:
                yield called(entry)

    def spread(self) -> None:
        """Add every block and layer that calls one with a mistake to those with one."""
        broken = {path[:2] for path in self.faults if len(path) > 1}
        if ("blocks",) in self.faults:
            broken |= {("blocks", name) for name in self.named}
        callers: dict[Path, set[str]] = {
            ("blocks", name): {*map(called, block["layers"].values())} - block["layers"].keys()
            for name, block in self.blocks.items()
        }
        callers |= {("layers", name): {called(entry)} for name, entry in self.layers.items()}
        count = -1
        while count != len(broken):
            count = len(broken)
            for path, names in callers.items():
                if any((section, n) in broken for section in ("blocks", "layers") for n in names):
                    broken.add(path)
        self.faults |= {path for path in broken if path[0] in ("blocks", "layers")}

    def check_size(self) -> None:
        """Report the call or loop with which the recipe has more than ``MOST_LAYERS`` layers."""
        sizes: dict[str, int] = {}

        def size(entry: Data) -> int:
            block = called(entry)
            if block not in self.blocks:
                return 1
            if block not in sizes:
                sizes[block] = sum(map(size, self.blocks[block]["layers"].values()))
            fed = len(entry.get("each", {})) + 7 * len(entry.get("feedback", {}))
            return (sizes[block] + fed) * int(entry.get("steps", 1))

        total = 0
        for name, entry in self.layers.items():
            total += size(entry) if ("layers", name) not in self.faults else 0
            if total > MOST_LAYERS:
                message = f"with the calls of blocks there are more than {MOST_LAYERS:,} layers"
                hint = "write fewer steps, or smaller blocks"
                self.report("L312", ("layers", name), message, hint, at_key=True)
                return


def _is_all_states(port: Any) -> bool:
    return str(port).endswith(".state")


_PARTS = ("inputs", "layers", "outputs")


def _uses(block: Data, name: str) -> Iterator[str]:
    """Yield how the layers of a block use an input of it; calls of other blocks may do so too."""
    for entry in block["layers"].values():
        for text, _, use in entry_references(entry):
            if text.partition(".")[0] == name and not ("call" in entry or "loop" in entry):
                yield use
