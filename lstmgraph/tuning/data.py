"""The data of a search: where it is, so that every trial reads the same, and what tells it apart.

Files stay where they are. What is given as values, such as arrays or what ``module:function`` gave,
is kept in the search's folder under a name made from its content.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lstmgraph.compiler.checks.data_needs import data_needs, target_name
from lstmgraph.compiler.compile import compile_point
from lstmgraph.data.archives import from_pair, named_parts, stored_values
from lstmgraph.data.fingerprint import fingerprint
from lstmgraph.data.loading import TRAIN, VALIDATION, load_data
from lstmgraph.data.named import weights_of
from lstmgraph.data.problems import DataError, Problems
from lstmgraph.data.ragged import evened
from lstmgraph.data.sources import Given
from lstmgraph.data.tf_datasets import arrays_of_dataset, is_dataset, is_saved_dataset, load_saved
from lstmgraph.files import open_file
from lstmgraph.language.declaration.defaults import complete_data
from lstmgraph.language.space.variants import chosen_variants
from lstmgraph.messages.errors import RecipeError

if TYPE_CHECKING:
    from lstmgraph.compiler.compile import CompiledRecipe
    from lstmgraph.data.loading import Data
    from lstmgraph.data.named import NamedArrays


def with_folds(recipe: CompiledRecipe, folds: int | None) -> CompiledRecipe:
    """Return the recipe with its data split into `folds`, if any, in place of its own folds."""
    if folds is None:
        return recipe
    section = recipe.completed.get("data") or complete_data({}, carried=bool(recipe.graph.carrying))
    split = {**section["split"], "folds": folds, "validation": 0.0}
    return recipe.with_sections(data={**section, "split": split})


def read_parts(recipe: CompiledRecipe, sources: Mapping[str, Any], cache: Path | None) -> Data:
    """Return the data of `sources`, by what they are for (``train``, ``validation``, ``test``).

    Raises:
        DataError: it does not fit the recipe.
    """
    own = {name: source for name, source in sources.items() if name != "train"}
    return load_data(recipe, sources["train"], cache=cache, **own)


def fingerprints(
    recipe: CompiledRecipe, data: Data, sources: Mapping[str, Any], cache: Path | None
) -> dict[str, list[str]]:
    """Return the fingerprints of all that the trials of a search read, by part of the data.

    Args:
        recipe: with its folds; where its data is searched, at the default point.
        data: what it reads of `sources`. Other values of the space may read other columns, which
            have fingerprints of their own.
        sources: see ``read_parts``.
        cache: see ``read_parts``.
    """
    loaded, columns = [data], [_columns(recipe)]
    for variant in chosen_variants(recipe.written, recipe.collected.space):
        if variant.dimension.path[:1] != ("data",) or variant.dimension.range is not None:
            continue
        with suppress(RecipeError, DataError):  # no trial gets beyond it
            other = compile_point(recipe.written, variant.point)
            if _columns(other) not in columns:
                columns.append(_columns(other))
                folds = recipe.declaration.data.split.folds if recipe.declaration.data else None
                loaded.append(read_parts(with_folds(other, folds), sources, cache))
    digests: dict[int, bytes] = {}
    return {
        part: [
            fingerprint(each.parts[part], whole=True, digests=digests)
            for each in loaded
            if part in each.parts
        ]
        for part in (TRAIN, VALIDATION)
    }


def _columns(recipe: CompiledRecipe) -> object:
    return recipe.declaration.data and recipe.declaration.data.all_columns


def kept_path(recipe: CompiledRecipe, source: Any, folder: Path) -> str:
    """Return the absolute path where trials find `source`; values are written below `folder`.

    Raises:
        DataError: nothing that can be read.
        OSError: they cannot be written.
    """
    value = source.value if isinstance(source, Given) else source
    if isinstance(value, str | Path):
        path = Path(value).absolute()
        if not is_saved_dataset(path):
            return str(path)
        problems = Problems(str(value))
        value = load_saved(path, problems)  # read once, and not by TensorFlow in every trial
        problems.raise_errors()
    folder.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=".", dir=folder))
    try:
        _write(recipe, value, temporary)
        target = folder / _content_name(temporary)
        if not target.exists():
            temporary.chmod(0o755)
            temporary.rename(target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return str(target)


def _content_name(folder: Path) -> str:
    """Return a name for the files in `folder`, the same for the same names and contents."""
    found = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        with os.fdopen(open_file(path), "rb") as file:
            found.update(path.name.encode() + hashlib.file_digest(file, "sha256").digest())
    return found.hexdigest()[:16]


def _write(recipe: CompiledRecipe, value: Any, folder: Path) -> None:
    """Write arrays as one ``.npy`` each, which trials map, and tables as Parquet."""
    is_table = recipe.declaration.data is not None and recipe.declaration.data.is_table
    problems = Problems(f"the given {type(value).__name__}")
    if hasattr(value, "__arrow_c_stream__") or (is_table and isinstance(value, Mapping)):
        _write_table(value, folder / "table.parquet")
        return
    arrays = _named_arrays(recipe, value, folder, problems)
    problems.raise_errors()
    for name, array in arrays.items():
        if name.replace("_", "a").isalnum():  # no name of a recipe has anything else in it
            words = array.astype(str) if array.dtype.kind == "O" else array
            np.save(folder / f"{name}.npy", words, allow_pickle=False)


def _named_arrays(
    recipe: CompiledRecipe, value: Any, folder: Path, problems: Problems
) -> dict[str, Any]:
    needs = data_needs(recipe.declaration, recipe.graph)
    parts: Mapping[str, NamedArrays | None] = {}
    if is_dataset(value):
        with tempfile.TemporaryDirectory(dir=folder.parent) as place:
            parts = {"all": arrays_of_dataset(value, needs, Path(place), problems)}
    elif isinstance(value, tuple | list):
        parts = {"all": from_pair(tuple(value), needs, problems)}
    elif isinstance(value, Mapping):
        parts = named_parts(stored_values(value), needs, problems)
    else:
        kind = type(value).__name__
        problems.add("D103", f"{kind} is nothing that can be read", "give a path, or arrays")
    taken = needs.inputs.keys()
    arrays: dict[str, Any] = {}
    for part, given in parts.items():
        if given is None or problems.errors:
            continue
        found = evened(given, needs, problems)
        prefix = "" if part == "all" else f"{part}_"
        arrays |= {f"{prefix}{name}": array for name, array in found.inputs.items()}
        for name, array in found.targets.items():
            arrays[f"{prefix}{target_name(name, taken)}"] = array
        for name, array in found.sample_weights.items():
            arrays[f"{prefix}{weights_of(name)}"] = array
    return arrays


def _write_table(value: Any, path: Path) -> None:
    import pyarrow  # noqa: PLC0415 - an extra
    import pyarrow.parquet  # noqa: PLC0415

    table = pyarrow.table(dict(value) if isinstance(value, Mapping) else value)
    pyarrow.parquet.write_table(table, path)
