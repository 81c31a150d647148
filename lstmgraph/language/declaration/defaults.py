"""Fill in every default of a recipe's data.

The completed data is what is compiled and what ``<name>.resolved.yaml`` holds. So later packages
have no defaults of their own, and completing twice changes nothing.
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
from lstmgraph.keras_facts.layers.dense import REVERSE
from lstmgraph.language.declaration.blocks import LAST, called
from lstmgraph.language.declaration.calls import completed_call
from lstmgraph.language.declaration.folds import has_states, wrapped
from lstmgraph.resources import RECIPE_SCHEMA, read_schema

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lstmgraph.messages.diagnostics import Path

MIXED_POLICIES = ("mixed_float16", "mixed_bfloat16")

FLOAT32_LAYERS = frozenset(
    {
        *("Softmax", "Masking", "GlobalAveragePooling1D", "UnitNormalization"),
        *("Discretization", "Hashing", "IntegerLookup", "StringLookup", "TextVectorization"),
    }
)
"""Layers that give wrong results in float16, and that Keras does not keep in float32 by itself.

Ids and counts above 2048 are rounded in float16. Masking would take 1e-8 for its value 0. Sums over
masked steps and sums of squares (also in Dot's `normalize`) can exceed 65504, the largest float16
number.
"""

Data = dict[str, Any]


def complete(data: Data, at_fault: frozenset[Path] = frozenset()) -> Data:
    """Return `data` with defaults filled in, without the layers and sections at fault.

    Args:
        data: a recipe's plain data, checked against the schema.
        at_fault: the paths with mistakes that the check reported.
    """
    at_fault = frozenset(fault[:end] for fault in at_fault for end in (1, 2))
    runtime = _filled_section(data, "runtime", at_fault)
    dtype = full_dtype(runtime["dtype_policy"])
    sound = _sound_entries(data, "layers", at_fault)
    blocks = _sound_entries(data, "blocks", at_fault)
    heads = _heads(_sound_entries(data, "outputs", at_fault), sound, blocks)

    def completed_layers(scope: str, own: Data) -> Data:
        every = {**blocks, **sound, **own}
        return {
            name: _entry(layer, every)
            or _layer(layer, runtime["dtype_policy"], every, is_head=(scope, name) in heads)
            for name, layer in own.items()
        }

    layers = completed_layers("", sound)
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
    if "blocks" in data:
        completed["blocks"] = {
            name: {**block, "layers": completed_layers(name, block["layers"])}
            for name, block in blocks.items()
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
        carried = _any_carries(completed)
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


def _entry(entry: Data, others: Mapping[str, Data]) -> Data | None:
    """Return a completed loop, or call of one of `others`; None for a layer of a type."""
    if "loop" in entry:
        share = _schema_defaults("feedback")
        fed = entry.get("feedback", {}).items()
        forms = {name: {**share, **form} if "teacher" in form else form for name, form in fed}
        return {**entry, "feedback": forms} if forms else entry
    return completed_call(entry, others) if "call" in entry else None


def _heads(outputs: Data, layers: Data, blocks: Data) -> set[tuple[str, str]]:
    """Return the layers behind outputs of the model, each with the block that it is in, or ""."""
    heads: set[tuple[str, str]] = set()
    waiting = [("", str(port)) for port in outputs.values()]
    while waiting:
        block, port = waiting.pop()
        name, _, output = port.partition(".")
        scope = blocks[block]["layers"] if block else layers
        if (block, name) in heads or name not in scope:
            continue
        group = blocks.get(called(scope[name]))
        if group is None:
            heads.add((block, name))
            call = wrapped(scope[name])[0].get("call")
            if call and not scope[name].get(REVERSE):
                waiting.append((block if call in scope else "", call))
        else:
            output = output.removeprefix(LAST).lstrip(".")
            texts = [text for key, text in group["outputs"].items() if output in ("", key)]
            waiting += [(called(scope[name]), text) for text in texts]
    return heads


def _layer(layer: Data, policy: str, layers: Mapping[str, Data], *, is_head: bool) -> Data:
    kind = layer_class(layer["type"])
    recurrent = is_recurrent(kind)
    keep_float32 = not has_states(layer, layers) and (is_head or _needs_float32(layer, kind))
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
    if "reverse_dtype" in filled and layer.get("dtype_policy", policy) in MIXED_POLICIES:
        filled["reverse_dtype"] = (
            "float32"  # what Keras gives depends on the model around the layer
        )
    cells = {"cells": filled["cells"]} if "cells" in filled else {}
    filled = _overlaid(filled, layer) | cells
    if "call" in wrapped(layer)[0]:  # what is called decides the rest
        filled = {key: filled[key] for key in ("type", "input", "mask", "layer")}
    return _with_inner(filled, layers)


def _with_inner(layer: Data, layers: Mapping[str, Data]) -> Data:
    """Return `layer` with the defaults of the layer inside it, at any depth, filled in."""
    _fix_data_format(layer)
    inner = layer.get("layer")
    if not isinstance(inner, dict):
        return layer
    if "call" in inner:
        layer["layer"] = completed_call(inner, layers)
        return layer
    kind = layer_class(inner["type"])
    own = _recurrent_defaults(inner, kind) if is_recurrent(kind) else argument_defaults(kind)
    cells = {"cells": own["cells"]} if "cells" in own else {}
    layer["layer"] = _with_inner(_overlaid({"type": inner["type"], **own}, inner) | cells, layers)
    return layer


def _needs_float32(layer: Data, kind: str) -> bool:
    """Return whether a non-recurrent layer must run in float32 under a mixed policy.

    A float16 softmax or sigmoid rounds to 0 or 1 where a loss needs the difference
    (https://www.tensorflow.org/guide/mixed_precision#building_the_model).
    """
    if kind in FLOAT32_LAYERS or layer.get("normalize"):
        return True
    inner = layer.get("layer")
    if (
        isinstance(inner, dict)
        and "type" in inner
        and _needs_float32(inner, layer_class(inner["type"]))
    ):
        return True
    activation = str(layer.get("activation"))
    return "softmax" in activation or "sigmoid" in activation


def _fix_data_format(arguments: Data) -> None:
    """Replace a null data format, for which Keras would read a file in the user's home."""
    if "data_format" in arguments and arguments["data_format"] is None:
        arguments["data_format"] = "channels_last"


def _overlaid(defaults: Mapping[str, Any], own: Mapping[str, Any]) -> Data:
    """Return `own` over `defaults`, with whole numbers turned into floats where Keras has one."""
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
    # Keras's LSTM takes every argument of its RNN, with the same defaults.
    keras = argument_defaults("LSTM" if kind == "RNN" else kind)
    return defaults | {name: value for name, value in keras.items() if name in own}


def _cell(cell: Data) -> Data:
    """Return a cell with defaults: those of the layer, without the ones about sequences."""
    own = read_schema(RECIPE_SCHEMA)["$defs"]["cell"]["properties"]
    defaults = argument_defaults(CELLS[layer_class(cell["type"])])
    filled = {name: value for name, value in defaults.items() if name in own}
    return _overlaid({"type": cell["type"], **filled}, cell)


def _training(training: Data, completed: Data) -> Data:
    own = {"shuffle": not _any_carries(completed)}
    if completed["runtime"].get("batch_size") is not None:
        own["batch_size"] = completed["runtime"]["batch_size"]
    filled = {**_schema_defaults("training"), **own, **training}
    filled["optimizer"] = _named_object("optimizer", filled["optimizer"])
    if "learning_rates" in filled:
        rates = filled["learning_rates"].items()
        filled["learning_rates"] = {layer: _learning_rate(rate) for layer, rate in rates}
    filled["callbacks"] = _callbacks(filled.get("callbacks", {}))
    return filled


def _any_carries(completed: Data) -> bool:
    """Return whether a layer of the recipe or of a block carries its state between batches."""
    groups = (completed, *completed.get("blocks", {}).values())
    return any(_carries(layer) for group in groups for layer in group["layers"].values())


def _carries(layer: Data) -> bool:
    forms = wrapped(layer)[0].get("initial_state")
    return "carried" in (forms if isinstance(forms, list) else [forms])


def _callbacks(callbacks: Data) -> Data:
    """Return callbacks with defaults; ``true`` becomes a mapping, and ``false`` drops the entry."""
    written = {name: {} if value is True else value for name, value in callbacks.items()}
    filled = {
        name: _overlaid(_schema_defaults(name), own)
        for name, own in written.items()
        if isinstance(own, dict) and name != "terminate_on_nan"
    }
    return {**filled, "terminate_on_nan": callbacks.get("terminate_on_nan", True)}


def complete_search(search: Data) -> Data:
    """Return the `search:` section with defaults filled in; pass {} for a recipe without one."""
    filled = {**_schema_defaults("search"), **search}
    objective = filled["objective"]
    objectives = objective if isinstance(objective, list) else [objective]
    filled["objective"] = [{**_schema_defaults("objective"), **entry} for entry in objectives]
    for part in ("oracle", "pruning"):
        filled[part] = _by_type(part, filled[part])
    return filled


def _by_type(definition: str, data: Data) -> Data:
    """Return `data` with the defaults that the schema's definition has for its type."""
    for branch in read_schema(RECIPE_SCHEMA)["$defs"][definition]["allOf"]:
        if data["type"] in branch["if"]["properties"]["type"]["enum"]:
            properties = branch["then"]["properties"]
            return {k: v["default"] for k, v in properties.items() if "default" in v} | data
    return data


def _named_object(family: str, value: str | Mapping[str, Any]) -> Data:
    """Return a named object in full: ``adam`` -> ``{type: adam, learning_rate: 0.001, ...}``."""
    written = {"type": value} if isinstance(value, str) else dict(value)
    defaults = {"type": written["type"], **family_defaults(family, written["type"])}
    filled = _overlaid(defaults, written)
    if isinstance(filled.get("learning_rate"), dict):
        filled["learning_rate"] = _learning_rate(filled["learning_rate"])
    return filled


def _learning_rate(rate: float | Data) -> float | Data:
    """Return a schedule in full, or a number as the float that Keras takes."""
    if isinstance(rate, dict):
        return _named_object("learning_rate_schedule", rate)
    return float(rate)


def complete_data(data: Data, *, carried: bool = False) -> Data:
    """Return the `data:` section with defaults filled in; pass {} for a recipe without one.

    Args:
        data: the section as written.
        carried: whether states are carried from batch to batch, so that rows keep their order.
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
        weights = data["sample_weight"]
        filled["sample_weight"] = (
            _columns(weights, ahead)
            if "columns" in weights
            else {name: _columns(entry, ahead) for name, entry in weights.items()}
        )
    filled["split"] = _split(data.get("split", {}), window, carried=carried)
    return filled


def _window(window: Data) -> Data:
    if window["history"] == "series":
        return {**window, "min_history": window.get("min_history", 1)}
    history = window["history"]
    return {"history": history, **_schema_defaults("window"), "min_history": history, **window}


def _columns(entry: Data, defaults: Data) -> Data:
    if "length_of" in entry or entry.get("static") or "columns" not in entry:
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
