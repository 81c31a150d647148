"""A recipe's data with every default written out.

What is compiled, and what ``<name>.resolved.yaml`` holds, is this data: so no later room has
defaults of its own, and completing twice changes nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lstmgraph.keras_facts.catalogue import (
    CELLS,
    argument_defaults,
    family_defaults,
    is_recurrent,
    layer_class,
)
from lstmgraph.keras_facts.dtypes import full_dtype
from lstmgraph.resources import RECIPE_SCHEMA, read_schema

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lstmgraph.messages.diagnostics import Path

MIXED_POLICIES = ("mixed_float16", "mixed_bfloat16")

FLOAT32_LAYERS = frozenset({"Softmax", "Masking", "GlobalAveragePooling1D", "UnitNormalization"})
"""Layers that 16 bits make wrong, and that Keras does not keep from them by itself.

Masking would take 1e-8 for its value of 0. The sum of masked steps, and that of squares (of Dot's
`normalize` too), passes the largest number of float16, 65504.
"""

Data = dict[str, Any]


def complete(data: Data, at_fault: frozenset[Path] = frozenset()) -> Data:
    """`data` with defaults filled in; layers and sections that are at fault are left out.

    Args:
        data: a recipe's plain data, checked against the schema.
        at_fault: the paths that the check found wrong.
    """
    at_fault = frozenset(fault[:end] for fault in at_fault for end in (1, 2))
    runtime = _filled_section(data, "runtime", at_fault)
    dtype = full_dtype(runtime["dtype_policy"])
    heads = _layers_behind_outputs(data, at_fault)
    layers = {
        name: _layer(layer, runtime["dtype_policy"], is_head=name in heads)
        for name, layer in _sound_entries(data, "layers", at_fault).items()
    }
    completed = {
        "recipe": 1,
        "name": data.get("name") if ("name",) not in at_fault else None,
        "description": data.get("description", "") if ("description",) not in at_fault else "",
        "inputs": {
            name: {"shape": tensor["shape"], "dtype": dtype, "time_major": False, **tensor}
            for name, tensor in _sound_entries(data, "inputs", at_fault).items()
        },
        "layers": layers,
        "outputs": dict(_sound_entries(data, "outputs", at_fault)),
        "runtime": runtime,
    }
    if "models" in data:
        completed["models"] = {
            name: model if "derive" in model else {"initial_state": {}, **model}
            for name, model in _sound_entries(data, "models", at_fault).items()
        }
    if "training" in data and ("training",) not in at_fault:
        completed["training"] = _training(data["training"], completed)
    if "search" in data and ("search",) not in at_fault:
        completed["search"] = complete_search(data["search"])
    if "data" in data and ("data",) not in at_fault:
        carried = any(map(_carries, layers.values()))
        completed["data"] = complete_data(data["data"], carried=carried)
    return completed


def _sound_entries(data: Data, section: str, at_fault: frozenset[Path]) -> Data:
    entries = data.get(section)
    if not isinstance(entries, dict):
        return {}
    return {k: v for k, v in entries.items() if (section, k) not in at_fault}


def _filled_section(data: Data, section: str, at_fault: frozenset[Path]) -> Data:
    own = data.get(section, {})
    sound = _sound_entries(data, section, at_fault) if isinstance(own, dict) else {}
    return {**_schema_defaults(section), **sound}


def _schema_defaults(definition: str) -> Data:
    properties = read_schema(RECIPE_SCHEMA)["$defs"][definition]["properties"]
    return {k: schema["default"] for k, schema in properties.items() if "default" in schema}


def _layers_behind_outputs(data: Data, at_fault: frozenset[Path]) -> set[str]:
    return {
        str(port).partition(".")[0] for port in _sound_entries(data, "outputs", at_fault).values()
    }


def _layer(layer: Data, policy: str, *, is_head: bool) -> Data:
    kind = layer_class(layer["type"])
    recurrent = is_recurrent(kind)
    keep_float32 = not recurrent and (is_head or _needs_float32(layer, kind))
    filled = {
        "type": layer["type"],
        "input": layer["input"],
        "mask": "inherited",
        "dtype_policy": "float32" if keep_float32 and policy in MIXED_POLICIES else policy,
    }
    if recurrent:
        filled |= _recurrent_defaults(layer, kind)
    else:
        filled |= argument_defaults(kind)
    cells = {"cells": filled["cells"]} if "cells" in filled else {}
    filled = _overlaid(filled, layer) | cells
    return _with_inner(filled)


def _with_inner(layer: Data) -> Data:
    """`layer` with the defaults of the one inside it, which may have one inside itself."""
    _fix_data_format(layer)
    inner = layer.get("layer")
    if isinstance(inner, dict):
        defaults = {"type": inner["type"], **argument_defaults(layer_class(inner["type"]))}
        layer["layer"] = _with_inner(_overlaid(defaults, inner))
    return layer


def _needs_float32(layer: Data, kind: str) -> bool:
    """Whether a layer without a recurrence would be wrong in 16 bits, wherever it stands.

    A float16 softmax or sigmoid is 0 or 1 where a loss needs the difference
    (https://www.tensorflow.org/guide/mixed_precision#building_the_model).
    """
    if kind in FLOAT32_LAYERS or layer.get("normalize"):
        return True
    inner = layer.get("layer")
    if isinstance(inner, dict) and _needs_float32(inner, layer_class(inner["type"])):
        return True
    activation = str(layer.get("activation"))
    return "softmax" in activation or "sigmoid" in activation


def _fix_data_format(arguments: Data) -> None:
    """Left at null, Keras would read the data format from a file in the user's home."""
    if "data_format" in arguments and arguments["data_format"] is None:
        arguments["data_format"] = "channels_last"


def _overlaid(defaults: Mapping[str, Any], own: Mapping[str, Any]) -> Data:
    """`own` over `defaults`; a whole number where Keras has a float becomes one, as Keras wants."""
    numbers = {
        key: float(value)
        for key, value in own.items()
        if isinstance(defaults.get(key), float)
        and isinstance(value, int)
        and not isinstance(value, bool)
    }
    return {**own, **{k: v for k, v in defaults.items() if k not in own}, **numbers}


def _recurrent_defaults(layer: Data, kind: str) -> Data:
    definition = "rnn" if kind == "RNN" else "recurrent"
    own = read_schema(RECIPE_SCHEMA)["$defs"][definition]["properties"]
    defaults: Data = {"initial_state": "zeros", "bidirectional": False, "padded_output": "zero"}
    if layer.get("bidirectional"):
        defaults["merge_mode"] = "concat"
    if kind == "RNN":
        defaults["cells"] = [_cell(cell) for cell in layer["cells"]]
    else:
        defaults |= {"residual": False, "normalization": None}
        defaults |= {} if isinstance(layer["units"], list) else {"depth": 1}
    # What Keras's RNN takes, its LSTM takes too, with the same defaults.
    keras = argument_defaults("LSTM" if kind == "RNN" else kind)
    return defaults | {name: value for name, value in keras.items() if name in own}


def _cell(cell: Data) -> Data:
    """A cell takes the arguments of the layer that runs it, less those that are about sequences."""
    own = read_schema(RECIPE_SCHEMA)["$defs"]["cell"]["properties"]
    defaults = argument_defaults(CELLS[layer_class(cell["type"])])
    filled = {name: value for name, value in defaults.items() if name in own}
    return _overlaid({"type": cell["type"], **filled}, cell)


def _training(training: Data, completed: Data) -> Data:
    own = {"shuffle": not any(map(_carries, completed["layers"].values()))}
    if completed["runtime"].get("batch_size") is not None:
        own["batch_size"] = completed["runtime"]["batch_size"]
    filled = {**_schema_defaults("training"), **own, **training}
    filled["optimizer"] = _named_object("optimizer", filled["optimizer"])
    filled["callbacks"] = _callbacks(filled.get("callbacks", {}))
    return filled


def _carries(layer: Data) -> bool:
    forms = layer.get("initial_state")
    return "carried" in (forms if isinstance(forms, list) else [forms])


def _callbacks(callbacks: Data) -> Data:
    """``tensorboard: true`` is the mapping of its defaults, and false nothing at all."""
    written = {name: {} if value is True else value for name, value in callbacks.items()}
    filled = {
        name: _overlaid(_schema_defaults(name), own)
        for name, own in written.items()
        if isinstance(own, dict) and name != "terminate_on_nan"
    }
    return {**filled, "terminate_on_nan": callbacks.get("terminate_on_nan", True)}


def complete_search(search: Data) -> Data:
    """`search:` with defaults filled in; an empty one gives those of a recipe without."""
    filled = {**_schema_defaults("search"), **search}
    objective = filled["objective"]
    several = objective if isinstance(objective, list) else [objective]
    filled["objective"] = [{**_schema_defaults("objective"), **each} for each in several]
    for part in ("oracle", "pruning"):
        filled[part] = _by_type(part, filled[part])
    return filled


def _by_type(definition: str, data: Data) -> Data:
    """`data` with the defaults of the branch of the schema's definition that its type chooses."""
    for branch in read_schema(RECIPE_SCHEMA)["$defs"][definition]["allOf"]:
        if data["type"] in branch["if"]["properties"]["type"]["enum"]:
            properties = branch["then"]["properties"]
            return {k: v["default"] for k, v in properties.items() if "default" in v} | data
    return data


def _named_object(family: str, value: str | Mapping[str, Any]) -> Data:
    """``adam`` -> ``{type: adam, learning_rate: 0.001, ...}``."""
    written = {"type": value} if isinstance(value, str) else dict(value)
    defaults = {"type": written["type"], **family_defaults(family, written["type"])}
    filled = _overlaid(defaults, written)
    rate = filled.get("learning_rate")
    if isinstance(rate, dict):
        filled["learning_rate"] = _named_object("learning_rate_schedule", rate)
    return filled


def complete_data(data: Data, *, carried: bool = False) -> Data:
    """The `data:` section with defaults filled in; an empty one gives those of a recipe without.

    Args:
        data: the section as written.
        carried: whether states go on from batch to batch, so that rows stay in their order.
    """
    filled = dict(data)
    if isinstance(data.get("series"), str):
        filled["series"] = [data["series"]]
    window = data.get("window")
    if window is not None:
        filled["window"] = _window(window)
    ahead = {"steps": "horizon"} if window else {}
    read = {"steps": "history", "lag": 0} if window else {}
    for section, defaults in (("inputs", read), ("targets", ahead)):
        if section in data:
            entries = data[section].items()
            filled[section] = {name: _columns(entry, defaults) for name, entry in entries}
    if "sample_weight" in data:
        filled["sample_weight"] = _columns(data["sample_weight"], ahead)
    filled["split"] = _split(data.get("split", {}), window, carried=carried)
    return filled


def _window(window: Data) -> Data:
    if window["history"] == "series":
        return {**window, "min_history": window.get("min_history", 1)}
    history = window["history"]
    return {"history": history, **_schema_defaults("window"), "min_history": history, **window}


def _columns(entry: Data, defaults: Data) -> Data:
    if "length_of" in entry or entry.get("static"):
        return entry
    return {"columns": entry["columns"], **defaults, **entry}


def _split(split: Data, window: Data | None, *, carried: bool) -> Data:
    in_order = carried if window is None else window["history"] != "series"
    kind = split.get("kind", "chronological" if in_order else "random")
    unread = {"seed" if kind == "chronological" else "gap"}
    if "folds" in split:
        unread.add("validation")
    defaults = {k: v for k, v in _schema_defaults("split").items() if k not in unread}
    return {"kind": kind, **defaults, **split}
