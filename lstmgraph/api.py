"""The Python interface: ``load`` a ``Recipe``, which is explained, built, trained, exported."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from lstmgraph.compiler.checks.embeddings import refuse_fresh_tables
from lstmgraph.compiler.compile import CompiledRecipe, compile_at
from lstmgraph.compiler.load import load_compiled, model_file, with_overrides
from lstmgraph.compiler.machine.machine import Machine, this_machine
from lstmgraph.language.compose import written_data
from lstmgraph.language.text.model_folder import model_path
from lstmgraph.messages.wording import counted
from lstmgraph.models.derived import Derived, derive, with_derived, with_models

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import keras
    import keras_tuner

    from lstmgraph.data.loading import Data
    from lstmgraph.explain.blame import Blame
    from lstmgraph.explain.drawing.drawing import Drawing
    from lstmgraph.explain.explanation import Explanation
    from lstmgraph.explain.memory import BatchSize
    from lstmgraph.export import ExportOptions, ExportReport
    from lstmgraph.export.job import ExportData
    from lstmgraph.interop.importing.checking import Check
    from lstmgraph.language.space import Space
    from lstmgraph.language.text.overrides import Overrides
    from lstmgraph.messages.diagnostics import Diagnostic
    from lstmgraph.training import TrainingResult
    from lstmgraph.tuning.callbacks import TrialCallbacks
    from lstmgraph.tuning.result import TuneResult

    OnEpoch = Callable[[int, dict[str, float]], bool | None]
    WeightsOf: TypeAlias = str | Path | Literal[False] | None
    Callbacks: TypeAlias = keras.callbacks.Callback | Sequence[keras.callbacks.Callback]


class Recipe:
    """A recipe without mistakes, as ``lstmgraph.load`` returns it; it never changes.

    A notebook shows it as a picture of its graph, ``print`` the same as text.
    """

    def __init__(self, compiled: CompiledRecipe, weights: Path | None = None) -> None:
        self.compiled = compiled
        """The checked recipe and its graph; its attributes may change from version to version."""
        self.weights = weights
        """The ``.keras`` file that the recipe was loaded from: its models begin with the weights
        there. None for a recipe from elsewhere."""

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
        """What is legal and probably not meant; of a searched recipe, with the defaults."""
        return self.compiled.warnings

    @property
    def training(self) -> dict[str, Any] | None:
        """The ``training:`` section as plain data, defaults filled in; None where there is none."""
        section: dict[str, Any] | None = self.compiled.completed.get("training")
        return section

    def to_dict(self) -> dict[str, Any]:
        """Return the recipe as it was written, as plain data that ``load`` takes again.

        ``extends``, ``vars``, ``$search`` and ``$choose`` stay as they are written, and defaults
        that were not written are left out: ``resolved`` has those. The result is a copy. Values
        that were put in, by ``overrides`` or ``with_overrides``, stand in their places; where the
        recipe extends others, all of it is then in the result, and ``extends`` is not.

        A path under ``extends`` stays relative to the folder of the recipe's file, which the
        result does not name: ``load(recipe.to_dict(), folder="recipes")``.
        """
        return written_data(self.compiled.written)

    def with_overrides(self, overrides: Overrides, *, strict: bool = False) -> Recipe:
        """Return the recipe with other values in it, checked as ``load`` checks it.

        Args:
            overrides: values by path, ``{"layers.encoder.units": 32}``, or texts such as
                ``"layers.encoder.units=32"``. They are put in over those of ``load``, before
                variables and searches: ``vars.size`` changes every value that names it, and
                ``"$delete"`` takes a key out.
            strict: refuse a recipe with warnings, too.

        Raises:
            RecipeError: with every mistake that the values make.
            OverrideFormatError: an override is not ``path=value``, or no plain data.
        """
        return Recipe(with_overrides(self.compiled, overrides, strict=strict), self.weights)

    def explain(
        self,
        machine: Machine | None = None,
        *,
        batch: int | None = None,
        time: int | None = None,
        sizes: Mapping[str, int] | None = None,
    ) -> Explanation:
        """Describe every call of the model: shape, dtype, parameters, mask, states and kernel.

        Keras is not imported. ``str()`` of the result is the table that the command prints, and a
        notebook shows it; with a size of a batch it has the memory of a training step, too.

        Args:
            machine: where the model would run, such as ``Machine(gpus=1)``; this one by default.
            batch: rows of the batch whose memory is estimated.
            time: every size that inputs leave open and `sizes` does not name.
            sizes: sizes by the names that the shapes of inputs have, ``{"time": 100}``.

        Raises:
            SizeError: the sizes are not those of a batch of this recipe; the message names the one
                that is missing.
        """
        from lstmgraph.explain.explanation import explain  # noqa: PLC0415 - only where it is shown

        given = {"batch": batch, "time": time, "sizes": sizes}
        size: BatchSize = {k: v for k, v in given.items() if v is not None}  # type: ignore[assignment]
        return explain(self.compiled, machine or this_machine(), size)

    def blame(self) -> Blame:
        """Return where each value of the completed recipe came from; ``str()`` gives a table."""
        from lstmgraph.explain.blame import blame  # noqa: PLC0415 - only where it is shown

        return blame(self.compiled)

    def graph(
        self,
        format: str = "svg",  # noqa: A002 - the word of the command line
        *,
        model: str = "",
        theme: str = "auto",
    ) -> Drawing:
        """Draw the model. TensorFlow is not imported.

        Args:
            format: ``svg``, ``mermaid`` or ``dot``.
            model: a further model of ``models:``, in place of the recipe's own.
            theme: the colours of an SVG: ``light``, ``dark``, or ``auto`` for the reader's.

        Returns:
            The text of the picture, a ``str`` that a notebook shows as the picture.

        Raises:
            ValueError: there is no such format, model or theme.
        """
        from lstmgraph.explain.drawing import draw  # noqa: PLC0415 - only where it is drawn
        from lstmgraph.explain.drawing.drawing import Drawing  # noqa: PLC0415 - as above

        text = draw(self.compiled, this_machine(), format, model, theme)
        return Drawing(text, format, model or self.name)

    def resolved(self) -> str:
        """Return YAML with every default and base written out; it builds the same model."""
        from lstmgraph.compiler.resolved import resolved_recipe  # noqa: PLC0415 - only where it is written

        return resolved_recipe(self.compiled)

    def build(self, *, weights: WeightsOf = None) -> keras.Model:
        """Build the model: a plain functional ``keras.Model`` of standard layers.

        Its inputs and outputs are dictionaries by name, such as (batch, time, features); with
        ``training:`` it is compiled.

        Args:
            weights: a ``.keras`` or ``.weights.h5`` file with weights for every layer. By default
                those of the ``.keras`` file that the recipe was loaded from, if any; False for
                fresh ones all the same.

        Raises:
            RecipeError: this machine or process cannot run it, Keras refused what was checked, or
                the weights are those of other layers (L804).
            WeightsFileError: the file cannot be read, or holds no weights.
        """
        from lstmgraph.models.building import build_model  # noqa: PLC0415 - imports TensorFlow

        return self._with_weights(build_model(self.compiled), weights)

    def models(self, *, weights: WeightsOf = None) -> dict[str, keras.Model]:
        """Build the model, and every further one of ``models:``, with the same layers.

        The main model is there by the recipe's name, the others by their own; the start model of a
        step model ``step`` is ``step.start``. A layer of several models is one object: training one
        model trains all. Only the main model is compiled. `weights` are as in ``build``.

        Raises:
            RecipeError, WeightsFileError: as ``build`` does.
        """
        from lstmgraph.models.building import build_models  # noqa: PLC0415 - imports TensorFlow

        graphs = {name: further.graph for name, further in self.compiled.models.items()}
        main, others = build_models(self.compiled, graphs)
        return {self.name: self._with_weights(main, weights), **others}

    def _with_weights(self, model: keras.Model, weights: WeightsOf) -> keras.Model:
        path = self._weights_path(weights)
        if path is not None:
            from lstmgraph.export.weights import load_weights  # noqa: PLC0415 - imports h5py

            load_weights(self.compiled, model, path)
        return model

    def _weights_path(self, weights: WeightsOf) -> Path | None:
        """Return the file that `weights` means: by default, the one of the recipe."""
        if weights is None:
            return self.weights
        if weights is False:
            refuse_fresh_tables(self.compiled.graph, self.compiled.document)
        return None if weights is False else Path(weights)

    def with_derived(self, *kinds: str) -> Recipe:
        """Return the recipe with ``models: {step: {derive: step}}`` for each kind that it lacks.

        Where it is searched, the result is concrete: the defaults stand for what is searched.

        Raises:
            RecipeError: the graph does not allow it, with the node and the reason (L834).
            ValueError: one of `kinds` is none of ``encoder``, ``decoder`` and ``step``.
        """
        compiled = self.compiled
        for kind in kinds:
            compiled = with_derived(compiled, kind)
        return Recipe(compiled, self.weights)

    def derive(self, kind: str, model: keras.Model | None = None) -> Derived:
        """Build an ``encoder``, ``decoder`` or ``step``, which the recipe need not name.

        The weights are copied from `model`, one of this recipe, by layer. Without one they are
        those of the ``.keras`` file that the recipe was loaded from, or fresh.

        Raises:
            RecipeError: the graph does not allow it, with the node and the reason (L834).
            ValueError: `kind` is none of the three, or `model` is not one of this recipe.
        """
        if model is None and self.weights is not None:
            model = self.build()
        return derive(self.compiled, kind, model)

    def code(self) -> str:
        """Return plain Keras code that builds the same models without lstmgraph.

        Names, seeds and the order of layers are the same, so weights can be copied, and outputs
        are equal bit for bit. With ``training:``, the model is compiled, and ``main()`` trains it.
        What the code does not do as the recipe does stands in its docstring.

        Raises:
            RecipeError: the models cannot be built.
            CodeError: plain Keras code cannot make a part of the model.
        """
        from lstmgraph.interop.code.recipes import recipe_code  # noqa: PLC0415 - imports TensorFlow

        return recipe_code(self.compiled).text

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
        weights: WeightsOf = None,
        on_epoch: OnEpoch | None = None,
        callbacks: Callbacks | None = None,
        verbose: int = 0,
        profile: bool = False,
    ) -> TrainingResult:
        """Train the model as ``training:`` says, and write all that comes of it into `folder`.

        A training that was killed, or stopped, goes on where the folder's checkpoint is, and ends
        with the numbers of one that never stopped. With more `epochs` a training that has ended
        goes on, unless early stopping, or a callback of yours, ended it.

        Args:
            data: what ``load_data`` takes or gave, or one part of it, as ``data.folds[0].train``.
            folder: made where it is missing.
            validation: data to evaluate after every epoch, in place of a part of `data`.
            test: data to evaluate the final model with, in place of a part of `data`.
            epochs: in place of the recipe's.
            restart: forget what the folder holds of another training, and begin anew.
            seed: of the order of the examples; the recipe's, where it has one, or a fresh one.
            weights: a ``.keras`` or ``.weights.h5`` file to begin with, matched by the names of
                layers as ``lstmgraph transfer`` does: layers that do not fit begin fresh, and
                ``TrainingResult.weights`` names them. By default the ``.keras`` file that the
                recipe was loaded from, if any; False for fresh weights all the same.
            on_epoch: called after every epoch with its number, from 1, and its metrics and
                ``seconds``; where it returns true, the training ends there, and can go on later.
            callbacks: Keras callbacks of your own, beside those of the recipe. They run after the
                recipe's and before the checkpoint of an epoch. One that sets
                ``model.stop_training`` ends the training for good, as early stopping does. What
                one raises ends this call; the next goes on from the last checkpoint, and numbers
                the epochs on. What a callback remembers is not in the checkpoint, and what it
                adds to ``logs`` is not in the history.
            verbose: Keras's: 1 shows a progress bar, 2 a line for each epoch.
            profile: measure where the time of each epoch goes, for ``TrainingResult.profile``,
                ``results.json`` and the picture ``profile.svg``.

        Raises:
            RecipeError: the recipe watches a number of validation data that is not given, or
                TensorFlow cannot run the model on the data (L902).
            DataError: the data does not fit the recipe.
            ValueError: the recipe has no ``training:``, or `data` was loaded for another one.
            TypeError: `callbacks` are not callbacks of Keras; nothing has been written then.
            WeightsFileError: the file of weights cannot be read, or none of its layers fits.
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
            weights=self._weights_path(weights),
            on_epoch=on_epoch,
            callbacks=callbacks,
            verbose=verbose,
            profile=profile,
        )

    def fitted(self, data: Any) -> Recipe:
        """Return the recipe with the vocabularies, means and classes that training would find.

        Such a recipe has every default written out, and the default of every searched value. It can
        be built without ``train``, for a loop of your own. Imports TensorFlow.

        Args:
            data: what ``load_data`` takes or gave; its training part alone is read.

        Raises:
            DataError: the data does not fit the recipe, or has nothing to find.
        """
        from lstmgraph.compiler.resolved import resolved_recipe  # noqa: PLC0415 - only where written
        from lstmgraph.data.loading import data_of  # noqa: PLC0415 - imports NumPy

        train = data_of(self.compiled, data).train
        from lstmgraph.models.building.vocabularies import (  # noqa: PLC0415 - imports TensorFlow
            fitted,
        )

        text = resolved_recipe(fitted(self.compiled, train))
        return load(text, folder=self.compiled.document.folder)

    def space(self) -> Space:
        """Return what ``$search`` and ``$choose`` leave open; ``str()`` gives the table."""
        return self.compiled.collected.space

    def at(self, values: Mapping[str, Any]) -> Recipe:
        """Return the concrete recipe at a point of the space.

        Args:
            values: by dimension, ``{"layers.encoder.units": 64}``; others have their defaults.

        Raises:
            SpaceError: a name or a value is not in the space.
            RecipeError: the recipe is wrong at this point.
        """
        return Recipe(compile_at(self.compiled, values), self.weights)

    def tune(  # noqa: PLR0913 - each says one thing
        self,
        data: Any,
        *,
        folder: str | Path | None = None,
        validation: Any = None,
        test: Any = None,
        weights: WeightsOf = None,
        callbacks: TrialCallbacks | None = None,
        workers: int = 1,
        max_trials: int | None = None,
        seconds: float | None = None,
        trial_seconds: float | None = None,
        trial_memory_mb: float | None = None,
        max_failures: int | None = None,
        keep: int = 1,
        cluster: str | None = None,
        cpus_per_trial: float | None = None,
        gpus_per_trial: float | None = None,
        restart: bool = False,
        verbose: int = 0,
    ) -> TuneResult:
        """Search the space as ``search:`` says, each trial in a process of its own.

        A search that was killed, or stopped, goes on when it is called again with the same folder.

        Args:
            data: what ``load_data`` takes. Values, such as arrays, are kept in the folder.
            folder: holds all that comes of it, ``searches/NAME`` by default; made where it is
                missing.
            validation: data to compare the trials by, in place of a part of `data`.
            test: data that only the best model is evaluated on, at the end.
            weights: as in ``train``; every trial begins with them.
            callbacks: Keras callbacks of your own, beside those of the recipe: a list, of which
                every training gets a copy as it is now; or a function of a ``TrialInfo`` that
                returns such a list, in the trial's process. Both are pickled, classes and
                functions of a notebook included. One that sets ``model.stop_training`` ends its
                training; what one raises fails its trial, and the search goes on. Nothing that a
                callback remembers comes back from the trials: write it to ``TrialInfo.folder``.
            workers: trials at a time; GPUs are shared out among them.
            max_trials: how many trials there are, in place of the recipe's number.
            seconds: no trial starts after this many, earlier runs of the search included.
            trial_seconds: a trial that runs for longer is killed, alone.
            trial_memory_mb: a trial that holds more main memory (MiB) is killed, alone.
            max_failures: the search stops after this many failed trials.
            keep: how many of the best trials keep their weights.
            cluster: ``ray`` runs trials on the Ray cluster that is here or at ``RAY_ADDRESS``.
            cpus_per_trial: of a cluster; 1 by default.
            gpus_per_trial: of a cluster, also a part of one; none by default.
            restart: begin anew; an earlier search is kept beside it, as ``folder.1``.
            verbose: 1 shows a live table, or lines where there is no terminal.

        Raises:
            ValueError: a number makes no sense, or `callbacks` cannot be pickled; nothing has been
                written then.
            TypeError: `callbacks` are neither callbacks of Keras nor a function.
            RecipeError: the search watches a number of validation data that is not given (L764),
                or some trials could not begin with weights that others begin with (L775).
            WeightsFileError: the file of weights cannot be read, or none of its layers fits.
            DataError: the data does not fit the recipe.
            SearchError: there is nothing to search, the search would never end, or the folder
                holds another search (JobChangedError), is in use (FolderInUseError), or cannot be
                written.
        """
        from lstmgraph.tuning.options import TuneOptions, tune_request  # noqa: PLC0415 - to search
        from lstmgraph.tuning.run import tune  # noqa: PLC0415 - as above

        options: TuneOptions = {
            "folder": folder,
            "validation": validation,
            "test": test,
            "weights": self._weights_path(weights),
            "callbacks": callbacks,
            "workers": workers,
            "max_trials": max_trials,
            "seconds": seconds,
            "trial_seconds": trial_seconds,
            "trial_memory_mb": trial_memory_mb,
            "max_failures": max_failures,
            "keep": keep,
            "cluster": cluster,
            "cpus_per_trial": cpus_per_trial,
            "gpus_per_trial": gpus_per_trial,
            "restart": restart,
            "verbose": verbose,
        }
        return tune(tune_request(self.compiled, data, options))

    def hypermodel(self, data: Any = None) -> keras_tuner.HyperModel:
        """Return the recipe for any tuner of keras-tuner; dimensions name its hyperparameters.

        The whole space is declared before anything is built. Models begin with the weights of the
        ``.keras`` file that the recipe was loaded from, if any, where they fit.

        Args:
            data: what ``load_data`` takes or gave, for a recipe with scales, vocabularies or means
                that are yet to be found: each model has those of the training part.

        Raises:
            DataError: the data does not fit the recipe.
        """
        from lstmgraph.tuning.hypermodel import RecipeHyperModel  # noqa: PLC0415 - imports TensorFlow

        train = None
        if data is not None:
            from lstmgraph.data.loading import data_of  # noqa: PLC0415 - imports NumPy

            train = data_of(self.compiled, data).train
        return RecipeHyperModel(self.compiled, self.weights, train)

    def export(  # noqa: PLR0913 - what an export is asked for, by keyword
        self,
        model: keras.Model,
        path: str | Path,
        *,
        format: str = "onnx",  # noqa: A002 - Keras's own word
        kernel: str = "standard",
        batch_size: int | None = None,
        tolerance: float | None = None,
        quantize: str | None = None,
        data: Any = None,
        test: Any = None,
        max_loss: float | None = None,
        device: str | None = None,
        models: str | Sequence[str] = (),
    ) -> ExportReport:
        """Write a model of this recipe, trained or not, for another runtime, and check the file.

        It gets its name where it computes the same on random inputs, and replaces what is there.

        Args:
            model: built from this recipe, or loaded with its layers; it stays as it is.
            path: a folder, where the recipe's name is the file's; or a path with its ending.
            format: ``keras`` (NAME.keras), ``saved_model`` (a folder NAME.saved_model), ``onnx``
                (NAME.onnx), ``litert`` (NAME.tflite) or ``c`` (NAME.c with NAME.h, the LiteRT model
                as an array).
            kernel: of a SavedModel: ``standard`` runs on any machine; ``auto`` keeps cuDNN where
                this machine has it, and the file then needs a GPU too.
            batch_size: rows of every batch in a LiteRT file; 1, or the recipe's, where it is None.
            tolerance: how far an output may be off, in parts of its greatest value; None: by dtype.
                Of a quantized file, how far on average.
            quantize: of LiteRT and ONNX: ``dynamic``, ``int8``, ``int16x8`` (not ONNX) or
                ``float16``.
            data: what ``load_data`` takes or gave: ``int8`` and ``int16x8`` take their ranges from
                its training part; its test or validation part is measured before and after.
            test: the same, of what is measured.
            max_loss: by what part a measure may get worse, such as 0.01.
            device: ``microcontroller``: refuse what LiteRT for Microcontrollers cannot run.
            models: names of models to write in place of the recipe's own: further ones of
                ``models:``, ``encoder``, ``decoder`` or ``step``, which it need not name, and its
                own name. Several go into one ``litert`` or ``saved_model`` file, each a signature
                with its name. A step model is also run for 1,000 steps, as the report says.

        Raises:
            RecipeError: the format cannot hold the recipe (L801, L802), the written file computes
                something else (L803), `model` is not one of this recipe (L804), Keras runs on
                another backend than the format's (L805), the device cannot run the file (L806), or
                a measure gets worse by more than `max_loss` (L807).
            DataError: the data does not fit the recipe.
            ValueError: an argument is not one of those named here, data is missing, or the format
                holds one model.
            ImportError: a package that the format needs is not installed.
        """
        from lstmgraph.export import ExportOptions, target_path  # noqa: PLC0415 - only to export
        from lstmgraph.export.formats import TOGETHER, stem_of  # noqa: PLC0415 - as above

        names = [models] if isinstance(models, str) else list(models)
        compiled = with_models(self.compiled, names)
        target = target_path(format, Path(path), stem_of(self.name, names))
        if len(names) > 1 and format not in TOGETHER:
            raise ValueError(f"a file of format {format} holds one model: export each by itself")
        options = ExportOptions(kernel, batch_size, tolerance, quantize, max_loss, device)
        given = self._export_data(options, data, test)
        from lstmgraph.export.files import export_files  # noqa: PLC0415 - imports TensorFlow

        return export_files(compiled, model, {format: target}, options, given, names=names)[0]

    def _export_data(self, options: ExportOptions, data: Any, test: Any) -> ExportData | None:
        """Return the data that a quantized file is made from and measured on."""
        options.check_data(data, test)
        if data is None:
            return None
        from lstmgraph.evaluation.exported import export_data  # noqa: PLC0415 - imports NumPy

        return export_data(self.compiled, data, test)

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
                ``tf.data.Dataset``), a dictionary of arrays, (x, y) or (x, y, sample_weight) as
                ``fit`` takes them, a data frame of pandas, polars or pyarrow, or a
                ``tf.data.Dataset``. Arrays may be lists of rows of different lengths.
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
        return f"<Recipe {self.name}: {_summary(self.compiled)}>"

    def __str__(self) -> str:
        return "\n".join(filter(None, [self.name, self.description, _summary(self.compiled)]))

    def _repr_html_(self) -> str:
        from lstmgraph.messages.notebook import notebook_html, picture_html  # noqa: PLC0415 - to show
        from lstmgraph.messages.tables import Section  # noqa: PLC0415 - as above

        lines = [line for line in (self.description, _summary(self.compiled)) if line]
        warnings = [str(each.message) for each in self.warnings]
        sections = [Section(self.name, lines=lines)]
        if warnings:
            sections.append(Section("warnings", lines=warnings))
        return notebook_html(sections, picture_html(self.graph(), f"graph of {self.name}"))


def _summary(compiled: CompiledRecipe) -> str:
    """Return the summary, such as ``7 calls, 12,345 parameters, 3 dimensions searched``."""
    parts = [counted(len(compiled.graph.nodes), "call")]
    parts.append(counted(compiled.graph.parameters.total, "parameter"))
    dimensions = compiled.collected.space.dimensions
    if dimensions:
        parts.append(f"{counted(len(dimensions), 'dimension')} searched")
    if compiled.warnings:
        parts.append(counted(len(compiled.warnings), "warning"))
    return ", ".join(parts)


def load(
    source: str | Path | Mapping[str, Any],
    *,
    overrides: Overrides = (),
    strict: bool = False,
    folder: str | Path | None = None,
) -> Recipe:
    """Read and check a recipe. TensorFlow is not imported.

    Nothing is printed: ``Recipe.warnings`` has what is legal and probably not meant.

    Args:
        source: a path; the text of a recipe, which has more than one line or begins with ``{``;
            or the same as a mapping of plain data, ``{"recipe": 1, "name": ...}``. Of a
            ``.keras`` file that this package wrote, or of a training's folder with one, the recipe
            in it. In a mapping tuples count
            as lists, and scalars of NumPy as numbers; mistakes are shown with the path of their
            value, in the mapping written as YAML.
        overrides: values to put in, by path: ``{"layers.encoder.units": 32}``, or texts such as
            ``"layers.encoder.units=32"``.
        strict: refuse a recipe with warnings, too.
        folder: of a mapping or a text, where the paths under its ``extends`` begin.

    Raises:
        RecipeError: with every mistake in the recipe, each with its line and column; with `strict`,
            of a recipe without a mistake, with every warning.
        OverrideFormatError: an override is not ``path=value``, or no plain data.
        PlainDataError: a mapping holds what no recipe can, such as a function, or itself.
        TypeError: `source` is neither a path, nor a text, nor a mapping.
        ValueError: `folder` is given of a path, which has its own.
    """
    compiled = load_compiled(source, overrides=overrides, strict=strict, folder=folder)
    return Recipe(compiled, model_file(source))


@dataclass(frozen=True)
class ImportedModel:
    """A Keras model as a recipe; ``import_model`` makes it."""

    text: str
    """The recipe, as ``lstmgraph import`` writes it."""
    recipe: Recipe
    model: keras.Model | None
    """The recipe's model with the weights; None where the source has none."""
    check: Check
    """Whether both models gave the same on random inputs: ``ok``; if not, the first ``layer``."""
    notes: tuple[str, ...] = ()
    """What the recipe names otherwise than the model does."""

    def __str__(self) -> str:
        return self.text


def import_model(
    source: str | Path | Mapping[str, Any] | keras.Model,
    *,
    fix: bool = False,
    training: bool = True,
) -> ImportedModel:
    """Return an existing Keras model as a recipe, with its weights where it has any.

    Args:
        source: a Functional or Sequential model; the path of a ``.keras`` file or of the JSON of
            ``model.to_json()``; or that JSON as text or mapping.
        fix: keep masks that the model loses silently. By default the recipe does what the model
            does, and comments say where that is surprising.
        training: give the recipe the optimizer, losses and metrics that the model was compiled
            with.

    Raises:
        ModelFileError: the model cannot be read (M1xx), or a recipe cannot say it (M2xx); every
            layer that stands in the way is named.
        OSError: the file cannot be read.
    """
    from lstmgraph.interop.importing import import_source  # noqa: PLC0415 - imports Keras

    found = import_source(source, fix=fix, training=training)
    recipe = Recipe(found.compiled)
    return ImportedModel(found.text, recipe, found.model, found.check, found.notes)


def load_model(path: str | Path, *, recipe: Recipe | None = None) -> keras.Model:
    """Load a ``.keras`` file to run on this machine as its recipe says.

    Keras's own ``load_model`` forgets which kernel a layer is kept to: it stores no ``use_cudnn``.

    Args:
        path: a file that ``lstmgraph build`` or ``Recipe.save`` wrote, or a training's folder.
        recipe: the recipe, for a file without one in it, such as ``model.save`` writes.

    Raises:
        RecipeError: the file holds no recipe, or this machine cannot run it as the recipe says.
        OtherModelError: the file holds another model than the recipe's.
        WeightsFileError: the file's weights are damaged, or not as Keras writes them.
        ValueError: the file is not whole, or a folder does not hold exactly one model.
    """
    file = model_path(path)
    compiled = recipe.compiled if recipe else load_compiled(file)
    from lstmgraph.models.files import load_as  # noqa: PLC0415 - imports TensorFlow

    return load_as(compiled, file)


def tune(  # noqa: PLR0913 - each says one thing
    recipe: str | Path | Mapping[str, Any] | Recipe,
    data: Any,
    *,
    overrides: Overrides = (),
    folder: str | Path | None = None,
    validation: Any = None,
    test: Any = None,
    weights: WeightsOf = None,
    callbacks: TrialCallbacks | None = None,
    workers: int = 1,
    max_trials: int | None = None,
    seconds: float | None = None,
    trial_seconds: float | None = None,
    trial_memory_mb: float | None = None,
    max_failures: int | None = None,
    keep: int = 1,
    cluster: str | None = None,
    cpus_per_trial: float | None = None,
    gpus_per_trial: float | None = None,
    restart: bool = False,
    verbose: int = 0,
) -> TuneResult:
    """Search a recipe's space: ``load(recipe, overrides=overrides).tune(data, ...)``.

    Args:
        recipe: what ``load`` takes, or a recipe.
        data: what ``Recipe.load_data`` takes.
        overrides: values to put into the recipe, as ``load`` takes them.
        folder: this and all that follow are those of ``Recipe.tune``, which describes them.

    Raises:
        RecipeError: the recipe is wrong; and what ``Recipe.tune`` raises.
    """
    if not isinstance(recipe, Recipe):
        recipe = load(recipe, overrides=overrides)
    elif overrides:
        recipe = recipe.with_overrides(overrides)
    return recipe.tune(
        data,
        folder=folder,
        validation=validation,
        test=test,
        weights=weights,
        callbacks=callbacks,
        workers=workers,
        max_trials=max_trials,
        seconds=seconds,
        trial_seconds=trial_seconds,
        trial_memory_mb=trial_memory_mb,
        max_failures=max_failures,
        keep=keep,
        cluster=cluster,
        cpus_per_trial=cpus_per_trial,
        gpus_per_trial=gpus_per_trial,
        restart=restart,
        verbose=verbose,
    )
