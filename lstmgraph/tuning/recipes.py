"""Recipes as plain data that trials read, and the concrete recipe at a point of the space."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Any

from lstmgraph.compiler.compile import compile_point
from lstmgraph.compiler.lint import read_silences
from lstmgraph.compiler.resolved import (
    HEADER,
    plain_yaml,
    resolved_recipe,
    with_silences,
)
from lstmgraph.language.compose import composed
from lstmgraph.language.compose.variables import with_searched_variables
from lstmgraph.language.text.document import parse_document
from lstmgraph.messages.diagnostics import OPTION

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from lstmgraph.compiler.compile import CompiledRecipe
    from lstmgraph.compiler.lint import Silence
    from lstmgraph.language.text.document import Document
    from lstmgraph.messages.diagnostics import Path
    from lstmgraph.tuning.search.results import Objective

NOT_TRAINED = ("search", "name", "description")
"""Keys of a recipe that change no trial's numbers, or that job.json holds on their own."""


def trial_payload(
    document: Document, sources: Mapping[str, str], objectives: Iterable[Objective]
) -> dict[str, Any]:
    """Return the job of every trial as plain data.

    Args:
        document: the searched recipe, as written.
        sources: paths of data, by ``train`` and ``validation``. Test data is not among them.
        objectives: the best epoch is the one where their sum is best.
    """
    named = [[objective.metric, objective.direction] for objective in objectives]
    return {"recipe": recipe_payload(document), "data": dict(sources), "objectives": named}


def recipe_payload(document: Document) -> dict[str, Any]:
    """Return a recipe as plain data that ``read_payload`` reads: its text, and the overrides.

    The text is as written, so that messages of a trial name the recipe's own lines. A recipe that
    extends others is written out, with the comments that silence warnings, because trials run
    without these files; ``written`` keeps its own text and those of its bases, by their names.
    """
    sources = document.sources
    folder = {} if document.folder is None else {"folder": str(document.folder.absolute())}
    written = {
        **folder,
        "source": document.source,
        "text": sources[document.source],
        "overrides": [text for name, text in sources.items() if name.startswith(OPTION)],
    }
    if not document.origins.extended:
        return written
    source = f"{document.source} (with what it extends)"
    text = with_silences(plain_yaml(with_searched_variables(document)), _silences(document))
    bases = {name: sources[name] for name in document.origins.extended}
    written_out = {**folder, "source": source, "text": text, "overrides": []}
    return {**written_out, "written": {**written, "bases": bases}}


def _silences(document: Document) -> Iterator[tuple[Path, str, str]]:
    """Yield what comments silence, for every value of their lines.

    A comment that silences nothing at the defaults may be needed at another point.
    """
    comments: defaultdict[tuple[str, int], list[Silence]] = defaultdict(list)
    for silence in read_silences(document):
        comments[silence.place.source, silence.line].append(silence)
    for table in (document.keys, document.values):
        for path, place in table.items():
            for silence in comments.get((place.source, place.span.line), ()):
                yield path, ", ".join(silence.codes), silence.reason


def read_payload(payload: Mapping[str, Any]) -> Document:
    """Return the document that ``recipe_payload`` was given."""
    document = parse_document(payload["text"], payload["source"])
    folder = FilePath(payload["folder"]) if "folder" in payload else None
    return composed(document, folder, payload["overrides"])


def recipe_identity(document: Document) -> str:
    """Return what must not change of a recipe while its search goes on, as YAML."""
    data = with_searched_variables(document)
    return plain_yaml({k: v for k, v in data.items() if k not in NOT_TRAINED})


def concrete_recipe(
    document: Document, values: Mapping[str, Any], *, epochs: int | None = None
) -> CompiledRecipe:
    """Return the recipe at a point of its space, without ``search:``.

    Args:
        document: the searched recipe.
        values: a value for each active dimension.
        epochs: replaces the recipe's number of epochs.

    Raises:
        SpaceError: `values` are not a point of the space.
        RecipeError: the recipe is wrong at this point.
    """
    compiled = compile_point(document, values)
    training = compiled.declaration.training
    assert training is not None, "a search needs training: L811"
    section = {**compiled.completed["training"], "epochs": epochs or training.epochs}
    return compiled.with_sections(training=section, search=None)


def with_seed(recipe: CompiledRecipe, seed: int) -> CompiledRecipe:
    """Return the recipe with another seed, which decides weights, dropout and order."""
    return recipe.with_sections(runtime={**recipe.completed["runtime"], "seed": seed})


def concrete_text(recipe: CompiledRecipe, remarks: tuple[str, ...] = ()) -> str:
    """Return a concrete recipe as YAML with every default written out, below `remarks`."""
    lines = "".join(f"# {remark}\n" for remark in remarks)
    return resolved_recipe(recipe, HEADER + lines)
