"""Models with their recipe in one ``.keras`` file: saved, and loaded on the recipe's kernels.

Keras loads such a file as any other, without this package. It does not store ``use_cudnn``, though,
so that a layer kept from cuDNN runs on it after ``keras.models.load_model``; here it does not.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import zipfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras

from lstmgraph.embedded import embed_recipe, embedded_model
from lstmgraph.files import atomic_path
from lstmgraph.lowering.carrying import kept_states
from lstmgraph.lowering.layers import use_cudnn
from lstmgraph.runtime import compile_predict, scope, start, steps_of_lengths
from lstmgraph.runtime_plan import choose_xla

if TYPE_CHECKING:
    from lstmgraph.compiler import CompiledRecipe
    from lstmgraph.graph import Graph

CONFIG = "config.json"


class OtherModelError(ValueError):
    """The model of a file is not that of the recipe."""


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
    """
    machine = start(compiled)
    settings = compiled.declaration.runtime
    graph = _graph_of(compiled, path)
    with tempfile.TemporaryDirectory() as folder, scope(settings):
        copy = Path(folder) / "model.keras"
        _copy_with_kernels(path, copy, graph)
        model: keras.Model = keras.models.load_model(copy)
    if not model.compiled and settings.xla != "auto":
        model.jit_compile = settings.xla
    kept_states(model)
    xla = choose_xla(settings, graph, machine)
    if xla.predict:
        compile_predict(model, xla.most_rows, steps_of_lengths(graph))
    return model


def _graph_of(compiled: CompiledRecipe, path: Path) -> Graph:
    """The graph of the main model, or of the further one that the file says that it is."""
    further = embedded_model(path)
    if not further:
        return compiled.graph
    if further not in compiled.models:
        raise OtherModelError(f"the recipe has no further model '{further}', which {path} holds")
    return compiled.models[further].graph


def _copy_with_kernels(source: Path, target: Path, graph: Graph) -> None:
    """The same file, with ``use_cudnn`` in the configuration of every layer that takes it."""
    try:
        with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
            for member in old.infolist():
                with old.open(member) as content, new.open(member.filename, "w") as copied:
                    if member.filename == CONFIG:
                        config = _with_kernels(json.load(content), graph)
                        copied.write(json.dumps(config).encode())
                    else:
                        shutil.copyfileobj(content, copied)
    except OtherModelError:
        raise
    except (zipfile.BadZipFile, zlib.error, ValueError, KeyError) as error:
        raise ValueError(f"{source} is not a whole .keras file ({error})") from None


def _with_kernels(config: dict[str, Any], graph: Graph) -> dict[str, Any]:
    layers = {layer["config"]["name"]: layer for layer in config["config"]["layers"]}
    for node in graph.nodes:
        if node.is_layer and node.name not in layers:
            raise OtherModelError(f"the model is not the recipe's: it has no layer '{node.name}'")
        choice = use_cudnn(node, forced=graph.kernel_choice == "cudnn")
        if choice is None:
            continue
        own = layers[node.name]["config"]
        wrapped = [own[key]["config"] for key in ("layer", "backward_layer") if key in own]
        for layer in wrapped or [own]:
            layer["use_cudnn"] = choice
    return config
