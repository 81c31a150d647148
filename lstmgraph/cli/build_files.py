"""What `build` writes: models, Keras's config of the main one, the resolved recipe, a manifest."""

from __future__ import annotations

import json
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lstmgraph.explain.models import manifest
from lstmgraph.files import atomic_path, made_folder, obstacle
from lstmgraph.messages.wording import not_among

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    import keras

    from lstmgraph.api import Recipe, WeightsOf


class NoSuchModelError(ValueError):
    """The recipe has no model of that name."""


@dataclass(frozen=True)
class BuildFiles:
    """The files of a build; None for those that are not asked for."""

    model: Path | None
    config: Path | None
    resolved: Path | None
    further: Mapping[str, Path] = field(default_factory=dict)
    """Of each further model."""
    manifest: Path | None = None

    def as_dict(self) -> dict[str, Any]:
        """Paths as text."""
        named = {
            "model": self.model,
            "config": self.config,
            "resolved": self.resolved,
            "models": {name: str(path) for name, path in self.further.items()},
            "manifest": self.manifest,
        }
        return {
            key: part if isinstance(part, dict) else str(part)
            for key, part in named.items()
            if part
        }

    def paths(self) -> Iterator[Path]:
        """Return the paths of all files."""
        for path in (self.model, self.config, self.resolved, *self.further.values(), self.manifest):
            if path is not None:
                yield path

    def obstacle(self, *, overwrite: bool) -> str | None:
        """Return why the files cannot be written, or None; checked before the work begins."""
        paths = list(self.paths())
        return obstacle(paths[0].parent, paths, overwrite=overwrite)


def build_files(
    folder: Path, name: str, models: Iterable[str] = (), only: str | None = None
) -> BuildFiles:
    """Return the files that a recipe of this name is built to in `folder`.

    Args:
        folder: made where it is missing.
        name: of the recipe.
        models: names of its further models, which have files of their own; a manifest lists them.
        only: the name of the one model that is written, and nothing else.

    Raises:
        NoSuchModelError: the recipe has no model `only`.
    """
    further = {each: folder / f"{name}.{each}.keras" for each in models}
    if only is not None and only not in (name, *further):
        raise NoSuchModelError(not_among("model", only, [name, *further]))
    if only is not None and only != name:
        return BuildFiles(None, None, None, {only: further[only]})
    model = folder / f"{name}.keras"
    if only is not None:
        return BuildFiles(model, None, None)
    return BuildFiles(
        model=model,
        config=folder / f"{name}.config.json",
        resolved=folder / f"{name}.resolved.yaml",
        further=further,
        manifest=folder / f"{name}.manifest.json" if further else None,
    )


def write_build(recipe: Recipe, files: BuildFiles, weights: WeightsOf = None) -> None:
    """Build the models of `recipe` and write their files: all of them, or none.

    Args:
        recipe: what is built.
        files: what is written.
        weights: those of the main model, as ``Recipe.build`` takes them.

    Raises:
        RecipeError: Keras refused what the checks let through, or the weights do not fit (L804).
        ValueError: the file of weights holds none.
        OSError: a file cannot be written.
    """
    if files.further:
        models = recipe.models(weights=weights)
    else:
        models = {recipe.name: recipe.build(weights=weights)}
    main = models[recipe.name]
    with made_folder(next(files.paths()).parent), ExitStack() as stack:
        written = {path: stack.enter_context(atomic_path(path)) for path in files.paths()}
        if files.model:
            recipe.save(main, written[files.model])
        for name, path in files.further.items():
            recipe.save(models[name], written[path], further=name)
        for path, text in _texts(recipe, files, main):
            written[path].write_text(text, "utf-8")


def _texts(recipe: Recipe, files: BuildFiles, main: keras.Model) -> Iterator[tuple[Path, str]]:
    if files.config:
        yield files.config, json.dumps(json.loads(main.to_json()), indent=2) + "\n"
    if files.resolved:
        yield files.resolved, recipe.resolved()
    if files.manifest and files.model:
        names = {recipe.name: files.model.name}
        names |= {name: path.name for name, path in files.further.items()}
        yield files.manifest, json.dumps(manifest(recipe.compiled, names), indent=2) + "\n"
