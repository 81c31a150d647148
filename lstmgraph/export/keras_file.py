"""Format ``keras``: Keras's own file, with the optimizer, so that training can continue."""

from __future__ import annotations

from typing import TYPE_CHECKING

import keras

from lstmgraph.compiler.resolved import resolved_recipe
from lstmgraph.export.check import LoadedFile, fed
from lstmgraph.models.files import save_model

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from lstmgraph.export.job import ExportJob


def write(jobs: Sequence[ExportJob], path: Path) -> None:
    """Save the caller's model together with its recipe."""
    (job,) = jobs
    save_model(job.model, resolved_recipe(job.compiled), path, job.further)


def open_file(job: ExportJob, path: Path) -> LoadedFile:
    """Load the file with Keras."""
    model = keras.models.load_model(path)
    return LoadedFile(
        frozenset(job.graph.inputs) & frozenset(model.input),
        lambda batch: {
            name: keras.ops.convert_to_numpy(value)
            for name, value in model(fed(batch), training=False).items()
        },
    )
