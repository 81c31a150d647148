"""Checks whether a folder holds this training, another one, or none."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from lstmgraph.compiler.resolved import resolved_yaml
from lstmgraph.data.fingerprint import fingerprint
from lstmgraph.explain.diff.items import changed_lines
from lstmgraph.language.text.document import parse_document
from lstmgraph.messages.errors import FolderError
from lstmgraph.models.building.embeddings import table_digests
from lstmgraph.training.state import FRESH, Identity, TrainingState, read_checkpoint

if TYPE_CHECKING:
    from lstmgraph.compiler.compile import CompiledRecipe
    from lstmgraph.data.loading import Data
    from lstmgraph.models.given_weights import GivenWeights
    from lstmgraph.training.files import TrainingFiles

LINES_OF_DIFFERENCE = 20


def begin_or_go_on(
    files: TrainingFiles,
    recipe: CompiledRecipe,
    data: Data,
    seed: int | None,
    weights: GivenWeights | None,
) -> tuple[TrainingState, dict[str, np.ndarray]]:
    """Return the state in the folder and its arrays, or the state of a new training.

    A checkpoint wins over `weights`: these are only compared with those that the training began
    with, unless they are the training's own result.

    Raises:
        FolderError: The folder holds another training.
    """
    wanted = Identity(
        recipe=resolved_yaml(_without_epochs(recipe)),
        data=fingerprint(data.train),
        validation="none" if data.validation is None else fingerprint(data.validation),
        seed=_random_seed() if seed is None else seed,
        weights=_initial(recipe, weights),
    )
    if not files.checkpoint.exists():
        if files.model.exists():
            raise FolderError(
                f"{files.model} exists, but without the checkpoint of its training; choose "
                "another folder, or begin anew with --restart"
            )
        return TrainingState(wanted), {}
    state, arrays = read_checkpoint(files.checkpoint)
    if seed is None:  # keep the one that was drawn at the start
        wanted = replace(wanted, seed=state.identity.seed)
    if weights is not None and weights.path.resolve() in files.own_weights():
        wanted = replace(wanted, weights=state.identity.weights)
    _refuse_differences(files, state.identity, wanted)
    return state, arrays


def _initial(recipe: CompiledRecipe, weights: GivenWeights | None) -> str:
    """Return what identifies the weights that a training begins with."""
    tables = [f"{name} {digest}" for name, digest in table_digests(recipe).items()]
    return ", ".join([FRESH if weights is None else weights.fingerprint, *tables])


def _random_seed() -> int:
    """Return a random seed, which the checkpoint will keep."""
    return int(np.random.SeedSequence().generate_state(1)[0])


def _refuse_differences(files: TrainingFiles, present: Identity, wanted: Identity) -> None:
    if present == wanted:
        return
    recipes = [parse_document(each.recipe).data for each in (present, wanted)]
    old_name, new_name = (recipe.get("name") for recipe in recipes)
    if old_name != new_name:
        raise FolderError(
            f"{files.folder} holds a training of another recipe, '{old_name}', not '{new_name}'"
            "\nchoose another folder, or begin anew with --restart"
        )
    lines = list(changed_lines(*recipes))
    if not lines and present.recipe != wanted.recipe:
        lines = ["the recipe has its entries in another order"]
    left_out = len(lines) - LINES_OF_DIFFERENCE
    if left_out > 0:
        lines = [*lines[:LINES_OF_DIFFERENCE], f"... and {left_out} more lines"]
    for what in ("data", "validation", "seed", "weights"):
        old, new = getattr(present, what), getattr(wanted, what)
        if old != new:
            lines += [f"-{what}: {old}", f"+{what}: {new}"]
    began = "\nto resume it, give the weights and vectors that it began with"
    raise FolderError(
        f"{files.folder} holds another training (-), not this one (+):\n"
        + "\n".join(f"  {line}" for line in lines)
        + (began if present.weights != wanted.weights else "")
        + "\nchoose another folder, or begin anew with --restart"
    )


def _without_epochs(recipe: CompiledRecipe) -> dict[str, Any]:
    """Return the recipe without its number of epochs, as a training may be resumed for more."""
    section = {k: v for k, v in recipe.completed["training"].items() if k != "epochs"}
    return {**recipe.completed, "training": section}
