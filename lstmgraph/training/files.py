"""The files in the folder of a training, written atomically, by one process at a time."""

from __future__ import annotations

import json
import os
import platform
import re
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import keras

from lstmgraph.compiler.machine.versions import BACKENDS, TRAINING, versions
from lstmgraph.csv_files import write_csv
from lstmgraph.files import (
    LinkError,
    NotAFileError,
    refuse_link,
    require_regular_file,
    write_text,
)
from lstmgraph.language.text.document import parse_document
from lstmgraph.language.text.embedded import NoRecipeError, embedded_recipe
from lstmgraph.locks import LockedError, file_lock
from lstmgraph.messages.errors import FolderError
from lstmgraph.models.runtime import visible_gpus
from lstmgraph.training.picture import history_svg
from lstmgraph.training.profile_picture import profile_svg

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from lstmgraph.training.profile import Profile
    from lstmgraph.training.results import TrainingResult

CHECKPOINT = "checkpoint.keras"
NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]*", re.ASCII)
"""The names of recipes, as the schema has them."""
LOCK = ".lock"
NAMES = (
    *("model", "best", "checkpoint", "results", "history", "picture", "resolved"),
    *("environment", "profile", "tensorboard"),
)
"""The properties of ``TrainingFiles`` that are files, or the folder of TensorBoard logs."""

Row = dict[str, float]


@dataclass(frozen=True)
class TrainingFiles:
    """The paths of a training's files in its folder; `name` is that of the recipe."""

    folder: Path
    name: str

    @property
    def model(self) -> Path:
        """The trained model, written when the training ends."""
        return self.folder / f"{self.name}.keras"

    @property
    def checkpoint(self) -> Path:
        """The state to resume the training from."""
        return self.folder / CHECKPOINT

    @property
    def best(self) -> Path:
        """The model of the best epoch, if the recipe has a `checkpoint` callback."""
        return self.folder / "best.keras"

    @property
    def resolved(self) -> Path:
        """The recipe with all defaults written out."""
        return self.folder / f"{self.name}.resolved.yaml"

    @property
    def environment(self) -> Path:
        """The versions of the packages and facts about the machine, as JSON."""
        return self.folder / "environment.json"

    @property
    def history(self) -> Path:
        """The metrics, a line for each epoch, as CSV."""
        return self.folder / "history.csv"

    @property
    def picture(self) -> Path:
        """The metrics as curves, as SVG."""
        return self.folder / "history.svg"

    @property
    def results(self) -> Path:
        """The metrics of the final model on the validation and test data, as JSON."""
        return self.folder / "results.json"

    @property
    def profile(self) -> Path:
        """The picture of where the time went, if it was measured, as SVG."""
        return self.folder / "profile.svg"

    @property
    def tensorboard(self) -> Path:
        """The folder of TensorBoard logs, if the recipe has a `tensorboard` callback."""
        return self.folder / "tensorboard"

    def refuse_others(self) -> None:
        """Check that none of these files is something else, as the folder may be from elsewhere.

        Raises:
            FolderError: One is a link, which could lead out of the folder, a pipe, a device or a
                socket, or a file and a folder are swapped.
        """
        own = [self.folder / LOCK, *(getattr(self, name) for name in NAMES)]
        logs = sorted(self.tensorboard.rglob("*")) if not self.tensorboard.is_symlink() else []
        for path in (*own, *logs):
            is_folder = False
            try:
                refuse_link(path)
                require_regular_file(path)
            except FileNotFoundError:
                continue
            except IsADirectoryError:
                is_folder = True
            except (LinkError, NotAFileError) as error:
                raise FolderError(f"{path}: {error.strerror}") from None
            if path in own and is_folder != (path == self.tensorboard):
                kind = "a folder, not a file" if is_folder else "a file, not a folder"
                raise FolderError(f"{path} is {kind}; remove it, or choose another folder")

    def written(self) -> dict[str, Path]:
        """Return the paths that exist, by their names in ``NAMES``."""
        paths = {name: getattr(self, name) for name in NAMES}
        return {name: path for name, path in paths.items() if path.exists()}

    def own_weights(self) -> frozenset[Path]:
        """Return the paths that hold what the training has come to, with links followed."""
        return frozenset(path.resolve() for path in (self.model, self.checkpoint))

    def remove(self) -> None:
        """Remove the results of an earlier training; the checkpoint first, as it decides."""
        for path in self.removed():
            path.unlink(missing_ok=True)

    def removed(self) -> tuple[Path, ...]:
        """Return the paths that ``remove`` removes, in its order.

        Where the earlier training was of a recipe of another name, its model is among them: the
        folder would hold two.
        """
        named = dict.fromkeys((self, TrainingFiles(self.folder, self._earlier_name())))
        models = [path for each in named for path in (each.model, each.resolved)]
        pictures = (self.picture, self.profile)
        return self.checkpoint, self.best, self.history, *pictures, *models, self.results

    def _earlier_name(self) -> str:
        """Return the name of the recipe in the checkpoint; without one that can be read, `name`."""
        try:
            found = parse_document(embedded_recipe(self.checkpoint)).data
        except (NoRecipeError, OSError):
            return self.name
        name = found.get("name") if isinstance(found, dict) else None
        return name if isinstance(name, str) and NAME.fullmatch(name) else self.name


def other_numbers(files: TrainingFiles) -> FolderError:
    """Return the error for a checkpoint whose rows do not have the recipe's metrics."""
    return FolderError(
        f"{files.checkpoint} is not a checkpoint of this training: its rows do not have the "
        "recipe's metrics; begin anew with --restart"
    )


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep other processes from training in `folder`, and remove files that killed ones left.

    On systems without locks, nothing is removed.

    Raises:
        FolderError: Another process is training there; the message names it.
        OSError: The lock file cannot be written, or is a link or not a file.
    """
    with ExitStack() as stack:
        try:
            lock = stack.enter_context(file_lock(folder / LOCK))
        except LockedError as owner:
            raise FolderError(f"another process is training in {folder}: process {owner}") from None
        for leftover in () if lock is None else folder.glob(".*.tmp.*"):
            with suppress(OSError):  # a folder of that name is not ours
                leftover.unlink()
        yield


def write_environment(path: Path) -> None:
    """Write the versions and the machine that the results may depend on, as JSON."""
    environment: dict[str, Any] = {
        "python": platform.python_version(),
        "packages": versions(*TRAINING, *BACKENDS),
        "platform": platform.platform(),
        "cpus": os.cpu_count(),
        "gpus": visible_gpus(),
        "backend": keras.backend.backend(),
        "KERAS_BACKEND": os.environ.get("KERAS_BACKEND"),
    }
    write_text(path, json.dumps(environment, indent=2) + "\n")


def write_history(path: Path, rows: Sequence[Row]) -> None:
    """Write `rows` as CSV: the epoch, counted from 1, the metrics, and the seconds."""
    names = list(rows[0])
    write_csv(path, [names, *([row[name] for name in names] for row in rows)], line_end="\n")


def write_results(path: Path, result: TrainingResult) -> None:
    """Write the metrics of the final model, as JSON."""
    shown = result.as_dict()
    names = ("epochs", "best_epoch", "monitor", "model_epoch", "stopped_early")
    contents = {name: shown[name] for name in (*names, "metrics", "best_model")}
    if result.profile is not None:
        contents["profile"] = shown["profile"]
    write_text(path, json.dumps(contents, indent=2) + "\n")


def write_picture(path: Path, rows: Sequence[Row], title: str) -> None:
    """Write curves of the metrics over the epochs, as SVG."""
    write_text(path, history_svg(columns(rows), title))


def write_profile(path: Path, profile: Profile | None, title: str) -> None:
    """Write the picture of where the time went; without a profile, remove an older one."""
    if profile is None:
        path.unlink(missing_ok=True)
    else:
        write_text(path, profile_svg(profile, title))


def columns(rows: Sequence[Row]) -> dict[str, list[float]]:
    """Return the values of each metric, one for each epoch; without `epoch` and `seconds`."""
    names: Mapping[str, float] = rows[0] if rows else {}
    return {name: [row[name] for row in rows] for name in names if name not in {"epoch", "seconds"}}
