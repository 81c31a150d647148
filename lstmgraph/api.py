"""The Python interface: ``load`` a recipe, explain it, build it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from lstmgraph.compiler import CompiledRecipe, compile_at, compile_document
from lstmgraph.document import parse_document, read_document
from lstmgraph.overrides import Overrides, apply_overrides
from lstmgraph.report import Explanation, explain
from lstmgraph.resources import folder

if TYPE_CHECKING:
    from collections.abc import Mapping

    import keras
    import keras_tuner

    from lstmgraph.space import Space


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

    def space(self) -> Space:
        """Everything that the recipe leaves open with ``$search`` and ``$choose``.

        ``str()`` of it is the table that ``lstmgraph space`` prints.
        """
        return self._compiled.collected.space

    def at(self, values: Mapping[str, Any]) -> Recipe:
        """The concrete recipe at a point of the space.

        Args:
            values: by the names of the dimensions, ``{"layers.encoder.units": 64}``; dimensions
                that are left out have their defaults.

        Raises:
            SpaceError: a name or a value is not in the space.
            RecipeError: the recipe is wrong at this point.
        """
        return Recipe(compile_at(self._compiled, values))

    def hypermodel(self) -> keras_tuner.HyperModel:
        """The recipe for keras-tuner: usable with every tuner of it.

        Hyperparameters have the names of the dimensions, and the whole space is declared before
        anything is built.
        """
        from lstmgraph.hypermodel import RecipeHyperModel  # noqa: PLC0415 - imports TensorFlow

        return RecipeHyperModel(self._compiled)

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
