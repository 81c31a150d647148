"""The function that builds a model, from the model as data."""

from __future__ import annotations

import textwrap
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lstmgraph.interop.code.idioms import Origins, purpose, result_name
from lstmgraph.interop.code.layout import (
    WIDTH,
    Brackets,
    Text,
    call,
    called,
    fits,
    laid_out,
    literal,
    tupled,
)
from lstmgraph.interop.code.objects import array_source, is_default_phase, object_source
from lstmgraph.interop.code.operations import GET_ITEM, operation_source, plain_source
from lstmgraph.interop.code.results import LIST, results_of
from lstmgraph.interop.keras_model import Constant, Tensor, tensors_in

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from lstmgraph.interop.code.layout import Source
    from lstmgraph.interop.code.names import Names
    from lstmgraph.interop.keras_model import Call, KerasModel, Layer

INPUT = "InputLayer"
INDENT = 4
MOST_INLINE = 80
"""The longest expression that stands inside another one."""


@dataclass(frozen=True)
class Remarks:
    """What a model as data does not hold."""

    comments: Mapping[tuple[str, int], Sequence[str]] = field(default_factory=dict)
    """What to say of a call, by layer and number of the call."""


@dataclass
class Body:
    """The statements of a function; several models in one share layers by their names."""

    names: Names
    remarks: Remarks = field(default_factory=Remarks)
    nested: dict[int, str] = field(default_factory=dict)
    """The function that builds each nested model, by its ``id``."""
    lines: list[str] = field(default_factory=list)
    layers: dict[str, str] = field(default_factory=dict)
    """The variable of each layer that is called more than once."""
    shared: frozenset[str] = frozenset()
    """Layers that have to have a variable."""
    frozen: set[str] = field(default_factory=set)
    """Layers whose statement that freezes them is there."""

    def add(self, source: Source, before: str = "", comments: Iterable[str] = ()) -> None:
        """Add a statement."""
        said = [line for comment in comments for line in comment_lines(comment, INDENT)]
        if said and self.lines and self.lines[-1]:
            self.lines.append("")
        self.lines += said
        start = (
            f"{before}{source.before}{source.opening}" if isinstance(source, Brackets) else before
        )
        if ", " in before and not fits(start, INDENT):
            names = _at_top(before.removesuffix(" = "))
            self.lines += ["    (", *(f"        {name}," for name in names)]
            before = ") = "
        self.lines += laid_out(source, before, indent=INDENT)

    def blank(self) -> None:
        """Add an empty line."""
        if self.lines and self.lines[-1]:
            self.lines.append("")


def _at_top(text: str) -> list[str]:
    """Return the parts of a pattern of names that are separated by commas outside of brackets."""
    parts, depth = [""], 0
    for character in text:
        depth += {"(": 1, ")": -1}.get(character, 0)
        if character == "," and not depth:
            parts.append("")
        else:
            parts[-1] += character
    return [part.strip() for part in parts]


def in_reading_order(model: KerasModel) -> Iterator[Call]:
    """Yield each call shortly before those that read it, as one would write it.

    The calls of one layer stay in their order, which Keras numbers them by.
    """
    calls = {(each.layer, each.index): each for each in model.calls}
    done: set[tuple[str, int]] = set()
    ends = [(t.layer, t.call) for t in tensors_in(model.outputs)]
    ends += list(calls)  # what no output needs
    for end in ends:
        waiting = [end]
        while waiting:
            key = waiting[-1]
            each = calls.get(key)
            if each is None or key in done:
                waiting.pop()
                continue
            before = [(t.layer, t.call) for t in each.tensors()]
            before += [(each.layer, each.index - 1)] if each.index else []
            needed = [own for own in before if own in calls and own not in done]
            if needed:
                waiting += reversed(needed)
                continue
            waiting.pop()
            done.add(key)
            yield each


def comment_lines(text: str, indent: int) -> list[str]:
    """Return a comment of any text as lines."""
    words = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return textwrap.wrap(
        words,
        WIDTH,
        initial_indent=" " * indent + "# ",
        subsequent_indent=" " * indent + "# ",
        break_on_hyphens=False,
        break_long_words=False,
    )


class ModelPrinter:
    """Adds the calls of one model to a body."""

    def __init__(self, model: KerasModel, body: Body) -> None:
        self.model = model
        self.body = body
        self.sources: dict[Tensor, Source] = {}
        self.readers: defaultdict[Tensor, list[Call | None]] = defaultdict(list)
        for each in model.calls:
            for tensor in each.tensors():
                self.readers[tensor].append(each)
        for tensor in (*tensors_in(model.outputs), *tensors_in(model.inputs)):
            self.readers[tensor].append(None)
        self.origins = Origins(model)
        counts = Counter(each.layer for each in model.calls)
        self.several = {name for name, count in counts.items() if count > 1}
        self.read = defaultdict(list)
        for tensor in self.readers:
            self.read[tensor.layer, tensor.call].append(tensor)

    def run(self) -> Source:
        """Add everything, and return the source of the model."""
        model, body = self.model, self.body
        given = [tensor.layer for tensor in tensors_in(model.inputs)]
        for name in dict.fromkeys([*given, *model.layers]):
            if model.layers[name].type == INPUT and not model.layers[name].is_operation:
                self._input(model.layers[name])
        body.blank()
        for each in in_reading_order(model):
            self._call(model.layers[each.layer], each)
        body.blank()
        return called(
            "keras.Model",
            [
                ("inputs=", self._source(model.inputs)),
                ("outputs=", self._source(model.outputs)),
                ("name=", literal(model.name)),
            ],
        )

    def _input(self, layer: Layer) -> None:
        config = layer.config
        shape = config.get("batch_shape") or config.get("shape") or (None,)
        keywords: dict[str, Source] = {}
        rows, *rest = shape
        if rows is None:
            keywords["shape"] = tupled([literal(each) for each in rest])
        else:
            keywords["batch_shape"] = tupled([literal(each) for each in shape])
        dtype = config.get("dtype")
        if dtype not in (None, "float32"):
            keywords["dtype"] = plain_source(dtype, lambda _value: None)
        for key in ("sparse", "ragged", "optional"):
            if config.get(key):
                keywords[key] = literal(True)
        keywords["name"] = literal(layer.name)
        name = self.body.names.new(layer.name)
        self.sources[Tensor(layer.name)] = Text(name)
        self.body.add(call("keras.Input", **keywords), f"{name} = ")

    def _source(self, value: Any) -> Source:
        return plain_source(value, self._tensor)

    def _tensor(self, value: Any) -> Source | None:
        if isinstance(value, Constant):
            return array_source(value.value, value.dtype)
        if not isinstance(value, Tensor):
            return None
        return self.sources[value]

    def _call(self, layer: Layer, each: Call) -> None:
        if layer.is_operation:
            self._operation(layer, each)
            return
        comments = [*self.body.remarks.comments.get((layer.name, each.index), ())]
        if not comments:
            comments = [*filter(None, [purpose(self.origins, layer, each, self._text)])]
        items = [("", self._source(argument)) for argument in each.arguments]
        items += [
            (f"{key}=", self._source(value))
            for key, value in each.keywords.items()
            if value is not None and not (key == "training" and is_default_phase(layer, value))
        ]
        before, after = self._assigned(layer, each)
        variable = self.body.layers.get(layer.name)
        if variable is None:
            made = self._made(layer)
            flat = called(f"{made.flat()}", items)
            one_line = fits(f"{before}{flat.flat()}", INDENT)
            own = self.several | self.body.shared
            if one_line and layer.name not in own and layer.config.get("trainable") is not False:
                self.body.add(Text(flat.flat()), before, comments)
                self.body.lines += after
                return
            variable = self.body.names.new(f"{layer.name}_layer")
            self.body.layers[layer.name] = variable
            self.body.blank()
            self.body.add(made, f"{variable} = ", comments)
            comments = []
        self.body.add(called(variable, items), before, comments)
        self._finish(layer, after, variable)

    def _made(self, layer: Layer) -> Source:
        if layer.model is not None:
            return call(self.body.nested[id(layer.model)])
        value = {"class_name": layer.type, "config": layer.config}
        trained = layer.config.get("trainable") is not False
        return object_source(
            value,
            "keras.layers",
            name=layer.name,
            keep_trainable=trained,
            functions=self.body.nested,
        )

    def _finish(self, layer: Layer, after: list[str], variable: str) -> None:
        self.body.lines += after
        if layer.config.get("trainable") is False and layer.name not in self.body.frozen:
            # Not as an argument: some layers do not hand it to those that they make.
            self.body.frozen.add(layer.name)
            self.body.lines.append(f"    {variable}.trainable = False")

    def _assigned(self, layer: Layer, each: Call) -> tuple[str, list[str]]:
        """Return what stands before a call, such as ``y, h, c =``, and the lines after it."""
        read = self.read[each.layer, each.index]
        structure = results_of(layer, each)
        if structure == LIST or (structure is None and any(t.output for t in read)):
            of_layer = not layer.is_operation
            wish = f"{layer.name}_results" if of_layer else result_name(self.origins, each)
            name = self.body.names.new(wish)
            for tensor in read:
                self.sources[tensor] = Text(f"{name}[{tensor.output}]")
            flatten = [f"    {name} = keras.tree.flatten({name})"] if of_layer else []
            return f"{name} = ", flatten
        numbers = iter(range(1000))

        def pattern(part: str | tuple[Any, ...]) -> str:
            if isinstance(part, tuple):
                inner = [pattern(item) for item in part]
                return f"({', '.join(inner)}{',' if len(inner) == 1 else ''})"
            tensor = Tensor(each.layer, each.index, next(numbers))
            if not self.readers.get(tensor):
                return "_"
            base = result_name(self.origins, each) if layer.is_operation else layer.name
            name = self.body.names.new(f"{base}_{part}" if part else base)
            self.sources[tensor] = Text(name)
            return name

        if structure is None or structure == LIST:
            return f"{pattern('')} = ", []
        return f"{', '.join(pattern(part) for part in structure)} = ", []

    def _text(self, value: Any) -> str:
        return self._source(value).flat()

    def _operation(self, layer: Layer, each: Call) -> None:
        source = operation_source(layer, each, self._source)
        tensor = Tensor(each.layer, each.index)
        if self._stands_inside(layer, each, source, tensor):
            self.sources[tensor] = source
            return
        comment = purpose(self.origins, layer, each, self._text)
        before, after = self._assigned(layer, each)
        self.body.add(source, before, [comment] if comment else ())
        self.body.lines += after

    def _stands_inside(self, layer: Layer, each: Call, source: Source, tensor: Tensor) -> bool:
        """Return whether a result is written inside the call that reads it, the only one."""
        readers = self.readers[tensor]
        if len(readers) != 1 or readers[0] is None or results_of(layer, each) is not None:
            return False
        if len(source.flat()) > MOST_INLINE:
            return False
        reader = self.model.layers[readers[0].layer]
        if reader.type == GET_ITEM:
            return False
        return reader.is_operation or layer.type == GET_ITEM
