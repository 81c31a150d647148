"""Saving and loading a model with its recipe in one ``.keras`` file, trusted or not.

Keras loads such a file like any other, without this package. Here the model is built from the
recipe, with the recipe's kernels, which a file does not hold; the configuration in the file must
match it. The file gives the weights, how the model was compiled, and which layers are frozen.
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from lstmgraph.archives import ArchiveError, opened_archive
from lstmgraph.files import atomic_path
from lstmgraph.keras_facts.layers.lookups import LOOKUPS
from lstmgraph.language.text.embedded import NoRecipeError, embed_recipe, embedded_model
from lstmgraph.messages.errors import OtherModelError, WeightsFileError
from lstmgraph.models.building import uncompiled_model, with_predict
from lstmgraph.models.building.carrying import saved_weights
from lstmgraph.models.building.compile_config import compile_as
from lstmgraph.models.building.layers import freeze
from lstmgraph.models.building.lora import lora_kept, without_lora
from lstmgraph.models.building.training import compile_model, has_own_losses
from lstmgraph.models.runtime import build_optimizer, scope, start
from lstmgraph.models.same_model import require_same_model
from lstmgraph.models.weights_file import opened_weights

if TYPE_CHECKING:
    from pathlib import Path

    import keras

    from lstmgraph.compiler.compile import CompiledRecipe
    from lstmgraph.compiler.graph import Graph

CONFIG = "config.json"
LARGEST_NUMBER = 8
"""The most bytes that one number takes."""
SPARE = 1_000_000
"""How many bytes larger a member may be than the recipe's model needs."""
SPARE_OF_EACH = 10_000
"""Further spare bytes for each layer and variable, whose place HDF5 records."""
INNER = {
    "layer": ("forward_layer", "layer"),
    "backward_layer": ("backward_layer",),
    "cell": ("cell",),
    "cells": ("cells",),
}
"""Layers inside layers: the key of their configuration, and the attributes that may hold them."""
LONGEST = 300
"""The most characters of Keras's own message to show."""


def save_model(model: keras.Model, recipe_text: str, path: Path, further: str = "") -> None:
    """Write `model` and its recipe to `path`, whole or not at all.

    `further` is the model's name under the recipe's ``models:``; it is empty for the main model.
    """
    with atomic_path(path) as temporary:
        if model.compiled:
            # Saved without its variables, an optimizer would be loaded with a warning.
            build_optimizer(model)
        model.save(temporary)
        embed_recipe(temporary, recipe_text, further)


def load_as(compiled: CompiledRecipe, path: Path) -> keras.Model:
    """Return the model in the file at `path`, built as `compiled` says, on this machine.

    Raises:
        ValueError: the file holds no model, or a model that is not the recipe's.
        RecipeError: this machine or process cannot run the model as the recipe says.
        OSError: the temporary folder cannot be written to.
    """
    machine = start(compiled)
    graph = _graph_of(compiled, path)
    with scope(compiled.declaration.runtime):
        model = uncompiled_model(compiled, graph)
        try:
            config = _same_config(model, path)
            _freeze_as(model, config)
            _compile(model, compiled, graph, config.get("compile_config"))
            load_numbers(model, path)
        except OtherModelError as error:
            raise OtherModelError(
                f"{path}: the model is not the recipe's: {error}; `lstmgraph transfer` copies the "
                "weights that fit"
            ) from None
        except WeightsFileError:  # its message names the file
            raise
        except ValueError as error:
            raise ValueError(f"{path} is not a whole .keras file: {error}") from None
    return with_predict(model, compiled, graph, machine)


def _compile(model: keras.Model, compiled: CompiledRecipe, graph: Graph, config: object) -> None:
    """Compile `model` as its file says, or as the recipe says if Keras cannot know its losses."""
    if config or graph is not compiled.graph or not has_own_losses(compiled):
        is_main = graph is compiled.graph
        compile_as(model, config, compiled.declaration.data if is_main else None)
        return
    compile_model(model, compiled)
    model.optimizer.build(model.trainable_variables)


def _graph_of(compiled: CompiledRecipe, path: Path) -> Graph:
    """Return the graph of the model in the file: the recipe's main one, or a further one."""
    if path.suffix in (".h5", ".hdf5"):
        raise ValueError(
            f"{path} is not a .keras file; `lstmgraph transfer` moves its weights into a .keras "
            "file of the recipe's model"
        )
    try:
        further = embedded_model(path)
    except NoRecipeError as error:
        raise ValueError(f"{path}: {error}") from None
    except OSError as error:
        raise ValueError(f"cannot read {path}: {error.strerror or error}") from None
    if not further:
        return compiled.graph
    if further not in compiled.models:
        raise OtherModelError(
            f"{path} holds the further model '{further}', which the recipe does not have"
        )
    return compiled.models[further].graph


def _same_config(model: keras.Model, path: Path) -> dict[str, Any]:
    """Return the configuration in the file, after checking that it is that of `model`."""
    own = model.to_json()
    with opened_archive(path) as archive:
        text = archive.read(CONFIG, 2 * len(own) + SPARE)
    try:
        config: dict[str, Any] = json.loads(text)
        require_same_model(json.loads(own), config)
    except RecursionError:
        raise ArchiveError(f"{CONFIG} is nested too deeply") from None
    return config


def _freeze_as(model: keras.Model, config: dict[str, Any]) -> None:
    """Freeze the layers of `model` that are frozen in the file, by the recipe or by hand."""
    _set_trainable(model, config["config"])
    layers = {layer.name: layer for layer in model.layers}
    for item in config["config"]["layers"]:
        if item["name"] in layers:  # not an operation
            _set_trainable(layers[item["name"]], item["config"])


def _set_trainable(layer: Any, config: dict[str, Any]) -> None:
    chosen = config.get("trainable")
    if chosen is False:
        freeze(layer)
    elif chosen is True and not layer.trainable:
        layer.trainable = True  # sets that of every layer inside it too
    for key, attributes in INNER.items():
        inner = next((getattr(layer, each) for each in attributes if hasattr(layer, each)), None)
        for part, item in zip(_as_list(inner), _as_list(config.get(key)), strict=False):
            _set_trainable(part, item["config"])


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def load_numbers(model: keras.Model, path: Path) -> None:
    """Give `model`, and its optimizer where it is compiled, the numbers of the file at `path`.

    Raises:
        OtherModelError: they are those of another model.
        WeightsFileError: the file holds no weights, or is damaged.
        OSError: the temporary folder cannot be written to.
    """
    variables = [*model.variables, *(model.optimizer.variables if model.compiled else ())]
    most = sum(LARGEST_NUMBER * math.prod(each.shape) for each in variables) + SPARE
    most += SPARE_OF_EACH * (len(variables) + len(model.layers))
    with opened_weights(path, most) as weights:
        # Their weights of words are part of the recipe, and no weights to Keras.
        lookups = {each.name for each in model.layers if type(each).__name__ in LOOKUPS}
        in_file = {
            name: sorted(tuple(data.shape) for data in layer.values())
            for name, layer in weights.layers.items()
            if name not in lookups
        }
        own = {
            each.name: sorted(tuple(w.shape) for w in without_lora(saved_weights(each)))
            for each in model.layers
        }
        own = {name: shapes for name, shapes in own.items() if shapes}
        for name in (*own, *(name for name in in_file if name not in own)):
            if own.get(name, []) != in_file.get(name, []):
                shapes = f"{in_file.get(name, [])}, not {own.get(name, [])}"
                raise OtherModelError(f"the weights of '{name}' have the shapes {shapes}")
        try:
            with lora_kept(model):
                model.load_weights(weights.path)
        except MemoryError:
            raise
        except Exception as error:
            # Keras and h5py raise many classes of errors for weights in unexpected places.
            reason = " ".join(str(error).split())[:LONGEST]
            raise OtherModelError(f"its weights do not fit: {reason}") from None
