"""Layers and calls of a Functional or Sequential model, from its configuration."""

from __future__ import annotations

import heapq
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from lstmgraph.interop.keras_model import Call, KerasModel, Layer, Tensor
from lstmgraph.interop.reading.layers import MODELS, OPERATIONS, is_keras_module, layer_config
from lstmgraph.interop.reading.values import ValueFormError, call_value, tensor_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lstmgraph.interop.reading.problems import Problems

Path = tuple[str, ...]
AGAIN = "save the model again with Keras"
MOST_LAYERS = 20_000
"""The most layers of a model; Keras itself takes minutes to load a thousand."""


def read_top(config: Mapping[str, Any], problems: Problems) -> KerasModel:
    """Return the model whose whole configuration, that of ``model.to_json()``, is `config`.

    Raises:
        ModelFileError: it cannot be read; the error names everything that cannot be.
    """
    kind, inner = config.get("class_name"), config.get("config")
    if kind not in MODELS or not is_keras_module(config.get("module")):
        problems.stop(
            "M104",
            f"it is not a Functional or Sequential model, but of the class {kind!r}",
            "build it as keras.Model(inputs, outputs): a file does not hold the code of a class",
        )
    if isinstance(inner, list):  # Sequential, before Keras 2.2.3
        inner = {"layers": inner, "name": "sequential"}
    if not isinstance(inner, dict) or not isinstance(inner.get("layers"), list):
        problems.stop("M103", "its configuration has no list of layers", AGAIN)
    model = _model(str(kind), inner, config, problems, ())
    problems.raise_found()
    compiled = config.get("compile_config")
    if isinstance(compiled, dict) and compiled:
        from lstmgraph.interop.reading.compiled import compile_config  # noqa: PLC0415

        model = replace(model, compile=compile_config(compiled))
    return replace(model, source=problems.source)


def _model(
    kind: str,
    config: Mapping[str, Any],
    outer: Mapping[str, Any],
    problems: Problems,
    path: Path,
) -> KerasModel:
    items = config.get("layers")
    if not isinstance(items, list):
        problems.add("M103", "the nested model has no list of layers", AGAIN, path)
        items = []
    if len(items) > MOST_LAYERS:
        problems.stop("M102", f"it has more than {MOST_LAYERS:,} layers", "split the model", path)
    name = config.get("name")
    reader = _ModelReader(str(name) if isinstance(name, str) else "model", problems, path)
    if kind == "Sequential":
        return reader.sequential(items, config, outer)
    return reader.functional(items, config)


class _ModelReader:
    """Reads one model; nested models have readers of their own."""

    def __init__(self, name: str, problems: Problems, path: Path) -> None:
        self.name = name
        self.problems = problems
        self.path = path
        self.layers: dict[str, Layer] = {}
        self.kinds: dict[str, str] = {}
        self.shapes: dict[Tensor, tuple[int | None, ...]] = {}
        self.dtypes: dict[Tensor, str] = {}

    def problem(self, code: str, message: str, hint: str, *name: str) -> None:
        self.problems.add(code, message, hint, (*self.path, *name))

    def layer(self, item: Any) -> Layer | None:
        """Add the layer that `item` describes, if it can be read."""
        if not isinstance(item, dict) or not isinstance(item.get("class_name"), str):
            self.problem("M103", "one of its layers has no class", AGAIN)
            return None
        kind, config, module = item["class_name"], item.get("config"), item.get("module")
        if kind == "Sequential" and isinstance(config, list):
            config = {"layers": config, "name": item.get("name", "sequential")}
        inner_name = config.get("name") if isinstance(config, dict) else None
        name = item.get("name", inner_name)
        if not isinstance(name, str):
            self.problem("M103", f"a layer of the class {kind} has no name", AGAIN)
            return None
        if name in self.layers:
            self.problem("M110", "two layers have this name", "rename one of them", name)
            return None
        path = (*self.path, name)
        if kind == "Lambda":
            self.problem(
                "M105",
                "a Lambda is Python code, which is not run",
                "replace it by layers or operations of keras.ops, and save the model again",
                name,
            )
            layer = Layer(name, kind, {})
        elif not is_keras_module(module):
            self.problem(
                "M106",
                f"its class {module}.{kind} is not Keras's, so what it computes is unknown",
                "replace it by layers of Keras, and save the model again",
                name,
            )
            layer = Layer(name, kind, {})
        elif kind in MODELS and isinstance(config, dict):
            model = _model(kind, config, item, self.problems, path)
            own = {key: value for key, value in config.items() if key in ("trainable", "dtype")}
            layer = Layer(name, kind, layer_config(own, self.problems, path), model=model)
        else:
            is_operation = isinstance(module, str) and module.startswith(OPERATIONS)
            arguments = layer_config(config, self.problems, path)
            layer = Layer(name, kind, arguments, is_operation=is_operation)
        self.layers[name] = layer
        self.kinds[name] = kind
        if kind == "InputLayer":
            self.input_layer(layer)
        return layer

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
        calls = [
            call
            for name, found in nodes.items()
            for index, node in enumerate(found)
            if (call := self.call(name, index, node)) is not None
        ]
        inputs = self.ends(config.get("input_layers"), "input")
        outputs = self.ends(config.get("output_layers"), "output")
        ordered = self.ordered(calls)
        return self.model(ordered, inputs, outputs)

    def model(self, calls: list[Call], inputs: Any, outputs: Any) -> KerasModel:
        return KerasModel(
            self.name, self.layers, tuple(calls), inputs, outputs, self.shapes, self.dtypes
        )

    def call(self, name: str, index: int, node: Any) -> Call | None:
        """Return one call of a layer, from Keras 3's form."""
        try:
            if not isinstance(node, dict):
                raise ValueFormError("it has no arguments")
            arguments = call_value(node.get("args", []), self.tensor)
            keywords = call_value(node.get("kwargs", {}), self.tensor)
            if not isinstance(arguments, list) or not isinstance(keywords, dict):
                raise ValueFormError("its arguments are neither a list nor a mapping")
        except ValueFormError as mistake:
            self.problem("M111", f"a call of it cannot be read: {mistake}", AGAIN, name)
            return None
        return Call(name, index, tuple(arguments), keywords)

    def tensor(self, history: Any, shape: Any, dtype: Any) -> Tensor:
        tensor = tensor_of(history)
        self.state(tensor, shape, dtype)
        return tensor

    def ends(self, value: Any, word: str) -> Any:
        """Return the inputs or outputs: a tensor, or a list or mapping of them."""
        try:
            return self._ends(value)
        except ValueFormError as mistake:
            self.problem("M111", f"its {word}s cannot be read: {mistake}", AGAIN)
            return []

    def _ends(self, value: Any) -> Any:
        if isinstance(value, (list, tuple)):
            if len(value) == 3 and isinstance(value[0], str):
                kind = self.kinds.get(value[0], "")
                return tensor_of(value, offset=int(kind in MODELS and kind != "Sequential"))
            return [self._ends(item) for item in value]
        if isinstance(value, dict):
            return {str(key): self._ends(item) for key, item in value.items()}
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
                        f"it reads call {tensor.call} of '{tensor.layer}', which does not exist",
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
        return self.kinds.get(tensor.layer) == "InputLayer" and tensor.call == 0

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
        built = outer.get("build_config")
        shapes = (
            config.get("build_input_shape"),
            built.get("input_shape") if isinstance(built, dict) else None,
        )
        shape = next((each for each in shapes if isinstance(each, list)), None)
        if shape is None and not self.path:
            self.problem(
                "M112",
                "the shape of its input is unknown, as it was never built",
                "add keras.Input(shape) as its first layer, and save it again",
            )
        name = f"{layers[0].name if layers else self.name}_input"
        layer = Layer(name, "InputLayer", {"batch_shape": shape, "dtype": "float32"})
        self.layers = {name: layer, **self.layers}
        self.kinds[name] = "InputLayer"
        self.input_layer(layer)
        return layer
