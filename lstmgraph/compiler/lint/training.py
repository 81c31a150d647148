"""Warn of settings of ``training:`` and ``search:`` that do nothing, or the opposite."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lstmgraph.compiler.checks.callbacks import watching
from lstmgraph.compiler.checks.search import directions

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lstmgraph.compiler.lint.checked import Checked
    from lstmgraph.messages.diagnostics import Path

WAITING = ("early_stopping", "reduce_lr_on_plateau")


def check_patience(checked: Checked) -> None:
    """Warn (W758) of a callback that waits for more epochs than there are.

    Early stopping that restores the best weights is fine, as it does so at the end too.
    Source: ``on_epoch_end`` of ``keras/src/callbacks/early_stopping.py``.
    """
    training = checked.recipe.training
    if training is None or training.epochs == 1:  # the default: epochs are set on the command line
        return
    for name in WAITING:
        callback = training.callbacks.get(name)
        if callback is None or callback.get("restore_best_weights"):
            continue
        if callback["patience"] >= training.epochs:
            checked.document.warn(
                "W758",
                ("training", "callbacks", name, "patience"),
                f"`{name}` waits for {callback['patience']} epochs without improvement, but there "
                f"are only {training.epochs}: it never has an effect",
                hint="write a smaller `patience`, or more `epochs`",
            )


def check_directions(checked: Checked) -> None:
    """Warn (W770) of an objective or a callback that wants the worst value of its metric."""
    if checked.recipe.training is None:
        return
    better = directions(checked.recipe.training, checked.graph)
    for watcher, metric, wanted, path in _wanted(checked):
        if wanted != "auto" and better[metric] not in (None, wanted):
            small = better[metric] == "min"
            checked.document.warn(
                "W770",
                path,
                f"{watcher} looks for the {'largest' if small else 'smallest'} '{metric}', of "
                f"which a {'small' if small else 'large'} one is better",
                hint=f"leave `{path[-1]}` out: it follows the metric",
            )


def _wanted(checked: Checked) -> Iterator[tuple[str, str, str, Path]]:
    """Yield who watches a metric, the metric, the direction, and its path."""
    search, training = checked.recipe.search, checked.recipe.training
    assert training is not None
    for name, arguments in watching(training).items():
        path = ("training", "callbacks", name, "mode")
        yield f"`{name}`", arguments["monitor"], arguments["mode"], path
    several = isinstance((checked.document.data.get("search") or {}).get("objective"), list)
    for index, each in enumerate(search.objective if search else ()):
        entry = (index,) if several else ()
        yield (
            "the search",
            each["metric"],
            each["direction"],
            ("search", "objective", *entry, "direction"),
        )
