"""What `explain` is given beside a recipe: the size of a batch."""

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
    typer.Option("--batch", metavar="ROWS", min=1, help="Estimate the memory of such a batch."),
]
TimeSteps = Annotated[
    int | None,
    typer.Option("--time", metavar="SIZE", min=1, help="Every size that inputs leave open."),
]
OpenSizes = Annotated[
    list[str] | None,
    typer.Option("--dim", metavar="NAME=SIZE", help="One of them by its name. Repeatable."),
]

ShowBlame = Annotated[
    bool,
    typer.Option("--blame", help="Show instead where each value of the recipe came from."),
]


def refuse_sizes_beside_blame(batch: int | None, time: int | None, sizes: list[str] | None) -> None:
    """``--blame`` shows no memory: an option that would do nothing is refused."""
    given = {"--batch": batch, "--time": time, "--dim": sizes}
    unused = [name for name, value in given.items() if value]
    if unused:
        message = f"it shows no memory: leave it out, or {listed(unused)}"
        raise typer.BadParameter(message, param_hint="--blame")


def explained(
    recipe: Recipe, batch: int | None, time: int | None, sizes: list[str] | None
) -> Explanation:
    """The explanation, with the memory of a batch where a size is given."""
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
