"""Models with their recipe in one ``.keras`` file: saved, and loaded from files of anywhere.

Keras loads such a file as any other, without this package. Here the model is built from the recipe,
on the recipe's kernels, which a file does not hold; what the file says that the model is, must be
the same. Taken from it are numbers, how the model was compiled, and which layers are frozen.
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from lstmgraph.archives import ArchiveError, opened_archive
from lstmgraph.files import atomic_path
from lstmgraph.language.text.embedded import NoRecipeError, embed_recipe, embedded_model
from lstmgraph.messages.errors import OtherModelError, WeightsFileError
from lstmgraph.models.building import uncompiled_model, with_predict
from lstmgraph.models.building.carrying import saved_weights
from lstmgraph.models.building.compile_config import compile_as
from lstmgraph.models.runtime import scope, start
from lstmgraph.models.same_model import require_same_model
from lstmgraph.models.weights_file import opened_weights

if TYPE_CHECKING:
    from pathlib import Path

    import keras

    from lstmgraph.compiler.compile import CompiledRecipe
    from lstmgraph.compiler.graph import Graph

CONFIG = "config.json"
LARGEST_NUMBER = 8
"""Bytes."""
SPARE = 1_000_000
"""Bytes by which a member may be larger than what the recipe's model makes of it."""
SPARE_OF_EACH = 10_000
"""The same for each layer and variable: HDF5 says where it lies."""
INNER = {
    "layer": ("forward_layer", "layer"),
    "backward_layer": ("backward_layer",),
    "cell": ("cell",),
    "cells": ("cells",),
}
"""Layers in layers: the keys of their configurations, and the attributes that hold them."""
LONGEST = 300
"""Characters of what Keras says."""


def save_model(model: keras.Model, recipe_text: str, path: Path, further: str = "") -> None:
    """Write `model` and its recipe to `path`, whole or not at all.

    `further` is the name of the recipe's further model that it is; of the main one, it is empty.
    """
    with atomic_path(path) as temporary:
        if model.compiled:
            # Saved without its variables, an optimizer would be loaded with a warning.
            model.optimizer.build(model.trainable_variables)
        model.save(temporary)
        embed_recipe(temporary, recipe_text, further)


def load_as(compiled: CompiledRecipe, path: Path) -> keras.Model:
    """Load the model at `path` as `compiled` says that it runs on this machine.

    Raises:
        ValueError: the file holds no model, or another one than the recipe's.
        RecipeError: this machine or process cannot run it as the recipe says.
        OSError: the temporary folder cannot be written to.
    """
    machine = start(compiled)
    graph = _graph_of(compiled, path)
    with scope(compiled.declaration.runtime):
        model = uncompiled_model(compiled, graph)
        try:
            config = _same_config(model, path)
            _freeze_as(model, config)
            compile_as(model, config.get("compile_config"))
            load_numbers(model, path)
        except OtherModelError as error:
            raise OtherModelError(
                f"{path}: the model is not the recipe's: {error}; `lstmgraph transfer` takes over "
                "the weights that fit"
            ) from None
        except WeightsFileError:  # which names the file
            raise
        except ValueError as error:
            raise ValueError(f"{path} is not a whole .keras file ({error})") from None
    return with_predict(model, compiled, graph, machine)


def _graph_of(compiled: CompiledRecipe, path: Path) -> Graph:
    """Return the graph of the main model, or of the further model that the file names."""
    try:
        further = embedded_model(path)
    except NoRecipeError as error:
        raise ValueError(f"{path}: {error}") from None
    except OSError as error:
        raise ValueError(f"cannot read {path}: {error.strerror or error}") from None
    if not further:
        return compiled.graph
    if further not in compiled.models:
        raise OtherModelError(f"the recipe has no further model '{further}', which {path} holds")
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
        raise ArchiveError(f"{CONFIG} nests too deep") from None
    return config


def _freeze_as(model: keras.Model, config: dict[str, Any]) -> None:
    """Freeze and unfreeze the layers of `model` as `config` says."""
    _set_trainable(model, config["config"])
    layers = {layer.name: layer for layer in model.layers}
    for found in config["config"]["layers"]:
        if found["name"] in layers:  # not an operation
            _set_trainable(layers[found["name"]], found["config"])


def _set_trainable(layer: Any, config: dict[str, Any]) -> None:
    chosen = config.get("trainable")
    if isinstance(chosen, bool) and layer.trainable is not chosen:
        layer.trainable = chosen  # and that of every layer in it
    for key, attributes in INNER.items():
        inner = next((getattr(layer, each) for each in attributes if hasattr(layer, each)), None)
        for one, found in zip(_listed(inner), _listed(config.get(key)), strict=False):
            _set_trainable(one, found["config"])


def _listed(value: Any) -> list[Any]:
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
        found = {
            name: sorted(tuple(data.shape) for data in layer.values())
            for name, layer in weights.layers.items()
        }
        own = {
            each.name: sorted(tuple(w.shape) for w in saved_weights(each)) for each in model.layers
        }
        own = {name: shapes for name, shapes in own.items() if shapes}
        for name in (*own, *(name for name in found if name not in own)):
            if own.get(name, []) != found.get(name, []):
                shapes = f"{found.get(name, [])}, not {own.get(name, [])}"
                raise OtherModelError(f"the weights of '{name}' have the shapes {shapes}")
        try:
            model.load_weights(weights.path)
        except MemoryError:
            raise
        except Exception as error:
            # Keras and h5py raise errors of many classes for numbers that lie at other places.
            reason = " ".join(str(error).split())[:LONGEST]
            raise OtherModelError(f"its weights do not fit: {reason}") from None
