"""What `build` writes: the model, Keras's config of it, and the resolved recipe."""

from __future__ import annotations

import json
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lstmgraph.writing import atomic_path, obstacle

if TYPE_CHECKING:
    from pathlib import Path

    from lstmgraph.api import Recipe


@dataclass(frozen=True)
class BuildFiles:
    """The three files of a build."""

    model: Path
    config: Path
    resolved: Path

    def as_dict(self) -> dict[str, str]:
        """Paths as text."""
        return {
            "model": str(self.model),
            "config": str(self.config),
            "resolved": str(self.resolved),
        }

    def obstacle(self, *, overwrite: bool) -> str | None:
        """What keeps the files from being written, found before the work begins."""
        paths = (self.model, self.config, self.resolved)
        return obstacle(self.model.parent, paths, overwrite=overwrite)


def build_files(folder: Path, name: str) -> BuildFiles:
    """The files that a recipe of that name is built to in `folder`."""
    return BuildFiles(
        model=folder / f"{name}.keras",
        config=folder / f"{name}.config.json",
        resolved=folder / f"{name}.resolved.yaml",
    )


def write_build(recipe: Recipe, files: BuildFiles) -> None:
    """Build `recipe` and write its files, each of them whole.

    Raises:
        RecipeError: Keras refused what the checks let through.
        OSError: a file cannot be written.
    """
    model = recipe.build()
    files.model.parent.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        model_path, config_path, resolved_path = (
            stack.enter_context(atomic_path(path))
            for path in (files.model, files.config, files.resolved)
        )
        recipe.save(model, model_path)
        config = json.loads(model.to_json())
        config_path.write_text(json.dumps(config, indent=2) + "\n", "utf-8")
        resolved_path.write_text(recipe.resolved(), "utf-8")
