"""The Python interface: ``load`` a ``Recipe``, which is explained, built, trained, exported."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from lstmgraph.compiler.compile import CompiledRecipe, compile_at
from lstmgraph.compiler.load import load_compiled
from lstmgraph.compiler.machine.machine import Machine, this_machine
from lstmgraph.models.derived import Derived, derive, with_derived

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import keras
    import keras_tuner

    from lstmgraph.data.loading import Data
    from lstmgraph.explain.blame import Blame
    from lstmgraph.explain.explanation import Explanation
    from lstmgraph.explain.memory import BatchSize
    from lstmgraph.export import ExportReport
    from lstmgraph.language.space import Space
    from lstmgraph.language.text.overrides import Overrides
    from lstmgraph.messages.diagnostics import Diagnostic
    from lstmgraph.training import TrainingResult
    from lstmgraph.tuning.options import TuneOptions
    from lstmgraph.tuning.result import TuneResult

    OnEpoch = Callable[[int, dict[str, float]], bool | None]


class Recipe:
    """A recipe without mistakes. ``lstmgraph.load`` makes one."""

    def __init__(self, compiled: CompiledRecipe) -> None:
        self.compiled = compiled
        """The checked recipe and its graph; its attributes may change from version to version."""

    @property
    def name(self) -> str:
        """The recipe's name, which the model and its files get."""
        return self.compiled.declaration.name

    @property
    def description(self) -> str:
        """What the model is for."""
        return self.compiled.declaration.description

    @property
    def warnings(self) -> tuple[Diagnostic, ...]:
        """What is legal and probably not meant: where something is searched, of its defaults."""
        return self.compiled.warnings

    @property
    def training(self) -> dict[str, Any] | None:
        """The ``training:`` section as plain data, defaults filled in; None where there is none."""
        section: dict[str, Any] | None = self.compiled.completed.get("training")
        return section

    def explain(self, machine: Machine | None = None, **size: Unpack[BatchSize]) -> Explanation:
        """Shape, dtype, parameters, mask, initial state and kernel of every call, without Keras.

        And what ``runtime:`` does on `machine`: this one, by default. ``str()`` gives the table.
        With a size, ``batch=64, time=100``, the memory too; SizeError where it is no such batch.
        """
        from lstmgraph.explain.explanation import explain  # noqa: PLC0415 - only where it is shown

        return explain(self.compiled, machine or this_machine(), size)

    def blame(self) -> Blame:
        """Where each value of the completed recipe came from; ``str()`` of it is a table."""
        from lstmgraph.explain.blame import blame  # noqa: PLC0415 - only where it is shown

        return blame(self.compiled)

    def graph(self, format: str = "svg", *, model: str = "", theme: str = "auto") -> str:  # noqa: A002
        """The model, or the further one `model`, drawn as ``svg``, ``mermaid`` or ``dot``.

        `theme` of an SVG is ``light``, ``dark`` or ``auto``, the reader's. TensorFlow is not
        imported.

        Raises:
            ValueError: there is no such format, model or theme.
        """
        from lstmgraph.explain.drawing import draw  # noqa: PLC0415 - only where it is drawn

        return draw(self.compiled, this_machine(), format, model, theme)

    def resolved(self) -> str:
        """The recipe as YAML with every default and base written out; it builds the same model."""
        from lstmgraph.compiler.resolved import resolved_recipe  # noqa: PLC0415 - only where it is written

        return resolved_recipe(self.compiled)

    def build(self) -> keras.Model:
        """Build the model: a plain functional ``keras.Model`` of standard layers.

        Its inputs and outputs are dictionaries by name; ``training:`` has it compiled.

        Raises:
            RecipeError: this machine or process cannot run it, or Keras refused what was checked.
        """
        from lstmgraph.models.building import build_model  # noqa: PLC0415 - imports TensorFlow

        return build_model(self.compiled)

    def models(self) -> dict[str, keras.Model]:
        """Build the model, and every further one of ``models:``, with the same layers.

        The main model is there by the recipe's name, the others by their own; the start model of a
        step model ``step`` is ``step.start``. A layer of several models is one object: training one
        model trains all. Only the main model is compiled.

        Raises:
            RecipeError: as ``build`` does.
        """
        from lstmgraph.models.building import build_models  # noqa: PLC0415 - imports TensorFlow

        graphs = {name: further.graph for name, further in self.compiled.models.items()}
        main, others = build_models(self.compiled, graphs)
        return {self.name: main, **others}

    def with_derived(self, *kinds: str) -> Recipe:
        """The recipe with ``models: {step: {derive: step}}`` for each of `kinds` that it lacks.

        Where it is searched, the result is concrete: the defaults stand for what is searched.

        Raises:
            RecipeError: the graph does not allow it, with the node and the reason (L834).
            ValueError: one of `kinds` is none of ``encoder``, ``decoder`` and ``step``.
        """
        compiled = self.compiled
        for kind in kinds:
            compiled = with_derived(compiled, kind)
        return Recipe(compiled)

    def derive(self, kind: str, model: keras.Model | None = None) -> Derived:
        """Build an ``encoder``, ``decoder`` or ``step``, which the recipe need not name.

        The weights are copied from `model`, one of this recipe, by layer; or fresh without one.

        Raises:
            RecipeError: the graph does not allow it, with the node and the reason (L834).
            ValueError: `kind` is none of the three, or `model` is not one of this recipe.
        """
        return derive(self.compiled, kind, model)

    def save(self, model: keras.Model, path: str | Path, *, further: str = "") -> None:
        """Write a model of this recipe, trained or not, to a ``.keras`` file, whole or not at all.

        `further` is the model's name under ``models:``, where it is not the main one. The file
        holds the recipe too: ``load_model`` runs it on the kernels that the recipe says, and
        ``load`` reads the recipe again. ``keras.models.load_model`` loads it as any other.

        Raises:
            ValueError: `path` does not end in ``.keras``, or the recipe has no such further model.
        """
        if Path(path).suffix != ".keras":
            raise ValueError(f"{path}: a model file ends in .keras")
        if further and further not in self.compiled.models:
            raise ValueError(f"the recipe has no further model {further}")
        from lstmgraph.models.files import save_model  # noqa: PLC0415 - imports TensorFlow

        save_model(model, self.resolved(), Path(path), further)

    def train(  # noqa: PLR0913 - each says one thing
        self,
        data: Any,
        *,
        folder: str | Path,
        validation: Any = None,
        test: Any = None,
        epochs: int | None = None,
        restart: bool = False,
        seed: int | None = None,
        on_epoch: OnEpoch | None = None,
        verbose: int = 0,
    ) -> TrainingResult:
        """Train the model as ``training:`` says; `folder` holds all that comes of it.

        A training that was killed, or stopped, goes on where the folder's checkpoint is, and ends
        with the numbers of one that never stopped. With more `epochs` a training that has ended
        goes on, unless early stopping ended it.

        Args:
            data: what ``load_data`` takes or gave, or one part of it, as ``data.folds[0].train``.
            folder: made where it is missing.
            validation: data to evaluate after every epoch, in place of a part of `data`.
            test: data to evaluate the final model with, in place of a part of `data`.
            epochs: in place of the recipe's.
            restart: forget what the folder holds of another training, and begin anew.
            seed: of the order of the examples; the recipe's, where it has one, or a fresh one.
            on_epoch: called after every epoch with its number, from 1, and its metrics; where it
                returns true, the training ends there, and can go on later.
            verbose: Keras's: 1 shows a progress bar, 2 a line for each epoch.

        Raises:
            RecipeError: the recipe watches a number of validation data that is not given.
            DataError: the data does not fit the recipe.
            ValueError: the recipe has no ``training:``, or `data` was loaded for another one.
            FolderError: the folder holds another training, or another process is at it.
            DivergedError: the loss is NaN or infinite.
            OSError: a file cannot be written; those in the folder are whole.
        """
        if self.training is None:
            raise ValueError(f"the recipe '{self.name}' has no `training:` section")
        from lstmgraph.data.loading import data_of  # noqa: PLC0415 - imports NumPy

        given = data_of(self.compiled, data, validation=validation, test=test)
        from lstmgraph.training import train_recipe  # noqa: PLC0415 - imports TensorFlow

        return train_recipe(
            self.compiled,
            given,
            Path(folder),
            epochs=epochs,
            restart=restart,
            seed=seed,
            on_epoch=on_epoch,
            verbose=verbose,
        )

    def space(self) -> Space:
        """What ``$search`` and ``$choose`` leave open; ``str()`` of it is the command's table."""
        return self.compiled.collected.space

    def at(self, values: Mapping[str, Any]) -> Recipe:
        """The concrete recipe at a point of the space.

        Args:
            values: by dimension, ``{"layers.encoder.units": 64}``; others have their defaults.

        Raises:
            SpaceError: a name or a value is not in the space.
            RecipeError: the recipe is wrong at this point.
        """
        return Recipe(compile_at(self.compiled, values))

    def tune(self, data: Any, **options: Unpack[TuneOptions]) -> TuneResult:
        """Search the space as ``search:`` says, each trial in a process of its own.

        A search that was killed, or stopped, goes on when it is called again with the same folder.

        Args:
            data: what ``load_data`` takes. Values, such as arrays, are kept in the folder.
            options: ``folder``, ``workers``, ``max_trials`` and all other keys of
                ``lstmgraph.tuning.options.TuneOptions``, which says what they are.

        Raises:
            ValueError: there is nothing to search, or the search would never end.
            RecipeError: the search watches a number of validation data that is not given (L764).
            DataError: the data does not fit the recipe.
            lstmgraph.tuning.search.errors.SearchError: the folder holds another search, is in use,
                or cannot be written.
        """
        from lstmgraph.tuning.options import tune_request  # noqa: PLC0415 - only to search
        from lstmgraph.tuning.run import tune  # noqa: PLC0415 - as above

        return tune(tune_request(self.compiled, data, options))

    def hypermodel(self) -> keras_tuner.HyperModel:
        """The recipe for every tuner of keras-tuner; the dimensions name its hyperparameters.

        The whole space is declared before anything is built.
        """
        from lstmgraph.tuning.hypermodel import RecipeHyperModel  # noqa: PLC0415 - imports TensorFlow

        return RecipeHyperModel(self.compiled)

    def export(  # noqa: PLR0913 - what an export is asked for, by keyword
        self,
        model: keras.Model,
        path: str | Path,
        *,
        format: str = "onnx",  # noqa: A002 - Keras's own word
        kernel: str = "standard",
        batch_size: int | None = None,
        tolerance: float | None = None,
    ) -> ExportReport:
        """Write a model of this recipe, trained or not, for another runtime, and check the file.

        It gets its name where it computes the same on random inputs, and replaces what is there.

        Args:
            model: built from this recipe, or loaded with its layers; it stays as it is.
            path: a folder, where the recipe's name is the file's; or a path with its ending.
            format: ``keras`` (NAME.keras), ``saved_model`` (a folder NAME.saved_model), ``onnx``
                (NAME.onnx) or ``litert`` (NAME.tflite).
            kernel: of a SavedModel: ``standard`` runs on any machine; ``auto`` keeps cuDNN where
                this machine has it, and the file then needs a GPU too.
            batch_size: rows of every batch in a LiteRT file; 1, or the recipe's, where it is None.
            tolerance: how far an output may be off, in parts of its greatest value; None: by dtype.

        Raises:
            RecipeError: the format cannot hold the recipe (L801, L802), the written file computes
                something else (L803), `model` is not one of this recipe (L804), or Keras runs on
                another backend than the format's (L805).
            ValueError: an argument is not one of those named here.
            ImportError: a package that the format needs is not installed.
        """
        from lstmgraph.export import ExportOptions, target_path  # noqa: PLC0415 - only to export

        target = target_path(format, Path(path), self.name)
        options = ExportOptions(kernel, batch_size, tolerance)
        from lstmgraph.export.files import export_files  # noqa: PLC0415 - imports TensorFlow

        return export_files(self.compiled, model, {format: target}, options)[0]

    def load_data(
        self,
        source: Any,
        *,
        validation: Any = None,
        test: Any = None,
        cache: str | Path | None = None,
    ) -> Data:
        """Read data, check it against the recipe, and split it as `data:` says.

        TensorFlow is not imported, but for a ``tf.data.Dataset``.

        Args:
            source: a path (`.npz`, `.csv`, `.parquet`, a folder of `.npy` or of tables, a saved
                ``tf.data.Dataset``), a dictionary of arrays, (x, y) as ``fit`` takes them, a data
                frame of pandas, polars or pyarrow, or a ``tf.data.Dataset``.
            validation: the same, of what validates; the split then takes none from `source`.
            test: the same, of what is kept for a last test.
            cache: a folder where tables that were read are kept for the next time.

        Returns:
            Examples in parts: ``.train``, ``.validation``, ``.test``, ``.folds``.

        Raises:
            DataError: with every problem that was found in the data.
        """
        from lstmgraph.data.loading import load_data  # noqa: PLC0415 - imports NumPy

        folder = None if cache is None else Path(cache)
        return load_data(self.compiled, source, validation=validation, test=test, cache=folder)

    def __repr__(self) -> str:
        return f"<Recipe {self.name}>"


def load(source: str | Path, *, overrides: Overrides = (), strict: bool = False) -> Recipe:
    """Read and check a recipe. TensorFlow is not imported.

    Nothing is printed: ``Recipe.warnings`` has what is legal and probably not meant.

    Args:
        source: a path, or the text of a recipe (text has more than one line). Of a ``.keras`` file
            that this package wrote, the recipe in it.
        overrides: values to put in, by path: ``{"layers.encoder.units": 32}``, or texts such as
            ``"layers.encoder.units=32"``.
        strict: refuse a recipe with warnings, too.

    Raises:
        RecipeError: with every mistake in the recipe, each with its line and column; with `strict`,
            of a recipe without a mistake, with every warning.
        OverrideFormatError: an override is not ``path=value``.
    """
    return Recipe(load_compiled(source, overrides=overrides, strict=strict))


def load_model(path: str | Path, *, recipe: Recipe | None = None) -> keras.Model:
    """Load a ``.keras`` file to run on this machine as its recipe says.

    Keras's own ``load_model`` forgets which kernel a layer is kept to: it stores no ``use_cudnn``.

    Args:
        path: a file that ``lstmgraph build`` or ``Recipe.save`` wrote.
        recipe: the recipe, for a file without one in it, such as ``model.save`` writes.

    Raises:
        RecipeError: the file holds no recipe, or this machine cannot run it as the recipe says.
        ValueError: the file is not whole, or holds another model than the recipe's.
    """
    compiled = recipe.compiled if recipe else load_compiled(Path(path))
    from lstmgraph.models.files import load_as  # noqa: PLC0415 - imports TensorFlow

    return load_as(compiled, Path(path))


def tune(
    recipe: str | Path | Recipe,
    data: Any,
    *,
    overrides: Overrides = (),
    **options: Unpack[TuneOptions],
) -> TuneResult:
    """Search a recipe's space: ``load(recipe, overrides=overrides).tune(data, **options)``.

    Args:
        recipe: a path, a recipe's text, or a recipe.
        data: what ``Recipe.load_data`` takes.
        overrides: see ``load``; of a path or a text only.
        options: see ``Recipe.tune``.

    Raises:
        RecipeError: the recipe is wrong; and what ``Recipe.tune`` raises.
    """
    loaded = recipe if isinstance(recipe, Recipe) else load(recipe, overrides=overrides)
    return loaded.tune(data, **options)
