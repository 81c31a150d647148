"""The export formats: their names, file suffixes, needed packages and options."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

KERAS, SAVED_MODEL, ONNX, LITERT = "keras", "saved_model", "onnx", "litert"


@dataclass(frozen=True)
class ExportFormat:
    """A format that models are exported to."""

    name: str
    title: str
    """The name as its makers write it."""
    suffix: str
    packages: tuple[str, ...] = ()
    """Packages beyond a plain installation; the extra with the format's name installs them."""

    def path(self, target: Path, name: str) -> Path:
        """Return the path to write: `target` if it has the suffix, else a file in that folder."""
        return target if target.suffix == self.suffix else target / f"{name}{self.suffix}"

    def check_packages(self) -> None:
        """Check that the packages are installed.

        Raises:
            ImportError: one is missing; the message has the command that installs it.
        """
        missing = [package for package in self.packages if find_spec(package) is None]
        if missing:
            names = " and ".join(missing)
            raise ImportError(
                f"format {self.name} needs {names}: pip install 'lstmgraph[{self.name}]'"
            )


FORMATS: Mapping[str, ExportFormat] = {
    KERAS: ExportFormat(KERAS, "Keras", ".keras"),
    SAVED_MODEL: ExportFormat(SAVED_MODEL, "SavedModel", ".saved_model"),
    ONNX: ExportFormat(ONNX, "ONNX", ".onnx", ("onnx", "onnxruntime")),
    LITERT: ExportFormat(LITERT, "LiteRT", ".tflite", ("ai_edge_litert",)),
}


@dataclass(frozen=True)
class ExportOptions:
    """Options of an export, the same for all of its formats.

    Raises:
        ValueError: an option has an unknown value, or one out of range.
    """

    kernel: str = "standard"
    """For a SavedModel: ``standard`` runs on any machine; ``auto`` keeps cuDNN if this machine has
    it, and the exported model then needs a GPU too."""
    batch_size: int | None = None
    """The rows of a LiteRT file's batches; None for the recipe's number, or 1."""
    tolerance: float | None = None
    """The difference allowed, relative to an output's largest value; None for one by dtype."""

    def __post_init__(self) -> None:
        if self.kernel not in ("standard", "auto"):
            raise ValueError(f"the kernel of an export must be standard or auto, not {self.kernel}")
        if self.batch_size is not None and self.batch_size < 1:
            raise ValueError(f"the batch size must be at least 1, not {self.batch_size}")
        if self.tolerance is not None and not 0 <= self.tolerance < 1:
            raise ValueError(
                f"the tolerance must be at least 0 and less than 1, not {self.tolerance}"
            )

    def check(self, formats: Collection[str], own_batch_size: int | None) -> None:
        """Check the options against the formats, and against the recipe's own batch size.

        Raises:
            ValueError: an option is for none of the formats, or the batch sizes differ.
        """
        if self.kernel == "auto" and SAVED_MODEL not in formats:
            raise ValueError(
                f"the kernel option is for format {SAVED_MODEL}: no other format can hold cuDNN"
            )
        if self.batch_size is None:
            return
        if LITERT not in formats:
            raise ValueError(
                f"the batch size option is for format {LITERT}: the others take any number of rows"
            )
        if own_batch_size not in (None, self.batch_size):
            raise ValueError(f"the recipe's batch_size is {own_batch_size}, not {self.batch_size}")


def target_path(format: str, path: Path, name: str) -> Path:  # noqa: A002 - Keras's own word
    """Return the path of the exported file.

    Args:
        format: the name of the format.
        path: the file to write, or a folder for it.
        name: the recipe's name, for a file in a folder.

    Raises:
        ValueError: the format is unknown.
    """
    if format not in FORMATS:
        raise ValueError(f"there is no format {format}; choose one of: {', '.join(FORMATS)}")
    return FORMATS[format].path(path, name)
