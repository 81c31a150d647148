"""Resolve names: look up every reference, and sort layers, reporting cycles."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise
from typing import TYPE_CHECKING

from lstmgraph.compiler.wiring.ports import has_primary, port_names
from lstmgraph.compiler.wiring.references import references, state_references, unread_names
from lstmgraph.language.declaration.recipe import (
    EmptyStack,
    MaskByInput,
    MaskByLengths,
    MaskFrom,
    RecurrentDeclaration,
    Reference,
)
from lstmgraph.language.declaration.references import RESERVED
from lstmgraph.messages.wording import MOST_GUESSES, did_you_mean, few, nearest, suggested

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from lstmgraph.language.declaration.recipe import (
        LayerDeclaration,
        ModelDeclaration,
        RecipeDeclaration,
    )
    from lstmgraph.language.text.document import Document
    from lstmgraph.messages.diagnostics import Note, Path

FORMS = ("zeros", "input", "learned", "carried")

MOST_CYCLES = 20
"""The most cycles that are reported; finding each takes a pass over all layers."""

MOST_EDGES = 8
"""The most notes for one cycle."""


@dataclass(frozen=True)
class Resolution:
    """The parts of a recipe without mistakes, with all names resolved."""

    order: tuple[LayerDeclaration, ...]
    """The layers, each after those that it reads."""
    outputs: Mapping[str, Reference]
    broken: frozenset[str]
    """The names of layers and inputs that have mistakes, or read one that has."""
    models: Mapping[str, ModelDeclaration] = field(default_factory=dict)
    """The further models whose names all exist."""


def resolve(recipe: RecipeDeclaration, document: Document) -> Resolution:
    """Look up every name of `recipe` and return the parts without mistakes.

    Unknown names, unknown ports and cycles are reported in `document`.
    """
    resolver = _Resolver(recipe, document)
    resolver.check_names()
    for layer in recipe.layers.values():
        resolver.check_layer(layer)
    outputs = {
        name: reference
        for name, reference in recipe.outputs.items()
        if resolver.check(reference, states_allowed=True)
    }
    order = tuple(recipe.layers[name] for name in resolver.order())
    sound = {n: r for n, r in outputs.items() if r.layer not in resolver.broken}
    models = {
        name: model
        for name, model in recipe.models.items()
        if resolver.check_model(model)
        and not any(r.layer in resolver.broken for r in (*model.inputs, *model.outputs.values()))
    }
    return Resolution(order, sound, frozenset(resolver.broken), models)


class _Resolver:
    def __init__(self, recipe: RecipeDeclaration, document: Document) -> None:
        self.recipe = recipe
        self.document = document
        self.broken = set(recipe.broken)
        self.known = {*recipe.inputs, *recipe.layers, *recipe.broken}
        blocks = {str(caller[1]) for _, caller in recipe.written.values() if len(caller) == 2}
        self.names = sorted({*(self.known - recipe.written.keys()), *blocks})
        """The names that the recipe gives; layers of blocks are no names of the recipe."""
        self.near_names: dict[str, str | None] = {}
        # If a section is missing, do not report every name in it as unknown, nor the new name that
        # one of two layers of one name may be meant to have.
        sections = [(document.data or {}).get(section) for section in ("inputs", "layers")]
        self.all_known = not document.doubled_layers() and all(
            isinstance(section, dict) and section for section in sections
        )

    def check_names(self) -> None:
        for section, names in (("inputs", self.recipe.inputs), ("layers", self.recipe.layers)):
            for name in names:
                if name in RESERVED:
                    self.report_name(section, name, f"'{name}' is a reserved word of the language")
        for name, own, caller in self.recipe.doubled:
            message = f"the layer '{own}' of '{caller[-1]}' has the name '{name}' of another layer"
            hint = f"rename '{caller[-1]}' or the other one"
            self.document.report("L303", caller, message, hint=hint, at_key=True)
            self.broken.add(name)
        for name in self.recipe.layers:
            if name in self.recipe.inputs:
                note = self.document.note(("inputs", name), "the input is declared here")
                self.report_name("layers", name, f"'{name}' is also the name of an input", note)

    def report_name(self, section: str, name: str, message: str, *notes: Note) -> None:
        hint = "choose another name"
        path = (section, name)
        self.document.report("L303", path, message, hint=hint, at_key=True, notes=notes)
        self.broken.add(name)

    def check_layer(self, layer: LayerDeclaration) -> None:
        sound = [self.check(reference) for reference in layer.inputs]
        sound += [self.check_mask_source(layer)]
        if isinstance(layer, RecurrentDeclaration):
            for reference in state_references(layer.initial_state):
                sound.append(self.check(reference, states_allowed=True))
        if not all(sound):
            self.broken.add(layer.name)

    def check_model(self, model: ModelDeclaration) -> bool:
        """Return whether all names in a further model exist."""
        sound = [self.check(reference) for reference in model.inputs]
        sound += [self.check(output, states_allowed=True) for output in model.outputs.values()]
        for name, form in model.initial_state.items():
            exists = self.check(Reference(name, "", form.path), states_allowed=True)
            sound.append(exists and self.check_has_states(name, form.path))
        return all(sound)

    def check_has_states(self, name: str, path: Path) -> bool:
        if isinstance(self.recipe.layers.get(name), RecurrentDeclaration):
            return True
        layer = self.recipe.layers.get(name)
        if isinstance(layer, EmptyStack):
            self.report_empty(layer, "state", path, at="key")
            return False
        what = "an input" if name in self.recipe.inputs else "not a recurrent layer"
        message = f"'{name}' is {what}, so it has no states"
        hint = "write the name of a recurrent layer, whose initial state this model replaces"
        notes = (self.declared(name),)
        self.document.report("L833", path, message, hint=hint, at_key=True, notes=notes)
        return False

    def check_mask_source(self, layer: LayerDeclaration) -> bool:
        if isinstance(layer.mask, MaskFrom):
            return self.check(layer.mask.source)
        if isinstance(layer.mask, MaskByLengths | MaskByInput):
            mask = layer.mask
            reference = mask.lengths if isinstance(mask, MaskByLengths) else mask.source
            return self.check_input_name(reference)
        return True

    def check_input_name(self, reference: Reference) -> bool:
        name = reference.layer
        if name in self.recipe.inputs:
            return True
        if name in self.recipe.broken or not self.all_known:
            return False
        near = nearest(name, self.recipe.inputs)
        message = f"there is no input '{name}'{suggested(near)}"
        hint = f"declare `{name}` under `inputs:`, or write one of: {few(self.recipe.inputs)}"
        notes = self.document.origins.deletion(("inputs", name))
        notes += (self.named(near),) if near else ()
        if name in self.recipe.layers:
            message = f"'{name}' is a layer, but an input is needed here"
            hint = f"write one of: {few(self.recipe.inputs)}"
            notes = (self.declared(name),)
        self.document.report("L301", reference.path, message, hint=hint, notes=notes)
        return False

    def declared(self, name: str) -> Note:
        """Return a note on the type of a layer, or on an input."""
        layer = self.recipe.layers.get(name)
        if layer is None:
            return self.document.note(("inputs", name), f"'{name}' is an input")
        return self.document.note((*layer.path, "type"), f"'{name}' has this type")

    def check(self, reference: Reference, *, states_allowed: bool = False) -> bool:
        """Return whether `reference` names a tensor (or, if allowed, a layer's states)."""
        if reference.layer not in self.known:
            if self.all_known:
                self.report_unknown(reference, states_allowed=states_allowed)
            return False
        if reference.layer in self.recipe.broken:
            return False
        return self.check_port(reference, states_allowed=states_allowed)

    def report_unknown(self, reference: Reference, *, states_allowed: bool) -> None:
        name = reference.layer
        near = self.near(name)
        guess = near or (nearest(name, FORMS) if "initial_state" in reference.path else None)
        message = f"there is no layer or input '{name}'{suggested(guess)}"
        hint = f"write one of: {self.names_here}"
        if name == "constant" and states_allowed:
            message, hint = "`constant` needs a number", "write `{constant: 0.1}`"
        if name == "carried" and states_allowed:
            message = "h and c can only be carried together"
            hint = "write `initial_state: carried`"
        notes = self.document.origins.deletion(("layers", name), ("inputs", name))
        if other := near or (None if notes else self.only_unread):  # deleted: not renamed
            notes += (self.named(other),)
        self.document.report("L301", reference.path, message, hint=hint, notes=notes)

    def named(self, name: str) -> Note:
        section = "layers" if ("layers", name) in self.document.keys else "inputs"
        message = f"'{name}' is declared here" + (" but not used" * (name in self.unread))
        return self.document.note((section, name), message, at_key=True)

    @cached_property
    def unread(self) -> list[str]:
        unread = unread_names(self.recipe)
        return [name for name in unread if name not in self.recipe.written]

    @cached_property
    def only_unread(self) -> str | None:
        """The only unused name, which may be the new name of a renamed layer or input."""
        return self.unread[0] if len(self.unread) == 1 else None

    @cached_property
    def names_here(self) -> str:
        return few(self.names)

    def near(self, name: str) -> str | None:
        """Return the name that `name` is probably a misspelling of; cached, as many may read it."""
        if name not in self.near_names and len(self.near_names) < MOST_GUESSES:
            near = nearest(name, self.unread) or nearest(name, self.names)
            self.near_names[name] = near
        return self.near_names.get(name)

    def check_port(self, reference: Reference, *, states_allowed: bool) -> bool:
        layer = self.recipe.layers.get(reference.layer)
        if isinstance(layer, EmptyStack) and (missing := _missing(layer, reference)):
            self.report_empty(layer, missing, reference.path)
            return False
        ports = port_names(layer)
        if reference.port == "state" and "state" in ports and not states_allowed:
            states = [f"{reference.layer}.{p}" for p in ports if p.startswith("state.")]
            message = f"'{reference}' is several tensors, but one is needed here"
            hint = f"write one of: {few(states)}"
            self.document.report("L302", reference.path, message, hint=hint)
            return False
        if not reference.port and not has_primary(layer, reference):
            message = f"'{reference.layer}' has no last output, as it sums or normalizes sequences"
            hint = f"write `{reference.layer}.sequence`, or `return_sequences: true`"
            notes = self.port_notes(reference.layer)
            self.document.report("L302", reference.path, message, hint=hint, notes=notes)
            return False
        if not reference.port or reference.port in ports:
            return True
        only = "only recurrent and attention layers have ports"
        hint = f"write `{reference.layer}` without a port: {only}"
        if ports:
            hint = f"write one of: {few([f'{reference.layer}.{p}' for p in ports])}"
        # Do not suggest `state` for `state.h`.
        near = did_you_mean(reference.port, [p for p in ports if "." not in p + reference.port])
        message = f"'{reference.layer}' has no port '{reference.port}'{near}"
        notes = () if near else self.port_notes(reference.layer)
        self.document.report("L302", reference.path, message, hint=hint, notes=notes)
        return False

    def report_empty(self, layer: EmptyStack, missing: str, path: Path, at: str = "") -> None:
        """Report a reader of what a stack of no layers does not have."""
        message = f"'{layer.name}' has no {missing} at depth 0: it has no layers, and is its input"
        hint = f"read `{layer.name}.sequence`, or let its depth begin at 1"
        if missing == "state":
            hint = "let its depth begin at 1, or use the states of a layer before it"
        depth = self.document.note((*layer.path, "depth"), "its depth is here")
        self.document.report("L616", path, message, hint=hint, at_key=bool(at), notes=(depth,))

    def port_notes(self, name: str) -> tuple[Note, ...]:
        """Return notes on the keys that decide which ports a layer has."""
        keys = ("bidirectional", "residual", "normalization")
        paths = [("layers", name, key) for key in keys]
        written = [path for path in paths if self.document.written(path) in self.document.values]
        if not written:
            return (self.declared(name),)
        message = "this decides which ports it has"
        return tuple(self.document.note(path, message) for path in written)

    def order(self) -> list[str]:
        """Return the layers in call order; those that read a broken one are broken, unreported."""
        reads = {
            name: [r.layer for r in references(layer) if self.is_layer(r, layer)]
            for name, layer in self.recipe.layers.items()
        }
        for _ in range(MOST_CYCLES):
            try:
                TopologicalSorter(reads).prepare()
            except CycleError as error:
                self.report_cycle(error.args[1][::-1])
                reads |= {name: [] for name in error.args[1]}
            else:
                break
        order = _sortable(reads)
        self.broken.update(set(reads) - set(order))
        for name in order:
            layer = self.recipe.layers[name]
            if layer.call in self.broken or any(r.layer in self.broken for r in references(layer)):
                self.broken.add(name)
        return [name for name in order if name not in self.broken]

    def is_layer(self, reference: Reference, reader: LayerDeclaration) -> bool:
        """Return whether `reference` is to a layer; lengths and masks are read only from inputs."""
        if isinstance(reader.mask, MaskByLengths | MaskByInput) and "mask" in reference.path[2:3]:
            return False
        return reference.layer in self.recipe.layers and reference.layer not in self.recipe.inputs

    def report_cycle(self, cycle: list[str]) -> None:
        first = next(filter(set(cycle).__contains__, self.recipe.layers))
        start = cycle.index(first)
        ring = [*cycle[start:-1], *cycle[:start], first]
        edge = next(r for r in references(self.recipe.layers[first]) if r.layer == ring[1])
        self.document.report(
            "L304",
            edge.path,
            f"these layers read each other in a cycle: {' <- '.join(ring)}",
            hint="break the cycle: a layer can read only what is computed before it",
            notes=tuple(self.edges(ring)),
        )
        self.broken.update(cycle)

    def edges(self, ring: list[str]) -> Iterator[Note]:
        """Yield notes on where each layer of a cycle, except the first, reads the next."""
        for name, source in list(pairwise(ring))[1 : MOST_EDGES + 1]:
            path = next(r.path for r in references(self.recipe.layers[name]) if r.layer == source)
            yield self.document.note(path, f"'{name}' reads '{source}' here")


def _missing(layer: EmptyStack, reference: Reference) -> str | None:
    """Return what `reference` reads that a stack of no layers does not have; else None."""
    is_state = "initial_state" in reference.path and not reference.port
    if is_state or reference.port.partition(".")[0] == "state":
        return "state"
    if reference.port == "last":
        return "last output"
    names_layer = "mask" in reference.path
    is_last = not reference.port and not layer.return_sequences and not names_layer
    return "last output" if is_last else None


def _sortable(reads: Mapping[str, list[str]]) -> list[str]:
    """Return the layers that depend on no cycle, each after those that it reads."""
    sorter = TopologicalSorter(reads)
    with suppress(CycleError):  # it still returns what depends on no cycle
        sorter.prepare()
    order: list[str] = []
    while ready := sorter.get_ready():
        order += ready
        sorter.done(*ready)
    return order
