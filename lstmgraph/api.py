"""The Python interface: ``load`` a recipe, explain it, build it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from lstmgraph.compiler import CompiledRecipe, compile_document
from lstmgraph.document import parse_document, read_document
from lstmgraph.overrides import Overrides, apply_overrides
from lstmgraph.report import Explanation, explain
from lstmgraph.resources import folder

if TYPE_CHECKING:
    import keras

    from lstmgraph.export import ExportReport


class Recipe:
    """A recipe without mistakes. ``load`` makes one."""

    def __init__(self, compiled: CompiledRecipe) -> None:
        self._compiled = compiled

    @property
    def name(self) -> str:
        """The recipe's name, which the model and its files get."""
        return self._compiled.declaration.name

    @property
    def description(self) -> str:
        """What the model is for."""
        return self._compiled.declaration.description

    @property
    def training(self) -> dict[str, Any] | None:
        """The ``training:`` section as plain data, defaults filled in; None where there is none."""
        section: dict[str, Any] | None = self._compiled.completed.get("training")
        return section

    def explain(self) -> Explanation:
        """Shape, dtype, parameters, mask, initial state and kernel of every call.

        TensorFlow is not imported. ``str()`` of the result is the table that the command prints.
        """
        return explain(self._compiled)

    def resolved(self) -> str:
        """The recipe as YAML with every default written out; it builds the same model."""
        from lstmgraph.resolved import resolved_yaml  # noqa: PLC0415 - only where it is written

        return resolved_yaml(self._compiled.completed)

    def build(self) -> keras.Model:
        """Build the model: a plain functional ``keras.Model`` of standard layers.

        Its inputs and outputs are dictionaries by the recipe's names. It is compiled where the
        recipe has ``training:``. Each call builds anew.

        Raises:
            RecipeError: Keras refused what the checks let through.
        """
        from lstmgraph.lowering import build_model  # noqa: PLC0415 - imports TensorFlow

        return build_model(self._compiled)

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

        The file is written to another name, run on random inputs, and compared with `model`; it
        gets its name only where it computes the same. What stands there already is replaced.

        Args:
            model: built from this recipe, or loaded with its layers; it stays as it is.
            path: a folder, where the file is named after the recipe; or the file's own path, with
                the format's ending.
            format: ``keras`` (NAME.keras), ``saved_model`` (a folder NAME.saved_model), ``onnx``
                (NAME.onnx) or ``litert`` (NAME.tflite).
            kernel: of a SavedModel: ``standard`` runs on any machine; ``auto`` keeps cuDNN where
                this machine has it, and the file then needs a GPU too.
            batch_size: rows of every batch in a LiteRT file; 1, or the recipe's, where it is None.
            tolerance: how far an output may be off, in parts of its greatest value; chosen by dtype
                where it is None.

        Raises:
            RecipeError: the format cannot hold the recipe (L801, L802), the written file computes
                something else (L803), or `model` is not one of this recipe (L804).
            ValueError: an argument is not one of those named here.
            ImportError: a package that the format needs is not installed.
        """
        from lstmgraph.export import FORMATS, ExportOptions  # noqa: PLC0415 - only to export

        if format not in FORMATS:
            raise ValueError(f"there is no format {format}; there are: {', '.join(FORMATS)}")
        options = ExportOptions(kernel, batch_size, tolerance)
        from lstmgraph.export.files import export_files  # noqa: PLC0415 - imports TensorFlow

        target = FORMATS[format].path(Path(path), self.name)
        return export_files(self._compiled, model, {format: target}, options)[0]

    def __repr__(self) -> str:
        return f"<Recipe {self.name}>"


def load(source: str | Path, *, overrides: Overrides = ()) -> Recipe:
    """Read and check a recipe. TensorFlow is not imported.

    Args:
        source: a path, or the text of a recipe (text has more than one line).
        overrides: values to put in, by path: ``{"layers.encoder.units": 32}``, or texts such as
            ``"layers.encoder.units=32"``.

    Raises:
        RecipeError: with every mistake in the recipe, each with its line and column.
        OverrideFormatError: an override is not ``path=value``.
    """
    if isinstance(source, str) and ("\n" in source or source.lstrip().startswith("{")):
        document = parse_document(source)
    else:
        document = read_document(Path(source))
    apply_overrides(document, overrides)
    return Recipe(compile_document(document))


def packaged_recipe(name: str) -> Path:
    """The path of a recipe that comes with the package: ``packaged_recipe("speaker-classifier")``.

    Raises:
        ValueError: there is none of that name; the message lists those that there are.
    """
    found = {path.stem: path for path in sorted(folder("recipes").glob("*.yaml"))}
    if name not in found:
        raise ValueError(f"no packaged recipe '{name}'; there are: {', '.join(found)}")
    return found[name]
