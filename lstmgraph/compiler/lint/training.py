"""Settings of ``training:`` that come to nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lstmgraph.compiler.lint.checked import Checked

WAITING = ("early_stopping", "reduce_lr_on_plateau")


def check_patience(checked: Checked) -> None:
    """W758: a callback that waits for more epochs than there are.

    Early stopping that gives back the best weights does so at the end too, and is left alone.
    Source: ``on_epoch_end`` of ``keras/src/callbacks/early_stopping.py``.
    """
    training = checked.recipe.training
    if training is None or training.epochs == 1:  # the default: epochs are said where it is run
        return
    for name in WAITING:
        callback = training.callbacks.get(name)
        if callback is None or callback.get("restore_best_weights"):
            continue
        if callback["patience"] >= training.epochs:
            checked.document.warn(
                "W758",
                ("training", "callbacks", name, "patience"),
                f"`{name}` waits for {callback['patience']} epochs without a better one, and there "
                f"are {training.epochs} in all: it never does anything",
                hint="write a smaller `patience`, or more `epochs`",
            )
