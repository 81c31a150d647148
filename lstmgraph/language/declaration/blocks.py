"""Write blocks and loops out as ordinary layers.

A call of a block stands for the layers of the block: ``{call: tower, input: question}`` under the
name ``asked`` becomes the layers ``asked_reader``, ``asked_code``, ..., which have the weights
``tower_reader``, ``tower_code``, ... in every call. A loop is one call of its block after another;
what they give is put together along time.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from lstmgraph.keras_facts.catalogue import argument_defaults
from lstmgraph.keras_facts.distributions import (
    SCALED_AS,
    distribution_of,
    numbers_of,
    quantiles_of,
)
from lstmgraph.language.declaration.folds import unwrapped, wrapped
from lstmgraph.language.declaration.intervals import INTERVALS, intervals_of
from lstmgraph.language.declaration.references import MASK, PLACEHOLDER, with_references
from lstmgraph.language.declaration.row_numbers import BY_ROW, BY_SERIES, BY_WINDOW, ID
from lstmgraph.language.declaration.scaling import (
    ADD_SEASON,
    CHANGE,
    CLIP,
    LOG,
    NUMBERS,
    PARAMETERS,
    QUANTILES,
    SEASON,
    UNSCALED,
    loss_of,
    scalings,
    seasons,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from lstmgraph.language.declaration.scaling import Scaling
    from lstmgraph.messages.diagnostics import Path

    Data = dict[str, Any]

STEP = "step"
"""Operation: return one step of a sequence, (batch, steps, ...) -> (batch, 1, ...)."""
STACK = "stack"
"""Operation: put the results of the steps of a loop after each other along time.

Sequences of one step, (batch, 1, ...), are concatenated; other tensors, (batch, ...), are stacked.
"""
FULL = "full"
"""Operation: return a tensor (batch, *shape) with the same value everywhere."""
OPERATIONS = frozenset(
    {
        STEP,
        STACK,
        FULL,
        CLIP,
        LOG,
        CHANGE,
        BY_SERIES,
        BY_WINDOW,
        BY_ROW,
        ADD_SEASON,
        QUANTILES,
        INTERVALS,
        PARAMETERS,
    }
)
"""What loops, the preparation of columns and forecasts of chances need beside Keras's layers."""

NO_SERIES = "[UNK]"
"""The name that stands for every series without numbers, if none has it."""

LAST = "last"
"""The port of a loop before the outputs of its last step: ``forecast.last.state``."""


@dataclass(frozen=True)
class LoopStep:
    """The step of a loop that a layer belongs to: step 1, 2, ... of `steps`."""

    layer: str
    """The loop, by the name that its layers begin with."""
    step: int
    steps: int
    within: LoopStep | None = None
    """The step of another loop that this loop is a part of."""
    prepares: str = ""
    """The input that the layer only prepares, of those that are fed back."""

    @property
    def first(self) -> str:
        """What names begin with in the first step of this loop and of those around it."""
        layer = self.within.in_first(self.layer) if self.within else self.layer
        return f"{layer}_1_"

    @property
    def levels(self) -> tuple[LoopStep, ...]:
        """The steps of the loops around, the outermost first, and this one."""
        return (*(self.within.levels if self.within else ()), self)

    def in_first(self, name: str) -> str:
        """Return the name that a layer of this step has in the first step of every loop."""
        return f"{self.first}{name.removeprefix(f'{self.layer}_{self.step}_')}"


@dataclass(frozen=True)
class PlainLayer:
    """A layer of the recipe or of one call of a block; its references name such layers too."""

    data: Data
    """The completed layer; a call has the arguments of the layer that it calls."""
    path: Path
    """Where the recipe has the layer, perhaps in a block."""
    call: str = ""
    """The name of the Keras layer that it calls; empty for a layer of its own."""
    holder: str = ""
    """The layer or block of the recipe that has the weights of a call."""
    loop: LoopStep | None = None
    caller: Path = ()
    """The entry of `layers:` that calls its block."""
    folds: int = 0
    """How many axes after the batch are folded into it, by ``time_distributed`` around it."""


@dataclass(frozen=True)
class _Scope:
    """The layers of the recipe or of one call of a block, and what the block's inputs are."""

    layers: Mapping[str, Data]
    prefix: str = ""
    bound: Mapping[str, Any] = field(default_factory=dict)
    block: str = ""
    loop: LoopStep | None = None
    caller: Path = ()
    folds: int = 0
    where: Path = ()
    """The part of a loop that layers without a name in the recipe come from."""

    @property
    def path(self) -> Path:
        return ("blocks", self.block, "layers") if self.block else ("layers",)


class PlainRecipe:
    """The layers of a completed recipe, and those of all calls of its blocks.

    Attributes:
        layers: the layers by name. Layers that stack what a loop gives are added when ``port`` is
            asked for them.
        outputs: the port of each output, in the units of its target.
        feedback: for each input that a loop feeds back, by its path: what it is in the first
            step, and what in the second.
        doubled: names that two layers would have; for the one of a block, its name there, and the
            call.
    """

    def __init__(self, recipe: Data) -> None:
        """Write out the blocks of a completed recipe, which ``check_blocks`` found right."""
        self.layers: dict[str, PlainLayer] = {}
        self.feedback: dict[Path, tuple[str, str]] = {}
        self.doubled: list[tuple[str, str, Path]] = []
        self._loops: dict[str, _Scope] = {}
        self._stacks: dict[str, tuple[str, list[str]]] = {}
        self._is_written = False
        self._blocks = recipe.get("blocks", {})
        self._policy = recipe["runtime"]["dtype_policy"]
        self._inputs = recipe["inputs"]
        self._first_input = next(iter(recipe["inputs"]), "")
        self._top = _Scope(recipe["layers"])
        self._policy_of_scales = "float64" if self._policy == "float64" else "float32"
        self._scaled_inputs, self._scaled_outputs = scalings(recipe)
        self._seasons = seasons(recipe)
        self._intervals = intervals_of(recipe)
        self._ids: dict[str, str] = {}
        self._scaled = {
            name: self._free_name(f"{name}_{scaling.stages[-1]}")
            for name, scaling in self._scaled_inputs.items()
        }
        for name, scaling in self._scaled_inputs.items():
            numbers = self._numbers(scaling, name)
            self._scale(scaling.layers(name, self._scaled[name], numbers), scaling.path)
        self._write(self._top)
        losses = {name: loss_of(recipe, name) for name in recipe["outputs"]}
        self.outputs: dict[str, str] = self._unscale(recipe["outputs"], losses)
        self._unscaled = {
            text: self.outputs[name] for name, text in reversed(recipe["outputs"].items())
        }
        for stack, (loop, ports) in self._stacks.items():
            self._stack(stack, loop, ports)
        self._is_written = True

    def port(self, text: str) -> str:
        """Return the port of a layer that `text`, a reference of the recipe, names."""
        return str(self._bound(text, self._top))

    def output(self, text: str) -> str:
        """Return the port of the first output that is `text`, in the units of its target."""
        return self._unscaled.get(text) or self.port(text)

    def _unscale(self, outputs: Data, losses: Data) -> dict[str, str]:
        """Add the layers that give forecasts their units; return the last of each by output.

        Quantiles are put in order before, and parameters of distributions made positive.
        """
        found = {}
        for name in outputs:
            source = self.port(outputs[name])
            distribution, parameters = distribution_of(losses[name]), 0
            if distribution is not None:
                named, source = source, self._free_name(f"{name}_{PARAMETERS}")
                layer = (source, PARAMETERS, {"input": named, "distribution": distribution})
                self._scale(iter([layer]), ("training", "loss"))
                parameters = numbers_of(losses[name]) or 0
            elif quantiles_of(losses[name]):
                named, source = source, self._free_name(f"{name}_{QUANTILES}")
                layer = (source, QUANTILES, {"input": named})
                self._scale(iter([layer]), ("training", "loss"))
            if name in self._intervals:
                intervals = self._intervals[name]
                named, source = source, self._free_name(f"{name}_{INTERVALS}")
                past = self._scaled.get(intervals.history, intervals.history)
                reads = [named, past] if past else [named]
                data: Data = {"input": reads, **intervals.arguments}
                self._scale(iter([(source, INTERVALS, data)]), ("training", "intervals"))
            scaling, of_changes = self._scaled_outputs.get(name), self._is_of_changes(name)
            if not of_changes:
                source = self._with_season(name, source, parameters)
            if scaling is not None and distribution and scaling.is_shared:
                scaling = None  # which is reported (L862)
            if scaling is not None:
                last = self._free_name(f"{name}_{UNSCALED}")
                own = distribution if distribution in SCALED_AS else None
                numbers, given = self._numbers(scaling, name), source
                source = f"{last}_{NUMBERS}" if any(scaling.has_log) else last
                behind = int(len(scaling.columns) > 1 and quantiles_of(losses[name]) is not None)
                layers = scaling.inverse_layers(given, source, own, numbers, behind=behind)
                self._scale(layers, scaling.path)
                if of_changes:
                    source = self._with_season(name, source, parameters)
                if any(scaling.has_log):
                    self._scale(scaling.exponential_layers(source, last), scaling.path)
                    source = last
            elif of_changes:
                source = self._with_season(name, source, parameters)
            found[name] = source
        return found

    def _is_of_changes(self, name: str) -> bool:
        """Return whether the history that is added to an output is read as differences itself."""
        season = self._seasons.get(name)
        scaling = self._scaled_inputs.get(season.history) if season else None
        if season is None or scaling is None:
            return False
        return any(scaling.differences[at] for at in season.columns)

    def _with_season(self, name: str, source: str, parameters: int) -> str:
        """Return a layer that adds the season of an output to `source`, if it has one."""
        season = self._seasons.get(name)
        if season is None:
            return source
        history = self._scaled.get(season.history, season.history)
        if self._is_of_changes(name):
            history = self._level(season.history)
        last = self._free_name(f"{name}_from_{SEASON}")
        layer = (last, ADD_SEASON, season.layer(source, history, parameters))
        self._scale(iter([layer]), season.path)
        return last

    def _level(self, name: str) -> str:
        """Return what an input is before differences are formed and it is scaled."""
        scaling = self._scaled_inputs.get(name)
        return scaling.level(name, self._scaled[name]) if scaling else name

    def _numbers(self, scaling: Scaling, name: str) -> str:
        """Add the layers that give the center and the spread of each row; return the last."""
        rows = scaling.rows
        if rows is None:
            return ""
        last = self._free_name(f"{name}_{NUMBERS}")
        ids = self._ids_of(rows.series, rows.names, scaling.path) if rows.series else ""
        history = self._scaled_inputs.get(rows.history or "")
        level = rows.history or ""
        if history is not None:
            level = history.unscaled(level, self._scaled[level])
        self._scale(rows.layers(last, ids, level), scaling.path)
        return last

    def _ids_of(self, series: str, names: tuple[str, ...], path: Path) -> str:
        """Return the layer that gives the id of each row's series; 0 is one without numbers."""
        if series not in self._ids:
            name = self._ids[series] = self._free_name(f"{series}_{ID}")
            unknown = NO_SERIES
            while unknown in names:
                unknown += "_"
            # Keras refuses an empty vocabulary, and one with the name for all others.
            data = {"input": series, "vocabulary": list(names) or [f"{unknown}_"]}
            data["oov_token"] = unknown
            layer = (name, "StringLookup", {**argument_defaults("StringLookup"), **data})
            self._scale(iter([layer]), path)
        return self._ids[series]

    def _scale(self, layers: Iterator[tuple[str, str, Data]], path: Path) -> None:
        where = _Scope({}, where=path)
        for name, kind, data in layers:
            self._add(name, kind, where, **data, dtype_policy=self._policy_of_scales)

    def _free_name(self, name: str) -> str:
        """Return a name that no entry of the recipe has or begins with."""
        while any(each.startswith(name) for each in (*self._top.layers, *self._inputs)):
            name += "_"
        return name

    def _read(self, text: Any, use: str, scope: _Scope) -> Any:
        """Return what a reference of a layer stands for; masks read inputs as they are."""
        if isinstance(text, str) and use not in (MASK, PLACEHOLDER) and text not in scope.bound:
            text = self._scaled.get(text, text)
        return self._bound(text, scope)

    def _bound(self, text: str, scope: _Scope) -> Any:
        """Return what a reference stands for: a port, or an initial state of any form."""
        name, dot, port = text.partition(".")
        if name in scope.bound:
            found = scope.bound[name]
            return f"{found}{dot}{port}" if isinstance(found, str) else found
        entry = scope.layers.get(name)
        if entry is None:
            return text
        if called(entry) in self._blocks:
            return self._output(f"{scope.prefix}{name}", entry, port)
        return f"{scope.prefix}{text}"

    def _output(self, name: str, entry: Data, port: str) -> str:
        """Return an output of a call or a loop; of a loop, that of all steps or of the last."""
        block, steps = called(entry), entry.get("steps", 0)
        if not steps:
            return self._inside(name, block, port)
        if port.partition(".")[0] == LAST:
            return self._inside(f"{name}_{steps}", block, port.partition(".")[2])
        port = port or next(iter(self._blocks[block]["outputs"]))
        stack = f"{name}_{port.replace('.', '_')}"
        if stack not in self._stacks:
            ports = [self._inside(f"{name}_{step}", block, port) for step in range(1, steps + 1)]
            self._stacks[stack] = name, ports
            if self._is_written:
                self._stack(stack, name, ports)
        return stack

    def _stack(self, stack: str, loop: str, ports: list[str]) -> None:
        self._add(stack, STACK, self._loops[loop], input=ports)

    def _inside(self, name: str, block: str, output: str) -> str:
        """Return the port of an output, such as ``state.h``, of the call `name` of a block.

        The only output has no name where it is read.
        """
        outputs, layers = self._blocks[block]["outputs"], self._blocks[block]["layers"]
        first, dot, rest = output.partition(".")
        text = outputs[first or next(iter(outputs))]
        within, _, port = text.partition(".")
        inner = self._blocks.get(called(layers.get(within, {})))
        if rest and inner and (port == "" or (port == LAST and "loop" in layers[within])):
            text = f"{text}.{next(iter(inner['outputs']))}"  # its only output, without a name
        text = f"{text}{dot}{rest}"
        return str(self._bound(text, _Scope(layers, f"{name}_", block=block)))

    def _write(self, scope: _Scope) -> None:
        known = {**self._top.layers, **scope.layers}
        for name, entry in scope.layers.items():
            full, path = f"{scope.prefix}{name}", (*scope.path, name)
            inner = scope if scope.caller else replace(scope, caller=path)
            if "loop" in entry:
                self._write_loop(full, entry, path, inner)
            elif called(entry) in self._blocks:
                given, block = entry["input"], self._blocks[called(entry)]
                ports = given if isinstance(given, dict) else {block["inputs"][0]: given}
                bound = {key: self._read(text, "", scope) for key, text in ports.items()}
                inner = replace(inner, folds=inner.folds + wrapped(entry)[1])
                self._write_call(full, called(entry), bound, inner)
            else:
                self._write_layer(full, name, unwrapped(entry, known), scope)

    def _write_call(self, name: str, block: str, bound: Data, scope: _Scope) -> None:
        layers = self._blocks[block]["layers"]
        self._write(replace(scope, layers=layers, prefix=f"{name}_", bound=bound, block=block))

    def _write_layer(self, full: str, name: str, layer: tuple[Data, int], scope: _Scope) -> None:
        data, folds = layer
        call = holder = data.get("call", "")
        if scope.block and (not call or call in scope.layers):
            call, holder = f"{scope.block}_{call or name}", scope.block
        data = with_references(data, lambda text, _path, use: self._read(text, use, scope))
        folds += scope.folds
        path = (*scope.path, name)
        loop, caller = scope.loop, scope.caller
        self._put(full, PlainLayer(data, path, call, holder, loop, caller, folds))

    def _write_loop(self, name: str, entry: Data, path: Path, scope: _Scope) -> None:
        """Write out a loop: the calls of its block, and what each step reads."""
        block, steps = entry["loop"], entry["steps"]
        self._loops[name] = replace(scope, where=path)
        given = {key: self._read(text, "", scope) for key, text in entry.get("input", {}).items()}
        each = {key: self._read(text, "", scope) for key, text in entry.get("each", {}).items()}
        ports = [port for port in (*each.values(), *given.values()) if isinstance(port, str)]
        like = min(ports, key=lambda port: port.endswith(".state"), default="")
        like = like.removesuffix(".state")  # the rows of one tensor, not of all states
        for step in range(1, steps + 1):
            here = replace(scope, loop=LoopStep(name, step, steps, scope.loop))
            bound = dict(given)
            for key, port in each.items():
                inner = replace(here, where=(*path, "each", key))
                data = {"input": port, "index": step - 1, "steps": steps}
                bound[key] = self._add(f"{name}_{step}_{key}", STEP, inner, **data)
            for key, form in entry.get("feedback", {}).items():
                where, part = (*path, "feedback", key), f"{name}_{step}_{key}"
                prepared = LoopStep(name, step, steps, scope.loop, key)
                inner = replace(here, where=where, loop=prepared)
                if step == 1:
                    bound[key] = self._first(part, form["first"], inner, like or self._first_input)
                    self.feedback[where] = (
                        bound[key],
                        self._inside(f"{name}_1", block, form["then"]),
                    )
                    continue
                bound[key] = self._inside(f"{name}_{step - 1}", block, form["then"])
                if "teacher" in form:
                    truth = {"index": step - 2, "steps": steps}
                    truth["input"] = self._read(form["teacher"], "", scope)
                    bound[key] = self._taught(part, bound[key], truth, form["share"], inner)
            self._write_call(f"{name}_{step}", block, bound, here)
        for key, form in entry.get("feedback", {}).items():
            if isinstance(form["first"], dict) and "zeros" in form["first"]:
                zeros, then = self.feedback[*path, "feedback", key]
                layer, policy = self.layers[zeros], self._policy_of(then)
                self.layers[zeros] = replace(layer, data={**layer.data, "dtype_policy": policy})

    def _policy_of(self, port: str) -> str:
        """Return the policy of the layer that computes a port; an output may be kept in float32."""
        layer = self.layers.get(port.partition(".")[0])
        if layer is None:  # a stack of an inner loop, which is added at the end
            _, ports = self._stacks[port]
            return self._policy_of(ports[0])
        return str(layer.data["dtype_policy"])

    def _first(self, part: str, form: Any, scope: _Scope, like: str) -> Any:
        """Return what an input is in the first step of a loop: a port, or any initial state."""
        if isinstance(form, dict) and "zeros" in form:
            return self._add(part, FULL, scope, input=like, shape=form["zeros"], value=0.0)
        state = {"initial_state": form}
        bound = with_references(state, lambda text, _path, use: self._read(text, use, scope))
        return bound["initial_state"]

    def _taught(self, part: str, own: str, truth: Data, share: float, scope: _Scope) -> str:
        """Return `own`, or in training with the probability `share` the true step.

        Dropout makes the choice: of a one it leaves 0 or 1/(1-share) in training, and 1 later. So
        ``relu(1 - x)`` is 1 where the truth is taken, and 0 elsewhere and after training.
        """

        def add(name: str, kind: str, inputs: str | list[str], **data: Any) -> str:
            arguments = {**argument_defaults(kind), **data, "input": inputs}
            return self._add(f"{part}_{name}", kind, scope, **arguments)

        true = self._add(f"{part}_true", STEP, scope, **truth)
        ones = self._add(f"{part}_ones", FULL, scope, input=true, shape=[1, 1], value=1.0)
        kept = add("kept", "Dropout", ones, rate=share)
        taken = add("taken", "ReLU", add("rest", "Rescaling", kept, scale=-1.0, offset=1.0))
        left = add("left", "Rescaling", taken, scale=-1.0, offset=1.0)
        parts = [add("own", "Multiply", [own, left]), add("teacher", "Multiply", [true, taken])]
        return add("read", "Add", parts)

    def _add(self, name: str, kind: str, scope: _Scope, **data: Any) -> str:
        """Add a layer that the recipe does not name, and return its name."""
        layer = {"type": kind, "mask": "inherited", "dtype_policy": self._policy, **data}
        where, loop, caller, folds = scope.where, scope.loop, scope.caller, scope.folds
        self._put(name, PlainLayer(layer, where, loop=loop, caller=caller, folds=folds))
        return name

    def _put(self, name: str, layer: PlainLayer) -> None:
        if name in self.layers:
            of_call = layer if layer.caller else self.layers[name]
            self.doubled.append((name, str(of_call.path[-1]), of_call.caller))
        else:
            self.layers[name] = layer


def called(entry: Data) -> str:
    """Return the block that an entry of `layers:` repeats, or the block or layer that it calls.

    A call may stand inside ``time_distributed``.
    """
    return str(entry.get("loop") or wrapped(entry)[0].get("call") or "")
