"""Warn of settings of ``training:`` that have no effect."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lstmgraph.compiler.lint.checked import Checked

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
