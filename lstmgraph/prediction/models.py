"""Model files of every format, opened with their recipes and ready to run on batches."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lstmgraph.compiler.load import compile_read, load_compiled
from lstmgraph.data.values import as_dtype, storage_dtype
from lstmgraph.export.formats import LITERT, ONNX
from lstmgraph.export.lookups import without_lookups
from lstmgraph.files import require_regular_file
from lstmgraph.language.text.document import parse_document
from lstmgraph.language.text.embedded import (
    MAX_BYTES,
    MEMBER,
    MODEL_SUFFIX,
    NoRecipeError,
    embedded_model,
    embedded_recipe,
)
from lstmgraph.language.text.model_folder import model_path
from lstmgraph.messages.errors import ModelFileError, OtherModelError
from lstmgraph.messages.wording import few

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from lstmgraph.compiler.compile import CompiledRecipe
    from lstmgraph.compiler.graph import Graph
    from lstmgraph.compiler.load import HasCompiled
    from lstmgraph.data.values import Array
    from lstmgraph.data.vocabularies import Prepared

    Arrays = Mapping[str, Array]

ONNX_SUFFIX, LITERT_SUFFIX = ".onnx", ".tflite"
KINDS = (
    f"a model is a {MODEL_SUFFIX}, {ONNX_SUFFIX} or {LITERT_SUFFIX} file, or a training's folder"
)
LONGEST = 300
"""The most characters of another library's message to show."""


@dataclass(frozen=True)
class OpenedModel:
    """A model and its recipe."""

    compiled: CompiledRecipe
    graph: Graph
    """That of the recipe's main model, or of a further one."""
    run: Callable[[Arrays], Arrays]
    """Returns outputs by name, (batch, ...), for inputs by name; carried states go on."""
    rows: int | None = None
    """The rows of every batch if the model takes no others."""
    reset: Callable[[], None] = lambda: None
    """Sets carried states to zeros."""

    @property
    def is_main(self) -> bool:
        """Whether it is the recipe's main model, whose outputs `data:` has targets of."""
        return self.graph is self.compiled.graph


def open_model(model: Any, recipe: HasCompiled | str | Path | None = None) -> OpenedModel:
    """Open a model to predict with.

    Args:
        model: the path of a ``.keras``, ONNX or LiteRT file, or of a training's folder, whose best
            model is taken, else its last; or a Keras model, which needs `recipe`.
        recipe: the recipe, for a file that has none in it.

    Raises:
        ModelFileError: the file holds no model that can be run, or has no recipe.
        OtherModelError: the model is not the recipe's.
        RecipeError: the recipe is wrong, or this machine cannot run it.
        ImportError: the package that runs such a file is not installed.
        OSError: the file cannot be read.
    """
    compiled = _compiled(recipe)
    if not isinstance(model, str | os.PathLike):
        if compiled is None:
            raise ValueError("a model in memory needs `recipe=`, the recipe that it was built from")
        return _of_keras(model, compiled, compiled.graph)
    path = model_path(model)
    require_regular_file(path)
    suffix = path.suffix.lower()
    if suffix == MODEL_SUFFIX:
        return _open_keras(path, compiled)
    if suffix == ONNX_SUFFIX:
        return _open_onnx(path, compiled)
    if suffix == LITERT_SUFFIX:
        return _open_litert(path, compiled)
    raise ModelFileError(f"{path} is no model: {KINDS}")


def _compiled(recipe: HasCompiled | str | Path | None) -> CompiledRecipe | None:
    if recipe is None:
        return None
    return load_compiled(recipe) if isinstance(recipe, str | Path) else recipe.compiled


def _recipe_in(text: str | None, path: Path, compiled: CompiledRecipe | None) -> CompiledRecipe:
    """Return the given recipe, or else the one that a file holds as `text`."""
    if compiled is not None:
        return compiled
    if text is None:
        raise ModelFileError(
            f"{path} has no recipe in it: export it again with `lstmgraph export`, or name the "
            "recipe that it was exported from with --recipe"
        )
    return compile_read(parse_document(text, str(path)), None)


def _open_keras(path: Path, compiled: CompiledRecipe | None) -> OpenedModel:
    compiled = load_compiled(path) if compiled is None else compiled
    from lstmgraph.models.files import load_as  # noqa: PLC0415 - imports TensorFlow

    try:
        model = load_as(compiled, path)
        further = embedded_model(path)
    except NoRecipeError as error:
        raise ModelFileError(f"{path}: {error}") from None
    graph = compiled.models[further].graph if further else compiled.graph
    return _of_keras(model, compiled, graph)


def _of_keras(model: Any, compiled: CompiledRecipe, graph: Graph) -> OpenedModel:
    import keras  # noqa: PLC0415 - imports TensorFlow

    from lstmgraph.models.carried import reset_states, state_variables  # noqa: PLC0415 - as above
    from lstmgraph.models.run_errors import run_errors  # noqa: PLC0415 - as above

    names = set(model.input) if isinstance(model.input, dict) else set()
    if names != set(graph.inputs):
        raise OtherModelError(f"the model has other inputs than the recipe: {few(sorted(names))}")

    def reset() -> None:
        if state_variables(model):
            reset_states(model)

    def run(batch: Arrays) -> Arrays:
        with run_errors(compiled, graph):
            found = model.predict_on_batch({name: _as_given(each) for name, each in batch.items()})
        return {name: keras.ops.convert_to_numpy(value) for name, value in found.items()}

    return OpenedModel(compiled, graph, run, graph.batch_size, reset)


def _open_onnx(path: Path, compiled: CompiledRecipe | None) -> OpenedModel:
    try:
        import onnxruntime  # noqa: PLC0415 - in an extra
    except ImportError:
        raise ImportError(f"{path} needs onnxruntime: pip install 'lstmgraph[onnx]'") from None
    try:
        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        text = session.get_modelmeta().custom_metadata_map.get(MEMBER)
    except Exception as error:  # onnxruntime's errors have no other base
        raise _unreadable(path, "ONNX", error) from None
    if text is not None and len(text) > MAX_BYTES:
        raise ModelFileError(f"{path}: its recipe has more than {MAX_BYTES:,} bytes")
    found = _recipe_in(text, path, compiled)
    names = [output.name for output in session.get_outputs()]
    fed = _Fed.of(found, ONNX)
    _refuse_other(path, fed.graph, [each.name for each in session.get_inputs()], names)

    def run(batch: Arrays) -> Arrays:
        try:
            return dict(zip(names, session.run(names, fed.inputs(batch)), strict=True))
        except Exception as error:
            raise _unrunnable(path, error) from None

    return OpenedModel(found, found.graph, run, found.graph.batch_size)


def _open_litert(path: Path, compiled: CompiledRecipe | None) -> OpenedModel:
    try:
        from ai_edge_litert.interpreter import Interpreter  # noqa: PLC0415 - in an extra
    except ImportError:
        message = f"{path} needs ai-edge-litert: pip install 'lstmgraph[litert]'"
        raise ImportError(message) from None
    try:
        interpreter = Interpreter(model_path=str(path))
        names = list(interpreter.get_signature_list())
        runners = [interpreter.get_signature_runner(name) for name in names]
    except Exception as error:  # of a file that is no model, LiteRT raises many kinds
        raise _unreadable(path, "LiteRT", error) from None
    if not runners:
        raise ModelFileError(f"{path} names no inputs and outputs: it has no signature")
    try:
        text: str | None = None if compiled else embedded_recipe(path)
    except NoRecipeError:
        text = None
    found = _recipe_in(text, path, compiled)
    # Of several models in a file, the recipe's own.
    runner = dict(zip(names, runners, strict=True)).get(found.graph.name, runners[0])
    inputs, outputs = runner.get_input_details(), list(runner.get_output_details())
    fed = _Fed.of(found, LITERT)
    _refuse_other(path, fed.graph, inputs, outputs)
    rows = {
        int(details["shape"][int(fed.graph.inputs[name].time_major)])
        for name, details in inputs.items()
    }
    if len(rows) != 1:
        raise ModelFileError(f"{path}: its inputs differ in the rows of a batch: {sorted(rows)}")

    def run(batch: Arrays) -> Arrays:
        try:
            return {name: np.array(value) for name, value in runner(**fed.inputs(batch)).items()}
        except Exception as error:
            raise _unrunnable(path, error) from None

    return OpenedModel(found, found.graph, run, rows.pop())


@dataclass(frozen=True)
class _Fed:
    """The inputs of an exported file: ids in place of the texts that its format cannot hold."""

    graph: Graph
    """From the file's inputs on."""
    makers: Mapping[str, Prepared]

    @classmethod
    def of(cls, compiled: CompiledRecipe, name: str) -> _Fed:
        """Return the inputs of a recipe's file in a format."""
        rest, makers = without_lookups(compiled, name)
        return cls(rest.graph, makers)

    def inputs(self, batch: Arrays) -> dict[str, Array]:
        """Return the file's inputs for those of the recipe."""
        made = {name: each.of(batch[each.source]) for name, each in self.makers.items()}
        own = {name: batch[name] for name in self.graph.inputs if name not in made}
        dtypes = {name: storage_dtype(str(self.graph.inputs[name].spec.dtype)) for name in made}
        return own | {name: as_dtype(values, dtypes[name]) for name, values in made.items()}


def _as_given(values: Array) -> Any:
    """Return values as Keras takes them: texts as a tensor of TensorFlow."""
    if values.dtype.kind not in "OUS":
        return values
    import tensorflow as tf  # noqa: PLC0415 - what texts run on

    return tf.constant(values.astype(object))


def _refuse_other(path: Path, graph: Graph, inputs: Iterable[str], outputs: Iterable[str]) -> None:
    for what, own, wanted in (
        ("inputs", set(inputs), set(graph.inputs)),
        ("outputs", set(outputs), set(graph.outputs)),
    ):
        if own != wanted:
            raise OtherModelError(
                f"{path}: its {what} are {few(sorted(own))}, but those of the recipe "
                f"{few(sorted(wanted))}"
            )


def _unreadable(path: Path, kind: str, error: Exception) -> ModelFileError:
    return ModelFileError(f"{path} is not a whole {kind} file: {_line(error)}")


def _unrunnable(path: Path, error: Exception) -> ModelFileError:
    return ModelFileError(f"{path} cannot be run on this data: {_line(error)}")


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:LONGEST]
