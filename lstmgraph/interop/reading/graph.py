"""Layers and calls of a Functional or Sequential model, from its configuration."""

from __future__ import annotations

import heapq
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from lstmgraph.interop.keras_model import Call, KerasModel, Layer, Tensor, flat_tensors, tensors_in
from lstmgraph.interop.reading.arguments import AGAIN, ArgumentReader, is_keras_module
from lstmgraph.interop.reading.compiled import compile_config
from lstmgraph.interop.reading.known import MODELS
from lstmgraph.interop.reading.old_calls import OldCalls
from lstmgraph.interop.reading.old_masks import with_old_masks
from lstmgraph.interop.reading.sharing import mark_shared
from lstmgraph.interop.reading.values import ValueFormError, call_value, tensor_of
from lstmgraph.keras_facts.operations import OPERATIONS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lstmgraph.interop.reading.problems import Problems

Path = tuple[str, ...]
MODULES = ("keras.src.ops.", "keras.ops")
"""The modules of operations."""
OLD_OPERATIONS = (
    "TFOpLambda",
    "SlicingOpLambda",
    "TensorFlowOpLayer",
    "ClassMethod",
    "InstanceMethod",
    "InstanceProperty",
    "AddLoss",
    "AddMetric",
)
MOST_LAYERS = 20_000
"""The most layers of a model; Keras itself takes minutes to load a thousand."""


def read_top(
    config: Mapping[str, Any], problems: Problems, version: str | None = None
) -> KerasModel:
    """Return the model whose whole configuration, that of ``model.to_json()``, is `config`.

    Args:
        config: the configuration.
        problems: where to report what cannot be read.
        version: the version of Keras that wrote it, where it is known from elsewhere.

    Raises:
        ModelFileError: it cannot be read; the error names everything that cannot be.
    """
    kind, inner = config.get("class_name"), config.get("config")
    if kind not in MODELS or not is_keras_module(config.get("module")):
        found = "names no class" if kind is None else f"is of the class {kind!r:.80}"
        problems.stop(
            "M104",
            f"it is not a Functional or Sequential model: its configuration {found}",
            "build it as keras.Model(inputs, outputs): a file does not hold the code of a class",
        )
    if isinstance(inner, list):  # Sequential, before Keras 2.2.3
        inner = {"layers": inner, "name": "sequential"}
    if not isinstance(inner, dict) or not isinstance(inner.get("layers"), list):
        problems.stop("M103", "its configuration has no list of layers", AGAIN)
    mark_shared(config)
    version = version or config.get("keras_version")
    is_old = not str(version).startswith("3") if version else _looks_old(config, inner["layers"])
    name = inner.get("name")
    item = _Item(str(kind), name if isinstance(name, str) else "model", inner, None, config)
    model = _model(item, problems, (), is_old=is_old)
    problems.raise_found()
    if is_old:
        model = with_old_masks(model, problems)
        problems.raise_found()
    compiled = config.get("compile_config")
    if isinstance(compiled, dict) and compiled:
        model = replace(model, compile=compile_config(compiled))
    return replace(model, source=problems.source)


def _looks_old(config: Mapping[str, Any], layers: list[Any]) -> bool:
    """Return whether Keras 2 wrote a configuration that does not say which version did."""
    if "module" not in config:
        return True
    for layer in layers:
        own = layer.get("config") if isinstance(layer, dict) else None
        if isinstance(own, dict) and "batch_input_shape" in own:
            return True
    return False


def _model(item: _Item, problems: Problems, path: Path, *, is_old: bool) -> KerasModel:
    config = item.config
    items = config.get("layers")
    if not isinstance(items, list):
        problems.add("M103", "the nested model has no list of layers", AGAIN, path)
        items = []
    if len(items) > MOST_LAYERS:
        problems.stop("M102", f"it has more than {MOST_LAYERS:,} layers", "split the model", path)
    name = item.name
    reader = _ModelReader(name, problems, path, is_old=is_old)
    if item.kind == "Sequential":
        return reader.sequential(items, config, item.whole)
    return reader.functional(items, config)


@dataclass
class _Item:
    """A layer of a configuration, in its parts."""

    kind: str
    name: str
    config: Any
    module: Any
    whole: Mapping[str, Any]


class _ModelReader:
    """Reads one model; nested models have readers of their own."""

    def __init__(self, name: str, problems: Problems, path: Path, *, is_old: bool) -> None:
        self.name = name
        self.problems = problems
        self.path = path
        self.is_old = is_old
        self.layers: dict[str, Layer] = {}
        self.items: dict[str, _Item] = {}
        self.shapes: dict[Tensor, tuple[int | None, ...]] = {}
        self.dtypes: dict[Tensor, str] = {}

    def problem(self, code: str, message: str, hint: str, *name: str) -> None:
        """Add a problem of the model, or of its layer `name`."""
        self.problems.add(code, message, hint, (*self.path, *name))

    def layer(self, value: Any) -> Layer | None:
        """Add the layer that `value` describes, if it can be read."""
        item = self.item(value)
        if item is None:
            return None
        if item.name in self.layers:
            self.problem("M110", "two layers have this name", "rename one of them", item.name)
            return None
        self.items[item.name] = item
        layer = self.layers[item.name] = self.read_layer(item)
        if layer.type == "InputLayer":
            self.input_layer(layer)
        return layer

    def item(self, value: Any) -> _Item | None:
        """Return the parts of a layer's configuration."""
        if not isinstance(value, dict) or not isinstance(value.get("class_name"), str):
            self.problem("M103", "one of its layers has no class", AGAIN)
            return None
        kind, config = value["class_name"], value.get("config")
        if kind == "Sequential" and isinstance(config, list):
            config = {"layers": config, "name": value.get("name", "sequential")}
        inner_name = config.get("name") if isinstance(config, dict) else None
        name = value.get("name", inner_name)
        if not isinstance(name, str):
            self.problem("M103", f"a layer of the class {kind:.80} has no name", AGAIN)
            return None
        return _Item(kind, name, config, value.get("module"), value)

    def read_layer(self, item: _Item) -> Layer:
        """Return a layer; of one that cannot be read, its name and class."""
        kind, name, config = item.kind, item.name, item.config
        path = (*self.path, name)
        arguments = ArgumentReader(self.problems, path, is_old=self.is_old, nested=self.nested)
        if kind == "Lambda":
            self.problem(
                "M105",
                "a Lambda is Python code, which is not run",
                "replace it by layers or operations of keras.ops, and save the model again",
                name,
            )
        elif not is_keras_module(item.module):
            self.problem(
                "M106",
                f"its class {item.module!s:.80}.{kind:.80} is not Keras's, so what it computes is "
                "unknown",
                "replace it by layers of Keras, and save the model again",
                name,
            )
        elif kind in MODELS and isinstance(config, dict):
            model = self.nested(kind, config, item.whole, path)
            own = {key: value for key, value in config.items() if key in ("trainable", "dtype")}
            read = {key: arguments.argument(key, value) for key, value in own.items()}
            return Layer(name, kind, read, model=model)
        elif self.is_operation(item):
            own = config if isinstance(config, dict) else {}
            if kind not in OPERATIONS:
                self.problem(
                    "M108",
                    f"Keras 3 has no operation {kind:.80} that can be read",
                    "replace it by other operations of keras.ops, or by layers",
                    name,
                )
            read = {
                key: arguments.dtype(value) if key == "dtype" else arguments.plain(key, value)
                for key, value in own.items()
                if key != "name"
            }
            return Layer(name, kind, read, is_operation=True)
        elif kind in OLD_OPERATIONS:
            return Layer(name, kind, {}, is_operation=True)  # read from its call
        else:
            kind, read = arguments.layer(kind, config)
            return Layer(name, kind, read)
        return Layer(name, kind, {})

    def is_operation(self, item: _Item) -> bool:
        """Return whether an item is an operation of keras.ops, which has no dtype of its own.

        HDF5 files of Keras 3 do not say the module: Add can be the layer or the operation.
        """
        if item.module is not None:
            return isinstance(item.module, str) and item.module.startswith(MODULES)
        config = item.config if isinstance(item.config, dict) else {}
        return not self.is_old and item.kind in OPERATIONS and "trainable" not in config

    def nested(
        self, kind: str, config: Mapping[str, Any], outer: Mapping[str, Any], path: Path
    ) -> KerasModel:
        """Return a nested model."""
        item = _Item(kind, path[-1], config, None, outer)
        model = _model(item, self.problems, path, is_old=self.is_old)
        shared = outer.get("shared_object_id")
        return replace(model, shared=shared) if isinstance(shared, int) else model

    def input_layer(self, layer: Layer) -> None:
        """Note the shape and dtype of an input."""
        tensor = Tensor(layer.name)
        self.state(tensor, layer.config.get("batch_shape"), layer.config.get("dtype"))

    def state(self, tensor: Tensor, shape: Any, dtype: Any) -> None:
        """Note the shape and dtype that the configuration states for a tensor."""
        if isinstance(shape, (list, tuple)) and all(
            size is None or (isinstance(size, int) and not isinstance(size, bool) and size >= 0)
            for size in shape
        ):
            self.shapes[tensor] = tuple(shape)
        if isinstance(dtype, str):
            self.dtypes[tensor] = dtype

    def functional(self, items: list[Any], config: Mapping[str, Any]) -> KerasModel:
        """Return a Functional model."""
        nodes: dict[str, list[Any]] = {}
        for item in items:
            layer = self.layer(item)
            if layer is None:
                continue
            found = item.get("inbound_nodes", [])
            if not isinstance(found, list):
                self.problem("M103", "its calls are not a list", AGAIN, layer.name)
                found = []
            nodes[layer.name] = found
        is_old_form = any(isinstance(node, list) for found in nodes.values() for node in found)
        old = OldCalls({name: self.first_index(item) for name, item in self.items.items()})
        calls: list[Call] = []
        for name, found in nodes.items():
            for index, node in enumerate(found):
                try:
                    if isinstance(node, list) or (is_old_form and isinstance(node, dict)):
                        call = self.old_call(old, name, index, node)
                    else:
                        call = self.call(name, index, node)
                except ValueFormError as mistake:
                    message = f"a call of it cannot be read: {mistake}"
                    self.problem("M111", message, AGAIN, name)
                else:
                    calls.append(call)
        ends = [
            self.ends(config.get(f"{word}_layers"), word, is_old=is_old_form or self.is_old)
            for word in ("input", "output")
        ]
        self.check_sources(calls, ends)
        return self.model(self.ordered(calls), *ends)

    def check_sources(self, calls: list[Call], ends: list[Any]) -> None:
        """Report outputs that no call has; those that calls read come in `ordered`."""
        made = {(call.layer, call.index) for call in calls}
        for tensor in tensors_in(ends):
            if (tensor.layer, tensor.call) not in made and not self._is_input(tensor):
                source = f"call {tensor.call:.3g} of '{tensor.layer:.80}'"
                message = f"an input or output is of {source}, which does not exist"
                self.problem("M111", message, AGAIN)
        for tensor in tensors_in([ends, [[*call.tensors()] for call in calls]]):
            layer = self.layers.get(tensor.layer)
            inner = layer.model if layer is not None else None
            if inner is not None and tensor.output >= len(flat_tensors(inner.outputs)):
                message = f"it has no output {tensor.output:.3g}, which is read"
                self.problem("M111", message, AGAIN, tensor.layer)

    def model(self, calls: list[Call], inputs: Any, outputs: Any) -> KerasModel:
        """Return the model with these calls."""
        return KerasModel(
            self.name, self.layers, tuple(calls), inputs, outputs, self.shapes, self.dtypes
        )

    def first_index(self, item: _Item) -> int:
        """Return the index of a layer's first call in Keras 2: models began with one of theirs."""
        if item.kind not in MODELS or not isinstance(item.config, dict):
            return 0
        layers = item.config.get("layers")
        first = layers[0] if isinstance(layers, list) and layers else None
        if item.kind != "Sequential" or not isinstance(first, dict):
            return 1
        own = first.get("config")
        has_shape = isinstance(own, dict) and "batch_input_shape" in own
        return int(has_shape or first.get("class_name") == "InputLayer")

    def call(self, name: str, index: int, node: Any) -> Call:
        """Return one call of a layer, from Keras 3's form."""
        if not isinstance(node, dict):
            raise ValueFormError("it has no arguments")
        arguments = call_value(node.get("args", []), self.tensor)
        keywords = call_value(node.get("kwargs", {}), self.tensor)
        if not isinstance(arguments, list) or not isinstance(keywords, dict):
            raise ValueFormError("its arguments are neither a list nor a mapping")
        return Call(name, index, tuple(arguments), keywords)

    def old_call(self, old: OldCalls, name: str, index: int, node: Any) -> Call:
        """Return one call of a layer, from Keras 2's form."""
        item = self.items[name]
        if item.kind not in OLD_OPERATIONS:
            return old.call(self.layers[name], index, node)
        function = item.config.get("function") if isinstance(item.config, dict) else None
        operation, call = old.operation(name, index, function, node)
        if operation is None:
            text = function if isinstance(function, str) else item.kind
            self.problem(
                "M107",
                f"it is TensorFlow's {text:.80}, for which no operation of keras.ops is known",
                "replace it by layers, or by operations of keras.ops in Keras 3",
                name,
            )
        elif index and operation != self.layers[name]:
            self.problem("M107", "it is called in two ways", "use two of it", name)
        else:
            self.layers[name] = operation
        return call

    def tensor(self, history: Any, shape: Any, dtype: Any) -> Tensor:
        """Return a tensor, and note what is stated of it."""
        tensor = tensor_of(history)
        self.state(tensor, shape, dtype)
        return tensor

    def ends(self, value: Any, word: str, *, is_old: bool) -> Any:
        """Return the inputs or outputs: a tensor, or a list or mapping of them."""
        if is_old and isinstance(value, list) and len(value) == 1:
            value = value[0]  # Keras 2 writes a list of one for a single tensor
        try:
            ends = self._ends(value, is_old=is_old)
        except ValueFormError as mistake:
            self.problem("M111", f"its {word}s cannot be read: {mistake}", AGAIN)
            return []
        return ends

    def _ends(self, value: Any, *, is_old: bool) -> Any:
        if isinstance(value, (list, tuple)):
            if len(value) == 3 and isinstance(value[0], str):
                item = self.items.get(value[0])
                offset = 0
                if item is not None:
                    is_functional = item.kind in MODELS and item.kind != "Sequential"
                    offset = self.first_index(item) if is_old else int(is_functional)
                return tensor_of(value, offset=offset)
            return [self._ends(item, is_old=is_old) for item in value]
        if isinstance(value, dict):
            return {str(key): self._ends(item, is_old=is_old) for key, item in value.items()}
        raise ValueFormError("it does not say which call a tensor comes from")

    def ordered(self, calls: list[Call]) -> list[Call]:
        """Return the calls, each after those that it reads."""
        made = {(call.layer, call.index): call for call in calls}
        waiting: dict[tuple[str, int], int] = {}
        readers: dict[tuple[str, int], list[tuple[str, int]]] = {}
        for key, call in made.items():
            sources = set()
            for tensor in call.tensors():
                source = (tensor.layer, tensor.call)
                if source in made:
                    sources.add(source)
                elif not self._is_input(tensor):
                    self.problem(
                        "M111",
                        f"it reads call {tensor.call:.3g} of '{tensor.layer:.80}', which does not "
                        "exist",
                        AGAIN,
                        call.layer,
                    )
            waiting[key] = len(sources)
            for source in sources:
                readers.setdefault(source, []).append(key)
        place = {key: number for number, key in enumerate(made)}
        ready = [(place[key], key) for key, count in waiting.items() if not count]
        order: list[Call] = []
        while ready:
            _, key = heapq.heappop(ready)  # the first of the configuration that can be called
            order.append(made[key])
            for reader in readers.get(key, ()):
                waiting[reader] -= 1
                if not waiting[reader]:
                    heapq.heappush(ready, (place[reader], reader))
        if len(order) < len(made):
            stuck = next(call for key, call in made.items() if waiting[key])
            self.problem("M111", "its calls read each other in a circle", AGAIN, stuck.layer)
        return order

    def _is_input(self, tensor: Tensor) -> bool:
        item = self.items.get(tensor.layer)
        return item is not None and item.kind == "InputLayer" and tensor.call == 0

    def sequential(
        self, items: list[Any], config: Mapping[str, Any], outer: Mapping[str, Any]
    ) -> KerasModel:
        """Return a Sequential model."""
        layers = [layer for item in items if (layer := self.layer(item)) is not None]
        if not layers or layers[0].type != "InputLayer":
            layers.insert(0, self.added_input(layers, config, outer))
        tensor = Tensor(layers[0].name)
        calls = []
        for layer in layers[1:]:
            calls.append(Call(layer.name, 0, (tensor,)))
            tensor = Tensor(layer.name)
        return self.model(calls, Tensor(layers[0].name), tensor)

    def added_input(
        self, layers: list[Layer], config: Mapping[str, Any], outer: Mapping[str, Any]
    ) -> Layer:
        """Return the InputLayer of a model that was made without one."""
        first = self.items[layers[0].name].config if layers else None
        first = first if isinstance(first, dict) else {}
        built = outer.get("build_config")
        stated = (
            first.get("batch_input_shape"),
            config.get("build_input_shape"),
            built.get("input_shape") if isinstance(built, dict) else None,
        )
        shape = next((each for each in stated if isinstance(each, list)), None)
        if shape is None and not self.path:
            self.problem(
                "M112",
                "the shape of its input is unknown, as it was never built",
                "add keras.Input(shape) as its first layer, and save it again",
            )
        dtype = first.get("dtype")
        is_words = bool(layers) and layers[0].type == "Embedding"
        name = f"{layers[0].name if layers else self.name}_input"
        while name in self.layers:
            name = f"{name}_"
        own = {
            "batch_shape": shape,
            "dtype": dtype if isinstance(dtype, str) and not is_words else "float32",
        }
        self.items[name] = _Item("InputLayer", name, own, None, {})
        layer = Layer(name, "InputLayer", own)
        self.layers = {name: layer, **self.layers}
        self.input_layer(layer)
        return layer
