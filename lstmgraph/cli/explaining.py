"""Options of `explain`: the size of a batch, for an estimate of memory, and ``--blame``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from lstmgraph.messages.wording import listed

if TYPE_CHECKING:
    from lstmgraph.api import Recipe
    from lstmgraph.explain.explanation import Explanation
    from lstmgraph.explain.memory import BatchSize

BatchRows = Annotated[
    int | None,
    typer.Option(
        "--batch",
        metavar="ROWS",
        min=1,
        help="Estimate the memory for a batch of this many examples.",
    ),
]
TimeSteps = Annotated[
    int | None,
    typer.Option(
        "--time",
        metavar="SIZE",
        min=1,
        help="With --batch: the size of every axis that inputs leave open, such as time.",
    ),
]
OpenSizes = Annotated[
    list[str] | None,
    typer.Option(
        "--dim", metavar="NAME=SIZE", help="With --batch: the size of one open axis. Repeatable."
    ),
]

ShowBlame = Annotated[
    bool,
    typer.Option(
        "--blame", help="Show where each value of the recipe comes from, and nothing else."
    ),
]


def refuse_sizes_beside_blame(batch: int | None, time: int | None, sizes: list[str] | None) -> None:
    """Refuse sizes beside ``--blame``, which shows no memory."""
    given = {"--batch": batch, "--time": time, "--dim": sizes}
    unused = [name for name, value in given.items() if value]
    if unused:
        message = f"it shows no memory: leave it out, or {listed(unused)}"
        raise typer.BadParameter(message, param_hint="--blame")


def explained(
    recipe: Recipe, batch: int | None, time: int | None, sizes: list[str] | None
) -> Explanation:
    """Return the explanation, with the memory of a batch where a size is given."""
    size: BatchSize = {}
    if batch is not None:
        size["batch"] = batch
    if time is not None:
        size["time"] = time
    if sizes:
        size["sizes"] = dict(map(_named, sizes))
    from lstmgraph.explain.memory import SizeError  # noqa: PLC0415 - what one command needs

    try:
        return recipe.explain(**size)
    except SizeError as error:
        raise typer.BadParameter(str(error), param_hint="--batch, --time, --dim") from None


def _named(text: str) -> tuple[str, int]:
    name, _, size = text.partition("=")
    if not (name and size.isdecimal()):
        raise typer.BadParameter(f"{text} is not NAME=SIZE", param_hint="--dim")
    return name, int(size)
