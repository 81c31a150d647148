"""The command that runs a model on new data."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - Typer reads annotations
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lstmgraph.cli.model_jobs import ModelPath, RecipeOfModel, Stride, failing, origins_of
from lstmgraph.cli.printing import hand_over, print_json, say
from lstmgraph.cli.shared import (
    Force,
    Format,
    OutputFormat,
    listed,
    load_recipe,
    named_model,
    refuse,
    require_writable,
)
from lstmgraph.cli.sources import DataPath, print_warnings
from lstmgraph.cli.stdin import is_stdin
from lstmgraph.cli.verbosity import Quiet, Verbose, Verbosity
from lstmgraph.compiler.machine.importing import quick_imports
from lstmgraph.messages.wording import counted

if TYPE_CHECKING:
    from lstmgraph.prediction import Predictions


def predict(  # noqa: PLR0913, PLR0917 - the options of the command
    model: ModelPath,
    data: DataPath,
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Where to write the result: a .csv, .csv.gz, .parquet or .npz file; - prints CSV.",
        ),
    ],
    future: Annotated[
        str | None,
        typer.Option(
            metavar="DATA",
            help="A second table with the rows that follow, and what is known of them.",
        ),
    ] = None,
    origins: Annotated[
        str | None,
        typer.Option(
            metavar="N",
            help="How many forecasts of each series, or all.  [default: 1, for the steps after "
            "the last known value]",
            show_default=False,
        ),
    ] = None,
    stride: Stride = 1,
    recipe: RecipeOfModel = None,
    part: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="The part of the data: of arrays that have several, such as test."
        ),
    ] = None,
    batch_size: Annotated[
        int | None,
        typer.Option(
            metavar="N", min=1, help="Rows of every batch: how many the model is given at a time."
        ),
    ] = None,
    force: Force = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
    output_format: OutputFormat = Format.text,
) -> None:
    """Run a model on new data, and write its predictions with the keys of the data.

    Example: lstmgraph predict runs/first --data new.csv -o forecasts.csv
    """
    verbosity = Verbosity(quiet=quiet, verbose=verbose)
    model = named_model(model, shown=output_format is Format.text and not quiet)
    is_printed = is_stdin(output)
    if is_printed and output_format is Format.json:
        raise typer.BadParameter("leave one of the two out", param_hint="-o -, --format json")
    _check_output(output, force=force)
    chosen = origins_of(origins)
    own = None if recipe is None else load_recipe(recipe, None, output_format, quiet=True)
    with verbosity.step("import the package"):
        import lstmgraph.prediction as package  # noqa: PLC0415 - imports NumPy
        from lstmgraph.data.functions import source_of  # noqa: PLC0415 - as above
    with failing(output_format, output):
        with verbosity.library_step("open the model"):
            opened = package.open_model(model, own)
        with verbosity.step("read the data"):
            found = package.predict(
                opened,
                source_of(data),
                future=None if future is None else source_of(future),
                origins=chosen,
                stride=stride,
                batch_size=batch_size,
                part=part,
            )
        if not quiet and output_format is Format.text:
            print_warnings(found)
        if is_printed:
            _print(found)
            return
        with verbosity.library_step("predict"):
            with quick_imports():
                import keras  # noqa: F401, PLC0415 - what follows needs it
            rows = found.write(output)
    if output_format is Format.json:
        print_json(_summary(found, model, output, rows))
    else:
        what = "example" if output.suffix == ".npz" else "row"
        say(f"wrote {output}: {counted(rows, what)}")


def _check_output(output: Path, *, force: bool) -> None:
    if is_stdin(output):
        return
    from lstmgraph.prediction.writing import ending_of  # noqa: PLC0415 - imports NumPy

    try:
        ending_of(output)
    except ValueError as error:
        refuse(str(error))
    require_writable(output.parent, [output], overwrite=force)


def _print(found: Predictions) -> None:
    from lstmgraph.prediction.writing import write_csv  # noqa: PLC0415 - imports pyarrow

    class Printed:
        """Hands over what is written to the standard output."""

        closed = False

        def write(self, content: Any) -> int:
            data = bytes(content)
            hand_over(data)
            return len(data)

        def flush(self) -> None:
            pass

        def writable(self) -> bool:
            return True

    write_csv(found, Printed())  # type: ignore[arg-type]  # all that is called


def _summary(found: Predictions, model: Path, output: Path, rows: int) -> dict[str, Any]:
    """Return what ``--format json`` prints; docs/json.md describes it."""
    columns = [name for layout in found.layouts for name in layout.columns]
    summary = {
        "ok": True,
        "model": str(model),
        "recipe": found.model.compiled.declaration.name,
        "file": str(output),
        "examples": len(found),
        "rows": rows,
        "keys": list(found.key_columns),
        "columns": columns,
    }
    return {**summary, **listed(found.warnings, "warnings")}
