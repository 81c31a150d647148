"""Format ``saved_model``: a folder for TensorFlow, TensorFlow Serving and their users."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
import tensorflow as tf

from lstmgraph.export.check import LoadedFile
from lstmgraph.export.job import SIGNATURE
from lstmgraph.export.mistakes import ExportMistake, export_error
from lstmgraph.models.carried import state_variables

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from lstmgraph.export.job import ExportJob
    from lstmgraph.export.samples import Arrays

RESET = "reset_states"
"""The signature that takes nothing and sets carried states to zeros."""


def signature(job: ExportJob, batch: int | None) -> dict[str, tf.TensorSpec]:
    """Return the inputs by name; Keras itself would always leave the first axis open."""
    return {
        name: tf.TensorSpec(job.input_shape(tensor, batch), tensor.spec.dtype, name=name)
        for name, tensor in job.graph.inputs.items()
    }


def write(jobs: Sequence[ExportJob], path: Path) -> None:
    """Trace the models and save the folder; sizes that only the data decides stay open.

    Raises:
        RecipeError: a traced model needs a GPU, although it should run anywhere (L802).
    """
    archive = keras.export.ExportArchive()
    for job in jobs:
        _check_runs_anywhere(job, add_traced(archive, job, job.graph.batch_size))
    carrying = [job.inference for job in jobs if state_variables(job.inference)]
    for model in carrying[:1]:  # models in one file share their states
        archive.add_endpoint(RESET, _reset(model), input_signature=[])
    archive.write_out(str(path), verbose=False)


def add_traced(archive: keras.export.ExportArchive, job: ExportJob, batch: int | None) -> Any:
    """Trace the model and add the function to serve to an archive; return it as traced.

    The first function is also the one that TensorFlow Serving looks for.

    The model is traced once. Keras would do so three times: as the function, as its signature, and
    as a function that a model would have where it were an attribute of others. TensorFlow traces a
    function anew to save it: what it saves only calls the traced one.
    """
    for layer in job.inference.layers:
        archive.track(layer)
    served = tf.function(
        lambda inputs: job.inference(inputs, training=False),
        input_signature=[signature(job, batch)],
        autograph=False,
    )
    concrete = served.get_concrete_function()
    archive.add_endpoint(
        "serve" if job.signature == SIGNATURE else job.signature,
        tf.function(
            lambda inputs: concrete(inputs),  # noqa: PLW0108 - TensorFlow asks for Python's own
            input_signature=served.input_signature,
            autograph=False,
        ),
    )
    return concrete


def _reset(model: keras.Model) -> Callable[[], dict[str, tf.Tensor]]:
    def reset() -> dict[str, tf.Tensor]:
        for variable in state_variables(model).values():
            variable.assign(tf.zeros(variable.shape, variable.dtype))
        return {"reset": tf.constant(True)}

    return reset


def open_file(job: ExportJob, path: Path) -> LoadedFile:
    """Load the folder like a serving process, without Keras."""
    loaded = tf.saved_model.load(str(path))
    function = loaded.signatures[job.signature]

    def run(batch: Arrays) -> dict[str, Any]:
        tensors = {name: tf.constant(array) for name, array in batch.items()}
        return {name: value.numpy() for name, value in function(**tensors).items()}

    run.keeps = loaded  # type: ignore[attr-defined]  # keeps its variables alive
    names = frozenset(function.structured_input_signature[1])
    return LoadedFile(names, run, tuple(sorted(operators(function))))


def operators(function: Any) -> set[str]:
    """Return the kinds of operations in a traced function and the functions that it calls."""
    return set(_operations(function.graph.as_graph_def()))


def _operations(definition: Any) -> Iterator[str]:
    for part in (definition.node, *(f.node_def for f in definition.library.function)):
        yield from (node.op for node in part)


def _check_runs_anywhere(job: ExportJob, served: Any) -> None:
    if job.options.kernel == "auto":
        return
    cudnn = {op for op in operators(served) if "Cudnn" in op}
    if cudnn:
        message = f"the traced model needs a GPU: {', '.join(sorted(cudnn))}"
        hint = "this is a bug in lstmgraph; please report it with the recipe"
        raise export_error(job.compiled, [ExportMistake("L802", (), message, hint)])
