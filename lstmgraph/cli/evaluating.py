"""The command that measures a model on data."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - Typer reads annotations
from typing import Annotated

import typer

from lstmgraph.cli.model_jobs import ModelPath, RecipeOfModel, Stride, failing, origins_of
from lstmgraph.cli.printing import print_json, say
from lstmgraph.cli.shared import Format, OutputFormat, load_recipe, named_model, require_writable
from lstmgraph.cli.sources import DataPath  # noqa: TC001 - Typer reads annotations
from lstmgraph.cli.verbosity import Quiet, Verbose, Verbosity
from lstmgraph.csv_files import write_csv
from lstmgraph.data.problems import as_lines
from lstmgraph.files import write_text


def evaluate(  # noqa: PLR0913, PLR0917 - the options of the command
    model: ModelPath,
    data: DataPath,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Where to write the result: a report, one .html page that needs no other file; or "
            "all measures, a .csv table.",
        ),
    ] = None,
    part: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="The part of the data: train, validation or test, as the recipe splits it; or "
            "all.",
        ),
    ] = "all",
    origins: Annotated[
        str | None,
        typer.Option(
            metavar="N",
            help="How many forecasts of each series, or all: the last ones.  [default: all]",
            show_default=False,
        ),
    ] = None,
    stride: Stride = 1,
    season: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=1,
            help="The steps of a season, for the seasonal naive forecast.  [default: that of the "
            "table's times, such as 24 for hours]",
            show_default=False,
        ),
    ] = None,
    recipe: RecipeOfModel = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
    output_format: OutputFormat = Format.text,
) -> None:
    """Measure a model on data with targets, compared with naive forecasts.

    Forecasts of a table are measured from every origin, as in a rolling backtest.

    Example: lstmgraph evaluate runs/first --data table.csv --part test -o report.html
    """
    verbosity = Verbosity(quiet=quiet, verbose=verbose)
    model = named_model(model, shown=output_format is Format.text and not quiet)
    ending = "" if output is None else output.suffix.lower()
    if output is not None and ending not in (".html", ".htm", ".csv"):
        message = "the report ends in .html, the table of measures in .csv"
        raise typer.BadParameter(message, param_hint="--output")
    if output is not None:
        require_writable(output.parent, [output])
    chosen = origins_of(origins)
    own = None if recipe is None else load_recipe(recipe, None, output_format, quiet=True)
    with verbosity.step("import the package"):
        from lstmgraph.data.functions import source_of  # noqa: PLC0415 - imports NumPy
        from lstmgraph.evaluation import evaluate as evaluated  # noqa: PLC0415 - as above
    with failing(output_format, output):
        with verbosity.library_step("evaluate"):
            found = evaluated(
                model,
                source_of(data),
                recipe=own,
                part=part,
                origins=chosen,
                stride=stride,
                season=season,
            )
        if output is not None and ending == ".csv":
            write_csv(output, found.table())
        elif output is not None:
            write_text(output, found.report())
    if output_format is Format.json:
        warnings = [warning.as_dict() for warning in found.warnings]
        print_json({"ok": True, **found.to_dict(), "warnings": warnings})
        return
    if not quiet:
        for line in as_lines(found.warnings):
            say(line, err=True)
    say(str(found))
    if output is not None:
        say(f"wrote {output}")
