"""Read a ``keras.Model`` in memory."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import keras

from lstmgraph.interop.keras_model import inner_model, with_inner_model
from lstmgraph.interop.reading.graph import read_top
from lstmgraph.interop.reading.known import MODELS
from lstmgraph.interop.reading.problems import Problems
from lstmgraph.messages.wording import with_article

if TYPE_CHECKING:
    from lstmgraph.interop.keras_model import KerasModel

UNSAVED = ("use_cudnn", "implementation")
"""Arguments that Keras leaves out of a layer's configuration."""


def read_live(model: Any) -> KerasModel:
    """Return the data of a Functional or Sequential model.

    Raises:
        ModelFileError: it is another object, or holds what cannot be read.
    """
    name = getattr(model, "name", type(model).__name__)
    problems = Problems(f"<{name}>")
    if not isinstance(model, keras.Model):
        given = with_article(type(model).__name__)
        problems.stop("M101", f"it is no Keras model, but {given}", "give a keras.Model")
    _check(model, problems, ())
    problems.raise_found()
    read = _with_unsaved(read_top(json.loads(model.to_json()), problems), model)
    if read.compile is None:
        return read
    live = {"loss": model.loss}
    for name in ("metrics", "weighted_metrics"):
        live[name] = getattr(getattr(model, "_compile_metrics", None), f"_user_{name}", None)
    return replace(read, compile=_with_lost(dict(read.compile), live))


def _with_lost(data: Any, live: Any) -> Any:
    """Return how a model was compiled with the arguments that Keras leaves out.

    The configuration of Huber has no ``delta``, for example, and that of CosineSimilarity no
    ``axis`` (``keras/src/losses/losses.py``). A function has only its name there, which may be that
    of one of Keras's: if it is another, the name becomes that in its module.
    """
    if isinstance(data, dict) and isinstance(live, dict):
        return {key: _with_lost(each, live.get(key)) for key, each in data.items()}
    if isinstance(data, list) and isinstance(live, list | tuple) and len(data) == len(live):
        return [_with_lost(each, own) for each, own in zip(data, live, strict=True)]
    if isinstance(data, dict) and data.get("class_name") == "function":
        function = getattr(live, "_fn", live)
        module = str(getattr(function, "__module__", "keras"))
        own = module.partition(".")[0] == "keras" or ">" in str(data.get("config"))
        return data if own else {**data, "config": f"{module}.{data.get('config')}"}
    lost = {
        key: value
        for key, value in getattr(live, "_fn_kwargs", {}).items()
        if isinstance(value, (bool, int, float, str))
    }
    if not lost or not isinstance(data, dict) or not isinstance(data.get("config"), dict):
        return data
    return {**data, "config": {**lost, **data["config"]}}


def _is_keras(value: Any) -> bool:
    return type(value).__module__.partition(".")[0] == "keras"


def _check(model: Any, problems: Problems, path: tuple[str, ...]) -> None:
    """Report every layer whose class is not Keras's, before Keras fails at the first."""
    kind = type(model).__name__
    if not _is_keras(model) or kind not in MODELS:
        problems.add(
            "M104",
            f"it is not a Functional or Sequential model, but of the class {kind}",
            "build the same layers as keras.Model(inputs, outputs)",
            path,
        )
        return
    for each in model.layers if kind == "Sequential" else model.operations:
        inner = (*path, each.name)
        if isinstance(each, keras.Model):
            _check(each, problems, inner)
        elif not _is_keras(each):
            kind = f"{type(each).__module__}.{type(each).__name__}"
            problems.add(
                "M106",
                f"its class {kind} is not Keras's, so what it computes is unknown",
                "replace it by layers of Keras",
                inner,
            )
        elif isinstance(each, keras.layers.Lambda):
            problems.add(
                "M105",
                "a Lambda is Python code, which cannot be read",
                "replace it by layers or operations of keras.ops",
                inner,
            )


def _with_unsaved(read: KerasModel, model: Any) -> KerasModel:
    """Return `read` with the arguments that Keras does not save."""
    found = {each.name: each for each in model.layers}
    layers = {}
    for name, layer in read.layers.items():
        live = found.get(name)
        extra = {
            key: getattr(live, key) for key in UNSAVED if layer.model is None and hasattr(live, key)
        }
        inner = _with_unsaved(layer.model, live) if layer.model is not None else None
        layers[name] = replace(layer, config={**layer.config, **extra}, model=inner)
        wrapped = inner_model(layer)
        if wrapped is not None:
            own = _with_unsaved(wrapped, innermost(live))
            layers[name] = with_inner_model(layers[name], own)
    return replace(read, layers=layers, shared=id(model))


def innermost(layer: Any) -> Any:
    """Return the layer inside of TimeDistributed, at any depth; of another layer, itself."""
    while isinstance(layer, keras.layers.TimeDistributed):
        layer = layer.layer
    return layer
