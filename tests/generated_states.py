"""Where the states of a random recurrent layer come from."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from generated_base import BATCH_SIZE, Data, DraftBase, Recurrent
from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass
class DraftStates(DraftBase):
    """The initial states of the recurrent layers of a draft."""

    def initial_state(self, layer: Recurrent) -> Data:
        if self.rarely():
            return {}
        depth = len(layer.units)
        if depth > 1 and self.rarely():
            parts = [replace(layer, units=[units]) for units in layer.units]
            # Naming a layer in a list still means the layer of the same place in its stack.
            return {"initial_state": [self.state_form(part, may_read=False) for part in parts]}
        return {"initial_state": self.state_form(layer, may_read=True)}

    def state_form(self, layer: Recurrent, *, may_read: bool) -> Any:
        ways = 2 if layer.bidirectional else 1
        options: list[Callable[[], Any]] = [
            lambda: "zeros",
            lambda: "input",
            lambda: "learned",
            lambda: self.constant({size for sizes in layer.sizes for size in sizes}),
            self.static_state,
            lambda: self.split_state(layer),
        ]
        if len(layer.units) == 1:
            sizes = layer.sizes[0] * ways
            options.append(lambda: self.state_inputs(sizes))
        if not layer.bidirectional and len(layer.cells) < 2:
            options.append(self.carried)
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

    def constant(self, sizes: set[int]) -> Data:
        """One number, or one for each unit where all states are of one size."""
        if len(sizes) == 1 and self.chance():
            return {"constant": [self.pick(0.5, -1, 0) for _ in range(min(sizes))]}
        return {"constant": self.pick(0.25, -1, 0)}

    def carried(self) -> str:
        self.batch_size = BATCH_SIZE
        return "carried"

    def state_inputs(self, sizes: tuple[int, ...]) -> Data:
        self.made_inputs += 1
        names = [f"state{self.made_inputs}s{index}" for index in range(len(sizes))]
        if self.rarely():
            names[0] = self.new_input(sizes[:1])
        return {"inputs": names}

    def split_state(self, layer: Recurrent) -> Data:
        letters = [c for c in "hc" if layer.sizes_of(c) and self.chance()] or ["h"]
        return {letter: self.single_state(layer, letter) for letter in letters}

    def single_state(self, layer: Recurrent, letter: str) -> Any:
        ways = 2 if layer.bidirectional else 1
        sizes = layer.sizes_of(letter)
        options: list[Callable[[], Any]] = [
            lambda: "zeros",
            lambda: "input",
            lambda: "learned",
            lambda: self.constant(sizes),
            self.static_state,
            self.dense_state,
        ]
        if len(layer.units) == 1:
            alike = zip(layer.slots, layer.sizes[0], strict=True)
            own = tuple(size for slot, size in alike if slot.endswith(letter))
            options.append(lambda: self.state_inputs(own * ways))
        names = self.recurrent_names()
        fits = [t for t in self.tensors if {t.shape} == {(s,) for s in sizes}]
        fits = [t for t in fits if t.ref not in names]
        if fits:
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
            if source.slots == layer.slots:
                forms += self.forms_from(source, layer)
        return forms

    @staticmethod
    def forms_from(source: Recurrent, layer: Recurrent) -> list[Any]:
        depth, name = len(layer.units), source.name
        forms: list[Any] = [{"from": name, "bridge": "dense"}]
        if depth > 1 and len(source.units) == depth:
            feeding = source.sizes
        else:
            feeding = source.sizes[-1:] * depth
        fits_place = depth in (1, len(source.units))
        same_ways = source.bidirectional == layer.bidirectional
        if fits_place and same_ways and feeding == layer.sizes:
            forms += [name, f"{name}.state", {"from": name}]
        if same_ways and set(layer.sizes) == {source.sizes[-1]}:
            forms.append({"from": name, "bridge": "last"})
        doubled = [tuple(2 * size for size in sizes) for sizes in feeding] == layer.sizes
        if fits_place and source.bidirectional and not layer.bidirectional and doubled:
            forms.append({"from": name, "bridge": "concat"})
        return forms
