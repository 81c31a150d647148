"""What the commands that run a model on data share: options, and how they end where it is wrong."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lstmgraph.cli.shared import Format, fail, fail_with, reason
from lstmgraph.cli.sources import fail_data
from lstmgraph.data.problems import DataError
from lstmgraph.messages.errors import RecipeError
from lstmgraph.messages.wording import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterator

ModelPath = Annotated[
    Path,
    typer.Argument(
        metavar="MODEL", help="A .keras, .onnx or .tflite file, or the folder of a training."
    ),
]
Stride = Annotated[
    int, typer.Option(metavar="N", min=1, help="The rows from one origin to the next.")
]
RecipeOfModel = Annotated[
    Path | None,
    typer.Option(metavar="RECIPE", help="The recipe of a MODEL that has none in it."),
]


@contextmanager
def failing(output_format: Format, output: Path | None) -> Iterator[None]:
    """Print why a model cannot be run on data, and exit; `output` is where the result goes."""
    try:
        yield
    except RecipeError as error:
        fail(error, output_format)
    except DataError as error:
        fail_data(error, output_format)
    except (ValueError, ImportError) as error:
        fail_with(str(error), output_format)
    except OSError as error:
        fail_with(f"{error.filename or output}: {reason(error)}", output_format)


def origins_of(text: str | None) -> int | str | None:
    """Return how many origins ``--origins`` asks for: a number, ``all``, or None without it.

    Raises:
        typer.BadParameter: it is none of these.
    """
    if text is None or text == "all":
        return text
    if not text.isdecimal() or not int(text):
        message = f"{text} is not a number from 1, nor all{did_you_mean(text, ['all'])}"
        raise typer.BadParameter(message, param_hint="--origins")
    return int(text)
