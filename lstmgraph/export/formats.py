"""The export formats: their names, file suffixes, needed packages and options."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from lstmgraph.compiler.machine.litert import KEPT, Kept
from lstmgraph.export.quantization import INT8, INT16X8, QUANTIZATIONS, quantization_of

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from pathlib import Path

KERAS, SAVED_MODEL, ONNX, LITERT, C = "keras", "saved_model", "onnx", "litert", "c"
MICROCONTROLLER = "microcontroller"
DEVICES = (MICROCONTROLLER,)
"""Machines that a file may be meant for, which run less than its format holds."""


@dataclass(frozen=True)
class ExportFormat:
    """A format that models are exported to."""

    name: str
    title: str
    """The name as its makers write it."""
    suffix: str
    packages: tuple[str, ...] = ()
    """Packages beyond a plain installation."""
    extra: str = ""
    """The extra of lstmgraph that installs them."""
    quantizations: tuple[str, ...] = ()
    """The kinds of numbers that its files can be quantized to."""

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
                f"format {self.name} needs {names}: pip install 'lstmgraph[{self.extra}]'"
            )


FORMATS: Mapping[str, ExportFormat] = {
    KERAS: ExportFormat(KERAS, "Keras", ".keras"),
    SAVED_MODEL: ExportFormat(SAVED_MODEL, "SavedModel", ".saved_model"),
    ONNX: ExportFormat(
        ONNX,
        "ONNX",
        ".onnx",
        ("onnx", "onnxruntime"),
        ONNX,
        tuple(name for name in QUANTIZATIONS if name != INT16X8),
    ),
    LITERT: ExportFormat(
        LITERT, "LiteRT", ".tflite", ("ai_edge_litert",), LITERT, tuple(QUANTIZATIONS)
    ),
    C: ExportFormat(C, "C", ".c", ("ai_edge_litert",), LITERT, tuple(QUANTIZATIONS)),
}
TOGETHER = frozenset({LITERT, SAVED_MODEL})
"""Formats whose files hold several models, each as a signature with its name."""
NO_INT16X8 = "onnxruntime has no kernels for values in int16"
OF_LITERT = frozenset({LITERT, C})
"""Formats whose files hold a model of LiteRT."""


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
    quantize: str | None = None
    """What a LiteRT or ONNX file computes with: one of QUANTIZATIONS; None for the recipe's."""
    max_loss: float | None = None
    """By what part a measure on unseen data may get worse where the file is quantized."""
    device: str | None = None
    """The machine that must be able to run the file: one of DEVICES; None for any that LiteRT or
    the format's other runtimes have."""

    def __post_init__(self) -> None:
        if self.kernel not in ("standard", "auto"):
            raise ValueError(f"the kernel of an export must be standard or auto, not {self.kernel}")
        if self.batch_size is not None and self.batch_size < 1:
            raise ValueError(f"the batch size must be at least 1, not {self.batch_size}")
        if self.tolerance is not None and not 0 <= self.tolerance < 1:
            raise ValueError(
                f"the tolerance must be at least 0 and less than 1, not {self.tolerance}"
            )
        if self.quantize is not None:
            quantization_of(self.quantize)
        if self.max_loss is not None and not 0 <= self.max_loss < 1:
            raise ValueError(f"--max-loss must be at least 0 and less than 1, not {self.max_loss}")
        if self.device is not None and self.device not in DEVICES:
            raise ValueError(f"the device must be one of {', '.join(DEVICES)}, not {self.device}")

    def check_data(self, data: Any, test: Any) -> None:
        """Check that data is given for a quantized file alone, and test data beside other data.

        Raises:
            ValueError: it is not.
        """
        if self.quantize is None and (data is not None or test is not None):
            name = "--test" if data is None else "--data"
            raise ValueError(f"{name} is for a quantized file: add --quantize, or leave {name} out")
        if test is not None and data is None:
            raise ValueError(
                "--test only measures the quantized file: add --data FILE, or data= in Python, "
                "which it is made from"
            )

    def check_models(self, formats: Collection[str], names: Collection[str], own: str) -> None:
        """Check the models to be written, of a recipe whose own has the name `own`.

        Raises:
            ValueError: the device runs one model of a file, or there is no measure of a model.
        """
        if self.max_loss is not None and names and own not in names:
            raise ValueError(
                "--max-loss is measured on the recipe's own model, which is not written: leave it "
                f"out, or add --model {own}"
            )
        if self.device == MICROCONTROLLER and len(names) > 1 and LITERT in formats:
            raise ValueError(
                "LiteRT for Microcontrollers runs one model of a file: choose c, which writes a "
                "file for each, or one model"
            )

    def check_unseen(self, part: str | None) -> None:
        """Check that there is a part of the data to measure a loss on.

        Raises:
            ValueError: there is none.
        """
        if self.max_loss is not None and part is None:
            raise ValueError(
                "--max-loss needs data that was not trained on: give some with --test FILE, or "
                "test= in Python, or let `split:` of the recipe's data keep a part"
            )

    def check(
        self, formats: Collection[str], own_batch_size: int | None, *, has_data: bool = False
    ) -> None:
        """Check the options against the formats, the recipe's own batch size, and the data.

        Raises:
            ValueError: an option is for none of the formats, the batch sizes differ, or data is
                missing.
        """
        if self.kernel == "auto" and SAVED_MODEL not in formats:
            raise ValueError(
                f"the kernel option is for format {SAVED_MODEL}: no other format can hold cuDNN"
            )
        self._check_quantization(formats, has_data=has_data)
        if self.device is not None and not OF_LITERT.issuperset(formats):
            raise ValueError(f"the {self.device} runs files of LiteRT: choose {LITERT} or {C}")
        if self.batch_size is None:
            return
        if not OF_LITERT & set(formats):
            raise ValueError(
                f"the batch size option is for format {LITERT}: the others take any number of rows"
            )
        if own_batch_size not in (None, self.batch_size):
            raise ValueError(f"the recipe's batch_size is {own_batch_size}, not {self.batch_size}")

    def _check_quantization(self, formats: Collection[str], *, has_data: bool) -> None:
        if self.quantize is None:
            if self.max_loss is not None:
                raise ValueError(
                    "--max-loss is for a quantized file: add --quantize, or leave --max-loss out"
                )
            return
        for name in formats:
            if self.quantize not in FORMATS[name].quantizations:
                own = ", ".join(FORMATS[name].quantizations)
                what = f"it can be {own}" if own else "choose litert, c or onnx"
                why = f": {NO_INT16X8}" if name == ONNX else ""
                raise ValueError(f"format {name} cannot be {self.quantize}{why}; {what}")
        kind = quantization_of(self.quantize)
        if kind.needs_data and not has_data:
            raise ValueError(
                f"{self.quantize} takes the ranges of values from data, never from random "
                "numbers: add --data FILE, or data= in Python"
            )
        if self.max_loss is not None and not has_data:
            raise ValueError(
                "--max-loss is measured on data with targets: add --data FILE, or data= in Python"
            )
        if self.device == MICROCONTROLLER and not kind.is_integer:
            raise ValueError(
                f"LiteRT for Microcontrollers has no operators for {self.quantize} weights: "
                "choose int8 or int16x8, or leave --quantize out"
            )


def kept_from(options: ExportOptions, *, shared: bool = False) -> Kept:
    """Return why a LiteRT file may not have the operator of an LSTM.

    Args:
        options: what the caller chose.
        shared: whether models of whole sequences in the same file have its weights: they are
            stored once if all run them by one kind of operator.
    """
    own = KEPT.of_one_step if not shared or options.quantize == INT8 else ""
    if options.quantize == INT16X8:
        return Kept("TensorFlow quantizes LiteRT's operator of an LSTM to int8 alone")
    if options.quantize == INT8:
        return Kept(
            with_states="in int8 LiteRT's operator cannot begin with other states than zeros, nor "
            "give its cell state",
            of_one_step=own,
        )
    return Kept(of_one_step=own)


def stem_of(recipe: str, names: Sequence[str]) -> str:
    """Return the name of a file without its ending: of one further model, its name behind `recipe`.

    Args:
        recipe: the recipe's name.
        names: the models in the file; the recipe's own if there are none.
    """
    return recipe if len(names) != 1 or names[0] == recipe else f"{recipe}.{names[0]}"


def paths_of(format: str, path: Path, models: Sequence[str]) -> list[Path]:  # noqa: A002 - as above
    """Return the path of the file of each model, of those that are written to `path`.

    Of several, a further model has its name behind that of `path`, unless one file holds them all.

    Args:
        format: the name of the format.
        path: the path for the recipe's own model.
        models: the names of further models; "" for the recipe's own.
    """
    if len(models) > 1 and format in TOGETHER:
        return [path for _ in models]
    return [
        path.with_name(f"{path.stem}.{model}{path.suffix}") if model and len(models) > 1 else path
        for model in models
    ]


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
