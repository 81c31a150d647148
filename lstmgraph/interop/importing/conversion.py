"""Conversion of a Keras model, read as data, to a recipe."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lstmgraph.compiler.compile import compile_document
from lstmgraph.interop.importing.blocks import kept_models
from lstmgraph.interop.importing.drafting import Draft, draft
from lstmgraph.interop.importing.fitting import Unfitting, fit
from lstmgraph.interop.importing.lifting import Lifted, Problem, lift
from lstmgraph.interop.importing.loops import with_loops
from lstmgraph.interop.importing.stacks import fold_stacks
from lstmgraph.interop.importing.training import training_section, unsaved_arguments
from lstmgraph.interop.importing.writing import recipe_text
from lstmgraph.interop.inlining import BETWEEN, inlined
from lstmgraph.interop.shapes import with_shapes
from lstmgraph.language.text.document import parse_document
from lstmgraph.messages.diagnostics import START, Diagnostic, Place
from lstmgraph.messages.errors import ModelFileError, RecipeError
from lstmgraph.messages.rendering.text import render_text

if TYPE_CHECKING:
    from lstmgraph.compiler.compile import CompiledRecipe
    from lstmgraph.interop.keras_model import KerasModel


@dataclass(frozen=True)
class Converted:
    """A recipe that was made of a Keras model."""

    text: str
    compiled: CompiledRecipe
    lifted: Lifted
    draft: Draft
    notes: tuple[str, ...]
    """What differs without changing any number: names, and dtypes of ids."""

    @property
    def layers(self) -> dict[str, str]:
        """The names of the layers in the model, by those of the layers that the recipe builds."""
        back = {new: old for old, new in self.lifted.renamed.items()}
        own = {node.name: node.layer.name for node in self.lifted.nodes if not node.holder}
        return {**back, **own, **{k: back.get(v, v) for k, v in self.draft.layers.items()}}


def convert(model: KerasModel, *, fix: bool = False, training: bool = True) -> Converted:
    """Return the recipe of a model.

    Args:
        model: the model, as ``read_model`` gives it.
        fix: whether a mask that the model loses silently is kept in the recipe.
        training: whether the recipe says how the model was compiled.

    Raises:
        ModelFileError: the language cannot say what the model does; every layer is named (M2xx).
    """
    blocks = kept_models(model)
    lifted = lift(inlined(with_shapes(model), blocks), blocks)
    made = draft(lifted)
    problems = made.problems
    if training:
        names = dict(zip(_output_names(model, lifted), lifted.outputs, strict=False))
        section, found = training_section(model.compile, names)
        problems = [*problems, *found]
        if section:
            made.data["training"] = section
    if not problems:
        folded = with_loops(made, lifted)
        try:
            made = _fitted(lifted, folded, made, fix=fix)
        except Unfitting as error:
            problems = error.problems
    if problems:
        raise _error(problems, model.source)
    plain = recipe_text(made.data, made.comments)
    before = dict(made.layers)
    fold_stacks(made)
    text = recipe_text(made.data, made.comments)
    try:
        compiled = _compiled(text)
    except RecipeError:
        text, compiled = plain, _compiled(plain)
        made.layers = before
    unsaved = unsaved_arguments(model.compile) if training else []
    notes = (*_renamed(model, lifted), *lifted.notes, *made.notes, *unsaved)
    return Converted(text, compiled, lifted, made, notes)


def _renamed(model: KerasModel, lifted: Lifted) -> list[str]:
    """Return what the recipe names otherwise than the model does, and why."""
    changed = [
        (f"'{old}'", old, new)
        for old, new in lifted.renamed.items()
        if old.replace(BETWEEN, "_") != new
    ]
    if model.name and model.name != lifted.name:
        changed.insert(0, (f"the model '{model.name}'", model.name, lifted.name))
    return [
        f"{what} is named '{new}', as "
        + (
            "the language has its own use for that word"
            if new == f"{old}_2"
            else "a name has letters, digits and underscores only"
        )
        for what, old, new in changed
    ]


def _fitted(lifted: Lifted, folded: Draft | None, made: Draft, *, fix: bool) -> Draft:
    """Return the draft with its loops folded if that is right, or else with every call."""
    if folded is not None:
        try:
            fit(lifted, folded, fix=fix)
        except Unfitting:
            pass
        else:
            return folded
    fit(lifted, made, fix=fix)
    return made


def _output_names(model: KerasModel, lifted: Lifted) -> list[str]:
    if isinstance(model.outputs, dict):
        return list(model.outputs)
    return list(lifted.outputs)


def _compiled(text: str) -> CompiledRecipe:
    return compile_document(parse_document(text, "<text>"))


def _error(problems: list[Problem], source: str) -> ModelFileError:
    place = Place(source or "<model>", START)
    found = [
        Diagnostic(
            each.code,
            (f"layer '{each.layer}': " if each.layer else "") + each.message,
            ("layers", each.layer) if each.layer else (),
            place,
            each.hint or None,
        )
        for each in dict.fromkeys(problems)
    ]
    return ModelFileError(render_text(found, {}), found)
