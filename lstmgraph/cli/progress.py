"""The progress of a training: a line for each epoch, and on a terminal a bar below the lines."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from lstmgraph.cli.printing import say
from lstmgraph.messages.rendering.printable import printable
from lstmgraph.messages.wording import metrics_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from rich.console import Console

    OnEpoch = Callable[[int, dict[str, float]], None]


def epoch_line(epoch: int, epochs: int, metrics: Mapping[str, float]) -> str:
    """Return an epoch as one line: ``epoch 3/20: loss 0.512, val_loss 0.48, 1.2 s``.

    `metrics` holds the ``seconds`` that the epoch took, as the history does.
    """
    numbers = metrics_text({name: v for name, v in metrics.items() if name != "seconds"})
    parts = [numbers, f"{metrics['seconds']:.1f} s"]
    return f"epoch {epoch}/{max(epoch, epochs)}: {', '.join(filter(None, parts))}"


@contextmanager
def epochs_shown(epochs: int, console: Console, *, bar: bool) -> Iterator[OnEpoch]:
    """Give the block a function to call after each epoch, which prints a line at once.

    Args:
        epochs: how many there will be, those of an earlier run included.
        console: where the lines go.
        bar: whether a terminal shows a bar with the time that is left, too.
    """
    if not (bar and console.is_terminal):
        yield lambda epoch, metrics: say(epoch_line(epoch, epochs, metrics), err=console.stderr)
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn  # noqa: PLC0415

    columns = (MofNCompleteColumn(), BarColumn(bar_width=None), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, expand=True) as progress:
        task = progress.add_task("", total=epochs)

        def show(epoch: int, metrics: dict[str, float]) -> None:
            console.out(printable(epoch_line(epoch, epochs, metrics)), highlight=False)
            progress.update(task, completed=epoch)

        yield show
