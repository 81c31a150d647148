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

    from lstmgraph.data.loading import Data


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
            source: a path (`.npz`, a folder of `.npy`, `.csv`, `.parquet`, a folder of tables, a
                saved ``tf.data.Dataset``), a dictionary of arrays, (x, y) as ``fit`` takes them, a
                data frame of pandas, polars or pyarrow, or a ``tf.data.Dataset``.
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
        return load_data(self._compiled, source, validation=validation, test=test, cache=folder)

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
