"""What `export` is asked for, checked before the work begins, and the work itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lstmgraph.api import Recipe, load_model
from lstmgraph.export import FORMATS, ExportOptions, check_obstacles
from lstmgraph.export.formats import paths_of, stem_of
from lstmgraph.export.obstacles import check_known
from lstmgraph.files import obstacle
from lstmgraph.models.derived import with_models

if TYPE_CHECKING:
    from pathlib import Path

    from lstmgraph.export import ExportReport
    from lstmgraph.export.job import ExportData


class ExportRequestError(Exception):
    """An option, a file or the installation is wrong, whatever the recipe."""


@dataclass(frozen=True)
class ExportRequest:
    """A model to be built from a recipe and exported."""

    formats: tuple[str, ...]
    folder: Path
    weights: Path | None = None
    """A file that holds weights for the recipe's layers; the model has fresh ones without it."""
    own: bool = False
    """Whether `weights` is the file that the recipe is from, whose model must be the recipe's."""
    kernel: str = "standard"
    batch_size: int | None = None
    tolerance: float | None = None
    quantize: str | None = None
    max_loss: float | None = None
    device: str | None = None
    data: str | None = None
    """Where to read what a quantized file is made from."""
    test: str | None = None
    """Where to read what it is measured on."""
    models: tuple[str, ...] = ()
    """The recipe's models to write; its own if none is named."""

    def targets(self, recipe: Recipe) -> dict[str, Path]:
        """Return the path of the file of each format, of the recipe's own model or of all."""
        stem = stem_of(recipe.name, self.models)
        return {name: FORMATS[name].path(self.folder, stem) for name in self.formats}

    def with_models(self, recipe: Recipe) -> Recipe:
        """Return the recipe with the models to write, derived where it does not declare them.

        Raises:
            RecipeError: the recipe does not allow one of them (L834).
            ExportRequestError: there is no model of a name, or it is named twice.
        """
        try:
            return Recipe(with_models(recipe.compiled, self.models), recipe.weights)
        except ValueError as error:
            raise ExportRequestError(str(error)) from None

    def check(self, recipe: Recipe, *, overwrite: bool) -> None:
        """Find what can be found before TensorFlow is imported.

        Raises:
            RecipeError: a format cannot hold the recipe (L801).
            ExportRequestError: files are in the way, an option is wrong, or a package is missing.
        """
        try:
            self._options(recipe)
            check_known(recipe.compiled, self.models, has_data=self.data is not None)
            for name in self.formats:
                FORMATS[name].check_packages()
        except (ValueError, ImportError) as error:
            raise ExportRequestError(str(error)) from None
        further = [name if name != recipe.name else "" for name in self.models] or [""]
        paths = [
            path
            for name, target in self.targets(recipe).items()
            for path in paths_of(name, target, further)
        ]
        problem = obstacle(self.folder, paths, overwrite=overwrite, folders=True)
        if problem:
            raise ExportRequestError(problem)
        if self.weights and not self.weights.is_file():
            raise ExportRequestError(f"there is no file {self.weights}")
        compiled = recipe.compiled
        for name in further:
            part = compiled.part(name) if name else compiled
            check_obstacles(part, self.formats, self.device)

    def run(self, recipe: Recipe) -> list[ExportReport]:
        """Build the model and write its files, all or none.

        Raises:
            RecipeError: see ``Recipe.export``.
            DataError: the data does not fit the recipe.
            ExportRequestError: the file of weights holds none, or another model than its recipe.
            OSError: a file cannot be written.
        """
        from lstmgraph.export.files import export_files  # noqa: PLC0415 - imports TensorFlow
        from lstmgraph.export.weights import load_weights  # noqa: PLC0415 - imports TensorFlow

        given = self._data(recipe)
        model = recipe.build(weights=False)
        if self.weights:
            try:
                if self.own:  # `recipe` may differ from the file's own by values that were set
                    load_model(self.weights)
                load_weights(recipe.compiled, model, self.weights)
            except ValueError as error:
                raise ExportRequestError(str(error)) from None
        options = self._options(recipe)
        targets = self.targets(recipe)
        return export_files(recipe.compiled, model, targets, options, given, names=self.models)

    def _options(self, recipe: Recipe) -> ExportOptions:
        options = ExportOptions(
            self.kernel, self.batch_size, self.tolerance, self.quantize, self.max_loss, self.device
        )
        options.check_data(self.data, self.test)
        has_data = self.data is not None
        options.check(self.formats, recipe.compiled.graph.batch_size, has_data=has_data)
        options.check_models(self.formats, self.models, recipe.name)
        return options

    def _data(self, recipe: Recipe) -> ExportData | None:
        if self.data is None:
            return None
        from lstmgraph.data.functions import source_of  # noqa: PLC0415 - imports NumPy
        from lstmgraph.evaluation.exported import export_data  # noqa: PLC0415 - as above

        test = None if self.test is None else source_of(self.test)
        data = export_data(recipe.compiled, source_of(self.data), test)
        try:
            self._options(recipe).check_unseen(data.part)
        except ValueError as error:
            raise ExportRequestError(str(error)) from None
        return data
