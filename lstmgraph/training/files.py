"""Files of a training's folder, each written whole, by one process at a time."""

from __future__ import annotations

import json
import os
import platform
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import keras

from lstmgraph.compiler.machine.versions import BACKENDS, TRAINING, versions
from lstmgraph.csv_files import write_csv
from lstmgraph.files import (
    LinkError,
    NotAFileError,
    atomic_path,
    refuse_link,
    require_regular_file,
)
from lstmgraph.locks import LockedError, file_lock
from lstmgraph.messages.errors import FolderError
from lstmgraph.models.runtime import visible_gpus
from lstmgraph.training.picture import history_svg
from lstmgraph.training.results import plain_metrics

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from lstmgraph.training.results import TrainingResult

CHECKPOINT = "checkpoint.keras"
LOCK = ".lock"
NAMES = (
    *("model", "best", "checkpoint", "results", "history", "picture", "resolved"),
    *("environment", "tensorboard"),
)
"""What a training's files are, and its folder of logs: properties of ``TrainingFiles``."""

Row = dict[str, float]


@dataclass(frozen=True)
class TrainingFiles:
    """The files of the training of one recipe, by the recipe's name."""

    folder: Path
    name: str

    @property
    def model(self) -> Path:
        """The trained model, written when the training ends."""
        return self.folder / f"{self.name}.keras"

    @property
    def checkpoint(self) -> Path:
        """All that is needed to go on."""
        return self.folder / CHECKPOINT

    @property
    def best(self) -> Path:
        """The model of the best epoch, where the recipe asks for a checkpoint."""
        return self.folder / "best.keras"

    @property
    def resolved(self) -> Path:
        """The recipe with every default."""
        return self.folder / f"{self.name}.resolved.yaml"

    @property
    def environment(self) -> Path:
        """The versions and the machine."""
        return self.folder / "environment.json"

    @property
    def history(self) -> Path:
        """A line for each epoch."""
        return self.folder / "history.csv"

    @property
    def picture(self) -> Path:
        """The history as curves."""
        return self.folder / "history.svg"

    @property
    def results(self) -> Path:
        """What the final model reaches on the validation and the test data."""
        return self.folder / "results.json"

    @property
    def tensorboard(self) -> Path:
        """A folder of logs, where the recipe asks for it."""
        return self.folder / "tensorboard"

    def refuse_others(self) -> None:
        """Refuse what a folder from elsewhere may hold in place of these files.

        Raises:
            FolderError: a link, which could lead out of the folder, a pipe, a device or a socket.
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
                kind = "a folder" if is_folder else "no folder"
                raise FolderError(f"{path} is {kind}: that is nothing of a training's")

    def written(self) -> dict[str, Path]:
        """Return the existing files by their roles."""
        found = {name: getattr(self, name) for name in NAMES}
        return {name: path for name, path in found.items() if path.exists()}

    def remove(self) -> None:
        """Remove the files, the checkpoint first, as the others follow from it."""
        others = (self.best, self.history, self.picture, self.model, self.results)
        for path in (self.checkpoint, *others):
            path.unlink(missing_ok=True)


def other_numbers(files: TrainingFiles) -> FolderError:
    """Return what there is to say of a checkpoint whose rows are not of the recipe's metrics."""
    return FolderError(
        f"{files.checkpoint} is no checkpoint of this training: its rows have other numbers than "
        "the recipe's metrics; begin anew with --restart"
    )


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep other processes from training into `folder`, and clear away what killed ones left.

    Where the system has no locks, nothing is cleared away.

    Raises:
        FolderError: another process trains there; the message names it.
        OSError: the lock's file cannot be written, or is a link or no file.
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


def write_text(path: Path, text: str) -> None:
    """Write a text file, whole or not at all."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, "utf-8")


def write_environment(path: Path) -> None:
    """Write what the numbers may depend on, as JSON."""
    found: dict[str, Any] = {
        "python": platform.python_version(),
        "packages": versions(*TRAINING, *BACKENDS),
        "platform": platform.platform(),
        "cpus": os.cpu_count(),
        "gpus": visible_gpus(),
        "backend": keras.backend.backend(),
        "KERAS_BACKEND": os.environ.get("KERAS_BACKEND"),
    }
    write_text(path, json.dumps(found, indent=2) + "\n")


def write_history(path: Path, rows: Sequence[Row]) -> None:
    """Write `rows` as CSV: the epoch, counted from 1, the metrics, and seconds."""
    write_csv(path, [rows[0], *(row.values() for row in rows)], line_end="\n")


def write_results(path: Path, result: TrainingResult) -> None:
    """Write what the final model reaches, as JSON."""
    found = {"epochs": result.epochs, "best_epoch": result.best_epoch}
    found["stopped_early"] = result.stopped_early
    metrics = plain_metrics(result.metrics)
    write_text(path, json.dumps({**found, "metrics": metrics}, indent=2) + "\n")


def write_picture(path: Path, rows: Sequence[Row], title: str) -> None:
    """Draw the metrics of `rows` over the epochs."""
    write_text(path, history_svg(columns(rows), title))


def columns(rows: Sequence[Row]) -> dict[str, list[float]]:
    """By metric, a value for each epoch; without the epochs' numbers and seconds."""
    names: Mapping[str, float] = rows[0] if rows else {}
    return {name: [row[name] for row in rows] for name in names if name not in {"epoch", "seconds"}}
