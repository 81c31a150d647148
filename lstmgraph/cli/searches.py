"""Commands that search."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lstmgraph.cli.exit_codes import INTERRUPTED, RECIPE_IS_WRONG
from lstmgraph.cli.printing import print_json, say
from lstmgraph.cli.shared import (
    Format,
    Fresh,
    OutputFormat,
    RecipePath,
    SetValues,
    Strict,
    Weights,
    begun_with,
    fail,
    fail_with,
    listed,
    load_recipe,
    print_warnings_of,
    require_writable,
)
from lstmgraph.cli.sources import DataPath, TestPath, ValidationPath, fail_data
from lstmgraph.cli.verbosity import Quiet, Verbose, Verbosity
from lstmgraph.compiler.machine.importing import quick_imports
from lstmgraph.data.problems import DataError
from lstmgraph.messages.errors import RecipeError
from lstmgraph.tuning.search.errors import SearchError

if TYPE_CHECKING:
    from lstmgraph.api import Recipe
    from lstmgraph.tuning.options import TuneOptions
    from lstmgraph.tuning.result import TuneResult


class Cluster(StrEnum):
    """Kinds of clusters that can run trials."""

    ray = "ray"


def tune(  # noqa: PLR0913, PLR0917 - each option is one
    recipe: RecipePath,
    source: DataPath,
    validation: ValidationPath = None,
    test: TestPath = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="DIR",
            help="Where to write the result: a folder, made if missing, which also holds what the "
            "search needs to go on.  [default: searches/NAME]",
        ),
    ] = None,
    workers: Annotated[
        int, typer.Option(metavar="N", min=1, help="How many trials run at a time.")
    ] = 1,
    max_trials: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=1,
            help="How many trials the search runs, earlier runs included.  [default: the recipe's]",
        ),
    ] = None,
    max_time: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help="Start no trial after this time, earlier runs included: 90s, 15m, 2h, 1d.",
        ),
    ] = None,
    trial_time: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="Kill a trial that runs longer: 90s, 15m, 2h, 1d."),
    ] = None,
    trial_memory: Annotated[
        int | None,
        typer.Option(
            min=1, metavar="MIB", help="Kill a trial that holds more main memory, in MiB."
        ),
    ] = None,
    max_failures: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, help="Stop the search after this many failed trials."),
    ] = None,
    keep: Annotated[
        int,
        typer.Option(metavar="N", min=0, help="How many of the best trials keep their weights."),
    ] = 1,
    cluster: Annotated[
        Cluster | None,
        typer.Option(
            help="Run trials as tasks of the Ray cluster on this machine, or at RAY_ADDRESS."
        ),
    ] = None,
    cpus_per_trial: Annotated[
        float | None,
        typer.Option(metavar="N", help="With --cluster: CPUs for each trial.  [default: 1]"),
    ] = None,
    gpus_per_trial: Annotated[
        float | None,
        typer.Option(
            metavar="N", help="With --cluster: GPUs for each trial, or a part of one.  [default: 0]"
        ),
    ] = None,
    restart: Annotated[
        bool,
        typer.Option("--restart", help="Start over: keep an earlier search under another name."),
    ] = False,
    weights: Weights = None,
    fresh: Fresh = False,
    set_values: SetValues = None,
    strict: Strict = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
    output_format: OutputFormat = Format.text,
) -> None:
    """Search for the best values of what the recipe leaves open, each trial in its own process.

    If the search is stopped or killed, the same command goes on. Each trial prints a line when it
    starts and when it ends; a terminal shows a table instead.

    Example: lstmgraph tune recipe.yaml --data examples.npz --workers 2
    """
    verbosity = Verbosity(quiet=quiet, verbose=verbose)
    with verbosity.step("check the recipe"):
        loaded = load_recipe(recipe, set_values, output_format, strict=strict, quiet=quiet)
    folder = output or Path("searches") / loaded.name
    require_writable(folder)
    options: TuneOptions = {
        "folder": folder,
        "restart": restart,
        "weights": begun_with(loaded, weights, fresh=fresh),
        "workers": workers,
        "max_trials": max_trials,
        "seconds": _seconds(max_time, "--max-time"),
        "trial_seconds": _seconds(trial_time, "--trial-time"),
        "trial_memory_mb": trial_memory,
        "max_failures": max_failures,
        "keep": keep,
        "cluster": cluster,
        "cpus_per_trial": cpus_per_trial,
        "gpus_per_trial": gpus_per_trial,
    }
    given = {"train": source, "validation": validation, "test": test}
    result = _searched(loaded, given, options, output_format, verbosity)
    if output_format is Format.json:
        print_json({"ok": True, **result.as_dict(), **listed(loaded.warnings, "warnings")})
    else:
        say("\n".join([str(result), *(f"wrote {path}" for path in result.files.values())]))
    if result.best is None:
        raise typer.Exit(RECIPE_IS_WRONG)


def _searched(
    recipe: Recipe,
    given: dict[str, str | None],
    options: TuneOptions,
    output_format: Format,
    verbosity: Verbosity,
) -> TuneResult:
    from rich.console import Console  # noqa: PLC0415 - what one command needs

    from lstmgraph.data.functions import source_of  # noqa: PLC0415 - imports NumPy
    from lstmgraph.models.given_weights import given_weights, warned_of  # noqa: PLC0415
    from lstmgraph.tuning import options as tuning_options  # noqa: PLC0415
    from lstmgraph.tuning.run import tune as run_tune  # noqa: PLC0415

    with verbosity.library_step("import TensorFlow"), quick_imports():
        import keras  # noqa: F401, PLC0415 - TensorFlow's start-up log comes with it
    is_stderr = verbosity.verbose or output_format is Format.json
    console = None if verbosity.quiet else Console(stderr=is_stderr)
    try:
        data = {name: source_of(text) for name, text in given.items() if text is not None}
        train = data.pop("train")
        every: TuneOptions = {**options, **data}  # type: ignore[typeddict-item]  # two of its keys
        request = tuning_options.tune_request(recipe.compiled, train, every, console)
        if console is not None and output_format is Format.text:
            file = options.get("weights")
            weights = given_weights(recipe.compiled, file) if file else None
            print_warnings_of(Path(recipe.name), recipe, warned_of(recipe.compiled, weights))
        with verbosity.shown_step("search"):
            return run_tune(request)
    except RecipeError as error:
        fail(error, output_format)
    except DataError as error:
        fail_data(error, output_format)
    except (SearchError, ValueError) as error:
        fail_with(str(error), output_format)
    except KeyboardInterrupt:
        say(f"\ninterrupted; the same command goes on in {options['folder']}", err=True)
        raise typer.Exit(INTERRUPTED) from None


def report(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder of a search.")],
    quiet: Quiet = False,
    verbose: Verbose = False,
    output_format: OutputFormat = Format.text,
) -> None:
    """Write a search's report.html, its tables and the best trial's files, also while it runs.

    Example: lstmgraph report searches/speaker-classifier-search
    """
    verbosity = Verbosity(quiet=quiet, verbose=verbose)
    from lstmgraph.tuning.result import written_results  # noqa: PLC0415 - what one command needs

    try:
        with verbosity.shown_step("write the report"):
            files, results = written_results(folder)
    except SearchError as error:
        fail_with(str(error), output_format)
    unread = results.unread_lines()
    if output_format is Format.json:
        written = {"files": {name: str(path) for name, path in files.items()}}
        print_json(
            {"ok": not unread, **({"error": "\n".join(unread)} if unread else {}), **written}
        )
    else:
        say("\n".join(f"wrote {path}" for path in files.values()))
        if unread:
            say("\n".join(["not all could be read:", *unread]), err=True)
    if unread:
        raise typer.Exit(RECIPE_IS_WRONG)


def _seconds(text: str | None, option: str) -> float | None:
    try:
        return None if text is None else duration(text)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint=option) from None


def duration(text: str) -> float:
    """Return the seconds of a length of time: ``90s``, ``15m``, ``2h`` or ``1d``.

    Raises:
        ValueError: it is none of these, or lacks the unit.
    """
    units = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
    number = text[:-1] if text[-1:] in units else text
    try:
        count = float(number)
    except ValueError:
        count = 0.0
    if not 0.0 < count < float("inf"):
        raise ValueError(f"'{text}' is no length of time; write one such as 90s, 15m or 2h")
    if number == text:
        raise ValueError(
            f"'{text}' has no unit; write {text}s for seconds, {text}m for minutes or {text}h for "
            "hours"
        )
    return count * units[text[-1]]
