"""The export formats: the names of their files, and the packages that they need."""

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
    """As its makers write it."""
    suffix: str
    packages: tuple[str, ...] = ()
    """Needed beside those of every installation; the extra of the format's name has them."""

    def path(self, target: Path, name: str) -> Path:
        """Return `target` if it ends as files of this format do, else a file in that folder."""
        return target if target.suffix == self.suffix else target / f"{name}{self.suffix}"

    def check_packages(self) -> None:
        """Check that the packages are there; an ImportError names the command to install them."""
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
    """Options of an export, the same for every format.

    Raises:
        ValueError: a value that is not one of those named here.
    """

    kernel: str = "standard"
    """Of a SavedModel: ``standard`` runs on any machine; ``auto`` keeps cuDNN where this machine
    has it, and the exported model then needs a GPU too."""
    batch_size: int | None = None
    """Rows of every batch of a LiteRT file; 1, or the recipe's, where it is None."""
    tolerance: float | None = None
    """How far an output may be off, in parts of its greatest value; by dtype where it is None."""

    def __post_init__(self) -> None:
        if self.kernel not in ("standard", "auto"):
            raise ValueError(f"the kernel of an export is standard or auto, not {self.kernel}")
        if self.batch_size is not None and self.batch_size < 1:
            raise ValueError(f"a batch has at least one row, not {self.batch_size}")
        if self.tolerance is not None and not 0 <= self.tolerance < 1:
            raise ValueError(f"a tolerance is at least 0 and less than 1, not {self.tolerance}")

    def check(self, formats: Collection[str], own_batch_size: int | None) -> None:
        """Check the options against the formats and the recipe's own batch size.

        Raises:
            ValueError: an option is for another format, or the batches have another size.
        """
        if self.kernel == "auto" and SAVED_MODEL not in formats:
            raise ValueError(f"a kernel is for format {SAVED_MODEL}: the others hold no cuDNN")
        if self.batch_size is None:
            return
        if LITERT not in formats:
            raise ValueError(f"a batch size is for format {LITERT}: the others take any rows")
        if own_batch_size not in (None, self.batch_size):
            raise ValueError(
                f"batches of this recipe have {own_batch_size} rows, not {self.batch_size}"
            )


def target_path(format: str, path: Path, name: str) -> Path:  # noqa: A002 - Keras's own word
    """Return the path of a file of `format` written to `path`, which may be a folder.

    Raises:
        ValueError: there is no such format.
    """
    if format not in FORMATS:
        raise ValueError(f"there is no format {format}; there are: {', '.join(FORMATS)}")
    return FORMATS[format].path(path, name)
